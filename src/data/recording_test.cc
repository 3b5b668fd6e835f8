#include "data/recording.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/rng.h"
#include "data/coco.h"
#include "data/imports.h"
#include "data/test_folder.h"

namespace nearfar {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ModelIdentity SomeModel() {
  return {.name = "near",
          .version = "1",
          .hash = "0123456789abcdef",
          .preprocessing = "letterbox",
          .nms = "none",
          .score_floor = 0.01,
          .label_map = "abc",
          .input = {640, 480}};
}

RecordedFrame SomeFrame(const std::string& name) {
  return {.source = "/photos/" + name + ".jpg",
          .name = name,
          .index = 7,
          .rect = {0, 0, 500, 375},
          .size = {500, 375},
          .captured_ms = 1.7e12,
          .service_ms = 12.25,
          .features = {.brenner = 123.456, .jpeg_bytes = 34567},
          .detections = {{{0.1F, 2, 3, 4}, 0.9F, 1}, {{5, 6, 7, 8}, 0.01F, 0}}};
}

Recording SomeRecording() {
  RecordedFrame region = SomeFrame("a");
  region.region = RegionId{2};
  region.rect = {10, 20, 30, 40};
  return {
      .model = SomeModel(),
      .classes = {{"person", "dog"}},
      .frames = {SomeFrame("a"), region, {.name = "empty", .rect = {0, 0, 1, 1}, .size = {1, 1}}}};
}

TEST(Recording, ReadsBackEveryFieldAndWhatIsAbsentStaysSo) {
  const TestFolder folder;
  const std::string path = folder / "r.jsonl";
  ASSERT_TRUE(WriteRecording(path, SomeRecording()));
  const Expected<Recording> again = ReadRecording(path);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, SomeRecording());
  EXPECT_FALSE(again->frames[2].features.has_brenner());
  EXPECT_EQ(again->Find("a"), &again->frames[0]);
  EXPECT_EQ(again->Find("b"), nullptr);
  EXPECT_EQ(IndexByName(*again).size(), 2U);
}

TEST(Recording, IgnoresUnknownKeys) {
  const TestFolder folder;
  const std::string path = folder.Write(
      "r.jsonl",
      R"({"type":"recording","schema":1,"model":{"hash":"ab","gflops":7},"classes":["dog"],"x":1})"
      "\n"
      R"({"type":"recorded","name":"a","size":[5,6],"detections":[],"sharp":true})");
  const Expected<Recording> recording = ReadRecording(path);
  ASSERT_TRUE(recording) << recording.error().message;
  EXPECT_EQ(recording->frames[0].rect, (Rect{0, 0, 5, 6}));
}

TEST(Recording, SaysWhatIsWrongAndWhere) {
  const std::string header = R"({"type":"recording","schema":1,"model":{},"classes":["dog"]})"
                             "\n";
  const std::string frame = R"({"type":"recorded","name":"a","size":[5,6],"detections":[]})"
                            "\n";
  const std::pair<std::string, const char*> cases[] = {
      {"", "empty recording"},
      {"hello\n", "is no recording"},
      {"{\"type\":\"run\"}\n", "it is a trace"},
      {"{\"images\":[]}\n", "is no recording"},
      {R"({"type":"recording","schema":9,"model":{},"classes":[]})", "schema 9"},
      {R"({"type":"recording","schema":1,"model":{}})", ":1: the header: has no \"classes\""},
      {header + "{\"type\":\"frame\",\"name\":\"a\",\"size\":[1,1],\"detections\":[]}\n",
       ":2: the record's type is 'frame'"},
      {header + R"({"type":"recorded","size":[1,1],"detections":[]})",
       ":2: the frame: has no \"name\""},
      {header + R"({"type":"recorded","name":"a","size":[1,1],"detections":[[1,2,3,4,0.5,1]]})",
       ":2: label 1, but the header has 1 classes"},
      {header + R"({"type":"recorded","name":"a","size":[0,1],"detections":[]})",
       ":2: the frame.size"},
      {header + "{\"type\":\n" + frame, ":2: the line is no JSON"}};
  const TestFolder folder;
  for (const auto& [text, message] : cases) {
    const Expected<Recording> recording = ReadRecording(folder.Write("r.jsonl", text));
    ASSERT_FALSE(recording) << text;
    EXPECT_THAT(recording.error().message, AllOf(HasSubstr("r.jsonl"), HasSubstr(message)));
  }
  EXPECT_EQ(ReadRecording(folder / "none").error().code, ErrorCode::kNotFound);
}

TEST(Recording, CountsTheFirstOfFramesThatStandTwice) {
  const TestFolder folder;
  Recording recording = SomeRecording();
  recording.frames.push_back(recording.frames[0]);
  ASSERT_TRUE(WriteRecording(folder / "r.jsonl", recording));
  const Recording again = ReadRecording(folder / "r.jsonl").value();
  EXPECT_EQ(again.frames.size(), 3U);
  EXPECT_THAT(again.remarks, ElementsAre(HasSubstr("1 frames stand there more than once")));
}

TEST(Recording, CutAnywhereIsAnErrorOrARemarkAndCanBeGoneOnWith) {
  const TestFolder folder;
  ASSERT_TRUE(WriteRecording(folder / "whole.jsonl", SomeRecording()));
  const std::string text = ReadAll(folder / "whole.jsonl");
  const std::size_t header = text.find('\n');
  for (std::size_t i = 0; i < 50; ++i) {
    const std::size_t cut = text.size() * i / 50;
    const std::string path = folder.Write("cut.jsonl", text.substr(0, cut));
    const Expected<Recording> recording = ReadRecording(path);
    EXPECT_EQ(recording.has_value(), cut >= header) << cut;
    if (recording) {
      const bool at_line_end = text[cut - 1] == '\n' || text[cut] == '\n';
      EXPECT_EQ(recording->remarks.size(), at_line_end ? 0U : 1U) << cut;
    }
    {
      Expected<RecordingWriter> writer =
          RecordingWriter::Open(path, SomeModel(), SomeRecording().classes);
      ASSERT_TRUE(writer) << cut << writer.error().message;
      for (const RecordedFrame& frame : SomeRecording().frames) {
        if (!writer->Has(frame.name, frame.region)) {
          ASSERT_TRUE(writer->Append(frame));
        }
      }
    }
    EXPECT_EQ(ReadAll(path), text) << cut;
  }
}

TEST(RecordingWriter, AppendsSoThatEachFrameIsThereAtOnce) {
  const TestFolder folder;
  const std::string path = folder / "r.jsonl";
  Expected<RecordingWriter> writer = RecordingWriter::Open(path, SomeModel(), {{"person", "dog"}});
  ASSERT_TRUE(writer) << writer.error().message;
  EXPECT_THAT(ReadRecording(path)->frames, IsEmpty());
  EXPECT_FALSE(writer->Has("a"));
  ASSERT_TRUE(writer->Append(SomeFrame("a")));
  EXPECT_TRUE(writer->Has("a"));
  EXPECT_FALSE(writer->Has("a", RegionId{1}));
  EXPECT_EQ(writer->SourceOf("a"), "/photos/a.jpg");
  EXPECT_THAT(ReadRecording(path)->frames, ElementsAre(SomeFrame("a")));
}

TEST(RecordingWriter, GoesOnWhereItWasLeftEvenWithAnOddName) {
  const TestFolder folder;
  const std::string path = folder / "r.jsonl";
  const RecordedFrame odd = {
      .source = "s", .name = "caf\xE9", .rect = {0, 0, 1, 1}, .size = {1, 1}};
  ASSERT_TRUE(RecordingWriter::Open(path, SomeModel(), {})->Append(odd));
  const Expected<RecordingWriter> writer = RecordingWriter::Open(path, SomeModel(), {});
  ASSERT_TRUE(writer) << writer.error().message;
  EXPECT_EQ(writer->found(), 1U);
  EXPECT_TRUE(writer->Has("caf\xE9"));
  EXPECT_THAT(writer->remarks(), IsEmpty());
}

TEST(RecordingWriter, RefusesAnotherModelAndLeavesTheFileAsItIs) {
  const TestFolder folder;
  const std::string path = folder / "r.jsonl";
  ASSERT_TRUE(WriteRecording(path, SomeRecording()));
  const std::string before = ReadAll(path);
  ModelIdentity other = SomeModel();
  other.hash = "feedfeedfeedfeed";
  other.score_floor = 0.05;
  const Expected<RecordingWriter> writer =
      RecordingWriter::Open(path, other, SomeRecording().classes);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(writer.error().message, AllOf(HasSubstr("hash: 0123456789abcdef ≠ feedfeedfeedfeed"),
                                            HasSubstr("score floor")));
  EXPECT_THAT(RecordingWriter::Open(path, SomeModel(), {{"person"}}).error().message,
              HasSubstr("classes: 2 ≠ 1"));
  EXPECT_EQ(ReadAll(path), before);
}

TEST(RecordingWriter, RefusesAFileThatIsNoRecording) {
  const TestFolder folder;
  for (const char* text :
       {"precious notes", "{\"type\":\"run\"}\n", "[]", "{\"a\":1}\n{\"b\":2}\n"}) {
    const std::string path = folder.Write("notes.txt", text);
    EXPECT_FALSE(RecordingWriter::Open(path, SomeModel(), {})) << text;
    EXPECT_EQ(ReadAll(path), text);
  }
  EXPECT_EQ(RecordingWriter::Open(folder / "no/such/r.jsonl", SomeModel(), {}).error().code,
            ErrorCode::kIo);
  EXPECT_EQ(RecordingWriter::Open(folder.path(), SomeModel(), {}).error().code, ErrorCode::kIo);
}

TEST(RecordingWriter, RefusesASecondWriter) {
  const TestFolder folder;
  const Expected<RecordingWriter> first = RecordingWriter::Open(folder / "r", SomeModel(), {});
  ASSERT_TRUE(first);
  EXPECT_EQ(RecordingWriter::Open(folder / "r", SomeModel(), {}).error().code,
            ErrorCode::kUnavailable);
}

TEST(RecordingWriter, SaysSoWhenTheDiskIsFull) {
  if (!std::filesystem::exists("/dev/full")) {
    GTEST_SKIP() << "this system has no /dev/full";
  }
  const Expected<void> written = WriteRecording("/dev/full", SomeRecording());
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kIo);
}

TEST(CheckSameImages, NamesWhatOnlyOneHas) {
  Recording a = SomeRecording();
  Recording b = SomeRecording();
  EXPECT_TRUE(CheckSameImages(a, "near", b, "far"));
  EXPECT_TRUE(CheckSameImages({}, "near", {}, "far"));
  std::swap(b.frames.front(), b.frames.back());  // the order does not matter
  EXPECT_TRUE(CheckSameImages(a, "near", b, "far"));
  for (const char* name : {"x1", "x2", "x3", "x4", "x5"}) {
    a.frames.push_back(SomeFrame(name));
  }
  b.frames.push_back(SomeFrame("y"));
  EXPECT_THAT(CheckSameImages(a, "near", b, "far").error().message,
              AllOf(HasSubstr("near has 7 images, 5 of them alone (x1, x2, x3 and 2 more)"),
                    HasSubstr("far has 3 images, 1 of them alone (y)")));
}

TEST(Comp4, BecomesARecordingOverTheListedImages) {
  const TestFolder folder;
  folder.Write("dets/comp4_det_test_dog.txt",
               "b 0.020 11.5 21 30 40\nb 0.9 1 2 3 4\nzz 0.5 1 1 2 2\n");
  folder.Write("dets/comp4_det_test_traffic_light.txt", "a 0.0137 1 1 2 2\n");
  folder.Write("dets/comp4_det_test_cat.txt", "");
  folder.Write("images.csv", "image,width,height\nb,100,200\na,10,20\nnone,5,6\n");
  for (const std::string& path : {folder / "dets", folder / "dets/"}) {
    const Expected<Recording> recording = OpenRecording(path);
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_THAT(recording->classes.names, ElementsAre("cat", "dog", "traffic light"));
    ASSERT_EQ(recording->frames.size(), 3U);
    EXPECT_EQ(recording->frames[0].name, "b");
    EXPECT_EQ(recording->frames[0].size, (Size{100, 200}));
    EXPECT_THAT(
        recording->frames[0].detections,
        ElementsAre(Detection{{0, 1, 3, 4}, 0.9F, 1}, Detection{{10.5F, 20, 30, 40}, 0.02F, 1}));
    EXPECT_THAT(recording->frames[1].detections, ElementsAre(Detection{{0, 0, 2, 2}, 0.0137F, 2}));
    EXPECT_THAT(recording->frames[2].detections, IsEmpty());
    EXPECT_EQ(recording->frames[0].service_ms, -1);
    EXPECT_EQ(recording->frames[0].features, PixelFeatures{});
    EXPECT_EQ(recording->model.name, "dets");
    EXPECT_EQ(recording->model.hash, "");
    EXPECT_DOUBLE_EQ(recording->model.score_floor, 0.01);
    EXPECT_EQ(recording->model.label_map, Synonyms::Default().version());
    EXPECT_THAT(
        recording->remarks,
        ElementsAre(HasSubstr("images.csv"), HasSubstr("1 boxes in 1 images that are not listed")));
  }
}

TEST(Comp4, RemarksAHighScoreFloor) {
  const TestFolder folder;
  folder.Write("comp4_det_test_dog.txt", "b 0.302 1 2 3 4\n");
  folder.Write("images.csv", "image,width,height\nb,100,200\n");
  const Recording recording = OpenRecording(folder.path()).value();
  EXPECT_DOUBLE_EQ(recording.model.score_floor, 0.3);
  EXPECT_THAT(recording.remarks,
              ElementsAre(HasSubstr("images.csv"), HasSubstr("lowest score is 0.30")));
}

TEST(Comp4, SaysWhatIsWrongAndWhere) {
  const TestFolder folder;
  folder.Write("comp4_det_test_dog.txt", "b 0.5 1 2 3 4\nb 0.5 1 2\n");
  EXPECT_THAT(OpenRecording(folder.path()).error().message,
              HasSubstr("give a VOC folder or a CSV"));
  folder.Write("images.csv", "image,width,height\nb,100,200\n");
  EXPECT_THAT(
      OpenRecording(folder.path()).error().message,
      AllOf(HasSubstr("comp4_det_test_dog.txt:2: expected `id score"), HasSubstr("cut off")));
  folder.Write("comp4_det_test_dog.txt", "c 0.5 1 2 3 4\n");
  EXPECT_THAT(OpenRecording(folder.path()).error().message,
              AllOf(HasSubstr("no image in the files"), HasSubstr("(it has c)")));
  folder.Write("comp4_det_val_dog.txt", "");
  EXPECT_THAT(OpenRecording(folder.path()).error().message, HasSubstr("mixes comp4_det_test_*"));
  folder.Write("other/x.txt", "");
  EXPECT_THAT(OpenRecording(folder / "other").error().message, HasSubstr("holds no comp4_det_"));
  EXPECT_EQ(OpenRecording(folder / "none").error().code, ErrorCode::kNotFound);
}

constexpr const char* kInstances = R"({
  "images": [{"id": 139, "file_name": "000000000139.jpg", "width": 640, "height": 426},
             {"id": 7, "file_name": "street.jpg", "width": 586, "height": 640}],
  "annotations": [],
  "categories": [{"id": 1, "name": "person"}, {"id": 62, "name": "chair"}]})";

TEST(CocoResults, ReadBackAsTheRecordingThatTheyWereWrittenFrom) {
  const TestFolder folder;
  const std::string instances = folder.Write("instances.json", kInstances);
  const CocoCatalog catalog = ReadCocoCatalog(instances).value();
  const LabelSpace classes{{"chair", "unicorn", "person"}};
  {
    Expected<CocoResultsWriter> writer =
        CocoResultsWriter::Open(folder / "results.json", classes, &catalog);
    ASSERT_TRUE(writer) << writer.error().message;
    EXPECT_TRUE(nlohmann::json::accept(ReadAll(folder / "results.json")));
    ASSERT_TRUE(writer->Write("street", {{{1, 2, 30.5F, 4}, 0.75F, 2}, {{1, 2, 3, 4}, 0.5F, 1}}));
    EXPECT_EQ(writer->left_out(), 1U);
    EXPECT_TRUE(nlohmann::json::accept(ReadAll(folder / "results.json")));
    ASSERT_TRUE(writer->Write("000000000139", {}));
    ASSERT_TRUE(writer->Write("000000000139", {{{0, 0, 1, 1}, 0.25F, 0}}));
    EXPECT_EQ(writer->Write("elsewhere", {}).error().code, ErrorCode::kNotFound);
  }
  EXPECT_EQ(nlohmann::json::parse(ReadAll(folder / "results.json")),
            nlohmann::json::parse(
                R"([{"image_id":7,"category_id":1,"bbox":[1,2,29.5,2],"score":0.75},
                    {"image_id":139,"category_id":62,"bbox":[0,0,1,1],"score":0.25}])"));
  const Expected<Recording> recording = OpenRecording(folder / "results.json", instances);
  ASSERT_TRUE(recording) << recording.error().message;
  EXPECT_THAT(recording->classes.names, ElementsAre("person", "chair"));
  ASSERT_EQ(recording->frames.size(), 2U);
  EXPECT_THAT(recording->frames[0].detections, ElementsAre(Detection{{0, 0, 1, 1}, 0.25F, 1}));
  EXPECT_THAT(recording->frames[1].detections, ElementsAre(Detection{{1, 2, 30.5F, 4}, 0.75F, 0}));
  EXPECT_EQ(recording->frames[1].size, (Size{586, 640}));
}

TEST(CocoResults, NumberThemselvesAsCocoDoesWhereNobodyElseDoes) {
  EXPECT_EQ(CocoCategoryId("person"), 1);
  EXPECT_EQ(CocoCategoryId("stop sign"), 13);
  EXPECT_EQ(CocoCategoryId("toothbrush"), 90);
  EXPECT_EQ(CocoCategoryId("helmet"), -1);
  const TestFolder folder;
  Expected<CocoResultsWriter> writer =
      CocoResultsWriter::Open(folder / "r.json", {{"helmet", "toothbrush"}});
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->Write("000042", {{{0, 0, 1, 1}, 0.5F, 0}}));
  ASSERT_TRUE(writer->Write("yard", {{{0, 0, 1, 1}, 0.5F, 1}}));
  EXPECT_EQ(nlohmann::json::parse(ReadAll(folder / "r.json")),
            nlohmann::json::parse(
                R"([{"image_id":42,"category_id":1,"bbox":[0,0,1,1],"score":0.5},
                    {"image_id":"yard","category_id":90,"bbox":[0,0,1,1],"score":0.5}])"));
}

TEST(CocoResults, SayWhatIsWrongAndWhere) {
  const TestFolder folder;
  const std::string instances = folder.Write("instances.json", kInstances);
  const std::pair<const char*, const char*> cases[] = {
      {"[{\"image_id\":7}", "broken JSON"},
      {"[{\"image_id\":7}]", "[0]: has no \"category_id\""},
      {"[1, 2]", "holds something else"},
      {R"([{"image_id":7,"category_id":1,"bbox":[0,0,1,1],"score":0.5},
           {"image_id":8,"category_id":1,"bbox":[0,0,1,1],"score":0.5}])",
       "[1].image_id: the instances file has no image 8"},
      {R"([{"image_id":7,"category_id":3,"bbox":[0,0,1,1],"score":0.5}])", "no category 3"},
      {R"([{"image_id":7,"category_id":1,"bbox":[0,0,1],"score":0.5}])", "[0].bbox: expected"}};
  for (const auto& [text, message] : cases) {
    const Expected<Recording> recording = OpenRecording(folder.Write("r.json", text), instances);
    ASSERT_FALSE(recording) << text;
    EXPECT_THAT(recording.error().message, AllOf(HasSubstr("r.json"), HasSubstr(message)));
  }
  EXPECT_THAT(OpenRecording(folder.Write("r.json", "[]")).error().message,
              HasSubstr("give their instances JSON"));
  EXPECT_TRUE(OpenRecording(folder / "r.json", instances));
  const CocoCatalog catalog = ReadCocoCatalog(instances).value();
  EXPECT_EQ(CocoResultsWriter::Open(folder / "x.json", {{"unicorn"}}, &catalog).error().code,
            ErrorCode::kInvalidInput);
  EXPECT_EQ(CocoResultsWriter::Open(folder / "no/x.json", {{"person"}}).error().code,
            ErrorCode::kIo);
}

TEST(OpenRecording, OfABrokenFileOfAnyFormIsAnErrorOrARecordingButNeverACrash) {
  const TestFolder folder;
  ASSERT_TRUE(WriteRecording(folder / "r.jsonl", SomeRecording()));
  folder.Write("images.csv", "image,width,height\nb,100,200\n");
  const std::string instances = folder.Write("instances.json", kInstances);
  const struct {
    const char* file;
    const char* root;
    std::string text;
    std::string images;
  } forms[] = {{"r.jsonl", "r.jsonl", ReadAll(folder / "r.jsonl"), ""},
               {"dets/comp4_det_test_dog.txt", "dets", "b 0.02 11 21 30 40\nb 0.9 1 2 3 4\n", ""},
               {"results.json", "results.json",
                R"([{"image_id":7,"category_id":1,"bbox":[0,0,1,1],"score":0.5}])", instances},
               {"instances.json", "results.json", kInstances, instances}};
  for (const auto& form : forms) {
    folder.Write(form.file, form.text);
  }
  Rng rng(11);
  for (const auto& [file, root, text, images] : forms) {
    ASSERT_TRUE(OpenRecording(folder / root, images)) << root;
    for (std::size_t i = 0; i < 150; ++i) {
      std::string broken = text.substr(0, text.size() * std::min<std::size_t>(i, 50) / 50);
      if (i >= 50) {  // whole, with a few bytes changed
        for (int change = 0; change < 3; ++change) {
          broken[rng.Below(broken.size())] = static_cast<char>(rng.Below(256));
        }
      }
      folder.Write(file, broken);
      const Expected<Recording> recording = OpenRecording(folder / root, images);
      EXPECT_TRUE(recording || !recording.error().message.empty());
      for (const RecordedFrame& frame :
           recording ? recording->frames : std::vector<RecordedFrame>()) {
        for (const Detection& detection : frame.detections) {
          EXPECT_GE(detection.label, 0);
          EXPECT_LT(detection.label, recording->classes.size());
        }
      }
    }
    folder.Write(file, text);
  }
}

}  // namespace
}  // namespace nearfar
