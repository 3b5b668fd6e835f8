#pragma once

#include <span>
#include <string_view>

#include "core/detection.h"
#include "core/ids.h"
#include "core/labels.h"
#include "core/pixels.h"

namespace nearfar {

/// A copy of the picture with its boxes drawn: orange found near, blue found far, each with class
/// and score on a filled tag that stays inside the picture; `caption` on a dark bar at the bottom.
/// Lines and letters grow with the picture.
/// @param provenance  who found each detection; empty = all near.
Image Annotate(const PixelView& picture, const Detections& detections, const LabelSpace& classes,
               std::span<const LinkId> provenance, std::string_view caption);

}  // namespace nearfar
