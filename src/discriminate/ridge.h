#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace nearfar {

/// Examples of a regression, in rows.
struct RegressionData {
  std::size_t features = 0;
  std::vector<double> rows;     ///< row by row: examples x features
  std::vector<double> targets;  ///< one for each example
  std::vector<double> weights;  ///< one for each example, >= 0; empty: 1 each

  std::size_t size() const { return targets.size(); }
  std::span<const double> row(std::size_t i) const {
    return std::span(rows).subspan(i * features, features);
  }
  double weight(std::size_t i) const { return weights.empty() ? 1 : weights[i]; }
};

/// Mean and spread of each feature: what makes them comparable.
struct FeatureScaling {
  std::vector<double> means;
  std::vector<double> spreads;  ///< standard deviations; 0 for a feature that never changes, whose
                                ///< scaled value is 0

  double Scale(std::size_t feature, double value) const {
    return spreads[feature] > 0 ? (value - means[feature]) / spreads[feature] : 0;
  }
  friend bool operator==(const FeatureScaling&, const FeatureScaling&) = default;
};

/// REQUIRES: the weights have a positive sum.
FeatureScaling MeasureScaling(const RegressionData& data);

/// A linear estimate on scaled features.
struct RidgeFit {
  std::vector<double> weights;  ///< one for each feature
  double intercept = 0;
  double penalty = 0;  ///< in units of the examples' whole weight

  friend bool operator==(const RidgeFit&, const RidgeFit&) = default;
};

/// Weighted ridge regression on features that are scaled already: least is the weighted mean
/// squared error plus `penalty` times the squared length of (weights - prior). Where no penalty is
/// given, the one of a fixed list with the least leave-one-out error. REQUIRES: data.size() > 0;
/// the weights have a positive sum; prior empty (zeros) or one for each feature.
RidgeFit FitRidge(const RegressionData& scaled, std::optional<double> penalty = std::nullopt,
                  std::span<const double> prior = {});

}  // namespace nearfar
