#include "cli/settings.h"

#include <cstdlib>
#include <deque>
#include <fstream>

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>

namespace nearfar::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// One setting of each kind.
struct Sample {
  std::vector<std::string> images;
  std::string near;
  int in_flight = 8;
  double ratio = 0.5;
  bool recursive = false;
  Duration deadline = milliseconds(1);
  std::map<std::string, std::string> near_set;
  std::map<std::string, double> thresholds;
  SettingTable table{{
      {"images", "", &images, 0, 0, true},
      {"near", "", &near},
      {"in-flight", "", &in_flight, 1, 100},
      {"ratio", "", &ratio, 0, 1},
      {"recursive", "", &recursive},
      {"deadline", "", &deadline},
      {"near-set", "", &near_set},
      {"thresholds", "", &thresholds, 0, 1},
  }};

  Expected<void> Read(const std::string& yaml, std::vector<std::string> flags = {}) {
    CLI::App app;
    table.Declare(app);
    std::reverse(flags.begin(), flags.end());
    app.parse(flags);
    std::string path;
    if (!yaml.empty()) {
      path = ::testing::TempDir() + "nearfar_settings_test.yaml";
      std::ofstream(path) << yaml;
    }
    return table.Apply(path);
  }
};

TEST(Settings, ComeFromTheFileAndTheCommandLineWins) {
  Sample sample;
  const auto read = sample.Read(
      "# a comment\nimages: [a.jpg, b c.jpg]\nnear: x.onnx\nin-flight: 3\nrecursive: yes\n"
      "deadline: 2s\nnear-set: {decoder: yolov8}\nthresholds: {person: 0.25, dining table: 0.5}\n",
      {"--in-flight", "5", "--ratio=0.75"});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(sample.images, ElementsAre("a.jpg", "b c.jpg"));
  EXPECT_EQ(sample.near, "x.onnx");
  EXPECT_EQ(sample.in_flight, 5);
  EXPECT_EQ(sample.ratio, 0.75);
  EXPECT_TRUE(sample.recursive);
  EXPECT_EQ(sample.deadline, milliseconds(2000));
  EXPECT_EQ(sample.near_set.at("decoder"), "yolov8");
  EXPECT_EQ(sample.thresholds.at("dining table"), 0.5);
  EXPECT_EQ(sample.table.Where("in-flight"), "--in-flight");
  EXPECT_THAT(sample.table.Where("near"), HasSubstr("nearfar_settings_test.yaml:3: near"));
  EXPECT_THAT(sample.table.GivenAsYaml(), HasSubstr("in-flight: 5"));
}

TEST(Settings, GivenAsYamlReadsBackAsTheSame) {
  Sample first;
  ASSERT_TRUE(first.Read("", {"a.jpg", "b.jpg", "--deadline", "250ms", "--thresholds", "dog=0.5",
                              "--recursive", "--near", "a: b # c"}));
  Sample second;
  ASSERT_TRUE(second.Read(first.table.GivenAsYaml()));
  EXPECT_EQ(second.images, first.images);
  EXPECT_EQ(second.near, "a: b # c");
  EXPECT_EQ(second.deadline, milliseconds(250));
  EXPECT_EQ(second.thresholds, first.thresholds);
  EXPECT_TRUE(second.recursive);
}

TEST(Settings, NothingGivenChangesNothing) {
  Sample sample;
  ASSERT_TRUE(sample.Read("# only a comment\n"));
  EXPECT_EQ(sample.in_flight, 8);
  EXPECT_TRUE(sample.images.empty());
}

TEST(Settings, NameLineAndKeyOfEveryMistake) {
  const struct {
    const char* yaml;
    const char* where;
    const char* what;
  } cases[] = {
      {"near: a\nin-fligt: 3\n", ":2: in-fligt", "do you mean in-flight?"},
      {"zzzzzzzzzz: 3\n", ":1: zzzzzzzzzz", "no such key"},
      {"in-flight: many\n", ":1: in-flight", "'many' is no number from 1 to 100"},
      {"\n\nin-flight: 0\n", ":3: in-flight", "from 1 to 100"},
      {"in-flight: 1.5\n", ":1: in-flight", "no whole number"},
      {"ratio: 1.01\n", ":1: ratio", "from 0 to 1"},
      {"ratio: nan\n", ":1: ratio", "from 0 to 1"},
      {"deadline: 2\n", ":1: deadline", "no time"},
      {"deadline: -2s\n", ":1: deadline", "no time"},
      {"recursive: maybe\n", ":1: recursive", "neither true nor false"},
      {"thresholds: {dog: 2}\n", ":1: thresholds", "from 0 to 1"},
      {"thresholds: 0.5\n", ":1: thresholds", "takes a map"},
      {"near: [a, b]\n", ":1: near", "one plain value"},
      {"images: {a: b}\n", ":1: images", "a list of values"},
      {"near: a\nnear: b\n", ":2: near", "given twice"},
      {"near: [a\n", ":", "no valid YAML"},
      {"- a\n- b\n", ":1", "a map of keys"},
  };
  for (const auto& c : cases) {
    Sample sample;
    const auto read = sample.Read(c.yaml);
    ASSERT_FALSE(read) << c.yaml;
    EXPECT_THAT(read.error().message, HasSubstr(c.where)) << c.yaml;
    EXPECT_THAT(read.error().message, HasSubstr(c.what)) << c.yaml;
  }
}

TEST(Settings, NameTheFlagOfAMistake) {
  Sample sample;
  EXPECT_EQ(sample.Read("", {"--in-flight", "0"}).error().message,
            "--in-flight: '0' is no number from 1 to 100");
  Sample other;
  EXPECT_THAT(other.Read("", {"--near-set", "decoder"}).error().message, HasSubstr("--near-set"));
  Sample missing;
  EXPECT_EQ(missing.table.Apply("/nonexistent.yaml").error().code, ErrorCode::kNotFound);
}

TEST(ParseByteRate, NeedsAUnitAndTellsBitsFromBytes) {
  EXPECT_DOUBLE_EQ(*ParseByteRate("2 Mbit/s"), 250e3);
  EXPECT_DOUBLE_EQ(*ParseByteRate("2Mbps"), 250e3);
  EXPECT_DOUBLE_EQ(*ParseByteRate("250 KB/s"), 250e3);
  EXPECT_DOUBLE_EQ(*ParseByteRate("250kB/s"), 250e3);
  EXPECT_DOUBLE_EQ(*ParseByteRate("0.5 MiB/s"), 524288);
  EXPECT_DOUBLE_EQ(*ParseByteRate("64Kibit/s"), 8192);
  EXPECT_DOUBLE_EQ(*ParseByteRate("800 bit/s"), 100);
  EXPECT_DOUBLE_EQ(*ParseByteRate("1e3B/s"), 1000);
  for (const char* wrong : {"", "2", "Mbit/s", "2 Mb", "0 KB/s", "-1 MB/s", "nan B/s", "inf B/s",
                            "2 mbit/s", "2 Mbit", "1e300 GB/s", "2 M bit/s"}) {
    EXPECT_FALSE(ParseByteRate(wrong)) << wrong;
  }
  EXPECT_EQ(ParseByteRate("2").error().message,
            "'2' is no rate above 0: write a number with kbit/s, Mbit/s, KB/s or MB/s");
}

/// Reads a list of maps into samples.
Expected<void> ReadList(const std::string& yaml, std::deque<Sample>& samples,
                        std::vector<int>& lines) {
  const std::string file = ::testing::TempDir() + "settings_list_test.yaml";
  std::ofstream(file) << yaml;
  return SettingTable::ApplyList(file, "samples", [&](int line) -> SettingTable& {
    lines.push_back(line);
    return samples.emplace_back().table;
  });
}

TEST(SettingsList, FillsOneTableForEachMap) {
  std::deque<Sample> samples;
  std::vector<int> lines;
  ASSERT_TRUE(ReadList("samples:\n  - near: a\n    ratio: 0.25\n  - {near: b, images: [x, y]}\n",
                       samples, lines));
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[0].near, "a");
  EXPECT_EQ(samples[0].ratio, 0.25);
  EXPECT_EQ(samples[1].near, "b");
  EXPECT_THAT(samples[1].images, ElementsAre("x", "y"));
  EXPECT_THAT(lines, ElementsAre(2, 4));
  ASSERT_TRUE(ReadList("- near: c\n", samples, lines));
  EXPECT_EQ(samples[2].near, "c");
  ASSERT_TRUE(ReadList("samples: []\n", samples, lines));
  EXPECT_EQ(samples.size(), 3U);
}

TEST(SettingsList, MayStandBesideOtherKeys) {
  const std::string file = ::testing::TempDir() + "settings_beside_test.yaml";
  const auto read = [&](const std::string& yaml, Sample& sample, std::deque<Sample>& parts) {
    std::ofstream(file) << yaml;
    sample.table.AddList("parts", [&](int) -> SettingTable& { return parts.emplace_back().table; });
    return sample.table.Apply(file);
  };
  Sample sample;
  std::deque<Sample> parts;
  ASSERT_TRUE(read("near: a\nparts:\n  - near: b\n  - ratio: 0.5\nratio: 0.25\n", sample, parts));
  EXPECT_EQ(sample.near, "a");
  EXPECT_EQ(sample.ratio, 0.25);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].near, "b");
  EXPECT_EQ(parts[1].ratio, 0.5);

  Sample wrong;
  const auto refused = read("parts: 3\n", wrong, parts);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr(":1: parts: takes a list of maps"));
}

TEST(SettingsList, NamesLineAndKeyOfEveryMistake) {
  const struct {
    const char* yaml;
    const char* where;
    const char* what;
  } cases[] = {
      {"", ":1", "expected `samples:`"},
      {"near: a\n", ":1", "expected `samples:`"},
      {"samples: 3\n", ":1", "expected `samples:`"},
      {"samples:\n  - near: a\n  - nera: b\n", ":3: nera", "do you mean near?"},
      {"samples:\n  - near: a\n  - 7\n", ":3", "a map of keys and values"},
      {"samples:\n  - ratio: 7\n", ":2: ratio", "from 0 to 1"},
      {"samples:\n  - [near\n", ":", "no valid YAML"},
  };
  for (const auto& c : cases) {
    std::deque<Sample> samples;
    std::vector<int> lines;
    const auto read = ReadList(c.yaml, samples, lines);
    ASSERT_FALSE(read) << c.yaml;
    EXPECT_THAT(read.error().message, HasSubstr(c.where)) << c.yaml;
    EXPECT_THAT(read.error().message, HasSubstr(c.what)) << c.yaml;
  }
  const auto missing = SettingTable::ApplyList(
      "/nonexistent.yaml", "samples", [](int) -> SettingTable& { std::abort(); });
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST(ParseDuration, NeedsAUnit) {
  EXPECT_EQ(*ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(*ParseDuration("1.5s"), milliseconds(1500));
  EXPECT_EQ(*ParseDuration("2 min"), milliseconds(120000));
  EXPECT_EQ(*ParseDuration("0s"), milliseconds(0));
  EXPECT_EQ(*ParseDuration("1h"), milliseconds(3600000));
  for (const char* wrong : {"", "2", "s", "-1s", "1e99h", "2 weeks", "nan s"}) {
    EXPECT_FALSE(ParseDuration(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace nearfar::cli
