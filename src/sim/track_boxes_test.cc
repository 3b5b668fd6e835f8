#include "sim/track_boxes.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace nearfar {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Finds everybody, exactly where they are.
PersonDetector Perfect() {
  return {.name = "perfect",
          .heights = {16},
          .scores = {0.05},
          .evidence = {{40}},
          .hidden_loss = {0},
          .crowding_loss = {0},
          .false_above = {1},
          .echo_above = {1}};
}

/// Finds every other body of 100 px, and no part of one.
PersonDetector Weak() {
  PersonDetector weak = Perfect();
  weak.name = "weak";
  weak.heights = {50, 100, 200};
  weak.evidence = {{-40, 0, 40}};
  weak.hidden_loss = {100};
  return weak;
}

Tracks Walk(int frames = 50, Size frame = {1920, 1080}) {
  Tracks tracks{.name = "walk", .frame = frame, .fps = 10, .classes = {{"person", "car"}}};
  for (int i = 0; i < frames; ++i) {
    TrackFrame at{.number = i, .name = std::to_string(i), .seconds = i / 10.0};
    const auto x = static_cast<float>(100 + 5 * i);
    at.boxes = {{.box = {x, 200, x + 20, 250}, .track = 1},
                {.box = {x + 300, 200, x + 320, 250}, .track = 2, .label = 1},
                {.box = {x + 600, 200, x + 620, 250}, .track = 3, .score = 0.4F}};
    tracks.frames.push_back(at);
  }
  return tracks;
}

std::unique_ptr<BoxSource> Make(const Tracks& tracks, const std::vector<PersonDetector>& detectors,
                                const TrackBoxesOptions& options = {}) {
  auto source = MakeTrackBoxes(tracks, detectors, options);
  EXPECT_TRUE(source) << source.error().message;
  return std::move(*source);
}

constexpr Rect kWhole{0, 0, 3840, 2160};

TEST(TrackBoxes, ScalesTheSceneAndShowsPeopleAlone) {
  const auto source = Make(Walk(), {Perfect()}, {.bytes_per_px = 0.5});
  EXPECT_EQ(source->frames(), 50U);
  EXPECT_EQ(source->Frame(3),
            (SimFrame{.name = "3", .size = {3840, 2160}, .moment = std::chrono::milliseconds(300), .upload_bytes = 4147200}));
  const Detections found = source->Detect(0, kWhole, kWhole.size(), 0);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].box, (Box{200, 400, 240, 500}));
  EXPECT_EQ(found[0].label, 0);
  ASSERT_NE(source->TruthOf(0), nullptr);
  EXPECT_EQ((*source->TruthOf(0)), (std::vector<TruthObject>{{.box = {200, 400, 240, 500}}}));
}

TEST(TrackBoxes, FitsUprightScenesByTheirLongerSideOrIntoTheFrame) {
  const Tracks upright = Walk(1, {1000, 2000});
  EXPECT_EQ(FrameSizeOf(upright, {}), (Size{1920, 3840}));
  EXPECT_EQ(Make(upright, {Perfect()})->TruthOf(0)->at(0).box, (Box{192, 384, 230.4F, 480}));
  const TrackBoxesOptions letterbox{.frame = {3840, 2000},
                                    .fit = TrackBoxesOptions::Fit::kLetterbox};
  EXPECT_EQ(FrameSizeOf(upright, letterbox), (Size{3840, 2000}));
  EXPECT_EQ(Make(upright, {Perfect()}, letterbox)->TruthOf(0)->at(0).box,
            (Box{1520, 200, 1540, 250}));
}

TEST(TrackBoxes, CutsWhoStandsOnABorderAndFindsThemLessOften) {
  const auto source = Make(Walk(), {Perfect(), Weak()});
  const Rect half{0, 0, 220, 512};  // cuts the one at 200..240 in half
  const Detections cut = source->Detect(0, half, half.size(), 0);
  ASSERT_EQ(cut.size(), 1U);
  EXPECT_EQ(cut[0].box, (Box{200, 400, 220, 500}));
  const Rect sliver{0, 0, 205, 512};
  EXPECT_THAT(source->Detect(0, sliver, sliver.size(), 0), IsEmpty());
  const Rect beside{0, 0, 200, 512};
  EXPECT_THAT(source->Detect(0, beside, beside.size(), 0), IsEmpty());
  for (std::size_t frame = 0; frame < 1; ++frame) {
    EXPECT_THAT(source->Detect(frame, half, half.size(), 1), IsEmpty());
  }
}

TEST(TrackBoxes, SeesPeopleAtTheSizeToWhichTheRegionIsScaled) {
  const auto source = Make(Walk(), {Weak()});
  int at_half_height = 0;
  int at_height = 0;
  int at_double_height = 0;
  for (std::size_t frame = 0; frame < source->frames(); ++frame) {
    at_half_height += static_cast<int>(source->Detect(frame, kWhole, {1920, 1080}, 0).size());
    at_height += static_cast<int>(source->Detect(frame, kWhole, kWhole.size(), 0).size());
    at_double_height += static_cast<int>(source->Detect(frame, kWhole, {7680, 4320}, 0).size());
  }
  EXPECT_EQ(at_half_height, 0);
  EXPECT_GT(at_height, 5);
  EXPECT_LT(at_height, 45);
  EXPECT_EQ(at_double_height, 50);
}

TEST(TrackBoxes, GivesOneAnswerToOneQuestionAndAnotherToAnotherSeed) {
  const auto source = Make(Walk(), {Weak()});
  const auto again = Make(Walk(), {Weak()});
  const auto other = Make(Walk(), {Weak()}, {.seed = 2});
  bool differs = false;
  for (std::size_t i = 0; i < source->frames(); ++i) {
    const std::size_t frame = source->frames() - 1 - i;  // in whatever order
    const Detections found = source->Detect(frame, kWhole, kWhole.size(), 0);
    EXPECT_EQ(found, again->Detect(frame, kWhole, kWhole.size(), 0));
    // Regions agree on who is hard to find.
    const Rect tile{0, 0, 1280, 1280};
    EXPECT_EQ(found, source->Detect(frame, tile, tile.size(), 0));
    differs = differs || found != other->Detect(frame, kWhole, kWhole.size(), 0);
  }
  EXPECT_TRUE(differs);
}

TEST(TrackBoxes, MissesTheSamePersonForAWhile) {
  PersonDetector weak = Weak();
  const auto changes = [&](double persistence) {
    weak.persistence = persistence;
    const auto source = Make(Walk(400), {weak});
    int count = 0;
    bool before = false;
    for (std::size_t frame = 0; frame < source->frames(); ++frame) {
      const bool found = !source->Detect(frame, kWhole, kWhole.size(), 0).empty();
      count += frame > 0 && found != before ? 1 : 0;
      before = found;
    }
    return count;
  };
  EXPECT_LT(changes(1), 60);
  EXPECT_GT(changes(0), 150);
}

TEST(TrackBoxes, FindsNothingAsOftenAsTheDetectorDoesWherePeopleAreNot) {
  PersonDetector dreamer = Perfect();
  dreamer.false_per_mpx = 3;
  dreamer.false_height = 40;
  Tracks empty = Walk(300);
  for (TrackFrame& frame : empty.frames) {
    frame.boxes.clear();
  }
  const auto source = Make(empty, {dreamer});
  const Rect tile{512, 512, 1024, 1024};
  double whole = 0;
  double in_tile = 0;
  for (std::size_t frame = 0; frame < source->frames(); ++frame) {
    whole += static_cast<double>(source->Detect(frame, kWhole, kWhole.size(), 0).size());
    for (const Detection& d : source->Detect(frame, tile, tile.size(), 0)) {
      in_tile += 1;
      EXPECT_GE(d.box.x1, 512);
      EXPECT_LE(d.box.y2, 1536);
      EXPECT_GT(d.box.area(), 0);
      EXPECT_GE(d.score, 0.05F);
    }
  }
  EXPECT_NEAR(whole / 300, 3 * 8.2944, 2.5);
  EXPECT_NEAR(in_tile / 300, 3 * 1.048576, 0.9);
}

TEST(TrackBoxes, AddsEchoesAndPutsEdgesBesideThePerson) {
  PersonDetector rough = Perfect();
  rough.echoes = 1;
  rough.edge_share = 0.05;
  const auto source = Make(Walk(), {rough});
  std::set<float> edges;
  for (std::size_t frame = 0; frame < source->frames(); ++frame) {
    const Detections found = source->Detect(frame, kWhole, kWhole.size(), 0);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_GE(found[0].score, found[1].score);
    const float left = 2 * static_cast<float>(100 + 5 * frame);
    edges.insert(found[0].box.y1);
    EXPECT_NEAR(found[0].box.x1, left, 30);
  }
  EXPECT_GT(edges.size(), 20U);
}

TEST(TrackBoxes, RefusesWhatItCannotShow) {
  const auto message = [](const Tracks& tracks, std::vector<PersonDetector> detectors,
                          const TrackBoxesOptions& options = {}) {
    return MakeTrackBoxes(tracks, std::move(detectors), options).error().message;
  };
  EXPECT_THAT(message(Walk(), {}), HasSubstr("no detector"));
  EXPECT_THAT(message(Walk(), {PersonDetector{}}), HasSubstr("heights"));
  EXPECT_THAT(message(Walk(1, {}), {Perfect()}), HasSubstr("how large the frames of walk are"));
  EXPECT_THAT(message(Walk(), {Perfect()}, {.frame = {0, 5}}), HasSubstr("0x5"));
  EXPECT_THAT(message(Walk(), {Perfect()}, {.min_score = 2}), HasSubstr("min_score is 2"));
  EXPECT_THAT(message(Walk(), {Perfect()}, {.bytes_per_px = -1}), HasSubstr("bytes_per_px"));
  // No frames at all is a stream that ends at once.
  EXPECT_EQ(Make(Walk(0), {Perfect()})->frames(), 0U);
}

}  // namespace
}  // namespace nearfar
