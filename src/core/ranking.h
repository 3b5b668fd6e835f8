#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "core/detection.h"

namespace nearfar {

/// Places of the values by falling value, ties in input order. REQUIRES: none is NaN.
inline std::vector<std::size_t> ByFallingValue(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  return order;
}

/// Places of the boxes by falling score, ties in input order; those whose score is not a number are
/// left out.
inline std::vector<std::size_t> ByFallingScore(const Detections& boxes) {
  std::vector<std::size_t> order;
  order.reserve(boxes.size());
  for (std::size_t b = 0; b < boxes.size(); ++b) {
    if (!std::isnan(boxes[b].score)) {
      order.push_back(b);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return boxes[a].score > boxes[b].score;
  });
  return order;
}

}  // namespace nearfar
