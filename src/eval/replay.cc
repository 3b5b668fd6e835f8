#include "eval/replay.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "core/rng.h"
#include "discriminate/factory.h"

namespace nearfar {
namespace {

/// Adds up what the images have; absent as soon as one of them has not.
class Sum {
 public:
  void Add(bool known, std::int64_t value) {
    known_ = known_ && known;
    sum_ += known ? value : 0;
  }
  std::optional<std::int64_t> value() const { return known_ ? std::optional(sum_) : std::nullopt; }

 private:
  bool known_ = true;
  std::int64_t sum_ = 0;
};

void KeepIfComplete(std::size_t images, std::vector<Duration>& latencies) {
  if (latencies.size() != images) {
    latencies.clear();
  }
}

/// What a discriminator may look at of a recorded frame. Errors: kInvalidInput for what it lacks.
Expected<Evidence> EvidenceOf(const Discriminator& discriminator, const RecordedFrame& frame,
                              const Detections& boxes) {
  if (frame.size.area() <= 0) {
    return Fail(ErrorCode::kInvalidInput, discriminator.name() +
                                              ": the recording has no size of " + frame.name +
                                              "; import it with image sizes");
  }
  if (const std::string missing = MissingFeatures(discriminator, frame.features);
      !missing.empty()) {
    return Fail(ErrorCode::kInvalidInput, discriminator.name() + " needs " + missing +
                                              ", which the recording lacks of " + frame.name +
                                              "; make it anew with `nearfar record`");
  }
  return Evidence{boxes, frame.size, frame.features, HashText(frame.name)};
}

}  // namespace

Expected<Judgement> JudgeRecorded(Discriminator& discriminator, const Recording& near,
                                  std::span<const std::size_t> frames,
                                  std::span<const Detections> boxes) {
  assert(frames.size() == boxes.size());
  Judgement judgement;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto evidence = EvidenceOf(discriminator, near.frames[frames[i]], boxes[i]);
    if (!evidence) {
      return tl::unexpected(evidence.error());
    }
    const Gain gain = discriminator.Judge(*evidence, false);
    discriminator.Watch(*evidence);
    judgement.gains.push_back(std::isnan(gain.score) ? -HUGE_VAL : gain.score);
    judgement.difficult.push_back(gain.difficult);
  }
  return judgement;
}

Expected<BudgetedUploads> ReplayBudget(const BudgetOptions& options, Discriminator& discriminator,
                                       const Recording& near, std::span<const std::size_t> frames,
                                       std::span<const Detections> near_boxes,
                                       std::span<const Detections> far_boxes) {
  assert(Validate(options) && options.share && !options.bytes_per_second);
  assert(frames.size() == near_boxes.size() && frames.size() == far_boxes.size());
  BudgetPolicy policy(options);
  BudgetedUploads result;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto evidence = EvidenceOf(discriminator, near.frames[frames[i]], near_boxes[i]);
    if (!evidence) {
      return tl::unexpected(evidence.error());
    }
    const Gain gain = discriminator.Judge(*evidence, false);
    discriminator.Watch(*evidence);
    const UploadChoice choice = policy.Choose(gain, {}, {});
    result.uploaded.push_back(choice.upload);
    result.answered.push_back(choice.upload && !choice.audit);
    if (choice.upload) {
      discriminator.Observe(*evidence, {near_boxes[i], far_boxes[i], choice.probability});
    }
  }
  return result;
}

Costs RecordedCosts(const Recording& near, std::span<const std::size_t> near_frames,
                    const Recording& far, std::span<const std::size_t> far_frames,
                    const std::vector<bool>& uploaded) {
  assert(near_frames.size() == uploaded.size() && far_frames.size() == uploaded.size());
  Costs costs;
  Sum bytes;
  for (std::size_t i = 0; i < uploaded.size(); ++i) {
    const RecordedFrame& here = near.frames[near_frames[i]];
    const RecordedFrame& there = far.frames[far_frames[i]];
    if (uploaded[i]) {
      const std::int64_t size =
          here.features.has_jpeg_bytes() ? here.features.jpeg_bytes : there.features.jpeg_bytes;
      bytes.Add(size >= 0, size);
    }
    if (here.service_ms >= 0 && (!uploaded[i] || there.service_ms >= 0)) {
      costs.latencies.push_back(
          FromMilliseconds(here.service_ms + (uploaded[i] ? there.service_ms : 0)));
    }
  }
  costs.bytes_up = bytes.value();
  KeepIfComplete(uploaded.size(), costs.latencies);
  return costs;
}

Costs RecordedCosts(const Recording& recording, std::span<const std::size_t> frames) {
  Costs costs{.bytes_up = 0};
  for (const std::size_t f : frames) {
    if (recording.frames[f].service_ms >= 0) {
      costs.latencies.push_back(FromMilliseconds(recording.frames[f].service_ms));
    }
  }
  KeepIfComplete(frames.size(), costs.latencies);
  return costs;
}

RunCosts CostsOf(const Trace& trace, std::span<const std::size_t> frames) {
  RunCosts costs;
  std::set<FrameId> judged;
  // An upload that missed its deadline stands twice in a trace, as a failure in its frame and as a
  // late outcome: it is one request, and counts once.
  std::map<RequestId, std::pair<std::int64_t, std::int64_t>> bytes_of;
  const auto take = [&](const Answer& answer) {
    if (answer.link == kNear) {
      if (answer.ok()) {
        costs.near.push_back(answer.total);
      }
      return;
    }
    auto& [up, down] = bytes_of[answer.request];
    up = std::max(up, answer.bytes_up);
    down = std::max(down, answer.bytes_down);
    if (answer.ok()) {
      costs.far.push_back(answer.total);
    }
  };
  for (const std::size_t f : frames) {
    const FrameRecord& frame = trace.frames[f];
    judged.insert(frame.frame);
    costs.uploaded.push_back(std::any_of(frame.verdicts.begin(), frame.verdicts.end(),
                                         [](const Verdict& v) { return v.uploaded; }));
    costs.end_to_end.push_back(frame.total);
    costs.degraded += frame.status == FrameStatus::kDegraded ? 1U : 0U;
    costs.unreadable += frame.status == FrameStatus::kUnreadable ? 1U : 0U;
    costs.failed += frame.status == FrameStatus::kFailed ? 1U : 0U;
    for (const Answer& answer : frame.answers) {
      take(answer);
    }
  }
  for (const OutcomeRecord& outcome : trace.outcomes) {
    if (judged.count(outcome.frame) > 0) {
      take(outcome.answer);
    }
  }
  for (const auto& [request, bytes] : bytes_of) {
    costs.bytes_up += bytes.first;
    costs.bytes_down += bytes.second;
  }
  return costs;
}

}  // namespace nearfar
