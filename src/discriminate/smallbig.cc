#include "discriminate/smallbig.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/phrase.h"

namespace nearfar {
namespace {

/// The k-th best of the scores offered to it, without allocation for small k.
class KthBest {
 public:
  explicit KthBest(int k) : k_(static_cast<std::size_t>(k)) {
    if (k_ > fixed_.size()) {
      large_.resize(k_);
    }
  }

  void Offer(double score) {
    double* const best = large_.empty() ? fixed_.data() : large_.data();
    // A heap whose front is the least of the k best so far.
    if (size_ < k_) {
      best[size_++] = score;
      std::push_heap(best, best + size_, std::greater<>());
    } else if (score > best[0]) {
      std::pop_heap(best, best + size_, std::greater<>());
      best[size_ - 1] = score;
      std::push_heap(best, best + size_, std::greater<>());
    }
  }

  /// The k-th best score, or 0 when fewer than k were offered.
  double value() const { return size_ < k_ ? 0.0 : (large_.empty() ? fixed_[0] : large_[0]); }

 private:
  std::size_t k_;
  std::size_t size_ = 0;
  std::array<double, 16> fixed_{};
  std::vector<double> large_;
};

}  // namespace

Expected<void> Validate(const SmallBigOptions& options) {
  const auto fail = [](const char* field, double value, const std::string& range) {
    return Fail(ErrorCode::kInvalidInput, std::string("smallbig: ") + field + " is " +
                                              ShortNumber(value) + ", but must be in " + range);
  };
  if (!(options.prediction_threshold >= 0 && options.prediction_threshold <= 1)) {
    return fail("prediction_threshold", options.prediction_threshold, "[0, 1]");
  }
  if (!(options.score_threshold >= 0 && options.score_threshold <= options.prediction_threshold)) {
    return fail("score_threshold", options.score_threshold,
                "[0, prediction_threshold = " + ShortNumber(options.prediction_threshold) + "]");
  }
  if (options.count_threshold < 0) {
    return fail("count_threshold", options.count_threshold, "0, 1, 2, ...");
  }
  if (!(options.area_threshold >= 0 && options.area_threshold <= 1)) {
    return fail("area_threshold", options.area_threshold, "[0, 1]");
  }
  return {};
}

SmallBigVerdict DecideSmallBig(int predicted, int objects, double smallest_area_ratio,
                               int count_threshold, double area_threshold) {
  // Step 1: every object that may be there has been found.
  if (predicted == objects) {
    return {false, SmallBigStep::kSameCount};
  }
  // Step 2: many objects.
  if (objects > count_threshold) {
    return {true, SmallBigStep::kManyObjects};
  }
  // Step 3: a small object.
  return {smallest_area_ratio < area_threshold, SmallBigStep::kSmallObject};
}

SmallBig::SmallBig(const SmallBigOptions& options) : options_(options) {
  assert(Validate(options).has_value());
}

// A lower score threshold only adds boxes, so that once the verdict is difficult it stays so: with
// boxes above 0.5 ("found") always counted and the others ("uncertain") joining by falling score,
// it turns difficult at the first uncertain box that brings the count above its threshold, or at
// the first from which on a small object is among those counted.
double SmallBig::GainScore(const Evidence& evidence) const {
  const double highest = options_.prediction_threshold;
  const auto is_small = [&](const Detection& box) {
    return AreaRatio(box.box, evidence.image) < options_.area_threshold;
  };
  int found = 0;
  bool small_found = false;
  for (const Detection& box : evidence.raw) {
    if (box.score > highest) {
      ++found;
      small_found = small_found || is_small(box);
    }
  }
  const bool first_decides = small_found || found >= options_.count_threshold;
  KthBest by_count(first_decides ? 1 : options_.count_threshold + 1 - found);
  double by_area = 0;
  for (const Detection& box : evidence.raw) {
    if (box.score > 0 && box.score <= highest) {
      by_count.Offer(box.score);
      if (!first_decides && box.score > by_area && is_small(box)) {
        by_area = box.score;
      }
    }
  }
  return std::max(by_count.value(), by_area);
}

Gain SmallBig::Judge(const Evidence& evidence, bool explain) const {
  if (explain) {
    const SmallBigExplanation explanation = Explain(evidence);
    return {explanation.score, explanation.verdict.difficult, ToPhrase(explanation, options_)};
  }
  double score = GainScore(evidence);
  if (options_.upload_empty && score <= options_.score_threshold) {
    double best = 0;
    for (const Detection& box : evidence.raw) {
      best = std::max(best, static_cast<double>(box.score));
    }
    if (best <= options_.score_threshold) {
      const double room = options_.prediction_threshold - options_.score_threshold;
      const double share = options_.score_threshold > 0 ? best / options_.score_threshold : 0;
      score = std::max(
          std::nextafter(options_.score_threshold, std::numeric_limits<double>::infinity()),
          options_.score_threshold + room * share);
    }
  }
  return {score, score > options_.score_threshold, {}};
}

SmallBigExplanation SmallBig::Explain(const Evidence& evidence) const {
  SmallBigExplanation explanation;
  explanation.features = MeasureBoxes(evidence.raw, evidence.image, options_.score_threshold,
                                      options_.prediction_threshold);
  explanation.verdict = DecideSmallBig(
      explanation.features.predicted, explanation.features.estimated,
      explanation.features.smallest_area_ratio, options_.count_threshold, options_.area_threshold);
  if (options_.upload_empty && explanation.features.estimated == 0) {
    explanation.verdict = {true, SmallBigStep::kNoCandidate};
  }
  explanation.score = Judge(evidence, false).score;
  return explanation;
}

std::string ToPhrase(const SmallBigExplanation& explanation, const SmallBigOptions& options) {
  const BoxFeatures& features = explanation.features;
  const std::string found = std::to_string(features.predicted);
  const std::string estimated = std::to_string(features.estimated);
  switch (explanation.verdict.step) {
    case SmallBigStep::kNoCandidate:
      return "no box above " + ShortNumber(options.score_threshold);
    case SmallBigStep::kSameCount:
      return features.estimated == 0
                 ? "no box above " + ShortNumber(options.score_threshold)
                 : "no uncertain box: all " + estimated + " estimated objects found";
    case SmallBigStep::kManyObjects:
      return estimated + " objects estimated > " + std::to_string(options.count_threshold) + " (" +
             found + " found)";
    case SmallBigStep::kSmallObject:
      return "smallest of " + estimated + " estimated objects covers " +
             ShortNumber(features.smallest_area_ratio) +
             (explanation.verdict.difficult ? " < " : " >= ") +
             ShortNumber(options.area_threshold) + " of the image (" + found + " found)";
  }
  return {};
}

}  // namespace nearfar
