#pragma once

#include <array>
#include <vector>

#include "core/detection.h"
#include "core/expected.h"
#include "core/tile_grid.h"
#include "tiling/tiling.h"

namespace nearfar {

/// How far regions are scaled down where people are large: a model finds nobody better for being
/// seen at a thousand px.
struct ScaleOptions {
  double wanted_height = 0;   ///< px at which the model is to see the small ones; 0: never scaled
  double percentile = 0.1;    ///< who counts as small: this share of the people is smaller; (0, 1)
  double smallest = 0.25;     ///< scale; (0, 1]
  double half_life = 60;      ///< results after which what was seen counts half; > 0
  double pooled = 10;         ///< people of the whole frame who count beside a row's own; >= 0

  friend bool operator==(const ScaleOptions&, const ScaleOptions&) = default;
};

/// Errors: kInvalidInput for a number outside its range.
Expected<void> Validate(const ScaleOptions& options);

/// Learns how small people are, by row of the grid, from frames that were seen at their own scale:
/// from others the small ones would be missing. Not thread-safe.
class ScaleEstimator {
 public:
  /// REQUIRES: Validate(options).
  explicit ScaleEstimator(const ScaleOptions& options = {}) : options_(options) {}

  /// Takes the people of a frame seen at its own scale, in px of the frame. Another grid than before:
  /// what was seen is forgotten.
  void Observe(const TileGrid& grid, const Detections& people);
  /// The scale of a region: 1 while nobody was seen. The smallest people of its rows decide.
  double ScaleOf(const TileGrid& grid, const TiledRegion& region) const;

 private:
  static constexpr int kBins = 48;  ///< of the logarithm of the height, six an octave from 8 px on
  using Heights = std::array<double, kBins>;

  double HeightOf(const Heights& row) const;

  ScaleOptions options_;
  TileGrid grid_;
  Heights frame_{};
  std::vector<Heights> rows_;
};

/// The region's input at a scale: at least 32 px a side, and no larger than the region.
Size ScaledInput(Size region, double scale);

}  // namespace nearfar
