#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/expected.h"
#include "models/preprocess.h"

namespace nearfar::ort {

/// What a model costs, as [SmallBig Table II] compares models.
struct GraphCost {
  std::int64_t file_bytes = 0;
  /// Numbers in the graph's constants (weights, biases, normalisation), in floating point or 8
  /// bits; shapes and indices do not count.
  std::int64_t parameters = 0;
  /// Multiplications with addition of one run: convolutions and their transposes, matrix products.
  std::int64_t macs = 0;
  std::map<std::string, std::int64_t> macs_of;  ///< by operator

  /// 2 × MAC, in 10⁹.
  double gflops() const { return 2e-9 * static_cast<double>(macs); }
  /// In 2²⁰ bytes.
  double file_mb() const { return static_cast<double>(file_bytes) / (1 << 20); }
  friend bool operator==(const GraphCost&, const GraphCost&) = default;
};

/// Counts a model's parameters and operations at an input's size. The shapes are those that the
/// engine meets when it runs the unoptimised graph once on zeros, so they are known wherever the
/// model runs at all.
/// Errors: kNotFound, kInvalidInput (no ONNX file), kInternal (the engine fails).
Expected<GraphCost> MeasureGraph(const std::filesystem::path& model, const InputSpec& input);

/// Counts the parameters alone, from the file's bytes. Errors: kInvalidInput.
Expected<std::int64_t> CountParameters(std::string_view onnx_bytes);

}  // namespace nearfar::ort
