#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/expected.h"
#include "core/geometry.h"
#include "flow/flow_filter.h"

namespace nearfar {

/// A flow filter by name, as it stands in flags and YAML. Options that a filter has no use for are
/// checked all the same, and ignored.
struct FlowFilterSpec {
  std::string name = "flow";
  double target_recall = 0.995;   ///< share of the people that must be looked at; in (0, 1)
  std::uint64_t seed = 1;         ///< of the draw of full-look frames
  double full_look_share = 0.02;  ///< of frames drawn to be looked at whole; in [0, 1]
  int max_age = 80;               ///< frames after which a cell is looked at anyway; >= 1
  Size padding;  ///< of the tiles, in px: whom recall counts as looked at (LearningOptions); >= 0
  bool unknown_is_empty = false;  ///< of comp-i alone: skipped cells are taken for empty ones

  friend bool operator==(const FlowFilterSpec&, const FlowFilterSpec&) = default;
};

struct FlowFilterInfo {
  std::string_view name;
  std::string_view summary;
};

/// All flow filters that can be had by name.
std::span<const FlowFilterInfo> KnownFlowFilters();

/// Errors: kNotFound for an unknown name, naming those there are; kInvalidInput for a value out of
/// its range.
Expected<void> Validate(const FlowFilterSpec& spec);

/// Makes a flow filter by name. Errors: those of Validate.
Expected<std::unique_ptr<FlowFilter>> MakeFlowFilter(const FlowFilterSpec& spec);

}  // namespace nearfar
