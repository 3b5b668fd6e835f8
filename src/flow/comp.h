#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "flow/count_grid.h"
#include "flow/flow_filter.h"

namespace nearfar {

/// Keeps every cell of every frame: no filter.
class KeepAll final : public FlowFilter {
 public:
  std::string name() const override { return "all"; }
  std::string version() const override { return "1"; }
  void SetGrid(const TileGrid& grid) override;
  LookPlan Plan(FrameId frame, TimePoint captured) override;
  void Observe(const LookResult& result) override;
  const std::vector<float>& crowds() const override { return crowds_; }

 private:
  TileGrid grid_;
  std::vector<float> crowds_;
};

struct CompOptions {
  int back = 1;  ///< i of Comp-i: frames, 1 to 5
  /// What becomes of a cell that the frame looked back at skipped. False: nothing is known of it,
  /// so that it is looked at. True: nothing was found there, so that it is skipped, for ever: what
  /// Comp-i does to its own stream when it is taken by the letter, to compare with.
  bool unknown_is_empty = false;

  friend bool operator==(const CompOptions&, const CompOptions&) = default;
};

/// [HODE §III.C] Comp-i: "if a small region does not have pedestrians at time t - i, this small
/// region will be filtered out at time t". Where the result of frame t - i has not come yet (more
/// than i frames in flight), the newest that has stands in for it; while there is none, and where
/// that frame brought no answer, every cell is kept.
class Comp final : public FlowFilter {
 public:
  /// REQUIRES: options.back in 1 .. 5.
  explicit Comp(const CompOptions& options);

  std::string name() const override;
  std::string version() const override { return "1"; }
  void SetGrid(const TileGrid& grid) override;
  LookPlan Plan(FrameId frame, TimePoint captured) override;
  void Observe(const LookResult& result) override;
  const std::vector<float>& crowds() const override { return crowds_; }

 private:
  struct Seen {
    std::uint64_t frame = 0;
    CountGrid grid;
  };

  CompOptions options_;
  TileGrid grid_;
  std::deque<Seen> seen_;  // by rising frame, the newest last
  std::vector<float> crowds_;
};

/// Puts the newest counts over `crowds`: a cell that was looked at, or where somebody was found.
void UpdateCrowds(const CountGrid& seen, std::vector<float>& crowds);

/// True when the result belongs to a grid of so many cells: its `looked` has one entry each, or
/// none.
bool Fits(const LookResult& result, const TileGrid& grid);

}  // namespace nearfar
