#include "tiling/box_regions.h"

#include <gmock/gmock.h>

#include <limits>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr TileGrid kGrid = MakeTileGrid({1000, 800}, {500, 400});

Detection At(float x1, float y1, float x2, float y2) { return {{x1, y1, x2, y2}, 0.9F, 0}; }

TEST(RegionsAroundBoxes, GrowsEachBoxAndCutsItAtTheFrame) {
  const auto regions =
      RegionsAroundBoxes(kGrid, {At(100, 100, 200, 300), At(900, 700, 1000, 800)}, 0.3, {.inference_pixels = 0});
  ASSERT_THAT(regions, SizeIs(2));
  EXPECT_EQ(regions[0].rect, (Rect{85, 70, 130, 260}));
  EXPECT_THAT(regions[0].cells, ElementsAre(0));
  EXPECT_EQ(regions[1].rect, (Rect{885, 685, 115, 115}));
  EXPECT_THAT(regions[1].cells, ElementsAre(3));
}

TEST(RegionsAroundBoxes, JoinsWhatCostsNoMoreTogether) {
  const Detections close{At(100, 100, 200, 300), At(150, 100, 250, 300), At(700, 600, 720, 640)};
  EXPECT_THAT(RegionsAroundBoxes(kGrid, close, 0.3, {}), SizeIs(2));
  EXPECT_THAT(RegionsAroundBoxes(kGrid, close, 0.3, {.on = false}), SizeIs(3));
  EXPECT_THAT(RegionsAroundBoxes(kGrid, close, 0.3, {.most_pixels = 100}), SizeIs(3));
}

TEST(RegionsAroundBoxes, LeavesOutBoxesThatAreNone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(RegionsAroundBoxes(kGrid, {}, 0.3, {}), IsEmpty());
  EXPECT_THAT(RegionsAroundBoxes(
                  kGrid, {At(nan, 0, 10, 10), At(10, 10, 10, 20), At(2000, 0, 2100, 50)}, 0.3, {}),
              IsEmpty());
}

TEST(RegionsAroundBoxes, HoldsEveryBoxWhole) {
  Rng rng(7);
  for (int round = 0; round < 50; ++round) {
    Detections people;
    for (std::uint64_t i = rng.Below(60); i > 0; --i) {
      const auto x = static_cast<float>(rng.Uniform(0, 980));
      const auto y = static_cast<float>(rng.Uniform(0, 750));
      people.push_back(At(x, y, x + 15, y + 40));
    }
    const auto regions = RegionsAroundBoxes(kGrid, people, 0.3, {});
    for (const Detection& person : people) {
      const bool whole = std::any_of(regions.begin(), regions.end(), [&](const TiledRegion& region) {
        const Rect& r = region.rect;
        return static_cast<float>(r.x) <= person.box.x1 && static_cast<float>(r.y) <= person.box.y1 &&
               person.box.x2 <= static_cast<float>(r.x + r.width) &&
               person.box.y2 <= static_cast<float>(r.y + r.height);
      });
      EXPECT_TRUE(whole);
    }
  }
}

}  // namespace
}  // namespace nearfar
