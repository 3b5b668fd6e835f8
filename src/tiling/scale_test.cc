#include "tiling/scale.h"

#include <gtest/gtest.h>

#include <limits>

namespace nearfar {
namespace {

constexpr TileGrid kGrid = MakeTileGrid({2000, 2000}, {500, 500});

Detections PeopleAt(float y, float height, int count) {
  Detections people;
  for (int i = 0; i < count; ++i) {
    const auto x = static_cast<float>(30 * i);
    people.push_back({{x, y, x + 20, y + height}, 0.9F, 0});
  }
  return people;
}

TiledRegion RowOf(int row) {
  return {.rect = {0, 500 * row, 500, 500}, .cells = {4 * row}, .input = {500, 500}};
}

TEST(ScaleEstimator, LeavesRegionsAsTheyAreUntilSomebodyWasSeenOrWhereNothingIsWanted) {
  ScaleEstimator estimator({.wanted_height = 100});
  EXPECT_EQ(estimator.ScaleOf(kGrid, RowOf(0)), 1);
  estimator.Observe(kGrid, {});
  EXPECT_EQ(estimator.ScaleOf(kGrid, RowOf(0)), 1);
  ScaleEstimator off;
  off.Observe(kGrid, PeopleAt(100, 400, 20));
  EXPECT_EQ(off.ScaleOf(kGrid, RowOf(0)), 1);
}

TEST(ScaleEstimator, ShowsTheSmallOnesOfARowAtTheHeightWanted) {
  ScaleEstimator estimator({.wanted_height = 100, .pooled = 0.1});
  for (int i = 0; i < 10; ++i) {
    Detections people = PeopleAt(100, 80, 20);            // row 0: small
    for (const Detection& person : PeopleAt(1550, 400, 20)) {  // row 3: large
      people.push_back(person);
    }
    estimator.Observe(kGrid, people);
  }
  EXPECT_EQ(estimator.ScaleOf(kGrid, RowOf(0)), 1);
  EXPECT_NEAR(estimator.ScaleOf(kGrid, RowOf(3)), 0.25, 0.03);
  TiledRegion both = RowOf(3);
  both.cells.push_back(0);
  EXPECT_EQ(estimator.ScaleOf(kGrid, both), 1);  // the smallest people of its rows decide
}

TEST(ScaleEstimator, NeverShrinksBelowTheSmallestScaleAndForgetsAnotherGrid) {
  ScaleEstimator estimator({.wanted_height = 10, .smallest = 0.5});
  estimator.Observe(kGrid, PeopleAt(100, 400, 20));
  EXPECT_EQ(estimator.ScaleOf(kGrid, RowOf(0)), 0.5);
  EXPECT_EQ(estimator.ScaleOf(MakeTileGrid({1000, 1000}, {500, 500}), RowOf(0)), 1);
}

TEST(ScaleEstimator, TakesNoBoxThatIsNone) {
  ScaleEstimator estimator({.wanted_height = 10});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  estimator.Observe(kGrid, {{{nan, 0, 1, 400}, 0.9F, 0}, {{0, 100, 10, 100}, 0.9F, 0}});
  EXPECT_EQ(estimator.ScaleOf(kGrid, RowOf(0)), 1);
}

TEST(ScaledInput, KeepsASideOfAtLeast32Px) {
  EXPECT_EQ(ScaledInput({640, 480}, 1), (Size{640, 480}));
  EXPECT_EQ(ScaledInput({640, 480}, 0.5), (Size{320, 240}));
  EXPECT_EQ(ScaledInput({64, 20}, 0.25), (Size{32, 20}));
}

TEST(ScaleOptions, AreRefusedOutsideTheirRanges) {
  EXPECT_TRUE(Validate(ScaleOptions{}));
  EXPECT_FALSE(Validate(ScaleOptions{.wanted_height = -1}));
  EXPECT_FALSE(Validate(ScaleOptions{.percentile = 1}));
  EXPECT_FALSE(Validate(ScaleOptions{.smallest = 0}));
  EXPECT_FALSE(Validate(ScaleOptions{.half_life = 0}));
}

}  // namespace
}  // namespace nearfar
