#include "train/out_of_fold.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/rng.h"

namespace nearfar {
namespace {

/// A spec less the thresholds that do not enter the gain score: two with equal ones rank alike.
DiscriminatorSpec WithoutThresholds(DiscriminatorSpec spec) {
  if (IsRanking(spec.name)) {
    spec.parameters.erase("threshold");
  }
  const auto empty = spec.parameters.find("upload_empty");
  if (spec.name == "smallbig" && (empty == spec.parameters.end() || empty->second == 0)) {
    spec.parameters.erase("score_threshold");
  }
  return spec;
}

/// The share of its fold that each image outranks.
std::vector<double> SharesOutranked(std::span<const double> gains,
                                    std::span<const std::size_t> fold_of, std::size_t folds) {
  std::vector<std::vector<double>> sorted(folds);
  for (std::size_t i = 0; i < gains.size(); ++i) {
    sorted[fold_of[i]].push_back(gains[i]);
  }
  for (std::vector<double>& fold : sorted) {
    std::sort(fold.begin(), fold.end());
  }
  std::vector<double> shares;
  for (std::size_t i = 0; i < gains.size(); ++i) {
    const std::vector<double>& fold = sorted[fold_of[i]];
    const auto [low, high] = std::equal_range(fold.begin(), fold.end(), gains[i]);
    shares.push_back(
        (static_cast<double>(low - fold.begin()) + static_cast<double>(high - fold.begin())) /
        (2 * static_cast<double>(fold.size())));
  }
  return shares;
}

}  // namespace

Expected<std::vector<std::size_t>> SplitIntoFolds(std::span<const std::string> names,
                                                  const FoldOptions& options) {
  if (options.folds < 2 || options.folds > 100) {
    return Fail(ErrorCode::kInvalidInput,
                "folds are " + std::to_string(options.folds) + "; give 2 to 100");
  }
  if (names.size() < 2) {
    return Fail(ErrorCode::kInvalidInput,
                "there are too few images (" + std::to_string(names.size()) +
                    ") to fit on some and judge others; give at least two, better fifty");
  }
  const std::size_t folds = std::clamp(names.size() / kLeastInFold, std::size_t{2},
                                       static_cast<std::size_t>(options.folds));
  std::vector<std::pair<std::uint64_t, std::size_t>> shuffled;
  for (std::size_t i = 0; i < names.size(); ++i) {
    shuffled.emplace_back(MixBits(MixBits(options.seed) ^ HashText(names[i])), i);
  }
  std::sort(shuffled.begin(), shuffled.end());
  std::vector<std::size_t> fold_of(names.size());
  for (std::size_t place = 0; place < shuffled.size(); ++place) {
    fold_of[shuffled[place].second] = place % folds;
  }
  return fold_of;
}

Expected<OutOfFoldGains> JudgeOutOfFold(const LabelledSet& set, const ModelIdentity& near,
                                        const DiscriminatorSpec& asked, GainGoal goal,
                                        std::span<const std::size_t> fold_of,
                                        const std::function<void()>& advance) {
  assert(fold_of.size() == set.images.size() && !fold_of.empty());
  const std::size_t folds = *std::max_element(fold_of.begin(), fold_of.end()) + 1;
  OutOfFoldGains result;
  result.gains.resize(set.images.size());
  for (std::size_t fold = 0; fold < folds; ++fold) {
    LabelledSet others{.classes = set.classes, .has_truth = set.has_truth};
    std::vector<std::size_t> held_out;
    for (std::size_t i = 0; i < set.images.size(); ++i) {
      if (fold_of[i] == fold) {
        held_out.push_back(i);
      } else {
        others.names.push_back(set.names[i]);
        others.images.push_back(set.images[i]);
      }
    }
    Expected<FittedDiscriminator> fitted = FitDiscriminator(others, near, asked, goal);
    if (!fitted) {
      return tl::unexpected(fitted.error());
    }
    const Expected<std::vector<double>> gains = JudgeImages(set, held_out, fitted->spec);
    if (!gains) {
      return tl::unexpected(gains.error());
    }
    for (std::size_t h = 0; h < held_out.size(); ++h) {
      result.gains[held_out[h]] = (*gains)[h];
    }
    result.fitted.push_back(std::move(fitted->spec));
    result.one_scale = result.one_scale && WithoutThresholds(result.fitted.back()) ==
                                               WithoutThresholds(result.fitted.front());
    if (advance) {
      advance();
    }
  }
  result.worth = result.one_scale ? result.gains : SharesOutranked(result.gains, fold_of, folds);
  return result;
}

}  // namespace nearfar
