// One output with all cells in a row, boxes already in px: what the exporters of YOLOv5, v7 (with
// objectness) and v8, v9, v11 (without) write.

#include <array>
#include <numeric>

#include "models/decode_families.h"
#include "models/decode_parts.h"

namespace nearfar {
namespace {

constexpr std::array<DecoderParameter, 6> kParameters{{
    {"objectness",
     "true when column 4 is the object's score and classes follow; default true for "
     "[1,N,5+classes], false for [1,4+classes,N]"},
    {"layout", "columns-last [1,N,C] or columns-first [1,C,N]; default: the shape that fits"},
    {"box", "cxcywh or xyxy; default cxcywh"},
    {"units", "px or normalised; default px"},
    {"classes", "all classes of a cell, or the best one; default all"},
    {"output", "name of the output; default: the one whose shape fits"},
}};

class YoloConcatDecoder final : public Decoder {
 public:
  struct Options {
    std::optional<bool> objectness;  ///< absent: by the shape
    std::string layout;
    bool corners = false;
    bool normalised = false;
    bool best = false;
    std::string output;
  };
  YoloConcatDecoder(Options options, ClassTable classes)
      : options_(std::move(options)), classes_(std::move(classes)) {}

  Expected<void> Decode(const DecodeRequest& request, Detections& boxes) const override {
    for (const TensorView& output : request.outputs) {
      const auto& shape = output.shape;
      const bool named = options_.output.empty() || output.name == options_.output;
      if (!named || shape.size() != 3 || shape[0] != 1) {
        continue;
      }
      for (const bool objectness : {true, false}) {
        const std::ptrdiff_t columns = (objectness ? 5 : 4) + classes_.columns();
        const bool by_shape = !options_.objectness.has_value();
        if (!by_shape && *options_.objectness != objectness) {
          continue;
        }
        if (shape[2] == columns && options_.layout != "columns-first" &&
            (!by_shape || objectness || options_.layout == "columns-last")) {
          return DecodeRows(request, {output.data.data(), shape[1], columns, 1, columns},
                            objectness, boxes);
        }
        if (shape[1] == columns && options_.layout != "columns-last" &&
            (!by_shape || !objectness || options_.layout == "columns-first")) {
          return DecodeRows(request, {output.data.data(), shape[2], columns, shape[2], 1},
                            objectness, boxes);
        }
      }
    }
    const std::string last = std::to_string(5 + classes_.columns());
    const std::string first = std::to_string(4 + classes_.columns());
    return Fail(ErrorCode::kInvalidInput,
                "the decoder yolo-concat with " + std::to_string(classes_.columns()) +
                    " classes needs an output [1,N," + last + "] or [1," + first + ",N]" +
                    (options_.output.empty() ? "" : " called '" + options_.output + "'") +
                    "; outputs: " + OutputsText(request.outputs));
  }

 private:
  Expected<void> DecodeRows(const DecodeRequest& request, const ScoreGrid& rows, bool objectness,
                            Detections& boxes) const {
    BoxCollector collector(classes_, request.score_floor, boxes);
    const float floor = request.score_floor;
    const float scale_x = options_.normalised ? static_cast<float>(request.input.width) : 1.0F;
    const float scale_y = options_.normalised ? static_cast<float>(request.input.height) : 1.0F;
    const auto box_at = [&](std::ptrdiff_t cell) -> Box {
      const auto value = [&](std::ptrdiff_t column) {
        return rows.base[cell * rows.cell_step + column * rows.column_step];
      };
      const float a = value(0) * scale_x;
      const float b = value(1) * scale_y;
      const float c = value(2) * scale_x;
      const float d = value(3) * scale_y;
      return options_.corners ? Box{a, b, c, d} : Box{a - c / 2, b - d / 2, a + c / 2, b + d / 2};
    };
    ScoreGrid classes = rows;
    classes.columns = classes_.columns();
    classes.base = rows.base + (objectness ? 5 : 4) * rows.column_step;
    if (!objectness) {
      const auto add = [&](std::ptrdiff_t cell, std::ptrdiff_t column, float score) {
        collector.Add(box_at(cell), score, column);
      };
      options_.best ? ForBestScore(classes, classes_, floor, add)
                    : ForEachScore(classes, floor, add);
      return collector.Result();
    }
    ScoreGrid objects = rows;
    objects.columns = 1;
    objects.base = rows.base + 4 * rows.column_step;
    ForEachScore(objects, floor, [&](std::ptrdiff_t cell, std::ptrdiff_t, float object) {
      ScoreGrid of_cell = classes;
      of_cell.base += cell * classes.cell_step;
      of_cell.cells = 1;
      const Box box = box_at(cell);
      const auto add = [&](std::ptrdiff_t, std::ptrdiff_t column, float score) {
        collector.Add(box, object * score, column);
      };
      options_.best ? ForBestScore(of_cell, classes_, floor / object, add)
                    : ForEachScore(of_cell, floor / object, add);
    });
    return collector.Result();
  }

  Options options_;
  ClassTable classes_;
};

Expected<std::unique_ptr<Decoder>> Make(const DecoderSpec& spec, const ClassTable& classes) {
  ParameterReader reader(spec);
  YoloConcatDecoder::Options options;
  options.layout = reader.Choice("layout", {"", "columns-last", "columns-first"}, "");
  const std::string objectness = reader.Choice("objectness", {"", "true", "false"}, "");
  if (!objectness.empty()) {
    options.objectness = objectness == "true";
  }
  options.corners = reader.Choice("box", {"cxcywh", "xyxy"}, "cxcywh") == "xyxy";
  options.normalised = reader.Choice("units", {"px", "normalised"}, "px") == "normalised";
  options.best = reader.Choice("classes", {"all", "best"}, "all") == "best";
  options.output = reader.Text("output", "");
  if (auto ok = reader.Result(); !ok) {
    return tl::unexpected(ok.error());
  }
  return std::make_unique<YoloConcatDecoder>(std::move(options), classes);
}

Expected<std::optional<Recognised>> Recognise(const RecogniseRequest& request) {
  constexpr std::array kStrides{8, 16, 32};
  constexpr std::array kStridesP6{8, 16, 32, 64};
  const auto sum = [](const std::vector<std::int64_t>& cells) {
    return std::accumulate(cells.begin(), cells.end(), std::int64_t{0});
  };
  const std::int64_t cells = sum(CellsOf(request.input, kStrides));
  const std::int64_t cells_p6 = sum(CellsOf(request.input, kStridesP6));
  const auto known = static_cast<std::int64_t>(request.labels.size());
  std::optional<Recognised> found;
  for (const TensorFacts& output : request.facts.outputs) {
    if (output.shape.size() != 3 || (output.shape[0] != 1 && output.shape[0] != -1)) {
      continue;
    }
    const std::int64_t second = output.shape[1];
    const std::int64_t third = output.shape[2];
    const auto fits = [&](std::int64_t rows, std::int64_t columns, std::int64_t boxes_per_cell,
                          std::int64_t box_columns) {
      const bool rows_fit =
          rows == -1 || rows == boxes_per_cell * cells || rows == boxes_per_cell * cells_p6;
      return rows_fit && columns > box_columns && (known == 0 || columns == box_columns + known);
    };
    Recognised candidate;
    candidate.decoder.family = "yolo-concat";
    if (fits(second, third, 3, 5)) {
      candidate.decoder.parameters = {{"layout", "columns-last"}, {"objectness", "true"}};
      candidate.columns = static_cast<int>(third - 5);
    } else if (fits(third, second, 1, 4)) {
      candidate.decoder.parameters = {{"layout", "columns-first"}, {"objectness", "false"}};
      candidate.columns = static_cast<int>(second - 4);
    } else if (second != -1 && fits(second, third, 1, 4) &&
               (known != 0 || request.facts.metadata.contains("names"))) {
      candidate.decoder.parameters = {{"layout", "columns-last"}, {"objectness", "false"}};
      candidate.columns = static_cast<int>(third - 4);
    } else {
      continue;
    }
    candidate.input = UltralyticsInput();
    candidate.assumed.push_back("output '" + output.name + "' " + ShapeText(output.shape) +
                                " read as " +
                                (candidate.decoder.parameters.at("objectness") == "true"
                                     ? "boxes, objectness and classes (YOLOv5, v7)"
                                     : "boxes and classes (YOLOv8, v11)"));
    if (!found) {
      found = std::move(candidate);
    }
  }
  return found;
}

}  // namespace

DecoderFamily YoloConcatFamily() {
  return {"yolo-concat",
          "one output [1,N,5+classes] (YOLOv5, v7) or [1,4+classes,N] (YOLOv8, v11), boxes in px",
          kParameters, Make, Recognise};
}

}  // namespace nearfar
