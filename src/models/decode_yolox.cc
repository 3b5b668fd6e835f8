// YOLOX: one output with all cells in a row, boxes relative to their cells.

#include <array>
#include <numeric>

#include "models/decode_families.h"
#include "models/decode_parts.h"

namespace nearfar {
namespace {

constexpr std::array<DecoderParameter, 4> kParameters{{
    {"strides", "px per cell of each level, finest first; default 8,16,32"},
    {"activation",
     "none when the graph has applied the sigmoid to scores, else sigmoid; default none"},
    {"classes", "all classes of a cell, or the best one; default all"},
    {"output", "name of the output; default: the one whose shape fits"},
}};

class YoloxDecoder final : public Decoder {
 public:
  struct Options {
    std::vector<int> strides;
    bool sigmoid = false;
    bool best = false;
    std::string output;
  };
  YoloxDecoder(Options options, ClassTable classes)
      : options_(std::move(options)), classes_(std::move(classes)) {}

  Expected<void> Decode(const DecodeRequest& request, Detections& boxes) const override {
    const std::ptrdiff_t columns = 5 + classes_.columns();
    const std::vector<std::int64_t> cells = CellsOf(request.input, options_.strides);
    const std::int64_t all = std::accumulate(cells.begin(), cells.end(), std::int64_t{0});
    for (const TensorView& output : request.outputs) {
      const auto& shape = output.shape;
      if (shape.size() != 3 || shape[0] != 1 || shape[1] != all || shape[2] != columns ||
          (!options_.output.empty() && output.name != options_.output)) {
        continue;
      }
      BoxCollector collector(classes_, request.score_floor, boxes);
      const float* level = output.data.data();
      for (std::size_t l = 0; l < cells.size(); ++l) {
        DecodeLevel(level, cells[l], request.input, options_.strides[l], collector);
        level += cells[l] * columns;
      }
      return collector.Result();
    }
    return Fail(ErrorCode::kInvalidInput,
                "the decoder yolox needs an output [1," + std::to_string(all) + "," +
                    std::to_string(columns) + "] (" + std::to_string(classes_.columns()) +
                    " classes); outputs: " + OutputsText(request.outputs));
  }

 private:
  void DecodeLevel(const float* level, std::int64_t cells, Size input, int stride,
                   BoxCollector& collector) const {
    const std::ptrdiff_t columns = 5 + classes_.columns();
    const std::int64_t width = (input.width + stride - 1) / stride;
    const auto side = static_cast<float>(stride);
    const RawScores scores{options_.sigmoid};
    const ScoreGrid objects{level + 4, cells, 1, 1, columns};
    ForEachScore(objects, scores.RawOf(collector.floor()),
                 [&](std::ptrdiff_t cell, std::ptrdiff_t, float t) {
                   const float* values = level + cell * columns;
                   const float object = scores.ScoreOf(t);
                   const float x = (values[0] + static_cast<float>(cell % width)) * side;
                   const float y = (values[1] + static_cast<float>(cell / width)) * side;
                   const float w = std::exp(values[2]) * side;
                   const float h = std::exp(values[3]) * side;
                   const Box box{x - w / 2, y - h / 2, x + w / 2, y + h / 2};
                   const ScoreGrid classes{values + 5, 1, classes_.columns(), 1, columns};
                   CollectClasses(box, object, classes, classes_, scores, options_.best, collector);
                 });
  }

  Options options_;
  ClassTable classes_;
};

Expected<std::unique_ptr<Decoder>> Make(const DecoderSpec& spec, const ClassTable& classes) {
  ParameterReader reader(spec);
  YoloxDecoder::Options options;
  for (const float stride : reader.Numbers("strides", {8, 16, 32})) {
    if (!(stride >= 1 && stride <= 1024)) {
      reader.Refuse("strides", "expected px per cell, 1 to 1024");
      break;
    }
    options.strides.push_back(static_cast<int>(stride));
  }
  options.sigmoid = reader.Choice("activation", {"sigmoid", "none"}, "none") == "sigmoid";
  options.best = reader.Choice("classes", {"all", "best"}, "all") == "best";
  options.output = reader.Text("output", "");
  if (auto ok = reader.Result(); !ok) {
    return tl::unexpected(ok.error());
  }
  return std::make_unique<YoloxDecoder>(std::move(options), classes);
}

Expected<std::optional<Recognised>> Recognise(const RecogniseRequest& request) {
  constexpr std::array kStrides{8, 16, 32, 64};
  const auto known = static_cast<std::int64_t>(request.labels.size());
  for (const TensorFacts& output : request.facts.outputs) {
    for (const std::size_t levels : {std::size_t{3}, std::size_t{4}}) {
      const std::vector<std::int64_t> cells =
          CellsOf(request.input, std::span(kStrides).first(levels));
      const std::int64_t all = std::accumulate(cells.begin(), cells.end(), std::int64_t{0});
      // Without named classes: an exporter that names them is not YOLOX's.
      if (output.shape.size() != 3 || request.facts.metadata.contains("names") ||
          (output.shape[1] != all && output.shape[1] != -1) || output.shape[2] <= 5 ||
          (known != 0 ? output.shape[2] != 5 + known : output.shape[2] == 80 + 32)) {
        continue;
      }
      Recognised found;
      found.decoder = {
          "yolox",
          {{"strides", levels == 3 ? "8,16,32" : "8,16,32,64"}, {"activation", "none"}},
          {}};
      found.columns = static_cast<int>(output.shape[2]) - 5;
      found.input.resize = Resize::kLetterboxTopLeft;
      found.input.channels = ChannelOrder::kBgr;
      found.input.scale = 1;
      found.assumed.push_back("output '" + output.name + "' " + ShapeText(output.shape) +
                              " read as YOLOX: boxes relative to their cells, scores after their "
                              "sigmoid");
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace

DecoderFamily YoloxFamily() {
  return {"yolox", "one output [1,cells of all levels,5+classes], boxes relative to their cells",
          kParameters, Make, Recognise};
}

}  // namespace nearfar
