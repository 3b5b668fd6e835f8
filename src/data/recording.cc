#include "data/recording.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/json_fields.h"
#include "core/json_writer.h"
#include "data/text.h"

namespace nearfar {
namespace {

using nlohmann::json;
using Fields = JsonFields<json>;

constexpr int kSchema = 1;

std::string HeaderLine(const ModelIdentity& model, const LabelSpace& classes) {
  std::string line;
  JsonWriter writer(line);
  writer.BeginObject();
  writer.Field("type", "recording");
  writer.Field("schema", kSchema);
  writer.Field("model", model);
  writer.Field("classes", classes.names);
  writer.EndObject();
  return line + "\n";
}

std::string FrameLine(const RecordedFrame& frame) {
  std::string line;
  JsonWriter writer(line);
  writer.BeginObject();
  writer.Field("type", "recorded");
  writer.Field("source", frame.source);
  writer.Field("name", frame.name);
  writer.Field("index", frame.index);
  writer.Field("region", ToNumber(frame.region));
  writer.Field("rect", frame.rect);
  writer.Field("size", frame.size);
  if (frame.input.area() > 0) {
    writer.Field("input", frame.input);
  }
  // What was not measured is left out.
  const auto field_if_known = [&](const char* key, auto value) {
    if (value >= 0) {
      writer.Field(key, value);
    }
  };
  field_if_known("captured_ms", frame.captured_ms);
  field_if_known("service_ms", frame.service_ms);
  field_if_known("brenner", frame.features.brenner);
  field_if_known("jpeg_bytes", frame.features.jpeg_bytes);
  writer.Field("detections", frame.detections);
  writer.EndObject();
  return line + "\n";
}

/// A recording file that is read line by line.
class LineReader {
 public:
  LineReader(std::string path, std::string_view text) : path_(std::move(path)), rest_(text) {}

  /// The next line's object; nothing at the end, or at a last line that is no JSON: see cut().
  Expected<std::optional<json>> Next() {
    while (!rest_.empty()) {
      ++number_;
      const std::size_t left = rest_.size();
      const std::string_view line = TakeLine(rest_);
      if (Trim(line).empty()) {
        consumed_ += left - rest_.size();
        continue;
      }
      json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (object.is_discarded()) {
        if (!Trim(rest_).empty()) {
          return Wrong(number_ == 1
                           ? "the file is no recording: its first line is no JSON"
                           : "the line is no JSON, and it is not the last one: take it out");
        }
        cut_ = true;
        rest_ = {};
        return std::optional<json>();
      }
      consumed_ += left - rest_.size();
      return std::optional(std::move(object));
    }
    return std::optional<json>();
  }

  bool cut() const { return cut_; }
  /// Bytes of the whole lines read so far.
  std::size_t consumed() const { return consumed_; }
  std::string CutRemark() const { return At() + "the last line is cut off: left out"; }
  tl::unexpected<Error> Wrong(const std::string& what) const {
    return Fail(ErrorCode::kInvalidInput, At() + what);
  }

 private:
  std::string At() const { return path_ + ":" + std::to_string(number_) + ": "; }

  std::string path_;
  std::string_view rest_;
  std::size_t consumed_ = 0;
  int number_ = 0;
  bool cut_ = false;
};

struct Header {
  ModelIdentity model;
  LabelSpace classes;
};

/// Reads the header; nothing when the file is empty or its only line is the start of a header.
Expected<std::optional<Header>> ReadHeader(LineReader& lines, const std::string& path,
                                           std::string_view text) {
  Expected<std::optional<json>> object = lines.Next();
  if (!object) {
    return tl::unexpected(object.error());
  }
  constexpr std::string_view kStart = R"({"type":"recording")";
  if (!*object) {
    const std::size_t shared = std::min(text.size(), kStart.size());
    if (text.substr(0, shared) == kStart.substr(0, shared)) {
      return std::optional<Header>();
    }
    return Fail(ErrorCode::kInvalidInput,
                path +
                    " is no recording: `nearfar record` writes them, `nearfar import` converts "
                    "detections of other programs");
  }
  std::string type;
  Fields kind(**object);
  kind.Read("type", type);
  if (type != "recording") {
    const char* what = type == "run" ? " (it is a trace of `nearfar run`)" : "";
    return Fail(ErrorCode::kInvalidInput,
                path + " is no recording: its first line has no \"type\":\"recording\"" + what);
  }
  Header header;
  int schema = 0;
  Fields fields(**object);
  fields.Require("schema", schema)
      .Require("model", header.model)
      .Require("classes", header.classes.names);
  if (!fields.ok()) {
    return lines.Wrong("the header" + fields.error());
  }
  if (schema > kSchema) {
    return Fail(ErrorCode::kUnsupported,
                path + ": the recording has schema " + std::to_string(schema) +
                    "; this nearfar reads up to " + std::to_string(kSchema) +
                    ": use the version that wrote it");
  }
  return std::optional(std::move(header));
}

Expected<RecordedFrame> ReadFrame(const json& object, const LineReader& lines, int classes) {
  RecordedFrame frame;
  std::string type;
  Fields fields(object);
  fields.Require("type", type)
      .Require("name", frame.name)
      .Read("source", frame.source)
      .Read("index", frame.index)
      .Read("region", frame.region)
      .Require("size", frame.size)
      .Read("input", frame.input)
      .Read("captured_ms", frame.captured_ms)
      .Read("service_ms", frame.service_ms)
      .Read("brenner", frame.features.brenner)
      .Read("jpeg_bytes", frame.features.jpeg_bytes)
      .Require("detections", frame.detections);
  frame.rect = WholeOf(frame.size);
  fields.Read("rect", frame.rect);
  if (!fields.ok()) {
    return lines.Wrong("the frame" + fields.error());
  }
  if (frame.size.width < 1 || frame.size.height < 1) {
    return lines.Wrong("the frame.size: expected a width and a height of at least 1 px");
  }
  if (type != "recorded") {
    return lines.Wrong("the record's type is '" + type +
                       "'; after its header a recording has only "
                       "'recorded'");
  }
  for (const Detection& detection : frame.detections) {
    if (detection.label < 0 || detection.label >= classes) {
      return lines.Wrong("label " + std::to_string(detection.label) + ", but the header has " +
                         std::to_string(classes) + " classes");
    }
  }
  return frame;
}

std::string KeyOf(std::string_view name, RegionId region) {
  return AsUtf8(name) + '\n' + std::to_string(ToNumber(region));
}

tl::unexpected<Error> CannotWrite(const std::string& path) {
  const std::string why = std::strerror(errno);
  return Fail(ErrorCode::kIo, "cannot write the recording " + path + ": " + why);
}

bool WriteAll(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

const RecordedFrame* Recording::Find(const std::string& name) const {
  const auto found = std::find_if(frames.begin(), frames.end(), [&](const RecordedFrame& frame) {
    return frame.region == kWholeFrame && frame.name == name;
  });
  return found == frames.end() ? nullptr : &*found;
}

std::unordered_map<std::string_view, const RecordedFrame*> IndexByName(const Recording& recording) {
  std::unordered_map<std::string_view, const RecordedFrame*> index;
  index.reserve(recording.frames.size());
  for (const RecordedFrame& frame : recording.frames) {
    if (frame.region == kWholeFrame) {
      index.emplace(frame.name, &frame);
    }
  }
  return index;
}

Expected<void> CheckSameImages(const Recording& a, std::string_view left, const Recording& b,
                               std::string_view right) {
  if (const auto same = CheckSamePictures(a.model, b.model); !same) {
    return same;
  }
  const auto missing_in = [](const auto& names, const Recording& from) {
    std::vector<std::string> missing;
    for (const RecordedFrame& frame : from.frames) {
      if (frame.region == kWholeFrame && !names.contains(frame.name)) {
        missing.push_back(frame.name);
      }
    }
    return missing;
  };
  const auto names_a = IndexByName(a);
  const auto names_b = IndexByName(b);
  const std::vector<std::string> only_a = missing_in(names_b, a);
  const std::vector<std::string> only_b = missing_in(names_a, b);
  if (only_a.empty() && only_b.empty()) {
    return {};
  }
  const auto describe = [](std::string_view title, std::size_t count,
                           const std::vector<std::string>& only) {
    return std::string(title) + " has " + std::to_string(count) + " images, " +
           std::to_string(only.size()) + " of them alone" +
           (only.empty() ? "" : " (" + ListNames(only) + ")");
  };
  return Fail(ErrorCode::kInvalidInput,
              "the recordings are of different images: " + describe(left, names_a.size(), only_a) +
                  "; " + describe(right, names_b.size(), only_b) +
                  ": record both over the same images");
}

Expected<Recording> ReadRecording(const std::string& path) {
  const Expected<std::string> text = ReadFileText(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  LineReader lines(path, *text);
  Expected<std::optional<Header>> header = ReadHeader(lines, path, *text);
  if (!header) {
    return tl::unexpected(header.error());
  }
  if (!*header) {
    return Fail(ErrorCode::kInvalidInput,
                path + " is an empty recording, without a whole header: record again");
  }
  Recording recording{.model = std::move((*header)->model),
                      .classes = std::move((*header)->classes)};
  std::unordered_map<std::string, std::size_t> seen;
  std::size_t repeated = 0;
  while (true) {
    const Expected<std::optional<json>> object = lines.Next();
    if (!object) {
      return tl::unexpected(object.error());
    }
    if (!*object) {
      break;
    }
    Expected<RecordedFrame> frame = ReadFrame(**object, lines, recording.classes.size());
    if (!frame) {
      return tl::unexpected(frame.error());
    }
    if (!seen.emplace(KeyOf(frame->name, frame->region), recording.frames.size()).second) {
      ++repeated;
      continue;
    }
    recording.frames.push_back(std::move(*frame));
  }
  if (lines.cut()) {
    recording.remarks.push_back(lines.CutRemark());
  }
  if (repeated > 0) {
    recording.remarks.push_back(path + ": " + std::to_string(repeated) +
                                " frames stand there more than once: the first one counts");
  }
  return recording;
}

Expected<void> WriteRecording(const std::string& path, const Recording& recording) {
  std::string text = HeaderLine(recording.model, recording.classes);
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    return CannotWrite(path);
  }
  bool ok = true;
  for (const RecordedFrame& frame : recording.frames) {
    text += FrameLine(frame);
    if (text.size() > (std::size_t{1} << 20)) {
      ok = ok && WriteAll(file, text);
      text.clear();
    }
  }
  ok = ok && WriteAll(file, text);
  if (!ok) {
    const auto failure = CannotWrite(path);
    close(file);
    return failure;
  }
  return close(file) == 0 ? Expected<void>() : CannotWrite(path);
}

RecordingWriter::RecordingWriter(RecordingWriter&& other) noexcept { *this = std::move(other); }

RecordingWriter& RecordingWriter::operator=(RecordingWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(source_of_, other.source_of_);
  std::swap(found_, other.found_);
  std::swap(remarks_, other.remarks_);
  return *this;
}

RecordingWriter::~RecordingWriter() {
  if (file_ >= 0) {
    close(file_);
  }
}

Expected<RecordingWriter> RecordingWriter::Open(const std::string& path, const ModelIdentity& model,
                                                const LabelSpace& classes) {
  RecordingWriter writer;
  writer.path_ = path;
  writer.file_ = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (writer.file_ < 0) {
    return CannotWrite(path);
  }
  if (flock(writer.file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return Fail(ErrorCode::kUnavailable, "another process is writing the recording " + path +
                                             ": wait for it or name another");
  }
  const Expected<std::string> text = ReadFileText(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  // What is read is what lies there byte for byte, or nothing can be appended.
  std::error_code error;
  if (std::filesystem::file_size(path, error) != text->size() && !error) {
    return Fail(ErrorCode::kUnsupported,
                path + " is gzipped: unpack it to go on recording, or name another file");
  }
  LineReader lines(path, *text);
  const Expected<std::optional<Header>> header = ReadHeader(lines, path, *text);
  if (!header) {
    return Fail(header.error().code, header.error().message + "; it is left as it is");
  }
  if (!*header) {
    if (!text->empty()) {
      writer.remarks_.push_back(path + " held only a cut header: begun anew");
    }
    if (ftruncate(writer.file_, 0) != 0 || !WriteAll(writer.file_, HeaderLine(model, classes))) {
      return CannotWrite(path);
    }
    return writer;
  }
  std::string difference = Difference((*header)->model, model);
  if ((*header)->classes != classes) {
    difference += difference.empty() ? "" : "; ";
    difference += "classes: " + std::to_string((*header)->classes.size()) + " ≠ " +
                  std::to_string(classes.size()) + " or other names";
  }
  if (!difference.empty()) {
    return Fail(ErrorCode::kInvalidInput, path + " was recorded otherwise (" + difference +
                                              "): name another file, or remove this one");
  }
  while (true) {
    const Expected<std::optional<json>> object = lines.Next();
    if (!object) {
      return tl::unexpected(object.error());
    }
    if (!*object) {
      break;
    }
    const Expected<RecordedFrame> frame = ReadFrame(**object, lines, classes.size());
    if (!frame) {
      return tl::unexpected(frame.error());
    }
    writer.source_of_.emplace(KeyOf(frame->name, frame->region), frame->source);
  }
  writer.found_ = writer.source_of_.size();
  if (lines.cut()) {
    writer.remarks_.push_back(lines.CutRemark());
    if (ftruncate(writer.file_, static_cast<off_t>(lines.consumed())) != 0) {
      return CannotWrite(path);
    }
  } else if (!text->ends_with('\n') && !WriteAll(writer.file_, "\n")) {
    return CannotWrite(path);
  }
  return writer;
}

bool RecordingWriter::Has(std::string_view name, RegionId region) const {
  return source_of_.contains(KeyOf(name, region));
}

std::string RecordingWriter::SourceOf(std::string_view name, RegionId region) const {
  const auto found = source_of_.find(KeyOf(name, region));
  return found == source_of_.end() ? std::string() : found->second;
}

Expected<void> RecordingWriter::Append(const RecordedFrame& frame) {
  assert(!Has(frame.name, frame.region));
  if (!WriteAll(file_, FrameLine(frame))) {
    return CannotWrite(path_);
  }
  source_of_.emplace(KeyOf(frame.name, frame.region), AsUtf8(frame.source));
  return {};
}

}  // namespace nearfar
