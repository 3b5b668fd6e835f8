#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/labels.h"
#include "data/recording.h"
#include "data/truth.h"
#include "trace/json_lines.h"

namespace nearfar {

/// Boxes found in one image.
struct FoundBoxes {
  std::string name;  ///< key of the image, shared with the truth
  Detections detections;

  friend bool operator==(const FoundBoxes&, const FoundBoxes&) = default;
};

/// Boxes that somebody found in a set of images, in that somebody's own classes.
struct DetectionSet {
  std::string title;  ///< for messages: "near", "far", a file's name
  LabelSpace classes;
  std::vector<FoundBoxes> images;

  friend bool operator==(const DetectionSet&, const DetectionSet&) = default;
};

/// Errors: kUnsupported when the recording has frames in regions, whose boxes must be merged first,
/// or boxes before NMS.
Expected<DetectionSet> BoxesOf(const Recording& recording, std::string title);
/// The final boxes of a trace.
DetectionSet BoxesOf(const Trace& trace, std::string title);
/// The near model's own boxes in a trace; a frame whose near model failed has none.
DetectionSet NearBoxesOf(const Trace& trace, std::string title);

/// The truth and every source's boxes over the same images and in the same classes.
struct AlignedSet {
  LabelSpace classes;              ///< of the truth, less those that no source has a name for
  std::vector<TruthImage> images;  ///< those that the truth and all sources have, by rising name
  /// Boxes by source and image; labels are indices into `classes`.
  std::vector<std::vector<Detections>> detections;
  /// Where an image stands in its source, by source and image.
  std::vector<std::vector<std::size_t>> position;
  std::vector<std::string>
      remarks;  ///< what was left out, and of whom: to be printed, never hidden

  friend bool operator==(const AlignedSet&, const AlignedSet&) = default;
};

/// Brings truth and sources together by image name and canonical class name. Images that one of
/// them lacks are left out for all, so that every figure speaks of the same images; classes that no
/// source can name are left out of the truth; boxes of other classes, and boxes with a score or
/// corner that is not a finite number, are left out: each is remarked with numbers.
/// @param only  class names to judge, any spelling; empty: all of the truth's.
/// Errors: kInvalidInput when an image stands twice in a source, when no image or no class is
/// common; kNotFound for a name in `only` that the truth does not have.
Expected<AlignedSet> Align(const Truth& truth, std::span<const DetectionSet> sources,
                           const Synonyms& synonyms, std::span<const std::string> only = {});

}  // namespace nearfar
