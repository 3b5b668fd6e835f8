#include "adapters/image/corrupt.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "adapters/image/codec.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

constexpr CorruptionKind kAll[] = {CorruptionKind::kBlur, CorruptionKind::kOcclusion,
                                   CorruptionKind::kWater, CorruptionKind::kSmoke,
                                   CorruptionKind::kDark};

/// Stripes, a gradient and squares: something to lose everywhere.
Image TestPicture(Size size) {
  Image image(size);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      std::uint8_t* pixel = image.row(y) + std::ptrdiff_t{3} * x;
      pixel[0] = static_cast<std::uint8_t>(255 * x / std::max(1, size.width));
      pixel[1] = (x / 4) % 2 == 0 ? 220 : 60;
      pixel[2] = ((x / 16) + (y / 16)) % 2 == 0 ? 200 : 90;
    }
  }
  return image;
}

std::vector<std::uint8_t> BytesOf(const Image& image) {
  const PixelView view = image.view();
  return {view.data, view.data + view.size.area() * 3};
}

double MeanSquaredError(const Image& a, const Image& b) {
  const auto left = BytesOf(a);
  const auto right = BytesOf(b);
  double sum = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double difference = double{static_cast<double>(left[i])} - right[i];
    sum += difference * difference;
  }
  return sum / static_cast<double>(left.size());
}

TEST(Corrupt, SpoilsMoreTheStrongerItIs) {
  const Image picture = TestPicture({320, 240});
  for (const CorruptionKind kind : kAll) {
    for (const char* name : {"a", "b", "c"}) {
      double before = 0;
      for (int strength = 1; strength <= 3; ++strength) {
        const Corruption corruption{.kind = kind, .strength = strength};
        const double error = MeanSquaredError(picture, Corrupt(picture.view(), corruption, name));
        EXPECT_GT(error, 1.05 * before + 20) << ToString(corruption) << " of " << name;
        before = error;
      }
    }
  }
}

TEST(Corrupt, HangsOnSeedAndNameAlone) {
  const Image picture = TestPicture({160, 120});
  for (const CorruptionKind kind : kAll) {
    const Corruption corruption{.kind = kind, .strength = 2, .seed = 7};
    const auto once = BytesOf(Corrupt(picture.view(), corruption, "photo"));
    EXPECT_EQ(once, BytesOf(Corrupt(picture.view(), corruption, "photo")));
    if (kind == CorruptionKind::kBlur) {
      continue;  // the same everywhere
    }
    EXPECT_NE(once, BytesOf(Corrupt(picture.view(), corruption, "other")));
    EXPECT_NE(once, BytesOf(Corrupt(picture.view(), {kind, 2, 8}, "photo")));
  }
}

TEST(Corrupt, TakesPicturesOfAnySizeAndPartsOfLargerOnes) {
  for (const Size size :
       {Size{0, 0}, Size{1, 1}, Size{2, 1}, Size{1, 7}, Size{500, 3}, Size{9, 9}}) {
    const Image picture = TestPicture(size);
    for (const CorruptionKind kind : kAll) {
      for (int strength = 1; strength <= 3; ++strength) {
        EXPECT_EQ(Corrupt(picture.view(), {kind, strength}, "x").size(), size);
      }
    }
  }
  const Image whole = TestPicture({64, 64});
  Image part({20, 30});
  const PixelView cut = Crop(whole.view(), {10, 5, 20, 30});
  for (int y = 0; y < 30; ++y) {
    std::memcpy(part.row(y), cut.row(y), 60);
  }
  for (const CorruptionKind kind : kAll) {
    EXPECT_EQ(BytesOf(Corrupt(cut, {kind, 2}, "x")), BytesOf(Corrupt(part.view(), {kind, 2}, "x")));
  }
}

TEST(Corrupt, DoesWhatItsNameSays) {
  const Image picture = TestPicture({320, 240});
  const auto mean = [](const Image& image) {
    double sum = 0;
    for (const std::uint8_t value : BytesOf(image)) {
      sum += value;
    }
    return sum / static_cast<double>(image.size().area() * 3);
  };
  const auto unchanged = [&](CorruptionKind kind, int strength) {
    const auto before = BytesOf(picture);
    const auto after = BytesOf(Corrupt(picture.view(), {kind, strength}, "x"));
    double same = 0;
    for (std::size_t i = 0; i < before.size(); i += 3) {
      same += std::memcmp(&before[i], &after[i], 3) == 0 ? 1 : 0;
    }
    return same / static_cast<double>(before.size() / 3);
  };
  EXPECT_LT(mean(Corrupt(picture.view(), {CorruptionKind::kDark, 1}, "x")), 0.6 * mean(picture));
  EXPECT_LT(mean(Corrupt(picture.view(), {CorruptionKind::kDark, 3}, "x")), 0.25 * mean(picture));
  EXPECT_LT(BrennerGradient(Corrupt(picture.view(), {CorruptionKind::kBlur, 1}, "x").view()),
            0.7 * BrennerGradient(picture.view()));
  EXPECT_LT(BrennerGradient(Corrupt(picture.view(), {CorruptionKind::kSmoke, 3}, "x").view()),
            0.4 * BrennerGradient(picture.view()));
  // What no drop and no thing lies on is as it was.
  EXPECT_GT(unchanged(CorruptionKind::kOcclusion, 1), 0.7);
  EXPECT_GT(unchanged(CorruptionKind::kOcclusion, 3), 0.3);
  EXPECT_LT(unchanged(CorruptionKind::kOcclusion, 3), 0.65);
  EXPECT_GT(unchanged(CorruptionKind::kWater, 1), 0.7);
  EXPECT_LT(unchanged(CorruptionKind::kWater, 3), 0.75);
}

TEST(ParseCorruption, ReadsAKindAndAStrengthAndNamesTheChoicesOtherwise) {
  EXPECT_EQ(ParseCorruption("smoke:2").value(), (Corruption{CorruptionKind::kSmoke, 2, 1}));
  EXPECT_EQ(ToString({CorruptionKind::kWater, 3, 9}), "water:3 seed 9");
  for (const char* text :
       {"", ":", "smoke", "smoke:", "smoke:0", "smoke:4", "smoke:22", "fog:1", "Smoke:1", ":2"}) {
    const auto parsed = ParseCorruption(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_THAT(
        parsed.error().message,
        HasSubstr("a kind of blur, occlusion, water, smoke, dark and a strength of 1, 2, 3"));
  }
}

}  // namespace
}  // namespace nearfar
