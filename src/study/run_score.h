#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/percentile.h"
#include "data/truth.h"
#include "sim/box_source.h"
#include "sim/simulate.h"

namespace nearfar {

/// How a planner did in a simulation.
struct RunScore {
  std::size_t frames = 0;
  double fps = 0;
  LatencyPercentiles times;      ///< capture to emission
  std::optional<double> ap;      ///< of persons at IoU 0.5, area under the curve
  std::optional<double> recall;  ///< of persons, boxes above the person score
  double skipped = 0;            ///< 1 - pixels sent / pixels of all padded tiles
  std::map<std::string, int> decided_by;
  std::map<FrameStatus, int> statuses;
  LatencyPercentiles real;  ///< of the planner, per frame, on this machine
};

/// Scores the frames of a run from `from` on; the rate is theirs alone.
/// @param boxes         tells what really was there: without it, no ap and recall.
/// @param person_score  from which a box counts for the recall.
/// REQUIRES: from < run.frames.size().
RunScore ScoreRun(const BoxSource& boxes, const Simulated& run, float person_score,
                  std::size_t from = 0);

/// Boxes of one frame of a source.
struct FrameDetections {
  std::size_t frame = 0;  ///< of the source
  Detections detections;
};

/// The AP of persons at IoU 0.5; absent where nobody knows what is there.
std::optional<double> PersonAp(const BoxSource& boxes, const std::vector<FrameDetections>& found);

}  // namespace nearfar
