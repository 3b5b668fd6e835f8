#include <cassert>
#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "core/json_writer.h"
#include "data/write_truth.h"

namespace nearfar {
namespace {

std::string FileNameOf(const TruthImage& image) {
  return image.file.empty() ? image.name + ".jpg"
                            : std::filesystem::path(image.file).filename().string();
}

}  // namespace

std::string FormatCocoInstances(const Truth& truth) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Key("images");
  json.BeginArray();
  for (std::size_t i = 0; i < truth.images.size(); ++i) {
    const TruthImage& image = truth.images[i];
    json.BeginObject();
    json.Field("id", i + 1);
    json.Field("file_name", FileNameOf(image));
    json.Field("width", image.size.width);
    json.Field("height", image.size.height);
    json.EndObject();
  }
  json.EndArray();
  json.Key("annotations");
  json.BeginArray();
  std::int64_t id = 0;
  for (std::size_t i = 0; i < truth.images.size(); ++i) {
    for (const TruthObject& object : truth.images[i].objects) {
      assert(object.label >= 0 && object.label < truth.classes.size());
      json.BeginObject();
      json.Field("id", ++id);
      json.Field("image_id", i + 1);
      json.Field("category_id", object.label + 1);
      json.Key("bbox");
      json.BeginArray();
      json.Value(object.box.x1);
      json.Value(object.box.y1);
      json.Value(object.box.width());
      json.Value(object.box.height());
      json.EndArray();
      json.Field("area", object.area >= 0 ? object.area : object.box.area());
      json.Field("iscrowd", object.crowd || object.difficult ? 1 : 0);
      if (object.track >= 0) {
        json.Field("track_id", object.track);
      }
      json.EndObject();
    }
  }
  json.EndArray();
  json.Key("categories");
  json.BeginArray();
  for (std::size_t i = 0; i < truth.classes.names.size(); ++i) {
    json.BeginObject();
    json.Field("id", i + 1);
    json.Field("name", truth.classes.names[i]);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return text + "\n";
}

}  // namespace nearfar
