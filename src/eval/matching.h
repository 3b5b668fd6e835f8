#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/detection.h"
#include "data/truth.h"

namespace nearfar {

/// One scored box of one class, and what the truth says of it at up to 16 IoU thresholds: bit t of
/// a mask belongs to threshold t.
struct MatchedDetection {
  float score = 0;
  std::uint32_t image = 0;
  std::uint16_t found = 0;    ///< bits where it found an object of its own
  std::uint16_t ignored = 0;  ///< bits where it is neither right nor wrong

  friend bool operator==(const MatchedDetection&, const MatchedDetection&) = default;
};

/// All boxes of one class over all images, best score first; equal scores in order of images, then
/// in the order in which the image lists them.
struct ClassMatches {
  std::vector<MatchedDetection> detections;
  std::vector<std::uint32_t> wanted;  ///< objects to be found, per image
  /// By threshold: which of `detections` are found or ignored there, rising. The others are wrong.
  /// A curve bends here alone, which makes reading one quick.
  std::vector<std::vector<std::uint32_t>> decisive;

  friend bool operator==(const ClassMatches&, const ClassMatches&) = default;
};

/// Boxes held against the truth, once; every average precision and count, and each of a bootstrap's
/// draws, is then a pass over it.
struct MatchTable {
  std::vector<double> iou_thresholds;
  std::vector<ClassMatches> classes;  ///< by label
  std::size_t images = 0;

  friend bool operator==(const MatchTable&, const MatchTable&) = default;
};

/// Intersection over union in double precision. Boxes are continuous: the pixels 1..10 of a VOC
/// file are [0, 10), which makes this the devkit's IoU with its "+1" (see docs/evaluation.md).
double PreciseIou(const Box& a, const Box& b);

/// Matches as the PASCAL VOC devkit does (VOCevaldet.m): by falling score, a box goes to the object
/// of its class and image that it overlaps most, be it taken or not; at IoU >= `iou` it finds the
/// object, or is wrong where the object was found before. A difficult object is neither wanted nor
/// punished, however often it is hit. A crowd region (COCO) takes boxes that found no other object
/// and lie in it by at least `iou` of their own area, and counts as difficult.
/// @param detections  one list per image, any order; boxes with a label outside [0, classes) or a
///                    score that is not a number are left out.
/// REQUIRES: detections.size() == images.size().
MatchTable MatchVoc(std::span<const TruthImage> images, std::span<const Detections> detections,
                    int classes, double iou = 0.5);

/// How COCO's evaluation is set; the defaults are its own for boxes.
struct CocoOptions {
  std::vector<double> iou_thresholds;  ///< at most 16; empty: .50, .55, ... .95
  int max_detections = 100;            ///< best-scored boxes per image and class
  double min_area = 0;     ///< objects of an area outside [min, max] px² are ignored, and
  double max_area = 1e10;  ///< so are boxes outside it that match nothing

  friend bool operator==(const CocoOptions&, const CocoOptions&) = default;
};

/// COCO's size ranges: small is below 32² px, medium below 96², large the rest.
CocoOptions CocoSmall();
CocoOptions CocoMedium();
CocoOptions CocoLarge();

/// Matches as COCO's evaluation does (COCOeval.evaluateImg): by falling score, a box takes the best
/// object still free at each threshold, an ignored one only where no other fits. Crowd regions, and
/// VOC's difficult objects, which are handed on as such (iscrowd = difficult), are ignored, take
/// any number of boxes, and overlap is intersection over the box's own area.
/// @param detections  as for MatchVoc.
/// REQUIRES: detections.size() == images.size().
MatchTable MatchCoco(std::span<const TruthImage> images, std::span<const Detections> detections,
                     int classes, const CocoOptions& options = {});

}  // namespace nearfar
