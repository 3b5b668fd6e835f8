#include "adapters/image/exif.h"

#include <cstring>

namespace nearfar {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr int kTagWidth = 0x100;
constexpr int kTagHeight = 0x101;
constexpr int kTagOrientation = 0x112;
constexpr std::size_t kEntryBytes = 12;

/// Reads numbers of either byte order, and zero beyond the end.
class TiffReader {
 public:
  TiffReader(Bytes bytes, bool little) : bytes_(bytes), little_(little) {}

  std::uint32_t Number(std::size_t at, std::size_t width) const {
    if (at > bytes_.size() || bytes_.size() - at < width) {
      return 0;
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      value = value << 8 | bytes_[at + (little_ ? width - 1 - i : i)];
    }
    return value;
  }

 private:
  Bytes bytes_;
  bool little_;
};

}  // namespace

std::optional<TiffFacts> ReadTiffFacts(Bytes bytes) {
  if (bytes.size() < 8 || bytes[0] != bytes[1] || (bytes[0] != 'I' && bytes[0] != 'M')) {
    return std::nullopt;
  }
  const TiffReader reader(bytes, bytes[0] == 'I');
  if (reader.Number(2, 2) != 42) {
    return std::nullopt;
  }
  const std::size_t directory = reader.Number(4, 4);
  const std::size_t entries = reader.Number(directory, 2);
  TiffFacts facts;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (entry + kEntryBytes > bytes.size()) {
      break;
    }
    const bool is_short = reader.Number(entry + 2, 2) == 3;
    const auto value = static_cast<int>(reader.Number(entry + 8, is_short ? 2 : 4));
    switch (reader.Number(entry, 2)) {
      case kTagWidth: facts.size.width = value; break;
      case kTagHeight: facts.size.height = value; break;
      case kTagOrientation: facts.orientation = value >= 1 && value <= 8 ? value : 1; break;
      default: break;
    }
  }
  return facts;
}

int JpegOrientation(Bytes bytes) {
  std::size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == 0xFF) {
    const int marker = bytes[at + 1];
    if (marker == 0xDA || marker == 0xD9) {  // the picture itself, or its end
      break;
    }
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    const std::size_t length = static_cast<std::size_t>(bytes[at + 2]) << 8 | bytes[at + 3];
    if (length < 2 || at + 2 + length > bytes.size()) {
      break;
    }
    const Bytes segment = bytes.subspan(at + 4, length - 2);
    if (marker == 0xE1 && segment.size() > 6 && std::memcmp(segment.data(), "Exif\0\0", 6) == 0) {
      const auto facts = ReadTiffFacts(segment.subspan(6));
      return facts ? facts->orientation : 1;
    }
    at += 2 + length;
  }
  return 1;
}

}  // namespace nearfar
