#include "discriminate/fit.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/rng.h"
#include "discriminate/factory.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

constexpr Size kImage{100, 100};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Box BoxOf(double share) { return {0, 0, 100, static_cast<float>(100 * share)}; }

Detections Scored(const std::vector<float>& scores, double share = 0.5) {
  Detections boxes;
  for (const float score : scores) {
    boxes.push_back({BoxOf(share), score, 0});
  }
  return boxes;
}

LabelledImage ImageOf(const std::vector<float>& near, const std::vector<float>& far,
                      const std::optional<std::vector<Box>>& truth = std::nullopt) {
  LabelledImage image{.near = Scored(near), .far = Scored(far), .size = kImage};
  if (truth) {
    image.truth.emplace();
    for (const Box& box : *truth) {
      image.truth->push_back({box, 0});
    }
  }
  return image;
}

/// Images whose labels hang on count and area, with a near model that is unsure of what it misses.
std::vector<LabelledImage> MakeImages(int count, std::uint64_t seed, bool with_truth) {
  Rng rng(seed);
  std::vector<LabelledImage> images;
  for (int i = 0; i < count; ++i) {
    LabelledImage image{.size = kImage, .key = rng.Next()};
    std::vector<TrueObject> truth;
    const auto objects = rng.Below(6);
    for (std::uint64_t k = 0; k < objects; ++k) {
      const Box box = BoxOf(rng.Uniform(0.02, 0.9));
      truth.push_back({box, 0});
      const bool missed = rng.Chance(AreaRatio(box, kImage) < 0.3 ? 0.6 : 0.15);
      image.near.push_back(
          {box, static_cast<float>(missed ? rng.Uniform(0.1, 0.5) : rng.Uniform(0.51, 1)), 0});
      image.far.push_back({box, static_cast<float>(rng.Chance(0.9) ? 0.9 : 0.3), 0});
    }
    for (std::uint64_t k = rng.Below(8); k > 0; --k) {
      image.near.push_back({BoxOf(rng.Uniform(0, 1)), static_cast<float>(rng.Uniform(0, 0.2)), 0});
    }
    if (with_truth) {
      image.truth = std::move(truth);
    }
    images.push_back(std::move(image));
  }
  return images;
}

TEST(IsDifficult, WhenTheFarModelFindsAtLeastOneObjectMore) {
  EXPECT_FALSE(IsDifficult(ImageOf({}, {})));
  EXPECT_TRUE(IsDifficult(ImageOf({}, {0.51F})));
  EXPECT_FALSE(IsDifficult(ImageOf({}, {0.5F})));  // only scores greater than 0.5 count
  EXPECT_TRUE(IsDifficult(ImageOf({0.5F}, {0.6F})));
  EXPECT_FALSE(IsDifficult(ImageOf({0.9F}, {0.9F})));
  EXPECT_FALSE(IsDifficult(ImageOf({0.9F, 0.9F}, {0.9F})));  // the near one finds more
  EXPECT_FALSE(IsDifficult(ImageOf({kNan}, {kNan})));
}

TEST(MeasureTruth, CountsTheObjectsOrWhatTheFarModelFound) {
  EXPECT_EQ(MeasureTruth(ImageOf({}, {0.9F}, std::vector<Box>{})), TrueFeatures{});
  EXPECT_EQ(MeasureTruth(ImageOf({}, {}, std::vector{BoxOf(0.5), BoxOf(0.25)})),
            (TrueFeatures{2, 0.25}));
  EXPECT_EQ(MeasureTruth(ImageOf({}, {0.9F, 0.5F})), (TrueFeatures{1, 0.5}));
}

TEST(FitScoreThreshold, BringsTheNumberOfBoxesToTheNumberOfObjects) {
  // Four objects; four boxes lie above any threshold in [0.25, 0.375).
  const std::vector<LabelledImage> images = {
      ImageOf({0.9F, 0.375F, 0.125F}, {}, std::vector{BoxOf(1), BoxOf(1)}),
      ImageOf({0.75F, 0.5F, 0.25F, kNan}, {}, std::vector{BoxOf(1), BoxOf(1)})};
  const ScoreFit fit = FitScoreThreshold(images, {}).value();
  EXPECT_EQ(fit, (ScoreFit{0.3125, 4, 4}));
  EXPECT_EQ(fit.difference(), 0);
}

TEST(FitScoreThreshold, IsDecidedAtItsBorders) {
  struct Row {
    const char* what;
    LabelledImage image;
    ScoreFit fit;
  };
  const std::vector<Box> one{BoxOf(1)};
  const std::vector<Box> many(9, BoxOf(1));
  const Row rows[] = {
      {"no box, no object: the middle of what is sought", ImageOf({}, {}), {0.255, 0, 0}},
      {"more objects than boxes: below the least box",
       ImageOf({0.75F, 0.25F}, {}, many),
       {0.13, 2, 9}},
      {"more found than there are: above the best uncertain box",
       ImageOf({0.9F, 0.9F, 0.25F}, {}, one),
       {0.375, 2, 1}},
      {"one too few and one too many are alike: the higher threshold",
       ImageOf({0.25F, 0.25F}, {}, one),
       {0.375, 0, 1}},
      {"a box of exactly 0.5 is uncertain", ImageOf({0.5F}, {}, one), {0.255, 1, 1}},
      {"a box at the floor is above no threshold", ImageOf({0.01F}, {}, one), {0.255, 0, 1}},
      {"without truth the far boxes above 0.5 stand in",
       ImageOf({0.4F, 0.2F}, {0.9F, 0.3F}),
       {0.3, 1, 1}},
  };
  for (const Row& row : rows) {
    const FitOptions options{.score_floor = static_cast<double>(0.01F)};
    const ScoreFit fit = FitScoreThreshold({&row.image, 1}, options).value();
    EXPECT_NEAR(fit.threshold, row.fit.threshold, 1e-6) << row.what;
    EXPECT_EQ(fit.estimated, row.fit.estimated) << row.what;
    EXPECT_EQ(fit.objects, row.fit.objects) << row.what;
  }
}

TEST(FitScoreThreshold, IsNoWorseThanAnyThresholdOfAFineGrid) {
  const auto images = MakeImages(200, 3, true);
  const ScoreFit fit = FitScoreThreshold(images, {}).value();
  const auto difference_at = [&](double threshold) {
    std::int64_t sum = -fit.objects;
    for (const LabelledImage& image : images) {
      sum += MeasureBoxes(image.near, image.size, threshold, 0.5).estimated;
    }
    return sum;
  };
  EXPECT_EQ(difference_at(fit.threshold), fit.difference());
  for (int k = 10; k <= 500; ++k) {
    EXPECT_LE(std::abs(fit.difference()), std::abs(difference_at(k / 1000.0))) << k;
  }
}

TEST(FitCountAndArea, IsNoWorseThanAnyPairOfTheGrid) {
  const auto images = MakeImages(150, 4, true);
  const FitOptions options{.area_steps = 20};
  const CountAreaFit fit = FitCountAndArea(images, options).value();
  EXPECT_GT(fit.metrics.accuracy(), 0.6);
  for (int count = 0; count <= 6; ++count) {
    for (int k = 0; k <= 20; ++k) {
      const double accuracy =
          MeasureOnTrueFeatures(images, {.count_threshold = count, .area_threshold = k / 20.0})
              .accuracy();
      EXPECT_LE(accuracy, fit.metrics.accuracy()) << count << " " << k;
    }
  }
}

TEST(FitCountAndArea, BreaksTiesTowardsFewerUploads) {
  // All easy: nothing is gained by calling any difficult.
  const std::vector<LabelledImage> easy = {
      ImageOf({0.9F}, {0.9F}, std::vector{BoxOf(0.2), BoxOf(0.2)}), ImageOf({0.9F}, {0.9F})};
  const CountAreaFit fit = FitCountAndArea(easy, {}).value();
  EXPECT_EQ(fit.count_threshold, 2);
  EXPECT_EQ(fit.area_threshold, 0);
  EXPECT_EQ(fit.metrics, (BinaryMetrics{.true_negatives = 2}));
  // One difficult image with a smallest share of 0.2: the first area above it, not a lower count.
  const std::vector<LabelledImage> one = {
      ImageOf({0.9F}, {0.9F, 0.9F}, std::vector{BoxOf(0.9), BoxOf(0.2)})};
  const CountAreaFit fit_one = FitCountAndArea(one, {}).value();
  EXPECT_EQ(fit_one.count_threshold, 2);
  EXPECT_NEAR(fit_one.area_threshold, 0.21, 1e-9);
  EXPECT_EQ(fit_one.metrics, (BinaryMetrics{.true_positives = 1}));
}

TEST(FitSmallBig, FitsAllThreeThresholdsAndMeasuresBothRowsOfTableI) {
  for (const bool with_truth : {true, false}) {
    const auto images = MakeImages(400, 5, with_truth);
    const SmallBigFit fit = FitSmallBig(images, {}).value();
    ASSERT_TRUE(Validate(fit.options).has_value());
    EXPECT_EQ(fit.with_true_features, MeasureOnTrueFeatures(images, fit.options));
    EXPECT_EQ(fit.with_estimated_features.images(), 400);
    int difficult = 0;
    BinaryMetrics by_steps;
    for (const LabelledImage& image : images) {
      difficult += IsDifficult(image) ? 1 : 0;
      by_steps.Add(IsDifficult(image),
                   SmallBig(fit.options).Explain(image.evidence()).verdict.difficult);
    }
    EXPECT_EQ(fit.with_estimated_features, by_steps);
    EXPECT_EQ(fit.with_true_features.true_positives + fit.with_true_features.false_negatives,
              difficult);
    // On these images the rule is of use: better than calling all of them the same.
    const double constant = std::max(difficult, 400 - difficult) / 400.0;
    EXPECT_GT(fit.with_true_features.accuracy(), constant);
    EXPECT_GT(fit.with_estimated_features.accuracy(), constant);
    EXPECT_EQ(fit, FitSmallBig(images, {}).value());  // same input, same output
  }
}

TEST(FitSmallBig, KeepsTheThresholdsThatItIsGiven) {
  const auto images = MakeImages(300, 6, true);
  const SmallBigFit fit = FitSmallBig(images, {.score_threshold = 0.2,
                                               .count_threshold = 2,
                                               .area_threshold = 0.31,
                                               .upload_empty = true})
                              .value();
  EXPECT_EQ(fit.options, (SmallBigOptions{.score_threshold = 0.2, .upload_empty = true}));
  std::int64_t above = 0;
  for (const LabelledImage& image : images) {
    above += MeasureBoxes(image.near, image.size, 0.2, 0.5).estimated;
  }
  EXPECT_EQ(fit.score.estimated, above);
  EXPECT_EQ(fit.with_true_features, MeasureOnTrueFeatures(images, fit.options));
  // With one of two kept, the other is the best beside it.
  const CountAreaFit beside = FitCountAndArea(images, {.count_threshold = 1}).value();
  EXPECT_EQ(beside.count_threshold, 1);
  for (int k = 0; k <= 100; ++k) {
    const SmallBigOptions other{.count_threshold = 1, .area_threshold = k / 100.0};
    EXPECT_LE(MeasureOnTrueFeatures(images, other).accuracy(), beside.metrics.accuracy());
  }
  // A count that no image reaches is kept as well.
  EXPECT_EQ(FitCountAndArea(images, {.count_threshold = 99}).value().count_threshold, 99);
}

TEST(Fits, RefuseNoImagesAndImpossibleOptions) {
  const std::vector<LabelledImage> none;
  const std::vector<LabelledImage> one = {ImageOf({}, {})};
  EXPECT_THAT(FitSmallBig(none, {}).error().message, HasSubstr("no images to fit on"));
  EXPECT_THAT(FitScoreThreshold(none, {}).error().message, HasSubstr("no images"));
  EXPECT_THAT(FitCountAndArea(none, {}).error().message, HasSubstr("no images"));
  EXPECT_THAT(FitSmallBig(one, {.score_floor = 0.6}).error().message,
              HasSubstr("lower score floor"));
  EXPECT_THAT(FitSmallBig(one, {.prediction_threshold = 1.5}).error().message,
              HasSubstr("prediction_threshold is 1.5"));
  EXPECT_THAT(FitSmallBig(one, {.area_steps = 0}).error().message, HasSubstr("area_steps is 0"));
  EXPECT_THAT(FitSmallBig(one, {.score_threshold = 0.7}).error().message,
              HasSubstr("score_threshold is 0.7"));
  EXPECT_TRUE(FitSmallBig(one, {}).has_value());
  EXPECT_TRUE(FitSmallBig(one, {.score_floor = 0.5}).has_value());
}

TEST(BinaryMetrics, AreTheUsualRatiosAndZeroWhereThereIsNothingToDivideBy) {
  const BinaryMetrics metrics{
      .true_positives = 6, .false_positives = 2, .true_negatives = 9, .false_negatives = 3};
  EXPECT_DOUBLE_EQ(metrics.accuracy(), 0.75);
  EXPECT_DOUBLE_EQ(metrics.precision(), 0.75);
  EXPECT_DOUBLE_EQ(metrics.recall(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.f1(), 12.0 / 17);
  EXPECT_DOUBLE_EQ(metrics.upload_ratio(), 0.4);
  const BinaryMetrics nothing;
  EXPECT_EQ(nothing.accuracy() + nothing.precision() + nothing.recall() + nothing.f1(), 0);
  const BinaryMetrics all_easy{.true_negatives = 5};
  EXPECT_EQ(all_easy.accuracy(), 1);
  EXPECT_EQ(all_easy.precision(), 0);
}

TEST(FitUploadRatio, TakesTheThresholdWhoseShareComesClosest) {
  struct Row {
    std::vector<double> scores;
    double wanted;
    double reached;
  };
  const Row rows[] = {
      {{1, 2, 3, 4}, 0.5, 0.5},
      {{1, 2, 3, 4}, 0, 0},
      {{1, 2, 3, 4}, 1, 1},
      {{1, 2, 3, 4}, 0.3, 0.25},
      {{4, 3, 2, 1}, 0.5, 0.5},
      {{1, 2, 3, 4}, 0.375, 0.25},  // a tie goes to the lower share
      {{0, 0, 0, 1}, 0.5, 0.25},    // equal scores only go together
      {{0, 0, 0, 1}, 0.7, 1},
      {{5}, 0.5, 0},
      {{5}, 0.6, 1},
      {{0, 0}, 1, 1},
      {{-0.0, 0.0}, 0.4, 0},
  };
  for (const Row& row : rows) {
    const UploadFit fit = FitUploadRatio(row.scores, row.wanted).value();
    EXPECT_DOUBLE_EQ(fit.reached, row.reached) << row.wanted;
    EXPECT_EQ(fit.wanted, row.wanted);
    const auto above = std::count_if(row.scores.begin(), row.scores.end(),
                                     [&](double score) { return score > fit.threshold; });
    EXPECT_DOUBLE_EQ(static_cast<double>(above) / static_cast<double>(row.scores.size()),
                     fit.reached)
        << row.wanted;
  }
  // Neighbouring numbers have no middle.
  const double one_up = std::nextafter(1.0, 2.0);
  const std::vector<double> tight = {1.0, one_up};
  EXPECT_EQ(FitUploadRatio(tight, 0.5).value().threshold, 1.0);
}

TEST(FitUploadRatio, RefusesWhatCannotBeFitted) {
  const std::vector<double> none;
  const std::vector<double> bad = {1, std::nan("")};
  const std::vector<double> good = {1, 2};
  EXPECT_THAT(FitUploadRatio(none, 0.5).error().message, HasSubstr("no scores"));
  EXPECT_THAT(FitUploadRatio(bad, 0.5).error().message, HasSubstr("nan"));
  EXPECT_THAT(FitUploadRatio(good, 1.1).error().message, HasSubstr("upload ratio is 1.1"));
  EXPECT_FALSE(FitUploadRatio(good, std::nan("")).has_value());
}

}  // namespace
}  // namespace nearfar
