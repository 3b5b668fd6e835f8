#include "data/write_truth.h"

#include <gmock/gmock.h>

#include "data/read_truth.h"
#include "data/scene.h"
#include "data/scene_detector.h"
#include "data/test_folder.h"

namespace nearfar {
namespace {

Truth Example() {
  Truth truth = SceneTruth({.seed = 3}, {.count = 12});
  truth.images.push_back({.name = "z-empty", .size = {10, 20}});
  truth.images.push_back({.name = "z-odd",
                          .size = {100, 50},
                          .objects = {{.box = {0, 0, 0.25F, 50}, .label = 3},
                                      {.box = {1.5F, 2, 100, 3}, .label = 0, .difficult = true}}});
  return truth;
}

/// Boxes are written with two decimals in VOC.
void ExpectSameObjects(const TruthImage& read, const TruthImage& written, const LabelSpace& classes,
                       bool difficult_is_crowd) {
  EXPECT_EQ(read.size, written.size);
  ASSERT_EQ(read.objects.size(), written.objects.size()) << written.name;
  for (std::size_t i = 0; i < read.objects.size(); ++i) {
    const TruthObject& a = read.objects[i];
    const TruthObject& b = written.objects[i];
    EXPECT_NEAR(a.box.x1, b.box.x1, 0.006);
    EXPECT_NEAR(a.box.y1, b.box.y1, 0.006);
    EXPECT_NEAR(a.box.x2, b.box.x2, 0.006);
    EXPECT_NEAR(a.box.y2, b.box.y2, 0.006);
    EXPECT_EQ(classes.names[static_cast<std::size_t>(a.label)],
              SceneLabels().names[static_cast<std::size_t>(b.label)]);
    EXPECT_EQ(difficult_is_crowd ? a.crowd : a.difficult, b.difficult);
  }
}

TEST(VocXml, ReadsBackAsItWasWritten) {
  const Truth truth = Example();
  const TestFolder folder;
  for (const TruthImage& image : truth.images) {
    folder.Write("Annotations/" + image.name + ".xml",
                 FormatVocXml(image, truth.classes, image.name + ".jpg", "scene"));
  }
  const Expected<Truth> read = ReadTruth(folder.path());
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->images.size(), truth.images.size());
  for (std::size_t i = 0; i < truth.images.size(); ++i) {
    EXPECT_EQ(read->images[i].name, truth.images[i].name);
    ExpectSameObjects(read->images[i], truth.images[i], read->classes, false);
  }
}

TEST(CocoInstances, ReadBackAsTheyWereWritten) {
  const Truth truth = Example();
  const TestFolder folder;
  const Expected<Truth> read =
      ReadTruth(folder.Write("instances_all.json", FormatCocoInstances(truth)));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->images.size(), truth.images.size());
  for (std::size_t i = 0; i < truth.images.size(); ++i) {
    EXPECT_EQ(read->images[i].name, truth.images[i].name);
    ExpectSameObjects(read->images[i], truth.images[i], read->classes, true);
  }
}

TEST(VocXml, WritesWholePixelsWithoutDecimalsAndEscapesNames) {
  const TruthImage image{
      .name = "a", .size = {4, 5}, .objects = {{.box = {0, 1, 3, 4.5F}, .label = 0}}};
  const std::string xml = FormatVocXml(image, LabelSpace{{"a<b&c"}}, "a&.jpg", "s");
  EXPECT_THAT(xml, ::testing::HasSubstr("<name>a&lt;b&amp;c</name>"));
  EXPECT_THAT(xml, ::testing::HasSubstr("<filename>a&amp;.jpg</filename>"));
  EXPECT_THAT(xml, ::testing::HasSubstr("<xmin>1</xmin><ymin>2</ymin><xmax>3</xmax>"
                                        "<ymax>4.5</ymax>"));
}

}  // namespace
}  // namespace nearfar
