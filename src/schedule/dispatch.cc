#include "schedule/dispatch.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "schedule/shares.h"

namespace nearfar {
namespace {

/// Places of nodes by falling quality, ties by index.
std::vector<std::size_t> ByQuality(std::span<const NodeState> nodes) {
  std::vector<std::size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return nodes[a].quality > nodes[b].quality;
  });
  return order;
}

/// Places of regions by falling crowd, ties in plan order.
std::vector<std::size_t> ByCrowd(std::span<const Work> work) {
  std::vector<std::size_t> order(work.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return work[a].crowd > work[b].crowd;
  });
  return order;
}

}  // namespace

std::vector<int> DispatchCounts(std::span<const NodeState> nodes, std::span<const Work> work,
                                std::span<const int> counts) {
  assert(counts.size() == nodes.size());
  std::vector<int> node_of(work.size());
  const std::vector<std::size_t> regions = ByCrowd(work);
  auto region = regions.begin();
  for (const std::size_t node : ByQuality(nodes)) {
    for (int k = 0; k < counts[node]; ++k) {
      assert(region != regions.end());
      node_of[*region++] = static_cast<int>(node);
    }
  }
  assert(region == regions.end());
  return node_of;
}

std::vector<int> DispatchShares(std::span<const NodeState> nodes, std::span<const Work> work,
                                std::span<const double> weights) {
  const bool equal = std::all_of(work.begin(), work.end(), [&](const Work& region) {
    return region.pixels == work.front().pixels;
  });
  if (equal) {
    return DispatchCounts(nodes, work, RoundShares(weights, static_cast<int>(work.size())));
  }
  std::int64_t pixels = 0;
  for (const Work& region : work) {
    pixels += region.pixels;
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::size_t> order = ByQuality(nodes);
  std::erase_if(order, [&](std::size_t node) { return weights[node] <= 0; });
  std::vector<int> node_of(work.size());
  std::size_t k = 0;
  double end = weights[order[0]] / sum * static_cast<double>(pixels);  // of node k's share
  double before = 0;
  for (const std::size_t region : ByCrowd(work)) {
    const double middle = before + static_cast<double>(work[region].pixels) / 2;
    while (middle >= end && k + 1 < order.size()) {
      end += weights[order[++k]] / sum * static_cast<double>(pixels);
    }
    node_of[region] = static_cast<int>(order[k]);
    before += static_cast<double>(work[region].pixels);
  }
  return node_of;
}

void ExchangeByCrowd(std::span<const NodeState> nodes, std::span<const Pace> paces,
                     std::span<const Work> work, double limit, bool spend,
                     std::vector<int>& node_of) {
  std::vector<double> ends(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    ends[i] = paces[i].busy;
  }
  for (std::size_t r = 0; r < work.size(); ++r) {
    if (node_of[r] >= 0) {
      const auto node = static_cast<std::size_t>(node_of[r]);
      ends[node] += paces[node].Of(work[r].pixels);
    }
  }
  limit += 1e-9;  // what ends at the limit ends in time
  const std::vector<std::size_t> largest_first = ByQuality(nodes);
  const std::vector<std::size_t> crowded_first = ByCrowd(work);
  for (const std::size_t r : crowded_first) {
    if (!spend || node_of[r] < 0) {
      continue;
    }
    const auto from = static_cast<std::size_t>(node_of[r]);
    for (const std::size_t to : largest_first) {
      if (nodes[to].quality <= nodes[from].quality) {
        break;
      }
      const double end = ends[to] + paces[to].Of(work[r].pixels);
      if (paces[to].ready && end <= limit) {
        ends[from] -= paces[from].Of(work[r].pixels);
        ends[to] = end;
        node_of[r] = static_cast<int>(to);
        break;
      }
    }
  }
  for (const std::size_t r : crowded_first) {
    if (node_of[r] < 0) {
      continue;
    }
    const auto from = static_cast<std::size_t>(node_of[r]);
    for (const std::size_t to : largest_first) {
      if (nodes[to].quality <= nodes[from].quality) {
        break;
      }
      // The least crowded region there that may come here instead.
      std::size_t other = work.size();
      for (auto it = crowded_first.rbegin(); it != crowded_first.rend(); ++it) {
        const std::size_t s = *it;
        if (work[s].crowd >= work[r].crowd) {
          break;
        }
        if (node_of[s] != static_cast<int>(to)) {
          continue;
        }
        const double end_to =
            ends[to] - paces[to].Of(work[s].pixels) + paces[to].Of(work[r].pixels);
        const double end_from =
            ends[from] - paces[from].Of(work[r].pixels) + paces[from].Of(work[s].pixels);
        if (end_to <= std::max(limit, ends[to]) && end_from <= std::max(limit, ends[from])) {
          ends[to] = end_to;
          ends[from] = end_from;
          other = s;
          break;
        }
      }
      if (other < work.size()) {
        std::swap(node_of[r], node_of[other]);
        break;
      }
    }
  }
}

}  // namespace nearfar
