#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/phrase.h"
#include "core/rng.h"
#include "discriminate/discriminator.h"

namespace nearfar {

/// What an upload costs: as estimated before it, or as it came to.
struct UploadCost {
  std::int64_t bytes = 0;
  Duration time{};
};

/// What becomes of one region, and with which chances it would have become so. The chances are those
/// of this one decision, given everything that the policy had seen before it.
struct UploadChoice {
  bool upload = false;
  double threshold = 0;    ///< in the discriminator's scale: above it a region is uploaded, at it by
                           ///< chance where the policy says so
  double probability = 0;  ///< of an upload, for whichever reason; audits included
  bool audit = false;      ///< an upload that measures what stays near: nobody waits for its answer
  double audit_probability = 0;  ///< of an audit, given that the region would stay near otherwise
  std::string reason;            ///< why the policy overrules the discriminator's verdict; else empty
};

/// Turns gain scores into actions. Not thread-safe.
class UploadPolicy {
 public:
  virtual ~UploadPolicy() = default;
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  /// Whether it compares scores with each other, and not with a threshold in the discriminator's own
  /// scale.
  virtual bool ranks() const { return false; }
  virtual UploadChoice Choose(const Gain& gain, const UploadCost& cost, TimePoint now) = 0;
  /// An upload that nobody chose will be sent: the near model has failed.
  virtual void Add(const UploadCost& /*estimated*/, TimePoint /*now*/) {}
  /// An upload chosen or added was not sent: the link rested, or had no room for an audit. At most
  /// once for each.
  virtual void Withdraw(const UploadCost& /*estimated*/, TimePoint /*now*/) {}
  /// What an upload that was sent has come to; may come late or never, and at most once for each.
  virtual void Observe(const UploadCost& /*estimated*/, const UploadCost& /*actual*/,
                       TimePoint /*now*/) {}
};

/// Uploads above a fixed threshold; without one, where the discriminator itself says "difficult".
/// Audits what stays near with a fixed probability.
class ThresholdPolicy final : public UploadPolicy {
 public:
  ThresholdPolicy() = default;
  /// REQUIRES: 0 <= audit <= 1.
  explicit ThresholdPolicy(double threshold, double audit = 0, std::uint64_t seed = 0)
      : has_threshold_(true), threshold_(threshold), audit_(audit), rng_(MixBits(seed ^ HashText("audit"))) {}

  std::string name() const override { return "threshold"; }
  std::string version() const override { return "1"; }
  UploadChoice Choose(const Gain& gain, const UploadCost& /*cost*/, TimePoint /*now*/) override {
    UploadChoice choice{.upload = has_threshold_ ? gain.score > threshold_ : gain.difficult,
                        .threshold = threshold_,
                        .audit_probability = audit_};
    choice.probability = choice.upload ? 1 : audit_;
    if (!choice.upload && rng_.Chance(audit_)) {
      choice.upload = choice.audit = true;
      choice.reason = "audit, by a chance of " + ShortNumber(audit_);
    }
    return choice;
  }

 private:
  bool has_threshold_ = false;
  double threshold_ = 0;
  double audit_ = 0;
  Rng rng_{0};
};

}  // namespace nearfar
