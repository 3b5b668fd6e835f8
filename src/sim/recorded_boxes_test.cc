#include "sim/recorded_boxes.h"

#include <gmock/gmock.h>

#include "tiling/padding.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const LabelSpace kPeople{{"person"}};
constexpr Size kFrame{2000, 1000};

Detection Person(Box box, float score, int label = 1) { return {box, score, label}; }

RecordedFrame Region(const std::string& name, Rect rect, Detections detections) {
  return {.name = name,
          .rect = rect,
          .size = kFrame,
          .features = {.jpeg_bytes = 777},
          .detections = std::move(detections)};
}

/// Two tiles of 1000 px with a padding of 100 px, and the frame at a quarter of its size.
std::vector<Recording> Recorded(const std::string& name = "a") {
  const ModelIdentity tiles{.name = "m", .hash = "1", .input = {1100, 1100}};
  const ModelIdentity overview{.name = "m", .hash = "1", .input = {500, 250}};
  return {{.model = tiles,
           .classes = {{"car", "person"}},
           .frames = {Region(name, {0, 0, 1100, 1000},
                             {Person({50, 50, 90, 150}, 0.9F), Person({980, 50, 1020, 150}, 0.8F),
                              Person({1060, 50, 1100, 150}, 0.7F), Person({5, 5, 9, 9}, 0.6F, 0)}),
                      Region(name, {900, 0, 1100, 1000},
                             {Person({982, 50, 1022, 150}, 0.85F),
                              Person({1062, 50, 1130, 150}, 0.5F)})}},
          {.model = overview,
           .classes = {{"person"}},
           .frames = {Region(name, {0, 0, 2000, 1000}, {Person({0, 0, 800, 900}, 0.4F, 0)})}}};
}

std::unique_ptr<RecordedBoxes> Make(const std::vector<std::vector<Recording>>& recordings,
                                    const Truth* truth = nullptr) {
  auto made = RecordedBoxes::Make(recordings, truth, kPeople);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

TEST(RecordedBoxes, AnswersFromTheRegionThatWasRecorded) {
  const auto boxes = Make({Recorded()});
  EXPECT_EQ(boxes->frames(), 1U);
  EXPECT_EQ(
      boxes->Frame(0),
      (SimFrame{
          .name = "a", .size = kFrame, .features = {.jpeg_bytes = 777}, .upload_bytes = 777}));
  EXPECT_THAT(
      boxes->Detect(0, {900, 0, 1100, 1000}, {1100, 1000}, 0),
      ElementsAre(Person({982, 50, 1022, 150}, 0.85F, 0), Person({1062, 50, 1130, 150}, 0.5F, 0)));
  // The car is of no class in force.
  EXPECT_EQ(boxes->Detect(0, {0, 0, 1100, 1000}, {1100, 1000}, 0).size(), 3U);
  EXPECT_THAT(boxes->Detect(0, WholeOf(kFrame), {500, 250}, 0),
              ElementsAre(Person({0, 0, 800, 900}, 0.4F, 0)));
  EXPECT_EQ(boxes->TruthOf(0), nullptr);
}

TEST(RecordedBoxes, AnswersAJoinedRectangleFromItsTilesByTheBorderRule) {
  const auto boxes = Make({Recorded()});
  // At native size the whole frame is only known from its tiles: who is in both is there once, and
  // who is cut by a tile's border is taken from the one that shows them whole.
  EXPECT_THAT(
      boxes->Detect(0, WholeOf(kFrame), kFrame, 0),
      ElementsAre(Person({50, 50, 90, 150}, 0.9F, 0), Person({982, 50, 1022, 150}, 0.85F, 0),
                  Person({1062, 50, 1130, 150}, 0.5F, 0)));
}

TEST(RecordedBoxes, SaysBeforehandWhatItCannotAnswer) {
  const auto boxes = Make({Recorded()});
  const TileGrid grid = MakeTileGrid(kFrame, {1000, 1000});
  EXPECT_TRUE(boxes->Check(QuestionsOf(grid, EvenPadding(grid, {100, 100}), Size{500, 250})));
  EXPECT_TRUE(boxes->Check({}));
  const RegionQuestion whole[] = {{WholeOf(kFrame), kFrame}};
  EXPECT_TRUE(boxes->Check(whole));
  const auto other_padding =
      boxes->Check(QuestionsOf(grid, EvenPadding(grid, {64, 64}), std::nullopt));
  ASSERT_FALSE(other_padding);
  EXPECT_THAT(other_padding.error().message,
              HasSubstr("the region 1064x1000+0+0 at 1064x1000 of a by m and 1 more"));
  // Half the size is too far from what was recorded.
  const RegionQuestion halved[] = {{WholeOf(kFrame), {1000, 500}}};
  EXPECT_FALSE(boxes->Check(halved));
  EXPECT_THAT(boxes->Detect(0, WholeOf(kFrame), {1000, 500}, 0), IsEmpty());
  // A rectangle that the tiles leave half empty.
  const RegionQuestion beyond[] = {{{0, 0, 1500, 1000}, {1500, 1000}}};
  EXPECT_FALSE(boxes->Check(beyond));
}

TEST(RecordedBoxes, TakesOfSeveralTheOneRecordedNearestToTheScale) {
  std::vector<Recording> recordings = Recorded();
  Recording finer = recordings[1];
  finer.model.input = {600, 300};
  finer.frames[0].detections[0].score = 0.45F;
  recordings.push_back(finer);
  const auto boxes = Make({recordings});
  EXPECT_EQ(boxes->Detect(0, WholeOf(kFrame), {500, 250}, 0)[0].score, 0.4F);
  EXPECT_EQ(boxes->Detect(0, WholeOf(kFrame), {590, 295}, 0)[0].score, 0.45F);
}

TEST(RecordedBoxes, ShowsTheFramesThatEveryModelHasWithTheirTruth) {
  std::vector<Recording> first = Recorded();
  for (const Recording& recording : Recorded("b")) {
    first.push_back(recording);
  }
  std::vector<Recording> second = Recorded("b");
  for (Recording& recording : second) {
    recording.model.name = "n";
    recording.model.hash = "2";
  }
  const Truth truth{.classes = {{"dog", "person"}},
                    .images = {{.name = "b",
                                .size = kFrame,
                                .objects = {{.box = {1, 1, 2, 2}, .label = 0},
                                            {.box = {1, 1, 5, 9}, .label = 1}}}}};
  const auto boxes = Make({first, second}, &truth);
  ASSERT_EQ(boxes->frames(), 1U);
  EXPECT_EQ(boxes->Frame(0).name, "b");
  EXPECT_THAT(boxes->remarks(), ElementsAre("1 frames that not every model has: left out"));
  ASSERT_NE(boxes->TruthOf(0), nullptr);
  EXPECT_THAT(*boxes->TruthOf(0), ElementsAre(TruthObject{.box = {1, 1, 5, 9}}));
}

TEST(RecordedBoxes, RefusesRecordingsThatDoNotBelongTogether) {
  const auto message = [](const std::vector<std::vector<Recording>>& recordings,
                          const RecordedBoxesOptions& options = {}) {
    return RecordedBoxes::Make(recordings, nullptr, kPeople, options).error().message;
  };
  EXPECT_THAT(message({}), HasSubstr("no recording"));
  EXPECT_THAT(message({{}}), HasSubstr("no recorded frame"));
  EXPECT_THAT(message({Recorded("a"), Recorded("b")}), HasSubstr("no frame was recorded by every"));
  std::vector<Recording> mixed = Recorded();
  mixed[1].model.hash = "2";
  EXPECT_THAT(message({mixed}), HasSubstr("are of m (1) and of m (2)"));
  std::vector<Recording> sizes = Recorded();
  sizes[1].frames[0].size = {9, 9};
  EXPECT_THAT(message({sizes}), HasSubstr("two sizes"));
  EXPECT_THAT(message({Recorded()}, {.scale_tolerance = 0.5}), HasSubstr("scale_tolerance is 0.5"));
}

}  // namespace
}  // namespace nearfar
