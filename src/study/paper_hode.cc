#include "study/paper_hode.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "flow/factory.h"
#include "flow/network_filter.h"
#include "pipeline/parallel_planner.h"
#include "schedule/dqn.h"
#include "schedule/factored_dqn.h"
#include "schedule/factory.h"

namespace nearfar {
namespace {

/// The first frame that is scored.
std::size_t JudgedFrom(std::size_t frames, const HodeStudyOptions& options) {
  const auto from = static_cast<std::size_t>(options.judged_from * static_cast<double>(frames));
  return std::min(from, frames - 1);
}

/// [HODE §III.C] splits 3:1:1; the last fifth is what neither training nor the choice of a
/// threshold has seen.
std::size_t TestFrom(const FlowScene& scene) { return scene.frames.size() * 4 / 5; }

}  // namespace

Expected<void> Validate(const HodeStudyOptions& options) {
  const auto wrong = [](const std::string& what) {
    return Fail(ErrorCode::kInvalidInput, "paper hode: " + what);
  };
  if (!(options.fps > 0)) {
    return wrong("fps must be above 0");
  }
  if (!(options.judged_from >= 0 && options.judged_from < 1)) {
    return wrong("judged-from must be in [0, 1)");
  }
  if (options.examples < 10) {
    return wrong("examples must be at least 10");
  }
  if (options.epochs < 1 || options.schedule.episodes < 1 ||
      options.schedule.frames_per_episode < 1) {
    return wrong("epochs, episodes and frames of an episode must be above 0");
  }
  if (options.lag < 1) {
    return wrong("lag must be at least 1");
  }
  return {};
}

FlowScene FlowSceneOf(std::string name, const BoxSource& boxes, Size tile, double fps) {
  FlowScene scene{.name = std::move(name), .grid = MakeTileGrid(boxes.Frame(0).size, tile)};
  for (std::size_t i = 0; i < boxes.frames(); ++i) {
    FlowFrame frame{.captured = TimePoint{} + FromMilliseconds(1e3 * static_cast<double>(i) / fps)};
    const std::vector<TruthObject>* const objects = boxes.TruthOf(i);
    assert(objects != nullptr);
    for (const TruthObject& object : *objects) {
      frame.people.push_back(object.box);
    }
    scene.frames.push_back(std::move(frame));
  }
  return scene;
}

Expected<TrainedFlowNetwork> TrainFlow(const std::vector<FlowScene>& scenes, bool forecast,
                                       const HodeStudyOptions& options) {
  return TrainOnScenes(scenes, options.lag, options.examples, forecast,
                       {.epochs = options.epochs, .seed = options.seed});
}

std::string FlowStateOf(const TrainedFlowNetwork& trained, const TileGrid& grid) {
  NetworkFilter filter;
  filter.SetGrid(grid);
  filter.Use(trained.network, trained.threshold);
  return filter.SaveState();
}

double FlowAccuracy::mean() const {
  return std::accumulate(by_scene.begin(), by_scene.end(), 0.0) /
         static_cast<double>(by_scene.size());
}

std::vector<FlowAccuracy> AccuraciesOf(const std::vector<FlowScene>& scenes,
                                       const TrainedFlowNetwork& printed,
                                       const TrainedFlowNetwork& with_forecast,
                                       const HodeStudyOptions& options) {
  std::vector<FlowAccuracy> accuracies;
  const auto add = [&](const std::string& name, const auto& accuracy_of) {
    FlowAccuracy accuracy{.filter = name};
    for (const FlowScene& scene : scenes) {
      accuracy.by_scene.push_back(accuracy_of(scene));
    }
    accuracies.push_back(std::move(accuracy));
  };
  for (const bool forecast : {false, true}) {
    add(forecast ? "flow-net with forecast" : "flow-net as printed", [&](const FlowScene& scene) {
      NetworkFilter filter =
          BinaryMapFilter(forecast ? with_forecast : printed, scene.grid, forecast);
      return OpenLoopAccuracy(scene, filter, options.lag, TestFrom(scene));
    });
  }
  for (int back = 1; back <= 5; ++back) {
    const std::string name = "comp-" + std::to_string(back);
    add(name, [&](const FlowScene& scene) {
      const auto filter = MakeFlowFilter({.name = name}).value();
      return OpenLoopAccuracy(scene, *filter, options.lag, TestFrom(scene));
    });
  }
  for (const char* const name : {"index", "all"}) {
    add(name, [&](const FlowScene& scene) {
      const auto filter = MakeFlowFilter({.name = name, .seed = options.seed}).value();
      return OpenLoopAccuracy(scene, *filter, options.lag, TestFrom(scene));
    });
  }
  return accuracies;
}

ScheduleWorld WorldOf(std::span<const SimulatedNode> nodes, std::span<const HostModel> hosts,
                      const std::vector<FlowScene>& scenes) {
  ScheduleWorld world{.hosts = {hosts.begin(), hosts.end()}, .in_flight = 2};
  for (const SimulatedNode& node : nodes) {
    world.nodes.push_back(node.model);
  }
  double occupied = 0;
  double squares = 0;
  double frames = 0;
  int most = 1;
  std::vector<float> heights;
  for (const FlowScene& scene : scenes) {
    most = std::max(most, scene.grid.cells());
    for (const FlowFrame& frame : scene.frames) {
      std::vector<bool> cells(static_cast<std::size_t>(scene.grid.cells()));
      for (const Box& person : frame.people) {
        cells[static_cast<std::size_t>(scene.grid.CellOf(person))] = true;
        heights.push_back(person.y2 - person.y1);
      }
      const auto count = static_cast<double>(std::count(cells.begin(), cells.end(), true));
      occupied += count;
      squares += count * count;
      ++frames;
    }
  }
  if (frames > 0 && occupied > 0) {
    const double mean = occupied / frames;
    const double deviation = std::sqrt(std::max(0.0, squares / frames - mean * mean));
    world.load = {.mean = mean,
                  .step = deviation * std::sqrt(1 - world.load.memory * world.load.memory),
                  .least = 1,
                  .most = most};
  }
  if (!scenes.empty() && !heights.empty()) {
    const Size tile = scenes.front().grid.tile;
    const auto pad = static_cast<std::int64_t>(Percentile(heights, 90));
    world.region_px = (tile.width + 2 * pad) * (tile.height + 2 * pad);
  }
  return world;
}

Expected<TrainedScheduler> TrainSchedulerIn(const ScheduleWorld& world, const std::string& name,
                                            const HodeStudyOptions& options) {
  std::unique_ptr<LearningScheduler> scheduler;
  std::size_t most = 0;
  if (name == "dqn") {
    scheduler = std::make_unique<PaperDqn>(DqnOptions{.seed = options.seed});
    most = 5;
  } else {
    scheduler = std::make_unique<FactoredDqn>(FactoredDqnOptions{.seed = options.seed});
    most = FactoredDqn::kMostNodes;
  }
  if (world.nodes.size() > most) {
    return Fail(ErrorCode::kInvalidInput, name + " deals out to at most " + std::to_string(most) +
                                              " nodes, not to " +
                                              std::to_string(world.nodes.size()));
  }
  auto curve = TrainScheduler(*scheduler, std::span(&world, 1), options.schedule);
  if (!curve) {
    return tl::unexpected(curve.error());
  }
  return TrainedScheduler{name, scheduler->SaveState(), std::move(*curve)};
}

Expected<PlannerRun> RunPlanner(const PlannerSpec& spec, const LearnedPolicies& learned,
                                const std::string& scene, const BoxSource& boxes,
                                std::span<const SimulatedNode> nodes,
                                const SimulationOptions& simulation,
                                const HodeStudyOptions& options, const Clock& clock) {
  if (const auto valid = Validate(spec.options); !valid) {
    return tl::unexpected(valid.error());
  }
  auto filter = MakeFlowFilter(spec.filter);
  if (!filter) {
    return tl::unexpected(filter.error());
  }
  auto scheduler = MakeScheduler(spec.scheduler);
  if (!scheduler) {
    return tl::unexpected(scheduler.error());
  }
  if (const auto state = learned.filters.find(spec.filter.name); state != learned.filters.end()) {
    (*filter)->SetGrid(MakeTileGrid(boxes.Frame(0).size, spec.options.tile));
    if (const auto loaded = (*filter)->LoadState(state->second); !loaded) {
      return tl::unexpected(loaded.error());
    }
  }
  if (const auto state = learned.schedulers.find(spec.scheduler.name);
      state != learned.schedulers.end()) {
    if (const auto loaded = (*scheduler)->LoadState(state->second); !loaded) {
      return tl::unexpected(loaded.error());
    }
  }
  TimesByFrame filter_times;
  TimesByFrame scheduler_times;
  ParallelPlanner planner(
      spec.options,
      {.filter = std::make_unique<TimedFilter>(std::move(*filter), clock, filter_times),
       .scheduler =
           std::make_unique<TimedScheduler>(std::move(*scheduler), clock, scheduler_times)});
  SimulationOptions in_force = simulation;
  in_force.window = spec.window;
  const Simulated run = Simulate(planner, boxes, nodes, in_force, clock);
  const std::size_t from = JudgedFrom(run.frames.size(), options);
  const auto judged = [&](TimesByFrame& times) {
    times.resize(run.frames.size());
    return TimesByFrame(times.begin() + static_cast<std::ptrdiff_t>(from), times.end());
  };
  PlannerRun result{.planner = spec.name,
                    .scene = scene,
                    .whole = ScoreRun(boxes, run, spec.options.person_score),
                    .judged = ScoreRun(boxes, run, spec.options.person_score, from),
                    .filter_times = judged(filter_times),
                    .scheduler_times = judged(scheduler_times),
                    .training = run.training_time,
                    .filter_state = planner.filter().SaveState(),
                    .last = run.trace.frames.back()};
  for (std::size_t i = 0; i < run.frames.size() && !result.on_since; ++i) {
    const auto& tiles = run.trace.frames[i].tiles;
    if (tiles && tiles->cells.find('.') != std::string::npos) {
      result.on_since = i;
    }
  }
  for (const SimulatedFrame& frame : run.frames) {
    result.emitted_s.push_back(ToMilliseconds(frame.emitted - run.frames.front().arrived) / 1e3);
  }
  return result;
}

PlannerSpec Tuned(PlannerSpec hode) {
  hode.options.tile = {384, 384};
  hode.options.padding.reach = 0.75;
  hode.options.person_score = 0.6F;
  hode.filter.target_recall = 0.95;
  return hode;
}

std::vector<SimulatedNode> SteadyNodes(std::span<const SimulatedNode> nodes) {
  std::vector<SimulatedNode> steady(nodes.begin(), nodes.end());
  for (SimulatedNode& node : steady) {
    node.model.power.clear();
    node.model.outages.clear();
    node.model.slow_downs = {};
  }
  return steady;
}

std::vector<ResolutionAp> ApByResolution(const BoxSource& boxes, std::size_t models,
                                         std::span<const int> sides) {
  std::vector<ResolutionAp> rows;
  for (const int side : sides) {
    ResolutionAp row{.side = side};
    for (std::size_t m = 0; m < models; ++m) {
      std::vector<FrameDetections> found;
      for (std::size_t i = 0; i < boxes.frames(); ++i) {
        const Size frame = boxes.Frame(i).size;
        const double scale = static_cast<double>(side) / std::max(frame.width, frame.height);
        const Size input{std::max(1, static_cast<int>(std::lround(frame.width * scale))),
                         std::max(1, static_cast<int>(std::lround(frame.height * scale)))};
        found.push_back({i, boxes.Detect(i, {0, 0, frame.width, frame.height}, input, m)});
      }
      row.by_model.push_back(PersonAp(boxes, found));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Duration WholeFrameTime(const NodeModel& node, Size frame) {
  return node.per_region +
         FromMilliseconds(1e3 * static_cast<double>(frame.area()) / node.px_per_second);
}

}  // namespace nearfar
