#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/expected.h"
#include "flow/count_grid.h"
#include "flow/residual_network.h"

namespace nearfar {

/// What the network saw before a frame, and what then stood there.
struct FlowExample {
  FlowInput input;
  std::vector<float> people;  ///< by cell
  std::vector<bool> known;    ///< by cell: it was looked at; others teach nothing

  friend bool operator==(const FlowExample&, const FlowExample&) = default;
};

struct FlowTrainingOptions {
  std::size_t channels = 8;     ///< > 0
  int epochs = 12;              ///< > 0
  int batch = 8;                ///< frames; > 0
  double learning_rate = 6e-3;  ///< of Adam, falling to 0; > 0
  double weight_decay = 1e-3;   ///< >= 0
  double hide = 0.5;  ///< share of the examples in which empty cells are hidden by chance, as
                      ///< a filter at work would not have seen them; in [0, 1]
  double target_recall = 0.995;  ///< that the threshold is chosen for; in (0, 1)
  std::uint64_t seed = 1;

  friend bool operator==(const FlowTrainingOptions&, const FlowTrainingOptions&) = default;
};

/// The loss curve of [HODE Fig. 8]: mean cross entropy by cell after each epoch.
struct FlowEpoch {
  double train = 0;
  double validation = 0;

  friend bool operator==(const FlowEpoch&, const FlowEpoch&) = default;
};

struct TrainedFlowNetwork {
  ResidualNetwork network;  ///< of the epoch with the least validation loss
  std::vector<FlowEpoch> curve;
  double threshold = 0.5;  ///< probability from which a cell is kept, for the target recall
  double test_loss = 0;
  double test_accuracy = 0;  ///< of the binary map (probability 0.5) on the part kept for it
  std::size_t examples = 0;

  friend bool operator==(const TrainedFlowNetwork&, const TrainedFlowNetwork&) = default;
};

/// Trains as [HODE §III.C] prints it: the first three fifths of the examples train, the next fifth
/// validates, the last tests; in order of time, so that no frame is judged by its neighbour.
/// Errors: kInvalidInput for fewer than 10 examples, or options out of range.
Expected<TrainedFlowNetwork> TrainFlowNetwork(std::vector<FlowExample> examples,
                                              const FlowTrainingOptions& options = {});

/// Goes on with several sequences at once: each is split 3:1:1 by itself.
Expected<TrainedFlowNetwork> TrainFlowNetwork(
    const std::vector<std::vector<FlowExample>>& sequences, const FlowTrainingOptions& options);

}  // namespace nearfar
