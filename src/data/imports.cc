#include "data/imports.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/json_fields.h"
#include "data/text.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The lowest score of all boxes, rounded down to a hundredth, below that to a thousandth.
double ScoreFloorOf(const std::vector<RecordedFrame>& frames) {
  double lowest = 1;
  bool any = false;
  for (const RecordedFrame& frame : frames) {
    for (const Detection& detection : frame.detections) {
      lowest = std::min(lowest, static_cast<double>(detection.score));
      any = true;
    }
  }
  if (!any) {
    return 0;
  }
  constexpr double kSlack = 1e-6;  // 0.01 as a float lies a little below 0.01
  const double steps = lowest >= 0.01 - kSlack ? 100 : 1000;
  return std::max(0.0, std::floor((lowest + kSlack) * steps) / steps);
}

/// Puts what every import has in common into a recording whose boxes are in place.
void Finish(Recording& recording, const std::string& path, const Synonyms& synonyms) {
  for (RecordedFrame& frame : recording.frames) {
    std::stable_sort(frame.detections.begin(), frame.detections.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
  }
  fs::path name = fs::path(path).lexically_normal();
  name = name.filename().empty() ? name.parent_path() : name;
  recording.model = {.name = name.stem().string(),
                     .score_floor = ScoreFloorOf(recording.frames),
                     .label_map = synonyms.version()};
  if (recording.model.score_floor > 0.05) {
    char floor[16];
    std::snprintf(floor, sizeof floor, "%.2f", recording.model.score_floor);
    recording.remarks.push_back(path + ": the lowest score is " + floor +
                                ": discriminators that read lower scores will see nothing there");
  }
}

std::vector<RecordedFrame> FramesOf(std::span<const ListedImage> images) {
  std::vector<RecordedFrame> frames;
  frames.reserve(images.size());
  for (const ListedImage& image : images) {
    frames.push_back({.name = image.name,
                      .index = frames.size(),
                      .rect = WholeOf(image.size),
                      .size = image.size});
  }
  return frames;
}

/// One file of the devkit's: its set and class.
struct Comp4File {
  fs::path path;
  std::string set;
  std::string name;
};

Expected<std::vector<Comp4File>> ListComp4(const std::string& folder) {
  std::vector<Comp4File> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().stem().string();
    if (it->path().extension() != ".txt" ||
        !(name.starts_with("comp4_det_") || name.starts_with("comp3_det_"))) {
      continue;
    }
    const std::size_t underscore = name.find('_', 10);
    if (underscore == std::string::npos || underscore + 1 == name.size()) {
      return Fail(ErrorCode::kInvalidInput,
                  it->path().string() + ": the devkit names its files comp4_det_SET_CLASS.txt");
    }
    files.push_back({it->path(), name.substr(0, underscore), name.substr(underscore + 1)});
  }
  if (error) {
    return Fail(ErrorCode::kIo, "cannot read the folder " + folder + ": " + error.message());
  }
  if (files.empty()) {
    return Fail(ErrorCode::kNotFound, "there are no comp4_det_SET_CLASS.txt in " + folder);
  }
  std::sort(files.begin(), files.end(),
            [](const Comp4File& a, const Comp4File& b) { return a.path < b.path; });
  for (const Comp4File& file : files) {
    if (file.set != files[0].set) {
      return Fail(ErrorCode::kInvalidInput, folder + " mixes " + files[0].set + "_* and " +
                                                file.set +
                                                "_*: put each set in a folder of its own");
    }
  }
  return files;
}

bool HasComp4(const std::string& folder) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with("comp4_det_") || name.starts_with("comp3_det_")) {
      return true;
    }
  }
  return false;
}

/// Whether a file, gzipped or not, begins with `[` after white space, as COCO results do.
Expected<bool> IsJsonArray(const std::string& path) {
  std::string start(4096, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  if (start.starts_with("\x1F\x8B")) {
    Expected<std::string> text = ReadFileText(path);
    if (!text) {
      return tl::unexpected(text.error());
    }
    start = std::move(*text);
  }
  const std::size_t at = start.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return at != std::string::npos && start[at] == '[';
}

}  // namespace

Expected<Recording> ReadComp4(const std::string& folder, std::span<const ListedImage> images,
                              const Synonyms& synonyms) {
  const Expected<std::vector<Comp4File>> files = ListComp4(folder);
  if (!files) {
    return tl::unexpected(files.error());
  }
  Recording recording{.frames = FramesOf(images)};
  std::unordered_map<std::string_view, std::size_t> index_of;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (images[i].size.area() <= 0) {
      return Fail(ErrorCode::kInvalidInput,
                  "the size of image " + images[i].name + " is unknown: give image,width,height");
    }
    index_of.emplace(images[i].name, i);
  }
  std::vector<std::string> names;
  for (const Comp4File& file : *files) {
    names.push_back(file.name);
  }
  recording.classes = MakeLabelSpace(names, synonyms);
  std::unordered_set<std::string> unlisted;
  std::size_t unlisted_boxes = 0;
  std::size_t boxes = 0;
  for (const Comp4File& file : *files) {
    const int label = recording.classes.Find(synonyms.Canonical(file.name));
    const Expected<std::string> text = ReadFileText(file.path.string());
    if (!text) {
      return tl::unexpected(text.error());
    }
    std::string_view rest = *text;
    for (int line = 1; !rest.empty(); ++line) {
      const std::string_view row = TakeLine(rest);
      const auto words = SplitWords(row);
      if (words.empty()) {
        continue;
      }
      std::array<float, 5> values{};
      bool ok = words.size() == 6;
      for (std::size_t i = 0; ok && i < values.size(); ++i) {
        const auto value = ParseNumber(words[i + 1]);
        ok = value.has_value();
        values[i] = static_cast<float>(value.value_or(0));
      }
      if (!ok) {
        return Fail(ErrorCode::kInvalidInput,
                    file.path.string() + ":" + std::to_string(line) +
                        ": expected `id score xmin ymin xmax ymax`, got '" +
                        std::string(row.substr(0, 60)) + "'" +
                        (rest.empty() ? " (the file may be cut off)" : ""));
      }
      ++boxes;
      const auto frame = index_of.find(words[0]);
      if (frame == index_of.end()) {
        unlisted.emplace(words[0]);
        ++unlisted_boxes;
        continue;
      }
      recording.frames[frame->second].detections.push_back(
          {{values[1] - 1, values[2] - 1, values[3], values[4]}, values[0], label});
    }
  }
  if (boxes > 0 && unlisted_boxes == boxes) {
    return Fail(ErrorCode::kInvalidInput, "no image in the files of " + folder + " is among the " +
                                              std::to_string(images.size()) +
                                              " listed ones (it has " +
                                              ListNames({unlisted.begin(), unlisted.end()}, 2) +
                                              "): give the images that were looked at");
  }
  if (unlisted_boxes > 0) {
    recording.remarks.push_back(folder + ": " + std::to_string(unlisted_boxes) + " boxes in " +
                                std::to_string(unlisted.size()) +
                                " images that are not listed: left out");
  }
  Finish(recording, folder, synonyms);
  return recording;
}

Expected<Recording> ReadCocoResults(const std::string& path, const CocoCatalog& catalog,
                                    const Synonyms& synonyms) {
  const Expected<std::string> text = ReadFileText(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  std::vector<ListedImage> images;
  for (const CocoCatalog::Image& image : catalog.images) {
    images.push_back({image.name, image.size});
  }
  Recording recording{.classes = catalog.classes, .frames = FramesOf(images)};
  std::string wrong;
  std::size_t count = 0;
  const auto read_result = [&](const json& object) -> std::string {
    std::int64_t image = 0;
    std::int64_t category = 0;
    std::vector<float> b;
    float score = 0;
    JsonFields<json> fields(object);
    fields.Require("image_id", image)
        .Require("category_id", category)
        .Require("bbox", b)
        .Require("score", score);
    if (!fields.ok()) {
      return fields.error();
    }
    if (b.size() != 4) {
      return ".bbox: expected [x, y, width, height]";
    }
    const auto frame = catalog.index_of_image.find(image);
    const auto label = catalog.label_of_category.find(category);
    if (frame == catalog.index_of_image.end()) {
      return ".image_id: the instances file has no image " + std::to_string(image);
    }
    if (label == catalog.label_of_category.end()) {
      return ".category_id: the instances file has no category " + std::to_string(category);
    }
    recording.frames[frame->second].detections.push_back(
        {{b[0], b[1], b[0] + b[2], b[1] + b[3]}, score, label->second});
    return {};
  };
  try {
    // Each result is taken over and dropped as soon as it is read: the file may be large.
    const json document =
        json::parse(*text, [&](int depth, json::parse_event_t event, json& parsed) {
          if (depth == 1 && event == json::parse_event_t::object_end) {
            if (wrong.empty()) {
              wrong = read_result(parsed);
              wrong = wrong.empty() ? "" : "[" + std::to_string(count) + "]" + wrong;
            }
            ++count;
            return false;
          }
          return true;
        });
    if (!document.is_array()) {
      wrong = ": expected an array of {image_id, category_id, bbox, score}";
    } else if (!document.empty() && wrong.empty()) {
      wrong = ": holds something else than {image_id, category_id, bbox, score}";
    }
  } catch (const json::exception& error) {
    const std::string message = error.what();
    const std::size_t end = message.find("] ");
    return Fail(ErrorCode::kInvalidInput,
                path + ": broken JSON (" +
                    (end == std::string::npos ? message : message.substr(end + 2)) +
                    "): the file may be cut off");
  }
  if (!wrong.empty()) {
    return Fail(ErrorCode::kInvalidInput, path + wrong);
  }
  Finish(recording, path, synonyms);
  return recording;
}

Expected<Recording> OpenRecording(const std::string& path, const std::string& images,
                                  const Synonyms& synonyms) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return Fail(ErrorCode::kNotFound, "there is no recording at " + path);
  }
  if (fs::is_directory(path, error)) {
    if (!HasComp4(path)) {
      return Fail(
          ErrorCode::kUnsupported,
          "the folder " + path + " holds no comp4_det_SET_CLASS.txt; a recording is a file");
    }
    std::string list = images;
    std::vector<std::string> remarks;
    const fs::path folder = fs::absolute(path / fs::path()).lexically_normal().parent_path();
    for (const fs::path& place : {folder, folder.parent_path()}) {
      if (list.empty() && fs::exists(place / "images.csv", error)) {
        list = (place / "images.csv").string();
        remarks.push_back(path + ": the images and their sizes are those of " + list);
      }
    }
    if (list.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  "the detections in " + path +
                      " do not say which images were looked at: give a VOC folder or a CSV "
                      "image,width,height");
    }
    const Expected<std::vector<ListedImage>> listed = ReadImageList(list, synonyms);
    if (!listed) {
      return tl::unexpected(listed.error());
    }
    Expected<Recording> recording = ReadComp4(path, *listed, synonyms);
    if (recording) {
      recording->remarks.insert(recording->remarks.begin(), remarks.begin(), remarks.end());
    }
    return recording;
  }
  const Expected<bool> is_array = IsJsonArray(path);
  if (!is_array) {
    return tl::unexpected(is_array.error());
  }
  if (!*is_array) {
    return ReadRecording(path);
  }
  if (images.empty()) {
    return Fail(ErrorCode::kInvalidInput, "the COCO results " + path +
                                              " do not say which images were looked at: give their "
                                              "instances JSON");
  }
  const Expected<CocoCatalog> catalog = ReadCocoCatalog(images, synonyms);
  if (!catalog) {
    return tl::unexpected(catalog.error());
  }
  return ReadCocoResults(path, *catalog, synonyms);
}

}  // namespace nearfar
