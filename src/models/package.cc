#include "models/package.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "models/text_format.h"

namespace nearfar {
namespace {

constexpr std::string_view kPrefix = "nearfar.";

constexpr std::array<SettingInfo, 15> kSettings{{
    {"input.size", "WIDTHxHEIGHT in px, where the graph leaves the size free"},
    {"input.resize", "stretch, letterbox (centred) or letterbox-top-left"},
    {"input.pad", "grey level of the padding, 0 to 255"},
    {"input.channels", "rgb or bgr"},
    {"input.layout", "nchw or nhwc"},
    {"input.scale", "tensor = (pixel * scale - mean) / std"},
    {"input.mean", "one number or three, in the order of the channels"},
    {"input.std", "one number or three, in the order of the channels"},
    {"decoder", "family of the outputs"},
    {"background", "first, last or none: the score column that labels.txt has no line for"},
    {"score_floor", "boxes scored below are never made, above 0 and below 1"},
    {"nms.iou", "overlap above which the worse of two boxes goes"},
    {"nms.per_class", "true or false"},
    {"nms.max_detections", "boxes kept"},
    {"nms.max_candidates", "boxes that enter"},
}};

const TextField* FindField(const std::vector<TextField>& fields, std::string_view name) {
  for (const TextField& field : fields) {
    if (field.name == name) {
      return &field;
    }
  }
  return nullptr;
}

ElementType TypeOfTriton(std::string_view name) {
  if (name == "TYPE_FP32") return ElementType::kFloat32;
  if (name == "TYPE_FP16") return ElementType::kFloat16;
  if (name == "TYPE_UINT8") return ElementType::kUint8;
  if (name == "TYPE_INT8") return ElementType::kInt8;
  if (name == "TYPE_INT32") return ElementType::kInt32;
  if (name == "TYPE_INT64") return ElementType::kInt64;
  if (name == "TYPE_FP64") return ElementType::kFloat64;
  if (name == "TYPE_BOOL") return ElementType::kBool;
  if (name == "TYPE_STRING") return ElementType::kString;
  return ElementType::kOther;
}

std::string_view TritonType(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "TYPE_FP32";
    case ElementType::kFloat16:
      return "TYPE_FP16";
    case ElementType::kUint8:
      return "TYPE_UINT8";
    case ElementType::kInt8:
      return "TYPE_INT8";
    case ElementType::kInt32:
      return "TYPE_INT32";
    case ElementType::kInt64:
      return "TYPE_INT64";
    case ElementType::kFloat64:
      return "TYPE_FP64";
    case ElementType::kBool:
      return "TYPE_BOOL";
    case ElementType::kString:
      return "TYPE_STRING";
    case ElementType::kOther:
      break;
  }
  return "TYPE_INVALID";
}

/// The shortest text that reads back as the same number.
std::string DimsText(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t dim : shape) {
    text += (text.empty() ? "" : ", ") + std::to_string(dim);
  }
  return "[ " + text + " ]";
}

std::string StretchText(const BoxStretch& stretch) {
  return NumberText(stretch.left) + "," + NumberText(stretch.top) + "," +
         NumberText(stretch.right) + "," + NumberText(stretch.bottom);
}

}  // namespace

std::string CanonicalText(const NmsOptions& nms) {
  return "iou " + NumberText(nms.iou) + (nms.per_class ? " per-class" : " over-all-classes") +
         " best " + std::to_string(nms.max_detections) + " of " +
         std::to_string(nms.max_candidates);
}

Box Stretched(const Box& box, const BoxStretch& stretch) {
  return {box.x1 - stretch.left * box.width(), box.y1 - stretch.top * box.height(),
          box.x2 + stretch.right * box.width(), box.y2 + stretch.bottom * box.height()};
}

ModelIdentity IdentityOf(const ModelPackage& package) {
  ModelIdentity identity;
  identity.name = package.name;
  identity.version = package.version;
  identity.preprocessing = CanonicalText(package.input);
  identity.nms = CanonicalText(package.nms);
  for (const auto& [name, stretch] : package.stretch) {
    identity.nms += "; " + name + " stretched " + StretchText(stretch);
  }
  identity.score_floor = double{package.score_floor};
  identity.input = package.input.size;
  return identity;
}

std::span<const SettingInfo> KnownSettings() { return kSettings; }

Expected<void> CheckSettingKey(std::string_view key, std::string_view where) {
  const bool known = key.starts_with("decoder.") || key.starts_with(kStretchPrefix) ||
                     std::any_of(kSettings.begin(), kSettings.end(),
                                 [&](const SettingInfo& setting) { return setting.key == key; });
  if (known) {
    return {};
  }
  std::string keys;
  for (const SettingInfo& setting : kSettings) {
    keys += (keys.empty() ? "" : ", ") + std::string(setting.key);
  }
  return Fail(ErrorCode::kInvalidInput, std::string(where) + ": no setting is called '" +
                                            std::string(key) + "'; there are: " + keys +
                                            ", decoder.NAME, box.stretch.CLASS");
}

Expected<PackageConfig> ParseConfig(std::string_view text, std::string_view file) {
  const auto fields = ParseTextFormat(text, file);
  if (!fields) {
    return tl::unexpected(fields.error());
  }
  PackageConfig config;
  const auto where = [&](const TextField& field) {
    return std::string(file) + ":" + std::to_string(field.line);
  };
  for (const TextField& field : *fields) {
    if (field.name == "name") {
      config.name = field.value;
    } else if (field.name == "default_model_filename") {
      config.model_file = field.value;
    } else if ((field.name == "platform" && field.value != "onnxruntime_onnx") ||
               (field.name == "backend" && field.value != "onnxruntime")) {
      return Fail(ErrorCode::kUnsupported, where(field) + ": " + field.name + " '" + field.value +
                                               "': nearfar runs ONNX models (onnxruntime) only");
    } else if (field.name == "input" && !config.input) {
      TensorFacts input{"", ElementType::kOther, {}};
      for (const TextField& part : field.fields) {
        if (part.name == "name") {
          input.name = part.value;
        } else if (part.name == "data_type") {
          input.type = TypeOfTriton(part.value);
        } else if (part.name == "dims") {
          std::int64_t dim = 0;
          const auto [end, error] =
              std::from_chars(part.value.data(), part.value.data() + part.value.size(), dim);
          if (error != std::errc{} || end != part.value.data() + part.value.size()) {
            return Fail(ErrorCode::kInvalidInput,
                        where(part) + ": dims: '" + part.value + "' is no whole number");
          }
          input.shape.push_back(dim);
        }
      }
      config.input = std::move(input);
      config.input_where = where(field);
    } else if (field.name == "output") {
      const TextField* labels = FindField(field.fields, "label_filename");
      if (labels != nullptr && config.label_file.empty()) {
        config.label_file = labels->value;
      }
    } else if (field.name == "parameters") {
      const TextField* key = FindField(field.fields, "key");
      const TextField* value = FindField(field.fields, "value");
      if (key == nullptr || !key->value.starts_with(kPrefix)) {
        continue;
      }
      const TextField* string_value =
          value == nullptr ? nullptr : FindField(value->fields, "string_value");
      if (string_value == nullptr) {
        return Fail(ErrorCode::kInvalidInput, where(field) + ": " + key->value +
                                                  ": expected value { string_value: \"...\" }");
      }
      const std::string name = key->value.substr(kPrefix.size());
      if (auto ok = CheckSettingKey(name, where(*key)); !ok) {
        return tl::unexpected(ok.error());
      }
      if (!config.settings.emplace(name, Setting{string_value->value, where(*string_value)})
               .second) {
        return Fail(ErrorCode::kInvalidInput, where(*key) + ": " + key->value + " is set twice");
      }
    }
  }
  return config;
}

std::string WriteConfig(const ModelPackage& package, const GraphFacts& facts) {
  const InputSpec& input = package.input;
  std::string text =
      "name: " + QuoteText(package.name) + "\nbackend: \"onnxruntime\"\n" + "max_batch_size: 0\n";
  const auto add_tensor = [&](const char* kind, const TensorFacts& tensor, bool with_labels) {
    text += std::string(kind) + " [ { name: " + QuoteText(tensor.name) +
            " data_type: " + std::string(TritonType(tensor.type)) +
            " dims: " + DimsText(tensor.shape) +
            (with_labels ? " label_filename: \"labels.txt\"" : "") + " } ]\n";
  };
  for (const TensorFacts& tensor : facts.inputs) {
    add_tensor("input", tensor, false);
  }
  for (std::size_t i = 0; i < facts.outputs.size(); ++i) {
    add_tensor("output", facts.outputs[i], i == 0 && !package.labels.empty());
  }
  const auto add = [&](const std::string& key, const std::string& value) {
    text += "parameters { key: " + QuoteText(std::string(kPrefix) + key) +
            " value: { string_value: " + QuoteText(value) + " } }\n";
  };
  add("input.size", std::to_string(input.size.width) + "x" + std::to_string(input.size.height));
  add("input.resize", input.resize == Resize::kStretch     ? "stretch"
                      : input.resize == Resize::kLetterbox ? "letterbox"
                                                           : "letterbox-top-left");
  if (input.resize != Resize::kStretch) {
    add("input.pad", std::to_string(input.pad));
  }
  add("input.channels", input.channels == ChannelOrder::kRgb ? "rgb" : "bgr");
  add("input.layout", input.layout == Layout::kNchw ? "nchw" : "nhwc");
  add("input.scale", NumberText(input.scale));
  add("input.mean", NumberText(input.mean));
  add("input.std", NumberText(input.std));
  add("decoder", package.decoder.family);
  for (const auto& [name, value] : package.decoder.parameters) {
    add("decoder." + name, value);
  }
  for (const auto& [name, stretch] : package.stretch) {
    add(std::string(kStretchPrefix) + name, StretchText(stretch));
  }
  add("score_floor", NumberText(package.score_floor));
  add("nms.iou", NumberText(package.nms.iou));
  add("nms.per_class", package.nms.per_class ? "true" : "false");
  add("nms.max_detections", std::to_string(package.nms.max_detections));
  add("nms.max_candidates", std::to_string(package.nms.max_candidates));
  return text;
}

std::vector<std::string> ParseLabels(std::string_view text) {
  std::vector<std::string> labels;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
      line.pop_back();
    }
    labels.push_back(std::move(line));
  }
  return labels;
}

}  // namespace nearfar
