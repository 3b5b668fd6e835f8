#include "schedule/makespan_bound.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <functional>
#include <queue>
#include <utility>

namespace nearfar {

Duration MakespanBound(std::span<const Duration> per_region, int regions) {
  // Whenever a node is through, it takes the next region: the n-th end is the bound.
  using End = std::pair<Duration, std::size_t>;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  for (std::size_t i = 0; i < per_region.size(); ++i) {
    if (per_region[i] > Duration::zero()) {
      ends.push({per_region[i], i});
    }
  }
  Duration end{};
  for (int n = 0; n < regions; ++n) {
    assert(!ends.empty());
    const auto [at, node] = ends.top();
    ends.pop();
    end = at;
    ends.push({at + per_region[node], node});
  }
  return end;
}

Duration MakespanBound(std::span<const TrueSpeed> nodes, std::span<const std::int64_t> pixels) {
  if (pixels.empty()) {
    return {};
  }
  const auto time_of = [](const TrueSpeed& node, double px) {
    return node.per_region + std::chrono::round<Duration>(
                                 std::chrono::duration<double>(px / node.px_per_second));
  };
  const auto [smallest, largest] = std::minmax_element(pixels.begin(), pixels.end());
  std::vector<Duration> of_smallest;
  Duration quickest = Duration::max();
  double all_px = 0;
  for (const std::int64_t px : pixels) {
    all_px += static_cast<double>(px);
  }
  // Cut at will, but each node's fixed time spread over regions as large as the largest.
  double px_per_second = 0;
  for (const TrueSpeed& node : nodes) {
    if (node.px_per_second <= 0) {
      of_smallest.push_back({});
      continue;
    }
    of_smallest.push_back(time_of(node, static_cast<double>(*smallest)));
    const Duration of_largest = time_of(node, static_cast<double>(*largest));
    quickest = std::min(quickest, of_largest);
    px_per_second += static_cast<double>(*largest) /
                     std::chrono::duration<double>(of_largest).count();
  }
  assert(px_per_second > 0);
  const auto fluid =
      std::chrono::round<Duration>(std::chrono::duration<double>(all_px / px_per_second));
  return std::max({fluid, quickest, MakespanBound(of_smallest, static_cast<int>(pixels.size()))});
}

}  // namespace nearfar
