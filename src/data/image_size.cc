#include "data/image_size.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>
#include <vector>

namespace nearfar {
namespace {

using Bytes = std::span<const std::uint8_t>;

std::uint32_t BigEndian(Bytes bytes, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value = (value << 8) | bytes[at + i];
  }
  return value;
}

std::int32_t LittleEndian32(Bytes bytes, std::size_t at) {
  return static_cast<std::int32_t>(std::uint32_t{bytes[at]} | std::uint32_t{bytes[at + 1]} << 8 |
                                   std::uint32_t{bytes[at + 2]} << 16 |
                                   std::uint32_t{bytes[at + 3]} << 24);
}

bool StartsWith(Bytes bytes, std::string_view magic) {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

tl::unexpected<Error> NoPicture(const char* why) { return Fail(ErrorCode::kInvalidInput, why); }

Expected<Size> Checked(std::int64_t width, std::int64_t height) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  if (width <= 0 || height <= 0 || width > kMost || height > kMost) {
    return NoPicture("the header names no size");
  }
  return Size{static_cast<int>(width), static_cast<int>(height)};
}

/// Whether the orientation in EXIF data (a TIFF structure) lays the picture on its side.
bool IsTurned(Bytes tiff) {
  if (tiff.size() < 8 || (!StartsWith(tiff, "II") && !StartsWith(tiff, "MM"))) {
    return false;
  }
  const bool little = tiff[0] == 'I';
  const auto read = [&](std::size_t at, std::size_t count) -> std::size_t {
    if (at + count > tiff.size()) {
      return 0;
    }
    std::size_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      value = value << 8 | tiff[little ? at + count - 1 - i : at + i];
    }
    return value;
  };
  const std::size_t directory = read(4, 4);
  const std::size_t entries = read(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    constexpr std::size_t kOrientation = 0x0112;
    if (read(entry, 2) == kOrientation) {
      const std::size_t orientation = read(entry + 8, 2);
      return orientation >= 5 && orientation <= 8;
    }
  }
  return false;
}

/// Walks the segments of a JPEG to its start-of-frame.
Expected<Size> JpegSize(Bytes bytes) {
  std::size_t at = 2;
  bool turned = false;
  while (at + 4 <= bytes.size()) {
    if (bytes[at] != 0xFF) {
      return NoPicture("a JPEG with a broken header");
    }
    const std::uint8_t marker = bytes[at + 1];
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {  // without a length
      at += 2;
      continue;
    }
    const bool is_frame =
        marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) {
      if (at + 9 > bytes.size()) {
        break;
      }
      const std::int64_t width = BigEndian(bytes, at + 7, 2);
      const std::int64_t height = BigEndian(bytes, at + 5, 2);
      return turned ? Checked(height, width) : Checked(width, height);
    }
    if (marker == 0xD9 || marker == 0xDA) {
      return NoPicture("a JPEG without a frame header");
    }
    const std::size_t length = std::max<std::size_t>(2, BigEndian(bytes, at + 2, 2));
    const Bytes segment = bytes.subspan(at + 4, std::min(length - 2, bytes.size() - at - 4));
    if (marker == 0xE1 && StartsWith(segment, std::string_view("Exif\0\0", 6))) {
      turned = IsTurned(segment.subspan(6));
    }
    at += 2 + length;
  }
  return NoPicture("a JPEG cut off in its header");
}

}  // namespace

Expected<Size> ImageSizeOf(std::span<const std::uint8_t> encoded) {
  if (StartsWith(encoded, "\xFF\xD8\xFF")) {
    return JpegSize(encoded);
  }
  if (StartsWith(encoded, "\x89PNG\r\n\x1A\n")) {
    return encoded.size() < 24 ? NoPicture("a PNG cut off in its header")
                               : Checked(BigEndian(encoded, 16, 4), BigEndian(encoded, 20, 4));
  }
  if (StartsWith(encoded, "BM")) {
    return encoded.size() < 26 ? NoPicture("a BMP cut off in its header")
                               : Checked(LittleEndian32(encoded, 18),
                                         std::abs(std::int64_t{LittleEndian32(encoded, 22)}));
  }
  return NoPicture("neither a JPEG nor a PNG nor a BMP");
}

Expected<Size> ReadImageSize(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Fail(std::filesystem::exists(path) ? ErrorCode::kIo : ErrorCode::kNotFound,
                "cannot open the picture " + path);
  }
  // Most headers end within the first piece; a JPEG may carry large EXIF data before its size.
  std::vector<std::uint8_t> bytes;
  for (const std::size_t piece :
       {std::size_t{1} << 12, std::size_t{1} << 20, std::size_t{1} << 24}) {
    const std::size_t before = bytes.size();
    bytes.resize(piece);
    file.read(reinterpret_cast<char*>(bytes.data() + before),
              static_cast<std::streamsize>(piece - before));
    bytes.resize(before + static_cast<std::size_t>(file.gcount()));
    const Expected<Size> size = ImageSizeOf(bytes);
    if (size) {
      return size;
    }
    if (bytes.size() < piece || piece == std::size_t{1} << 24) {
      return Fail(size.error().code, path + ": " + size.error().message);
    }
  }
  return Fail(ErrorCode::kInternal, path);
}

bool HasImageExtension(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  static constexpr std::array<std::string_view, 4> kExtensions = {".jpg", ".jpeg", ".png", ".bmp"};
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace nearfar
