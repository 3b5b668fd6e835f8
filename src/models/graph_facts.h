#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/tensor.h"

namespace nearfar {

/// What a graph says of itself: all that is known before it has been run.
struct GraphFacts {
  std::vector<TensorFacts> inputs;
  std::vector<TensorFacts> outputs;
  std::map<std::string, std::string> metadata;  ///< custom properties, e.g. Ultralytics' `names`
  std::string producer;
  std::string graph_name;

  friend bool operator==(const GraphFacts&, const GraphFacts&) = default;
};

}  // namespace nearfar
