#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "discriminate/discriminator.h"
#include "discriminate/gain_estimator.h"
#include "discriminate/smallbig.h"

namespace nearfar {

/// How a discriminator learns while it runs.
struct OnlineOptions {
  GainGoal goal = GainGoal::kAccuracy;
  int first_fit = 25;       ///< answers before the first fit; >= 2
  int most_answers = 1000;  ///< that are remembered, the latest; >= first_fit
  double most_weight = 20;  ///< an answer counts 1/probability, but at most this; >= 1
  bool weighted = true;     ///< false: every answer counts 1, which is biased; to be compared with
  double memory = 1000;     ///< images over which class rates are averaged; >= 1

  friend bool operator==(const OnlineOptions&, const OnlineOptions&) = default;
};

/// Learns from the answers that uploads bring, while it runs: the contextual bandit that the
/// paper's second future work comes to (context: the near boxes; arms: keep or upload; reward: the
/// gain, seen for uploads alone) [SmallBig §VII]. It starts from nothing but the paper's rule, or
/// from a calibrated estimator, and fits a ridge to the answers every so often, each weighted by
/// the inverse of the probability with which its image was uploaded: uploads are the images that
/// looked difficult, and unweighted they would teach that all are. Exploring is the policy's part:
/// its audits give easy images a probability above 0.
///
/// The scale of the gain score stays the one it started with, the rule's or the estimator's: after
/// a fit the new gains are shifted and stretched to the mean and spread that the scores before it
/// had over the answered images, weighted. So thresholds and budgets go on. Answers may come late,
/// in any order, or never; one that comes twice counts once, by the image's key (0: no key). An
/// answer without a probability in (0, 1] is not learned from. Memory is bounded by most_answers.
class OnlineGain final : public Discriminator {
 public:
  /// @param start      a calibrated estimator; absent: the paper's rule, published thresholds.
  /// @param threshold  difficult above it; absent: the rule's own, or none where it starts from an
  ///                   estimator.
  OnlineGain(const OnlineOptions& options, std::optional<GainEstimator> start,
             std::optional<double> threshold);

  std::string name() const override { return "online"; }
  std::string version() const override { return "1"; }
  Gain Judge(const Evidence& evidence, bool explain) const override;
  void Watch(const Evidence& evidence) override;
  void Observe(const Evidence& evidence, const GainOutcome& outcome) override;
  bool has_verdict() const override { return threshold_.has_value(); }
  double natural_threshold() const override;

  /// The latest fit; absent before the first where it started from the rule.
  const std::optional<GainEstimator>& estimator() const { return estimator_; }
  int fits() const { return fits_; }
  std::size_t answers() const { return answers_.size(); }

 private:
  struct Answered {
    LabelledImage image;
    double weight = 1;
  };

  /// Mean and spread of some score over the answered images, weighted.
  struct Spread {
    double mean = 0;
    double spread = 0;
  };

  double Score(const Evidence& evidence) const;
  void Fit();
  template <typename ScoreOf>
  Spread SpreadOf(const ScoreOf& score) const;
  int ClassesSeen() const;

  OnlineOptions options_;
  std::optional<double> threshold_;
  std::optional<GainEstimator> start_;
  std::optional<GainEstimator> estimator_;
  ClassRates rates_;
  double offset_ = 0;  ///< score = offset + factor * the estimator's gain
  double factor_ = 1;
  std::deque<Answered> answers_;
  std::size_t since_fit_ = 0;
  std::size_t next_fit_;
  int fits_ = 0;
  SmallBig rule_;
  mutable GainFeatures features_;  // kept for its memory alone, as the next
  std::vector<double> expected_;
};

}  // namespace nearfar
