#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <pugixml.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "data/image_size.h"
#include "data/read_truth.h"
#include "data/text.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// Where the parts of a VOC set lie.
struct VocLayout {
  fs::path annotations;
  fs::path pictures;
  fs::path list;  ///< file with the names to be read; empty: all
};

std::vector<fs::path> ListFiles(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == extension) {
      files.push_back(it->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

Expected<fs::path> FindSet(const fs::path& root, const std::string& image_set) {
  const fs::path main = root / "ImageSets" / "Main";
  const fs::path list = main / (image_set + ".txt");
  if (fs::exists(list)) {
    return list;
  }
  std::vector<std::string> names;
  for (const fs::path& file : ListFiles(main, ".txt")) {
    names.push_back(file.stem().string());
  }
  return Fail(ErrorCode::kNotFound,
              "there is no image set " + list.string() +
                  (names.empty() ? "" : "; there are: " + ListNames(names, 8)));
}

Expected<VocLayout> FindParts(const fs::path& path, const std::string& image_set) {
  if (path.extension() == ".txt") {
    const fs::path root = path.parent_path().parent_path().parent_path();
    if (!fs::is_directory(root / "Annotations")) {
      return Fail(ErrorCode::kNotFound, "the image list " + path.string() +
                                            " belongs to ImageSets/Main/ beside a folder "
                                            "Annotations/, which is not at " +
                                            (root / "Annotations").string());
    }
    return VocLayout{root / "Annotations", root / "JPEGImages", path};
  }
  fs::path root = path;
  if (!fs::is_directory(root / "Annotations")) {
    std::vector<std::string> years;
    for (const fs::path& base : {path, path / "VOCdevkit"}) {
      std::error_code error;
      for (fs::directory_iterator it(base, error), end; !error && it != end; it.increment(error)) {
        if (fs::is_directory(it->path() / "Annotations")) {
          years.push_back(it->path().string());
        }
      }
    }
    std::sort(years.begin(), years.end());
    if (years.size() > 1) {
      return Fail(ErrorCode::kInvalidInput,
                  path.string() + " holds several sets: name one of " + ListNames(years, 8));
    }
    root = years.empty() ? path : fs::path(years[0]);
  }
  VocLayout layout;
  if (fs::is_directory(root / "Annotations")) {
    layout = {root / "Annotations", root / "JPEGImages", {}};
    if (!fs::is_directory(layout.pictures)) {
      layout.pictures = fs::is_directory(root / "images") ? root / "images" : root;
    }
  } else {
    layout = {root, root, {}};
    if (fs::is_directory(root.parent_path() / "JPEGImages")) {
      layout.pictures = root.parent_path() / "JPEGImages";
      root = root.parent_path();
    }
  }
  if (!image_set.empty()) {
    const Expected<fs::path> list = FindSet(root, image_set);
    if (!list) {
      return tl::unexpected(list.error());
    }
    layout.list = *list;
  }
  return layout;
}

Expected<std::vector<fs::path>> FindAnnotations(const VocLayout& layout) {
  if (layout.list.empty()) {
    std::vector<fs::path> files = ListFiles(layout.annotations, ".xml");
    if (files.empty()) {
      return Fail(ErrorCode::kNotFound,
                  "there are no VOC annotations (*.xml) in " + layout.annotations.string());
    }
    return files;
  }
  const Expected<std::string> text = ReadFileText(layout.list.string());
  if (!text) {
    return tl::unexpected(text.error());
  }
  std::vector<fs::path> files;
  std::string_view rest = *text;
  for (int line = 1; !rest.empty(); ++line) {
    const auto words = SplitWords(TakeLine(rest));
    if (words.empty()) {
      continue;
    }
    files.push_back(layout.annotations / (std::string(words[0]) + ".xml"));
    if (!fs::exists(files.back())) {
      return Fail(ErrorCode::kNotFound, layout.list.string() + ":" + std::to_string(line) +
                                            ": there is no annotation " + files.back().string());
    }
  }
  return files;
}

/// What a set's annotations lacked, counted over its files.
struct Oddities {
  int nameless = 0;  ///< objects without a name or a box
  std::string first_nameless;
  int inverted = 0;
  std::string first_inverted;
  int sizeless = 0;
  std::string first_sizeless;

  static void Count(int& count, std::string& first, const fs::path& file) {
    if (count++ == 0) {
      first = file.filename().string();
    }
  }
};

fs::path FindPicture(const fs::path& folder, const std::string& filename, const std::string& name) {
  std::error_code error;
  if (!filename.empty()) {
    const fs::path named = folder / fs::path(filename).filename();
    if (named.stem() == name && fs::exists(named, error)) {
      return named;
    }
  }
  for (const char* extension : {".jpg", ".jpeg", ".png", ".JPG", ".bmp"}) {
    if (const fs::path guess = folder / (name + extension); fs::exists(guess, error)) {
      return guess;
    }
  }
  return {};
}

struct NamedObject {
  TruthObject object;
  std::string name;
};

/// Reads one file; labels wait until all names are known.
Expected<TruthImage> ReadAnnotation(const fs::path& file, const VocLayout& layout,
                                    std::vector<NamedObject>& objects, Oddities& oddities) {
  const Expected<std::string> text = ReadFileText(file.string());
  if (!text) {
    return tl::unexpected(text.error());
  }
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(text->data(), text->size());
  if (!parsed) {
    const auto at = std::min(static_cast<std::size_t>(std::max<std::ptrdiff_t>(parsed.offset, 0)),
                             text->size());
    const auto line =
        1 + std::count(text->begin(), text->begin() + static_cast<std::ptrdiff_t>(at), '\n');
    return Fail(ErrorCode::kInvalidInput, file.string() + ":" + std::to_string(line) +
                                              ": broken XML (" + parsed.description() +
                                              "): mend or remove the file");
  }
  const pugi::xml_node annotation = document.child("annotation");
  if (!annotation) {
    return Fail(ErrorCode::kInvalidInput,
                file.string() + ": no <annotation>: this is no PASCAL VOC annotation");
  }
  TruthImage image{.name = file.stem().string()};
  image.file =
      FindPicture(layout.pictures, annotation.child("filename").text().as_string(), image.name)
          .string();
  const pugi::xml_node size = annotation.child("size");
  const auto read_size = [&](const char* key) {
    const auto number = ParseNumber(size.child(key).text().as_string());
    return number && *number >= 1 && *number < 1e6 ? static_cast<int>(*number) : 0;
  };
  image.size = {read_size("width"), read_size("height")};
  if (image.size.area() == 0) {
    const Expected<Size> measured =
        image.file.empty() ? Fail(ErrorCode::kNotFound, "") : ReadImageSize(image.file);
    image.size = measured.value_or(Size{});
    if (!measured) {
      Oddities::Count(oddities.sizeless, oddities.first_sizeless, file);
    }
  }
  int number = 0;
  for (const pugi::xml_node node : annotation.children("object")) {
    ++number;
    const std::string_view name = Trim(node.child("name").text().as_string());
    const pugi::xml_node corners = node.child("bndbox");
    std::array<float, 4> values{};
    bool complete = !name.empty();
    for (std::size_t i = 0; i < values.size() && complete; ++i) {
      static constexpr std::array kKeys = {"xmin", "ymin", "xmax", "ymax"};
      const std::string_view value = Trim(corners.child(kKeys[i]).text().as_string());
      if (value.empty()) {
        complete = false;
      } else if (const std::optional<double> parsed_value = ParseNumber(value)) {
        values[i] = static_cast<float>(*parsed_value);
      } else {
        return Fail(ErrorCode::kInvalidInput,
                    file.string() + ": object " + std::to_string(number) + ", <" + kKeys[i] +
                        ">: '" + std::string(value.substr(0, 40)) + "' is no number");
      }
    }
    if (!complete) {
      Oddities::Count(oddities.nameless, oddities.first_nameless, file);
      continue;
    }
    // Pixels counted from 1, both ends inside, to continuous coordinates.
    const Box box{values[0] - 1, values[1] - 1, values[2], values[3]};
    if (box.area() <= 0) {
      Oddities::Count(oddities.inverted, oddities.first_inverted, file);
      continue;
    }
    objects.push_back({{.box = box, .difficult = node.child("difficult").text().as_int() != 0},
                       std::string(name)});
  }
  return image;
}

void Remark(std::vector<std::string>& remarks, int count, const std::string& first,
            const char* what) {
  if (count > 0) {
    remarks.push_back(std::to_string(count) + " " + what + " (the first in " + first + ")");
  }
}

}  // namespace

Expected<Truth> ReadVocTruth(const std::string& path, const Synonyms& synonyms,
                             const TruthOptions& options) {
  VocLayout layout;
  std::vector<fs::path> files;
  if (fs::path(path).extension() == ".xml") {
    layout = {fs::path(path).parent_path(), fs::path(path).parent_path(), {}};
    const fs::path pictures = fs::absolute(path).parent_path().parent_path() / "JPEGImages";
    layout.pictures = fs::is_directory(pictures) ? pictures : layout.pictures;
    files = {path};
  } else {
    const Expected<VocLayout> found = FindParts(path, options.image_set);
    if (!found) {
      return tl::unexpected(found.error());
    }
    layout = *found;
    Expected<std::vector<fs::path>> listed = FindAnnotations(layout);
    if (!listed) {
      return tl::unexpected(listed.error());
    }
    files = std::move(*listed);
  }

  Truth truth;
  Oddities oddities;
  std::vector<std::vector<NamedObject>> objects(files.size());
  std::set<std::string> names;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < files.size(); ++i) {
    Expected<TruthImage> image = ReadAnnotation(files[i], layout, objects[i], oddities);
    if (!image) {
      return tl::unexpected(image.error());
    }
    if (!seen.insert(image->name).second) {
      return Fail(ErrorCode::kInvalidInput,
                  layout.list.string() + " names " + image->name + " twice: take one out");
    }
    for (NamedObject& object : objects[i]) {
      object.name = synonyms.Canonical(object.name);
      names.insert(object.name);
    }
    truth.images.push_back(std::move(*image));
  }
  truth.classes = OrderClasses(names);
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (NamedObject& named : objects[i]) {
      named.object.label = truth.classes.Find(named.name);
      truth.images[i].objects.push_back(named.object);
    }
  }
  Remark(truth.remarks, oddities.nameless, oddities.first_nameless,
         "objects have no name or no box: left out");
  Remark(truth.remarks, oddities.inverted, oddities.first_inverted,
         "objects have a box without area: left out");
  Remark(truth.remarks, oddities.sizeless, oddities.first_sizeless,
         "images have no size, neither in the annotation nor in a picture: taken as 0x0");
  return truth;
}

}  // namespace nearfar
