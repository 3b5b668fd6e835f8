#pragma once

#include <string>
#include <string_view>

#include "core/labels.h"
#include "data/truth.h"

namespace nearfar {

/// The PASCAL VOC annotation (XML) of one image, as ReadVocTruth takes it: pixels counted from 1,
/// both corners inside, with two decimals where an edge falls between pixels.
/// @param picture  file name of the picture, without folder
/// @param set      name of the data set, for its <folder>
/// REQUIRES: every label is in `classes`.
std::string FormatVocXml(const TruthImage& image, const LabelSpace& classes,
                         std::string_view picture, std::string_view set);

/// The COCO instances JSON of a set, as ReadCocoTruth takes it. Categories are numbered from 1 in
/// the order of the classes, images and annotations from 1 in theirs. COCO knows no difficult
/// objects: they become crowd regions, which are neither wanted nor punished either. Tracks stand as
/// `track_id`, as sets of videos in COCO's form have them.
/// REQUIRES: every label is in the truth's classes.
std::string FormatCocoInstances(const Truth& truth);

}  // namespace nearfar
