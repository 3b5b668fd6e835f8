#include "train/calibrate.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/percentile.h"

namespace nearfar {
namespace {

constexpr double kPredictionThreshold = 0.5;  // [SmallBig §V.A]

/// The paper's fit, less the thresholds that the spec keeps.
Expected<SmallBigFit> FitSmallBigFrom(const LabelledSet& set, const ModelIdentity& near,
                                      const DiscriminatorSpec& spec) {
  const auto given = SmallBigOptionsOf(spec);
  if (!given) {
    return tl::unexpected(given.error());
  }
  FitOptions options{.score_floor = near.score_floor,
                     .prediction_threshold = given->prediction_threshold,
                     .upload_empty = given->upload_empty};
  if (spec.parameters.contains("score_threshold")) {
    options.score_threshold = given->score_threshold;
  }
  if (spec.parameters.contains("count_threshold")) {
    options.count_threshold = given->count_threshold;
  }
  if (spec.parameters.contains("area_threshold")) {
    options.area_threshold = given->area_threshold;
  }
  return FitSmallBig(set.images, options);
}

}  // namespace

Expected<DiscriminatorFile> Calibrate(const LabelledSet& set, const ModelIdentity& near,
                                      const ModelIdentity& far, const CalibrationOptions& options) {
  DiscriminatorFile file{.discriminator = options.discriminator,
                         .near = near,
                         .far = far,
                         .classes = set.classes,
                         .images = static_cast<int>(set.images.size()),
                         .truth = set.has_truth};
  DiscriminatorSpec& spec = file.discriminator;
  double prediction_threshold = kPredictionThreshold;
  if (spec.name == "top1" && !spec.parameters.contains("classes")) {
    spec.parameters["classes"] = set.classes.size();
  }
  if (spec.name == "smallbig") {
    const auto fit = FitSmallBigFrom(set, near, spec);
    if (!fit) {
      return tl::unexpected(fit.error());
    }
    spec = SpecOf(fit->options);
    prediction_threshold = fit->options.prediction_threshold;
    file.score = fit->score;
    file.with_true_features = fit->with_true_features;
  }

  auto judge = MakeDiscriminator(spec);
  if (!judge) {
    return tl::unexpected(judge.error());
  }
  std::vector<double> scores;
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    const LabelledImage& image = set.images[i];
    const std::string missing = MissingFeatures(**judge, image.features);
    if (!missing.empty()) {
      return Fail(ErrorCode::kInvalidInput, "discriminator " + spec.name + " needs " + missing +
                                                ", which the near recording lacks for image " +
                                                set.names[i] + ": record from the pictures");
    }
    scores.push_back((*judge)->Judge(image.evidence(), false).score);
    file.difficult += IsDifficult(image, prediction_threshold) ? 1 : 0;
  }
  for (int percent = 0; percent <= 100; ++percent) {
    file.gain_percentiles.push_back(percent == 0 ? *std::min_element(scores.begin(), scores.end())
                                                 : Percentile(scores, percent));
  }
  if (options.upload) {
    const auto upload = FitUploadRatio(scores, *options.upload);
    if (!upload) {
      return tl::unexpected(upload.error());
    }
    file.upload = *upload;
    file.at_upload_threshold =
        Measure(set.images, **judge, upload->threshold, prediction_threshold);
    if (IsRanking(spec.name) && !spec.parameters.contains("threshold")) {
      spec = WithGainThreshold(spec, upload->threshold);
      judge = MakeDiscriminator(spec);
      if (!judge) {
        return tl::unexpected(judge.error());
      }
    }
  }
  if (!(*judge)->has_verdict()) {
    return Fail(ErrorCode::kInvalidInput,
                "discriminator " + spec.name +
                    " only ranks images: name the share to upload (--upload 0.5) or its threshold");
  }
  file.version = (*judge)->version();
  file.with_estimated_features =
      Measure(set.images, **judge, (*judge)->natural_threshold(), prediction_threshold);
  return file;
}

}  // namespace nearfar
