// `nearfar paper hode` as its users run it: one small made-up scene, all figures out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
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

/// Two nodes and few people: enough for every figure, done in seconds.
class PaperHode : public ::testing::Test {
 protected:
  static constexpr const char* kNodes =
      "detectors:\n"
      "  - {name: s, quality: 1, model: builtin:yolov5n}\n"
      "  - {name: l, quality: 2, model: builtin:yolov8s}\n"
      "nodes:\n"
      "  - {name: quick, detector: l, tile-time: 20ms, fixed: 2ms, power: [2s=0.5]}\n"
      "  - {name: slow, detector: s, tile-time: 40ms, fixed: 4ms}\n";

  void SetUp() override {
    setting_ = folder_.Write(
        "setting.yaml",
        std::string("planner: [infer-4k, hode-printed, hode]\n"
                    "tracks: synthetic:people=12,frames=120,far-height=60,near-height=160\n"
                    "frame: 2048x1024\nseed: 3\n") +
            kNodes);
  }

  static ProgramResult Hode(std::vector<std::string> words) {
    words.insert(words.begin(), {NEARFAR_BINARY, "paper", "hode"});
    return RunProgram(words);
  }
  /// With little training.
  ProgramResult Quick(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {setting_, "--epochs", "2", "--episodes", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return Hode(words);
  }

  TestFolder folder_;
  std::string setting_;
};

const json& Figure(const json& all, const std::string& name) {
  for (const json& figure : all["figures"]) {
    if (figure["name"] == name) {
      return figure;
    }
  }
  static const json none;
  return none;
}

TEST_F(PaperHode, PrintsEveryFigureAsTableChartAndPicture) {
  const std::string out = folder_ / "out";
  const ProgramResult result =
      Hode({setting_, "--epochs", "10", "--episodes", "1", "--json", "-o", out});
  ASSERT_EQ(result.status, 0) << result.err;
  const json all = json::parse(result.out);
  for (const char* const name : {"fig2", "fig3", "fig8", "fig9", "fig10", "fig11", "fig11_fixed",
                                 "fig12", "fig13", "overhead"}) {
    const json& figure = Figure(all, name);
    ASSERT_FALSE(figure.is_null()) << name;
    EXPECT_FALSE(figure["rows"].empty()) << name;
    EXPECT_FALSE(figure["notes"].empty()) << name;
    const std::string csv = ReadAll(out + "/" + name + ".csv");
    EXPECT_GT(std::count(csv.begin(), csv.end(), '\n'), 1) << name;
  }
  for (const char* const name : {"fig2", "fig3", "fig8", "fig9", "fig9_makespan", "fig11_fps",
                                 "fig11_ap", "fig12", "fig13_time", "fig13_fps", "fig13_ap"}) {
    EXPECT_THAT(ReadAll(out + "/" + name + ".svg"), AllOf(HasSubstr("<svg"), HasSubstr("</svg>")))
        << name;
    EXPECT_THAT(ReadAll(out + "/" + name + ".png"), StartsWith("\x89PNG")) << name;
  }
  int pictures = 0;
  for (const auto& file : std::filesystem::directory_iterator(out)) {
    if (file.path().extension() == ".jpg") {
      ++pictures;
      EXPECT_THAT(ReadAll(file.path().string()), StartsWith("\xff\xd8")) << file.path();
    }
  }
  EXPECT_EQ(pictures, 2);  // the last frame of both ways of HODE
  EXPECT_THAT(ReadAll(out + "/figures.md"), HasSubstr("## Figure 11."));
  EXPECT_THAT(all["about"][0].get<std::string>(), HasSubstr("--seed 3"));

  const json& eleven = Figure(all, "fig11")["rows"];
  // A frame is 8 tiles of 512x512: whole, it takes 2 + 8 * 18 ms at one node, 4 + 8 * 36 at the
  // other.
  const double both = 1e3 / 146 + 1e3 / 292;
  EXPECT_NEAR(eleven[0]["fps"].get<double>(), both, .15 * both);
  EXPECT_DOUBLE_EQ(eleven[0]["x infer-4k"].get<double>(), 1);
  for (const json& row : {eleven[0], eleven[1], eleven[2]}) {
    EXPECT_EQ(row["scene"], "synthetic");
    EXPECT_GT(row["fps"].get<double>(), 0) << row;
    // As printed, it may shut itself out: what it skips, it never sees again.
    EXPECT_GT(row["AP50 %"].get<double>(), row["planner"] == "hode-printed" ? 0 : 20) << row;
    EXPECT_LE(row["AP50 %"].get<double>(), 100);
  }
  const json& last = eleven.back();
  EXPECT_EQ(last["scene"], "paper: PANDA");
  EXPECT_DOUBLE_EQ(last["fps"].get<double>(), 12.13);
  for (const json& row : Figure(all, "fig12")["rows"]) {
    EXPECT_GE(row["mean"].get<double>(), 0);
    EXPECT_LE(row["mean"].get<double>(), 100);
  }
  EXPECT_DOUBLE_EQ(Figure(all, "fig3")["rows"][0]["512x512 tile ms"].get<double>(), 20);
  EXPECT_EQ(Figure(all, "fig8")["rows"].size(), 10U);
}

TEST_F(PaperHode, PrintsTheSameForTheSameSeedButForMeasuredTimes) {
  const std::vector<std::string> flags = {"--figure", "2,8,9,11,12,13"};
  const ProgramResult first = Quick(flags);
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(Quick(flags).out, first.out);
  EXPECT_THAT(first.out, AllOf(HasSubstr("Figure 13"), Not(HasSubstr("Overhead")),
                               Not(HasSubstr("nan")), Not(HasSubstr("inf "))));
  EXPECT_THAT(Quick({"--figure", "11", "--markdown"}).out,
              AllOf(StartsWith("## Figure 11."), HasSubstr("| paper: PANDA | infer-4k | 6.02 |")));
}

TEST_F(PaperHode, TakesRecordingsForWholeFramesAndAPictureToDrawOn) {
  Recording recording{.model = {.name = "tiny"}, .classes = {{"dog", "person"}}};
  RecordedFrame frame{.name = "street", .rect = {0, 0, 100, 100}, .size = {100, 100}};
  frame.service_ms = 123;
  frame.detections = {{{10, 10, 50, 90}, .9F, 1}, {{0, 0, 5, 5}, .8F, 0}};
  recording.frames = {frame};
  const std::string file = folder_ / "whole.rec";
  ASSERT_TRUE(WriteRecording(file, recording));
  const std::string truth =
      folder_.Write("truth.json",
                    R"({"images":[{"id":1,"file_name":"street.jpg","width":100,"height":100}],
          "categories":[{"id":7,"name":"person"},{"id":8,"name":"dog"}],
          "annotations":[{"id":1,"image_id":1,"category_id":7,"bbox":[10,10,40,80]},
                         {"id":2,"image_id":1,"category_id":8,"bbox":[60,60,9,9]}]})");
  const ProgramResult result =
      Quick({"--figure", "2,3", "--recording", "1K=" + file, "--truth", truth, "--json"});
  ASSERT_EQ(result.status, 0) << result.err;
  const json all = json::parse(result.out);
  bool found = false;
  for (const json& row : Figure(all, "fig2")["rows"]) {
    if (row["scene or recording"] == "1K: " + file) {
      found = true;
      EXPECT_DOUBLE_EQ(row["AP50 % of s"].get<double>(), 100);
    }
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(Figure(all, "fig3")["rows"][2]["4K image ms"], 123);
}

TEST_F(PaperHode, SaysWhatIsWrongInOneLine) {
  const std::string short_scene =
      folder_.Write("short.yaml", std::string("tracks: synthetic:frames=9\n") + kNodes);
  const std::string no_nodes = folder_.Write("nodes.yaml", "tracks: synthetic\n");
  const std::string no_planner =
      folder_.Write("planner.yaml", std::string("planner: [best]\ntracks: synthetic\n") + kNodes);
  const std::string stranger =
      folder_.Write("stranger.yaml",
                    "tracks: synthetic:frames=60\ndetectors:\n  - {name: a, model: builtin:x}\n"
                    "nodes:\n  - {name: q, detector: a, tile-time: 9ms}\n");
  const std::string typo = folder_.Write("typo.yaml", "track: synthetic\n");
  const struct {
    std::vector<std::string> words;
    int status;
    const char* said;
  } cases[] = {
      {{"--figure", "7"}, 2, "there is no figure '7'"},
      {{folder_ / "none.yaml"}, 2, "none.yaml"},
      {{typo}, 2, "typo.yaml:1"},
      {{no_nodes}, 2, "nodes: there is none"},
      {{no_planner}, 2, "there is no planner 'best'"},
      {{short_scene}, 3, "has 9 frames"},
      {{stranger}, 3, "no detector 'x' is built in"},
      {{setting_, "--tracks", folder_ / "gone.txt"}, 3, "gone.txt"},
      {{setting_, "--recording", "whole.rec"}, 2, "is not LABEL=FILE"},
      {{setting_, "--figure", "3", "--recording", "1K=" + (folder_ / "no.rec")}, 3, "no.rec"},
      {{setting_, "--judged-from", "1"}, 2, "judged-from must be in [0, 1)"},
      {{setting_, "--figure", "3", "-o", setting_ + "/inside"}, 3, "cannot make the folder"},
      {{setting_, "--picture", "x"}, 2, "is not FRAME=FILE"},
  };
  for (const auto& c : cases) {
    const ProgramResult result = Hode(c.words);
    EXPECT_EQ(result.status, c.status) << c.said << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(c.said));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(result.out, "") << c.said;
  }
}

}  // namespace
}  // namespace nearfar
