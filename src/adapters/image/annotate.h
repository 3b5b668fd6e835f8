#pragma once

#include <span>
#include <string_view>

#include "core/detection.h"
#include "core/ids.h"
#include "core/labels.h"
#include "core/pixels.h"
#include "core/tile_grid.h"

namespace nearfar {

/// A copy of the picture with its boxes drawn: orange found near, blue found far, each with class
/// and score on a filled tag that stays inside the picture; `caption` on a dark bar at the bottom.
/// Lines and letters grow with the picture.
/// @param provenance  who found each detection; empty = all near.
Image Annotate(const PixelView& picture, const Detections& detections, const LabelSpace& classes,
               std::span<const LinkId> provenance, std::string_view caption);

/// A copy of the picture with its tiles tinted: green kept, red skipped, yellow probed, and the boxes
/// that were found in white. [HODE Fig. 10]
/// @param grid   of a frame that the picture shows, at whichever size.
/// @param cells  one letter per cell: '#' kept, '?' probed, '.' skipped (TilesRecord::cells).
/// @param boxes  in px of the grid's frame.
/// REQUIRES: cells is as long as the grid has cells.
Image DrawTiles(const PixelView& picture, const TileGrid& grid, std::string_view cells,
                const Detections& boxes, std::string_view caption);

}  // namespace nearfar
