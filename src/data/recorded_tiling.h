#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "core/geometry.h"
#include "core/ids.h"
#include "core/tile_grid.h"

namespace nearfar {

/// How the frames of a recording were cut into regions.
struct RecordedTiling {
  Size tile{512, 512};   ///< px; a larger one than the frame gives one tile
  Size padding{64, 64};  ///< px on every side, cut at the frame's edge; >= 0
  int overview = 0;      ///< px of the longer side of a look at the whole frame; 0: there is none
  bool whole = false;    ///< the whole frame at its own scale was looked at, too

  friend bool operator==(const RecordedTiling&, const RecordedTiling&) = default;
};

/// "tiles 512x512 padding 64x64 overview 960 whole": part of ModelIdentity::pictures.
std::string ToString(const RecordedTiling& tiling);

/// The tiling that a ModelIdentity::pictures tells of; nothing where the frames are whole.
std::optional<RecordedTiling> ReadTiling(std::string_view pictures);
/// The same text without it: what else was done to the pictures.
std::string WithoutTiling(std::string_view pictures);

/// Errors: kInvalidInput for a size below 1 or a negative padding.
Expected<void> Validate(const RecordedTiling& tiling);

/// One region of a frame. Tiles have the number of their cell in the grid of frame and tile, the
/// overview is number cells(), the whole frame at its own scale cells() + 1.
struct RegionToRecord {
  RegionId region{};
  Rect rect;   ///< in px of the frame, padding included
  Size input;  ///< to which it is scaled before the model sees it
};

/// All regions of a frame by falling number: a frame whose cell 0 was recorded is complete.
/// REQUIRES: Validate(tiling), frame.area() > 0.
std::vector<RegionToRecord> RegionsToRecord(const RecordedTiling& tiling, Size frame);

}  // namespace nearfar
