#include "sim/detector_model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/rng.h"
#include "data/test_folder.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

PersonDetector Plain() {
  return {.name = "plain",
          .heights = {16, 64, 256},
          .scores = {0.05, 0.25, 0.5, 0.8},
          .evidence = {{-2, 1, 3}, {-3, 0, 2}, {-4, -1, 2}, {-6, -3, 0}},
          .hidden_loss = {4, 4, 5, 4},
          .crowding_loss = {1, 1, 1, 0.5},
          .edge_share = 0.03,
          .edge_px = 1,
          .false_per_mpx = 2,
          .false_above = {1, 0.4, 0.2, 0.1},
          .echoes = 0.1,
          .echo_above = {1, 0.5, 0.2, 0}};
}

TEST(PersonDetector, FindsTheTallerAndTheLessHiddenMore) {
  const PersonDetector d = Plain();
  EXPECT_NEAR(RecallOf(d, {.height = 64}, 0.05), 1 / (1 + std::exp(-1.0)), 1e-9);
  EXPECT_NEAR(RecallOf(d, {.height = 32}, 0.05), 1 / (1 + std::exp(0.5)), 1e-9);
  EXPECT_NEAR(RecallOf(d, {.height = 64, .hidden = 0.25, .crowding = 1}, 0.5),
              1 / (1 + std::exp(3.25)), 1e-9);
  // Between two scores the chance is linear.
  EXPECT_NEAR(RecallOf(d, {.height = 64}, 0.15),
              (1 / (1 + std::exp(-1.0)) + 1 / (1 + std::exp(0.0))) / 2, 1e-9);
  // Below the first height the line goes on, above the last it is level.
  EXPECT_NEAR(RecallOf(d, {.height = 8}, 0), 1 / (1 + std::exp(3.5)), 1e-9);
  EXPECT_EQ(RecallOf(d, {.height = 256}, 0.5), RecallOf(d, {.height = 9000}, 0.5));
  EXPECT_EQ(RecallOf(d, {.height = 256}, 1), RecallOf(d, {.height = 256}, 1.5));
  EXPECT_EQ(RecallOf(d, {.height = 256}, 1), 0);
}

TEST(PersonDetector, FindsNobodyMoreOftenWithAHigherScore) {
  PersonDetector d = Plain();
  d.evidence[1] = {5, 5, 5};  // as regressions of little data may cross
  for (const double score : {0.1, 0.25, 0.4}) {
    EXPECT_LE(RecallOf(d, {.height = 32}, score), RecallOf(d, {.height = 32}, 0.05));
    EXPECT_TRUE(ScoreOf(d, {.height = 32}, 2).has_value());
  }
}

TEST(PersonDetector, DrawsScoresAsOftenAsItsRecallSays) {
  const PersonDetector d = Plain();
  Rng rng(3);
  constexpr int kDraws = 40000;
  const Sight sight{.height = 100, .hidden = 0.2, .crowding = 0.3};
  const double thresholds[] = {0.05, 0.1, 0.25, 0.6, 0.9};
  int above[5] = {};
  for (int i = 0; i < kDraws; ++i) {
    const auto score = ScoreOf(d, sight, rng.Normal());
    for (int t = 0; t < 5; ++t) {
      above[t] += score && *score > thresholds[t] ? 1 : 0;
    }
    if (score) {
      EXPECT_GT(*score, 0.05F);
      EXPECT_LE(*score, 1);
    }
  }
  for (int t = 0; t < 5; ++t) {
    EXPECT_NEAR(above[t] / double{kDraws}, RecallOf(d, sight, thresholds[t]), 0.01)
        << thresholds[t];
  }
  EXPECT_EQ(ScoreOf(d, sight, -std::numeric_limits<double>::infinity()), std::nullopt);
  EXPECT_LE(*ScoreOf(d, sight, std::numeric_limits<double>::infinity()), 1);
}

TEST(PersonDetector, DrawsFalseScoresByTheirShares) {
  const PersonDetector d = Plain();
  EXPECT_NEAR(FalseScoreOf(d, d.false_above, 0.999), 0.05, 0.01);
  EXPECT_NEAR(FalseScoreOf(d, d.false_above, 0.4), 0.25, 1e-6);
  EXPECT_NEAR(FalseScoreOf(d, d.false_above, 0.3), 0.375, 1e-6);
  EXPECT_NEAR(FalseScoreOf(d, d.false_above, 0), 1, 1e-6);
  EXPECT_LE(FalseScoreOf(d, d.echo_above, 0), 0.8F);
}

TEST(PersistentDeviate, IsNormalAndStaysForAWhile) {
  PersonDetector d = Plain();
  d.persistence = 0.7;
  d.persistence_s = 1;
  double sum = 0;
  double squares = 0;
  double near = 0;
  double far = 0;
  constexpr int kPeople = 20000;
  for (int i = 0; i < kPeople; ++i) {
    const auto who = MixBits(static_cast<std::uint64_t>(i));
    const double now = PersistentDeviate(d, who, 5);
    EXPECT_EQ(now, PersistentDeviate(d, who, 5));
    sum += now;
    squares += now * now;
    near += now * PersistentDeviate(d, who, 5.1);
    far += now * PersistentDeviate(d, who, 8);
  }
  EXPECT_NEAR(sum / kPeople, 0, 0.03);
  EXPECT_NEAR(squares / kPeople, 1, 0.04);
  EXPECT_GT(near / kPeople, 0.6);
  EXPECT_LT(near / kPeople, 0.72);
  EXPECT_NEAR(far / kPeople, 0, 0.03);
}

TEST(Hiding, CountsWhatLiesBehindLowerBoxes) {
  const Box people[] = {{0, 0, 10, 100}, {5, 50, 15, 150}, {200, 0, 210, 100}};
  const std::vector<Sight> sights = Hiding(people);
  EXPECT_NEAR(sights[0].hidden, 0.25, 0.02);  // the right half of the lower half
  EXPECT_EQ(sights[1].hidden, 0);
  EXPECT_NEAR(sights[0].crowding, 250.0 / 1750, 1e-5);
  EXPECT_EQ(sights[2], Sight{});
  EXPECT_TRUE(Hiding({}).empty());
  // Of two that end at one height the first is in front.
  const Box same[] = {{0, 0, 10, 100}, {0, 0, 10, 100}};
  EXPECT_EQ(Hiding(same)[0].hidden, 0);
  EXPECT_EQ(Hiding(same)[1].hidden, 1);
}

/// Truth and a recording of it made by a known detector.
struct Stage {
  Truth truth{.classes = {{"person"}}};
  Recording recording{.model = {.name = "plain", .hash = "1", .input = {1000, 1000}},
                      .classes = {{"car", "person"}}};
};

Stage Perform(const PersonDetector& d, int images) {
  Stage stage;
  Rng rng(7);
  for (int i = 0; i < images; ++i) {
    TruthImage image{.name = std::to_string(i), .size = {1000, 1000}};
    for (int p = 0; p < 12; ++p) {
      const auto h = static_cast<float>(16 * std::exp2(rng.Uniform(0, 4)));
      const auto x = static_cast<float>(rng.Uniform(0, 990.0 - h * 0.4));
      const auto y = static_cast<float>(rng.Uniform(0, 990.0 - h));
      image.objects.push_back({.box = {x, y, x + h * 0.4F, y + h}});
    }
    std::vector<Box> boxes;
    for (const TruthObject& object : image.objects) {
      boxes.push_back(object.box);
    }
    std::vector<Sight> sights = Hiding(boxes);
    RecordedFrame frame{.name = image.name, .rect = {0, 0, 1000, 1000}, .size = image.size};
    for (std::size_t p = 0; p < boxes.size(); ++p) {
      sights[p].height = boxes[p].height();
      if (const auto score = ScoreOf(d, sights[p], rng.Normal())) {
        Box box = boxes[p];
        box.x1 += static_cast<float>(rng.Normal() * std::hypot(1, 0.03 * box.width()));
        frame.detections.push_back({box, *score, 1});
      }
    }
    if (i % 2 == 0) {
      frame.detections.push_back({{0, 0, 3, 8}, 0.3F, 1});
      frame.detections.push_back({{0, 0, 3, 8}, 0.9F, 0});  // a car
    }
    std::sort(frame.detections.begin(), frame.detections.end(),
              [](const Detection& a, const Detection& b) { return a.score > b.score; });
    stage.truth.images.push_back(std::move(image));
    stage.recording.frames.push_back(std::move(frame));
  }
  return stage;
}

TEST(FitPersonDetector, FindsTheDetectorThatMadeTheRecording) {
  const PersonDetector made = Plain();
  const Stage stage = Perform(made, 500);
  const Expected<DetectorFit> fit = FitPersonDetector(stage.truth, std::vector{stage.recording});
  ASSERT_TRUE(fit) << fit.error().message;
  const PersonDetector& fitted = fit->detector;
  EXPECT_TRUE(Validate(fitted));
  EXPECT_EQ(fitted.people, 6000);
  for (const double height : {20.0, 40.0, 80.0, 160.0, 250.0}) {
    for (const double hidden : {0.0, 0.4}) {
      for (const double score : {0.05, 0.25, 0.5, 0.8}) {
        const Sight sight{.height = height, .hidden = hidden};
        EXPECT_NEAR(RecallOf(fitted, sight, score), RecallOf(made, sight, score), 0.07)
            << height << " " << hidden << " " << score;
      }
    }
  }
  for (const RecallCheck& check : fit->checks) {
    EXPECT_NEAR(check.fitted, check.measured, check.people > 300 ? 0.04 : 0.3) << check.what;
  }
  EXPECT_EQ(fit->checks[0].what, "16-32 px");
  // Half a box of nothing an image of 10^6 px.
  EXPECT_NEAR(fitted.false_per_mpx, 0.5, 0.05);
  EXPECT_NEAR(fitted.false_height, 8, 0.5);
  EXPECT_LT(fitted.edge_share, 0.05);
  EXPECT_EQ(*fit, *FitPersonDetector(stage.truth, std::vector{stage.recording}));
}

TEST(FitPersonDetector, StaysSmoothAndRisingWithLittleData) {
  const Stage stage = Perform(Plain(), 8);
  const Expected<DetectorFit> fit = FitPersonDetector(stage.truth, std::vector{stage.recording});
  ASSERT_TRUE(fit) << fit.error().message;
  const PersonDetector& fitted = fit->detector;
  double before = 0;
  for (double height = 4; height <= 256; height *= 1.2) {
    const double recall = RecallOf(fitted, {.height = height}, 0.25);
    EXPECT_GE(recall, before - 1e-6);
    EXPECT_LT(recall - before, 0.25) << height;
    before = recall;
  }
}

TEST(FitPersonDetector, CountsCutPeopleAtTheHeightThatTheRegionShows) {
  Stage stage = Perform(Plain(), 60);
  // The same as tiles that show the upper half, scaled by two.
  for (RecordedFrame& frame : stage.recording.frames) {
    frame.rect = {0, 0, 1000, 500};
    frame.input = {2000, 1000};
    frame.detections.clear();
  }
  const Expected<DetectorFit> fit = FitPersonDetector(stage.truth, std::vector{stage.recording});
  ASSERT_TRUE(fit) << fit.error().message;
  const PersonDetector& fitted = fit->detector;
  EXPECT_LT(fitted.people, 500);
  EXPECT_LT(RecallOf(fitted, {.height = 128}, 0.05), 0.05);
}

TEST(SeenScale, IsThatOfOverviewsTilesAndWholePictures) {
  const ModelIdentity model{.input = {640, 640}};
  const auto scale = [&](Rect rect, Size input) {
    return SeenScale(model, {.rect = rect, .input = input, .size = {3840, 2160}});
  };
  EXPECT_DOUBLE_EQ(scale({0, 0, 3840, 2160}, {960, 540}), 0.25);
  EXPECT_DOUBLE_EQ(scale({0, 0, 3840, 2160}, {}), 640.0 / 3840);
  EXPECT_DOUBLE_EQ(scale({0, 0, 320, 176}, {}), 1);
  EXPECT_DOUBLE_EQ(scale({0, 0, 1280, 640}, {}), 0.5);
  EXPECT_DOUBLE_EQ(scale({}, {}), 1);
  EXPECT_DOUBLE_EQ(SeenScale({}, {.rect = {0, 0, 9, 9}, .size = {9, 9}}), 1);
}

TEST(FitPersonDetector, SaysWhatItLacks) {
  Stage stage = Perform(Plain(), 10);
  const auto message = [](const Truth& truth, const std::vector<Recording>& recordings) {
    return FitPersonDetector(truth, recordings).error().message;
  };
  EXPECT_THAT(message(stage.truth, {}), HasSubstr("needs a recording"));
  EXPECT_THAT(message(Truth{.classes = {{"dog"}}}, {stage.recording}),
              HasSubstr("no class person"));
  Recording other = stage.recording;
  other.model.hash = "2";
  EXPECT_THAT(message(stage.truth, {stage.recording, other}), HasSubstr("different models"));
  other.classes = {{"dog"}};
  EXPECT_THAT(message(stage.truth, {other}), HasSubstr("has no class person"));
  stage.recording.frames.resize(4);
  EXPECT_THAT(message(stage.truth, {stage.recording}), HasSubstr("only 48 looks at people"));
}

TEST(PersonDetectorFile, ReadsBackAsItWasAndSaysWhatIsWrong) {
  const TestFolder folder;
  const PersonDetector d = Plain();
  const Expected<PersonDetector> read =
      ReadPersonDetector(folder.Write("plain.json", ToJson(d) + "\n"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, d);
  EXPECT_EQ(ReadPersonDetector(folder / "none.json").error().code, ErrorCode::kNotFound);
  const auto message = [](std::string_view text) {
    return ParsePersonDetector(text).error().message;
  };
  EXPECT_THAT(message("{"), HasSubstr("no JSON"));
  EXPECT_THAT(message("[]"), HasSubstr("expected an object"));
  EXPECT_THAT(message(R"({"type":"run"})"), HasSubstr("its type is 'run'"));
  EXPECT_THAT(message(R"({"type":"person-detector"})"), HasSubstr("has no \"heights\""));
  EXPECT_THAT(message(R"({"type":"person-detector","schema":9})"), HasSubstr("schema 9"));
  const auto broken = [](auto change) {
    PersonDetector wrong = Plain();
    change(wrong);
    return ParsePersonDetector(ToJson(wrong)).error().message;
  };
  EXPECT_THAT(broken([](PersonDetector& w) { w.heights = {16, 16, 20}; }), HasSubstr("heights"));
  EXPECT_THAT(broken([](PersonDetector& w) { w.evidence[1][0] = std::nan(""); }),
              HasSubstr("evidence"));
  EXPECT_THAT(broken([](PersonDetector& w) { w.evidence.pop_back(); }), HasSubstr("evidence"));
  EXPECT_THAT(broken([](PersonDetector& w) { w.hidden_loss[0] = -1; }), HasSubstr("hidden_loss"));
  EXPECT_THAT(broken([](PersonDetector& w) { w.scores[3] = 1; }), HasSubstr("scores"));
  EXPECT_THAT(broken([](PersonDetector& w) { w.false_above[3] = 0.9; }), HasSubstr("false_above"));
  EXPECT_THAT(broken([](PersonDetector& w) { w.echoes = -1; }), HasSubstr("echoes is -1"));
  EXPECT_THAT(broken([](PersonDetector& w) { w.persistence = 2; }), HasSubstr("persistence is 2"));
}

}  // namespace
}  // namespace nearfar
