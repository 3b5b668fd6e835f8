#include "pipeline/named_planner.h"

#include <algorithm>
#include <array>

namespace nearfar {
namespace {

constexpr std::array kPlanners = {
    NamedPlannerInfo{"hode", "ours: learned filter, joined tiles, overview, border rule, earliest "
                             "completion"},
    NamedPlannerInfo{"hode-printed",
                     "the paper's: its network, one request a tile, duplicates by IoU, its DQN"},
    NamedPlannerInfo{"all-tiles", "hode that drops no tile"},
    NamedPlannerInfo{"infer-4k", "whole frames, dealt out by speed"},
    NamedPlannerInfo{"elf", "the last boxes grown by 30 %, dealt out by speed"},
    NamedPlannerInfo{"salbs", "hode-printed, dealt out by speed"},
    NamedPlannerInfo{"comp-1", "hode-printed that drops what was empty one frame ago"},
    NamedPlannerInfo{"comp-2", "the same, two frames ago"},
    NamedPlannerInfo{"comp-3", "the same, three frames ago"},
    NamedPlannerInfo{"comp-4", "the same, four frames ago"},
    NamedPlannerInfo{"comp-5", "the same, five frames ago"},
};

}  // namespace

std::span<const NamedPlannerInfo> KnownPlanners() { return kPlanners; }

Expected<PlannerSpec> NamedPlanner(std::string_view name, std::vector<NodeDescription> nodes) {
  const bool known = std::any_of(kPlanners.begin(), kPlanners.end(),
                                 [&](const NamedPlannerInfo& info) { return info.name == name; });
  if (!known) {
    std::string names;
    for (const NamedPlannerInfo& info : kPlanners) {
      names += (names.empty() ? "" : ", ") + std::string(info.name);
    }
    return Fail(ErrorCode::kNotFound,
                "there is no planner '" + std::string(name) + "'; there are " + names);
  }
  PlannerSpec spec{.name = std::string(name)};
  spec.options.nodes = std::move(nodes);
  spec.filter.name = "flow";
  spec.scheduler.name = "earliest";
  // In between: beyond this height a model finds hardly anybody more, and below this score boxes of
  // nothing are common (docs/benchmarks.md).
  spec.options.scale.wanted_height = 140;
  spec.options.padding.reach = 0.75;
  spec.options.person_score = 0.5F;
  spec.filter.target_recall = 0.98;
  if (name == "hode") {
    return spec;
  }
  if (name == "all-tiles") {
    spec.filter.name = "all";
    return spec;
  }
  // What the paper prints, and what it compares with.
  spec.options = {.nodes = std::move(spec.options.nodes)};
  spec.filter = {};
  spec.options.joining.on = false;
  spec.options.overview = 0;
  spec.options.merge = TileMerge::kIou;
  spec.filter.name = "flow-net";
  spec.scheduler.name = "dqn";
  if (name == "infer-4k") {
    spec.options.cut = FrameCut::kWhole;
    spec.filter.name = "all";
    spec.scheduler.name = "turns";
    spec.window = 2 * static_cast<int>(spec.options.nodes.size());  // a frame occupies one node
  } else if (name == "elf") {
    spec.options.cut = FrameCut::kBoxes;
    spec.options.full_every = 10;  // or nobody new is ever found; the paper names no interval
    spec.filter.name = "all";
    spec.scheduler.name = "salbs";
  } else if (name == "salbs") {
    spec.scheduler.name = "salbs";
  } else if (name.starts_with("comp-")) {
    spec.filter.name = name;
  }
  return spec;
}

Expected<std::unique_ptr<ParallelPlanner>> MakePlanner(
    const PlannerSpec& spec, std::unique_ptr<Discriminator> discriminator,
    std::unique_ptr<UploadPolicy> upload) {
  if (const auto valid = Validate(spec.options); !valid) {
    return tl::unexpected(valid.error());
  }
  const auto schedulers = KnownSchedulers();
  const auto scheduler_info =
      std::find_if(schedulers.begin(), schedulers.end(),
                   [&](const SchedulerInfo& info) { return info.name == spec.scheduler.name; });
  const auto near_nodes = std::count_if(spec.options.nodes.begin(), spec.options.nodes.end(),
                                        [](const NodeDescription& node) { return !node.far; });
  if (scheduler_info != schedulers.end() && scheduler_info->most_nodes > 0 &&
      near_nodes > scheduler_info->most_nodes) {
    return Fail(ErrorCode::kInvalidInput,
                "scheduler " + spec.scheduler.name + " deals out to at most " +
                    std::to_string(scheduler_info->most_nodes) + " nodes, not to " +
                    std::to_string(near_nodes));
  }
  auto filter = MakeFlowFilter(spec.filter);
  if (!filter) {
    return tl::unexpected(filter.error());
  }
  auto scheduler = MakeScheduler(spec.scheduler);
  if (!scheduler) {
    return tl::unexpected(scheduler.error());
  }
  return std::make_unique<ParallelPlanner>(
      spec.options,
      ParallelPolicies{.filter = std::move(*filter),
                       .scheduler = std::move(*scheduler),
                       .discriminator = std::move(discriminator),
                       .upload = std::move(upload)});
}

}  // namespace nearfar
