#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "core/pixels.h"
#include "discriminate/discriminator.h"
#include "discriminate/fit.h"
#include "discriminate/gain_target.h"
#include "discriminate/number_tables.h"
#include "discriminate/smallbig.h"

namespace nearfar {

/// A discriminator by name, as it stands in flags, YAML and discriminator files. Parameters left
/// out have their defaults; switches are 0 or 1.
struct DiscriminatorSpec {
  std::string name = "smallbig";
  std::map<std::string, double, std::less<>> parameters;
  /// Fitted numbers by name, for discriminators that are learned: they come from a file alone.
  NumberTables tables;

  friend bool operator==(const DiscriminatorSpec&, const DiscriminatorSpec&) = default;
};

/// One parameter of a discriminator.
struct ParameterInfo {
  std::string_view name;
  double fallback = 0;  ///< taken when it is not given; not a number: there is no default
  double low = 0;       ///< least and greatest value taken
  double high = 1;
  bool whole = false;  ///< only whole numbers
  std::string_view meaning;
};

/// What help texts and checks need to know of a discriminator.
struct DiscriminatorInfo {
  std::string_view name;
  std::string_view summary;
  std::vector<ParameterInfo> parameters;
  /// It is nothing without fitted tables: it comes from a file of `nearfar calibrate`.
  bool learned = false;
};

/// All discriminators that can be had by name.
std::span<const DiscriminatorInfo> KnownDiscriminators();

/// Checks name and parameters, not tables. Errors: those of MakeDiscriminator.
Expected<void> CheckParameters(const DiscriminatorSpec& spec);

/// Makes a discriminator by name.
/// Errors: kNotFound for an unknown name or parameter, naming those there are; kInvalidInput for a
/// value out of its range, and for tables that are missing, wrong, or where none belong.
Expected<std::unique_ptr<Discriminator>> MakeDiscriminator(const DiscriminatorSpec& spec);

/// Makes one that goes on learning from answers, started from a calibrated cf, ridge or mlp.
/// Errors: kUnsupported for another one; those of MakeDiscriminator.
Expected<std::unique_ptr<Discriminator>> MakeLearning(const DiscriminatorSpec& spec, GainGoal goal);

/// The options of the paper's rule as written in a spec, and back.
/// Errors of SmallBigOptionsOf: as MakeDiscriminator.
Expected<SmallBigOptions> SmallBigOptionsOf(const DiscriminatorSpec& spec);
DiscriminatorSpec SpecOf(const SmallBigOptions& options);

/// True for discriminators that are nothing without fitted tables. REQUIRES: the name is known.
bool IsLearned(std::string_view name);
/// Fits the tables of a learned discriminator to images seen by both models, towards `goal`; conv
/// knows one goal alone, the paper's label. REQUIRES: IsLearned(name); labels in [0, classes).
/// Errors: kInvalidInput when there is nothing to learn from.
Expected<NumberTables> FitTables(std::string_view name, std::span<const LabelledImage> images,
                                 int classes, GainGoal goal);
/// True for discriminators that only rank images until they are given their `threshold`.
bool IsRanking(std::string_view name);
/// Gives a ranking discriminator the threshold at which its verdict is "score > gain_threshold".
/// REQUIRES: IsRanking(spec.name).
DiscriminatorSpec WithGainThreshold(DiscriminatorSpec spec, double gain_threshold);

/// What a discriminator needs of the pixels and does not get: "the Brenner gradient"; empty when
/// nothing is missing.
std::string MissingFeatures(const Discriminator& discriminator, const PixelFeatures& features);

}  // namespace nearfar
