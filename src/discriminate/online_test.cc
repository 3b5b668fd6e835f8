#include "discriminate/online.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/rng.h"
#include "discriminate/factory.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

constexpr Size kImage{100, 100};

/// A stream in which half the images are crowded: there the near model is unsure, and the far one
/// confirms most of what it suspects; in the others what it suspects is rarely there.
std::vector<LabelledImage> MakeStream(int count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<LabelledImage> stream;
  for (int i = 0; i < count; ++i) {
    LabelledImage image{.size = kImage, .key = HashText("image" + std::to_string(i))};
    const bool crowded = rng.Chance(0.5);
    const auto boxes = crowded ? 4 + rng.Below(5) : 1 + rng.Below(2);
    for (std::uint64_t k = 0; k < boxes; ++k) {
      const auto x = static_cast<float>(10 * k);
      const Box box{x, 0, x + 9, static_cast<float>(rng.Uniform(10, 90))};
      const double score = rng.Uniform(0.05, crowded ? 0.6 : 0.95);
      const int label = static_cast<int>(rng.Below(3));
      image.near.push_back({box, static_cast<float>(score), label});
      if (rng.Chance(crowded ? 0.9 : score * score)) {
        image.far.push_back({box, 0.95F, label});
      }
    }
    stream.push_back(std::move(image));
  }
  return stream;
}

/// Runs a stream through a learner that uploads what the paper's rule calls difficult, and of the
/// rest one in twenty: each answer comes with that probability.
void Stream(OnlineGain& learner, const std::vector<LabelledImage>& stream, std::uint64_t seed = 9) {
  Rng rng(seed);
  const SmallBig rule(SmallBigOptions{});
  for (const LabelledImage& image : stream) {
    const Evidence evidence = image.evidence();
    const double probability = rule.Judge(evidence, false).difficult ? 1 : 0.05;
    learner.Watch(evidence);
    if (rng.Chance(probability)) {
      learner.Observe(evidence, {image.near, image.far, probability});
    }
  }
}

double ObjectsAnImage(const GainEstimator& estimator) {
  double sum = 0;
  for (const double rate : estimator.class_rates) {
    sum += rate;
  }
  return sum;
}

TEST(OnlineGain, IsThePapersRuleBeforeTheFirstFit) {
  OnlineGain learner({}, std::nullopt, std::nullopt);
  const SmallBig rule(SmallBigOptions{});
  for (const LabelledImage& image : MakeStream(50, 1)) {
    const Gain gain = learner.Judge(image.evidence(), true);
    EXPECT_EQ(gain.score, rule.Judge(image.evidence(), false).score);
    EXPECT_EQ(gain.difficult, rule.Judge(image.evidence(), false).difficult);
    EXPECT_THAT(gain.reason, HasSubstr("0 answers so far"));
  }
  EXPECT_EQ(learner.natural_threshold(), rule.natural_threshold());
  EXPECT_FALSE(learner.estimator().has_value());
}

TEST(OnlineGain, LearnsWhatTheFarModelAddsAndKeepsItsScale) {
  const auto stream = MakeStream(3000, 2);
  OnlineGain learner({}, std::nullopt, std::nullopt);
  Stream(learner, stream);
  ASSERT_GT(learner.fits(), 5);
  // On images that it has not seen: its best fifth brings more than the rule's.
  const auto unseen = MakeStream(1000, 3);
  const std::vector<double> targets = AccuracyGains(unseen, 3);
  const SmallBig rule(SmallBigOptions{});
  const auto brought_by = [&](const auto& score_of) {
    std::vector<std::pair<double, double>> ranked;
    for (std::size_t i = 0; i < unseen.size(); ++i) {
      ranked.emplace_back(-score_of(unseen[i].evidence()), targets[i]);
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    double sum = 0;
    for (std::size_t i = 0; i < ranked.size() / 5; ++i) {
      sum += ranked[i].second;
    }
    return sum;
  };
  double mean = 0;
  double rule_mean = 0;
  const double learned = brought_by([&](const Evidence& evidence) {
    const double score = learner.Judge(evidence, false).score;
    mean += score / 1000;
    return score;
  });
  const double by_rule = brought_by([&](const Evidence& evidence) {
    const double score = rule.Judge(evidence, false).score;
    rule_mean += score / 1000;
    return score;
  });
  EXPECT_GT(learned, 1.1 * by_rule);
  EXPECT_NEAR(mean, rule_mean, 0.1);
}

TEST(OnlineGain, IsBiasedWhereAnswersAreNotWeighted) {
  const auto stream = MakeStream(3000, 4);
  const GainEstimator all =
      FitGainEstimator(EstimatorKind::kRidge, stream, 3, EstimatorFitOptions{}).value();
  const auto objects_learned = [&](bool weighted) {
    OnlineGain learner({.most_answers = 5000, .weighted = weighted}, std::nullopt, std::nullopt);
    Stream(learner, stream);
    return ObjectsAnImage(learner.estimator().value());
  };
  // Uploads are the crowded images: taken at face value they tell of a fuller world.
  EXPECT_NEAR(objects_learned(true), ObjectsAnImage(all), 0.1 * ObjectsAnImage(all));
  EXPECT_GT(objects_learned(false), 1.25 * ObjectsAnImage(all));
}

TEST(OnlineGain, CountsAnAnswerOnceAndOnlyWithItsProbability) {
  const auto stream = MakeStream(40, 5);
  OnlineGain learner({.first_fit = 1000}, std::nullopt, std::nullopt);
  const auto observe = [&](const LabelledImage& image, double probability) {
    learner.Observe(image.evidence(), {image.near, image.far, probability});
  };
  for (const double none : {0.0, -1.0, 1.5, std::nan(""), HUGE_VAL}) {
    observe(stream[0], none);
  }
  EXPECT_EQ(learner.answers(), 0U);
  observe(stream[0], 1);
  observe(stream[1], 0.5);
  observe(stream[0], 1);  // the same image again
  EXPECT_EQ(learner.answers(), 2U);
  LabelledImage nameless = stream[2];
  nameless.key = 0;
  observe(nameless, 1);
  observe(nameless, 1);
  EXPECT_EQ(learner.answers(), 4U);
}

TEST(OnlineGain, RemembersTheLatestAnswersAndLearnsNothingFromEmptyOnes) {
  OnlineGain learner({.first_fit = 2, .most_answers = 10}, std::nullopt, std::nullopt);
  const Detections none;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    learner.Observe({none, kImage, {}, i}, {none, none, 1});
  }
  EXPECT_EQ(learner.answers(), 10U);
  EXPECT_EQ(learner.fits(), 0);
  EXPECT_EQ(learner.Judge({none, kImage, {}, 1}, false).score, 0);
}

TEST(OnlineGain, DoesNotHangOnTheOrderOfAnswersBetweenFits) {
  auto stream = MakeStream(60, 6);
  const auto learn = [](const std::vector<LabelledImage>& answers) {
    OnlineGain learner({.first_fit = 60}, std::nullopt, std::nullopt);
    for (const LabelledImage& image : answers) {
      learner.Observe(image.evidence(), {image.near, image.far, 1});
    }
    EXPECT_EQ(learner.fits(), 1);
    return learner;
  };
  const OnlineGain in_order = learn(stream);
  Rng(7).Shuffle(stream);
  const OnlineGain shuffled = learn(stream);
  for (const LabelledImage& image : MakeStream(20, 8)) {
    EXPECT_NEAR(in_order.Judge(image.evidence(), false).score,
                shuffled.Judge(image.evidence(), false).score, 1e-6);
  }
}

TEST(MakeLearning, GoesOnFromACalibratedEstimator) {
  const auto seen = MakeStream(300, 10);
  for (const char* const name : {"cf", "ridge", "mlp"}) {
    DiscriminatorSpec spec{.name = name, .parameters = {{"threshold", 0.01}}};
    spec.tables = FitTables(name, seen, 3, GainGoal::kAccuracy).value();
    const auto calibrated = MakeDiscriminator(spec).value();
    const auto learning = MakeLearning(spec, GainGoal::kAccuracy).value();
    auto& learner = dynamic_cast<OnlineGain&>(*learning);
    EXPECT_EQ(learner.natural_threshold(), 0.01);
    const auto stream = MakeStream(200, 11);
    EXPECT_EQ(learner.Judge(stream[0].evidence(), false).score,
              calibrated->Judge(stream[0].evidence(), false).score)
        << name;
    Stream(learner, stream);
    EXPECT_GT(learner.fits(), 0) << name;
    EXPECT_TRUE(std::isfinite(learner.Judge(stream[0].evidence(), true).score)) << name;
  }
  EXPECT_THAT(MakeLearning({.name = "entropy"}, GainGoal::kAccuracy).error().message,
              HasSubstr("cannot learn from answers"));
}

}  // namespace
}  // namespace nearfar
