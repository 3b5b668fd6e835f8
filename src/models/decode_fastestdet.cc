// FastestDet: one grid with objectness, a box and a softmax over classes, all in one output.

#include <array>

#include "models/decode_families.h"
#include "models/decode_parts.h"

namespace nearfar {
namespace {

constexpr std::array<DecoderParameter, 2> kParameters{{
    {"classes", "all classes of a cell, or the best one; default best"},
    {"exponent", "share of the objectness: score = objectness^e · class^(1−e); default 0.6"},
}};

class FastestDetDecoder final : public Decoder {
 public:
  FastestDetDecoder(float exponent, bool best, ClassTable classes)
      : exponent_(exponent), best_(best), classes_(std::move(classes)) {}

  Expected<void> Decode(const DecodeRequest& request, Detections& boxes) const override {
    const std::ptrdiff_t columns = 5 + classes_.columns();
    auto levels = FindLevels(request, columns, "fastestdet (5 + classes)");
    if (!levels) {
      return tl::unexpected(levels.error());
    }
    BoxCollector collector(classes_, request.score_floor, boxes);
    // Classes are at most 1, so the objectness alone must reach floor^(1/e); and the other way
    // round.
    const float object_floor = std::pow(request.score_floor, 1 / exponent_);
    for (const HeadLevel& head : *levels) {
      const ScoreGrid objects{head.data, head.cells(), 1, head.channel_step, head.cell_step};
      ForEachScore(objects, object_floor, [&](std::ptrdiff_t cell, std::ptrdiff_t, float object) {
        const float* values = head.data + cell * head.cell_step;
        const auto value = [&](std::ptrdiff_t c) { return values[c * head.channel_step]; };
        const float object_part = std::pow(object, exponent_);
        const float x =
            (std::tanh(value(1)) + static_cast<float>(cell % head.width)) * head.stride_x;
        const float y =
            (std::tanh(value(2)) + static_cast<float>(cell / head.width)) * head.stride_y;
        const float w = Sigmoid(value(3)) * static_cast<float>(request.input.width);
        const float h = Sigmoid(value(4)) * static_cast<float>(request.input.height);
        const Box box{x - w / 2, y - h / 2, x + w / 2, y + h / 2};
        const ScoreGrid classes{values + 5 * head.channel_step, 1, classes_.columns(),
                                head.channel_step, head.cell_step};
        const float threshold =
            std::pow(std::min(request.score_floor / object_part, 1.0F), 1 / (1 - exponent_));
        const auto add = [&](std::ptrdiff_t, std::ptrdiff_t column, float score) {
          collector.Add(box, object_part * std::pow(score, 1 - exponent_), column);
        };
        best_ ? ForBestScore(classes, classes_, threshold, add)
              : ForEachScore(classes, threshold, add);
      });
    }
    return collector.Result();
  }

 private:
  float exponent_;
  bool best_;
  ClassTable classes_;
};

Expected<std::unique_ptr<Decoder>> Make(const DecoderSpec& spec, const ClassTable& classes) {
  ParameterReader reader(spec);
  const float exponent = reader.Number("exponent", 0.6F, 0.01F, 0.99F);
  const bool best = reader.Choice("classes", {"all", "best"}, "best") == "best";
  if (auto ok = reader.Result(); !ok) {
    return tl::unexpected(ok.error());
  }
  return std::make_unique<FastestDetDecoder>(exponent, best, classes);
}

Expected<std::optional<Recognised>> Recognise(const RecogniseRequest& request) {
  const auto& outputs = request.facts.outputs;
  if (outputs.size() != 1 || outputs[0].shape.size() != 4) {
    return std::nullopt;
  }
  const auto& shape = outputs[0].shape;
  const auto known = static_cast<std::int64_t>(request.labels.size());
  if (shape[1] != 5 + (known != 0 ? known : 80) || shape[2] * 16 != request.input.height ||
      shape[3] * 16 != request.input.width || request.facts.metadata.contains("anchors")) {
    return std::nullopt;
  }
  Recognised found;
  found.decoder.family = "fastestdet";
  found.columns = static_cast<int>(shape[1]) - 5;
  found.input.resize = Resize::kStretch;
  found.input.channels = ChannelOrder::kBgr;
  found.assumed.push_back("output '" + outputs[0].name + "' " + ShapeText(shape) +
                          " read as FastestDet: objectness, box, classes on one grid of stride 16");
  return found;
}

}  // namespace

DecoderFamily FastestDetFamily() {
  return {"fastestdet", "one output [1,5+classes,h,w] on a single grid", kParameters, Make,
          Recognise};
}

}  // namespace nearfar
