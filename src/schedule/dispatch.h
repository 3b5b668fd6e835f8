#pragma once

#include <span>
#include <vector>

#include "schedule/pace.h"
#include "schedule/scheduler.h"

namespace nearfar {

/// [HODE §II.B] accuracy-aware region dispatching, Algorithm 1 lines 6-7: sorts the regions by the
/// people expected in them and deals them out, the crowded ones to the nodes of the largest models,
/// to each node as many as it is to have. Ties by plan order, nodes of equal models by index.
/// @param counts  by node; REQUIRES: their sum is the number of regions.
/// @return by work, the index of its node.
std::vector<int> DispatchCounts(std::span<const NodeState> nodes, std::span<const Work> work,
                                std::span<const int> counts);

/// Deals out by shares: by DispatchCounts with the largest remainder where all regions are of one
/// size; else each node gets its share of the pixels, in the same order, a region going where its
/// middle falls. REQUIRES: weights by node, >= 0, 0 for nodes that are to have nothing, not all 0.
std::vector<int> DispatchShares(std::span<const NodeState> nodes, std::span<const Work> work,
                                std::span<const double> weights);

/// Improves a timed assignment in place: regions that hold more people change places with others on
/// larger models as long as nothing ends later than `limit` seconds from now. With equal regions and
/// a limit not below the assignment's end, this is the order of DispatchCounts.
/// @param spend  also moves regions to larger models without exchange where the limit allows: slack
///               before a deadline buys accuracy.
/// @param node_of  by work: a node, or Assignment::kHeldBack, which stays.
void ExchangeByCrowd(std::span<const NodeState> nodes, std::span<const Pace> paces,
                     std::span<const Work> work, double limit, bool spend,
                     std::vector<int>& node_of);

}  // namespace nearfar
