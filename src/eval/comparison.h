#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/detection.h"
#include "core/expected.h"
#include "core/labels.h"
#include "core/percentile.h"
#include "data/truth.h"
#include "discriminate/fusion.h"
#include "eval/average_precision.h"
#include "eval/bootstrap.h"

namespace nearfar {

/// What a contender stands for in the comparison.
enum class Role {
  kSmall,     ///< the near model answers every image
  kBig,       ///< the far model answers every image
  kEndToEnd,  ///< some images are uploaded
  kOther,     ///< a detector that is compared with nobody
};

/// One way of answering every image, with what it cost.
struct Contender {
  std::string name;
  Role role = Role::kOther;
  std::vector<Detections> detections;    ///< final boxes, one list per image
  std::vector<bool> uploaded;            ///< per image; empty where nothing is decided
  std::optional<std::int64_t> bytes_up;  ///< over all images; absent = unknown
  std::vector<Duration> latencies;       ///< of the images for which one is known

  friend bool operator==(const Contender&, const Contender&) = default;
};

/// The small-big answer: the far model's boxes where the image is uploaded, the near model's where
/// it is kept [SmallBig §III]. REQUIRES: all three of one length.
std::vector<Detections> ComposeCascade(std::span<const Detections> near,
                                       std::span<const Detections> far,
                                       const std::vector<bool>& uploaded);
/// The same with both answers fused where the image is uploaded. REQUIRES: also Validate(fusion).
std::vector<Detections> ComposeCascade(std::span<const Detections> near,
                                       std::span<const Detections> far,
                                       const std::vector<bool>& uploaded,
                                       const FusionWeights& fusion);

/// Which images to upload so that a share `ratio` of them is: those with the largest gains; equal
/// gains in order of images. Rounds to the nearest number of images.
/// REQUIRES: 0 <= ratio <= 1; no gain is NaN.
std::vector<bool> UploadTop(std::span<const double> gains, double ratio);

/// A figure with its bootstrap interval, where one was asked for.
struct Figure {
  std::optional<double> value;  ///< absent where it means nothing (no object wanted, no gap)
  std::optional<Interval> interval;

  friend bool operator==(const Figure&, const Figure&) = default;
};

struct ClassStanding {
  std::string name;
  std::int64_t wanted = 0;
  std::int64_t found = 0;
  std::optional<double> voc07;
  std::optional<double> area;
  std::optional<double> ap50;
  std::optional<double> ap50_95;

  friend bool operator==(const ClassStanding&, const ClassStanding&) = default;
};

/// Where a contender stands. All accuracies and shares are in [0, 1] (recovered may be beyond).
struct Standing {
  std::string name;
  Role role = Role::kOther;
  Figure voc07;    ///< mAP at IoU .5, 11 recalls: the papers' mAP
  Figure area;     ///< mAP at IoU .5, area under the curve
  Figure ap50;     ///< COCO's AP at IoU .5
  Figure ap50_95;  ///< COCO's AP over IoU .5, .55, ... .95
  std::optional<double> ap_small, ap_medium, ap_large;  ///< COCO's AP over its size ranges
  ObjectCounts objects;
  Figure recall;  ///< objects found / objects wanted
  std::vector<ClassStanding> per_class;

  // Of a contender that decides on uploads.
  std::optional<double> upload_ratio;
  std::int64_t kept_images = 0;
  std::optional<double> kept_voc07;     ///< mAP of its boxes on the kept images alone
  std::optional<double> kept_ap50_95;   ///< COCO's AP there
  Figure found_share;                   ///< objects found / objects that the big model finds
  std::optional<double> counted_share;  ///< the same by the paper's count [SmallBig §VI.A.2]
  Figure recovered;  ///< (its VOC07 mAP − small) / (big − small); absent unless big > small

  std::optional<std::int64_t> bytes_up;
  std::optional<LatencyPercentiles> latency;
  std::size_t latencies = 0;  ///< number of images behind it

  friend bool operator==(const Standing&, const Standing&) = default;
};

struct ComparisonOptions {
  double iou = 0.5;  ///< at which an object counts as found and VOC's AP is taken; (0, 1]
  float score_threshold = 0.5F;  ///< boxes scored above count as found objects [SmallBig §V.A]
  BootstrapOptions bootstrap;

  friend bool operator==(const ComparisonOptions&, const ComparisonOptions&) = default;
};

Expected<void> Validate(const ComparisonOptions& options);

/// Judges every contender on the same images, and with the same bootstrap draws. Shares are taken
/// of the first contender with role kSmall or kBig; without them they are absent. REQUIRES: valid
/// options; every contender has one list of boxes per image; at least one image.
std::vector<Standing> Compare(std::span<const TruthImage> images, const LabelSpace& classes,
                              std::span<const Contender> contenders,
                              const ComparisonOptions& options);

}  // namespace nearfar
