#pragma once

#include <algorithm>
#include <vector>

#include "core/geometry.h"

namespace nearfar {

/// One detected object. The coordinate frame of `box` is that of the list which holds it.
struct Detection {
  Box box;
  float score = 0;  ///< confidence in [0, 1]
  int label = 0;    ///< index into the LabelSpace in force

  friend bool operator==(const Detection&, const Detection&) = default;
};

using Detections = std::vector<Detection>;

/// Number of detections scored strictly above `threshold`: [SmallBig §V.A] counts objects so.
inline int CountAbove(const Detections& detections, float threshold) {
  return static_cast<int>(std::count_if(detections.begin(), detections.end(),
                                        [&](const Detection& d) { return d.score > threshold; }));
}

}  // namespace nearfar
