#include "schedule/proportional.h"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "schedule/dispatch.h"
#include "schedule/pace.h"

namespace nearfar {
namespace {

template <typename WeightOf>
Assignment ByWeights(const WorkDeal& deal, const char* name, WeightOf weight_of) {
  if (deal.work.empty()) {
    return {{}, name};
  }
  std::vector<double> weights;
  bool any = false;
  for (std::size_t i = 0; i < deal.nodes.size(); ++i) {
    weights.push_back(deal.nodes[i].ready ? weight_of(i) : 0);
    any = any || deal.nodes[i].ready;
  }
  assert(any);
  return {DispatchShares(deal.nodes, deal.work, weights), name};
}

}  // namespace

Assignment EqualShares::Assign(const WorkDeal& deal) {
  return ByWeights(deal, "equal", [](std::size_t) { return 1.0; });
}

Assignment SpeedShares::Assign(const WorkDeal& deal) {
  std::int64_t pixels = 0;
  for (const Work& region : deal.work) {
    pixels += region.pixels;
  }
  const std::int64_t mean =
      deal.work.empty() ? 1 : pixels / static_cast<std::int64_t>(deal.work.size());
  const std::vector<Pace> paces = PacesOf(deal.nodes);
  return ByWeights(deal, "salbs", [&](std::size_t i) { return 1 / paces[i].Of(mean); });
}

}  // namespace nearfar
