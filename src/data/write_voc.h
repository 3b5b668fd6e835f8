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

}  // namespace nearfar
