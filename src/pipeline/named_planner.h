#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "flow/factory.h"
#include "pipeline/parallel_planner.h"
#include "schedule/factory.h"

namespace nearfar {

/// What a ParallelPlanner is made of, as values; all but its cascade.
struct PlannerSpec {
  std::string name;
  ParallelPlannerOptions options;
  FlowFilterSpec filter;
  SchedulerSpec scheduler;
  int window = 2;  ///< frames in flight that suit it; >= 1

  friend bool operator==(const PlannerSpec&, const PlannerSpec&) = default;
};

struct NamedPlannerInfo {
  std::string_view name;
  std::string_view summary;
};

/// All ways through a large frame that can be had by name: ours, the paper's and what the paper
/// compares with.
std::span<const NamedPlannerInfo> KnownPlanners();

/// The planner of that name for these nodes. Errors: kNotFound, naming those there are.
Expected<PlannerSpec> NamedPlanner(std::string_view name, std::vector<NodeDescription> nodes);

/// Makes it, with a cascade at tile grain where both of the last are given.
/// Errors: those of the parts, naming the field.
Expected<std::unique_ptr<ParallelPlanner>> MakePlanner(
    const PlannerSpec& spec, std::unique_ptr<Discriminator> discriminator = nullptr,
    std::unique_ptr<UploadPolicy> upload = nullptr);

}  // namespace nearfar
