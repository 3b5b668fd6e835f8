#include "eval/fusion_fit.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

constexpr Box kObject{10, 10, 30, 30};

/// Images of one object each. What the far model is unsure of, the near one tells apart where
/// `near_knows`: it finds the objects, and makes up nothing of its own.
std::vector<LabelledImage> Make(int images, bool near_knows, bool with_truth, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<LabelledImage> made;
  for (int i = 0; i < images; ++i) {
    LabelledImage image{.size = {100, 100}, .key = HashText("image" + std::to_string(i))};
    const auto score = [&] { return static_cast<float>(rng.Uniform(0.3, 0.9)); };
    // A far box on the object and one on nothing, of scores that say little.
    image.far = {{kObject, score(), 0}, {{60, 60, 80, 80}, score(), 0}};
    image.near = {{near_knows ? kObject : Box{60, 60, 80, 80}, 0.9F, 0}};
    if (with_truth) {
      image.truth = {{kObject, 0}};
    }
    made.push_back(std::move(image));
  }
  return made;
}

TEST(FitFusion, TrustsANearModelThatIsRight) {
  const FusionFit fit = FitFusion(Make(100, true, true, 3), 1);
  EXPECT_TRUE(fit.truth);
  EXPECT_EQ(fit.images, 100);
  EXPECT_GE(fit.weights.agree, 0.3);
  EXPECT_GT(fit.gain, 0.1);
  EXPECT_GT(fit.gain, fit.standard_error);
  EXPECT_THAT(Explain(fit), HasSubstr("cross-validated gain +"));
}

TEST(FitFusion, LeavesTheFarAnswerAloneWhereTheNearModelIsWrongOrThereIsTooLittle) {
  for (const auto& images :
       {Make(100, false, true, 3), Make(1, false, true, 3), std::vector<LabelledImage>{}}) {
    const FusionFit fit = FitFusion(images, 1);
    EXPECT_FALSE(fit.weights.active()) << images.size();
    EXPECT_THAT(Explain(fit), HasSubstr("off"));
  }
}

TEST(FitFusion, FindsNothingToFitWithoutBoxesOrObjects) {
  std::vector<LabelledImage> images = Make(10, true, true, 3);
  for (LabelledImage& image : images) {
    image.truth->clear();
  }
  EXPECT_FALSE(FitFusion(images, 1).weights.active());
  images = Make(10, true, true, 3);
  for (LabelledImage& image : images) {
    image.near.clear();
    image.far.clear();
  }
  const FusionFit fit = FitFusion(images, 1);
  EXPECT_FALSE(fit.weights.active());
  EXPECT_EQ(fit.gain, 0);
}

TEST(FitFusion, TakesTheUsualWeightsWithoutTruthWhereTheFarModelConfirmsTheNearOne) {
  std::vector<LabelledImage> images = Make(100, true, false, 3);
  const FusionFit confirmed = FitFusion(images, 1);
  EXPECT_FALSE(confirmed.truth);
  EXPECT_EQ(confirmed.weights, kUsualFusion);
  EXPECT_EQ(confirmed.confident, 100);
  EXPECT_GT(confirmed.confirmed, 50);
  EXPECT_THAT(Explain(confirmed), HasSubstr("the usual: without truth nothing can be fitted"));

  for (LabelledImage& image : images) {
    image.near[0].label = 1;  // the far model never says so
  }
  const FusionFit alone = FitFusion(images, 2);
  EXPECT_FALSE(alone.weights.active());
  EXPECT_EQ(alone.confirmed, 0);
  EXPECT_THAT(Explain(alone), HasSubstr("confirms only 0 of 100"));

  for (LabelledImage& image : images) {
    image.near.clear();  // sure of nothing
  }
  EXPECT_FALSE(FitFusion(images, 2).weights.active());
}

TEST(FitFusion, DoesNotHangOnTheOrderOfTheImages) {
  std::vector<LabelledImage> images = Make(60, true, true, 7);
  const FusionFit fit = FitFusion(images, 1);
  std::reverse(images.begin(), images.end());
  const FusionFit reversed = FitFusion(images, 1);
  EXPECT_EQ(reversed.weights, fit.weights);
  EXPECT_NEAR(reversed.gain, fit.gain, 1e-12);
}

}  // namespace
}  // namespace nearfar
