#include "models/inspect.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/labels.h"
#include "models/decode_parts.h"

namespace nearfar {
namespace {

/// Class names of COCO under their ids 1 to 90, with the gaps and the background at 0.
std::vector<std::string> CocoIds() {
  constexpr std::array kGaps{12, 26, 29, 30, 45, 66, 68, 69, 71, 83};
  std::vector<std::string> names{"background"};
  std::size_t next = 0;
  for (int id = 1; id <= 90; ++id) {
    const bool gap = std::find(kGaps.begin(), kGaps.end(), id) != kGaps.end();
    names.push_back(gap ? "" : CocoLabels().names[next++]);
  }
  return names;
}

/// Reads settings one by one; the first bad one is the error, with its place.
class SettingReader {
 public:
  explicit SettingReader(const Settings& settings) : settings_(settings) {}

  const Setting* Find(std::string_view key) const {
    const auto found = settings_.find(key);
    return found == settings_.end() ? nullptr : &found->second;
  }
  void Refuse(std::string_view key, std::string_view why) {
    const Setting* setting = Find(key);
    if (!error_ && setting != nullptr) {
      error_ =
          Error{ErrorCode::kInvalidInput, setting->where + ": nearfar." + std::string(key) +
                                              " = '" + setting->value + "': " + std::string(why)};
    }
  }
  /// Index of the value among `choices`.
  void Choose(std::string_view key, std::initializer_list<std::string_view> choices, int& into) {
    if (const Setting* setting = Find(key)) {
      const auto found = std::find(choices.begin(), choices.end(), setting->value);
      if (found != choices.end()) {
        into = static_cast<int>(found - choices.begin());
        return;
      }
      std::string list;
      for (const std::string_view choice : choices) {
        list += (list.empty() ? "" : ", ") + std::string(choice);
      }
      Refuse(key, "expected one of " + list);
    }
  }
  void Number(std::string_view key, double low, double high, bool whole, double& into) {
    if (const Setting* setting = Find(key)) {
      const auto numbers = ParseNumbers(setting->value);
      if (numbers && numbers->size() == 1 && double{(*numbers)[0]} >= low &&
          double{(*numbers)[0]} <= high && (!whole || std::floor((*numbers)[0]) == (*numbers)[0])) {
        into = double{(*numbers)[0]};
        return;
      }
      char text[96];
      std::snprintf(text, sizeof text, "expected a %snumber from %g to %g", whole ? "whole " : "",
                    low, high);
      Refuse(key, text);
    }
  }
  void Three(std::string_view key, bool positive, std::array<float, 3>& into) {
    if (const Setting* setting = Find(key)) {
      auto numbers = ParseNumbers(setting->value);
      if (numbers && numbers->size() == 1) {
        numbers->resize(3, (*numbers)[0]);
      }
      if (!numbers || numbers->size() != 3 ||
          (positive && *std::min_element(numbers->begin(), numbers->end()) <= 0)) {
        Refuse(key, positive ? "expected one number or three, above zero"
                             : "expected one number or three");
        return;
      }
      std::copy(numbers->begin(), numbers->end(), into.begin());
    }
  }
  /// The stretches of all classes that have one.
  void Stretches(const std::vector<std::string>& classes, std::map<std::string, BoxStretch>& into) {
    for (auto at = settings_.lower_bound(kStretchPrefix);
         at != settings_.end() && at->first.starts_with(kStretchPrefix); ++at) {
      const std::string name = at->first.substr(kStretchPrefix.size());
      const auto numbers = ParseNumbers(at->second.value);
      if (std::find(classes.begin(), classes.end(), name) == classes.end()) {
        Refuse(at->first, "the model has no class '" + name + "'");
      } else if (!numbers || numbers->size() != 4 ||
                 std::any_of(numbers->begin(), numbers->end(),
                             [](float share) { return !(share > -0.5F && share <= 10.0F); })) {
        Refuse(at->first,
               "expected left,top,right,bottom as shares of width and height, above -0.5, at most "
               "10, as in 0,0,0,0.5");
      } else {
        into[name] = {(*numbers)[0], (*numbers)[1], (*numbers)[2], (*numbers)[3]};
      }
    }
  }
  Expected<void> Result() const {
    if (error_) {
      return tl::unexpected(*error_);
    }
    return {};
  }

 private:
  const Settings& settings_;
  std::optional<Error> error_;
};

/// "640x480" or "640"; {0,0} when it is neither.
Size ParseSize(std::string_view text) {
  Size size;
  const char* const end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, size.width);
  if (error != std::errc{}) {
    return {};
  }
  size.height = size.width;
  if (at != end) {
    if (*at != 'x') {
      return {};
    }
    const auto [last, second_error] = std::from_chars(at + 1, end, size.height);
    if (second_error != std::errc{} || last != end) {
      return {};
    }
  }
  const bool fits =
      size.width > 0 && size.height > 0 && size.width <= 16384 && size.height <= 16384;
  return fits ? size : Size{};
}

/// The image input of the graph: the one that config names, else the only one of rank 4.
Expected<TensorFacts> FindImageInput(const GraphFacts& facts, const PackageConfig& config) {
  std::vector<const TensorFacts*> images;
  for (const TensorFacts& input : facts.inputs) {
    if (config.input && config.input->name == input.name) {
      images = {&input};
      break;
    }
    if (input.shape.size() == 4) {
      images.push_back(&input);
    }
  }
  if (config.input && !config.input->name.empty() &&
      (images.size() != 1 || images[0]->name != config.input->name)) {
    return Fail(ErrorCode::kInvalidInput,
                config.input_where + ": input '" + config.input->name +
                    "' is not in the graph; it has: " + OutputsText(facts.inputs));
  }
  if (images.size() != 1 || facts.inputs.size() != 1) {
    return Fail(ErrorCode::kUnsupported,
                "a detector takes one image tensor of four dimensions; this graph's inputs are: " +
                    OutputsText(facts.inputs));
  }
  return *images[0];
}

/// Names of as many classes as there are columns, when nobody named them.
std::vector<std::string> DefaultLabels(int columns, std::vector<std::string>& assumed) {
  switch (columns) {
    case 80:
      assumed.push_back("80 classes without names: COCO's, in their order");
      return CocoLabels().names;
    case 81: {
      assumed.push_back("81 score columns without names: the background, then COCO's 80 classes");
      std::vector<std::string> names = CocoLabels().names;
      names.insert(names.begin(), "background");
      return names;
    }
    case 91:
      assumed.push_back("91 score columns without names: COCO's ids, 0 the background");
      return CocoIds();
    case 20:
      assumed.push_back("20 classes without names: PASCAL VOC's, in their order");
      return VocLabels().names;
    case 21: {
      assumed.push_back("21 score columns without names: the background, then VOC's 20 classes");
      std::vector<std::string> names = VocLabels().names;
      names.insert(names.begin(), "background");
      return names;
    }
    default:
      break;
  }
  std::vector<std::string> names;
  for (int c = 0; c < columns; ++c) {
    names.push_back("class" + std::to_string(c));
  }
  assumed.push_back(
      std::to_string(columns) +
      " classes without names: called class0, class1, ...; a labels.txt would name them");
  return names;
}

std::string FamiliesText() {
  std::string text;
  for (const DecoderFamily& family : DecoderFamilies()) {
    text +=
        (text.empty() ? "" : "; ") + std::string(family.name) + ": " + std::string(family.reads);
  }
  return text;
}

std::string DescribeInput(const InputSpec& input) {
  std::string text = CanonicalText(input);
  return text.substr(
      0, text.find(' ', text.find(input.channels == ChannelOrder::kRgb ? "rgb" : "bgr") + 4));
}

}  // namespace

std::vector<std::string> NamesOfMetadata(std::string_view text) {
  std::vector<std::string> names;
  const bool dictionary = text.find('{') != std::string_view::npos;
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c != '\'' && c != '"') {
      ++at;
      continue;
    }
    std::string name;
    for (++at; at < text.size() && text[at] != c; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) {
        ++at;
      }
      name.push_back(text[at]);
    }
    if (at == text.size()) {
      return {};
    }
    ++at;
    std::size_t after = text.find_first_not_of(" \t\n", at);
    if (dictionary && after != std::string_view::npos && text[after] == ':') {
      continue;  // a quoted key, as JSON writes it
    }
    names.push_back(std::move(name));
  }
  return names;
}

Expected<Inspection> Inspect(const GraphFacts& facts, const PackageConfig& config,
                             const std::vector<std::string>& labels,
                             const std::map<std::string, std::string>& files) {
  SettingReader reader(config.settings);
  const auto metadata = [&](const char* key) -> std::string {
    const auto found = facts.metadata.find(key);
    return found == facts.metadata.end() ? std::string() : found->second;
  };
  const auto image = FindImageInput(facts, config);
  if (!image) {
    return tl::unexpected(image.error());
  }
  const std::string task = metadata("task");
  if (!task.empty() && task != "detect" && reader.Find("decoder") == nullptr) {
    return Fail(
        ErrorCode::kUnsupported,
        "the model's task is '" + task + "' (metadata); nearfar runs detectors (task 'detect')");
  }
  Inspection result;
  ModelPackage& package = result.package;

  // Shape and type of the input.
  const auto& shape = image->shape;
  int layout = shape[3] == 3 && shape[1] != 3 ? 1 : 0;
  reader.Choose("input.layout", {"nchw", "nhwc"}, layout);
  const std::size_t row_axis = layout == 0 ? 2 : 1;
  const std::int64_t channels = layout == 0 ? shape[1] : shape[3];
  if ((channels != 3 && channels != -1) || (shape[0] != 1 && shape[0] != -1)) {
    return Fail(ErrorCode::kUnsupported,
                "input '" + image->name + "' is " + ShapeText(shape) +
                    "; nearfar runs one picture of three channels at a time");
  }
  if (image->type != ElementType::kFloat32 && image->type != ElementType::kFloat16 &&
      image->type != ElementType::kUint8) {
    return Fail(ErrorCode::kUnsupported, "input '" + image->name + "' is " +
                                             std::string(ToString(image->type)) +
                                             "; nearfar feeds fp32, fp16 or uint8");
  }
  const Size fixed{static_cast<int>(shape[row_axis + 1]), static_cast<int>(shape[row_axis])};
  const bool dynamic = fixed.width <= 0 || fixed.height <= 0;
  Size size = fixed;
  if (const Setting* setting = reader.Find("input.size")) {
    const Size wanted = ParseSize(setting->value);
    if (wanted.area() == 0) {
      reader.Refuse("input.size", "expected WIDTHxHEIGHT in px, e.g. 640x640");
    } else if ((fixed.width > 0 && wanted.width != fixed.width) ||
               (fixed.height > 0 && wanted.height != fixed.height)) {
      reader.Refuse("input.size", "the graph takes " + ShapeText(shape) + " only");
    }
    size = wanted;
  } else if (dynamic) {
    const auto imgsz = ParseNumbers(metadata("imgsz"));
    Size chosen{640, 640};
    if (config.input && config.input->shape.size() >= 3) {
      const auto& dims = config.input->shape;
      const std::size_t axis = row_axis + dims.size() - 4;
      chosen = {static_cast<int>(dims[axis + 1]), static_cast<int>(dims[axis])};
    }
    if (imgsz && !imgsz->empty() && (*imgsz)[0] >= 1 && (*imgsz)[0] <= 16384) {
      chosen.height = static_cast<int>((*imgsz)[0]);
      chosen.width = static_cast<int>(imgsz->size() > 1 ? (*imgsz)[1] : (*imgsz)[0]);
    }
    size = {fixed.width > 0    ? fixed.width
            : chosen.width > 0 ? chosen.width
                               : 640,
            fixed.height > 0    ? fixed.height
            : chosen.height > 0 ? chosen.height
                                : 640};
    result.assumed.push_back(
        "the graph takes any size: " + std::to_string(size.width) + "x" +
        std::to_string(size.height) +
        (imgsz && !imgsz->empty() ? " as the metadata says (imgsz)" : " taken") +
        "; the setting input.size=WxH, or nearfar.input.size in config.pbtxt, sets another");
  }
  if (auto ok = reader.Result(); !ok) {
    return tl::unexpected(ok.error());
  }

  // Names of the classes.
  std::vector<std::string> names = labels;
  if (names.empty()) {
    names = NamesOfMetadata(metadata("names"));
  }

  // The family: as set, or the only one that recognises the graph.
  std::map<std::string, std::string> parameters;
  for (const auto& [key, setting] : config.settings) {
    if (key.starts_with("decoder.")) {
      parameters[key.substr(8)] = setting.value;
    }
  }
  const Setting* family_setting = reader.Find("decoder");
  if (family_setting != nullptr) {
    if (const auto family = FindDecoderFamily(family_setting->value); !family) {
      return Fail(ErrorCode::kInvalidInput, family_setting->where + ": " + family.error().message);
    }
  }
  std::vector<Recognised> recognised;
  std::optional<Error> missing;
  const auto ask = [&](const std::vector<std::string>& with_names) {
    for (const DecoderFamily& family : DecoderFamilies()) {
      if (family_setting != nullptr && family.name != family_setting->value) {
        continue;
      }
      auto answer = family.recognise({facts, size, with_names, parameters});
      if (!answer) {
        missing = answer.error();
      } else if (*answer) {
        recognised.push_back(std::move(**answer));
      }
    }
  };
  ask(names);
  if (recognised.empty() && !names.empty() && !missing) {
    ask({});  // the names may lack the background's column, or be another model's
  }
  if (recognised.empty() && missing && family_setting == nullptr) {
    return tl::unexpected(*missing);
  }
  if (recognised.empty() && family_setting == nullptr) {
    return Fail(ErrorCode::kUnsupported,
                "no output looks like a one-stage detector's: " + OutputsText(facts.outputs) +
                    ". nearfar reads " + FamiliesText());
  }
  if (recognised.size() > 1) {
    std::string families;
    for (const Recognised& one : recognised) {
      families += (families.empty() ? "" : " or ") + one.decoder.family;
    }
    return Fail(ErrorCode::kUnsupported, "the outputs " + OutputsText(facts.outputs) +
                                             " can be read in two ways: set "
                                             "nearfar.decoder to " +
                                             families);
  }
  Recognised family;
  if (!recognised.empty()) {
    family = std::move(recognised.front());
  } else {  // named by the user, with outputs whose shape does not tell the columns
    family.decoder.family = family_setting->value;
    family.columns = static_cast<int>(names.size());
    if (names.empty()) {
      return Fail(
          ErrorCode::kInvalidInput,
          family_setting->where + ": nearfar.decoder = '" + family_setting->value +
              "' does not fit the outputs " + OutputsText(facts.outputs) +
              (missing ? ": " + missing->message : ", and no labels.txt tells the classes"));
    }
  }
  package.decoder = family.decoder;
  package.decoder.files = files;
  for (const auto& [name, value] : parameters) {
    package.decoder.parameters[name] = value;
  }
  if (family_setting == nullptr) {
    result.assumed.insert(result.assumed.end(), family.assumed.begin(), family.assumed.end());
  }

  // One label for each score column.
  if (names.empty()) {
    names = family.labels.empty() ? DefaultLabels(family.columns, result.assumed) : family.labels;
  }
  int background = 0;
  reader.Choose("background", {"first", "last", "none"}, background);
  if (static_cast<int>(names.size()) + 1 == family.columns && background != 2) {
    if (reader.Find("background") == nullptr) {
      result.assumed.push_back("one score column more than labels: column 0 is the background");
    }
    names.insert(background == 0 ? names.begin() : names.end(), "background");
  }
  if (static_cast<int>(names.size()) != family.columns) {
    return Fail(ErrorCode::kInvalidInput,
                "the model scores " + std::to_string(family.columns) + " classes, but " +
                    std::to_string(names.size()) + " are named (" +
                    (labels.empty() ? "metadata 'names'" : "labels.txt") + ")");
  }
  package.labels = std::move(names);

  // Preprocessing: the family's own, as the settings change it.
  InputSpec& input = package.input;
  input = family.input;
  input.tensor = image->name;
  input.layout = layout == 0 ? Layout::kNchw : Layout::kNhwc;
  input.type = image->type;
  input.size = size;
  input.dynamic = dynamic;
  if (input.type == ElementType::kUint8) {
    // Bytes hold no normalised values: such a graph wants the pixels as they are.
    input.scale = 1;
    input.mean = {};
    input.std = {1, 1, 1};
  }
  const bool all_said =
      reader.Find("input.resize") != nullptr && reader.Find("input.channels") != nullptr &&
      (reader.Find("input.scale") != nullptr || reader.Find("input.mean") != nullptr);
  int resize = static_cast<int>(input.resize);
  reader.Choose("input.resize", {"stretch", "letterbox", "letterbox-top-left"}, resize);
  input.resize = static_cast<Resize>(resize);
  int order = static_cast<int>(input.channels);
  reader.Choose("input.channels", {"rgb", "bgr"}, order);
  input.channels = static_cast<ChannelOrder>(order);
  double pad = input.pad;
  reader.Number("input.pad", 0, 255, true, pad);
  input.pad = static_cast<int>(pad);
  double scale = double{input.scale};
  reader.Number("input.scale", 1e-9, 1e9, false, scale);
  input.scale = static_cast<float>(scale);
  reader.Three("input.mean", false, input.mean);
  reader.Three("input.std", true, input.std);
  if (!all_said) {
    result.assumed.push_back("preprocessing as documented for " + package.decoder.family + ": " +
                             DescribeInput(input));
  }

  reader.Stretches(MakeClassTable(package.labels).names, package.stretch);
  double floor = double{package.score_floor};
  reader.Number("score_floor", 1e-6, 0.999999, false, floor);
  package.score_floor = static_cast<float>(floor);
  double iou = double{package.nms.iou};
  reader.Number("nms.iou", 1e-6, 1, false, iou);
  package.nms.iou = static_cast<float>(iou);
  int over_all = package.nms.per_class ? 0 : 1;
  reader.Choose("nms.per_class", {"true", "false"}, over_all);
  package.nms.per_class = over_all == 0;
  double kept = package.nms.max_detections;
  reader.Number("nms.max_detections", 1, 1e6, true, kept);
  package.nms.max_detections = static_cast<int>(kept);
  double candidates = package.nms.max_candidates;
  reader.Number("nms.max_candidates", 1, 1e6, true, candidates);
  package.nms.max_candidates = static_cast<int>(candidates);
  if (auto ok = reader.Result(); !ok) {
    return tl::unexpected(ok.error());
  }

  // The decoder must exist with these parameters; its complaint gets the place of the key it names.
  if (auto decoder = MakeDecoder(package.decoder, MakeClassTable(package.labels)); !decoder) {
    Error error = decoder.error();
    for (const auto& [key, setting] : config.settings) {
      if (error.message.starts_with("nearfar." + key + ":") ||
          error.message.starts_with("nearfar." + key + " ")) {
        error.message = setting.where + ": " + error.message;
        break;
      }
    }
    return tl::unexpected(std::move(error));
  }
  return result;
}

}  // namespace nearfar
