// `nearfar eval` as its users run it: files in, table or JSON out, exit status.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/recording.h"
#include "data/test_folder.h"
#include "program.h"
#include "trace/json_lines.h"
#include "train/discriminator_file.h"

namespace nearfar {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Box kPerson{10, 10, 30, 50};
constexpr Box kBicycle{50, 20, 90, 60};

/// Three images: one easy, one where the small model misses the bicycle, one empty. The far model
/// finds everything. The run uploaded image b; image c met a dead far node.
class EvalProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    truth_ = folder_.Write(
        "truth.json",
        json{{"images",
              {{{"id", 1}, {"file_name", "a.jpg"}, {"width", 100}, {"height", 80}},
               {{"id", 2}, {"file_name", "b.jpg"}, {"width", 100}, {"height", 80}},
               {{"id", 3}, {"file_name", "c.jpg"}, {"width", 100}, {"height", 80}}}},
             {"categories", {{{"id", 1}, {"name", "person"}}, {{"id", 2}, {"name", "bicycle"}}}},
             {"annotations",
              {Annotation(1, 1, 1, kPerson), Annotation(2, 2, 1, kPerson),
               Annotation(3, 2, 2, kBicycle)}}}
            .dump());
    const Detection person{kPerson, .9F, 0};
    const Detection bicycle{kBicycle, .8F, 1};
    Recording near{.model = {.name = "tiny"}, .classes = {{"person", "Bicycle", "cow"}}};
    near.frames = {Frame("a", 10, 1000, {person}),
                   Frame("b", 12, 2000, {person, {kBicycle, .3F, 2}}), Frame("c", 11, 500, {})};
    Recording far{.model = {.name = "large"}, .classes = {{"person", "bicycle"}}};
    far.frames = {Frame("a", 100, 1000, {person}), Frame("b", 120, 2000, {person, bicycle}),
                  Frame("c", 110, 500, {})};
    ASSERT_TRUE(WriteRecording(near_ = folder_ / "near.rec", near));
    ASSERT_TRUE(WriteRecording(far_ = folder_ / "far.rec", far));

    std::string lines = ToJsonLine(RunRecord{.classes = {{"person", "bicycle"}}}) + "\n";
    lines += ToJsonLine(Traced(0, "a", FrameStatus::kOk, {person}, {}, 15)) + "\n";
    lines += ToJsonLine(Traced(1, "b", FrameStatus::kOk, {person},
                               {{.request = RequestId{9},
                                 .link = LinkId{1},
                                 .detections = {person, bicycle},
                                 .total = milliseconds(40),
                                 .bytes_up = 2000}},
                               60)) +
             "\n";
    lines += ToJsonLine(Traced(2, "c", FrameStatus::kDegraded, {},
                               {{.request = RequestId{10},
                                 .link = LinkId{1},
                                 .error_code = "unavailable",
                                 .bytes_up = 300}},
                               70)) +
             "\n";
    trace_ = folder_.Write("run.jsonl", lines);
  }

  static json Annotation(int id, int image, int category, const Box& box) {
    return {{"id", id},
            {"image_id", image},
            {"category_id", category},
            {"iscrowd", 0},
            {"area", box.area()},
            {"bbox", {box.x1, box.y1, box.width(), box.height()}}};
  }

  static RecordedFrame Frame(const char* name, double service_ms, std::int64_t jpeg_bytes,
                             Detections detections) {
    RecordedFrame frame{.name = name, .rect = {0, 0, 100, 80}, .size = {100, 80}};
    frame.service_ms = service_ms;
    frame.features.jpeg_bytes = jpeg_bytes;
    frame.detections = std::move(detections);
    return frame;
  }

  static FrameRecord Traced(std::uint64_t id, const char* name, FrameStatus status, Detections near,
                            std::vector<Answer> far, int total_ms) {
    FrameRecord record{.frame = FrameId{id}, .name = name, .size = {100, 80}, .status = status};
    record.verdicts.push_back({.rect = {0, 0, 100, 80}, .uploaded = !far.empty()});
    record.detections = !far.empty() && far[0].ok() ? far[0].detections : near;
    record.provenance.assign(record.detections.size(), kNear);
    record.answers.push_back({.request = RequestId{id},
                              .node = "near",
                              .detections = near,
                              .total = milliseconds(10 + static_cast<int>(id))});
    record.answers.insert(record.answers.end(), far.begin(), far.end());
    record.total = milliseconds(total_ms);
    return record;
  }

  ProgramResult Eval(std::vector<std::string> flags) const {
    std::vector<std::string> words = {NEARFAR_BINARY, "eval", "--truth", truth_};
    words.insert(words.end(), flags.begin(), flags.end());
    return RunProgram(words);
  }

  json EvalJson(std::vector<std::string> flags) const {
    flags.emplace_back("--json");
    const ProgramResult result = Eval(flags);
    EXPECT_EQ(result.status, 0) << result.err;
    return result.status == 0 ? json::parse(result.out) : json();
  }

  TestFolder folder_;
  std::string truth_, near_, far_, trace_;
};

TEST_F(EvalProgram, JudgesARunBesideBothModels) {
  const json result = EvalJson({"--trace", trace_, "--near", near_, "--far", far_});
  ASSERT_EQ(result["rows"].size(), 3U);
  const json& small = result["rows"][0];
  EXPECT_EQ(small["role"], "small");
  EXPECT_DOUBLE_EQ(small["map_voc07"], 0.5) << "all persons, no bicycle";
  EXPECT_EQ(small["objects_found"], 2);
  EXPECT_EQ(small["bytes_up"], 0);
  EXPECT_DOUBLE_EQ(small["latency_ms"]["p50"], 11);
  const json& big = result["rows"][1];
  EXPECT_EQ(big["role"], "big");
  EXPECT_DOUBLE_EQ(big["map_voc07"], 1);
  EXPECT_EQ(big["bytes_up"], 3500);
  EXPECT_DOUBLE_EQ(big["latency_ms"]["p50"], 40) << "as the run saw it, not the engine's own time";
  const json& both = result["rows"][2];
  EXPECT_EQ(both["role"], "end-to-end");
  EXPECT_DOUBLE_EQ(both["map_voc07"], 1);
  EXPECT_EQ(both["objects_found"], 3);
  EXPECT_EQ(both["objects_counted"], 3);
  EXPECT_NEAR(both["upload_ratio"].get<double>(), 2.0 / 3, 1e-9);
  EXPECT_EQ(both["bytes_up"], 2300) << "the upload that failed cost its bytes";
  EXPECT_DOUBLE_EQ(both["latency_ms"]["p50"], 60);
  EXPECT_DOUBLE_EQ(both["latency_ms"]["p95"], 70);
  EXPECT_DOUBLE_EQ(both["gap_recovered"], 1);
  EXPECT_DOUBLE_EQ(both["found_of_big"], 1);
  EXPECT_EQ(both["kept_images"], 1);
  EXPECT_DOUBLE_EQ(both["kept_map_voc07"], 1);
}

TEST_F(EvalProgram, JudgesATraceAlone) {
  const json result = EvalJson({"--trace", trace_});
  ASSERT_EQ(result["rows"].size(), 2U) << "the near answers of the trace, and its final boxes";
  EXPECT_DOUBLE_EQ(result["rows"][0]["map_voc07"], 0.5);
  EXPECT_DOUBLE_EQ(result["rows"][1]["map_voc07"], 1);
  EXPECT_FALSE(result["rows"][1].contains("gap_recovered")) << "no big model to compare with";
}

TEST_F(EvalProgram, GivesTheNearModelNoRowWhereTheRunLeftItOut) {
  Trace trace = *ReadTrace(trace_);
  trace.frames[1].answers.erase(trace.frames[1].answers.begin());
  std::string lines = ToJsonLine(trace.run) + "\n";
  for (const FrameRecord& frame : trace.frames) {
    lines += ToJsonLine(frame) + "\n";
  }
  const json result = EvalJson({"--trace", folder_.Write("cloud_only.jsonl", lines)});
  ASSERT_EQ(result["rows"].size(), 1U);
  EXPECT_EQ(result["rows"][0]["role"], "end-to-end");
  EXPECT_DOUBLE_EQ(result["rows"][0]["map_voc07"], 1);
  EXPECT_THAT(result["notes"].dump(), HasSubstr("asked the near model about 2 of 3 images"));
}

TEST_F(EvalProgram, ReplaysDecisionsFromRecordings) {
  const json rows = EvalJson({"--near", near_, "--far", far_, "--discriminator", "random",
                              "smallbig", "--upload", "0", "1"})["rows"];
  ASSERT_EQ(rows.size(), 6U);
  for (const int none : {2, 4}) {
    EXPECT_EQ(rows[none]["map_voc07"], rows[0]["map_voc07"]);
    EXPECT_DOUBLE_EQ(rows[none]["gap_recovered"], 0);
    EXPECT_DOUBLE_EQ(rows[none]["latency_ms"]["p95"], 12);
    EXPECT_EQ(rows[none]["bytes_up"], 0);
  }
  for (const int all : {3, 5}) {
    EXPECT_EQ(rows[all]["map_voc07"], rows[1]["map_voc07"]);
    EXPECT_DOUBLE_EQ(rows[all]["gap_recovered"], 1);
    EXPECT_DOUBLE_EQ(rows[all]["latency_ms"]["p95"], 132);
    EXPECT_EQ(rows[all]["bytes_up"], 3500);
    EXPECT_FALSE(rows[all].contains("kept_map_voc07"));
  }
}

TEST_F(EvalProgram, SetsBaselinesBesideARunAtItsUploadRatio) {
  const json rows = EvalJson({"--trace", trace_, "--near", near_, "--far", far_, "--discriminator",
                              "random", "entropy"})["rows"];
  ASSERT_EQ(rows.size(), 5U);
  for (const int row : {2, 3, 4}) {
    EXPECT_NEAR(rows[row]["upload_ratio"].get<double>(), 2.0 / 3, 1e-9);
  }
}

TEST_F(EvalProgram, TakesACalibratedDiscriminatorAndRefusesOneMadeForAnotherModel) {
  // The entropies of images a, b and c are 0.33, 0.94 and 0.
  DiscriminatorFile file{.discriminator = {.name = "entropy"},
                         .version = "1",
                         .upload = UploadFit{.threshold = 0.5},
                         .near = {.name = "tiny"},
                         .classes = {{"person", "cow"}},
                         .images = 3};
  const std::string path = folder_ / "disc.json";
  ASSERT_TRUE(WriteDiscriminatorFile(path, file));
  const std::vector<std::string> flags = {"--near", near_, "--far", far_, "--discriminator", path};
  const json row = EvalJson(flags)["rows"][2];
  EXPECT_EQ(row["name"], "end to end, disc.json");
  EXPECT_NEAR(row["upload_ratio"].get<double>(), 1.0 / 3, 1e-9)
      << "the unsure cow of image b, which the truth does not know, still counts for the judge";
  EXPECT_EQ(row["bytes_up"], 2000);

  file.near.input = {320, 320};
  ASSERT_TRUE(WriteDiscriminatorFile(path, file));
  const ProgramResult refused = Eval(flags);
  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.err, HasSubstr("disc.json"));
}

TEST_F(EvalProgram, FusesBothAnswersAsTheFileOrTheFlagSays) {
  const auto names_of = [&](const std::string& judge, const std::vector<std::string>& fusion) {
    std::vector<std::string> flags = {"--near", near_, "--far", far_, "--discriminator", judge};
    if (!fusion.empty()) {
      flags.push_back("--fusion");
      flags.insert(flags.end(), fusion.begin(), fusion.end());
    }
    std::vector<std::string> names;
    const json rows = EvalJson(flags)["rows"];
    for (std::size_t i = 2; i < rows.size(); ++i) {
      names.push_back(rows[i]["name"]);
    }
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_of("cloud-only", {}), Names{"end to end, cloud-only"});
  EXPECT_EQ(names_of("cloud-only", {"off", "on", "agree=0.1,keep=0.2", "agree=0.1,keep=0.2"}),
            (Names{"end to end, cloud-only", "end to end, cloud-only, fused 0.3/0.05",
                   "end to end, cloud-only, fused 0.1/0.2"}));

  DiscriminatorFile file{.discriminator = {.name = "cloud-only"},
                         .version = "1",
                         .near = {.name = "tiny"},
                         .classes = {{"person", "cow"}},
                         .fusion = FusionFit{.weights = {0.5, 0.25}}};
  const std::string path = folder_ / "disc.json";
  ASSERT_TRUE(WriteDiscriminatorFile(path, file));
  EXPECT_EQ(names_of(path, {}), Names{"end to end, disc.json, fused 0.5/0.25"});
  EXPECT_EQ(names_of(path, {"off"}), Names{"end to end, disc.json"});
  file.fusion.reset();
  ASSERT_TRUE(WriteDiscriminatorFile(path, file));
  EXPECT_EQ(names_of(path, {}), Names{"end to end, disc.json"});
  const ProgramResult refused =
      Eval({"--near", near_, "--far", far_, "--discriminator", path, "--fusion", "on"});
  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.err, HasSubstr("has no weights of fusion: calibrate anew"));
}

TEST_F(EvalProgram, ReplaysTheDecisionsOfAFile) {
  const std::string decisions = folder_.Write("d.csv", "image,uploaded\na,0\nb,1\r\nc,0\n");
  const json rows = EvalJson({"--near", near_, "--far", far_, "--decisions", decisions})["rows"];
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_DOUBLE_EQ(rows[2]["gap_recovered"], 1);
  EXPECT_EQ(rows[2]["bytes_up"], 2000);

  const struct {
    const char* text;
    const char* why;
  } broken[] = {{"a,0\nb,1\n", "does not decide on c"},
                {"a,0\na,1\nb,1\nc,0\n", "d.csv:2: a is decided twice"},
                {"a,0\nb,maybe\n", "d.csv:2: expected `image,0` or `image,1`"}};
  for (const auto& c : broken) {
    folder_.Write("d.csv", c.text);
    const ProgramResult result = Eval({"--near", near_, "--far", far_, "--decisions", decisions});
    EXPECT_EQ(result.status, 3);
    EXPECT_THAT(result.err, HasSubstr(c.why));
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(EvalProgram, PrintsOneTableAndSaysWhatWasLeftOut) {
  const ProgramResult result = Eval({"--trace", trace_, "--near", near_, "--far", far_,
                                     "--bootstrap", "50", "--per-class", "--sizes"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("small alone"), HasSubstr("big alone"), HasSubstr("end to end"),
                    HasSubstr("uploaded %"), HasSubstr("2.3 kB"), HasSubstr("mAP gap recovered %"),
                    HasSubstr("3 images, 3 objects of 2 classes"), HasSubstr("50 draws, seed 1"),
                    HasSubstr("bicycle"), HasSubstr("of 3 images 1 kept the near answer")));
  EXPECT_THAT(result.err, HasSubstr("near: 1 box of classes that are not judged left out: cow"));
}

TEST_F(EvalProgram, SaysWhenTheRunDroppedTheBoxesThatItsMapNeeds) {
  // Image a keeps an unsure near box, which the final result lacks.
  Trace trace = *ReadTrace(trace_);
  trace.frames[0].answers[0].detections.push_back({kBicycle, .05F, 1});
  std::string lines = ToJsonLine(trace.run) + "\n";
  for (const FrameRecord& frame : trace.frames) {
    lines += ToJsonLine(frame) + "\n";
  }
  const std::string path = folder_.Write("high.jsonl", lines);
  EXPECT_THAT(Eval({"--trace", path}).out, HasSubstr("no box scored below 0.80"));
  EXPECT_THAT(Eval({"--trace", trace_}).out, Not(HasSubstr("no box scored below")));
}

TEST_F(EvalProgram, SaysWhenThereIsNoGapToRecover) {
  const ProgramResult result =
      Eval({"--near", near_, "--far", near_, "--discriminator", "random", "--upload", "0.5"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("no gap"));
}

TEST_F(EvalProgram, GivesTheSameIntervalsForTheSameSeed) {
  const std::vector<std::string> flags = {"--recording", near_,    "--bootstrap",
                                          "100",         "--seed", "7"};
  const json once = EvalJson(flags);
  EXPECT_EQ(once, EvalJson(flags));
  const json& interval = once["rows"][0]["map_voc07_interval"];
  EXPECT_LE(interval[0].get<double>(), 0.5);
  EXPECT_GE(interval[1].get<double>(), 0.5);
}

TEST_F(EvalProgram, JudgesTheImagesThatAllHave) {
  Recording near{.model = {.name = "tiny"}, .classes = {{"person"}}};
  near.frames = {Frame("a", 1, 1, {{kPerson, .9F, 0}}), Frame("z", 1, 1, {})};
  const std::string part = folder_ / "part.rec";
  ASSERT_TRUE(WriteRecording(part, near));
  const ProgramResult result = Eval({"--recording", part, far_, "--json"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(json::parse(result.out)["images"], 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("part.rec lacks 2 images of the truth"),
                                HasSubstr("part.rec has 1 image without truth, left out: z")));
}

TEST_F(EvalProgram, IsDefinedWithoutBoxesAndRefusesAnEmptyRecording) {
  Recording blind{.model = {.name = "blind"}, .classes = {{"person"}}};
  const std::string path = folder_ / "blind.rec";
  ASSERT_TRUE(WriteRecording(path, blind));
  const ProgramResult empty = Eval({"--recording", path});
  EXPECT_EQ(empty.status, 3);
  EXPECT_THAT(empty.err, HasSubstr("no image in common"));

  blind.frames = {Frame("a", 1, 1, {}), Frame("b", 1, 1, {}), Frame("c", 1, 1, {})};
  ASSERT_TRUE(WriteRecording(path, blind));
  const json row = EvalJson({"--recording", path})["rows"][0];
  EXPECT_DOUBLE_EQ(row["map_voc07"], 0);
  EXPECT_EQ(row["objects_found"], 0);

  // Without objects there is no average precision, and nothing is divided by zero.
  blind.frames.resize(1);
  blind.frames[0].name = "c";
  ASSERT_TRUE(WriteRecording(path, blind));
  const ProgramResult nothing = Eval({"--recording", path, "--bootstrap", "20"});
  EXPECT_EQ(nothing.status, 0) << nothing.err;
  EXPECT_THAT(nothing.out, Not(HasSubstr("nan")));
}

TEST_F(EvalProgram, RefusesFlagsThatDoNotGoTogether) {
  const struct {
    std::vector<std::string> flags;
    const char* why;
  } cases[] = {
      {{}, "nothing to evaluate"},
      {{"--near", near_, "--discriminator", "random", "--upload", ".5"},
       "need both --near and --far"},
      {{"--near", near_, "--far", far_, "--upload", ".5"}, "--upload needs a --discriminator"},
      {{"--near", near_, "--far", far_, "--discriminator", "random", "--upload", "1.5"}, "1.5"},
      {{"--recording", near_, "--iou", "0"}, "IoU of a match"},
      {{"--recording", near_, "--bootstrap", "-3"}, "bootstrap draws are -3"},
      {{"--recording", near_, "--colour"}, "--colour"},
      {{"--recording", near_, "--fusion", "on"}, "--fusion needs a --discriminator"},
      {{"--near", near_, "--far", far_, "--discriminator", "random", "--fusion", "much"},
       "'much' is no fusion: write on, off, auto, or weights"},
      {{"--near", near_, "--far", far_, "--discriminator", "random", "--fusion", "agree=2"},
       "fusion weight agree is 2"},
  };
  for (const auto& c : cases) {
    const ProgramResult result = Eval(c.flags);
    EXPECT_EQ(result.status, 2) << c.why;
    EXPECT_THAT(result.err, HasSubstr(c.why));
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(EvalProgram, RefusesInputsItCannotUse) {
  const struct {
    std::vector<std::string> flags;
    const char* why;
  } cases[] = {
      {{"--recording", folder_ / "none.rec"}, "none.rec"},
      {{"--trace", folder_ / "none.jsonl"}, "none.jsonl"},
      {{"--recording", near_, "--classes", "unicorn"}, "no class \"unicorn\""},
      {{"--recording", near_, "--synonyms", folder_ / "none.txt"}, "none.txt"},
      {{"--near", near_, "--far", far_, "--discriminator", "oracle", "--upload", ".5"}, "oracle"},
      {{"--near", near_, "--far", far_, "--discriminator", "entropy"}, "only ranks images"},
      {{"--near", near_, "--far", far_, "--discriminator", "blur", "--upload", ".5"},
       "the recording lacks"},
  };
  for (const auto& c : cases) {
    const ProgramResult result = Eval(c.flags);
    EXPECT_EQ(result.status, 3) << c.why;
    EXPECT_THAT(result.err, HasSubstr(c.why));
    EXPECT_EQ(result.out, "");
  }
}

}  // namespace
}  // namespace nearfar
