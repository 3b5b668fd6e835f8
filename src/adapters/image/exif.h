#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/geometry.h"

namespace nearfar {

/// What the first directory of a TIFF structure says; EXIF data are one.
struct TiffFacts {
  int orientation = 1;  ///< EXIF orientation, 1 to 8; 1 = as stored
  Size size;            ///< 0×0 where it is not told
};

/// Reads the first directory of a TIFF structure ("II*" or "MM*"). Nothing when it is none or cut.
std::optional<TiffFacts> ReadTiffFacts(std::span<const std::uint8_t> bytes);

/// The EXIF orientation of a JPEG file, 1 where it has none.
int JpegOrientation(std::span<const std::uint8_t> bytes);

}  // namespace nearfar
