#include "data/scene.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "core/rng.h"

namespace nearfar {
namespace {

enum Label : int { kPerson, kBicycle, kCar, kDog, kLabels };

struct Colour {
  float blue = 0;
  float green = 0;
  float red = 0;
};

constexpr Colour Rgb(float red, float green, float blue) { return {blue, green, red}; }
constexpr Colour operator*(Colour c, float k) { return {c.blue * k, c.green * k, c.red * k}; }
constexpr Colour Mix(Colour a, Colour b, float share_of_b) {
  const float k = 1 - share_of_b;
  return {a.blue * k + b.blue * share_of_b, a.green * k + b.green * share_of_b,
          a.red * k + b.red * share_of_b};
}

/// A point, in px of the frame.
struct Point {
  float x = 0;
  float y = 0;
};

float Distance(Point a, Point b) {
  return std::sqrt((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y));
}

std::uint8_t ToByte(float level) {
  return static_cast<std::uint8_t>(std::clamp(level, 0.0F, 255.0F) + 0.5F);
}

/// A fixed pseudo-random byte for each lattice point.
std::uint32_t LatticeByte(int x, int y, std::uint32_t salt) {
  std::uint32_t h = static_cast<std::uint32_t>(x) * 0x8DA6B343U +
                    static_cast<std::uint32_t>(y) * 0xD8163841U + salt;
  h = (h ^ (h >> 15)) * 0x2C1B3C6DU;
  h = (h ^ (h >> 13)) * 0x297A2D39U;
  return (h ^ (h >> 16)) & 0xFFU;
}

/// One row of smooth noise in [-1, 1]: bytes at lattice points `cell` px apart, joined linearly.
class NoiseRow {
 public:
  NoiseRow(int y, int cell, std::uint32_t salt)
      : row_(y / cell),
        cell_(cell),
        salt_(salt),
        down_(static_cast<float>(y % cell) / static_cast<float>(cell)) {}

  float At(int x) {
    const int column = x / cell_;
    if (column != column_) {
      left_ = column == column_ + 1 ? right_ : Level(column);
      right_ = Level(column + 1);
      column_ = column;
    }
    const float across = static_cast<float>(x - column * cell_) / static_cast<float>(cell_);
    return left_ + (right_ - left_) * across;
  }

 private:
  float Level(int column) const {
    const auto top = static_cast<float>(LatticeByte(column, row_, salt_));
    const auto bottom = static_cast<float>(LatticeByte(column, row_ + 1, salt_));
    return (top + (bottom - top) * down_) / 127.5F - 1;
  }

  int row_;
  int cell_;
  std::uint32_t salt_;
  float down_;
  int column_ = -2;
  float left_ = 0;
  float right_ = 0;
};

/// Owner of what lies on things without hiding them, such as a shadow.
constexpr std::uint16_t kNobody = 0xFFFF;

/// Pixels under the brush, with who owns each of them. Shapes are filled with soft edges.
class Canvas {
 public:
  Canvas(Size size, bool with_pixels)
      : size_(size), owner_(static_cast<std::size_t>(size.area()), 0) {
    if (with_pixels) {
      pixels_ = Image(size);
    }
  }

  Size size() const { return size_; }
  bool with_pixels() const { return !pixels_.empty(); }
  Image& pixels() { return pixels_; }

  /// What is drawn from now on belongs to `id`; 0 is the background.
  void Begin(std::uint16_t id) {
    id_ = id;
    extent_ = {1e9F, 1e9F, -1e9F, -1e9F};
  }
  /// Box around all shapes since Begin, beyond the frame too.
  Box extent() const { return extent_; }
  /// Pixels owned by each id below `ids`.
  std::vector<int> CountOwned(std::size_t ids) const {
    std::vector<int> owned(ids, 0);
    for (const std::uint16_t id : owner_) {
      ++owned[id];
    }
    return owned;
  }
  int CountOwned(const Box& within, std::uint16_t id) const {
    const Rect area = Cover(within);
    int owned = 0;
    for (int y = area.y; y < area.y + area.height; ++y) {
      for (int x = area.x; x < area.x + area.width; ++x) {
        owned += owner_[Index(x, y)] == id ? 1 : 0;
      }
    }
    return owned;
  }

  /// Fills what lies at a negative distance (px) from a shape inside `bounds`.
  template <typename DistanceFunction>
  void Fill(const Box& bounds, Colour colour, const DistanceFunction& distance) {
    extent_ = {std::min(extent_.x1, bounds.x1), std::min(extent_.y1, bounds.y1),
               std::max(extent_.x2, bounds.x2), std::max(extent_.y2, bounds.y2)};
    const Rect area = Cover({bounds.x1 - 1, bounds.y1 - 1, bounds.x2 + 1, bounds.y2 + 1});
    for (int y = area.y; y < area.y + area.height; ++y) {
      std::uint8_t* row = with_pixels() ? pixels_.row(y) : nullptr;
      for (int x = area.x; x < area.x + area.width; ++x) {
        const float d = distance(Point{static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F});
        const float cover = std::clamp(0.5F - d, 0.0F, 1.0F);
        if (cover <= 0) {
          continue;
        }
        if (cover >= 0.5F && id_ != kNobody) {
          owner_[Index(x, y)] = id_;
        }
        if (row != nullptr) {
          std::uint8_t* pixel = row + std::ptrdiff_t{3} * x;
          pixel[0] = Blend(pixel[0], colour.blue, cover);
          pixel[1] = Blend(pixel[1], colour.green, cover);
          pixel[2] = Blend(pixel[2], colour.red, cover);
        }
      }
    }
  }

  void FillEllipse(Point centre, float radius_x, float radius_y, Colour colour) {
    const float small = std::min(radius_x, radius_y);
    Fill({centre.x - radius_x, centre.y - radius_y, centre.x + radius_x, centre.y + radius_y},
         colour, [=](Point p) {
           const float dx = (p.x - centre.x) / radius_x;
           const float dy = (p.y - centre.y) / radius_y;
           return (std::sqrt(dx * dx + dy * dy) - 1) * small;
         });
  }
  void FillRing(Point centre, float radius, float half_width, Colour colour) {
    const float outer = radius + half_width;
    Fill({centre.x - outer, centre.y - outer, centre.x + outer, centre.y + outer}, colour,
         [=](Point p) { return std::abs(Distance(p, centre) - radius) - half_width; });
  }
  void FillBox(const Box& box, float corner, Colour colour) {
    const Point centre{(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2};
    const float half_x = box.width() / 2 - corner;
    const float half_y = box.height() / 2 - corner;
    Fill(box, colour, [=](Point p) {
      const float dx = std::abs(p.x - centre.x) - half_x;
      const float dy = std::abs(p.y - centre.y) - half_y;
      const float ox = std::max(dx, 0.0F);
      const float oy = std::max(dy, 0.0F);
      return std::sqrt(ox * ox + oy * oy) + std::min(std::max(dx, dy), 0.0F) - corner;
    });
  }
  /// A limb: all points within `radius` of the segment from a to b.
  void FillLimb(Point a, Point b, float radius, Colour colour) {
    const Point along{b.x - a.x, b.y - a.y};
    const float length2 = std::max(along.x * along.x + along.y * along.y, 1e-6F);
    Fill({std::min(a.x, b.x) - radius, std::min(a.y, b.y) - radius, std::max(a.x, b.x) + radius,
          std::max(a.y, b.y) + radius},
         colour, [=](Point p) {
           const float t =
               std::clamp(((p.x - a.x) * along.x + (p.y - a.y) * along.y) / length2, 0.0F, 1.0F);
           return Distance(p, {a.x + t * along.x, a.y + t * along.y}) - radius;
         });
  }

 private:
  static std::uint8_t Blend(std::uint8_t under, float over, float cover) {
    const auto u = static_cast<float>(under);
    return ToByte(u + (over - u) * cover);
  }
  std::size_t Index(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(size_.width) +
           static_cast<std::size_t>(x);
  }
  /// Whole pixels of the frame that a box touches.
  Rect Cover(const Box& box) const {
    const Box inside = ClipTo(box, size_);
    const int x1 = static_cast<int>(std::floor(inside.x1));
    const int y1 = static_cast<int>(std::floor(inside.y1));
    const int x2 = static_cast<int>(std::ceil(inside.x2));
    const int y2 = static_cast<int>(std::ceil(inside.y2));
    return {x1, y1, std::max(0, x2 - x1), std::max(0, y2 - y1)};
  }

  Size size_;
  Image pixels_;
  std::vector<std::uint16_t> owner_;
  std::uint16_t id_ = 0;
  Box extent_;
};

/// A thing that stands on the ground.
struct Figure {
  Point foot;        ///< middle of where it touches the ground, px of the frame
  float height = 0;  ///< px
  float facing = 1;  ///< 1 = to the right, -1 = to the left
  float stride = 0;  ///< of the legs, [-1, 1]
  float build = 0;   ///< its own proportions, [0, 1)
  Colour coat;       ///< top, body or frame
  Colour second;     ///< trousers, cabin, saddle
};

Colour Pick(const std::vector<Colour>& colours, Rng& rng) {
  const Colour colour = colours[rng.Below(colours.size())];
  return colour * static_cast<float>(rng.Uniform(0.8, 1.1));
}

const std::vector<Colour>& CoatsOf(int label) {
  // People wear warm colours, cars are cool, dogs brown, bicycles red or green.
  static const std::array<std::vector<Colour>, kLabels> kCoats{{
      {Rgb(205, 50, 40), Rgb(230, 120, 40), Rgb(225, 190, 60), Rgb(150, 40, 60),
       Rgb(240, 150, 120)},
      {Rgb(200, 40, 60), Rgb(60, 170, 60), Rgb(170, 200, 50)},
      {Rgb(40, 80, 190), Rgb(40, 140, 170), Rgb(170, 190, 215), Rgb(70, 70, 130),
       Rgb(90, 160, 225)},
      {Rgb(140, 85, 40), Rgb(190, 130, 70), Rgb(95, 60, 40), Rgb(215, 170, 115)},
  }};
  return kCoats[static_cast<std::size_t>(label)];
}

void DrawPerson(const Figure& f, Canvas& canvas) {
  const float h = f.height;
  const auto at = [&](float x, float y) {
    return Point{f.foot.x + f.facing * x * h, f.foot.y - y * h};
  };
  const float wide = 0.085F + 0.035F * f.build;
  const float step = 0.13F * f.stride;
  const Colour skin = Mix(Rgb(235, 190, 160), Rgb(140, 90, 60), f.build);
  canvas.FillLimb(at(-0.02F, 0.5F), at(-step - 0.02F, 0.035F), 0.04F * h, f.second * 0.8F);
  canvas.FillLimb(at(0.02F, 0.5F), at(step + 0.02F, 0.035F), 0.04F * h, f.second);
  canvas.FillLimb(at(-wide, 0.76F), at(-wide - 0.04F + step, 0.48F), 0.028F * h, f.coat * 0.8F);
  const Point shoulder = at(0, 0.82F);
  const Point hip = at(0, 0.45F);
  canvas.FillBox({shoulder.x - wide * h, shoulder.y, hip.x + wide * h, hip.y}, 0.05F * h, f.coat);
  canvas.FillLimb(at(wide, 0.76F), at(wide + 0.04F - step, 0.48F), 0.028F * h, f.coat * 0.9F);
  canvas.FillEllipse(at(0, 0.915F), 0.065F * h, 0.085F * h, Rgb(60, 45, 40));
  canvas.FillEllipse(at(0.012F, 0.9F), 0.055F * h, 0.07F * h, skin);
}

void DrawBicycle(const Figure& f, Canvas& canvas) {
  const float h = f.height;
  const auto at = [&](float x, float y) {
    return Point{f.foot.x + f.facing * x * h, f.foot.y - y * h};
  };
  const float thin = std::max(0.028F * h, 0.55F);
  const float wheel = 0.31F;
  const float base = 0.5F + 0.06F * f.build;
  const Point rear = at(-base, wheel + 0.02F);
  const Point front = at(base, wheel + 0.02F);
  const Point crank = at(-0.06F, wheel);
  const Point seat = at(-0.2F, 0.86F);
  const Point head = at(base - 0.16F, 0.84F);
  canvas.FillRing(rear, wheel * h - thin, thin, Rgb(30, 30, 32));
  canvas.FillRing(front, wheel * h - thin, thin, Rgb(30, 30, 32));
  canvas.FillLimb(rear, crank, thin, f.coat);
  canvas.FillLimb(rear, seat, thin, f.coat);
  canvas.FillLimb(crank, seat, thin, f.coat);
  canvas.FillLimb(crank, head, thin, f.coat);
  canvas.FillLimb(seat, head, thin, f.coat);
  canvas.FillLimb(front, head, thin, f.coat * 0.8F);
  canvas.FillLimb(head, at(base - 0.2F, 0.97F), thin, Rgb(40, 40, 40));
  canvas.FillLimb(at(-0.3F, 0.91F), at(-0.12F, 0.91F), 1.4F * thin, f.second);
}

void DrawCar(const Figure& f, Canvas& canvas) {
  const float h = f.height;
  const auto at = [&](float x, float y) {
    return Point{f.foot.x + f.facing * x * h, f.foot.y - y * h};
  };
  const float half = 0.95F + 0.3F * f.build;
  const auto box = [&](float x1, float y1, float x2, float y2) {
    const Point a = at(x1, y1);
    const Point b = at(x2, y2);
    return Box{std::min(a.x, b.x), std::min(a.y, b.y), std::max(a.x, b.x), std::max(a.y, b.y)};
  };
  const Colour glass = Rgb(45, 60, 75);
  canvas.FillBox(box(-0.72F * half, 0.5F, 0.5F * half, 1), 0.16F * h, f.coat * 0.92F);
  canvas.FillBox(box(-0.6F * half, 0.6F, -0.12F * half, 0.92F), 0.07F * h, glass);
  canvas.FillBox(box(-0.05F * half, 0.6F, 0.4F * half, 0.92F), 0.07F * h, glass * 1.2F);
  canvas.FillBox(box(-half, 0.14F, half, 0.62F), 0.14F * h, f.coat);
  canvas.FillBox(box(-half, 0.14F, half, 0.27F), 0.06F * h, f.coat * 0.55F);
  for (const float x : {-0.58F * half, 0.6F * half}) {
    canvas.FillEllipse(at(x, 0.2F), 0.2F * h, 0.2F * h, Rgb(25, 25, 28));
    canvas.FillEllipse(at(x, 0.2F), 0.1F * h, 0.1F * h, Rgb(150, 150, 155));
  }
  canvas.FillEllipse(at(half - 0.06F, 0.45F), 0.05F * h, 0.06F * h, Rgb(250, 240, 190));
  canvas.FillEllipse(at(-half + 0.05F, 0.45F), 0.04F * h, 0.07F * h, Rgb(220, 40, 40));
}

void DrawDog(const Figure& f, Canvas& canvas) {
  const float h = f.height;
  const auto at = [&](float x, float y) {
    return Point{f.foot.x + f.facing * x * h, f.foot.y - y * h};
  };
  const float step = 0.14F * f.stride;
  const float half = 0.42F + 0.1F * f.build;
  const Colour dark = f.coat * 0.7F;
  canvas.FillLimb(at(-half, 0.45F), at(-half - step, 0.06F), 0.06F * h, dark);
  canvas.FillLimb(at(half - 0.06F, 0.45F), at(half - 0.06F - step, 0.06F), 0.06F * h, dark);
  canvas.FillLimb(at(-half, 0.6F), at(-half - 0.24F, 0.86F), 0.04F * h, f.coat);
  canvas.FillLimb(at(-half, 0.52F), at(half, 0.56F), 0.155F * h, f.coat);
  canvas.FillLimb(at(-half + 0.04F, 0.42F), at(-half + 0.04F + step, 0.06F), 0.06F * h, f.coat);
  canvas.FillLimb(at(half, 0.42F), at(half + step, 0.06F), 0.06F * h, f.coat);
  canvas.FillLimb(at(half, 0.6F), at(half + 0.12F, 0.8F), 0.1F * h, f.coat);
  canvas.FillEllipse(at(half + 0.16F, 0.84F), 0.15F * h, 0.13F * h, f.coat);
  canvas.FillLimb(at(half + 0.22F, 0.8F), at(half + 0.34F, 0.77F), 0.06F * h, dark);
  canvas.FillEllipse(at(half + 0.07F, 0.86F), 0.055F * h, 0.13F * h, dark);
}

void DrawFigure(int label, const Figure& figure, Canvas& canvas) {
  switch (label) {
    case kPerson:
      return DrawPerson(figure, canvas);
    case kBicycle:
      return DrawBicycle(figure, canvas);
    case kCar:
      return DrawCar(figure, canvas);
    default:
      return DrawDog(figure, canvas);
  }
}

/// What is no object but looks a little like one: a cool-coloured post (person), a warm-coloured
/// crate on wheels (car), a grey-blue stone (dog).
enum class Decoy { kPost, kCrate, kStone };

void DrawDecoy(Decoy decoy, const Figure& f, Canvas& canvas) {
  const float h = f.height;
  const auto box = [&](float x1, float y1, float x2, float y2) {
    return Box{f.foot.x + x1 * h, f.foot.y - y2 * h, f.foot.x + x2 * h, f.foot.y - y1 * h};
  };
  switch (decoy) {
    case Decoy::kPost:
      canvas.FillBox(box(-0.075F, 0, 0.075F, 0.5F), 0.02F * h, f.second);
      canvas.FillBox(box(-0.11F, 0.42F, 0.11F, 0.82F), 0.05F * h, f.coat);
      canvas.FillEllipse({f.foot.x, f.foot.y - 0.9F * h}, 0.065F * h, 0.085F * h, f.coat * 1.15F);
      break;
    case Decoy::kCrate:
      canvas.FillBox(box(-1.0F, 0.12F, 1.0F, 0.62F), 0.06F * h, f.coat);
      canvas.FillBox(box(-0.6F, 0.55F, 0.5F, 0.96F), 0.06F * h, f.coat * 0.85F);
      canvas.FillBox(box(-0.5F, 0.64F, 0.4F, 0.88F), 0.04F * h, f.coat * 0.4F);
      canvas.FillEllipse({f.foot.x - 0.6F * h, f.foot.y - 0.16F * h}, 0.15F * h, 0.15F * h,
                         Rgb(60, 60, 60));
      canvas.FillEllipse({f.foot.x + 0.6F * h, f.foot.y - 0.16F * h}, 0.15F * h, 0.15F * h,
                         Rgb(60, 60, 60));
      break;
    case Decoy::kStone:
      canvas.FillEllipse({f.foot.x, f.foot.y - 0.36F * h}, 0.6F * h, 0.36F * h, f.coat);
      canvas.FillEllipse({f.foot.x + 0.34F * h, f.foot.y - 0.66F * h}, 0.24F * h, 0.22F * h,
                         f.coat * 0.9F);
      break;
  }
}

/// The place: where the ground begins, how large things look on it, how it is lit.
struct Street {
  float horizon = 0;       ///< y where the ground begins, px of the frame
  float zoom = 1;          ///< height in px of a person standing 1 px below the horizon
  std::uint32_t salt = 0;  ///< of the textures
  Colour sky;
  Colour ground;
  Colour road;
  float road_top = 0;  ///< y, px of the frame
  float brightness = 1;
  float warmth = 0;   ///< > 0 towards evening light, [-1, 1]
  float slope = 0;    ///< light falls off to one side by this share, [-1, 1]
  float grain = 0;    ///< standard deviation, grey levels
  bool soft = false;  ///< slightly out of focus

  float PersonHeightAt(float y) const { return std::max(1.0F, (y - horizon) * zoom); }
};

Street BuildStreet(const SceneOptions& options, SceneKind kind, Rng& rng) {
  const auto height = static_cast<float>(options.size.height);
  const auto between = [&](double low, double high) {
    return static_cast<float>(rng.Uniform(low, high));
  };
  Street street;
  switch (kind) {
    case SceneKind::kQuiet:
      street.horizon = between(0.3, 0.42) * height;
      street.zoom = between(1.15, 1.5);
      break;
    case SceneKind::kStreet:
      street.horizon = between(0.26, 0.38) * height;
      street.zoom = between(0.55, 0.85);
      break;
    case SceneKind::kCrowd:
      street.horizon = between(0.1, 0.24) * height;
      street.zoom = between(0.22, 0.36);
      break;
  }
  street.salt = static_cast<std::uint32_t>(rng.Next());
  street.sky = Mix(Rgb(120, 165, 215), Rgb(205, 205, 200), between(0, 1));
  street.ground = Mix(Rgb(150, 145, 138), Rgb(105, 135, 80), rng.Chance(0.4) ? between(0.5, 1) : 0);
  street.road = Rgb(88, 88, 92) * between(0.8, 1.2);
  street.road_top = street.horizon + (height - street.horizon) * between(0.25, 0.6);
  street.brightness = between(0.65, 1.15);
  street.warmth = between(-0.6, 1);
  street.slope = between(-0.3, 0.3);
  street.grain = between(0.2, 1) * static_cast<float>(options.noise);
  street.soft = rng.Chance(0.25);
  return street;
}

void PaintHouses(const Street& street, Canvas& canvas, Rng& rng) {
  const auto width = static_cast<float>(canvas.size().width);
  const float unit = static_cast<float>(canvas.size().height) / 240;
  float x = -static_cast<float>(rng.Uniform(0, 40)) * unit;
  while (x < width) {
    const float wide = static_cast<float>(rng.Uniform(30, 90)) * unit;
    const float top = street.horizon * static_cast<float>(rng.Uniform(0.0, 0.7));
    const Colour wall = Pick({Rgb(170, 110, 90), Rgb(190, 175, 150), Rgb(140, 145, 155),
                              Rgb(205, 190, 165), Rgb(120, 120, 110)},
                             rng);
    const Colour glass = Pick({Rgb(70, 90, 110), Rgb(230, 215, 150), Rgb(50, 55, 60)}, rng);
    canvas.FillBox({x, top, x + wide, street.horizon + 1}, 0, wall);
    const float pitch = static_cast<float>(rng.Uniform(11, 18)) * unit;
    for (float row = top + 5 * unit; row + 0.6F * pitch < street.horizon; row += pitch) {
      for (float column = x + 5 * unit; column + 0.6F * pitch < x + wide; column += pitch) {
        canvas.FillBox({column, row, column + 0.5F * pitch, row + 0.6F * pitch}, 0,
                       rng.Chance(0.8) ? glass : wall * 0.8F);
      }
    }
    x += wide + (rng.Chance(0.3) ? static_cast<float>(rng.Uniform(5, 40)) * unit : 0);
  }
}

void PaintGround(const Street& street, Canvas& canvas) {
  const Size size = canvas.size();
  const int coarse = std::max(4, size.height / 12);
  const int fine = std::max(2, size.height / 80);
  for (int y = 0; y < size.height; ++y) {
    const auto fy = static_cast<float>(y);
    const bool sky = fy < street.horizon;
    const bool road = fy >= street.road_top;
    const Colour base =
        sky    ? Mix(street.sky, Rgb(235, 235, 235), fy / std::max(1.0F, street.horizon))
        : road ? street.road
               : street.ground;
    const float coarse_weight = sky ? 0.05F : 0.10F;
    const float fine_weight = sky ? 0.0F : 0.09F;
    NoiseRow broad(y, coarse, street.salt);
    NoiseRow detail(y, fine, street.salt + 1);
    std::uint8_t* row = canvas.pixels().row(y);
    for (int x = 0; x < size.width; ++x) {
      const float k = 1 + coarse_weight * broad.At(x) + fine_weight * detail.At(x);
      row[3 * x] = ToByte(base.blue * k);
      row[3 * x + 1] = ToByte(base.green * k);
      row[3 * x + 2] = ToByte(base.red * k);
    }
  }
}

void PaintRoadMarks(const Street& street, Canvas& canvas, Rng& rng) {
  const auto width = static_cast<float>(canvas.size().width);
  const auto height = static_cast<float>(canvas.size().height);
  const float depth = height - street.road_top;
  canvas.FillBox({0, street.road_top, width, street.road_top + 0.03F * depth + 1}, 0,
                 Rgb(175, 172, 165));
  const float y = street.road_top + depth * static_cast<float>(rng.Uniform(0.4, 0.7));
  const float dash = width * static_cast<float>(rng.Uniform(0.08, 0.2));
  for (float x = -dash * static_cast<float>(rng.Uniform()); x < width; x += 2 * dash) {
    canvas.FillBox({x, y, x + dash, y + 0.04F * depth + 1}, 0, Rgb(215, 212, 200));
  }
}

void PaintTree(Point foot, float height, Colour leaves, Canvas& canvas, Rng& rng) {
  canvas.FillBox({foot.x - 0.04F * height, foot.y - 0.6F * height, foot.x + 0.04F * height, foot.y},
                 0.01F * height, Rgb(95, 75, 60));
  for (int i = 0; i < 5; ++i) {
    const auto dx = static_cast<float>(rng.Uniform(-0.2, 0.2));
    const auto dy = static_cast<float>(rng.Uniform(0.5, 0.9));
    canvas.FillEllipse({foot.x + dx * height, foot.y - dy * height}, 0.2F * height, 0.17F * height,
                       leaves * static_cast<float>(rng.Uniform(0.75, 1.15)));
  }
}

/// Light, focus and grain over the finished picture.
void Develop(const Street& street, Canvas& canvas, Rng& rng) {
  const Size size = canvas.size();
  if (street.soft) {
    // 3 × 3 mean, rows from copies of the untouched picture.
    const Image sharp = canvas.pixels();
    const PixelView view = sharp.view();
    for (int y = 1; y + 1 < size.height; ++y) {
      std::uint8_t* out = canvas.pixels().row(y);
      const std::uint8_t* above = view.row(y - 1);
      const std::uint8_t* here = view.row(y);
      const std::uint8_t* below = view.row(y + 1);
      for (int i = 3; i < 3 * (size.width - 1); ++i) {
        const int sum = above[i - 3] + above[i] + above[i + 3] + here[i - 3] + here[i] +
                        here[i + 3] + below[i - 3] + below[i] + below[i + 3];
        out[i] = static_cast<std::uint8_t>(sum / 9);
      }
    }
  }
  const float red = street.brightness * (1 + 0.10F * street.warmth);
  const float blue = street.brightness * (1 - 0.10F * street.warmth);
  // The sum of four bytes has a standard deviation of 147.8.
  const float scale = street.grain / 147.8F;
  std::vector<float> light(static_cast<std::size_t>(size.width));
  for (int x = 0; x < size.width; ++x) {
    const float across = static_cast<float>(x) / static_cast<float>(size.width) - 0.5F;
    light[static_cast<std::size_t>(x)] = 1 + street.slope * across;
  }
  for (int y = 0; y < size.height; ++y) {
    std::uint8_t* row = canvas.pixels().row(y);
    for (int x = 0; x < size.width; ++x) {
      const std::uint64_t bits = rng.Next();
      const auto sum = static_cast<int>((bits & 255U) + ((bits >> 8) & 255U) +
                                        ((bits >> 16) & 255U) + ((bits >> 24) & 255U));
      const float grain = static_cast<float>(sum - 510) * scale;
      const float tint = (static_cast<float>((bits >> 32) & 255U) - 127.5F) * 0.5F * scale;
      const float k = light[static_cast<std::size_t>(x)];
      row[3 * x] = ToByte(static_cast<float>(row[3 * x]) * k * blue + grain + tint);
      row[3 * x + 1] = ToByte(static_cast<float>(row[3 * x + 1]) * k * street.brightness + grain);
      row[3 * x + 2] = ToByte(static_cast<float>(row[3 * x + 2]) * k * red + grain - tint);
    }
  }
}

/// Height of a class in persons.
float HeightOf(int label) {
  constexpr std::array<float, kLabels> kHeights{1.0F, 0.66F, 0.84F, 0.5F};
  return kHeights[static_cast<std::size_t>(label)];
}

/// Width in heights, for placing.
float AspectOf(int label) {
  constexpr std::array<float, kLabels> kAspects{0.36F, 1.66F, 2.2F, 1.6F};
  return kAspects[static_cast<std::size_t>(label)];
}

struct Actor {
  int label = 0;
  Figure figure;
  std::uint32_t track = 0;
};

Figure DressFigure(int label, Rng& rng) {
  Figure figure;
  figure.facing = rng.Chance(0.5) ? 1.0F : -1.0F;
  figure.stride = static_cast<float>(rng.Uniform(-1, 1));
  figure.build = static_cast<float>(rng.Uniform());
  figure.coat = Pick(CoatsOf(label), rng);
  figure.second = Pick({Rgb(50, 55, 80), Rgb(70, 65, 60), Rgb(40, 40, 42), Rgb(120, 110, 95)}, rng);
  return figure;
}

Box RoughBox(int label, const Figure& figure) {
  const float half = AspectOf(label) * figure.height / 2;
  return {figure.foot.x - half, figure.foot.y - figure.height, figure.foot.x + half, figure.foot.y};
}

int DrawLabel(Rng& rng) {
  constexpr std::array<double, kLabels> kShares{0.42, 0.16, 0.24, 0.18};
  double left = rng.Uniform();
  for (int label = 0; label < kLabels; ++label) {
    left -= kShares[static_cast<std::size_t>(label)];
    if (left < 0) {
      return label;
    }
  }
  return kPerson;
}

/// Finds places for the objects of one picture: none smaller than can be told, none quite hidden.
std::vector<Actor> PlaceActors(const SceneOptions& options, SceneKind kind, const Street& street,
                               Rng& rng) {
  const auto width = static_cast<float>(options.size.width);
  const auto height = static_cast<float>(options.size.height);
  const float unit = height / 240;
  int wanted = 0;
  float overlap_limit = 0;
  switch (kind) {
    case SceneKind::kQuiet:
      wanted = rng.Chance(0.7) ? 1 : 2;
      overlap_limit = 0.1F;
      break;
    case SceneKind::kStreet:
      wanted = 3 + static_cast<int>(rng.Below(4));
      overlap_limit = 0.3F;
      break;
    case SceneKind::kCrowd:
      wanted = options.fewest_in_crowd + static_cast<int>(rng.Below(static_cast<std::uint64_t>(
                                             options.most_in_crowd - options.fewest_in_crowd + 1)));
      overlap_limit = 0.45F;
      break;
  }
  // A crowd gathers around a few points.
  std::vector<Point> gatherings;
  for (int i = 0; i < 3; ++i) {
    gatherings.push_back({static_cast<float>(rng.Uniform(0.1, 0.9)) * width,
                          static_cast<float>(rng.Uniform(0.3, 0.95))});
  }
  std::vector<Actor> actors;
  std::vector<Box> taken;
  for (int tries = 0; tries < 12 * wanted && static_cast<int>(actors.size()) < wanted; ++tries) {
    Actor actor;
    actor.label = DrawLabel(rng);
    actor.figure = DressFigure(actor.label, rng);
    float depth = static_cast<float>(rng.Uniform(kind == SceneKind::kQuiet ? 0.72 : 0.2, 1.0));
    float x = static_cast<float>(rng.Uniform(0.03, 0.97)) * width;
    if (kind == SceneKind::kQuiet) {
      x = static_cast<float>(rng.Uniform(0.25, 0.75)) * width;
    } else if (kind == SceneKind::kCrowd && rng.Chance(0.6)) {
      const Point& around = gatherings[rng.Below(gatherings.size())];
      x = around.x + static_cast<float>(rng.Uniform(-0.12, 0.12)) * width;
      depth = std::clamp(around.y + static_cast<float>(rng.Uniform(-0.15, 0.15)), 0.2F, 1.0F);
    }
    const float y = street.horizon + depth * (height * 0.985F - street.horizon);
    // What stands alone is seen from close by: a lone dog fills the picture as a lone person does.
    const float closeness = kind == SceneKind::kQuiet ? 0.75F / HeightOf(actor.label) : 1;
    float tall = HeightOf(actor.label) * street.PersonHeightAt(y) * std::max(1.0F, closeness) *
                 static_cast<float>(rng.Uniform(0.85, 1.15));
    tall = std::max(tall, (actor.label == kPerson ? 20.0F : 12.0F) * unit);
    tall = std::min({tall, 0.9F * height, 0.9F * width / AspectOf(actor.label)});
    actor.figure.height = tall;
    actor.figure.foot = {x, std::max(y, std::min(tall + 2, 0.985F * height))};
    const Box box = RoughBox(actor.label, actor.figure);
    const bool hidden = std::any_of(taken.begin(), taken.end(), [&](const Box& other) {
      return IntersectionArea(box, other) > overlap_limit * std::min(box.area(), other.area());
    });
    if (hidden || ClipTo(box, options.size).area() < 0.6F * box.area()) {
      continue;
    }
    actor.track = static_cast<std::uint32_t>(actors.size());
    taken.push_back(box);
    actors.push_back(actor);
  }
  return actors;
}

/// Things that are no objects, drawn among the actors by their depth.
struct Prop {
  Decoy decoy = Decoy::kPost;
  Figure figure;
};

std::vector<Prop> PlaceProps(const SceneOptions& options, SceneKind kind, const Street& street,
                             Rng& rng) {
  const auto width = static_cast<float>(options.size.width);
  const auto height = static_cast<float>(options.size.height);
  const int count = static_cast<int>(rng.Below(kind == SceneKind::kCrowd ? 7 : 4));
  std::vector<Prop> props;
  for (int i = 0; i < count; ++i) {
    Prop prop;
    prop.decoy = static_cast<Decoy>(rng.Below(3));
    const float y =
        street.horizon + static_cast<float>(rng.Uniform(0.15, 0.9)) * (height - street.horizon);
    const float person = street.PersonHeightAt(y) * static_cast<float>(rng.Uniform(0.8, 1.1));
    prop.figure.foot = {static_cast<float>(rng.Uniform(0, 1)) * width, y};
    switch (prop.decoy) {
      case Decoy::kPost:
        prop.figure.height = person;
        prop.figure.coat = Pick({Rgb(50, 90, 190), Rgb(60, 130, 180), Rgb(90, 100, 150)}, rng);
        break;
      case Decoy::kCrate:
        prop.figure.height = 0.8F * person;
        prop.figure.coat = Pick({Rgb(190, 90, 50), Rgb(200, 140, 60), Rgb(160, 60, 50)}, rng);
        break;
      case Decoy::kStone:
        prop.figure.height = 0.5F * person;
        prop.figure.coat = Pick({Rgb(70, 95, 140), Rgb(100, 125, 160), Rgb(55, 75, 100)}, rng);
        break;
    }
    prop.figure.height = std::min(prop.figure.height, 0.6F * height);
    prop.figure.second = Rgb(60, 65, 75);
    props.push_back(prop);
  }
  return props;
}

struct Scenery {
  Street street;
  std::vector<Prop> props;
  std::uint64_t painting = 0;  ///< seed of houses, marks and trees
};

void PaintScenery(const Scenery& scenery, Canvas& canvas) {
  Rng rng(scenery.painting);
  if (!canvas.with_pixels()) {
    return;
  }
  const Street& street = scenery.street;
  const auto width = static_cast<float>(canvas.size().width);
  canvas.Begin(0);
  PaintGround(street, canvas);
  PaintHouses(street, canvas, rng);
  PaintRoadMarks(street, canvas, rng);
  const int trees = static_cast<int>(rng.Below(4));
  for (int i = 0; i < trees; ++i) {
    const float y = street.horizon +
                    static_cast<float>(rng.Uniform(0.02, 0.2)) * (street.road_top - street.horizon);
    const Colour leaves =
        Mix(Rgb(70, 115, 55), Rgb(130, 140, 60), static_cast<float>(rng.Uniform()));
    PaintTree(
        {static_cast<float>(rng.Uniform()) * width, y},
        static_cast<float>(rng.Uniform(30, 80)) * static_cast<float>(canvas.size().height) / 240,
        leaves, canvas, rng);
  }
}

/// Draws everything that stands on the ground, farthest first, and measures what is seen of it.
void DrawStanding(const Scenery& scenery, std::vector<Actor> actors, Canvas& canvas,
                  std::vector<SceneObject>& objects) {
  std::stable_sort(actors.begin(), actors.end(), [](const Actor& a, const Actor& b) {
    return a.figure.foot.y < b.figure.foot.y;
  });
  std::vector<Prop> props = scenery.props;
  std::stable_sort(props.begin(), props.end(),
                   [](const Prop& a, const Prop& b) { return a.figure.foot.y < b.figure.foot.y; });
  std::vector<int> drawn(actors.size() + 1, 0);
  std::vector<Box> whole(actors.size());
  std::size_t next_prop = 0;
  const auto draw_props_above = [&](float y) {
    canvas.Begin(0);
    for (; next_prop < props.size() && props[next_prop].figure.foot.y <= y; ++next_prop) {
      DrawDecoy(props[next_prop].decoy, props[next_prop].figure, canvas);
    }
  };
  for (std::size_t i = 0; i < actors.size(); ++i) {
    const Figure& figure = actors[i].figure;
    draw_props_above(figure.foot.y);
    const float reach = AspectOf(actors[i].label) * figure.height * 0.45F;
    if (canvas.with_pixels()) {
      canvas.Begin(kNobody);
      canvas.FillEllipse({figure.foot.x, figure.foot.y}, reach, 0.05F * figure.height + 1,
                         scenery.street.road * 0.55F);
    }
    const auto id = static_cast<std::uint16_t>(i + 1);
    canvas.Begin(id);
    DrawFigure(actors[i].label, figure, canvas);
    whole[i] = canvas.extent();
    drawn[id] = canvas.CountOwned(whole[i], id);
  }
  draw_props_above(1e9F);
  const std::vector<int> left = canvas.CountOwned(actors.size() + 1);
  for (std::size_t i = 0; i < actors.size(); ++i) {
    const Box box = ClipTo(whole[i], canvas.size());
    if (drawn[i + 1] == 0 || box.area() <= 0) {
      continue;
    }
    objects.push_back({.label = actors[i].label,
                       .box = box,
                       .visibility = static_cast<double>(left[i + 1]) / drawn[i + 1],
                       .inside = std::min(1.0, static_cast<double>(box.area()) / whole[i].area()),
                       .track = actors[i].track});
  }
}

ScenePicture Finish(const SceneOptions& options, const Scenery& scenery, std::vector<Actor> actors,
                    std::uint64_t grain_seed, SceneContent content) {
  ScenePicture picture;
  picture.size = options.size;
  Canvas canvas(options.size, content == SceneContent::kPixelsAndObjects);
  PaintScenery(scenery, canvas);
  DrawStanding(scenery, std::move(actors), canvas, picture.objects);
  if (canvas.with_pixels()) {
    Rng rng(grain_seed);
    Develop(scenery.street, canvas, rng);
    picture.pixels = std::move(canvas.pixels());
  }
  return picture;
}

/// A triangle wave through 0, 1, 0, -1 with period 1: legs swing without a sine, whose last bit
/// differs between machines.
double Swing(double phase) {
  const double t = phase - std::floor(phase);
  return t < 0.25 ? 4 * t : t < 0.75 ? 2 - 4 * t : 4 * t - 4;
}

std::string NameOf(const char* prefix, std::uint64_t seed, std::uint64_t index) {
  const std::string digits = std::to_string(index);
  return std::string(prefix) + "-" + std::to_string(seed) + "-" +
         std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
}

std::uint64_t SeedOf(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return MixBits(MixBits(MixBits(seed) + stream) + index);
}

}  // namespace

Expected<void> Validate(const SceneOptions& options) {
  const auto refuse = [](const std::string& what) {
    return Fail(ErrorCode::kInvalidInput, "scene: " + what);
  };
  const auto within = [](double value, double low, double high) {
    return value >= low && value <= high;
  };
  if (!within(options.size.width, 64, 4096) || !within(options.size.height, 64, 4096)) {
    return refuse("size is " + std::to_string(options.size.width) + "x" +
                  std::to_string(options.size.height) + "; each side must be 64 to 4096 px");
  }
  if (!within(options.quiet_share, 0, 1) || !within(options.crowd_share, 0, 1) ||
      options.quiet_share + options.crowd_share > 1 + 1e-9) {
    return refuse("quiet_share is " + std::to_string(options.quiet_share) + " and crowd_share " +
                  std::to_string(options.crowd_share) + "; both must be in [0, 1], their sum too");
  }
  if (options.fewest_in_crowd < 1 || options.most_in_crowd < options.fewest_in_crowd ||
      options.most_in_crowd > 200) {
    return refuse("a crowd of " + std::to_string(options.fewest_in_crowd) + " to " +
                  std::to_string(options.most_in_crowd) + " objects; must be 1 to 200, in order");
  }
  if (!within(options.noise, 0, 40)) {
    return refuse("noise is " + std::to_string(options.noise) + "; must be in [0, 40] grey levels");
  }
  if (!(options.frames_per_second > 0)) {
    return refuse("frames_per_second is " + std::to_string(options.frames_per_second) +
                  "; must be above 0");
  }
  if (!within(options.passers_by, 1, 200)) {
    return refuse("passers_by is " + std::to_string(options.passers_by) + "; must be 1 to 200");
  }
  return {};
}

const LabelSpace& SceneLabels() {
  static const LabelSpace kSpace{{"person", "bicycle", "car", "dog"}};
  return kSpace;
}

ScenePicture DrawPicture(const SceneOptions& options, std::uint64_t index, SceneContent content) {
  const std::uint64_t seed = SeedOf(options.seed, 1, index);
  Rng rng(seed);
  const double draw = rng.Uniform();
  const SceneKind kind = draw < options.quiet_share                         ? SceneKind::kQuiet
                         : draw < options.quiet_share + options.crowd_share ? SceneKind::kCrowd
                                                                            : SceneKind::kStreet;
  Scenery scenery;
  scenery.street = BuildStreet(options, kind, rng);
  scenery.painting = rng.Next();
  std::vector<Actor> actors = PlaceActors(options, kind, scenery.street, rng);
  scenery.props = PlaceProps(options, kind, scenery.street, rng);
  ScenePicture picture = Finish(options, scenery, std::move(actors), rng.Next(), content);
  picture.kind = kind;
  picture.name = NameOf("scene", options.seed, index);
  return picture;
}

ScenePicture DrawStreetFrame(const SceneOptions& options, std::uint64_t index,
                             SceneContent content) {
  Rng rng(SeedOf(options.seed, 2, 0));
  const auto width = static_cast<double>(options.size.width);
  const auto height = static_cast<float>(options.size.height);
  Scenery scenery;
  scenery.street = BuildStreet(options, SceneKind::kStreet, rng);
  scenery.painting = rng.Next();
  scenery.props = PlaceProps(options, SceneKind::kStreet, scenery.street, rng);
  const double seconds = static_cast<double>(index) / options.frames_per_second;

  // Each passer-by keeps to its lane and comes back, as someone new, after a while out of sight.
  std::vector<Actor> actors;
  for (int i = 0; i < options.passers_by; ++i) {
    const std::uint64_t own_seed = rng.Next();
    Rng lane(own_seed);
    const int label = DrawLabel(lane);
    const float depth = static_cast<float>(lane.Uniform(0.2, 1.0));
    const float y = scenery.street.horizon + depth * (height * 0.985F - scenery.street.horizon);
    const float person = scenery.street.PersonHeightAt(y);
    const float tall = std::min(
        HeightOf(label) * person * static_cast<float>(lane.Uniform(0.85, 1.15)), 0.9F * height);
    constexpr std::array<double, kLabels> kHeightsPerSecond{0.9, 3.0, 4.0, 2.2};
    const double speed =
        kHeightsPerSecond[static_cast<std::size_t>(label)] * tall * lane.Uniform(0.6, 1.2);
    const double margin = AspectOf(label) * tall;
    const double span = (width + 2 * margin) * lane.Uniform(1.0, 2.5);
    const double travelled = lane.Uniform(0, span) + speed * seconds;
    const double pass = std::floor(travelled / span);
    const double along = travelled - pass * span;
    const bool to_the_right = lane.Chance(0.5);

    Rng dress(SeedOf(own_seed, 3, static_cast<std::uint64_t>(pass)));
    Actor actor;
    actor.label = label;
    actor.figure = DressFigure(label, dress);
    actor.figure.facing = to_the_right ? 1.0F : -1.0F;
    actor.figure.height = tall;
    actor.figure.stride = static_cast<float>(Swing(travelled / (0.9 * tall)));
    actor.figure.foot = {static_cast<float>(to_the_right ? along - margin : width + margin - along),
                         y};
    actor.track =
        static_cast<std::uint32_t>(pass) * static_cast<std::uint32_t>(options.passers_by) +
        static_cast<std::uint32_t>(i);
    actors.push_back(actor);
  }
  ScenePicture picture =
      Finish(options, scenery, std::move(actors), SeedOf(options.seed, 4, index), content);
  picture.kind = SceneKind::kStreet;
  picture.name = NameOf("street", options.seed, index);
  return picture;
}

TruthImage ToTruth(const ScenePicture& picture) {
  TruthImage image{.name = picture.name, .size = picture.size};
  for (const SceneObject& object : picture.objects) {
    if (object.visibility < 0.1) {
      continue;
    }
    image.objects.push_back({.box = object.box,
                             .label = object.label,
                             .difficult = object.visibility < 0.4 || object.inside < 0.5});
  }
  return image;
}

}  // namespace nearfar
