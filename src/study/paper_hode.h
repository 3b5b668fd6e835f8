#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"
#include "pipeline/named_planner.h"
#include "sim/box_source.h"
#include "sim/flow_loop.h"
#include "sim/simulate.h"
#include "sim/timed_policies.h"
#include "study/run_score.h"
#include "train/flow_training.h"
#include "train/schedule_training.h"

namespace nearfar {

/// How the second paper's evaluation [HODE §III] is done again.
struct HodeStudyOptions {
  double fps = 10;             ///< of the scenes' frames; > 0
  double judged_from = 0.6;    ///< share of a scene's frames before those that are scored: the part
                               ///< that networks are trained on; in [0, 1)
  std::size_t examples = 600;  ///< most frames of a scene that the flow network is trained on; > 0
  int epochs = 12;             ///< of it; > 0
  int lag = 1;                 ///< frames from a result to the plan that has it; >= 1
  ScheduleTrainingOptions schedule;  ///< of the DQN
  std::uint64_t seed = 1;

  friend bool operator==(const HodeStudyOptions&, const HodeStudyOptions&) = default;
};

/// Errors: kInvalidInput, naming the option.
Expected<void> Validate(const HodeStudyOptions& options);

/// The people of a source as a scene for flow filters, cut by tiles of that size.
/// REQUIRES: a source with frames of one size, whose truth is known.
FlowScene FlowSceneOf(std::string name, const BoxSource& boxes, Size tile, double fps);

// ---- Figure 8: the flow network ---------------------------------------------------------------

/// The flow network trained on the scenes [HODE Fig. 8]; with what the people followed forecast, or
/// as printed, from counts alone.
Expected<TrainedFlowNetwork> TrainFlow(const std::vector<FlowScene>& scenes, bool forecast,
                                       const HodeStudyOptions& options);

/// That network as the state of a "flow-net" filter for this grid.
std::string FlowStateOf(const TrainedFlowNetwork& trained, const TileGrid& grid);

// ---- Figure 12: what flow filters say ---------------------------------------------------------

/// How often a filter that sees everything is right about a cell, on the frames that nothing was
/// trained on.
struct FlowAccuracy {
  std::string filter;
  std::vector<double> by_scene;

  double mean() const;
};

/// Of both networks' binary maps, of comp-1 ... comp-5, of the filter that follows people and
/// probes (every probe of an empty cell counts as wrong) and of none, which calls no cell empty.
/// [HODE Fig. 12]
std::vector<FlowAccuracy> AccuraciesOf(const std::vector<FlowScene>& scenes,
                                       const TrainedFlowNetwork& printed,
                                       const TrainedFlowNetwork& with_forecast,
                                       const HodeStudyOptions& options);

// ---- Figure 9: the DQN ------------------------------------------------------------------------

/// A scheduler that has learned, and how. [HODE Fig. 9]
struct TrainedScheduler {
  std::string scheduler;
  std::string state;
  std::vector<ScheduleTrainingPoint> curve;
};

/// The nodes as a world for schedulers: frames have as many regions as cells in which people stand
/// in the scenes, as large as a tile with its padding; two frames in flight, measured speeds.
ScheduleWorld WorldOf(std::span<const SimulatedNode> nodes, std::span<const HostModel> hosts,
                      const std::vector<FlowScene>& scenes);

/// Trains "dqn", as printed, or "factored-dqn". Errors: those of MakeScheduler and TrainScheduler;
/// kInvalidInput for more nodes than it can deal out to.
Expected<TrainedScheduler> TrainSchedulerIn(const ScheduleWorld& world, const std::string& name,
                                            const HodeStudyOptions& options);

// ---- Figures 11 and 13, overhead: planners in the simulator -----------------------------------

/// What policies have learned beforehand: states of FlowFilter and Scheduler by the policy's name.
struct LearnedPolicies {
  std::map<std::string, std::string> filters;
  std::map<std::string, std::string> schedulers;
};

/// One planner over one scene.
struct PlannerRun {
  std::string planner;
  std::string scene;
  RunScore whole;                       ///< from the first frame: learning included
  RunScore judged;                      ///< the frames that nothing was trained on
  TimesByFrame filter_times;            ///< real, of the judged frames
  TimesByFrame scheduler_times;         ///< real, of the judged frames
  Duration training{};                  ///< real, aside
  std::string filter_state;             ///< what its flow filter has learned by the end
  std::optional<std::size_t> on_since;  ///< the first frame of which a tile was skipped
  std::vector<double> emitted_s;        ///< by frame: when, since the first came
  FrameRecord last;                     ///< the last frame, for pictures of it
};

/// Runs a planner over a scene in the simulator; its policies begin with what they have learned.
/// Errors: those of the policies' parts.
Expected<PlannerRun> RunPlanner(const PlannerSpec& spec, const LearnedPolicies& learned,
                                const std::string& scene, const BoxSource& boxes,
                                std::span<const SimulatedNode> nodes,
                                const SimulationOptions& simulation,
                                const HodeStudyOptions& options, const Clock& clock);

/// Ours as it is compared here: a planner "hode" with smaller tiles, padding that reaches for most
/// people only, and a filter that holds 95 % of the people whom detectors are sure of.
PlannerSpec Tuned(PlannerSpec hode);

/// The nodes without what changes their power: `power`, slow-downs and outages.
std::vector<SimulatedNode> SteadyNodes(std::span<const SimulatedNode> nodes);

// ---- Figures 2 and 3: whole frames ------------------------------------------------------------

/// The AP of whole frames scaled so that their longer side has so many px. [HODE Fig. 2]
struct ResolutionAp {
  int side = 0;
  std::vector<std::optional<double>> by_model;
};
std::vector<ResolutionAp> ApByResolution(const BoxSource& boxes, std::size_t models,
                                         std::span<const int> sides);

/// The time that one whole frame of that size takes at a node, alone. [HODE Fig. 3]
Duration WholeFrameTime(const NodeModel& node, Size frame);

}  // namespace nearfar
