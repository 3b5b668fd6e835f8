#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "schedule/scheduler.h"

namespace nearfar {

/// Idle nodes that take this many ms for a million pixels; 0: never measured.
inline std::vector<NodeState> NodesOf(const std::vector<double>& milliseconds,
                                      const std::vector<double>& qualities = {}) {
  std::vector<NodeState> nodes;
  for (std::size_t i = 0; i < milliseconds.size(); ++i) {
    nodes.push_back({.link = LinkId{static_cast<std::uint32_t>(i + 1)},
                     .px_per_second = milliseconds[i] > 0 ? 1e9 / milliseconds[i] : 0,
                     .quality = qualities.empty() ? 0 : qualities[i]});
  }
  return nodes;
}

/// Regions of a million pixels each, with these crowds.
inline std::vector<Work> WorkOf(const std::vector<double>& crowds) {
  std::vector<Work> work;
  for (const double crowd : crowds) {
    work.push_back({RegionId{static_cast<std::uint32_t>(work.size())}, 1'000'000, crowd});
  }
  return work;
}

inline std::vector<Work> EqualWork(std::size_t regions) {
  return WorkOf(std::vector<double>(regions));
}

/// How many regions each node got; the last number: how many were held back.
inline std::vector<int> CountsOf(const Assignment& assignment, std::size_t nodes) {
  std::vector<int> counts(nodes + 1);
  for (const int node : assignment.node_of) {
    ++counts[node == Assignment::kHeldBack ? nodes : static_cast<std::size_t>(node)];
  }
  return counts;
}

}  // namespace nearfar
