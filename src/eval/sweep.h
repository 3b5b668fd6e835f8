#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/detection.h"
#include "core/labels.h"
#include "data/truth.h"
#include "eval/comparison.h"
#include "eval/matching.h"

namespace nearfar {

/// The matches of two detectors over the same n images as one table over 2n: image i of `near`
/// stands at i, that of `far` at n + i. Which detector answers which image is then a matter of
/// weights, so that all cascades of a pair are read off one table. Equal scores go in order of
/// images, as in a table of the cascade alone. REQUIRES: equal classes, images and thresholds.
MatchTable MergeMatches(const MatchTable& near, const MatchTable& far);

/// The weights under which a merged table is that of the cascade: each image counts as `draw` says
/// at its far half where it is uploaded, at its near half where it is kept.
std::vector<std::uint32_t> CascadeWeights(const std::vector<bool>& uploaded,
                                          ImageWeights draw = {});

/// What an upload of each image adds to the mAP, linearised where each image is uploaded by half:
/// the derivative of the mean over classes of (1/P) Σ precision at each found object. No
/// discriminator can know it; ranking by it shows how far knowledge of the truth would reach.
/// Reads the table's first threshold. REQUIRES: a table of MergeMatches.
std::vector<double> UploadDerivatives(const MatchTable& merged);

/// The images in the order in which a discriminator would upload them.
struct UploadOrder {
  std::string name;
  std::vector<std::size_t> images;  ///< each image once, the one most worth an upload first
  bool fused = false;  ///< uploaded images are answered by both models' boxes fused, not by far's

  friend bool operator==(const UploadOrder&, const UploadOrder&) = default;
};

struct SweepOptions {
  std::vector<double> ratios;  ///< upload ratios to look at, each in [0, 1], rising
  ComparisonOptions comparison;
  /// Place of the order that the others' recovered gain is held against; absent: none.
  std::optional<std::size_t> reference;

  friend bool operator==(const SweepOptions&, const SweepOptions&) = default;
};

/// 0, .05, ... 1.
std::vector<double> DefaultRatios();

/// Errors: kInvalidInput with the option, its value and its range.
Expected<void> Validate(const SweepOptions& options);

/// Where small-big stands at one upload ratio. Accuracies and shares are in [0, 1] (recovered may
/// be beyond); what means nothing is absent.
struct SweepPoint {
  double ratio = 0;            ///< as asked
  std::size_t uploaded = 0;    ///< images: round(ratio · images)
  Figure voc07;                ///< mAP at the options' IoU, 11 recalls
  std::optional<double> area;  ///< mAP there, area under the curve
  std::optional<double> ap50;  ///< COCO's AP at IoU .5
  std::optional<double> ap50_95;
  ObjectCounts objects;
  Figure found_share;                   ///< objects found / objects that far finds
  std::optional<double> counted_share;  ///< the same by the paper's count
  Figure recovered;                     ///< (mAP − near's) / (far's − near's)
  Figure times_reference;               ///< recovered / recovered by the reference at this ratio
  Figure kept_voc07;                    ///< mAP of the near boxes on the kept images alone

  friend bool operator==(const SweepPoint&, const SweepPoint&) = default;
};

struct SweepCurve {
  std::string name;
  std::vector<SweepPoint> points;  ///< by ratio

  friend bool operator==(const SweepCurve&, const SweepCurve&) = default;
};

struct SweepResult {
  SweepPoint near;  ///< nothing uploaded
  SweepPoint far;   ///< everything uploaded
  std::vector<SweepCurve> curves;

  friend bool operator==(const SweepResult&, const SweepResult&) = default;
};

/// A pair of detectors, held against the truth over all upload ratios at once: boxes are matched
/// once, and every figure and bootstrap draw is a pass over the matches. All orders see the same
/// draws; a draw weighs images and leaves the choice of uploads as it is.
class PairSweep {
 public:
  /// @param fused  the answers of orders with `fused`; empty: there are none such.
  /// REQUIRES: as many lists of boxes as images, and at least one image.
  PairSweep(std::span<const TruthImage> images, const LabelSpace& classes,
            std::span<const Detections> near, std::span<const Detections> far,
            const ComparisonOptions& options, std::span<const Detections> fused = {});

  /// Worth of each image to one who knows the truth: see UploadDerivatives.
  std::vector<double> OracleWorth() const { return UploadDerivatives(by_far_.voc); }

  /// @param advance  called after the figures and after each draw: 1 + draws times.
  /// REQUIRES: valid options; every order holds each image once; fused ones need `fused`.
  SweepResult Run(std::span<const UploadOrder> orders, const SweepOptions& options,
                  const std::function<void()>& advance = {}) const;

 private:
  /// Both tables of near and of what answers uploads, merged.
  struct Tables {
    MatchTable voc;
    MatchTable coco;
  };

  /// The figures without an interval.
  static SweepPoint PointAt(const Tables& tables, double ratio, const std::vector<bool>& uploaded,
                            float score_threshold);

  std::size_t images_;
  Tables by_far_;
  std::optional<Tables> by_fused_;
};

}  // namespace nearfar
