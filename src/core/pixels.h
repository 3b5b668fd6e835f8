#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/geometry.h"
#include "core/ids.h"

namespace nearfar {

/// Borrowed 8-bit pixels, three interleaved channels in the order blue, green, red, rows top down.
/// Every image inside nearfar has this form; adapters convert at the rim.
struct PixelView {
  const std::uint8_t* data = nullptr;
  Size size;
  std::ptrdiff_t stride = 0;  ///< bytes from one row to the next

  const std::uint8_t* row(int y) const { return data + y * stride; }
};

/// The part of `view` inside `rect`, without copying. REQUIRES: rect lies inside the view.
inline PixelView Crop(const PixelView& view, const Rect& rect) {
  return {view.data + rect.y * view.stride + std::ptrdiff_t{3} * rect.x, rect.size(), view.stride};
}

/// Owned pixels of the same form, rows without gaps.
class Image {
 public:
  Image() = default;
  explicit Image(Size size)
      : size_(size), bytes_(static_cast<std::size_t>(size.area()) * 3) {}

  Size size() const { return size_; }
  bool empty() const { return bytes_.empty(); }
  PixelView view() const { return {bytes_.data(), size_, std::ptrdiff_t{3} * size_.width}; }
  std::uint8_t* data() { return bytes_.data(); }
  std::uint8_t* row(int y) { return bytes_.data() + std::ptrdiff_t{3} * size_.width * y; }

 private:
  Size size_;
  std::vector<std::uint8_t> bytes_;
};

/// What a recording or a discriminator may want of the pixels. Absent = not measured, never zero.
struct PixelFeatures {
  double brenner = -1;           ///< mean Brenner gradient of the grey image [SmallBig eq. 2]; < 0 absent
  std::int64_t jpeg_bytes = -1;  ///< size of the JPEG that would be uploaded; < 0 absent

  bool has_brenner() const { return brenner >= 0; }
  bool has_jpeg_bytes() const { return jpeg_bytes >= 0; }
  friend bool operator==(const PixelFeatures&, const PixelFeatures&) = default;
};

/// One picture of a stream, immutable once made. Shared, because an upload or a hedged tile may
/// outlive the frame's turn: `std::shared_ptr<const Frame>`.
struct Frame {
  FrameId id{};
  std::string source;  ///< file, camera or stream it came from
  std::string name;    ///< key of the image in recordings and annotations: file name without folder
                       ///< and extension, or the frame's number in a video
  Image pixels;
  std::vector<std::uint8_t> encoded;  ///< the JPEG or PNG bytes as they came; empty if there were none
  TimePoint captured{};
  WallTime captured_at{};

  Size size() const { return pixels.size(); }
};

}  // namespace nearfar
