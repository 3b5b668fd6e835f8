#include "data/paper_datasets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "data/read_truth.h"
#include "data/test_folder.h"

namespace nearfar {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Annotation(const std::string& name) {
  return "<annotation><size><width>100</width><height>80</height></size><object><name>" + name +
         "</name><bndbox><xmin>11</xmin><ymin>11</ymin><xmax>30</xmax><ymax>50</ymax></bndbox>"
         "</object></annotation>";
}

/// A VOCdevkit in small: VOC2007 with 7 + 5 images, VOC2012 with 35 in trainval.
class Devkit : public ::testing::Test {
 protected:
  static constexpr int kOf12 = 35;

  void SetUp() override {
    std::string trainval;
    std::string test;
    for (int i = 1; i <= 12; ++i) {
      const std::string id = "00000" + std::to_string(i);
      AddImage("VOC2007", id, i % 2 == 0 ? "dog" : "person");
      (i <= 7 ? trainval : test) += id + "\n";
    }
    folder_.Write("VOCdevkit/VOC2007/ImageSets/Main/trainval.txt", trainval);
    folder_.Write("VOCdevkit/VOC2007/ImageSets/Main/test.txt", test);
    std::string trainval12;
    for (int i = 0; i < kOf12; ++i) {
      const std::string id = "2008_0000" + std::to_string(10 + i);
      AddImage("VOC2012", id, i == 0 ? "cat" : "person");
      trainval12 += id + "\n";
    }
    folder_.Write("VOCdevkit/VOC2012/ImageSets/Main/trainval.txt", trainval12);
    // Annotated, but in no list: VOC2012's are more than its detection set.
    AddImage("VOC2012", "2008_999999", "person");
  }

  void AddImage(const std::string& year, const std::string& id, const std::string& object) {
    folder_.Write("VOCdevkit/" + year + "/Annotations/" + id + ".xml", Annotation(object));
    folder_.WritePicture("VOCdevkit/" + year + "/JPEGImages/" + id + ".jpg", 100, 80);
  }

  std::set<std::string> Names(const std::string& set) {
    const Expected<Truth> truth =
        ReadTruth(folder_ / "VOCdevkit", Synonyms::Default(), {.image_set = set});
    EXPECT_TRUE(truth) << (truth ? "" : truth.error().message);
    std::set<std::string> names;
    for (const TruthImage& image : truth->images) {
      names.insert(image.name);
      EXPECT_THAT(image.objects, SizeIs(1)) << image.name;
      EXPECT_TRUE(std::filesystem::exists(image.file)) << image.file;
    }
    EXPECT_EQ(names.size(), truth->images.size());
    return names;
  }

  TestFolder folder_;
};

std::size_t Common(const std::set<std::string>& a, const std::set<std::string>& b) {
  return static_cast<std::size_t>(
      std::count_if(a.begin(), a.end(), [&](const std::string& name) { return b.contains(name); }));
}

TEST_F(Devkit, Voc07AndVoc0712ShareTheirTestImages) {
  EXPECT_THAT(Names("voc07:train"), SizeIs(7));
  EXPECT_THAT(Names("voc07:test"), SizeIs(5));
  EXPECT_THAT(Names("voc07:all"), SizeIs(12));
  EXPECT_THAT(Names("voc07+12:train"), SizeIs(7 + kOf12));
  EXPECT_EQ(Names("voc07+12:test"), Names("voc07:test"));
}

TEST_F(Devkit, Voc07pp12TrainsOnAllButADrawOfVoc2012) {
  const auto train = Names("voc07++12:train");
  const auto test = Names("voc07++12:test");
  // 4952/11540 of 35 are 15.02.
  EXPECT_THAT(test, SizeIs(15));
  EXPECT_THAT(train, SizeIs(12 + kOf12 - 15));
  EXPECT_EQ(Common(train, test), 0U);
  EXPECT_THAT(train, Contains("000002"));
  EXPECT_TRUE(std::all_of(test.begin(), test.end(),
                          [](const std::string& name) { return name.starts_with("2008_0000"); }));
  EXPECT_THAT(Names("voc07++12:all"), SizeIs(12 + kOf12));
}

TEST_F(Devkit, ADrawHangsOnTheSeedAndTheNamesAlone) {
  const auto draw = Names("voc07++12:test");
  EXPECT_EQ(Names("voc07++12:test:seed=1"), draw);
  const auto other = Names("voc07++12:test:seed=2");
  EXPECT_THAT(other, SizeIs(15));
  EXPECT_NE(other, draw);
  // In another order, and with one image more, the same images are still in front.
  std::string reversed;
  for (int i = kOf12 - 1; i >= 0; --i) {
    reversed += "2008_0000" + std::to_string(10 + i) + "\n";
  }
  folder_.Write("VOCdevkit/VOC2012/ImageSets/Main/trainval.txt", reversed);
  EXPECT_EQ(Names("voc07++12:test"), draw);
  folder_.Write("VOCdevkit/VOC2012/ImageSets/Main/trainval.txt", reversed + "2008_999999\n");
  EXPECT_GE(Common(Names("voc07++12:test"), draw), 14U);
}

TEST_F(Devkit, ClassesOfBothYearsAreInOneSpaceInVocsOrder) {
  const auto truth = ReadPaperSet(folder_.path(), *ParsePaperSet("voc07+12:train"));
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_THAT(truth->classes.names, ElementsAre("cat", "dog", "person"));
  for (const TruthImage& image : truth->images) {
    if (image.name == "2008_000010") {
      EXPECT_EQ(image.objects[0].label, 0);
    }
    if (image.name == "2008_000011" || image.name == "000001") {
      EXPECT_EQ(image.objects[0].label, 2);
    }
  }
}

TEST_F(Devkit, SaysWhatIsNotThere) {
  std::filesystem::remove_all(folder_ / "VOCdevkit/VOC2012");
  const auto truth = ReadPaperSet(folder_ / "VOCdevkit", *ParsePaperSet("voc07++12:test"));
  ASSERT_FALSE(truth);
  EXPECT_EQ(truth.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(truth.error().message, HasSubstr("voc07++12 needs VOC2012/Annotations"));
  std::filesystem::remove(folder_ / "VOCdevkit/VOC2007/ImageSets/Main/trainval.txt");
  const auto without_list =
      ReadPaperSet(folder_ / "VOCdevkit/VOC2007", *ParsePaperSet("voc07:train"));
  ASSERT_FALSE(without_list);
  EXPECT_THAT(without_list.error().message, HasSubstr("trainval.txt; there are: test"));
  EXPECT_FALSE(ReadPaperSet(folder_ / "nowhere", {}));
}

TEST_F(Devkit, OneImageInBothYearsIsRefused) {
  AddImage("VOC2012", "000001", "person");
  folder_.Write("VOCdevkit/VOC2012/ImageSets/Main/trainval.txt", "000001\n");
  const auto truth = ReadPaperSet(folder_ / "VOCdevkit", *ParsePaperSet("voc07+12:train"));
  ASSERT_FALSE(truth);
  EXPECT_THAT(truth.error().message, HasSubstr("two parts of the set have an image 000001"));
}

TEST_F(Devkit, EmptyListsAreSaid) {
  folder_.Write("VOCdevkit/VOC2012/ImageSets/Main/trainval.txt", "\n");
  const auto truth = ReadPaperSet(folder_ / "VOCdevkit", *ParsePaperSet("voc07++12:test"));
  ASSERT_FALSE(truth);
  EXPECT_THAT(truth.error().message, HasSubstr("no image is in this part of voc07++12"));
}

std::string Instances(int first, int count, const std::string& extra_category = "") {
  std::string images;
  std::string objects;
  for (int i = first; i < first + count; ++i) {
    const std::string id = std::to_string(i);
    images += (images.empty() ? "" : ",") + std::string(R"({"id":)") + id + R"(,"file_name":")" +
              id + R"(.jpg","width":100,"height":80})";
    // Every third image has a person, every third a giraffe, every third both.
    for (const int category : {1, 25}) {
      if (i % 3 == 2 || i % 3 == (category == 1 ? 0 : 1)) {
        objects += (objects.empty() ? "" : ",") + std::string(R"({"id":)") +
                   std::to_string(2 * i + (category == 1 ? 0 : 1)) + R"(,"image_id":)" + id +
                   R"(,"category_id":)" + std::to_string(category) + R"(,"bbox":[1,2,30,40]})";
      }
    }
  }
  std::string categories = R"({"id":25,"name":"giraffe"})";
  int id = 100;
  for (const std::string& name : VocLabels().names) {
    categories += R"(,{"id":)" + std::to_string(name == "person" ? 1 : id++) + R"(,"name":")" +
                  name + R"("})";
  }
  return R"({"images":[)" + images + R"(],"annotations":[)" + objects + R"(],"categories":[)" +
         categories + extra_category + "]}";
}

TEST(CocoVoc, KeepsImagesWithAClassOfVocAndDrawsOneInTwenty) {
  const TestFolder folder;
  folder.Write("annotations/instances_train2017.json", Instances(0, 60));
  folder.Write("annotations/instances_val2017.json", Instances(60, 3));
  const auto all = ReadTruth(folder.path(), Synonyms::Default(), {.image_set = "coco-voc:all"});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->classes, VocLabels());
  EXPECT_THAT(all->images, SizeIs(42));  // two of three
  for (const TruthImage& image : all->images) {
    EXPECT_THAT(image.objects, SizeIs(1)) << image.name;
    EXPECT_EQ(all->classes.names[static_cast<std::size_t>(image.objects[0].label)], "person");
  }
  EXPECT_THAT(all->remarks, Contains(HasSubstr("42 images with an object of 20 classes")));
  const auto test = ReadPaperSet(folder.path(), *ParsePaperSet("coco-voc:test"));
  const auto train = ReadPaperSet(folder.path(), *ParsePaperSet("coco-voc:train"));
  ASSERT_TRUE(test && train);
  EXPECT_THAT(test->images, SizeIs(3));  // 2.1, rounded up
  EXPECT_THAT(train->images, SizeIs(39));
  EXPECT_THAT(test->remarks, Contains(HasSubstr("3 images drawn as test images by seed 1")));
}

TEST(CocoVoc, TakesTheClassesThatAreNamed) {
  const TestFolder folder;
  const std::string file = folder.Write("one.json", Instances(0, 9));
  const auto named = ReadPaperSet(file, *ParsePaperSet("coco-voc:all:classes=giraffe,dog"));
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_THAT(named->classes.names, ElementsAre("giraffe", "dog"));
  EXPECT_THAT(named->images, SizeIs(6));
  const auto strange = ReadPaperSet(file, *ParsePaperSet("coco-voc:all:classes=unicorn"));
  ASSERT_FALSE(strange);
  EXPECT_THAT(strange.error().message, HasSubstr("has no class 'unicorn'"));
}

TEST(CocoVoc, RefusesAFolderOfTwoYearsAndOneOfNone) {
  const TestFolder folder;
  EXPECT_FALSE(ReadPaperSet(folder.path(), *ParsePaperSet("coco-voc:all")));
  folder.Write("annotations/instances_val2014.json", Instances(0, 3));
  folder.Write("annotations/instances_val2017.json", Instances(0, 3));
  const auto truth = ReadPaperSet(folder.path(), *ParsePaperSet("coco-voc:all"));
  ASSERT_FALSE(truth);
  EXPECT_THAT(truth.error().message, HasSubstr("several years (2014, 2017)"));
}

TEST(Helmet, IsReadInVocsStyleWithOrWithoutLists) {
  const TestFolder folder;
  for (const char* id : {"a", "b", "c"}) {
    folder.Write(std::string("Annotations/") + id + ".xml", Annotation("helmet"));
  }
  const auto all = ReadPaperSet(folder.path(), *ParsePaperSet("helmet:all"));
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_THAT(all->images, SizeIs(3));
  const auto test = ReadPaperSet(folder.path(), *ParsePaperSet("helmet:test"));
  ASSERT_FALSE(test);
  EXPECT_THAT(test.error().message, HasSubstr("helmet:all takes every annotated image"));
  folder.Write("ImageSets/Main/test.txt", "c\n");
  folder.Write("ImageSets/Main/train.txt", "a\nb\n");
  EXPECT_THAT(ReadPaperSet(folder.path(), *ParsePaperSet("helmet:test"))->images, SizeIs(1));
  EXPECT_THAT(ReadPaperSet(folder.path(), *ParsePaperSet("helmet:train"))->images, SizeIs(2));
}

TEST(ParsePaperSet, ReadsNamePartSeedAndClasses) {
  EXPECT_EQ(*ParsePaperSet("voc07:test"), PaperSet{});
  EXPECT_EQ(*ParsePaperSet("voc07++12:train:seed=7"),
            (PaperSet{.name = "voc07++12", .part = PaperPart::kTrain, .seed = 7}));
  EXPECT_EQ(*ParsePaperSet("coco-voc:all:classes=dog,cat"),
            (PaperSet{.name = "coco-voc", .part = PaperPart::kAll, .classes = {"dog", "cat"}}));
}

TEST(ParsePaperSet, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "the paper has no data set ''"},
      {"voc08:test", "there are voc07, voc07+12, voc07++12, coco-voc, helmet"},
      {"voc07", "which part of it?"},
      {"voc07:", "no part is called ''"},
      {"voc07:val", "no part is called 'val'"},
      {"voc07:test:seed=1", "'seed=1' is nothing that voc07 has"},
      {"voc07++12:test:seed=", "the seed '' is no whole number"},
      {"voc07++12:test:seed=-1", "the seed '-1' is no whole number"},
      {"coco-voc:test:classes=", "a class without a name"},
      {"helmet:all:classes=hat", "'classes=hat' is nothing that helmet has"},
  };
  for (const auto& [text, message] : cases) {
    const auto set = ParsePaperSet(text);
    ASSERT_FALSE(set) << text;
    EXPECT_THAT(set.error().message, HasSubstr(message)) << text;
  }
}

TEST(IsPaperSet, NeedsTheColonSoThatListsMayHaveAnyName) {
  EXPECT_TRUE(IsPaperSet("voc07:test"));
  EXPECT_TRUE(IsPaperSet("helmet:"));
  EXPECT_FALSE(IsPaperSet("helmet"));
  EXPECT_FALSE(IsPaperSet("test"));
  EXPECT_FALSE(IsPaperSet(""));
}

}  // namespace
}  // namespace nearfar
