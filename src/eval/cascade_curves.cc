#include "eval/cascade_curves.h"

#include <cassert>

namespace nearfar {

CascadeCurves::CascadeCurves(const MatchTable& merged, float score_threshold)
    : halves_(merged.images) {
  for (std::size_t c = 0; c < merged.classes.size(); ++c) {
    const ClassMatches& matches = merged.classes[c];
    class_begin_.push_back(bends_.size());
    std::vector<std::uint32_t> wrong;  // halves of the wrong boxes since the last bend
    for (const MatchedDetection& detection : matches.detections) {
      const bool found = (detection.found & 1U) != 0;
      if (!found && (detection.ignored & 1U) == 0) {
        wrong.push_back(detection.image);
        continue;
      }
      for (const std::uint32_t half : wrong) {
        halves_[half].before.push_back(static_cast<std::uint32_t>(bends_.size()));
      }
      wrong.clear();
      bends_.push_back({detection.image, found, found && detection.score > score_threshold});
    }
    for (std::size_t half = 0; half < halves_.size(); ++half) {
      halves_[half].objects.insert(halves_[half].objects.end(), matches.wanted[half],
                                   static_cast<std::uint32_t>(c));
    }
  }
  class_begin_.push_back(bends_.size());
}

CascadeState::CascadeState(const CascadeCurves& curves, bool drop_uploaded, ImageWeights draw)
    : curves_(curves),
      drop_uploaded_(drop_uploaded),
      weight_(curves.halves_.size(), 0),
      wrong_(curves.bends_.size(), 0),
      wanted_(curves.class_begin_.size() - 1, 0) {
  assert(draw.empty() || draw.size() == curves.images());
  for (std::size_t image = 0; image < curves.images(); ++image) {
    Add(image, draw.empty() ? 1 : draw[image]);
  }
}

void CascadeState::Add(std::size_t half, std::uint32_t weight) {
  weight_[half] = weight;
  for (const std::uint32_t bend : curves_.halves_[half].before) {
    wrong_[bend] += weight;
  }
  for (const std::uint32_t c : curves_.halves_[half].objects) {
    wanted_[c] += weight;
  }
}

void CascadeState::Remove(std::size_t half) {
  const std::uint32_t weight = weight_[half];
  for (const std::uint32_t bend : curves_.halves_[half].before) {
    wrong_[bend] -= weight;
  }
  for (const std::uint32_t c : curves_.halves_[half].objects) {
    wanted_[c] -= weight;
  }
  weight_[half] = 0;
}

void CascadeState::Upload(std::size_t image) {
  const std::uint32_t weight = weight_[image];
  if (weight == 0) {
    return;
  }
  Remove(image);
  if (!drop_uploaded_) {
    Add(image + curves_.images(), weight);
  }
}

CascadeReading CascadeState::Read() {
  CascadeReading reading;
  double sum = 0;
  int judged = 0;
  for (std::size_t c = 0; c < wanted_.size(); ++c) {
    if (wanted_[c] == 0) {
      continue;
    }
    ++judged;
    curve_.clear();
    std::int64_t found = 0;
    std::int64_t counted = 0;
    for (std::size_t b = curves_.class_begin_[c]; b < curves_.class_begin_[c + 1]; ++b) {
      counted += wrong_[b];
      const CascadeCurves::Bend& bend = curves_.bends_[b];
      const std::uint32_t weight = weight_[bend.half];
      if (weight == 0 || !bend.found) {
        continue;
      }
      found += weight;
      counted += weight;
      reading.found += bend.counts ? weight : 0;
      curve_.push_back(
          {static_cast<double>(found), static_cast<double>(found) / static_cast<double>(counted)});
    }
    LiftPrecision(curve_);
    sum += MeanAtRecalls(curve_, static_cast<double>(wanted_[c]), 10);
  }
  if (judged > 0) {
    reading.voc07 = sum / judged;
  }
  return reading;
}

}  // namespace nearfar
