#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/clock.h"
#include "schedule/scheduler.h"

namespace nearfar {

/// What a node is taken to need, in seconds, measured or not.
struct Pace {
  bool ready = false;
  double per_region = 0;
  double per_pixel = 0;  ///< > 0
  double busy = 0;       ///< until all that is queued has been answered

  double Of(std::int64_t pixels) const {
    return per_region + per_pixel * static_cast<double>(pixels);
  }

  friend bool operator==(const Pace&, const Pace&) = default;
};

/// The paces of nodes, in their order. A node never measured is taken to be like the median of
/// those measured; where none is, all are alike.
std::vector<Pace> PacesOf(std::span<const NodeState> nodes);

/// Follows from deal to deal what each node is at, so that the region in work counts with its rest
/// alone, and a node that is overdue counts as slowed down before its answer says so.
class ProgressWatch {
 public:
  /// The paces at this deal. REQUIRES: deals in order of `now`.
  std::vector<Pace> Measure(std::span<const NodeState> nodes, TimePoint now);
  /// Takes note of what the deal gave, by node.
  void Given(std::span<const NodeState> nodes, std::span<const int> given, TimePoint now);

 private:
  struct Watched {
    LinkId link{};
    int queued = 0;
    TimePoint since{};  ///< when the region now in work began, if queued > 0
  };
  Watched& Of(LinkId link);

  std::vector<Watched> watched_;
};

}  // namespace nearfar
