#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/rng.h"
#include "data/coco.h"
#include "data/image_size.h"
#include "data/read_truth.h"
#include "data/test_folder.h"
#include "data/text.h"

namespace nearfar {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string VocFile(const std::string& file, const std::string& objects,
                    const std::string& size = "<width>500</width><height>281</height>") {
  return "<annotation>\n<filename>" + file + "</filename>\n<size>" + size + "</size>\n" + objects +
         "</annotation>\n";
}

std::string VocObject(const std::string& name, const std::string& xmin = "1",
                      const std::string& difficult = "0") {
  return "<object><name>" + name + "</name><difficult>" + difficult + "</difficult><bndbox><xmin>" +
         xmin + "</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>\n";
}

constexpr const char* kInstances = R"({
  "info": {"year": 2017},
  "images": [{"id": 139, "file_name": "000000000139.jpg", "width": 640, "height": 426},
             {"id": 285, "file_name": "sub/000000000285.jpg", "width": 586, "height": 640}],
  "annotations": [
    {"id": 1, "image_id": 285, "category_id": 62, "bbox": [10.5, 20, 30, 40], "area": 700.25,
     "iscrowd": 0, "segmentation": [[1, 2, 3, 4, 5, 6]]},
    {"id": 2, "image_id": 285, "category_id": 1, "bbox": [0, 0, 5, 6], "iscrowd": 1,
     "segmentation": {"counts": [1, 2], "size": [3, 4]}},
    {"id": 3, "image_id": 139, "category_id": 1, "bbox": [7, 7, 0, 6]}],
  "categories": [{"id": 1, "name": "person"}, {"id": 62, "name": "chair"},
                 {"id": 4, "name": "motorcycle"}]})";

TEST(VocTruth, ReadsADevkitWithItsPicturesInContinuousPixels) {
  const TestFolder folder;
  folder.Write("VOCdevkit/VOC2007/Annotations/000032.xml",
               VocFile("000032.jpg", VocObject("motorbike", "4.0", "1") + VocObject("person")));
  folder.Write("VOCdevkit/VOC2007/Annotations/000033.xml", VocFile("000033.jpg", ""));
  const std::string picture = folder.Write("VOCdevkit/VOC2007/JPEGImages/000032.jpg", "");
  for (const char* path : {"", "VOCdevkit", "VOCdevkit/VOC2007", "VOCdevkit/VOC2007/",
                           "VOCdevkit/VOC2007/Annotations"}) {
    const Expected<Truth> truth = ReadTruth(folder / path);
    ASSERT_TRUE(truth) << path << ": " << truth.error().message;
    EXPECT_THAT(truth->classes.names, ElementsAre("motorcycle", "person"));
    ASSERT_EQ(truth->images.size(), 2U);
    EXPECT_THAT(truth->remarks, IsEmpty());
    EXPECT_EQ(truth->images[0].name, "000032");
    EXPECT_TRUE(std::filesystem::equivalent(truth->images[0].file, picture)) << path;
    EXPECT_EQ(truth->images[0].size, (Size{500, 281}));
    EXPECT_THAT(truth->images[0].objects,
                ElementsAre(TruthObject{.box = {3, 1, 30, 40}, .label = 0, .difficult = true},
                            TruthObject{.box = {0, 1, 30, 40}, .label = 1}));
    EXPECT_EQ(truth->images[1], (TruthImage{.name = "000033", .size = {500, 281}}));
  }
}

TEST(VocTruth, ReadsAListOfImagesAlone) {
  const TestFolder folder;
  for (const char* name : {"a", "b", "c"}) {
    folder.Write("Annotations/" + std::string(name) + ".xml", VocFile("", VocObject("dog")));
  }
  folder.Write("ImageSets/Main/test.txt", "c\n a -1\n\n");
  for (const Expected<Truth>& truth :
       {ReadTruth(folder / "ImageSets/Main/test.txt"),
        ReadTruth(folder.path(), Synonyms::Default(), {.image_set = "test"})}) {
    ASSERT_TRUE(truth) << truth.error().message;
    ASSERT_EQ(truth->images.size(), 2U);
    EXPECT_EQ(truth->images[0].name, "c");
    EXPECT_EQ(truth->images[1].name, "a");
  }
  EXPECT_THAT(ReadTruth(folder.path(), Synonyms::Default(), {.image_set = "val"}).error().message,
              AllOf(HasSubstr("val.txt"), HasSubstr("there are: test")));
  folder.Write("ImageSets/Main/bad.txt", "a\nzzz\n");
  EXPECT_THAT(ReadTruth(folder / "ImageSets/Main/bad.txt").error().message,
              AllOf(HasSubstr("bad.txt:2: "), HasSubstr("zzz.xml")));
  folder.Write("ImageSets/Main/twice.txt", "a\na\n");
  EXPECT_THAT(ReadTruth(folder / "ImageSets/Main/twice.txt").error().message, HasSubstr("a twice"));
}

TEST(VocTruth, TakesObjectsWithoutNameOrBoxForNoneAndCountsThemInOneRemark) {
  const TestFolder folder;
  folder.Write("1.xml", VocFile("", VocObject("helmet") + VocObject("") + VocObject("helmet", "")));
  folder.Write("2.xml", VocFile("", "<object><name>helmet</name></object>"));
  folder.Write("3.xml", VocFile("", VocObject("helmet", "31")));  // xmax = 30: no pixel at all
  const Expected<Truth> truth = ReadTruth(folder.path());
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_EQ(truth->images[0].objects.size(), 1U);
  EXPECT_THAT(truth->images[1].objects, IsEmpty());
  EXPECT_THAT(truth->images[2].objects, IsEmpty());
  EXPECT_THAT(truth->remarks,
              ElementsAre("3 objects have no name or no box: left out (the first in 1.xml)",
                          "1 objects have a box without area: left out (the first in 3.xml)"));
}

TEST(VocTruth, KeepsABoxOfOnePixel) {
  const TestFolder folder;
  folder.Write("1.xml", VocFile("", VocObject("dot", "30")));
  EXPECT_EQ(ReadTruth(folder.path())->images[0].objects[0].box, (Box{29, 1, 30, 40}));
}

TEST(VocTruth, TakesAMissingSizeFromThePicture) {
  const TestFolder folder;
  folder.Write("1.xml", VocFile("", "", ""));
  folder.Write("2.xml", VocFile("", "", ""));
  folder.WritePicture("1.png", 320, 200);
  const Expected<Truth> truth = ReadTruth(folder.path());
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_EQ(truth->images[0].size, (Size{320, 200}));
  EXPECT_EQ(truth->images[1].size, (Size{0, 0}));
  EXPECT_THAT(truth->remarks, ElementsAre(HasSubstr("1 images have no size")));
}

TEST(VocTruth, NamesFileLineAndObjectOfAMistake) {
  const TestFolder folder;
  folder.Write("1.xml", "<annotation>\n<size>\n</annotation>");
  EXPECT_THAT(ReadTruth(folder.path()).error().message, HasSubstr("1.xml:3: broken XML"));
  folder.Write("1.xml", "<html/>");
  EXPECT_THAT(ReadTruth(folder.path()).error().message, HasSubstr("no <annotation>"));
  folder.Write("1.xml", "");
  EXPECT_THAT(ReadTruth(folder.path()).error().message, HasSubstr("broken XML"));
  folder.Write("1.xml", VocFile("", VocObject("dog") + VocObject("dog", "left")));
  EXPECT_THAT(ReadTruth(folder.path()).error().message,
              AllOf(HasSubstr("1.xml: object 2, <xmin>"), HasSubstr("'left' is no number")));
}

TEST(VocTruth, AsksWhichOfSeveralYears) {
  const TestFolder folder;
  folder.Write("VOC2007/Annotations/1.xml", VocFile("", ""));
  folder.Write("VOC2012/Annotations/1.xml", VocFile("", ""));
  EXPECT_THAT(ReadTruth(folder.path()).error().message,
              AllOf(HasSubstr("several sets"), HasSubstr("VOC2007"), HasSubstr("VOC2012")));
}

TEST(CocoTruth, ReadsBoxesCrowdsAreasAndFindsThePictures) {
  const TestFolder folder;
  folder.Write("annotations/instances_val2017.json", kInstances);
  const std::string picture = folder.Write("val2017/sub/000000000285.jpg", "");
  for (const char* path : {"", "annotations", "annotations/instances_val2017.json"}) {
    const Expected<Truth> truth = ReadTruth(folder / path);
    ASSERT_TRUE(truth) << path << ": " << truth.error().message;
    EXPECT_THAT(truth->classes.names, ElementsAre("person", "chair", "motorcycle"));
    ASSERT_EQ(truth->images.size(), 2U);
    EXPECT_EQ(truth->images[0], (TruthImage{.name = "000000000139", .size = {640, 426}}));
    EXPECT_EQ(truth->images[1].name, "000000000285");
    EXPECT_TRUE(std::filesystem::equivalent(truth->images[1].file, picture));
    EXPECT_THAT(truth->images[1].objects,
                ElementsAre(TruthObject{.box = {10.5F, 20, 40.5F, 60}, .label = 1, .area = 700.25F},
                            TruthObject{.box = {0, 0, 5, 6}, .label = 0, .crowd = true}));
    EXPECT_THAT(truth->remarks, ElementsAre("1 objects have a box without area: left out"));
  }
}

TEST(CocoTruth, NamesTheKeyOfAMistake) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"", "broken JSON"},
      {"[]", "looks like COCO results"},
      {R"({"images":[]})", "no COCO instances file"},
      {R"({"images":[{"id":1}],"annotations":[],"categories":[]})",
       "images[0]: has no \"file_name\""},
      {R"({"images":[],"annotations":[{"image_id":1,"category_id":1}],"categories":[]})",
       "annotations[0]: has no \"bbox\""},
      {R"({"images":[],"annotations":[{"image_id":1,"category_id":1,"bbox":[1,2,3]}],"categories":[]})",
       "annotations[0].bbox: expected [x, y, width, height]"},
      {R"({"images":[],"annotations":[{"image_id":1,"category_id":1,"bbox":[1,2,3,4]}],"categories":[]})",
       "annotations[0] names the image 1"},
      {R"({"images":[{"id":1,"file_name":"a.jpg","width":1,"height":1},
                     {"id":2,"file_name":"b/a.png","width":1,"height":1}],
           "annotations":[],"categories":[]})",
       "share the name 'a'"},
      {R"({"images":[{"id":1,"file_name":"a.jpg","width":1,"height":1},
                     {"id":1,"file_name":"b.png","width":1,"height":1}],
           "annotations":[],"categories":[]})",
       "two images have the id 1"},
  };
  const TestFolder folder;
  for (const auto& [text, message] : cases) {
    const Expected<Truth> truth = ReadTruth(folder.Write("instances.json", text));
    ASSERT_FALSE(truth) << text;
    EXPECT_THAT(truth.error().message, AllOf(HasSubstr("instances.json: "), HasSubstr(message)));
  }
}

TEST(YoloTruth, ReadsLabelsBesideImagesAndNamesFromEitherFile) {
  const TestFolder folder;
  folder.WritePicture("images/val/a.png", 200, 100);
  folder.WritePicture("images/val/b.png", 10, 10);
  folder.Write("labels/val/a.txt", "1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.3 0.2 0.3 0.6\r\n\n");
  const auto check = [](const Expected<Truth>& truth) {
    ASSERT_TRUE(truth) << truth.error().message;
    EXPECT_THAT(truth->classes.names, ElementsAre("helmet", "person"));
    ASSERT_EQ(truth->images.size(), 2U);
    EXPECT_EQ(truth->images[0].name, "a");
    EXPECT_EQ(truth->images[0].size, (Size{200, 100}));
    ASSERT_EQ(truth->images[0].objects.size(), 2U);
    EXPECT_EQ(truth->images[0].objects[0].label, 1);
    EXPECT_EQ(truth->images[0].objects[0].box, (Box{80, 30, 120, 70}));
    EXPECT_EQ(truth->images[0].objects[1].label, 0);
    EXPECT_NEAR(truth->images[0].objects[1].box.x1, 20, 1e-4);  // around the outline
    EXPECT_NEAR(truth->images[0].objects[1].box.y2, 60, 1e-4);
    EXPECT_THAT(truth->images[1].objects, IsEmpty());
    EXPECT_THAT(truth->remarks, ::testing::Contains(HasSubstr("1 images have no label file")));
  };
  folder.Write("classes.txt", "hat\nperson\n");
  check(ReadTruth(folder.path()));
  folder.Write("data.yaml", "path: /elsewhere\nval: images/val\nnames: [hat, person]\n");
  check(ReadTruth(folder.path()));
  folder.Write("data.yaml", "test: images/val\nnames:\n  1: person\n  0: Hardhat\n");
  check(ReadTruth(folder / "data.yaml"));
}

TEST(YoloTruth, NamesFileAndLineOfAMistake) {
  const struct {
    const char* label;
    const char* message;
  } cases[] = {
      {"0 0.5 0.5 0.2\n", "a.txt:1: expected `class x y width height`"},
      {"0 0.5 0.5 0.2 0.2\n2 0.5 0.5 0.2 0.2\n", "a.txt:2: class 2, but"},
      {"-1 0.5 0.5 0.2 0.2\n", "class -1"},
      {"0.5 0.5 0.5 0.2 0.2\n", "class 0.5"},
      {"0 0.5 0.5 0.2 0.2 0.9\n", "a sixth is a score"},
      {"0 0.5 x 0.2 0.2\n", "'x' is no number"},
      {"0 50 50 20 20\n", "from 0 to 1"},
  };
  const TestFolder folder;
  folder.WritePicture("images/a.png", 200, 100);
  folder.Write("classes.txt", "dog\n");
  EXPECT_THAT(ReadTruth(folder.path()).error().message, HasSubstr("has a label file"));
  for (const auto& [label, message] : cases) {
    folder.Write("labels/a.txt", label);
    const Expected<Truth> truth = ReadTruth(folder.path());
    ASSERT_FALSE(truth) << label;
    EXPECT_THAT(truth.error().message, HasSubstr(message));
  }
  folder.Write("data.yaml", "names: [a\nval: x\n");
  EXPECT_THAT(ReadTruth(folder.path()).error().message, HasSubstr("data.yaml:2: "));
  folder.Write("data.yaml", "names: [a]\nval: nowhere\n");
  EXPECT_THAT(ReadTruth(folder.path()).error().message,
              AllOf(HasSubstr("data.yaml:2: `val:`"), HasSubstr("nowhere")));
  folder.Write("data.yaml", "val: images\n");
  EXPECT_THAT(ReadTruth(folder.path()).error().message, HasSubstr("needs `names:`"));
  std::filesystem::remove(folder / "data.yaml");
  std::filesystem::remove(folder / "classes.txt");
  EXPECT_THAT(ReadTruth(folder.path()).error().message, HasSubstr("needs the class names"));
}

constexpr const char* kSequence =
    "[Sequence]\nimDir=img1\nseqLength=3\nimWidth=1920\nimHeight=1080\n";

TEST(MotTruth, WantsPedestriansAndForgivesTheirLikes) {
  const TestFolder folder;
  folder.Write("seqinfo.ini", kSequence);
  folder.Write("gt/gt.txt",
               "1,1,913,485,97,109,1,1,1.0\n"  // wanted
               "1,2,1,1,10,10,0,1,0\n"         // a pedestrian to be ignored
               "2,3,1,1,10,10,1,7,1.0\n"       // a static person
               "2,4,1,1,10,10,1,3,1.0\n"       // a car
               "9,5,1,1,10,10,1,1,1.0\n");     // beyond the sequence
  for (const char* path : {"", "gt/gt.txt", "seqinfo.ini"}) {
    const Expected<Truth> truth = ReadTruth(folder / path);
    ASSERT_TRUE(truth) << truth.error().message;
    ASSERT_EQ(truth->images.size(), 3U);
    EXPECT_EQ(truth->images[2], (TruthImage{.name = "000003", .size = {1920, 1080}}));
    EXPECT_THAT(truth->images[0].objects,
                ElementsAre(TruthObject{.box = {912, 484, 1009, 593}, .track = 1},
                            TruthObject{.box = {0, 0, 10, 10}, .difficult = true, .track = 2}));
    EXPECT_THAT(truth->images[1].objects,
                ElementsAre(TruthObject{.box = {0, 0, 10, 10}, .difficult = true, .track = 3}));
    EXPECT_THAT(truth->remarks, ElementsAre(HasSubstr("1 boxes of vehicles"),
                                            HasSubstr("1 boxes of frames that the sequence")));
  }
  // Pictures, where there are some, say which frames the set has.
  folder.Write("img1/000002.jpg", "");
  EXPECT_EQ(ReadTruth(folder.path())->images.size(), 1U);
  folder.Write("gt/gt.txt", "1,1,913,485\n");
  EXPECT_THAT(ReadTruth(folder.path()).error().message, HasSubstr("gt.txt:1: expected frame,id"));
  folder.Write("seqinfo.ini", "imWidth=wide\n");
  EXPECT_THAT(ReadTruth(folder.path()).error().message, HasSubstr("seqinfo.ini:1: imWidth"));
}

TEST(CsvTruth, ReadsObjectsAndTheListBesideThem) {
  const TestFolder folder;
  folder.Write("images.csv", "image,width,height\n000003,500,375\nx.jpg,50,40\n");
  const std::string file = folder.Write(
      "gt.csv",
      "image,class,xmin,ymin,xmax,ymax,difficult,truncated\n000003,sofa,123,155,215,195,1,0\n");
  const Expected<Truth> truth = ReadTruth(file);
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_THAT(truth->classes.names, ElementsAre("couch"));
  EXPECT_THAT(truth->images,
              ElementsAre(TruthImage{.name = "000003",
                                     .size = {500, 375},
                                     .objects = {{.box = {122, 154, 215, 195}, .difficult = true}}},
                          TruthImage{.name = "x", .size = {50, 40}}));
  EXPECT_THAT(*ReadImageList(folder / "images.csv"),
              ElementsAre(ListedImage{"000003", {500, 375}}, ListedImage{"x", {50, 40}}));
  folder.Write("gt.csv", "image,class,xmin,ymin,xmax,ymax\n000003,sofa,123,155,215\n");
  EXPECT_THAT(ReadTruth(file).error().message, HasSubstr("gt.csv:2: has 5 fields"));
  folder.Write("gt.csv", "image,class,xmin,ymin,xmax,ymax\n7,sofa,1,1,2,2\n");
  EXPECT_THAT(ReadTruth(file).error().message, HasSubstr("7 is not in images.csv"));
  folder.Write("gt.csv", "a,b\n");
  EXPECT_THAT(ReadTruth(file).error().message, HasSubstr("no column 'image'"));
  EXPECT_THAT(ReadImageList(folder.Write("s.csv", "image,width,height\na,0,1\n")).error().message,
              HasSubstr("s.csv:2: expected image,width,height"));
}

TEST(OrderClasses, TakesVocsOrderForVocsClassesAndElseTheAlphabet) {
  EXPECT_THAT(OrderClasses({}).names, IsEmpty());
  EXPECT_THAT(OrderClasses({"airplane", "couch", "tv", "train"}).names,
              ElementsAre("airplane", "couch", "train", "tv"));
  EXPECT_THAT(OrderClasses({"horse", "dining table", "dog"}).names,
              ElementsAre("dining table", "dog", "horse"));
  EXPECT_THAT(OrderClasses({"tv", "potted plant", "motorcycle", "person"}).names,
              ElementsAre("motorcycle", "person", "potted plant", "tv"));
  EXPECT_THAT(OrderClasses({"tv", "helmet", "sheep", "couch"}).names,
              ElementsAre("couch", "helmet", "sheep", "tv"));
  EXPECT_EQ(OrderClasses({VocLabels().names.begin(), VocLabels().names.end()}), VocLabels());
}

TEST(ReadTruth, SaysWhatItKnowsWhereItKnowsNothing) {
  const TestFolder folder;
  EXPECT_EQ(ReadTruth(folder / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadTruth(folder.path()).error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(ReadTruth(folder.Write("notes.txt", "hello")).error().message,
              AllOf(HasSubstr("notes.txt"), HasSubstr("PASCAL VOC"), HasSubstr("data.yaml")));
}

TEST(ReadTruth, OfACutFileIsAnErrorOrLessButNeverACrash) {
  const TestFolder folder;
  const std::string voc = VocFile("a.jpg", VocObject("dog") + VocObject("cat") + VocObject("dog"));
  const std::string coco = kInstances;
  for (std::size_t i = 0; i < 50; ++i) {
    folder.Write("voc/a.xml", std::string_view(voc).substr(0, voc.size() * i / 50));
    EXPECT_FALSE(ReadTruth(folder / "voc")) << i;
    const std::string file =
        folder.Write("instances.json", std::string_view(coco).substr(0, coco.size() * i / 50));
    EXPECT_FALSE(ReadTruth(file)) << i;
  }
}

TEST(ReadTruth, OfABrokenFileOfAnyFormIsAnErrorOrATruthButNeverACrash) {
  const struct {
    const char* file;
    std::string text;
  } forms[] = {
      {"voc/a.xml", VocFile("a.jpg", VocObject("dog") + VocObject("cat"))},
      {"coco/instances.json", kInstances},
      {"yolo/data.yaml", "val: images\nnames:\n  0: dog\n  1: cat\n"},
      {"yolo/labels/a.txt", "1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.3 0.2 0.3 0.6\n"},
      {"mot/gt/gt.txt", "1,1,913,485,97,109,1,1,1.0\n1,2,1,1,10,10,0,1,0\n"},
      {"mot/seqinfo.ini", kSequence},
      {"csv/gt.csv", "image,class,xmin,ymin,xmax,ymax,difficult\n000003,sofa,123,155,215,195,1\n"},
      {"csv/images.csv", "image,width,height\n000003,500,375\n"}};
  const TestFolder folder;
  folder.WritePicture("yolo/images/a.png", 200, 100);
  for (const auto& form : forms) {
    folder.Write(form.file, form.text);
  }
  const char* roots[] = {"voc", "coco", "yolo", "mot", "csv/gt.csv"};
  for (const char* root : roots) {
    ASSERT_TRUE(ReadTruth(folder / root)) << root;
  }
  Rng rng(7);
  for (const auto& [file, text] : forms) {
    for (std::size_t i = 0; i < 100; ++i) {
      std::string broken = text.substr(0, text.size() * std::min<std::size_t>(i, 50) / 50);
      if (i >= 50) {  // whole, with a few bytes changed
        for (int change = 0; change < 3; ++change) {
          broken[rng.Below(broken.size())] = static_cast<char>(rng.Below(256));
        }
      }
      folder.Write(file, broken);
      for (const char* root : roots) {
        if (std::string_view(file).substr(0, 3) == std::string_view(root).substr(0, 3)) {
          const Expected<Truth> truth = ReadTruth(folder / root);
          EXPECT_TRUE(truth || !truth.error().message.empty());
          for (const TruthImage& image : truth ? truth->images : std::vector<TruthImage>()) {
            for (const TruthObject& object : image.objects) {
              EXPECT_GE(object.label, 0);
              EXPECT_LT(object.label, truth->classes.size());
            }
          }
        }
      }
    }
    folder.Write(file, text);
  }
}

TEST(ImageSize, IsReadFromEachKindOfHeaderAndUpright) {
  const auto bytes = [](std::string_view text) {
    return std::vector<std::uint8_t>(text.begin(), text.end());
  };
  using namespace std::string_view_literals;
  const auto jpeg =
      "\xFF\xD8\xFF\xE0\x00\x04\x01\x02\xFF\xFF\xC0\x00\x0B\x08\x01\x00\x02\x03\x01\x01\x11\x00"sv;
  EXPECT_EQ(ImageSizeOf(bytes(jpeg)).value(), (Size{0x203, 0x100}));
  const auto turned =
      "\xFF\xD8\xFF\xE1\x00\x22"
      "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
      "\xFF\xC2\x00\x0B\x08\x01\x00\x02\x03\x01\x01\x11\x00"sv;
  EXPECT_EQ(ImageSizeOf(bytes(turned)).value(), (Size{0x100, 0x203}));
  const auto bmp = "BM____________\x28\0\0\0\x07\0\0\0\xFB\xFF\xFF\xFF"sv;  // rows top down
  EXPECT_EQ(ImageSizeOf(bytes(bmp)).value(), (Size{7, 5}));
  for (const auto& whole : {jpeg, turned, bmp}) {
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
      const Expected<Size> size = ImageSizeOf(bytes(whole.substr(0, cut)));
      EXPECT_TRUE(!size || whole != bmp || cut >= 26) << cut;
    }
  }
  EXPECT_FALSE(ImageSizeOf(bytes("hello, I am no picture")));
}

TEST(FileText, UnpacksGzipAndRefusesACutOne) {
  const TestFolder folder;
  const std::string text(10000, 'x');
  const std::string plain = folder.Write("plain", text);
  EXPECT_EQ(ReadFileText(plain).value(), text);
  ASSERT_EQ(std::system(("gzip -k " + plain).c_str()), 0);
  EXPECT_EQ(ReadFileText(plain + ".gz").value(), text);
  const std::string packed = ReadAll(plain + ".gz");
  EXPECT_EQ(ReadFileText(folder.Write("cut.gz", packed.substr(0, packed.size() / 2))).error().code,
            ErrorCode::kInvalidInput);
  EXPECT_EQ(ReadFileText(folder / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadFileText(folder.path()).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(ReadFileText(folder.Write("empty", "")).value(), "");
}

}  // namespace
}  // namespace nearfar
