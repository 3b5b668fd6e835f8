#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "discriminate/discriminator.h"

namespace nearfar {

/// What an upload would cost, as estimated before it.
struct UploadCost {
  std::int64_t bytes = 0;
  Duration time{};
};

struct UploadChoice {
  bool upload = false;
  double threshold = 0;    ///< in the discriminator's scale
  double probability = 0;  ///< with which this policy uploads such a region
};

/// Turns gain scores into actions. Not thread-safe.
class UploadPolicy {
 public:
  virtual ~UploadPolicy() = default;
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  virtual UploadChoice Choose(const Gain& gain, const UploadCost& cost, TimePoint now) = 0;
  /// The actual cost of a past upload; may come late, twice or never.
  virtual void Observe(const UploadCost& /*actual*/, TimePoint /*now*/) {}
};

/// Uploads above a fixed threshold; without one, where the discriminator itself says "difficult".
class ThresholdPolicy final : public UploadPolicy {
 public:
  ThresholdPolicy() = default;
  explicit ThresholdPolicy(double threshold) : has_threshold_(true), threshold_(threshold) {}

  std::string name() const override { return "threshold"; }
  std::string version() const override { return "1"; }
  UploadChoice Choose(const Gain& gain, const UploadCost& /*cost*/, TimePoint /*now*/) override {
    const bool upload = has_threshold_ ? gain.score > threshold_ : gain.difficult;
    return {upload, threshold_, upload ? 1.0 : 0.0};
  }

 private:
  bool has_threshold_ = false;
  double threshold_ = 0;
};

}  // namespace nearfar
