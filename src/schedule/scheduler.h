#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"
#include "core/ids.h"

namespace nearfar {

/// What is known of one node when work is dealt out. Queue and speed are measured by the planner
/// from its own requests and the node's answers.
struct NodeState {
  LinkId link{};
  bool ready = true;            ///< false: it gets nothing
  int queued = 0;               ///< regions sent and not answered, [HODE eq. 1] q_i
  std::int64_t queued_px = 0;   ///< their pixels
  double px_per_second = 0;     ///< measured speed, [HODE eq. 1] v_i; 0 = never measured
  Duration per_region{};        ///< measured fixed part of each inference, link included; >= 0
  double quality = 0;           ///< rank of its model: AP or GFLOPs, larger finds more
  int given = 0;                ///< regions of the frames in flight that it was given ...
  int done = 0;                 ///< ... and of these, answered: p_i = done / given [HODE eq. 6]
  Duration oldest{};            ///< since when its oldest open request is out; 0 = none open

  /// When this much more work would be answered, after all that is queued.
  /// REQUIRES: px_per_second > 0.
  Duration Expected(int regions, std::int64_t pixels) const {
    return per_region * (queued + regions) +
           std::chrono::round<Duration>(
               std::chrono::duration<double>(static_cast<double>(queued_px + pixels) / px_per_second));
  }

  friend bool operator==(const NodeState&, const NodeState&) = default;
};

/// One region to be looked at.
struct Work {
  RegionId region{};
  std::int64_t pixels = 0;  ///< > 0
  double crowd = 0;         ///< people expected there, from the latest result [HODE §II.B]

  friend bool operator==(const Work&, const Work&) = default;
};

/// What is to be dealt out, at one moment.
struct WorkDeal {
  TimePoint now;
  FrameId frame{};
  std::span<const NodeState> nodes;  ///< in configuration order; ids rise
  std::span<const Work> work;        ///< of one frame, in plan order
  std::optional<Duration> slack;     ///< time to the frame's deadline, if it has one
  bool first = true;                 ///< the frame has just come; else: what was held back of it
};

/// Who gets what.
struct Assignment {
  static constexpr int kHeldBack = -1;  ///< not yet: ask again when a node has answered

  std::vector<int> node_of;  ///< by work: index into nodes, or kHeldBack. Never a node not ready
  std::string decided_by;    ///< "earliest", "dqn", "guard", ...: who made this one

  friend bool operator==(const Assignment&, const Assignment&) = default;
};

/// Deals the regions of a frame out to nodes. [HODE §II.B]
/// Assign is called once per frame when it comes (deal.first) and again, for what was held back, at
/// every answer. A scheduler may hold work back only while some ready node has work open or gets some
/// in the same assignment. Ties break by index. Not thread-safe.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;
  /// REQUIRES: at least one node is ready; no work is empty.
  virtual Assignment Assign(const WorkDeal& deal) = 0;
  /// The frame's last region was answered, this long after it came. For those that learn.
  virtual void Observe(FrameId /*frame*/, Duration /*makespan*/,
                       std::span<const NodeState> /*nodes*/, TimePoint /*now*/) {}

  /// What was learned, as one line of JSON, so that a restart goes on with it.
  virtual std::string SaveState() const { return {}; }
  /// Goes on with a saved state. Errors: kInvalidInput when the text is no state of this scheduler
  /// and version; the scheduler then is as it was.
  virtual Expected<void> LoadState(std::string_view /*state*/) { return {}; }
};

}  // namespace nearfar
