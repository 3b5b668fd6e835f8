#pragma once

#include <algorithm>
#include <cstddef>

#include "core/geometry.h"

namespace nearfar {

/// A frame cut into cells of one size, row by row from the top left. The cells of the last column
/// and row are as small as the frame leaves them. Cells are named by their index, row * columns +
/// column.
struct TileGrid {
  Size frame;
  Size tile;        ///< of a whole cell, in px of the frame
  int columns = 0;
  int rows = 0;

  constexpr int cells() const { return columns * rows; }
  constexpr int index(int column, int row) const { return row * columns + column; }

  /// The cell, in px of the frame. REQUIRES: 0 <= cell < cells().
  constexpr Rect Cell(int cell) const {
    const int x = cell % columns * tile.width;
    const int y = cell / columns * tile.height;
    return {x, y, std::min(tile.width, frame.width - x), std::min(tile.height, frame.height - y)};
  }
  /// The cell in which a point of the frame lies; for a point outside, the nearest one.
  /// REQUIRES: x, y are numbers.
  constexpr int CellAt(float x, float y) const {
    const auto at = [](float value, int size, int count) {
      return value <= 0 ? 0 : static_cast<int>(std::min(value / static_cast<float>(size),
                                                        static_cast<float>(count - 1)));
    };
    return index(at(x, tile.width, columns), at(y, tile.height, rows));
  }
  /// The cell in which the middle of a box lies.
  constexpr int CellOf(const Box& box) const {
    return CellAt((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2);
  }

  friend bool operator==(const TileGrid&, const TileGrid&) = default;
};

/// [HODE §II] "splits by a given size". A tile larger than the frame gives one cell, the frame.
/// REQUIRES: frame.area() > 0, tile.area() > 0, positive sides.
constexpr TileGrid MakeTileGrid(Size frame, Size tile) {
  return {frame, tile, (frame.width + tile.width - 1) / tile.width,
          (frame.height + tile.height - 1) / tile.height};
}

}  // namespace nearfar
