#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/clock.h"

namespace nearfar {

/// The nearest-rank percentile: the smallest of the values that at least `percent` % of them do not
/// exceed. It is always one of the values. REQUIRES: values is not empty; 0 < percent <= 100.
template <typename T>
T Percentile(std::vector<T> values, double percent) {
  const double exact = percent / 100.0 * static_cast<double>(values.size());
  // 0.95 × 20 is 19.000000000000004 in floating point, and must stay rank 19.
  const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(exact - 1e-9)));
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(rank - 1);
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
