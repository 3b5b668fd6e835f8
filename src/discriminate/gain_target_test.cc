#include "discriminate/gain_target.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr GainTargetOptions kAsTheyAre{.winsorised = 0};

/// The place of the n-th object of an image: no two overlap.
Box Place(int n) {
  const auto x = static_cast<float>(20 * n);
  return {x, 0, x + 10, 10};
}

LabelledImage Image(Detections near, Detections far) {
  return {.near = std::move(near), .far = std::move(far), .size = {200, 100}};
}

/// A box as it stands in a ranking over all images.
struct Ranked {
  std::size_t image = 0;
  bool far = false;
  int label = 0;
  float score = 0;
  double right = 0;
};

/// The mean over classes with objects of the area under precision over recall, each image answered
/// by near and far in the shares given; straight from the definition, box by box.
double AreaUnderCurves(const std::vector<Ranked>& boxes, const std::vector<double>& far_share,
                       int classes) {
  double sum = 0;
  int judged = 0;
  const auto weight = [&](const Ranked& box) {
    return box.far ? far_share[box.image] : 1 - far_share[box.image];
  };
  for (int label = 0; label < classes; ++label) {
    double objects = 0;
    double area = 0;
    for (const Ranked& box : boxes) {
      if (box.label != label) {
        continue;
      }
      objects += box.far ? box.right : 0;
      double right = 0;
      double all = 0;
      for (const Ranked& above : boxes) {
        if (above.label == label && above.score >= box.score) {
          right += weight(above) * above.right;
          all += weight(above);
        }
      }
      area += weight(box) * box.right * right / all;
    }
    if (objects > 0) {
      ++judged;
      sum += area / objects;
    }
  }
  return judged > 0 ? sum / judged : 0;
}

/// By image, times the number of images: as if all were like it.
std::vector<double> FiniteDifferences(const std::vector<Ranked>& boxes, std::size_t images,
                                      int classes) {
  constexpr double kStep = 1e-5;
  std::vector<double> derivatives;
  for (std::size_t i = 0; i < images; ++i) {
    std::vector<double> above(images, 0.5);
    std::vector<double> below(images, 0.5);
    above[i] += kStep;
    below[i] -= kStep;
    derivatives.push_back(
        static_cast<double>(images) *
        (AreaUnderCurves(boxes, above, classes) - AreaUnderCurves(boxes, below, classes)) /
        (2 * kStep));
  }
  return derivatives;
}

TEST(AccuracyGains, EqualFiniteDifferencesOfTheAreaAtAHalfAndHalfRanking) {
  const std::vector<LabelledImage> images = {
      Image({{Place(0), 0.6F, 0}, {Place(1), 0.3F, 0}}, {{Place(0), 0.9F, 0}, {Place(2), 0.7F, 0}}),
      Image({{Place(0), 0.8F, 1}, {Place(1), 0.95F, 2}},
            {{Place(2), 0.5F, 1}, {Place(3), 0.4F, 0}}),
      Image({}, {}),
  };
  // By hand: what near shares with far is as right as far says, the rest is wrong. Class 2 has no
  // object: its box moves nothing.
  const std::vector<Ranked> boxes = {
      {0, false, 0, 0.6F, 0.9F}, {0, false, 0, 0.3F, 0},   {0, true, 0, 0.9F, 0.9F},
      {0, true, 0, 0.7F, 0.7F},  {1, false, 1, 0.8F, 0},   {1, false, 2, 0.95F, 0},
      {1, true, 1, 0.5F, 0.5F},  {1, true, 0, 0.4F, 0.4F},
  };
  const std::vector<double> expected = FiniteDifferences(boxes, 3, 3);
  const std::vector<double> gains = AccuracyGains(images, 3, kAsTheyAre);
  EXPECT_THAT(gains, ElementsAre(DoubleNear(expected[0], 1e-8), DoubleNear(expected[1], 1e-8), 0));
  EXPECT_GT(gains[1], 0.1);  // an object of class 1, for a wrong box
}

TEST(AccuracyGains, EqualFiniteDifferencesOnManyImagesWithEqualScores) {
  Rng rng(4);
  std::vector<LabelledImage> images;
  std::vector<Ranked> boxes;
  for (std::size_t i = 0; i < 40; ++i) {
    LabelledImage image = Image({}, {});
    for (int place = 0; place < 4; ++place) {
      // Tenths: many scores are equal, within an image and between both models.
      const auto near = static_cast<float>(static_cast<double>(1 + rng.Below(9)) / 10);
      const auto far = static_cast<float>(static_cast<double>(1 + rng.Below(9)) / 10);
      const int label = static_cast<int>(rng.Below(2));
      const bool in_far = rng.Chance(0.7);
      if (rng.Chance(0.6)) {
        image.near.push_back({Place(place), near, label});
        boxes.push_back({i, false, label, near, in_far ? far : 0});
      }
      if (in_far) {
        image.far.push_back({Place(place), far, label});
        boxes.push_back({i, true, label, far, far});
      }
    }
    images.push_back(std::move(image));
  }
  const std::vector<double> expected = FiniteDifferences(boxes, images.size(), 2);
  const std::vector<double> gains = AccuracyGains(images, 2, kAsTheyAre);
  double size = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    EXPECT_NEAR(gains[i], expected[i], 1e-9) << i;
    size += std::abs(gains[i]);
  }
  EXPECT_GT(size, 0.1);
}

TEST(AccuracyGains, AreExactlyNothingWhereBothModelsSayTheSame) {
  Rng rng(5);
  std::vector<LabelledImage> images;
  for (int i = 0; i < 60; ++i) {
    Detections boxes;
    for (int place = 0; place < 5; ++place) {
      boxes.push_back(
          {Place(place), static_cast<float>(rng.Uniform(0.01, 1)), static_cast<int>(rng.Below(3))});
    }
    // Overlapping ones of one class, as no good detector gives them.
    boxes.push_back({{1, 0, 11, 10}, static_cast<float>(rng.Uniform(0.01, 1)), boxes[0].label});
    images.push_back(Image(boxes, boxes));
  }
  EXPECT_THAT(AccuracyGains(images, 3, kAsTheyAre), Each(0.0));
  EXPECT_THAT(ObjectGains(images), Each(0.0));
  for (LabelledImage& image : images) {
    std::reverse(image.far.begin(), image.far.end());
    image.truth = {{Place(0), 0}, {Place(2), 1}};
  }
  EXPECT_THAT(AccuracyGains(images, 3, kAsTheyAre), Each(DoubleNear(0, 1e-12)));
}

TEST(AccuracyGains, AreNothingWithoutImagesBoxesOrObjects) {
  EXPECT_THAT(AccuracyGains({}, 2), IsEmpty());
  EXPECT_THAT(ObjectGains({}), IsEmpty());
  const std::vector<LabelledImage> blind = {Image({}, {}), Image({{Place(0), 0.9F, 1}}, {})};
  EXPECT_THAT(AccuracyGains(blind, 2), Each(0.0));  // far finds nothing: nothing can be won
  LabelledImage annotated = Image({{Place(0), 0.9F, 0}}, {{Place(0), 0.95F, 0}});
  annotated.truth.emplace();
  EXPECT_THAT(AccuracyGains(std::vector{annotated}, 2), Each(0.0));  // boxes, but no object
  annotated.truth = {{Place(0), 0, /*ignored=*/true}};
  EXPECT_THAT(AccuracyGains(std::vector{annotated}, 2), Each(0.0));
  EXPECT_THAT(ObjectGains(std::vector{annotated}), Each(0.0));
}

TEST(AccuracyGains, DrawInTheOutermostImages) {
  std::vector<LabelledImage> images;
  for (int i = 0; i < 200; ++i) {
    images.push_back(Image({}, {{Place(0), 0.5F, 0}}));
  }
  images[7].far = {{Place(0), 0.9F, 0}, {Place(1), 0.9F, 0}, {Place(2), 0.9F, 0}};
  const std::vector<double> plain = AccuracyGains(images, 1, kAsTheyAre);
  const std::vector<double> drawn_in = AccuracyGains(images, 1, {.winsorised = 0.01});
  EXPECT_GT(plain[7], 3 * plain[8]);
  EXPECT_EQ(drawn_in[7], plain[8]);
  EXPECT_EQ(drawn_in[8], plain[8]);
}

TEST(JudgeBoxes, TakesTheFarModelAsTruthWhereThereIsNone) {
  // Two near boxes on one far box: the better scored takes it, whatever their order. One misses by
  // its class, one by its place; an overlap of one half is enough.
  const Box half{Place(3).x1, 0, Place(3).x2, 5};
  const std::vector<LabelledImage> images = {
      Image({{Place(0), 0.4F, 0},
             {Place(0), 0.6F, 0},
             {Place(1), 0.9F, 1},
             {Place(2), 0.9F, 0},
             {half, 0.2F, 0}},
            {{Place(0), 0.8F, 0}, {Place(1), 0.7F, 0}, {Place(3), 0.25F, 0}})};
  const BoxTruth truth = JudgeBoxes(images).at(0);
  EXPECT_THAT(truth.near, ElementsAre(0, 0.8F, 0, 0, 0.25F));
  EXPECT_THAT(truth.far, ElementsAre(0.8F, 0.7F, 0.25F));
  EXPECT_THAT(JudgeBoxes(images, 0.51).at(0).near, ElementsAre(0, 0.8F, 0, 0, 0));
}

TEST(JudgeBoxes, TrustsBoxesAsFarAsAnnotationsBearThemOut) {
  LabelledImage image =
      Image({{Place(0), 0.6F, 0}, {Place(1), 0.5F, 0}, {Place(4), 0.3F, 0}, {Place(6), 0.2F, 0}},
            {{Place(0), 0.9F, 0},
             {Place(2), 0.8F, 0},
             {Place(3), 0.7F, 0},
             {Place(3), 0.6F, 0},
             {Place(6), 0.5F, 0}});
  image.truth = {{Place(0), 0}, {Place(1), 0}, {Place(2), 0}, {Place(3), 0}, {Place(6), 0, true}};
  // Of the far boxes that count, three of four find an object (the second on one object is wrong):
  // too few to tell scores apart. Of the near ones that far does not share, one of two does. What
  // hits the ignored object does not count, in either.
  const BoxTruth truth = JudgeBoxes(std::vector{image}).at(0);
  EXPECT_THAT(truth.far, ElementsAre(0.75, 0.75, 0.75, 0.75, -1));
  EXPECT_THAT(truth.near, ElementsAre(0.75, 0.5, 0.5, -1));
  // Objects found: far has four above .5, of which the last is not counted; near has one.
  EXPECT_THAT(ObjectGains(std::vector{image}), ElementsAre(DoubleNear(4 * 0.75 - 0.75, 1e-12)));
}

TEST(JudgeBoxes, LetsNoBoxWithoutAScoreTakeAnothersPlace) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Detections far = {{Place(0), 0.9F, 0}};
  const Detection lost{Place(0), kNan, 0};
  LabelledImage image =
      Image({{Place(3), 0.2F, 0}, {Place(2), 0.1F, 0}, lost, {Place(0), 0.15F, 0}}, far);
  EXPECT_THAT(JudgeBoxes(std::vector{image}).at(0).near, ElementsAre(0, 0, 0, 0.9F));
  const std::vector<double> gains = AccuracyGains(std::vector{image}, 1, kAsTheyAre);
  EXPECT_TRUE(std::isfinite(gains[0]));
  image.near.erase(image.near.begin() + 2);
  EXPECT_EQ(AccuracyGains(std::vector{image}, 1, kAsTheyAre), gains);
  image.far.push_back(lost);
  image.truth = {{Place(0), 0}};
  EXPECT_TRUE(std::isfinite(AccuracyGains(std::vector{image}, 1)[0]));
  EXPECT_TRUE(std::isfinite(ObjectGains(std::vector{image})[0]));
}

TEST(ObjectGains, CountBoxesAboveTheThresholdByHowLikelyTheyAreRight) {
  const std::vector<LabelledImage> images = {
      Image({{Place(0), 0.6F, 0}}, {{Place(0), 0.75F, 0}}),  // both find it
      Image({{Place(0), 0.5F, 0}}, {{Place(0), 0.75F, 0}}),  // not above .5
      Image({{Place(0), 0.9F, 0}}, {{Place(1), 0.75F, 0}}),  // near's is none
      Image({{Place(0), 0.9F, 0}}, {{Place(0), 0.25F, 0}}),  // far is not sure enough
      Image({}, {}),
  };
  EXPECT_THAT(ObjectGains(images), ElementsAre(0, 0.75, 0.75, -0.25, 0));
  EXPECT_EQ(Gains(GainGoal::kObjects, images, 1), ObjectGains(images));
  EXPECT_EQ(Gains(GainGoal::kAccuracy, images, 1), AccuracyGains(images, 1));
}

TEST(ParseGainGoal, KnowsTheTwo) {
  EXPECT_EQ(ParseGainGoal("accuracy").value(), GainGoal::kAccuracy);
  EXPECT_EQ(ParseGainGoal("objects").value(), GainGoal::kObjects);
  EXPECT_EQ(ParseGainGoal("map").error().message,
            "'map' is no goal; there are accuracy and objects");
}

}  // namespace
}  // namespace nearfar
