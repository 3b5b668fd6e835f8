#include "eval/bootstrap.h"

#include <algorithm>
#include <cassert>

#include "core/percentile.h"
#include "core/rng.h"

namespace nearfar {

void Resample(std::size_t images, const BootstrapOptions& options,
              const std::function<void(ImageWeights draw)>& look) {
  assert(images > 0);
  Rng rng(options.seed);
  std::vector<std::uint32_t> draw(images);
  for (int d = 0; d < options.draws; ++d) {
    std::fill(draw.begin(), draw.end(), 0U);
    for (std::size_t i = 0; i < images; ++i) {
      ++draw[static_cast<std::size_t>(rng.Below(images))];
    }
    look(draw);
  }
}

Interval PercentileInterval(std::vector<double> values) {
  return {Percentile(values, 2.5), Percentile(values, 97.5)};
}

}  // namespace nearfar
