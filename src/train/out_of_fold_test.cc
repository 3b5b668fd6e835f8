#include "train/out_of_fold.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

const ModelIdentity kSmall{.name = "small", .hash = "aa"};

std::vector<std::string> Names(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    names.push_back("image" + std::to_string(i));
  }
  return names;
}

/// Images where near misses about half of what far finds, small boxes above all.
LabelledSet MakeSet(int count, std::uint64_t seed = 1) {
  LabelledSet set{.classes = {{"person", "dog"}}, .names = Names(count)};
  Rng rng(seed);
  for (int i = 0; i < count; ++i) {
    LabelledImage image{.size = {100, 100}, .key = HashText(set.names[static_cast<size_t>(i)])};
    for (std::uint64_t k = 1 + rng.Below(4); k > 0; --k) {
      const Box box{0, 0, 100, static_cast<float>(rng.Uniform(2, 90))};
      const int label = static_cast<int>(rng.Below(2));
      image.near.push_back({box, static_cast<float>(rng.Uniform(0.05, 1)), label});
      image.far.push_back({box, 0.9F, label});
    }
    set.images.push_back(std::move(image));
  }
  return set;
}

TEST(SplitIntoFolds, MakesEqualFoldsThatHangOnNamesAndSeedAlone) {
  const std::vector<std::string> names = Names(52);
  const auto folds = SplitIntoFolds(names, {.folds = 5, .seed = 3}).value();
  std::vector<int> sizes(5, 0);
  for (const std::size_t fold : folds) {
    ++sizes.at(fold);
  }
  EXPECT_THAT(sizes, ::testing::UnorderedElementsAre(11, 11, 10, 10, 10));
  EXPECT_EQ(SplitIntoFolds(names, {.folds = 5, .seed = 3}).value(), folds);
  EXPECT_NE(SplitIntoFolds(names, {.folds = 5, .seed = 4}).value(), folds);

  std::vector<std::string> turned(names.rbegin(), names.rend());
  auto of_turned = SplitIntoFolds(turned, {.folds = 5, .seed = 3}).value();
  std::reverse(of_turned.begin(), of_turned.end());
  EXPECT_EQ(of_turned, folds);
}

TEST(SplitIntoFolds, MakesFewerFoldsOfFewImages) {
  const struct {
    int images;
    std::size_t folds;
  } rows[] = {{2, 2}, {10, 2}, {14, 2}, {15, 3}, {24, 4}, {25, 5}, {1000, 5}};
  for (const auto& row : rows) {
    const auto folds = SplitIntoFolds(Names(row.images), {}).value();
    EXPECT_EQ(std::set<std::size_t>(folds.begin(), folds.end()).size(), row.folds) << row.images;
  }
  EXPECT_THAT(SplitIntoFolds(Names(1), {}).error().message, HasSubstr("too few images (1)"));
  EXPECT_THAT(SplitIntoFolds({}, {}).error().message, HasSubstr("too few images (0)"));
  EXPECT_THAT(SplitIntoFolds(Names(9), {.folds = 1}).error().message, HasSubstr("folds are 1"));
  EXPECT_THAT(SplitIntoFolds(Names(9), {.folds = 101}).error().message, HasSubstr("2 to 100"));
}

TEST(JudgeOutOfFold, FitsEachFoldToTheOthersAlone) {
  const LabelledSet set = MakeSet(60);
  const auto fold_of = SplitIntoFolds(set.names, {.folds = 3}).value();
  const auto result = JudgeOutOfFold(set, kSmall, {}, GainGoal::kAccuracy, fold_of).value();
  ASSERT_EQ(result.fitted.size(), 3U);
  for (std::size_t fold = 0; fold < 3; ++fold) {
    LabelledSet others{.classes = set.classes};
    for (std::size_t i = 0; i < set.images.size(); ++i) {
      if (fold_of[i] != fold) {
        others.names.push_back(set.names[i]);
        others.images.push_back(set.images[i]);
      }
    }
    const auto fitted = FitDiscriminator(others, kSmall, {}, GainGoal::kAccuracy).value();
    EXPECT_EQ(result.fitted[fold], fitted.spec);
    const auto judge = MakeDiscriminator(fitted.spec).value();
    for (std::size_t i = 0; i < set.images.size(); ++i) {
      if (fold_of[i] == fold) {
        EXPECT_EQ(result.gains[i], judge->Judge(set.images[i].evidence(), false).score);
      }
    }
  }
}

TEST(JudgeOutOfFold, DoesNotLookAtTheFoldThatItJudges) {
  LabelledSet set = MakeSet(40);
  const auto fold_of = SplitIntoFolds(set.names, {.folds = 2}).value();
  const auto before = JudgeOutOfFold(set, kSmall, {}, GainGoal::kAccuracy, fold_of).value();
  // Far changes its mind on all of fold 0: fits to fold 1, which judge fold 0, stay as they were.
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    if (fold_of[i] == 0) {
      set.images[i].far.clear();
    }
  }
  const auto after = JudgeOutOfFold(set, kSmall, {}, GainGoal::kAccuracy, fold_of).value();
  EXPECT_EQ(after.fitted[0], before.fitted[0]);
  EXPECT_NE(after.fitted[1], before.fitted[1]);
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    if (fold_of[i] == 0) {
      EXPECT_EQ(after.gains[i], before.gains[i]);
    }
  }
}

TEST(JudgeOutOfFold, ComparesGainsAsTheyAreWhereNothingThatScoresIsFitted) {
  const LabelledSet set = MakeSet(50);
  const auto fold_of = SplitIntoFolds(set.names, {}).value();
  for (const char* name : {"random", "top1", "entropy", "ibt", "cross-entropy", "threshold"}) {
    const auto result =
        JudgeOutOfFold(set, kSmall, {.name = name}, GainGoal::kAccuracy, fold_of).value();
    EXPECT_TRUE(result.one_scale) << name;
    EXPECT_EQ(result.worth, result.gains) << name;
  }
  const DiscriminatorSpec paper{.parameters = {{"count_threshold", 2}, {"area_threshold", 0.31}}};
  const auto result = JudgeOutOfFold(set, kSmall, paper, GainGoal::kAccuracy, fold_of).value();
  EXPECT_TRUE(result.one_scale) << "the score threshold does not enter the gain";
  const auto judge = MakeDiscriminator(paper).value();
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    EXPECT_EQ(result.gains[i], judge->Judge(set.images[i].evidence(), false).score);
  }
}

TEST(JudgeOutOfFold, RanksWithinFoldsWhereTheirFitsScoreDifferently) {
  LabelledSet set = MakeSet(60);
  const auto fold_of = SplitIntoFolds(set.names, {.folds = 2}).value();
  // Fold 0 has objects of every size, fold 1 one large object an image: the fits differ.
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    if (fold_of[i] == 1) {
      set.images[i].far = {{{0, 0, 100, 90}, 0.9F, 0}};
      set.images[i].near = {{{0, 0, 100, 90}, i % 2 == 0 ? 0.9F : 0.3F, 0}};
    }
  }
  const auto result = JudgeOutOfFold(set, kSmall, {}, GainGoal::kAccuracy, fold_of).value();
  ASSERT_FALSE(result.one_scale);
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    double outranked = 0;
    double fold = 0;
    for (std::size_t k = 0; k < set.images.size(); ++k) {
      if (fold_of[k] == fold_of[i]) {
        ++fold;
        outranked += result.gains[k] < result.gains[i]    ? 1
                     : result.gains[k] == result.gains[i] ? 0.5
                                                          : 0;
      }
    }
    EXPECT_DOUBLE_EQ(result.worth[i], outranked / fold);
  }
}

TEST(JudgeOutOfFold, SaysWhatARecordingLacks) {
  const LabelledSet set = MakeSet(20);
  const auto fold_of = SplitIntoFolds(set.names, {}).value();
  const auto result = JudgeOutOfFold(set, kSmall, {.name = "blur"}, GainGoal::kAccuracy, fold_of);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("needs the Brenner gradient"));
}

}  // namespace
}  // namespace nearfar
