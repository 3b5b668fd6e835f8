#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/detection.h"
#include "core/expected.h"
#include "core/pixels.h"
#include "discriminate/discriminator.h"
#include "discriminate/smallbig.h"

namespace nearfar {

/// One annotated object of a labelled image.
struct TrueObject {
  Box box;  ///< in px of the image
  int label = 0;
  bool ignored = false;  ///< neither wanted nor punished (VOC: difficult; COCO: crowd)

  friend bool operator==(const TrueObject&, const TrueObject&) = default;
};

/// One image with what both models said of it, in one label space: what thresholds are fitted on.
struct LabelledImage {
  Detections near;  ///< after NMS, down to the score floor, in px of the image
  Detections far;
  std::optional<std::vector<TrueObject>> truth;  ///< the annotated objects; absent: the far boxes
                                                 ///< above the prediction threshold stand in
  Size size;                                     ///< REQUIRES: area() > 0
  PixelFeatures features;
  std::uint64_t key = 0;  ///< hash of the image's name

  Evidence evidence() const { return {near, size, features, key}; }
};

/// The definition of [SmallBig §V.A]: the far model finds at least one object more than the near
/// one, counting boxes scored strictly above the prediction threshold.
bool IsDifficult(const LabelledImage& image, double prediction_threshold = 0.5);

/// The semantics of what is really there: count and smallest area share (1 when there is nothing).
struct TrueFeatures {
  int count = 0;
  double smallest_area_ratio = 1;

  friend bool operator==(const TrueFeatures&, const TrueFeatures&) = default;
};
TrueFeatures MeasureTruth(const LabelledImage& image, double prediction_threshold = 0.5);

/// How well a verdict meets the labels; difficult is the positive class. [SmallBig Table I]
/// A ratio whose denominator is 0 is 0.
struct BinaryMetrics {
  int true_positives = 0;
  int false_positives = 0;
  int true_negatives = 0;
  int false_negatives = 0;

  void Add(bool label, bool verdict);
  int images() const;
  double accuracy() const;
  double precision() const;
  double recall() const;
  double f1() const;
  /// Share of the images with the verdict "difficult".
  double upload_ratio() const;
  friend bool operator==(const BinaryMetrics&, const BinaryMetrics&) = default;
};

struct FitOptions {
  double score_floor = 0.01;              ///< the score threshold is sought from here ...
  double prediction_threshold = 0.5;      ///< ... to here, [0, 1]
  int area_steps = 100;                   ///< area thresholds tried: 0, 1/steps, ..., 1; > 0
  std::optional<double> score_threshold;  ///< kept as it is, where given, instead of fitted
  std::optional<int> count_threshold;     ///< likewise
  std::optional<double> area_threshold;   ///< likewise
  bool upload_empty = false;              ///< passed on to the options

  friend bool operator==(const FitOptions&, const FitOptions&) = default;
};

/// Errors: kInvalidInput with the field, its value and its range.
Expected<void> Validate(const FitOptions& options);

/// The score threshold t that brings the number of near boxes above t closest to the number of true
/// objects over all images: |sum N_predict(t) - sum N_truth| is least [SmallBig eq. 1, L is
/// signed]. All t between two neighbouring scores count alike: their middle is taken. Of two
/// equally good ranges, the one with the higher t. Errors: kInvalidInput for no images or invalid
/// options.
struct ScoreFit {
  double threshold = 0;
  std::int64_t estimated = 0;  ///< near boxes above the threshold, all images together
  std::int64_t objects = 0;    ///< true objects, all images together

  std::int64_t difference() const { return estimated - objects; }
  friend bool operator==(const ScoreFit&, const ScoreFit&) = default;
};
Expected<ScoreFit> FitScoreThreshold(std::span<const LabelledImage> images,
                                     const FitOptions& options);

/// The count and area thresholds with which the three steps, fed with the *true* features, meet
/// most labels [SmallBig §V.D]. All pairs of a count 0, 1, ..., largest true count and an area on
/// the grid are tried; ties go to the larger count threshold, then to the smaller area: to fewer
/// uploads. Errors: as FitScoreThreshold.
struct CountAreaFit {
  int count_threshold = 0;
  double area_threshold = 0;
  BinaryMetrics metrics;  ///< on true features

  friend bool operator==(const CountAreaFit&, const CountAreaFit&) = default;
};
Expected<CountAreaFit> FitCountAndArea(std::span<const LabelledImage> images,
                                       const FitOptions& options);

/// The paper's whole fit and both rows of its Table I.
struct SmallBigFit {
  SmallBigOptions options;
  ScoreFit score;
  BinaryMetrics with_true_features;
  BinaryMetrics with_estimated_features;

  friend bool operator==(const SmallBigFit&, const SmallBigFit&) = default;
};
/// Errors: as FitScoreThreshold.
Expected<SmallBigFit> FitSmallBig(std::span<const LabelledImage> images, const FitOptions& options);

/// The three steps fed with true features ("Ground Truth" in Table I).
BinaryMetrics MeasureOnTrueFeatures(std::span<const LabelledImage> images,
                                    const SmallBigOptions& options);
/// Any discriminator's verdict "score > threshold" on what it sees ("Predicted" in Table I).
BinaryMetrics Measure(std::span<const LabelledImage> images, const Discriminator& discriminator,
                      double threshold, double prediction_threshold = 0.5);

/// A threshold on gain scores that uploads a wanted share of the images.
struct UploadFit {
  double threshold = 0;  ///< upload when score > threshold
  double wanted = 0;
  double reached = 0;  ///< on the same scores; equal scores can only go together

  friend bool operator==(const UploadFit&, const UploadFit&) = default;
};

/// Of all thresholds the one whose share comes closest to `ratio`; ties go to the lower share. It
/// lies in the middle between the last score that is uploaded and the first that is not. Errors:
/// kInvalidInput for no scores, a score that is not finite, or a ratio outside [0, 1].
Expected<UploadFit> FitUploadRatio(std::span<const double> scores, double ratio);

}  // namespace nearfar
