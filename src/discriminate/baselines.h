#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "discriminate/discriminator.h"

namespace nearfar {

/// Mean over all classes of the best score of each, 0 for a class without a box: the top-1
/// confidence of [SmallBig §VI.E.3]. Boxes with a label outside [0, classes) do not count.
/// REQUIRES: classes > 0.
double MeanTopScore(const Detections& boxes, int classes);

/// Sum over the boxes scored at least `min_score` of the binary entropy of the score,
/// -s ln s - (1-s) ln(1-s), in nats: how many boxes could as well be there as not. Scores outside
/// (0, 1) are certain and add nothing.
double SumOfEntropies(const Detections& boxes, double min_score);

/// A number in [0, 1) that hangs on seed and key alone.
double ChanceOf(std::uint64_t seed, std::uint64_t key);

/// The hard-example measures of Sedna over the boxes that its detectors would hand on, those scored
/// at least `min_score`. Absent when there is no such box or one has a score above 1: Sedna calls
/// such an image no hard example.
/// Share of boxes with score <= threshold_box, in [0, 1]: the hard coefficient of IBT.
std::optional<double> ShareOfLowScores(const Detections& boxes, double threshold_box,
                                       double min_score);
/// 1 + sum(s ln s) / ln n over n scores, at most 1: the confidence of its cross-entropy filter. For
/// a single box, where ln n is 0, n is taken as 2.
std::optional<double> EntropyConfidence(const Detections& boxes, double min_score);
/// Mean score.
std::optional<double> MeanScore(const Detections& boxes, double min_score);

/// A discriminator that compares one number of the image with one threshold.
class OneNumber final : public Discriminator {
 public:
  enum class Direction { kLowIsDifficult, kHighIsDifficult };
  struct Options {
    std::string name;
    std::string quantity;  ///< what the number is, for people: "Brenner gradient"
    Direction difficult = Direction::kHighIsDifficult;
    std::optional<double> threshold;  ///< in the number's own unit; absent: it only ranks
    bool or_equal = false;            ///< a number equal to the threshold is difficult, too
    bool needs_brenner = false;
    bool needs_jpeg_bytes = false;
    bool needs_boxes = true;
    /// The number; absent where the image cannot be difficult. The gain score is then the least
    /// that the number can give: `least_gain`. REQUIRES: pure.
    std::function<std::optional<double>(const Evidence&)> measure;
    double least_gain = 0;
  };

  explicit OneNumber(Options options) : options_(std::move(options)) {}

  std::string name() const override { return options_.name; }
  std::string version() const override { return "1"; }
  bool needs_brenner() const override { return options_.needs_brenner; }
  bool needs_jpeg_bytes() const override { return options_.needs_jpeg_bytes; }
  bool needs_boxes() const override { return options_.needs_boxes; }
  bool has_verdict() const override { return options_.threshold.has_value(); }
  Gain Judge(const Evidence& evidence, bool explain) const override;
  double natural_threshold() const override;

 private:
  Options options_;
};

}  // namespace nearfar
