#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"

namespace nearfar {

/// The least time in which idle nodes can see `regions` equal regions, none of them cut: the least T
/// for which the floors of T / per_region sum to the regions. A node whose time is not above zero
/// does not work.
/// @return zero for no region. REQUIRES: regions >= 0; a node works, unless regions is 0.
Duration MakespanBound(std::span<const Duration> per_region, int regions);

/// A node's true speed, for the bound by pixels.
struct TrueSpeed {
  Duration per_region{};     ///< >= 0
  double px_per_second = 0;  ///< 0: does not work

  friend bool operator==(const TrueSpeed&, const TrueSpeed&) = default;
};

/// A time below which idle nodes cannot see regions of these sizes: the greatest of what the pixels
/// and fixed times alone take when they could be cut, of the largest region at its quickest node,
/// and of as many regions as small as the smallest. Equal regions: exactly MakespanBound.
/// REQUIRES: pixels > 0; a node works, unless there is no region.
Duration MakespanBound(std::span<const TrueSpeed> nodes, std::span<const std::int64_t> pixels);

}  // namespace nearfar
