#include "discriminate/ridge.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

/// Noisy examples of a linear form, about as many as features, so that the penalty matters.
RegressionData Noisy(std::size_t count, std::size_t features, std::uint64_t seed, double noise) {
  Rng rng(seed);
  RegressionData data{.features = features};
  for (std::size_t i = 0; i < count; ++i) {
    double target = 3;
    for (std::size_t f = 0; f < features; ++f) {
      data.rows.push_back(rng.Normal());
      target += data.rows.back() * (f % 2 == 0 ? 1 : -0.5);
    }
    data.targets.push_back(target + noise * rng.Normal());
    data.weights.push_back(rng.Uniform(0.2, 2));
  }
  return data;
}

double Estimate(const RidgeFit& fit, std::span<const double> row) {
  double sum = fit.intercept;
  for (std::size_t f = 0; f < row.size(); ++f) {
    sum += fit.weights[f] * row[f];
  }
  return sum;
}

double Whole(const RegressionData& data) {
  double whole = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    whole += data.weight(i);
  }
  return whole;
}

RegressionData Without(const RegressionData& data, std::size_t left_out) {
  RegressionData rest{.features = data.features};
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (i != left_out) {
      rest.rows.insert(rest.rows.end(), data.row(i).begin(), data.row(i).end());
      rest.targets.push_back(data.targets[i]);
      rest.weights.push_back(data.weight(i));
    }
  }
  return rest;
}

/// The error at each example of a fit to all others, the penalty in units of all.
double LeaveOneOut(const RegressionData& data, double penalty, const std::vector<double>& prior) {
  double error = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const RegressionData rest = Without(data, i);
    const RidgeFit fit = FitRidge(rest, penalty * Whole(data) / Whole(rest), prior);
    const double off = data.targets[i] - Estimate(fit, data.row(i));
    error += data.weight(i) / Whole(data) * off * off;
  }
  return error;
}

TEST(MeasureScaling, GivesMeanAndSpreadAndNoneToWhatNeverChanges) {
  const RegressionData data{.features = 2, .rows = {1, 7, 3, 7}, .targets = {0, 0}};
  const FeatureScaling scaling = MeasureScaling(data);
  EXPECT_THAT(scaling.means, ElementsAre(2, 7));
  EXPECT_THAT(scaling.spreads, ElementsAre(1, 0));
  EXPECT_EQ(scaling.Scale(0, 4), 2);
  EXPECT_EQ(scaling.Scale(1, 100), 0);
  // A weight counts as repetition.
  RegressionData weighted = data;
  weighted.weights = {3, 1};
  const FeatureScaling of_weighted = MeasureScaling(weighted);
  EXPECT_DOUBLE_EQ(of_weighted.means[0], 1.5);
  EXPECT_DOUBLE_EQ(of_weighted.spreads[0], std::sqrt(0.75));
}

TEST(FitRidge, EqualsTheClosedSolutionOfOneFeature) {
  // Mean squares: x about its mean 2/3, x times y about theirs 4/3.
  const RegressionData data{.features = 1, .rows = {9, 10, 11}, .targets = {3, 5, 7}};
  for (const double penalty : {0.0, 0.5, 2.0}) {
    const RidgeFit fit = FitRidge(data, penalty);
    const double slope = (4.0 / 3) / (2.0 / 3 + penalty);
    EXPECT_NEAR(fit.weights[0], slope, 1e-9);
    EXPECT_NEAR(fit.intercept, 5 - 10 * slope, 1e-9);  // is not punished
    EXPECT_EQ(fit.penalty, penalty);
  }
}

TEST(FitRidge, IsLeastWhereTheGradientOfItsLossVanishes) {
  const RegressionData data = Noisy(30, 4, 5, 1);
  const std::vector<double> prior = {1, 2, 3, 4};
  constexpr double kPenalty = 0.7;
  const RidgeFit fit = FitRidge(data, kPenalty, prior);
  double by_intercept = 0;
  std::vector<double> by_weight(4, 0);
  for (std::size_t i = 0; i < data.size(); ++i) {
    const double off = Estimate(fit, data.row(i)) - data.targets[i];
    by_intercept += data.weight(i) / Whole(data) * off;
    for (std::size_t f = 0; f < 4; ++f) {
      by_weight[f] += data.weight(i) / Whole(data) * off * data.row(i)[f];
    }
  }
  EXPECT_NEAR(by_intercept, 0, 1e-9);
  for (std::size_t f = 0; f < 4; ++f) {
    EXPECT_NEAR(by_weight[f] + kPenalty * (fit.weights[f] - prior[f]), 0, 1e-9);
  }
}

TEST(FitRidge, ChoosesThePenaltyThatLeavingOneOutWouldChoose) {
  constexpr double kPenalties[] = {1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10};
  std::vector<double> chosen;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const RegressionData data = Noisy(14, 5, seed, seed % 3 == 0 ? 0.1 : 4);
    const std::vector<double> prior =
        seed % 2 == 0 ? std::vector<double>{} : std::vector<double>{2, 0, 0, 0, 0};
    double least = std::numeric_limits<double>::infinity();
    double best = 0;
    for (const double penalty : kPenalties) {
      const double error = LeaveOneOut(data, penalty, prior);
      if (error < least) {
        least = error;
        best = penalty;
      }
    }
    chosen.push_back(FitRidge(data, std::nullopt, prior).penalty);
    EXPECT_EQ(chosen.back(), best) << seed;
    EXPECT_EQ(FitRidge(data, std::nullopt, prior), FitRidge(data, best, prior));
  }
  // The cases are not all alike.
  EXPECT_GT(*std::max_element(chosen.begin(), chosen.end()),
            10 * *std::min_element(chosen.begin(), chosen.end()));
}

TEST(FitRidge, AWeightCountsAsRepetition) {
  const RegressionData weighted{
      .features = 2, .rows = {1, 2, 0, -1, 3, 1}, .targets = {1, 2, 5}, .weights = {1, 3, 0}};
  const RegressionData repeated{
      .features = 2, .rows = {1, 2, 0, -1, 0, -1, 0, -1}, .targets = {1, 2, 2, 2}};
  const RidgeFit one = FitRidge(weighted, 0.1);
  const RidgeFit other = FitRidge(repeated, 0.1);
  EXPECT_NEAR(one.intercept, other.intercept, 1e-12);
  EXPECT_THAT(one.weights, ElementsAre(DoubleNear(other.weights[0], 1e-12),
                                       DoubleNear(other.weights[1], 1e-12)));
}

TEST(FitRidge, FallsBackOnThePriorUnderAHugePenalty) {
  const RegressionData data = Noisy(20, 3, 2, 1);
  const std::vector<double> prior = {5, 0, -2};
  const RidgeFit fit = FitRidge(data, 1e12, prior);
  EXPECT_THAT(fit.weights,
              ElementsAre(DoubleNear(5, 1e-9), DoubleNear(0, 1e-9), DoubleNear(-2, 1e-9)));
  double left = 0;  // the mean of what the prior leaves
  for (std::size_t i = 0; i < data.size(); ++i) {
    left +=
        data.weight(i) / Whole(data) * (data.targets[i] - 5 * data.row(i)[0] + 2 * data.row(i)[2]);
  }
  EXPECT_NEAR(fit.intercept, left, 1e-9);
  EXPECT_THAT(FitRidge(data, 1e12).weights, ::testing::Each(DoubleNear(0, 1e-9)));
}

TEST(FitRidge, StaysFiniteWhereTheDataSayLittle) {
  const RegressionData rows[] = {
      {.features = 2, .rows = {1, 2}, .targets = {4}},                    // one example
      {.features = 2, .rows = {0, 0, 0, 0}, .targets = {1, 3}},           // nothing changes
      {.features = 2, .rows = {1, 1, 2, 2, 3, 3}, .targets = {1, 2, 3}},  // two alike
      {.features = 3, .rows = {1, 0, 0, 0, 1, 0}, .targets = {2, 2}},     // one target for all
  };
  for (const RegressionData& data : rows) {
    for (const std::optional<double> penalty : {std::optional<double>(), std::optional(0.0)}) {
      const RidgeFit fit = FitRidge(data, penalty);
      EXPECT_TRUE(std::isfinite(fit.intercept));
      for (const double weight : fit.weights) {
        EXPECT_TRUE(std::isfinite(weight));
      }
    }
  }
  EXPECT_DOUBLE_EQ(FitRidge(rows[0]).intercept, 4);
  EXPECT_DOUBLE_EQ(FitRidge(rows[1]).intercept, 2);
  const RidgeFit twins = FitRidge(rows[2]);
  EXPECT_NEAR(twins.weights[0], twins.weights[1], 1e-9);
}

}  // namespace
}  // namespace nearfar
