#pragma once

#include <optional>
#include <vector>

#include "core/detection.h"
#include "core/expected.h"
#include "core/tile_grid.h"
#include "tiling/tiling.h"

namespace nearfar {

/// How far tiles reach over their cells. [HODE §II, Fig. 5]: by the height and width of the
/// pedestrians, so that whoever stands on a cut line is whole on both sides of it.
struct PaddingOptions {
  std::optional<Size> fixed;  ///< px, each >= 0; given: nothing is estimated
  double percentile = 0.9;    ///< of the people's widths and heights; (0, 1]
  double reach = 1;            ///< share of that size which is padded, (0, 1]: 1, as printed, has
                               ///< whoever stands on a cut line whole on both sides; 0.5 in his own
                               ///< tile alone
  double smallest = 0.03;     ///< share of the tile's sides; [0, largest]
  double largest = 0.25;      ///< the same; (0, 1]. Larger people are the overview's
  double before = 0.125;      ///< the same, until people were seen; [0, 1]
  bool per_row = true;        ///< each row of the grid has its own, as perspective asks for
  double half_life = 300;     ///< results after which what was seen counts half; > 0
  double pooled = 20;         ///< people of the whole frame who count beside a row's own; >= 0

  friend bool operator==(const PaddingOptions&, const PaddingOptions&) = default;
};

/// Errors: kInvalidInput for a number outside its range.
Expected<void> Validate(const PaddingOptions& options);

/// The same padding in every row.
Padding EvenPadding(const TileGrid& grid, Size padding);

/// Learns the padding from the sizes of the people found. A row of the grid goes by whoever reaches
/// into it, drawn towards the whole frame's people where it has few; a side is the percentile of
/// the sizes, rounded up by at most 1/64 of the largest. People wider or higher than the largest
/// padding are left out: no padding of that price would hold them. Not thread-safe.
class PaddingEstimator {
 public:
  /// REQUIRES: Validate(options).
  explicit PaddingEstimator(const PaddingOptions& options = {});

  /// Takes the people of one frame's result, in px of the frame. Another grid than before: what was
  /// seen is forgotten. Boxes without area or with corners that are no numbers are left out.
  void Observe(const TileGrid& grid, const Detections& people);
  /// The padding for the next frame of that grid.
  Padding Current(const TileGrid& grid) const;

 private:
  static constexpr int kBins = 64;

  /// Sizes seen, by share of the largest padding, newer ones with more weight.
  struct Sizes {
    std::vector<double> widths = std::vector<double>(kBins);
    std::vector<double> heights = std::vector<double>(kBins);
    double people = 0;
  };
  Size LargestOf(const TileGrid& grid) const;
  int SideOf(const std::vector<double>& row, double row_people, const std::vector<double>& frame,
             int tile_side, int largest) const;

  PaddingOptions options_;
  TileGrid grid_;
  double weight_ = 1;  ///< of the next result; grows instead of the old ones' shrinking
  Sizes frame_;
  std::vector<Sizes> rows_;
};

}  // namespace nearfar
