#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "eval/average_precision.h"

namespace nearfar {

/// A 95 % interval.
struct Interval {
  double low = 0;
  double high = 0;

  friend bool operator==(const Interval&, const Interval&) = default;
};

struct BootstrapOptions {
  int draws = 0;           ///< resamplings of the images; 0 = no intervals; [0, 100,000]
  std::uint64_t seed = 1;  ///< same seed, same draws on every machine

  friend bool operator==(const BootstrapOptions&, const BootstrapOptions&) = default;
};

/// Draws `images` images with replacement, `draws` times, and hands each draw on as the number of
/// times that it holds each image. Figures that are read off one draw belong together, so their
/// differences and ratios have intervals of their own. REQUIRES: images > 0.
void Resample(std::size_t images, const BootstrapOptions& options,
              const std::function<void(ImageWeights draw)>& look);

/// The percentile interval: from the 2.5th to the 97.5th percentile of what the draws gave.
/// REQUIRES: values is not empty.
Interval PercentileInterval(std::vector<double> values);

}  // namespace nearfar
