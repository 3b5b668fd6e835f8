#include "sim/flow_loop.h"

#include <gtest/gtest.h>

#include <limits>

#include "flow/comp.h"

namespace nearfar {
namespace {

Box At(float x, float y) { return {x - 2, y - 2, x + 2, y + 2}; }

/// One person who walks from the left cell into the right one, and stays.
FlowScene Walk() {
  FlowScene scene{"walk", MakeTileGrid({40, 20}, {20, 20}), {}};
  for (int t = 0; t < 10; ++t) {
    scene.frames.push_back(
        {TimePoint(std::chrono::milliseconds(100 * t)), {At(t < 5 ? 10 : 21, 10)}});
  }
  return scene;
}

TEST(FlowLoop, CountsWhoIsSkippedAndWhatASkipSaves) {
  KeepAll all;
  const FlowLoopResult whole = RunFlowLoop(Walk(), all, {});
  EXPECT_FALSE(whole.on_since);
  EXPECT_EQ(whole.skipped, 0);
  EXPECT_EQ(whole.empty_share, 0.5);

  // By the letter, Comp-1 skips the right cell from the second frame on and never sees him again.
  Comp letter({.back = 1, .unknown_is_empty = true});
  const FlowLoopResult lost = RunFlowLoop(Walk(), letter, {});
  EXPECT_EQ(lost.on_since, 1U);
  EXPECT_EQ(lost.people_on, 9U);
  EXPECT_EQ(lost.missed_on, 5U);
  EXPECT_NEAR(lost.recall_on, 4.0 / 9, 1e-9);
  EXPECT_EQ(lost.recall_by_quarter[3], 0);

  // With padding he is found through the left cell's tile, and the right cell is kept again.
  Comp padded({.back = 1, .unknown_is_empty = true});
  const FlowLoopResult found = RunFlowLoop(Walk(), padded, {.padding = {4, 4}});
  EXPECT_EQ(found.missed_on, 1U);
  EXPECT_EQ(found.recall_padded_on, 1);
}

TEST(FlowLoop, IsTheSameForTheSameSeedAndDropsDetectionsByChance) {
  Comp first({.back = 1}), second({.back = 1}), third({.back = 1});
  const FlowLoopResult a = RunFlowLoop(Walk(), first, {.miss_rate = 0.5, .seed = 3});
  const FlowLoopResult b = RunFlowLoop(Walk(), second, {.miss_rate = 0.5, .seed = 3});
  EXPECT_EQ(a.skipped, b.skipped);
  EXPECT_EQ(a.missed_on, b.missed_on);
}

TEST(FlowLoop, OfNoFramesOrBrokenBoxesIsNothing) {
  Comp comp({.back = 1});
  FlowScene scene{"none", MakeTileGrid({40, 20}, {20, 20}), {}};
  EXPECT_EQ(RunFlowLoop(scene, comp, {}).recall_on, 1);
  scene.frames.push_back({{}, {{std::numeric_limits<float>::quiet_NaN(), 0, 1, 1}}});
  EXPECT_EQ(RunFlowLoop(scene, comp, {}).empty_share, 1);
  EXPECT_EQ(PaddingOf(scene), Size{});
}

TEST(FlowLoop, AccuracyIsTheShareOfCellsSaidRightly) {
  Comp comp({.back = 1});
  // Wrong in one frame of nine, in both cells.
  EXPECT_NEAR(OpenLoopAccuracy(Walk(), comp, 1, 1), 1 - 2.0 / 18, 1e-9);
}

TEST(GridOfCells, HasSoManyOnTheLongerSide) {
  const TileGrid grid = GridOfCells({1080, 1920}, 8);
  EXPECT_EQ(grid.rows, 8);
  EXPECT_EQ(grid.columns, 5);
}

}  // namespace
}  // namespace nearfar
