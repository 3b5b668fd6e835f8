#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "discriminate/fit.h"
#include "discriminate/fusion.h"

namespace nearfar {

struct FusionFitOptions {
  int folds = 5;    ///< of the cross-validation; >= 2
  int draws = 200;  ///< of the bootstrap that gives the gain its standard error; >= 2
  std::uint64_t seed = 1;
  double min_confirmed = 0.5;  ///< without truth: share of confirmed near boxes for fusion; [0, 1]

  friend bool operator==(const FusionFitOptions&, const FusionFitOptions&) = default;
};

/// Chooses the weights of Fuse.
///
/// With truth: those of best mAP (area under the curve: it moves with every box, where 11 recalls
/// jump) on a grid of 6 × 5. Each image is also fused with weights chosen on the other folds, which
/// gives the gain over the far answers alone; weights whose gain does not exceed its standard error
/// are not worth having, and 0, 0 is the result. Folds hang on the images' names.
///
/// Without truth nothing can be fitted: held against the far model's own boxes, every fused answer
/// looks worse than the far one. Then kUsualFusion is taken where the far model confirms at least
/// min_confirmed of what the near one is sure of, and 0, 0 where not or where it is sure of
/// nothing.
/// @param classes  number of labels. Truth counts when every image has it.
FusionFit FitFusion(std::span<const LabelledImage> images, int classes,
                    const FusionFitOptions& options = {});

/// One or two sentences for people on how the weights came about.
std::string Explain(const FusionFit& fit);

}  // namespace nearfar
