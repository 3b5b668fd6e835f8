#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/count_grid.h"
#include "flow/flow_filter.h"
#include "flow/network_training.h"
#include "flow/people_tracker.h"
#include "flow/residual_network.h"

namespace nearfar {

struct NetworkFilterOptions {
  FlowTrainingOptions training;
  std::size_t first_examples = 250;  ///< frames looked at whole before the first training; >= 10
  std::size_t most_examples = 2000;  ///< remembered, the latest; >= first_examples
  double full_look_share = 0.02;     ///< of frames, drawn to be looked at whole; in [0, 1]
  int max_age = 80;                  ///< frames after which a cell is looked at anyway; >= 1
  bool forecast = true;    ///< gives the network the people followed, too; false: as printed
  std::uint64_t seed = 1;  ///< of the draw

  friend bool operator==(const NetworkFilterOptions&, const NetworkFilterOptions&) = default;
};

/// Gathers what the network sees before a frame from the results that have come: examples are made
/// by the same way for training as for the filter, so that training has the lag in force.
class FlowHistory {
 public:
  explicit FlowHistory(bool forecast) : forecast_(forecast) {}
  void Reset(const TileGrid& grid);
  void Observe(FrameId frame, TimePoint captured, const CountGrid& counts,
               const Detections& people);
  FlowInput InputOf(FrameId frame, TimePoint captured);

 private:
  struct Seen {
    std::uint64_t frame;
    CountGrid counts;
  };
  bool forecast_;
  TileGrid grid_;
  std::deque<Seen> seen_;  // the newest first
  PeopleTracker tracker_;
  std::vector<double> forecast_people_;
};

/// The paper's filter: keeps a cell when the network gives it the chosen probability. [HODE §II.A]
/// It looks at everything until it has seen enough, is trained (TakeTraining, Run, Adopt) on frames
/// looked at whole, with its threshold chosen for the target recall on the validation part, and is
/// trained anew when as much again was seen. Its weights are its state.
class NetworkFilter final : public FlowFilter {
 public:
  explicit NetworkFilter(const NetworkFilterOptions& options = {});

  std::string name() const override { return "flow-net"; }
  std::string version() const override { return "1"; }
  void SetGrid(const TileGrid& grid) override;
  LookPlan Plan(FrameId frame, TimePoint captured) override;
  void Observe(const LookResult& result) override;
  const std::vector<float>& crowds() const override { return crowds_; }
  std::shared_ptr<FlowTraining> TakeTraining() override;
  void Adopt(FlowTraining& training) override;
  std::string SaveState() const override;
  Expected<void> LoadState(std::string_view state) override;

  /// Filters by this network from now on.
  void Use(ResidualNetwork network, double threshold);
  /// The last training's outcome; absent before.
  const std::optional<TrainedFlowNetwork>& trained() const { return trained_; }

 private:
  struct Planned {
    FrameId frame{};
    bool whole = false;
    FlowInput input;
  };

  NetworkFilterOptions options_;
  TileGrid grid_;
  FlowHistory history_;
  std::deque<Planned> planned_;
  std::deque<FlowExample> examples_;
  std::size_t next_training_;
  std::size_t seen_examples_ = 0;
  bool training_out_ = false;
  std::optional<ResidualNetwork> network_;
  double threshold_ = 0.5;
  std::optional<TrainedFlowNetwork> trained_;
  std::vector<float> crowds_;
  std::vector<std::uint64_t>
      last_look_;      // by cell: the frame last looked at with an answer, plus 1
  ResidualPass pass_;  // kept for its memory alone
};

}  // namespace nearfar
