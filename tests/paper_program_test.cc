// `nearfar paper` as its users run it: pairs by flags and from a file, tables out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/recording.h"
#include "data/test_folder.h"
#include "program.h"

namespace nearfar {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Forty images of a person each, every second with a dog that the small model only suspects.
class PaperProgram : public ::testing::Test {
 protected:
  static constexpr int kImages = 40;

  void SetUp() override {
    json instances = {
        {"images", json::array()},
        {"categories", {{{"id", 1}, {"name", "person"}}, {{"id", 2}, {"name", "dog"}}}},
        {"annotations", json::array()}};
    Recording near{.model = {.name = "tiny"}, .classes = {{"person", "dog"}}};
    Recording far{.model = {.name = "large"}, .classes = {{"person", "dog"}}};
    for (int i = 0; i < kImages; ++i) {
      const std::string name = "image" + std::to_string(i);
      instances["images"].push_back(
          {{"id", i}, {"file_name", name + ".jpg"}, {"width", 100}, {"height", 100}});
      const Detection person{{10, 10, 80, 90}, .9F, 0};
      const Detection dog{{85, 85, 95, 95}, .8F, 1};
      Annotate(instances, i, 1, person.box);
      RecordedFrame frame{.name = name, .rect = {0, 0, 100, 100}, .size = {100, 100}};
      frame.service_ms = 10;
      frame.detections = {person};
      near.frames.push_back(frame);
      far.frames.push_back(frame);
      if (i % 2 == 1) {
        Annotate(instances, i, 2, dog.box);
        near.frames.back().detections.push_back({{70, 85, 80, 95}, .3F, 1});
        far.frames.back().detections.push_back(dog);
      }
    }
    truth_ = folder_.Write("truth.json", instances.dump());
    ASSERT_TRUE(WriteRecording(near_ = folder_ / "near.rec", near));
    ASSERT_TRUE(WriteRecording(far_ = folder_ / "far.rec", far));
  }

  static void Annotate(json& instances, int image, int category, const Box& b) {
    instances["annotations"].push_back({{"id", instances["annotations"].size()},
                                        {"image_id", image},
                                        {"category_id", category},
                                        {"bbox", {b.x1, b.y1, b.x2 - b.x1, b.y2 - b.y1}}});
  }

  std::vector<std::string> Flags() const {
    return {"--dataset", "07+12", "--near", near_, "--far", far_, "--truth", truth_};
  }

  static ProgramResult SmallBig(const std::vector<std::string>& flags) {
    std::vector<std::string> words = {NEARFAR_BINARY, "paper", "small-big"};
    words.insert(words.end(), flags.begin(), flags.end());
    return RunProgram(words);
  }

  TestFolder folder_;
  std::string truth_, near_, far_;
};

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST_F(PaperProgram, PrintsAllTablesWithoutAnyPair) {
  const ProgramResult result = SmallBig({});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  for (const char* table : {"Table I.", "Table III.", "Table XI.", "Table XVII."}) {
    EXPECT_THAT(result.out, HasSubstr(table));
  }
  EXPECT_THAT(result.out, AllOf(HasSubstr("no pair named"), HasSubstr("71.61"),
                                HasSubstr("8325 of 9055 are 91.94 %, not 93.00 %")));
}

TEST_F(PaperProgram, FillsTheRowOfAPairAndSaysHowItDiffers) {
  const ProgramResult result = SmallBig(Flags() + std::vector<std::string>{"--table", "III"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("[1]  other models, 40 images, the paper's 4952"));
  EXPECT_THAT(result.out, HasSubstr("[1] small model 1, 07+12: near tiny, far large (the paper: "));
  EXPECT_THAT(result.out, HasSubstr("blur needs the Brenner gradient"));
  EXPECT_THAT(result.out, Not(HasSubstr("Table IV.")));
}

TEST_F(PaperProgram, GivesTheSameFiguresAsJsonMarkdownAndCsv) {
  const std::string out = folder_ / "csv";
  const ProgramResult result =
      SmallBig(Flags() + std::vector<std::string>{"--json", "-o", out, "--table", "III,IV"});
  ASSERT_EQ(result.status, 0) << result.err;
  const json tables = json::parse(result.out);
  ASSERT_EQ(tables["tables"].size(), 2U);
  json ours;
  for (const json& line : tables["tables"][0]["lines"]) {
    if (line["row"] == "07+12" && line["whose"] == "ours") {
      ours = line;
    }
  }
  ASSERT_FALSE(ours.is_null());
  EXPECT_EQ(ours["pair"], 1);
  EXPECT_DOUBLE_EQ(ours["values"]["Small model mAP(%)"], 50);
  EXPECT_DOUBLE_EQ(ours["values"]["Upload ratio(%)"], 50);
  EXPECT_DOUBLE_EQ(tables["pairs"][0]["ours"]["upload_ratio"], .5);
  EXPECT_EQ(tables["pairs"][0]["near"], "tiny");

  EXPECT_THAT(ReadAll(out + "/table_III.csv"),
              AllOf(StartsWith("row,whose,pair,Big model mAP(%)"),
                    HasSubstr("07+12,ours,1,100.00,50.00,100.00,50.00,100.00,\"other models, 40")));
  EXPECT_THAT(ReadAll(out + "/table_IV.csv"), HasSubstr("07+12,ours,1,60,40,60,100.00,"));
  EXPECT_THAT(ReadAll(out + "/pairs.csv"), HasSubstr("near tiny, far large"));

  const ProgramResult markdown =
      SmallBig(Flags() + std::vector<std::string>{"--markdown", "--table", "III"});
  EXPECT_EQ(markdown.status, 0) << markdown.err;
  EXPECT_THAT(markdown.out, HasSubstr("| ours | 100.00 | 50.00 | 100.00 | 50.00 | 100.00 | [1] |"));
}

TEST_F(PaperProgram, TakesPairsFromAFileAndOneMoreFromFlags) {
  const std::string pairs = folder_.Write(
      "pairs.yaml", "pairs:\n  - {small: 2, dataset: 07, near: " + near_ + ", far: " + far_ +
                        ", truth: " + truth_ + ", pictures: 30}\n");
  const ProgramResult result = SmallBig(std::vector<std::string>{pairs, "--json"} + Flags());
  ASSERT_EQ(result.status, 0) << result.err;
  const json tables = json::parse(result.out);
  ASSERT_EQ(tables["pairs"].size(), 2U);
  EXPECT_EQ(tables["pairs"][0]["models"], "small model 2");
  EXPECT_EQ(tables["pairs"][0]["images"], 30);
  EXPECT_EQ(tables["pairs"][1]["data"], "07+12");
  EXPECT_EQ(tables["pairs"][1]["images"], kImages);
}

TEST_F(PaperProgram, RunsModelsOverThePicturesOnceAndGoesOnWithTheirRecordings) {
  const ProgramResult scene =
      RunProgram({NEARFAR_BINARY, "scene", "--out", folder_ / "street", "--split", "val=12"});
  ASSERT_EQ(scene.status, 0) << scene.err;
  const std::vector<std::string> flags = {"--dataset",   "helmet",
                                          "--truth",     folder_ / "street",
                                          "--image-set", "val",
                                          "--near",      NEARFAR_SOURCE_DIR "/models/scene_near",
                                          "--far",       NEARFAR_SOURCE_DIR "/models/scene_far",
                                          "--cache",     folder_ / "cache",
                                          "--table",     "XI"};
  const ProgramResult first = SmallBig(flags);
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("12 images recorded, 0 were there already"));
  EXPECT_THAT(first.out, HasSubstr("service times of the recordings"));
  const ProgramResult again = SmallBig(flags);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, AllOf(HasSubstr("0 images recorded, 12 were there already"),
                               Not(HasSubstr("12 images recorded"))));
  EXPECT_EQ(again.out, first.out);

  std::filesystem::remove_all(folder_ / "street/JPEGImages");
  const ProgramResult blind = SmallBig(flags);
  EXPECT_EQ(blind.status, 3);
  EXPECT_THAT(blind.err, HasSubstr("there is no picture of 12 images"));
}

TEST_F(PaperProgram, KeepsTheRecordingsOfModelsApartWhoseFilesHaveOneName) {
  const ProgramResult scene =
      RunProgram({NEARFAR_BINARY, "scene", "--out", folder_ / "street", "--split", "val=4"});
  ASSERT_EQ(scene.status, 0) << scene.err;
  const ProgramResult result =
      SmallBig({"--dataset", "07", "--near", NEARFAR_SOURCE_DIR "/models/scene_near/1/model.onnx",
                "--far", NEARFAR_SOURCE_DIR "/models/scene_far/1/model.onnx", "--far-set",
                "input.size=320x256", "--truth", folder_ / "street", "--cache", folder_ / "cache",
                "--table", "III"});
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST_F(PaperProgram, SaysWhatIsWrongInOneLine) {
  const std::string other = folder_ / "other.rec";
  Recording strangers{.model = {.name = "x"}, .classes = {{"person"}}};
  strangers.frames = {{.name = "somewhere", .rect = {0, 0, 9, 9}, .size = {9, 9}}};
  ASSERT_TRUE(WriteRecording(other, strangers));
  const std::string typo = folder_.Write("typo.yaml", "pairs:\n  - smal: 1\n");
  const std::string bad_row =
      folder_.Write("row.yaml", "- {dataset: 08, near: a, far: b, truth: c}\n");
  const std::string no_far = folder_.Write("far.yaml", "- {dataset: 07, near: a, truth: c}\n");
  const struct {
    std::vector<std::string> flags;
    int status;
    const char* said;
  } cases[] = {
      {{"--near", near_}, 2, "the pair has no dataset"},
      {{typo}, 2, "typo.yaml:2: smal: there is no such key; do you mean small?"},
      {{no_far}, 2, "far.yaml:1: the pair has no far"},
      {{bad_row}, 3, "row.yaml:1: '08' is no data of the paper's tables: name 07, 07+12"},
      {{folder_ / "none.yaml"}, 2, "cannot open the list of pairs"},
      {{"--table", "II"}, 2, "there is no Table 'II'"},
      {Flags() + std::vector<std::string>{"--small", "9"}, 3, "'9' is no pair of the paper"},
      {Flags() + std::vector<std::string>{"--far", other}, 3, "no image in common"},
      {Flags() + std::vector<std::string>{"--far", folder_ / "gone.rec"}, 3, "gone.rec"},
      {Flags() + std::vector<std::string>{"--pictures", "0"}, 2, "no number from 1"},
      {Flags() + std::vector<std::string>{"--pictures", "1"}, 3, "fewer than the 2 folds"},
      {Flags() + std::vector<std::string>{"--ours-trace", folder_ / "no.jsonl"}, 3, "no.jsonl"},
      {Flags() + std::vector<std::string>{"--image-set", "voc07++12:test"}, 3,
       "voc07++12 needs VOC2012/Annotations"},
      {Flags() + std::vector<std::string>{"--image-set", "voc07:part"}, 3,
       "no part is called 'part'"},
      {Flags() + std::vector<std::string>{"-o", truth_ + "/inside"}, 3, "cannot make the folder"},
  };
  for (const auto& c : cases) {
    const ProgramResult result = SmallBig(c.flags);
    EXPECT_EQ(result.status, c.status) << c.said << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(c.said));
    EXPECT_EQ(result.out, "") << c.said;
  }
}

TEST_F(PaperProgram, TheOneClassAndFewImagesThatAreLeftAreSaid) {
  const ProgramResult result = SmallBig(
      Flags() + std::vector<std::string>{"--classes", "dog", "--pictures", "10", "--table", "IV"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("objects of 1 class"), HasSubstr("only 10 images")));
  EXPECT_THAT(result.out, AllOf(Not(HasSubstr("nan")), Not(HasSubstr("inf "))));
}

TEST_F(PaperProgram, ListsDataSetsAndWritesTheirPictures) {
  ASSERT_EQ(RunProgram({NEARFAR_BINARY, "scene", "--out", folder_ / "VOCdevkit/VOC2007", "--split",
                        "trainval=6", "--split", "test=4"})
                .status,
            0);
  const std::string devkit = folder_ / "VOCdevkit";
  const ProgramResult listed = RunProgram({NEARFAR_BINARY, "paper", "datasets", devkit});
  EXPECT_EQ(listed.status, 0) << listed.err;
  EXPECT_THAT(listed.out, AllOf(HasSubstr("6 images"), HasSubstr("voc07++12 needs VOC2012")));
  const std::string list = folder_ / "test.txt";
  const ProgramResult written =
      RunProgram({NEARFAR_BINARY, "paper", "datasets", devkit, "voc07+12:test", "--write", list});
  EXPECT_EQ(written.status, 0) << written.err;
  EXPECT_THAT(written.out, HasSubstr("voc07+12:test: 4 images"));
  const ProgramResult recorded =
      RunProgram({NEARFAR_BINARY, "record", list, "--model",
                  NEARFAR_SOURCE_DIR "/models/scene_near", "-o", folder_ / "test.rec"});
  EXPECT_EQ(recorded.status, 0) << recorded.err;
  EXPECT_THAT(recorded.out, HasSubstr("4 images recorded"));

  const struct {
    std::vector<std::string> words;
    int status;
    const char* said;
  } wrong[] = {
      {{devkit, "voc08:test"}, 2, "no data set 'voc08'"},
      {{devkit, "voc07"}, 2, "which part of it?"},
      {{folder_ / "gone"}, 3, "there is nothing at"},
      {{folder_ / "gone", "voc07:test"}, 3, "there is nothing at"},
      {{devkit, "--write", list}, 2, "--write needs the name"},
      {{devkit, "voc07:test", "--write", devkit}, 3, "cannot write"},
  };
  for (const auto& c : wrong) {
    const ProgramResult result =
        RunProgram(std::vector<std::string>{NEARFAR_BINARY, "paper", "datasets"} + c.words);
    EXPECT_EQ(result.status, c.status) << c.said << result.err;
    EXPECT_THAT(result.err, HasSubstr(c.said));
  }
}

}  // namespace
}  // namespace nearfar
