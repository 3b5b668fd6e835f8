#include "train/choose.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const ModelIdentity kSmall{.name = "small", .hash = "aa"};

LabelledSet EmptySet(int count) {
  LabelledSet set{.classes = {{"person", "dog"}}};
  for (int i = 0; i < count; ++i) {
    set.names.push_back("image" + std::to_string(i));
    set.images.push_back({.size = {200, 100}, .key = HashText(set.names.back())});
  }
  return set;
}

/// Near's score is the chance that far finds the object: what the closed form assumes.
LabelledSet DoubtAlone(int count, std::uint64_t seed = 1) {
  LabelledSet set = EmptySet(count);
  Rng rng(seed);
  for (LabelledImage& image : set.images) {
    const double unsure = rng.Uniform();  // how hard the whole image is
    for (int place = 0; place < 6; ++place) {
      const auto x = static_cast<float>(30 * place);
      const Box box{x, 0, x + 20, 20};
      const double right = rng.Chance(unsure) ? rng.Uniform(0.1, 0.9)
                           : rng.Chance(0.5)  ? 0.97
                                              : 0.02;
      const int label = static_cast<int>(rng.Below(2));
      image.near.push_back({box, static_cast<float>(right), label});
      if (rng.Chance(right)) {
        image.far.push_back({box, 0.95F, label});
      }
    }
  }
  return set;
}

/// Scores say nothing, sizes all: far finds what is small, and nothing of what is large.
LabelledSet SizeAlone(int count, std::uint64_t seed = 1) {
  LabelledSet set = EmptySet(count);
  Rng rng(seed);
  for (LabelledImage& image : set.images) {
    const bool small = rng.Chance(0.4);
    for (std::uint64_t place = 0; place < 4; ++place) {
      const auto x = static_cast<float>(40 * place);
      const auto side = static_cast<float>(small ? rng.Uniform(2, 6) : rng.Uniform(20, 39));
      image.near.push_back({{x, 0, x + side, side},
                            static_cast<float>(rng.Uniform(0.2, 0.5)),
                            static_cast<int>(rng.Below(2))});
      if (small) {
        image.far.push_back({image.near.back().box, 0.95F, image.near.back().label});
      }
    }
  }
  return set;
}

/// What the choice promises of its list: each lead is over the best before, and the last taken one
/// is chosen.
void ExpectConsistent(const Choice& choice) {
  ASSERT_FALSE(choice.candidates.empty());
  double best = choice.candidates[0].captured;
  std::string name = choice.candidates[0].name;
  EXPECT_TRUE(choice.candidates[0].taken);
  for (std::size_t c = 1; c < choice.candidates.size(); ++c) {
    const Candidate& candidate = choice.candidates[c];
    EXPECT_NEAR(candidate.lead, candidate.captured - best, 1e-9) << candidate.name;
    EXPECT_EQ(candidate.taken, candidate.lead > candidate.standard_error) << candidate.name;
    EXPECT_GE(candidate.standard_error, 0);
    if (candidate.taken) {
      best = candidate.captured;
      name = candidate.name;
    }
  }
  EXPECT_EQ(choice.name, name);
}

std::vector<std::string> Names(const Choice& choice) {
  std::vector<std::string> names;
  for (const Candidate& candidate : choice.candidates) {
    names.push_back(candidate.name);
  }
  return names;
}

TEST(ChooseDiscriminator, TakesThePapersRuleOfFewerThanFiftyImagesAndSaysSo) {
  for (const int count : {1, 10, 49}) {
    const Choice choice =
        ChooseDiscriminator(DoubtAlone(count), kSmall, GainGoal::kAccuracy, 0.5).value();
    EXPECT_EQ(choice.name, "smallbig");
    EXPECT_THAT(choice.remark, HasSubstr(std::to_string(count) + " images are too few"));
    EXPECT_THAT(choice.candidates, IsEmpty());
    EXPECT_EQ(choice.folds, 0);
  }
  const Choice enough =
      ChooseDiscriminator(DoubtAlone(50), kSmall, GainGoal::kAccuracy, 0.5).value();
  EXPECT_THAT(enough.remark, IsEmpty());
  EXPECT_THAT(Names(enough), ElementsAre("cf", "ridge", "mlp", "conv", "entropy", "smallbig"));
  EXPECT_EQ(enough.images, 50);
  EXPECT_EQ(enough.folds, 5);
  EXPECT_EQ(enough.repeats, 4);
  ExpectConsistent(enough);
}

TEST(ChooseDiscriminator, TriesNothingWhereUploadsBringNothing) {
  LabelledSet set = DoubtAlone(80);
  for (LabelledImage& image : set.images) {
    image.far = image.near;
  }
  LabelledSet turned = set;
  LabelledSet blind = set;
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    std::reverse(turned.images[i].far.begin(), turned.images[i].far.end());
    blind.images[i].far.clear();
  }
  for (const LabelledSet& none : {set, turned, blind}) {
    for (const GainGoal goal : {GainGoal::kAccuracy, GainGoal::kObjects}) {
      EXPECT_LE(WholeGain(none, goal), kNoGain);
      const Choice choice = ChooseDiscriminator(none, kSmall, goal, 0.5).value();
      EXPECT_EQ(choice.name, "cf");
      EXPECT_THAT(choice.remark, HasSubstr("no discriminator is better than another"));
      EXPECT_THAT(choice.candidates, IsEmpty());
    }
  }
}

TEST(ChooseDiscriminator, LeavesTheClosedFormOnlyForAClearLead) {
  // A quarter is uploaded: fewer images than are hard.
  const Choice doubt =
      ChooseDiscriminator(DoubtAlone(90), kSmall, GainGoal::kAccuracy, 0.25).value();
  ExpectConsistent(doubt);
  EXPECT_GT(doubt.candidates[0].captured, 0.3);  // chance: a quarter
  const Choice size = ChooseDiscriminator(SizeAlone(90), kSmall, GainGoal::kAccuracy, 0.25).value();
  ExpectConsistent(size);
  EXPECT_THAT(size.name, ::testing::AnyOf("ridge", "mlp"));
  const Candidate& mlp = size.candidates[2];
  EXPECT_GT(mlp.captured, size.candidates[0].captured + 0.1);
}

TEST(ChooseDiscriminator, ChoosesTheSameEachTimeAndCountsItsSteps) {
  const LabelledSet set = SizeAlone(60);
  std::size_t steps = 0;
  const Choice choice =
      ChooseDiscriminator(set, kSmall, GainGoal::kObjects, 0.3, 7, [&] { ++steps; }).value();
  EXPECT_EQ(steps, ChoiceSteps(60));
  EXPECT_EQ(ChooseDiscriminator(set, kSmall, GainGoal::kObjects, 0.3, 7).value(), choice);
  EXPECT_EQ(choice.goal, GainGoal::kObjects);
  EXPECT_EQ(choice.upload, 0.3);
  ExpectConsistent(choice);
  EXPECT_LT(ChoiceSteps(1000), ChoiceSteps(999));  // one split is enough for many
}

TEST(ChooseDiscriminator, SaysWhenThereIsNothingToJudgeBy) {
  LabelledSet set = DoubtAlone(60);
  for (LabelledImage& image : set.images) {
    image.near.clear();
  }
  const auto choice = ChooseDiscriminator(set, kSmall, GainGoal::kAccuracy, 0.5);
  ASSERT_FALSE(choice.has_value());
  EXPECT_THAT(choice.error().message, HasSubstr("nothing to learn a gain from"));
}

}  // namespace
}  // namespace nearfar
