#include "tiling/tiling.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>

#include "core/pixels.h"
#include "core/rng.h"
#include "tiling/join.h"
#include "tiling/padding.h"

namespace nearfar {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Size k4K{3840, 2160};
constexpr Size kTile{512, 512};

std::vector<int> AllCells(const TileGrid& grid) {
  std::vector<int> cells(static_cast<std::size_t>(grid.cells()));
  std::iota(cells.begin(), cells.end(), 0);
  return cells;
}

// ---- padded tiles and the overview

struct PaddedCase {
  std::string what;
  Size frame;
  Size tile;
  Size padding;
  int cell;
  Rect rect;
};

TEST(PaddedTile, ReachesOverItsCellUpToTheEdgeOfTheFrame) {
  for (const PaddedCase& c : std::vector<PaddedCase>{
           {"in the corner", k4K, kTile, {64, 32}, 0, {0, 0, 576, 544}},
           {"in the middle", k4K, kTile, {64, 32}, 9, {448, 480, 640, 576}},
           {"a thin last row", k4K, kTile, {64, 64}, 39, {3520, 1984, 320, 176}},
           {"without padding", k4K, kTile, {0, 0}, 1, {512, 0, 512, 512}},
           {"padding larger than the frame", {100, 80}, {50, 40}, {999, 999}, 3, {0, 0, 100, 80}},
           {"a tile larger than the frame", {100, 80}, {512, 512}, {64, 64}, 0, {0, 0, 100, 80}},
           {"a frame of one pixel", {1, 1}, {1, 1}, {3, 3}, 0, {0, 0, 1, 1}},
       }) {
    const TileGrid grid = MakeTileGrid(c.frame, c.tile);
    EXPECT_EQ(PaddedTile(grid, EvenPadding(grid, c.padding), c.cell), c.rect) << c.what;
  }
}

TEST(PaddedTile, TakesThePaddingOfItsRow) {
  const TileGrid grid = MakeTileGrid({300, 300}, {100, 100});
  const Padding padding{{{1, 2}, {10, 20}, {30, 40}}};
  EXPECT_EQ(PaddedTile(grid, padding, grid.index(1, 0)), (Rect{99, 0, 102, 102}));
  EXPECT_EQ(PaddedTile(grid, padding, grid.index(1, 1)), (Rect{90, 80, 120, 140}));
  EXPECT_EQ(PaddedTile(grid, padding, grid.index(1, 2)), (Rect{70, 160, 160, 140}));
}

TEST(PaddedTile, IsCutOutOfTheFrameWithoutCopying) {
  Image frame({64, 48});
  for (int y = 0; y < 48; ++y) {
    for (int x = 0; x < 64 * 3; ++x) {
      frame.row(y)[x] = static_cast<std::uint8_t>((x + y) % 251);
    }
  }
  const TileGrid grid = MakeTileGrid(frame.size(), {16, 16});
  const Rect rect = PaddedTile(grid, EvenPadding(grid, {4, 4}), grid.index(1, 1));
  const PixelView tile = Crop(frame.view(), rect);
  EXPECT_EQ(tile.size, rect.size());
  EXPECT_EQ(tile.data, frame.view().row(12) + 3 * 12);
  EXPECT_EQ(tile.row(5), frame.view().row(17) + 3 * 12);
}

TEST(PaddedTile, HasWhoeverStandsOnACutLineWholeOnBothSides) {
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    const TileGrid grid = MakeTileGrid({100 + static_cast<int>(rng.Below(900)), 400}, {100, 90});
    const int width = 1 + static_cast<int>(rng.Below(60));
    const int height = 1 + static_cast<int>(rng.Below(60));
    const Padding padding = EvenPadding(grid, {width, height});
    if (grid.columns < 2) {
      continue;
    }
    const int column =
        1 + static_cast<int>(rng.Below(static_cast<std::uint64_t>(grid.columns - 1)));
    const int line = column * 100;
    const int x =
        std::max(0, line - static_cast<int>(rng.Below(static_cast<std::uint64_t>(width))));
    const int y = 10;
    for (const int cell : {grid.index(column - 1, 0), grid.index(column, 0)}) {
      const Rect rect = PaddedTile(grid, padding, cell);
      EXPECT_LE(rect.x, x);
      EXPECT_GE(rect.x + rect.width, std::min(grid.frame.width, x + width));
      EXPECT_GE(rect.y + rect.height, std::min(grid.frame.height, y + height));
    }
  }
}

TEST(Overview, IsTheWholeFrameScaledDownAndNeverUp) {
  const TiledRegion overview = Overview(k4K, 960);
  EXPECT_EQ(overview.kind, TiledRegion::Kind::kOverview);
  EXPECT_EQ(overview.rect, WholeOf(k4K));
  EXPECT_EQ(overview.input, (Size{960, 540}));
  EXPECT_EQ(overview.pixels(), 960 * 540);
  EXPECT_THAT(overview.cells, IsEmpty());
  EXPECT_EQ(Overview({1080, 1920}, 640).input, (Size{360, 640}));
  EXPECT_EQ(Overview({640, 480}, 640).input, (Size{640, 480}));
  EXPECT_EQ(Overview({640, 480}, 960).input, (Size{640, 480}));
  EXPECT_EQ(Overview({5000, 1}, 100).input, (Size{100, 1}));
}

// ---- padding

Detection PersonAt(float x, float y, float width, float height) {
  return {{x, y, x + width, y + height}, 0.9F, 0};
}

TEST(PaddingEstimator, GivesWhatIsGiven) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  PaddingEstimator estimator({.fixed = Size{70, 0}});
  estimator.Observe(grid, {PersonAt(0, 0, 100, 100)});
  EXPECT_EQ(estimator.Current(grid), EvenPadding(grid, {70, 0}));
}

TEST(PaddingEstimator, StartsWithTheSharesThatItWasGiven) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  PaddingEstimator estimator;
  EXPECT_EQ(estimator.Current(grid), EvenPadding(grid, {64, 64}));
  estimator.Observe(grid, {});
  EXPECT_EQ(estimator.Current(grid), EvenPadding(grid, {64, 64}));
}

TEST(PaddingEstimator, CoversThePercentileOfTheSizesSeen) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  PaddingEstimator estimator({.per_row = false});
  Detections people;
  for (int i = 1; i <= 100; ++i) {  // 1 to 50 px wide, 1 to 100 px high
    people.push_back(PersonAt(1000, 1000, 0.5F * static_cast<float>(i), static_cast<float>(i)));
  }
  for (int round = 0; round < 20; ++round) {
    estimator.Observe(grid, people);
  }
  for (const Size& size : estimator.Current(grid).by_row) {
    EXPECT_GE(size.width, 45);
    EXPECT_LE(size.width, 48);
    EXPECT_GE(size.height, 90);
    EXPECT_LE(size.height, 93);
  }
}

TEST(PaddingEstimator, ReachesAsFarAsItIsTold) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  PaddingEstimator whole({.per_row = false});
  PaddingEstimator half({.reach = 0.5, .per_row = false});
  for (PaddingEstimator* estimator : {&whole, &half}) {
    estimator->Observe(grid, {PersonAt(1000, 1000, 60, 120)});
  }
  for (std::size_t row = 0; row < 5; ++row) {
    EXPECT_NEAR(half.Current(grid).by_row[row].height,
                whole.Current(grid).by_row[row].height / 2.0, 1);
  }
}

TEST(PaddingEstimator, LeavesOutThoseWhoAreTheOverviews) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  PaddingEstimator estimator;
  Detections people{PersonAt(10, 10, 30, 60)};
  for (int i = 0; i < 50; ++i) {
    people.push_back(PersonAt(10, 10, 150, 400));
  }
  estimator.Observe(grid, people);
  for (const Size& size : estimator.Current(grid).by_row) {
    EXPECT_LE(size.width, 32);
    EXPECT_LE(size.height, 62);
  }
}

TEST(PaddingEstimator, StaysBetweenSmallestAndLargest) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  PaddingEstimator estimator({.smallest = 0.05, .largest = 0.1, .before = 0.5});
  estimator.Observe(grid, {PersonAt(0, 0, 1, 1)});
  EXPECT_EQ(estimator.Current(grid), EvenPadding(grid, {26, 26}));
  PaddingEstimator other({.smallest = 0.05, .largest = 0.1});
  other.Observe(grid, {PersonAt(0, 0, 52, 52)});  // 0.1 of 512, rounded up
  EXPECT_EQ(other.Current(grid), EvenPadding(grid, {52, 52}));
}

TEST(PaddingEstimator, FollowsPerspectiveByRowAndPoolsRowsWithFewPeople) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  PaddingEstimator estimator({.pooled = 5});
  for (int frame = 0; frame < 100; ++frame) {
    Detections people;
    for (int i = 0; i < 10; ++i) {
      people.push_back(PersonAt(static_cast<float>(300 * i), 100, 20, 20));    // far away: row 0
      people.push_back(PersonAt(static_cast<float>(300 * i), 1600, 60, 100));  // near: row 3
    }
    estimator.Observe(grid, people);
  }
  const Padding padding = estimator.Current(grid);
  ASSERT_THAT(padding.by_row, SizeIs(5));
  EXPECT_LE(padding.by_row[0].height, 24);
  EXPECT_GE(padding.by_row[3].height, 100);
  // Nobody was ever seen in row 2: it goes by the frame's people.
  EXPECT_GE(padding.by_row[2].height, 100);
}

TEST(PaddingEstimator, ForgetsWhatIsLongAgo) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  PaddingEstimator estimator({.half_life = 10});
  for (int frame = 0; frame < 100; ++frame) {
    estimator.Observe(grid, {PersonAt(0, 0, 100, 100)});
  }
  EXPECT_GE(estimator.Current(grid).by_row[0].width, 100);
  for (int frame = 0; frame < 40; ++frame) {
    estimator.Observe(grid, {PersonAt(0, 0, 30, 30)});
  }
  EXPECT_LE(estimator.Current(grid).by_row[0].width, 32);
}

TEST(PaddingEstimator, KeepsCountingThroughALongStream) {
  const TileGrid grid = MakeTileGrid({200, 200}, {100, 100});
  PaddingEstimator estimator({.half_life = 0.5});  // the weights pass 1e100 time and again
  for (int frame = 0; frame < 2000; ++frame) {
    estimator.Observe(grid, {PersonAt(0, 0, 20, 10)});
  }
  EXPECT_EQ(estimator.Current(grid), EvenPadding(grid, {21, 11}));
}

TEST(PaddingEstimator, StartsAnewOnAnotherGrid) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  const TileGrid other = MakeTileGrid({1920, 1080}, kTile);
  PaddingEstimator estimator;
  estimator.Observe(grid, {PersonAt(0, 0, 100, 100)});
  EXPECT_EQ(estimator.Current(other), EvenPadding(other, {64, 64}));
  estimator.Observe(other, {PersonAt(0, 0, 21, 21)});
  EXPECT_EQ(estimator.Current(other), EvenPadding(other, {22, 22}));
  EXPECT_EQ(estimator.Current(grid), EvenPadding(grid, {64, 64}));
}

TEST(PaddingEstimator, TakesNoBoxThatIsNone) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  PaddingEstimator estimator;
  estimator.Observe(grid, {PersonAt(nan, 0, 10, 10),
                           PersonAt(0, nan, 10, 10),
                           PersonAt(0, 0, 0, 9),
                           PersonAt(50, 50, -10, 10),
                           {{-inf, 0, 5, 5}, 0.5F, 0}});
  EXPECT_EQ(estimator.Current(grid), EvenPadding(grid, {64, 64}));
  // Outside the frame counts for the nearest row.
  estimator.Observe(grid, {PersonAt(-900, -900, 32, 32), PersonAt(9000, 9000, 32, 32)});
  EXPECT_EQ(estimator.Current(grid), EvenPadding(grid, {34, 34}));
}

TEST(PaddingOptions, AreRefusedOutsideTheirRanges) {
  EXPECT_FALSE(Validate(PaddingOptions{.reach = 0}));
  EXPECT_FALSE(Validate(PaddingOptions{.reach = 1.5}));
  EXPECT_TRUE(Validate(PaddingOptions{}));
  for (const PaddingOptions& wrong : std::vector<PaddingOptions>{{.fixed = Size{-1, 3}},
                                                                 {.percentile = 0},
                                                                 {.percentile = 1.1},
                                                                 {.smallest = 0.5, .largest = 0.4},
                                                                 {.largest = 1.5},
                                                                 {.before = -1},
                                                                 {.half_life = 0},
                                                                 {.pooled = std::nan("")}}) {
    const auto valid = Validate(wrong);
    ASSERT_FALSE(valid);
    EXPECT_THAT(valid.error().message, HasSubstr("padding"));
  }
}

// ---- joined rectangles

std::int64_t CostOf(const std::vector<TiledRegion>& regions, const JoinOptions& options) {
  std::int64_t cost = 0;
  for (const TiledRegion& region : regions) {
    cost += region.pixels() + options.inference_pixels;
  }
  return cost;
}

/// What holds for every list of regions.
void ExpectSoundRegions(const TileGrid& grid, const Padding& padding, std::span<const int> asked,
                        const std::vector<TiledRegion>& regions, const JoinOptions& options) {
  std::set<int> looked;
  int before = -1;
  for (const TiledRegion& region : regions) {
    ASSERT_FALSE(region.cells.empty());
    EXPECT_TRUE(std::is_sorted(region.cells.begin(), region.cells.end()));
    EXPECT_GT(region.cells.front(), before);
    before = region.cells.front();
    EXPECT_EQ(region.input, region.rect.size());
    // The cells fill a rectangle of the grid.
    const int left = region.cells.front() % grid.columns;
    const int right = region.cells.back() % grid.columns;
    const int top = region.cells.front() / grid.columns;
    const int bottom = region.cells.back() / grid.columns;
    EXPECT_EQ(region.cells.size(),
              static_cast<std::size_t>((right - left + 1) * (bottom - top + 1)));
    Rect around{};
    for (const int cell : region.cells) {
      EXPECT_TRUE(looked.insert(cell).second) << "cell " << cell << " is in two regions";
      const Rect tile = PaddedTile(grid, padding, cell);
      if (around.width == 0) {
        around = tile;
      }
      const int x2 = std::max(around.x + around.width, tile.x + tile.width);
      const int y2 = std::max(around.y + around.height, tile.y + tile.height);
      around.x = std::min(around.x, tile.x);
      around.y = std::min(around.y, tile.y);
      around.width = x2 - around.x;
      around.height = y2 - around.y;
    }
    EXPECT_EQ(region.rect, around);
    if (region.cells.size() > 1) {
      EXPECT_LE(region.pixels(), options.most_pixels);
    }
  }
  for (const int cell : asked) {
    EXPECT_TRUE(looked.contains(cell)) << "cell " << cell << " is looked at by none";
  }
}

TEST(JoinTiles, OfNothingIsNothing) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  EXPECT_THAT(JoinTiles(grid, EvenPadding(grid, {64, 64}), {}), IsEmpty());
}

TEST(JoinTiles, LeavesEachCellAloneWhereItIsOff) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  const Padding padding = EvenPadding(grid, {64, 64});
  const std::vector<int> cells{9, 3, 3, 8};
  const auto regions = JoinTiles(grid, padding, cells, {.on = false});
  ASSERT_THAT(regions, SizeIs(3));
  EXPECT_THAT(regions[0].cells, ElementsAre(3));
  EXPECT_THAT(regions[1].cells, ElementsAre(8));
  EXPECT_THAT(regions[2].cells, ElementsAre(9));
  EXPECT_EQ(regions[2].rect, PaddedTile(grid, padding, 9));
}

TEST(JoinTiles, JoinsNeighboursAndLeavesDistantCellsAlone) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  const Padding padding = EvenPadding(grid, {64, 64});
  const auto regions = JoinTiles(grid, padding, std::vector<int>{10, 11, 21});
  ASSERT_THAT(regions, SizeIs(2));
  EXPECT_THAT(regions[0].cells, ElementsAre(10, 11));
  EXPECT_EQ(regions[0].rect, (Rect{2 * 512 - 64, 512 - 64, 1024 + 128, 512 + 128}));
  EXPECT_THAT(regions[1].cells, ElementsAre(21));
}

TEST(JoinTiles, FillsAHoleWhereThatIsCheaperAndListsIt) {
  const TileGrid grid = MakeTileGrid({300, 300}, {100, 100});
  const Padding padding = EvenPadding(grid, {50, 50});
  std::vector<int> ring = AllCells(grid);
  ring.erase(ring.begin() + 4);
  const auto regions = JoinTiles(grid, padding, ring);
  ASSERT_THAT(regions, SizeIs(1));
  EXPECT_EQ(regions[0].cells, AllCells(grid));
  EXPECT_EQ(regions[0].rect, WholeOf(grid.frame));
}

TEST(JoinTiles, KeepsBelowTheLargestRegion) {
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  const Padding padding = EvenPadding(grid, {64, 64});
  // Exactly two interior neighbours, and one pixel less.
  const std::int64_t two = std::int64_t{1152} * 640;
  EXPECT_THAT(JoinTiles(grid, padding, std::vector<int>{9, 10}, {.most_pixels = two}), SizeIs(1));
  EXPECT_THAT(JoinTiles(grid, padding, std::vector<int>{9, 10}, {.most_pixels = two - 1}),
              SizeIs(2));
}

TEST(JoinTiles, JoinsOnlyWhereSomethingIsSaved) {
  // Without padding and fixed cost a join saves nothing.
  const TileGrid grid = MakeTileGrid(k4K, kTile);
  const Padding none = EvenPadding(grid, {0, 0});
  const std::vector<int> pair{0, 1};
  EXPECT_THAT(JoinTiles(grid, none, pair, {.inference_pixels = 0}), SizeIs(2));
  EXPECT_THAT(JoinTiles(grid, none, pair, {.inference_pixels = 1}), SizeIs(1));
}

TEST(JoinTiles, BreaksTiesByTheFirstCell) {
  const TileGrid grid = MakeTileGrid({400, 100}, {100, 100});
  const Padding padding = EvenPadding(grid, {0, 0});
  // Of three equal cells the first two go together; three would be too many.
  const auto regions =
      JoinTiles(grid, padding, std::vector<int>{2, 1, 0}, {.most_pixels = 200 * 100});
  ASSERT_THAT(regions, SizeIs(2));
  EXPECT_THAT(regions[0].cells, ElementsAre(0, 1));
  EXPECT_THAT(regions[1].cells, ElementsAre(2));
}

TEST(JoinTiles, GivesSoundRegionsThatCostNoMoreThanTheCells) {
  Rng rng(11);
  for (int round = 0; round < 400; ++round) {
    const Size frame{1 + static_cast<int>(rng.Below(4000)), 1 + static_cast<int>(rng.Below(2500))};
    const Size tile{100 + static_cast<int>(rng.Below(700)), 100 + static_cast<int>(rng.Below(700))};
    const TileGrid grid = MakeTileGrid(frame, tile);
    Padding padding;
    for (int row = 0; row < grid.rows; ++row) {
      padding.by_row.push_back(
          {static_cast<int>(rng.Below(200)), static_cast<int>(rng.Below(200))});
    }
    const JoinOptions options{.inference_pixels = static_cast<std::int64_t>(rng.Below(60000)),
                              .most_pixels = static_cast<std::int64_t>(rng.Below(4000000))};
    const double share = rng.Uniform();
    std::vector<int> cells;
    for (int cell = 0; cell < grid.cells(); ++cell) {
      if (rng.Chance(share)) {
        cells.push_back(cell);
      }
    }
    rng.Shuffle(cells);
    const auto regions = JoinTiles(grid, padding, cells, options);
    ExpectSoundRegions(grid, padding, cells, regions, options);
    const auto apart = JoinTiles(grid, padding, cells, {.on = false});
    ExpectSoundRegions(grid, padding, cells, apart, options);
    EXPECT_LE(CostOf(regions, options), CostOf(apart, options));
    std::sort(cells.begin(), cells.end());
    EXPECT_EQ(JoinTiles(grid, padding, cells, options), regions) << "the order of asking matters";
  }
}

TEST(JoinOptions, AreRefusedOutsideTheirRanges) {
  EXPECT_TRUE(Validate(JoinOptions{.inference_pixels = 0, .most_pixels = 0}));
  EXPECT_FALSE(Validate(JoinOptions{.inference_pixels = -1}));
  EXPECT_FALSE(Validate(JoinOptions{.most_pixels = -1}));
}

}  // namespace
}  // namespace nearfar
