#include "discriminate/online.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/phrase.h"

namespace nearfar {
namespace {

constexpr double kGrowth = 1.25;           // of the answers from one fit to the next
constexpr std::size_t kMostBetween = 100;  // answers from one fit to the next

}  // namespace

OnlineGain::OnlineGain(const OnlineOptions& options, std::optional<GainEstimator> start,
                       std::optional<double> threshold)
    : options_(options),
      threshold_(threshold),
      start_(std::move(start)),
      estimator_(start_),
      next_fit_(static_cast<std::size_t>(options.first_fit)),
      rule_(SmallBigOptions{}) {
  if (estimator_) {
    rates_ = ClassRates(estimator_->class_rates, estimator_->rate_images, options_.memory);
  } else if (!threshold_) {
    threshold_ = rule_.natural_threshold();
  }
}

double OnlineGain::natural_threshold() const {
  return threshold_.value_or(std::numeric_limits<double>::infinity());
}

double OnlineGain::Score(const Evidence& evidence) const {
  return estimator_ ? offset_ + factor_ * EstimateGain(*estimator_, evidence, rates_, features_)
                    : rule_.Judge(evidence, false).score;
}

Gain OnlineGain::Judge(const Evidence& evidence, bool explain) const {
  Gain gain{.score = Score(evidence)};
  gain.difficult = threshold_ && gain.score > *threshold_;
  if (explain) {
    const std::string answers = std::to_string(answers_.size()) + " answers";
    gain.reason = fits_ > 0    ? "gain " + ShortNumber(gain.score) + ", learned of " + answers
                  : estimator_ ? "gain " + ShortNumber(gain.score) + ", as calibrated; " + answers
                               : rule_.Judge(evidence, true).reason + ", " + answers + " so far";
  }
  return gain;
}

void OnlineGain::Watch(const Evidence& evidence) {
  if (estimator_) {
    expected_.resize(rates_.rates().size());
    MeasureExpected(evidence, estimator_->curve, expected_);
    rates_.Add(expected_);
  }
}

void OnlineGain::Observe(const Evidence& evidence, const GainOutcome& outcome) {
  const double probability = outcome.upload_probability;
  if (!(probability > 0 && probability <= 1)) {
    return;
  }
  const bool again = evidence.key != 0 &&
                     std::any_of(answers_.begin(), answers_.end(), [&](const Answered& answered) {
                       return answered.image.key == evidence.key;
                     });
  if (again) {
    return;
  }
  answers_.push_back({{.near = outcome.near,
                       .far = outcome.far,
                       .size = evidence.image,
                       .features = evidence.features,
                       .key = evidence.key},
                      options_.weighted ? std::min(1 / probability, options_.most_weight) : 1});
  if (answers_.size() > static_cast<std::size_t>(options_.most_answers)) {
    answers_.pop_front();
  }
  if (++since_fit_ >= next_fit_) {
    Fit();
  }
}

int OnlineGain::ClassesSeen() const {
  int classes = start_ ? static_cast<int>(start_->class_rates.size()) : 1;
  for (const Answered& answered : answers_) {
    for (const Detections* boxes : {&answered.image.near, &answered.image.far}) {
      for (const Detection& box : *boxes) {
        classes = std::max(classes, box.label + 1);
      }
    }
  }
  return classes;
}

void OnlineGain::Fit() {
  std::vector<LabelledImage> images;
  EstimatorFitOptions fit{.goal = options_.goal};
  for (const Answered& answered : answers_) {
    images.push_back(answered.image);
    fit.weights.push_back(answered.weight);
  }
  const int classes = ClassesSeen();
  const bool has_prior = start_ && start_->kind != EstimatorKind::kClosedForm &&
                         static_cast<int>(start_->class_rates.size()) == classes;
  fit.prior = has_prior ? &*start_ : nullptr;
  auto fitted = FitGainEstimator(EstimatorKind::kRidge, images, classes, fit);
  const double grown = static_cast<double>(answers_.size()) * (kGrowth - 1);
  next_fit_ = std::clamp(static_cast<std::size_t>(std::ceil(grown)), std::size_t{5}, kMostBetween);
  since_fit_ = 0;
  if (!fitted) {
    return;  // answers without any near box: what is there stays
  }
  const Spread before = SpreadOf([&](const Evidence& evidence) { return Score(evidence); });
  // What the stream has shown of the classes' rates holds more images than the answers do.
  if (rates_.rates().size() != fitted->class_rates.size()) {
    rates_ = ClassRates(fitted->class_rates, fitted->rate_images, options_.memory);
  }
  estimator_ = *std::move(fitted);
  const Spread after = SpreadOf([&](const Evidence& evidence) {
    return EstimateGain(*estimator_, evidence, rates_, features_);
  });
  factor_ = before.spread > 0 && after.spread > 0 ? before.spread / after.spread : 1;
  offset_ = before.mean - factor_ * after.mean;
  ++fits_;
}

template <typename ScoreOf>
OnlineGain::Spread OnlineGain::SpreadOf(const ScoreOf& score) const {
  double whole = 0;
  double mean = 0;
  double square = 0;
  for (const Answered& answered : answers_) {
    const double value = score(answered.image.evidence());
    whole += answered.weight;
    mean += answered.weight * value;
    square += answered.weight * value * value;
  }
  mean /= whole;
  return {mean, std::sqrt(std::max(square / whole - mean * mean, 0.0))};
}

}  // namespace nearfar
