#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/json_writer.h"
#include "data/coco.h"

namespace nearfar {
namespace {

constexpr std::string_view kEnd = "\n]\n";

/// The number that a name of digits alone stands for ("000000000139" is 139).
bool ToNumber(const std::string& name, std::int64_t& number) {
  if (name.empty() || name.size() > 18 ||
      !std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return false;
  }
  number = std::stoll(name);
  return true;
}

}  // namespace

int CocoCategoryId(const std::string& canonical_name) {
  // The 80 classes keep the numbers of the 91 first planned; these were never used.
  constexpr std::array kGaps = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83};
  int id = CocoLabels().Find(canonical_name) + 1;
  for (const int gap : kGaps) {
    id += id > 0 && gap <= id ? 1 : 0;
  }
  return id > 0 ? id : -1;
}

Expected<CocoResultsWriter> CocoResultsWriter::Open(const std::string& path,
                                                    const LabelSpace& classes,
                                                    const CocoCatalog* catalog) {
  CocoResultsWriter writer;
  writer.path_ = path;
  writer.has_catalog_ = catalog != nullptr;
  for (int label = 0; label < classes.size(); ++label) {
    const std::string& name = classes.names[static_cast<std::size_t>(label)];
    std::int64_t category = -1;
    if (catalog == nullptr) {
      category = CocoCategoryId(name);
      category = category < 0 ? label + 1 : category;
    } else if (const auto found = catalog->category_of_label.find(catalog->classes.Find(name));
               found != catalog->category_of_label.end()) {
      category = found->second;
    }
    writer.category_of_label_.push_back(category);
  }
  if (catalog != nullptr) {
    if (classes.size() > 0 &&
        std::all_of(writer.category_of_label_.begin(), writer.category_of_label_.end(),
                    [](std::int64_t id) { return id < 0; })) {
      return Fail(ErrorCode::kInvalidInput,
                  "no class of the detections is among the instances file's categories: " + path +
                      " would be empty; check the classes or add synonyms");
    }
    for (const CocoCatalog::Image& image : catalog->images) {
      writer.id_of_image_.emplace(image.name, image.id);
    }
  }
  errno = 0;
  writer.file_.open(path, std::ios::binary | std::ios::trunc);
  writer.file_ << '[' << kEnd << std::flush;
  if (!writer.file_) {
    return Fail(ErrorCode::kIo, "cannot write the results " + path + ": " + std::strerror(errno));
  }
  return writer;
}

Expected<void> CocoResultsWriter::Write(const std::string& image_name,
                                        const Detections& detections) {
  std::int64_t id = -1;
  bool has_id = true;
  if (has_catalog_) {
    const auto found = id_of_image_.find(image_name);
    if (found == id_of_image_.end()) {
      return Fail(ErrorCode::kNotFound, "the image '" + image_name +
                                            "' is not in the instances file that numbers " + path_);
    }
    id = found->second;
  } else {
    has_id = ToNumber(image_name, id);
  }
  std::string text;
  for (const Detection& d : detections) {
    const auto label = static_cast<std::size_t>(d.label);
    if (d.label < 0 || label >= category_of_label_.size() || category_of_label_[label] < 0) {
      ++left_out_;
      continue;
    }
    text += empty_ ? "\n" : ",\n";
    empty_ = false;
    JsonWriter json(text);
    json.BeginObject();
    json.Key("image_id");
    has_id ? json.Value(id) : json.Value(image_name);
    json.Field("category_id", category_of_label_[label]);
    json.Key("bbox");
    json.BeginArray();
    json.Value(d.box.x1);
    json.Value(d.box.y1);
    json.Value(d.box.width());
    json.Value(d.box.height());
    json.EndArray();
    json.Field("score", d.score);
    json.EndObject();
  }
  if (text.empty()) {
    return {};
  }
  errno = 0;
  file_.seekp(-static_cast<std::streamoff>(kEnd.size()), std::ios::end);
  file_ << text << kEnd << std::flush;
  if (!file_) {
    return Fail(ErrorCode::kIo, "cannot write the results " + path_ + ": " + std::strerror(errno));
  }
  return {};
}

}  // namespace nearfar
