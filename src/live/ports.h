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

/// One look of a detector in steps, so that a caller can keep the engine's thread free of all else.
/// The steps may run on different threads, one after the other, each once.
class DetectorPass {
 public:
  virtual ~DetectorPass() = default;
  /// The engine's work alone.
  virtual Expected<void> Infer() = 0;
  /// Decoding and NMS. REQUIRES: Infer has succeeded.
  virtual Expected<DetectorAnswer> Decode() = 0;
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
  /// Detect in steps: this one resizes and normalises. The view must outlive the pass. A detector
  /// that cannot be cut does everything in Infer.
  virtual Expected<std::unique_ptr<DetectorPass>> Prepare(const PixelView& view, int offset_x,
                                                          int offset_y);
  virtual const ModelIdentity& identity() const = 0;
  virtual const std::vector<std::string>& labels() const = 0;
};

/// The pass of a detector that cannot be cut.
class UncutPass final : public DetectorPass {
 public:
  UncutPass(Detector& detector, const PixelView& view, int offset_x, int offset_y)
      : detector_(detector), view_(view), offset_x_(offset_x), offset_y_(offset_y) {}

  Expected<void> Infer() override {
    auto answer = detector_.Detect(view_, offset_x_, offset_y_);
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    answer_ = std::move(*answer);
    return {};
  }
  Expected<DetectorAnswer> Decode() override { return std::move(answer_); }

 private:
  Detector& detector_;
  PixelView view_;
  int offset_x_;
  int offset_y_;
  DetectorAnswer answer_;
};

inline Expected<std::unique_ptr<DetectorPass>> Detector::Prepare(const PixelView& view,
                                                                 int offset_x, int offset_y) {
  return std::make_unique<UncutPass>(*this, view, offset_x, offset_y);
}

/// A picture to be sent, with its own bytes: it outlives its frame and can be stored.
struct Upload {
  enum class Payload { kImage, kPixels };

  RequestId request{};
  FrameId frame{};
  RegionId region = kWholeFrame;
  Rect rect;                            ///< in px of the frame; its size is that of the sent pixels
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
  /// The form in which it wants its uploads.
  virtual Upload::Payload payload() const { return Upload::Payload::kImage; }
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
