#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/model_identity.h"
#include "train/fit_discriminator.h"
#include "train/labelled_set.h"

namespace nearfar {

/// How a set of images is split, so that nothing is judged by what was fitted to it.
struct FoldOptions {
  int folds = 5;           ///< parts of about equal size; [2, 100]
  std::uint64_t seed = 1;  ///< another seed, another split

  friend bool operator==(const FoldOptions&, const FoldOptions&) = default;
};

/// The fold of each image, from seed and name alone: the order of the images plays no part. Folds
/// are as large as each other, give or take one. A fold that would hold fewer than kLeastInFold
/// images says little, so there are fewer folds then, two at least.
inline constexpr std::size_t kLeastInFold = 5;
/// Errors: kInvalidInput for options out of range, or fewer than two images.
Expected<std::vector<std::size_t>> SplitIntoFolds(std::span<const std::string> names,
                                                  const FoldOptions& options);

/// What a discriminator says of each image that it was not fitted to.
struct OutOfFoldGains {
  std::vector<double> gains;  ///< by image, in the scale of its own fold's fit
  /// By image, comparable over all images: the gains, where all folds' fits score alike; else the
  /// share of the images of its fold that it outranks, equal ones counted half. Uploads chosen by
  /// it then take about the same share of each fold.
  std::vector<double> worth;
  bool one_scale = true;                  ///< all folds' fits score alike
  std::vector<DiscriminatorSpec> fitted;  ///< by fold: fitted to all others

  friend bool operator==(const OutOfFoldGains&, const OutOfFoldGains&) = default;
};

/// Fits a discriminator once for each fold, to the images of all other folds, as FitDiscriminator
/// does; each then judges its fold, in the order of the set, and watches it as a stream.
/// @param fold_of  by image, 0, 1, ...; REQUIRES: one for each image, no fold holds all.
/// @param advance  called after each fold.
/// Errors: those of FitDiscriminator; kInvalidInput when an image lacks a feature that it needs.
Expected<OutOfFoldGains> JudgeOutOfFold(const LabelledSet& set, const ModelIdentity& near,
                                        const DiscriminatorSpec& asked, GainGoal goal,
                                        std::span<const std::size_t> fold_of,
                                        const std::function<void()>& advance = {});

}  // namespace nearfar
