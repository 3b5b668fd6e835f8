#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/clock.h"

namespace nearfar {

/// The place, counted from 1, of the percentile among `count` values in rising order: the first
/// that at least `percent` % of them do not exceed. REQUIRES: count > 0; 0 < percent <= 100.
inline std::size_t NearestRank(std::size_t count, double percent) {
  // 0.95 × 20 is 19.000000000000004 in floating point, and must stay rank 19.
  const double exact = percent / 100.0 * static_cast<double>(count);
  return static_cast<std::size_t>(std::max(1.0, std::ceil(exact - 1e-9)));
}

/// The nearest-rank percentile, always one of the values.
/// REQUIRES: values is not empty; 0 < percent <= 100.
template <typename T>
T Percentile(std::vector<T> values, double percent) {
  const auto nth =
      values.begin() + static_cast<std::ptrdiff_t>(NearestRank(values.size(), percent) - 1);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

/// How long things took: never a mean alone.
struct LatencyPercentiles {
  Duration p50{};
  Duration p95{};
  Duration p99{};

  friend bool operator==(const LatencyPercentiles&, const LatencyPercentiles&) = default;
};

/// REQUIRES: latencies is not empty.
inline LatencyPercentiles PercentilesOf(const std::vector<Duration>& latencies) {
  return {Percentile(latencies, 50), Percentile(latencies, 95), Percentile(latencies, 99)};
}

}  // namespace nearfar
