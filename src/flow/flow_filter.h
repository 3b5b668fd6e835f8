#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/detection.h"
#include "core/expected.h"
#include "core/ids.h"
#include "core/tile_grid.h"

namespace nearfar {

/// What becomes of one cell of a frame.
enum class Look : std::uint8_t {
  kSkip,   ///< nobody is expected there
  kKeep,   ///< people are expected
  kProbe,  ///< nobody is expected; looked at all the same, to learn what was missed
};

/// Which cells of one frame are looked at, and why.
struct LookPlan {
  std::vector<Look> cells;   ///< one per cell of the grid, in its order
  bool full_look = false;    ///< drawn at random beforehand to be looked at whole: what estimates the
                             ///< recall. Every cell is kept or probed then; kSkip never occurs
  std::vector<Look> would;   ///< of a full look: what would have been done otherwise; else empty
  std::string reason;        ///< one phrase where the filter is off or the frame is special; else empty

  friend bool operator==(const LookPlan&, const LookPlan&) = default;
};

/// What came of a frame that was planned.
struct LookResult {
  FrameId frame{};
  TimePoint captured{};
  std::vector<bool> looked;  ///< by cell: answered. False is unknown, never empty: nobody looked
  Detections people;         ///< the frame's result that counts as a person, in px of the frame
  bool overview = false;     ///< the whole frame was also looked at, coarsely: large people are known
                             ///< everywhere

  friend bool operator==(const LookResult&, const LookResult&) = default;
};

/// Training that takes longer than a frame may wait: a copy of what it learns from, to be run once,
/// on whichever thread, and handed back. Shared with nobody: a shared_ptr because it travels in
/// actions and events, which are copied.
class FlowTraining {
 public:
  virtual ~FlowTraining() = default;
  virtual void Run() = 0;
};

/// Says which cells of a frame to look at, from what was found in earlier ones. [HODE §II.A]
/// Plan is called once per frame in order; Observe once per planned frame, in order of frames, as
/// soon as it has ended: with two frames in flight the newest result is older than one frame, and
/// frames without any answer come with nothing looked at. Not thread-safe.
class FlowFilter {
 public:
  virtual ~FlowFilter() = default;
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  /// Another frame size: everything known of the old grid is forgotten, unless it is the same grid.
  virtual void SetGrid(const TileGrid& grid) = 0;
  /// REQUIRES: SetGrid was called.
  virtual LookPlan Plan(FrameId frame, TimePoint captured) = 0;
  virtual void Observe(const LookResult& result) = 0;
  /// People last known in each cell, for the dispatch by crowds: the newest count seen of the cell,
  /// 0 where none was ever seen. In the grid's order.
  virtual const std::vector<float>& crowds() const = 0;

  /// Training that is due, or null. One at a time: none is handed out before the last came back.
  virtual std::shared_ptr<FlowTraining> TakeTraining() { return nullptr; }
  /// Takes over what a training of this filter has learned. REQUIRES: it has run.
  virtual void Adopt(FlowTraining& /*training*/) {}

  /// What was learned, as one line of JSON, so that a restart goes on with it.
  virtual std::string SaveState() const { return {}; }
  /// Goes on with a saved state. REQUIRES: SetGrid was called. Errors: kInvalidInput when the text is
  /// no state of this filter and version, or one of another grid; the filter then is as it was.
  virtual Expected<void> LoadState(std::string_view /*state*/) { return {}; }
};

}  // namespace nearfar
