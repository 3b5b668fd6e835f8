#include "live/frame_loop.h"

#include <functional>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "core/rng.h"
#include "pipeline/small_big.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// Difficult where the image's name ends in an odd digit.
class OddIsDifficult final : public Discriminator {
 public:
  explicit OddIsDifficult(int* observed) : observed_(observed) {}
  std::string name() const override { return "odd"; }
  std::string version() const override { return "1"; }
  Gain Judge(const Evidence& evidence, bool /*explain*/) const override {
    const bool odd = !evidence.raw.empty() && evidence.raw.front().label == 1;
    return {odd ? 1.0 : 0.0, odd, odd ? "odd" : "even"};
  }
  double natural_threshold() const override { return 0.5; }
  void Observe(const Evidence& /*evidence*/, const GainOutcome& /*outcome*/) override {
    ++*observed_;
  }

 private:
  int* observed_;
};

/// What the far side does to one upload.
struct FarReply {
  Duration delay{};
  bool drop = false;
  int copies = 1;
  bool corrupt = false;  ///< names another region and link
  std::string error_code;
};

/// A world of one stream in fake time: near answers take 10 ms each, one after the other; far ones
/// do as scripted.
class FakeWorld final : public Executor {
 public:
  FakeWorld(SmallBigPlannerOptions options, std::function<FarReply(std::uint64_t frame)> far,
            Duration patience = seconds(2))
      : far_(std::move(far)),
        planner_(std::move(options), std::make_unique<OddIsDifficult>(&observed),
                 std::make_unique<ThresholdPolicy>()),
        loop_(planner_, *this, {patience}) {}

  /// Lets `frames` pictures come, at most `window` at the same time, and runs until all is quiet.
  void Run(std::uint64_t frames, std::size_t window,
           const std::set<std::uint64_t>& broken = {}) {
    std::uint64_t next = 0;
    for (;;) {
      while (next < frames && loop_.frames_in_flight() < window && !stopped) {
        max_in_flight = std::max(max_in_flight, loop_.frames_in_flight() + 1);
        if (broken.contains(next)) {
          loop_.Break(clock.Now(), "test", std::to_string(next), "not-found: no such file");
        } else {
          auto frame = std::make_shared<Frame>();
          frame->name = std::to_string(next);
          frame->pixels = Image(Size{4, 4});
          frame->captured = clock.Now();
          loop_.Arrive(clock.Now(), std::move(frame), {}, 100);
        }
        ++next;
      }
      std::optional<TimePoint> when = loop_.next_wake();
      if (stop_at && !stopped) {
        when = std::min(when.value_or(*stop_at), *stop_at);
      }
      if (!events_.empty() && (!when || events_.top().when <= *when)) {
        const Timed event = events_.top();
        events_.pop();
        clock.Set(std::max(clock.Now(), event.when));
        event.happen();
      } else if (when) {
        clock.Set(std::max(clock.Now(), *when));
      } else {
        return;
      }
      loop_.PassTime(clock.Now());
      if (stop_at && clock.Now() >= *stop_at && !stopped) {
        stopped = true;
        loop_.Abandon(clock.Now());
      }
    }
  }

  void Start(const Infer& infer, std::shared_ptr<const Frame> /*frame*/) override {
    near_free_ = std::max(near_free_, clock.Now()) + milliseconds(10);
    Answer answer;
    answer.request = infer.request;
    answer.node = "near";
    const int parity = static_cast<int>(ToNumber(infer.frame) % 2);
    answer.detections = {{{0, 0, 2, 2}, 0.6F, parity}};
    At(near_free_, [this, answer] { loop_.Reply(clock.Now(), answer); });
  }
  void Start(const Send& send, std::shared_ptr<const Frame> frame) override {
    EXPECT_NE(frame, nullptr);
    sent.push_back({ToNumber(send.frame), clock.Now()});
    const FarReply reply = far_(ToNumber(send.frame));
    if (reply.drop) {
      return;
    }
    Answer answer;
    answer.request = send.request;
    answer.link = reply.corrupt ? kNear : send.link;
    answer.region = reply.corrupt ? RegionId{99} : send.region;
    answer.node = "far";
    answer.error_code = reply.error_code;
    answer.error = reply.error_code.empty() ? "" : "as scripted";
    if (reply.error_code.empty()) {
      answer.detections = {{{0, 0, 2, 2}, 0.9F, 1}, {{1, 1, 3, 3}, 0.8F, 1}};
    }
    for (int i = 0; i < reply.copies; ++i) {
      At(clock.Now() + reply.delay + milliseconds(i),
         [this, answer] { loop_.Reply(clock.Now(), answer); });
    }
  }
  void Stop(const Cancel& /*cancel*/) override { ++cancels; }
  void Deliver(FrameRecord record, std::shared_ptr<const Frame> frame) override {
    EXPECT_EQ(frame == nullptr, record.status == FrameStatus::kUnreadable);
    results.push_back(std::move(record));
  }
  void Deliver(OutcomeRecord record) override { outcomes.push_back(std::move(record)); }

  const FrameLoop& loop() const { return loop_; }

  /// Exactly one result each, in order, none waiting.
  void ExpectAllOnceInOrder(std::uint64_t frames) const {
    ASSERT_EQ(results.size(), frames);
    for (std::uint64_t i = 0; i < frames; ++i) {
      EXPECT_EQ(ToNumber(results[i].frame), i);
      EXPECT_EQ(results[i].name, std::to_string(i));
    }
    EXPECT_EQ(loop_.frames_in_flight(), 0U);
    EXPECT_EQ(loop_.far_requests_open(), 0U);
    EXPECT_EQ(loop_.near_requests_open(), 0U);
  }
  std::size_t CountStatus(FrameStatus status) const {
    return static_cast<std::size_t>(
        std::count_if(results.begin(), results.end(),
                      [&](const FrameRecord& r) { return r.status == status; }));
  }

  FakeClock clock;
  int observed = 0;
  int cancels = 0;
  bool stopped = false;
  std::optional<TimePoint> stop_at;
  std::size_t max_in_flight = 0;
  std::vector<FrameRecord> results;
  std::vector<OutcomeRecord> outcomes;
  std::vector<std::pair<std::uint64_t, TimePoint>> sent;

 private:
  struct Timed {
    TimePoint when;
    std::uint64_t order;
    std::function<void()> happen;
    bool operator<(const Timed& other) const {
      return std::tie(other.when, other.order) < std::tie(when, order);
    }
  };
  void At(TimePoint when, std::function<void()> happen) {
    events_.push({when, order_++, std::move(happen)});
  }

  std::function<FarReply(std::uint64_t)> far_;
  SmallBigPlanner planner_;
  FrameLoop loop_;
  std::priority_queue<Timed> events_;
  std::uint64_t order_ = 0;
  TimePoint near_free_{};
};

SmallBigPlannerOptions Options() {
  return {.deadline = milliseconds(200), .max_uploads = 4, .first_backoff = milliseconds(100),
          .last_backoff = seconds(2)};
}

TEST(FrameLoop, OfNoFramesIsQuiet) {
  FakeWorld world(Options(), [](auto) { return FarReply{}; });
  world.Run(0, 4);
  world.ExpectAllOnceInOrder(0);
}

TEST(FrameLoop, GivesFarAnswersToDifficultFramesAndKeepsTheOrder) {
  FakeWorld world(Options(), [](auto) { return FarReply{.delay = milliseconds(35)}; });
  world.Run(40, 8);
  world.ExpectAllOnceInOrder(40);
  EXPECT_EQ(world.CountStatus(FrameStatus::kOk), 40U);
  for (const FrameRecord& record : world.results) {
    const bool odd = ToNumber(record.frame) % 2 == 1;
    EXPECT_EQ(record.detections.size(), odd ? 2U : 1U);
    EXPECT_EQ(record.provenance.front(), odd ? LinkId{1} : kNear);
  }
  EXPECT_EQ(world.observed, 20);
}

TEST(FrameLoop, WorksOnTheNextFramesWhileUploadsAreInFlight) {
  FakeWorld world(Options(), [](auto) { return FarReply{.delay = milliseconds(100)}; });
  world.Run(40, 64);
  world.ExpectAllOnceInOrder(40);
  // 40 near answers take 400 ms; 20 uploads of 100 ms one after the other would take 2 s.
  EXPECT_LT(world.clock.Now().time_since_epoch(), milliseconds(700));
}

TEST(FrameLoop, KeepsToTheWindow) {
  FakeWorld world(Options(), [](auto) { return FarReply{.delay = milliseconds(100)}; });
  world.Run(40, 3);
  world.ExpectAllOnceInOrder(40);
  EXPECT_LE(world.max_in_flight, 3U);
}

TEST(FrameLoop, LosesAndDoublesNothingWhateverTheLinkDoes) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    FakeWorld world(Options(), [&](auto) {
      FarReply reply;
      reply.delay = milliseconds(rng.Below(600));  // a third in time
      reply.drop = rng.Chance(0.2);
      reply.copies = rng.Chance(0.3) ? 3 : 1;
      reply.corrupt = rng.Chance(0.2);
      reply.error_code = rng.Chance(0.2) ? "unavailable" : "";
      return reply;
    });
    world.Run(200, 8, {0, 7, 8, 199});
    world.ExpectAllOnceInOrder(200);
    EXPECT_EQ(world.CountStatus(FrameStatus::kUnreadable), 4U);
    EXPECT_EQ(world.CountStatus(FrameStatus::kFailed), 0U);
    // Every upload has its answer, in the frame's record or in an outcome.
    std::size_t far_answers = world.outcomes.size();
    for (const FrameRecord& record : world.results) {
      far_answers += record.answers.size() > 1 ? 1U : 0U;
      for (const Answer& answer : record.answers) {
        EXPECT_EQ(answer.region, kWholeFrame);
      }
      if (record.status == FrameStatus::kDegraded) {
        EXPECT_FALSE(record.reason.empty());
        EXPECT_EQ(record.detections.size(), 1U);
      }
    }
    EXPECT_EQ(far_answers, world.sent.size()) << "seed " << seed;
  }
}

TEST(FrameLoop, IsNotStuckByALinkThatNeverAnswers) {
  FakeWorld world(Options(), [](auto) { return FarReply{.drop = true}; });
  world.Run(100, 8);
  world.ExpectAllOnceInOrder(100);
  EXPECT_EQ(world.CountStatus(FrameStatus::kDegraded), 50U);
  EXPECT_THAT(world.results[1].reason, HasSubstr("no far answer within 200 ms"));
  for (const OutcomeRecord& outcome : world.outcomes) {
    EXPECT_EQ(outcome.answer.error_code, "deadline-exceeded");
  }
}

TEST(FrameLoop, TriesADeadNodeAgainWithGrowingPausesAndUsesItWhenItIsBack) {
  const TimePoint back{seconds(10)};
  FakeWorld* at = nullptr;
  FakeWorld world(Options(), [&](auto) {
    FarReply reply{.delay = milliseconds(5)};
    reply.error_code = at->clock.Now() < back ? "unavailable" : "";
    return reply;
  });
  at = &world;
  world.Run(2000, 8);
  world.ExpectAllOnceInOrder(2000);
  std::vector<TimePoint> tries;
  for (const auto& [frame, when] : world.sent) {
    if (when < back) {
      tries.push_back(when);
    }
  }
  // The first uploads go out together; then pauses of .1, .2, .4, .8, 1.6, 2, 2 ... s.
  ASSERT_GE(tries.size(), 7U);
  EXPECT_LE(tries.size(), 12U);
  const Duration last_pause = tries.back() - tries[tries.size() - 2];
  EXPECT_GE(last_pause, seconds(2));
  EXPECT_LE(last_pause, milliseconds(2100));
  // Within one pause of its return, all difficult frames are answered by it again.
  const std::size_t last_degraded = [&] {
    std::size_t last = 0;
    for (std::size_t i = 0; i < world.results.size(); ++i) {
      last = world.results[i].status == FrameStatus::kDegraded ? i : last;
    }
    return last;
  }();
  EXPECT_LT(last_degraded, 1250U);  // 12.5 s at 10 ms a frame
  EXPECT_EQ(world.results[1999].provenance.front(), LinkId{1});
}

TEST(FrameLoop, NotesLateAnswersAsOutcomesOfTheirFrames) {
  FakeWorld world(Options(), [](std::uint64_t frame) {
    return FarReply{.delay = frame == 1 ? milliseconds(300) : milliseconds(1)};
  });
  world.Run(4, 4);
  world.ExpectAllOnceInOrder(4);
  ASSERT_EQ(world.outcomes.size(), 1U);
  EXPECT_EQ(world.outcomes[0].frame, FrameId{1});
  EXPECT_EQ(world.outcomes[0].kind, OutcomeKind::kLate);
  EXPECT_TRUE(world.outcomes[0].answer.ok());
  EXPECT_EQ(world.results[1].status, FrameStatus::kDegraded);
}

TEST(FrameLoop, CountsAnswersThatNobodyAskedFor) {
  FakeWorld world(Options(), [](auto) { return FarReply{.copies = 3}; });
  world.Run(10, 4);
  world.ExpectAllOnceInOrder(10);
  EXPECT_EQ(world.loop().stray_answers(), 10U);  // two more for each of five uploads
  EXPECT_TRUE(world.outcomes.empty());
}

TEST(FrameLoop, EndsEveryFrameInFlightWhenAbandoned) {
  FakeWorld world({.deadline = seconds(60), .max_uploads = 2},
                  [](auto) { return FarReply{.delay = seconds(30)}; });
  world.stop_at = TimePoint(milliseconds(500));
  world.Run(1000, 16);
  ASSERT_FALSE(world.results.empty());
  world.ExpectAllOnceInOrder(world.results.size());
  EXPECT_LT(world.results.size(), 50U);
  EXPECT_EQ(world.cancels, 2);
  EXPECT_THAT(world.results[1].reason, HasSubstr("cancelled"));
  EXPECT_GT(world.loop().stray_answers(), 0U);  // what came after
}

}  // namespace
}  // namespace nearfar
