#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "discriminate/fit.h"

namespace nearfar {

/// What an upload is to bring.
enum class GainGoal {
  kAccuracy,  ///< mean average precision over the images
  kObjects,   ///< objects found
};

constexpr std::string_view ToString(GainGoal goal) {
  return goal == GainGoal::kAccuracy ? "accuracy" : "objects";
}
/// Errors: kInvalidInput naming the two.
Expected<GainGoal> ParseGainGoal(std::string_view text);

struct GainTargetOptions {
  double iou = 0.5;                   ///< at which a box finds an object; (0, 1]
  double prediction_threshold = 0.5;  ///< a box scored above it is an object found; [0, 1)
  double winsorised = 0.01;  ///< share of the images at either end whose accuracy gain is drawn in
                             ///< to that quantile; [0, 0.5)

  friend bool operator==(const GainTargetOptions&, const GainTargetOptions&) = default;
};

/// How likely each box of an image is right: in [0, 1], or below 0 where the box does not count (it
/// hit an object to be ignored).
struct BoxTruth {
  std::vector<double> near;
  std::vector<double> far;

  friend bool operator==(const BoxTruth&, const BoxTruth&) = default;
};

/// Judges all boxes of a set of images. The far model stands in for the truth: a far box is right
/// with its own score, a near box with that of the far box that it matches, each far box matched
/// once, and else with 0. Where there are annotations (PASCAL VOC's matching at `iou`), they say
/// how far to trust those scores: a box is right as often as boxes of its score, and of its kind
/// (far and matched near, unmatched near), were in all images. Their own right and wrong would be
/// too much chance: what is learned from them is worse (docs/discriminators.md).
std::vector<BoxTruth> JudgeBoxes(std::span<const LabelledImage> images, double iou = 0.5);

/// What the mean average precision over all images would gain if every image were like this one and
/// were uploaded: the worth of the far model's boxes less that of the near ones, times the number
/// of images. Their mean is what uploading all would bring. A box's worth is linear in the image:
/// average precision is differentiated at a ranking that holds every image's near and far boxes by
/// half each, so that neither model's answer is assumed. (The offloading reward ORIC of Qiu, Wang,
/// Guerin, SEC 2024, linearised.) REQUIRES: labels in [0, classes).
std::vector<double> AccuracyGains(std::span<const LabelledImage> images, int classes,
                                  const GainTargetOptions& options = {});

/// How many objects more the far model is expected to find in each image: N_far - N_near, boxes
/// above the prediction threshold [SmallBig §V.A], each by how likely it is right.
std::vector<double> ObjectGains(std::span<const LabelledImage> images,
                                const GainTargetOptions& options = {});

std::vector<double> Gains(GainGoal goal, std::span<const LabelledImage> images, int classes,
                          const GainTargetOptions& options = {});

}  // namespace nearfar
