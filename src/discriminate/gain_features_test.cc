#include "discriminate/gain_features.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Size kImage{200, 100};

/// Least squares under "never falls", by the min-max formula: the i-th value is the largest, over
/// beginnings up to i, of the smallest mean up to an end at or after i.
std::vector<double> Isotonic(const std::vector<double>& values) {
  std::vector<double> fitted;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double largest = -1;
    for (std::size_t from = 0; from <= i; ++from) {
      double smallest = 2;
      double sum = 0;
      for (std::size_t to = from; to < values.size(); ++to) {
        sum += values[to];
        if (to >= i) {
          smallest = std::min(smallest, sum / static_cast<double>(to - from + 1));
        }
      }
      largest = std::max(largest, smallest);
    }
    fitted.push_back(largest);
  }
  return fitted;
}

TEST(FitScoreCurve, EqualsBruteForceAtTheMiddleOfEachLevel) {
  Rng rng(3);
  int levels = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t count = 1 + rng.Below(6);
    std::vector<ScoredTruth> boxes;
    std::vector<double> rights;
    for (std::size_t i = 0; i < count; ++i) {
      // Middles of runs of such scores lie on the curve's knots.
      rights.push_back(static_cast<double>(rng.Below(5)) / 4);
      boxes.push_back({static_cast<double>(12 * (i + 1)) / ScoreCurve::kSteps, rights.back()});
    }
    const std::vector<double> expected = Isotonic(rights);
    rng.Shuffle(boxes);
    const ScoreCurve curve = FitScoreCurve(boxes, 1);
    for (std::size_t from = 0; from < count;) {
      std::size_t to = from;
      while (to < count && std::abs(expected[to] - expected[from]) < 1e-12) {
        ++to;
      }
      const double middle = static_cast<double>(6 * (from + 1 + to)) / ScoreCurve::kSteps;
      EXPECT_NEAR(curve(middle), expected[from], 1e-9) << "trial " << trial;
      from = to;
      ++levels;
    }
  }
  EXPECT_GT(levels, 300);
}

TEST(FitScoreCurve, NeverFallsAndStaysWithinShares) {
  Rng rng(8);
  std::vector<ScoredTruth> boxes;
  for (int i = 0; i < 5000; ++i) {
    const double score = std::pow(rng.Uniform(), 3);
    boxes.push_back({score, rng.Chance(score * score) ? 1.0 : 0.0, rng.Uniform(0.1, 3)});
  }
  const ScoreCurve curve = FitScoreCurve(boxes, 20);
  ASSERT_EQ(curve.right.size(), ScoreCurve::kSteps + 1);
  EXPECT_TRUE(std::is_sorted(curve.right.begin(), curve.right.end()));
  EXPECT_GE(curve.right.front(), 0);
  EXPECT_LE(curve.right.back(), 1);
  for (const double score : {0.1, 0.3, 0.5, 0.7, 0.9}) {
    EXPECT_NEAR(curve(score), score * score, 0.12) << score;
  }
}

TEST(FitScoreCurve, PoolsEqualScoresSmallPoolsAndWeights) {
  // One score, two outcomes.
  EXPECT_THAT(FitScoreCurve({{0.5, 0}, {0.5, 1}}, 1).right, Each(DoubleEq(0.5)));
  // The wrong one counts three times.
  EXPECT_THAT(FitScoreCurve({{0.5, 0, 3}, {0.5, 1, 1}}, 1).right, Each(DoubleEq(0.25)));
  // Too few for two pools.
  EXPECT_THAT(FitScoreCurve({{0.2, 0}, {0.8, 1}}, 2).right, Each(DoubleEq(0.5)));
  const ScoreCurve two = FitScoreCurve({{0.2, 0}, {0.8, 1}}, 1);
  EXPECT_EQ(two(0.1), 0);
  EXPECT_NEAR(two(0.5), 0.5, 1e-9);
  EXPECT_EQ(two(0.9), 1);
  // A last pool that stays too small joins the one before.
  EXPECT_THAT(FitScoreCurve({{0.2, 0}, {0.3, 0}, {0.8, 1}}, 2).right,
              Each(DoubleNear(1.0 / 3, 1e-12)));
  EXPECT_THAT(FitScoreCurve({{0.7, 1}}).right, Each(1.0));
}

TEST(ScoreCurve, IsTheScoreItselfWithoutKnots) {
  const ScoreCurve none = FitScoreCurve({});
  EXPECT_THAT(none.right, IsEmpty());
  EXPECT_EQ(none(0), 0);
  EXPECT_EQ(none(0.3), 0.3);
  EXPECT_EQ(none(1), 1);
  EXPECT_EQ(none(7), 1);
  EXPECT_EQ(none(-1), 0);
  EXPECT_EQ(none(kNan), 0);
}

TEST(ScoreCurve, IsStraightBetweenKnotsAndLevelBeyond) {
  ScoreCurve curve;
  for (std::size_t knot = 0; knot <= ScoreCurve::kSteps; ++knot) {
    curve.right.push_back(0.1 + 0.8 * static_cast<double>(knot) / ScoreCurve::kSteps);
  }
  for (const double score : {0.0, 0.0012, 0.005, 0.77777, std::nextafter(1.0, 0.0), 1.0}) {
    EXPECT_NEAR(curve(score), 0.1 + 0.8 * score, 1e-12) << score;
  }
  EXPECT_EQ(curve(-3), curve.right.front());
  EXPECT_EQ(curve(kInfinity), curve.right.back());
  EXPECT_EQ(curve(kNan), 0);
}

TEST(ClassRates, AreAMeanThatForgetsByItsMemory) {
  constexpr double kMemory = 8;
  ClassRates rates({1, 4}, 5, kMemory);
  EXPECT_EQ(rates.total(), 5);
  std::vector<std::vector<double>> seen;
  Rng rng(2);
  for (int i = 0; i < 30; ++i) {
    seen.push_back({rng.Uniform(0, 3), rng.Uniform(0, 1)});
    rates.Add(seen.back());
  }
  // From the definition: the last image counts 1, each before 1 - 1/memory of the next.
  const double keep = 1 - 1 / kMemory;
  double whole = 5 * std::pow(keep, 30);
  double first = whole * 1;
  double second = whole * 4;
  for (int i = 0; i < 30; ++i) {
    const double weight = std::pow(keep, 29 - i);
    whole += weight;
    first += weight * seen[static_cast<std::size_t>(i)][0];
    second += weight * seen[static_cast<std::size_t>(i)][1];
  }
  EXPECT_THAT(rates.rates(),
              ElementsAre(DoubleNear(first / whole, 1e-12), DoubleNear(second / whole, 1e-12)));
  EXPECT_NEAR(rates.total(), (first + second) / whole, 1e-12);
}

TEST(ClassRates, HoldNoMoreOfWhatWasKnownThanTheirMemory) {
  ClassRates shortest({9}, 1000, 1);
  shortest.Add(std::vector<double>{2});
  EXPECT_THAT(shortest.rates(), ElementsAre(2));  // the last image alone
  ClassRates ten({0}, 1e6, 10);
  ten.Add(std::vector<double>{1});
  EXPECT_THAT(ten.rates(), ElementsAre(DoubleNear(0.1, 1e-12)));
  ClassRates longest({0}, 99, 1e15);
  longest.Add(std::vector<double>{1});
  EXPECT_THAT(longest.rates(), ElementsAre(DoubleNear(0.01, 1e-12)));  // the plain mean
  EXPECT_EQ(ClassRates().total(), 0);
}

/// Boxes of many scores, sizes and classes, no two scored alike.
Detections RandomBoxes(int count, int classes, std::uint64_t seed) {
  Rng rng(seed);
  Detections boxes;
  for (int i = 0; i < count; ++i) {
    const auto x = static_cast<float>(rng.Uniform(0, 150));
    const auto y = static_cast<float>(rng.Uniform(0, 70));
    boxes.push_back({{x, y, x + static_cast<float>(rng.Uniform(1, 120)),
                      y + static_cast<float>(rng.Uniform(1, 60))},
                     static_cast<float>(rng.Uniform(0.01, 0.99)),
                     static_cast<int>(rng.Below(static_cast<std::uint64_t>(classes)))});
  }
  return boxes;
}

GainFeatures MeasureOf(const Detections& boxes, int classes, double rate = 0.3) {
  const ClassRates rates(std::vector<double>(static_cast<std::size_t>(classes), rate), 100, 1000);
  GainFeatures features;
  MeasureGainFeatures({boxes, kImage}, {}, rates, features);
  return features;
}

TEST(MeasureGainFeatures, MakesTheClosedFormOfDoubtAndRates) {
  const ClassRates rates({0.5, 1.5}, 100, 1000);
  const Detections boxes = {{{0, 0, 100, 50}, 0.5F, 0}, {{150, 0, 170, 10}, 0.25F, 1}};
  GainFeatures features;
  MeasureGainFeatures({boxes, kImage}, {}, rates, features);
  const double first = 0.25 / (0.5 + kClassSmoothing * 2);
  const double second = 0.25 * 0.75 / (1.5 + kClassSmoothing * 2);
  EXPECT_DOUBLE_EQ(features.closed_form, first + second);
  EXPECT_DOUBLE_EQ(features.doubt, 0.25 + 0.25 * 0.75);
  EXPECT_THAT(features.expected, ElementsAre(0.5, 0.25));
  ASSERT_EQ(features.values.size(), GainFeatureCount(2));
  EXPECT_EQ(features.values[kClosedFormFeature], features.closed_form);
  EXPECT_EQ(features.values[1], features.doubt);
  EXPECT_DOUBLE_EQ(features.values.back(), second);
}

TEST(MeasureGainFeatures, GivesAsManyFiniteNumbersForAnyImage) {
  for (const int classes : {1, 2, 20, 120}) {
    for (const int count : {0, 1, 3, 24, 25, 300}) {
      const GainFeatures features = MeasureOf(RandomBoxes(count, classes, 7), classes);
      EXPECT_EQ(features.values.size(), GainFeatureCount(classes));
      EXPECT_EQ(features.expected.size(), static_cast<std::size_t>(classes));
      for (const double value : features.values) {
        EXPECT_TRUE(std::isfinite(value)) << classes << " classes, " << count << " boxes";
      }
    }
  }
  // Nothing in sight: no doubt, no object, as if all were one large one.
  EXPECT_THAT(MeasureOf({}, 3).values, Each(0.0));
  // No object was ever seen of any class: nothing to weigh by, and no division by zero.
  const GainFeatures unknown = MeasureOf(RandomBoxes(5, 2, 1), 2, 0);
  EXPECT_EQ(unknown.closed_form, 0);
  EXPECT_GT(unknown.doubt, 0);
}

TEST(MeasureGainFeatures, DoesNotLookAtTheOrderOfTheBoxes) {
  Detections boxes = RandomBoxes(40, 5, 11);
  const GainFeatures features = MeasureOf(boxes, 5);
  Rng rng(1);
  for (int trial = 0; trial < 5; ++trial) {
    rng.Shuffle(boxes);
    const GainFeatures shuffled = MeasureOf(boxes, 5);
    ASSERT_EQ(shuffled.values.size(), features.values.size());
    for (std::size_t f = 0; f < features.values.size(); ++f) {
      EXPECT_NEAR(shuffled.values[f], features.values[f], 1e-12) << f;
    }
    EXPECT_EQ(shuffled.closed_form, features.closed_form);
  }
}

TEST(MeasureGainFeatures, LeavesOutBoxesThatDoNotCount) {
  const Detections boxes = RandomBoxes(12, 3, 5);
  const GainFeatures features = MeasureOf(boxes, 3);
  const Detection strange[] = {{{0, 0, 10, 10}, kNan, 0},      {{0, 0, 10, 10}, kInfinity, 0},
                               {{0, 0, 10, 10}, 0.4F, -1},     {{0, 0, 10, 10}, 0.4F, 3},
                               {{0, kNan, 10, 10}, 0.4F, 0},   {{0, 0, kInfinity, 10}, 0.4F, 1},
                               {{0, 0, 10, 10}, 0.6F, 1 << 30}};
  const ClassRates rates(std::vector<double>(3, 0.3), 100, 1000);
  for (const Detection& box : strange) {
    for (const std::size_t place : {std::size_t{0}, std::size_t{6}, boxes.size()}) {
      Detections more = boxes;
      more.insert(more.begin() + static_cast<std::ptrdiff_t>(place), box);
      const GainFeatures with = MeasureOf(more, 3);
      for (std::size_t f = 0; f < features.values.size(); ++f) {
        EXPECT_NEAR(with.values[f], features.values[f], 1e-12) << f;
      }
      std::vector<double> expected(3);
      MeasureExpected({more, kImage}, {}, expected);
      for (std::size_t c = 0; c < 3; ++c) {
        EXPECT_NEAR(expected[c], features.expected[c], 1e-12);
      }
    }
  }
}

TEST(MeasureGainFeatures, KeepsNothingOfTheImageBefore) {
  const Detections many = RandomBoxes(60, 4, 2);
  const Detections few = RandomBoxes(2, 4, 3);
  const ClassRates rates(std::vector<double>(4, 0.3), 100, 1000);
  GainFeatures features;
  MeasureGainFeatures({many, kImage}, {}, rates, features);
  MeasureGainFeatures({few, kImage}, {}, rates, features);
  const GainFeatures fresh = MeasureOf(few, 4);
  EXPECT_EQ(features.values, fresh.values);
  EXPECT_EQ(features.expected, fresh.expected);
  EXPECT_EQ(features.closed_form, fresh.closed_form);
  EXPECT_EQ(features.doubt, fresh.doubt);
}

}  // namespace
}  // namespace nearfar
