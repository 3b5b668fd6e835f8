#include "models/decode.h"

#include <array>
#include <cctype>
#include <charconv>

#include "models/decode_families.h"
#include "models/decode_parts.h"

namespace nearfar {

std::span<const DecoderFamily> DecoderFamilies() {
  static const std::array families{YoloConcatFamily(), YoloAnchorsFamily(), DflFamily(),
                                   YoloxFamily(),      SsdFamily(),         FastestDetFamily()};
  return families;
}

ClassTable MakeClassTable(const std::vector<std::string>& lines) {
  ClassTable table;
  for (const std::string& line : lines) {
    const bool meaningless = line.empty() || line == "background" || line == "__background__" ||
                             line == "???" || line == "N/A";
    table.label_of_class.push_back(meaningless ? -1 : static_cast<int>(table.names.size()));
    if (!meaningless) {
      table.names.push_back(line);
    }
  }
  return table;
}

Expected<const DecoderFamily*> FindDecoderFamily(std::string_view name) {
  std::string names;
  for (const DecoderFamily& family : DecoderFamilies()) {
    if (family.name == name) {
      return &family;
    }
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  }
  return Fail(ErrorCode::kNotFound, "nearfar.decoder: no decoder is called '" + std::string(name) +
                                        "'; there are: " + names);
}

Expected<std::unique_ptr<Decoder>> MakeDecoder(const DecoderSpec& spec, const ClassTable& classes) {
  const auto family = FindDecoderFamily(spec.family);
  if (!family) {
    return tl::unexpected(family.error());
  }
  for (const auto& [name, value] : spec.parameters) {
    std::string known;
    bool found = false;
    for (const DecoderParameter& parameter : (*family)->parameters) {
      found = found || parameter.name == name;
      known += (known.empty() ? "" : ", ") + std::string(parameter.name);
    }
    if (!found) {
      return Fail(ErrorCode::kInvalidInput, "nearfar.decoder." + name + ": the decoder '" +
                                                spec.family +
                                                "' has no such parameter; it has: " + known);
    }
  }
  return (*family)->make(spec, classes);
}

const std::string* ParameterReader::Find(std::string_view name) const {
  const auto found = spec_.parameters.find(std::string(name));
  return found == spec_.parameters.end() ? nullptr : &found->second;
}

void ParameterReader::Refuse(std::string_view name, std::string_view why) {
  if (!error_) {
    const std::string* value = Find(name);
    error_ = Error{ErrorCode::kInvalidInput,
                   "nearfar.decoder." + std::string(name) +
                       (value != nullptr ? " = '" + *value + "': " : ": ") + std::string(why)};
  }
}

Expected<void> ParameterReader::Result() const {
  if (error_) {
    return tl::unexpected(*error_);
  }
  return {};
}

std::string ParameterReader::Text(std::string_view name, std::string_view otherwise) {
  const std::string* value = Find(name);
  return value != nullptr ? *value : std::string(otherwise);
}

std::string ParameterReader::Choice(std::string_view name,
                                    std::initializer_list<std::string_view> choices,
                                    std::string_view otherwise) {
  const std::string value = Text(name, otherwise);
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    std::string list;
    for (const std::string_view choice : choices) {
      list += (list.empty() ? "" : ", ") + std::string(choice);
    }
    Refuse(name, "expected one of " + list);
    return std::string(otherwise);
  }
  return value;
}

float ParameterReader::Number(std::string_view name, float otherwise, float low, float high) {
  const std::vector<float> numbers = Numbers(name, {otherwise});
  if (numbers.size() != 1 || !(numbers[0] >= low && numbers[0] <= high)) {
    Refuse(name, "expected a number from " + std::to_string(low) + " to " + std::to_string(high));
    return otherwise;
  }
  return numbers[0];
}

std::vector<float> ParameterReader::Numbers(std::string_view name, std::vector<float> otherwise) {
  const std::string* value = Find(name);
  if (value == nullptr) {
    return otherwise;
  }
  auto numbers = ParseNumbers(*value);
  if (!numbers || numbers->empty()) {
    Refuse(name, "expected numbers parted by commas");
    return otherwise;
  }
  return *std::move(numbers);
}

std::vector<std::vector<float>> ParameterReader::Levels(std::string_view name) {
  std::vector<std::vector<float>> levels;
  const std::string* value = Find(name);
  std::string_view rest = value != nullptr ? std::string_view(*value) : std::string_view();
  while (!rest.empty()) {
    const std::size_t end = rest.find(';');
    auto numbers = ParseNumbers(rest.substr(0, end));
    if (!numbers || numbers->empty()) {
      Refuse(name, "expected numbers parted by commas, levels parted by ';'");
      return {};
    }
    levels.push_back(*std::move(numbers));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return levels;
}

std::optional<std::vector<float>> ParseNumbers(std::string_view text) {
  std::vector<float> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (*at == ',' || *at == '[' || *at == ']' || *at == '(' || *at == ')' ||
        std::isspace(static_cast<unsigned char>(*at)) != 0) {
      ++at;
      continue;
    }
    float number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || !std::isfinite(number)) {
      return std::nullopt;
    }
    numbers.push_back(number);
    at = next;
  }
  return numbers;
}

Expected<void> BoxCollector::Result() const {
  if (largest_ > 1.001F) {
    return Fail(ErrorCode::kInvalidInput,
                "a score of " + std::to_string(largest_) +
                    " came out of the model: these are no scores in [0, 1]. Set "
                    "nearfar.decoder.activation to sigmoid, or choose the decoder that fits");
  }
  return {};
}

Expected<std::vector<HeadLevel>> FindLevels(const DecodeRequest& request, std::int64_t channels,
                                            std::string_view what) {
  std::vector<HeadLevel> levels;
  for (const TensorView& output : request.outputs) {
    const auto& shape = output.shape;
    if (shape.size() != 4 || shape[0] != 1) {
      continue;
    }
    HeadLevel level;
    level.data = output.data.data();
    if (shape[1] == channels) {
      level.height = static_cast<int>(shape[2]);
      level.width = static_cast<int>(shape[3]);
      level.channel_step = level.cells();
      level.cell_step = 1;
    } else if (shape[3] == channels) {
      level.height = static_cast<int>(shape[1]);
      level.width = static_cast<int>(shape[2]);
      level.channel_step = 1;
      level.cell_step = channels;
    } else {
      continue;
    }
    if (level.cells() <= 0) {
      continue;
    }
    level.stride_x = static_cast<float>(request.input.width) / static_cast<float>(level.width);
    level.stride_y = static_cast<float>(request.input.height) / static_cast<float>(level.height);
    levels.push_back(level);
  }
  if (levels.empty()) {
    return Fail(ErrorCode::kInvalidInput, "no output has the " + std::to_string(channels) +
                                              " channels that " + std::string(what) +
                                              " needs; outputs: " + OutputsText(request.outputs));
  }
  std::stable_sort(levels.begin(), levels.end(),
                   [](const HeadLevel& a, const HeadLevel& b) { return a.cells() > b.cells(); });
  return levels;
}

namespace {

template <typename Outputs>
std::string ListOutputs(const Outputs& outputs) {
  std::string text;
  for (const auto& output : outputs) {
    text +=
        (text.empty() ? "'" : ", '") + std::string(output.name) + "' " + ShapeText(output.shape);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::string OutputsText(std::span<const TensorView> outputs) { return ListOutputs(outputs); }
std::string OutputsText(std::span<const TensorFacts> outputs) { return ListOutputs(outputs); }

std::vector<std::int64_t> CellsOf(Size input, std::span<const int> strides) {
  std::vector<std::int64_t> cells;
  for (const int stride : strides) {
    cells.push_back(std::int64_t{(input.width + stride - 1) / stride} *
                    ((input.height + stride - 1) / stride));
  }
  return cells;
}

InputSpec UltralyticsInput() { return {}; }

InputSpec DarknetInput() {
  InputSpec input;
  input.resize = Resize::kStretch;
  return input;
}

}  // namespace nearfar
