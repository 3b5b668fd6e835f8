#include "discriminate/smallbig.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Size kImage{100, 100};
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A box that covers the given share of the image.
Detection BoxOf(float score, double share, int label = 0) {
  return {{0, 0, 100, static_cast<float>(100 * share)}, score, label};
}

Gain Judge(const Detections& raw, const SmallBigOptions& options) {
  return SmallBig(options).Judge({raw, kImage, {}, 0}, false);
}

// Figure 6: the person is found, the dog is not, cat and bottle are noise.
const Detections kFigure6 = {{{10, 5, 60, 95}, 0.9818F, 14},
                             {{55, 50, 95, 95}, 0.2507F, 11},
                             {{55, 50, 95, 95}, 0.0735F, 7},
                             {{20, 20, 30, 40}, 0.0572F, 4}};

TEST(AreaRatio, IsTheShareOfTheImageThatABoxCovers) {
  EXPECT_DOUBLE_EQ(AreaRatio({0, 0, 100, 100}, kImage), 1);
  EXPECT_DOUBLE_EQ(AreaRatio({10, 10, 60, 30}, kImage), 0.1);
  EXPECT_DOUBLE_EQ(AreaRatio({-50, -50, 50, 50}, kImage), 0.25);  // only what lies inside
  EXPECT_DOUBLE_EQ(AreaRatio({200, 200, 300, 300}, kImage), 0);
  EXPECT_DOUBLE_EQ(AreaRatio({60, 60, 10, 10}, kImage), 0);  // inverted
  EXPECT_DOUBLE_EQ(AreaRatio({kNan, 0, 10, 10}, kImage), 0);
}

TEST(MeasureBoxes, CountsScoresStrictlyAboveBothThresholds) {
  const Detections raw = {BoxOf(0.5F, 0.4), BoxOf(0.51F, 0.6), BoxOf(0.25F, 0.01),
                          BoxOf(kNan, 0.001)};
  EXPECT_EQ(MeasureBoxes(raw, kImage, 0.25, 0.5), (BoxFeatures{1, 2, 0.4}));
  EXPECT_EQ(MeasureBoxes({}, kImage, 0.25, 0.5), BoxFeatures{});
}

TEST(TopScores, GivesTheBestOfEachClassBestFirst) {
  EXPECT_THAT(TopScores(kFigure6),
              ElementsAre(ClassScore{14, 0.9818F, 1}, ClassScore{11, 0.2507F, 1},
                          ClassScore{7, 0.0735F, 1}, ClassScore{4, 0.0572F, 1}));
  EXPECT_TRUE(TopScores({}).empty());
  EXPECT_THAT(TopScores({BoxOf(0.5F, 1, 3), BoxOf(0.5F, 1, 2), BoxOf(0.1F, 1, 3)}),
              ElementsAre(ClassScore{2, 0.5F, 1}, ClassScore{3, 0.5F, 2}));  // ties by label
}

TEST(BoxesBetween, LeavesOutTheLowerAndKeepsTheUpperThreshold) {
  const Detections raw = {BoxOf(0.2F, 1), BoxOf(0.3F, 1), BoxOf(0.5F, 1), BoxOf(0.6F, 1)};
  EXPECT_THAT(BoxesBetween(raw, 0.2F, 0.5), ElementsAre(raw[2], raw[1]));
  EXPECT_TRUE(BoxesBetween({}, 0, 1).empty());
}

TEST(SmallBig, DecidesByTheThreeStepsAsPrinted) {
  struct Row {
    int predicted;
    int objects;
    double area;
    bool difficult;
    SmallBigStep step;
  };
  const Row rows[] = {
      {0, 0, 1.0, false, SmallBigStep::kSameCount},    // nothing seen: easy, as printed
      {5, 5, 0.001, false, SmallBigStep::kSameCount},  // step 1 comes before the others
      {2, 3, 1.0, true, SmallBigStep::kManyObjects},
      {1, 2, 1.0, false, SmallBigStep::kSmallObject},  // a count equal to the threshold is not more
      {1, 2, 0.31, false,
       SmallBigStep::kSmallObject},  // an area equal to the threshold is not less
      {1, 2, 0.30999, true, SmallBigStep::kSmallObject},
      {3, 0, 1.0, false, SmallBigStep::kSmallObject},  // true features: only false boxes were found
      {3, 2, 0.1, true, SmallBigStep::kSmallObject},   // more found than there are: goes on
  };
  for (const Row& row : rows) {
    EXPECT_EQ(DecideSmallBig(row.predicted, row.objects, row.area, 2, 0.31),
              (SmallBigVerdict{row.difficult, row.step}))
        << row.predicted << " " << row.objects << " " << row.area;
  }
}

TEST(SmallBig, FindsTheMissedDogOfFigure6) {
  // Two objects estimated, one found; the dog covers 18 % of the image.
  const SmallBig judge({.score_threshold = 0.2});
  const SmallBigExplanation why = judge.Explain({kFigure6, kImage, {}, 0});
  EXPECT_EQ(why.features.predicted, 1);
  EXPECT_EQ(why.features.estimated, 2);
  EXPECT_EQ(why.verdict, (SmallBigVerdict{true, SmallBigStep::kSmallObject}));
  EXPECT_DOUBLE_EQ(why.score, 0.2507F);  // turns difficult once the dog counts
  const Gain gain = judge.Judge({kFigure6, kImage, {}, 0}, true);
  EXPECT_TRUE(gain.difficult);
  EXPECT_THAT(gain.reason, HasSubstr("smallest of 2 estimated objects covers 0.18 < 0.31"));
  // With the dog below the threshold all that may be there has been found.
  EXPECT_FALSE(Judge(kFigure6, {.score_threshold = 0.26}).difficult);
}

TEST(SmallBig, ScoresAnImageByTheThresholdAtWhichItTurnsDifficult) {
  struct Row {
    const char* what;
    Detections raw;
    double score;
  };
  const Row rows[] = {
      {"nothing", {}, 0},
      {"only found objects", {BoxOf(0.9F, 0.01), BoxOf(0.8F, 0.01), BoxOf(0.7F, 0.01)}, 0},
      {"one large uncertain box", {BoxOf(0.4F, 0.9)}, 0},
      {"one small uncertain box", {BoxOf(0.4F, 0.1)}, 0.4F},
      {"a score of exactly 0.5 is uncertain", {BoxOf(0.5F, 0.1)}, 0.5},
      {"the third large box makes many", {BoxOf(0.4F, 1), BoxOf(0.3F, 1), BoxOf(0.2F, 1)}, 0.2F},
      {"two found and a third", {BoxOf(0.9F, 1), BoxOf(0.9F, 1), BoxOf(0.3F, 1)}, 0.3F},
      {"a small one was found: any uncertain box decides",
       {BoxOf(0.9F, 0.1), BoxOf(0.3F, 1)},
       0.3F},
      {"small before many", {BoxOf(0.4F, 1), BoxOf(0.3F, 0.1), BoxOf(0.2F, 1)}, 0.3F},
      {"many before small",
       {BoxOf(0.4F, 1), BoxOf(0.35F, 1), BoxOf(0.3F, 1), BoxOf(0.1F, 0)},
       0.3F},
      {"equal scores join together", {BoxOf(0.3F, 1), BoxOf(0.3F, 1), BoxOf(0.3F, 1)}, 0.3F},
      {"scores that are no numbers or not above 0 do not count",
       {BoxOf(kNan, 0), BoxOf(0, 0), BoxOf(-1, 0)},
       0},
  };
  for (const Row& row : rows) {
    EXPECT_DOUBLE_EQ(Judge(row.raw, {}).score, row.score) << row.what;
    Detections reversed(row.raw.rbegin(), row.raw.rend());
    EXPECT_DOUBLE_EQ(Judge(reversed, {}).score, row.score) << row.what << ", reversed";
  }
}

TEST(SmallBig, IsDifficultExactlyWhereItsScoreIsAboveTheFittedThreshold) {
  Rng rng(7);
  int difficult = 0;
  for (int round = 0; round < 20000; ++round) {
    // Scores on a coarse grid, so that ties and scores equal to a threshold are common.
    Detections raw(rng.Below(round % 10 == 0 ? 60 : 8));
    for (Detection& box : raw) {
      box = BoxOf(static_cast<float>(rng.Below(21)) / 20.0F,
                  static_cast<double>(rng.Below(11)) / 10.0, 0);
      if (rng.Chance(0.02)) {
        box.score = kNan;
      }
    }
    const SmallBigOptions options{
        .score_threshold = static_cast<double>(static_cast<float>(rng.Below(11)) / 20.0F),
        .count_threshold = static_cast<int>(rng.Below(round % 10 == 0 ? 40 : 4)),
        .area_threshold = static_cast<double>(rng.Below(11)) / 10.0,
        .upload_empty = rng.Chance(0.3)};
    const SmallBig judge(options);
    const Evidence evidence{raw, kImage, {}, 0};
    const Gain gain = judge.Judge(evidence, false);
    const SmallBigExplanation steps = judge.Explain(evidence);
    ASSERT_EQ(gain.difficult, gain.score > judge.natural_threshold());
    ASSERT_EQ(gain.difficult, steps.verdict.difficult)
        << "round " << round << ", score " << gain.score << ", step "
        << static_cast<int>(steps.verdict.step);
    ASSERT_EQ(judge.Judge(evidence, true).difficult, gain.difficult);
    difficult += gain.difficult ? 1 : 0;
    if (!options.upload_empty) {
      // One score serves every threshold: sweeping the threshold with the steps gives the same.
      for (int k = 0; k <= 10; ++k) {
        SmallBigOptions swept = options;
        swept.score_threshold = static_cast<double>(static_cast<float>(k) / 20.0F);
        ASSERT_EQ(gain.score > swept.score_threshold,
                  SmallBig(swept).Explain(evidence).verdict.difficult)
            << "round " << round << ", threshold " << swept.score_threshold;
      }
    }
  }
  EXPECT_GT(difficult, 4000);
  EXPECT_LT(difficult, 16000);
}

TEST(SmallBig, UploadsImagesWithoutACandidateOnlyWhenAsked) {
  const SmallBigOptions upload{.score_threshold = 0.2, .upload_empty = true};
  for (const Detections& raw : {Detections{}, Detections{BoxOf(0.2F, 1)}, {BoxOf(0.1F, 0.01)}}) {
    EXPECT_FALSE(Judge(raw, {.score_threshold = 0.2F}).difficult);
    EXPECT_TRUE(Judge(raw, {.score_threshold = 0.2F, .upload_empty = true}).difficult);
  }
  // The better the best box, the more is expected; an image with a large candidate stays easy.
  EXPECT_GT(Judge({BoxOf(0.1F, 1)}, upload).score, Judge({BoxOf(0.05F, 1)}, upload).score);
  EXPECT_GT(Judge({BoxOf(0.05F, 1)}, upload).score, Judge({}, upload).score);
  EXPECT_FALSE(Judge({BoxOf(0.3F, 1)}, upload).difficult);
  EXPECT_EQ(SmallBig(upload).Judge({{}, kImage, {}, 0}, true).reason, "no box above 0.2");
  // Borders of the score threshold itself.
  EXPECT_TRUE(Judge({}, {.score_threshold = 0, .upload_empty = true}).difficult);
  EXPECT_TRUE(Judge({}, {.score_threshold = 0.5, .upload_empty = true}).difficult);
}

TEST(SmallBig, SaysWhichStepDecided) {
  const auto reason = [](const Detections& raw) {
    return SmallBig(SmallBigOptions{}).Judge({raw, kImage, {}, 0}, true).reason;
  };
  EXPECT_EQ(reason({}), "no box above 0.2");
  EXPECT_EQ(reason({BoxOf(0.9F, 1)}), "no uncertain box: all 1 estimated objects found");
  EXPECT_EQ(reason({BoxOf(0.9F, 1), BoxOf(0.4F, 1), BoxOf(0.3F, 1)}),
            "3 objects estimated > 2 (1 found)");
  EXPECT_EQ(reason({BoxOf(0.9F, 1), BoxOf(0.4F, 0.5)}),
            "smallest of 2 estimated objects covers 0.5 >= 0.31 of the image (1 found)");
}

TEST(SmallBigOptions, RefusesValuesOutOfRangeByName) {
  EXPECT_TRUE(Validate(SmallBigOptions{}).has_value());
  EXPECT_TRUE(Validate(SmallBigOptions{.score_threshold = 0.5}).has_value());
  EXPECT_TRUE(Validate(SmallBigOptions{.score_threshold = 0, .count_threshold = 0}).has_value());
  const SmallBigOptions bad[] = {{.score_threshold = 0.51}, {.score_threshold = std::nan("")},
                                 {.score_threshold = -0.1}, {.count_threshold = -1},
                                 {.area_threshold = 1.5},   {.prediction_threshold = 2}};
  const char* const fields[] = {"score_threshold", "score_threshold", "score_threshold",
                                "count_threshold", "area_threshold",  "prediction_threshold"};
  for (std::size_t i = 0; i < std::size(bad); ++i) {
    const auto valid = Validate(bad[i]);
    ASSERT_FALSE(valid.has_value()) << i;
    EXPECT_EQ(valid.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(valid.error().message, HasSubstr(fields[i]));
  }
}

}  // namespace
}  // namespace nearfar
