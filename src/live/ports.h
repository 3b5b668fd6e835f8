#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/detection.h"
#include "core/expected.h"
#include "core/model_identity.h"
#include "core/pixels.h"
#include "trace/record.h"

namespace nearfar {

/// What a detector saw in one view.
struct DetectorAnswer {
  Detections detections;  ///< in px of the view moved by its offset, by falling score
  Duration prepare{};     ///< resizing and normalising
  Duration infer{};       ///< inside the engine
  Duration decode{};      ///< decoding and NMS
};

/// A model that can look at pixels. Thread-safe: several callers share one session.
class Detector {
 public:
  virtual ~Detector() = default;
  /// Detects objects in `view`, whose top left corner lies at (offset_x, offset_y) px of the frame;
  /// boxes come back in px of the frame. Labels are indices into labels().
  virtual Expected<DetectorAnswer> Detect(const PixelView& view, int offset_x, int offset_y) = 0;
  /// Decoded boxes before NMS, for recordings made so.
  virtual Expected<DetectorAnswer> DetectBeforeNms(const PixelView& view, int offset_x,
                                                   int offset_y) = 0;
  virtual const ModelIdentity& identity() const = 0;
  virtual const std::vector<std::string>& labels() const = 0;
};

/// A picture to be sent, with its own bytes: it outlives its frame and can be stored.
struct Upload {
  enum class Payload { kImage, kPixels };

  RequestId request{};
  FrameId frame{};
  RegionId region = kWholeFrame;
  Rect rect;                            ///< in px of the frame
  Payload payload = Payload::kImage;
  std::vector<std::uint8_t> bytes;      ///< JPEG/PNG, or blue-green-red rows of rect's size
  TimePoint deadline;                   ///< the answer is of use until then
};

/// The way to one node. Thread-safe.
class NodeLink {
 public:
  virtual ~NodeLink() = default;
  /// Sends without blocking and calls `done` exactly once, from any thread, with boxes in px of the
  /// frame or the failure: refused, unreachable, too late, garbage. Labels are in the label space
  /// that the link was made for.
  virtual void Send(Upload upload, std::function<void(Answer)> done) = 0;
  /// Hurries the answer of a request that nobody waits for any more; `done` is still called.
  virtual void Cancel(RequestId request) = 0;
  virtual std::string node() const = 0;
};

/// The next picture of a source, or why this one cannot be had.
struct SourceItem {
  std::string source;
  std::string name;
  Expected<std::shared_ptr<const Frame>> frame;
};

/// Where pictures come from. Used by one thread.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  /// Blocks for the next picture; nothing at the end of the stream.
  virtual std::optional<SourceItem> Next() = 0;
  /// How many pictures the source holds, where that is known.
  virtual std::optional<std::uint64_t> count() const { return std::nullopt; }
};

/// Where results go. Called by one thread, in frame order.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Expected<void> Begin(const RunRecord& /*run*/) { return {}; }
  /// @param pixels  empty view when the picture could not be read.
  virtual Expected<void> Write(const FrameRecord& record, const PixelView& pixels) = 0;
  virtual Expected<void> Write(const OutcomeRecord& /*record*/) { return {}; }
  /// Everything has been written; what is buffered goes out.
  virtual Expected<void> End() { return {}; }
};

}  // namespace nearfar
