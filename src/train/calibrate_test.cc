#include "train/calibrate.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "core/rng.h"
#include "train/choose.h"
#include "train/out_of_fold.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

/// Images where the near model is unsure of the objects that it misses, small ones above all.
LabelledSet MakeSet(int count, bool with_truth, std::uint64_t seed = 1) {
  LabelledSet set{.classes = {{"person", "dog"}}, .has_truth = with_truth};
  Rng rng(seed);
  for (int i = 0; i < count; ++i) {
    set.names.push_back("image" + std::to_string(i));
    LabelledImage image{.size = {100, 100}, .key = HashText(set.names.back())};
    std::vector<TrueObject> truth;
    for (std::uint64_t k = rng.Below(5); k > 0; --k) {
      const Box box{0, 0, 100, static_cast<float>(rng.Uniform(2, 90))};
      const int label = static_cast<int>(rng.Below(2));
      const bool missed = rng.Chance(box.y2 < 30 ? 0.6 : 0.1);
      image.near.push_back(
          {box, static_cast<float>(missed ? rng.Uniform(0.1, 0.5) : rng.Uniform(0.51, 1)), label});
      image.far.push_back({box, 0.9F, label});
      truth.push_back({box, label});
    }
    image.near.push_back({{0, 0, 5, 5}, static_cast<float>(rng.Uniform(0.01, 0.15)), 0});
    image.features = {.brenner = rng.Uniform(1, 100),
                      .jpeg_bytes = static_cast<std::int64_t>(rng.Below(9000))};
    if (with_truth) {
      image.truth = std::move(truth);
    }
    set.images.push_back(std::move(image));
  }
  return set;
}

const ModelIdentity kSmall{.name = "small", .hash = "aa"};
const ModelIdentity kBig{.name = "big", .hash = "bb"};

TEST(Calibrate, FitsThePapersRuleAndAnUploadRatioBesideIt) {
  for (const bool with_truth : {true, false}) {
    const LabelledSet set = MakeSet(300, with_truth);
    const DiscriminatorFile file =
        Calibrate(set, kSmall, kBig, {.discriminator = {.name = "smallbig"}, .upload = 0.4})
            .value();
    const auto fit = FitSmallBig(set.images, {}).value();
    EXPECT_EQ(SmallBigOptionsOf(file.discriminator).value(), fit.options);
    EXPECT_EQ(file.with_true_features, fit.with_true_features);
    EXPECT_EQ(file.with_estimated_features, fit.with_estimated_features);
    EXPECT_EQ(file.score, fit.score);
    EXPECT_NEAR(file.upload->reached, 0.4, 0.01);
    EXPECT_DOUBLE_EQ(file.at_upload_threshold->upload_ratio(), file.upload->reached);
    EXPECT_EQ(file.images, 300);
    EXPECT_EQ(file.truth, with_truth);
    EXPECT_EQ(file.near, kSmall);
    EXPECT_EQ(file.far, kBig);
    EXPECT_EQ(file.classes, set.classes);
    EXPECT_EQ(ParseDiscriminatorFile(FormatDiscriminatorFile(file)).value(), file);
  }
}

TEST(Calibrate, KeepsThresholdsThatAreGiven) {
  const DiscriminatorSpec spec{.parameters = {{"count_threshold", 2}, {"area_threshold", 0.31}}};
  const auto file = Calibrate(MakeSet(100, true), kSmall, kBig, {.discriminator = spec}).value();
  EXPECT_EQ(file.discriminator.parameters.at("count_threshold"), 2);
  EXPECT_EQ(file.discriminator.parameters.at("area_threshold"), 0.31);
  EXPECT_FALSE(file.upload.has_value());
  EXPECT_FALSE(file.at_upload_threshold.has_value());
}

TEST(Calibrate, FitsEveryKnownDiscriminatorToTheRatioAndItsFileJudgesTheSame) {
  const LabelledSet set = MakeSet(200, true);
  for (const DiscriminatorInfo& info : KnownDiscriminators()) {
    const DiscriminatorSpec spec{.name = std::string(info.name)};
    const auto file = Calibrate(set, kSmall, kBig, {.discriminator = spec, .upload = 0.5});
    ASSERT_TRUE(file.has_value()) << info.name << ": " << file.error().message;
    const auto read = ParseDiscriminatorFile(FormatDiscriminatorFile(*file));
    ASSERT_TRUE(read.has_value()) << info.name << ": " << read.error().message;
    EXPECT_EQ(*read, *file) << info.name;
    const auto judge = MakeDiscriminator(read->discriminator).value();
    EXPECT_TRUE(judge->has_verdict());
    if (!info.learned) {  // whose figures are of images that it has not seen
      EXPECT_EQ(Measure(set.images, *judge, judge->natural_threshold()),
                *file->with_estimated_features)
          << info.name;
    }
    if (IsRanking(info.name)) {
      EXPECT_EQ(*file->with_estimated_features, *file->at_upload_threshold) << info.name;
      EXPECT_NEAR(file->upload->reached, 0.5, 0.05) << info.name;
    }
  }
  EXPECT_EQ(Calibrate(set, kSmall, kBig, {.discriminator = {.name = "top1"}, .upload = 0.5})
                ->discriminator.parameters.at("classes"),
            2);
}

TEST(Calibrate, TakesThresholdAndPercentilesOfALearnedOneFromImagesThatItHasNotSeen) {
  const LabelledSet set = MakeSet(100, true);
  const CalibrationOptions options{.discriminator = {.name = "ridge"}, .upload = 0.3};
  std::size_t steps = 0;
  const auto file = Calibrate(set, kSmall, kBig, options, [&] { ++steps; }).value();
  EXPECT_EQ(steps, CalibrationSteps(set, options));
  const auto fold_of = SplitIntoFolds(set.names, {}).value();
  auto unseen = JudgeOutOfFold(set, kSmall, options.discriminator, GainGoal::kAccuracy, fold_of)
                    .value()
                    .gains;
  EXPECT_EQ(file.upload, FitUploadRatio(unseen, 0.3).value());
  EXPECT_EQ(file.discriminator.parameters.at("threshold"), file.upload->threshold);
  std::sort(unseen.begin(), unseen.end());
  ASSERT_EQ(file.gain_percentiles.size(), 101U);
  EXPECT_EQ(file.gain_percentiles.front(), unseen.front());
  EXPECT_EQ(file.gain_percentiles[50], unseen[49]);
  EXPECT_EQ(file.gain_percentiles.back(), unseen.back());
  EXPECT_EQ(file.goal, GainGoal::kAccuracy);
  // The fit itself is to all images.
  EXPECT_EQ(file.discriminator.tables,
            FitTables("ridge", set.images, 2, GainGoal::kAccuracy).value());
}

TEST(Calibrate, LearnsTowardsTheGoal) {
  const LabelledSet set = MakeSet(100, false);
  const auto fit = [&](const char* name, GainGoal goal) {
    return Calibrate(set, kSmall, kBig,
                     {.discriminator = {.name = name}, .upload = 0.5, .goal = goal})
        .value();
  };
  EXPECT_EQ(fit("ridge", GainGoal::kObjects).goal, GainGoal::kObjects);
  EXPECT_NE(fit("ridge", GainGoal::kObjects).discriminator,
            fit("ridge", GainGoal::kAccuracy).discriminator);
  // conv knows the paper's label alone, entropy nothing: their score is a number of no goal.
  EXPECT_EQ(fit("conv", GainGoal::kObjects).goal, std::nullopt);
  EXPECT_EQ(fit("entropy", GainGoal::kObjects).goal, std::nullopt);
}

TEST(Calibrate, ChoosesAndKeepsTheReasonWithTheFile) {
  const LabelledSet set = MakeSet(80, true);
  std::size_t steps = 0;
  const CalibrationOptions options{.upload = 0.4, .goal = GainGoal::kObjects};
  const auto file = Calibrate(set, kSmall, kBig, options, [&] { ++steps; }).value();
  EXPECT_GT(steps, ChoiceSteps(80));
  EXPECT_LE(steps, CalibrationSteps(set, options));
  ASSERT_TRUE(file.choice.has_value());
  EXPECT_EQ(file.choice->name, file.discriminator.name);
  EXPECT_EQ(file.choice->upload, 0.4);
  EXPECT_EQ(*file.choice, ChooseDiscriminator(set, kSmall, GainGoal::kObjects, 0.4).value());
  EXPECT_EQ(ParseDiscriminatorFile(FormatDiscriminatorFile(file)).value(), file);
  // Few images: the rule, with the remark.
  const auto few = Calibrate(MakeSet(10, true), kSmall, kBig, options).value();
  EXPECT_EQ(few.discriminator.name, "smallbig");
  EXPECT_THAT(few.choice->remark, HasSubstr("10 images are too few"));
  EXPECT_EQ(ParseDiscriminatorFile(FormatDiscriminatorFile(few)).value(), few);
  // Nothing and everything can be asked for.
  for (const double all_or_nothing : {0.0, 1.0}) {
    const auto at = Calibrate(set, kSmall, kBig, {.upload = all_or_nothing}).value();
    EXPECT_EQ(at.upload->reached, all_or_nothing);
  }
}

TEST(Calibrate, DecidesAllEasySetsAndSingleImages) {
  LabelledSet easy = MakeSet(20, true);
  for (LabelledImage& image : easy.images) {
    image.far = image.near;
  }
  const auto file =
      Calibrate(easy, kSmall, kBig, {.discriminator = {.name = "smallbig"}, .upload = 0.5}).value();
  EXPECT_EQ(file.difficult, 0);
  EXPECT_EQ(file.with_true_features->accuracy(), 1);
  EXPECT_EQ(file.with_true_features->recall(), 0);
  EXPECT_TRUE(Calibrate(MakeSet(1, true), kSmall, kBig,
                        {.discriminator = {.name = "smallbig"}, .upload = 0.5})
                  .has_value());
}

TEST(Calibrate, RefusesWhatCannotBeFitted) {
  struct Row {
    LabelledSet set;
    CalibrationOptions options;
    const char* message;
  };
  LabelledSet blind = MakeSet(5, true);
  blind.images[3].features = {};
  const Row rows[] = {
      {{}, {}, "no images to fit on"},
      {MakeSet(5, true), {.discriminator = {.name = "x"}}, "no discriminator is called 'x'"},
      {MakeSet(5, true), {.discriminator = {.name = "entropy"}}, "only ranks images"},
      {MakeSet(5, true), {.upload = 1.5}, "upload ratio is 1.5"},
      {MakeSet(5, true),
       {.discriminator = {.name = "smallbig", .parameters = {{"area_threshold", 2}}}},
       "area_threshold is 2"},
      {blind,
       {.discriminator = {.name = "blur"}, .upload = 0.5},
       "needs the Brenner gradient, which the near recording lacks for image image3"},
      {{}, {.discriminator = {.name = "entropy"}, .upload = 0.5}, "no images to fit on"},
  };
  for (const Row& row : rows) {
    const auto file = Calibrate(row.set, kSmall, kBig, row.options);
    ASSERT_FALSE(file.has_value()) << row.message;
    EXPECT_THAT(file.error().message, HasSubstr(row.message));
  }
  const ModelIdentity high_floor{.name = "small", .score_floor = 0.6};
  EXPECT_THAT(Calibrate(MakeSet(5, true), high_floor, kBig, {}).error().message,
              HasSubstr("record with a lower score floor"));
}

}  // namespace
}  // namespace nearfar
