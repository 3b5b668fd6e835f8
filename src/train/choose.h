#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/model_identity.h"
#include "discriminate/factory.h"
#include "discriminate/gain_target.h"
#include "train/labelled_set.h"

namespace nearfar {

/// One discriminator that was tried.
struct Candidate {
  std::string name;
  double captured = 0;        ///< of the gain that uploading every image brings, by its uploads
  double lead = 0;            ///< captured less that of the best one before it
  double standard_error = 0;  ///< of the lead, over images
  bool taken = false;         ///< its lead was larger than its standard error: it became the best

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

/// Which discriminator a set of images carries, and why.
struct Choice {
  std::string name;
  GainGoal goal = GainGoal::kAccuracy;
  double upload = 0;
  int images = 0;
  int folds = 0;                      ///< 0: too few images to try any
  int repeats = 0;                    ///< with another split each
  std::vector<Candidate> candidates;  ///< in the order in which they were tried
  std::string remark;                 ///< what a user should know of the choice; mostly empty

  friend bool operator==(const Choice&, const Choice&) = default;
};

/// Fewer images than this carry no learned discriminator.
inline constexpr int kLeastToLearn = 50;

/// Chooses by cross-validation among cf, ridge, mlp, conv, entropy and the paper's rule with its
/// published thresholds: which one's uploads, at this share and on images that it was not fitted
/// to, bring most of the goal. The closed form stands first, since it needs least; a later one
/// takes its place only by a lead of more than the lead's standard error. Of fewer than
/// kLeastToLearn images the paper's rule is taken untried, the closed form where uploads bring
/// nothing at all.
/// @param upload   share of the images, (0, 1).
/// @param advance  called after each of ChoiceSteps fits.
/// Errors: those of JudgeOutOfFold.
Expected<Choice> ChooseDiscriminator(const LabelledSet& set, const ModelIdentity& near,
                                     GainGoal goal, double upload, std::uint64_t seed = 1,
                                     const std::function<void()>& advance = {});

/// How many fits a choice among so many images takes.
std::size_t ChoiceSteps(std::size_t images);

/// The sum over the images of what is learned: what uploading each would bring. The far model
/// stands in for the truth there, so that it is rarely worse than the near one. At most kNoGain:
/// nothing.
double WholeGain(const LabelledSet& set, GainGoal goal);
inline constexpr double kNoGain = 1e-9;

/// The spec that stands for a name in the choice: smallbig keeps its published count and area.
DiscriminatorSpec CandidateSpec(const std::string& name);

}  // namespace nearfar
