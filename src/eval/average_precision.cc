#include "eval/average_precision.h"

#include <algorithm>
#include <cassert>

namespace nearfar {
namespace {

/// The curve where it rises: after each box that found an object.
struct CurvePoint {
  double found;      // objects found so far
  double precision;  // then the best precision here or further on
};

double AreaUnder(const std::vector<CurvePoint>& curve, double wanted) {
  double area = 0;
  double recall = 0;
  for (const CurvePoint& point : curve) {
    area += (point.found / wanted - recall) * point.precision;
    recall = point.found / wanted;
  }
  return area;
}

double MeanAtRecalls(const std::vector<CurvePoint>& curve, double wanted, int steps) {
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

}  // namespace

std::optional<double> AveragePrecision(const ClassMatches& matches, std::size_t threshold,
                                       Interpolation interpolation, ImageWeights weights) {
  assert(weights.empty() || weights.size() == matches.wanted.size());
  double wanted = 0;
  for (std::size_t i = 0; i < matches.wanted.size(); ++i) {
    wanted += static_cast<double>(matches.wanted[i]) * (weights.empty() ? 1 : weights[i]);
  }
  if (wanted == 0) {
    return std::nullopt;
  }
  const auto bit = static_cast<std::uint16_t>(1U << threshold);
  thread_local std::vector<CurvePoint> curve;  // reused: a bootstrap calls this very often
  curve.clear();
  double found = 0;
  double wrong = 0;
  for (const MatchedDetection& detection : matches.detections) {
    const double weight = weights.empty() ? 1 : weights[detection.image];
    if ((detection.ignored & bit) != 0 || weight == 0) {
      continue;
    }
    if ((detection.found & bit) != 0) {
      found += weight;
      curve.push_back({found, found / (found + wrong)});
    } else {
      wrong += weight;
    }
  }
  double best = 0;
  for (auto point = curve.rbegin(); point != curve.rend(); ++point) {
    best = std::max(best, point->precision);
    point->precision = best;
  }
  switch (interpolation) {
    case Interpolation::kVoc07: return MeanAtRecalls(curve, wanted, 10);
    case Interpolation::kArea: return AreaUnder(curve, wanted);
    case Interpolation::kCoco: return MeanAtRecalls(curve, wanted, 100);
  }
  return std::nullopt;
}

std::optional<double> MeanAveragePrecisionAt(const MatchTable& table, std::size_t threshold,
                                             Interpolation interpolation, ImageWeights weights) {
  double sum = 0;
  int classes = 0;
  for (const ClassMatches& matches : table.classes) {
    if (const auto ap = AveragePrecision(matches, threshold, interpolation, weights)) {
      sum += *ap;
      ++classes;
    }
  }
  return classes > 0 ? std::optional(sum / classes) : std::nullopt;
}

std::optional<double> MeanAveragePrecision(const MatchTable& table, Interpolation interpolation,
                                           ImageWeights weights) {
  double sum = 0;
  for (std::size_t t = 0; t < table.iou_thresholds.size(); ++t) {
    const auto mean = MeanAveragePrecisionAt(table, t, interpolation, weights);
    if (!mean) {
      return std::nullopt;
    }
    sum += *mean;
  }
  return table.iou_thresholds.empty()
             ? std::nullopt
             : std::optional(sum / static_cast<double>(table.iou_thresholds.size()));
}

ObjectCounts CountObjects(const MatchTable& table, float score_threshold, ImageWeights weights) {
  assert(weights.empty() || weights.size() == table.images);
  ObjectCounts counts;
  for (const ClassMatches& matches : table.classes) {
    for (std::size_t i = 0; i < matches.wanted.size(); ++i) {
      counts.wanted += std::int64_t{matches.wanted[i]} * (weights.empty() ? 1 : weights[i]);
    }
    for (const MatchedDetection& detection : matches.detections) {
      if (!(detection.score > score_threshold)) {
        break;
      }
      const std::int64_t weight = weights.empty() ? 1 : weights[detection.image];
      counts.counted += weight;
      counts.found += (detection.found & 1U) != 0 ? weight : 0;
    }
  }
  return counts;
}

}  // namespace nearfar
