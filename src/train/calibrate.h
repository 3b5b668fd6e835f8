#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/expected.h"
#include "core/model_identity.h"
#include "discriminate/gain_target.h"
#include "train/discriminator_file.h"
#include "train/labelled_set.h"

namespace nearfar {

/// The name that stands for the best discriminator that the images carry.
inline constexpr std::string_view kAutomatic = "auto";

struct CalibrationOptions {
  /// Which discriminator, or kAutomatic; thresholds given here are kept, the others are fitted.
  DiscriminatorSpec discriminator{.name = std::string(kAutomatic)};
  /// Share of the images to upload, [0, 1]; a ranking discriminator needs it. Without one the
  /// choice is made at one half.
  std::optional<double> upload;
  /// What uploads are to bring: what is learned, and chosen by.
  GainGoal goal = GainGoal::kAccuracy;

  friend bool operator==(const CalibrationOptions&, const CalibrationOptions&) = default;
};

/// Chooses a discriminator, where none is named, as ChooseDiscriminator does; fits it to a labelled
/// set as FitDiscriminator does, and to a wanted upload ratio beside it. The gain scores that ratio
/// and percentiles are taken from are those of images that a learned one was not fitted to.
/// Errors: those of the fits and of MakeDiscriminator; kInvalidInput when an image lacks a feature
/// that it needs, or a ranking discriminator is given no upload ratio.
/// @param advance  called after each fit, CalibrationSteps times at most.
Expected<DiscriminatorFile> Calibrate(const LabelledSet& set, const ModelIdentity& near,
                                      const ModelIdentity& far, const CalibrationOptions& options,
                                      const std::function<void()>& advance = {});

/// How many fits a calibration takes at most.
std::size_t CalibrationSteps(const LabelledSet& set, const CalibrationOptions& options);

}  // namespace nearfar
