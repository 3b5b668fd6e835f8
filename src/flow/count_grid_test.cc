#include "flow/count_grid.h"

#include <gtest/gtest.h>

#include <limits>

namespace nearfar {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Detection At(float x, float y) { return {.box = {x - 5, y - 10, x + 5, y + 10}, .score = 1}; }

TEST(CountGrid, CountsPeopleByTheMiddleOfTheirBoxes) {
  const TileGrid grid = MakeTileGrid({100, 50}, {25, 25});
  const CountGrid found =
      CountPeople(grid, std::vector<bool>(8, true), {At(1, 1), At(24, 24), At(25, 24), At(99, 49)});
  EXPECT_EQ(found.counts, (std::vector<float>{2, 1, 0, 0, 0, 0, 0, 1}));  // a line is the right's
  EXPECT_TRUE(found.Empty(2));
  EXPECT_FALSE(found.Empty(0));
}

TEST(CountGrid, ACellThatNobodyLookedAtIsUnknownAndNeverEmpty) {
  const TileGrid grid = MakeTileGrid({50, 25}, {25, 25});
  const CountGrid found = CountPeople(grid, {true, false}, {});
  EXPECT_TRUE(found.Empty(0));
  EXPECT_FALSE(found.Empty(1));
  const CountGrid none = CountPeople(grid, {}, {});
  EXPECT_FALSE(none.Empty(0));
}

TEST(CountGrid, SomebodySeenThroughPaddingIsALeastNumberOfAnUnknownCell) {
  const TileGrid grid = MakeTileGrid({50, 25}, {25, 25});
  const CountGrid found = CountPeople(grid, {true, false}, {At(26, 10)});
  EXPECT_EQ(found.counts[1], 1);
  EXPECT_FALSE(found.known[1]);
}

TEST(CountGrid, LeavesOutBoxesWithoutAPlaceAndCountsThoseOutsideToTheNearestCell) {
  const TileGrid grid = MakeTileGrid({50, 25}, {25, 25});
  const CountGrid found = CountPeople(grid, {true, true},
                                      {{.box = {kNan, 0, 1, 1}},
                                       {.box = {0, 0, kInf, 1}},
                                       {.box = {0, -kInf, 1, kInf}},
                                       At(900, -40)});
  EXPECT_EQ(found.counts, (std::vector<float>{0, 1}));
}

TEST(CountGrid, OfATileLargerThanTheFrameHasOneCell) {
  const CountGrid found = CountPeople(MakeTileGrid({50, 25}, {512, 512}), {true}, {At(10, 10)});
  EXPECT_EQ(found.counts, std::vector<float>{1});
}

}  // namespace
}  // namespace nearfar
