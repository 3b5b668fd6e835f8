#include "schedule/speed.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>

namespace nearfar {
namespace {

constexpr double kLeastSeconds = 1e-6;
constexpr double kMostJump = 3;         // of one answer, in the log: 20 times slower or quicker
constexpr double kFirstBelief = 0.5;    // in the first sign of a jump
constexpr double kForget = 0.995;       // of the shape's sums, per answer
constexpr double kShapePrior = 0.01;    // in proportion to pixels, as a share of their mean squared
constexpr double kLeastSlope = 0.05;    // share of a mean region's time that grows with its pixels

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Expected<void> Validate(const SpeedOptions& options) {
  const auto wrong = [](const char* what) { return Fail(ErrorCode::kInvalidInput, what); };
  if (!(options.noise > 0 && options.noise <= 10)) {
    return wrong("noise: must lie in (0, 10]");
  }
  if (!(options.spread > 0 && options.spread <= 10)) {
    return wrong("spread: must lie in (0, 10]");
  }
  if (!(options.surprise > 0 && options.surprise <= 100)) {
    return wrong("surprise: must lie in (0, 100]");
  }
  if (options.memory <= Duration::zero() || options.level_memory < options.memory) {
    return wrong("memory: must be above 0, and level_memory not below it");
  }
  return {};
}

SpeedEstimator::SpeedEstimator(const SpeedOptions& options) : options_(options) {
  assert(Validate(options));
}

void SpeedEstimator::Observe(const NodeAnswer& answer) {
  assert(answer.pixels > 0);
  const TimePoint start = answers_ > 0 ? std::max(answer.sent, last_) : answer.sent;
  const double seconds =
      std::max({Seconds(answer.answered - start), Seconds(answer.compute), kLeastSeconds});
  const auto pixels = static_cast<double>(answer.pixels);
  if (answers_ == 0) {
    slope_ = 1 / pixels;
    level_ = std::log(seconds);
    variance_ = options_.spread * options_.spread;
    FitShape(pixels, 1);
    last_ = answer.answered;
    answers_ = 1;
    return;
  }
  const double elapsed = std::max(Seconds(answer.answered - last_), 0.0);
  const double fade = std::exp(-elapsed / Seconds(options_.memory));
  const double spread = options_.spread * options_.spread;
  deviation_ *= fade;
  variance_ = variance_ * fade * fade + spread * (1 - fade * fade);
  const double noise = options_.noise * options_.noise;
  const double surprise = std::clamp(std::log(seconds / Shape(pixels)) - level_ - deviation_,
                                     -kMostJump, kMostJump);
  double gain = variance_ / (variance_ + noise);
  if (std::abs(surprise) > options_.surprise * std::sqrt(variance_ + noise)) {
    variance_ = surprise * surprise;
    gain = kFirstBelief;
  }
  deviation_ += gain * surprise;
  variance_ *= 1 - gain;
  ++answers_;
  last_ = answer.answered;
  // The level follows the deviation slowly, but at first takes the mean of the answers.
  const double follow = std::max(1 - std::exp(-elapsed / Seconds(options_.level_memory)),
                                 1 / static_cast<double>(answers_));
  level_ += follow * deviation_;
  deviation_ -= follow * deviation_;
  FitShape(pixels, seconds / std::exp(level_ + deviation_));
}

void SpeedEstimator::FitShape(double pixels, double relative_time) {
  // A jump's first answers say nothing about sizes.
  const double y = std::clamp(relative_time, 0.5 * Shape(pixels), 2 * Shape(pixels));
  weight_ = kForget * weight_ + 1;
  x_ = kForget * x_ + pixels;
  xx_ = kForget * xx_ + pixels * pixels;
  y_ = kForget * y_ + y;
  xy_ = kForget * xy_ + pixels * y;
  const double mean_x = x_ / weight_;
  const double mean_y = y_ / weight_;
  const double variance = std::max(xx_ / weight_ - mean_x * mean_x, 0.0);
  const double covariance = xy_ / weight_ - mean_x * mean_y;
  const double prior = kShapePrior * mean_x * mean_x;
  const double in_proportion = mean_y / mean_x;
  slope_ = std::clamp((covariance + prior * in_proportion) / (variance + prior),
                      kLeastSlope * in_proportion, in_proportion);
  fixed_ = mean_y - slope_ * mean_x;
}

NodeSpeed SpeedEstimator::At(TimePoint now) const {
  if (answers_ == 0) {
    return {};
  }
  const double elapsed = std::max(Seconds(now - last_), 0.0);
  const double fade = std::exp(-elapsed / Seconds(options_.memory));
  const double scale = std::exp(level_ + fade * deviation_);
  const double spread = options_.spread * options_.spread;
  return {.px_per_second = 1 / (scale * slope_),
          .per_region = std::chrono::round<Duration>(
              std::chrono::duration<double>(std::max(scale * fixed_, 0.0))),
          .doubt = std::sqrt(variance_ * fade * fade + spread * (1 - fade * fade))};
}

}  // namespace nearfar
