#include "train/fit_discriminator.h"

#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

namespace nearfar {
namespace {

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

Expected<FittedDiscriminator> FitDiscriminator(const LabelledSet& set, const ModelIdentity& near,
                                               const DiscriminatorSpec& asked, GainGoal goal) {
  FittedDiscriminator fitted{.spec = asked};
  DiscriminatorSpec& spec = fitted.spec;
  if (spec.name == "top1" && !spec.parameters.contains("classes")) {
    spec.parameters["classes"] = set.classes.size();
  }
  if (spec.name == "smallbig") {
    const auto fit = FitSmallBigFrom(set, near, spec);
    if (!fit) {
      return tl::unexpected(fit.error());
    }
    spec = SpecOf(fit->options);
    fitted.smallbig = *fit;
  }
  if (IsLearned(spec.name)) {
    auto tables = FitTables(spec.name, set.images, set.classes.size(), goal);
    if (!tables) {
      return tl::unexpected(tables.error());
    }
    spec.tables = *std::move(tables);
  }
  return fitted;
}

Expected<std::vector<double>> JudgeImages(const LabelledSet& set, std::span<const std::size_t> images,
                                    const DiscriminatorSpec& spec) {
  const auto judge = MakeDiscriminator(spec);
  if (!judge) {
    return tl::unexpected(judge.error());
  }
  std::vector<double> gains;
  gains.reserve(images.size());
  for (const std::size_t i : images) {
    const Evidence evidence = set.images[i].evidence();
    if (const std::string missing = MissingFeatures(**judge, evidence.features); !missing.empty()) {
      return Fail(ErrorCode::kInvalidInput, "discriminator " + spec.name + " needs " + missing +
                                                ", which the near recording lacks for image " +
                                                set.names[i] + ": record from the pictures");
    }
    const double gain = (*judge)->Judge(evidence, false).score;
    (*judge)->Watch(evidence);
    gains.push_back(std::isnan(gain) ? -HUGE_VAL : gain);
  }
  return gains;
}

Expected<std::vector<double>> JudgeAll(const LabelledSet& set, const DiscriminatorSpec& spec) {
  std::vector<std::size_t> all(set.images.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return JudgeImages(set, all, spec);
}

}  // namespace nearfar
