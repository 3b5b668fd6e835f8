#pragma once

#include <cstddef>
#include <vector>

#include "core/expected.h"
#include "flow/network_filter.h"
#include "flow/network_training.h"
#include "sim/flow_loop.h"

namespace nearfar {

/// What the flow network would have seen before each frame of a scene that is looked at whole, and
/// who then stood there. A result comes `lag` frames later: training has the lag in force.
/// REQUIRES: lag >= 1.
std::vector<FlowExample> FlowExamplesOf(const FlowScene& scene, int lag, bool forecast = true);

/// Trains one network on several scenes, each split 3:1:1 in order of time: [HODE §III.C], Figure 8.
/// @param most  examples taken of a scene, evenly spread over it; > 0.
/// Errors: those of TrainFlowNetwork.
Expected<TrainedFlowNetwork> TrainOnScenes(const std::vector<FlowScene>& scenes, int lag,
                                           std::size_t most, bool forecast,
                                           const FlowTrainingOptions& options);

/// The filter whose plan is the network's binary map (kept from a probability of 0.5) and nothing
/// else: for Figure 12.
NetworkFilter BinaryMapFilter(const TrainedFlowNetwork& trained, const TileGrid& grid,
                              bool forecast = true);

}  // namespace nearfar
