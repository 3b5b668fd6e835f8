#include "models/preprocess.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "models/text_format.h"

namespace nearfar {
namespace {

/// One axis of a bilinear resize: destination i = weight0·source[first] + weight1·source[second],
/// in 1/2048.
struct Taps {
  std::vector<int> first;
  std::vector<int> second;
  std::vector<std::int16_t> weight0;
  std::vector<std::int16_t> weight1;
};

/// @param whole_at_edges  beyond the outermost pixel's centre that pixel alone counts, with full
/// weight; otherwise with the sum of two rounded shares. INTER_LINEAR does the first across and the
/// second down.
Taps MakeTaps(int source, int destination, bool whole_at_edges) {
  const auto count = static_cast<std::size_t>(destination);
  Taps taps{std::vector<int>(count), std::vector<int>(count), std::vector<std::int16_t>(count),
            std::vector<std::int16_t>(count)};
  const double step = 1.0 / (static_cast<double>(destination) / source);
  for (std::size_t i = 0; i < count; ++i) {
    const float position = static_cast<float>((static_cast<double>(i) + 0.5) * step - 0.5);
    const int left = static_cast<int>(std::floor(position));
    float right_share = position - static_cast<float>(left);
    if (whole_at_edges && (left < 0 || left >= source - 1)) {
      right_share = 0;
    }
    taps.first[i] = std::clamp(left, 0, source - 1);
    taps.second[i] = std::clamp(left + 1, 0, source - 1);
    taps.weight0[i] = static_cast<std::int16_t>(std::lrint((1.0F - right_share) * 2048));
    taps.weight1[i] = static_cast<std::int16_t>(std::lrint(right_share * 2048));
  }
  return taps;
}

/// Produces the rows of a resized picture one after the other.
class RowResizer {
 public:
  RowResizer(const PixelView& view, Size size)
      : view_(view),
        size_(size),
        same_(view.size == size),
        halved_(view.size.width == 2 * size.width && view.size.height == 2 * size.height),
        out_(3 * static_cast<std::size_t>(size.width)) {
    if (!same_ && !halved_) {
      across_ = MakeTaps(view.size.width, size.width, true);
      down_ = MakeTaps(view.size.height, size.height, false);
      upper_.resize(out_.size());
      lower_.resize(out_.size());
    }
  }

  /// Row y of the result, blue-green-red; valid until the next call. Rows are asked for in order.
  const std::uint8_t* Row(int y) {
    if (same_) {
      return view_.row(y);
    }
    if (halved_) {
      return HalvedRow(y);
    }
    const auto at = static_cast<std::size_t>(y);
    const int first = down_.first[at];
    const int second = down_.second[at];
    if (first != upper_row_) {
      if (first == lower_row_) {
        std::swap(upper_, lower_);
        std::swap(upper_row_, lower_row_);
      } else {
        Across(first, upper_);
        upper_row_ = first;
      }
    }
    const std::int32_t weight0 = down_.weight0[at];
    const std::int32_t weight1 = down_.weight1[at];
    const std::int32_t* lower = upper_.data();
    if (second != first && weight1 != 0) {
      if (second != lower_row_) {
        Across(second, lower_);
        lower_row_ = second;
      }
      lower = lower_.data();
    }
    const std::int32_t* upper = upper_.data();
    std::uint8_t* out = out_.data();
    for (std::size_t i = 0; i < out_.size(); ++i) {
      const std::int32_t sum =
          ((weight0 * (upper[i] >> 4)) >> 16) + ((weight1 * (lower[i] >> 4)) >> 16);
      out[i] = static_cast<std::uint8_t>((sum + 2) >> 2);
    }
    return out;
  }

 private:
  void Across(int y, std::vector<std::int32_t>& into) const {
    const std::uint8_t* row = view_.row(y);
    std::int32_t* out = into.data();
    for (std::size_t i = 0; i < across_.first.size(); ++i) {
      const std::uint8_t* left = row + std::ptrdiff_t{3} * across_.first[i];
      const std::uint8_t* right = row + std::ptrdiff_t{3} * across_.second[i];
      const std::int32_t weight0 = across_.weight0[i];
      const std::int32_t weight1 = across_.weight1[i];
      out[3 * i] = left[0] * weight0 + right[0] * weight1;
      out[3 * i + 1] = left[1] * weight0 + right[1] * weight1;
      out[3 * i + 2] = left[2] * weight0 + right[2] * weight1;
    }
  }

  /// At exactly half the size every pixel is the mean of four.
  const std::uint8_t* HalvedRow(int y) {
    const std::uint8_t* upper = view_.row(2 * y);
    const std::uint8_t* lower = view_.row(2 * y + 1);
    for (std::size_t x = 0; x < out_.size() / 3; ++x) {
      for (std::size_t c = 0; c < 3; ++c) {
        const std::size_t at = 6 * x + c;
        out_[3 * x + c] = static_cast<std::uint8_t>(
            (upper[at] + upper[at + 3] + lower[at] + lower[at + 3] + 2) >> 2);
      }
    }
    return out_.data();
  }

  PixelView view_;
  Size size_;
  bool same_;
  bool halved_;
  Taps across_;
  Taps down_;
  std::vector<std::uint8_t> out_;
  std::vector<std::int32_t> upper_;
  std::vector<std::int32_t> lower_;
  int upper_row_ = -1;
  int lower_row_ = -1;
};

/// The tensor's value for each 8-bit value, per channel in the tensor's order.
template <typename T>
using Levels = std::array<std::array<T, 256>, 3>;

template <typename T>
T Converted(float value);
template <>
float Converted<float>(float value) {
  return value;
}
template <>
std::uint16_t Converted<std::uint16_t>(float value) {
  return HalfFromFloat(value);
}
template <>
std::uint8_t Converted<std::uint8_t>(float value) {
  return static_cast<std::uint8_t>(std::lrint(std::clamp(value, 0.0F, 255.0F)));
}

template <typename T>
Levels<T> MakeLevels(const InputSpec& input) {
  Levels<T> levels;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t v = 0; v < 256; ++v) {
      levels[c][v] =
          Converted<T>((static_cast<float>(v) * input.scale - input.mean[c]) / input.std[c]);
    }
  }
  return levels;
}

template <typename T>
void Fill(const PixelView& view, const InputSpec& input, const FrameInInput& place, T* tensor) {
  const Levels<T> levels = MakeLevels<T>(input);
  const bool planar = input.layout == Layout::kNchw;
  const bool rgb = input.channels == ChannelOrder::kRgb;
  const std::ptrdiff_t width = input.size.width;
  const std::ptrdiff_t plane = input.size.area();
  const Rect& picture = place.picture;
  std::array<T, 3> pad;
  for (std::size_t c = 0; c < 3; ++c) {
    pad[c] = levels[c][static_cast<std::size_t>(std::clamp(input.pad, 0, 255))];
  }
  const auto fill_pad = [&](std::ptrdiff_t y, std::ptrdiff_t from, std::ptrdiff_t to) {
    if (planar) {
      for (std::size_t c = 0; c < 3; ++c) {
        T* row = tensor + static_cast<std::ptrdiff_t>(c) * plane + y * width;
        std::fill(row + from, row + to, pad[c]);
      }
    } else {
      for (std::ptrdiff_t x = from; x < to; ++x) {
        std::copy(pad.begin(), pad.end(), tensor + 3 * (y * width + x));
      }
    }
  };
  RowResizer rows(view, picture.size());
  for (int y = 0; y < input.size.height; ++y) {
    if (y < picture.y || y >= picture.y + picture.height) {
      fill_pad(y, 0, width);
      continue;
    }
    fill_pad(y, 0, picture.x);
    fill_pad(y, picture.x + picture.width, width);
    const std::uint8_t* row = rows.Row(y - picture.y);
    const std::ptrdiff_t at = y * width + picture.x;
    if (planar) {
      T* first = tensor + at;
      T* second = first + plane;
      T* third = second + plane;
      const std::uint8_t* from_first = row + (rgb ? 2 : 0);
      const std::uint8_t* from_third = row + (rgb ? 0 : 2);
      for (std::ptrdiff_t x = 0; x < picture.width; ++x) {
        first[x] = levels[0][from_first[3 * x]];
        second[x] = levels[1][row[3 * x + 1]];
        third[x] = levels[2][from_third[3 * x]];
      }
    } else {
      T* out = tensor + 3 * at;
      for (std::ptrdiff_t x = 0; x < picture.width; ++x) {
        out[3 * x] = levels[0][row[3 * x + (rgb ? 2 : 0)]];
        out[3 * x + 1] = levels[1][row[3 * x + 1]];
        out[3 * x + 2] = levels[2][row[3 * x + (rgb ? 0 : 2)]];
      }
    }
  }
}

}  // namespace

std::string CanonicalText(const InputSpec& input) {
  const char* resize = input.resize == Resize::kStretch     ? "stretch"
                       : input.resize == Resize::kLetterbox ? "letterbox"
                                                            : "letterbox-top-left";
  std::string text = resize;
  if (input.resize != Resize::kStretch) {
    text += " " + std::to_string(input.pad);
  }
  text += input.channels == ChannelOrder::kRgb ? " rgb" : " bgr";
  text += " x" + NumberText(input.scale) + "-[" + NumberText(input.mean) + "]/[" +
          NumberText(input.std) + "]";
  return text + " " + std::string(ToString(input.type)) +
         (input.layout == Layout::kNchw ? " nchw" : " nhwc");
}

FrameInInput PlaceFrame(Size frame, const InputSpec& input) {
  assert(frame.width > 0 && frame.height > 0 && input.size.width > 0 && input.size.height > 0);
  const double ratio_x = static_cast<double>(input.size.width) / frame.width;
  const double ratio_y = static_cast<double>(input.size.height) / frame.height;
  if (input.resize == Resize::kStretch) {
    return {static_cast<float>(ratio_x), static_cast<float>(ratio_y), 0, 0, WholeOf(input.size)};
  }
  const double ratio = std::min(ratio_x, ratio_y);
  const bool centred = input.resize == Resize::kLetterbox;
  const auto side = [&](int length, int limit) {
    const double exact = length * ratio;
    return std::clamp(static_cast<int>(centred ? std::nearbyint(exact) : std::floor(exact)), 1,
                      limit);
  };
  const int width = side(frame.width, input.size.width);
  const int height = side(frame.height, input.size.height);
  const int left = centred ? (input.size.width - width) / 2 : 0;
  const int top = centred ? (input.size.height - height) / 2 : 0;
  const auto scale = static_cast<float>(ratio);
  return {
      scale, scale, static_cast<float>(left), static_cast<float>(top), {left, top, width, height}};
}

Box FrameFromInput(const Box& box_in_input, const FrameInInput& place) {
  return {(box_in_input.x1 - place.shift_x) / place.scale_x,
          (box_in_input.y1 - place.shift_y) / place.scale_y,
          (box_in_input.x2 - place.shift_x) / place.scale_x,
          (box_in_input.y2 - place.shift_y) / place.scale_y};
}

Box InputFromFrame(const Box& box_in_frame, const FrameInInput& place) {
  return {box_in_frame.x1 * place.scale_x + place.shift_x,
          box_in_frame.y1 * place.scale_y + place.shift_y,
          box_in_frame.x2 * place.scale_x + place.shift_x,
          box_in_frame.y2 * place.scale_y + place.shift_y};
}

std::size_t TensorBytes(const InputSpec& input) {
  return static_cast<std::size_t>(input.size.area()) * 3 * SizeOf(input.type);
}

void FillTensor(const PixelView& view, const InputSpec& input, const FrameInInput& place,
                std::span<std::byte> tensor) {
  assert(tensor.size() == TensorBytes(input));
  switch (input.type) {
    case ElementType::kFloat32:
      Fill(view, input, place, reinterpret_cast<float*>(tensor.data()));
      break;
    case ElementType::kFloat16:
      Fill(view, input, place, reinterpret_cast<std::uint16_t*>(tensor.data()));
      break;
    default:
      Fill(view, input, place, reinterpret_cast<std::uint8_t*>(tensor.data()));
      break;
  }
}

Image ResizeBilinear(const PixelView& view, Size size) {
  Image image(size);
  RowResizer rows(view, size);
  for (int y = 0; y < size.height; ++y) {
    std::memcpy(image.row(y), rows.Row(y), 3 * static_cast<std::size_t>(size.width));
  }
  return image;
}

}  // namespace nearfar
