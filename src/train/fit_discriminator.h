#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/expected.h"
#include "core/model_identity.h"
#include "discriminate/factory.h"
#include "discriminate/gain_target.h"
#include "train/labelled_set.h"

namespace nearfar {

/// A discriminator that can judge, and how the paper's rule came about.
struct FittedDiscriminator {
  DiscriminatorSpec spec;  ///< with fitted thresholds or tables
  std::optional<SmallBigFit> smallbig;

  friend bool operator==(const FittedDiscriminator&, const FittedDiscriminator&) = default;
};

/// Fits what a discriminator has to fit: smallbig as the paper does [SmallBig §V.D], keeping the
/// thresholds that are given; the tables of a learned one, towards `goal`; the others nothing.
/// Errors: those of the fits and of MakeDiscriminator.
Expected<FittedDiscriminator> FitDiscriminator(const LabelledSet& set, const ModelIdentity& near,
                                               const DiscriminatorSpec& asked, GainGoal goal);

/// What it says of these images of the set, as one stream in this order; a score that is not a
/// number is the lowest.
/// Errors: those of MakeDiscriminator; kInvalidInput when an image lacks a feature that it needs.
Expected<std::vector<double>> JudgeImages(const LabelledSet& set, std::span<const std::size_t> images,
                                    const DiscriminatorSpec& spec);
/// The same of all images, in the order of the set.
Expected<std::vector<double>> JudgeAll(const LabelledSet& set, const DiscriminatorSpec& spec);

}  // namespace nearfar
