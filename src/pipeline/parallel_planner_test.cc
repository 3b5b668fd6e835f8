#include "pipeline/parallel_planner.h"

#include <gmock/gmock.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "flow/factory.h"
#include "schedule/factory.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Size kFrame{1024, 1024};  // 2 x 2 tiles

/// Keeps the cells it is told to keep, and remembers what it was told of frames.
class ScriptedFilter final : public FlowFilter {
 public:
  std::string name() const override { return "scripted"; }
  std::string version() const override { return "1"; }
  void SetGrid(const TileGrid& grid) override {
    crowds_.assign(static_cast<std::size_t>(grid.cells()), 0);
    ++grids;
  }
  LookPlan Plan(FrameId /*frame*/, TimePoint /*captured*/) override {
    LookPlan plan{.cells = std::vector<Look>(crowds_.size(), Look::kKeep)};
    for (const std::size_t cell : skipped) {
      plan.cells[cell] = Look::kSkip;
    }
    for (const std::size_t cell : probed) {
      plan.cells[cell] = Look::kProbe;
    }
    return plan;
  }
  void Observe(const LookResult& result) override {
    results.push_back(result);
    for (std::size_t i = 0; i < crowds_.size(); ++i) {
      crowds_[i] = static_cast<float>(i);
    }
  }
  const std::vector<float>& crowds() const override { return crowds_; }

  std::vector<std::size_t> skipped;
  std::vector<std::size_t> probed;
  std::vector<LookResult> results;
  int grids = 0;

 private:
  std::vector<float> crowds_;
};

/// Finds a region difficult when the near model found more than `limit` boxes there.
class CountsBoxes final : public Discriminator {
 public:
  std::string name() const override { return "counts"; }
  std::string version() const override { return "1"; }
  Gain Judge(const Evidence& evidence, bool /*explain*/) const override {
    const auto count = static_cast<double>(evidence.raw.size());
    return {.score = count, .difficult = count > 1, .reason = "boxes"};
  }
  double natural_threshold() const override { return 1; }
  void Observe(const Evidence& /*evidence*/, const GainOutcome& outcome) override {
    far_boxes.push_back(outcome.far.size());
  }
  std::vector<std::size_t> far_boxes;
};

struct Bench {
  ScriptedFilter* filter = nullptr;
  CountsBoxes* discriminator = nullptr;
  std::unique_ptr<ParallelPlanner> planner;
  std::vector<Send> sent;      ///< not yet answered
  std::vector<FrameRecord> frames;
  std::vector<OutcomeRecord> outcomes;
  std::vector<Cancel> cancelled;
  std::vector<TimePoint> wakes;
  TimePoint now{};

  explicit Bench(ParallelPlannerOptions options, bool cascade = false, double audit = 0) {
    ParallelPolicies policies;
    auto scripted = std::make_unique<ScriptedFilter>();
    filter = scripted.get();
    policies.filter = std::move(scripted);
    policies.scheduler = MakeScheduler({.name = "earliest"}).value();
    if (cascade) {
      auto counts = std::make_unique<CountsBoxes>();
      discriminator = counts.get();
      policies.discriminator = std::move(counts);
      policies.upload = std::make_unique<ThresholdPolicy>(1, audit, 1);
    }
    planner = std::make_unique<ParallelPlanner>(std::move(options), std::move(policies));
  }

  void Step(const Event& event) {
    for (Action& action : planner->Step(event)) {
      if (auto* send = std::get_if<Send>(&action)) {
        sent.push_back(*send);
      } else if (auto* emit = std::get_if<Emit>(&action)) {
        frames.push_back(std::move(emit->record));
      } else if (auto* outcome = std::get_if<EmitOutcome>(&action)) {
        outcomes.push_back(std::move(outcome->record));
      } else if (auto* cancel = std::get_if<Cancel>(&action)) {
        cancelled.push_back(*cancel);
      } else if (auto* wake = std::get_if<WakeAt>(&action)) {
        wakes.push_back(wake->when);
      }
    }
  }
  void Arrive(std::uint64_t frame, Size size = kFrame) {
    Step(FrameArrived{.now = now, .frame = FrameId{frame}, .name = "f" + std::to_string(frame),
                      .size = size, .captured = now});
  }
  void Answer(const Send& send, Detections detections, const std::string& error = "") {
    nearfar::Answer answer{.request = send.request, .link = send.link, .node = "n",
                           .detections = std::move(detections)};
    if (!error.empty()) {
      answer.error_code = "unavailable";
      answer.error = error;
    }
    Step(ReplyArrived{now, send.frame, answer});
  }
  /// One person in the middle of each region that is out.
  void AnswerAll() {
    while (!sent.empty()) {
      const Send send = sent.front();
      sent.erase(sent.begin());
      now += milliseconds(50);
      Answer(send, {PersonIn(send.rect)});
    }
  }
  static Detection PersonIn(const Rect& rect) {
    const auto x = static_cast<float>(rect.x + rect.width / 2);
    const auto y = static_cast<float>(rect.y + rect.height / 2);
    return {{x - 10, y - 20, x + 10, y + 20}, 0.9F, 0};
  }
};

ParallelPlannerOptions TwoNodes() {
  ParallelPlannerOptions options;
  options.nodes = {{.link = LinkId{1}, .name = "a", .px_per_second = 6e6},
                   {.link = LinkId{2}, .name = "b", .px_per_second = 6e6}};
  options.joining.on = false;
  options.overview = 0;
  return options;
}

TEST(ParallelPlanner, SendsThePaddedTilesThatTheFilterKeepsAndMergesTheirBoxes) {
  Bench bench(TwoNodes());
  bench.filter->skipped = {1};
  bench.filter->probed = {2};
  bench.Arrive(0);
  bench.AnswerAll();
  ASSERT_THAT(bench.frames, SizeIs(1));
  const FrameRecord& frame = bench.frames[0];
  EXPECT_EQ(frame.status, FrameStatus::kOk);
  EXPECT_EQ(frame.tiles->cells, "#.?#");
  EXPECT_EQ(frame.tiles->columns, 2);
  EXPECT_THAT(frame.detections, SizeIs(3));
  EXPECT_THAT(frame.verdicts, SizeIs(3));
  EXPECT_THAT(frame.answers, SizeIs(3));
  EXPECT_LT(frame.tiles->sent_px, frame.tiles->all_px);
  EXPECT_THAT(bench.filter->results[0].looked, ElementsAre(true, false, true, true));
  EXPECT_THAT(bench.filter->results[0].people, SizeIs(3));
}

TEST(ParallelPlanner, EndsAFrameOfWhichNothingIsLookedAtAtOnce) {
  Bench bench(TwoNodes());
  bench.filter->skipped = {0, 1, 2, 3};
  bench.Arrive(0);
  EXPECT_THAT(bench.sent, IsEmpty());
  ASSERT_THAT(bench.frames, SizeIs(1));
  EXPECT_EQ(bench.frames[0].status, FrameStatus::kOk);
  EXPECT_THAT(bench.filter->results[0].looked, Each(false));
}

TEST(ParallelPlanner, EmitsInOrderWhicheverFrameEndsFirst) {
  Bench bench(TwoNodes());
  bench.Arrive(0);
  bench.Arrive(1);
  std::vector<Send> first;
  std::vector<Send> second;
  for (int i = 0; i < 40 && !bench.sent.empty(); ++i) {  // all of the second, as it comes
    const Send send = bench.sent.front();
    bench.sent.erase(bench.sent.begin());
    if (send.frame == FrameId{1}) {
      bench.Answer(send, {});
    } else {
      first.push_back(send);
    }
    if (bench.sent.empty() && first.size() < 4 && !first.empty()) {  // sets free what is held back
      bench.Answer(first.front(), {});
      first.erase(first.begin());
    }
  }
  for (const Send& send : first) {
    bench.Answer(send, {});
  }
  bench.AnswerAll();
  ASSERT_THAT(bench.frames, SizeIs(2));
  EXPECT_EQ(bench.frames[0].frame, FrameId{0});
  EXPECT_EQ(bench.frames[1].frame, FrameId{1});
  EXPECT_THAT(bench.filter->results, SizeIs(2));
}

TEST(ParallelPlanner, SendsAFailedRegionToAnotherNodeAndLetsTheFirstRest) {
  Bench bench(TwoNodes());
  bench.Arrive(0);
  ASSERT_FALSE(bench.sent.empty());
  const Send failed = bench.sent.front();
  bench.sent.erase(bench.sent.begin());
  bench.Answer(failed, {}, "connection reset");
  for (const Send& send : std::exchange(bench.sent, {})) {  // all that it had is lost
    if (send.link == failed.link) {
      bench.Answer(send, {}, "connection reset");
    } else {
      bench.sent.push_back(send);
    }
  }
  bench.AnswerAll();
  ASSERT_THAT(bench.frames, SizeIs(1));
  EXPECT_EQ(bench.frames[0].status, FrameStatus::kOk);
  EXPECT_THAT(bench.frames[0].detections, SizeIs(4));
  EXPECT_GE(bench.frames[0].answers.size(), 5);  // the failures are told, too
  EXPECT_NE(bench.frames[0].verdicts[ToNumber(failed.region)].link, failed.link);
  // It rests, and then it is asked again.
  bench.Arrive(1);
  EXPECT_THAT(bench.sent, Each(Field(&Send::link, ::testing::Ne(failed.link))));
  bench.AnswerAll();
  bench.now += milliseconds(300);  // beyond the first rest
  bench.Arrive(2);
  EXPECT_THAT(bench.sent, ::testing::Contains(Field(&Send::link, failed.link)));
}

TEST(ParallelPlanner, EndsAFrameAtItsDeadlineAndSaysWhatNobodyLookedAt) {
  Bench bench(TwoNodes());
  bench.filter->skipped = {0, 1};
  bench.Arrive(0);
  ASSERT_FALSE(bench.sent.empty());
  const Send late = bench.sent.front();
  bench.now += std::chrono::seconds(5);
  bench.Step(TimerFired{bench.now});
  ASSERT_THAT(bench.frames, SizeIs(1));
  EXPECT_EQ(bench.frames[0].status, FrameStatus::kFailed);
  EXPECT_EQ(bench.frames[0].tiles->unseen, "  !!");
  EXPECT_THAT(bench.frames[0].reason, HasSubstr("2 of 2 regions without an answer"));
  EXPECT_THAT(bench.cancelled, ::testing::Contains(Field(&Cancel::request, late.request)));
  EXPECT_THAT(bench.filter->results[0].looked, Each(false));
  bench.Answer(late, {Bench::PersonIn(late.rect)});
  ASSERT_THAT(bench.outcomes, SizeIs(1));
  EXPECT_EQ(bench.outcomes[0].kind, OutcomeKind::kLate);
  bench.Answer(late, {});  // twice the same
  EXPECT_THAT(bench.outcomes, SizeIs(1));
}

TEST(ParallelPlanner, WaitsForANodeWhereNoneIsReadyAndIgnoresForeignReplies) {
  ParallelPlannerOptions options = TwoNodes();
  options.nodes[0].ready = options.nodes[1].ready = false;
  Bench bench(options);
  bench.Arrive(0);
  EXPECT_THAT(bench.sent, IsEmpty());
  bench.Answer(Send{.request = RequestId{77}, .link = LinkId{1}}, {});
  EXPECT_THAT(bench.frames, IsEmpty());
  bench.Step(NodeChanged{bench.now, LinkId{9}, true, "newcomer"});
  EXPECT_THAT(bench.sent, AllOf(::testing::Not(IsEmpty()), Each(Field(&Send::link, LinkId{9}))));
  bench.AnswerAll();
  EXPECT_THAT(bench.frames, SizeIs(1));
}

TEST(ParallelPlanner, StartsAfreshWhereTheFrameChangesItsSize) {
  Bench bench(TwoNodes());
  bench.Arrive(0);
  bench.AnswerAll();
  bench.Arrive(1, {300, 200});  // smaller than a tile
  bench.AnswerAll();
  bench.Arrive(2, {0, 0});
  ASSERT_THAT(bench.frames, SizeIs(3));
  EXPECT_EQ(bench.filter->grids, 2);
  EXPECT_EQ(bench.frames[1].tiles->cells, "#");
  EXPECT_EQ(bench.frames[1].verdicts[0].rect, (Rect{0, 0, 300, 200}));
  EXPECT_EQ(bench.frames[2].status, FrameStatus::kUnreadable);
}

TEST(ParallelPlanner, TakesABrokenPictureInItsTurn) {
  Bench bench(TwoNodes());
  bench.Arrive(0);
  bench.Step(FrameBroken{bench.now, FrameId{1}, "", "b", "cut"});
  EXPECT_THAT(bench.frames, IsEmpty());
  bench.AnswerAll();
  ASSERT_THAT(bench.frames, SizeIs(2));
  EXPECT_EQ(bench.frames[1].status, FrameStatus::kUnreadable);
  EXPECT_THAT(bench.filter->results, SizeIs(1));
}

TEST(ParallelPlanner, KeepsBoxesThatAreNoNumbersAndThoseOutsideTheirTileOutOfTheResult) {
  Bench bench(TwoNodes());
  bench.filter->skipped = {1, 2, 3};
  bench.Arrive(0);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ASSERT_THAT(bench.sent, SizeIs(1));
  bench.Answer(bench.sent[0], {{{nan, 0, 10, 10}, 0.9F, 0},
                               {{900, 900, 990, 990}, 0.9F, 0},
                               {{10, 10, 30, 50}, nan, 0},
                               {{100, 100, 130, 150}, 0.8F, 0}});
  ASSERT_THAT(bench.frames, SizeIs(1));
  ASSERT_THAT(bench.frames[0].detections, SizeIs(1));
  EXPECT_FLOAT_EQ(bench.frames[0].detections[0].score, 0.8F);
}

TEST(ParallelPlanner, LooksAtTheWholeFrameCoarselyBeside) {
  ParallelPlannerOptions options = TwoNodes();
  options.overview = 256;
  Bench bench(options);
  bench.Arrive(0);
  bench.AnswerAll();
  ASSERT_THAT(bench.frames, SizeIs(1));
  const Verdict& overview = bench.frames[0].verdicts.back();
  EXPECT_EQ(overview.reason, "overview");
  EXPECT_EQ(overview.rect, WholeOf(kFrame));
  EXPECT_EQ(overview.input, (Size{256, 256}));
  EXPECT_TRUE(bench.filter->results[0].overview);
}

TEST(ParallelPlanner, LooksCoarselyNowAndThenWhereNobodyIsLarge) {
  ParallelPlannerOptions options = TwoNodes();
  options.overview = 256;
  options.overview_rest = 3;
  for (const bool large : {false, true}) {
    Bench bench(options);
    std::string overviews;
    for (std::uint64_t frame = 0; frame < 9; ++frame) {
      bench.Arrive(frame);
      while (!bench.sent.empty()) {
        const Send send = bench.sent.front();
        bench.sent.erase(bench.sent.begin());
        const Detection giant{{100, 100, 500, 1000}, 0.9F, 0};
        bench.Answer(send, large && send.input != Size{} ? Detections{giant} : Detections{});
      }
      overviews += bench.frames.back().verdicts.back().reason == "overview" ? 'o' : '.';
    }
    EXPECT_EQ(overviews, large ? "ooooooooo" : "ooo" "o..o..");
  }
}

TEST(ParallelPlanner, SendsWholeFramesOrGrownBoxesWhereAsked) {
  ParallelPlannerOptions options = TwoNodes();
  options.cut = FrameCut::kWhole;
  Bench whole(options);
  whole.Arrive(0);
  ASSERT_THAT(whole.sent, SizeIs(1));
  EXPECT_EQ(whole.sent[0].rect, WholeOf(kFrame));

  options.cut = FrameCut::kBoxes;
  Bench boxes(options);
  boxes.Arrive(0);  // nobody is known yet: all tiles
  while (boxes.frames.empty()) {
    const Send send = boxes.sent.front();
    boxes.sent.erase(boxes.sent.begin());
    boxes.Answer(send, send.rect.x == 0 && send.rect.y == 0
                           ? Detections{{{100, 100, 140, 200}, 0.9F, 0}}
                           : Detections{});
  }
  boxes.Arrive(1);
  ASSERT_THAT(boxes.sent, SizeIs(1));
  EXPECT_EQ(boxes.sent[0].rect, (Rect{94, 85, 52, 130}));
}

// ---- the cascade at tile grain -------------------------------------------------------------------

ParallelPlannerOptions NearAndFar() {
  ParallelPlannerOptions options = TwoNodes();
  options.nodes[1].far = true;
  return options;
}

TEST(TileCascade, SendsDifficultTilesFarAndTakesTheFarAnswerForThemAlone) {
  Bench bench(NearAndFar(), /*cascade=*/true);
  bench.filter->skipped = {2, 3};
  bench.Arrive(0);
  bool far_asked = false;
  while (!bench.sent.empty()) {
    const Send send = bench.sent.front();
    bench.sent.erase(bench.sent.begin());
    Detections found{Bench::PersonIn(send.rect)};
    if (send.link == LinkId{2}) {
      far_asked = true;
      EXPECT_EQ(send.region, RegionId{0});
      found[0].score = 0.99F;
    } else if (send.region == RegionId{0}) {
      found.push_back({{20, 20, 30, 60}, 0.2F, 0});
    }
    bench.Answer(send, found);
  }
  EXPECT_TRUE(far_asked);
  ASSERT_THAT(bench.frames, SizeIs(1));
  const FrameRecord& frame = bench.frames[0];
  EXPECT_TRUE(frame.verdicts[0].uploaded);
  EXPECT_FALSE(frame.verdicts[1].uploaded);
  ASSERT_THAT(frame.detections, SizeIs(2));
  EXPECT_FLOAT_EQ(frame.detections[0].score, 0.99F);
  EXPECT_THAT(frame.provenance, ElementsAre(LinkId{2}, LinkId{1}));
  EXPECT_THAT(bench.discriminator->far_boxes, ElementsAre(1));
}

TEST(TileCascade, KeepsTheNearAnswerWhereTheFarNodeFailsOrIsLate) {
  for (const bool late : {false, true}) {
    Bench bench(NearAndFar(), /*cascade=*/true);
    bench.filter->skipped = {1, 2, 3};
    bench.Arrive(0);
    const Send near = bench.sent.front();
    bench.sent.clear();
    bench.Answer(near, {Bench::PersonIn(near.rect), {{20, 20, 30, 60}, 0.2F, 0}});
    ASSERT_THAT(bench.sent, SizeIs(1));
    const Send far = bench.sent.front();
    EXPECT_EQ(far.link, LinkId{2});
    if (late) {
      bench.now += std::chrono::seconds(5);
      bench.Step(TimerFired{bench.now});
    } else {
      bench.Answer(far, {}, "refused");
    }
    ASSERT_THAT(bench.frames, SizeIs(1));
    EXPECT_EQ(bench.frames[0].status, FrameStatus::kDegraded);
    EXPECT_THAT(bench.frames[0].detections, SizeIs(2));
    EXPECT_THAT(bench.frames[0].tiles->unseen, IsEmpty());
  }
}

TEST(TileCascade, AuditsWithoutWaiting) {
  Bench bench(NearAndFar(), /*cascade=*/true, /*audit=*/1);
  bench.filter->skipped = {1, 2, 3};
  bench.Arrive(0);
  const Send near = bench.sent.front();
  bench.sent.clear();
  bench.Answer(near, {Bench::PersonIn(near.rect)});
  ASSERT_THAT(bench.frames, SizeIs(1));
  EXPECT_EQ(bench.frames[0].provenance, std::vector<LinkId>{LinkId{1}});
  ASSERT_THAT(bench.sent, SizeIs(1));
  bench.Answer(bench.sent[0], {});
  ASSERT_THAT(bench.outcomes, SizeIs(1));
  EXPECT_EQ(bench.outcomes[0].kind, OutcomeKind::kAudit);
  EXPECT_THAT(bench.discriminator->far_boxes, ElementsAre(0));
}

TEST(ParallelPlannerOptions, AreRefusedByName) {
  const auto message = [](auto change) {
    ParallelPlannerOptions options = TwoNodes();
    change(options);
    const auto valid = Validate(options);
    return valid ? std::string("valid") : valid.error().message;
  };
  EXPECT_EQ(message([](auto&) {}), "valid");
  EXPECT_THAT(message([](auto& o) { o.nodes.clear(); }), HasSubstr("nodes"));
  EXPECT_THAT(message([](auto& o) { o.nodes[1].link = LinkId{1}; }), HasSubstr("link 1"));
  EXPECT_THAT(message([](auto& o) { o.nodes[0].px_per_second = -1; }), HasSubstr("speed of a"));
  EXPECT_THAT(message([](auto& o) { o.tile = {0, 5}; }), HasSubstr("tile"));
  EXPECT_THAT(message([](auto& o) { o.deadline = Duration::zero(); }), HasSubstr("deadline"));
  EXPECT_THAT(message([](auto& o) { o.person_score = 2; }), HasSubstr("person_score"));
}

}  // namespace
}  // namespace nearfar
