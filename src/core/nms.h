#pragma once

#include "core/detection.h"

namespace nearfar {

/// How overlapping boxes of one object are reduced to one.
struct NmsOptions {
  float iou = 0.5F;          ///< a box that overlaps a better one by more than this goes; (0, 1]
  bool per_class = true;     ///< only boxes of the same label suppress each other
  int max_detections = 300;  ///< best-scored boxes kept, over all labels; > 0
  int max_candidates = 30000;  ///< best-scored boxes that enter; bounds the time of one call; > 0

  friend bool operator==(const NmsOptions&, const NmsOptions&) = default;
};

/// Greedy non-maximum suppression: best score first, equal scores in input order. The result is
/// ordered by falling score. Boxes with a score that is not a number are dropped.
Detections Nms(const Detections& detections, const NmsOptions& options);

}  // namespace nearfar
