#include "tiling/padding.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <string>

namespace nearfar {
namespace {

tl::unexpected<Error> Refuse(const char* what, double value, const char* range) {
  return Fail(ErrorCode::kInvalidInput, std::string("the padding's ") + what + " is " +
                                            std::to_string(value) + ": give " + range);
}

int ShareOf(int side, double share) {
  return static_cast<int>(std::ceil(share * static_cast<double>(side) - 1e-9));
}

}  // namespace

Expected<void> Validate(const PaddingOptions& options) {
  const auto inside = [](double value, double low, double high) {
    return value >= low && value <= high;  // false for what is no number
  };
  if (options.fixed && (options.fixed->width < 0 || options.fixed->height < 0)) {
    return Refuse("given size", std::min(options.fixed->width, options.fixed->height),
                  "0 px or more");
  }
  if (!inside(options.percentile, 1e-6, 1)) {
    return Refuse("percentile", options.percentile, "a share above 0, at most 1");
  }
  if (!inside(options.reach, 1e-6, 1)) {
    return Refuse("reach", options.reach, "a share of the size above 0, at most 1");
  }
  if (!inside(options.largest, 1e-6, 1)) {
    return Refuse("largest share", options.largest, "a share of the tile above 0, at most 1");
  }
  if (!inside(options.smallest, 0, options.largest)) {
    return Refuse("smallest share", options.smallest, "0 or more, at most the largest");
  }
  if (!inside(options.before, 0, 1)) {
    return Refuse("share before anybody was seen", options.before, "0 to 1");
  }
  if (!inside(options.half_life, 1e-6, 1e9)) {
    return Refuse("half-life", options.half_life, "a number of results above 0");
  }
  if (!inside(options.pooled, 0, 1e9)) {
    return Refuse("pooled weight", options.pooled, "0 people or more");
  }
  return {};
}

Padding EvenPadding(const TileGrid& grid, Size padding) {
  return {std::vector<Size>(static_cast<std::size_t>(grid.rows), padding)};
}

PaddingEstimator::PaddingEstimator(const PaddingOptions& options) : options_(options) {
  assert(Validate(options));
}

Size PaddingEstimator::LargestOf(const TileGrid& grid) const {
  return {std::max(1, ShareOf(grid.tile.width, options_.largest)),
          std::max(1, ShareOf(grid.tile.height, options_.largest))};
}

void PaddingEstimator::Observe(const TileGrid& grid, const Detections& people) {
  if (options_.fixed) {
    return;
  }
  if (grid != grid_) {
    grid_ = grid;
    weight_ = 1;
    frame_ = {};
    rows_.assign(static_cast<std::size_t>(grid.rows), {});
  }
  const Size largest = LargestOf(grid);
  const auto width_limit = static_cast<float>(largest.width);
  const auto height_limit = static_cast<float>(largest.height);
  for (const Detection& person : people) {
    const Box& box = person.box;
    const float width = box.width();
    const float height = box.height();
    // Comparisons with what is no number are false: such a box fits no limit.
    if (!(width > 0 && height > 0 && width <= width_limit && height <= height_limit)) {
      continue;
    }
    const auto bin = [](float size, float limit) {
      return static_cast<std::size_t>(
          std::min(kBins - 1, static_cast<int>(size / limit * static_cast<float>(kBins))));
    };
    const std::size_t wide = bin(width, width_limit);
    const std::size_t high = bin(height, height_limit);
    const auto add = [&](Sizes& sizes) {
      sizes.widths[wide] += weight_;
      sizes.heights[high] += weight_;
      sizes.people += weight_;
    };
    add(frame_);
    const int first = grid.CellAt(box.x1, box.y1) / grid.columns;
    const int last = grid.CellAt(box.x1, box.y2) / grid.columns;
    for (int row = first; row <= last; ++row) {
      add(rows_[static_cast<std::size_t>(row)]);
    }
  }
  weight_ *= std::exp2(1 / options_.half_life);
  if (weight_ > 1e100) {
    const auto shrink = [&](Sizes& sizes) {
      for (int i = 0; i < kBins; ++i) {
        sizes.widths[static_cast<std::size_t>(i)] /= weight_;
        sizes.heights[static_cast<std::size_t>(i)] /= weight_;
      }
      sizes.people /= weight_;
    };
    shrink(frame_);
    std::for_each(rows_.begin(), rows_.end(), shrink);
    weight_ = 1;
  }
}

int PaddingEstimator::SideOf(const std::vector<double>& row, double row_people,
                             const std::vector<double>& frame, int tile_side, int largest) const {
  // The frame's people come in as `pooled` of them, however many they are.
  const double pooled =
      frame_.people > 0 ? std::min(1.0, options_.pooled * weight_ / frame_.people) : 0;
  const double wanted = options_.percentile * (row_people + pooled * frame_.people) * (1 - 1e-9);
  double reached = 0;
  int bin = 0;
  for (; bin < kBins; ++bin) {
    const auto b = static_cast<std::size_t>(bin);
    reached += row[b] + pooled * frame[b];
    if (reached >= wanted) {
      break;
    }
  }
  const int side = ShareOf(
      largest, options_.reach * static_cast<double>(std::min(bin, kBins - 1) + 1) / kBins);
  return std::clamp(side, std::min(largest, ShareOf(tile_side, options_.smallest)), largest);
}

Padding PaddingEstimator::Current(const TileGrid& grid) const {
  if (options_.fixed) {
    return EvenPadding(grid, *options_.fixed);
  }
  if (grid != grid_ || frame_.people <= 0) {
    return EvenPadding(grid, {ShareOf(grid.tile.width, options_.before),
                              ShareOf(grid.tile.height, options_.before)});
  }
  const Size largest = LargestOf(grid);
  const auto from = [&](const Sizes& sizes) {
    return Size{
        SideOf(sizes.widths, sizes.people, frame_.widths, grid.tile.width, largest.width),
        SideOf(sizes.heights, sizes.people, frame_.heights, grid.tile.height, largest.height)};
  };
  if (!options_.per_row) {
    return EvenPadding(grid, from(frame_));
  }
  Padding padding;
  padding.by_row.reserve(rows_.size());
  for (const Sizes& row : rows_) {
    padding.by_row.push_back(from(row));
  }
  return padding;
}

}  // namespace nearfar
