#include "discriminate/fit.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "core/phrase.h"

namespace nearfar {
namespace {

int CountScoresAbove(const Detections& boxes, double threshold) {
  return static_cast<int>(std::count_if(
      boxes.begin(), boxes.end(), [&](const Detection& box) { return box.score > threshold; }));
}

double Share(int part, int whole) { return whole > 0 ? static_cast<double>(part) / whole : 0; }

Expected<void> Check(std::span<const LabelledImage> images, const FitOptions& options) {
  if (images.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "no images to fit on: calibration needs at least one image seen by both models");
  }
  return Validate(options);
}

}  // namespace

bool IsDifficult(const LabelledImage& image, double prediction_threshold) {
  return CountScoresAbove(image.far, prediction_threshold) -
             CountScoresAbove(image.near, prediction_threshold) >=
         1;
}

TrueFeatures MeasureTruth(const LabelledImage& image, double prediction_threshold) {
  TrueFeatures features;
  const auto add = [&](const Box& box) {
    ++features.count;
    features.smallest_area_ratio =
        std::min(features.smallest_area_ratio, AreaRatio(box, image.size));
  };
  if (image.truth) {
    for (const TrueObject& object : *image.truth) {
      if (!object.ignored) {
        add(object.box);
      }
    }
  } else {
    for (const Detection& box : image.far) {
      if (box.score > prediction_threshold) {
        add(box.box);
      }
    }
  }
  return features;
}

void BinaryMetrics::Add(bool label, bool verdict) {
  ++(verdict ? (label ? true_positives : false_positives)
             : (label ? false_negatives : true_negatives));
}

int BinaryMetrics::images() const {
  return true_positives + false_positives + true_negatives + false_negatives;
}

double BinaryMetrics::accuracy() const { return Share(true_positives + true_negatives, images()); }

double BinaryMetrics::precision() const {
  return Share(true_positives, true_positives + false_positives);
}

double BinaryMetrics::recall() const {
  return Share(true_positives, true_positives + false_negatives);
}

double BinaryMetrics::f1() const {
  return Share(2 * true_positives, 2 * true_positives + false_positives + false_negatives);
}

double BinaryMetrics::upload_ratio() const {
  return Share(true_positives + false_positives, images());
}

Expected<void> Validate(const FitOptions& options) {
  if (!(options.prediction_threshold >= 0 && options.prediction_threshold <= 1)) {
    return Fail(ErrorCode::kInvalidInput, "fit: prediction_threshold is " +
                                              ShortNumber(options.prediction_threshold) +
                                              ", but must be in [0, 1]");
  }
  if (!(options.score_floor >= 0 && options.score_floor <= options.prediction_threshold)) {
    return Fail(ErrorCode::kInvalidInput, "fit: the near model's boxes start at score " +
                                              ShortNumber(options.score_floor) +
                                              ", but the score threshold is sought in [that, " +
                                              ShortNumber(options.prediction_threshold) +
                                              "]: record with a lower score floor");
  }
  if (options.area_steps <= 0) {
    return Fail(
        ErrorCode::kInvalidInput,
        "fit: area_steps is " + std::to_string(options.area_steps) + ", but must be at least 1");
  }
  // Thresholds that are kept must be such as the rule takes.
  return Validate(SmallBigOptions{
      .score_threshold = options.score_threshold.value_or(options.prediction_threshold),
      .count_threshold = options.count_threshold.value_or(0),
      .area_threshold = options.area_threshold.value_or(0),
      .prediction_threshold = options.prediction_threshold});
}

Expected<ScoreFit> FitScoreThreshold(std::span<const LabelledImage> images,
                                     const FitOptions& options) {
  if (const auto valid = Check(images, options); !valid) {
    return tl::unexpected(valid.error());
  }
  std::int64_t objects = 0;
  std::int64_t found = 0;
  std::vector<double> uncertain;
  for (const LabelledImage& image : images) {
    objects += MeasureTruth(image, options.prediction_threshold).count;
    for (const Detection& box : image.near) {
      if (box.score > options.prediction_threshold) {
        ++found;
      } else if (box.score > options.score_floor) {
        uncertain.push_back(box.score);
      }
    }
  }
  std::sort(uncertain.begin(), uncertain.end(), std::greater<>());
  if (options.score_threshold) {
    const auto above = std::count_if(uncertain.begin(), uncertain.end(), [&](double score) {
      return score > *options.score_threshold;
    });
    return ScoreFit{*options.score_threshold, found + above, objects};
  }

  // Between two neighbouring scores [low, high) the count is the same. Ranges by falling threshold.
  ScoreFit best;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  double high = options.prediction_threshold;
  for (std::size_t above = 0;;) {
    const double low = above < uncertain.size() ? uncertain[above] : options.score_floor;
    const std::int64_t estimated = found + static_cast<std::int64_t>(above);
    if (std::abs(estimated - objects) < least) {
      least = std::abs(estimated - objects);
      best = {.threshold = low + (high - low) / 2, .estimated = estimated, .objects = objects};
    }
    if (above == uncertain.size()) {
      return best;
    }
    high = low;
    while (above < uncertain.size() && uncertain[above] == low) {
      ++above;
    }
  }
}

Expected<CountAreaFit> FitCountAndArea(std::span<const LabelledImage> images,
                                       const FitOptions& options) {
  if (const auto valid = Check(images, options); !valid) {
    return tl::unexpected(valid.error());
  }
  std::vector<double> areas;
  for (int k = 0; k <= options.area_steps; ++k) {
    areas.push_back(static_cast<double>(k) / options.area_steps);
  }
  if (options.area_threshold) {
    areas = {*options.area_threshold};
  }
  // gain_of[n][k]: over the images that step 1 leaves open, with n true objects and a smallest one
  // that is below areas[k] but no area before it, the number of difficult minus easy images: what
  // calling them difficult adds to the labels met.
  std::vector<std::vector<int>> gain_of;
  for (const LabelledImage& image : images) {
    const TrueFeatures truth = MeasureTruth(image, options.prediction_threshold);
    const auto count = static_cast<std::size_t>(truth.count);
    if (gain_of.size() <= count) {
      gain_of.resize(count + 1, std::vector<int>(areas.size() + 1, 0));
    }
    if (truth.count != CountScoresAbove(image.near, options.prediction_threshold)) {
      const auto first = std::upper_bound(areas.begin(), areas.end(), truth.smallest_area_ratio);
      gain_of[count][static_cast<std::size_t>(first - areas.begin())] +=
          IsDifficult(image, options.prediction_threshold) ? 1 : -1;
    }
  }
  // Most labels met = largest sum of gains over the images called difficult.
  CountAreaFit best;
  int best_gain = std::numeric_limits<int>::min();
  int above_count = 0;                                // of images with more objects than `count`
  std::vector<int> up_to_count(areas.size() + 1, 0);  // of the others, by area
  for (const auto& row : gain_of) {
    for (std::size_t k = 0; k < row.size(); ++k) {
      up_to_count[k] += row[k];
    }
  }
  const int largest = static_cast<int>(gain_of.size()) - 1;
  const int kept = options.count_threshold ? std::min(*options.count_threshold, largest) : -1;
  for (int count = largest; count >= 0; --count) {
    int below_area = 0;
    for (std::size_t k = 0; k < areas.size(); ++k) {
      below_area += up_to_count[k];
      if (above_count + below_area > best_gain && (kept < 0 || count == kept)) {
        best_gain = above_count + below_area;
        best.count_threshold = count;
        best.area_threshold = areas[k];
      }
    }
    const auto& row = gain_of[static_cast<std::size_t>(count)];
    for (std::size_t k = 0; k < row.size(); ++k) {
      above_count += row[k];
      up_to_count[k] -= row[k];
    }
  }
  best.count_threshold = options.count_threshold.value_or(best.count_threshold);
  best.metrics =
      MeasureOnTrueFeatures(images, {.count_threshold = best.count_threshold,
                                     .area_threshold = best.area_threshold,
                                     .prediction_threshold = options.prediction_threshold});
  return best;
}

Expected<SmallBigFit> FitSmallBig(std::span<const LabelledImage> images,
                                  const FitOptions& options) {
  const auto score = FitScoreThreshold(images, options);
  if (!score) {
    return tl::unexpected(score.error());
  }
  const auto count_and_area = FitCountAndArea(images, options);
  if (!count_and_area) {
    return tl::unexpected(count_and_area.error());
  }
  SmallBigFit fit;
  fit.score = *score;
  fit.options = {.score_threshold = score->threshold,
                 .count_threshold = count_and_area->count_threshold,
                 .area_threshold = count_and_area->area_threshold,
                 .prediction_threshold = options.prediction_threshold,
                 .upload_empty = options.upload_empty};
  fit.with_true_features = count_and_area->metrics;
  fit.with_estimated_features = Measure(images, SmallBig(fit.options), fit.options.score_threshold,
                                        options.prediction_threshold);
  return fit;
}

BinaryMetrics MeasureOnTrueFeatures(std::span<const LabelledImage> images,
                                    const SmallBigOptions& options) {
  BinaryMetrics metrics;
  for (const LabelledImage& image : images) {
    const TrueFeatures truth = MeasureTruth(image, options.prediction_threshold);
    const SmallBigVerdict verdict =
        DecideSmallBig(CountScoresAbove(image.near, options.prediction_threshold), truth.count,
                       truth.smallest_area_ratio, options.count_threshold, options.area_threshold);
    metrics.Add(IsDifficult(image, options.prediction_threshold), verdict.difficult);
  }
  return metrics;
}

BinaryMetrics Measure(std::span<const LabelledImage> images, const Discriminator& discriminator,
                      double threshold, double prediction_threshold) {
  BinaryMetrics metrics;
  for (const LabelledImage& image : images) {
    metrics.Add(IsDifficult(image, prediction_threshold),
                discriminator.Judge(image.evidence(), false).score > threshold);
  }
  return metrics;
}

Expected<UploadFit> FitUploadRatio(std::span<const double> scores, double ratio) {
  if (scores.empty()) {
    return Fail(ErrorCode::kInvalidInput, "no scores to fit an upload ratio on");
  }
  if (!(ratio >= 0 && ratio <= 1)) {
    return Fail(ErrorCode::kInvalidInput,
                "upload ratio is " + ShortNumber(ratio) + ", but must be in [0, 1]");
  }
  std::vector<double> sorted(scores.begin(), scores.end());
  for (const double score : sorted) {
    if (!std::isfinite(score)) {
      return Fail(ErrorCode::kInvalidInput, "a gain score is " + ShortNumber(score) +
                                                ": no upload ratio can be fitted on it");
    }
  }
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto n = static_cast<double>(sorted.size());
  const double infinity = std::numeric_limits<double>::infinity();
  UploadFit best{.threshold = sorted.front(), .wanted = ratio, .reached = 0};
  for (std::size_t above = 0; above < sorted.size();) {
    const double score = sorted[above];
    while (above < sorted.size() && sorted[above] == score) {
      ++above;
    }
    const double share = static_cast<double>(above) / n;
    if (std::abs(share - ratio) < std::abs(best.reached - ratio)) {
      // The middle may round up to the higher score, where it would upload too few.
      const double middle = above < sorted.size() ? sorted[above] + (score - sorted[above]) / 2
                                                  : std::nextafter(score, -infinity);
      best.threshold = middle < score ? middle : sorted[above];
      best.reached = share;
    }
  }
  return best;
}

}  // namespace nearfar
