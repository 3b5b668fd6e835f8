#include "flow/count_grid.h"

#include <cassert>
#include <cmath>

namespace nearfar {

bool HasPlace(const Box& box) {
  return std::isfinite(box.x1 + box.x2) && std::isfinite(box.y1 + box.y2);
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
