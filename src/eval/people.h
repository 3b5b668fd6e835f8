#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/detection.h"
#include "data/truth.h"
#include "eval/bootstrap.h"
#include "eval/matching.h"

namespace nearfar {

/// Boxes of one class by the person whom they speak of, for intervals over people: few people may
/// stand behind many images, and images that share them are not independent draws. In the place of
/// images the table has people: somebody's track over all images is one (an object without a track
/// is one by itself), and a box counts with the person whom it overlaps most, found or not, one
/// that overlaps nobody with whom its middle is nearest to. A bootstrap over the table's "images"
/// so draws people with all that was seen of them and around them.
/// Matching is MatchVoc's. Boxes of an image without anybody count with a person of its own, of
/// whom nothing is wanted.
/// @param detections  one list per image, any order.
/// REQUIRES: detections.size() == images.size(); 0 <= label.
MatchTable MatchByPerson(std::span<const TruthImage> images, std::span<const Detections> detections,
                         int label, double iou = 0.5);

/// One way to find people, and how it stands to the first one.
struct PeopleStanding {
  double ap = 0;  ///< AP of COCO's 101 recalls at the table's IoU
  Interval interval;
  double minus_first = 0;  ///< its AP less the first one's
  Interval minus_first_interval;

  friend bool operator==(const PeopleStanding&, const PeopleStanding&) = default;
};

/// Average precisions over the same people, with paired intervals: each draw of people judges all.
/// Without draws the intervals are zero wide.
/// @param tables  of MatchByPerson over the same images. REQUIRES: not empty, somebody is wanted.
std::vector<PeopleStanding> ComparePeople(std::span<const MatchTable> tables,
                                          const BootstrapOptions& options);

}  // namespace nearfar
