#pragma once

#include <cstdint>
#include <optional>

#include "core/clock.h"
#include "core/expected.h"

namespace nearfar {

/// One answer of a node, as whoever sent the request saw it.
struct NodeAnswer {
  TimePoint sent;
  TimePoint answered;     ///< >= sent
  std::int64_t pixels = 0;  ///< of the region; > 0
  Duration compute{};     ///< inside the node; zero when it does not say

  friend bool operator==(const NodeAnswer&, const NodeAnswer&) = default;
};

/// How fast a node is believed to be: a region takes per_region + pixels / px_per_second.
struct NodeSpeed {
  double px_per_second = 0;  ///< 0 = never measured
  Duration per_region{};     ///< >= 0
  double doubt = 0;          ///< standard deviation of the logarithm of a service time's expectation

  friend bool operator==(const NodeSpeed&, const NodeSpeed&) = default;
};

struct SpeedOptions {
  double noise = 0.1;    ///< standard deviation of the log of one service time; > 0
  double spread = 0.25;  ///< of the log of the speed about its level of long; > 0
  Duration memory = std::chrono::seconds(4);  ///< in which a deviation from that level dies away; > 0
  Duration level_memory = std::chrono::seconds(60);  ///< of the level; >= memory
  double surprise = 3;   ///< standard deviations beyond which the node may have changed at once; > 0

  friend bool operator==(const SpeedOptions&, const SpeedOptions&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const SpeedOptions& options);

/// Measures one node's speed, [HODE eq. 1] v_i, from its answers. The log of its service times is
/// filtered (a scalar Kalman filter about a slow level): small noise is averaged out, a jump is half
/// believed at its first sign and wholly at its second, an old belief fades towards the level. What
/// is fixed and what grows with the pixels is told apart once regions differ in size.
///
/// A service time lasts from the sending or the answer before it, whichever came later, to the
/// answer (the node works one by one), and at least for the compute time that the node names.
class SpeedEstimator {
 public:
  /// REQUIRES: Validate(options).
  explicit SpeedEstimator(const SpeedOptions& options = {});

  /// REQUIRES: pixels > 0; answers in order of `answered`.
  void Observe(const NodeAnswer& answer);
  /// What is believed at `now`, not before the last answer.
  NodeSpeed At(TimePoint now) const;
  bool measured() const { return answers_ > 0; }

 private:
  double Shape(double pixels) const { return fixed_ + slope_ * pixels; }
  void FitShape(double pixels, double relative_time);

  SpeedOptions options_;
  std::int64_t answers_ = 0;
  TimePoint last_{};
  double level_ = 0;      ///< log of seconds, for work of shape 1
  double deviation_ = 0;  ///< of the log from the level
  double variance_ = 0;   ///< of the deviation
  double fixed_ = 0;      ///< shape: about 1 for the mean region, fixed_ + slope_ · pixels
  double slope_ = 0;
  // Weighted sums for the shape: of 1, px, px², relative time, px · relative time.
  double weight_ = 0;
  double x_ = 0;
  double xx_ = 0;
  double y_ = 0;
  double xy_ = 0;
};

}  // namespace nearfar
