#include "data/recorded_tiling.h"

#include <gmock/gmock.h>

namespace nearfar {
namespace {

TEST(RecordedTiling, ReadsBackFromItsText) {
  for (const RecordedTiling& tiling :
       std::vector<RecordedTiling>{{},
                                   {.tile = {300, 200}, .padding = {0, 7}},
                                   {.overview = 960},
                                   {.whole = true},
                                   {.overview = 1, .whole = true}}) {
    EXPECT_EQ(ReadTiling(ToString(tiling)), tiling) << ToString(tiling);
    EXPECT_EQ(WithoutTiling(ToString(tiling)), "");
    const std::string spoiled = "smoke:2 seed 1 " + ToString(tiling);
    EXPECT_EQ(ReadTiling(spoiled), tiling);
    EXPECT_EQ(WithoutTiling(spoiled), "smoke:2 seed 1");
  }
  EXPECT_EQ(ToString(RecordedTiling{.overview = 960, .whole = true}),
            "tiles 512x512 padding 64x64 overview 960 whole");
}

TEST(RecordedTiling, IsNotReadWhereThereIsNone) {
  for (const char* text : {"", "smoke:2 seed 1", "tiles", "tiles 5", "tiles 0x5 padding 1x1",
                           "tiles 5x5 padding -1x1", "tiles 5x5 overview many"}) {
    EXPECT_EQ(ReadTiling(text), std::nullopt) << text;
  }
  EXPECT_EQ(WithoutTiling("smoke:2 seed 1"), "smoke:2 seed 1");
}

TEST(RecordedTiling, IsRefusedOutsideItsRange) {
  EXPECT_FALSE(Validate(RecordedTiling{.tile = {0, 512}}));
  EXPECT_FALSE(Validate(RecordedTiling{.padding = {3, -1}}));
  EXPECT_FALSE(Validate(RecordedTiling{.overview = -1}));
}

TEST(RegionsToRecord, EndWithCellZeroAndNumberTheOthersBehindTheCells) {
  const auto regions = RegionsToRecord(
      {.tile = {100, 100}, .padding = {10, 20}, .overview = 75, .whole = true}, {150, 120});
  ASSERT_EQ(regions.size(), 6U);
  const auto expect = [&](std::size_t i, unsigned number, Rect rect, Size input) {
    EXPECT_EQ(ToNumber(regions[i].region), number);
    EXPECT_EQ(regions[i].rect, rect);
    EXPECT_EQ(regions[i].input, input);
  };
  expect(0, 5, {0, 0, 150, 120}, {150, 120});
  expect(1, 4, {0, 0, 150, 120}, {75, 60});
  expect(2, 3, {90, 80, 60, 40}, {60, 40});
  expect(5, 0, {0, 0, 110, 120}, {110, 120});
}

TEST(RegionsToRecord, OfATileLargerThanTheFrameIsTheFrame) {
  const auto regions = RegionsToRecord({.overview = 500}, {64, 48});
  ASSERT_EQ(regions.size(), 2U);
  EXPECT_EQ(regions[0].input, (Size{64, 48}));  // never enlarged
  EXPECT_EQ(regions[1].rect, (Rect{0, 0, 64, 48}));
}

}  // namespace
}  // namespace nearfar
