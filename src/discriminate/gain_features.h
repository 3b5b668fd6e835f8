#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "discriminate/discriminator.h"

namespace nearfar {

/// How likely a box of some score is right: a rising function of the score, straight between knots
/// at equal distances.
struct ScoreCurve {
  static constexpr std::size_t kSteps = 200;

  std::vector<double> right;  ///< at scores 0, 1/kSteps, ... 1: never falling, [0, 1]; or empty

  /// Without knots the score itself. 0 for a score that is not a number.
  double operator()(double score) const {
    if (!(score > 0)) {
      return right.empty() || std::isnan(score) ? 0 : right.front();
    }
    if (right.empty() || score >= 1) {
      return right.empty() ? std::min(score, 1.0) : right.back();
    }
    const double at = score * static_cast<double>(kSteps);
    const auto knot = static_cast<std::size_t>(at);
    return right[knot] + (at - static_cast<double>(knot)) * (right[knot + 1] - right[knot]);
  }
  friend bool operator==(const ScoreCurve&, const ScoreCurve&) = default;
};

/// One box of which it is known how sure it is to be right.
struct ScoredTruth {
  double score = 0;
  double right = 0;   ///< [0, 1]
  double weight = 1;  ///< > 0
};

/// The least-squares curve among those that never fall (isotonic regression by pooling adjacent
/// violators), straight between the mean scores and mean outcomes of its pools, level beyond them.
/// A pool holds boxes of at least `least_weight` together, where there is as much. No boxes: no
/// knots. REQUIRES: finite scores.
ScoreCurve FitScoreCurve(std::vector<ScoredTruth> boxes, double least_weight = 10);

/// How many objects of each class an image of the stream has: expected numbers, streamed.
class ClassRates {
 public:
  ClassRates() = default;
  /// @param rates   objects per image by class, as known before the stream
  /// @param images  how many images that knowledge is worth; > 0
  /// @param memory  images over which the stream is averaged: with every image the weight of all
  ///                before falls by 1 - 1/memory; >= 1
  ClassRates(std::vector<double> rates, double images, double memory);

  /// One more image, with its expected numbers by class. REQUIRES: as many as classes.
  void Add(std::span<const double> expected);

  const std::vector<double>& rates() const { return rates_; }
  double total() const { return total_; }

 private:
  std::vector<double> rates_;
  double weight_ = 0;
  double memory_ = 1;
  double total_ = 0;
};

/// What a learned estimator sees of an image: numbers that cost little, from the near boxes alone.
struct GainFeatures {
  /// Sum over the boxes of p(1-p) / (n_c + smoothing * sum n), with p = curve(score) and n_c the
  /// rate of its class: an uncertain box of a rare class moves that class's average precision most.
  double closed_form = 0;
  double doubt = 0;              ///< the sum of p(1-p) alone
  std::vector<double> expected;  ///< by class: the sum of p, the expected number of objects
  /// All that is regressed on: closed form, doubt, entropy, the paper's gain score; logs of the
  /// counts above ten scores; the twelve top scores; log areas of the eight best and of the
  /// smallest box; doubt by size; overlaps with boxes of other classes and of the same; then
  /// expected numbers and terms of the closed form by class.
  std::vector<double> values;
  std::vector<float> scaled;   ///< memory for EstimateGain
  std::vector<float> scratch;  ///< likewise
};

inline constexpr double kClassSmoothing = 0.02;
inline constexpr std::size_t kClosedFormFeature = 0;  ///< its place among the values

/// The expected number of objects by class, alone. REQUIRES and boxes that do not count: as below.
void MeasureExpected(const Evidence& evidence, const ScoreCurve& curve,
                     std::vector<double>& expected);

std::size_t GainFeatureCount(int classes);
/// Measures one image into `features`, whose vectors are used again.
/// REQUIRES: evidence.image.area() > 0; rates for `classes` classes. Boxes with a label outside
/// [0, classes), or with a score or corner that is no finite number, do not count.
void MeasureGainFeatures(const Evidence& evidence, const ScoreCurve& curve, const ClassRates& rates,
                         GainFeatures& features);

}  // namespace nearfar
