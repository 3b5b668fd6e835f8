#include "tiling/scale.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>

namespace nearfar {

Expected<void> Validate(const ScaleOptions& options) {
  const auto wrong = [](const char* what) {
    return Fail(ErrorCode::kInvalidInput, std::string("the scale's ") + what);
  };
  if (!(options.wanted_height >= 0 && options.wanted_height <= 1e5)) {
    return wrong("wanted height must be 0 px or more");
  }
  if (!(options.percentile > 0 && options.percentile < 1)) {
    return wrong("percentile must lie in (0, 1)");
  }
  if (!(options.smallest > 0 && options.smallest <= 1)) {
    return wrong("smallest must lie in (0, 1]");
  }
  if (!(options.half_life > 0) || !(options.pooled >= 0)) {
    return wrong("half-life must be more than 0, its pooled people 0 or more");
  }
  return {};
}

void ScaleEstimator::Observe(const TileGrid& grid, const Detections& people) {
  if (grid != grid_) {
    grid_ = grid;
    frame_ = {};
    rows_.assign(static_cast<std::size_t>(grid.rows), {});
  }
  const double keep = std::exp2(-1 / options_.half_life);
  const auto fade = [&](Heights& heights) {
    std::for_each(heights.begin(), heights.end(), [&](double& count) { count *= keep; });
  };
  fade(frame_);
  std::for_each(rows_.begin(), rows_.end(), fade);
  for (const Detection& person : people) {
    const float height = person.box.height();
    if (!(height > 0 && std::isfinite(person.box.x1 + person.box.y1 + height))) {
      continue;
    }
    const auto bin = static_cast<std::size_t>(
        std::clamp(6 * std::log2(static_cast<double>(height) / 8), 0.0, kBins - 1.0));
    frame_[bin] += 1;
    rows_[static_cast<std::size_t>(grid.CellOf(person.box) / grid.columns)][bin] += 1;
  }
}

double ScaleEstimator::HeightOf(const Heights& row) const {
  const double in_frame = std::accumulate(frame_.begin(), frame_.end(), 0.0);
  if (in_frame <= 0) {
    return 0;
  }
  const double pooled = std::min(1.0, options_.pooled / in_frame);
  const double all = std::accumulate(row.begin(), row.end(), 0.0) + pooled * in_frame;
  double below = 0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    below += row[bin] + pooled * frame_[bin];
    if (below > options_.percentile * all) {
      return 8 * std::exp2(static_cast<double>(bin) / 6);  // the bin's lower end
    }
  }
  return 8 * std::exp2(kBins / 6.0);
}

double ScaleEstimator::ScaleOf(const TileGrid& grid, const TiledRegion& region) const {
  if (options_.wanted_height <= 0 || grid != grid_) {
    return 1;
  }
  double scale = options_.smallest;
  for (const int cell : region.cells) {
    const double height = HeightOf(rows_[static_cast<std::size_t>(cell / grid.columns)]);
    scale = std::max(scale, height > 0 ? options_.wanted_height / height : 1);
  }
  return std::min(1.0, scale);
}

Size ScaledInput(Size region, double scale) {
  const auto side = [&](int full) {
    return std::clamp(static_cast<int>(std::lround(full * scale)), std::min(32, full), full);
  };
  return {side(region.width), side(region.height)};
}

}  // namespace nearfar
