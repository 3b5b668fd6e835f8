#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/rng.h"
#include "eval/alignment.h"
#include "eval/average_precision.h"
#include "eval/bootstrap.h"
#include "eval/comparison.h"
#include "eval/matching.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr Box kLeft{0, 0, 10, 10};
constexpr Box kRight{50, 50, 90, 90};

TruthImage Image(std::vector<TruthObject> objects, std::string name = "a") {
  return {.name = std::move(name), .size = {100, 100}, .objects = std::move(objects)};
}

/// One class, one table: what the three interpolations make of it.
struct Aps {
  std::optional<double> voc07, area, coco;
};

std::optional<double> First(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(values[0]);
}

Aps ApsOf(const std::vector<TruthImage>& images, const std::vector<Detections>& boxes) {
  const MatchTable voc = MatchVoc(images, boxes, 1);
  const MatchTable coco = MatchCoco(images, boxes, 1);
  return {MeanAveragePrecision(voc, Interpolation::kVoc07),
          MeanAveragePrecision(voc, Interpolation::kArea),
          First(MeanAveragePrecisions(coco, Interpolation::kCoco))};
}

TEST(AveragePrecision, EqualsWhatIsWorkedOutByHand) {
  struct Case {
    const char* what;
    std::vector<TruthObject> truth;
    Detections boxes;
    double voc07, area, coco;
  };
  const Case cases[] = {
      {"the one object found", {{kLeft}}, {{kLeft, .9F}}, 1, 1, 1},
      {"nothing found", {{kLeft}}, {}, 0, 0, 0},
      {"a wrong box alone", {{kLeft}}, {{kRight, .9F}}, 0, 0, 0},
      {"one of two found: recall .5 at precision 1",
       {{kLeft}, {kRight}},
       {{kLeft, .9F}},
       6.0 / 11,
       0.5,
       51.0 / 101},
      {"a wrong box before the right one: precision 1/2",
       {{kLeft}},
       {{kLeft, .8F}, {kRight, .9F}},
       0.5,
       0.5,
       0.5},
      {"a wrong box after the right one changes nothing",
       {{kLeft}},
       {{kLeft, .9F}, {kRight, .8F}},
       1,
       1,
       1},
      {"a duplicate between two right ones is wrong: precisions 1, 1/2, 2/3",
       {{kLeft}, {kRight}},
       {{kLeft, .9F}, {kLeft, .8F}, {kRight, .7F}},
       (6 + 5 * (2.0 / 3)) / 11,
       0.5 + 0.5 * (2.0 / 3),
       (51 + 50 * (2.0 / 3)) / 101},
      {"an IoU of exactly .5 is a match", {{kLeft}}, {{{0, 0, 10, 5}, .9F}}, 1, 1, 1},
      {"an inverted box matches nothing", {{kLeft}}, {{{10, 10, 0, 0}, .9F}}, 0, 0, 0},
      {"a truth without area is never found", {{{5, 5, 5, 5}}}, {{{5, 5, 5, 5}, .9F}}, 0, 0, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const Aps aps = ApsOf({Image(c.truth)}, {c.boxes});
    EXPECT_THAT(aps.voc07, Optional(testing::DoubleNear(c.voc07, 1e-12)));
    EXPECT_THAT(aps.area, Optional(testing::DoubleNear(c.area, 1e-12)));
    EXPECT_THAT(aps.coco, Optional(testing::DoubleNear(c.coco, 1e-12)));
  }
}

TEST(AveragePrecision, IsAbsentWithoutAnObjectToBeFound) {
  const Aps none = ApsOf({Image({})}, {{{kLeft, .9F}}});
  EXPECT_EQ(none.voc07, std::nullopt);
  EXPECT_EQ(none.area, std::nullopt);
  EXPECT_EQ(none.coco, std::nullopt);
  const Aps only_difficult = ApsOf({Image({{.box = kLeft, .difficult = true}})}, {{{kLeft, .9F}}});
  EXPECT_EQ(only_difficult.voc07, std::nullopt);
  EXPECT_EQ(only_difficult.coco, std::nullopt);
  EXPECT_EQ(MeanAveragePrecision(MatchVoc({}, {}, 0), Interpolation::kVoc07), std::nullopt);
}

TEST(AveragePrecision, LeavesClassesWithoutTruthOutOfTheMean) {
  const std::vector<TruthImage> images = {Image({{.box = kLeft, .label = 1}})};
  const std::vector<Detections> boxes = {{{kLeft, .9F, 1}, {kRight, .9F, 0}, {kRight, .9F, 2}}};
  EXPECT_THAT(MeanAveragePrecision(MatchVoc(images, boxes, 3), Interpolation::kVoc07), Optional(1));
}

TEST(AveragePrecision, TakesEqualScoresInOrderOfImages) {
  const std::vector<TruthImage> images = {Image({{kLeft}}, "a"), Image({}, "b")};
  const std::vector<Detections> right_first = {{{kLeft, .9F}}, {{kLeft, .9F}}};
  EXPECT_THAT(ApsOf(images, right_first).area, Optional(1));
  const std::vector<TruthImage> swapped = {images[1], images[0]};
  EXPECT_THAT(ApsOf(swapped, right_first).area, Optional(0.5));
}

TEST(Matching, LeavesOutBoxesWithoutAClassOrAScore) {
  const std::vector<TruthImage> images = {Image({{kLeft}})};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<Detections> boxes = {{{kLeft, nan}, {kLeft, .9F, -1}, {kLeft, .9F, 1}}};
  EXPECT_TRUE(MatchVoc(images, boxes, 1).classes[0].detections.empty());
  EXPECT_TRUE(MatchCoco(images, boxes, 1).classes[0].detections.empty());
}

TEST(Matching, ADifficultObjectIsNeitherWantedNorPunishedHoweverOftenItIsHit) {
  const std::vector<TruthImage> images = {
      Image({{.box = kLeft, .difficult = true}, {.box = kRight}})};
  const std::vector<Detections> boxes = {{{kLeft, .9F}, {kLeft, .8F}, {kRight, .7F}}};
  const Aps aps = ApsOf(images, boxes);
  EXPECT_THAT(aps.voc07, Optional(1));
  EXPECT_THAT(aps.area, Optional(1));
  EXPECT_THAT(aps.coco, Optional(1));
}

TEST(Matching, ACrowdTakesEveryBoxThatLiesInIt) {
  const Box crowd{0, 0, 40, 40};
  const std::vector<TruthImage> images = {Image({{.box = crowd, .crowd = true}, {.box = kRight}})};
  // Two boxes inside the crowd, one half inside, then the object.
  const std::vector<Detections> inside = {
      {{kLeft, .9F}, {{10, 10, 20, 20}, .8F}, {{35, 0, 45, 10}, .75F}, {kRight, .7F}}};
  EXPECT_THAT(ApsOf(images, inside).area, Optional(1));
  EXPECT_THAT(ApsOf(images, inside).coco, Optional(1));
  const std::vector<Detections> outside = {{{{36, 0, 46, 10}, .75F}, {kRight, .7F}}};
  EXPECT_THAT(ApsOf(images, outside).area, Optional(0.5));
  EXPECT_THAT(ApsOf(images, outside).coco, Optional(0.5));
}

TEST(Matching, AnOrdinaryObjectComesBeforeTheCrowdAroundIt) {
  const Box crowd{0, 0, 100, 100};
  const std::vector<TruthImage> images = {Image({{.box = crowd, .crowd = true}, {.box = kRight}})};
  const std::vector<Detections> boxes = {{{kRight, .9F}, {kRight, .8F}}};
  const MatchTable voc = MatchVoc(images, boxes, 1);
  EXPECT_EQ(voc.classes[0].detections[0].found, 1);
  EXPECT_EQ(voc.classes[0].detections[1].ignored, 1) << "the duplicate lies in the crowd";
  EXPECT_THAT(ApsOf(images, boxes).coco, Optional(1));
}

TEST(Matching, VocSendsABoxToItsBestObjectAndCocoToItsBestFreeOne) {
  // Both boxes overlap the first object best; the second box overlaps the other by .6 as well.
  const Box first{0, 0, 10, 10};
  const Box other{0, 0, 10, 14};
  const std::vector<TruthImage> images = {Image({{first}, {other}})};
  const std::vector<Detections> boxes = {{{first, .9F}, {{0, 0, 10, 9}, .8F}}};
  const MatchTable voc = MatchVoc(images, boxes, 1);
  EXPECT_EQ(voc.classes[0].detections[1].found, 0);
  const MatchTable coco = MatchCoco(images, boxes, 1);
  EXPECT_EQ(coco.classes[0].detections[1].found, 0b111) << "9/14 passes .50, .55 and .60";
}

TEST(Matching, CountsAnObjectOnTheEdgeOfTwoSizesInBoth) {
  const std::vector<TruthImage> images = {Image({{.box = {0, 0, 32, 32}}})};
  const std::vector<Detections> boxes = {{{{0, 0, 32, 32}, .9F}}};
  EXPECT_EQ(MatchCoco(images, boxes, 1, CocoSmall()).classes[0].wanted[0], 1U);
  EXPECT_EQ(MatchCoco(images, boxes, 1, CocoMedium()).classes[0].wanted[0], 1U);
  EXPECT_EQ(MatchCoco(images, boxes, 1, CocoLarge()).classes[0].wanted[0], 0U);
}

TEST(Matching, TakesTheAreaOfTheMaskWhereThereIsOne) {
  const std::vector<TruthImage> images = {Image({{.box = {0, 0, 50, 50}, .area = 1000}})};
  const std::vector<Detections> boxes(1);
  EXPECT_EQ(MatchCoco(images, boxes, 1, CocoSmall()).classes[0].wanted[0], 1U);
  EXPECT_EQ(MatchCoco(images, boxes, 1, CocoMedium()).classes[0].wanted[0], 0U);
}

TEST(Matching, CocoLooksAtTheBestHundredBoxesAndVocAtAll) {
  const std::vector<TruthImage> images = {Image({{kLeft}})};
  std::vector<Detections> boxes(1);
  for (int i = 0; i < 100; ++i) {
    boxes[0].push_back({kRight, .9F});
  }
  boxes[0].push_back({kLeft, .5F});
  EXPECT_THAT(ApsOf(images, boxes).coco, Optional(0));
  EXPECT_THAT(ApsOf(images, boxes).area, Optional(testing::DoubleNear(1.0 / 101, 1e-12)));
}

TEST(CountObjects, CountsStrictlyAboveTheThresholdAndEachObjectOnce) {
  const std::vector<TruthImage> images = {
      Image({{.box = kLeft}, {.box = kRight}, {.box = {20, 20, 30, 30}, .difficult = true}})};
  const std::vector<Detections> boxes = {{{kLeft, .9F},
                                          {kLeft, .8F},             // a duplicate
                                          {{20, 20, 30, 30}, .7F},  // difficult
                                          {{60, 0, 70, 10}, .6F},   // wrong
                                          {kRight, .5F}}};          // not above
  EXPECT_EQ(CountObjects(MatchVoc(images, boxes, 1)),
            (ObjectCounts{.found = 1, .counted = 4, .wanted = 2}));
  EXPECT_EQ(CountObjects(MatchVoc(images, boxes, 1), 0.49F).found, 2);
  EXPECT_EQ(CountObjects(MatchVoc(std::vector{Image({})}, std::vector<Detections>(1), 1)),
            ObjectCounts{});
}

// ---- a made-up set for properties

struct Scene {
  std::vector<TruthImage> images;
  std::vector<Detections> boxes;
};

Scene RandomScene(std::uint64_t seed, int images, double hit_rate) {
  Rng rng(seed);
  Scene scene;
  for (int i = 0; i < images; ++i) {
    TruthImage image = Image({}, "image" + std::to_string(i));
    Detections boxes;
    for (std::uint64_t o = rng.Below(5); o > 0; --o) {
      const auto x = static_cast<float>(rng.Below(60));
      const auto y = static_cast<float>(rng.Below(60));
      const auto size = static_cast<float>(8 + rng.Below(32));
      const Box box{x, y, x + size, y + size};
      const int label = static_cast<int>(rng.Below(2));
      image.objects.push_back({.box = box, .label = label, .difficult = rng.Chance(0.1)});
      if (rng.Chance(hit_rate)) {
        boxes.push_back({Translate(box, static_cast<float>(rng.Below(5)), 0),
                         static_cast<float>(rng.Uniform()), label});
      }
    }
    boxes.push_back({{1, 2, 30, 40}, static_cast<float>(rng.Uniform(0, 0.6)), 0});
    scene.images.push_back(std::move(image));
    scene.boxes.push_back(std::move(boxes));
  }
  return scene;
}

TEST(AveragePrecision, AWeightStandsForThatManyCopiesOfTheImage) {
  const Scene scene = RandomScene(3, 20, 0.7);
  std::vector<std::uint32_t> weights;
  Scene copied;
  for (std::size_t i = 0; i < scene.images.size(); ++i) {
    weights.push_back(static_cast<std::uint32_t>(i % 4));
    for (std::size_t copy = 0; copy < i % 4; ++copy) {
      copied.images.push_back(scene.images[i]);
      copied.boxes.push_back(scene.boxes[i]);
    }
  }
  const MatchTable voc = MatchVoc(scene.images, scene.boxes, 2);
  const MatchTable voc_copied = MatchVoc(copied.images, copied.boxes, 2);
  const MatchTable coco = MatchCoco(scene.images, scene.boxes, 2);
  const MatchTable coco_copied = MatchCoco(copied.images, copied.boxes, 2);
  for (const auto how : {Interpolation::kVoc07, Interpolation::kArea, Interpolation::kCoco}) {
    EXPECT_NEAR(*MeanAveragePrecision(voc, how, weights), *MeanAveragePrecision(voc_copied, how),
                1e-12);
    EXPECT_NEAR(*MeanAveragePrecision(coco, how, weights), *MeanAveragePrecision(coco_copied, how),
                1e-12);
  }
  EXPECT_EQ(CountObjects(voc, .5F, weights), CountObjects(voc_copied));
}

TEST(Resample, DrawsAsManyImagesAsThereAreAndTheSameForTheSameSeed) {
  const auto draw = [](std::uint64_t seed) {
    std::vector<std::uint32_t> all;
    Resample(7, {.draws = 3, .seed = seed}, [&](ImageWeights weights) {
      std::uint32_t sum = 0;
      for (const std::uint32_t w : weights) {
        sum += w;
        all.push_back(w);
      }
      EXPECT_EQ(sum, 7U);
    });
    return all;
  };
  EXPECT_EQ(draw(1).size(), 21U);
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(PercentileInterval, LeavesTwoAndAHalfPercentOnEitherSide) {
  std::vector<double> values;
  for (int i = 1; i <= 1000; ++i) {
    values.push_back(i);
  }
  EXPECT_EQ(PercentileInterval(values), (Interval{25, 975}));
  EXPECT_EQ(PercentileInterval({4}), (Interval{4, 4}));
}

TEST(UploadTop, TakesTheLargestGainsAndTheEarlierOfEquals) {
  const std::vector<double> gains = {.1, .9, .5, .5};
  EXPECT_THAT(UploadTop(gains, 0), ElementsAre(false, false, false, false));
  EXPECT_THAT(UploadTop(gains, .25), ElementsAre(false, true, false, false));
  EXPECT_THAT(UploadTop(gains, .5), ElementsAre(false, true, true, false));
  EXPECT_THAT(UploadTop(gains, 1), ElementsAre(true, true, true, true));
  EXPECT_TRUE(UploadTop({}, .5).empty());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT(UploadTop(std::vector{-kInfinity, kInfinity}, .5), ElementsAre(false, true));
}

// ---- comparison

struct Pair {
  Scene small = RandomScene(11, 40, 0.4);
  Scene big = RandomScene(11, 40, 0.95);
  LabelSpace classes{{"one", "two"}};

  // The same truth must stand under both: boxes are drawn from it with their own luck.
  Pair() {
    Rng rng(5);
    for (std::size_t i = 0; i < small.images.size(); ++i) {
      small.boxes[i].clear();
      big.boxes[i].clear();
      big.images = small.images;
      for (const TruthObject& object : small.images[i].objects) {
        if (rng.Chance(0.5)) {
          small.boxes[i].push_back({object.box, 0.6F, object.label});
        }
        if (rng.Chance(0.95)) {
          big.boxes[i].push_back({object.box, 0.9F, object.label});
        }
      }
    }
  }

  std::vector<Contender> Contenders(std::vector<bool> uploaded) const {
    return {{.name = "small", .role = Role::kSmall, .detections = small.boxes},
            {.name = "big", .role = Role::kBig, .detections = big.boxes},
            {.name = "both",
             .role = Role::kEndToEnd,
             .detections = ComposeCascade(small.boxes, big.boxes, uploaded),
             .uploaded = uploaded}};
  }
};

TEST(Compare, GoesFromTheSmallModelToTheBigOneWithTheUploadRatio) {
  const Pair pair;
  const std::size_t n = pair.small.images.size();
  const auto none =
      Compare(pair.small.images, pair.classes, pair.Contenders(std::vector<bool>(n, false)), {});
  EXPECT_EQ(none[2].voc07, none[0].voc07);
  EXPECT_THAT(none[2].upload_ratio, Optional(0));
  EXPECT_THAT(none[2].recovered.value, Optional(0));
  EXPECT_EQ(none[2].kept_voc07, none[0].voc07.value);
  const auto all =
      Compare(pair.small.images, pair.classes, pair.Contenders(std::vector<bool>(n, true)), {});
  EXPECT_EQ(all[2].voc07, all[1].voc07);
  EXPECT_THAT(all[2].upload_ratio, Optional(1));
  EXPECT_THAT(all[2].recovered.value, Optional(1));
  EXPECT_THAT(all[2].found_share.value, Optional(1));
  EXPECT_THAT(all[2].counted_share, Optional(1));
  EXPECT_EQ(all[2].kept_voc07, std::nullopt) << "no image was kept";
  EXPECT_EQ(all[0].recovered.value, std::nullopt) << "shares are of those who decide";
}

TEST(Compare, JudgesTheKeptImagesOnTheirOwn) {
  const std::vector<TruthImage> images = {Image({{kLeft}}, "a"), Image({{kLeft}}, "b")};
  const std::vector<Detections> near = {{{kLeft, .9F}}, {}};
  const std::vector<Detections> far = {{}, {{kLeft, .9F}}};
  const std::vector<bool> uploaded = {false, true};
  const std::vector<Contender> contenders = {{.name = "both",
                                              .role = Role::kEndToEnd,
                                              .detections = ComposeCascade(near, far, uploaded),
                                              .uploaded = uploaded}};
  const auto standing = Compare(images, {{"x"}}, contenders, {})[0];
  EXPECT_THAT(standing.voc07.value, Optional(1));
  EXPECT_THAT(standing.kept_voc07, Optional(1)) << "the near model found the object it kept";
  EXPECT_EQ(standing.kept_images, 1);
  EXPECT_EQ(standing.recovered.value, std::nullopt) << "nobody to compare with";
  EXPECT_EQ(standing.found_share.value, std::nullopt);
}

TEST(ComposeCascade, FusesBothAnswersOfUploadedImagesAlone) {
  const std::vector<Detections> near = {{{kLeft, .8F}}, {{kLeft, .8F}}};
  const std::vector<Detections> far = {{{kLeft, .5F}}, {{kLeft, .5F}}};
  const std::vector<bool> uploaded = {false, true};
  const auto fused = ComposeCascade(near, far, uploaded, {.agree = 0.5, .keep = 0});
  EXPECT_EQ(fused[0], near[0]);
  EXPECT_FLOAT_EQ(fused[1][0].score, 0.7F);
  EXPECT_EQ(ComposeCascade(near, far, uploaded, {}), ComposeCascade(near, far, uploaded));
}

TEST(Compare, HasNoRecoveredShareWhereTheBigModelIsNotBetter) {
  const std::vector<TruthImage> images = {Image({{kLeft}})};
  const std::vector<Detections> right = {{{kLeft, .9F}}};
  const std::vector<Detections> wrong(1);
  for (const auto& [near, far] : {std::pair{right, right}, std::pair{right, wrong}}) {
    const std::vector<Contender> contenders = {
        {.name = "small", .role = Role::kSmall, .detections = near},
        {.name = "big", .role = Role::kBig, .detections = far},
        {.name = "both", .role = Role::kEndToEnd, .detections = near, .uploaded = {false}}};
    EXPECT_EQ(Compare(images, {{"x"}}, contenders, {})[2].recovered.value, std::nullopt);
  }
}

TEST(Compare, IsDefinedWithoutBoxesAndWithoutTruth) {
  const std::vector<TruthImage> images = {Image({})};
  const std::vector<Contender> contenders = {
      {.name = "x", .detections = std::vector<Detections>(1)}};
  const auto standing = Compare(images, {{"x"}}, contenders, {.bootstrap = {.draws = 10}})[0];
  EXPECT_EQ(standing.voc07, Figure{});
  EXPECT_EQ(standing.recall, Figure{});
  EXPECT_EQ(standing.objects, ObjectCounts{});
  EXPECT_EQ(standing.latency, std::nullopt);
}

TEST(Compare, GivesIntervalsAroundTheFiguresThatHangOnTheSeedAlone) {
  const Pair pair;
  std::vector<bool> uploaded;
  for (std::size_t i = 0; i < pair.small.images.size(); ++i) {
    uploaded.push_back(i % 2 == 0);
  }
  const ComparisonOptions options{.bootstrap = {.draws = 200, .seed = 9}};
  const auto once = Compare(pair.small.images, pair.classes, pair.Contenders(uploaded), options);
  const auto twice = Compare(pair.small.images, pair.classes, pair.Contenders(uploaded), options);
  EXPECT_EQ(once, twice);
  for (const Figure* figure : {&once[2].voc07, &once[2].ap50_95, &once[2].recovered,
                               &once[2].found_share, &once[0].recall}) {
    ASSERT_TRUE(figure->value && figure->interval);
    EXPECT_LE(figure->interval->low, *figure->value);
    EXPECT_GE(figure->interval->high, *figure->value);
    EXPECT_LT(figure->interval->low, figure->interval->high);
  }
  EXPECT_EQ(
      Compare(pair.small.images, pair.classes, pair.Contenders(uploaded), {})[2].voc07.interval,
      std::nullopt);
}

TEST(Compare, RefusesOptionsOutOfRange) {
  EXPECT_TRUE(Validate(ComparisonOptions{}));
  EXPECT_FALSE(Validate(ComparisonOptions{.iou = 0}));
  EXPECT_FALSE(Validate(ComparisonOptions{.iou = std::nan("")}));
  EXPECT_FALSE(Validate(ComparisonOptions{.score_threshold = 1}));
  EXPECT_FALSE(Validate(ComparisonOptions{.bootstrap = {.draws = -1}}));
}

// ---- alignment

Truth TwoClassTruth() {
  return {.classes = {{"person", "motorcycle"}},
          .images = {Image({{.box = kLeft, .label = 1}, {.box = kRight, .label = 0}}, "b"),
                     Image({}, "a")}};
}

TEST(Align, JoinsImagesByNameAndClassesByCanonicalName) {
  const DetectionSet source{
      "near",
      {{"motorbike", "Person", "cow"}},
      {{"a", {}}, {"b", {{kLeft, .9F, 0}, {kRight, .8F, 1}, {kRight, .7F, 2}}}}};
  const auto set = Align(TwoClassTruth(), std::vector{source}, Synonyms::Default());
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ(set->images.size(), 2U);
  EXPECT_EQ(set->images[0].name, "a") << "by rising name, whatever the order of the files";
  EXPECT_EQ(set->position[0], (std::vector<std::size_t>{0, 1}));
  ASSERT_EQ(set->detections[0][1].size(), 2U);
  EXPECT_EQ(set->images[1].objects[0].label, set->detections[0][1][0].label);
  EXPECT_THAT(set->remarks, ElementsAre(HasSubstr("1 box of classes that are not judged")));
}

TEST(Align, SaysWhatIsLeftOut) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const DetectionSet near{
      "near", {{"person"}}, {{"b", {{kRight, nan, 0}, {kRight, .8F, 0}}}, {"z", {}}}};
  const DetectionSet far{"far", {{"person"}}, {{"a", {}}, {"b", {}}}};
  const auto set = Align(TwoClassTruth(), std::vector{near, far}, Synonyms::Default());
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->images.size(), 1U);
  EXPECT_EQ(set->classes.names, std::vector<std::string>{"person"});
  EXPECT_EQ(set->images[0].objects.size(), 1U) << "the motorbike is not judged";
  EXPECT_THAT(set->remarks,
              ElementsAre(HasSubstr("1 class of the truth that no detector names"),
                          HasSubstr("near lacks 1 image"), HasSubstr("near has 1 image without"),
                          HasSubstr("near: 1 box with a score or corner")));
}

TEST(Align, JudgesTheAskedClassesOnly) {
  const DetectionSet source{"near", {{"person", "motorbike"}}, {{"b", {{kLeft, .9F, 1}}}}};
  const std::vector<std::string> only = {"Motorbike"};
  const auto set = Align(TwoClassTruth(), std::vector{source}, Synonyms::Default(), only);
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->classes.size(), 1);
  EXPECT_EQ(set->images[0].objects.size(), 1U);
  const std::vector<std::string> unknown = {"unicorn"};
  const auto refused = Align(TwoClassTruth(), std::vector{source}, Synonyms::Default(), unknown);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
}

TEST(Align, RefusesWhatHasNothingInCommonAndDuplicates) {
  const struct {
    DetectionSet source;
    const char* why;
  } cases[] = {
      {{"near", {{"person"}}, {}}, "no image in common"},
      {{"near", {{"person"}}, {{"q", {}}}}, "no image in common"},
      {{"near", {{"cow"}}, {{"a", {}}}}, "no class in common"},
      {{"near", {{"person"}}, {{"a", {}}, {"a", {}}}}, "image a stands twice"},
  };
  for (const auto& c : cases) {
    const auto set = Align(TwoClassTruth(), std::vector{c.source}, Synonyms::Default());
    ASSERT_FALSE(set);
    EXPECT_THAT(set.error().message, HasSubstr(c.why));
  }
}

TEST(BoxesOf, RefusesARecordingInRegionsOrBeforeNms) {
  Recording recording;
  recording.frames.push_back({.name = "a", .rect = {0, 0, 50, 50}, .size = {100, 100}});
  EXPECT_FALSE(BoxesOf(recording, "near"));
  recording.frames[0].rect = WholeOf({100, 100});
  EXPECT_TRUE(BoxesOf(recording, "near"));
  recording.model.nms = "none";
  EXPECT_FALSE(BoxesOf(recording, "near"));
}

TEST(BoxesOf, TakesFinalAndNearBoxesFromATrace) {
  Trace trace;
  trace.run.classes = {{"person"}};
  FrameRecord frame{.name = "a"};
  frame.answers.push_back({.link = kNear, .detections = {{kLeft, .9F}}});
  frame.answers.push_back({.link = LinkId{1}, .detections = {{kRight, .9F}}});
  frame.detections = {{kRight, .9F}};
  trace.frames.push_back(frame);
  frame.name = "b";
  frame.answers[0].error_code = "internal";
  trace.frames.push_back(frame);
  EXPECT_EQ(BoxesOf(trace, "run").images[0].detections, frame.detections);
  EXPECT_EQ(NearBoxesOf(trace, "near").images[0].detections, (Detections{{kLeft, .9F}}));
  EXPECT_TRUE(NearBoxesOf(trace, "near").images[1].detections.empty());
}

}  // namespace
}  // namespace nearfar
