#include "data/scene.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/scene_detector.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

std::uint64_t HashPixels(const Image& image) {
  const PixelView view = image.view();
  return HashText(
      {reinterpret_cast<const char*>(view.data), static_cast<std::size_t>(view.size.area()) * 3});
}

TEST(Scene, GivesTheSameBytesForTheSameSeedOnEveryMachine) {
  const SceneOptions options{.seed = 5};
  // Written down once: whoever changes the drawing has to train the tiny pair anew.
  EXPECT_EQ(HashPixels(DrawPicture(options, 0).pixels), 0xEBB6CF07D40D245CULL);
  EXPECT_EQ(HashPixels(DrawStreetFrame(options, 7).pixels), 0xD5F2B6A3E802F565ULL);
}

TEST(Scene, GivesOtherPicturesForOtherSeedsAndIndices) {
  std::set<std::uint64_t> hashes;
  std::set<std::string> names;
  for (const std::uint64_t seed : {1, 2, 3}) {
    for (std::uint64_t index = 0; index < 5; ++index) {
      const ScenePicture picture = DrawPicture({.seed = seed}, index);
      hashes.insert(HashPixels(picture.pixels));
      names.insert(picture.name);
    }
  }
  EXPECT_EQ(hashes.size(), 15U);
  EXPECT_EQ(names.size(), 15U);
}

TEST(Scene, FindsTheSameObjectsWhetherPaintedOrNot) {
  const SceneOptions options{.seed = 6};
  for (std::uint64_t index = 0; index < 20; ++index) {
    EXPECT_EQ(DrawPicture(options, index).objects,
              DrawPicture(options, index, SceneContent::kObjectsOnly).objects);
    EXPECT_EQ(DrawStreetFrame(options, index).objects,
              DrawStreetFrame(options, index, SceneContent::kObjectsOnly).objects);
  }
  EXPECT_TRUE(DrawPicture(options, 0, SceneContent::kObjectsOnly).pixels.empty());
}

TEST(Scene, KeepsEveryBoxInsideTheFrameAndEveryShareBetweenNoneAndAll) {
  for (const Size size : {Size{320, 240}, Size{64, 64}, Size{640, 200}, Size{101, 333}}) {
    const SceneOptions options{.size = size, .seed = 7};
    for (std::uint64_t index = 0; index < 60; ++index) {
      for (const bool street : {false, true}) {
        const ScenePicture picture =
            street ? DrawStreetFrame(options, 5 * index, SceneContent::kObjectsOnly)
                   : DrawPicture(options, index, SceneContent::kObjectsOnly);
        for (const SceneObject& object : picture.objects) {
          EXPECT_GE(object.box.x1, 0);
          EXPECT_GE(object.box.y1, 0);
          EXPECT_LE(object.box.x2, static_cast<float>(size.width));
          EXPECT_LE(object.box.y2, static_cast<float>(size.height));
          EXPECT_GT(object.box.area(), 0);
          EXPECT_GE(object.visibility, 0);
          EXPECT_LE(object.visibility, 1);
          EXPECT_GT(object.inside, 0);
          EXPECT_LE(object.inside, 1);
          EXPECT_GE(object.label, 0);
          EXPECT_LT(object.label, SceneLabels().size());
        }
      }
    }
  }
}

TEST(Scene, PaintsAnObjectInsideItsBox) {
  // The picture without its objects is the same street with none asked for: compare pixel by pixel.
  const SceneOptions options{.seed = 8, .quiet_share = 1, .crowd_share = 0, .noise = 0};
  int warm_people = 0;
  int people = 0;
  for (std::uint64_t index = 0; index < 60; ++index) {
    const ScenePicture picture = DrawPicture(options, index);
    for (const SceneObject& object : picture.objects) {
      if (object.label != 0 || object.visibility < 0.95 || object.inside < 0.99) {
        continue;
      }
      // The middle of a person is its coat, and coats are warm.
      const auto x = static_cast<int>((object.box.x1 + object.box.x2) / 2);
      const auto y = static_cast<int>(object.box.y1 + 0.35F * object.box.height());
      const std::uint8_t* pixel = picture.pixels.view().row(y) + std::ptrdiff_t{3} * x;
      ++people;
      warm_people += pixel[2] > pixel[0] ? 1 : 0;
    }
  }
  EXPECT_GT(people, 10);
  EXPECT_EQ(warm_people, people);
}

TEST(Scene, MixesEmptyishAndCrowdedPicturesAsAsked) {
  const SceneOptions options{.seed = 9, .quiet_share = 0.5, .crowd_share = 0.3};
  std::map<SceneKind, int> pictures;
  std::map<SceneKind, double> objects;
  std::map<SceneKind, double> area;
  for (std::uint64_t index = 0; index < 600; ++index) {
    const ScenePicture picture = DrawPicture(options, index, SceneContent::kObjectsOnly);
    ++pictures[picture.kind];
    objects[picture.kind] += static_cast<double>(picture.objects.size());
    for (const SceneObject& object : picture.objects) {
      area[picture.kind] += object.box.area();
    }
  }
  EXPECT_NEAR(pictures[SceneKind::kQuiet], 300, 40);
  EXPECT_NEAR(pictures[SceneKind::kCrowd], 180, 40);
  EXPECT_LT(objects[SceneKind::kQuiet] / pictures[SceneKind::kQuiet], 2.01);
  EXPECT_GT(objects[SceneKind::kCrowd] / pictures[SceneKind::kCrowd], 6);
  EXPECT_GT(area[SceneKind::kQuiet] / objects[SceneKind::kQuiet],
            10 * area[SceneKind::kCrowd] / objects[SceneKind::kCrowd]);
}

TEST(Scene, HidesSomeObjectsBehindOthers) {
  const SceneOptions options{.seed = 10, .quiet_share = 0, .crowd_share = 1};
  int hidden = 0;
  int objects = 0;
  for (std::uint64_t index = 0; index < 50; ++index) {
    for (const SceneObject& object :
         DrawPicture(options, index, SceneContent::kObjectsOnly).objects) {
      ++objects;
      hidden += object.visibility < 0.8 ? 1 : 0;
    }
  }
  EXPECT_GT(hidden, objects / 20);
  EXPECT_LT(hidden, objects / 2);
}

TEST(Street, MovesEachTrackALittleFromFrameToFrame) {
  const SceneOptions options{.seed = 11};
  std::map<std::uint32_t, SceneObject> before;
  std::map<std::uint32_t, int> seen;
  std::map<std::uint32_t, int> label_of;
  double moved = 0;
  for (std::uint64_t index = 0; index < 300; ++index) {
    std::map<std::uint32_t, SceneObject> now;
    for (const SceneObject& object :
         DrawStreetFrame(options, index, SceneContent::kObjectsOnly).objects) {
      EXPECT_TRUE(now.emplace(object.track, object).second) << "a track twice in a frame";
      EXPECT_EQ(label_of.emplace(object.track, object.label).first->second, object.label);
      ++seen[object.track];
      const auto last = before.find(object.track);
      if (last == before.end()) {
        // Who was not there enters from a side.
        EXPECT_TRUE(index == 0 || object.box.x1 < 1 || object.box.x2 > 319 ||
                    seen[object.track] > 1);
        continue;
      }
      // Its fastest, cars, pass less than half their height in a tenth of a second; swinging limbs
      // widen and narrow a box besides.
      const float from = (last->second.box.x1 + last->second.box.x2) / 2;
      const float to = (object.box.x1 + object.box.x2) / 2;
      const float tall = object.box.height();
      EXPECT_LE(std::abs(to - from), 0.6F * tall + 1) << "track " << object.track;
      EXPECT_NEAR(object.box.y2, last->second.box.y2, 2);
      moved += std::abs(to - from);
    }
    before = std::move(now);
  }
  EXPECT_GT(seen.size(), 12U) << "nobody new came by";
  EXPECT_GT(moved, 300);
}

TEST(SceneTruth, LeavesOutWhatIsHiddenAndMarksWhatIsHardToSee) {
  ScenePicture picture{.name = "p", .size = {100, 100}};
  picture.objects = {
      {.box = {0, 0, 10, 10}, .visibility = 0.09},               // hidden
      {.box = {1, 0, 10, 10}, .visibility = 0.1},                // border: kept, difficult
      {.box = {2, 0, 10, 10}, .visibility = 0.39},               // difficult
      {.box = {3, 0, 10, 10}, .visibility = 0.4},                // border: plain
      {.box = {4, 0, 10, 10}, .visibility = 1, .inside = 0.49},  // half outside
      {.label = 2, .box = {5, 0, 10, 10}, .visibility = 1},
  };
  const TruthImage truth = ToTruth(picture);
  ASSERT_EQ(truth.objects.size(), 5U);
  std::vector<bool> difficult;
  for (const TruthObject& object : truth.objects) {
    difficult.push_back(object.difficult);
  }
  EXPECT_THAT(difficult, ::testing::ElementsAre(true, true, false, true, false));
  EXPECT_EQ(truth.objects[4].label, 2);
  EXPECT_TRUE(ToTruth(ScenePicture{}).objects.empty());
}

TEST(SceneOptions, AreRefusedWithFieldValueAndRange) {
  EXPECT_TRUE(Validate({}));
  struct Row {
    SceneOptions options;
    const char* says;
  };
  const std::vector<Row> rows = {
      {{.size = {63, 240}}, "63x240"},
      {{.size = {320, 4097}}, "320x4097"},
      {{.quiet_share = 0.7, .crowd_share = 0.4}, "sum"},
      {{.quiet_share = -0.1}, "quiet_share"},
      {{.quiet_share = std::nan("")}, "quiet_share"},
      {{.fewest_in_crowd = 0}, "0 to 14"},
      {{.fewest_in_crowd = 9, .most_in_crowd = 8}, "9 to 8"},
      {{.noise = 41}, "noise"},
      {{.frames_per_second = 0}, "frames_per_second"},
      {{.passers_by = 0}, "passers_by"},
  };
  for (const Row& row : rows) {
    const Expected<void> valid = Validate(row.options);
    ASSERT_FALSE(valid) << row.says;
    EXPECT_EQ(valid.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(valid.error().message, HasSubstr(row.says));
  }
}

/// Share of objects scored above 0.5 over many copies of one picture under different names.
double FoundShare(const DetectorModel& model, ScenePicture picture) {
  int found = 0;
  constexpr int kTimes = 2000;
  for (int i = 0; i < kTimes; ++i) {
    picture.name = std::to_string(i);
    const Detections detections = Detect(model, picture);
    found += std::any_of(detections.begin(), detections.end(), [&](const Detection& detection) {
      return detection.score > 0.5F && Iou(detection.box, picture.objects[0].box) > 0.5F;
    });
  }
  return static_cast<double>(found) / kTimes;
}

ScenePicture PictureOfOne(float side) {
  return {.size = {100, 100}, .objects = {{.box = {10, 10, 10 + side, 10 + side}}}};
}

TEST(DetectorModel, FindsLargerObjectsMoreOftenAndHalfOfThoseAtItsHalfSide) {
  DetectorModel model = NearDetectorModel();
  model.false_boxes = 0;
  double last = -1;
  for (const float side : {3.0F, 6.0F, 13.0F, 26.0F, 50.0F}) {
    const double share = FoundShare(model, PictureOfOne(side));
    EXPECT_GT(share, last) << side;
    last = share;
  }
  EXPECT_NEAR(FoundShare(model, PictureOfOne(13)), 0.5, 0.05);
  EXPECT_GT(last, 0.95);
}

TEST(DetectorModel, MissesTheCrowdedTheHiddenAndLessOfThemWhenItIsFar) {
  const DetectorModel near = NearDetectorModel();
  ScenePicture alone = PictureOfOne(18);
  ScenePicture crowded = alone;
  crowded.objects.push_back({.box = {12, 10, 30, 28}});
  ScenePicture hidden = alone;
  hidden.objects[0].visibility = 0.4;
  const double share = FoundShare(near, alone);
  EXPECT_LT(FoundShare(near, hidden), share - 0.2);
  // In a crowd its neighbour's box may lie over it: look at its own, which has label 3 here.
  crowded.objects[0].label = 3;
  int own = 0;
  for (int i = 0; i < 2000; ++i) {
    crowded.name = std::to_string(i);
    for (const Detection& detection : Detect(near, crowded)) {
      own += detection.label == 3 && detection.score > 0.5F ? 1 : 0;
    }
  }
  EXPECT_LT(own / 2000.0, share - 0.15);
  EXPECT_GT(FoundShare(FarDetectorModel(), alone), 0.95);
}

TEST(DetectorModel, SeesNothingInNothingButItsFalseBoxes) {
  DetectorModel model = NearDetectorModel();
  const ScenePicture nothing{.name = "none", .size = {100, 100}};
  model.false_boxes = 0;
  EXPECT_TRUE(Detect(model, nothing).empty());
  model.false_boxes = 20;
  EXPECT_EQ(Detect(model, nothing), Detect(model, nothing));
  EXPECT_GT(Detect(model, nothing).size(), 10U);
}

TEST(SceneRecording, HoldsThePicturesOfItsTruthInOrderWithScoresFalling) {
  const SceneOptions options{.seed = 12};
  const SceneRange range{.first = 3, .count = 40};
  const Truth truth = SceneTruth(options, range);
  const Recording near = RecordScene(NearDetectorModel(), options, range);
  const Recording far = RecordScene(FarDetectorModel(), options, range);
  ASSERT_EQ(truth.images.size(), 40U);
  ASSERT_EQ(near.frames.size(), 40U);
  EXPECT_EQ(near, RecordScene(NearDetectorModel(), options, range));
  EXPECT_NE(near.model.hash, far.model.hash);
  int near_found = 0;
  int far_found = 0;
  int wanted = 0;
  for (std::size_t i = 0; i < truth.images.size(); ++i) {
    EXPECT_EQ(near.frames[i].name, truth.images[i].name);
    EXPECT_EQ(near.frames[i].index, 3 + i);
    EXPECT_TRUE(
        std::is_sorted(near.frames[i].detections.begin(), near.frames[i].detections.end(),
                       [](const Detection& a, const Detection& b) { return a.score > b.score; }));
    near_found += CountAbove(near.frames[i].detections, 0.5F);
    far_found += CountAbove(far.frames[i].detections, 0.5F);
    wanted += static_cast<int>(truth.images[i].objects.size());
  }
  EXPECT_LT(near_found, 0.7 * wanted);
  EXPECT_GT(far_found, 0.8 * wanted);
  EXPECT_TRUE(RecordScene(NearDetectorModel(), options, {.count = 0}).frames.empty());
}

TEST(SceneRecording, OfAStreetCarriesItsTimes) {
  const Recording recording = RecordScene(FarDetectorModel(), {.seed = 13, .frames_per_second = 20},
                                          {.street = true, .count = 3});
  EXPECT_DOUBLE_EQ(recording.frames[2].captured_ms, 100);
  EXPECT_EQ(recording.frames[2].name, "street-13-000002");
}

}  // namespace
}  // namespace nearfar
