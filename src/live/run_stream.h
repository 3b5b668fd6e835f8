#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"
#include "core/labels.h"
#include "live/frame_loop.h"
#include "live/ports.h"
#include "pipeline/planner.h"

namespace nearfar {

struct StreamOptions {
  int max_in_flight = 8;  ///< frames read and not yet written, uploads that are awaited included; >= 1
  int near_threads = 1;   ///< callers of the near model at the same time; >= 1
  Duration grace = std::chrono::seconds(2);   ///< after a stop, time for answers on their way; >= 0
  Duration linger = std::chrono::seconds(2);  ///< at the end, time for late answers; >= 0
  FrameLoopOptions loop;

  friend bool operator==(const StreamOptions&, const StreamOptions&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const StreamOptions& options);

/// What a stream is made of. References must outlive the run.
struct StreamParts {
  FrameSource& source;
  Detector& near;
  LabelMap near_labels;          ///< from the near model's classes to the label space in force
  std::vector<NodeLink*> links;  ///< LinkId 1 is the first
  Planner& planner;
  std::vector<Sink*> sinks;
  /// Makes the bytes of an upload of this part of a picture, in this form. Thread-safe.
  std::function<Expected<std::vector<std::uint8_t>>(const Frame&, const Rect&, Upload::Payload)>
      encode;
  /// Measures what the planner needs of the pixels; called by one thread.
  std::function<PixelFeatures(const Frame&, const Planner&)> measure;
  /// Asked about ten times a second; true stops the run in order.
  std::function<bool()> stop_requested;
  const Clock& clock;            ///< of real time
};

/// How a stream ended.
struct StreamEnd {
  bool stopped = false;        ///< by stop_requested, before the source had ended
  std::optional<Error> error;  ///< of a sink; the run stopped in order because of it
};

/// Runs a stream to its end: a thread reads, one prepares, decodes and encodes, `near_threads` infer,
/// one writes, and the caller's drives the planner. Every picture read is written exactly once, in
/// order, whatever the links do. Reading pauses while `max_in_flight` frames are under way, or while
/// the near model has two pictures waiting. When asked to stop, it reads no more, waits `grace` for
/// answers on their way, and ends the frames in flight with what there is.
/// REQUIRES: Validate(options).
StreamEnd RunStream(const StreamParts& parts, const StreamOptions& options, const RunRecord& run);

}  // namespace nearfar
