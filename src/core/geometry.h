#pragma once

#include <algorithm>
#include <cstdint>

namespace nearfar {

/// Width and height in px.
struct Size {
  int width = 0;
  int height = 0;

  constexpr std::int64_t area() const { return std::int64_t{width} * height; }
  friend bool operator==(const Size&, const Size&) = default;
};

/// A whole-pixel rectangle: left, top, width, height in px of the frame named by its variable.
struct Rect {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;

  constexpr Size size() const { return {width, height}; }
  friend bool operator==(const Rect&, const Rect&) = default;
};

/// The rectangle that covers a whole frame.
constexpr Rect WholeOf(Size size) { return {0, 0, size.width, size.height}; }

/// Corners of an axis-parallel box in px of the frame named by its variable: x to the right, y down,
/// continuous coordinates (a box from pixel 0 to pixel 9 inclusive is [0, 10)).
struct Box {
  float x1 = 0;
  float y1 = 0;
  float x2 = 0;
  float y2 = 0;

  constexpr float width() const { return x2 - x1; }
  constexpr float height() const { return y2 - y1; }
  /// Area in px²; zero for an empty or inverted box.
  constexpr float area() const {
    return std::max(0.0F, width()) * std::max(0.0F, height());
  }
  friend bool operator==(const Box&, const Box&) = default;
};

/// Moves a box by (dx, dy) px, as from region to frame coordinates.
constexpr Box Translate(const Box& box, float dx, float dy) {
  return {box.x1 + dx, box.y1 + dy, box.x2 + dx, box.y2 + dy};
}

/// Cuts a box to [0, width] × [0, height].
constexpr Box ClipTo(const Box& box, Size size) {
  const auto w = static_cast<float>(size.width);
  const auto h = static_cast<float>(size.height);
  return {std::clamp(box.x1, 0.0F, w), std::clamp(box.y1, 0.0F, h), std::clamp(box.x2, 0.0F, w),
          std::clamp(box.y2, 0.0F, h)};
}

constexpr float IntersectionArea(const Box& a, const Box& b) {
  const float w = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const float h = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  return std::max(0.0F, w) * std::max(0.0F, h);
}

/// Intersection over union in [0, 1]; 0 when both boxes are empty.
constexpr float Iou(const Box& a, const Box& b) {
  const float intersection = IntersectionArea(a, b);
  const float together = a.area() + b.area() - intersection;
  return together > 0 ? intersection / together : 0;
}

}  // namespace nearfar
