#include "cli/paper_hode.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/image/annotate.h"
#include "adapters/image/codec.h"
#include "cli/embedded.h"
#include "cli/flag_values.h"
#include "cli/hode_report.h"
#include "cli/open_recording.h"
#include "cli/open_tracks.h"
#include "cli/report.h"
#include "cli/simulation_setting.h"
#include "core/phrase.h"
#include "data/read_truth.h"
#include "data/text.h"
#include "eval/alignment.h"
#include "eval/average_precision.h"
#include "eval/matching.h"
#include "flow/learning_filter.h"
#include "study/paper_hode.h"

namespace nearfar::cli {
namespace {

constexpr std::array kFigures = {"2", "3", "8", "9", "10", "11", "12", "13", "overhead"};
constexpr std::array kSides = {960, 1920, 3840};
constexpr std::size_t kLeastFrames = 50;

// The paper's figures, where its text gives one.
constexpr double kPaperInfer4k = 6.02;
constexpr double kPaperHode = 12.13;
constexpr double kPaperSpeedUp = 2.01;
constexpr double kPaperAccuracy = 98.96;
constexpr double kPaperFilterMs = 2.7;
constexpr double kPaperSchedulerMs = 1;

/// "1=img1/000001.jpg": the number of a frame and its picture.
Expected<std::pair<long, std::string>> ParsePicture(const std::string& text) {
  const std::size_t equals = text.find('=');
  const auto number =
      equals == std::string::npos ? std::nullopt : ParseNumber(text.substr(0, equals));
  if (!number || equals + 1 == text.size() || std::abs(*number) > 1e9) {
    return Fail(ErrorCode::kInvalidInput,
                "--picture: '" + text + "' is not FRAME=FILE, as 1=img1/000001.jpg");
  }
  return std::pair(static_cast<long>(*number), text.substr(equals + 1));
}

struct HodeFlags {
  std::string setting;
  std::vector<std::string> tracks;
  std::vector<std::string> others;
  std::vector<std::string> figures;
  std::vector<std::string> recordings;
  std::string truth;
  std::vector<std::string> pictures;
  std::int64_t frames = 0;
  std::int64_t seed = -1;
  HodeStudyOptions study;
  std::string folder;
  bool json = false;
  bool markdown = false;
};

/// A scene of the run.
struct Scene {
  std::string path;
  std::string name;
  Tracks tracks;
  std::unique_ptr<BoxSource> boxes;
  FlowScene flow;
};

/// What the run has at hand, and what it has found out so far.
struct Study {
  const HodeFlags& flags;
  SimulationSetting& setting;
  std::vector<Scene> scenes;
  std::vector<FlowScene> flow_scenes;
  std::vector<Scene> others;  // that our filter learns from and nothing is judged on
  std::optional<TrainedFlowNetwork> printed_network;   // from counts alone
  std::optional<TrainedFlowNetwork> forecast_network;  // which "flow-net" runs
  std::vector<TrainedScheduler> schedulers;
  std::map<std::string, std::string> filter_states;  // of ours, after a scene, by its name
  std::map<std::string, LearnedPolicies> learned;    // before a scene, by its name
  std::vector<PlannerRun> runs;  // of Figure 11: scene by scene, planner by planner
  Progress progress;

  Study(const HodeFlags& of_flags, SimulationSetting& of_setting)
      : flags(of_flags), setting(of_setting), progress("paper hode", std::nullopt) {}

  bool Wants(const std::string& figure) const {
    return flags.figures.empty() ||
           std::find(flags.figures.begin(), flags.figures.end(), figure) != flags.figures.end();
  }
  std::string DetectorOf(const SimulatedNode& node) const {
    const DetectorSetting& detector = setting.detectors[node.detector];
    return detector.name + " (" + (detector.model.empty() ? "finds everybody" : detector.model) +
           ")";
  }
};

Error Cancelled() { return {ErrorCode::kCancelled, "stopped"}; }

std::optional<double> Times100(const std::optional<double>& share) {
  return share ? std::optional<double>(100 * *share) : std::nullopt;
}

double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

ChartPoint At(std::size_t x, double y) { return {static_cast<double>(x), y, y, y}; }

// ---- opening ----------------------------------------------------------------------------------

Expected<Scene> OpenScene(SimulationSetting& setting, const std::string& path,
                          std::int64_t frames) {
  Scene scene{.path = path};
  setting.tracks = path;
  auto tracks = ReadTracksOf(setting);
  if (!tracks) {
    return tl::unexpected(tracks.error());
  }
  SayAll(path, tracks->remarks);
  scene.tracks = std::move(*tracks);
  scene.name = scene.tracks.name;
  if (frames > 0 && scene.tracks.frames.size() > static_cast<std::size_t>(frames)) {
    scene.tracks.frames.resize(static_cast<std::size_t>(frames));
  }
  if (scene.tracks.frames.size() < kLeastFrames) {
    return Fail(ErrorCode::kInvalidInput,
                path + " has " + std::to_string(scene.tracks.frames.size()) +
                    " frames; to train on some and judge by others, a scene needs at least " +
                    std::to_string(kLeastFrames));
  }
  auto boxes = OpenTracks(setting, scene.tracks);
  if (!boxes) {
    return Fail(boxes.error().code, path + ": " + boxes.error().message);
  }
  scene.boxes = std::move(*boxes);
  return scene;
}

Expected<void> OpenScenes(Study& study) {
  std::vector<std::string> paths = study.flags.tracks;
  if (paths.empty()) {
    paths.push_back(study.setting.tracks);
  }
  const auto spec = study.setting.Planner("hode");
  if (!spec) {
    return tl::unexpected(spec.error());
  }
  std::set<std::string> names;
  for (const std::string& path : paths) {
    auto scene = OpenScene(study.setting, path, study.flags.frames);
    if (!scene) {
      return tl::unexpected(scene.error());
    }
    if (!names.insert(scene->name).second) {
      scene->name += " (" + std::to_string(study.scenes.size() + 1) + ")";
    }
    scene->flow =
        FlowSceneOf(scene->name, *scene->boxes, spec->options.tile, study.flags.study.fps);
    study.flow_scenes.push_back(scene->flow);
    study.scenes.push_back(std::move(*scene));
    study.progress.Advance();
  }
  std::vector<std::string> others = study.flags.others;
  if (others.empty() && paths.size() == 1 && paths.front().starts_with("synthetic")) {
    const char* const separator = paths.front() == "synthetic" ? ":" : ",";
    for (int i = 1; i <= 2; ++i) {  // cameras of the same kind
      others.push_back(
          paths.front() + separator +
          "seed=" + std::to_string(study.flags.study.seed + 100 + static_cast<std::uint64_t>(i)));
    }
  }
  for (const std::string& path : others) {
    auto scene = OpenScene(study.setting, path, study.flags.frames);
    if (!scene) {
      return tl::unexpected(scene.error());
    }
    scene->name = "other scene " + std::to_string(study.others.size() + 1) + ", " + scene->name;
    scene->flow.grid = MakeTileGrid(scene->boxes->Frame(0).size, spec->options.tile);
    study.others.push_back(std::move(*scene));
  }
  return {};
}

// ---- Figures 2 and 3: whole frames ------------------------------------------------------------

/// "1K=whole.rec".
struct NamedRecording {
  std::string label;
  std::string path;
  Recording recording;
  std::optional<double> ap;
  std::optional<double> service_ms;  ///< median
};

Expected<std::vector<NamedRecording>> OpenRecordings(const HodeFlags& flags) {
  std::vector<NamedRecording> opened;
  if (flags.recordings.empty()) {
    return opened;
  }
  const Synonyms& synonyms = Synonyms::Default();
  std::optional<Truth> truth;
  if (!flags.truth.empty()) {
    auto read = ReadTruth(flags.truth, synonyms);
    if (!read) {
      return tl::unexpected(read.error());
    }
    SayAll(flags.truth, read->remarks);
    truth = std::move(*read);
  }
  for (const std::string& text : flags.recordings) {
    const std::size_t equals = text.find('=');
    NamedRecording named{.label = text.substr(0, equals)};
    named.path = equals == std::string::npos ? "" : text.substr(equals + 1);
    auto recording = ReadRecording(named.path);
    if (!recording) {
      return tl::unexpected(recording.error());
    }
    named.recording = std::move(*recording);
    std::vector<double> times;
    for (const RecordedFrame& frame : named.recording.frames) {
      if (frame.region == kWholeFrame && frame.service_ms >= 0) {
        times.push_back(frame.service_ms);
      }
    }
    if (!times.empty()) {
      named.service_ms = Percentile(times, 50);
    }
    if (truth) {
      auto found = BoxesOf(named.recording, named.path);
      if (!found) {
        return Fail(found.error().code, named.path + ": " + found.error().message);
      }
      const std::string person[] = {"person"};
      const auto aligned = Align(*truth, std::span(&*found, 1), synonyms, person);
      if (!aligned) {
        return Fail(aligned.error().code, named.path + ": " + aligned.error().message);
      }
      SayAll(named.path, aligned->remarks);
      const MatchTable table = MatchVoc(aligned->images, aligned->detections[0], 1);
      named.ap = AveragePrecision(table.classes[0], 0, Interpolation::kArea);
    }
    opened.push_back(std::move(named));
  }
  return opened;
}

std::string Resolution(int side) {
  return side == 960 ? "1K" : side == 1920 ? "2K" : side == 3840 ? "4K" : std::to_string(side);
}

PaperFigure FigureTwo(Study& study, const std::vector<NamedRecording>& recordings) {
  PaperFigure figure{.name = "fig2",
                     .title = "Figure 2. AP of persons at the input's resolution",
                     .header = {"scene or recording", "input", "longer side px"}};
  for (const DetectorSetting& detector : study.setting.detectors) {
    figure.header.push_back("AP50 % of " + detector.name);
  }
  Chart chart{.title = "AP of persons over the input's resolution [HODE Fig. 2]",
              .x = {.title = "whole frame scaled to", .names = {}},
              .y = {.title = "AP50 of persons (%), modelled", .low = 0, .high = 100}};
  for (std::size_t m = 0; m < study.setting.detectors.size(); ++m) {
    chart.series.push_back(
        {.label = "model " + study.setting.detectors[m].name, .style = static_cast<int>(m)});
  }
  std::vector<std::vector<std::vector<double>>> sums(
      kSides.size(), std::vector<std::vector<double>>(study.setting.detectors.size()));
  for (const Scene& scene : study.scenes) {
    const auto rows = ApByResolution(*scene.boxes, study.setting.detectors.size(), kSides);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      std::vector<FigureCell> row = {scene.name, Resolution(rows[r].side),
                                     FigureCell(static_cast<double>(rows[r].side), 0)};
      for (std::size_t m = 0; m < rows[r].by_model.size(); ++m) {
        row.emplace_back(Times100(rows[r].by_model[m]), 1);
        if (rows[r].by_model[m]) {
          sums[r][m].push_back(100 * *rows[r].by_model[m]);
        }
      }
      figure.rows.push_back(std::move(row));
    }
    study.progress.Advance();
  }
  for (std::size_t r = 0; r < kSides.size(); ++r) {
    chart.x.names.push_back(Resolution(kSides[r]));
    for (std::size_t m = 0; m < sums[r].size(); ++m) {
      if (!sums[r][m].empty()) {
        chart.series[m].points.push_back(At(r, MeanOf(sums[r][m])));
      }
    }
  }
  for (const NamedRecording& recording : recordings) {
    if (recording.ap) {
      std::vector<FigureCell> row = {recording.label + ": " + recording.path, recording.label, "-"};
      row.emplace_back(Times100(recording.ap), 1);
      row.resize(figure.header.size(), FigureCell("-"));
      figure.rows.push_back(std::move(row));
    }
  }
  figure.rows.push_back({"paper, YOLOv5 on PANDA", "1K", FigureCell(1000.0, 0), "about 40"});
  figure.rows.back().resize(figure.header.size(), FigureCell("-"));
  figure.notes = {
      "scenes: modelled, from the detectors' recall by height in px as the model sees "
      "it; recordings: measured on their pictures (first AP column)",
      "the paper's text gives only 'about 0.4' at 1K, of one YOLOv5 on PANDA, whose "
      "people are smaller"};
  chart.caption = "Modelled: mean over " + std::to_string(study.scenes.size()) +
                  " scene(s). The paper's text gives about 40 % at 1K.";
  figure.charts.push_back({"fig2", std::move(chart)});
  return figure;
}

PaperFigure FigureThree(const Study& study, const std::vector<NamedRecording>& recordings) {
  PaperFigure figure{
      .name = "fig3",
      .title = "Figure 3. Time of one 4K image at each device",
      .header = {"device", "model", "whole", "4K image ms", "512x512 tile ms", "fixed ms"}};
  Chart chart{.title = "Inference latency of a 4K image by device [HODE Fig. 3]",
              .x = {.title = "", .names = {}},
              .y = {.title = "ms", .low = 0}};
  ChartSeries series{.label = "modelled", .line = false};
  for (const SimulatedNode& node : study.setting.nodes) {
    const double whole = ToMilliseconds(WholeFrameTime(node.model, {3840, 2160}));
    figure.rows.push_back({node.name, study.DetectorOf(node), "modelled", FigureCell(whole, 1),
                           FigureCell(ToMilliseconds(WholeFrameTime(node.model, {512, 512})), 2),
                           FigureCell(ToMilliseconds(node.model.per_region), 1)});
    series.points.push_back(At(chart.x.names.size(), whole));
    chart.x.names.push_back(node.name);
  }
  chart.series.push_back(std::move(series));
  ChartSeries measured{
      .label = "measured on this machine or wherever it was recorded", .style = 1, .line = false};
  for (const NamedRecording& recording : recordings) {
    if (recording.service_ms) {
      figure.rows.push_back({recording.label + ": " + recording.path,
                             recording.recording.model.name, "measured, p50",
                             FigureCell(recording.service_ms, 1), "-", "-"});
      measured.points.push_back(At(chart.x.names.size(), *recording.service_ms));
      chart.x.names.push_back(recording.label);
    }
  }
  if (!measured.points.empty()) {
    chart.series.push_back(std::move(measured));
  }
  chart.lines.push_back(
      {"500 ms: what the paper's text calls exceeded on some devices", 500, false});
  figure.rows.push_back({"paper", "YOLOv5", "", "over 500, up to several seconds", "-", "-"});
  figure.notes = {
      "modelled: fixed part + pixels / speed, as the setting has them "
      "(examples/paper-hode.yaml says how they are derived)"};
  chart.caption = "Service times are modelled from the setting.";
  figure.charts.push_back({"fig3", std::move(chart)});
  return figure;
}

// ---- Figures 8 and 9: learning ----------------------------------------------------------------

Expected<void> TrainNetworks(Study& study) {
  for (const bool forecast : {false, true}) {
    auto trained = TrainFlow(study.flow_scenes, forecast, study.flags.study);
    if (!trained) {
      return tl::unexpected(trained.error());
    }
    (forecast ? study.forecast_network : study.printed_network) = std::move(*trained);
    study.progress.Advance();
    if (Interrupted()) {
      return tl::unexpected(Cancelled());
    }
  }
  return {};
}

PaperFigure FigureEight(const Study& study) {
  PaperFigure figure{.name = "fig8",
                     .title = "Figure 8. Training loss of the flow network",
                     .header = {"epoch", "train", "validation", "with forecast: train",
                                "with forecast: validation"}};
  const auto& printed = study.printed_network->curve;
  const auto& forecast = study.forecast_network->curve;
  Chart chart{.title = "Training loss of the flow network [HODE Fig. 8]",
              .x = {.title = "epoch"},
              .y = {.title = "cross entropy by cell", .low = 0}};
  chart.series = {{.label = "as printed: train", .style = 0},
                  {.label = "as printed: validation", .style = 1},
                  {.label = "with forecast: train", .style = 2},
                  {.label = "with forecast: validation", .style = 3}};
  for (std::size_t e = 0; e < printed.size(); ++e) {
    const std::array values = {printed[e].train, printed[e].validation, forecast[e].train,
                               forecast[e].validation};
    figure.rows.push_back({FigureCell(static_cast<double>(e + 1), 0)});
    for (std::size_t i = 0; i < values.size(); ++i) {
      figure.rows.back().emplace_back(values[i], 4);
      chart.series[i].points.push_back(At(e + 1, values[i]));
    }
  }
  const auto told = [](const TrainedFlowNetwork& network) {
    return std::to_string(network.examples) + " frames; on the test fifth loss " +
           ShortNumber(network.test_loss) + ", accuracy " + Percent(network.test_accuracy, 2) +
           " %";
  };
  figure.notes = {
      "Measured: trained here on the scenes, each split 3:1:1 in order of time; the "
      "paper shows its curve without numbers",
      "as printed: from counts alone: " + told(*study.printed_network),
      "with forecast: also where the people followed are expected: " +
          told(*study.forecast_network)};
  chart.caption =
      "Scenes split 3:1:1 in order of time; seed " + std::to_string(study.flags.study.seed) + ".";
  figure.charts.push_back({"fig8", std::move(chart)});
  return figure;
}

Expected<void> TrainSchedulers(Study& study, std::vector<std::string>& left_out) {
  std::vector<SimulatedNode> near;
  for (std::size_t i = 0; i < study.setting.nodes.size(); ++i) {
    if (!study.setting.descriptions[i].far) {
      near.push_back(study.setting.nodes[i]);
    }
  }
  const ScheduleWorld world = WorldOf(near, study.setting.options.hosts, study.flow_scenes);
  for (const char* const name : {"dqn", "factored-dqn"}) {
    auto trained = TrainSchedulerIn(world, name, study.flags.study);
    if (trained) {
      study.schedulers.push_back(std::move(*trained));
    } else if (trained.error().code == ErrorCode::kInvalidInput) {
      left_out.push_back(trained.error().message);
    } else {
      return tl::unexpected(trained.error());
    }
    study.progress.Advance();
    if (Interrupted()) {
      return tl::unexpected(Cancelled());
    }
  }
  return {};
}

PaperFigure FigureNine(const Study& study, const std::vector<std::string>& left_out) {
  PaperFigure figure{
      .name = "fig9",
      .title = "Figure 9. Training loss of the DQN",
      .header = {"scheduler", "frames", "loss", "makespan / bound", "frames per second"}};
  Chart loss{.title = "Training loss of the DQN [HODE Fig. 9]",
             .x = {.title = "frames"},
             .y = {.title = "loss", .low = 0}};
  Chart over{.title = "What the DQN's decisions are worth while it learns",
             .x = {.title = "frames"},
             .y = {.title = "makespan / lower bound"}};
  int style = 0;
  for (const TrainedScheduler& scheduler : study.schedulers) {
    ChartSeries losses{.label = scheduler.scheduler, .style = style};
    ChartSeries overs{.label = scheduler.scheduler, .style = style++};
    for (const ScheduleTrainingPoint& point : scheduler.curve) {
      const auto frames = static_cast<double>(point.frames);
      figure.rows.push_back({scheduler.scheduler, FigureCell(frames, 0), FigureCell(point.loss, 5),
                             FigureCell(point.over_bound, 3),
                             FigureCell(point.frames_per_second, 2)});
      losses.points.push_back({frames, point.loss, point.loss, point.loss});
      overs.points.push_back({frames, point.over_bound, point.over_bound, point.over_bound});
    }
    loss.series.push_back(std::move(losses));
    over.series.push_back(std::move(overs));
  }
  figure.notes = {
      "Measured: trained here in a modelled world: the setting's nodes with their "
      "changing power, as many regions a frame as cells in which people stand, two "
      "frames in flight",
      "bound: of the frame alone on idle nodes; with two in flight 1 is out of reach",
      "the paper shows its curve without numbers; rewards differ between the two, so "
      "do their losses' scales"};
  figure.notes.insert(figure.notes.end(), left_out.begin(), left_out.end());
  loss.caption = over.caption = "One point for each episode of " +
                                std::to_string(study.flags.study.schedule.frames_per_episode) +
                                " frames; seed " + std::to_string(study.flags.study.schedule.seed) +
                                ".";
  figure.charts = {{"fig9", std::move(loss)}, {"fig9_makespan", std::move(over)}};
  return figure;
}

// ---- Figures 11 and 13: planners --------------------------------------------------------------

/// The planner of that name, ours tuned.
Expected<PlannerSpec> PlannerOf(const Study& study, const std::string& name) {
  auto spec = study.setting.Planner(name);
  return spec && name == "hode" ? Tuned(std::move(*spec)) : spec;
}

/// What our filter has learned by the end of a scene that it began with nothing.
Expected<std::string> FilterStateOf(Study& study, const Scene& scene) {
  const auto known = study.filter_states.find(scene.name);
  if (known != study.filter_states.end()) {
    return known->second;
  }
  const auto spec = PlannerOf(study, "hode");
  if (!spec) {
    return tl::unexpected(spec.error());
  }
  auto run = RunPlanner(*spec, {}, scene.name, *scene.boxes, SteadyNodes(study.setting.nodes),
                        study.setting.options, study.flags.study, SystemClock());
  if (!run) {
    return tl::unexpected(run.error());
  }
  study.progress.Advance();
  return study.filter_states[scene.name] = std::move(run->filter_state);
}

/// What policies know before that scene; our filter what it learned on other scenes.
Expected<LearnedPolicies> LearnedFor(Study& study, const Scene& scene) {
  LearnedPolicies learned;
  for (const TrainedScheduler& scheduler : study.schedulers) {
    learned.schedulers[scheduler.scheduler] = scheduler.state;
  }
  const auto spec = PlannerOf(study, "hode");
  if (!spec) {
    return tl::unexpected(spec.error());
  }
  if (spec->filter.name != "flow") {
    return learned;
  }
  std::vector<std::string> states;
  for (const Scene& other : study.others.empty() ? study.scenes : study.others) {
    if (other.name == scene.name) {
      continue;
    }
    auto state = FilterStateOf(study, other);
    if (!state) {
      return tl::unexpected(state.error());
    }
    states.push_back(std::move(*state));
  }
  if (!states.empty()) {
    auto pooled = PoolFlowStates(states);
    if (!pooled) {
      return tl::unexpected(pooled.error());
    }
    learned.filters["flow"] = std::move(*pooled);
  }
  return learned;
}

Expected<PlannerRun> Run(Study& study, const Scene& scene, const PlannerSpec& spec,
                         std::span<const SimulatedNode> nodes) {
  if (Interrupted()) {
    return tl::unexpected(Cancelled());
  }
  auto learned = study.learned.find(scene.name);
  if (learned == study.learned.end()) {
    auto policies = LearnedFor(study, scene);
    if (!policies) {
      return tl::unexpected(policies.error());
    }
    learned = study.learned.emplace(scene.name, std::move(*policies)).first;
  }
  LearnedPolicies policies = learned->second;
  if (study.forecast_network) {
    const TileGrid grid = MakeTileGrid(scene.boxes->Frame(0).size, spec.options.tile);
    policies.filters["flow-net"] = FlowStateOf(*study.forecast_network, grid);
  }
  auto run = RunPlanner(spec, policies, scene.name, *scene.boxes, nodes, study.setting.options,
                        study.flags.study, SystemClock());
  if (!run) {
    return Fail(run.error().code, "planner " + spec.name + ": " + run.error().message);
  }
  study.progress.Advance();
  return run;
}

Expected<void> RunPlanners(Study& study) {
  const std::vector<SimulatedNode> nodes = SteadyNodes(study.setting.nodes);
  for (const Scene& scene : study.scenes) {
    for (const std::string& name : study.setting.planners) {
      const auto spec = PlannerOf(study, name);
      if (!spec) {
        return tl::unexpected(spec.error());
      }
      auto run = Run(study, scene, *spec, nodes);
      if (!run) {
        return tl::unexpected(run.error());
      }
      study.runs.push_back(std::move(*run));
    }
  }
  return {};
}

/// The run of that planner over the scene, or null.
const PlannerRun* Find(const std::vector<PlannerRun>& runs, const std::string& scene,
                       const std::string& planner) {
  for (const PlannerRun& run : runs) {
    if (run.scene == scene && run.planner == planner) {
      return &run;
    }
  }
  return nullptr;
}

struct PlannerMeans {
  std::vector<double> fps;
  std::vector<double> times;  ///< as quick as infer-4k
  std::vector<double> ap;
  std::vector<double> loss;  ///< points of AP below infer-4k
  std::vector<double> skipped;
};

std::optional<double> MeanIfAny(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional<double>(MeanOf(values));
}

/// From which frame on a filter skipped tiles.
FigureCell OnSince(const PlannerRun& run) {
  return run.on_since ? FigureCell(static_cast<double>(*run.on_since), 0) : FigureCell("never");
}

PaperFigure FigureEleven(const Study& study) {
  PaperFigure figure{
      .name = "fig11",
      .title = "Figure 11. Speed and AP of whole frames, Elf, the paper's way and ours",
      .header = {"scene", "planner", "fps", "x infer-4k", "AP50 %", "AP lost, points", "recall %",
                 "skipped %", "filter on from frame", "p50 ms", "p95 ms",
                 "fps from the first frame", "AP50 % from the first frame"}};
  std::map<std::string, PlannerMeans> means;
  for (const Scene& scene : study.scenes) {
    const PlannerRun* const base = Find(study.runs, scene.name, "infer-4k");
    for (const std::string& planner : study.setting.planners) {
      const PlannerRun& run = *Find(study.runs, scene.name, planner);
      PlannerMeans& mean = means[planner];
      std::optional<double> times;
      std::optional<double> lost;
      if (base != nullptr && base->judged.fps > 0) {
        times = run.judged.fps / base->judged.fps;
        mean.times.push_back(*times);
      }
      if (base != nullptr && base->judged.ap && run.judged.ap) {
        lost = 100 * (*base->judged.ap - *run.judged.ap);
        mean.loss.push_back(*lost);
      }
      mean.fps.push_back(run.judged.fps);
      mean.skipped.push_back(100 * run.judged.skipped);
      if (run.judged.ap) {
        mean.ap.push_back(100 * *run.judged.ap);
      }
      figure.rows.push_back(
          {scene.name, planner, FigureCell(run.judged.fps, 2), FigureCell(times, 2),
           FigureCell(Times100(run.judged.ap), 1), FigureCell(lost, 1),
           FigureCell(Times100(run.judged.recall), 1), FigureCell(100 * run.judged.skipped, 1),
           run.on_since ? FigureCell(static_cast<double>(*run.on_since), 0) : FigureCell("never"),
           FigureCell(ToMilliseconds(run.judged.times.p50), 1),
           FigureCell(ToMilliseconds(run.judged.times.p95), 1), FigureCell(run.whole.fps, 2),
           FigureCell(Times100(run.whole.ap), 1)});
    }
  }
  const auto rest = [&](std::vector<FigureCell> row) {
    row.resize(figure.header.size(), FigureCell("-"));
    figure.rows.push_back(std::move(row));
  };
  if (study.scenes.size() > 1) {
    for (const std::string& planner : study.setting.planners) {
      const PlannerMeans& mean = means[planner];
      rest({"mean of scenes", planner, FigureCell(MeanIfAny(mean.fps), 2),
            FigureCell(MeanIfAny(mean.times), 2), FigureCell(MeanIfAny(mean.ap), 1),
            FigureCell(MeanIfAny(mean.loss), 1), "-", FigureCell(MeanIfAny(mean.skipped), 1)});
    }
  }
  rest({"paper: PANDA", "infer-4k", FigureCell(kPaperInfer4k, 2), FigureCell(1.0, 2)});
  rest({"paper: PANDA", "hode-printed", FigureCell(kPaperHode, 2), FigureCell(kPaperSpeedUp, 2),
        "-", "less than 1 %"});
  figure.notes = {
      "Modelled: service times, links, and what the detectors find (fitted to recall and score by "
      "height and crowding); the planners' decisions are the product's own",
      "Judged on the last " + Percent(1 - study.flags.study.judged_from, 0) +
          " % of each scene's frames, on which no network was trained; the last two columns from "
          "the first frame on, learning included",
      "hode's filter begins with what it learned on other scenes" +
          std::string(study.others.empty() && study.scenes.size() == 1
                          ? ", of which there are none here: with nothing"
                      : study.others.empty() ? ": all but the one it is run on"
                                             : ": " + std::to_string(study.others.size()) +
                                                   " that nothing is judged on") +
          "; hode-printed with Figure 8's network and Figure 9's DQN",
      "hode: tiles of 384 px, padded by three quarters of the people's sizes, people "
      "scored from 0.6 counted, filter held to 95 % of these; the paper's with tiles of 512 px",
      "steady nodes: what changes their power holds in Figures 9 and 13 alone",
      "AP: persons, IoU 0.5, area under the curve, in %; skipped: 1 - pixels sent / pixels of all "
      "padded tiles",
      "the paper's nodes, but other weights and other scenes than PANDA's; only the sum of the "
      "nodes' speeds is fitted to its 6.02 fps"};
  Chart fps{.title = "Frames per second by planner [HODE Fig. 11]",
            .x = {.title = "", .names = study.setting.planners},
            .y = {.title = "frames per second, simulated", .low = 0}};
  Chart ap{.title = "AP of persons by planner [HODE Fig. 11]",
           .x = {.title = "", .names = study.setting.planners},
           .y = {.title = "AP50 of persons (%), modelled"}};
  int style = 1;
  for (const Scene& scene : study.scenes) {
    ChartSeries speeds{.label = scene.name, .style = style, .line = false};
    ChartSeries aps{.label = scene.name, .style = style++, .line = false};
    for (std::size_t p = 0; p < study.setting.planners.size(); ++p) {
      const PlannerRun& run = *Find(study.runs, scene.name, study.setting.planners[p]);
      speeds.points.push_back(At(p, run.judged.fps));
      if (run.judged.ap) {
        aps.points.push_back(At(p, 100 * *run.judged.ap));
      }
    }
    fps.series.push_back(std::move(speeds));
    ap.series.push_back(std::move(aps));
  }
  ChartSeries paper{.label = "paper, on PANDA", .style = 0, .line = false, .bold = true};
  for (std::size_t p = 0; p < study.setting.planners.size(); ++p) {
    if (study.setting.planners[p] == "infer-4k") {
      paper.points.push_back(At(p, kPaperInfer4k));
    } else if (study.setting.planners[p] == "hode-printed") {
      paper.points.push_back(At(p, kPaperHode));
    }
  }
  fps.series.push_back(std::move(paper));
  fps.caption = ap.caption = figure.notes[0] + ". " + figure.notes[1] + ".";
  figure.charts = {{"fig11_fps", std::move(fps)}, {"fig11_ap", std::move(ap)}};
  return figure;
}

/// Figure 11's speeds once more with other fixed parts of an inference, 4K images taking as long.
Expected<PaperFigure> Sensitivity(Study& study) {
  PaperFigure figure{
      .name = "fig11_fixed",
      .title = "Figure 11, how it hangs on the fixed part of an inference",
      .header = {"fixed part x", "planner", "fps", "x infer-4k", "AP50 %", "filter on from frame"}};
  const Scene& scene = study.scenes.front();
  for (const double factor : {0.5, 2.0}) {
    std::vector<SimulatedNode> nodes = SteadyNodes(study.setting.nodes);
    const double pixels = 3840.0 * 2160.0;
    bool possible = true;
    for (SimulatedNode& node : nodes) {
      const double whole = ToMilliseconds(WholeFrameTime(node.model, {3840, 2160}));
      const double fixed = factor * ToMilliseconds(node.model.per_region);
      possible = possible && fixed < whole;
      node.model.per_region = FromMilliseconds(fixed);
      node.model.px_per_second = pixels / (1e-3 * (whole - fixed));
    }
    if (!possible) {
      continue;
    }
    std::optional<double> base;
    for (const std::string& name : study.setting.planners) {
      const auto run = Run(study, scene, PlannerOf(study, name).value(), nodes);
      if (!run) {
        return tl::unexpected(run.error());
      }
      if (name == "infer-4k") {
        base = run->judged.fps;
      }
      figure.rows.push_back({FigureCell(factor, 1), name, FigureCell(run->judged.fps, 2),
                             FigureCell(base ? std::optional(run->judged.fps / *base) : base, 2),
                             FigureCell(Times100(run->judged.ap), 1), OnSince(*run)});
    }
  }
  figure.notes = {"modelled, scene " + scene.name +
                  ": the fixed part of every node taken half and twice, its speed such that a 4K "
                  "image takes as long as before"};
  return figure;
}

/// What Figure 13 compares: the paper's way with other schedulers, and ours.
Expected<std::vector<PlannerSpec>> ScheduledPlanners(const Study& study) {
  std::vector<PlannerSpec> specs;
  const auto add = [&](const std::string& planner, const std::string& scheduler) -> Expected<void> {
    auto spec = PlannerOf(study, planner);
    if (!spec) {
      return tl::unexpected(spec.error());
    }
    const bool learned = std::any_of(
        study.schedulers.begin(), study.schedulers.end(),
        [&](const TrainedScheduler& trained) { return trained.scheduler == scheduler; });
    if (!scheduler.ends_with("dqn") || learned) {
      spec->scheduler = {.name = scheduler};
      spec->name = planner + ", " + scheduler;
      specs.push_back(std::move(*spec));
    }
    return {};
  };
  for (const auto& [planner, scheduler] :
       {std::pair("hode-printed", "salbs"), std::pair("hode-printed", "dqn"),
        std::pair("hode-printed", "factored-dqn"), std::pair("hode-printed", "earliest"),
        std::pair("hode", "salbs"), std::pair("hode", "factored-dqn"),
        std::pair("hode", "earliest")}) {
    if (const auto added = add(planner, scheduler); !added) {
      return tl::unexpected(added.error());
    }
  }
  return specs;
}

constexpr double kSpan = 5;  // s

/// Frames per second in spans of so many seconds.
std::vector<ChartPoint> FpsOverTime(const std::vector<double>& emitted_s, double span) {
  std::vector<ChartPoint> points;
  if (emitted_s.empty()) {
    return points;
  }
  std::vector<double> sorted = emitted_s;
  std::sort(sorted.begin(), sorted.end());
  for (double from = 0; from + span <= sorted.back(); from += span) {
    const auto count = std::lower_bound(sorted.begin(), sorted.end(), from + span) -
                       std::lower_bound(sorted.begin(), sorted.end(), from);
    const double fps = static_cast<double>(count) / span;
    points.push_back({from + span / 2, fps, fps, fps});
  }
  return points;
}

Expected<PaperFigure> FigureThirteen(Study& study) {
  PaperFigure figure{.name = "fig13",
                     .title = "Figure 13. Schedulers while the nodes' power changes",
                     .header = {"scene", "planner, scheduler", "fps", "x salbs", "AP50 %", "p50 ms",
                                "p95 ms", "filter on from frame", "dealt out by"}};
  const auto specs = ScheduledPlanners(study);
  if (!specs) {
    return tl::unexpected(specs.error());
  }
  Chart over_time{.title = "Frames per second while the nodes' power changes [HODE Fig. 13]",
                  .x = {.title = "s"},
                  .y = {.title = "frames per second, simulated", .low = 0}};
  Chart totals{.title = "Frames per second by scheduler [HODE Fig. 13]",
               .x = {.title = "", .names = {}},
               .y = {.title = "frames per second, simulated", .low = 0}};
  Chart aps{.title = "AP of persons by scheduler [HODE Fig. 13]",
            .x = {.title = "", .names = {}},
            .y = {.title = "AP50 of persons (%), modelled"}};
  for (const PlannerSpec& spec : *specs) {
    totals.x.names.push_back(spec.name);
  }
  aps.x.names = totals.x.names;
  std::map<std::string, PlannerMeans> means;
  int scene_style = 1;
  for (const Scene& scene : study.scenes) {
    std::map<std::string, double> salbs;  // fps by planner
    ChartSeries fps{.label = scene.name, .style = scene_style, .line = false};
    ChartSeries ap{.label = scene.name, .style = scene_style++, .line = false};
    for (std::size_t s = 0; s < specs->size(); ++s) {
      const PlannerSpec& spec = (*specs)[s];
      const auto run = Run(study, scene, spec, study.setting.nodes);
      if (!run) {
        return tl::unexpected(run.error());
      }
      const std::string planner = spec.name.substr(0, spec.name.find(','));
      if (spec.scheduler.name == "salbs") {
        salbs[planner] = run->whole.fps;
      }
      std::string by;
      for (const auto& [who, frames] : run->whole.decided_by) {
        by += (by.empty() ? "" : ", ") + (who.empty() ? std::string("no region") : who) + " " +
              Percent(static_cast<double>(frames) / static_cast<double>(run->whole.frames), 0) +
              " %";
      }
      figure.rows.push_back(
          {scene.name, spec.name, FigureCell(run->whole.fps, 2),
           FigureCell(run->whole.fps / salbs[planner], 3), FigureCell(Times100(run->judged.ap), 1),
           FigureCell(ToMilliseconds(run->whole.times.p50), 1),
           FigureCell(ToMilliseconds(run->whole.times.p95), 1), OnSince(*run), by});
      PlannerMeans& mean = means[spec.name];
      mean.fps.push_back(run->whole.fps);
      mean.times.push_back(run->whole.fps / salbs[planner]);
      if (run->judged.ap) {
        mean.ap.push_back(100 * *run->judged.ap);
      }
      fps.points.push_back(At(s, run->whole.fps));
      if (run->judged.ap) {
        ap.points.push_back(At(s, 100 * *run->judged.ap));
      }
      if (&scene == &study.scenes.front()) {
        over_time.series.push_back({.label = spec.name,
                                    .style = static_cast<int>(s),
                                    .points = FpsOverTime(run->emitted_s, kSpan)});
      }
    }
    totals.series.push_back(std::move(fps));
    aps.series.push_back(std::move(ap));
  }
  for (const PlannerSpec& spec : *specs) {
    if (study.scenes.size() > 1) {
      const PlannerMeans& mean = means[spec.name];
      figure.rows.push_back({"mean of scenes", spec.name, FigureCell(MeanIfAny(mean.fps), 2),
                             FigureCell(MeanIfAny(mean.times), 3),
                             FigureCell(MeanIfAny(mean.ap), 1)});
      figure.rows.back().resize(figure.header.size(), FigureCell("-"));
    }
  }
  figure.notes = {
      "Modelled; the nodes' power changes as `power`, `slow-*` and `outages` of the setting say, "
      "the "
      "same for all",
      "Fps over all frames, AP over those on which no network was trained",
      "Dqn: the paper's, learned beforehand in Figure 9's world, learning on; SALBS: shares by "
      "measured speed; earliest: ours; factored-dqn: ours that learns, guarded by earliest",
      "the paper's text gives no number for this figure: it calls its DQN more suitable"};
  over_time.caption = "Scene " + study.scenes.front().name + ", in spans of " + ShortNumber(kSpan) +
                      " s. " + figure.notes[2] + ".";
  totals.caption = aps.caption = figure.notes[0] + ". " + figure.notes[1] + ".";
  figure.charts = {{"fig13_time", std::move(over_time)},
                   {"fig13_fps", std::move(totals)},
                   {"fig13_ap", std::move(aps)}};
  return figure;
}

// ---- Figure 12 and the overhead ---------------------------------------------------------------

PaperFigure FigureTwelve(Study& study) {
  PaperFigure figure{.name = "fig12",
                     .title = "Figure 12. How often filters are right about a cell (%)",
                     .header = {"filter", "mean"}};
  Chart chart{.title = "Accuracy of flow filters [HODE Fig. 12]",
              .x = {.title = "", .names = {}},
              .y = {.title = "cells told rightly (%)", .high = 100}};
  const auto accuracies = AccuraciesOf(study.flow_scenes, *study.printed_network,
                                       *study.forecast_network, study.flags.study);
  study.progress.Advance();
  for (const Scene& scene : study.scenes) {
    figure.header.push_back(scene.name);
  }
  ChartSeries mean{
      .label = study.scenes.size() > 1 ? "mean of scenes" : "this run", .style = 1, .line = false};
  for (const FlowAccuracy& accuracy : accuracies) {
    std::vector<FigureCell> row = {accuracy.filter, FigureCell(100 * accuracy.mean(), 2)};
    for (const double value : accuracy.by_scene) {
      row.emplace_back(100 * value, 2);
    }
    figure.rows.push_back(std::move(row));
    if (accuracy.filter != "all") {
      mean.points.push_back(At(chart.x.names.size(), 100 * accuracy.mean()));
      chart.x.names.push_back(accuracy.filter);
    }
  }
  figure.rows.push_back({"paper: its network", FigureCell(kPaperAccuracy, 2)});
  figure.rows.back().resize(figure.header.size(), FigureCell("-"));
  chart.series.push_back(std::move(mean));
  chart.lines.push_back({"paper's network, on PANDA: 98.96 %", kPaperAccuracy, false});
  double empty = 0;
  double cells = 0;
  for (const FlowScene& scene : study.flow_scenes) {
    for (const FlowFrame& frame : scene.frames) {
      std::set<int> occupied;
      for (const Box& person : frame.people) {
        occupied.insert(scene.grid.CellOf(person));
      }
      empty += static_cast<double>(scene.grid.cells()) - static_cast<double>(occupied.size());
      cells += static_cast<double>(scene.grid.cells());
    }
  }
  figure.notes = {
      "Measured on the scenes' true people, open loop: the filter sees every cell of "
      "every earlier frame; the last fifth of each scene, on which nothing was trained "
      "or chosen",
      "index keeps what is needed for a recall and probes empty cells, each of which "
      "counts as wrong here: it is not made for this figure. " +
          Percent(empty / cells) +
          " % of the cells are empty: that is what saying "
          "'nobody' always would score",
      "all: looks everywhere, so it is right about the occupied cells"};
  chart.caption = figure.notes[0] + ".";
  figure.charts.push_back({"fig12", std::move(chart)});
  return figure;
}

PaperFigure Overhead(const Study& study) {
  PaperFigure figure{
      .name = "overhead",
      .title = "Overhead of filter and scheduling (ms per frame)",
      .header = {"planner", "filter p50", "filter p95", "scheduling p50", "scheduling p95",
                 "whole planner p50", "whole planner p95", "training aside, in all"}};
  for (const std::string& planner : study.setting.planners) {
    std::vector<Duration> filter;
    std::vector<Duration> scheduler;
    std::vector<Duration> whole50;
    std::vector<Duration> whole95;
    Duration training{};
    for (const PlannerRun& run : study.runs) {
      if (run.planner == planner) {
        filter.insert(filter.end(), run.filter_times.begin(), run.filter_times.end());
        scheduler.insert(scheduler.end(), run.scheduler_times.begin(), run.scheduler_times.end());
        whole50.push_back(run.judged.real.p50);
        whole95.push_back(run.judged.real.p95);
        training += run.training;
      }
    }
    figure.rows.push_back(
        {planner, FigureCell(ToMilliseconds(Percentile(filter, 50)), 3),
         FigureCell(ToMilliseconds(Percentile(filter, 95)), 3),
         FigureCell(ToMilliseconds(Percentile(scheduler, 50)), 3),
         FigureCell(ToMilliseconds(Percentile(scheduler, 95)), 3),
         FigureCell(ToMilliseconds(*std::max_element(whole50.begin(), whole50.end())), 3),
         FigureCell(ToMilliseconds(*std::max_element(whole95.begin(), whole95.end())), 3),
         FigureCell(ToMilliseconds(training), 1)});
  }
  figure.rows.push_back({"paper, on an Intel NUC", FigureCell(kPaperFilterMs, 1), "-",
                         FigureCell(kPaperSchedulerMs, 1), "-", "-", "-", "-"});
  figure.notes = {
      "measured on this machine, one thread, while Figure 11 ran; other load on it shows "
      "in the p95",
      "scheduling holds the DQN's learning; whole planner: split, filter, join, deal out, "
      "merge; with several scenes the slowest one's"};
  return figure;
}

// ---- Figure 10: pictures ----------------------------------------------------------------------

/// A picture, what it shows, and where it goes.
struct ExamplePicture {
  std::string name;
  std::string what;
  Image drawn;
};

Image BlankFor(Size frame) {
  const double scale = 1920.0 / std::max(frame.width, frame.height);
  Image blank({std::max(1, static_cast<int>(std::lround(frame.width * scale))),
               std::max(1, static_cast<int>(std::lround(frame.height * scale)))});
  std::fill(blank.data(), blank.data() + blank.size().area() * 3, std::uint8_t{210});
  return blank;
}

Detections Surer(const Detections& detections, float score) {
  Detections sure;
  std::copy_if(detections.begin(), detections.end(), std::back_inserter(sure),
               [&](const Detection& d) { return d.score >= score; });
  return sure;
}

std::string CountsOf(const TilesRecord& tiles) {
  const auto count = [&](char letter) {
    return std::to_string(std::count(tiles.cells.begin(), tiles.cells.end(), letter));
  };
  return "green: " + count('#') + " tiles kept, red: " + count('.') +
         " skipped, yellow: " + count('?') + " probed" +
         (tiles.reason.empty() ? "" : " (" + tiles.reason + ")");
}

/// The tracks up to that frame, or, where too little stands before it, what comes after it, played
/// backwards: the filter has to have seen people come and go.
Expected<Tracks> TracksUpTo(const Tracks& tracks, long number, bool& backwards) {
  const auto found = std::find_if(tracks.frames.begin(), tracks.frames.end(),
                                  [&](const TrackFrame& f) { return f.number == number; });
  if (found == tracks.frames.end()) {
    return Fail(ErrorCode::kNotFound, "--picture: " + tracks.name + " has no frame " +
                                          std::to_string(number) + " among those taken of it");
  }
  constexpr std::ptrdiff_t kMost = 400;
  const auto before = found - tracks.frames.begin() + 1;
  const auto after = tracks.frames.end() - found;
  backwards = before < 100 && after > before;
  Tracks cut = tracks;
  if (backwards) {
    cut.frames.assign(found, found + std::min(kMost, after));
    std::reverse(cut.frames.begin(), cut.frames.end());
  } else {
    cut.frames.assign(found - std::min(kMost, before) + 1, found + 1);
  }
  const double step = tracks.fps > 0 ? 1 / tracks.fps : 1;
  for (std::size_t i = 0; i < cut.frames.size(); ++i) {
    cut.frames[i].number = static_cast<long>(i) + 1;
    cut.frames[i].seconds = static_cast<double>(i) * step;
  }
  return cut;
}

Expected<ExamplePicture> DrawPicture(Study& study, const Scene& scene, const std::string& text,
                                     const std::string& planner) {
  const auto named = ParsePicture(text);
  if (!named) {
    return tl::unexpected(named.error());
  }
  const auto& [number, path] = *named;
  const auto bytes = ReadFileBytes(path, ImageLimits{}.max_bytes);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  const auto picture = DecodeImage(*bytes);
  if (!picture) {
    return Fail(picture.error().code, path + ": " + picture.error().message);
  }
  bool backwards = false;
  const auto tracks = TracksUpTo(scene.tracks, number, backwards);
  if (!tracks) {
    return tl::unexpected(tracks.error());
  }
  Scene cut{.path = scene.path, .name = scene.name, .tracks = *tracks};
  auto boxes = OpenTracks(study.setting, cut.tracks);
  if (!boxes) {
    return tl::unexpected(boxes.error());
  }
  cut.boxes = std::move(*boxes);
  const auto run =
      Run(study, cut, PlannerOf(study, planner).value(), SteadyNodes(study.setting.nodes));
  if (!run) {
    return tl::unexpected(run.error());
  }
  const TilesRecord& tiles = run->last.tiles.value();
  const std::string frame = std::to_string(number);
  const std::string what = scene.name + " frame " + frame + ", " + planner + ": " + CountsOf(tiles) +
                           "; the filter saw " + std::to_string(tracks->frames.size() - 1) +
                           " frames " + (backwards ? "after it, played backwards" : "before it") +
                           "; boxes modelled, score >= 0.3";
  return ExamplePicture{"fig10_" + frame + "_" + planner, what,
                        DrawTiles(picture->view(), MakeTileGrid(scene.flow.grid.frame, tiles.tile),
                                  tiles.cells, Surer(run->last.detections, 0.3F), CountsOf(tiles))};
}

Expected<PaperFigure> FigureTen(Study& study) {
  PaperFigure figure{.name = "fig10",
                     .title = "Figure 10. Examples of detections and of what is filtered out",
                     .header = {"picture", "shows"}};
  std::vector<ExamplePicture> pictures;
  if (!study.flags.pictures.empty()) {
    for (const std::string& text : study.flags.pictures) {
      for (const char* const planner : {"hode-printed", "hode"}) {
        auto drawn = DrawPicture(study, study.scenes.front(), text, planner);
        if (!drawn) {
          return tl::unexpected(drawn.error());
        }
        pictures.push_back(std::move(*drawn));
      }
    }
  } else {
    for (const PlannerRun& run : study.runs) {
      if (!run.planner.starts_with("hode") || !run.last.tiles) {
        continue;
      }
      const auto scene = std::find_if(study.scenes.begin(), study.scenes.end(),
                                      [&](const Scene& s) { return s.name == run.scene; });
      const std::string what = run.scene + ", last frame, " + run.planner + ": " +
                               CountsOf(*run.last.tiles) +
                               "; no picture: boxes modelled, score >= 0.3";
      std::string name = "fig10_" + run.scene + "_" + run.planner;
      std::replace_if(
          name.begin(), name.end(),
          [](char c) {
            return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_';
          },
          '_');
      pictures.push_back({name, what,
                          DrawTiles(BlankFor(scene->flow.grid.frame).view(),
                                    MakeTileGrid(scene->flow.grid.frame, run.last.tiles->tile),
                                    run.last.tiles->cells, Surer(run.last.detections, 0.3F),
                                    CountsOf(*run.last.tiles))});
    }
  }
  for (const ExamplePicture& picture : pictures) {
    figure.rows.push_back({picture.name + ".jpg", picture.what});
    if (study.flags.folder.empty()) {
      continue;
    }
    const auto jpeg = EncodeJpeg(picture.drawn.view(), 90);
    if (!jpeg) {
      return tl::unexpected(jpeg.error());
    }
    const std::string path = study.flags.folder + "/" + picture.name + ".jpg";
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(jpeg->data()),
               static_cast<std::streamsize>(jpeg->size()));
    file.close();
    if (!file) {
      return Fail(ErrorCode::kIo, "cannot write " + path);
    }
  }
  figure.notes = {study.flags.folder.empty() ? "the pictures are written with -o FOLDER"
                                             : "written to " + study.flags.folder};
  return figure;
}

// ---- the verb ---------------------------------------------------------------------------------

Expected<std::vector<PaperFigure>> MakeFigures(Study& study) {
  std::vector<PaperFigure> figures;
  const bool runs = study.Wants("11") || study.Wants("10") || study.Wants("overhead");
  const bool learns = runs || study.Wants("13");
  const auto recordings = OpenRecordings(study.flags);
  if (!recordings) {
    return tl::unexpected(recordings.error());
  }
  if (study.Wants("2")) {
    figures.push_back(FigureTwo(study, *recordings));
  }
  if (study.Wants("3")) {
    figures.push_back(FigureThree(study, *recordings));
  }
  if (learns || study.Wants("8") || study.Wants("12")) {
    if (const auto trained = TrainNetworks(study); !trained) {
      return tl::unexpected(trained.error());
    }
  }
  if (study.Wants("8")) {
    figures.push_back(FigureEight(study));
  }
  std::vector<std::string> left_out;
  if (learns || study.Wants("9")) {
    if (const auto trained = TrainSchedulers(study, left_out); !trained) {
      return tl::unexpected(trained.error());
    }
  }
  if (study.Wants("9")) {
    figures.push_back(FigureNine(study, left_out));
  }
  if (runs) {
    if (const auto done = RunPlanners(study); !done) {
      return tl::unexpected(done.error());
    }
  }
  using Made = Expected<PaperFigure>;
  const std::vector<std::pair<const char*, std::function<Made()>>> rest = {
      {"10", [&]() -> Made { return FigureTen(study); }},
      {"11", [&]() -> Made { return FigureEleven(study); }},
      {"11", [&]() -> Made { return Sensitivity(study); }},
      {"12", [&]() -> Made { return FigureTwelve(study); }},
      {"13", [&]() -> Made { return FigureThirteen(study); }},
      {"overhead", [&]() -> Made { return Overhead(study); }}};
  for (const auto& [name, make] : rest) {
    if (!study.Wants(name)) {
      continue;
    }
    auto figure = make();
    if (!figure) {
      return tl::unexpected(figure.error());
    }
    figures.push_back(std::move(*figure));
  }
  return figures;
}

/// The command that makes the same again.
std::string CommandOf(const HodeFlags& flags) {
  std::string command = "nearfar paper hode";
  const auto add = [&](const std::string& words) { command += " " + words; };
  if (!flags.setting.empty()) {
    add(flags.setting);
  }
  for (const auto& [flag, values] :
       {std::pair("--tracks ", &flags.tracks), std::pair("--others ", &flags.others),
        std::pair("--recording ", &flags.recordings), std::pair("--picture ", &flags.pictures)}) {
    for (const std::string& value : *values) {
      add(flag + value);
    }
  }
  if (!flags.truth.empty()) {
    add("--truth " + flags.truth);
  }
  if (!flags.figures.empty()) {
    std::string names;
    for (const std::string& name : flags.figures) {
      names += (names.empty() ? "" : ",") + name;
    }
    add("--figure " + names);
  }
  if (flags.frames > 0) {
    add("--frames " + std::to_string(flags.frames));
  }
  const HodeStudyOptions usual;
  if (flags.study.epochs != usual.epochs) {
    add("--epochs " + std::to_string(flags.study.epochs));
  }
  if (flags.study.schedule.episodes != usual.schedule.episodes) {
    add("--episodes " + std::to_string(flags.study.schedule.episodes));
  }
  return command + " --seed " + std::to_string(flags.study.seed);
}

std::vector<std::string> AboutOf(const Study& study) {
  std::string scenes;
  for (const Scene& scene : study.scenes) {
    scenes += (scenes.empty() ? "" : ", ") + scene.path + " (" +
              std::to_string(scene.tracks.frames.size()) + " frames of " +
              std::to_string(scene.flow.grid.frame.width) + "x" +
              std::to_string(scene.flow.grid.frame.height) + ")";
  }
  std::string nodes;
  for (const SimulatedNode& node : study.setting.nodes) {
    nodes += (nodes.empty() ? "" : ", ") + node.name + ": " + study.DetectorOf(node);
  }
  return {
      "Command: " + CommandOf(study.flags), "Scenes: " + scenes + ".",
      "Nodes and models: " + nodes +
          ". The paper: GTX1070 with YOLOv5m, GTX1050 and a Jetson "
          "NX with YOLOv5s, a Jetson NX and a Jetson TX2 with YOLOv5n, on PANDA's videos at 4K."};
}

std::string Misuse(const HodeFlags& flags) {
  for (const std::string& figure : flags.figures) {
    if (std::find(kFigures.begin(), kFigures.end(), figure) == kFigures.end()) {
      return "there is no figure '" + figure +
             "' to be made; there are 2, 3, 8, 9, 10, 11, 12, 13 and overhead";
    }
  }
  for (const std::string& recording : flags.recordings) {
    const std::size_t equals = recording.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == recording.size()) {
      return "--recording: '" + recording + "' is not LABEL=FILE, as 1K=whole.rec";
    }
  }
  for (const std::string& picture : flags.pictures) {
    if (const auto parsed = ParsePicture(picture); !parsed) {
      return parsed.error().message;
    }
  }
  return "";
}

int RunHode(HodeFlags& flags) {
  WatchForInterrupt();
  if (const std::string misuse = Misuse(flags); !misuse.empty()) {
    Say(misuse);
    return kUsage;
  }
  SimulationSetting setting;
  const auto applied =
      flags.setting.empty()
          ? setting.ApplyText("paper-hode.yaml", std::string(EmbeddedText("paper-hode.yaml")))
          : setting.Apply(flags.setting);
  if (!applied) {
    Say(applied.error().message);
    return applied.error().code == ErrorCode::kInvalidInput ||
                   applied.error().code == ErrorCode::kNotFound
               ? kUsage
               : kCannot;
  }
  if (setting.tracks.empty()) {
    Say("paper hode needs tracks: whose people the planners look for");
    return kUsage;
  }
  if (flags.seed >= 0) {
    setting.options.seed = static_cast<std::uint64_t>(flags.seed);
  }
  if (flags.frames == 0) {
    flags.frames = static_cast<std::int64_t>(setting.options.frames);
  }
  setting.options.frames = 0;  // all that the scenes have
  flags.study.seed = flags.study.schedule.seed = setting.options.seed;
  flags.study.fps = setting.fps;
  for (const std::string& name : setting.planners) {
    if (const auto spec = setting.Planner(name); !spec) {
      Say(spec.error().message);
      return kUsage;
    }
  }
  if (const auto valid = Validate(flags.study); !valid) {
    Say(valid.error().message);
    return kUsage;
  }
  // What would fail after minutes of work fails first.
  if (!flags.folder.empty()) {
    if (const auto made = MakeFolder(flags.folder); !made) {
      return Stop(made.error());
    }
  }
  Study study(flags, setting);
  if (const auto opened = OpenScenes(study); !opened) {
    return Stop(opened.error());
  }
  const auto figures = MakeFigures(study);
  if (!figures) {
    return Interrupted() ? kInterrupted : Stop(figures.error());
  }
  const std::vector<std::string> about = AboutOf(study);
  if (!flags.folder.empty()) {
    if (const auto written = WriteFigures(flags.folder, *figures, about); !written) {
      return Stop(written.error());
    }
  }
  std::cout << (flags.json       ? FiguresJson(*figures, about)
                : flags.markdown ? FiguresMarkdown(*figures, about)
                                 : FiguresText(*figures, about));
  return kDone;
}

}  // namespace

std::function<int()> SetUpPaperHode(CLI::App& app) {
  const auto flags = std::make_shared<HodeFlags>();
  app.add_option("setting", flags->setting,
                 "YAML as of `nearfar simulate`: nodes, detectors, planners, tracks (default: the "
                 "paper's five nodes over made-up people, examples/paper-hode.yaml)")
      ->type_name("FILE");
  app.add_option("--tracks", flags->tracks,
                 "scenes instead of the setting's tracks: MOTChallenge, Stanford Drone, PANDA, or "
                 "synthetic:...")
      ->type_name("FILE");
  app.add_option("--others", flags->others,
                 "scenes that our filter learns from beforehand and nothing is judged on (default: "
                 "the other --tracks; for one made-up scene, two of other seeds)")
      ->type_name("FILE");
  app.add_option("--figure", flags->figures, "only these: 2, 3, 8, 9, 10, 11, 12, 13, overhead")
      ->delimiter(',');
  app.add_option("--recording", flags->recordings,
                 "Figures 2 and 3: what a model found in whole frames, with its times, as "
                 "1K=whole.rec")
      ->type_name("LABEL=FILE");
  app.add_option("--truth", flags->truth, "annotations of the recordings' pictures")
      ->type_name("PATH");
  app.add_option("--picture", flags->pictures,
                 "Figure 10: picture of a frame of the first scene, as 1=img1/000001.jpg")
      ->type_name("FRAME=FILE");
  app.add_option("--frames", flags->frames, "of each scene, so many; 0: all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", flags->seed, "of all chance, instead of the setting's")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--judged-from", flags->study.judged_from,
                 "share of a scene's frames before those that Figure 11 is judged on")
      ->capture_default_str();
  app.add_option("--epochs", flags->study.epochs, "of the flow network's training")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--episodes", flags->study.schedule.episodes,
                 "of the DQN's training, a thousand frames each")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  app.add_option(
         "-o,--output", flags->folder,
         "also write each table as CSV, its charts as SVG and PNG, and Figure 10's pictures "
         "into this folder")
      ->type_name("FOLDER");
  CLI::Option* const json = app.add_flag("--json", flags->json, "one JSON object instead of text");
  app.add_flag("--markdown", flags->markdown, "Markdown instead of text")->excludes(json);
  return [flags] { return RunHode(*flags); };
}

}  // namespace nearfar::cli
