#include "tiling/tiling.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace nearfar {

Rect PaddedTile(const TileGrid& grid, const Padding& padding, int cell) {
  assert(cell >= 0 && cell < grid.cells());
  assert(padding.by_row.size() == static_cast<std::size_t>(grid.rows));
  const Rect tile = grid.Cell(cell);
  const Size pad = padding.by_row[static_cast<std::size_t>(cell / grid.columns)];
  const int left = std::max(0, tile.x - pad.width);
  const int top = std::max(0, tile.y - pad.height);
  const int right = std::min(grid.frame.width, tile.x + tile.width + pad.width);
  const int bottom = std::min(grid.frame.height, tile.y + tile.height + pad.height);
  return {left, top, right - left, bottom - top};
}

TiledRegion Overview(Size frame, int long_side) {
  assert(frame.area() > 0 && long_side > 0);
  TiledRegion region{.kind = TiledRegion::Kind::kOverview, .rect = WholeOf(frame), .input = frame};
  const int longer = std::max(frame.width, frame.height);
  if (long_side < longer) {
    const auto scaled = [&](int side) {
      return std::max(1, static_cast<int>(std::lround(double{1} * side * long_side / longer)));
    };
    region.input = {scaled(frame.width), scaled(frame.height)};
  }
  return region;
}

}  // namespace nearfar
