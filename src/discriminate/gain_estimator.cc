#include "discriminate/gain_estimator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "core/phrase.h"

namespace nearfar {
namespace {

constexpr double kPoolWeight = 20;  // boxes behind each knot of the curve
constexpr std::array<std::size_t, 2> kHidden = {16, 16};
constexpr std::uint64_t kFirstSeed = 11;

double Sum(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return sum;
}

/// The features of images under fixed class rates, scaled, with their targets in spreads about
/// their mean.
struct Examples {
  RegressionData scaled;
  FeatureScaling scaling;
  double target_mean = 0;
  double target_spread = 0;
};

Examples MakeExamples(std::span<const LabelledImage> images, int classes,
                      const GainEstimator& estimator, const EstimatorFitOptions& options) {
  Examples examples;
  RegressionData& data = examples.scaled;
  data.features = GainFeatureCount(classes);
  data.targets = Gains(options.goal, images, classes, options.target);
  data.weights = options.weights;
  const ClassRates rates(estimator.class_rates, 1, 1);
  GainFeatures features;
  for (const LabelledImage& image : images) {
    MeasureGainFeatures(image.evidence(), estimator.curve, rates, features);
    data.rows.insert(data.rows.end(), features.values.begin(), features.values.end());
  }
  examples.scaling = options.prior != nullptr ? options.prior->scaling : MeasureScaling(data);
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (std::size_t f = 0; f < data.features; ++f) {
      double& value = data.rows[i * data.features + f];
      value = examples.scaling.Scale(f, value);
    }
  }
  RegressionData targets_alone{1, data.targets, data.targets, data.weights};
  const FeatureScaling spread = MeasureScaling(targets_alone);
  examples.target_mean = spread.means[0];
  examples.target_spread = spread.spreads[0];
  for (double& target : data.targets) {
    target = spread.Scale(0, target);
  }
  return examples;
}

/// The closed form's own slope: what the linear form is drawn towards when images are few.
std::vector<double> PriorOf(const RegressionData& data) {
  std::vector<double> prior(data.features, 0);
  double product = 0;
  double whole = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    product += data.weight(i) * data.row(i)[kClosedFormFeature] * data.targets[i];
    whole += data.weight(i);
  }
  prior[kClosedFormFeature] = std::max(product / whole, 0.0);
  return prior;
}

std::vector<double> InSpreads(std::vector<double> weights, double spread) {
  for (double& weight : weights) {
    weight = spread > 0 ? weight / spread : 0;
  }
  return weights;
}

void TrainNetworks(const Examples& examples, const RidgeFit& ridge,
                   const EstimatorFitOptions& options, GainEstimator& estimator) {
  const RegressionData& data = examples.scaled;
  const std::vector<float> inputs(data.rows.begin(), data.rows.end());
  std::vector<float> rest;
  for (std::size_t i = 0; i < data.size(); ++i) {
    double linear = ridge.intercept;
    for (std::size_t f = 0; f < data.features; ++f) {
      linear += data.row(i)[f] * ridge.weights[f];
    }
    rest.push_back(static_cast<float>(data.targets[i] - linear));
  }
  std::vector<float> weights;
  const double mean_weight =
      data.weights.empty() ? 1 : Sum(data.weights) / static_cast<double>(data.size());
  for (const double weight : data.weights) {
    weights.push_back(static_cast<float>(weight / mean_weight));
  }
  const std::array widths = {data.features, kHidden[0], kHidden[1], std::size_t{1}};
  for (int n = 0; n < options.networks; ++n) {
    DenseNetwork network = MakeDenseNetwork(widths, kFirstSeed + static_cast<std::uint64_t>(n));
    AdamOptions adam = options.adam;
    adam.seed += static_cast<std::uint64_t>(n);
    TrainNetwork(network, {inputs, rest, weights}, adam);
    estimator.networks.push_back(std::move(network));
  }
  estimator.network_spread = examples.target_spread;
}

std::string LayerName(std::size_t network, std::size_t layer, const char* what) {
  return "network" + std::to_string(network + 1) + "_layer" + std::to_string(layer + 1) + "_" +
         what;
}

}  // namespace

std::optional<EstimatorKind> EstimatorOf(std::string_view name) {
  for (const EstimatorKind kind :
       {EstimatorKind::kClosedForm, EstimatorKind::kRidge, EstimatorKind::kNetwork}) {
    if (name == ToString(kind)) {
      return kind;
    }
  }
  return std::nullopt;
}

Expected<GainEstimator> FitGainEstimator(EstimatorKind kind, std::span<const LabelledImage> images,
                                         int classes, const EstimatorFitOptions& options) {
  const auto weight = [&](std::size_t i) {
    return options.weights.empty() ? 1.0 : options.weights[i];
  };
  double whole = 0;
  std::vector<ScoredTruth> boxes;
  const std::vector<BoxTruth> truths = JudgeBoxes(images, options.target.iou);
  for (std::size_t i = 0; i < images.size(); ++i) {
    whole += weight(i);
    const BoxTruth& truth = truths[i];
    for (std::size_t b = 0; b < images[i].near.size(); ++b) {
      if (truth.near[b] >= 0 && std::isfinite(images[i].near[b].score) && weight(i) > 0) {
        boxes.push_back({images[i].near[b].score, truth.near[b], weight(i)});
      }
    }
  }
  if (!(whole > 0) || boxes.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "nothing to learn a gain from: " + std::to_string(images.size()) + " images with " +
                    std::to_string(boxes.size()) +
                    " boxes of the near model; record it with a low score floor");
  }

  GainEstimator estimator{.kind = kind};
  const double mean_weight = whole / static_cast<double>(images.size());
  estimator.curve = FitScoreCurve(std::move(boxes), kPoolWeight * mean_weight);
  estimator.rate_images = static_cast<double>(images.size());
  estimator.class_rates.assign(static_cast<std::size_t>(classes), 0);
  std::vector<double> expected(estimator.class_rates.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    MeasureExpected(images[i].evidence(), estimator.curve, expected);
    for (std::size_t c = 0; c < expected.size(); ++c) {
      estimator.class_rates[c] += expected[c] * weight(i) / whole;
    }
  }
  if (kind == EstimatorKind::kClosedForm) {
    return estimator;
  }
  const Examples examples = MakeExamples(images, classes, estimator, options);
  const RidgeFit ridge =
      FitRidge(examples.scaled, std::nullopt,
               options.prior != nullptr ? InSpreads(options.prior->weights, examples.target_spread)
                                        : PriorOf(examples.scaled));
  estimator.scaling = examples.scaling;
  for (const double w : ridge.weights) {
    estimator.weights.push_back(w * examples.target_spread);
  }
  estimator.intercept = ridge.intercept * examples.target_spread + examples.target_mean;
  if (kind == EstimatorKind::kNetwork) {
    TrainNetworks(examples, ridge, options, estimator);
  }
  return estimator;
}

double EstimateGain(const GainEstimator& estimator, const Evidence& evidence,
                    const ClassRates& rates, GainFeatures& features) {
  MeasureGainFeatures(evidence, estimator.curve, rates, features);
  if (estimator.kind == EstimatorKind::kClosedForm) {
    return features.closed_form;
  }
  double gain = estimator.intercept;
  features.scaled.resize(features.values.size());
  for (std::size_t f = 0; f < features.values.size(); ++f) {
    const double value = estimator.scaling.Scale(f, features.values[f]);
    features.scaled[f] = static_cast<float>(value);
    gain += estimator.weights[f] * value;
  }
  double rest = 0;
  for (const DenseNetwork& network : estimator.networks) {
    rest += Evaluate(network, features.scaled, features.scratch);
  }
  if (!estimator.networks.empty()) {
    gain += rest / static_cast<double>(estimator.networks.size()) * estimator.network_spread;
  }
  return gain;
}

NumberTables ToTables(const GainEstimator& estimator) {
  NumberTables tables;
  tables["curve"] = TableRow(estimator.curve.right);
  tables["class_rates"] = TableRow(estimator.class_rates);
  tables["rate_images"] = TableRow(estimator.rate_images);
  if (estimator.kind == EstimatorKind::kClosedForm) {
    return tables;
  }
  tables["feature_means"] = TableRow(estimator.scaling.means);
  tables["feature_spreads"] = TableRow(estimator.scaling.spreads);
  tables["weights"] = TableRow(estimator.weights);
  tables["intercept"] = TableRow(estimator.intercept);
  if (estimator.kind == EstimatorKind::kRidge) {
    return tables;
  }
  tables["network_spread"] = TableRow(estimator.network_spread);
  for (std::size_t n = 0; n < estimator.networks.size(); ++n) {
    const std::vector<DenseLayer>& layers = estimator.networks[n].layers;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      tables[LayerName(n, l, "weights")] = TableRow(layers[l].weights);
      tables[LayerName(n, l, "biases")] = TableRow(layers[l].biases);
    }
  }
  return tables;
}

Expected<GainEstimator> GainEstimatorFrom(EstimatorKind kind, const NumberTables& tables) {
  TableReader reader(tables);
  GainEstimator estimator{.kind = kind};
  estimator.curve.right = reader.Take("curve", ScoreCurve::kSteps + 1);
  estimator.class_rates = reader.Take("class_rates", TableReader::kAnySize);
  estimator.rate_images = reader.TakeNumber("rate_images");
  const std::vector<double>& curve = estimator.curve.right;
  if (!std::is_sorted(curve.begin(), curve.end()) ||
      (!curve.empty() && (curve.front() < 0 || curve.back() > 1))) {
    reader.Fault("row \"curve\" must lie in [0, 1] and never fall");
  }
  const auto has_negative = [](const std::vector<double>& row) {
    return std::any_of(row.begin(), row.end(), [](double value) { return value < 0; });
  };
  if (has_negative(estimator.class_rates)) {
    reader.Fault("row \"class_rates\" must not be negative");
  }
  if (estimator.rate_images <= 0) {
    reader.Fault("row \"rate_images\" must be positive");
  }
  if (kind != EstimatorKind::kClosedForm) {
    const std::size_t features = GainFeatureCount(static_cast<int>(estimator.class_rates.size()));
    estimator.scaling.means = reader.Take("feature_means", features);
    estimator.scaling.spreads = reader.Take("feature_spreads", features);
    if (has_negative(estimator.scaling.spreads)) {
      reader.Fault("row \"feature_spreads\" must not be negative");
    }
    estimator.weights = reader.Take("weights", features);
    estimator.intercept = reader.TakeNumber("intercept");
    if (kind == EstimatorKind::kNetwork) {
      estimator.network_spread = reader.TakeNumber("network_spread");
      const std::array widths = {features, kHidden[0], kHidden[1], std::size_t{1}};
      for (std::size_t n = 0; n == 0 || reader.Has(LayerName(n, 0, "weights")); ++n) {
        DenseNetwork network;
        for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
          const auto weights = reader.Take(LayerName(n, l, "weights"), widths[l] * widths[l + 1]);
          const auto biases = reader.Take(LayerName(n, l, "biases"), widths[l + 1]);
          network.layers.push_back({widths[l],
                                    widths[l + 1],
                                    {weights.begin(), weights.end()},
                                    {biases.begin(), biases.end()}});
        }
        estimator.networks.push_back(std::move(network));
      }
    }
  }
  if (const std::string fault = reader.fault(); !fault.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "the tables of discriminator " + std::string(ToString(kind)) + ": " + fault);
  }
  return estimator;
}

LearnedGain::LearnedGain(GainEstimator estimator, const Options& options)
    : estimator_(std::move(estimator)),
      options_(options),
      rates_(estimator_.class_rates, estimator_.rate_images, options.memory) {}

Gain LearnedGain::Judge(const Evidence& evidence, bool explain) const {
  Gain gain{.score = EstimateGain(estimator_, evidence, rates_, features_)};
  gain.difficult = options_.threshold && gain.score > *options_.threshold;
  if (explain) {
    const double objects = Sum(features_.expected);
    gain.reason = "expected gain " + ShortNumber(gain.score) + ": " + ShortNumber(objects) +
                  " objects expected, doubt " + ShortNumber(features_.doubt);
  }
  return gain;
}

void LearnedGain::Watch(const Evidence& evidence) {
  expected_.resize(rates_.rates().size());
  MeasureExpected(evidence, estimator_.curve, expected_);
  rates_.Add(expected_);
}

double LearnedGain::natural_threshold() const {
  return options_.threshold.value_or(std::numeric_limits<double>::infinity());
}

}  // namespace nearfar
