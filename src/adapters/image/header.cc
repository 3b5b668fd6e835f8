#include "adapters/image/header.h"

#include <cstdlib>
#include <cstring>

#include "adapters/image/exif.h"

namespace nearfar {
namespace {

using Bytes = std::span<const std::uint8_t>;

bool HasAt(Bytes bytes, std::size_t at, std::string_view text) {
  return at + text.size() <= bytes.size() &&
         std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

int BigEndian(Bytes bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    value = value << 8 | bytes[at + i];
  }
  return static_cast<int>(value);
}

int LittleEndian(Bytes bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = width; i > 0; --i) {
    value = value << 8 | bytes[at + i - 1];
  }
  return static_cast<int>(value);
}

Size JpegSize(Bytes bytes) {
  std::size_t at = 2;
  while (at + 9 <= bytes.size() && bytes[at] == 0xFF) {
    const int marker = bytes[at + 1];
    if (marker == 0xFF) {
      ++at;
      continue;
    }
    const bool is_frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 &&
                          marker != 0xCC;
    if (is_frame) {
      return {BigEndian(bytes, at + 7, 2), BigEndian(bytes, at + 5, 2)};
    }
    at += 2 + static_cast<std::size_t>(BigEndian(bytes, at + 2, 2));
  }
  return {};
}

Size WebpSize(Bytes bytes) {
  if (bytes.size() < 30) {
    return {};
  }
  if (HasAt(bytes, 12, "VP8X")) {
    return {LittleEndian(bytes, 24, 3) + 1, LittleEndian(bytes, 27, 3) + 1};
  }
  if (HasAt(bytes, 12, "VP8L")) {
    const auto bits = static_cast<std::uint32_t>(LittleEndian(bytes, 21, 4));
    return {static_cast<int>(bits & 0x3FFF) + 1, static_cast<int>(bits >> 14 & 0x3FFF) + 1};
  }
  return {LittleEndian(bytes, 26, 2) & 0x3FFF, LittleEndian(bytes, 28, 2) & 0x3FFF};
}

}  // namespace

std::optional<ImageHeader> ReadImageHeader(Bytes bytes) {
  if (HasAt(bytes, 0, "\xFF\xD8\xFF")) {
    return ImageHeader{ImageFormat::kJpeg, JpegSize(bytes), JpegOrientation(bytes)};
  }
  if (HasAt(bytes, 0, "\x89PNG\r\n\x1A\n")) {
    const bool whole = bytes.size() >= 24;
    return ImageHeader{ImageFormat::kPng,
                       whole ? Size{BigEndian(bytes, 16, 4), BigEndian(bytes, 20, 4)} : Size{}};
  }
  if (HasAt(bytes, 0, "BM") && bytes.size() >= 26) {
    return ImageHeader{ImageFormat::kBmp,
                       {LittleEndian(bytes, 18, 4), std::abs(LittleEndian(bytes, 22, 4))}};
  }
  if (HasAt(bytes, 0, "RIFF") && HasAt(bytes, 8, "WEBP")) {
    return ImageHeader{ImageFormat::kWebp, WebpSize(bytes)};
  }
  if (const auto facts = ReadTiffFacts(bytes)) {
    return ImageHeader{ImageFormat::kTiff, facts->size};
  }
  return std::nullopt;
}

}  // namespace nearfar
