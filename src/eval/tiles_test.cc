#include "eval/tiles.h"

#include <gmock/gmock.h>

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

Verdict Region(int id, int width, LinkId link) {
  return {
      .region = RegionId{static_cast<std::uint32_t>(id)}, .rect = {0, 0, width, 100}, .link = link};
}

Answer Answered(int id, int link, int ms) {
  return {.region = RegionId{static_cast<std::uint32_t>(id)},
          .link = LinkId{static_cast<std::uint32_t>(link)},
          .total = milliseconds(ms + 1),
          .compute = milliseconds(ms)};
}

/// A frame of two regions of 100 × 100 px at nodes of 10 and 20 ms each, `total` ms after capture.
FrameRecord Frame(int number, int captured_ms, int total) {
  FrameRecord frame{.frame = FrameId{static_cast<std::uint64_t>(number)},
                    .name = std::to_string(number),
                    .size = {200, 200},
                    .captured_at = WallTime(milliseconds(captured_ms)),
                    .tiles = TilesRecord{.columns = 2,
                                         .cells = "#?..",
                                         .all_px = 40000,
                                         .sent_px = 20000,
                                         .decided_by = "earliest"},
                    .verdicts = {Region(0, 100, LinkId{1}), Region(1, 100, LinkId{2})},
                    .answers = {Answered(0, 1, 10), Answered(1, 2, 20)},
                    .total = milliseconds(total)};
  return frame;
}

TEST(ReportTiles, AddsUpWhatWasSentSkippedAndDecided) {
  Trace trace;
  trace.frames = {Frame(0, 0, 20), Frame(1, 100, 40), Frame(2, 200, 20)};
  trace.frames[1].tiles->full_look = true;
  trace.frames[1].tiles->reason = "drawn";
  trace.frames[1].tiles->decided_by = "dqn";
  trace.frames[2].tiles->reason = "too few results";
  trace.frames[2].tiles->unseen = "..!!";
  trace.frames[2].status = FrameStatus::kDegraded;
  trace.frames.push_back({.name = "whole", .total = milliseconds(9999)});
  const TilesReport report = ReportTiles(trace);
  EXPECT_EQ(report.frames, 3U);
  EXPECT_EQ(report.degraded, 1U);
  EXPECT_DOUBLE_EQ(*report.skip_share, 0.5);
  EXPECT_EQ(report.cells, 12);
  EXPECT_EQ(report.kept, 3);
  EXPECT_EQ(report.probed, 3);
  EXPECT_EQ(report.unseen, 2);
  EXPECT_EQ(report.full_looks, 1U);
  EXPECT_EQ(report.filter_off, 1U);
  EXPECT_EQ(report.regions, 6);
  EXPECT_THAT(report.decided_by, ElementsAre(Pair("earliest", 2), Pair("dqn", 1)));
  // Emitted at 20, 140 and 220 ms.
  EXPECT_NEAR(*report.fps, 2 / 0.2, 1e-9);
  EXPECT_EQ(report.frame_time->p50, milliseconds(20));
  EXPECT_EQ(report.frame_time->p95, milliseconds(40));
}

TEST(ReportTiles, HoldsFrameTimesAgainstWhatTheNodesCouldHaveDone) {
  Trace trace;
  // The best is one region at each: 20 ms. Both at the quick node take as long.
  trace.frames = {Frame(0, 0, 20), Frame(1, 100, 30), Frame(2, 200, 20)};
  const TilesReport report = ReportTiles(trace);
  ASSERT_TRUE(report.makespan);
  EXPECT_EQ(report.makespan->frames, 3U);
  EXPECT_NEAR(report.makespan->ratio, 70.0 / 60, 1e-6);
  EXPECT_NEAR(report.makespan->p50, 1, 1e-6);
  EXPECT_NEAR(report.makespan->p95, 1.5, 1e-6);
  // A frame in which a node was twice as slow is held against that.
  trace.frames[1].answers = {Answered(0, 1, 20), Answered(1, 2, 40)};
  trace.frames[1].total = milliseconds(40);
  EXPECT_NEAR(ReportTiles(trace).makespan->ratio, 1, 1e-6);
}

TEST(ReportTiles, TellsTheFixedPartOfARegionFromItsPixels) {
  Trace trace;
  // One node: 5 ms and 1 ms for each 1,000 px.
  for (int i = 0; i < 4; ++i) {
    FrameRecord frame = Frame(i, 100 * i, 0);
    const int width = 50 + 50 * i;
    frame.verdicts = {Region(0, width, LinkId{1}), Region(1, width, LinkId{1})};
    frame.answers = {Answered(0, 1, 5 + width / 10), Answered(1, 1, 5 + width / 10)};
    frame.total = milliseconds(2 * (5 + width / 10));
    trace.frames.push_back(frame);
  }
  const TilesReport report = ReportTiles(trace);
  EXPECT_NEAR(report.makespan->p50, 1, 1e-6);
  EXPECT_NEAR(report.makespan->p95, 1, 1e-6);
  // Regions of different sizes share their fixed parts: the bound lies a little below.
  trace.frames[0].verdicts[1] = Region(1, 200, LinkId{1});
  trace.frames[0].answers[1] = Answered(1, 1, 25);
  trace.frames[0].total = milliseconds(35);
  const TilesReport uneven = ReportTiles(trace);
  EXPECT_GE(uneven.makespan->ratio, 1);
  EXPECT_LT(uneven.makespan->p95, 1.15);
}

TEST(ReportTiles, CountsFailuresAndWhatWentElsewhereAfterThem) {
  Trace trace;
  trace.frames = {Frame(0, 0, 20)};
  trace.frames[0].answers.insert(
      trace.frames[0].answers.begin(),
      Answer{.region = RegionId{1}, .link = LinkId{1}, .error_code = "unavailable"});
  trace.frames[0].answers.push_back(
      Answer{.region = RegionId{0}, .link = LinkId{3}, .error_code = "deadline-exceeded"});
  trace.frames[0].verdicts.push_back(Region(2, 10, LinkId{1}));
  trace.frames[0].answers.push_back(
      Answer{.region = RegionId{2}, .link = LinkId{1}, .error_code = "unavailable"});
  trace.frames[0].verdicts[0].uploaded = true;
  trace.frames[0].verdicts[0].difficult = true;
  const TilesReport report = ReportTiles(trace);
  EXPECT_EQ(report.failed_answers, 3);
  EXPECT_EQ(report.resent, 2);
  EXPECT_EQ(report.sent_far, 1);
  // A region that nobody answered leaves its frame without a ratio, one frame a run without fps.
  EXPECT_EQ(report.makespan, std::nullopt);
  EXPECT_EQ(report.fps, std::nullopt);
}

TEST(ReportTiles, SaysNothingOfWhatIsNotThere) {
  EXPECT_EQ(ReportTiles({}), TilesReport{});
  Trace trace;
  trace.frames = {Frame(0, 0, 20), Frame(1, 0, 20)};
  for (FrameRecord& frame : trace.frames) {
    frame.tiles->all_px = 0;
    frame.tiles->decided_by.clear();
    for (Answer& answer : frame.answers) {
      answer.compute = Duration{};
    }
  }
  const TilesReport report = ReportTiles(trace);
  EXPECT_EQ(report.skip_share, std::nullopt);
  EXPECT_EQ(report.makespan, std::nullopt);
  EXPECT_EQ(report.fps, std::nullopt);  // both at the same instant
  EXPECT_THAT(report.decided_by, IsEmpty());
}

TEST(FitTruthToTrace, ScalesImagesOfTheSameShape) {
  Trace trace;
  trace.frames = {{.name = "a", .size = {200, 100}},
                  {.name = "b", .size = {200, 200}},
                  {.name = "c", .size = {100, 50}}};
  Truth truth{
      .classes = {{"person"}},
      .images = {{.name = "a", .size = {100, 50}, .objects = {{.box = {1, 2, 3, 4}, .area = 2}}},
                 {.name = "b", .size = {100, 50}, .objects = {{.box = {1, 2, 3, 4}}}},
                 {.name = "c", .size = {100, 50}, .objects = {{.box = {1, 2, 3, 4}}}},
                 {.name = "elsewhere", .size = {9, 9}}}};
  FitTruthToTrace(trace, truth);
  EXPECT_EQ(truth.images[0].size, (Size{200, 100}));
  EXPECT_EQ(truth.images[0].objects[0], (TruthObject{.box = {2, 4, 6, 8}, .area = 8}));
  EXPECT_EQ(truth.images[1].objects[0].box, (Box{1, 2, 3, 4}));
  EXPECT_EQ(truth.images[2].objects[0].box, (Box{1, 2, 3, 4}));
  EXPECT_THAT(truth.remarks, ElementsAre(HasSubstr("1 images are scaled"),
                                         HasSubstr("1 images have another shape")));
}

}  // namespace
}  // namespace nearfar
