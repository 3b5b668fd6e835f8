#include "flow/count_grid.h"

#include <cassert>
#include <cmath>

namespace nearfar {

bool HasPlace(const Box& box) {
  return std::isfinite(box.x1 + box.x2) && std::isfinite(box.y1 + box.y2);
}

Box PaddedCell(const TileGrid& grid, Size padding, int cell) {
  const Rect rect = grid.Cell(cell);
  const auto w = static_cast<float>(padding.width);
  const auto h = static_cast<float>(padding.height);
  return ClipTo(
      {static_cast<float>(rect.x) - w, static_cast<float>(rect.y) - h,
       static_cast<float>(rect.x + rect.width) + w, static_cast<float>(rect.y + rect.height) + h},
      grid.frame);
}

bool IsSeen(const TileGrid& grid, Size padding, const std::vector<bool>& looked, const Box& box) {
  assert(looked.size() == static_cast<std::size_t>(grid.cells()));
  if (looked[static_cast<std::size_t>(grid.CellOf(box))]) {
    return true;
  }
  if (padding == Size{}) {
    return false;
  }
  const Box inside = ClipTo(box, grid.frame);
  for (int cell = 0; cell < grid.cells(); ++cell) {
    if (looked[static_cast<std::size_t>(cell)]) {
      const Box tile = PaddedCell(grid, padding, cell);
      if (inside.x1 >= tile.x1 && inside.y1 >= tile.y1 && inside.x2 <= tile.x2 &&
          inside.y2 <= tile.y2) {
        return true;
      }
    }
  }
  return false;
}

CountGrid CountPeople(const TileGrid& grid, const std::vector<bool>& looked,
                      const Detections& people) {
  const auto cells = static_cast<std::size_t>(grid.cells());
  assert(looked.empty() || looked.size() == cells);
  CountGrid found{grid.columns, grid.rows, std::vector<float>(cells), looked};
  found.known.resize(cells);
  for (const Detection& person : people) {
    if (HasPlace(person.box)) {
      found.counts[static_cast<std::size_t>(grid.CellOf(person.box))] += 1;
    }
  }
  return found;
}

}  // namespace nearfar
