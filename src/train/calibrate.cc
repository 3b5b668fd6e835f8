#include "train/calibrate.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/percentile.h"
#include "train/choose.h"
#include "train/fit_discriminator.h"
#include "train/out_of_fold.h"

namespace nearfar {
namespace {

constexpr double kPredictionThreshold = 0.5;  // [SmallBig §V.A]
constexpr FoldOptions kFolds;

/// What a learned discriminator says of images that it was not fitted to: with those that it knows
/// it is too sure. Too few to be split are judged by the fit itself.
Expected<std::vector<double>> UnseenGains(const LabelledSet& set, const ModelIdentity& near,
                                          const DiscriminatorSpec& asked,
                                          const DiscriminatorSpec& fitted, GainGoal goal,
                                          const std::function<void()>& advance) {
  if (!IsLearned(fitted.name) || set.images.size() < kLeastToLearn) {
    return JudgeAll(set, fitted);
  }
  const auto folds = SplitIntoFolds(set.names, kFolds);
  if (!folds) {
    return tl::unexpected(folds.error());
  }
  auto judged = JudgeOutOfFold(set, near, asked, goal, *folds, advance);
  if (!judged) {
    return tl::unexpected(judged.error());
  }
  return std::move(judged->gains);
}

BinaryMetrics MeasureGains(const LabelledSet& set, const std::vector<double>& gains,
                           double threshold, double prediction_threshold) {
  BinaryMetrics metrics;
  for (std::size_t i = 0; i < gains.size(); ++i) {
    metrics.Add(IsDifficult(set.images[i], prediction_threshold), gains[i] > threshold);
  }
  return metrics;
}

}  // namespace

Expected<DiscriminatorFile> Calibrate(const LabelledSet& set, const ModelIdentity& near,
                                      const ModelIdentity& far, const CalibrationOptions& options,
                                      const std::function<void()>& advance) {
  if (set.images.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "no images to fit on: calibration needs at least one image seen by both models");
  }
  DiscriminatorFile file{.discriminator = options.discriminator,
                         .near = near,
                         .far = far,
                         .classes = set.classes,
                         .images = static_cast<int>(set.images.size()),
                         .truth = set.has_truth};
  DiscriminatorSpec& spec = file.discriminator;
  if (spec.name == kAutomatic) {
    constexpr double kLeastShare = 0.02;  // with fewer uploads nothing can be compared
    auto choice =
        ChooseDiscriminator(set, near, options.goal,
                            std::clamp(options.upload.value_or(0.5), kLeastShare, 1 - kLeastShare),
                            /*seed=*/1, advance);
    if (!choice) {
      return tl::unexpected(choice.error());
    }
    spec = CandidateSpec(choice->name);
    file.choice = *std::move(choice);
  }
  const DiscriminatorSpec asked = spec;
  auto fitted = FitDiscriminator(set, near, asked, options.goal);
  if (!fitted) {
    return tl::unexpected(fitted.error());
  }
  if (advance) {
    advance();
  }
  spec = std::move(fitted->spec);
  if (IsLearned(spec.name) && spec.name != "conv") {
    file.goal = options.goal;
  }
  double prediction_threshold = kPredictionThreshold;
  if (fitted->smallbig) {
    prediction_threshold = fitted->smallbig->options.prediction_threshold;
    file.score = fitted->smallbig->score;
    file.with_true_features = fitted->smallbig->with_true_features;
  }
  for (const LabelledImage& image : set.images) {
    file.difficult += IsDifficult(image, prediction_threshold) ? 1 : 0;
  }
  const auto gains = UnseenGains(set, near, asked, spec, options.goal, advance);
  if (!gains) {
    return tl::unexpected(gains.error());
  }
  for (int percent = 0; percent <= 100; ++percent) {
    file.gain_percentiles.push_back(percent == 0 ? *std::min_element(gains->begin(), gains->end())
                                                 : Percentile(*gains, percent));
  }
  if (options.upload) {
    const auto upload = FitUploadRatio(*gains, *options.upload);
    if (!upload) {
      return tl::unexpected(upload.error());
    }
    file.upload = *upload;
    file.at_upload_threshold = MeasureGains(set, *gains, upload->threshold, prediction_threshold);
    if (IsRanking(spec.name) && !spec.parameters.contains("threshold")) {
      spec = WithGainThreshold(spec, upload->threshold);
    }
  }
  const auto judge = MakeDiscriminator(spec);
  if (!judge) {
    return tl::unexpected(judge.error());
  }
  if (!(*judge)->has_verdict()) {
    return Fail(ErrorCode::kInvalidInput,
                "discriminator " + spec.name +
                    " only ranks images: name the share to upload (--upload 0.5) or its threshold");
  }
  file.version = (*judge)->version();
  file.with_estimated_features =
      MeasureGains(set, *gains, (*judge)->natural_threshold(), prediction_threshold);
  return file;
}

std::size_t CalibrationSteps(const LabelledSet& set, const CalibrationOptions& options) {
  const bool chooses = options.discriminator.name == kAutomatic;
  const auto folds = static_cast<std::size_t>(kFolds.folds);
  return (chooses ? ChoiceSteps(set.images.size()) : 0) + 1 +
         (chooses || IsLearned(options.discriminator.name) ? folds : 0);
}

}  // namespace nearfar
