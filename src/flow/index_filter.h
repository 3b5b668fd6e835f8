#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/expected.h"
#include "flow/birth_rates.h"
#include "flow/flow_filter.h"
#include "flow/people_tracker.h"

namespace nearfar {

struct IndexOptions {
  double target_recall = 0.995;  ///< share of the people that must be looked at; in (0, 1)
  int max_age = 80;              ///< frames after which a cell is looked at anyway; >= 1
  double unseen_leave = 0.1;     ///< people that nobody saw leave a cell, per second; > 0
  double first_index = 0.02;     ///< the threshold to begin with, in people; > 0
  double tail_weight = 1;        ///< of a doubtful person against one who may have appeared; > 0
  double steering = 0.05;        ///< how fast the threshold follows the expected recall; (0, 1]
  TrackerOptions tracker;
  BirthRateOptions rates;

  friend bool operator==(const IndexOptions&, const IndexOptions&) = default;
};

/// Looks where people are expected, and elsewhere where looking pays most.
///
/// Each cell has an index: how many of the people followed may stand in it (PeopleTracker), plus
/// what looking saves of the people who may have appeared since it was last looked at. With l of
/// them appearing per frame (BirthRates), u(a) = l (1 - e^-da) / d are expected after a frames, and
/// the Whittle index of looking then is a u(a) - (u(0) + ... + u(a)), about l a^2 / 2. Cells are
/// looked at when their index reaches a threshold, or at max_age. The threshold is steered so that
/// the people expected in skipped cells are the share of all that the target allows, times
/// `calibration`.
class IndexFilter final : public FlowFilter {
 public:
  explicit IndexFilter(const IndexOptions& options = {});

  std::string name() const override { return "index"; }
  std::string version() const override { return "1"; }
  void SetGrid(const TileGrid& grid) override;
  LookPlan Plan(FrameId frame, TimePoint captured) override;
  void Observe(const LookResult& result) override { Observe(result, true); }
  const std::vector<float>& crowds() const override { return crowds_; }

  /// @param learns  whether the cells' rates learn from it.
  void Observe(const LookResult& result, bool learns);
  /// Learns the cells' rates from a result without believing in anybody: of frames that were looked
  /// at whole while the filter is to know no more than it let through.
  void Learn(const LookResult& whole);
  /// Takes the people as Learn knows them.
  void AdoptLearned();
  /// Has Learn go on from what Observe knows.
  void BeginLearning();
  /// Puts the counts of a result over `crowds`, without learning from it.
  void SetCrowds(const LookResult& result);

  /// People really missed for each one expected to be, as measured: 1 at first.
  void SetCalibration(double calibration) { calibration_ = calibration; }
  /// Share of the people who are expected in skipped cells, of late, calibration included.
  double expected_miss() const;
  /// People expected in the cells that the last plan skipped, calibration left out.
  double last_expected() const { return last_expected_; }

  BirthRates& rates() { return rates_; }
  const BirthRates& rates() const { return rates_; }
  double threshold() const { return threshold_; }
  double calibration() const { return calibration_; }
  void SetThreshold(double threshold) { threshold_ = threshold; }

 private:
  struct Planned {
    FrameId frame{};
    std::vector<bool> looked;
  };
  double SecondsOf(FrameId frame, TimePoint captured);

  IndexOptions options_;
  TileGrid grid_;
  PeopleTracker tracker_;
  PeopleTracker watcher_;  // of Learn
  BirthRates rates_;
  std::vector<float> crowds_;
  std::deque<Planned> in_flight_;
  std::vector<double> answered_;  // by cell: when last looked at with an answer, seconds
  std::vector<double> learned_;   // the same of Learn
  std::vector<double> left_;      // by cell: people that the last look may have overlooked
  std::vector<std::uint64_t> answered_frame_;  // by cell: the frame looked at then, plus 1; 0: none
  double threshold_;
  double calibration_ = 1;
  double missed_average_ = 0;
  double people_average_ = 0;
  double averaged_ = 0;  // frames
  double last_expected_ = 0;
  double per_frame_ = 0.1;  // seconds
  bool begun_ = false;
  FrameId first_frame_{};
  TimePoint first_captured_{};
  FrameId last_frame_{};
  double last_seconds_ = 0;
  std::deque<std::pair<FrameId, double>> times_;
  std::vector<double> followed_;  // kept for its memory alone, as the next
  std::vector<double> waited_;
};

}  // namespace nearfar
