#pragma once

#include <functional>
#include <memory>

#include "core/clock.h"
#include "core/labels.h"
#include "live/ports.h"
#include "live/work_queue.h"
#include "pipeline/planner.h"

namespace nearfar {

/// The near model with its threads: the engine's do nothing but infer, while the caller's helper
/// thread prepares the next picture and decodes the last. Thread-safe.
class NearStage {
 public:
  /// @param labels   from the detector's classes to the label space in force.
  /// @param helper   prepares and decodes. Both references must outlive the stage.
  /// @param threads  callers of the engine at the same time; >= 1.
  NearStage(Detector& detector, LabelMap labels, WorkQueue& helper, int threads,
            const Clock& clock);

  /// Calls `done` once, from one of its threads, with boxes of the label space or the failure.
  void Detect(const Infer& infer, std::shared_ptr<const Frame> frame,
              std::function<void(Answer)> done);

 private:
  struct Job;

  Detector& detector_;
  LabelMap labels_;
  WorkQueue& helper_;
  const Clock& clock_;
  WorkQueue engine_;
};

}  // namespace nearfar
