#pragma once

#include <vector>

#include "core/detection.h"
#include "core/geometry.h"

namespace nearfar {

/// Share of the image that a box covers, in [0, 1]; what lies outside the image does not count. A
/// box that is empty, inverted or not a number covers 0. REQUIRES: image.area() > 0.
double AreaRatio(const Box& box, Size image);

/// The two semantics of [SmallBig §V.B], counted from the near model's raw boxes.
struct BoxFeatures {
  int predicted = 0;  ///< boxes scored strictly above the prediction threshold: N_predict
  int estimated = 0;  ///< boxes scored strictly above the score threshold: what may be there
  double smallest_area_ratio = 1;  ///< over the estimated boxes; 1 when there is none

  friend bool operator==(const BoxFeatures&, const BoxFeatures&) = default;
};

/// Counts boxes and finds the smallest. A score that is not a number is above no threshold.
/// @param raw  any order, in px of the frame. REQUIRES: image.area() > 0.
BoxFeatures MeasureBoxes(const Detections& raw, Size image, double score_threshold,
                         double prediction_threshold);

/// How sure the near model is of one class at best: a column of [SmallBig Fig. 6].
struct ClassScore {
  int label = 0;
  float top_score = 0;
  int boxes = 0;  ///< boxes of this class, whatever their scores

  friend bool operator==(const ClassScore&, const ClassScore&) = default;
};

/// The top score of each class that has a box, best first, ties by label.
std::vector<ClassScore> TopScores(const Detections& raw);

/// The boxes with low < score <= high, best first, ties in input order: those that one threshold
/// lets through and the other does not.
Detections BoxesBetween(const Detections& raw, double low, double high);

}  // namespace nearfar
