#include "adapters/image/codec.h"

#include <turbojpeg.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "adapters/image/header.h"

namespace nearfar {
namespace {

using Bytes = std::span<const std::uint8_t>;

struct CloseTurboJpeg {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using TurboJpeg = std::unique_ptr<void, CloseTurboJpeg>;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::string Describe(Size size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

cv::Mat AsMat(const PixelView& view) {
  return {view.size.height, view.size.width, CV_8UC3, const_cast<std::uint8_t*>(view.data),
          static_cast<std::size_t>(view.stride)};
}

/// Turns stored rows upright: the eight cases of EXIF orientation.
Image Upright(Image stored, int orientation) {
  if (orientation <= 1) {
    return stored;
  }
  const cv::Mat from = AsMat(stored.view());
  const bool turned = orientation >= 5;
  const Size size = stored.size();
  Image upright(turned ? Size{size.height, size.width} : size);
  cv::Mat to(upright.size().height, upright.size().width, CV_8UC3, upright.data());
  switch (orientation) {
    case 2: cv::flip(from, to, 1); break;
    case 3: cv::rotate(from, to, cv::ROTATE_180); break;
    case 4: cv::flip(from, to, 0); break;
    case 5: cv::transpose(from, to); break;
    case 6: cv::rotate(from, to, cv::ROTATE_90_CLOCKWISE); break;
    case 7: {
      cv::Mat transposed;
      cv::transpose(from, transposed);
      cv::rotate(transposed, to, cv::ROTATE_180);
      break;
    }
    default: cv::rotate(from, to, cv::ROTATE_90_COUNTERCLOCKWISE); break;
  }
  return upright;
}

/// @param unchanged  rows as stored, where the caller turns them upright itself.
Expected<Image> DecodeWithOpenCv(Bytes bytes, ImageFormat format, bool unchanged) {
  const std::string name(ToString(format));
  try {
    const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1,
                          const_cast<std::uint8_t*>(bytes.data()));
    const int flags = cv::IMREAD_COLOR | (unchanged ? cv::IMREAD_IGNORE_ORIENTATION : 0);
    const cv::Mat decoded = cv::imdecode(encoded, flags);
    if (decoded.empty()) {
      return Fail(ErrorCode::kInvalidInput, "the " + name + " is damaged or cut short");
    }
    Image image(Size{decoded.cols, decoded.rows});
    decoded.copyTo(cv::Mat(decoded.rows, decoded.cols, CV_8UC3, image.data()));
    return image;
  } catch (const cv::Exception& error) {
    return Fail(ErrorCode::kInvalidInput, "the " + name + " cannot be decoded: " + error.err);
  }
}

/// True for the one warning that good cameras provoke.
bool IsHarmless(std::string_view warning) {
  return warning.find("extraneous bytes before marker") != std::string_view::npos;
}

Expected<Image> DecodeJpeg(Bytes bytes, int orientation) {
  const TurboJpeg turbo(tjInitDecompress());
  const auto length = static_cast<unsigned long>(bytes.size());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colours = 0;
  const auto why = [&] { return std::string(tjGetErrorStr2(turbo.get())); };
  if (tjDecompressHeader3(turbo.get(), bytes.data(), length, &width, &height, &subsampling,
                          &colours) != 0 &&
      tjGetErrorCode(turbo.get()) == TJERR_FATAL) {
    return Fail(ErrorCode::kInvalidInput, "the JPEG is damaged or cut short (" + why() + ")");
  }
  if (colours == TJCS_CMYK || colours == TJCS_YCCK) {
    auto image = DecodeWithOpenCv(bytes, ImageFormat::kJpeg, true);
    return image ? Upright(std::move(*image), orientation) : image;
  }
  Image image(Size{width, height});
  if (tjDecompress2(turbo.get(), bytes.data(), length, image.data(), width, 3 * width, height,
                    TJPF_BGR, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) != 0 &&
      !IsHarmless(why())) {
    return Fail(ErrorCode::kInvalidInput, "the JPEG is damaged or cut short (" + why() + ")");
  }
  return Upright(std::move(image), orientation);
}

/// True when every chunk up to IEND is there: OpenCV fills a cut PNG with grey without a word.
bool IsWholePng(Bytes bytes) {
  std::size_t at = 8;
  while (at + 12 <= bytes.size()) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      length = length << 8 | bytes[at + i];
    }
    if (std::memcmp(bytes.data() + at + 4, "IEND", 4) == 0) {
      return true;
    }
    at += 12 + length;
  }
  return false;
}

/// True when the file is as long as its header says.
bool IsWholeBmp(Bytes bytes) {
  const std::size_t told = bytes[2] | static_cast<std::size_t>(bytes[3]) << 8 |
                           static_cast<std::size_t>(bytes[4]) << 16 |
                           static_cast<std::size_t>(bytes[5]) << 24;
  return bytes.size() >= told;
}

}  // namespace

Expected<Image> DecodeImage(Bytes bytes, const ImageLimits& limits) {
  if (bytes.empty()) {
    return Fail(ErrorCode::kInvalidInput, "the picture is empty (0 bytes)");
  }
  if (static_cast<std::int64_t>(bytes.size()) > limits.max_bytes) {
    return Fail(ErrorCode::kLimitExceeded, "the picture has " + std::to_string(bytes.size()) +
                                               " bytes; the limit is " +
                                               std::to_string(limits.max_bytes) + " (max-bytes)");
  }
  const auto header = ReadImageHeader(bytes);
  if (!header) {
    return Fail(ErrorCode::kInvalidInput,
                "this is no picture: its bytes start like neither JPEG, PNG, BMP, WebP nor TIFF");
  }
  const std::string format(ToString(header->format));
  if (header->stored.width <= 0 || header->stored.height <= 0) {
    return Fail(ErrorCode::kInvalidInput, "the " + format + " is damaged or cut short (no size)");
  }
  if (header->stored.area() > limits.max_pixels) {
    return Fail(ErrorCode::kLimitExceeded, "the " + format + " has " + Describe(header->stored) +
                                               " = " + std::to_string(header->stored.area()) +
                                               " pixels; the limit is " +
                                               std::to_string(limits.max_pixels) + " (max-pixels)");
  }
  try {
    if (header->format == ImageFormat::kJpeg) {
      return DecodeJpeg(bytes, header->orientation);
    }
    if ((header->format == ImageFormat::kPng && !IsWholePng(bytes)) ||
        (header->format == ImageFormat::kBmp && !IsWholeBmp(bytes))) {
      return Fail(ErrorCode::kInvalidInput, "the " + format + " is cut short");
    }
    return DecodeWithOpenCv(bytes, header->format, false);
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kLimitExceeded,
                "no memory for the " + Describe(header->stored) + " pixels of the " + format);
  }
}

Expected<std::vector<std::uint8_t>> ReadFileBytes(const std::string& path,
                                                  std::int64_t max_bytes) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (!file) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                "cannot open " + path + ": " + std::strerror(errno));
  }
  std::vector<std::uint8_t> bytes;
  if (std::fseek(file.get(), 0, SEEK_END) == 0) {  // a pipe has no end to go to
    bytes.reserve(static_cast<std::size_t>(
        std::clamp<std::int64_t>(std::ftell(file.get()), 0, max_bytes)));
    std::rewind(file.get());
  }
  std::uint8_t chunk[1 << 16];
  while (const std::size_t read = std::fread(chunk, 1, sizeof chunk, file.get())) {
    if (static_cast<std::int64_t>(bytes.size() + read) > max_bytes) {
      return Fail(ErrorCode::kLimitExceeded,
                  path + " has more bytes than the limit of " + std::to_string(max_bytes));
    }
    bytes.insert(bytes.end(), chunk, chunk + read);
  }
  if (std::ferror(file.get()) != 0) {
    return Fail(ErrorCode::kIo, "cannot read " + path + ": " + std::strerror(errno));
  }
  return bytes;
}

Expected<std::vector<std::uint8_t>> EncodeJpeg(const PixelView& view, int quality) {
  if (view.size.width <= 0 || view.size.height <= 0 || view.size.width > 65535 ||
      view.size.height > 65535) {
    return Fail(ErrorCode::kInvalidInput,
                "no JPEG can hold " + Describe(view.size) + " pixels (1 to 65535 a side)");
  }
  const TurboJpeg turbo(tjInitCompress());
  std::vector<std::uint8_t> bytes(tjBufSize(view.size.width, view.size.height, TJSAMP_420));
  unsigned char* out = bytes.data();
  auto length = static_cast<unsigned long>(bytes.size());
  if (tjCompress2(turbo.get(), view.data, view.size.width, static_cast<int>(view.stride),
                  view.size.height, TJPF_BGR, &out, &length, TJSAMP_420, quality,
                  TJFLAG_NOREALLOC) != 0) {
    return Fail(ErrorCode::kInternal,
                std::string("cannot encode a JPEG: ") + tjGetErrorStr2(turbo.get()));
  }
  return std::vector<std::uint8_t>(bytes.data(), bytes.data() + length);
}

Image Shrink(const PixelView& view, Size size) {
  assert(view.size.area() > 0 && size.width > 0 && size.height > 0);
  assert(size.width <= view.size.width && size.height <= view.size.height);
  Image shrunk(size);
  cv::Mat to(size.height, size.width, CV_8UC3, shrunk.data());
  cv::resize(AsMat(view), to, to.size(), 0, 0, cv::INTER_AREA);
  return shrunk;
}

bool IsJpegOrPng(Bytes bytes) {
  const auto header = ReadImageHeader(bytes);
  return header && (header->format == ImageFormat::kJpeg || header->format == ImageFormat::kPng);
}

double BrennerGradient(const PixelView& view) {
  if (view.size.width < 3 || view.size.height < 1) {
    return 0;
  }
  cv::Mat grey;
  cv::cvtColor(AsMat(view), grey, cv::COLOR_BGR2GRAY);
  std::int64_t sum = 0;
  for (int y = 0; y < grey.rows; ++y) {
    const std::uint8_t* row = grey.ptr(y);
    for (int x = 0; x + 2 < grey.cols; ++x) {
      const int difference = row[x + 2] - row[x];
      sum += std::int64_t{difference} * difference;
    }
  }
  return static_cast<double>(sum) /
         static_cast<double>(std::int64_t{grey.cols - 2} * grey.rows);
}

void UseCallersThreadOnly() { cv::setNumThreads(1); }

PixelFeatures MeasurePixels(const PixelView& view, std::span<const std::uint8_t> encoded,
                            WantedFeatures wanted, int jpeg_quality) {
  PixelFeatures features;
  if (wanted.brenner) {
    features.brenner = BrennerGradient(view);
  }
  const bool is_jpeg = !encoded.empty() && encoded[0] == 0xFF;  // no other format begins so
  if (is_jpeg) {
    features.jpeg_bytes = static_cast<std::int64_t>(encoded.size());
  } else if (wanted.jpeg_bytes) {
    if (const auto jpeg = EncodeJpeg(view, jpeg_quality)) {
      features.jpeg_bytes = static_cast<std::int64_t>(jpeg->size());
    }
  }
  return features;
}

}  // namespace nearfar
