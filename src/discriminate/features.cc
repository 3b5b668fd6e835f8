#include "discriminate/features.h"

#include <algorithm>
#include <cassert>
#include <map>

namespace nearfar {

double AreaRatio(const Box& box, Size image) {
  assert(image.area() > 0);
  return static_cast<double>(ClipTo(box, image).area()) / static_cast<double>(image.area());
}

BoxFeatures MeasureBoxes(const Detections& raw, Size image, double score_threshold,
                         double prediction_threshold) {
  BoxFeatures features;
  for (const Detection& box : raw) {
    if (box.score > prediction_threshold) {
      ++features.predicted;
    }
    if (box.score > score_threshold) {
      ++features.estimated;
      features.smallest_area_ratio =
          std::min(features.smallest_area_ratio, AreaRatio(box.box, image));
    }
  }
  return features;
}

std::vector<ClassScore> TopScores(const Detections& raw) {
  std::map<int, ClassScore> of_label;
  for (const Detection& box : raw) {
    ClassScore& entry = of_label[box.label];
    entry.label = box.label;
    entry.top_score = std::max(entry.top_score, box.score);
    ++entry.boxes;
  }
  std::vector<ClassScore> scores;
  for (const auto& [label, entry] : of_label) {
    scores.push_back(entry);
  }
  std::stable_sort(scores.begin(), scores.end(), [](const ClassScore& a, const ClassScore& b) {
    return a.top_score > b.top_score;
  });
  return scores;
}

Detections BoxesBetween(const Detections& raw, double low, double high) {
  Detections between;
  std::copy_if(raw.begin(), raw.end(), std::back_inserter(between),
               [&](const Detection& box) { return box.score > low && box.score <= high; });
  std::stable_sort(between.begin(), between.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  return between;
}

}  // namespace nearfar
