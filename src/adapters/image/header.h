#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/geometry.h"

namespace nearfar {

enum class ImageFormat { kJpeg, kPng, kBmp, kWebp, kTiff };

constexpr std::string_view ToString(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg: return "JPEG";
    case ImageFormat::kPng: return "PNG";
    case ImageFormat::kBmp: return "BMP";
    case ImageFormat::kWebp: return "WebP";
    case ImageFormat::kTiff: return "TIFF";
  }
  return "JPEG";
}

/// What an encoded picture says of itself before it is decoded.
struct ImageHeader {
  ImageFormat format = ImageFormat::kJpeg;
  Size stored;          ///< as stored, before the orientation is applied; 0×0 when the header is cut
  int orientation = 1;  ///< EXIF orientation where this reader knows it, else 1
};

/// Reads the header of a picture of a known format; nothing when the bytes start like none.
std::optional<ImageHeader> ReadImageHeader(std::span<const std::uint8_t> bytes);

}  // namespace nearfar
