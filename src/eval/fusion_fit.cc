#include "eval/fusion_fit.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

#include "core/rng.h"
#include "eval/average_precision.h"
#include "eval/bootstrap.h"

namespace nearfar {
namespace {

constexpr double kAgree[] = {0, 0.1, 0.2, 0.3, 0.4, 0.5};
constexpr double kKeep[] = {0, 0.05, 0.1, 0.2, 0.3};
constexpr float kConfident = 0.5F;  // [SmallBig §V.A]

/// The images' truth as the evaluation takes it.
std::vector<TruthImage> TruthOf(std::span<const LabelledImage> images) {
  std::vector<TruthImage> truth;
  for (const LabelledImage& image : images) {
    TruthImage& made = truth.emplace_back();
    made.size = image.size;
    for (const TrueObject& object : *image.truth) {
      TruthObject& added = made.objects.emplace_back();
      added.box = object.box;
      added.label = object.label;
      added.difficult = object.ignored;
    }
  }
  return truth;
}

void CountConfirmed(std::span<const LabelledImage> images, FusionFit& fit) {
  for (const LabelledImage& image : images) {
    for (const Detection& near : image.near) {
      if (!(near.score > kConfident)) {
        continue;
      }
      ++fit.confident;
      fit.confirmed += std::any_of(image.far.begin(), image.far.end(),
                                   [&](const Detection& far) {
                                     return far.score > kConfident && far.label == near.label &&
                                            Iou(far.box, near.box) > 0.5F;
                                   })
                           ? 1
                           : 0;
    }
  }
}

/// What the cross-validation asks of one set of images: their mAP under many weights.
class Bench {
 public:
  Bench(std::span<const LabelledImage> images, int classes)
      : images_(images), classes_(classes), truth_(TruthOf(images)) {}

  /// @param of  the weights by image.
  template <typename WeightsOf>
  MatchTable Match(const WeightsOf& of) const {
    std::vector<Detections> fused;
    fused.reserve(images_.size());
    for (std::size_t i = 0; i < images_.size(); ++i) {
      fused.push_back(Fuse(images_[i].near, images_[i].far, of(i)).detections);
    }
    return MatchVoc(truth_, fused, classes_);
  }

 private:
  std::span<const LabelledImage> images_;
  int classes_;
  std::vector<TruthImage> truth_;
};

double Map(const MatchTable& table, ImageWeights images = {}) {
  return MeanAveragePrecision(table, Interpolation::kArea, images).value_or(0);
}

double StandardDeviation(const std::vector<double>& values) {
  double mean = 0;
  for (const double value : values) {
    mean += value / static_cast<double>(values.size());
  }
  double sum = 0;
  for (const double value : values) {
    sum += (value - mean) * (value - mean);
  }
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

void FitToTruth(std::span<const LabelledImage> images, int classes, const FusionFitOptions& options,
                FusionFit& fit) {
  const auto folds = static_cast<std::size_t>(options.folds);
  std::vector<std::size_t> fold_of;
  // The last of these lists takes every image, each other one all but its fold.
  std::vector<std::vector<std::uint32_t>> fitted_on(folds + 1,
                                                    std::vector<std::uint32_t>(images.size(), 1));
  for (std::size_t i = 0; i < images.size(); ++i) {
    fold_of.push_back(MixBits(images[i].key ^ options.seed) % folds);
    fitted_on[fold_of.back()][i] = 0;
  }
  const Bench bench(images, classes);
  std::vector<FusionWeights> best(folds + 1);
  std::vector<double> best_map(folds + 1, -1);
  for (const double agree : kAgree) {
    for (const double keep : kKeep) {
      const FusionWeights weights{agree, keep};
      const MatchTable table = bench.Match([&](std::size_t) { return weights; });
      for (std::size_t f = 0; f <= folds; ++f) {
        const double map = Map(table, fitted_on[f]);
        if (map > best_map[f]) {  // a tie stays with the smaller weights
          best_map[f] = map;
          best[f] = weights;
        }
      }
    }
  }
  const MatchTable fused = bench.Match([&](std::size_t i) { return best[fold_of[i]]; });
  const MatchTable far = bench.Match([](std::size_t) { return FusionWeights{}; });
  fit.gain = Map(fused) - Map(far);
  std::vector<double> gains;
  Resample(images.size(), {.draws = options.draws, .seed = options.seed},
           [&](ImageWeights draw) { gains.push_back(Map(fused, draw) - Map(far, draw)); });
  fit.standard_error = StandardDeviation(gains);
  fit.weights = fit.gain > fit.standard_error ? best[folds] : FusionWeights{};
}

std::string Points(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%+.2f", 100 * share);
  return text;
}

std::string Weights(const FusionWeights& weights) {
  char text[64];
  std::snprintf(text, sizeof text, "agree %.2f, keep %.2f", weights.agree, weights.keep);
  return text;
}

}  // namespace

FusionFit FitFusion(std::span<const LabelledImage> images, int classes,
                    const FusionFitOptions& options) {
  assert(options.folds >= 2 && options.draws >= 2);
  FusionFit fit{.images = static_cast<int>(images.size())};
  CountConfirmed(images, fit);
  fit.truth = !images.empty() && std::all_of(images.begin(), images.end(), [](const auto& image) {
    return image.truth.has_value();
  });
  if (fit.truth) {
    FitToTruth(images, classes, options, fit);
  } else if (fit.confident > 0 && static_cast<double>(fit.confirmed) >=
                                      options.min_confirmed * static_cast<double>(fit.confident)) {
    fit.weights = kUsualFusion;
  }
  return fit;
}

std::string Explain(const FusionFit& fit) {
  if (fit.truth) {
    const std::string gain = "cross-validated gain " + Points(fit.gain) + " ± " +
                             Points(fit.standard_error).substr(1) +
                             " points of mAP (area) where all is uploaded";
    return fit.weights.active() ? Weights(fit.weights) + " (" + gain + ")"
                                : "off: " + gain + ", no more than its standard error";
  }
  const std::string share = std::to_string(fit.confirmed) + " of " + std::to_string(fit.confident) +
                            " near boxes above 0.5";
  return fit.weights.active()
             ? Weights(fit.weights) +
                   " (the usual: without truth nothing can be fitted; the far "
                   "model confirms " +
                   share + ")"
             : "off: without truth nothing can be fitted, and the far model confirms only " + share;
}

}  // namespace nearfar
