#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/geometry.h"
#include "core/tile_grid.h"
#include "data/tracks.h"
#include "flow/flow_filter.h"

namespace nearfar {

/// What stood before a camera in one frame.
struct FlowFrame {
  TimePoint captured{};
  std::vector<Box> people;  ///< in px of the frame

  friend bool operator==(const FlowFrame&, const FlowFrame&) = default;
};

/// A scene for flow filters: frames at one pace, and the grid that they are cut by.
struct FlowScene {
  std::string name;
  TileGrid grid;
  std::vector<FlowFrame> frames;

  friend bool operator==(const FlowScene&, const FlowScene&) = default;
};

/// A grid of square cells, `cells` of them on the longer side of the frame.
/// REQUIRES: frame.area() > 0, cells > 0.
TileGrid GridOfCells(Size frame, int cells);

/// The people of a track file's frames, those that count (label 0, not difficult, scored at least
/// `least_score`), before a grid of `cells` on the longer side.
/// REQUIRES: tracks.frame.area() > 0, cells > 0.
FlowScene SceneOf(const Tracks& tracks, int cells, float least_score = 0);

struct FlowLoopOptions {
  int lag = 1;  ///< a frame's result has come before the frame so many later is planned; >= 1
  double miss_rate = 0;  ///< of the detector, by chance for each person and frame; in [0, 1)
  /// How far a tile reaches over its cell, in px of the frame: people whose whole box lies inside
  /// one padded tile that is looked at are found, too. None: only those whose middle is in a cell
  /// looked at.
  Size padding;
  std::uint64_t seed = 1;  ///< of the detector's misses

  friend bool operator==(const FlowLoopOptions&, const FlowLoopOptions&) = default;
};

/// The padding that 90 % of the scene's people fit in, by width and by height.
Size PaddingOf(const FlowScene& scene);

/// How a filter does on a scene when it sees only what it let through.
struct FlowLoopResult {
  std::size_t frames = 0;
  std::optional<std::size_t> on_since;  ///< the first frame of which a cell was skipped
  std::size_t full_looks = 0;           ///< frames drawn to be looked at whole
  double empty_share = 0;               ///< cells in which nobody stands, of all
  double skipped = 0;                   ///< cells skipped, of all
  double skipped_on = 0;                ///< the same from `on_since`
  double empty_share_on = 0;
  double skipped_pixels_on = 0;  ///< 1 - px of the padded tiles looked at / px of all of them
  double recall_on = 1;  ///< people whose middle lies in a cell looked at, of all, from `on_since`
  double recall_padded_on = 1;  ///< people so, or with their whole box in a padded tile looked at
  std::array<double, 4> recall_by_quarter{1, 1, 1, 1};  ///< of the frames from `on_since`
  std::array<double, 4> skipped_by_quarter{};
  std::array<std::size_t, 4> people_by_quarter{};
  std::size_t people_on = 0;
  std::size_t missed_on = 0;
  std::vector<Duration> plan_times;  ///< by frame, Plan and Observe together; empty: not timed
};

/// Runs a filter over a scene, result by result, with a detector that overlooks people by chance.
/// Deterministic but for the times. REQUIRES: options in range; the filter is new or of this grid.
FlowLoopResult RunFlowLoop(const FlowScene& scene, FlowFilter& filter,
                           const FlowLoopOptions& options);

/// [HODE §III.C] The share of cells of which a filter that sees everything says rightly whether
/// somebody stands in them: Figure 12. The first `from` frames are not counted.
double OpenLoopAccuracy(const FlowScene& scene, FlowFilter& filter, int lag, std::size_t from);

}  // namespace nearfar
