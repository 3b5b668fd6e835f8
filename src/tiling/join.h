#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/expected.h"
#include "core/tile_grid.h"
#include "tiling/tiling.h"

namespace nearfar {

/// What neighbours are joined for: padding that is not paid twice.
struct JoinOptions {
  bool on = true;                          ///< off: every cell is a region
  std::int64_t inference_pixels = 20'000;  ///< what a region costs beside its pixels; >= 0
  std::int64_t most_pixels = 1600 * 1600;  ///< a joined region has no more; >= 0

  friend bool operator==(const JoinOptions&, const JoinOptions&) = default;
};

/// Errors: kInvalidInput for a number outside its range.
Expected<void> Validate(const JoinOptions& options);

/// The regions in which the given cells are looked at. Two are joined to the rectangle around both
/// while that saves pixels and inferences, the largest saving first, equal ones by the first cell;
/// other regions that the rectangle runs into are joined with them. Cells that nobody asked for may
/// be among a rectangle's: they are looked at, too, and listed. No cell is in two regions.
/// @param cells  of the grid, any order; repeated ones count once. REQUIRES: each in [0, cells()).
/// @return in order of their first cells.
std::vector<TiledRegion> JoinTiles(const TileGrid& grid, const Padding& padding,
                                   std::span<const int> cells, const JoinOptions& options = {});

}  // namespace nearfar
