#include "tiling/merge.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/rng.h"
#include "tiling/join.h"
#include "tiling/padding.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Detection Person(float x1, float y1, float x2, float y2, float score = 0.5F, int label = 0) {
  return {{x1, y1, x2, y2}, score, label};
}

TiledRegion Tile(Rect rect) { return {.rect = rect, .cells = {0}, .input = rect.size()}; }

/// What a perfect detector sees of the people in a region: each cut at the region's border.
Detections SeenIn(const TiledRegion& region, const Detections& people) {
  const Rect& r = region.rect;
  Detections seen;
  for (Detection person : people) {
    Box& box = person.box;
    box = {std::max(box.x1, static_cast<float>(r.x)), std::max(box.y1, static_cast<float>(r.y)),
           std::min(box.x2, static_cast<float>(r.x + r.width)),
           std::min(box.y2, static_cast<float>(r.y + r.height))};
    if (box.x1 < box.x2 && box.y1 < box.y2) {
      seen.push_back(person);
    }
  }
  return seen;
}

Detections Sorted(Detections detections) {
  std::sort(detections.begin(), detections.end(), [](const Detection& a, const Detection& b) {
    return std::tuple(-a.score, a.label, a.box.x1, a.box.y1, a.box.x2, a.box.y2) <
           std::tuple(-b.score, b.label, b.box.x1, b.box.y1, b.box.x2, b.box.y2);
  });
  return detections;
}

// ---- splitting and merging perfect detections gives back the frame's

struct World {
  Size frame;
  TileGrid grid;
  Padding padding;
  Detections people;
};

/// A frame, a grid, a padding and people of all sizes, in crowds and alone.
World MakeWorld(Rng& rng) {
  const auto below = [&](int n) {
    return static_cast<int>(rng.Below(static_cast<std::uint64_t>(n)));
  };
  World world;
  world.frame = {200 + below(2000), 200 + below(1500)};
  world.grid = MakeTileGrid(world.frame, {120 + below(600), 120 + below(600)});
  for (int row = 0; row < world.grid.rows; ++row) {
    world.padding.by_row.push_back({below(100), below(100)});
  }
  const int count = below(60);
  const double largest = rng.Chance(0.3) ? 1.2 : 0.2;
  const auto frame_width = static_cast<double>(world.frame.width);
  const auto frame_height = static_cast<double>(world.frame.height);
  for (int i = 0; i < count; ++i) {
    double width = rng.Uniform(4, 8 + largest * frame_width);
    double height = rng.Uniform(4, 8 + largest * frame_height);
    double x = rng.Uniform(-width / 2, frame_width - width / 2);
    double y = rng.Uniform(-height / 2, frame_height - height / 2);
    if (!world.people.empty() && rng.Chance(0.4)) {
      // Close to somebody, and nearly as large.
      const Box& near = world.people[static_cast<std::size_t>(below(i))].box;
      width = near.width() * rng.Uniform(0.8, 1.2);
      height = near.height() * rng.Uniform(0.8, 1.2);
      x = near.x1 + near.width() * rng.Uniform(-0.3, 0.3);
      y = near.y1 + near.height() * rng.Uniform(-0.3, 0.3);
    }
    const Box box = ClipTo({static_cast<float>(x), static_cast<float>(y),
                            static_cast<float>(x + width), static_cast<float>(y + height)},
                           world.frame);
    if (box.width() > 1 && box.height() > 1) {
      world.people.push_back({box, static_cast<float>(rng.Uniform(0.05, 1)), below(2)});
    }
  }
  return world;
}

std::vector<RegionResult> LookEverywhere(const World& world, bool join, const Detections& large) {
  std::vector<int> cells(static_cast<std::size_t>(world.grid.cells()));
  std::iota(cells.begin(), cells.end(), 0);
  std::vector<RegionResult> results;
  for (TiledRegion& region : JoinTiles(world.grid, world.padding, cells, {.on = join})) {
    Detections seen = SeenIn(region, world.people);
    results.push_back({std::move(region), std::move(seen), static_cast<int>(results.size())});
  }
  TiledRegion overview = Overview(world.frame, 600);
  results.push_back({std::move(overview), large, 99});
  return results;
}

/// Whether a tile has the person in full view, away from its inner borders.
bool WholeSomewhere(const World& world, std::span<const RegionResult> results, const Box& box,
                    float margin) {
  return std::any_of(results.begin(), results.end(), [&](const RegionResult& result) {
    const Rect& r = result.region.rect;
    const auto ends = [&](int low, int size, int whole, float from, float to) {
      const bool starts = low == 0 || from >= static_cast<float>(low) + margin;
      const bool stops = low + size == whole || to <= static_cast<float>(low + size) - margin;
      return starts && stops && from >= static_cast<float>(low) &&
             to <= static_cast<float>(low + size);
    };
    return result.region.kind == TiledRegion::Kind::kTiles &&
           ends(r.x, r.width, world.frame.width, box.x1, box.x2) &&
           ends(r.y, r.height, world.frame.height, box.y1, box.y2);
  });
}

TEST(MergeByBorder, OfPerfectDetectionsAndAFullOverviewGivesTheFrames) {
  Rng rng(1);
  for (int round = 0; round < 3000; ++round) {
    const World world = MakeWorld(rng);
    const auto results = LookEverywhere(world, rng.Chance(0.5), world.people);
    ASSERT_EQ(Sorted(MergeByBorder(world.frame, results).detections), Sorted(world.people))
        << "round " << round;
  }
}

TEST(MergeByBorder, OfPerfectDetectionsAndAnOverviewOfTheLargeOnesGivesTheFrames) {
  Rng rng(2);
  std::size_t large_ones = 0;
  for (int round = 0; round < 3000; ++round) {
    const World world = MakeWorld(rng);
    const bool join = rng.Chance(0.5);
    auto results = LookEverywhere(world, join, {});
    Detections large;
    for (const Detection& person : world.people) {
      if (!WholeSomewhere(world, results, person.box, MergeOptions{}.border_px)) {
        large.push_back(person);
      }
    }
    large_ones += large.size();
    results = LookEverywhere(world, join, large);
    ASSERT_EQ(Sorted(MergeByBorder(world.frame, results).detections), Sorted(world.people))
        << "round " << round;
  }
  EXPECT_GT(large_ones, 10000U);
}

TEST(MergeByBorder, OfPerfectDetectionsNeedsNoOverviewWherePaddingHoldsEverybody) {
  Rng rng(3);
  for (int round = 0; round < 1000; ++round) {
    World world = MakeWorld(rng);
    for (Size& padding : world.padding.by_row) {
      padding.width += 10;
      padding.height += 10;
    }
    std::erase_if(world.people, [&](const Detection& person) {
      return std::any_of(world.padding.by_row.begin(), world.padding.by_row.end(),
                         [&](const Size& padding) {
                           return person.box.width() > static_cast<float>(padding.width) - 4 ||
                                  person.box.height() > static_cast<float>(padding.height) - 4;
                         });
    });
    auto results = LookEverywhere(world, rng.Chance(0.5), {});
    results.pop_back();
    ASSERT_EQ(Sorted(MergeByBorder(world.frame, results).detections), Sorted(world.people))
        << "round " << round;
  }
}

TEST(MergeByBorder, DoesNotGoByTheOrderInWhichPeopleAreListed) {
  Rng rng(4);
  for (int round = 0; round < 200; ++round) {
    const World world = MakeWorld(rng);
    auto results = LookEverywhere(world, true, world.people);
    const Merged merged = MergeByBorder(world.frame, results);
    for (RegionResult& result : results) {
      rng.Shuffle(result.detections);
    }
    ASSERT_EQ(MergeByBorder(world.frame, results), merged) << "round " << round;
  }
}

// ---- one by one

/// Two tiles of a frame of 200 × 100 px, cut at x = 100, 20 px padding.
const TiledRegion kLeft = Tile({0, 0, 120, 100});
const TiledRegion kRight = Tile({80, 0, 120, 100});
const TiledRegion kWhole{
    .kind = TiledRegion::Kind::kOverview, .rect = {0, 0, 200, 100}, .input = {100, 50}};
constexpr Size kFrame{200, 100};

struct BorderCase {
  std::string what;
  std::vector<RegionResult> results;
  Detections merged;
  std::vector<int> sources;
};

TEST(MergeByBorder, DecidesCaseByCase) {
  for (const BorderCase& c : std::vector<BorderCase>{
           {"nothing was answered", {}, {}, {}},
           {"nobody is there", {{kLeft, {}, 1}, {kRight, {}, 2}, {kWhole, {}, 3}}, {}, {}},
           {"on the cut line, whole in both: the better one",
            {{kLeft, {Person(90, 10, 110, 50, 0.6F)}, 1},
             {kRight, {Person(91, 10, 110, 51, 0.7F)}, 2}},
            {Person(91, 10, 110, 51, 0.7F)},
            {2}},
           {"equal boxes: the first in the plan",
            {{kLeft, {Person(90, 10, 110, 50)}, 1}, {kRight, {Person(90, 10, 110, 50)}, 2}},
            {Person(90, 10, 110, 50)},
            {1}},
           {"two who stand close, each seen by both",
            {{kLeft, {Person(88, 10, 108, 50, 0.9F), Person(92, 10, 112, 50, 0.8F)}, 1},
             {kRight, {Person(88, 10, 108, 50, 0.85F), Person(92, 10, 112, 50, 0.7F)}, 2}},
            {Person(88, 10, 108, 50, 0.9F), Person(92, 10, 112, 50, 0.8F)},
            {1, 1}},
           {"a child before a grown-up, one in each tile: both stay",
            {{kLeft, {Person(85, 0, 115, 90, 0.9F)}, 1},
             {kRight, {Person(95, 50, 110, 90, 0.8F)}, 2}},
            {Person(85, 0, 115, 90, 0.9F), Person(95, 50, 110, 90, 0.8F)},
            {1, 2}},
           {"cut in one tile and whole in the other, however well it scores",
            {{kLeft, {Person(105, 10, 120, 50, 0.95F)}, 1},
             {kRight, {Person(105, 10, 140, 50, 0.6F)}, 2}},
            {Person(105, 10, 140, 50, 0.6F)},
            {2}},
           {"cut in one tile, and the other, which sees more, finds nobody",
            {{kLeft, {Person(105, 10, 120, 50, 0.95F)}, 1}, {kRight, {}, 2}},
            {},
            {}},
           {"cut, and the other tile is not looked at: it is all that is known",
            {{kLeft, {Person(60, 10, 120, 50)}, 1}},
            {Person(60, 10, 120, 50)},
            {1}},
           {"on the cut line and whole in the one tile that is looked at",
            {{kLeft, {Person(90, 10, 110, 50)}, 1}},
            {Person(90, 10, 110, 50)},
            {1}},
           {"at the frame's edge nobody is cut",
            {{kLeft, {Person(0, 0, 30, 100)}, 1}, {kRight, {Person(170, 0, 200, 100, 0.4F)}, 2}},
            {Person(0, 0, 30, 100), Person(170, 0, 200, 100, 0.4F)},
            {1, 2}},
           {"larger than a tile, with an overview",
            {{kLeft, {Person(30, 10, 120, 90, 0.9F)}, 1},
             {kRight, {Person(80, 10, 170, 90, 0.8F)}, 2},
             {kWhole, {Person(30, 10, 170, 90, 0.3F)}, 3}},
            {Person(30, 10, 170, 90, 0.3F)},
            {3}},
           {"larger than a tile, without one: the parts are put together",
            {{kLeft, {Person(30, 10, 120, 90, 0.9F)}, 1},
             {kRight, {Person(80, 10, 170, 90, 0.8F)}, 2}},
            {Person(30, 10, 170, 90, 0.9F)},
            {1}},
           {"two large ones, one above the other: each from its own parts",
            {{kLeft, {Person(30, 0, 120, 40, 0.9F), Person(20, 50, 120, 100, 0.7F)}, 1},
             {kRight, {Person(80, 50, 180, 100, 0.8F), Person(80, 0, 170, 40, 0.6F)}, 2}},
            {Person(30, 0, 170, 40, 0.9F), Person(20, 50, 180, 100, 0.8F)},
            {1, 2}},
           {"the overview sees a tile's person coarsely: the tile's box stays",
            {{kLeft, {Person(20, 20, 40, 60, 0.5F)}, 1},
             {kWhole, {Person(18, 16, 44, 64, 0.9F)}, 3}},
            {Person(20, 20, 40, 60, 0.5F)},
            {1}},
           {"the overview sees somebody whom a tile had in full view and did not find",
            {{kLeft, {}, 1}, {kWhole, {Person(20, 20, 40, 60)}, 3}},
            {},
            {}},
           {"the overview sees somebody where no tile was looked at",
            {{kLeft, {}, 1}, {kWhole, {Person(150, 20, 170, 60)}, 3}},
            {Person(150, 20, 170, 60)},
            {3}},
           {"cut, and the overview says how far it goes",
            {{kLeft, {Person(90, 10, 120, 90, 0.9F)}, 1},
             {kWhole, {Person(90, 10, 150, 90, 0.4F)}, 3}},
            {Person(90, 10, 150, 90, 0.4F)},
            {3}},
           {"somebody small before a large cut one stays",
            {{kLeft, {Person(60, 60, 90, 90, 0.9F), Person(10, 5, 120, 95, 0.8F)}, 1},
             {kWhole, {Person(10, 5, 180, 95, 0.4F)}, 3}},
            {Person(60, 60, 90, 90, 0.9F), Person(10, 5, 180, 95, 0.4F)},
            {1, 3}},
           {"a large one whose box is nearly that of somebody whole: both stay",
            {{kLeft, {Person(10, 10, 115, 90, 0.9F), Person(10, 10, 120, 90, 0.8F)}, 1},
             {kRight, {Person(80, 10, 122, 90, 0.8F), Person(80, 10, 115, 90, 0.9F)}, 2},
             {kWhole, {Person(10, 10, 122, 90, 0.7F)}, 3}},
            {Person(10, 10, 115, 90, 0.9F), Person(10, 10, 122, 90, 0.7F)},
            {1, 3}},
           {"only the overview was answered",
            {{kWhole, {Person(20, 20, 40, 60), Person(90, 10, 110, 50, 0.4F)}, 3}},
            {Person(20, 20, 40, 60), Person(90, 10, 110, 50, 0.4F)},
            {3, 3}},
           {"the overview was answered twice",
            {{kWhole, {Person(20, 20, 40, 60)}, 3}, {kWhole, {Person(20, 20, 40, 60, 0.9F)}, 4}},
            {Person(20, 20, 40, 60, 0.9F)},
            {4}},
           {"a tile was looked at by two",
            {{kLeft, {Person(20, 20, 40, 60), Person(60, 10, 120, 50)}, 1},
             {kLeft, {Person(20, 20, 40, 60, 0.9F), Person(60, 10, 120, 50, 0.9F)}, 2}},
            {Person(20, 20, 40, 60, 0.9F), Person(60, 10, 120, 50, 0.9F)},
            {2, 2}},
           {"another label is another thing",
            {{kLeft, {Person(90, 10, 110, 50, 0.5F, 0)}, 1},
             {kRight, {Person(90, 10, 110, 50, 0.5F, 7)}, 2}},
            {Person(90, 10, 110, 50, 0.5F, 0), Person(90, 10, 110, 50, 0.5F, 7)},
            {1, 2}},
           {"boxes that are none, or elsewhere",
            {{kLeft,
              {Person(kNan, 0, 10, 10), Person(0, kNan, 10, 10), Person(0, 0, kInf, 10),
               Person(-kInf, 0, 10, 10), Person(0, 0, 10, 10, kNan), Person(5, 5, 5, 9),
               Person(9, 9, 5, 5), Person(130, 10, 150, 50), Person(-50, -50, -10, -10)},
              1}},
            {},
            {}},
           {"a box that sticks out is cut to its region",
            {{kLeft, {Person(-10, -20, 30, 40)}, 1}},
            {Person(0, 0, 30, 40)},
            {1}},
       }) {
    const Merged merged = MergeByBorder(kFrame, c.results);
    EXPECT_EQ(merged.detections, c.merged) << c.what;
    EXPECT_EQ(merged.sources, c.sources) << c.what;
  }
}

TEST(MergeByBorder, CountsTheMarginInPixelsThatTheModelSaw) {
  // Scaled to a quarter, 4 px are 16 of the frame.
  TiledRegion scaled = kLeft;
  scaled.input = {30, 25};
  const Detections near{Person(40, 10, 106, 50)};
  const Detections far{Person(40, 10, 104, 50)};
  const Detections more{Person(85, 10, 116, 50, 0.9F)};
  for (const auto& [left, cut] : {std::pair{near, true}, {far, false}}) {
    const std::vector<RegionResult> results{{scaled, left, 1}, {kRight, {}, 2}};
    // Cut or whole, the box stays, since nobody else sees its left end: but only a whole one stays
    // whole where the overview says otherwise.
    std::vector<RegionResult> with_overview = results;
    with_overview.push_back({kWhole, {Person(40, 10, 160, 50, 0.3F)}, 3});
    const Merged merged = MergeByBorder(kFrame, with_overview);
    EXPECT_EQ(merged.sources.front() == 3, cut);
  }
}

TEST(MergeByBorder, IsTheRegionsOwnBoxesWhereThereIsOneTile) {
  const TiledRegion tile = Tile({0, 0, 200, 100});
  const Detections people{Person(0, 0, 200, 100, 0.9F), Person(1, 1, 199, 99, 0.8F),
                          Person(50, 50, 60, 60, 0.7F)};
  const Merged merged = MergeByBorder(kFrame, std::vector<RegionResult>{{tile, people, 5}});
  EXPECT_EQ(merged.detections, people);
  EXPECT_THAT(merged.sources, ElementsAre(5, 5, 5));
}

TEST(MergeByIou, DropsTheLowerOfTwoThatOverlap) {
  const std::vector<RegionResult> results{
      {kLeft, {Person(90, 10, 110, 50, 0.6F), Person(10, 10, 20, 20, 0.9F)}, 1},
      {kRight, {Person(91, 10, 111, 50, 0.7F), Person(10, 10, 20, 20, 0.8F)}, 2}};
  const Merged merged = MergeByIou(results);
  EXPECT_THAT(merged.detections,
              ElementsAre(Person(10, 10, 20, 20, 0.9F), Person(91, 10, 111, 50, 0.7F)));
  EXPECT_THAT(merged.sources, ElementsAre(1, 2));
}

TEST(MergeByIou, LetsACutBoxWinOverItsWholeOne) {
  // The paper's rule as printed: why the border rule is there.
  const std::vector<RegionResult> results{{kLeft, {Person(90, 10, 120, 50, 0.9F)}, 1},
                                          {kRight, {Person(90, 10, 135, 50, 0.6F)}, 2}};
  EXPECT_THAT(MergeByIou(results).detections, ElementsAre(Person(90, 10, 120, 50, 0.9F)));
  EXPECT_THAT(MergeByBorder(kFrame, results).detections,
              ElementsAre(Person(90, 10, 135, 50, 0.6F)));
}

TEST(MergeByIou, KeepsTiesInPlanOrderAndOtherLabelsApart) {
  const std::vector<RegionResult> results{
      {kRight, {Person(90, 10, 110, 50), Person(90, 10, 110, 50, 0.5F, 1)}, 2},
      {kLeft, {Person(90, 10, 110, 50)}, 1}};
  const Merged merged = MergeByIou(results);
  EXPECT_THAT(merged.detections,
              ElementsAre(Person(90, 10, 110, 50), Person(90, 10, 110, 50, 0.5F, 1)));
  EXPECT_THAT(merged.sources, ElementsAre(2, 2));
}

TEST(MergeByIou, OverlapOfExactlyTheLimitStays) {
  const std::vector<RegionResult> results{{kLeft, {Person(0, 0, 20, 10, 0.9F)}, 1},
                                          {kLeft, {Person(0, 0, 10, 10, 0.8F)}, 2}};
  EXPECT_THAT(MergeByIou(results, {.iou = 0.5F}).detections, SizeIs(2));
  EXPECT_THAT(MergeByIou(results, {.iou = 0.49F}).detections, SizeIs(1));
}

TEST(MergeByIou, TakesNoBoxThatIsNoneAndNothingFromNothing) {
  EXPECT_THAT(MergeByIou({}).detections, IsEmpty());
  EXPECT_THAT(
      MergeByIou(std::vector<RegionResult>{{kLeft,
                                            {Person(kNan, 0, 1, 1), Person(0, 0, 1, 1, kNan),
                                             Person(3, 3, 3, 3), Person(150, 0, 160, 10)},
                                            1}})
          .detections,
      IsEmpty());
}

TEST(MergeByIou, AgreesWithNmsOverAllBoxes) {
  Rng rng(8);
  for (int round = 0; round < 300; ++round) {
    const World world = MakeWorld(rng);
    const auto results = LookEverywhere(world, false, world.people);
    Detections all;
    for (const RegionResult& result : results) {
      all.insert(all.end(), result.detections.begin(), result.detections.end());
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
    Detections kept;
    for (const Detection& detection : all) {
      if (std::none_of(kept.begin(), kept.end(), [&](const Detection& other) {
            return other.label == detection.label && Iou(other.box, detection.box) > 0.5F;
          })) {
        kept.push_back(detection);
      }
    }
    ASSERT_EQ(MergeByIou(results).detections, kept) << "round " << round;
  }
}

TEST(MergeOptions, AreRefusedOutsideTheirRanges) {
  EXPECT_TRUE(Validate(MergeOptions{}));
  for (const MergeOptions& wrong : std::vector<MergeOptions>{{.iou = 0},
                                                             {.iou = 1.5F},
                                                             {.overview_iou = -1},
                                                             {.shared_iou = kNan},
                                                             {.border_px = -1},
                                                             {.border_px = kNan}}) {
    const auto valid = Validate(wrong);
    ASSERT_FALSE(valid);
    EXPECT_THAT(valid.error().message, HasSubstr("merging tiles"));
  }
}

}  // namespace
}  // namespace nearfar
