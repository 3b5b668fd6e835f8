#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eval/matching.h"

namespace nearfar {

/// How a precision-recall curve becomes one number. All three first lift precision to the best one
/// at that recall or beyond.
enum class Interpolation {
  kVoc07,  ///< mean over the 11 recalls 0, .1, ... 1 (PASCAL VOC 2007; the paper's mAP)
  kArea,   ///< area under the curve (PASCAL VOC 2010 and later)
  kCoco,   ///< mean over the 101 recalls 0, .01, ... 1 (COCO)
};

/// How often each image counts; empty means once each. A bootstrap's draw is such a list.
using ImageWeights = std::span<const std::uint32_t>;

/// Average precision of one class at one of the table's IoU thresholds, in [0, 1]; absent where no
/// object is wanted.
std::optional<double> AveragePrecision(const ClassMatches& matches, std::size_t threshold,
                                       Interpolation interpolation, ImageWeights weights = {});

/// Mean over the classes that have objects to be found, by threshold of the table; empty where
/// there is no such class. A class without truth is left out, as the devkit's NaN and COCO's -1
/// are, however many boxes it has.
std::vector<double> MeanAveragePrecisions(const MatchTable& table, Interpolation interpolation,
                                          ImageWeights weights = {});
/// The mean of those over all thresholds; absent where there is no class to be judged.
std::optional<double> MeanAveragePrecision(const MatchTable& table, Interpolation interpolation,
                                           ImageWeights weights = {});

/// Objects found, in both ways of counting.
struct ObjectCounts {
  std::int64_t found = 0;    ///< objects of the truth with a box of their class scored above the
                             ///< threshold, each once: the headline
  std::int64_t counted = 0;  ///< boxes scored above the threshold, right or wrong [SmallBig §VI.A.2]
  std::int64_t wanted = 0;   ///< objects that are there

  friend bool operator==(const ObjectCounts&, const ObjectCounts&) = default;
};

/// Counts over all classes at the table's first IoU threshold, boxes scored strictly above
/// `score_threshold`. REQUIRES: a table of MatchVoc, which keeps every box.
ObjectCounts CountObjects(const MatchTable& table, float score_threshold = 0.5F,
                          ImageWeights weights = {});

}  // namespace nearfar
