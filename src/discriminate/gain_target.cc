#include "discriminate/gain_target.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>

#include "core/percentile.h"
#include "core/ranking.h"
#include "discriminate/gain_features.h"

namespace nearfar {
namespace {

constexpr double kIgnored = -1;
constexpr double kPoolWeight = 20;  // boxes behind each knot of a curve

std::vector<double> JudgeByTruth(const Detections& boxes, const std::vector<TrueObject>& truth,
                                 double iou) {
  std::vector<double> right(boxes.size(), 0);
  std::vector<bool> found(truth.size(), false);
  for (const std::size_t b : ByFallingScore(boxes)) {
    double best = 0;
    std::size_t object = truth.size();
    for (std::size_t t = 0; t < truth.size(); ++t) {
      const double overlap = truth[t].label == boxes[b].label ? Iou(boxes[b].box, truth[t].box) : 0;
      if (overlap >= iou && overlap > best) {
        best = overlap;
        object = t;
      }
    }
    if (object == truth.size()) {
      continue;
    }
    if (truth[object].ignored) {
      right[b] = kIgnored;
    } else if (!found[object]) {
      found[object] = true;
      right[b] = 1;
    }
  }
  return right;
}

/// The far box that each near box matches, or far.size().
std::vector<std::size_t> MatchToFar(const Detections& near, const Detections& far, double iou) {
  std::vector<std::size_t> matches(near.size(), far.size());
  std::vector<bool> taken(far.size(), false);
  for (const std::size_t b : ByFallingScore(near)) {
    double best = 0;
    std::size_t& match = matches[b];
    for (std::size_t f = 0; f < far.size(); ++f) {
      // Of several far boxes on one object, the one that the far model believes in.
      if (!taken[f] && far[f].label == near[b].label && far[f].score > best &&
          Iou(near[b].box, far[f].box) >= iou) {
        best = far[f].score;
        match = f;
      }
    }
    if (match < far.size()) {
      taken[match] = true;
    }
  }
  return matches;
}

/// The ranking of one class over all images, and what each box in it is worth.
class Ranking {
 public:
  void Add(double score, double weight, double right) { boxes_.push_back({score, weight, right}); }
  void AddObjects(double objects) { objects_ += objects; }

  /// Equal scores share one rank, so that their order plays no part.
  void Close() {
    std::stable_sort(boxes_.begin(), boxes_.end(),
                     [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
    double right = 0;
    double all = 0;
    for (const Ranked& box : boxes_) {
      right += box.weight * box.right;
      all += box.weight;
      if (ranks_.empty() || ranks_.back().score != box.score) {
        ranks_.push_back({.score = box.score});
      }
      Rank& rank = ranks_.back();
      rank.right += box.weight * box.right;
      rank.precision = right / all;
      rank.all = all;
    }
    // What one more right or wrong box does to the precision at its own rank and at each below.
    double lift = 0;
    double loss = 0;
    for (auto rank = ranks_.rbegin(); rank != ranks_.rend(); ++rank) {
      lift += rank->right * (1 - rank->precision) / rank->all;
      loss += rank->right * rank->precision / rank->all;
      rank->lift = lift;
      rank->loss = loss;
    }
  }

  /// d(average precision) by the weight of a box of this score, one of those added, that is right
  /// with this probability.
  double Worth(double score, double right) const {
    if (objects_ <= 0) {
      return 0;
    }
    const auto rank = std::partition_point(ranks_.begin(), ranks_.end(),
                                           [&](const Rank& r) { return r.score > score; });
    assert(rank != ranks_.end());
    return (right * (rank->precision + rank->lift) - (1 - right) * rank->loss) / objects_;
  }

  bool has_objects() const { return objects_ > 0; }

 private:
  struct Ranked {
    double score = 0;
    double weight = 0;  // > 0
    double right = 0;
  };
  struct Rank {
    double score = 0;
    double right = 0;  // weight of its right boxes
    double precision = 0;
    double all = 0;  // weight of all boxes down to it
    double lift = 0;
    double loss = 0;
  };

  std::vector<Ranked> boxes_;
  std::vector<Rank> ranks_;  // by falling score
  double objects_ = 0;
};

void Winsorise(std::vector<double>& values, double share) {
  if (values.empty() || share <= 0) {
    return;
  }
  const double low = Percentile(values, 100 * share);
  const double high = Percentile(values, 100 * (1 - share));
  for (double& value : values) {
    value = std::clamp(value, low, high);
  }
}

}  // namespace

Expected<GainGoal> ParseGainGoal(std::string_view text) {
  for (const GainGoal goal : {GainGoal::kAccuracy, GainGoal::kObjects}) {
    if (text == ToString(goal)) {
      return goal;
    }
  }
  return Fail(ErrorCode::kInvalidInput,
              "'" + std::string(text) + "' is no goal; there are accuracy and objects");
}

std::vector<BoxTruth> JudgeBoxes(std::span<const LabelledImage> images, double iou) {
  std::vector<BoxTruth> truths;
  std::vector<std::vector<std::size_t>> matches;
  std::vector<ScoredTruth> far_boxes;
  std::vector<ScoredTruth> unmatched;
  truths.reserve(images.size());
  for (const LabelledImage& image : images) {
    matches.push_back(MatchToFar(image.near, image.far, iou));
    BoxTruth& truth = truths.emplace_back();
    if (!image.truth) {
      truth = {std::vector<double>(image.near.size(), 0), std::vector<double>(image.far.size(), 0)};
      continue;
    }
    truth = {JudgeByTruth(image.near, *image.truth, iou),
             JudgeByTruth(image.far, *image.truth, iou)};
    const auto note = [](const Detection& box, double right, std::vector<ScoredTruth>& boxes) {
      if (right != kIgnored && std::isfinite(box.score)) {
        boxes.push_back({box.score, right, 1});
      }
    };
    for (std::size_t f = 0; f < image.far.size(); ++f) {
      note(image.far[f], truth.far[f], far_boxes);
    }
    for (std::size_t b = 0; b < image.near.size(); ++b) {
      if (matches.back()[b] == image.far.size()) {
        note(image.near[b], truth.near[b], unmatched);
      }
    }
  }
  // Without annotations both curves have no knots: the score itself, and never right.
  const ScoreCurve far_curve = FitScoreCurve(std::move(far_boxes), kPoolWeight);
  const ScoreCurve unmatched_curve = FitScoreCurve(std::move(unmatched), kPoolWeight);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const LabelledImage& image = images[i];
    for (std::size_t f = 0; f < image.far.size(); ++f) {
      if (truths[i].far[f] != kIgnored) {
        truths[i].far[f] = far_curve(image.far[f].score);
      }
    }
    for (std::size_t b = 0; b < image.near.size(); ++b) {
      double& right = truths[i].near[b];
      const std::size_t match = matches[i][b];
      if (right == kIgnored) {
        continue;
      }
      if (match < image.far.size()) {
        right = std::max(truths[i].far[match], 0.0);
      } else {
        right = unmatched_curve.right.empty() ? 0 : unmatched_curve(image.near[b].score);
      }
    }
  }
  return truths;
}

std::vector<double> AccuracyGains(std::span<const LabelledImage> images, int classes,
                                  const GainTargetOptions& options) {
  std::vector<Ranking> rankings(static_cast<std::size_t>(classes));
  const std::vector<BoxTruth> truths = JudgeBoxes(images, options.iou);
  const auto for_all = [](const Detections& boxes, const std::vector<double>& right, auto look) {
    for (std::size_t b = 0; b < boxes.size(); ++b) {
      if (right[b] != kIgnored && !std::isnan(boxes[b].score)) {
        look(boxes[b], right[b]);
      }
    }
  };
  for (std::size_t i = 0; i < images.size(); ++i) {
    const LabelledImage& image = images[i];
    const BoxTruth& truth = truths[i];
    const auto add = [&](const Detection& box, double right) {
      rankings[static_cast<std::size_t>(box.label)].Add(box.score, 0.5, right);
    };
    for_all(image.near, truth.near, add);
    for_all(image.far, truth.far, add);
    if (image.truth) {
      for (const TrueObject& object : *image.truth) {
        rankings[static_cast<std::size_t>(object.label)].AddObjects(object.ignored ? 0 : 1);
      }
    } else {
      for_all(image.far, truth.far, [&](const Detection& box, double right) {
        rankings[static_cast<std::size_t>(box.label)].AddObjects(right);
      });
    }
  }
  double judged = 0;
  for (Ranking& ranking : rankings) {
    ranking.Close();
    judged += ranking.has_objects() ? 1 : 0;
  }
  std::vector<double> gains;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto worth = [&](const Detections& boxes, const std::vector<double>& right) {
      double sum = 0;
      for_all(boxes, right, [&](const Detection& box, double is_right) {
        sum += rankings[static_cast<std::size_t>(box.label)].Worth(box.score, is_right);
      });
      return sum;
    };
    const double gain = worth(images[i].far, truths[i].far) - worth(images[i].near, truths[i].near);
    gains.push_back(judged > 0 ? gain * static_cast<double>(images.size()) / judged : 0);
  }
  Winsorise(gains, options.winsorised);
  return gains;
}

std::vector<double> ObjectGains(std::span<const LabelledImage> images,
                                const GainTargetOptions& options) {
  std::vector<double> gains;
  const std::vector<BoxTruth> truths = JudgeBoxes(images, options.iou);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto found = [&](const Detections& boxes, const std::vector<double>& right) {
      double count = 0;
      for (std::size_t b = 0; b < boxes.size(); ++b) {
        if (boxes[b].score > options.prediction_threshold && right[b] > 0) {
          count += right[b];
        }
      }
      return count;
    };
    gains.push_back(found(images[i].far, truths[i].far) - found(images[i].near, truths[i].near));
  }
  return gains;
}

std::vector<double> Gains(GainGoal goal, std::span<const LabelledImage> images, int classes,
                          const GainTargetOptions& options) {
  return goal == GainGoal::kAccuracy ? AccuracyGains(images, classes, options)
                                     : ObjectGains(images, options);
}

}  // namespace nearfar
