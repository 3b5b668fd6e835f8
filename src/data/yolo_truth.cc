#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/image_size.h"
#include "data/read_truth.h"
#include "data/text.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// Where the parts of a YOLO set lie.
struct YoloLayout {
  std::vector<std::string> names;  ///< of the classes, in their order
  std::string names_file;
  fs::path pictures;  ///< folder, searched deeply, or a list of files
  std::string remark;
};

/// Reads the names of a data.yaml: a list, or a map from number to name.
Expected<void> ReadNames(const YAML::Node& names, YoloLayout& layout) {
  if (names && names.IsSequence()) {
    layout.names = names.as<std::vector<std::string>>();
    return {};
  }
  if (!names || !names.IsMap()) {
    return Fail(ErrorCode::kInvalidInput,
                layout.names_file + ": needs `names:`, a list or a map from number to name");
  }
  for (const auto& entry : names) {
    const auto number = entry.first.as<std::size_t>();
    if (number >= 100000) {
      return Fail(ErrorCode::kInvalidInput, layout.names_file + ":" +
                                                std::to_string(entry.first.Mark().line + 1) +
                                                ": a class number above 99999");
    }
    layout.names.resize(std::max(layout.names.size(), number + 1));
    layout.names[number] = entry.second.as<std::string>();
  }
  return {};
}

Expected<YoloLayout> ReadYaml(const fs::path& file, const std::string& image_set) {
  YoloLayout layout{.names_file = file.string()};
  const Expected<std::string> text = ReadFileText(file.string());
  if (!text) {
    return tl::unexpected(text.error());
  }
  try {
    const YAML::Node root = YAML::Load(*text);
    if (!root.IsMap()) {
      return Fail(ErrorCode::kInvalidInput, file.string() + ": needs `names:` and `val:`");
    }
    if (Expected<void> read = ReadNames(root["names"], layout); !read) {
      return tl::unexpected(read.error());
    }
    fs::path base = file.parent_path();
    if (root["path"]) {
      const fs::path named = root["path"].as<std::string>();
      // Written for another folder as often as not: the file's own is the second guess.
      base = fs::is_directory(base / named) ? base / named : base;
    }
    for (const std::string& set : image_set.empty()
                                      ? std::vector<std::string>{"val", "test", "train"}
                                      : std::vector<std::string>{image_set}) {
      if (!root[set]) {
        continue;
      }
      if (!root[set].IsScalar()) {
        return Fail(ErrorCode::kUnsupported,
                    file.string() + ": `" + set + ":` names several folders: name one of them");
      }
      const std::string value = root[set].as<std::string>();
      layout.pictures = base / value;
      // "../val/images" is written by some exporters for what lies at "val/images".
      if (!fs::exists(layout.pictures) && value.starts_with("../")) {
        layout.pictures = base / value.substr(3);
      }
      layout.remark = image_set.empty() ? "read the set `" + set + "` of " + file.string() : "";
      if (!fs::exists(layout.pictures)) {
        return Fail(ErrorCode::kNotFound,
                    file.string() + ":" + std::to_string(root[set].Mark().line + 1) + ": `" + set +
                        ":` names " + layout.pictures.string() + ", which is not there");
      }
      return layout;
    }
    if (!image_set.empty()) {
      return Fail(ErrorCode::kNotFound, file.string() + ": has no set `" + image_set + ":`");
    }
    layout.pictures = fs::is_directory(base / "images") ? base / "images" : base;
    return layout;
  } catch (const YAML::Exception& error) {
    return Fail(ErrorCode::kInvalidInput,
                file.string() + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
}

Expected<YoloLayout> FindParts(const fs::path& path, const std::string& image_set) {
  if (!fs::is_directory(path)) {
    if (path.extension() == ".yaml" || path.extension() == ".yml") {
      return ReadYaml(path, image_set);
    }
    return FindParts(path.parent_path(), image_set);
  }
  for (const char* name : {"data.yaml", "data.yml", "dataset.yaml"}) {
    if (fs::exists(path / name)) {
      return ReadYaml(path / name, image_set);
    }
  }
  for (const fs::path& file :
       {path / "classes.txt", path / "labels" / "classes.txt", path / "obj.names"}) {
    if (!fs::exists(file)) {
      continue;
    }
    const Expected<std::string> text = ReadFileText(file.string());
    if (!text) {
      return tl::unexpected(text.error());
    }
    YoloLayout layout{.names_file = file.string()};
    std::string_view rest = *text;
    while (!rest.empty()) {
      if (const std::string_view name = Trim(TakeLine(rest)); !name.empty()) {
        layout.names.emplace_back(name);
      }
    }
    layout.pictures = fs::is_directory(path / "images") ? path / "images" : path;
    if (!image_set.empty()) {
      layout.pictures /= image_set;
    }
    return layout;
  }
  return Fail(ErrorCode::kNotFound,
              path.string() +
                  ": a YOLO set needs the class names, in data.yaml (`names:`) "
                  "or classes.txt (one a line)");
}

Expected<std::vector<fs::path>> ListPictures(const fs::path& where) {
  std::vector<fs::path> pictures;
  if (where.extension() == ".txt") {
    const Expected<std::string> text = ReadFileText(where.string());
    if (!text) {
      return tl::unexpected(text.error());
    }
    std::string_view rest = *text;
    while (!rest.empty()) {
      if (const std::string_view line = Trim(TakeLine(rest)); !line.empty()) {
        const fs::path file = std::string(line);
        pictures.push_back(file.is_absolute() ? file : where.parent_path() / file);
      }
    }
    return pictures;
  }
  std::error_code error;
  for (fs::recursive_directory_iterator it(where, error), end; !error && it != end;
       it.increment(error)) {
    if (HasImageExtension(it->path().string())) {
      pictures.push_back(it->path());
    }
  }
  std::sort(pictures.begin(), pictures.end());
  if (pictures.empty()) {
    return Fail(ErrorCode::kNotFound, "there are no pictures in " + where.string() +
                                          ": YOLO labels need them for their sizes");
  }
  return pictures;
}

/// images/…/NAME.jpg has its labels in labels/…/NAME.txt; else they lie beside the picture.
fs::path LabelsOf(const fs::path& picture) {
  fs::path beside = picture;
  beside.replace_extension(".txt");
  std::vector<fs::path> parts(beside.begin(), beside.end());
  for (std::size_t i = parts.size(); i-- > 0;) {
    if (parts[i] == "images") {
      parts[i] = "labels";
      fs::path labels;
      for (const fs::path& part : parts) {
        labels /= part;
      }
      return fs::exists(labels) || !fs::exists(beside) ? labels : beside;
    }
  }
  return beside;
}

/// The box of a label line's numbers, in parts of the image: a centre and size, or an outline.
std::optional<std::array<double, 4>> BoxOf(const std::vector<double>& numbers) {
  if (numbers.size() == 4) {
    return std::array{numbers[0] - numbers[2] / 2, numbers[1] - numbers[3] / 2,
                      numbers[0] + numbers[2] / 2, numbers[1] + numbers[3] / 2};
  }
  if (numbers.size() < 6 || numbers.size() % 2 != 0) {
    return std::nullopt;
  }
  std::array box = {numbers[0], numbers[1], numbers[0], numbers[1]};
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    box = {std::min(box[0], numbers[i]), std::min(box[1], numbers[i + 1]),
           std::max(box[2], numbers[i]), std::max(box[3], numbers[i + 1])};
  }
  return box;
}

}  // namespace

Expected<Truth> ReadYoloTruth(const std::string& path, const Synonyms& synonyms,
                              const TruthOptions& options) {
  const Expected<YoloLayout> layout = FindParts(path, options.image_set);
  if (!layout) {
    return tl::unexpected(layout.error());
  }
  const Expected<std::vector<fs::path>> pictures = ListPictures(layout->pictures);
  if (!pictures) {
    return tl::unexpected(pictures.error());
  }
  Truth truth{.classes = MakeLabelSpace(layout->names, synonyms)};
  const LabelMap map = MapLabels(layout->names, truth.classes, synonyms);
  if (!layout->remark.empty()) {
    truth.remarks.push_back(layout->remark);
  }
  std::unordered_map<std::string, std::string> seen;
  std::size_t unlabelled = 0;
  std::size_t without_area = 0;
  for (const fs::path& picture : *pictures) {
    const Expected<Size> size = ReadImageSize(picture.string());
    if (!size) {
      return tl::unexpected(size.error());
    }
    TruthImage image{.name = picture.stem().string(), .file = picture.string(), .size = *size};
    if (const auto [other, is_new] = seen.emplace(image.name, image.file); !is_new) {
      return Fail(ErrorCode::kInvalidInput,
                  "the pictures " + other->second + " and " + image.file +
                      " share a name: name one folder of them, or one set by data.yaml");
    }
    const fs::path labels = LabelsOf(picture);
    if (!fs::exists(labels)) {
      ++unlabelled;
      truth.images.push_back(std::move(image));
      continue;
    }
    const Expected<std::string> text = ReadFileText(labels.string());
    if (!text) {
      return tl::unexpected(text.error());
    }
    std::string_view rest = *text;
    for (int line = 1; !rest.empty(); ++line) {
      const auto words = SplitWords(TakeLine(rest));
      if (words.empty()) {
        continue;
      }
      const auto wrong = [&](const std::string& what) {
        return Fail(ErrorCode::kInvalidInput,
                    labels.string() + ":" + std::to_string(line) + ": " + what);
      };
      std::vector<double> numbers;
      for (const std::string_view word : words) {
        const auto number = ParseNumber(word);
        if (!number) {
          return wrong("'" + std::string(word.substr(0, 40)) + "' is no number");
        }
        numbers.push_back(*number);
      }
      const double label = numbers.front();
      if (label < 0 || label >= static_cast<double>(layout->names.size()) ||
          label != static_cast<double>(static_cast<int>(label))) {
        return wrong("class " + std::string(words[0]) + ", but " + layout->names_file + " has " +
                     std::to_string(layout->names.size()) + " classes");
      }
      numbers.erase(numbers.begin());
      const auto box = BoxOf(numbers);
      if (!box) {
        return wrong("expected `class x y width height` or an outline, got " +
                     std::to_string(words.size()) + " numbers" +
                     (words.size() == 6 ? " (a sixth is a score: detections are no truth)" : ""));
      }
      if (std::any_of(box->begin(), box->end(), [](double v) { return v < -1 || v > 2; })) {
        return wrong("coordinates are parts of the image, from 0 to 1");
      }
      const Box scaled{static_cast<float>((*box)[0] * size->width),
                       static_cast<float>((*box)[1] * size->height),
                       static_cast<float>((*box)[2] * size->width),
                       static_cast<float>((*box)[3] * size->height)};
      if (scaled.area() <= 0) {
        ++without_area;
        continue;
      }
      image.objects.push_back(
          {.box = scaled, .label = map.label_of[static_cast<std::size_t>(label)]});
    }
    truth.images.push_back(std::move(image));
  }
  if (unlabelled == truth.images.size()) {
    return Fail(ErrorCode::kNotFound, "no picture of " + layout->pictures.string() +
                                          " has a label file; for the first it was looked for at " +
                                          LabelsOf(pictures->front()).string());
  }
  if (unlabelled > 0) {
    truth.remarks.push_back(std::to_string(unlabelled) +
                            " images have no label file: taken as images without objects");
  }
  if (without_area > 0) {
    truth.remarks.push_back(std::to_string(without_area) +
                            " objects have a box without area: left out");
  }
  return truth;
}

}  // namespace nearfar
