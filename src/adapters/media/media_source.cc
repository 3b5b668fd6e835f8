#include "adapters/media/media_source.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>
#include <optional>
#include <unordered_map>
#include <utility>

#include "adapters/media/natural_order.h"
#include "data/sequence_info.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// One input after folders and lists were opened.
struct Entry {
  std::string path;
  std::string name;
  bool is_video = false;
};

std::string LowerExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool IsOneOf(const std::string& extension, std::initializer_list<const char*> known) {
  return std::any_of(known.begin(), known.end(),
                     [&](const char* candidate) { return extension == candidate; });
}

bool IsPictureName(const fs::path& path) {
  return IsOneOf(LowerExtension(path), {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"});
}

bool IsVideoName(const fs::path& path) {
  return IsOneOf(LowerExtension(path), {".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm", ".mpg",
                                        ".mpeg", ".ts", ".wmv", ".flv"});
}

/// FFmpeg's and OpenCV's own words stay off stderr unless the user asked for them.
void QuietVideoLibraries() {
  setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", /*overwrite=*/0);
  if (std::getenv("OPENCV_LOG_LEVEL") == nullptr) {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  }
}

template <typename Walk>
Expected<std::vector<std::string>> FilesIn(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  // The walk itself passes over a folder that may not be read.
  if (const fs::directory_iterator opened(folder, error); !error) {
    for (Walk walk(folder, fs::directory_options::skip_permission_denied, error), end;
         !error && walk != end; walk.increment(error)) {
      std::error_code ignored;
      if ((IsPictureName(walk->path()) || IsVideoName(walk->path())) &&
          !walk->is_directory(ignored)) {
        files.push_back(walk->path().string());
      }
    }
  }
  if (error) {
    return Fail(ErrorCode::kIo,
                "cannot read the folder " + folder.string() + ": " + error.message());
  }
  std::sort(files.begin(), files.end(), NaturallyBefore);
  return files;
}

Expected<std::vector<std::string>> LinesOf(const std::string& list) {
  std::error_code error;
  if (fs::is_directory(list, error)) {
    return Fail(ErrorCode::kInvalidInput, list + " is a folder where a list of files was expected");
  }
  std::ifstream file(list);
  if (!file) {
    return Fail(ErrorCode::kNotFound, "cannot open the list " + list);
  }
  const fs::path folder = fs::path(list).parent_path();
  std::vector<std::string> paths;
  for (std::string line; std::getline(file, line);) {
    if (line.find('\0') != std::string::npos) {
      return Fail(ErrorCode::kInvalidInput,
                  list + " is no list of files, one a line: it is no text");
    }
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (line.empty() || line.front() == '#') {
      continue;
    }
    std::error_code ignored;
    const fs::path beside = folder / line;
    paths.push_back(fs::exists(beside, ignored) ? beside.string() : line);
  }
  return paths;
}

/// What stands behind the inputs.
struct Expansion {
  std::vector<Entry> entries;  ///< in order, still without names
  double sequence_rate = 0;    ///< frames a second of the first image sequence; 0: there is none
};

Expected<Expansion> Expand(const std::vector<std::string>& inputs, bool recursive) {
  Expansion expansion;
  std::vector<Entry>& entries = expansion.entries;
  const auto add = [&](const std::string& path) {
    entries.push_back({path, {}, IsVideoName(path)});
  };
  for (const std::string& input : inputs) {
    std::error_code ignored;
    Expected<std::vector<std::string>> paths = std::vector<std::string>{input};
    if (input.size() > 1 && input.front() == '@') {
      paths = LinesOf(input.substr(1));
    } else if (const std::string info_file = (fs::path(input) / "seqinfo.ini").string();
               fs::exists(info_file, ignored)) {
      const auto info = ReadSequenceInfo(info_file);
      if (!info) {
        return tl::unexpected(info.error());
      }
      const std::string pictures = (fs::path(input) / info->pictures).string();
      paths = FilesIn<fs::directory_iterator>(pictures);
      if (paths && paths->empty()) {
        return Fail(ErrorCode::kInvalidInput, "no picture in " + pictures + ", where " + info_file +
                                                  " says that the sequence is");
      }
      if (expansion.sequence_rate == 0) {
        expansion.sequence_rate = info->fps;
      }
    } else if (fs::is_directory(input, ignored)) {
      paths = recursive ? FilesIn<fs::recursive_directory_iterator>(input)
                        : FilesIn<fs::directory_iterator>(input);
      if (paths && paths->empty()) {
        return Fail(ErrorCode::kInvalidInput,
                    "no picture and no video in the folder " + input +
                        (recursive ? "" : " (folders inside it are only read with --recursive)"));
      }
    } else if (LowerExtension(input) == ".txt") {
      paths = LinesOf(input);
    }
    if (!paths) {
      return tl::unexpected(paths.error());
    }
    std::for_each(paths->begin(), paths->end(), add);
  }
  if (entries.empty()) {
    return Fail(ErrorCode::kInvalidInput, "no pictures were given: name files, folders or videos");
  }
  return expansion;
}

/// Gives every entry its name, and says where a name had to be changed.
void NameEntries(std::vector<Entry>& entries, std::vector<std::string>& remarks) {
  std::unordered_map<std::string, int> uses;
  std::uint64_t renamed = 0;
  std::string first;
  for (Entry& entry : entries) {
    const std::string stem = fs::path(entry.path).stem().string();
    entry.name = stem;
    int& count = uses[stem];
    while (++count > 1) {
      const std::string candidate = stem + "~" + std::to_string(count);
      if (!uses.contains(candidate)) {
        uses[candidate] = 1;
        entry.name = candidate;
        break;
      }
    }
    if (entry.name != stem && ++renamed == 1) {
      first = entry.path + " is called " + entry.name;
    }
  }
  if (renamed > 0) {
    remarks.push_back(std::to_string(renamed) +
                      " input(s) share a file name with an earlier one and got ~2, ~3, ... (" +
                      first + ")");
  }
}

class FileSource final : public MediaSource {
 public:
  FileSource(Expansion expansion, std::vector<std::string> remarks, const MediaOptions& options,
             const Clock& clock)
      : entries_(std::move(expansion.entries)),
        remarks_(std::move(remarks)),
        options_(options),
        clock_(clock),
        frames_per_second_(expansion.sequence_rate) {
    const auto video = std::find_if(entries_.begin(), entries_.end(),
                                    [](const Entry& entry) { return entry.is_video; });
    if (video != entries_.end()) {
      const double rate = cv::VideoCapture(video->path, cv::CAP_FFMPEG).get(cv::CAP_PROP_FPS);
      frames_per_second_ = rate > 0 && rate < 1000 ? rate : 0;
    }
  }

  std::optional<SourceItem> Next() override {
    while (next_ < entries_.size()) {
      const Entry& entry = entries_[next_];
      if (!entry.is_video) {
        ++next_;
        if (unwanted_ && unwanted_(entry.name)) {
          return SourceItem{entry.path, entry.name,
                            Fail(ErrorCode::kCancelled, entry.path + ": not wanted, left unread")};
        }
        return SourceItem{entry.path, entry.name, ReadPicture(entry)};
      }
      if (auto item = NextOfVideo(entry)) {
        return item;
      }
      ++next_;
    }
    return std::nullopt;
  }

  std::optional<std::uint64_t> count() const override {
    const bool has_video = std::any_of(entries_.begin(), entries_.end(),
                                       [](const Entry& entry) { return entry.is_video; });
    return has_video ? std::nullopt : std::optional<std::uint64_t>(entries_.size());
  }
  void PassOver(std::function<bool(const std::string& name)> unwanted) override {
    unwanted_ = std::move(unwanted);
  }
  double frames_per_second() const override { return frames_per_second_; }
  const std::vector<std::string>& remarks() const override { return remarks_; }

 private:
  std::shared_ptr<Frame> NewFrame(const std::string& source, std::string name) const {
    auto frame = std::make_shared<Frame>();
    frame->source = source;
    frame->name = std::move(name);
    frame->captured = clock_.Now();
    frame->captured_at = clock_.WallNow();
    return frame;
  }

  Expected<std::shared_ptr<const Frame>> ReadPicture(const Entry& entry) const {
    auto frame = NewFrame(entry.path, entry.name);
    auto bytes = ReadFileBytes(entry.path, options_.limits.max_bytes);
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    auto pixels = DecodeImage(*bytes, options_.limits);
    if (!pixels) {
      return Fail(pixels.error().code, entry.path + ": " + pixels.error().message);
    }
    frame->pixels = std::move(*pixels);
    if (IsJpegOrPng(*bytes)) {
      frame->encoded = std::move(*bytes);
    }
    return frame;
  }

  /// The next frame of a video; nothing at its end.
  std::optional<SourceItem> NextOfVideo(const Entry& entry) {
    if (!video_) {
      video_number_ = 0;
      std::error_code ignored;
      if (!fs::exists(entry.path, ignored)) {
        return BrokenVideo(entry, Error{ErrorCode::kNotFound, "cannot open " + entry.path +
                                                                  ": No such file or directory"});
      }
      video_.emplace(entry.path, cv::CAP_FFMPEG);
      if (!video_->isOpened()) {
        return BrokenVideo(entry, Error{ErrorCode::kInvalidInput,
                                        entry.path + ": this is no video, or it is damaged"});
      }
      const Size size{static_cast<int>(video_->get(cv::CAP_PROP_FRAME_WIDTH)),
                      static_cast<int>(video_->get(cv::CAP_PROP_FRAME_HEIGHT))};
      if (size.area() > options_.limits.max_pixels) {
        return BrokenVideo(entry, Error{ErrorCode::kLimitExceeded,
                                        entry.path + ": its frames have " +
                                            std::to_string(size.area()) + " pixels; the limit is " +
                                            std::to_string(options_.limits.max_pixels)});
      }
    }
    auto frame = NewFrame(entry.path, FrameName(entry));
    cv::Mat decoded;
    bool got = false;
    try {
      got = !video_broken_ && video_->read(decoded) && decoded.type() == CV_8UC3;
    } catch (const cv::Exception&) {
      got = false;
    }
    if (!got) {
      const bool nothing = video_number_ == 0 && !video_broken_;
      if (nothing) {
        return BrokenVideo(entry, Error{ErrorCode::kInvalidInput,
                                        entry.path + ": the video has no frame that can be read"});
      }
      video_.reset();
      video_broken_ = false;
      return std::nullopt;
    }
    frame->pixels = Image(Size{decoded.cols, decoded.rows});
    decoded.copyTo(cv::Mat(decoded.rows, decoded.cols, CV_8UC3, frame->pixels.data()));
    SourceItem item{entry.path, frame->name, std::shared_ptr<const Frame>(frame)};
    ++video_number_;
    return item;
  }

  /// A video that gives nothing stands in the results as one picture that cannot be read.
  SourceItem BrokenVideo(const Entry& entry, Error error) {
    if (!video_) {
      video_.emplace();
    }
    video_broken_ = true;
    return {entry.path, entry.name, tl::unexpected(std::move(error))};
  }

  std::string FrameName(const Entry& entry) const {
    char number[24];
    std::snprintf(number, sizeof number, "%06llu", static_cast<unsigned long long>(video_number_));
    return entries_.size() == 1 ? number : entry.name + "_" + number;
  }

  std::vector<Entry> entries_;
  std::vector<std::string> remarks_;
  MediaOptions options_;
  std::function<bool(const std::string& name)> unwanted_;
  const Clock& clock_;
  double frames_per_second_ = 0;
  std::size_t next_ = 0;
  std::optional<cv::VideoCapture> video_;  ///< of entries_[next_], once it was opened
  bool video_broken_ = false;
  std::uint64_t video_number_ = 0;
};

}  // namespace

Expected<std::unique_ptr<MediaSource>> MediaSource::Open(const std::vector<std::string>& inputs,
                                                         const MediaOptions& options,
                                                         const Clock& clock) {
  QuietVideoLibraries();
  auto expansion = Expand(inputs, options.recursive);
  if (!expansion) {
    return tl::unexpected(expansion.error());
  }
  std::vector<std::string> remarks;
  NameEntries(expansion->entries, remarks);
  return std::make_unique<FileSource>(*std::move(expansion), std::move(remarks), options, clock);
}

}  // namespace nearfar
