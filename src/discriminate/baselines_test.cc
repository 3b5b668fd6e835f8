#include "discriminate/baselines.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace nearfar {
namespace {

using ::testing::Optional;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Detections Scored(const std::vector<float>& scores) {
  Detections boxes;
  for (const float score : scores) {
    boxes.push_back({{0, 0, 10, 10}, score, 0});
  }
  return boxes;
}

TEST(MeanTopScore, TakesTheBestOfEachClassAndZeroForTheOthers) {
  const Detections boxes = {{{}, 0.9F, 0}, {{}, 0.4F, 0},  {{}, 0.5F, 3},
                            {{}, 0.9F, 4}, {{}, 0.9F, -1}, {{}, kNan, 1}};
  EXPECT_DOUBLE_EQ(MeanTopScore(boxes, 4), (static_cast<double>(0.9F) + 0.5) / 4);
  EXPECT_DOUBLE_EQ(MeanTopScore({}, 20), 0);
  EXPECT_DOUBLE_EQ(MeanTopScore({{{}, 0.5F, 0}}, 1), 0.5);
  EXPECT_DOUBLE_EQ(MeanTopScore({{{}, 0.5F, 999}}, 1000), 0.0005);  // many classes
}

TEST(SumOfEntropies, IsLargestForScoresOfOneHalf) {
  EXPECT_DOUBLE_EQ(SumOfEntropies(Scored({0.5F}), 0), std::log(2.0));
  EXPECT_DOUBLE_EQ(SumOfEntropies(Scored({0.5F, 0.5F}), 0), 2 * std::log(2.0));
  EXPECT_DOUBLE_EQ(SumOfEntropies(Scored({0, 1, kNan, -1, 2}), 0), 0);  // certain or no scores
  EXPECT_DOUBLE_EQ(SumOfEntropies({}, 0), 0);
  EXPECT_NEAR(SumOfEntropies(Scored({0.25F}), 0), SumOfEntropies(Scored({0.75F}), 0), 1e-12);
  EXPECT_DOUBLE_EQ(SumOfEntropies(Scored({0.25F, 0.5F}), 0.5), std::log(2.0));  // the border counts
}

TEST(ChanceOf, HangsOnSeedAndKeyAloneAndIsEven) {
  EXPECT_EQ(ChanceOf(1, 2), ChanceOf(1, 2));
  EXPECT_NE(ChanceOf(1, 2), ChanceOf(2, 2));
  EXPECT_NE(ChanceOf(1, 2), ChanceOf(2, 1));
  int below = 0;
  int together = 0;
  for (std::uint64_t key = 0; key < 10000; ++key) {
    const bool here = ChanceOf(5, key) < 0.3;
    below += here ? 1 : 0;
    together += here && ChanceOf(6, key) < 0.3 ? 1 : 0;
  }
  EXPECT_NEAR(below, 3000, 150);
  EXPECT_NEAR(together, 900, 100);  // another seed, an independent choice
}

TEST(SednaMeasures, FollowItsFormulasOverTheBoxesHandedOn) {
  const Detections boxes = Scored({0.9F, 0.5F, 0.25F, 0.1F});
  EXPECT_THAT(ShareOfLowScores(boxes, 0.5, 0), Optional(0.75));  // a score equal to it is low
  EXPECT_THAT(ShareOfLowScores(boxes, 0.5, 0.25), Optional(2.0 / 3));
  EXPECT_THAT(MeanScore(Scored({0.75F, 0.25F}), 0), Optional(0.5));
  EXPECT_THAT(EntropyConfidence(Scored({0.5F, 0.5F}), 0), Optional(0.0));
  EXPECT_THAT(EntropyConfidence(Scored({1, 0}), 0), Optional(1.0));
  EXPECT_THAT(EntropyConfidence(Scored({0.5F}), 0), Optional(0.5));  // one box: ln n taken as ln 2
}

TEST(SednaMeasures, AreAbsentWithoutBoxesAndForScoresThatAreNone) {
  for (const Detections& boxes :
       {Detections{}, Scored({0.2F}), Scored({0.9F, 1.5F}), Scored({kNan})}) {
    EXPECT_FALSE(ShareOfLowScores(boxes, 0.5, 0.25));
    EXPECT_FALSE(MeanScore(boxes, 0.25));
    EXPECT_FALSE(EntropyConfidence(boxes, 0.25));
  }
}

TEST(OneNumber, ComparesInItsOwnDirectionAndScoresSoThatMoreIsMoreGain) {
  const auto make = [](OneNumber::Direction direction, bool or_equal) {
    return OneNumber({.name = "x",
                      .quantity = "number",
                      .difficult = direction,
                      .threshold = 0.3,
                      .or_equal = or_equal,
                      .measure = [](const Evidence& e) { return e.features.brenner; }});
  };
  struct Row {
    OneNumber::Direction direction;
    bool or_equal;
    double number;
    bool difficult;
    const char* reason;
  };
  using Direction = OneNumber::Direction;
  const Row rows[] = {
      {Direction::kHighIsDifficult, false, 0.31, true, "number 0.31 > 0.3"},
      {Direction::kHighIsDifficult, false, 0.3, false, "number 0.3 <= 0.3"},
      {Direction::kHighIsDifficult, true, 0.3, true, "number 0.3 >= 0.3"},
      {Direction::kHighIsDifficult, true, 0.29, false, "number 0.29 < 0.3"},
      {Direction::kLowIsDifficult, false, 0.29, true, "number 0.29 < 0.3"},
      {Direction::kLowIsDifficult, false, 0.3, false, "number 0.3 >= 0.3"},
      {Direction::kLowIsDifficult, true, 0.3, true, "number 0.3 <= 0.3"},
      {Direction::kLowIsDifficult, true, 0.31, false, "number 0.31 > 0.3"},
  };
  for (const Row& row : rows) {
    const OneNumber judge = make(row.direction, row.or_equal);
    const Detections none;
    const Gain gain = judge.Judge({none, {1, 1}, {.brenner = row.number}, 0}, true);
    EXPECT_EQ(gain.difficult, row.difficult) << row.reason;
    EXPECT_EQ(gain.difficult, gain.score > judge.natural_threshold()) << row.reason;
    EXPECT_EQ(gain.reason, row.reason);
  }
}

TEST(OneNumber, WithoutAThresholdNeverSaysDifficult) {
  const OneNumber judge(
      {.name = "x", .quantity = "number", .measure = [](const Evidence&) { return 1e300; }});
  const Detections none;
  const Gain gain = judge.Judge({none, {1, 1}, {}, 0}, true);
  EXPECT_FALSE(judge.has_verdict());
  EXPECT_FALSE(gain.difficult);
  EXPECT_EQ(gain.score, 1e300);
  EXPECT_EQ(gain.reason, "number 1e+300");
}

}  // namespace
}  // namespace nearfar
