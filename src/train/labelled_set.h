#pragma once

#include <string>
#include <vector>

#include "core/expected.h"
#include "core/labels.h"
#include "data/recording.h"
#include "data/truth.h"
#include "discriminate/fit.h"

namespace nearfar {

/// Two recordings of the same images, and their truth where there is one, in one label space.
struct LabelledSet {
  LabelSpace classes;
  std::vector<std::string> names;     ///< of the images, in the near recording's order
  std::vector<LabelledImage> images;  ///< one for each name
  bool has_truth = false;
  std::vector<std::string> remarks;  ///< what was left out or is odd: to be printed once

  friend bool operator==(const LabelledSet&, const LabelledSet&) = default;
};

struct LabelledSetOptions {
  /// Names of the classes that count, in any spelling. Empty: those that near, far and truth share.
  std::vector<std::string> classes;
  /// Count objects that VOC marks difficult; crowds never count.
  bool count_difficult = false;

  friend bool operator==(const LabelledSetOptions&, const LabelledSetOptions&) = default;
};

/// Joins recordings and truth by the names of the images. Boxes that are not of finite numbers are
/// left out, with a remark.
/// @param truth  may hold more images than the recordings; nullptr: there is none.
/// Errors: kInvalidInput when the recordings are not of the same images (names, sizes), hold boxes
/// before NMS, parts of images or no images, or an image is missing in the truth; kNotFound when
/// there is no common class or a wanted one is unknown to near or far.
Expected<LabelledSet> JoinRecordings(const Recording& near, const Recording& far,
                                     const Truth* truth, const Synonyms& synonyms,
                                     const LabelledSetOptions& options);

/// The boxes of a recorded frame, relabelled from the recording's classes to `classes`; boxes of
/// other classes are left out.
Detections DetectionsIn(const LabelSpace& classes, const Recording& recording,
                        const RecordedFrame& frame, const Synonyms& synonyms);

}  // namespace nearfar
