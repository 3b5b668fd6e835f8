#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "data/image_size.h"
#include "data/read_truth.h"
#include "data/text.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// The key of an image in a table: a bare id is its own, a file name loses folder and extension.
std::string KeyOf(std::string_view image) {
  const fs::path file = image;
  return HasImageExtension(file.string()) ? file.stem().string() : file.filename().string();
}

/// A table with a head line, read field by field.
class CsvTable {
 public:
  static Expected<CsvTable> Open(const std::string& path) {
    Expected<std::string> text = ReadFileText(path);
    if (!text) {
      return tl::unexpected(text.error());
    }
    CsvTable table;
    table.path_ = path;
    table.text_ = std::move(*text);
    std::string_view rest = table.text_;
    for (const std::string_view title : SplitAt(TakeLine(rest), ',')) {
      table.titles_.emplace_back(title);
    }
    table.position_ = table.text_.size() - rest.size();
    return table;
  }

  const std::vector<std::string>& titles() const { return titles_; }
  std::optional<std::size_t> Find(std::string_view title) const {
    const auto found = std::find(titles_.begin(), titles_.end(), title);
    return found == titles_.end()
               ? std::nullopt
               : std::optional(static_cast<std::size_t>(found - titles_.begin()));
  }
  /// The next line that is not empty; false at the end.
  bool Next() {
    std::string_view rest = std::string_view(text_).substr(position_);
    while (!rest.empty()) {
      ++line_;
      const std::string_view line = TakeLine(rest);
      position_ = text_.size() - rest.size();
      if (!Trim(line).empty()) {
        fields_ = SplitAt(line, ',');
        return true;
      }
    }
    return false;
  }
  const std::vector<std::string_view>& fields() const { return fields_; }
  tl::unexpected<Error> Wrong(const std::string& what) const {
    return Fail(ErrorCode::kInvalidInput, path_ + ":" + std::to_string(line_) + ": " + what);
  }

 private:
  std::string path_;
  std::string text_;
  std::vector<std::string> titles_;
  std::vector<std::string_view> fields_;
  std::size_t position_ = 0;
  int line_ = 1;
};

Expected<std::vector<ListedImage>> ReadSizes(CsvTable& table) {
  std::vector<ListedImage> images;
  std::unordered_set<std::string> seen;
  while (table.Next()) {
    const auto& fields = table.fields();
    const auto width = fields.size() == 3 ? ParseNumber(fields[1]) : std::nullopt;
    const auto height = fields.size() == 3 ? ParseNumber(fields[2]) : std::nullopt;
    if (!width || !height || *width < 1 || *height < 1 || *width > 1e6 || *height > 1e6) {
      return table.Wrong("expected image,width,height in px");
    }
    images.push_back({KeyOf(fields[0]), {static_cast<int>(*width), static_cast<int>(*height)}});
    if (!seen.insert(images.back().name).second) {
      return table.Wrong("the image " + images.back().name + " is listed twice: take one out");
    }
  }
  return images;
}

}  // namespace

Expected<std::vector<ListedImage>> ReadImageList(const std::string& path,
                                                 const Synonyms& synonyms) {
  if (path.ends_with(".csv") || path.ends_with(".csv.gz")) {
    Expected<CsvTable> table = CsvTable::Open(path);
    if (!table) {
      return tl::unexpected(table.error());
    }
    if (table->titles() == std::vector<std::string>{"image", "width", "height"}) {
      return ReadSizes(*table);
    }
  }
  const Expected<Truth> truth = ReadTruth(path, synonyms);
  if (!truth) {
    return tl::unexpected(truth.error());
  }
  std::vector<ListedImage> images;
  for (const TruthImage& image : truth->images) {
    images.push_back({image.name, image.size});
  }
  return images;
}

Expected<Truth> ReadCsvTruth(const std::string& path, const Synonyms& synonyms) {
  Expected<CsvTable> table = CsvTable::Open(path);
  if (!table) {
    return tl::unexpected(table.error());
  }
  std::array<std::size_t, 6> columns{};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    static constexpr std::array kTitles = {"image", "class", "xmin", "ymin", "xmax", "ymax"};
    const auto column = table->Find(kTitles[i]);
    if (!column) {
      return Fail(
          ErrorCode::kInvalidInput,
          path + ": no column '" + kTitles[i] +
              "': truth as CSV has the head line image,class,xmin,ymin,xmax,ymax[,difficult]");
    }
    columns[i] = *column;
  }
  const std::optional<std::size_t> difficult = table->Find("difficult");

  Truth truth;
  std::unordered_map<std::string, std::size_t> index_of;
  for (const char* list : {"images.csv", "images.csv.gz"}) {
    const fs::path file = fs::path(path).parent_path() / list;
    if (!fs::exists(file)) {
      continue;
    }
    const auto images = ReadImageList(file.string(), synonyms);
    if (!images) {
      return tl::unexpected(images.error());
    }
    for (const ListedImage& image : *images) {
      index_of.emplace(image.name, truth.images.size());
      truth.images.push_back({.name = image.name, .size = image.size});
    }
    break;
  }
  const bool has_list = !truth.images.empty();
  if (!has_list) {
    truth.remarks.push_back("there is no images.csv beside " + path +
                            ": images without objects are missing and sizes are unknown");
  }

  struct Row {
    std::size_t image;
    std::string name;
    TruthObject object;
  };
  std::vector<Row> rows;
  std::set<std::string> names;
  while (table->Next()) {
    const auto& fields = table->fields();
    if (fields.size() != table->titles().size()) {
      return table->Wrong("has " + std::to_string(fields.size()) +
                          " fields where the head line has " +
                          std::to_string(table->titles().size()));
    }
    std::array<float, 4> corners{};
    for (std::size_t i = 0; i < corners.size(); ++i) {
      const auto value = ParseNumber(fields[columns[i + 2]]);
      if (!value) {
        return table->Wrong("'" + std::string(fields[columns[i + 2]]) + "' is no number");
      }
      corners[i] = static_cast<float>(*value);
    }
    const std::string image_name = KeyOf(fields[columns[0]]);
    auto image = index_of.find(image_name);
    if (image == index_of.end()) {
      if (has_list) {
        return table->Wrong("the image " + image_name + " is not in images.csv");
      }
      image = index_of.emplace(image_name, truth.images.size()).first;
      truth.images.push_back({.name = image_name});
    }
    rows.push_back({image->second,
                    synonyms.Canonical(fields[columns[1]]),
                    {.box = {corners[0] - 1, corners[1] - 1, corners[2], corners[3]},
                     .difficult = difficult && fields[*difficult] != "0"}});
    names.insert(rows.back().name);
  }
  truth.classes = OrderClasses(names);
  for (Row& row : rows) {
    row.object.label = truth.classes.Find(row.name);
    truth.images[row.image].objects.push_back(row.object);
  }
  return truth;
}

}  // namespace nearfar
