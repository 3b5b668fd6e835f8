// Reads the bundle of real data, whole, and counts what its README says.

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "data/imports.h"
#include "data/read_truth.h"
#include "data/recording.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Bundle() {
  const char* place = std::getenv("NEARFAR_ASSETS");
  return place != nullptr ? place : NEARFAR_SOURCE_DIR "/../shared/assets";
}

std::size_t CountObjects(const Truth& truth) {
  std::size_t count = 0;
  for (const TruthImage& image : truth.images) {
    count += image.objects.size();
  }
  return count;
}

std::size_t CountPictures(const Truth& truth) {
  std::size_t count = 0;
  for (const TruthImage& image : truth.images) {
    count += std::filesystem::exists(image.file) ? 1 : 0;
  }
  return count;
}

TEST(Bundle, HasVocPhotosOf20Classes) {
  const Expected<Truth> truth = ReadTruth(Bundle() + "/VOCdevkit");
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_EQ(truth->images.size(), 469U);
  EXPECT_EQ(CountPictures(*truth), 469U);
  EXPECT_EQ(truth->classes, VocLabels());
  EXPECT_THAT(truth->remarks, IsEmpty());
  const Expected<Truth> listed = ReadTruth(Bundle() + "/VOCdevkit/VOC2007/ImageSets/Main/test.txt");
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_EQ(listed->images.size(), 469U);
}

TEST(Bundle, HasCocoPhotosWithCrowdsAndAreas) {
  const Expected<Truth> truth = ReadTruth(Bundle() + "/coco");
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_EQ(truth->images.size(), 200U);
  EXPECT_EQ(CountPictures(*truth), 200U);
  EXPECT_EQ(CountObjects(*truth), 1704U);
  EXPECT_EQ(truth->classes, CocoLabels());
  std::size_t crowds = 0;
  for (const TruthImage& image : truth->images) {
    for (const TruthObject& object : image.objects) {
      crowds += object.crowd ? 1 : 0;
      EXPECT_GT(object.area, 0);
    }
  }
  EXPECT_EQ(crowds, 9U);
}

TEST(Bundle, HasHelmetPhotosOfWhich45HaveNone) {
  const Expected<Truth> truth = ReadTruth(Bundle() + "/helmet");
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_EQ(truth->images.size(), 385U);
  EXPECT_EQ(CountPictures(*truth), 385U);
  EXPECT_THAT(truth->classes.names, ElementsAre("helmet"));
  std::size_t empty = 0;
  for (const TruthImage& image : truth->images) {
    empty += image.objects.empty() ? 1 : 0;
  }
  EXPECT_EQ(empty, 45U);
  EXPECT_THAT(truth->remarks, ElementsAre(HasSubstr("45 objects have no name or no box")));
}

TEST(Bundle, HasSixMotExcerpts) {
  std::size_t excerpts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Bundle() + "/mot")) {
    const Expected<Truth> truth = ReadTruth(entry.path().string());
    ASSERT_TRUE(truth) << truth.error().message;
    EXPECT_GT(truth->images.size(), 0U);
    EXPECT_EQ(CountPictures(*truth), truth->images.size());
    EXPECT_GT(CountObjects(*truth), truth->images.size());
    ++excerpts;
  }
  EXPECT_EQ(excerpts, 6U);
}

TEST(Bundle, HasFourDetectorsOutputsOn2351Images) {
  const std::string folder = Bundle() + "/voc07_detections/";
  const std::pair<const char*, std::size_t> detectors[] = {
      {"tiny_yolo_a", 62156}, {"yolov2", 34081}, {"tiny_yolo_b", 72247}, {"mobilenet_yolo", 25495}};
  std::vector<Recording> recordings;
  for (const auto& [name, lines] : detectors) {
    Expected<Recording> recording = OpenRecording(folder + name, folder + "images.csv");
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_EQ(recording->frames.size(), 2351U);
    EXPECT_EQ(recording->classes, VocLabels());
    EXPECT_DOUBLE_EQ(recording->model.score_floor, 0.01);
    EXPECT_THAT(recording->remarks, IsEmpty());
    std::size_t boxes = 0;
    for (const RecordedFrame& frame : recording->frames) {
      boxes += frame.detections.size();
    }
    EXPECT_EQ(boxes, lines) << name;
    recordings.push_back(std::move(*recording));
  }
  EXPECT_TRUE(CheckSameImages(recordings[0], "tiny_yolo_a", recordings[1], "yolov2"));

  // An import written as a recording file says the same.
  const std::string file = ::testing::TempDir() + "/nearfar_yolov2.jsonl";
  ASSERT_TRUE(WriteRecording(file, recordings[1]));
  const Expected<Recording> again = OpenRecording(file);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, recordings[1]);
  std::filesystem::remove(file);

  const Expected<Truth> truth = ReadTruth(folder + "gt.csv.gz");
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_EQ(truth->images.size(), 2351U);
  EXPECT_EQ(truth->classes, VocLabels());
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (!std::filesystem::exists(nearfar::Bundle() + "/README.md")) {
    std::puts("left out: no bundle at ../shared/assets or NEARFAR_ASSETS");
    return 0;
  }
  return RUN_ALL_TESTS();
}
