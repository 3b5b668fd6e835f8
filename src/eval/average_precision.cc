#include "eval/average_precision.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "eval/precision_curve.h"

namespace nearfar {
namespace {

double CountWanted(const ClassMatches& matches, ImageWeights weights) {
  double wanted = 0;
  for (std::size_t i = 0; i < matches.wanted.size(); ++i) {
    wanted += static_cast<double>(matches.wanted[i]) * (weights.empty() ? 1 : weights[i]);
  }
  return wanted;
}

/// Reads curves of one class after another, all thresholds of a class from the same running weight.
/// A bootstrap reads very many, so its memory is kept.
class CurveReader {
 public:
  void Take(const ClassMatches& matches, ImageWeights weights) {
    matches_ = &matches;
    weights_ = weights;
    wanted_ = CountWanted(matches, weights);
    weight_until_.resize(matches.detections.size() + 1);
    double sum = 0;
    for (std::size_t d = 0; d < matches.detections.size(); ++d) {
      weight_until_[d] = sum;
      sum += Weight(d);
    }
    weight_until_.back() = sum;
  }

  bool wanted() const { return wanted_ > 0; }

  /// REQUIRES: wanted().
  double Read(std::size_t threshold, Interpolation interpolation) {
    curve_.clear();
    double found = 0;
    double ignored = 0;
    for (const std::uint32_t d : matches_->decisive[threshold]) {
      const double weight = Weight(d);
      if (weight == 0) {
        continue;
      }
      if ((matches_->detections[d].found >> threshold & 1) != 0) {
        found += weight;
        curve_.push_back({found, found / (weight_until_[d] + weight - ignored)});
      } else {
        ignored += weight;
      }
    }
    LiftPrecision(curve_);
    switch (interpolation) {
      case Interpolation::kVoc07:
        return MeanAtRecalls(curve_, wanted_, 10);
      case Interpolation::kArea:
        return AreaUnder(curve_, wanted_);
      case Interpolation::kCoco:
        return MeanAtRecalls(curve_, wanted_, 100);
    }
    return 0;
  }

 private:
  double Weight(std::size_t d) const {
    return weights_.empty() ? 1 : weights_[matches_->detections[d].image];
  }

  const ClassMatches* matches_ = nullptr;
  ImageWeights weights_;
  double wanted_ = 0;
  std::vector<double> weight_until_;  // of the boxes before each
  std::vector<CurvePoint> curve_;
};

}  // namespace

std::optional<double> AveragePrecision(const ClassMatches& matches, std::size_t threshold,
                                       Interpolation interpolation, ImageWeights weights) {
  assert(weights.empty() || weights.size() == matches.wanted.size());
  CurveReader reader;
  reader.Take(matches, weights);
  return reader.wanted() ? std::optional(reader.Read(threshold, interpolation)) : std::nullopt;
}

std::vector<double> MeanAveragePrecisions(const MatchTable& table, Interpolation interpolation,
                                          ImageWeights weights) {
  assert(weights.empty() || weights.size() == table.images);
  CurveReader reader;
  std::vector<double> sums(table.iou_thresholds.size(), 0);
  int classes = 0;
  for (const ClassMatches& matches : table.classes) {
    reader.Take(matches, weights);
    if (reader.wanted()) {
      ++classes;
      for (std::size_t t = 0; t < sums.size(); ++t) {
        sums[t] += reader.Read(t, interpolation);
      }
    }
  }
  if (classes == 0) {
    return {};
  }
  for (double& sum : sums) {
    sum /= classes;
  }
  return sums;
}

std::optional<double> MeanAveragePrecision(const MatchTable& table, Interpolation interpolation,
                                           ImageWeights weights) {
  const std::vector<double> means = MeanAveragePrecisions(table, interpolation, weights);
  if (means.empty()) {
    return std::nullopt;
  }
  return std::accumulate(means.begin(), means.end(), 0.0) / static_cast<double>(means.size());
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
