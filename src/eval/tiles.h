#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/percentile.h"
#include "data/truth.h"
#include "trace/json_lines.h"

namespace nearfar {

/// How long frames took beside the least time in which their nodes could have looked at them.
struct MakespanStanding {
  std::size_t frames = 0;  ///< that have both
  double ratio = 0;        ///< of the sums: makespan over bound; >= 1 but for measuring noise
  double p50 = 0;          ///< of the frames' own ratios
  double p95 = 0;

  friend bool operator==(const MakespanStanding&, const MakespanStanding&) = default;
};

/// What a trace tells of frames that were cut in tiles, without any truth.
struct TilesReport {
  std::size_t frames = 0;            ///< cut in tiles; everything below is about them alone
  std::size_t degraded = 0;          ///< that ended with something missing
  std::int64_t all_px = 0;           ///< pixels of all their padded tiles
  std::int64_t sent_px = 0;          ///< pixels of the regions that were to be looked at
  std::optional<double> skip_share;  ///< 1 - sent_px / all_px; below 0 where overviews cost more
                                     ///< than skipping saves; absent where all_px is 0
  std::int64_t cells = 0;
  std::int64_t kept = 0;       ///< cells that the filter wanted
  std::int64_t probed = 0;     ///< cells looked at because nobody knows
  std::int64_t unseen = 0;     ///< cells wanted and not answered
  std::size_t full_looks = 0;  ///< frames drawn beforehand to be looked at whole
  std::size_t filter_off = 0;  ///< frames whose filter gave a reason to look everywhere
  std::int64_t regions = 0;
  std::int64_t failed_answers = 0;  ///< nodes that did not answer a region
  std::int64_t resent = 0;          ///< regions that went to another node after a failure
  std::int64_t sent_far = 0;        ///< regions judged difficult and sent to the far model
  std::vector<std::pair<std::string, std::size_t>> decided_by;  ///< frames by who dealt them out,
                                                                ///< by falling number, then by name
  std::optional<double> fps;  ///< frames emitted a second: one less than there are over the time
                              ///< from the first emission to the last; absent below two
  std::optional<LatencyPercentiles> frame_time;  ///< capture to emission
  std::optional<MakespanStanding> makespan;      ///< absent where nodes did not tell their times

  friend bool operator==(const TilesReport&, const TilesReport&) = default;
};

/// Adds a trace up. Frames without tiles are left out.
///
/// The bound of a frame (schedule/makespan_bound.h) takes every node that answered anywhere in the
/// trace at its speed in that frame: its time for a region is a fixed part and one by pixels,
/// fitted to all its answers by least squares, times how much slower it was in this frame, or in
/// the last one in which it answered. Links and queues of earlier frames are not in the bound: the
/// ratio is what all of that costs, too. Frames with a region that nobody answered have no ratio.
TilesReport ReportTiles(const Trace& trace);

/// Brings a truth in px of smaller or larger pictures to the size of the trace's frames, by name,
/// where the shape is the same: tracks of a 1080p scene are simulated as 4K frames. A remark says
/// how many; an image of another shape is left as it is, with a remark.
void FitTruthToTrace(const Trace& trace, Truth& truth);

}  // namespace nearfar
