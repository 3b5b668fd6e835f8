#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/decode.h"

// What several families of decoders share.

namespace nearfar {

inline float Sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }
/// The value whose sigmoid is p. REQUIRES: 0 < p < 1.
inline float Logit(float p) { return std::log(p / (1.0F - p)); }

/// Reads the parameters of a DecoderSpec; the first bad one is kept as the error.
class ParameterReader {
 public:
  explicit ParameterReader(const DecoderSpec& spec) : spec_(spec) {}

  std::string Text(std::string_view name, std::string_view otherwise);
  /// One of `choices`. REQUIRES: otherwise is one of them.
  std::string Choice(std::string_view name, std::initializer_list<std::string_view> choices,
                     std::string_view otherwise);
  float Number(std::string_view name, float otherwise, float low, float high);
  std::vector<float> Numbers(std::string_view name, std::vector<float> otherwise);
  /// Lists of numbers parted by `;`: one list for each level.
  std::vector<std::vector<float>> Levels(std::string_view name);
  void Refuse(std::string_view name, std::string_view why);
  Expected<void> Result() const;

 private:
  const std::string* Find(std::string_view name) const;

  const DecoderSpec& spec_;
  std::optional<Error> error_;
};

/// Numbers of a text, parted by commas, spaces or brackets; nothing when something else stands
/// there.
std::optional<std::vector<float>> ParseNumbers(std::string_view text);

/// How the numbers in score columns become scores.
enum class Activation { kNone, kSigmoid };

/// Score columns of a number of cells, wherever they lie: column c of cell i is
/// base[c · column_step + i · cell_step].
struct ScoreGrid {
  const float* base = nullptr;
  std::ptrdiff_t cells = 0;
  std::ptrdiff_t columns = 0;
  std::ptrdiff_t column_step = 1;
  std::ptrdiff_t cell_step = 1;
};

/// Calls hit(cell, column, value) for every value at or above the threshold. Whole blocks below it
/// are passed over without a branch per value: nearly all of a detector's scores are.
template <typename Hit>
void ForEachScore(const ScoreGrid& grid, float threshold, Hit&& hit) {
  constexpr std::ptrdiff_t kBlock = 32;
  const bool along_cells = grid.cell_step == 1;
  const std::ptrdiff_t outer = along_cells ? grid.columns : grid.cells;
  const std::ptrdiff_t inner = along_cells ? grid.cells : grid.columns;
  const std::ptrdiff_t outer_step = along_cells ? grid.column_step : grid.cell_step;
  const std::ptrdiff_t inner_step = along_cells ? grid.cell_step : grid.column_step;
  const auto visit = [&](std::ptrdiff_t o, std::ptrdiff_t i, float value) {
    if (value >= threshold) {
      along_cells ? hit(i, o, value) : hit(o, i, value);
    }
  };
  for (std::ptrdiff_t o = 0; o < outer; ++o) {
    const float* line = grid.base + o * outer_step;
    std::ptrdiff_t i = 0;
    if (inner_step == 1) {
      for (; i + kBlock <= inner; i += kBlock) {
        int any = 0;
        for (std::ptrdiff_t k = 0; k < kBlock; ++k) {
          any |= static_cast<int>(line[i + k] >= threshold);
        }
        if (any != 0) {
          for (std::ptrdiff_t k = 0; k < kBlock; ++k) {
            visit(o, i + k, line[i + k]);
          }
        }
      }
    }
    for (; i < inner; ++i) {
      visit(o, i, line[i * inner_step]);
    }
  }
}

/// Calls hit(cell, column, value) with the best column of every cell whose best value reaches the
/// threshold; equal values go to the lower column. Columns without a label do not compete.
template <typename Hit>
void ForBestScore(const ScoreGrid& grid, const ClassTable& classes, float threshold, Hit&& hit) {
  if (grid.cells == 1) {
    std::ptrdiff_t best_column = -1;
    float best_value = -INFINITY;
    for (std::ptrdiff_t c = 0; c < grid.columns; ++c) {
      const float value = grid.base[c * grid.column_step];
      if (value > best_value && classes.label_of_class[static_cast<std::size_t>(c)] >= 0) {
        best_value = value;
        best_column = c;
      }
    }
    if (best_column >= 0 && best_value >= threshold) {
      hit(std::ptrdiff_t{0}, best_column, best_value);
    }
    return;
  }
  std::vector<float> best(static_cast<std::size_t>(grid.cells), -INFINITY);
  std::vector<int> column(static_cast<std::size_t>(grid.cells), 0);
  for (std::ptrdiff_t c = 0; c < grid.columns; ++c) {
    if (classes.label_of_class[static_cast<std::size_t>(c)] < 0) {
      continue;
    }
    const float* line = grid.base + c * grid.column_step;
    for (std::size_t i = 0; i < best.size(); ++i) {
      const float value = line[static_cast<std::ptrdiff_t>(i) * grid.cell_step];
      const bool better = value > best[i];
      best[i] = better ? value : best[i];
      column[i] = better ? static_cast<int>(c) : column[i];
    }
  }
  for (std::size_t i = 0; i < best.size(); ++i) {
    if (best[i] >= threshold) {
      hit(static_cast<std::ptrdiff_t>(i), static_cast<std::ptrdiff_t>(column[i]), best[i]);
    }
  }
}

/// Collects boxes: drops columns without a label and what is not finite, notices impossible scores.
class BoxCollector {
 public:
  BoxCollector(const ClassTable& classes, float floor, Detections& boxes)
      : classes_(classes), floor_(floor), boxes_(boxes) {}

  bool Wants(std::ptrdiff_t column) const {
    return classes_.label_of_class[static_cast<std::size_t>(column)] >= 0;
  }
  void Add(const Box& box, float score, std::ptrdiff_t column) {
    const int label = classes_.label_of_class[static_cast<std::size_t>(column)];
    if (label < 0 || !(score >= floor_) || !std::isfinite(box.x1) || !std::isfinite(box.y1) ||
        !std::isfinite(box.x2) || !std::isfinite(box.y2)) {
      return;
    }
    largest_ = std::max(largest_, score);
    boxes_.push_back({box, std::min(score, 1.0F), label});
  }
  float floor() const { return floor_; }
  /// Errors: kInvalidInput when a score was above 1 by more than rounding.
  Expected<void> Result() const;

 private:
  const ClassTable& classes_;
  float floor_;
  Detections& boxes_;
  float largest_ = 0;
};

/// Raw scores that may still need their sigmoid, and thresholds in the same scale.
struct RawScores {
  bool sigmoid = false;

  float ScoreOf(float raw) const { return sigmoid ? Sigmoid(raw) : raw; }
  float RawOf(float score) const { return !sigmoid ? score : score < 1 ? Logit(score) : INFINITY; }
};

/// Collects the box of one cell for each class (or the best) that scores objectness · class.
/// @param classes  raw class scores of that one cell.
inline void CollectClasses(const Box& box, float objectness, const ScoreGrid& classes,
                           const ClassTable& table, RawScores scores, bool best,
                           BoxCollector& collector) {
  const float threshold = scores.RawOf(std::min(collector.floor() / objectness, 1.0F));
  const auto add = [&](std::ptrdiff_t, std::ptrdiff_t column, float raw) {
    collector.Add(box, objectness * scores.ScoreOf(raw), column);
  };
  best ? ForBestScore(classes, table, threshold, add) : ForEachScore(classes, threshold, add);
}

/// One level of a raw head: a grid of cells with `channels` numbers each.
struct HeadLevel {
  const float* data = nullptr;
  int width = 0;
  int height = 0;
  std::ptrdiff_t channel_step = 1;
  std::ptrdiff_t cell_step = 1;
  float stride_x = 0;  ///< px of the input per cell
  float stride_y = 0;

  std::ptrdiff_t cells() const { return std::ptrdiff_t{width} * height; }
};

/// The outputs of shape [1,C,h,w] or [1,h,w,C], finest grid first.
/// Errors: kInvalidInput when there is none.
Expected<std::vector<HeadLevel>> FindLevels(const DecodeRequest& request, std::int64_t channels,
                                            std::string_view what);

/// "which outputs there are" for messages: "'p8' [1,255,80,80], 'p16' [1,255,40,40]".
std::string OutputsText(std::span<const TensorView> outputs);
std::string OutputsText(std::span<const TensorFacts> outputs);

/// Cells of the grids of the given strides over an input (sides rounded up), one for each stride.
std::vector<std::int64_t> CellsOf(Size input, std::span<const int> strides);

/// Preprocessing that several families share.
InputSpec UltralyticsInput();  ///< letterbox 114 centred, RGB, 0..1
InputSpec DarknetInput();      ///< stretch, RGB, 0..1

}  // namespace nearfar
