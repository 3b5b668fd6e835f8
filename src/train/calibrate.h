#pragma once

#include <optional>

#include "core/expected.h"
#include "core/model_identity.h"
#include "discriminate/gain_target.h"
#include "train/discriminator_file.h"
#include "train/labelled_set.h"

namespace nearfar {

struct CalibrationOptions {
  /// Which discriminator; thresholds given here are kept, the others are fitted.
  DiscriminatorSpec discriminator;
  /// Share of the images to upload, [0, 1]; a ranking discriminator needs it.
  std::optional<double> upload;
  /// What a learned discriminator's uploads are to bring.
  GainGoal goal = GainGoal::kAccuracy;

  friend bool operator==(const CalibrationOptions&, const CalibrationOptions&) = default;
};

/// Fits a discriminator to a labelled set, as FitDiscriminator does, and beside it to a wanted
/// upload ratio. Measures it on the same images. Errors: those of the fits and of
/// MakeDiscriminator; kInvalidInput when an image lacks a feature that it needs, or a ranking
/// discriminator is given no upload ratio.
Expected<DiscriminatorFile> Calibrate(const LabelledSet& set, const ModelIdentity& near,
                                      const ModelIdentity& far, const CalibrationOptions& options);

}  // namespace nearfar
