#include "discriminate/conv.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr Size kImage{200, 100};

LabelledImage Image(Detections near, int far_objects) {
  LabelledImage image{.near = std::move(near), .size = kImage};
  for (int k = 0; k < far_objects; ++k) {
    image.far.push_back({{0, 0, 10, 10}, 0.9F, 0});
  }
  return image;
}

/// Far finds one object more wherever near's best box is unsure: a rule on one channel.
std::vector<LabelledImage> UnsureIsDifficult(int count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<LabelledImage> images;
  for (int i = 0; i < count; ++i) {
    const bool unsure = rng.Chance(0.5);
    const auto score = static_cast<float>(unsure ? rng.Uniform(0.1, 0.45) : rng.Uniform(0.55, 1));
    const auto x = static_cast<float>(rng.Uniform(0, 100));
    images.push_back(Image({{{x, 10, x + 50, 60}, score, 0}}, 1));
  }
  return images;
}

TEST(ConvInputOf, HoldsTheBestBoxesAsSharesOfTheImage) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Detections boxes = {
      {{0, 0, 200, 100}, 0.25F, 0}, {{0, 0, 10, 10}, kNan, 0}, {{50, 25, 100, kNan}, 0.75F, 4}};
  const ConvInput input = ConvInputOf({boxes, kImage});
  const std::vector<float> expected = {0.75F, 0.25F, 0.25F, 0.5F, 0, 0.25F, 0, 0, 1, 1};
  EXPECT_EQ(std::vector<float>(input.begin(), input.begin() + 10), expected);
  EXPECT_THAT(std::vector<float>(input.begin() + 10, input.end()), Each(0.0F));
  EXPECT_THAT(ConvInputOf({Detections{}, kImage}), Each(0.0F));
  // Of twenty boxes the sixteen best.
  Detections many;
  for (int k = 0; k < 20; ++k) {
    many.push_back({{0, 0, 10, 10}, static_cast<float>(k + 1) / 32, 0});
  }
  const ConvInput full = ConvInputOf({many, kImage});
  EXPECT_EQ(full[0], 20.0F / 32);
  EXPECT_EQ(full[(ConvNet::kBoxes - 1) * ConvNet::kInputs], 5.0F / 32);
}

TEST(ConvNet, GradientMatchesFiniteDifferences) {
  const std::vector<LabelledImage> images = UnsureIsDifficult(40, 1);
  ConvNet net = FitConvNet(images, {.epochs = 1}).value();
  Rng rng(2);
  Detections boxes;
  for (int k = 0; k < 18; ++k) {
    const auto x = static_cast<float>(rng.Uniform(0, 100));
    boxes.push_back({{x, 5, x + 60, 80}, static_cast<float>(rng.Uniform(0.05, 1)), 0});
  }
  const ConvInput input = ConvInputOf({boxes, kImage});
  for (const bool difficult : {false, true}) {
    const auto loss = [&] {
      const double output = Evaluate(net, input);
      return std::log1p(std::exp(difficult ? -output : output));
    };
    const ConvNet gradient = Gradient(net, input, difficult);
    double size = 0;
    const auto check = [&](std::vector<float>& values, const std::vector<float>& derivatives) {
      ASSERT_EQ(values.size(), derivatives.size());
      for (std::size_t i = 0; i < values.size(); ++i) {
        constexpr float kStep = 2e-4F;
        const float kept = values[i];
        values[i] = kept + kStep;
        const double above = loss();
        values[i] = kept - kStep;
        const double below = loss();
        values[i] = kept;
        EXPECT_NEAR(derivatives[i], (above - below) / (2 * kStep),
                    1e-3 + 0.02 * std::abs(derivatives[i]));
        size += std::abs(derivatives[i]);
      }
    };
    check(net.first, gradient.first);
    check(net.second, gradient.second);
    check(net.last, gradient.last);
    EXPECT_GT(size, 0.5);
  }
}

TEST(FitConvNet, LearnsASimpleRuleAndTheSameEachTime) {
  const auto seen = UnsureIsDifficult(150, 3);
  const ConvNet net = FitConvNet(seen).value();
  EXPECT_EQ(FitConvNet(seen).value(), net);
  EXPECT_NE(FitConvNet(seen, {.seed = 2}).value(), net);
  int right = 0;
  const auto unseen = UnsureIsDifficult(200, 4);
  for (const LabelledImage& image : unseen) {
    right += (Evaluate(net, ConvInputOf(image.evidence())) > 0) == IsDifficult(image) ? 1 : 0;
  }
  EXPECT_GE(right, 190);
}

TEST(FitConvNet, StaysFiniteOnFewAndEmptyImages) {
  EXPECT_THAT(FitConvNet({}).error().message, HasSubstr("no images to train on"));
  const std::vector<LabelledImage> one = {Image({}, 1)};
  const ConvNet net = FitConvNet(one).value();
  EXPECT_GT(Evaluate(net, ConvInputOf(one[0].evidence())), 0);
  EXPECT_TRUE(std::isfinite(Evaluate(net, ConvInputOf(one[0].evidence()))));
}

TEST(ConvNet, ComesBackFromItsTablesOrSaysWhatIsWrong) {
  const NumberTables tables = ToTables(FitConvNet(UnsureIsDifficult(50, 5), {.epochs = 2}).value());
  const ConvNet net = ConvNetFrom(tables).value();
  EXPECT_EQ(ToTables(net), tables);
  const auto fault = [&](auto change) {
    NumberTables changed = tables;
    change(changed);
    const auto read = ConvNetFrom(changed);
    return read ? "" : read.error().message;
  };
  EXPECT_THAT(fault([](NumberTables& t) { t.erase("last"); }), HasSubstr("has no row \"last\""));
  EXPECT_THAT(fault([](NumberTables& t) { t["first"].pop_back(); }),
              HasSubstr("conv: row \"first\" has 127 numbers, expected 128"));
  EXPECT_THAT(fault([](NumberTables& t) { t["second"][3] = std::nan(""); }),
              HasSubstr("row \"second\" holds a number that is too large or none"));
  EXPECT_THAT(fault([](NumberTables& t) { t["curve"] = {1}; }), HasSubstr("another kind"));
  EXPECT_FALSE(ConvNetFrom({}).has_value());
}

TEST(ConvOverBoxes, RanksUntilItHasAThreshold) {
  const ConvNet net = FitConvNet(UnsureIsDifficult(100, 6), {.epochs = 5}).value();
  const Detections boxes = {{{0, 0, 50, 50}, 0.3F, 0}};
  const Evidence evidence{boxes, kImage};
  const ConvOverBoxes ranking(net, std::nullopt);
  const double score = ranking.Judge(evidence, false).score;
  EXPECT_EQ(score, Evaluate(net, ConvInputOf(evidence)));
  EXPECT_FALSE(ranking.has_verdict());
  EXPECT_FALSE(ranking.Judge(evidence, false).difficult);
  EXPECT_EQ(ranking.natural_threshold(), std::numeric_limits<double>::infinity());
  const ConvOverBoxes at_score(net, score);
  EXPECT_TRUE(at_score.has_verdict());
  EXPECT_FALSE(at_score.Judge(evidence, false).difficult);  // above, not at
  const ConvOverBoxes below(net, score - 1e-6);
  EXPECT_TRUE(below.Judge(evidence, false).difficult);
  EXPECT_THAT(below.Judge(evidence, true).reason, HasSubstr("output of the convolutions"));
}

}  // namespace
}  // namespace nearfar
