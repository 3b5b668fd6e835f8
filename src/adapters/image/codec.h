#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/pixels.h"

namespace nearfar {

/// What a picture may cost before it is refused.
struct ImageLimits {
  std::int64_t max_pixels = 100'000'000;           ///< read from the header, before decoding; > 0
  std::int64_t max_bytes = std::int64_t{256} << 20;  ///< of the encoded file; > 0

  friend bool operator==(const ImageLimits&, const ImageLimits&) = default;
};

/// Decodes JPEG (TurboJPEG) and PNG, BMP, WebP, TIFF (OpenCV); grey, alpha, CMYK and 16 bits become
/// 8-bit blue-green-red. The EXIF orientation is applied, here and nowhere else, so near model, far
/// node and stock servers see the same upright picture.
/// Errors: kInvalidInput (empty, no picture, cut short, damaged), kLimitExceeded (from the header,
/// before anything is allocated). The message does not name the file.
Expected<Image> DecodeImage(std::span<const std::uint8_t> bytes, const ImageLimits& limits = {});

/// Reads a whole file. Errors: kNotFound, kIo, kLimitExceeded, with its path.
Expected<std::vector<std::uint8_t>> ReadFileBytes(const std::string& path,
                                                  std::int64_t max_bytes);

/// Encodes as baseline JPEG with 4:2:0 colour.
/// @param quality  1 to 100.
/// Errors: kInvalidInput (empty view, or a side above 65,535 px).
Expected<std::vector<std::uint8_t>> EncodeJpeg(const PixelView& view, int quality);

/// A smaller picture, each of whose pixels is the mean of those that it covers: small things fade
/// where a bilinear resize drops them. REQUIRES: the view is not empty, and 0 < each side <= the
/// view's.
Image Shrink(const PixelView& view, Size size);

/// True when the bytes start like a JPEG or a PNG: what a node takes as an `image` payload.
bool IsJpegOrPng(std::span<const std::uint8_t> bytes);

/// Sharpness: the squared difference of grey values two pixels apart [SmallBig eq. 2], as the mean
/// over the pixels that have such a neighbour, where the paper sums: the mean does not grow with the
/// image. Larger is sharper; 0 for fewer than three columns.
double BrennerGradient(const PixelView& view);

/// Which features are worth their cost.
struct WantedFeatures {
  bool brenner = true;
  bool jpeg_bytes = true;  ///< of pictures that are no JPEG files; a file's size costs nothing
};

/// What discriminators want of a picture's pixels; what is not wanted is absent.
/// @param encoded       the bytes that the picture was decoded from; empty: there are none.
/// @param jpeg_quality  of the JPEG that is made where those bytes are none, 1 to 100.
PixelFeatures MeasurePixels(const PixelView& view, std::span<const std::uint8_t> encoded,
                            WantedFeatures wanted, int jpeg_quality);

/// From now on OpenCV works on the caller's thread alone, in the whole process: its pool would take
/// cores from the detector. For programs, at their start.
void UseCallersThreadOnly();

}  // namespace nearfar
