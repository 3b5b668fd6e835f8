#include "train/choose.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/ranking.h"
#include "train/out_of_fold.h"

namespace nearfar {
namespace {

constexpr std::array kCandidates = {"cf", "ridge", "mlp", "conv", "entropy", "smallbig"};
constexpr int kFolds = 5;
constexpr std::size_t kEnoughForOneSplit = 1000;  // with fewer, chance in the split is averaged out
constexpr int kRepeats = 4;

/// 1 for each of the `count` images with the largest worth, 0 for the others.
std::vector<double> Uploads(const std::vector<double>& worth, std::size_t count) {
  const std::vector<std::size_t> order = ByFallingValue(worth);
  std::vector<double> uploads(worth.size(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    uploads[order[i]] = 1;
  }
  return uploads;
}

int RepeatsFor(std::size_t images) { return images < kEnoughForOneSplit ? kRepeats : 1; }

}  // namespace

std::size_t ChoiceSteps(std::size_t images) {
  return kCandidates.size() * kFolds * static_cast<std::size_t>(RepeatsFor(images));
}

double WholeGain(const LabelledSet& set, GainGoal goal) {
  const std::vector<double> gains = Gains(goal, set.images, set.classes.size());
  return std::accumulate(gains.begin(), gains.end(), 0.0);
}

DiscriminatorSpec CandidateSpec(const std::string& name) {
  DiscriminatorSpec spec{.name = name};
  if (name == "smallbig") {
    const SmallBigOptions published;
    spec.parameters["count_threshold"] = published.count_threshold;
    spec.parameters["area_threshold"] = published.area_threshold;
  }
  return spec;
}

Expected<Choice> ChooseDiscriminator(const LabelledSet& set, const ModelIdentity& near,
                                     GainGoal goal, double upload, std::uint64_t seed,
                                     const std::function<void()>& advance) {
  const std::size_t images = set.images.size();
  Choice choice{.goal = goal, .upload = upload, .images = static_cast<int>(images)};
  if (choice.images < kLeastToLearn) {
    choice.name = "smallbig";
    choice.remark = std::to_string(images) +
                    " images are too few to learn from: the paper's rule is taken; record " +
                    std::to_string(kLeastToLearn) + " or more";
    return choice;
  }
  const std::vector<double> targets = Gains(goal, set.images, set.classes.size());
  const double all = std::accumulate(targets.begin(), targets.end(), 0.0);
  if (!(all > kNoGain)) {
    choice.name = "cf";
    choice.remark =
        "no discriminator is better than another on these images: the closed form is "
        "taken untried";
    return choice;
  }
  choice.folds = kFolds;
  choice.repeats = RepeatsFor(images);
  const auto count = static_cast<std::size_t>(std::llround(upload * static_cast<double>(images)));

  std::vector<double> best;  // by image: how often the best one uploads it
  for (const char* const name : kCandidates) {
    std::vector<double> uploads(images, 0);
    for (int repeat = 0; repeat < choice.repeats; ++repeat) {
      const auto fold_of = SplitIntoFolds(
          set.names, {.folds = kFolds, .seed = seed + static_cast<std::uint64_t>(repeat)});
      if (!fold_of) {
        return tl::unexpected(fold_of.error());
      }
      const auto judged = JudgeOutOfFold(set, near, CandidateSpec(name), goal, *fold_of, advance);
      if (!judged) {
        return tl::unexpected(judged.error());
      }
      const std::vector<double> chosen = Uploads(judged->worth, count);
      for (std::size_t i = 0; i < images; ++i) {
        uploads[i] += chosen[i] / choice.repeats;
      }
    }
    Candidate candidate{.name = name};
    std::vector<double> leads;
    for (std::size_t i = 0; i < images; ++i) {
      candidate.captured += targets[i] * uploads[i] / all;
      leads.push_back(targets[i] * (uploads[i] - (best.empty() ? 0 : best[i])) / all);
    }
    if (best.empty()) {
      candidate.taken = true;
    } else {
      const double n = static_cast<double>(images);
      candidate.lead = std::accumulate(leads.begin(), leads.end(), 0.0);
      double square = 0;
      for (const double lead : leads) {
        square += (lead - candidate.lead / n) * (lead - candidate.lead / n);
      }
      candidate.standard_error = std::sqrt(square * n / (n - 1));
      candidate.taken = candidate.lead > candidate.standard_error;
    }
    if (candidate.taken) {
      best = std::move(uploads);
      choice.name = name;
    }
    choice.candidates.push_back(std::move(candidate));
  }
  return choice;
}

}  // namespace nearfar
