// Raw heads with anchors: YOLOv3 and v4 (exp sizes) and v5, v7 (squared sizes), any number of
// levels and any input size.

#include <array>
#include <cctype>
#include <cstdio>

#include "models/decode_families.h"
#include "models/decode_parts.h"

namespace nearfar {
namespace {

constexpr std::array<DecoderParameter, 5> kParameters{{
    {"anchors", "w,h,w,h,... in px of the input, finest level first, levels parted by ';'"},
    {"sizes", "exp: anchor·e^t (YOLOv3, v4), or square: anchor·(2σ(t))² (v5, v7, scaled v4)"},
    {"xy_scale",
     "how far the sigmoid of the centre is stretched about its middle, one number or one a "
     "level: 1 (YOLOv3), 1.05 to 1.2 (v4), 2 (v5, v7); default 1 for exp, 2 for square"},
    {"activation", "sigmoid, or none when the graph has applied it; default sigmoid"},
    {"classes", "all classes of a cell, or the best one; default all"},
}};

class YoloAnchorsDecoder final : public Decoder {
 public:
  struct Options {
    std::vector<std::vector<float>> anchors;  ///< per level, finest first: w,h,w,h,...
    std::vector<float> xy_scale;              ///< per level
    bool square = false;
    bool sigmoid = true;
    bool best = false;
  };
  YoloAnchorsDecoder(Options options, ClassTable classes)
      : options_(std::move(options)), classes_(std::move(classes)) {}

  Expected<void> Decode(const DecodeRequest& request, Detections& boxes) const override {
    const std::ptrdiff_t anchors_per_cell =
        static_cast<std::ptrdiff_t>(options_.anchors[0].size()) / 2;
    const std::ptrdiff_t columns = 5 + classes_.columns();
    auto levels = FindHeads(request, anchors_per_cell, columns);
    if (!levels) {
      return tl::unexpected(levels.error());
    }
    if (levels->size() != options_.anchors.size()) {
      return Fail(ErrorCode::kInvalidInput,
                  "nearfar.decoder.anchors has " + std::to_string(options_.anchors.size()) +
                      " levels, the model has " + std::to_string(levels->size()) +
                      " fitting outputs; outputs: " + OutputsText(request.outputs));
    }
    BoxCollector collector(classes_, request.score_floor, boxes);
    for (std::size_t l = 0; l < levels->size(); ++l) {
      for (std::ptrdiff_t a = 0; a < anchors_per_cell; ++a) {
        DecodeAnchor((*levels)[l], l, a, collector);
      }
    }
    return collector.Result();
  }

 private:
  /// A level, and how far its anchors lie apart.
  struct Level {
    HeadLevel head;
    std::ptrdiff_t anchor_step = 0;
  };

  static Expected<std::vector<Level>> FindHeads(const DecodeRequest& request,
                                                std::ptrdiff_t anchors_per_cell,
                                                std::ptrdiff_t columns) {
    std::vector<Level> levels;
    for (const TensorView& output : request.outputs) {  // [1,A,h,w,5+classes]
      const auto& shape = output.shape;
      if (shape.size() == 5 && shape[0] == 1 && shape[1] == anchors_per_cell &&
          shape[4] == columns && shape[2] > 0 && shape[3] > 0) {
        const int height = static_cast<int>(shape[2]);
        const int width = static_cast<int>(shape[3]);
        levels.push_back({{output.data.data(), width, height, 1, columns,
                           static_cast<float>(request.input.width) / static_cast<float>(width),
                           static_cast<float>(request.input.height) / static_cast<float>(height)},
                          shape[2] * shape[3] * columns});
      }
    }
    if (!levels.empty()) {
      std::stable_sort(levels.begin(), levels.end(), [](const Level& a, const Level& b) {
        return a.head.cells() > b.head.cells();
      });
      return levels;
    }
    auto heads =
        FindLevels(request, anchors_per_cell * columns, "yolo-anchors (anchors × (5 + classes))");
    if (!heads) {
      return tl::unexpected(heads.error());
    }
    for (const HeadLevel& head : *heads) {
      levels.push_back({head, columns * head.channel_step});
    }
    return levels;
  }

  void DecodeAnchor(const Level& level, std::size_t index, std::ptrdiff_t anchor,
                    BoxCollector& collector) const {
    const HeadLevel& head = level.head;
    const float* base = head.data + anchor * level.anchor_step;
    const auto at = static_cast<std::size_t>(2 * anchor);
    const float anchor_width = options_.anchors[index][at];
    const float anchor_height = options_.anchors[index][at + 1];
    const float xy_scale = options_.xy_scale[index];
    const RawScores scores{options_.sigmoid};
    const auto size_of = [&](float anchor_side, float t) {
      if (options_.square) {
        const float s = 2 * scores.ScoreOf(t);
        return anchor_side * s * s;
      }
      return anchor_side * std::exp(t);
    };
    const ScoreGrid objects{base + 4 * head.channel_step, head.cells(), 1, head.channel_step,
                            head.cell_step};
    ForEachScore(objects, scores.RawOf(collector.floor()),
                 [&](std::ptrdiff_t cell, std::ptrdiff_t, float t) {
                   const float object = scores.ScoreOf(t);
                   const float* values = base + cell * head.cell_step;
                   const auto value = [&](std::ptrdiff_t channel) {
                     return values[channel * head.channel_step];
                   };
                   const auto centre = [&](float shift, std::ptrdiff_t place, float stride) {
                     return (scores.ScoreOf(shift) * xy_scale - (xy_scale - 1) / 2 +
                             static_cast<float>(place)) *
                            stride;
                   };
                   const float x = centre(value(0), cell % head.width, head.stride_x);
                   const float y = centre(value(1), cell / head.width, head.stride_y);
                   const float w = size_of(anchor_width, value(2));
                   const float h = size_of(anchor_height, value(3));
                   const Box box{x - w / 2, y - h / 2, x + w / 2, y + h / 2};
                   const ScoreGrid classes{values + 5 * head.channel_step, 1, classes_.columns(),
                                           head.channel_step, head.cell_step};
                   CollectClasses(box, object, classes, classes_, scores, options_.best, collector);
                 });
  }

  Options options_;
  ClassTable classes_;
};

Expected<std::unique_ptr<Decoder>> Make(const DecoderSpec& spec, const ClassTable& classes) {
  ParameterReader reader(spec);
  YoloAnchorsDecoder::Options options;
  options.anchors = reader.Levels("anchors");
  options.square = reader.Choice("sizes", {"exp", "square"}, "square") == "square";
  options.sigmoid = reader.Choice("activation", {"sigmoid", "none"}, "sigmoid") == "sigmoid";
  options.best = reader.Choice("classes", {"all", "best"}, "all") == "best";
  options.xy_scale = reader.Numbers("xy_scale", {options.square ? 2.0F : 1.0F});
  if (options.anchors.empty()) {
    reader.Refuse("anchors", "needed: w,h,w,h,... in px, finest level first, levels parted by ';'");
  }
  for (const auto& level : options.anchors) {
    if (level.size() % 2 != 0 || level.size() != options.anchors[0].size()) {
      reader.Refuse("anchors", "every level needs the same number of w,h pairs");
    }
  }
  if (options.xy_scale.size() == 1) {
    options.xy_scale.resize(options.anchors.size(), options.xy_scale[0]);
  }
  if (options.xy_scale.size() != options.anchors.size()) {
    reader.Refuse("xy_scale", "needs one number, or one for each level of anchors");
  }
  if (auto ok = reader.Result(); !ok) {
    return tl::unexpected(ok.error());
  }
  return std::make_unique<YoloAnchorsDecoder>(std::move(options), classes);
}

/// Anchors as metadata write them: a list of levels, finest first, or a dictionary by level name
/// whose digits are the stride. As our own text; empty when the metadata is something else.
std::string AnchorsOfMetadata(const std::string& text, std::size_t& levels,
                              std::size_t& per_level) {
  std::map<int, std::string> by_stride;
  int stride = 0;
  std::string numbers;
  std::size_t count = 0;
  int depth = 0;
  const bool named = text.find('{') != std::string::npos;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (named && depth == 0) {
      if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
        stride = stride * 10 + (c - '0');
      }
    }
    if (c == '[') {
      ++depth;
    } else if (c == ']') {
      --depth;
      if (depth == (named ? 0 : 1) && !numbers.empty()) {
        const auto parsed = ParseNumbers(numbers);
        if (!parsed || parsed->empty() || (count != 0 && parsed->size() != count)) {
          return {};
        }
        count = parsed->size();
        std::string level;
        for (const float number : *parsed) {
          char digits[32];
          std::snprintf(digits, sizeof digits, "%g", double{number});
          level.append(level.empty() ? "" : ",").append(digits);
        }
        by_stride[named ? stride : static_cast<int>(by_stride.size())] = level;
        numbers.clear();
        stride = 0;
      } else {
        numbers += ' ';
      }
      continue;
    }
    if (depth > 0) {
      numbers += c == '[' ? ' ' : c;
    }
  }
  std::string anchors;
  for (const auto& [key, level] : by_stride) {
    anchors.append(anchors.empty() ? "" : ";").append(level);
  }
  levels = by_stride.size();
  per_level = count / 2;
  return anchors;
}

/// The heads as [1,A·(5+classes),h,w], or as [1,A,h,w,5+classes] whose anchors are then known to be
/// A.
struct Heads {
  std::size_t count = 0;
  std::int64_t channels = 0;   ///< A·(5+classes)
  std::int64_t per_level = 0;  ///< A; 0 = unknown
};

std::optional<Heads> FindRawHeads(const GraphFacts& facts) {
  Heads heads;
  for (const TensorFacts& output : facts.outputs) {
    const auto& shape = output.shape;
    std::int64_t channels = 0;
    if (shape.size() == 5 && shape[1] > 0 && shape[4] > 5) {
      heads.per_level = shape[1];
      channels = shape[1] * shape[4];
    } else if (shape.size() == 4 && heads.per_level == 0) {
      channels = shape[1];
    }
    if (channels <= 0 || (heads.count > 0 && channels != heads.channels)) {
      return std::nullopt;
    }
    heads.channels = channels;
    ++heads.count;
  }
  return heads.count > 0 ? std::optional(heads) : std::nullopt;
}

Expected<std::optional<Recognised>> Recognise(const RecogniseRequest& request) {
  const auto heads = FindRawHeads(request.facts);
  if (!heads) {
    return std::nullopt;
  }
  const std::int64_t channels = heads->channels;
  const auto metadata = request.facts.metadata.find("anchors");
  std::string anchors;
  std::size_t levels = 0;
  std::size_t per_level = 0;
  if (const auto given = request.parameters.find("anchors"); given != request.parameters.end()) {
    anchors = given->second;
    levels = static_cast<std::size_t>(std::count(anchors.begin(), anchors.end(), ';')) + 1;
    const auto first = ParseNumbers(std::string_view(anchors).substr(0, anchors.find(';')));
    per_level = first ? first->size() / 2 : 0;
  } else if (metadata != request.facts.metadata.end()) {
    anchors = AnchorsOfMetadata(metadata->second, levels, per_level);
  }
  if (anchors.empty()) {
    // 255 = 3 × (5 + 80) is the mark of the family; anything else is not claimed without anchors.
    const auto known = static_cast<std::int64_t>(request.labels.size());
    if (heads->per_level == 0 &&
        (heads->count < 2 || channels != 3 * (5 + (known != 0 ? known : 80)))) {
      return std::nullopt;
    }
    return Fail(
        ErrorCode::kUnsupported,
        "the outputs look like raw YOLO heads with anchors, and the graph does not name "
        "the anchors. Set nearfar.decoder = yolo-anchors, nearfar.decoder.anchors = "
        "w,h,w,h,w,h;... (finest level first) and nearfar.decoder.sizes = exp (YOLOv3, v4) or "
        "square (v5, v7)");
  }
  if (per_level == 0 ||
      (heads->per_level != 0 && heads->per_level != static_cast<std::int64_t>(per_level)) ||
      levels != heads->count || channels % static_cast<std::int64_t>(per_level) != 0 ||
      channels / static_cast<std::int64_t>(per_level) <= 5) {
    return std::nullopt;
  }
  Recognised found;
  found.decoder.family = "yolo-anchors";
  found.columns = static_cast<int>(channels / static_cast<std::int64_t>(per_level)) - 5;
  // Darknet's configurations name the coarsest head first; v5 and v7 export the finest first.
  const auto first_width = request.facts.outputs.front().shape[3];
  const auto last_width = request.facts.outputs.back().shape[3];
  const bool darknet = (first_width > 0 && last_width > 0 && first_width < last_width) ||
                       request.facts.graph_name.find("darknet") != std::string::npos ||
                       request.facts.producer.find("dark") != std::string::npos;
  found.decoder.parameters = {{"anchors", anchors}, {"sizes", darknet ? "exp" : "square"}};
  found.input = darknet ? DarknetInput() : UltralyticsInput();
  found.assumed.push_back(
      std::string("outputs read as raw heads of ") +
      (darknet ? "YOLOv3 (coarsest grid first or named darknet: sizes anchor·e^t)"
               : "YOLOv5, v7 (finest grid first: sizes anchor·(2σ)²)") +
      ", anchors " + (request.parameters.contains("anchors") ? "as given" : "from the metadata"));
  return found;
}

}  // namespace

DecoderFamily YoloAnchorsFamily() {
  return {
      "yolo-anchors",
      "per level [1,A·(5+classes),h,w] (or [1,h,w,A·(5+classes)], [1,A,h,w,5+classes]), raw, with "
      "anchors (YOLOv3, v4, v5, v7)",
      kParameters, Make, Recognise};
}

}  // namespace nearfar
