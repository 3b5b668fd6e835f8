#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/expected.h"
#include "core/geometry.h"

namespace nearfar {

/// Size in px that the header of a JPEG, PNG or BMP names, without decoding it; as stored, before
/// any EXIF rotation. Errors: kInvalidInput.
Expected<Size> ImageSizeOf(std::span<const std::uint8_t> encoded);
/// The same of a file. Errors: kNotFound, kIo, kInvalidInput, with the path.
Expected<Size> ReadImageSize(const std::string& path);
/// Whether a file's extension is that of a picture (jpg, jpeg, png, bmp; any case).
bool HasImageExtension(const std::string& path);

}  // namespace nearfar
