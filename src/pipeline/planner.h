#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/ids.h"
#include "core/pixels.h"
#include "discriminate/upload_policy.h"
#include "flow/flow_filter.h"
#include "trace/record.h"

namespace nearfar {

// ---- What happens to a planner -------------------------------------------------------------------

/// A picture has come. Ids count up from 0 without gaps.
struct FrameArrived {
  TimePoint now;
  FrameId frame{};
  std::string source;
  std::string name;
  Size size;
  TimePoint captured{};
  WallTime captured_at{};
  PixelFeatures features;
  std::int64_t upload_bytes = 0;  ///< estimate for sending the whole frame
  TimePoint moment{};  ///< of the scene that it shows, on a clock of its own: of a file, its place in
                       ///< the film; of a camera, `captured`. People move by this clock
};

/// A picture was due but cannot be read. It takes its turn in the output all the same.
struct FrameBroken {
  TimePoint now;
  FrameId frame{};
  std::string source;
  std::string name;
  std::string reason;
};

/// A request was answered or failed: exactly one reply for each Infer or Send, which may be late.
/// Replies to requests unknown or already answered are ignored.
struct ReplyArrived {
  TimePoint now;
  FrameId frame{};
  Answer answer;  ///< names request, region and link
};

/// The moment asked for by a WakeAt has come, or a later one.
struct TimerFired {
  TimePoint now;
};

/// A node joined, left, or told what it can do.
struct NodeChanged {
  TimePoint now;
  LinkId link{};
  bool ready = false;
  std::string node;
};

/// The link to a node was measured.
struct LinkChanged {
  TimePoint now;
  LinkId link{};
  double bytes_per_second = 0;
  Duration round_trip{};
};

/// A training that was asked for by a Train has run.
struct Trained {
  TimePoint now;
  std::shared_ptr<FlowTraining> training;
};

using Event = std::variant<FrameArrived, FrameBroken, ReplyArrived, TimerFired, NodeChanged,
                           LinkChanged, Trained>;

// ---- What a planner wants done -------------------------------------------------------------------

/// Run the near model on a region, on this device.
struct Infer {
  RequestId request{};
  FrameId frame{};
  RegionId region = kWholeFrame;
  Rect rect;
  Size input{};  ///< to which the region is scaled first; empty: its own size
};

/// Send a region to the node behind a link. The answer is wanted by `deadline`; one that comes later
/// is still reported.
struct Send {
  RequestId request{};
  FrameId frame{};
  RegionId region = kWholeFrame;
  Rect rect;
  LinkId link{};
  TimePoint deadline;
  UploadCost estimated;
  Size input{};  ///< to which the region is scaled before it is sent; empty: its own size
};

/// The answer is no longer wanted; its reply may still come.
struct Cancel {
  RequestId request{};
  LinkId link{};
};

/// The frame is finished. Emitted once per frame, in frame order.
struct Emit {
  FrameRecord record;
};

/// An answer came that did not make its frame's result.
struct EmitOutcome {
  OutcomeRecord record;
};

/// Call Step(TimerFired) at this moment.
struct WakeAt {
  TimePoint when;
};

/// Run a training aside, wherever there is time, and hand it back by Trained. Shared, because actions
/// are copied; whoever runs it is the only one that touches it until then.
struct Train {
  std::shared_ptr<FlowTraining> training;
};

using Action = std::variant<Infer, Send, Cancel, Emit, EmitOutcome, WakeAt, Train>;
using Actions = std::vector<Action>;

/// Decides, at every event of one stream, what is to be done next. A state machine without clock,
/// thread or I/O: the live driver and the simulator drive the same object. Not thread-safe.
class Planner {
 public:
  virtual ~Planner() = default;
  virtual Actions Step(const Event& event) = 0;
  /// Pixel features that FrameArrived must carry for this planner's discriminator.
  virtual bool needs_brenner() const = 0;
  virtual bool needs_jpeg_bytes() const = 0;
};

}  // namespace nearfar
