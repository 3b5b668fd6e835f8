#include "train/labelled_set.h"

#include <gmock/gmock.h>

#include <functional>
#include <limits>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Box kBox{0, 0, 10, 10};

RecordedFrame FrameOf(const std::string& name, Detections detections, Size size = {100, 50}) {
  return {.name = name, .rect = WholeOf(size), .size = size, .detections = std::move(detections)};
}

Recording Near() {
  return {.model = {.name = "small", .nms = "iou 0.5"},
          .classes = {{"person", "motorcycle", "zebra"}},
          .frames = {FrameOf("b", {{kBox, 0.9F, 1}, {kBox, 0.8F, 2}}), FrameOf("a", {})}};
}

Recording Far() {
  return {.model = {.name = "big", .nms = "iou 0.5"},
          .classes = {{"motorbike", "person", "cat"}},
          .frames = {FrameOf("a", {{kBox, 0.7F, 2}}),
                     FrameOf("b", {{kBox, 0.6F, 0}, {kBox, 0.5F, 1}})}};
}

Truth TruthOfBoth() {
  return {.classes = {{"cat", "motorbike", "person"}},
          .images = {{.name = "unseen", .size = {1, 1}},
                     {.name = "a", .size = {100, 50}},
                     {.name = "b",
                      .objects = {{.box = kBox, .label = 1},
                                  {.box = kBox, .label = 0},
                                  {.box = kBox, .label = 2, .difficult = true},
                                  {.box = kBox, .label = 2, .crowd = true}}}}};
}

Expected<LabelledSet> Join(const Recording& near, const Recording& far,
                           const Truth* truth = nullptr, const LabelledSetOptions& options = {}) {
  return JoinRecordings(near, far, truth, Synonyms::Default(), options);
}

TEST(JoinRecordings, MapsBothToTheirCommonClassesAndPairsImagesByName) {
  const LabelledSet set = Join(Near(), Far()).value();
  EXPECT_THAT(set.classes.names, ElementsAre("person", "motorcycle"));
  EXPECT_THAT(set.names, ElementsAre("b", "a"));
  EXPECT_THAT(set.images[0].near, ElementsAre(Detection{kBox, 0.9F, 1}));
  EXPECT_THAT(set.images[0].far, ElementsAre(Detection{kBox, 0.6F, 1}, Detection{kBox, 0.5F, 0}));
  EXPECT_THAT(set.images[1].far, ElementsAre());
  EXPECT_EQ(set.images[0].size, (Size{100, 50}));
  EXPECT_EQ(set.images[0].key, HashText("b"));
  EXPECT_FALSE(set.images[0].truth.has_value());
  EXPECT_THAT(set.remarks,
              ElementsAre("1 classes of near left out: zebra", "1 classes of far left out: cat"));
}

TEST(JoinRecordings, TakesTheTruthsObjectsAndMarksTheDifficultAndTheCrowds) {
  const Truth truth = TruthOfBoth();
  const LabelledSet set = Join(Near(), Far(), &truth).value();
  EXPECT_TRUE(set.has_truth);
  const auto wanted = [](const LabelledImage& image) { return MeasureTruth(image).count; };
  EXPECT_EQ(wanted(set.images[0]), 1);  // the motorbike; cat is no common class
  EXPECT_EQ(wanted(set.images[1]), 0);
  EXPECT_THAT(set.images[0].truth.value(),
              ElementsAre(TrueObject{kBox, 1, false}, TrueObject{kBox, 0, true},
                          TrueObject{kBox, 0, true}));
  const LabelledSet all = Join(Near(), Far(), &truth, {.count_difficult = true}).value();
  EXPECT_EQ(wanted(all.images[0]), 2);
}

TEST(JoinRecordings, TakesTheClassesThatAreNamedInAnySpelling) {
  const LabelledSet set = Join(Near(), Far(), nullptr, {.classes = {"Motorbike"}}).value();
  EXPECT_THAT(set.classes.names, ElementsAre("motorcycle"));
  EXPECT_EQ(set.images[0].near.size(), 1U);
  const auto unknown = Join(Near(), Far(), nullptr, {.classes = {"person", "cat"}});
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("class 'cat' is unknown to the near model"));
}

TEST(JoinRecordings, RefusesWhatDoesNotBelongTogether) {
  struct Row {
    std::function<void(Recording&, Recording&, Truth&)> spoil;
    const char* message;
  };
  const Row rows[] = {
      {[](Recording&, Recording& far, Truth&) { far.frames.pop_back(); },
       "different images: only near has b;"},
      {[](Recording& near, Recording& far, Truth&) {
         near.frames.pop_back();
         far.frames.pop_back();
       },
       "only near has b; only far has a; record both over the same images"},
      {[](Recording& near, Recording&, Truth&) { near.frames.clear(); },
       "the near recording (small) holds no images"},
      {[](Recording&, Recording& far, Truth&) { far.model.nms = "none"; },
       "far recording (big) holds boxes before NMS"},
      {[](Recording& near, Recording&, Truth&) { near.frames.push_back(near.frames[0]); },
       "holds image b twice"},
      {[](Recording& near, Recording&, Truth&) { near.frames[0].region = RegionId{1}; },
       "holds parts of image b"},
      {[](Recording& near, Recording&, Truth&) {
         near.frames[0].rect = {1, 0, 99, 50};
       },
       "holds parts of image b"},
      {[](Recording& near, Recording&, Truth&) {
         near.frames[0] = FrameOf("b", {}, {0, 0});
       },
       "does not know the size of image b"},
      {[](Recording& near, Recording&, Truth&) {
         near.frames[0] = FrameOf("b", {}, {50, 100});
       },
       "image b is 50x100 in the near recording, but 100x50 in the far one"},
      {[](Recording& near, Recording&, Truth&) {
         near.classes = {{"x", "y", "z"}};
       },
       "share no class: near knows x, y, z; far knows motorcycle, person, cat"},
      {[](Recording&, Recording&, Truth& truth) { truth.images.pop_back(); },
       "the truth says nothing of 1 of 2 recorded images (b)"},
      {[](Recording&, Recording&, Truth& truth) {
         truth.images[1].size = {9, 9};
         truth.images[2].size = {9, 9};
       },
       "no image is left"},
  };
  for (const Row& row : rows) {
    Recording near = Near();
    Recording far = Far();
    Truth truth = TruthOfBoth();
    row.spoil(near, far, truth);
    const auto set = Join(near, far, &truth);
    ASSERT_FALSE(set.has_value()) << row.message;
    EXPECT_THAT(set.error().message, HasSubstr(row.message));
  }
}

TEST(JoinRecordings, LeavesOutImagesWhoseAnnotationTellsAnotherSize) {
  Truth truth = TruthOfBoth();
  truth.images[1].size = {50, 100};
  const LabelledSet set = Join(Near(), Far(), &truth).value();
  EXPECT_THAT(set.names, ElementsAre("b"));
  EXPECT_THAT(set.remarks, ::testing::Contains(HasSubstr("1 images left out")));
}

TEST(DetectionsIn, RelabelsAndDropsWhatIsNoClassOfTheSpace) {
  const Recording near = Near();
  EXPECT_THAT(DetectionsIn({{"motorcycle"}}, near, near.frames[0], Synonyms::Default()),
              ElementsAre(Detection{kBox, 0.9F, 0}));
}

TEST(JoinRecordings, LeavesOutBoxesThatAreNoNumbersAndRemarksScoresThatAreNoShares) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Recording near = Near();
  near.frames[0].detections = {{kBox, kNan, 0}, {kBox, 0.9F, 1}, {{0, 0, kInfinity, 9}, 0.5F, 0}};
  near.frames[1].detections = {{kBox, kInfinity, 0}};
  Recording far = Far();
  far.frames[0].detections = {{kBox, 70, 1}, {kBox, -0.5F, 1}};  // percent, and a logit
  const LabelledSet set = Join(near, far).value();
  EXPECT_THAT(set.images[0].near, ElementsAre(Detection{kBox, 0.9F, 1}));
  EXPECT_THAT(set.images[1].near, ElementsAre());
  EXPECT_THAT(set.remarks,
              ::testing::IsSupersetOf(
                  {HasSubstr("3 boxes of near left out, whose score or corners are no finite "
                             "numbers, the first in image b"),
                   HasSubstr("2 boxes of far are scored outside [0, 1], the first in image a")}));
  // 0 and 1 are shares.
  near.frames[0].detections = {{kBox, 1, 0}, {kBox, 0, 1}};
  near.frames[1].detections.clear();
  const LabelledSet whole = Join(near, Far()).value();
  for (const std::string& remark : whole.remarks) {
    EXPECT_THAT(remark, HasSubstr("classes of"));
  }
}

}  // namespace
}  // namespace nearfar
