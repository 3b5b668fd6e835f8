#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/ids.h"
#include "sim/node_model.h"
#include "trace/json_lines.h"

namespace nearfar {

/// A node as a run has shown it.
struct FittedNode {
  LinkId link{};
  std::string name;
  std::string model;        ///< of its answers, as the trace names it
  NodeModel node;           ///< fixed part, speed, noise and drift
  std::int64_t answers = 0; ///< fitted to
  double bytes_per_px = 0;  ///< of its uploads; 0 where the trace has none
  Duration network{};       ///< median of what an answer took beyond queue and inference: half of it
                            ///< is a delay each way

  friend bool operator==(const FittedNode&, const FittedNode&) = default;
};

/// Fits node models to the answers of a trace: service time over pixels by Theil-Sen lines, which a
/// few disturbed answers do not move; what remains is told apart into noise from answer to answer and
/// drift over time by how alike answers are that follow each other. Where all regions have one size,
/// everything grows with the pixels.
/// Errors: kInvalidInput when no node has at least `least` answers with a compute time; such nodes
/// are left out otherwise.
Expected<std::vector<FittedNode>> FitNodes(const Trace& trace, std::int64_t least = 20);

}  // namespace nearfar
