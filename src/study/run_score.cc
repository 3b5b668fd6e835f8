#include "study/run_score.h"

#include <algorithm>
#include <cassert>

#include "eval/average_precision.h"
#include "eval/matching.h"

namespace nearfar {
namespace {

/// The boxes held against what really was there; absent where nobody knows.
std::optional<MatchTable> Match(const BoxSource& boxes, const std::vector<FrameDetections>& found) {
  std::vector<TruthImage> images;
  std::vector<Detections> detections;
  for (const FrameDetections& frame : found) {
    const std::vector<TruthObject>* objects = boxes.TruthOf(frame.frame);
    if (objects == nullptr) {
      return std::nullopt;
    }
    const SimFrame shown = boxes.Frame(frame.frame);
    images.push_back({.name = shown.name, .size = shown.size, .objects = *objects});
    detections.push_back(frame.detections);
  }
  return MatchVoc(images, detections, 1);
}

}  // namespace

std::optional<double> PersonAp(const BoxSource& boxes, const std::vector<FrameDetections>& found) {
  const auto table = Match(boxes, found);
  return table ? AveragePrecision(table->classes[0], 0, Interpolation::kArea) : std::nullopt;
}

RunScore ScoreRun(const BoxSource& boxes, const Simulated& run, float person_score,
                  std::size_t from) {
  assert(from < run.frames.size());
  RunScore score{.frames = run.frames.size() - from};
  std::vector<Duration> times;
  std::vector<Duration> real;
  std::vector<FrameDetections> found;
  double sent = 0;
  double all = 0;
  const TimePoint begin = from > 0 ? run.frames[from - 1].emitted : run.frames.front().arrived;
  TimePoint end = begin;
  for (std::size_t i = from; i < run.frames.size(); ++i) {
    const FrameRecord& frame = run.trace.frames[i];
    times.push_back(frame.total);
    real.push_back(run.step_times[i]);
    found.push_back({run.frames[i].source_frame, frame.detections});
    end = std::max(end, run.frames[i].emitted);
    ++score.statuses[frame.status];
    if (frame.tiles) {
      sent += static_cast<double>(frame.tiles->sent_px);
      all += static_cast<double>(frame.tiles->all_px);
      ++score.decided_by[frame.tiles->decided_by];
    }
  }
  const double seconds = ToMilliseconds(end - begin) / 1e3;
  score.fps = seconds > 0 ? static_cast<double>(score.frames) / seconds : 0;
  score.times = PercentilesOf(times);
  score.real = PercentilesOf(real);
  score.skipped = all > 0 ? 1 - sent / all : 0;
  if (const auto table = Match(boxes, found)) {
    score.ap = AveragePrecision(table->classes[0], 0, Interpolation::kArea);
    const ObjectCounts counts = CountObjects(*table, person_score);
    if (counts.wanted > 0) {
      score.recall = static_cast<double>(counts.found) / static_cast<double>(counts.wanted);
    }
  }
  return score;
}

}  // namespace nearfar
