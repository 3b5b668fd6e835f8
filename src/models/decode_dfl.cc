// Anchor-free heads whose box sides are distributions over bins (distribution focal loss): YOLOv8
// and v11 raw heads, PicoDet, NanoDet, NanoDet-Plus. A side is the softmax expectation over its
// bins, in strides, from the cell's centre.

#include <array>
#include <numeric>

#include "models/decode_families.h"
#include "models/decode_parts.h"

namespace nearfar {
namespace {

constexpr std::array<DecoderParameter, 5> kParameters{{
    {"bins", "bins of each side; default: as the outputs tell, else 16"},
    {"activation", "sigmoid, or none when the graph has applied it; default sigmoid"},
    {"centre",
     "half-cell: (i + ½)·stride (YOLOv8, PicoDet); half-pixel: i·stride + ½(stride − 1) "
     "(NanoDet); corner: i·stride (NanoDet-Plus); default half-cell"},
    {"strides",
     "px per cell of each level, finest first, where boxes come without a grid; default "
     "8,16,32"},
    {"classes", "all classes of a cell, or the best one; default all"},
}};

enum class Centre { kHalfCell, kHalfPixel, kCorner };

/// One level: scores and box bins of the same cells.
struct DflLevel {
  ScoreGrid scores;
  const float* bins = nullptr;
  std::ptrdiff_t bin_step = 1;   ///< from one bin to the next
  std::ptrdiff_t cell_step = 1;  ///< from one cell's bins to the next cell's
  int width = 0;
  float stride_x = 0;
  float stride_y = 0;
};

class DflDecoder final : public Decoder {
 public:
  struct Options {
    int bins = 16;
    bool sigmoid = true;
    Centre centre = Centre::kHalfCell;
    std::vector<int> strides;
    bool best = false;
  };
  DflDecoder(Options options, ClassTable classes)
      : options_(std::move(options)), classes_(std::move(classes)) {}

  Expected<void> Decode(const DecodeRequest& request, Detections& boxes) const override {
    auto levels = FindDflLevels(request);
    if (!levels) {
      return tl::unexpected(levels.error());
    }
    BoxCollector collector(classes_, request.score_floor, boxes);
    for (const DflLevel& level : *levels) {
      DecodeLevel(level, collector);
    }
    return collector.Result();
  }

 private:
  /// Finds [1,4·bins+classes,h,w] levels, else [1,cells,classes] with [1,cells,4·bins], else one
  /// [1,all cells,classes+4·bins].
  Expected<std::vector<DflLevel>> FindDflLevels(const DecodeRequest& request) const {
    const std::ptrdiff_t columns = classes_.columns();
    const std::ptrdiff_t side_bins = std::ptrdiff_t{4} * options_.bins;
    std::vector<DflLevel> levels;
    if (auto heads = FindLevels(request, columns + side_bins, "dfl (4·bins + classes)")) {
      for (const HeadLevel& head : *heads) {
        levels.push_back({{head.data + side_bins * head.channel_step, head.cells(), columns,
                           head.channel_step, head.cell_step},
                          head.data,
                          head.channel_step,
                          head.cell_step,
                          head.width,
                          head.stride_x,
                          head.stride_y});
      }
      return levels;
    }
    const std::vector<std::int64_t> cells = CellsOf(request.input, options_.strides);
    const auto level_of = [&](std::size_t l, const float* scores, std::ptrdiff_t score_step,
                              const float* bins, std::ptrdiff_t cell_step) {
      const int stride = options_.strides[l];
      const auto side = static_cast<float>(stride);
      return DflLevel{{scores, cells[l], columns, 1, score_step},  bins, 1,   cell_step,
                      (request.input.width + stride - 1) / stride, side, side};
    };
    const auto find = [&](std::int64_t rows, std::int64_t width) -> const TensorView* {
      for (const TensorView& output : request.outputs) {
        const auto& s = output.shape;
        if (s.size() == 3 && s[0] == 1 && s[1] == rows && s[2] == width) {
          return &output;
        }
      }
      return nullptr;
    };
    const std::int64_t all = std::accumulate(cells.begin(), cells.end(), std::int64_t{0});
    if (const TensorView* merged = find(all, columns + side_bins)) {
      const float* at = merged->data.data();
      for (std::size_t l = 0; l < cells.size(); ++l) {
        levels.push_back(level_of(l, at, columns + side_bins, at + columns, columns + side_bins));
        at += cells[l] * (columns + side_bins);
      }
      return levels;
    }
    for (std::size_t l = 0; l < cells.size(); ++l) {
      const TensorView* scores = find(cells[l], columns);
      const TensorView* bins = find(cells[l], side_bins);
      if (scores == nullptr || bins == nullptr || scores == bins) {
        return Fail(ErrorCode::kInvalidInput,
                    "the decoder dfl needs [1," + std::to_string(columns + side_bins) +
                        ",h,w] for each level, or [1," + std::to_string(cells[l]) + "," +
                        std::to_string(columns) + "] and [1," + std::to_string(cells[l]) + "," +
                        std::to_string(side_bins) + "] for stride " +
                        std::to_string(options_.strides[l]) + " (" + std::to_string(columns) +
                        " classes, " + std::to_string(options_.bins) +
                        " bins); outputs: " + OutputsText(request.outputs));
      }
      levels.push_back(level_of(l, scores->data.data(), columns, bins->data.data(), side_bins));
    }
    return levels;
  }

  Box BoxAt(const DflLevel& level, std::ptrdiff_t cell) const {
    const auto centre = [&](std::ptrdiff_t place, float stride) {
      const auto i = static_cast<float>(place);
      switch (options_.centre) {
        case Centre::kHalfCell:
          return (i + 0.5F) * stride;
        case Centre::kHalfPixel:
          return i * stride + 0.5F * (stride - 1);
        case Centre::kCorner:
          break;
      }
      return i * stride;
    };
    std::array<float, 4> sides{};
    const float* bins = level.bins + cell * level.cell_step;
    for (float& side : sides) {
      side = Expectation(bins, level.bin_step);
      bins += options_.bins * level.bin_step;
    }
    const float x = centre(cell % level.width, level.stride_x);
    const float y = centre(cell / level.width, level.stride_y);
    return {x - sides[0] * level.stride_x, y - sides[1] * level.stride_y,
            x + sides[2] * level.stride_x, y + sides[3] * level.stride_y};
  }

  float Expectation(const float* bins, std::ptrdiff_t step) const {
    float largest = bins[0];
    for (std::ptrdiff_t b = 1; b < options_.bins; ++b) {
      largest = std::max(largest, bins[b * step]);
    }
    float sum = 0;
    float weighted = 0;
    for (std::ptrdiff_t b = 0; b < options_.bins; ++b) {
      const float share = std::exp(bins[b * step] - largest);
      sum += share;
      weighted += share * static_cast<float>(b);
    }
    return weighted / sum;
  }

  void DecodeLevel(const DflLevel& level, BoxCollector& collector) const {
    const float floor = collector.floor();
    const float threshold = options_.sigmoid ? Logit(floor) : floor;
    // A cell may score in several classes; its box is computed once.
    std::vector<int> box_of_cell(static_cast<std::size_t>(level.scores.cells), -1);
    std::vector<Box> cell_boxes;
    const auto add = [&](std::ptrdiff_t cell, std::ptrdiff_t column, float value) {
      if (!collector.Wants(column)) {
        return;
      }
      int& index = box_of_cell[static_cast<std::size_t>(cell)];
      if (index < 0) {
        index = static_cast<int>(cell_boxes.size());
        cell_boxes.push_back(BoxAt(level, cell));
      }
      collector.Add(cell_boxes[static_cast<std::size_t>(index)],
                    options_.sigmoid ? Sigmoid(value) : value, column);
    };
    options_.best ? ForBestScore(level.scores, classes_, threshold, add)
                  : ForEachScore(level.scores, threshold, add);
  }

  Options options_;
  ClassTable classes_;
};

Expected<std::unique_ptr<Decoder>> Make(const DecoderSpec& spec, const ClassTable& classes) {
  ParameterReader reader(spec);
  DflDecoder::Options options;
  options.bins = static_cast<int>(reader.Number("bins", 16, 2, 256));
  options.sigmoid = reader.Choice("activation", {"sigmoid", "none"}, "sigmoid") == "sigmoid";
  const std::string centre =
      reader.Choice("centre", {"half-cell", "half-pixel", "corner"}, "half-cell");
  options.centre = centre == "half-cell"    ? Centre::kHalfCell
                   : centre == "half-pixel" ? Centre::kHalfPixel
                                            : Centre::kCorner;
  for (const float stride : reader.Numbers("strides", {8, 16, 32})) {
    if (!(stride >= 1 && stride <= 1024)) {
      reader.Refuse("strides", "expected px per cell, 1 to 1024");
      break;
    }
    options.strides.push_back(static_cast<int>(stride));
  }
  options.best = reader.Choice("classes", {"all", "best"}, "all") == "best";
  if (auto ok = reader.Result(); !ok) {
    return tl::unexpected(ok.error());
  }
  return std::make_unique<DflDecoder>(std::move(options), classes);
}

std::optional<Recognised> RecogniseGrids(const RecogniseRequest& request) {
  const auto& outputs = request.facts.outputs;
  const std::int64_t channels =
      outputs.empty() || outputs[0].shape.size() != 4 ? 0 : outputs[0].shape[1];
  for (const TensorFacts& output : outputs) {
    if (output.shape.size() != 4 || output.shape[1] != channels) {
      return std::nullopt;
    }
  }
  const auto known = static_cast<std::int64_t>(request.labels.size());
  const std::int64_t classes = channels - 64;
  const bool fits = known != 0 ? classes == known : classes == 80;
  if (outputs.size() < 2 || !fits || request.facts.metadata.contains("anchors")) {
    return std::nullopt;
  }
  Recognised found;
  found.decoder = {"dfl", {{"bins", "16"}, {"activation", "sigmoid"}, {"centre", "half-cell"}}, {}};
  found.columns = static_cast<int>(classes);
  found.input = UltralyticsInput();
  found.assumed.push_back("outputs read as raw heads of YOLOv8, v11: 4 sides of 16 bins, then " +
                          std::to_string(classes) + " classes");
  return found;
}

std::optional<Recognised> RecogniseRows(const RecogniseRequest& request) {
  constexpr std::array kStrides{8, 16, 32, 64};
  const auto& outputs = request.facts.outputs;
  const auto known = static_cast<std::int64_t>(request.labels.size());
  for (const std::size_t levels : {std::size_t{3}, std::size_t{4}}) {
    const std::vector<std::int64_t> cells =
        CellsOf(request.input, std::span(kStrides).first(levels));
    std::string strides = levels == 3 ? "8,16,32" : "8,16,32,64";
    if (outputs.size() == 1 && levels == 4 && outputs[0].shape.size() == 3 &&
        outputs[0].shape[1] == std::accumulate(cells.begin(), cells.end(), std::int64_t{0}) &&
        outputs[0].shape[2] == (known != 0 ? known : 80) + 32) {
      Recognised found;
      found.decoder = {
          "dfl",
          {{"bins", "8"}, {"activation", "none"}, {"centre", "corner"}, {"strides", strides}},
          {}};
      found.columns = static_cast<int>(outputs[0].shape[2]) - 32;
      found.input.resize = Resize::kLetterbox;
      found.input.pad = 0;
      found.input.channels = ChannelOrder::kBgr;
      found.input.scale = 1;
      found.input.mean = {103.53F, 116.28F, 123.675F};
      found.input.std = {57.375F, 57.12F, 58.395F};
      found.assumed.push_back("output read as NanoDet-Plus: classes, then 4 sides of 8 bins");
      return found;
    }
    if (outputs.size() != 2 * levels) {
      continue;
    }
    std::int64_t classes = 0;
    std::int64_t bins = 0;
    bool fits = true;
    for (std::size_t l = 0; l < levels && fits; ++l) {
      std::vector<std::int64_t> widths;
      for (const TensorFacts& output : outputs) {
        if (output.shape.size() == 3 && output.shape[1] == cells[l]) {
          widths.push_back(output.shape[2]);
        }
      }
      fits = widths.size() == 2;
      if (!fits) {
        break;
      }
      // Which of the two is the box: the one of 32 columns (8 bins), unless labels say otherwise.
      if (known != 0 && widths[1] == known && widths[0] % 4 == 0) {
        std::swap(widths[0], widths[1]);
      } else if (widths[0] == 32 && widths[1] != 32) {
        std::swap(widths[0], widths[1]);
      }
      fits = widths[1] % 4 == 0 && widths[1] >= 8 && (known == 0 || widths[0] == known) &&
             (l == 0 || (classes == widths[0] && bins == widths[1] / 4));
      classes = widths[0];
      bins = widths[1] / 4;
    }
    if (!fits) {
      continue;
    }
    // PicoDet has four levels, NanoDet three.
    const bool nanodet = levels == 3;
    Recognised found;
    found.decoder = {"dfl",
                     {{"bins", std::to_string(bins)},
                      {"activation", "none"},
                      {"centre", nanodet ? "half-pixel" : "half-cell"},
                      {"strides", strides}},
                     {}};
    found.columns = static_cast<int>(classes);
    InputSpec& input = found.input;
    if (nanodet) {
      input.resize = Resize::kLetterbox;
      input.pad = 0;
      input.channels = ChannelOrder::kBgr;
      input.scale = 1;
      input.mean = {103.53F, 116.28F, 123.675F};
      input.std = {57.375F, 57.12F, 58.395F};
    } else {
      input.resize = Resize::kStretch;
      input.mean = {0.485F, 0.456F, 0.406F};
      input.std = {0.229F, 0.224F, 0.225F};
    }
    found.assumed.push_back(std::string("outputs read as ") +
                            (nanodet ? "NanoDet (three levels)" : "PicoDet (four levels)") +
                            ": scores after their sigmoid, 4 sides of " + std::to_string(bins) +
                            " bins");
    return found;
  }
  return std::nullopt;
}

Expected<std::optional<Recognised>> Recognise(const RecogniseRequest& request) {
  if (auto grids = RecogniseGrids(request)) {
    return grids;
  }
  return RecogniseRows(request);
}

}  // namespace

DecoderFamily DflFamily() {
  return {"dfl",
          "per level [1,4·bins+classes,h,w] (YOLOv8, v11 raw), or [1,cells,classes] and "
          "[1,cells,4·bins] (PicoDet, NanoDet), or [1,all cells,classes+4·bins] (NanoDet-Plus)",
          kParameters, Make, Recognise};
}

}  // namespace nearfar
