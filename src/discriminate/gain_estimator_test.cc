#include "discriminate/gain_estimator.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr EstimatorKind kKinds[] = {EstimatorKind::kClosedForm, EstimatorKind::kRidge,
                                    EstimatorKind::kNetwork};
constexpr Size kImage{200, 100};

/// Images of eight boxes that near found, of which far finds as many again as near's scores say.
/// Images are hard or easy: near is in doubt of many boxes, or of few.
std::vector<LabelledImage> MakeImages(int count, std::uint64_t seed,
                                      double share_of_class_1 = 0.5) {
  Rng rng(seed);
  std::vector<LabelledImage> images;
  for (int i = 0; i < count; ++i) {
    LabelledImage image{.size = kImage, .key = MixBits(seed + static_cast<std::uint64_t>(i))};
    const double hardness = rng.Uniform();
    for (int place = 0; place < 8; ++place) {
      const auto x = static_cast<float>(25 * place);
      const auto side = static_cast<float>(rng.Uniform(2, 24));
      const Box box{x, 0, x + side, side};
      const int label = rng.Chance(share_of_class_1) ? 1 : 0;
      const double sure = rng.Chance(0.5) ? 0.97 : 0.02;
      const double score = rng.Chance(hardness) ? rng.Uniform(0.1, 0.9) : sure;
      image.near.push_back({box, static_cast<float>(score), label});
      if (rng.Chance(score)) {
        image.far.push_back({box, static_cast<float>(rng.Uniform(0.8, 1)), label});
      }
    }
    images.push_back(std::move(image));
  }
  return images;
}

GainEstimator Fit(EstimatorKind kind, std::span<const LabelledImage> images, int classes = 2,
                  const EstimatorFitOptions& options = {}) {
  return FitGainEstimator(kind, images, classes, options).value();
}

std::vector<double> JudgeStream(LearnedGain& judge, std::span<const LabelledImage> images,
                                bool watch = true) {
  std::vector<double> gains;
  for (const LabelledImage& image : images) {
    gains.push_back(judge.Judge(image.evidence(), false).score);
    if (watch) {
      judge.Watch(image.evidence());
    }
  }
  return gains;
}

/// Of what uploading every image would bring, the share that the best-judged fifth brings.
double CapturedByAFifth(const std::vector<double>& gains, const std::vector<double>& targets) {
  std::vector<std::size_t> order(gains.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return gains[a] > gains[b]; });
  double captured = 0;
  for (std::size_t i = 0; i < order.size() / 5; ++i) {
    captured += targets[order[i]];
  }
  return captured / std::accumulate(targets.begin(), targets.end(), 0.0);
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double both = 0;
  double of_a = 0;
  double of_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += (a[i] - mean_a) * (b[i] - mean_b);
    of_a += (a[i] - mean_a) * (a[i] - mean_a);
    of_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return both / std::sqrt(of_a * of_b);
}

TEST(GainEstimator, ForeseesTheGainOfImagesThatItHasNotSeen) {
  const auto seen = MakeImages(400, 1);
  const auto unseen = MakeImages(1000, 2);
  for (const GainGoal goal : {GainGoal::kAccuracy, GainGoal::kObjects}) {
    const std::vector<double> targets = Gains(goal, unseen, 2);
    for (const EstimatorKind kind : kKinds) {
      LearnedGain judge(Fit(kind, seen, 2, {.goal = goal}), {});
      const std::vector<double> gains = JudgeStream(judge, unseen);
      // Chance captures a fifth.
      EXPECT_GT(CapturedByAFifth(gains, targets), 0.24) << ToString(kind) << " " << ToString(goal);
      EXPECT_GT(Correlation(gains, targets), 0.25) << ToString(kind) << " " << ToString(goal);
      if (kind != EstimatorKind::kClosedForm) {
        // In units of the goal: right on average.
        const double mean = std::accumulate(gains.begin(), gains.end(), 0.0);
        const double real = std::accumulate(targets.begin(), targets.end(), 0.0);
        EXPECT_NEAR(mean / real, 1, 0.25) << ToString(kind) << " " << ToString(goal);
      }
    }
  }
}

TEST(GainEstimator, HoldsWhenTheMixOfClassesTurnsOnlyIfItWatchesTheStream) {
  // One class is twenty times as frequent as the other, and then the other way round: what is rare
  // is worth most, and that turns with the scene.
  const auto before = MakeImages(600, 3, 0.05);
  const auto after = MakeImages(1200, 4, 0.95);
  const std::vector<double> targets = AccuracyGains(after, 2);
  const GainEstimator estimator = Fit(EstimatorKind::kClosedForm, before);
  LearnedGain watching(estimator, {.memory = 200});
  LearnedGain frozen(estimator, {.memory = 200});
  LearnedGain at_home(Fit(EstimatorKind::kClosedForm, after), {.memory = 1e15});
  const double watched = CapturedByAFifth(JudgeStream(watching, after), targets);
  const double unwatched = CapturedByAFifth(JudgeStream(frozen, after, /*watch=*/false), targets);
  const double best = CapturedByAFifth(JudgeStream(at_home, after), targets);
  EXPECT_GT(watched, unwatched + 0.1);
  EXPECT_GT(watched, best - 0.12);
  EXPECT_LT(unwatched, 0.8 * best);
}

TEST(GainEstimator, ComesBackFromItsTablesBitByBit) {
  const auto images = MakeImages(120, 5);
  for (const EstimatorKind kind : kKinds) {
    const GainEstimator fitted = Fit(kind, images);
    const NumberTables tables = ToTables(fitted);
    const GainEstimator read = GainEstimatorFrom(kind, tables).value();
    EXPECT_EQ(ToTables(read), tables) << ToString(kind);
    EXPECT_EQ(GainEstimatorFrom(kind, ToTables(read)).value(), read) << ToString(kind);
    LearnedGain judge(read, {});
    LearnedGain again(GainEstimatorFrom(kind, tables).value(), {});
    LearnedGain before_rounding(fitted, {});
    const std::vector<double> gains = JudgeStream(judge, images);
    EXPECT_EQ(JudgeStream(again, images), gains) << ToString(kind);
    const std::vector<double> unrounded = JudgeStream(before_rounding, images);
    const double largest = *std::max_element(gains.begin(), gains.end());
    for (std::size_t i = 0; i < gains.size(); ++i) {
      EXPECT_NEAR(gains[i], unrounded[i], 1e-3 * largest) << ToString(kind);
    }
  }
}

TEST(GainEstimator, SaysWhatIsWrongWithItsTables) {
  const auto images = MakeImages(60, 6);
  const NumberTables closed_form = ToTables(Fit(EstimatorKind::kClosedForm, images));
  const NumberTables ridge = ToTables(Fit(EstimatorKind::kRidge, images));
  const NumberTables network = ToTables(Fit(EstimatorKind::kNetwork, images, 2, {.networks = 2}));
  const EstimatorKind kCf = EstimatorKind::kClosedForm;
  const EstimatorKind kRidge = EstimatorKind::kRidge;
  const EstimatorKind kMlp = EstimatorKind::kNetwork;
  const struct {
    EstimatorKind kind;
    NumberTables tables;
    std::function<void(NumberTables&)> change;
    const char* message;
  } rows[] = {
      {kCf, {}, [](auto&) {}, "the tables of discriminator cf: has no row \"curve\""},
      {kCf, ridge, [](auto&) {}, "has rows that belong to another kind"},
      {kRidge, closed_form, [](auto&) {}, "has no row \"feature_means\""},
      {kMlp, ridge, [](auto&) {}, "has no row \"network_spread\""},
      {kCf, closed_form, [](auto& t) { t["curve"].pop_back(); }, "has 200 numbers, expected 201"},
      {kCf, closed_form, [](auto& t) { t["curve"][3] = 2; }, "\"curve\" must lie in [0, 1]"},
      {kCf, closed_form, [](auto& t) { t["curve"][0] = -1; }, "\"curve\" must lie in [0, 1]"},
      {kCf, closed_form, [](auto& t) { t["curve"].back() = 1.5; }, "\"curve\" must lie in [0, 1]"},
      {kCf, closed_form, [](auto& t) { t["class_rates"].clear(); },
       "\"class_rates\" has 0 numbers"},
      {kCf, closed_form, [](auto& t) { t["class_rates"][1] = -0.1; },
       "\"class_rates\" must not be negative"},
      {kCf, closed_form, [](auto& t) { t["class_rates"][1] = 1e300; }, "too large or none"},
      {kCf, closed_form, [](auto& t) { t["rate_images"] = {0}; },
       "\"rate_images\" must be positive"},
      {kCf, closed_form,
       [](auto& t) {
         t["rate_images"] = {1, 2};
       },
       "has 2 numbers, expected 1"},
      {kCf, closed_form, [](auto& t) { t["surplus"] = {1}; }, "another kind"},
      // One class more asks for two features more.
      {kRidge, ridge, [](auto& t) { t["class_rates"].push_back(1); }, "expected 47"},
      {kRidge, ridge, [](auto& t) { t["weights"][7] = std::nan(""); }, "\"weights\" holds"},
      {kRidge, ridge, [](auto& t) { t["feature_spreads"][7] = -1; },
       "\"feature_spreads\" must not be negative"},
      {kMlp, network, [](auto& t) { t.erase("network1_layer1_weights"); },
       "has no row \"network1_layer1_weights\""},
      {kMlp, network, [](auto& t) { t.erase("network2_layer3_biases"); },
       "has no row \"network2_layer3_biases\""},
      {kMlp, network, [](auto& t) { t["network2_layer2_weights"].push_back(0); },
       "has 257 numbers, expected 256"},
      {kMlp, network, [](auto& t) { t["network9_layer1_weights"] = {1}; }, "another kind"},
  };
  for (const auto& row : rows) {
    NumberTables tables = row.tables;
    row.change(tables);
    const auto read = GainEstimatorFrom(row.kind, tables);
    ASSERT_FALSE(read.has_value()) << row.message;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(read.error().message, HasSubstr(row.message));
  }
}

TEST(FitGainEstimator, NeedsNearBoxesInImagesThatCount) {
  const auto images = MakeImages(60, 7);
  auto blind = images;
  for (LabelledImage& image : blind) {
    image.near.clear();
  }
  auto nameless = images;
  for (LabelledImage& image : nameless) {
    for (Detection& box : image.near) {
      box.score = std::numeric_limits<float>::quiet_NaN();
    }
  }
  for (const EstimatorKind kind : kKinds) {
    EXPECT_THAT(FitGainEstimator(kind, {}, 2, {}).error().message,
                HasSubstr("nothing to learn a gain from: 0 images with 0 boxes"));
    EXPECT_THAT(FitGainEstimator(kind, blind, 2, {}).error().message,
                HasSubstr("60 images with 0 boxes of the near model; record it with a low"));
    EXPECT_FALSE(FitGainEstimator(kind, nameless, 2, {}).has_value());
    EXPECT_FALSE(
        FitGainEstimator(kind, images, 2, {.weights = std::vector<double>(60, 0)}).has_value());
  }
}

TEST(FitGainEstimator, GivesTheSameEachTimeWhateverTheUnitOfTheWeights) {
  const auto images = MakeImages(80, 8);
  std::vector<double> weights;
  std::vector<double> larger;
  Rng rng(1);
  for (std::size_t i = 0; i < images.size(); ++i) {
    weights.push_back(rng.Uniform(0.1, 2));
    larger.push_back(8 * weights.back());
  }
  for (const EstimatorKind kind : kKinds) {
    const EstimatorFitOptions once{.networks = 1, .weights = weights};
    const GainEstimator fitted = Fit(kind, images, 2, once);
    EXPECT_EQ(Fit(kind, images, 2, once), fitted);
    EXPECT_NE(Fit(kind, images, 2, {.networks = 1}), fitted);
    const GainEstimator scaled = Fit(kind, images, 2, {.networks = 1, .weights = larger});
    EXPECT_NEAR(scaled.class_rates[0], fitted.class_rates[0], 1e-12);
    ASSERT_EQ(scaled.weights.size(), fitted.weights.size());
    for (std::size_t f = 0; f < fitted.weights.size(); ++f) {
      EXPECT_NEAR(scaled.weights[f], fitted.weights[f], 1e-9);
    }
  }
}

TEST(FitGainEstimator, StaysFiniteOnImagesThatSayLittle) {
  auto all_alike = MakeImages(60, 9);
  for (LabelledImage& image : all_alike) {
    image = all_alike[0];
  }
  auto agreed = MakeImages(60, 10);
  for (LabelledImage& image : agreed) {
    image.far = image.near;
  }
  auto far_blind = MakeImages(60, 11);
  for (LabelledImage& image : far_blind) {
    image.far.clear();
  }
  const std::vector<LabelledImage> single = MakeImages(1, 12);
  for (const auto& images : {all_alike, agreed, far_blind, single}) {
    for (const EstimatorKind kind : kKinds) {
      const GainEstimator read = GainEstimatorFrom(kind, ToTables(Fit(kind, images))).value();
      LearnedGain judge(read, {});
      for (const double gain : JudgeStream(judge, MakeImages(20, 13))) {
        EXPECT_TRUE(std::isfinite(gain)) << ToString(kind);
      }
      const Detections nothing;
      EXPECT_TRUE(std::isfinite(judge.Judge({nothing, kImage}, false).score));
    }
  }
}

TEST(FitGainEstimator, IsNotMisledByManyClassesThatHaveNoObjects) {
  auto images = MakeImages(500, 14);
  Rng rng(2);
  for (LabelledImage& image : images) {
    for (Detections* const boxes : {&image.near, &image.far}) {
      for (Detection& box : *boxes) {
        box.label *= 129;  // the first and the last of 130
      }
    }
    image.truth.emplace();
    for (const Detection& box : image.far) {
      image.truth->push_back({box.box, box.label, /*ignored=*/rng.Chance(0.1)});
    }
  }
  const std::vector<double> targets = AccuracyGains(images, 130);
  for (const EstimatorKind kind : kKinds) {
    const GainEstimator estimator = Fit(kind, images, 130, {.networks = 1});
    ASSERT_EQ(estimator.class_rates.size(), 130U);
    EXPECT_EQ(estimator.class_rates[1], 0);
    EXPECT_GT(estimator.class_rates[129], 1);
    LearnedGain judge(estimator, {});
    EXPECT_GT(Correlation(JudgeStream(judge, images), targets), 0.12) << ToString(kind);
  }
}

TEST(LearnedGain, RanksUntilItHasAThresholdAndExplains) {
  const auto images = MakeImages(60, 15);
  const GainEstimator estimator = Fit(EstimatorKind::kRidge, images);
  const LearnedGain ranking(estimator, {});
  const Evidence evidence = images[3].evidence();
  const Gain gain = ranking.Judge(evidence, false);
  EXPECT_FALSE(ranking.has_verdict());
  EXPECT_FALSE(gain.difficult);
  EXPECT_THAT(gain.reason, IsEmpty());
  EXPECT_EQ(ranking.natural_threshold(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(ranking.name(), "ridge");
  const LearnedGain at(estimator, {.threshold = gain.score});
  EXPECT_FALSE(at.Judge(evidence, false).difficult);  // above, not at
  EXPECT_EQ(at.natural_threshold(), gain.score);
  const LearnedGain below(estimator, {.threshold = gain.score - 1e-9});
  EXPECT_TRUE(below.Judge(evidence, false).difficult);
  EXPECT_THAT(below.Judge(evidence, true).reason, HasSubstr("objects expected"));
}

TEST(EstimatorOf, KnowsItsNames) {
  for (const EstimatorKind kind : kKinds) {
    EXPECT_EQ(EstimatorOf(ToString(kind)), kind);
  }
  EXPECT_EQ(EstimatorOf("conv"), std::nullopt);
  EXPECT_EQ(EstimatorOf(""), std::nullopt);
}

}  // namespace
}  // namespace nearfar
