#pragma once

#include <cstddef>
#include <vector>

#include "core/geometry.h"
#include "core/tile_grid.h"
#include "flow/flow_filter.h"

namespace nearfar {

/// How many people stand in each cell of a frame, by the middle of their boxes: the matrices of
/// [HODE §II.A]. A cell that nobody looked at is unknown, never empty; what was found in it all the
/// same, through a neighbour's padding or an overview, is a least number.
struct CountGrid {
  int columns = 0;
  int rows = 0;
  std::vector<float> counts;  ///< by cell
  std::vector<bool> known;    ///< by cell: it was looked at, so that the count is whole

  /// Known to hold nobody.
  bool Empty(std::size_t cell) const { return known[cell] && counts[cell] == 0; }
  std::size_t cells() const { return counts.size(); }

  friend bool operator==(const CountGrid&, const CountGrid&) = default;
};

/// True when the middle of the box is a place: boxes with NaN or infinite corners are nowhere.
bool HasPlace(const Box& box);

/// The cell's rectangle, larger by the padding on every side, cut at the frame's edge.
Box PaddedCell(const TileGrid& grid, Size padding, int cell);

/// True when the middle of the box lies in a cell looked at, or, where there is a padding, the
/// whole box inside the padded rectangle of one: such a person comes back whole. REQUIRES:
/// HasPlace(box); looked is as long as the grid has cells.
bool IsSeen(const TileGrid& grid, Size padding, const std::vector<bool>& looked, const Box& box);

/// The count grid of one frame. Boxes whose middle lies outside the frame count to the nearest
/// cell, boxes that have no place to none. REQUIRES: looked is empty (nothing was looked at) or as
/// long as the grid has cells.
CountGrid CountPeople(const TileGrid& grid, const std::vector<bool>& looked,
                      const Detections& people);

}  // namespace nearfar
