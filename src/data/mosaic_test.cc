#include "data/mosaic.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

namespace nearfar {
namespace {

using ::testing::HasSubstr;

Truth Set(const std::string& name, int images, Size size = {100, 50}) {
  Truth truth{.classes = {{"person"}}};
  for (int i = 0; i < images; ++i) {
    truth.images.push_back({.name = std::to_string(i),
                            .file = name + "/" + std::to_string(i) + ".jpg",
                            .size = size,
                            .objects = {{.box = {-5, 10, 20, 30}, .area = 100, .track = i},
                                        {.box = {120, 10, 130, 20}, .track = 9},
                                        {.box = {90, 40, 110, 60}, .difficult = true}}});
  }
  return truth;
}

TEST(PlanMosaics, LaysPicturesSideBySideAndMovesBoxesAlong) {
  const std::vector<Truth> sets{Set("a", 3), Set("b", 3)};
  const auto mosaics = PlanMosaics(sets, {.rows = 2, .columns = 3, .count = 4, .seed = 5});
  ASSERT_TRUE(mosaics);
  ASSERT_EQ(mosaics->size(), 4U);
  for (const Mosaic& mosaic : *mosaics) {
    EXPECT_EQ(mosaic.truth.size, (Size{300, 100}));
    ASSERT_EQ(mosaic.pieces.size(), 6U);
    ASSERT_EQ(mosaic.truth.objects.size(), 12U);  // the one outside its picture is gone
    for (std::size_t p = 0; p < 6; ++p) {
      const Rect rect = mosaic.pieces[p].rect;
      EXPECT_EQ(rect, (Rect{static_cast<int>(p) % 3 * 100, static_cast<int>(p) / 3 * 50, 100, 50}));
      const TruthObject& first = mosaic.truth.objects[2 * p];
      const auto x = static_cast<float>(rect.x);
      const auto y = static_cast<float>(rect.y);
      EXPECT_EQ(first.box, (Box{x, y + 10, x + 20, y + 30}));  // cut at its picture's edge
      EXPECT_FLOAT_EQ(first.area, 80);
      // Set b's tracks are numbered behind those of set a, whose largest is 9.
      EXPECT_EQ(first.track,
                static_cast<std::int64_t>(mosaic.pieces[p].image + 10 * mosaic.pieces[p].set));
      const TruthObject& second = mosaic.truth.objects[2 * p + 1];
      EXPECT_EQ(second.box, (Box{x + 90, y + 40, x + 100, y + 50}));
      EXPECT_TRUE(second.difficult);
      EXPECT_EQ(second.track, -1);
    }
  }
}

TEST(PlanMosaics, UsesPicturesEvenlyAndNoneTwiceInOne) {
  const std::vector<Truth> sets{Set("a", 4), Set("b", 3)};
  const auto mosaics = PlanMosaics(sets, {.count = 70, .seed = 3});
  ASSERT_TRUE(mosaics);
  std::map<std::pair<std::size_t, std::size_t>, int> used;
  for (const Mosaic& mosaic : *mosaics) {
    std::set<std::pair<std::size_t, std::size_t>> here;
    for (const MosaicPiece& piece : mosaic.pieces) {
      EXPECT_TRUE(here.insert({piece.set, piece.image}).second);
      ++used[{piece.set, piece.image}];
    }
  }
  ASSERT_EQ(used.size(), 7U);
  for (const auto& [picture, times] : used) {
    EXPECT_NEAR(times, 40, 1);
  }
}

TEST(PlanMosaics, RepeatsPicturesWhereThereAreTooFew) {
  const std::vector<Truth> sets{Set("a", 1)};
  const auto mosaics = PlanMosaics(sets, {.count = 2});
  ASSERT_TRUE(mosaics);
  EXPECT_EQ((*mosaics)[1].pieces.size(), 4U);
}

TEST(PlanMosaics, LeavesTheFirstOnesAsTheyWereWhenThereAreMore) {
  const std::vector<Truth> sets{Set("a", 9)};
  const auto few = PlanMosaics(sets, {.count = 3, .seed = 8});
  const auto many = PlanMosaics(sets, {.count = 30, .seed = 8});
  const auto other = PlanMosaics(sets, {.count = 3, .seed = 9});
  ASSERT_TRUE(few && many && other);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*few)[i].truth, (*many)[i].truth);
    EXPECT_NE((*few)[i].truth.name, (*other)[i].truth.name);
  }
  EXPECT_NE((*few)[0].pieces, (*other)[0].pieces);
}

struct RefusedCase {
  std::vector<Truth> sets;
  MosaicOptions options;
  std::string said;
};

TEST(PlanMosaics, RefusesWhatMakesNoMosaic) {
  Truth no_file = Set("a", 1);
  no_file.images[0].file.clear();
  Truth other_classes = Set("b", 1);
  other_classes.classes = {{"helmet"}};
  for (const RefusedCase& c : std::vector<RefusedCase>{
           {{Set("a", 0)}, {}, "no picture"},
           {{no_file}, {}, "has annotations and no picture"},
           {{Set("a", 1), Set("b", 1, {64, 48})}, {}, "b/0.jpg (64x48)"},
           {{Set("a", 1), other_classes}, {}, "classes"},
           {{Set("a", 1)}, {.rows = 0}, "0x2"},
           {{Set("a", 1)}, {.columns = 17}, "2x17"},
           {{Set("a", 1)}, {.count = 0}, "0 mosaics"},
       }) {
    const auto mosaics = PlanMosaics(c.sets, c.options);
    ASSERT_FALSE(mosaics) << c.said;
    EXPECT_THAT(mosaics.error().message, HasSubstr(c.said));
  }
}

}  // namespace
}  // namespace nearfar
