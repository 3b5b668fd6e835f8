#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/geometry.h"
#include "core/labels.h"
#include "core/model_identity.h"
#include "core/nms.h"
#include "core/percentile.h"
#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;

TEST(Iou, IsOneForEqualHalfForHalfAndZeroForEmptyBoxes) {
  const Box box{0, 0, 10, 10};
  EXPECT_FLOAT_EQ(Iou(box, box), 1);
  EXPECT_FLOAT_EQ(Iou(box, Box{0, 0, 10, 5}), 0.5);
  EXPECT_FLOAT_EQ(Iou(box, Box{10, 0, 20, 10}), 0);  // touching edges share no area
  EXPECT_FLOAT_EQ(Iou(Box{}, Box{}), 0);
  EXPECT_FLOAT_EQ(Iou(box, Box{10, 10, 0, 0}), 0);  // inverted
}

TEST(Nms, OfNothingIsNothing) { EXPECT_TRUE(Nms({}, {}).empty()); }

TEST(Nms, KeepsTheBetterOfTwoOverlappingBoxesOfOneClass) {
  const Detection good{{0, 0, 10, 10}, 0.9F, 1};
  const Detection bad{{1, 0, 11, 10}, 0.8F, 1};
  EXPECT_THAT(Nms({bad, good}, {}), ElementsAre(good));
}

TEST(Nms, LeavesBoxesOfOtherClassesUnlessAskedOtherwise) {
  const Detection person{{0, 0, 10, 10}, 0.9F, 0};
  const Detection dog{{0, 0, 10, 10}, 0.8F, 1};
  EXPECT_THAT(Nms({dog, person}, {}), ElementsAre(person, dog));
  EXPECT_THAT(Nms({dog, person}, {.per_class = false}), ElementsAre(person));
}

TEST(Nms, KeepsABoxWhoseOverlapIsExactlyTheLimit) {
  const Detection whole{{0, 0, 10, 10}, 0.9F, 0};
  const Detection half{{0, 0, 10, 5}, 0.8F, 0};
  EXPECT_EQ(Nms({whole, half}, {.iou = 0.5F}).size(), 2U);
  EXPECT_EQ(Nms({whole, half}, {.iou = 0.49F}).size(), 1U);
}

TEST(Nms, BreaksTiesByInputOrder) {
  const Detection first{{0, 0, 10, 10}, 0.5F, 0};
  const Detection second{{0, 0, 10, 9}, 0.5F, 0};
  EXPECT_THAT(Nms({first, second}, {}), ElementsAre(first));
  EXPECT_THAT(Nms({second, first}, {}), ElementsAre(second));
}

TEST(Nms, DropsScoresThatAreNoNumbers) {
  const Detection bad{{0, 0, 10, 10}, std::numeric_limits<float>::quiet_NaN(), 0};
  EXPECT_TRUE(Nms({bad}, {}).empty());
}

TEST(Nms, KeepsNoMoreThanAsked) {
  Detections many;
  for (int i = 0; i < 50; ++i) {
    const auto x = static_cast<float>(20 * i);
    many.push_back({{x, 0, x + 10, 10}, static_cast<float>(i) / 100, 0});
  }
  const Detections kept = Nms(many, {.max_detections = 3, .max_candidates = 10});
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_FLOAT_EQ(kept.front().score, 0.49F);
}

TEST(Labels, SpellingsOfOneClassMeet) {
  const Synonyms& synonyms = Synonyms::Default();
  EXPECT_EQ(synonyms.Canonical("Motorbike"), synonyms.Canonical("motorcycle"));
  EXPECT_EQ(synonyms.Canonical("sofa"), "couch");
  EXPECT_EQ(synonyms.Canonical("tvmonitor"), "tv");
  EXPECT_EQ(synonyms.Canonical("Hardhat"), "helmet");
  EXPECT_EQ(synonyms.Canonical("hat"), "helmet");
  EXPECT_EQ(synonyms.Canonical("traffic_light"), "traffic light");
  EXPECT_EQ(synonyms.Canonical("Never-Heard"), "never heard");
}

TEST(Labels, AllClassesOfVocAreInCoco) {
  EXPECT_EQ(VocLabels().size(), 20);
  EXPECT_EQ(CocoLabels().size(), 80);
  EXPECT_TRUE(MapLabels(VocLabels().names, CocoLabels(), Synonyms::Default()).unmapped.empty());
}

TEST(Labels, WhatMapsToNothingIsNamedAndItsBoxesGo) {
  const LabelSpace space = MakeLabelSpace({"helmet"}, Synonyms::Default());
  const LabelMap map = MapLabels({"Hardhat", "Mask"}, space, Synonyms::Default());
  EXPECT_THAT(map.unmapped, ElementsAre("Mask"));
  Detections boxes{{{0, 0, 1, 1}, 0.5F, 1}, {{0, 0, 2, 2}, 0.4F, 0}, {{0, 0, 1, 1}, 0.3F, 7}};
  map.Apply(boxes);
  ASSERT_EQ(boxes.size(), 1U);
  EXPECT_EQ(boxes[0].label, 0);
  EXPECT_FLOAT_EQ(boxes[0].box.x2, 2);
}

TEST(Labels, AMistakeInTheSynonymsNamesItsLine) {
  const auto no_equals = Synonyms::Parse("# fine\nperson people\n");
  ASSERT_FALSE(no_equals.has_value());
  EXPECT_THAT(no_equals.error().message, ::testing::HasSubstr("line 2"));
  const auto two_owners = Synonyms::Parse("a = x\nb = x\n");
  ASSERT_FALSE(two_owners.has_value());
  EXPECT_THAT(two_owners.error().message, ::testing::HasSubstr("'x'"));
}

TEST(ModelIdentity, DifferenceNamesTheFieldsThatMatter) {
  ModelIdentity a{.name = "a", .hash = "12", .input = {640, 640}};
  ModelIdentity b = a;
  b.name = "renamed";
  EXPECT_EQ(Difference(a, b), "");
  b.hash = "34";
  EXPECT_EQ(Difference(a, b), "hash: 12 ≠ 34");
}

TEST(ModelIdentity, WithoutAHashIsComparedByItsName) {
  const ModelIdentity a{.name = "comp4"};  // an import
  ModelIdentity b = a;
  EXPECT_EQ(Difference(a, b), "");
  b.name = "other";
  EXPECT_EQ(Difference(a, b), "name: comp4 ≠ other");
  b.hash = "34";
  EXPECT_EQ(Difference(a, b), "name: comp4 ≠ other");
  b.name = a.name;
  EXPECT_EQ(Difference(a, b), "");
}

TEST(Percentile, IsTheNearestRank) {
  struct Case {
    std::vector<int> values;
    double percent;
    int expected;
  };
  const Case cases[] = {
      {{7}, 50, 7},       {{7}, 99, 7},           {{2, 1}, 50, 1},       {{2, 1}, 51, 2},
      {{3, 1, 2}, 50, 2}, {{4, 3, 2, 1}, 100, 4}, {{4, 3, 2, 1}, 25, 1}, {{4, 3, 2, 1}, 0.1, 1},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Percentile(c.values, c.percent), c.expected) << c.percent << " % of " << c.values[0];
  }
  std::vector<int> twenty;
  for (int i = 1; i <= 20; ++i) {
    twenty.push_back(i);
  }
  EXPECT_EQ(Percentile(twenty, 95), 19);
  EXPECT_EQ(Percentile(twenty, 99), 20);
}

TEST(Rng, GivesTheSameStreamOnEveryMachine) {
  Rng rng(1);
  EXPECT_EQ(rng.Next(), 0x910A2DEC89025CC1ULL);  // SplitMix64's published sequence for seed 1
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < 10000; ++i) {
    const double normal = rng.Normal();
    sum += normal;
    squares += normal * normal;
  }
  EXPECT_NEAR(sum / 10000, 0, 0.05);
  EXPECT_NEAR(squares / 10000, 1, 0.05);
}

}  // namespace
}  // namespace nearfar
