#include "eval/sweep.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <string>

#include "core/rng.h"
#include "eval/cascade_curves.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;

constexpr int kClasses = 3;

/// Made-up images with difficult objects and crowds, and two detectors over them whose scores are
/// coarse, so that many are equal.
struct Scene {
  std::vector<TruthImage> images;
  std::vector<Detections> near;
  std::vector<Detections> far;
  LabelSpace classes{{"a", "b", "c"}};
};

Scene MakeScene(int count, std::uint64_t seed) {
  Scene scene;
  Rng rng(seed);
  for (int i = 0; i < count; ++i) {
    TruthImage image{.name = "image" + std::to_string(i), .size = {200, 200}};
    Detections near;
    Detections far;
    for (std::uint64_t k = rng.Below(5); k > 0; --k) {
      const auto x = static_cast<float>(rng.Uniform(0, 150));
      const auto y = static_cast<float>(rng.Uniform(0, 150));
      const Box box{x, y, x + 40, y + 40};
      const int label = static_cast<int>(rng.Below(kClasses));
      image.objects.push_back(
          {.box = box, .label = label, .difficult = rng.Chance(0.1), .crowd = rng.Chance(0.05)});
      const auto find = [&](Detections& boxes, double chance) {
        for (int time = 0; time < 2; ++time) {  // now and then twice
          if (rng.Chance(time == 0 ? chance : 0.2)) {
            boxes.push_back({Translate(box, static_cast<float>(rng.Uniform(-8, 8)), 2),
                             static_cast<float>(rng.Below(11)) / 10, label});
          }
        }
      };
      find(near, 0.5);
      find(far, 0.9);
    }
    for (Detections* boxes : {&near, &far}) {
      for (std::uint64_t k = rng.Below(4); k > 0; --k) {
        boxes->push_back({{0, 0, 30, 30},
                          static_cast<float>(rng.Below(8)) / 10,
                          static_cast<int>(rng.Below(kClasses))});
      }
    }
    scene.images.push_back(std::move(image));
    scene.near.push_back(std::move(near));
    scene.far.push_back(std::move(far));
  }
  return scene;
}

std::vector<bool> Uploads(const UploadOrder& order, std::size_t count) {
  std::vector<bool> uploaded(order.images.size(), false);
  for (std::size_t i = 0; i < count; ++i) {
    uploaded[order.images[i]] = true;
  }
  return uploaded;
}

UploadOrder ShuffledOrder(std::size_t images, std::uint64_t seed) {
  UploadOrder order{.name = "order" + std::to_string(seed)};
  order.images.resize(images);
  std::iota(order.images.begin(), order.images.end(), std::size_t{0});
  Rng(seed).Shuffle(order.images);
  return order;
}

TEST(MergeMatches, GivesEveryCascadeTheFiguresOfItsOwnTable) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const Scene scene = MakeScene(30, seed);
    const MatchTable voc = MergeMatches(MatchVoc(scene.images, scene.near, kClasses),
                                        MatchVoc(scene.images, scene.far, kClasses));
    const MatchTable coco = MergeMatches(MatchCoco(scene.images, scene.near, kClasses),
                                         MatchCoco(scene.images, scene.far, kClasses));
    for (const std::size_t count : {0, 7, 15, 30}) {
      const std::vector<bool> uploaded = Uploads(ShuffledOrder(30, seed), count);
      const auto boxes = ComposeCascade(scene.near, scene.far, uploaded);
      const std::vector<std::uint32_t> weights = CascadeWeights(uploaded);
      for (const auto interpolation : {Interpolation::kVoc07, Interpolation::kArea}) {
        EXPECT_EQ(MeanAveragePrecisions(voc, interpolation, weights),
                  MeanAveragePrecisions(MatchVoc(scene.images, boxes, kClasses), interpolation));
      }
      EXPECT_EQ(
          MeanAveragePrecisions(coco, Interpolation::kCoco, weights),
          MeanAveragePrecisions(MatchCoco(scene.images, boxes, kClasses), Interpolation::kCoco));
      EXPECT_EQ(CountObjects(voc, 0.5F, weights),
                CountObjects(MatchVoc(scene.images, boxes, kClasses)));
    }
  }
}

TEST(CascadeState, ReadsWhatTheTablesReadForAnyDraw) {
  const Scene scene = MakeScene(40, 4);
  const MatchTable merged = MergeMatches(MatchVoc(scene.images, scene.near, kClasses),
                                         MatchVoc(scene.images, scene.far, kClasses));
  const CascadeCurves curves(merged, 0.5F);
  const UploadOrder order = ShuffledOrder(40, 9);
  int draws = 0;
  Resample(40, {.draws = 5, .seed = 3}, [&](ImageWeights draw) {
    ++draws;
    CascadeState cascade(curves, false, draw);
    CascadeState kept(curves, true, draw);
    for (std::size_t count = 0; count <= 40; ++count) {
      const std::vector<bool> uploaded = Uploads(order, count);
      std::vector<std::uint32_t> weights = CascadeWeights(uploaded, draw);
      const CascadeReading reading = cascade.Read();
      EXPECT_EQ(reading.voc07, MeanAveragePrecision(merged, Interpolation::kVoc07, weights));
      EXPECT_EQ(reading.found, CountObjects(merged, 0.5F, weights).found);
      std::fill(weights.begin() + 40, weights.end(), 0U);
      EXPECT_EQ(kept.Read().voc07, MeanAveragePrecision(merged, Interpolation::kVoc07, weights));
      if (count < 40) {
        cascade.Upload(order.images[count]);
        kept.Upload(order.images[count]);
      }
    }
    EXPECT_EQ(kept.Read().voc07, std::nullopt) << "nothing is kept";
  });
  EXPECT_EQ(draws, 5);
}

/// Mean over the classes of (1/P) Σ w T/N over found boxes, images being uploaded by a share.
double SmoothMap(const MatchTable& merged, const std::vector<double>& share) {
  const std::size_t n = share.size();
  double sum = 0;
  int judged = 0;
  for (const ClassMatches& matches : merged.classes) {
    const double wanted = std::accumulate(matches.wanted.begin(), matches.wanted.end(), 0.0) / 2;
    if (wanted == 0) {
      continue;
    }
    ++judged;
    double found = 0;
    double counted = 0;
    for (const MatchedDetection& detection : matches.detections) {
      const double w =
          detection.image < n ? 1 - share[detection.image] : share[detection.image - n];
      if ((detection.ignored & 1U) != 0) {
        continue;
      }
      counted += w;
      if ((detection.found & 1U) != 0) {
        found += w;
        sum += w * found / counted / wanted;
      }
    }
  }
  return sum / judged;
}

TEST(UploadDerivatives, MeetFiniteDifferences) {
  const Scene scene = MakeScene(25, 6);
  const MatchTable merged = MergeMatches(MatchVoc(scene.images, scene.near, kClasses),
                                         MatchVoc(scene.images, scene.far, kClasses));
  const std::vector<double> derivatives = UploadDerivatives(merged);
  ASSERT_EQ(derivatives.size(), 25U);
  constexpr double kStep = 1e-5;
  bool any = false;
  for (std::size_t i = 0; i < 25; ++i) {
    std::vector<double> more(25, 0.5);
    std::vector<double> less(25, 0.5);
    more[i] += kStep;
    less[i] -= kStep;
    const double expected = (SmoothMap(merged, more) - SmoothMap(merged, less)) / (2 * kStep);
    EXPECT_NEAR(derivatives[i], expected, 1e-7) << i;
    any = any || std::abs(expected) > 1e-3;
  }
  EXPECT_TRUE(any) << "the scene must have something to gain";
}

TEST(UploadDerivatives, AreZeroWithoutTruth) {
  Scene scene = MakeScene(10, 7);
  for (TruthImage& image : scene.images) {
    image.objects.clear();
  }
  const MatchTable none = MergeMatches(MatchVoc(scene.images, scene.near, kClasses),
                                       MatchVoc(scene.images, scene.far, kClasses));
  EXPECT_THAT(UploadDerivatives(none), ::testing::Each(0));
}

/// Four images of one class with one object each. Near finds image 0 and 1, far finds all: by hand,
/// near's VOC07 mAP is 6/11 (recall .5), three found make 8/11 (recall .75), all 1.
Scene HandScene() {
  Scene scene{.classes = {{"a"}}};
  const Box box{0, 0, 10, 10};
  for (int i = 0; i < 4; ++i) {
    scene.images.push_back({.name = std::to_string(i), .objects = {{.box = box}}});
    scene.near.push_back(i < 2 ? Detections{{box, 0.9F, 0}} : Detections{});
    scene.far.push_back({{box, 0.8F, 0}});
  }
  return scene;
}

TEST(PairSweep, GivesTheFiguresThatCanBeCountedByHand) {
  const Scene scene = HandScene();
  const PairSweep sweep(scene.images, scene.classes, scene.near, scene.far, {});
  const UploadOrder orders[] = {{"blind", {0, 1, 2, 3}}, {"wise", {3, 2, 1, 0}}};
  const SweepResult result =
      sweep.Run(orders, {.ratios = {0, 0.25, 0.5, 1}, .reference = std::size_t{1}});
  EXPECT_DOUBLE_EQ(*result.near.voc07.value, 6.0 / 11);
  EXPECT_DOUBLE_EQ(*result.far.voc07.value, 1);
  EXPECT_EQ(result.near.objects, (ObjectCounts{.found = 2, .counted = 2, .wanted = 4}));
  ASSERT_EQ(result.curves.size(), 2U);
  const auto& blind = result.curves[0].points;
  const auto& wise = result.curves[1].points;
  EXPECT_EQ(wise[1].uploaded, 1U);
  EXPECT_DOUBLE_EQ(*wise[1].voc07.value, 8.0 / 11);
  EXPECT_DOUBLE_EQ(*wise[1].recovered.value, 2.0 / 5);
  EXPECT_DOUBLE_EQ(*wise[1].found_share.value, 0.75);
  EXPECT_DOUBLE_EQ(*wise[1].kept_voc07.value, 7.0 / 11) << "two of three, recall .67";
  EXPECT_DOUBLE_EQ(*wise[2].kept_voc07.value, 1);
  EXPECT_DOUBLE_EQ(*blind[2].recovered.value, 0);
  EXPECT_DOUBLE_EQ(*blind[2].times_reference.value, 0);
  EXPECT_DOUBLE_EQ(*wise[2].times_reference.value, 1);
  EXPECT_DOUBLE_EQ(*blind[2].kept_voc07.value, 0);
  EXPECT_EQ(wise[0].times_reference.value, std::nullopt) << "nothing recovered divides nothing";
  EXPECT_DOUBLE_EQ(*wise[3].recovered.value, 1);
  EXPECT_EQ(wise[3].kept_voc07.value, std::nullopt);
  EXPECT_EQ(wise[1].voc07.interval, std::nullopt);

  const std::vector<double> oracle = sweep.OracleWorth();
  EXPECT_GT(oracle[2], oracle[0]);
  EXPECT_NEAR(oracle[0], 0, 1e-9) << "far adds nothing to an image that near answers as well";
}

TEST(PairSweep, EqualsCompareWithItsIntervals) {
  const Scene scene = MakeScene(60, 8);
  const UploadOrder order = ShuffledOrder(60, 2);
  const BootstrapOptions bootstrap{.draws = 40, .seed = 5};
  const std::vector<bool> uploaded = Uploads(order, 18);
  const Contender contenders[] = {{.name = "small", .role = Role::kSmall, .detections = scene.near},
                                  {.name = "big", .role = Role::kBig, .detections = scene.far},
                                  {.name = "both",
                                   .role = Role::kEndToEnd,
                                   .detections = ComposeCascade(scene.near, scene.far, uploaded),
                                   .uploaded = uploaded}};
  const auto standings = Compare(scene.images, scene.classes, contenders, {.bootstrap = bootstrap});
  int advanced = 0;
  const SweepResult result =
      PairSweep(scene.images, scene.classes, scene.near, scene.far, {})
          .Run({&order, 1}, {.ratios = {0.3}, .comparison = {.bootstrap = bootstrap}},
               [&] { ++advanced; });
  const SweepPoint& point = result.curves[0].points[0];
  EXPECT_EQ(point.voc07, standings[2].voc07);
  EXPECT_EQ(point.area, standings[2].area.value);
  EXPECT_EQ(point.ap50_95, standings[2].ap50_95.value);
  EXPECT_EQ(point.objects, standings[2].objects);
  EXPECT_EQ(point.found_share, standings[2].found_share);
  EXPECT_EQ(point.counted_share, standings[2].counted_share);
  EXPECT_EQ(point.recovered, standings[2].recovered);
  EXPECT_EQ(point.kept_voc07.value, standings[2].kept_voc07);
  EXPECT_EQ(result.near.voc07, standings[0].voc07);
  EXPECT_EQ(result.far.voc07, standings[1].voc07);
  EXPECT_EQ(advanced, 41);
}

TEST(PairSweep, AnswersFusedOrdersByTheFusedBoxesAndHoldsThemAgainstFar) {
  const Scene scene = MakeScene(50, 11);
  const FusionWeights weights{.agree = 0.3, .keep = 0.2};
  const std::vector<Detections> fused =
      ComposeCascade(scene.near, scene.far, std::vector<bool>(50, true), weights);
  UploadOrder order = ShuffledOrder(50, 3);
  const UploadOrder plain = order;
  order.fused = true;
  const UploadOrder orders[] = {plain, order};
  const SweepResult result =
      PairSweep(scene.images, scene.classes, scene.near, scene.far, {}, fused)
          .Run(orders, {.ratios = {0, 0.4, 1}, .comparison = {.bootstrap = {.draws = 10}}});
  const auto map_of = [&](const std::vector<Detections>& boxes) {
    return MeanAveragePrecision(MatchVoc(scene.images, boxes, kClasses), Interpolation::kVoc07);
  };
  const auto& points = result.curves[1].points;
  EXPECT_EQ(points[0].voc07, result.near.voc07);
  EXPECT_EQ(points[1].voc07.value,
            map_of(ComposeCascade(scene.near, scene.far, Uploads(order, 20), weights)));
  EXPECT_EQ(points[2].voc07.value, map_of(fused));
  EXPECT_EQ(result.far.voc07.value, map_of(scene.far));
  EXPECT_NE(points[2].voc07.value, result.far.voc07.value) << "the scene must tell them apart";
  EXPECT_DOUBLE_EQ(*points[2].recovered.value, (*map_of(fused) - *map_of(scene.near)) /
                                                   (*map_of(scene.far) - *map_of(scene.near)));
  EXPECT_EQ(result.curves[0].points[2].voc07, result.far.voc07);
  EXPECT_EQ(points[1].kept_voc07, result.curves[0].points[1].kept_voc07)
      << "what is kept is near's either way";
}

TEST(PairSweep, NeverDividesByAGapThatIsNotThere) {
  const Scene scene = MakeScene(20, 9);
  const UploadOrder order = ShuffledOrder(20, 1);
  const SweepOptions options{
      .ratios = {0.5}, .comparison = {.bootstrap = {.draws = 10}}, .reference = std::size_t{0}};
  const SweepResult equal =
      PairSweep(scene.images, scene.classes, scene.near, scene.near, {}).Run({&order, 1}, options);
  const SweepResult swapped =
      PairSweep(scene.images, scene.classes, scene.far, scene.near, {}).Run({&order, 1}, options);
  for (const SweepResult* result : {&equal, &swapped}) {
    EXPECT_EQ(result->curves[0].points[0].recovered, Figure{});
    EXPECT_EQ(result->curves[0].points[0].times_reference, Figure{});
    EXPECT_TRUE(result->curves[0].points[0].voc07.interval.has_value());
  }
}

TEST(PairSweep, IsDefinedWithoutObjectsAndWithoutOrders) {
  Scene scene = HandScene();
  const PairSweep full(scene.images, scene.classes, scene.near, scene.far, {});
  EXPECT_DOUBLE_EQ(*full.Run({}, {.ratios = {0.5}}).far.voc07.value, 1);
  for (TruthImage& image : scene.images) {
    image.objects.clear();
  }
  const PairSweep empty(scene.images, scene.classes, scene.near, scene.far, {});
  const UploadOrder order{"any", {0, 1, 2, 3}};
  const SweepResult result =
      empty.Run({&order, 1}, {.ratios = {0.5}, .comparison = {.bootstrap = {.draws = 5}}});
  EXPECT_EQ(result.curves[0].points[0].voc07, Figure{});
  EXPECT_EQ(result.curves[0].points[0].found_share, Figure{});
}

TEST(SweepOptions, RefusesRatiosThatAreNone) {
  EXPECT_FALSE(Validate(SweepOptions{}).has_value());
  EXPECT_FALSE(Validate(SweepOptions{.ratios = {0.5, 1.1}}).has_value());
  EXPECT_FALSE(Validate(SweepOptions{.ratios = {std::nan("")}}).has_value());
  EXPECT_FALSE(Validate(SweepOptions{.ratios = {0.5}, .comparison = {.iou = 0}}).has_value());
  EXPECT_TRUE(Validate(SweepOptions{.ratios = DefaultRatios()}).has_value());
  EXPECT_EQ(DefaultRatios().size(), 21U);
  EXPECT_EQ(DefaultRatios()[4], 0.2);
}

}  // namespace
}  // namespace nearfar
