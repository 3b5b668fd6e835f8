#pragma once

#include <vector>

#include "core/detection.h"
#include "core/tile_grid.h"
#include "tiling/join.h"
#include "tiling/tiling.h"

namespace nearfar {

/// The regions in which the people of an earlier frame are expected: each box grown about its middle
/// by a share of its width and height, cut at the frame's edge; those whose common rectangle costs no
/// more than they do apart become one [HODE §III.B "Elf-based"]. The paper does not say what becomes
/// of boxes that overlap; one inference each would send the same pixels many times.
/// @param people  in px of the grid's frame; boxes that are no numbers or lie outside are left out.
/// @param grow    in all: 0.3 adds 15 % on each side; >= 0.
/// @return regions by their first box; `cells` are those in which the middle of a box lies.
std::vector<TiledRegion> RegionsAroundBoxes(const TileGrid& grid, const Detections& people,
                                            double grow, const JoinOptions& joining);

}  // namespace nearfar
