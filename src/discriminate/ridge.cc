#include "discriminate/ridge.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

namespace nearfar {
namespace {

// From a light hand, for thousands of images, to a heavy one, for tens.
constexpr std::array kPenalties = {1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0};

/// A symmetric positive definite matrix as its Cholesky factor, row by row.
class Cholesky {
 public:
  Cholesky(std::vector<double> matrix, std::size_t size) : l_(std::move(matrix)), size_(size) {
    for (std::size_t i = 0; i < size_; ++i) {
      double* const row_i = l_.data() + i * size_;
      for (std::size_t j = 0; j <= i; ++j) {
        const double* const row_j = l_.data() + j * size_;
        double sum = row_i[j];
        for (std::size_t k = 0; k < j; ++k) {
          sum -= row_i[k] * row_j[k];
        }
        row_i[j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / row_j[j];
      }
    }
  }

  /// Solves L y = b in place.
  void Forward(std::vector<double>& b) const {
    for (std::size_t i = 0; i < size_; ++i) {
      const double* const row = l_.data() + i * size_;
      double sum = b[i];
      for (std::size_t k = 0; k < i; ++k) {
        sum -= row[k] * b[k];
      }
      b[i] = sum / row[i];
    }
  }
  /// Solves L' x = y in place.
  void Backward(std::vector<double>& y) const {
    for (std::size_t i = size_; i-- > 0;) {
      const double* const row = l_.data() + i * size_;
      y[i] /= row[i];
      for (std::size_t k = 0; k < i; ++k) {
        y[k] -= row[k] * y[i];
      }
    }
  }

 private:
  std::vector<double> l_;
  std::size_t size_;
};

double Dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

}  // namespace

FeatureScaling MeasureScaling(const RegressionData& data) {
  FeatureScaling scaling{std::vector<double>(data.features, 0),
                         std::vector<double>(data.features, 0)};
  double whole = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    whole += data.weight(i);
  }
  assert(whole > 0);
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t f = 0; f < data.features; ++f) {
      scaling.means[f] += data.weight(i) / whole * data.row(i)[f];
    }
  }
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t f = 0; f < data.features; ++f) {
      const double off = data.row(i)[f] - scaling.means[f];
      scaling.spreads[f] += data.weight(i) / whole * off * off;
    }
  }
  for (std::size_t f = 0; f < data.features; ++f) {
    const double spread = std::sqrt(scaling.spreads[f]);
    scaling.spreads[f] = spread > 1e-9 * (1 + std::abs(scaling.means[f])) ? spread : 0;
  }
  return scaling;
}

RidgeFit FitRidge(const RegressionData& scaled, std::optional<double> penalty,
                  std::span<const double> prior) {
  const std::size_t d = scaled.features;
  const std::size_t n = scaled.size();
  assert(n > 0 && (prior.empty() || prior.size() == d));
  double whole = 0;
  for (std::size_t i = 0; i < n; ++i) {
    whole += scaled.weight(i);
  }
  assert(whole > 0);
  // Features and targets about their weighted means: the intercept is not punished.
  std::vector<double> mean(d, 0);
  double mean_target = 0;
  const auto residual_target = [&](std::size_t i) {
    return scaled.targets[i] - (prior.empty() ? 0 : Dot(scaled.row(i), prior));
  };
  for (std::size_t i = 0; i < n; ++i) {
    const double w = scaled.weight(i) / whole;
    mean_target += w * residual_target(i);
    for (std::size_t f = 0; f < d; ++f) {
      mean[f] += w * scaled.row(i)[f];
    }
  }
  std::vector<double> covariance(d * d, 0);
  std::vector<double> moment(d, 0);
  std::vector<double> centred(n * d);
  for (std::size_t i = 0; i < n; ++i) {
    double* const x = centred.data() + i * d;
    for (std::size_t f = 0; f < d; ++f) {
      x[f] = scaled.row(i)[f] - mean[f];
    }
    const double w = scaled.weight(i) / whole;
    const double y = residual_target(i) - mean_target;
    for (std::size_t a = 0; a < d; ++a) {
      const double wx = w * x[a];
      if (wx == 0) {
        continue;
      }
      moment[a] += wx * y;
      double* const row = covariance.data() + a * d;
      for (std::size_t b = 0; b <= a; ++b) {
        row[b] += wx * x[b];
      }
    }
  }

  const auto factor = [&](double lambda) {
    std::vector<double> matrix = covariance;
    for (std::size_t f = 0; f < d; ++f) {
      matrix[f * d + f] += lambda;
    }
    return Cholesky(std::move(matrix), d);
  };
  const auto solve = [&](const Cholesky& cholesky) {
    std::vector<double> weights = moment;
    cholesky.Forward(weights);
    cholesky.Backward(weights);
    return weights;
  };
  double best_penalty = penalty.value_or(0);
  if (!penalty) {
    double least = std::numeric_limits<double>::infinity();
    std::vector<double> x(d);
    for (const double lambda : kPenalties) {
      const Cholesky cholesky = factor(lambda);
      const std::vector<double> weights = solve(cholesky);
      // Leave-one-out: the error of a fit without the example is e / (1 - h).
      double error = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double w = scaled.weight(i) / whole;
        x.assign(centred.begin() + static_cast<std::ptrdiff_t>(i * d),
                 centred.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
        const double e = residual_target(i) - mean_target - Dot(x, weights);
        cholesky.Forward(x);
        const double leverage = std::min(w * (1 + Dot(x, x)), 0.999);
        error += w * (e / (1 - leverage)) * (e / (1 - leverage));
      }
      if (error < least) {
        least = error;
        best_penalty = lambda;
      }
    }
  }
  RidgeFit fit{solve(factor(best_penalty)), mean_target, best_penalty};
  fit.intercept -= Dot(mean, fit.weights);
  for (std::size_t f = 0; f < d && !prior.empty(); ++f) {
    fit.weights[f] += prior[f];
  }
  return fit;
}

}  // namespace nearfar
