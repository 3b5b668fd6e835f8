#include "train/calibrate.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/percentile.h"
#include "train/fit_discriminator.h"

namespace nearfar {
namespace {

constexpr double kPredictionThreshold = 0.5;  // [SmallBig §V.A]

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
  auto fitted = FitDiscriminator(set, near, spec, options.goal);
  if (!fitted) {
    return tl::unexpected(fitted.error());
  }
  spec = std::move(fitted->spec);
  if (IsLearned(spec.name)) {
    file.goal = options.goal;
  }
  if (fitted->smallbig) {
    prediction_threshold = fitted->smallbig->options.prediction_threshold;
    file.score = fitted->smallbig->score;
    file.with_true_features = fitted->smallbig->with_true_features;
  }
  const auto gains = JudgeAll(set, spec);
  if (!gains) {
    return tl::unexpected(gains.error());
  }
  const std::vector<double>& scores = *gains;
  for (const LabelledImage& image : set.images) {
    file.difficult += IsDifficult(image, prediction_threshold) ? 1 : 0;
  }
  auto judge = MakeDiscriminator(spec);
  if (!judge) {
    return tl::unexpected(judge.error());
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
