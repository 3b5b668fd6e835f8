#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dense_network.h"
#include "core/expected.h"
#include "discriminate/discriminator.h"
#include "discriminate/fit.h"
#include "discriminate/gain_features.h"
#include "discriminate/gain_target.h"
#include "discriminate/number_tables.h"
#include "discriminate/ridge.h"

namespace nearfar {

/// How a gain is estimated from the near model's boxes, from few to many fitted numbers.
enum class EstimatorKind {
  kClosedForm,  ///< "cf": one lookup of the score, and the classes' rates
  kRidge,       ///< "ridge": a linear form on all features, drawn towards the closed form
  kNetwork,     ///< "mlp": small networks on what the linear form leaves
};

constexpr std::string_view ToString(EstimatorKind kind) {
  switch (kind) {
    case EstimatorKind::kClosedForm:
      return "cf";
    case EstimatorKind::kRidge:
      return "ridge";
    case EstimatorKind::kNetwork:
      return "mlp";
  }
  return "cf";
}

/// The kind of that name, if any.
std::optional<EstimatorKind> EstimatorOf(std::string_view name);

/// A fitted estimator, as a value.
struct GainEstimator {
  EstimatorKind kind = EstimatorKind::kClosedForm;
  ScoreCurve curve;                 ///< how likely a near box of some score is right
  std::vector<double> class_rates;  ///< expected objects an image, by class
  double rate_images = 0;           ///< images behind those rates
  FeatureScaling scaling;           ///< of the features; empty for the closed form, as the rest
  std::vector<double> weights;      ///< of the scaled features, in units of the goal
  double intercept = 0;
  std::vector<DenseNetwork> networks;  ///< on the scaled features; their mean counts
  double network_spread = 0;           ///< units of the goal for one of the networks' output

  friend bool operator==(const GainEstimator&, const GainEstimator&) = default;
};

struct EstimatorFitOptions {
  GainGoal goal = GainGoal::kAccuracy;
  GainTargetOptions target;
  int networks = 5;  ///< trained from different starts and averaged; [1, 16]
  AdamOptions adam{.learning_rate = 3e-3, .weight_decay = 1, .epochs = 20, .batch = 32};
  std::vector<double> weights;  ///< how much each image counts; empty: 1 each
  /// A linear estimator that a ridge is drawn towards instead of the closed form, and whose scaling
  /// of the features it takes over. Not owned; nullptr: none. REQUIRES: not the closed form, and
  /// the same classes.
  const GainEstimator* prior = nullptr;

  friend bool operator==(const EstimatorFitOptions&, const EstimatorFitOptions&) = default;
};

/// Fits an estimator from what both models found in a set of images. REQUIRES: labels in
/// [0, classes); weights, where there are any, one for each image. Errors: kInvalidInput for no
/// images, none with a weight, or near boxes nowhere.
Expected<GainEstimator> FitGainEstimator(EstimatorKind kind, std::span<const LabelledImage> images,
                                         int classes, const EstimatorFitOptions& options);

/// The estimate for one image of a stream with these class rates. `features` is measured on the
/// way, its memory used again.
double EstimateGain(const GainEstimator& estimator, const Evidence& evidence,
                    const ClassRates& rates, GainFeatures& features);

/// The estimator as named rows of numbers, seven digits each, and back.
/// Errors: kInvalidInput naming the row that is missing, too long, too short or out of range.
NumberTables ToTables(const GainEstimator& estimator);
Expected<GainEstimator> GainEstimatorFrom(EstimatorKind kind, const NumberTables& tables);

/// Ranks images by an estimator's gain, in units of its goal (see AccuracyGains, ObjectGains). The
/// class rates follow the stream: frozen ones collapse when the scene changes.
class LearnedGain final : public Discriminator {
 public:
  struct Options {
    std::optional<double> threshold;  ///< difficult above it; absent: it only ranks
    double memory = 1000;             ///< images over which the class rates are averaged; >= 1
  };
  LearnedGain(GainEstimator estimator, const Options& options);

  std::string name() const override { return std::string(ToString(estimator_.kind)); }
  std::string version() const override { return "1"; }
  Gain Judge(const Evidence& evidence, bool explain) const override;
  void Watch(const Evidence& evidence) override;
  bool has_verdict() const override { return options_.threshold.has_value(); }
  double natural_threshold() const override;

 private:
  GainEstimator estimator_;
  Options options_;
  ClassRates rates_;
  mutable GainFeatures features_;  // kept for its memory alone, as the next
  std::vector<double> expected_;
};

}  // namespace nearfar
