#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/settings.h"
#include "core/expected.h"
#include "pipeline/named_planner.h"
#include "sim/simulate.h"

namespace nearfar::cli {

/// A detector of a simulation: how its boxes are come by.
struct DetectorSetting {
  std::string name;
  double quality = 0;                   ///< rank: larger finds more
  std::string model;                    ///< a detector model's JSON; empty and no recordings: it finds
                                        ///< everybody
  std::vector<std::string> recordings;  ///< of tiles and whole frames, instead of tracks
  int line = 0;                         ///< of the file
};

/// What `nearfar simulate` is told, by a YAML file and flags.
class SimulationSetting {
 public:
  SimulationSetting();
  ~SimulationSetting();
  SimulationSetting(const SimulationSetting&) = delete;
  SimulationSetting& operator=(const SimulationSetting&) = delete;

  void Declare(CLI::App& app) { table_.Declare(app); }
  /// Reads the file, then the flags; checks what can be checked without opening anything else, and
  /// fits the nodes to `nodes-from` where that is given.
  /// Errors: kInvalidInput with file, line and key; those of ReadTrace.
  Expected<void> Apply(const std::string& file);
  /// The same with the text of a file; messages call it `name`.
  Expected<void> ApplyText(const std::string& name, const std::string& text);

  /// The planner of that name with what was set over its own options.
  Expected<PlannerSpec> Planner(const std::string& name) const;

  std::vector<std::string> planners{"infer-4k", "hode-printed", "hode"};
  std::string tracks;           ///< file or folder of tracks
  std::string form = "auto";
  bool riders = false;          ///< SDD: bikers and skaters count as people
  std::string frame;            ///< WIDTHxHEIGHT that the frames are scaled to; empty: their own
  double fps = 10;              ///< of the tracks, in their own time
  std::string truth;            ///< annotations, where the boxes come from recordings
  std::string discriminator;    ///< file for the cascade at tile grain
  double upload_share = -1;     ///< of the regions; < 0: not given
  std::string upload_rate;      ///< bytes a second, as ParseByteRate
  std::string trace;            ///< where the traces go: a file, or with several planners NAME in it
  std::string state;            ///< file of the learned state, read before and written after
  std::vector<std::string> pool;  ///< states of other cameras, to begin from where there is no own
  std::string csv;
  bool json = false;
  SimulationOptions options;    ///< window 0: the planner's own
  std::vector<SimulatedNode> nodes;
  std::vector<NodeDescription> descriptions;
  std::deque<DetectorSetting> detectors;

 private:
  struct NodeSetting;
  struct HostSetting;

  SettingTable NodeTable(NodeSetting& node);
  Expected<void> Take(const std::string& file);
  Expected<void> TakeNodes(const std::string& file);
  Expected<void> TakeFitted();

  std::int64_t frames_ = 0;
  std::int64_t seed_ = 1;
  std::string nodes_from_;
  int tile_ = 0;
  int overview_ = -1;
  int padding_ = -1;
  double padding_reach_ = 0;
  double wanted_height_ = -1;
  std::string merge_;
  bool no_join_ = false;
  Duration deadline_{};
  Duration target_{};
  std::string filter_;
  double target_recall_ = 0;
  std::string scheduler_;
  std::map<std::string, double> scheduler_set_;
  double person_score_ = -1;
  std::deque<NodeSetting> node_settings_;
  std::deque<HostSetting> host_settings_;
  std::deque<SettingTable> part_tables_;
  SettingTable table_;
};

/// One time and length as "20s+5s": from 20 s on, for 5 s; without a length: for good.
Expected<Outage> ParseOutage(std::string_view text);
/// "10s=0.5": from 10 s on at half the speed.
Expected<PowerStep> ParsePowerStep(std::string_view text);

}  // namespace nearfar::cli
