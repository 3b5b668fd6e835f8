// Real time that the planner takes per frame at 4K, on one core: flow filter, scheduling, and all the
// rest of its step (splitting, joining, merging, bookkeeping). Frames come from the simulator: the
// people are synthetic tracks, whom every node finds; five uneven nodes; two frames in flight. The
// paper's line is 2.7 ms for its filter and 1 ms for its scheduling [HODE §III.E]; trainings aside
// are timed apart.

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/percentile.h"
#include "data/synthetic_tracks.h"
#include "pipeline/named_planner.h"
#include "sim/simulate.h"
#include "sim/timed_policies.h"
#include "sim/track_boxes.h"

namespace nearfar {
namespace {

constexpr int kFrames = 400;

std::vector<SimulatedNode> FiveNodes() {
  std::vector<SimulatedNode> nodes;
  for (const int tile_ms : {12, 10, 25, 15, 25}) {
    const auto number = static_cast<std::uint32_t>(nodes.size() + 1);
    nodes.push_back({.link = LinkId{number},
                     .name = "node-" + std::to_string(number),
                     .model = {.per_region = std::chrono::milliseconds(2),
                               .px_per_second = 512 * 512 / (1e-3 * (tile_ms - 2)),
                               .noise = 0.08,
                               .drift = {.sigma = 0.2}}});
  }
  return nodes;
}

void Row(const char* people, const char* filter, const char* scheduler, const BoxSource& boxes) {
  const std::vector<SimulatedNode> nodes = FiveNodes();
  std::vector<NodeDescription> descriptions;
  for (const SimulatedNode& node : nodes) {
    descriptions.push_back({.link = node.link, .name = node.name});
  }
  PlannerSpec spec = NamedPlanner("hode", descriptions).value();
  spec.filter.name = filter;
  spec.scheduler.name = scheduler;
  const SystemClock clock;
  TimesByFrame of_filter;
  TimesByFrame of_scheduler;
  ParallelPlanner planner(
      spec.options,
      {.filter = std::make_unique<TimedFilter>(MakeFlowFilter(spec.filter).value(), clock, of_filter),
       .scheduler = std::make_unique<TimedScheduler>(MakeScheduler(spec.scheduler).value(), clock,
                                                     of_scheduler)});
  const Simulated run = Simulate(planner, boxes, nodes, {.frames = kFrames}, clock);
  std::vector<Duration> rest;
  std::vector<Duration> both;
  of_scheduler.resize(run.step_times.size());
  of_filter.resize(run.step_times.size());
  std::size_t found = 0;
  for (std::size_t i = 0; i < run.step_times.size(); ++i) {
    rest.push_back(run.step_times[i] - of_filter[i] - of_scheduler[i]);
    both.push_back(of_filter[i] + of_scheduler[i]);
    found += run.trace.frames[i].detections.size();
  }
  const auto cell = [](const std::vector<Duration>& times) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f / %.3f", ToMilliseconds(Percentile(times, 50)),
                  ToMilliseconds(Percentile(times, 95)));
    return std::string(text);
  };
  std::printf("%7s  %8.0f  %-9s %-9s  %15s  %15s  %15s  %15s  %9.1f\n", people,
              static_cast<double>(found) / kFrames, filter, scheduler, cell(of_filter).c_str(),
              cell(of_scheduler).c_str(), cell(both).c_str(), cell(rest).c_str(),
              ToMilliseconds(run.training_time));
}

}  // namespace
}  // namespace nearfar

int main() {
  using namespace nearfar;
  std::printf("4K, tiles of 512 px, %d frames, p50 / p95 in ms per frame\n", kFrames);
  std::printf("%7s  %8s  %-9s %-9s  %15s  %15s  %15s  %15s  %9s\n", "people", "boxes", "filter",
              "scheduler", "filter", "scheduler", "both", "the rest", "training");
  for (const auto& [name, people] : {std::pair{"30", 30.0}, {"1300", 1300.0}}) {
    const Tracks tracks = MakeSyntheticTracks(
        {.frames = kFrames, .people = people, .far_height = 30, .near_height = 120});
    const auto boxes = MakeTrackBoxes(tracks, {PerfectDetector()}).value();
    for (const char* filter : {"all", "comp-1", "index", "flow", "flow-net"}) {
      if (MakeFlowFilter({.name = filter})) {
        Row(name, filter, "earliest", *boxes);
      }
    }
    for (const char* scheduler : {"salbs", "dqn", "dqn-factored"}) {
      if (MakeScheduler({.name = scheduler})) {
        Row(name, "flow", scheduler, *boxes);
      }
    }
  }
  return 0;
}
