#include "models/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/rng.h"

namespace nearfar {
namespace {

using testing::FloatNear;

InputSpec SpecOf(Size size, Resize resize) {
  InputSpec input;
  input.size = size;
  input.resize = resize;
  return input;
}

TEST(PlaceFrame, StretchesEachAxisOnItsOwn) {
  const FrameInInput place = PlaceFrame({600, 400}, SpecOf({300, 300}, Resize::kStretch));
  EXPECT_EQ(place.picture, (Rect{0, 0, 300, 300}));
  EXPECT_EQ(FrameFromInput({150, 150, 300, 300}, place), (Box{300, 200, 600, 400}));
}

TEST(PlaceFrame, PadsBothSidesOfALetterboxAndLeavesTheOddRowBelow) {
  // 500x375 into 640: ratio 1.28, 640x480, 80 rows above and below.
  EXPECT_EQ(PlaceFrame({500, 375}, SpecOf({640, 640}, Resize::kLetterbox)).picture,
            (Rect{0, 80, 640, 480}));
  // 640x427 into 640: 213 rows of padding, 106 above and 107 below.
  EXPECT_EQ(PlaceFrame({640, 427}, SpecOf({640, 640}, Resize::kLetterbox)).picture,
            (Rect{0, 106, 640, 427}));
  // A tall picture is padded left and right.
  EXPECT_EQ(PlaceFrame({100, 400}, SpecOf({640, 320}, Resize::kLetterbox)).picture,
            (Rect{280, 0, 80, 320}));
}

TEST(PlaceFrame, CutsTheFractionOffATopLeftLetterbox) {
  // 640x427 into 416: ratio 0.65, 277.55 rows.
  EXPECT_EQ(PlaceFrame({640, 427}, SpecOf({416, 416}, Resize::kLetterboxTopLeft)).picture,
            (Rect{0, 0, 416, 277}));
  EXPECT_EQ(PlaceFrame({640, 427}, SpecOf({416, 416}, Resize::kLetterbox)).picture,
            (Rect{0, 69, 416, 278}));
}

TEST(PlaceFrame, KeepsAPixelOfAPictureThatIsNearlyALine) {
  const FrameInInput place = PlaceFrame({10000, 1}, SpecOf({320, 320}, Resize::kLetterboxTopLeft));
  EXPECT_EQ(place.picture.height, 1);
  EXPECT_EQ(place.picture.width, 320);
}

TEST(FrameFromInput, UndoesInputFromFrameForEverySizeAndKindOfResize) {
  Rng rng(11);
  for (int i = 0; i < 200; ++i) {
    const Size frame{1 + static_cast<int>(rng.Below(4000)), 1 + static_cast<int>(rng.Below(4000))};
    const auto resize = static_cast<Resize>(rng.Below(3));
    const FrameInInput place =
        PlaceFrame(frame, SpecOf({32 * (1 + static_cast<int>(rng.Below(40))), 416}, resize));
    const Box box{0, 0, static_cast<float>(frame.width), static_cast<float>(frame.height)};
    const Box there = InputFromFrame(box, place);
    const Box back = FrameFromInput(there, place);
    EXPECT_THAT(back.x2, FloatNear(box.x2, 0.01F));
    EXPECT_THAT(back.y2, FloatNear(box.y2, 0.01F));
    // The frame fills the picture but for the rounding to whole pixels.
    EXPECT_THAT(there.x2 - there.x1, FloatNear(static_cast<float>(place.picture.width), 1.0F));
    EXPECT_THAT(there.y2 - there.y1, FloatNear(static_cast<float>(place.picture.height), 1.0F));
  }
}

Image Flat(Size size, std::uint8_t blue, std::uint8_t green, std::uint8_t red) {
  Image image(size);
  for (std::int64_t i = 0; i < size.area(); ++i) {
    image.data()[3 * i] = blue;
    image.data()[3 * i + 1] = green;
    image.data()[3 * i + 2] = red;
  }
  return image;
}

template <typename T>
std::vector<T> FillAs(const Image& image, const InputSpec& input) {
  std::vector<T> tensor(TensorBytes(input) / sizeof(T));
  FillTensor(image.view(), input, PlaceFrame(image.size(), input),
             std::as_writable_bytes(std::span(tensor)));
  return tensor;
}

TEST(FillTensor, OrdersChannelsNormalisesAndPads) {
  const Image image = Flat({2, 1}, 10, 20, 30);
  InputSpec input = SpecOf({4, 4}, Resize::kLetterbox);  // the picture covers rows 1 and 2
  input.scale = 1;
  input.mean = {1, 2, 3};
  input.std = {1, 2, 4};
  input.pad = 100;
  const auto rgb = FillAs<float>(image, input);
  EXPECT_EQ(rgb[0], 99);                      // red plane, padding: (100 − 1) ÷ 1
  EXPECT_EQ(rgb[4], 29);                      // red plane, picture: (30 − 1) ÷ 1
  EXPECT_EQ(rgb[16 + 4], 9);                  // green: (20 − 2) ÷ 2
  EXPECT_EQ(rgb[32 + 4], (10.0F - 3) / 4);    // blue
  EXPECT_EQ(rgb[32 + 15], (100.0F - 3) / 4);  // blue, padding below
  input.channels = ChannelOrder::kBgr;
  EXPECT_EQ((FillAs<float>(image, input)[4]), 9);  // blue comes first: (10 − 1) ÷ 1
  input.layout = Layout::kNhwc;
  const auto rows = FillAs<float>(image, input);
  EXPECT_EQ(rows[3 * 4], 9);
  EXPECT_EQ(rows[3 * 4 + 1], 9);
  EXPECT_EQ(rows[3 * 4 + 2], (30.0F - 3) / 4);
}

TEST(FillTensor, WritesHalvesAndBytesWhereTheModelWantsThem) {
  const Image image = Flat({4, 4}, 0, 51, 255);
  InputSpec input = SpecOf({4, 4}, Resize::kStretch);
  input.type = ElementType::kFloat16;
  EXPECT_EQ((FillAs<std::uint16_t>(image, input)[0]), 0x3C00);  // 1.0
  EXPECT_NEAR(FloatFromHalf(FillAs<std::uint16_t>(image, input)[16]), 0.2, 1e-4);
  input.type = ElementType::kUint8;
  input.scale = 1;
  EXPECT_EQ((FillAs<std::uint8_t>(image, input)[0]), 255);
  EXPECT_EQ((FillAs<std::uint8_t>(image, input)[16]), 51);
}

TEST(FillTensor, ReadsAViewWithinALargerPicture) {
  Image frame = Flat({8, 8}, 1, 1, 1);
  for (int y = 2; y < 6; ++y) {
    std::memset(frame.row(y) + 6, 200, 12);
  }
  InputSpec input = SpecOf({4, 4}, Resize::kStretch);
  input.scale = 1;
  std::vector<float> tensor(TensorBytes(input) / 4);
  const PixelView view = Crop(frame.view(), {2, 2, 4, 4});
  FillTensor(view, input, PlaceFrame(view.size, input), std::as_writable_bytes(std::span(tensor)));
  EXPECT_THAT(tensor, testing::Each(200.0F));
}

TEST(ResizeBilinear, KeepsTheSizeItHasAndAveragesFourAtHalfSize) {
  Image image({2, 2});
  const std::uint8_t values[] = {0, 1, 2, 10, 11, 12, 20, 21, 22, 31, 32, 34};
  std::memcpy(image.data(), values, sizeof values);
  const Image same = ResizeBilinear(image.view(), {2, 2});
  EXPECT_EQ(std::memcmp(same.view().data, values, sizeof values), 0);
  const Image half = ResizeBilinear(image.view(), {1, 1});
  EXPECT_EQ(half.view().data[0], (0 + 10 + 20 + 31 + 2) / 4);
}

TEST(Halves, RoundToEvenAndKnowTheirLimits) {
  struct Row {
    float value;
    std::uint16_t bits;
  };
  for (const Row& row :
       {Row{0, 0}, Row{-2, 0xC000}, Row{65504, 0x7BFF},
        Row{65520, 0x7C00},               // halfway to the next: infinity
        Row{1.0F + 1.0F / 2048, 0x3C00},  // a tie goes to even
        Row{1.0F + 3.0F / 2048, 0x3C02}, Row{5.960464e-8F, 0x0001}, Row{2e-8F, 0}}) {
    EXPECT_EQ(HalfFromFloat(row.value), row.bits) << row.value;
  }
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {
    ASSERT_EQ(HalfFromFloat(FloatFromHalf(static_cast<std::uint16_t>(bits))), bits);
  }
  EXPECT_TRUE(std::isnan(FloatFromHalf(HalfFromFloat(NAN))));
}

TEST(CanonicalText, DiffersWhereverTheTensorWould) {
  const InputSpec plain;
  InputSpec other = plain;
  EXPECT_EQ(CanonicalText(plain), CanonicalText(other));
  other.channels = ChannelOrder::kBgr;
  EXPECT_NE(CanonicalText(plain), CanonicalText(other));
  other = plain;
  other.pad = 0;
  EXPECT_NE(CanonicalText(plain), CanonicalText(other));
  other = plain;
  other.mean[2] = 0.406F;
  EXPECT_NE(CanonicalText(plain), CanonicalText(other));
}

}  // namespace
}  // namespace nearfar
