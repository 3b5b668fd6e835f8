#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/json_fields.h"
#include "data/coco.h"
#include "data/read_truth.h"
#include "data/text.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Fields = JsonFields<json>;

/// What stands behind "[json.exception...] " in the library's messages.
std::string PlainMessage(const std::exception& error) {
  const std::string message = error.what();
  const std::size_t end = message.find("] ");
  return end == std::string::npos ? message : message.substr(end + 2);
}

Expected<fs::path> FindInstances(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    return path;
  }
  std::vector<std::string> files;
  for (const fs::path& folder : {path / "annotations", path}) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (it->path().extension() == ".json" &&
          (name.starts_with("instances") || name.starts_with("_annotations.coco"))) {
        files.push_back(it->path().string());
      }
    }
  }
  std::sort(files.begin(), files.end());
  if (files.size() != 1) {
    return Fail(files.empty() ? ErrorCode::kNotFound : ErrorCode::kInvalidInput,
                files.empty()
                    ? "there is no instances_*.json in " + path.string() +
                          " or its annotations/: name the JSON file"
                    : path.string() + " holds several sets: name one of " + ListNames(files, 8));
  }
  return fs::path(files[0]);
}

/// Finds the folder of the pictures by trying where sets usually keep them.
class PictureFolder {
 public:
  explicit PictureFolder(const fs::path& instances) {
    const fs::path here = instances.parent_path();
    const fs::path root = here.filename() == "annotations" ? here.parent_path() : here;
    const std::string stem = instances.stem().string();
    const std::string set = stem.starts_with("instances_") ? stem.substr(10) : stem;
    candidates_ = {root / set, root / "images" / set, root / "images", here, root};
  }

  std::string Find(const std::string& file_name) {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      std::error_code error;
      if (fs::path file = candidates_[i] / file_name; fs::exists(file, error)) {
        std::swap(candidates_[0], candidates_[i]);  // the next one lies there too
        return file.string();
      }
    }
    return {};
  }

 private:
  std::vector<fs::path> candidates_;
};

struct CocoImage {
  std::int64_t id = 0;
  std::string file_name;
  Size size;
};

struct CocoAnnotation {
  std::int64_t image = 0;
  std::int64_t category = 0;
  std::vector<float> bbox;
  float area = -1;
  int crowd = 0;
  std::int64_t track = -1;
};

struct Instances {
  std::vector<CocoImage> images;
  std::vector<CocoAnnotation> annotations;
  std::vector<std::pair<std::int64_t, std::string>> categories;
};

Expected<Instances> ReadInstances(const std::string& path) {
  const Expected<std::string> text = ReadFileText(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  json document;
  try {
    // Outlines are most of such a file and are not wanted: dropped while parsing.
    document = json::parse(*text, [](int /*depth*/, json::parse_event_t event, json& parsed) {
      return event != json::parse_event_t::key || parsed != "segmentation";
    });
  } catch (const json::exception& error) {
    return Fail(ErrorCode::kInvalidInput, path + ": broken JSON (" + PlainMessage(error) +
                                              "): the file may be cut off; fetch it again");
  }
  if (!document.is_object() || !document.contains("images") || !document.contains("categories") ||
      !document.contains("annotations")) {
    return Fail(
        ErrorCode::kInvalidInput,
        path +
            ": no COCO instances file: it needs \"images\", \"annotations\" and "
            "\"categories\"" +
            (document.is_array() ? " (this looks like COCO results, that is detections)" : ""));
  }
  Instances instances;
  Fields fields(document);
  fields
      .Read("images", instances.images,
            [](const json& object, CocoImage& image) {
              std::string error = Fields(object)
                                      .Require("id", image.id)
                                      .Require("file_name", image.file_name)
                                      .Require("width", image.size.width)
                                      .Require("height", image.size.height)
                                      .error();
              const bool sized = image.size.width > 0 && image.size.height > 0;
              return error.empty() && !sized ? ": expected a width and a height above 0" : error;
            })
      .Read("categories", instances.categories,
            [](const json& object, std::pair<std::int64_t, std::string>& category) {
              return Fields(object)
                  .Require("id", category.first)
                  .Require("name", category.second)
                  .error();
            })
      .Read("annotations", instances.annotations,
            [](const json& object, CocoAnnotation& annotation) {
              std::string error = Fields(object)
                                      .Require("image_id", annotation.image)
                                      .Require("category_id", annotation.category)
                                      .Require("bbox", annotation.bbox)
                                      .Read("area", annotation.area)
                                      .Read("iscrowd", annotation.crowd)
                                      .Read("track_id", annotation.track)
                                      .error();
              if (error.empty() && annotation.bbox.size() != 4) {
                error = ".bbox: expected [x, y, width, height]";
              }
              return error;
            });
  if (!fields.ok()) {
    return Fail(ErrorCode::kInvalidInput, path + ": " + fields.error().substr(1));
  }
  return instances;
}

/// Numbers and names of an instances file, with names unique.
Expected<CocoCatalog> CatalogOf(const Instances& instances, const std::string& path,
                                const Synonyms& synonyms) {
  CocoCatalog catalog;
  std::vector<std::string> names;
  for (const auto& [id, name] : instances.categories) {
    names.push_back(name);
  }
  catalog.classes = MakeLabelSpace(names, synonyms);
  for (const auto& [id, name] : instances.categories) {
    const int label = catalog.classes.Find(synonyms.Canonical(name));
    if (!catalog.label_of_category.emplace(id, label).second) {
      return Fail(ErrorCode::kInvalidInput,
                  path + ": two categories have the id " + std::to_string(id));
    }
    catalog.category_of_label.emplace(label, id);
  }
  std::unordered_map<std::string, std::string> seen;
  for (std::size_t i = 0; i < instances.images.size(); ++i) {
    const CocoImage& image = instances.images[i];
    const std::string name = NameOf(image.file_name);
    if (!catalog.index_of_image.emplace(image.id, i).second) {
      return Fail(ErrorCode::kInvalidInput,
                  path + ": two images have the id " + std::to_string(image.id));
    }
    if (const auto [other, is_new] = seen.emplace(name, image.file_name); !is_new) {
      return Fail(ErrorCode::kInvalidInput,
                  path + ": the images " + other->second + " and " + image.file_name +
                      " share the name '" + name +
                      "': names without folder and extension must differ");
    }
    catalog.images.push_back({image.id, name, image.file_name, image.size});
  }
  return catalog;
}

}  // namespace

Expected<CocoCatalog> ReadCocoCatalog(const std::string& path, const Synonyms& synonyms) {
  const Expected<fs::path> file = FindInstances(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  const Expected<Instances> instances = ReadInstances(file->string());
  if (!instances) {
    return tl::unexpected(instances.error());
  }
  return CatalogOf(*instances, file->string(), synonyms);
}

Expected<Truth> ReadCocoTruth(const std::string& path, const Synonyms& synonyms) {
  const Expected<fs::path> file = FindInstances(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  const Expected<Instances> instances = ReadInstances(file->string());
  if (!instances) {
    return tl::unexpected(instances.error());
  }
  const Expected<CocoCatalog> catalog = CatalogOf(*instances, file->string(), synonyms);
  if (!catalog) {
    return tl::unexpected(catalog.error());
  }
  Truth truth{.classes = catalog->classes};
  PictureFolder folder(*file);
  for (const CocoCatalog::Image& image : catalog->images) {
    truth.images.push_back(
        {.name = image.name, .file = folder.Find(image.file), .size = image.size});
  }
  std::size_t without_area = 0;
  for (std::size_t i = 0; i < instances->annotations.size(); ++i) {
    const CocoAnnotation& annotation = instances->annotations[i];
    const auto image = catalog->index_of_image.find(annotation.image);
    const auto category = catalog->label_of_category.find(annotation.category);
    if (image == catalog->index_of_image.end() || category == catalog->label_of_category.end()) {
      const bool no_image = image == catalog->index_of_image.end();
      return Fail(ErrorCode::kInvalidInput,
                  file->string() + ": annotations[" + std::to_string(i) + "] names the " +
                      (no_image ? "image " + std::to_string(annotation.image)
                                : "category " + std::to_string(annotation.category)) +
                      ", which the file does not list");
    }
    const std::vector<float>& b = annotation.bbox;
    if (!(b[2] > 0 && b[3] > 0)) {
      ++without_area;
      continue;
    }
    truth.images[image->second].objects.push_back({.box = {b[0], b[1], b[0] + b[2], b[1] + b[3]},
                                                   .label = category->second,
                                                   .crowd = annotation.crowd != 0,
                                                   .area = annotation.area,
                                                   .track = annotation.track});
  }
  if (without_area > 0) {
    truth.remarks.push_back(std::to_string(without_area) +
                            " objects have a box without area: left out");
  }
  return truth;
}

}  // namespace nearfar
