// `nearfar sweep` as its users run it: recordings in; table, CSV and charts out; exit status.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/rng.h"
#include "data/recording.h"
#include "data/test_folder.h"
#include "program.h"

namespace nearfar {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Row = std::map<std::string, std::string>;

/// The rows of a CSV by column; no cell of these tests is quoted over a line's end.
std::vector<Row> ReadCsv(const std::string& path) {
  std::istringstream file(ReadAll(path));
  const auto split = [](const std::string& line) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        cells.emplace_back();
      } else {
        cells.back() += c;
      }
    }
    return cells;
  };
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> header = split(line);
  std::vector<Row> rows;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = split(line);
    EXPECT_EQ(cells.size(), header.size()) << line;
    Row& row = rows.emplace_back();
    for (std::size_t c = 0; c < header.size() && c < cells.size(); ++c) {
      row[header[c]] = cells[c];
    }
  }
  return rows;
}

const Row& Find(const std::vector<Row>& rows, const std::string& discriminator,
                const std::string& ratio) {
  static const Row none;
  for (const Row& row : rows) {
    if (row.at("discriminator") == discriminator && row.at("upload_ratio") == ratio) {
      return row;
    }
  }
  ADD_FAILURE() << "no row of " << discriminator << " at " << ratio;
  return none;
}

/// Sixty images of persons and dogs: the far model finds them all, the near model is unsure of most
/// small ones.
class SweepProgram : public ::testing::Test {
 protected:
  void SetUp() override { Make(60); }

  void Make(int count, int classes = 2) {
    near_ = {.model = {.name = "tiny"}, .classes = {{"person", "dog"}}};
    far_ = {.model = {.name = "large"}, .classes = {{"person", "dog"}}};
    json images = json::array();
    json objects = json::array();
    Rng rng(5);
    for (int i = 0; i < count; ++i) {
      RecordedFrame near{
          .name = "image" + std::to_string(i), .rect = {0, 0, 100, 80}, .size = {100, 80}};
      RecordedFrame far = near;
      images.push_back(
          {{"id", i}, {"file_name", near.name + ".jpg"}, {"width", 100}, {"height", 80}});
      for (std::uint64_t k = 0; k < 1 + rng.Below(3); ++k) {
        const float side = rng.Chance(0.5) ? 30.F : 10.F;
        const float x = 33.F * static_cast<float>(k);
        const Box box{x, 10, x + side, 10 + side};
        const int label = static_cast<int>(rng.Below(static_cast<std::uint64_t>(classes)));
        const bool unsure = rng.Chance(side < 20 ? 0.7 : 0.2);
        near.detections.push_back(
            {box, static_cast<float>(unsure ? rng.Uniform(0.1, 0.5) : rng.Uniform(0.5, 1)),
             unsure && rng.Chance(0.5) && classes > 1 ? 1 - label : label});
        far.detections.push_back({box, static_cast<float>(rng.Uniform(0.8, 1)), label});
        objects.push_back({{"id", objects.size() + 1},
                           {"image_id", i},
                           {"category_id", label + 1},
                           {"iscrowd", 0},
                           {"area", box.area()},
                           {"bbox", {box.x1, box.y1, box.width(), box.height()}}});
      }
      near_.frames.push_back(std::move(near));
      far_.frames.push_back(std::move(far));
    }
    truth_path_ = folder_.Write(
        "truth.json",
        json{{"images", images},
             {"categories", {{{"id", 1}, {"name", "person"}}, {{"id", 2}, {"name", "dog"}}}},
             {"annotations", objects}}
            .dump());
    Save();
  }

  void Save() {
    ASSERT_TRUE(WriteRecording(near_path_ = folder_ / "near.rec", near_));
    ASSERT_TRUE(WriteRecording(far_path_ = folder_ / "far.rec", far_));
  }

  ProgramResult Run(std::vector<std::string> flags) const {
    std::vector<std::string> words = {NEARFAR_BINARY, "sweep"};
    words.insert(words.end(), flags.begin(), flags.end());
    return RunProgram(words);
  }
  /// Over the pair, with few draws.
  ProgramResult Sweep(const std::vector<std::string>& flags) const {
    std::vector<std::string> words = {"--near",  near_path_,    "--far",
                                      far_path_, "--bootstrap", "10"};
    words.insert(words.end(), flags.begin(), flags.end());
    return Run(words);
  }

  TestFolder folder_;
  Recording near_, far_;
  std::string near_path_, far_path_, truth_path_;
};

TEST_F(SweepProgram, WritesEveryDiscriminatorAtEveryRatioAndItsCharts) {
  const std::string out = folder_ / "out";
  const ProgramResult result = Sweep({"--truth", truth_path_, "-o", out});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("near alone"), HasSubstr("at 20 % uploaded"),
                                HasSubstr("at 50 % uploaded"), HasSubstr("judged by annotations"),
                                HasSubstr("5 folds, seed 1"),
                                HasSubstr("fitted to the far model's"), Not(HasSubstr("nan"))));
  const std::vector<Row> rows = ReadCsv(out + "/curves.csv");
  EXPECT_EQ(Find(rows, "near alone", "0.0000").at("map_voc07"),
            Find(rows, "entropy", "0.0000").at("map_voc07"));
  EXPECT_EQ(Find(rows, "far alone", "1.0000").at("map_voc07"), "1.000000");
  for (const char* name : {"smallbig", "smallbig-fitted", "random", "top1", "entropy", "ibt",
                           "cross-entropy", "threshold", "oracle", "oracle-far"}) {
    double last = -1;
    for (const char* ratio : {"0.0000", "0.0500", "0.5000", "0.9500", "1.0000"}) {
      const Row& row = Find(rows, name, ratio);
      EXPECT_EQ(row.at("judged_by"), "annotations");
      const double found = std::stod(row.at("objects_found"));
      EXPECT_GE(found, last) << name << ": far finds all that near finds, and more";
      last = found;
    }
    EXPECT_EQ(Find(rows, name, "1.0000").at("recovered"), "1.000000") << name;
    EXPECT_EQ(Find(rows, name, "0.0000").at("times_smallbig"), "") << "0 / 0";
    EXPECT_EQ(Find(rows, name, "1.0000").at("kept_map_voc07"), "") << "nothing is kept";
    const Row& half = Find(rows, name, "0.5000");
    EXPECT_EQ(half.at("uploaded"), "30");
    EXPECT_LE(std::stod(half.at("recovered_low")), std::stod(half.at("recovered_high")));
  }
  EXPECT_GT(std::stod(Find(rows, "oracle", "0.5000").at("recovered")),
            std::stod(Find(rows, "random", "0.5000").at("recovered")));
  EXPECT_EQ(Find(rows, "smallbig", "0.5000").at("times_smallbig"), "1.000000");
  for (const char* chart :
       {"fig4_cases", "fig7_area_threshold", "fig8_map", "fig9_found", "recovered", "kept_map"}) {
    for (const char* format : {".svg", ".png"}) {
      EXPECT_GT(std::filesystem::file_size(out + "/" + chart + format), 5000U) << chart << format;
    }
  }
}

TEST_F(SweepProgram, SaysWhatARecordingLacksInTheCsvToo) {
  const std::string out = folder_ / "out";
  const ProgramResult result = Sweep({"--truth", truth_path_, "-o", out});
  EXPECT_THAT(result.err, AllOf(HasSubstr("blur is left out: needs the Brenner gradient, which "
                                          "the near recording lacks for 60 of 60 images"),
                                HasSubstr("size is left out: needs the size of the JPEG")));
  const std::vector<Row> rows = ReadCsv(out + "/curves.csv");
  const Row& blur = Find(rows, "blur", "");
  EXPECT_THAT(blur.at("note"), HasSubstr("left out: needs the Brenner gradient"));
  EXPECT_EQ(blur.at("recovered"), "");

  for (RecordedFrame& frame : near_.frames) {
    frame.features = {.brenner = 5, .jpeg_bytes = 900};
  }
  near_.frames[7].features.brenner = -1;
  Save();
  const ProgramResult most = Sweep({"--discriminator", "blur", "size"});
  EXPECT_THAT(most.err,
              AllOf(HasSubstr("lacks for 1 of 60 images"), Not(HasSubstr("size is left out")),
                    HasSubstr("size gives every image the same gain")));
}

TEST_F(SweepProgram, EqualsEvalWhereNothingIsFitted) {
  const std::string out = folder_ / "out";
  ASSERT_EQ(Sweep({"--truth", truth_path_, "--discriminator", "random", "-o", out}).status, 0);
  const std::vector<Row> rows = ReadCsv(out + "/curves.csv");
  const ProgramResult eval = RunProgram(
      {NEARFAR_BINARY, "eval", "--json", "--truth", truth_path_, "--near", near_path_, "--far",
       far_path_, "--discriminator", "random", "smallbig", "--upload", "0.2", "0.5"});
  ASSERT_EQ(eval.status, 0) << eval.err;
  const json theirs = json::parse(eval.out)["rows"];
  const struct {
    int row;
    const char* name;
    const char* ratio;
  } cases[] = {{2, "random", "0.2000"},
               {3, "random", "0.5000"},
               {4, "smallbig", "0.2000"},
               {5, "smallbig", "0.5000"}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const Row& ours = Find(rows, c.name, c.ratio);
    const json& row = theirs[c.row];
    const std::pair<const char*, const char*> figures[] = {{"map_voc07", "map_voc07"},
                                                           {"map_area", "map_area"},
                                                           {"ap50_95", "ap50_95"},
                                                           {"objects_found", "objects_found"},
                                                           {"objects_counted", "objects_counted"},
                                                           {"found_of_far", "found_of_big"},
                                                           {"recovered", "gap_recovered"},
                                                           {"kept_map_voc07", "kept_map_voc07"}};
    for (const auto& [our_name, their_name] : figures) {
      EXPECT_NEAR(std::stod(ours.at(our_name)), row[their_name].get<double>(), 1e-6) << our_name;
    }
  }
}

TEST_F(SweepProgram, JudgesByTheFarModelWithoutTruthAndSaysSo) {
  const std::string out = folder_ / "out";
  const ProgramResult result = Sweep({"-o", out});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("no annotations: judged by the far model's boxes"));
  const std::vector<Row> rows = ReadCsv(out + "/curves.csv");
  for (const Row& row : rows) {
    EXPECT_EQ(row.at("judged_by"), "far");
    EXPECT_NE(row.at("discriminator"), "oracle") << "there is no truth to know";
  }
  EXPECT_EQ(Find(rows, "far alone", "1.0000").at("map_voc07"), "1.000000");
  EXPECT_THAT(Sweep({"--discriminator", "oracle"}).err, HasSubstr("no truth for it to know"));
}

TEST_F(SweepProgram, FitsToTheTruthOnlyWhereAsked) {
  EXPECT_THAT(Sweep({"--truth", truth_path_, "--discriminator", "random", "--fit-to", "truth"}).out,
              HasSubstr("Discriminators fitted to annotations"));
  const ProgramResult without = Sweep({"--fit-to", "truth"});
  EXPECT_EQ(without.status, 2);
  EXPECT_THAT(without.err, HasSubstr("--fit-to truth needs a --truth"));
}

TEST_F(SweepProgram, LearnsObjectsAndFusesAnswersWhereARowSaysSo) {
  const std::string out = folder_ / "out";
  const ProgramResult result =
      Sweep({"--truth", truth_path_, "--discriminator", "ridge", "ridge-objects", "smallbig+fusion",
             "oracle+fusion", "--fusion", "agree=0.5,keep=0.9", "-o", out});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Fusion: agree 0.5, keep 0.9."));
  const std::vector<Row> rows = ReadCsv(out + "/curves.csv");
  EXPECT_EQ(Find(rows, "smallbig+fusion", "0.0000").at("map_voc07"),
            Find(rows, "smallbig", "0.0000").at("map_voc07"));
  EXPECT_EQ(Find(rows, "smallbig+fusion", "0.5000").at("kept_map_voc07"),
            Find(rows, "smallbig", "0.5000").at("kept_map_voc07"))
      << "the same images are kept";
  EXPECT_NE(Find(rows, "smallbig+fusion", "0.5000").at("map_area"),
            Find(rows, "smallbig", "0.5000").at("map_area"));
  EXPECT_EQ(Find(rows, "ridge-objects", "1.0000").at("recovered"), "1.000000");
  EXPECT_EQ(Find(rows, "oracle+fusion", "0.5000").at("uploaded"), "30");
  const struct {
    std::vector<std::string> flags;
    const char* why;
  } broken[] = {{{"--discriminator", "random-objects"}, "random learns nothing"},
                {{"--discriminator", "+fusion"}, "knows no discriminator"},
                {{"--fusion", "agree=2"}, "--fusion: "}};
  for (const auto& c : broken) {
    const ProgramResult refused = Sweep(c.flags);
    EXPECT_EQ(refused.status, 2) << c.why;
    EXPECT_THAT(refused.err, HasSubstr(c.why));
  }
}

TEST_F(SweepProgram, GivesTheSameFiguresForTheSameSeed) {
  const std::vector<std::string> flags = {"--truth", truth_path_, "--seed", "7"};
  const std::string once = Sweep(flags).out;
  EXPECT_EQ(once, Sweep(flags).out);
  EXPECT_NE(once, Sweep({"--truth", truth_path_, "--seed", "8"}).out);
}

TEST_F(SweepProgram, SweepsLabelledPairsSideBySide) {
  const std::string out = folder_ / "out";
  const std::string pair = near_path_ + "," + far_path_;
  const ProgramResult result =
      Run({"--pair", "blur:1=" + pair + "," + truth_path_, "--pair", "blur:2=" + pair, "--truth",
           truth_path_, "--bootstrap", "5", "--discriminator", "entropy", "-o", out});
  ASSERT_EQ(result.status, 0) << result.err;
  const std::vector<Row> rows = ReadCsv(out + "/curves.csv");
  EXPECT_EQ(rows.front().at("pair"), "blur:1");
  EXPECT_EQ(rows.back().at("pair"), "blur:2");
  EXPECT_EQ(rows.back().at("judged_by"), "annotations") << "--truth is for pairs without their own";
  for (const char* file : {"blur_1/fig8_map.png", "blur_2/recovered.svg", "by_label_map_20.png",
                           "by_label_recovered_50.svg"}) {
    EXPECT_TRUE(std::filesystem::exists(out + "/" + file)) << file;
  }
  const struct {
    std::vector<std::string> flags;
    const char* why;
  } broken[] = {{{"--pair", "a=" + near_path_}, "is not LABEL=near.rec,far.rec"},
                {{"--pair", near_path_}, "is not LABEL=near.rec,far.rec"},
                {{"--pair", "=" + pair}, "is not LABEL=near.rec,far.rec"},
                {{"--pair", "a:1=" + pair, "--pair", "a_1=" + pair}, "labelled a_1 or alike"},
                {{"--pair", "a=" + pair, "--near", near_path_}, "--near and --far, or --pair"}};
  for (const auto& c : broken) {
    const ProgramResult refused = Run(c.flags);
    EXPECT_EQ(refused.status, 2) << c.why;
    EXPECT_THAT(refused.err, HasSubstr(c.why));
  }
  const ProgramResult missing = Run({"--pair", "dark=none.rec," + far_path_});
  EXPECT_EQ(missing.status, 3);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("dark: "), HasSubstr("none.rec")));
}

TEST_F(SweepProgram, WarnsOfSwappedModelsAndDividesByNoGap) {
  const std::string out = folder_ / "out";
  const ProgramResult swapped =
      Run({"--near", far_path_, "--far", near_path_, "--truth", truth_path_, "--bootstrap", "5",
           "--discriminator", "entropy", "-o", out});
  ASSERT_EQ(swapped.status, 0) << swapped.err;
  EXPECT_THAT(swapped.err, AllOf(HasSubstr("no better than near"), HasSubstr("swapped?")));
  const std::vector<Row> rows = ReadCsv(out + "/curves.csv");
  const Row& row = Find(rows, "entropy", "0.5000");
  EXPECT_EQ(row.at("recovered"), "");
  EXPECT_EQ(row.at("times_smallbig"), "");
  EXPECT_NE(row.at("map_voc07"), "");

  const ProgramResult same =
      Run({"--near", far_path_, "--far", far_path_, "--truth", truth_path_, "--bootstrap", "5"});
  EXPECT_EQ(same.status, 0) << same.err;
  EXPECT_THAT(same.err, AllOf(HasSubstr("no gap to recover"), Not(HasSubstr("swapped?"))));
  EXPECT_THAT(same.out, Not(HasSubstr("nan")));
}

TEST_F(SweepProgram, RefusesRecordingsOfOtherImages) {
  far_.frames[3].name = "stranger";
  Save();
  const ProgramResult result = Sweep({"--truth", truth_path_});
  EXPECT_EQ(result.status, 3);
  EXPECT_THAT(result.err, AllOf(HasSubstr("of different images"), HasSubstr("stranger")));
  EXPECT_EQ(result.out, "");
}

TEST_F(SweepProgram, LeavesOutWhatTheTruthDoesNotName) {
  for (Recording* recording : {&near_, &far_}) {
    recording->frames.push_back(recording->frames[0]);
    recording->frames.back().name = "extra";
  }
  Save();
  const ProgramResult result = Sweep({"--truth", truth_path_, "--discriminator", "entropy"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("near.rec: 1 recorded images without truth left out"));
  EXPECT_THAT(result.out, HasSubstr("60 images"));
  for (Recording* recording : {&near_, &far_}) {
    recording->frames.erase(recording->frames.begin(), recording->frames.end() - 1);
  }
  Save();
  const ProgramResult none = Sweep({"--truth", truth_path_});
  EXPECT_EQ(none.status, 3);
  EXPECT_THAT(none.err, HasSubstr("no image in common"));
}

TEST_F(SweepProgram, IsDefinedWithoutBoxes) {
  const Recording full_near = near_;
  for (RecordedFrame& frame : near_.frames) {
    frame.detections.clear();
  }
  Save();
  const ProgramResult blind = Sweep({"--truth", truth_path_});
  EXPECT_EQ(blind.status, 0) << blind.err;
  EXPECT_THAT(blind.err, AllOf(HasSubstr("near.rec: no boxes at all in 60 images"),
                               HasSubstr("smallbig gives every image the same gain")));
  EXPECT_THAT(blind.out, Not(HasSubstr("nan")));

  near_ = full_near;
  for (RecordedFrame& frame : far_.frames) {
    frame.detections.clear();
  }
  Save();
  const ProgramResult mute = Sweep({"--truth", truth_path_});
  EXPECT_EQ(mute.status, 0) << mute.err;
  EXPECT_THAT(mute.err, AllOf(HasSubstr("far.rec: no boxes at all"), HasSubstr("swapped?")));
  const ProgramResult nothing = Sweep({});
  EXPECT_EQ(nothing.status, 3);
  EXPECT_THAT(nothing.err, HasSubstr("no box scored above 0.5 in 60 images to stand in"));
  EXPECT_EQ(nothing.out, "");
}

TEST_F(SweepProgram, RefusesScoresThatAreNoNumbersAndDropsInfiniteOnes) {
  // 1e39 is a number, but no float holds it.
  const std::string text = ReadAll(near_path_);
  const std::size_t at = text.find("\"detections\":[[") + 15;
  const std::size_t end = text.find(']', at);
  std::string infinite = text;
  folder_.Write("near.rec", infinite.replace(at, end - at, "1,1,9,9,1e39,0"));
  const ProgramResult dropped = Sweep({"--truth", truth_path_});
  EXPECT_EQ(dropped.status, 0) << dropped.err;
  EXPECT_THAT(dropped.err, HasSubstr("1 boxes with a score or corner that is not a finite number"));

  std::string broken = text;
  folder_.Write("near.rec", broken.replace(at, end - at, "1,1,9,9,NaN,0"));
  const ProgramResult refused = Sweep({"--truth", truth_path_});
  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.err, HasSubstr("near.rec:2"));
  EXPECT_EQ(refused.out, "");
}

TEST_F(SweepProgram, TakesOneClassAndTenImagesAndSaysWhatTheyAreWorth) {
  Make(60, 1);
  const ProgramResult one = Sweep({"--truth", truth_path_, "--classes", "person"});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_THAT(one.err, HasSubstr("one class only"));
  EXPECT_THAT(one.out, HasSubstr("60 images, 1 class;"));

  Make(10);
  const ProgramResult ten = Sweep({"--truth", truth_path_});
  EXPECT_EQ(ten.status, 0) << ten.err;
  EXPECT_THAT(ten.err, AllOf(HasSubstr("folds reduced to 2: 10 images do not fill 5"),
                             HasSubstr("10 images only")));
  EXPECT_THAT(ten.out, HasSubstr("(2 folds, seed 1)"));

  Make(1);
  const ProgramResult single = Sweep({"--truth", truth_path_});
  EXPECT_EQ(single.status, 3);
  EXPECT_THAT(single.err, HasSubstr("too few images (1)"));
}

TEST_F(SweepProgram, RefusesFlagsThatDoNotGoTogether) {
  folder_.Write("disc.json", "{}");
  const struct {
    std::vector<std::string> flags;
    const char* why;
  } cases[] = {{{"--discriminator", "unicorn"}, "knows no discriminator 'unicorn'"},
               {{"--discriminator", folder_ / "disc.json"}, "That is a file"},
               {{"--discriminator", "online"}, "learns from the answers of a stream"},
               {{"--ratios", "0.2,1.5"}, "upload ratio is 1.5"},
               {{"--folds", "1"}, "folds are 1"},
               {{"--score", "1"}, "score threshold of a found object is 1"},
               {{"--iou", "0"}, "IoU of a match"},
               {{"--fit-to", "dice"}, "dice"}};
  for (const auto& c : cases) {
    const ProgramResult result = Sweep(c.flags);
    EXPECT_EQ(result.status, 2) << c.why;
    EXPECT_THAT(result.err, HasSubstr(c.why));
    EXPECT_EQ(result.out, "");
  }
  const ProgramResult alone = Run({"--near", near_path_});
  EXPECT_EQ(alone.status, 2);
  EXPECT_THAT(alone.err, HasSubstr("sweep needs --near and --far"));
}

TEST_F(SweepProgram, SaysWhereItCannotWrite) {
  const std::string file = folder_.Write("file", "");
  const ProgramResult result = Sweep({"--discriminator", "random", "-o", file + "/below"});
  EXPECT_EQ(result.status, 3);
  EXPECT_THAT(result.err, AllOf(HasSubstr("cannot make the folder"), HasSubstr("file/below")));
}

TEST_F(SweepProgram, ShowsTheRatiosThatAreAskedFor) {
  const ProgramResult result =
      Sweep({"--truth", truth_path_, "--discriminator", "random", "--ratios", "0.3,0.1,0.3"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("at 10 % uploaded"), HasSubstr("at 30 % uploaded")));
}

}  // namespace
}  // namespace nearfar
