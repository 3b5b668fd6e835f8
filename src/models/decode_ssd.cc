// SSD: boxes [1,N,4] and scores [1,N,classes], boxes either as offsets from priors or already
// decoded.

#include <array>

#include "models/decode_families.h"
#include "models/decode_parts.h"

namespace nearfar {
namespace {

constexpr std::array<DecoderParameter, 9> kParameters{{
    {"boxes", "offsets (from priors) or decoded; default offsets when priors are given"},
    {"priors", "file with a prior a line, normalised to [0,1]; lines with '#' are comments"},
    {"prior_order", "cycxhw or cxcywh; default: as a comment of the file says, else cxcywh"},
    {"order",
     "order of the four numbers: offsets yxhw or xywh, decoded xyxy, yxyx or cxcywh; default "
     "xywh, xyxy"},
    {"variances", "four factors of the offsets in their order; default 0.1,0.1,0.2,0.2"},
    {"units", "decoded boxes in px or normalised; default normalised"},
    {"activation", "none, sigmoid or softmax; default none"},
    {"classes", "all classes of a prior, or the best one; default all"},
    {"outputs", "names of the boxes and the scores, parted by a comma; default: by shape"},
}};

enum class ScoreForm { kNone, kSigmoid, kSoftmax };

/// Centre and size, normalised.
struct Prior {
  float x, y, w, h;
};

class SsdDecoder final : public Decoder {
 public:
  struct Options {
    std::vector<Prior> priors;  ///< empty: boxes come decoded
    std::string order;
    std::array<float, 4> variances{0.1F, 0.1F, 0.2F, 0.2F};
    bool normalised = true;
    ScoreForm form = ScoreForm::kNone;
    bool best = false;
    std::string boxes_name;
    std::string scores_name;
  };
  SsdDecoder(Options options, ClassTable classes)
      : options_(std::move(options)), classes_(std::move(classes)) {}

  Expected<void> Decode(const DecodeRequest& request, Detections& boxes) const override {
    const std::int64_t columns = classes_.columns();
    // A middle axis of one, as some exporters write [1,N,1,4], carries nothing.
    const auto rows_of = [](const TensorView& t, std::int64_t width) -> std::int64_t {
      const auto& s = t.shape;
      if (s.size() == 3 && s[0] == 1 && s[2] == width) {
        return s[1];
      }
      return s.size() == 4 && s[0] == 1 && s[2] == 1 && s[3] == width ? s[1] : -1;
    };
    const TensorView* offsets = nullptr;
    const TensorView* scores = nullptr;
    for (const TensorView& output : request.outputs) {
      const auto fits = [&](const std::string& name, std::int64_t width) {
        return (name.empty() || name == output.name) && rows_of(output, width) > 0;
      };
      if (offsets == nullptr && fits(options_.boxes_name, 4)) {
        offsets = &output;
      } else if (scores == nullptr && fits(options_.scores_name, columns)) {
        scores = &output;
      }
    }
    const std::int64_t rows = offsets == nullptr ? -1 : rows_of(*offsets, 4);
    if (offsets == nullptr || scores == nullptr || rows_of(*scores, columns) != rows) {
      return Fail(ErrorCode::kInvalidInput, "the decoder ssd needs outputs [1,N,4] and [1,N," +
                                                std::to_string(columns) +
                                                "]; outputs: " + OutputsText(request.outputs));
    }
    if (!options_.priors.empty() && rows != static_cast<std::int64_t>(options_.priors.size())) {
      return Fail(ErrorCode::kInvalidInput,
                  "nearfar.decoder.priors has " + std::to_string(options_.priors.size()) +
                      " priors, the model gives " + std::to_string(rows) + " boxes");
    }
    BoxCollector collector(classes_, request.score_floor, boxes);
    const auto box_at = [&](std::ptrdiff_t row) {
      return BoxAt(offsets->data.data() + 4 * row, row, request.input);
    };
    ScoreGrid grid{scores->data.data(), rows, columns, 1, columns};
    if (options_.form == ScoreForm::kSoftmax) {
      std::vector<float> shares(static_cast<std::size_t>(columns));
      for (std::ptrdiff_t row = 0; row < rows; ++row) {
        Softmax(grid.base + row * columns, shares);
        const ScoreGrid of_row{shares.data(), 1, columns, 1, columns};
        const auto add = [&](std::ptrdiff_t, std::ptrdiff_t column, float score) {
          if (collector.Wants(column)) {
            collector.Add(box_at(row), score, column);
          }
        };
        options_.best ? ForBestScore(of_row, classes_, collector.floor(), add)
                      : ForEachScore(of_row, collector.floor(), add);
      }
      return collector.Result();
    }
    const bool sigmoid = options_.form == ScoreForm::kSigmoid;
    const float threshold = sigmoid ? Logit(collector.floor()) : collector.floor();
    const auto add = [&](std::ptrdiff_t row, std::ptrdiff_t column, float value) {
      if (collector.Wants(column)) {
        collector.Add(box_at(row), sigmoid ? Sigmoid(value) : value, column);
      }
    };
    options_.best ? ForBestScore(grid, classes_, threshold, add)
                  : ForEachScore(grid, threshold, add);
    return collector.Result();
  }

 private:
  static void Softmax(const float* values, std::vector<float>& shares) {
    float largest = values[0];
    for (std::size_t i = 0; i < shares.size(); ++i) {
      largest = std::max(largest, values[i]);
    }
    float sum = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      shares[i] = std::exp(values[i] - largest);
      sum += shares[i];
    }
    for (float& share : shares) {
      share /= sum;
    }
  }

  Box BoxAt(const float* v, std::ptrdiff_t row, Size input) const {
    const float scale_x = options_.normalised ? static_cast<float>(input.width) : 1.0F;
    const float scale_y = options_.normalised ? static_cast<float>(input.height) : 1.0F;
    float x = 0;
    float y = 0;
    float w = 0;
    float h = 0;
    if (options_.priors.empty()) {
      if (options_.order == "xyxy") {
        return {v[0] * scale_x, v[1] * scale_y, v[2] * scale_x, v[3] * scale_y};
      }
      if (options_.order == "yxyx") {
        return {v[1] * scale_x, v[0] * scale_y, v[3] * scale_x, v[2] * scale_y};
      }
      x = v[0];
      y = v[1];
      w = v[2];
      h = v[3];
    } else {
      const Prior& prior = options_.priors[static_cast<std::size_t>(row)];
      std::array<float, 4> t{v[0] * options_.variances[0], v[1] * options_.variances[1],
                             v[2] * options_.variances[2], v[3] * options_.variances[3]};
      if (options_.order == "yxhw") {
        std::swap(t[0], t[1]);
        std::swap(t[2], t[3]);
      }
      x = prior.x + t[0] * prior.w;
      y = prior.y + t[1] * prior.h;
      w = prior.w * std::exp(t[2]);
      h = prior.h * std::exp(t[3]);
    }
    return {(x - w / 2) * scale_x, (y - h / 2) * scale_y, (x + w / 2) * scale_x,
            (y + h / 2) * scale_y};
  }

  Options options_;
  ClassTable classes_;
};

/// Reads the priors file; the order of its columns may stand in a comment such as `# cy,cx,h,w`.
void ReadPriors(const std::string& text, std::string order, ParameterReader& reader,
                std::vector<Prior>& priors) {
  std::string_view rest = text;
  for (int line_number = 1; !rest.empty(); ++line_number) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!line.empty() && line[0] == '#') {
      if (order.empty() && line.find("cy,cx,h,w") != std::string_view::npos) {
        order = "cycxhw";
      }
      continue;
    }
    const auto numbers = ParseNumbers(line);
    if (numbers && numbers->empty()) {
      continue;
    }
    if (!numbers || numbers->size() != 4 || !((*numbers)[2] > 0) || !((*numbers)[3] > 0)) {
      reader.Refuse("priors", "line " + std::to_string(line_number) +
                                  ": expected four numbers, a centre and a size above zero");
      return;
    }
    const auto& n = *numbers;
    priors.push_back(order == "cycxhw" ? Prior{n[1], n[0], n[3], n[2]}
                                       : Prior{n[0], n[1], n[2], n[3]});
  }
  if (priors.empty()) {
    reader.Refuse("priors", "the file holds no priors");
  }
}

Expected<std::unique_ptr<Decoder>> Make(const DecoderSpec& spec, const ClassTable& classes) {
  ParameterReader reader(spec);
  SsdDecoder::Options options;
  const auto priors = spec.files.find("priors");
  const bool has_priors = priors != spec.files.end();
  const bool offsets = reader.Choice("boxes", {"offsets", "decoded"},
                                     has_priors ? "offsets" : "decoded") == "offsets";
  if (offsets && !has_priors) {
    reader.Refuse("priors", "boxes that are offsets need the file of their priors");
  } else if (offsets) {
    ReadPriors(priors->second, reader.Choice("prior_order", {"", "cycxhw", "cxcywh"}, ""), reader,
               options.priors);
  }
  options.order = offsets ? reader.Choice("order", {"yxhw", "xywh"}, "xywh")
                          : reader.Choice("order", {"xyxy", "yxyx", "cxcywh"}, "xyxy");
  const std::vector<float> variances = reader.Numbers("variances", {0.1F, 0.1F, 0.2F, 0.2F});
  if (variances.size() == 4) {
    std::copy(variances.begin(), variances.end(), options.variances.begin());
  } else {
    reader.Refuse("variances", "expected four numbers");
  }
  options.normalised =
      offsets || reader.Choice("units", {"px", "normalised"}, "normalised") == "normalised";
  const std::string form = reader.Choice("activation", {"none", "sigmoid", "softmax"}, "none");
  options.form = form == "none"      ? ScoreForm::kNone
                 : form == "sigmoid" ? ScoreForm::kSigmoid
                                     : ScoreForm::kSoftmax;
  options.best = reader.Choice("classes", {"all", "best"}, "all") == "best";
  const std::string names = reader.Text("outputs", "");
  if (!names.empty()) {
    const std::size_t comma = names.find(',');
    if (comma == std::string::npos) {
      reader.Refuse("outputs", "expected two names parted by a comma");
    } else {
      options.boxes_name = names.substr(0, comma);
      options.scores_name = names.substr(comma + 1);
    }
  }
  if (auto ok = reader.Result(); !ok) {
    return tl::unexpected(ok.error());
  }
  return std::make_unique<SsdDecoder>(std::move(options), classes);
}

Expected<std::optional<Recognised>> Recognise(const RecogniseRequest& request) {
  const TensorFacts* boxes = nullptr;
  const TensorFacts* scores = nullptr;
  const auto last = [](const TensorFacts& t) { return t.shape.empty() ? 0 : t.shape.back(); };
  const auto rows = [](const TensorFacts& t) {
    return t.shape.size() == 3 || (t.shape.size() == 4 && t.shape[2] == 1) ? t.shape[1] : 0;
  };
  if (request.facts.outputs.size() != 2) {
    return std::nullopt;
  }
  for (const TensorFacts& output : request.facts.outputs) {
    (last(output) == 4 && rows(output) != 0 ? boxes : scores) = &output;
  }
  if (boxes == nullptr || scores == nullptr || rows(*boxes) != rows(*scores) || rows(*boxes) == 0 ||
      last(*scores) < 1) {
    return std::nullopt;
  }
  Recognised found;
  found.decoder.family = "ssd";
  found.columns = static_cast<int>(last(*scores));
  found.input.resize = Resize::kStretch;
  const bool tensorflow = boxes->name.find("box_encodings") != std::string::npos;
  const bool has_priors = request.parameters.contains("priors");
  if (!has_priors && !request.parameters.contains("boxes")) {
    return Fail(ErrorCode::kUnsupported,
                "the outputs '" + boxes->name + "' " + ShapeText(boxes->shape) + " and '" +
                    scores->name + "' " + ShapeText(scores->shape) +
                    " are an SSD's, and the graph does not say from which priors. Set "
                    "nearfar.decoder.priors = FILE (a line `cx,cy,w,h` each)" +
                    (tensorflow ? "" : ", or nearfar.decoder.boxes = decoded"));
  }
  if (tensorflow) {  // TensorFlow's Object Detection API: y before x, sizes scaled by 10,10,5,5.
    found.decoder.parameters = {{"order", "yxhw"}, {"variances", "0.1,0.1,0.2,0.2"}};
    found.input.scale = 1;
    found.input.mean = {127.5F, 127.5F, 127.5F};
    found.input.std = {127.5F, 127.5F, 127.5F};
    found.assumed.push_back("offsets read as TensorFlow writes them (ty,tx,th,tw ÷ 10,10,5,5)");
  } else {
    found.input.scale = 1;
    found.input.mean = {127.0F, 127.0F, 127.0F};
    found.input.std = {128.0F, 128.0F, 128.0F};
    found.assumed.push_back(has_priors ? "offsets read as x,y,w,h with variances 0.1,0.1,0.2,0.2"
                                       : "boxes read as x1,y1,x2,y2 in [0, 1]");
  }
  found.assumed.push_back("scores read as they are (nearfar.decoder.activation = none)");
  return found;
}

}  // namespace

DecoderFamily SsdFamily() {
  return {"ssd", "boxes [1,N,4] (offsets from priors, or decoded) and scores [1,N,classes]",
          kParameters, Make, Recognise};
}

}  // namespace nearfar
