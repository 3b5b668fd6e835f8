#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/detection.h"
#include "core/labels.h"

namespace nearfar {

/// One annotated object. Its box is in px of the image, continuous coordinates.
struct TruthObject {
  Box box;
  int label = 0;           ///< index into the Truth's classes
  bool difficult = false;  ///< VOC: neither wanted nor punished
  bool crowd = false;      ///< COCO: a region that stands for many objects; boxes in it are ignored
  float area = -1;         ///< COCO: area of the object's mask in px²; < 0: take the box's
  std::int64_t track = -1;  ///< who it is, the same number in all images of the set; < 0: not told

  friend bool operator==(const TruthObject&, const TruthObject&) = default;
};

/// What is really in one image.
struct TruthImage {
  std::string name;  ///< key shared with recordings: file name without folder and extension
  std::string file;  ///< path of the picture; empty where the annotation names none
  Size size;
  std::vector<TruthObject> objects;

  friend bool operator==(const TruthImage&, const TruthImage&) = default;
};

/// An annotated set of images.
struct Truth {
  LabelSpace classes;
  std::vector<TruthImage> images;    ///< in the order of the annotation; names are unique
  std::vector<std::string> remarks;  ///< what was odd and how it was read ("45 objects without a
                                     ///< name or box: left out"): to be printed once

  friend bool operator==(const Truth&, const Truth&) = default;
};

/// The classes of annotations that use names without listing them: VOC's in VOC's order where there
/// are no others, else by the alphabet.
LabelSpace OrderClasses(const std::set<std::string>& canonical_names);

}  // namespace nearfar
