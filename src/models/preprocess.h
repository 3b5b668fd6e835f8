#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "core/geometry.h"
#include "core/pixels.h"
#include "models/tensor.h"

namespace nearfar {

/// How a picture of any size gets the shape of the network's input.
enum class Resize {
  kStretch,           ///< both axes on their own, the aspect ratio is lost
  kLetterbox,         ///< one scale, the rest padded on both sides (Ultralytics, NanoDet)
  kLetterboxTopLeft,  ///< one scale, the rest padded right and below (YOLOX)
};
enum class ChannelOrder { kRgb, kBgr };
enum class Layout { kNchw, kNhwc };

/// What a model's image input wants.
struct InputSpec {
  std::string tensor;  ///< name of the input in the graph
  Layout layout = Layout::kNchw;
  ElementType type = ElementType::kFloat32;  ///< kFloat32, kFloat16 or kUint8
  Size size{640, 640};                       ///< px; the chosen one where the graph leaves it free
  bool dynamic = false;                      ///< the graph leaves the size free
  Resize resize = Resize::kLetterbox;
  int pad = 114;  ///< grey level of the padding, 0..255, before scaling
  ChannelOrder channels = ChannelOrder::kRgb;
  /// Value in the tensor = (pixel × scale − mean) ÷ std, per channel in the order of `channels`.
  float scale = 1.0F / 255;
  std::array<float, 3> mean{0, 0, 0};
  std::array<float, 3> std{1, 1, 1};

  friend bool operator==(const InputSpec&, const InputSpec&) = default;
};

/// One line that two inputs share exactly when they give the same tensors for the same pixels (the
/// size apart): what ModelIdentity calls the preprocessing.
std::string CanonicalText(const InputSpec& input);

/// Where a frame lies in the network's input. Continuous coordinates (pixel 0 covers [0, 1)), so
/// there is no half-pixel term: x_input = x_frame · scale_x + shift_x. A letterbox uses the one
/// exact ratio for both axes, as the families' own post-processing does, although the resized
/// picture is rounded to whole pixels.
struct FrameInInput {
  float scale_x = 1;
  float scale_y = 1;
  float shift_x = 0;  ///< px of the input
  float shift_y = 0;
  Rect picture;  ///< the resized picture in px of the input; the rest is padding
};

/// The geometry of one frame. Rounding follows the families: centred letterboxes round the
/// picture's sides half to even and an odd padding row goes below or right; top-left ones cut the
/// fraction off. REQUIRES: frame and input not empty.
FrameInInput PlaceFrame(Size frame, const InputSpec& input);

/// A box from px of the input to px of the frame, and back. Neither clips.
Box FrameFromInput(const Box& box_in_input, const FrameInInput& place);
Box InputFromFrame(const Box& box_in_frame, const FrameInInput& place);

/// Bytes of the input tensor of one frame.
std::size_t TensorBytes(const InputSpec& input);

/// Fills the input tensor of one frame: resizes bilinearly in 8 bits (the fixed-point arithmetic of
/// OpenCV's INTER_LINEAR, bit for bit), pads, orders the channels and normalises. One pass, in
/// caches; allocates two rows. REQUIRES: tensor.size() == TensorBytes(input), aligned for its type;
/// view not empty.
void FillTensor(const PixelView& view, const InputSpec& input, const FrameInInput& place,
                std::span<std::byte> tensor);

/// The 8-bit bilinear resize alone. REQUIRES: neither empty.
Image ResizeBilinear(const PixelView& view, Size size);

}  // namespace nearfar
