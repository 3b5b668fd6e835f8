#include "schedule/turns.h"

#include <cassert>
#include <cstddef>
#include <vector>

#include "schedule/pace.h"

namespace nearfar {

Assignment Turns::Assign(const WorkDeal& deal) {
  const std::vector<Pace> paces = PacesOf(deal.nodes);
  std::map<LinkId, double> owed;
  for (const NodeState& node : deal.nodes) {
    if (node.ready) {
      owed[node.link] = owed_.contains(node.link) ? owed_.at(node.link) : 0;
    }
  }
  owed_ = std::move(owed);
  assert(!owed_.empty());
  Assignment assignment{.decided_by = name()};
  for (const Work& region : deal.work) {
    double all = 0;
    for (std::size_t i = 0; i < deal.nodes.size(); ++i) {
      all += deal.nodes[i].ready ? 1 / paces[i].Of(region.pixels) : 0;
    }
    int next = -1;
    for (std::size_t i = 0; i < deal.nodes.size(); ++i) {
      if (!deal.nodes[i].ready) {
        continue;
      }
      double& claim = owed_[deal.nodes[i].link];
      claim += 1 / paces[i].Of(region.pixels) / all;
      if (next < 0 || claim > owed_[deal.nodes[static_cast<std::size_t>(next)].link]) {
        next = static_cast<int>(i);
      }
    }
    owed_[deal.nodes[static_cast<std::size_t>(next)].link] -= 1;
    assignment.node_of.push_back(next);
  }
  return assignment;
}

}  // namespace nearfar
