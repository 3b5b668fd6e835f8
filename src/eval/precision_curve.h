#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace nearfar {

/// A precision-recall curve where it rises: after each box that found an object.
struct CurvePoint {
  double found = 0;      ///< objects found so far
  double precision = 0;  ///< there; once lifted: the best one there or further on
};

/// Lifts each precision to the best one at that recall or beyond.
inline void LiftPrecision(std::vector<CurvePoint>& curve) {
  double best = 0;
  for (auto point = curve.rbegin(); point != curve.rend(); ++point) {
    best = std::max(best, point->precision);
    point->precision = best;
  }
}

/// Area under a lifted curve. REQUIRES: wanted > 0.
inline double AreaUnder(const std::vector<CurvePoint>& curve, double wanted) {
  double area = 0;
  double recall = 0;
  for (const CurvePoint& point : curve) {
    area += (point.found / wanted - recall) * point.precision;
    recall = point.found / wanted;
  }
  return area;
}

/// Mean of a lifted curve at the recalls 0, 1/steps, ... 1. REQUIRES: wanted > 0.
inline double MeanAtRecalls(const std::vector<CurvePoint>& curve, double wanted, int steps) {
  const double step = 1.0 / steps;
  double sum = 0;
  std::size_t at = 0;
  for (int r = 0; r <= steps; ++r) {
    const double recall = r == steps ? 1.0 : r * step;
    while (at < curve.size() && curve[at].found / wanted < recall) {
      ++at;
    }
    if (at == curve.size()) {
      break;
    }
    sum += curve[at].precision;
  }
  return sum / (steps + 1);
}

}  // namespace nearfar
