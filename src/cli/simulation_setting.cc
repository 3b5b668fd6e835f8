#include "cli/simulation_setting.h"

#include <algorithm>
#include <utility>

#include "cli/link_setting.h"
#include "data/text.h"
#include "sim/fit_nodes.h"

namespace nearfar::cli {

/// A node as the file has it.
struct SimulationSetting::NodeSetting {
  int line = 0;
  std::string name;
  std::string detector;
  std::string host;
  bool far = false;
  Duration tile_time{};      ///< of one inference of 512 x 512 px
  Duration fixed{};          ///< the part of it that does not grow with the pixels
  double noise = 0.08;
  double drift = 0;
  Duration drift_time = std::chrono::seconds(4);
  SlowDowns slow;
  std::vector<std::string> outages;
  std::vector<std::string> power;
  std::string link;
  double bytes_per_px = 0.15;
  int answer_bytes = 2000;
};

struct SimulationSetting::HostSetting {
  std::string name;
  double cores = 1;
};

namespace {

constexpr double kTilePixels = 512.0 * 512.0;

tl::unexpected<Error> Wrong(const std::string& where, const std::string& what) {
  return Fail(ErrorCode::kInvalidInput, where + ": " + what);
}

}  // namespace

Expected<Outage> ParseOutage(std::string_view text) {
  const std::size_t plus = text.find('+');
  const auto from = ParseDuration(text.substr(0, plus));
  Outage outage{.length = Duration::max()};
  if (from && plus != std::string_view::npos) {
    const auto length = ParseDuration(text.substr(plus + 1));
    if (!length || *length <= Duration::zero()) {
      return Fail(ErrorCode::kInvalidInput,
                  "'" + std::string(text) + "': after + stands how long it lasts, as in 20s+5s");
    }
    outage.length = *length;
  }
  if (!from) {
    return Fail(ErrorCode::kInvalidInput,
                "'" + std::string(text) + "' is no outage: write 20s+5s, or 20s for one without end");
  }
  outage.from = *from;
  return outage;
}

Expected<PowerStep> ParsePowerStep(std::string_view text) {
  const std::size_t equals = text.find('=');
  const auto at = ParseDuration(text.substr(0, equals));
  const auto factor = equals == std::string_view::npos
                          ? std::optional<double>()
                          : ParseNumber(text.substr(equals + 1));
  if (!at || !factor || *factor < 0) {
    return Fail(ErrorCode::kInvalidInput, "'" + std::string(text) +
                                              "' is no change of power: write 10s=0.5 for half the "
                                              "speed from 10 s on");
  }
  return PowerStep{*at, *factor};
}

SimulationSetting::SimulationSetting()
    : table_(
          {
              {"planner", "planners to be run, each over the same frames: hode, hode-printed, all-tiles, infer-4k, "
                          "elf, salbs, comp-1 to comp-5",
               &planners, 0, 0, true},
              {"tracks", "whose people are the frames': a file (MOTChallenge, Stanford Drone, PANDA), or "
                         "synthetic[:people=30,frames=600,seed=1]",
               &tracks},
              {"form", "of the tracks: auto, mot-gt, mot-det, sdd, panda-csv, panda-json", &form},
              {"riders", "Stanford Drone: bikers and skaters count as people, too", &riders},
              {"frame", "size that the tracks' frames are scaled to", &frame},
              {"fps", "frames of the tracks taken per second of their own time", &fps, 0.01, 1000},
              {"truth", "annotations, where the boxes come from recordings", &truth},
              {"camera-fps", "frames per second that come; 0: the next as soon as there is room",
               &options.fps, 0, 1e6},
              {"window", "frames in flight; 0: what suits the planner", &options.window, 0, 1000},
              {"frames", "so many; 0: all there are", &frames_, 0, 1e9},
              {"seed", "of the nodes' and the detectors' chance", &seed_, 0, 1e15},
              {"training", "time that a training aside takes", &options.training},
              {"tile", "side of a tile in px", &tile_, 1, 1e6},
              {"padding", "of a tile on each side in px, instead of what is learned", &padding_, 0,
               1e6},
              {"padding-reach", "share of people's size that is padded, where the padding is learned",
               &padding_reach_, 0, 1},
              {"wanted-height", "px at which a model is to see small people: regions of large ones are "
                                "scaled down; 0: never",
               &wanted_height_, 0, 1e5},
              {"overview", "longer side of the whole frame's coarse pass in px; 0: none",
               &overview_, 0, 1e6},
              {"merge", "border or iou", &merge_},
              {"no-join", "one request for each tile", &no_join_},
              {"deadline", "at which a frame ends with what there is", &deadline_},
              {"target", "time that the scheduler may spend on larger models", &target_},
              {"person-score", "boxes at or above count as people for filter and crowds",
               &person_score_, 0, 1},
              {"filter", "flow filter instead of the planner's own", &filter_},
              {"target-recall", "of people, that the filter holds", &target_recall_, 0.5, 0.99999},
              {"scheduler", "scheduler instead of the planner's own", &scheduler_},
              {"scheduler-set", "a parameter of the scheduler", &scheduler_set_},
              {"discriminator", "by name or from a file: tiles that it finds difficult go to the far "
                                "node",
               &discriminator},
              {"upload-share", "share of the regions that may go far", &upload_share, 0, 1},
              {"upload-rate", "bytes that may go far, as 2Mbit/s", &upload_rate},
              {"nodes-from", "trace of a run: its nodes, as they have shown themselves, instead of "
                             "`nodes`",
               &nodes_from_},
              {"state", "file of what the planner has learned: read before the run where it is there, "
                        "written after it",
               &state},
              {"pool", "states of other cameras: what they have in common is begun from where `state` is "
                       "not there yet",
               &pool},
              {"trace", "where the trace goes; %p stands for the planner's name", &trace},
              {"csv", "where the table goes as CSV", &csv},
              {"json", "the table as JSON", &json},
          },
          "nearfar simulate --help") {
  options.window = 0;
  table_.AddList("nodes", [this](int line) -> SettingTable& {
    NodeSetting& node = node_settings_.emplace_back();
    node.line = line;
    return part_tables_.emplace_back(NodeTable(node));
  });
  table_.AddList("hosts", [this](int /*line*/) -> SettingTable& {
    HostSetting& host = host_settings_.emplace_back();
    return part_tables_.emplace_back(SettingTable(
        {{"name", "", &host.name}, {"cores", "", &host.cores, 1e-3, 1e6}}, "docs/simulation.md"));
  });
  table_.AddList("detectors", [this](int line) -> SettingTable& {
    DetectorSetting& detector = detectors.emplace_back();
    detector.line = line;
    return part_tables_.emplace_back(SettingTable({{"name", "", &detector.name},
                                                   {"quality", "", &detector.quality, 0, 1e9},
                                                   {"model", "", &detector.model},
                                                   {"recordings", "", &detector.recordings}},
                                                  "docs/simulation.md"));
  });
}

SimulationSetting::~SimulationSetting() = default;

SettingTable SimulationSetting::NodeTable(NodeSetting& node) {
  return SettingTable({{"name", "", &node.name},
                       {"detector", "", &node.detector},
                       {"host", "", &node.host},
                       {"far", "", &node.far},
                       {"tile-time", "", &node.tile_time},
                       {"fixed", "", &node.fixed},
                       {"noise", "", &node.noise, 0, 2},
                       {"drift", "", &node.drift, 0, 2},
                       {"drift-time", "", &node.drift_time},
                       {"slow-every", "", &node.slow.every},
                       {"slow-least", "", &node.slow.least, 1, 1e3},
                       {"slow-most", "", &node.slow.most, 1, 1e3},
                       {"slow-shortest", "", &node.slow.shortest},
                       {"slow-longest", "", &node.slow.longest},
                       {"outages", "", &node.outages},
                       {"power", "", &node.power},
                       {"link", "", &node.link},
                       {"bytes-per-px", "", &node.bytes_per_px, 0, 100},
                       {"answer-bytes", "", &node.answer_bytes, 0, 1e9}},
                      "docs/simulation.md");
}

Expected<void> SimulationSetting::Apply(const std::string& file) {
  if (auto applied = table_.Apply(file); !applied) {
    return applied;
  }
  return Take(file);
}

Expected<void> SimulationSetting::ApplyText(const std::string& name, const std::string& text) {
  if (auto applied = table_.ApplyText(name, text); !applied) {
    return applied;
  }
  return Take(name);
}

Expected<void> SimulationSetting::Take(const std::string& file) {
  options.frames = static_cast<std::size_t>(frames_);
  options.seed = static_cast<std::uint64_t>(seed_);
  options.config = table_.GivenAsYaml();
  if (tracks.empty() == truth.empty()) {
    return Wrong("tracks", "give either tracks, or recordings of detectors and their truth");
  }
  if (detectors.empty()) {
    detectors.push_back({.name = "everybody"});
  }
  for (std::size_t i = 0; i < detectors.size(); ++i) {
    const DetectorSetting& detector = detectors[i];
    const std::string where = file + ":" + std::to_string(detector.line) + ": detector " + detector.name;
    if (!detector.model.empty() && !detector.recordings.empty()) {
      return Wrong(where, "has a model and recordings: give one of them");
    }
    if (tracks.empty() && detector.recordings.empty()) {
      return Wrong(where, "needs recordings, as there are no tracks");
    }
    if (!tracks.empty() && !detector.recordings.empty()) {
      return Wrong(where, "has recordings; tracks have no pixels: give its model");
    }
  }
  return nodes_from_.empty() ? TakeNodes(file) : TakeFitted();
}

Expected<void> SimulationSetting::TakeNodes(const std::string& file) {
  if (node_settings_.empty()) {
    return Wrong("nodes", "there is none: list them in a YAML file, or fit them to a trace with "
                          "--nodes-from");
  }
  for (const HostSetting& host : host_settings_) {
    options.hosts.push_back({.cores = host.cores});
  }
  for (const NodeSetting& setting : node_settings_) {
    const std::string where =
        file + ":" + std::to_string(setting.line) + ": node " + setting.name;
    SimulatedNode node{.link = LinkId{static_cast<std::uint32_t>(nodes.size() + 1)},
                       .name = setting.name,
                       .bytes_per_px = setting.bytes_per_px,
                       .bytes_down = setting.answer_bytes};
    if (setting.name.empty()) {
      return Wrong(where, "has no name");
    }
    if (setting.tile_time <= setting.fixed) {
      return Wrong(where, "tile-time, the time of one inference of 512x512 px, must be longer than "
                          "its fixed part");
    }
    node.model.per_region = setting.fixed;
    node.model.px_per_second =
        kTilePixels / (ToMilliseconds(setting.tile_time - setting.fixed) / 1e3);
    node.model.noise = setting.noise;
    node.model.drift = {setting.drift, setting.drift_time};
    node.model.slow_downs = setting.slow;
    for (const std::string& text : setting.outages) {
      const auto outage = ParseOutage(text);
      if (!outage) {
        return Wrong(where, "outages: " + outage.error().message);
      }
      node.model.outages.push_back(*outage);
    }
    for (const std::string& text : setting.power) {
      const auto step = ParsePowerStep(text);
      if (!step) {
        return Wrong(where, "power: " + step.error().message);
      }
      node.model.power.push_back(*step);
    }
    if (!setting.link.empty()) {
      const auto link = ParseLinkModel(setting.link);
      if (!link) {
        return Wrong(where, "link: " + link.error().message);
      }
      node.network = *link;
    }
    if (!setting.host.empty()) {
      const auto host = std::find_if(
          host_settings_.begin(), host_settings_.end(),
          [&](const HostSetting& candidate) { return candidate.name == setting.host; });
      if (host == host_settings_.end()) {
        return Wrong(where, "there is no host '" + setting.host + "' in `hosts`");
      }
      node.model.host = static_cast<std::size_t>(host - host_settings_.begin());
    }
    const auto detector = std::find_if(
        detectors.begin(), detectors.end(),
        [&](const DetectorSetting& candidate) { return candidate.name == setting.detector; });
    if (detector == detectors.end() && !setting.detector.empty()) {
      return Wrong(where, "there is no detector '" + setting.detector + "' in `detectors`");
    }
    node.detector = setting.detector.empty()
                        ? 0
                        : static_cast<std::size_t>(detector - detectors.begin());
    descriptions.push_back({.link = node.link,
                            .name = node.name,
                            .quality = detectors[node.detector].quality,
                            .far = setting.far});
    nodes.push_back(std::move(node));
  }
  return Validate(SimulationOptions{.hosts = options.hosts}, nodes);
}

Expected<void> SimulationSetting::TakeFitted() {
  const auto run = ReadTrace(nodes_from_);
  if (!run) {
    return tl::unexpected(run.error());
  }
  const auto fitted = FitNodes(*run);
  if (!fitted) {
    return Wrong(nodes_from_, fitted.error().message);
  }
  for (const FittedNode& node : *fitted) {
    // A model of the trace is a detector of the same name, where there is one.
    const auto detector = std::find_if(
        detectors.begin(), detectors.end(),
        [&](const DetectorSetting& candidate) { return candidate.name == node.model; });
    const std::size_t index =
        detector == detectors.end() ? 0 : static_cast<std::size_t>(detector - detectors.begin());
    nodes.push_back({.link = node.link,
                     .name = node.name,
                     .model = node.node,
                     .detector = index,
                     .network = {.delay = node.network / 2},
                     .bytes_per_px = node.bytes_per_px});
    descriptions.push_back({.link = node.link,
                            .name = node.name,
                            .quality = detectors[index].quality});
  }
  return Validate(SimulationOptions{}, nodes);
}

Expected<PlannerSpec> SimulationSetting::Planner(const std::string& name) const {
  auto named = NamedPlanner(name, descriptions);
  if (!named) {
    return named;
  }
  PlannerSpec& spec = *named;
  ParallelPlannerOptions& planner = spec.options;
  if (tile_ > 0) {
    planner.tile = {tile_, tile_};
  }
  if (padding_ >= 0) {
    planner.padding.fixed = Size{padding_, padding_};
  }
  if (padding_reach_ > 0) {
    planner.padding.reach = padding_reach_;
  }
  if (wanted_height_ >= 0) {
    planner.scale.wanted_height = wanted_height_;
  }
  if (overview_ >= 0) {
    planner.overview = overview_;
  }
  if (merge_ == "iou" || merge_ == "border") {
    planner.merge = merge_ == "iou" ? TileMerge::kIou : TileMerge::kBorder;
  } else if (!merge_.empty()) {
    return Wrong(table_.Where("merge"), "'" + merge_ + "' is neither border nor iou");
  }
  if (no_join_) {
    planner.joining.on = false;
  }
  if (deadline_ > Duration::zero()) {
    planner.deadline = deadline_;
  }
  planner.target = target_;
  if (person_score_ >= 0) {
    planner.person_score = static_cast<float>(person_score_);
  }
  if (!filter_.empty()) {
    spec.filter.name = filter_;
  }
  if (target_recall_ > 0) {
    spec.filter.target_recall = target_recall_;
  }
  spec.filter.seed = options.seed;
  if (!scheduler_.empty()) {
    spec.scheduler = {.name = scheduler_};
  }
  for (const auto& [key, value] : scheduler_set_) {
    spec.scheduler.parameters[key] = value;
  }
  if (options.window > 0) {
    spec.window = options.window;
  }
  return named;
}

}  // namespace nearfar::cli
