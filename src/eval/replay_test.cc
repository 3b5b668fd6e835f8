#include "eval/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <vector>

#include "discriminate/factory.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

RecordedFrame Recorded(const char* name, double service_ms, std::int64_t jpeg_bytes,
                       Detections detections = {}) {
  RecordedFrame frame{.name = name, .rect = {0, 0, 100, 100}, .size = {100, 100}};
  frame.service_ms = service_ms;
  frame.features.jpeg_bytes = jpeg_bytes;
  frame.detections = std::move(detections);
  return frame;
}

TEST(JudgeRecorded, JudgesTheFramesAskedForInTheirOrder) {
  Recording near;
  // One object found, and a small box that may be three more.
  const Detection sure{{0, 0, 60, 60}, .9F};
  const Detection unsure{{70, 70, 75, 75}, .3F};
  near.frames = {Recorded("easy", 1, 1, {sure}),
                 Recorded("difficult", 1, 1, {sure, unsure, unsure, unsure})};
  const auto discriminator = MakeDiscriminator({.name = "smallbig"});
  ASSERT_TRUE(discriminator);
  const auto judgement =
      JudgeRecorded(**discriminator, near, std::vector<std::size_t>{1, 0},
                    std::vector<Detections>{near.frames[1].detections, near.frames[0].detections});
  ASSERT_TRUE(judgement);
  EXPECT_THAT(judgement->difficult, ElementsAre(true, false));
  EXPECT_GT(judgement->gains[0], judgement->gains[1]);
  EXPECT_TRUE(JudgeRecorded(**discriminator, near, {}, {})->gains.empty());
}

/// Ranks images by their number of boxes and writes down what it is taught.
class Pupil final : public Discriminator {
 public:
  std::string name() const override { return "pupil"; }
  std::string version() const override { return "1"; }
  double natural_threshold() const override { return 0; }
  Gain Judge(const Evidence& evidence, bool /*explain*/) const override {
    return {.score = static_cast<double>(evidence.raw.size())};
  }
  void Watch(const Evidence& /*evidence*/) override { ++watched; }
  void Observe(const Evidence& /*evidence*/, const GainOutcome& outcome) override {
    taught.push_back(outcome.far.size());
    probabilities.push_back(outcome.upload_probability);
  }

  int watched = 0;
  std::vector<std::size_t> taught;
  std::vector<double> probabilities;
};

TEST(ReplayBudget, TeachesTheDiscriminatorEachUploadsAnswerWithItsProbability) {
  Recording near;
  std::vector<std::size_t> frames;
  std::vector<Detections> near_boxes;
  std::vector<Detections> far_boxes;
  for (std::size_t i = 0; i < 400; ++i) {
    near.frames.push_back({.name = std::to_string(i), .size = {10, 10}});
    frames.push_back(i);
    near_boxes.emplace_back(i % 7);
    far_boxes.emplace_back(i);  // as many boxes as the image's place: tells which one it was
  }
  Pupil pupil;
  const BudgetedUploads uploads =
      ReplayBudget({.share = 0.3, .audit = 0.1}, pupil, near, frames, near_boxes, far_boxes)
          .value();
  EXPECT_EQ(pupil.watched, 400);
  std::vector<std::size_t> uploaded;
  bool audited = false;
  for (std::size_t i = 0; i < 400; ++i) {
    if (uploads.uploaded[i]) {
      uploaded.push_back(i);
    }
    audited = audited || (uploads.uploaded[i] && !uploads.answered[i]);
    EXPECT_TRUE(uploads.uploaded[i] || !uploads.answered[i]);
  }
  EXPECT_EQ(pupil.taught, uploaded);
  EXPECT_NEAR(static_cast<double>(uploaded.size()), 120, 10);
  EXPECT_TRUE(audited);
  for (const double probability : pupil.probabilities) {
    EXPECT_GT(probability, 0);
    EXPECT_LE(probability, 1);
  }
}

TEST(JudgeRecorded, RefusesARecordingThatLacksWhatIsNeeded) {
  Recording near;
  near.frames = {Recorded("a", 1, -1)};
  const auto blur = MakeDiscriminator({.name = "blur"});
  ASSERT_TRUE(blur);
  const auto judged =
      JudgeRecorded(**blur, near, std::vector<std::size_t>{0}, std::vector<Detections>(1));
  ASSERT_FALSE(judged);
  EXPECT_THAT(judged.error().message, HasSubstr("which the recording lacks of a"));
  near.frames[0].size = {};
  EXPECT_FALSE(JudgeRecorded(**MakeDiscriminator({}), near, std::vector<std::size_t>{0},
                             std::vector<Detections>(1)));
}

TEST(RecordedCosts, AddUpWhatIsUploadedAndBothEnginesThere) {
  Recording near;
  near.frames = {Recorded("a", 10, 1000), Recorded("b", 20, 2000)};
  Recording far;
  far.frames = {Recorded("b", 200, 2000), Recorded("a", 100, 1000)};
  const std::vector<std::size_t> near_at = {0, 1};
  const std::vector<std::size_t> far_at = {1, 0};
  const Costs costs = RecordedCosts(near, near_at, far, far_at, {false, true});
  EXPECT_THAT(costs.bytes_up, Optional(2000));
  EXPECT_THAT(costs.latencies, ElementsAre(milliseconds(10), milliseconds(220)));
  EXPECT_THAT(RecordedCosts(near, near_at).latencies,
              ElementsAre(milliseconds(10), milliseconds(20)));
  EXPECT_THAT(RecordedCosts(near, near_at).bytes_up, Optional(0));
}

TEST(RecordedCosts, AreAbsentWhereAFrameLacksThem) {
  Recording near;
  near.frames = {Recorded("a", 10, -1), Recorded("b", -1, 5)};
  const std::vector<std::size_t> at = {0, 1};
  const Costs none_uploaded = RecordedCosts(near, at, near, at, {false, false});
  EXPECT_THAT(none_uploaded.bytes_up, Optional(0)) << "nothing sent is known to cost nothing";
  EXPECT_TRUE(none_uploaded.latencies.empty());
  EXPECT_EQ(RecordedCosts(near, at, near, at, {true, true}).bytes_up, std::nullopt);
  EXPECT_TRUE(RecordedCosts(near, at).latencies.empty());
}

TEST(CostsOf, CountsEveryUploadOnceWhateverBecameOfIt) {
  constexpr LinkId kFar{1};
  const auto answer = [](std::uint64_t request, LinkId link, int ms, std::int64_t up,
                         const char* error) {
    return Answer{.request = RequestId{request},
                  .link = link,
                  .error_code = error,
                  .total = milliseconds(ms),
                  .bytes_up = up,
                  .bytes_down = up > 0 ? 7 : 0};
  };
  const auto frame = [](std::uint64_t id, bool uploaded, FrameStatus status,
                        std::vector<Answer> answers) {
    FrameRecord record{.frame = FrameId{id},
                       .status = status,
                       .answers = std::move(answers),
                       .total = milliseconds(100 + static_cast<int>(id))};
    record.verdicts.push_back({.uploaded = uploaded});
    return record;
  };
  Trace trace;
  trace.frames = {
      frame(0, false, FrameStatus::kOk, {answer(1, kNear, 10, 0, "")}),
      frame(1, true, FrameStatus::kOk,
            {answer(2, kNear, 11, 0, ""), answer(3, kFar, 50, 1000, "")}),
      // Missed its deadline; the answer comes later.
      frame(2, true, FrameStatus::kDegraded,
            {answer(4, kNear, 12, 0, ""), answer(5, kFar, 80, 500, "deadline-exceeded")}),
      frame(3, false, FrameStatus::kUnreadable, {}),
      frame(4, true, FrameStatus::kOk,
            {answer(6, kNear, 12, 0, ""), answer(7, kFar, 80, 30000, "")}),
  };
  trace.outcomes = {{FrameId{2}, OutcomeKind::kLate, answer(5, kFar, 90, 500, "")},
                    {FrameId{0}, OutcomeKind::kAudit, answer(8, kFar, 60, 20, "")}};
  const RunCosts costs = CostsOf(trace, std::vector<std::size_t>{0, 1, 2, 3});
  EXPECT_THAT(costs.uploaded, ElementsAre(false, true, true, false));
  EXPECT_EQ(costs.bytes_up, 1520);
  EXPECT_EQ(costs.bytes_down, 21);
  EXPECT_THAT(costs.near, ElementsAre(milliseconds(10), milliseconds(11), milliseconds(12)));
  EXPECT_THAT(costs.far, ElementsAre(milliseconds(50), milliseconds(90), milliseconds(60)));
  EXPECT_EQ(costs.end_to_end.size(), 4U);
  EXPECT_EQ(costs.degraded, 1U);
  EXPECT_EQ(costs.unreadable, 1U);
  EXPECT_EQ(CostsOf(trace, {}), RunCosts{});
}

}  // namespace
}  // namespace nearfar
