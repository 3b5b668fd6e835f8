#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/detection.h"
#include "core/expected.h"
#include "core/geometry.h"
#include "core/tile_grid.h"

namespace nearfar {

/// How far tiles reach over their cell on every side, by row of the grid. [HODE §II, Fig. 5]
struct Padding {
  std::vector<Size> by_row;  ///< width and height in px; as many as the grid has rows

  friend bool operator==(const Padding&, const Padding&) = default;
};

/// One part of a frame that a node looks at.
struct TiledRegion {
  enum class Kind { kTiles, kOverview };
  Kind kind = Kind::kTiles;
  Rect rect;               ///< in px of the frame, padding included
  std::vector<int> cells;  ///< of the grid, rising; they fill the rectangle without its padding. The
                           ///< overview has none
  Size input;              ///< an overview is scaled to this; else rect.size()

  std::int64_t pixels() const { return input.area(); }
  friend bool operator==(const TiledRegion&, const TiledRegion&) = default;
};

/// A region's boxes as they came back.
struct RegionResult {
  TiledRegion region;
  Detections detections;  ///< in px of the frame
  int source = 0;         ///< the caller's own mark, handed on to the merged boxes
};

/// A merged box and the mark of the result that it came from.
struct Merged {
  Detections detections;      ///< in px of the frame, by falling score
  std::vector<int> sources;   ///< of each

  friend bool operator==(const Merged&, const Merged&) = default;
};

/// The rectangle of a cell and its padding, cut at the frame's edge.
Rect PaddedTile(const TileGrid& grid, const Padding& padding, int cell);

/// The whole frame, scaled so that its longer side has `long_side` px; never enlarged.
TiledRegion Overview(Size frame, int long_side);

}  // namespace nearfar
