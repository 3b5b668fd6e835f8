// What learning from answers is worth: the VOC07 pairs of the bundle as streams in ten orders
// (seeds 1 to 10). The learner starts from nothing but the paper's rule, runs 1,000 images under a
// budget of 20 % with audits, and learns from the uploads alone; then it ranks the other 1,351
// images, as the paper's rule does. Recovered: share of the mAP gap at 20 and 50 % uploads of
// those. Each fit's time, too.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/percentile.h"
#include "core/rng.h"
#include "discriminate/budget.h"
#include "discriminate/online.h"
#include "discriminate/smallbig.h"
#include "voc07_pair.h"

namespace nearfar {
namespace {

constexpr std::size_t kLearned = 1000;
constexpr int kOrders = 10;
constexpr double kShare = 0.2;

struct Ranked {
  double at_20 = 0;
  double at_50 = 0;
};

/// What a ranking of the unseen images recovers of their own gap.
Ranked RecoveredBy(const Voc07Pair& pair, const std::vector<std::size_t>& unseen,
                   const std::vector<double>& gains) {
  Voc07Pair part{.set = {.classes = pair.set.classes}};
  for (const std::size_t i : unseen) {
    part.images.push_back(pair.images[i]);
    part.near.push_back(pair.near[i]);
    part.far.push_back(pair.far[i]);
  }
  part.small = part.MapOf(part.near);
  part.big = part.MapOf(part.far);
  return {part.Recovered(UploadTop(gains, 0.2)), part.Recovered(UploadTop(gains, 0.5))};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

void Learn(const char* name, const Voc07Pair& pair, double audit, bool weighted) {
  std::vector<double> times_20;
  std::vector<double> times_50;
  std::vector<double> recovered;
  std::vector<double> fit_ms;
  double answers = 0;
  for (int seed = 1; seed <= kOrders; ++seed) {
    std::vector<std::size_t> order(pair.images.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    Rng(static_cast<std::uint64_t>(seed)).Shuffle(order);
    OnlineGain learner({.weighted = weighted}, std::nullopt, std::nullopt);
    BudgetPolicy policy(
        {.share = kShare, .audit = audit, .seed = static_cast<std::uint64_t>(seed)});
    for (std::size_t k = 0; k < kLearned; ++k) {
      const LabelledImage& image = pair.set.images[order[k]];
      const Evidence evidence{image.near, image.size, image.features, image.key};
      const Gain gain = learner.Judge(evidence, false);
      learner.Watch(evidence);
      const UploadChoice choice = policy.Choose(gain, {}, {});
      if (choice.upload) {
        const int fits = learner.fits();
        const auto start = std::chrono::steady_clock::now();
        learner.Observe(evidence, {image.near, image.far, choice.probability});
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        if (learner.fits() > fits) {
          fit_ms.push_back(took.count());
        }
      }
    }
    answers += static_cast<double>(learner.answers()) / kOrders;
    const std::vector<std::size_t> unseen(order.begin() + kLearned, order.end());
    const SmallBig rule(SmallBigOptions{});
    std::vector<double> learned;
    std::vector<double> by_rule;
    for (const std::size_t i : unseen) {
      const Evidence evidence = pair.set.images[i].evidence();
      learned.push_back(learner.Judge(evidence, false).score);
      learner.Watch(evidence);
      by_rule.push_back(rule.Judge(evidence, false).score);
    }
    const Ranked own = RecoveredBy(pair, unseen, learned);
    const Ranked paper = RecoveredBy(pair, unseen, by_rule);
    recovered.push_back(own.at_20);
    times_20.push_back(own.at_20 / paper.at_20);
    times_50.push_back(own.at_50 / paper.at_50);
  }
  std::printf("%-7s %5.2f  %-8s %7.0f  %9.3f  %9.3f [%.2f, %.2f]  %9.3f   %5.1f %5.1f\n", name,
              audit, weighted ? "yes" : "no", answers, Median(recovered), Median(times_20),
              *std::min_element(times_20.begin(), times_20.end()),
              *std::max_element(times_20.begin(), times_20.end()), Median(times_50),
              Percentile(fit_ms, 50), Percentile(fit_ms, 95));
}

}  // namespace
}  // namespace nearfar

int main() {
  const std::string folder = nearfar::Voc07Folder();
  if (folder.empty()) {
    return 0;
  }
  std::puts(
      "medians of 10 orders                      at 20 %    x the paper's rule       at 50 %   "
      "fit, ms");
  std::puts(
      "pair    audit  weighted answers  recovered  median     least, most      x rule    p50   "
      "p95");
  for (const auto& [name, near, far] : {std::tuple("pair 1", "tiny_yolo_a", "yolov2"),
                                        std::tuple("pair 2", "tiny_yolo_b", "mobilenet_yolo")}) {
    const nearfar::Voc07Pair pair = nearfar::ReadPair(folder, near, far);
    for (const double audit : {0.01, 0.02, 0.05}) {
      for (const bool weighted : {true, false}) {
        nearfar::Learn(name, pair, audit, weighted);
      }
    }
  }
  return 0;
}
