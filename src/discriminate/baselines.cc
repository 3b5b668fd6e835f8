#include "discriminate/baselines.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

#include "core/phrase.h"
#include "core/rng.h"

namespace nearfar {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Calls `add` with each score that Sedna would see; gives their number, or 0 if one is invalid.
template <typename Add>
int ForEachHandedOn(const Detections& boxes, double min_score, const Add& add) {
  int count = 0;
  for (const Detection& box : boxes) {
    if (!(box.score >= min_score)) {
      continue;
    }
    if (box.score > 1 || box.score < 0) {
      return 0;
    }
    add(static_cast<double>(box.score));
    ++count;
  }
  return count;
}

}  // namespace

double MeanTopScore(const Detections& boxes, int classes) {
  assert(classes > 0);
  std::array<float, 128> fixed{};
  std::vector<float> large;
  float* top = fixed.data();
  if (classes > static_cast<int>(fixed.size())) {
    large.resize(static_cast<std::size_t>(classes));
    top = large.data();
  }
  for (const Detection& box : boxes) {
    if (box.label >= 0 && box.label < classes) {
      top[box.label] = std::max(top[box.label], box.score);
    }
  }
  double sum = 0;
  for (int label = 0; label < classes; ++label) {
    sum += top[label];
  }
  return sum / classes;
}

double SumOfEntropies(const Detections& boxes, double min_score) {
  double sum = 0;
  for (const Detection& box : boxes) {
    const double s = box.score;
    if (s >= min_score && s > 0 && s < 1) {
      sum -= s * std::log(s) + (1 - s) * std::log1p(-s);
    }
  }
  return sum;
}

double ChanceOf(std::uint64_t seed, std::uint64_t key) {
  return Rng(MixBits(seed) ^ key).Uniform();
}

std::optional<double> ShareOfLowScores(const Detections& boxes, double threshold_box,
                                       double min_score) {
  int low = 0;
  const int count = ForEachHandedOn(boxes, min_score,
                                    [&](double score) { low += score <= threshold_box ? 1 : 0; });
  return count > 0 ? std::optional(static_cast<double>(low) / count) : std::nullopt;
}

std::optional<double> EntropyConfidence(const Detections& boxes, double min_score) {
  double sum = 0;
  const int count = ForEachHandedOn(
      boxes, min_score, [&](double score) { sum += score > 0 ? score * std::log(score) : 0; });
  return count > 0 ? std::optional(1 + sum / std::log(std::max(count, 2))) : std::nullopt;
}

std::optional<double> MeanScore(const Detections& boxes, double min_score) {
  double sum = 0;
  const int count = ForEachHandedOn(boxes, min_score, [&](double score) { sum += score; });
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

double OneNumber::natural_threshold() const {
  if (!options_.threshold) {
    return kInfinity;
  }
  const double threshold = options_.difficult == Direction::kHighIsDifficult ? *options_.threshold
                                                                             : -*options_.threshold;
  return options_.or_equal ? std::nextafter(threshold, -kInfinity) : threshold;
}

Gain OneNumber::Judge(const Evidence& evidence, bool explain) const {
  assert(!options_.needs_brenner || evidence.features.has_brenner());
  assert(!options_.needs_jpeg_bytes || evidence.features.has_jpeg_bytes());
  const std::optional<double> number = options_.measure(evidence);
  Gain gain;
  const bool high = options_.difficult == Direction::kHighIsDifficult;
  gain.score = !number ? options_.least_gain : (high ? *number : -*number);
  gain.difficult = gain.score > natural_threshold();
  if (explain) {
    gain.reason = number ? options_.quantity + " " + ShortNumber(*number) : "no box to judge by";
    if (number && options_.threshold) {
      const char* const relation = high ? (gain.difficult ? (options_.or_equal ? " >= " : " > ")
                                                          : (options_.or_equal ? " < " : " <= "))
                                        : (gain.difficult ? (options_.or_equal ? " <= " : " < ")
                                                          : (options_.or_equal ? " > " : " >= "));
      gain.reason += relation + ShortNumber(*options_.threshold);
    }
  }
  return gain;
}

}  // namespace nearfar
