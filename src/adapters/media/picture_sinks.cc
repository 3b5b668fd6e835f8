#include "adapters/media/picture_sinks.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "adapters/image/annotate.h"
#include "adapters/image/codec.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

Image Draw(const FrameRecord& record, const PixelView& pixels, const LabelSpace& classes,
           float min_score) {
  Detections shown;
  std::vector<LinkId> provenance;
  for (std::size_t i = 0; i < record.detections.size(); ++i) {
    if (record.detections[i].score >= min_score) {
      shown.push_back(record.detections[i]);
      provenance.push_back(i < record.provenance.size() ? record.provenance[i] : kNear);
    }
  }
  return Annotate(pixels, shown, classes, provenance, CaptionOf(record));
}

Expected<void> WriteFile(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  const bool written =
      file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed) {
    return Fail(ErrorCode::kIo, "cannot write the picture " + path + ": " + std::strerror(errno));
  }
  return {};
}

class PictureFolder final : public Sink {
 public:
  PictureFolder(std::string folder, const DrawingOptions& options)
      : folder_(std::move(folder)), options_(options) {}

  Expected<void> Begin(const RunRecord& run) override {
    classes_ = run.classes;
    return {};
  }
  using Sink::Write;
  Expected<void> Write(const FrameRecord& record, const PixelView& pixels) override {
    if (pixels.size.area() == 0) {
      return {};
    }
    const Image drawn = Draw(record, pixels, classes_, options_.min_score);
    const auto bytes = EncodeJpeg(drawn.view(), options_.jpeg_quality);
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    return WriteFile((fs::path(folder_) / (record.name + ".jpg")).string(), *bytes);
  }

 private:
  std::string folder_;
  DrawingOptions options_;
  LabelSpace classes_;
};

class VideoFile final : public Sink {
 public:
  VideoFile(std::string path, double frames_per_second, const DrawingOptions& options)
      : path_(std::move(path)), frames_per_second_(frames_per_second), options_(options) {}

  Expected<void> Begin(const RunRecord& run) override {
    classes_ = run.classes;
    std::FILE* file = std::fopen(path_.c_str(), "wb");
    if (file == nullptr) {
      return Fail(ErrorCode::kIo, "cannot write the video " + path_ + ": " + std::strerror(errno));
    }
    std::fclose(file);
    return {};
  }
  using Sink::Write;
  Expected<void> Write(const FrameRecord& record, const PixelView& pixels) override {
    if (pixels.size.area() == 0) {
      return {};
    }
    try {
      if (!writer_.isOpened()) {
        // Encoders want even sides.
        size_ = {std::max(2, pixels.size.width & ~1), std::max(2, pixels.size.height & ~1)};
        if (!writer_.open(path_, cv::CAP_FFMPEG, cv::VideoWriter::fourcc('m', 'p', '4', 'v'),
                          frames_per_second_, size_)) {
          return Fail(ErrorCode::kUnsupported,
                      "cannot encode a video to " + path_ + ": use a name that ends in .mp4");
        }
      }
      const Image drawn = Draw(record, pixels, classes_, options_.min_score);
      writer_.write(Fitted(drawn));
    } catch (const cv::Exception& error) {
      return Fail(ErrorCode::kIo, "cannot write the video " + path_ + ": " + error.err);
    }
    ++frames_;
    return {};
  }
  Expected<void> End() override {
    if (frames_ == 0) {
      return {};
    }
    writer_.release();
    cv::VideoCapture check(path_, cv::CAP_FFMPEG);
    const double found = check.isOpened() ? check.get(cv::CAP_PROP_FRAME_COUNT) : 0;
    if (found + 0.5 < static_cast<double>(frames_)) {
      return Fail(ErrorCode::kIo, "the video " + path_ + " is not whole: " +
                                      std::to_string(static_cast<long>(found)) + " of " +
                                      std::to_string(frames_) +
                                      " frames can be read back; is the disk full?");
    }
    return {};
  }

 private:
  /// The picture as large as the video allows, centred on black.
  cv::Mat Fitted(const Image& drawn) const {
    const cv::Mat picture(drawn.size().height, drawn.size().width, CV_8UC3,
                          const_cast<std::uint8_t*>(drawn.view().data));
    const double scale = std::min(static_cast<double>(size_.width) / picture.cols,
                                  static_cast<double>(size_.height) / picture.rows);
    const cv::Size inner(
        std::clamp(static_cast<int>(picture.cols * scale + 0.5), 1, size_.width),
        std::clamp(static_cast<int>(picture.rows * scale + 0.5), 1, size_.height));
    cv::Mat canvas(size_, CV_8UC3, cv::Scalar::all(0));
    cv::Mat middle = canvas(cv::Rect((size_.width - inner.width) / 2,
                                     (size_.height - inner.height) / 2, inner.width, inner.height));
    cv::resize(picture, middle, inner, 0, 0, cv::INTER_AREA);
    return canvas;
  }

  std::string path_;
  double frames_per_second_;
  DrawingOptions options_;
  LabelSpace classes_;
  cv::VideoWriter writer_;
  cv::Size size_;
  std::uint64_t frames_ = 0;
};

}  // namespace

std::string CaptionOf(const FrameRecord& record) {
  if (record.verdicts.empty()) {
    return record.reason;
  }
  const Verdict& verdict = record.verdicts.front();
  const bool from_far = std::any_of(record.provenance.begin(), record.provenance.end(),
                                    [](LinkId link) { return link != kNear; });
  const bool far_stands = record.status == FrameStatus::kOk && (from_far || verdict.uploaded);
  std::string caption = verdict.difficult ? "difficult" : "easy";
  caption += far_stands ? ", answered far" : ", kept near";
  if (record.status != FrameStatus::kOk) {
    return caption + " (" + std::string(ToString(record.status)) + "): " + record.reason;
  }
  return verdict.reason.empty() ? caption : caption + ": " + verdict.reason;
}

Expected<std::unique_ptr<Sink>> OpenPictureFolder(const std::string& folder,
                                                  const DrawingOptions& options) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return Fail(ErrorCode::kIo, "cannot make the folder " + folder + ": " + error.message());
  }
  return std::make_unique<PictureFolder>(folder, options);
}

std::unique_ptr<Sink> MakeVideoSink(const std::string& path, double frames_per_second,
                                    const DrawingOptions& options) {
  return std::make_unique<VideoFile>(path, frames_per_second, options);
}

}  // namespace nearfar
