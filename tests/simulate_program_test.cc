// `nearfar simulate` as its users run it: a YAML in; a table, traces and a state out; exit status.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/test_folder.h"
#include "program.h"
#include "trace/json_lines.h"

namespace nearfar {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kNodes = R"(
nodes:
  - {name: a, tile-time: 12ms, fixed: 2ms}
  - {name: b, tile-time: 25ms, fixed: 4ms, outages: [2s+1s]}
)";

class SimulateProgram : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) {
    return folder_.Write(name, text);
  }
  ProgramResult Simulate(std::vector<std::string> words) {
    words.insert(words.begin(), {NEARFAR_BINARY, "simulate"});
    return RunProgram(words);
  }

  TestFolder folder_;
};

TEST_F(SimulateProgram, RunsTheExampleAndWritesATraceForEachPlanner) {
  const ProgramResult run = Simulate({"all-tiles", "hode", "--config",
                                      NEARFAR_SOURCE_DIR "/examples/simulate.yaml", "--frames", "60",
                                      "--trace", folder_ / "%p.jsonl", "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  const json table = json::parse(run.out);
  ASSERT_EQ(table.size(), 2U);
  for (const json& row : table) {
    const auto trace = ReadTrace(folder_ / (row["planner"].get<std::string>() + ".jsonl"));
    ASSERT_TRUE(trace) << trace.error().message;
    EXPECT_THAT(trace->frames, SizeIs(60));
    EXPECT_GT(row["fps"], 0);
    EXPECT_GT(row["ap50"], 0.95);  // the example's detectors find everybody
  }
  EXPECT_NE(table[0]["planner"], table[1]["planner"]);
}

TEST_F(SimulateProgram, IsTheSameEveryTimeAndAnotherForAnotherSeed) {
  const std::string setting = Write("s.yaml", std::string("tracks: synthetic\nframes: 40\n"
                                                          "planner: hode\n") +
                                                  kNodes);
  const auto trace = [&](const std::string& name, const std::string& seed) {
    const ProgramResult run =
        Simulate({"--config", setting, "--seed", seed, "--trace", folder_ / name});
    EXPECT_EQ(run.status, 0) << run.err;
    return ReadTrace(folder_ / name)->frames;
  };
  const auto first = trace("a.jsonl", "1");
  EXPECT_EQ(first, trace("b.jsonl", "1"));
  EXPECT_NE(first, trace("c.jsonl", "2"));
}

TEST_F(SimulateProgram, FitsNodesToATraceAndGoesOnWithAState) {
  const std::string setting =
      Write("s.yaml", std::string("tracks: synthetic\nframes: 80\nplanner: hode\n") + kNodes);
  ASSERT_EQ(Simulate({"--config", setting, "--trace", folder_ / "run.jsonl", "--state",
                      folder_ / "state"})
                .status,
            0);
  const ProgramResult fitted =
      Simulate({"--tracks", "synthetic", "--frames", "80", "--planner", "hode", "--nodes-from",
                folder_ / "run.jsonl", "--json"});
  ASSERT_EQ(fitted.status, 0) << fitted.err;
  EXPECT_GT(json::parse(fitted.out)[0]["fps"], 0);

  EXPECT_TRUE(std::filesystem::exists(folder_ / "state"));
  EXPECT_EQ(Simulate({"--config", setting, "--state", folder_ / "state"}).status, 0);
  const ProgramResult other = Simulate(
      {"--config", setting, "--tile", "256", "--state", folder_ / "state"});
  EXPECT_EQ(other.status, 3);
  EXPECT_THAT(other.err, HasSubstr("512x512 tiles"));
  Write("state", "garbage");
  EXPECT_EQ(Simulate({"--config", setting, "--state", folder_ / "state"}).status, 3);
}

TEST_F(SimulateProgram, SaysWhatIsWrongInOneLine) {
  const std::string head = "tracks: synthetic\nframes: 5\nplanner: hode\n";
  const struct {
    std::string yaml;
    std::vector<std::string> flags;
    int status;
    const char* says;
  } cases[] = {
      {head, {}, 2, "nodes: there is none"},
      {head + "nodes:\n  - {name: a, tile-time: 2ms, fixed: 2ms}\n", {}, 2, "node a: tile-time"},
      {head + "nodes:\n  - {tile-time: 2ms}\n", {}, 2, "has no name"},
      {head + "nodes:\n  - {name: a, tile-time: 2ms, outages: [x]}\n", {}, 2, "'x' is no outage"},
      {head + "nodes:\n  - {name: a, tile-time: 2ms, power: [5s]}\n", {}, 2, "no change of power"},
      {head + "nodes:\n  - {name: a, tile-time: 2ms, host: z}\n", {}, 2, "no host 'z'"},
      {head + "nodes:\n  - {name: a, tile-time: 2ms, detector: z}\n", {}, 2, "no detector 'z'"},
      {head + kNodes, {"--planner", "fastest"}, 3, "there is no planner 'fastest'"},
      {head + kNodes, {"--filter", "magic"}, 3, "no flow filter is called 'magic'"},
      {head + kNodes, {"--scheduler", "magic"}, 3, "no scheduler is called 'magic'"},
      {head + kNodes, {"--tracks", "nowhere.txt"}, 3, "nowhere.txt"},
      {head + kNodes, {"--tracks", "synthetic:dogs=3"}, 3, "have no 'dogs'"},
      {head + kNodes, {"--merge", "magic"}, 3, "neither border nor iou"},
      {head + kNodes, {"--nodes-from", "nowhere.jsonl"}, 3, "nowhere.jsonl"},
      {"frames: 5\n" + std::string(kNodes), {}, 2, "tracks: give either"},
      {head + "speed: 3\n" + kNodes, {}, 2, "there is no such key"},
  };
  for (const auto& c : cases) {
    const std::string setting = Write("wrong.yaml", c.yaml);
    std::vector<std::string> words{"--config", setting};
    words.insert(words.end(), c.flags.begin(), c.flags.end());
    const ProgramResult run = Simulate(words);
    EXPECT_EQ(run.status, c.status) << c.says << '\n' << run.err;
    EXPECT_THAT(run.err, HasSubstr(c.says));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
}

}  // namespace
}  // namespace nearfar
