#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_fields.h"
#include "data/text.h"
#include "data/track_rows.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

/// Frames a second of PANDA's videos where no seqinfo.json says otherwise.
constexpr double kPandaFps = 2;

/// Numbers the stills as they come.
class StillNumbers {
 public:
  explicit StillNumbers(TrackRows& rows) : rows_(rows) {}
  long Of(std::string_view image) {
    const std::string name = NameOf(image);
    const auto [found, added] = number_of_.emplace(name, static_cast<long>(rows_.names.size()));
    if (added) {
      rows_.names.push_back(name);
      rows_.Span(found->second);
    }
    return found->second;
  }
  bool Has(std::string_view image) const { return number_of_.contains(NameOf(image)); }

 private:
  TrackRows& rows_;
  std::map<std::string, long> number_of_;
};

/// A rectangle {"tl": {"x", "y"}, "br": {"x", "y"}} with coordinates in [0, 1], cut there.
template <typename Json>
std::string ReadRect(const Json& object, Size size, Box& box) {
  if (!object.is_object()) {
    return ": expected a rectangle {\"tl\": {\"x\", \"y\"}, \"br\": {\"x\", \"y\"}}";
  }
  std::array<double, 4> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const char* corner = i < 2 ? "tl" : "br";
    const char* axis = i % 2 == 0 ? "x" : "y";
    const auto found = object.find(corner);
    if (found == object.end() || !found->is_object() || !found->contains(axis) ||
        !(*found)[axis].is_number()) {
      return std::string(".") + corner + "." + axis + ": expected a number in [0, 1]";
    }
    values[i] = std::clamp((*found)[axis].template get<double>(), 0.0, 1.0);
  }
  const double width = size.width;
  const double height = size.height;
  box = {static_cast<float>(values[0] * width), static_cast<float>(values[1] * height),
         static_cast<float>(values[2] * width), static_cast<float>(values[3] * height)};
  return {};
}

Expected<json> ParseJson(const std::string& path, std::string_view text) {
  json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) {
    return Fail(ErrorCode::kInvalidInput, path + ": is no JSON, or a cut one");
  }
  return parsed;
}

std::string ReadImageSize(const json& object, const char* key, Size& size) {
  const json* holder = &object;
  if (*key != '\0') {
    if (!object.is_object() || !object.contains(key)) {
      return std::string(": has no \"") + key + "\"";
    }
    holder = &object[key];
  }
  JsonFields<json> fields(*holder);
  fields.Require("width", size.width).Require("height", size.height);
  if (!fields.ok()) {
    return std::string(".") + key + fields.error();
  }
  return size.width > 0 && size.height > 0 && size.width <= 1000000 && size.height <= 1000000
             ? std::string()
             : std::string(".") + key + ": expected a width and height of at least 1";
}

/// One entry of "objects list".
std::string ReadObject(const json& object, Size size, PandaBody body, TrackedBox& read) {
  if (!object.is_object() || !object.contains("category") || !object["category"].is_string()) {
    return ": has no \"category\"";
  }
  if (object["category"] != "person" || !object.contains("rects")) {
    // Fake persons, groups and crowds have one rectangle; so have persons in results.
    read.difficult = object["category"] != "person";
    if (!object.contains("rect")) {
      return ": has neither \"rects\" nor \"rect\"";
    }
    const std::string error = ReadRect(object["rect"], size, read.box);
    return error.empty() ? error : ".rect" + error;
  }
  const json& rects = object["rects"];
  std::map<std::string, Box> boxes;
  for (const char* part : {"full body", "visible body", "head"}) {
    if (!rects.is_object() || !rects.contains(part)) {
      return std::string(".rects: has no \"") + part + "\"";
    }
    if (std::string error = ReadRect(rects[part], size, boxes[part]); !error.empty()) {
      return std::string(".rects.") + part + error;
    }
  }
  const Box& full = boxes["full body"];
  read.visibility =
      full.area() > 0 ? std::clamp(boxes["visible body"].area() / full.area(), 0.0F, 1.0F) : 1.0F;
  read.box = body == PandaBody::kFull      ? full
             : body == PandaBody::kVisible ? boxes["visible body"]
                                           : boxes["head"];
  return {};
}

/// person_bbox_*.json: {path of the image: {"image size", "objects list"}}
Expected<TrackRows> ReadStills(const std::string& path, const json& parsed,
                               const TracksOptions& options) {
  TrackRows rows{.name = NameOf(NameOf(path)), .frame = options.frame, .stills = true};
  // By "image id", which is the order of the data set; by path where it is missing or the same.
  std::vector<std::pair<long, std::string>> order;
  for (const auto& [image, annotation] : parsed.items()) {
    long id = 0;
    if (annotation.is_object()) {
      JsonFields<json> fields(annotation);
      fields.Read("image id", id);
    }
    order.emplace_back(id, image);
  }
  std::sort(order.begin(), order.end());
  StillNumbers numbers(rows);
  std::size_t empty = 0;
  std::size_t scaled = 0;
  for (const auto& [id, image] : order) {
    const json& annotation = parsed[image];
    Size size;
    std::string error = ReadImageSize(annotation, "image size", size);
    if (error.empty() &&
        (!annotation.contains("objects list") || !annotation["objects list"].is_array())) {
      error = ": has no \"objects list\"";
    }
    if (error.empty() && numbers.Has(image)) {
      error = ": another image has the same file name";
    }
    if (!error.empty()) {
      return Fail(ErrorCode::kInvalidInput, path + ": \"" + image + "\"" + error);
    }
    const long number = numbers.Of(image);
    if (rows.frame.area() == 0) {
      rows.frame = size;
    }
    // One size for all: the rectangles are shares of it.
    scaled += size != rows.frame ? 1 : 0;
    std::vector<TrackedBox>& boxes = rows.boxes[number];
    std::size_t place = 0;
    for (const json& object : annotation["objects list"]) {
      TrackedBox box;
      error = ReadObject(object, rows.frame, options.panda_body, box);
      if (!error.empty()) {
        return Fail(ErrorCode::kInvalidInput, path + ": \"" + image + "\".\"objects list\"[" +
                                                  std::to_string(place) + "]" + error);
      }
      ++place;
      if (box.box.area() > 0) {
        boxes.push_back(box);
      } else {
        ++empty;
      }
    }
  }
  if (scaled > 0) {
    rows.remarks.push_back(
        std::to_string(scaled) + " images have another size: their boxes are scaled to " +
        std::to_string(rows.frame.width) + "x" + std::to_string(rows.frame.height));
  }
  if (empty > 0) {
    rows.remarks.push_back(std::to_string(empty) + " boxes without width or height: left out");
  }
  return rows;
}

/// tracks.json: [{"track id", "frames": [{"frame id", "rect", "occlusion"}]}], seqinfo.json beside.
Expected<TrackRows> ReadVideo(const std::string& path, const json& parsed,
                              const TracksOptions& options) {
  TrackRows rows{.name = fs::absolute(path).lexically_normal().parent_path().filename().string(),
                 .fps = kPandaFps};
  const std::string info_path = (fs::path(path).parent_path() / "seqinfo.json").string();
  std::error_code ignored;
  if (fs::exists(info_path, ignored)) {
    const Expected<std::string> text = ReadFileText(info_path);
    const Expected<json> info =
        text ? ParseJson(info_path, *text) : Expected<json>(tl::unexpected(text.error()));
    if (!info) {
      return tl::unexpected(info.error());
    }
    JsonFields<json> fields(*info);
    long length = 0;
    fields.Read("name", rows.name)
        .Read("frameRate", rows.fps)
        .Read("seqLength", length)
        .Require("imWidth", rows.frame.width)
        .Require("imHeight", rows.frame.height);
    if (!fields.ok() || rows.frame.width < 1 || rows.frame.height < 1 || !(rows.fps > 0)) {
      return Fail(ErrorCode::kInvalidInput,
                  info_path + (fields.ok() ? ": imWidth, imHeight or frameRate is below 1"
                                           : fields.error()));
    }
    if (length > 0 && !(rows.Span(1) && rows.Span(length))) {
      return Fail(
          ErrorCode::kLimitExceeded,
          info_path + ": seqLength is " + std::to_string(length) + "; the limit is 1000000 frames");
    }
  } else if (options.frame.area() == 0) {
    return Fail(ErrorCode::kNotFound,
                path +
                    ": its rectangles are shares of the frame: put seqinfo.json beside it or "
                    "name the frame's size");
  }
  if (options.frame.area() > 0) {
    rows.frame = options.frame;
  }
  std::size_t empty = 0;
  std::size_t track_place = 0;
  for (const json& track : parsed) {
    const std::string at = path + ": [" + std::to_string(track_place++) + "]";
    TrackedBox box;
    JsonFields<json> fields(track);
    fields.Require("track id", box.track);
    if (!fields.ok()) {
      return Fail(ErrorCode::kInvalidInput, at + fields.error());
    }
    if (!track.contains("frames") || !track["frames"].is_array()) {
      return Fail(ErrorCode::kInvalidInput, at + ": has no \"frames\"");
    }
    std::size_t place = 0;
    for (const json& frame : track["frames"]) {
      const std::string in = at + ".frames[" + std::to_string(place++) + "]";
      long number = 0;
      JsonFields<json> frame_fields(frame);
      frame_fields.Require("frame id", number);
      std::string error = frame_fields.error();
      if (error.empty() && number < 0) {
        error = ".\"frame id\": expected a whole number from 0 on";
      }
      if (error.empty() && !frame.contains("rect")) {
        error = ": has no \"rect\"";
      }
      if (error.empty()) {
        error = ReadRect(frame["rect"], rows.frame, box.box);
        error = error.empty() ? error : ".rect" + error;
      }
      if (!error.empty()) {
        return Fail(ErrorCode::kInvalidInput, in + error);
      }
      if (!rows.Span(number)) {
        return Fail(ErrorCode::kLimitExceeded, in + ": frame " + std::to_string(number) +
                                                   " is more than 1000000 frames from others");
      }
      if (box.box.area() > 0) {
        rows.boxes[number].push_back(box);
      } else {
        ++empty;
      }
    }
  }
  if (empty > 0) {
    rows.remarks.push_back(std::to_string(empty) + " boxes without width or height: left out");
  }
  return rows;
}

}  // namespace

Expected<TrackRows> ReadPandaTable(const std::string& path, std::string_view text) {
  TrackRows rows{.name = NameOf(NameOf(path)), .stills = true, .clipped = true};
  const std::string_view head = TakeLine(text);
  const auto titles = SplitAt(head, ',');
  const std::vector<std::string_view> plain{"image", "x", "y", "w", "h"};
  const std::vector<std::string_view> scored{"image", "score", "x", "y", "w", "h"};
  if (titles != plain && titles != scored) {
    return WrongRow(path, 1,
                    "expected the head line image,x,y,w,h or image,score,x,y,w,h, got '" +
                        std::string(head.substr(0, 60)) + "'");
  }
  const bool has_score = titles.size() == scored.size();
  StillNumbers numbers(rows);
  std::size_t empty = 0;
  for (int line = 2; !text.empty(); ++line) {
    const std::string_view row = TakeLine(text);
    if (Trim(row).empty()) {
      continue;
    }
    const auto fields = SplitAt(row, ',');
    std::array<float, 5> values{1};
    bool ok = fields.size() == titles.size() && !fields[0].empty();
    for (std::size_t i = 1; ok && i < fields.size(); ++i) {
      const auto value = ParseNumber(fields[i]);
      ok = value.has_value();
      values[has_score ? i - 1 : i] = static_cast<float>(value.value_or(0));
    }
    if (!ok) {
      return WrongRow(
          path, line,
          "expected " + std::string(head) + ", got '" + std::string(row.substr(0, 60)) + "'");
    }
    const auto [score, x, y, w, h] = values;
    const long number = numbers.Of(fields[0]);
    if (w > 0 && h > 0) {
      rows.boxes[number].push_back({.box = {x, y, x + w, y + h}, .score = score});
    } else {
      ++empty;
    }
  }
  if (empty > 0) {
    rows.remarks.push_back(std::to_string(empty) + " boxes without width or height: left out");
  }
  return rows;
}

Expected<TrackRows> ReadPandaJson(const std::string& path, std::string_view text,
                                  const TracksOptions& options) {
  const Expected<json> parsed = ParseJson(path, text);
  if (!parsed) {
    return tl::unexpected(parsed.error());
  }
  if (parsed->is_object()) {
    return ReadStills(path, *parsed, options);
  }
  if (parsed->is_array()) {
    return ReadVideo(path, *parsed, options);
  }
  return Fail(ErrorCode::kInvalidInput,
              path +
                  ": expected an object by image (person_bbox_*.json) or an array of tracks "
                  "(tracks.json)");
}

}  // namespace nearfar
