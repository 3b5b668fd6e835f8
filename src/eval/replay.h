#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"
#include "data/recording.h"
#include "discriminate/budget.h"
#include "discriminate/discriminator.h"
#include "trace/json_lines.h"

namespace nearfar {

/// What a discriminator says of each image of a recording.
struct Judgement {
  std::vector<double> gains;
  std::vector<bool> difficult;  ///< its own verdict; all false where it only ranks

  friend bool operator==(const Judgement&, const Judgement&) = default;
};

/// Judges recorded images as a run would have, one after the other: from the near model's raw boxes
/// and pixel features, without any answer to learn from.
/// @param frames  which frames of the recording, in the order of the result.
/// @param boxes   those frames' boxes in the label space in force: a run judges no others.
/// REQUIRES: as many boxes as frames.
/// Errors: kInvalidInput when a frame lacks what the discriminator needs, or has no size.
Expected<Judgement> JudgeRecorded(Discriminator& discriminator, const Recording& near,
                                  std::span<const std::size_t> frames,
                                  std::span<const Detections> boxes);

/// What a budget does with images that come one after the other.
struct BudgetedUploads {
  std::vector<bool> uploaded;  ///< audits included
  std::vector<bool> answered;  ///< those whose far answer is the result: without audits

  friend bool operator==(const BudgetedUploads&, const BudgetedUploads&) = default;
};

/// Runs the live policy over recorded images as `run` would, one after the other; the discriminator
/// learns from the answer to each upload, audits included, as soon as it was sent. A recording knows
/// nothing of the time that a stream would take, so that only a share of the images can be replayed.
/// @param frames      which frames of the near recording, in the order of the stream.
/// @param near_boxes, far_boxes  of those images, in the label space in force.
/// REQUIRES: Validate(options); a share and no rate of bytes; as many boxes as frames.
/// Errors: as JudgeRecorded.
Expected<BudgetedUploads> ReplayBudget(const BudgetOptions& options, Discriminator& discriminator,
                                       const Recording& near, std::span<const std::size_t> frames,
                                       std::span<const Detections> near_boxes,
                                       std::span<const Detections> far_boxes);

/// What answering a set of images cost.
struct Costs {
  std::optional<std::int64_t> bytes_up;  ///< absent = unknown
  std::vector<Duration> latencies;       ///< of the images for which one is known

  friend bool operator==(const Costs&, const Costs&) = default;
};

/// Costs of small-big as far as recordings know them: the JPEG bytes of the uploaded images, and
/// the engines' service times one after the other, without any link or queue. Bytes or times that
/// one of the frames lacks are absent altogether.
/// @param near_frames, far_frames  which frames, by image. REQUIRES: as many as `uploaded`.
Costs RecordedCosts(const Recording& near, std::span<const std::size_t> near_frames,
                    const Recording& far, std::span<const std::size_t> far_frames,
                    const std::vector<bool>& uploaded);
/// Costs of one detector that looks at every image where it is: no bytes, its service times.
Costs RecordedCosts(const Recording& recording, std::span<const std::size_t> frames);

/// What a run decided and what it cost, read off its trace.
struct RunCosts {
  std::vector<bool> uploaded;  ///< by image: something of it was sent, answered or not
  std::int64_t bytes_up = 0;   ///< of every upload, once: failed, late and audited ones too
  std::int64_t bytes_down = 0;
  std::vector<Duration> end_to_end;  ///< capture to emission, every image
  std::vector<Duration> near;        ///< the near model's answers
  std::vector<Duration> far;         ///< far answers, hand-over to answer: link, queue and engine
  std::size_t degraded = 0;
  std::size_t unreadable = 0;
  std::size_t failed = 0;

  friend bool operator==(const RunCosts&, const RunCosts&) = default;
};

/// @param frames  which frames of the trace, in the order of RunCosts::uploaded.
RunCosts CostsOf(const Trace& trace, std::span<const std::size_t> frames);

}  // namespace nearfar
