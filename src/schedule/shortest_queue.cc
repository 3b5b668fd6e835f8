#include "schedule/shortest_queue.h"

#include <cassert>
#include <cstddef>
#include <vector>

namespace nearfar {

Assignment ShortestQueue::Assign(const WorkDeal& deal) {
  std::vector<int> open;
  for (const NodeState& node : deal.nodes) {
    open.push_back(node.queued);
  }
  Assignment assignment{{}, name()};
  for (std::size_t region = 0; region < deal.work.size(); ++region) {
    int shortest = -1;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (deal.nodes[i].ready &&
          (shortest < 0 || open[i] < open[static_cast<std::size_t>(shortest)])) {
        shortest = static_cast<int>(i);
      }
    }
    assert(shortest >= 0);
    ++open[static_cast<std::size_t>(shortest)];
    assignment.node_of.push_back(shortest);
  }
  return assignment;
}

}  // namespace nearfar
