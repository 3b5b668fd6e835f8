#include "discriminate/gain_features.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "core/geometry.h"
#include "discriminate/baselines.h"
#include "discriminate/features.h"
#include "discriminate/smallbig.h"

namespace nearfar {
namespace {

constexpr std::array kCountsAbove = {0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8};
constexpr std::size_t kTopScores = 12;
constexpr std::size_t kTopAreas = 8;
constexpr double kCandidate = 0.2;              // a box above it may be an object
constexpr std::array kSides = {0.1, 0.2, 0.4};  // square roots of area shares between size bins
constexpr std::size_t kPairs = 24;              // best boxes whose overlaps are looked at
constexpr std::size_t kFixed =
    4 + kCountsAbove.size() + kTopScores + kTopAreas + 1 + (kSides.size() + 1) + 2;

bool Counts(const Detection& box, std::size_t classes) {
  return box.label >= 0 && static_cast<std::size_t>(box.label) < classes &&
         std::isfinite(box.score) && std::isfinite(box.box.x1) && std::isfinite(box.box.y1) &&
         std::isfinite(box.box.x2) && std::isfinite(box.box.y2);
}

double LogArea(double area_ratio) { return std::log10(std::max(area_ratio, 1e-4)); }

}  // namespace

ScoreCurve FitScoreCurve(std::vector<ScoredTruth> boxes, double least_weight) {
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const ScoredTruth& a, const ScoredTruth& b) { return a.score < b.score; });
  struct Pool {
    double weight = 0;
    double score = 0;  // sums, weighted
    double right = 0;
  };
  std::vector<Pool> pools;
  const auto merge_last = [&] {
    const Pool last = pools.back();
    pools.pop_back();
    pools.back().weight += last.weight;
    pools.back().score += last.score;
    pools.back().right += last.right;
  };
  const auto mean = [](const Pool& pool) { return pool.right / pool.weight; };
  const auto falls = [&] {
    return pools.size() > 1 && mean(pools.back()) <= mean(pools[pools.size() - 2]);
  };
  double last_score = -1;
  for (const ScoredTruth& box : boxes) {
    // Equal scores are one pool: the curve is a function.
    if (pools.empty() || (pools.back().weight >= least_weight && box.score > last_score)) {
      while (falls()) {
        merge_last();
      }
      pools.emplace_back();
    }
    last_score = box.score;
    pools.back().weight += box.weight;
    pools.back().score += box.weight * box.score;
    pools.back().right += box.weight * box.right;
  }
  if (pools.size() > 1 && pools.back().weight < least_weight) {
    merge_last();
  }
  while (falls()) {
    merge_last();
  }
  ScoreCurve curve;
  std::size_t next = 0;  // the first pool beyond the knot
  for (std::size_t knot = 0; !pools.empty() && knot <= ScoreCurve::kSteps; ++knot) {
    const double score = static_cast<double>(knot) / static_cast<double>(ScoreCurve::kSteps);
    const auto place = [&](std::size_t pool) { return pools[pool].score / pools[pool].weight; };
    while (next < pools.size() && place(next) <= score) {
      ++next;
    }
    double right = 0;
    if (next == 0 || next == pools.size()) {
      right = mean(pools[next == 0 ? 0 : next - 1]);
    } else {
      const double part = (score - place(next - 1)) / (place(next) - place(next - 1));
      right = mean(pools[next - 1]) + part * (mean(pools[next]) - mean(pools[next - 1]));
    }
    curve.right.push_back(std::clamp(right, 0.0, 1.0));
  }
  return curve;
}

ClassRates::ClassRates(std::vector<double> rates, double images, double memory)
    : rates_(std::move(rates)), weight_(std::min(images, memory)), memory_(memory) {
  for (const double rate : rates_) {
    total_ += rate;
  }
}

void ClassRates::Add(std::span<const double> expected) {
  assert(expected.size() == rates_.size());
  weight_ = weight_ * (1 - 1 / memory_) + 1;
  total_ = 0;
  for (std::size_t c = 0; c < rates_.size(); ++c) {
    rates_[c] += (expected[c] - rates_[c]) / weight_;
    total_ += rates_[c];
  }
}

void MeasureExpected(const Evidence& evidence, const ScoreCurve& curve,
                     std::vector<double>& expected) {
  std::fill(expected.begin(), expected.end(), 0.0);
  for (const Detection& box : evidence.raw) {
    if (Counts(box, expected.size())) {
      expected[static_cast<std::size_t>(box.label)] += curve(box.score);
    }
  }
}

std::size_t GainFeatureCount(int classes) { return kFixed + 2 * static_cast<std::size_t>(classes); }

void MeasureGainFeatures(const Evidence& evidence, const ScoreCurve& curve, const ClassRates& rates,
                         GainFeatures& features) {
  const std::size_t classes = rates.rates().size();
  features.expected.assign(classes, 0);
  features.values.assign(GainFeatureCount(static_cast<int>(classes)), 0);
  features.closed_form = 0;
  features.doubt = 0;

  struct Candidate {
    double score = 0;
    double right = 0;
    double area_ratio = 0;
    const Detection* box = nullptr;
  };
  std::vector<Candidate> boxes;
  boxes.reserve(evidence.raw.size());
  for (const Detection& box : evidence.raw) {
    if (Counts(box, classes)) {
      boxes.push_back({box.score, curve(box.score), AreaRatio(box.box, evidence.image), &box});
    }
  }
  const auto is_better = [](const Candidate& a, const Candidate& b) { return a.score > b.score; };
  if (!std::is_sorted(boxes.begin(), boxes.end(), is_better)) {
    std::stable_sort(boxes.begin(), boxes.end(), is_better);
  }

  double* const first = features.values.data();
  double* at = first + 4;
  double* const above = at;
  at += kCountsAbove.size();
  double* const scores = at;
  at += kTopScores;
  double* const areas = at;
  at += kTopAreas;
  double* const smallest = at++;
  double* const by_size = at;
  at += kSides.size() + 1;
  double* const other_class = at++;
  double* const same_class = at++;
  double* const per_class = at;
  double* const uncertain_per_class = at + classes;

  double smallest_ratio = 1;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const Candidate& box = boxes[i];
    for (std::size_t t = 0; t < kCountsAbove.size() && box.score > kCountsAbove[t]; ++t) {
      above[t] += 1;
    }
    if (i < kTopScores) {
      scores[i] = box.score;
    }
    if (i < kTopAreas) {
      areas[i] = LogArea(box.area_ratio);
    }
    if (box.score > kCandidate) {
      smallest_ratio = std::min(smallest_ratio, box.area_ratio);
    }
    const double doubt = box.right * (1 - box.right);
    const double side = std::sqrt(box.area_ratio);
    const auto bin = static_cast<std::size_t>(std::upper_bound(kSides.begin(), kSides.end(), side) -
                                              kSides.begin());
    by_size[bin] += doubt;
    features.doubt += doubt;
    const auto label = static_cast<std::size_t>(box.box->label);
    features.expected[label] += box.right;
    per_class[label] += box.right;
    const double weight = rates.rates()[label] + kClassSmoothing * rates.total();
    if (weight > 0) {
      features.closed_form += doubt / weight;
      uncertain_per_class[label] += doubt / weight;
    }
    for (std::size_t j = 0; i < kPairs && j < i; ++j) {
      const double overlap = Iou(box.box->box, boxes[j].box->box);
      if (overlap > 0.5 && box.box->label != boxes[j].box->label) {
        *other_class += box.right;
      } else if (overlap > 0.2 && box.box->label == boxes[j].box->label) {
        *same_class += box.right;
      }
    }
  }
  *smallest = LogArea(smallest_ratio);
  for (std::size_t t = 0; t < kCountsAbove.size(); ++t) {
    above[t] = std::log1p(above[t]);
  }
  first[kClosedFormFeature] = features.closed_form;
  first[1] = features.doubt;
  static const SmallBig rule(SmallBigOptions{});
  if (boxes.size() == evidence.raw.size()) {
    first[2] = SumOfEntropies(evidence.raw, 0.05);
    first[3] = rule.Judge(evidence, false).score;
  } else {
    Detections counting;
    for (const Candidate& box : boxes) {
      counting.push_back(*box.box);
    }
    first[2] = SumOfEntropies(counting, 0.05);
    first[3] = rule.Judge({counting, evidence.image, evidence.features, evidence.key}, false).score;
  }
}

}  // namespace nearfar
