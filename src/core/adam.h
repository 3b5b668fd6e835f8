#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace nearfar {

/// Gradient descent by Adam with decoupled weight decay, over several lists of numbers that are
/// stepped together. The rate falls to 0 along half a cosine, and stays there.
class Adam {
 public:
  struct Options {
    double learning_rate = 3e-3;  ///< > 0
    double weight_decay = 0;  ///< share of a number taken off per step, in units of the rate; >= 0
    double steps = 1;         ///< after which the rate is 0; > 0
  };
  explicit Adam(const Options& options) : options_(options) {}

  /// Begins the next step: then Step is called for each list, always in the same order.
  void Begin() {
    constexpr double kPi = 3.14159265358979323846;
    const double part = std::min(step_ / options_.steps, 1.0);
    rate_ = options_.learning_rate * 0.5 * (1 + std::cos(kPi * part));
    ++step_;
    list_ = 0;
  }

  /// @param scale  of the gradient, as 1 / batch.
  /// @param decays  whether weight decay works on this list.
  void Step(std::vector<float>& values, const std::vector<float>& gradient, double scale,
            bool decays = true) {
    if (list_ == moments_.size()) {
      moments_.push_back({std::vector<float>(values.size()), std::vector<float>(values.size())});
    }
    Moments& m = moments_[list_++];
    const auto s = static_cast<float>(scale);
    const auto keep = static_cast<float>(1 - (decays ? rate_ * options_.weight_decay : 0));
    const auto rate = static_cast<float>(rate_ / (1 - std::pow(double{kFirst}, step_)));
    const auto root = static_cast<float>(1 / std::sqrt(1 - std::pow(double{kSecond}, step_)));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float g = s * gradient[i];
      m.first[i] = kFirst * m.first[i] + (1 - kFirst) * g;
      m.second[i] = kSecond * m.second[i] + (1 - kSecond) * g * g;
      values[i] = keep * values[i] - rate * m.first[i] / (std::sqrt(m.second[i]) * root + 1e-8F);
    }
  }

 private:
  static constexpr float kFirst = 0.9F;
  static constexpr float kSecond = 0.999F;
  struct Moments {
    std::vector<float> first;
    std::vector<float> second;
  };

  Options options_;
  double step_ = 0;
  double rate_ = 0;
  std::size_t list_ = 0;
  std::vector<Moments> moments_;
};

}  // namespace nearfar
