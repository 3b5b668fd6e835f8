// The verbs calibrate and explain, as a script calls them.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/rng.h"
#include "data/recording.h"
#include "train/discriminator_file.h"

namespace nearfar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// What a command left behind.
struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

class JudgeVerbs : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("judge_verbs_" + std::to_string(getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    Recording near = Make("small", 0.3);
    Recording far = Make("big", 0.05);
    ASSERT_TRUE(WriteRecording(Path("near.rec"), near).has_value());
    ASSERT_TRUE(WriteRecording(Path("far.rec"), far).has_value());
    near.model.hash = "other";
    ASSERT_TRUE(WriteRecording(Path("other.rec"), near).has_value());
    far.frames.pop_back();
    ASSERT_TRUE(WriteRecording(Path("short.rec"), far).has_value());
    for (RecordedFrame& frame : near.frames) {
      frame.detections.clear();
    }
    ASSERT_TRUE(WriteRecording(Path("none_found.rec"), near).has_value());
    std::filesystem::create_directories(folder_ / "nan");
    std::ofstream(folder_ / "nan" / "comp4_det_test_person.txt") << "photo0 nan 1 1 50 50\n";
    std::ofstream(folder_ / "one.csv") << "image,width,height\nphoto0,200,100\n";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  /// Runs the program in the test's folder.
  Outcome Run(const std::string& arguments) const {
    const std::string command =
        "cd '" + folder_.string() + "' && '" NEARFAR_BINARY "' " + arguments + " 2> err.txt";
    std::FILE* const pipe = popen(command.c_str(), "r");
    Outcome outcome;
    char buffer[4096];
    for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
      outcome.out.append(buffer, n);
    }
    outcome.status = WEXITSTATUS(pclose(pipe));
    std::ostringstream err;
    err << std::ifstream(folder_ / "err.txt").rdbuf();
    outcome.err = err.str();
    return outcome;
  }

 private:
  /// Forty images of up to four objects; a model misses those of them that chance and size say.
  static Recording Make(const std::string& name, double missing) {
    Recording recording{.model = {.name = name, .hash = name, .nms = "iou 0.5"},
                        .classes = {{"person", "dog"}}};
    Rng rng(9);
    for (int i = 0; i < 40; ++i) {
      RecordedFrame frame{.name = "photo" + std::to_string(i), .size = {200, 100}};
      frame.rect = WholeOf(frame.size);
      for (std::uint64_t k = rng.Below(5); k > 0; --k) {
        const auto side = static_cast<float>(rng.Uniform(5, 100));
        const int label = static_cast<int>(rng.Below(2));
        const double chance = rng.Uniform();
        frame.detections.push_back(
            {{0, 0, side, side}, chance < missing * (side < 40 ? 2 : 1) ? 0.3F : 0.9F, label});
      }
      recording.frames.push_back(std::move(frame));
    }
    return recording;
  }

  std::filesystem::path folder_;
};

TEST_F(JudgeVerbs, CalibratePrintsBothRowsAndWritesAFileThatExplainTakes) {
  const Outcome calibrated =
      Run("calibrate --near near.rec --far far.rec --upload 0.4 -o disc.json");
  ASSERT_EQ(calibrated.status, 0) << calibrated.err;
  EXPECT_THAT(
      calibrated.out,
      AllOf(HasSubstr("images 40: "), HasSubstr("score threshold"), HasSubstr("count threshold"),
            HasSubstr("area threshold"), HasSubstr("40.00 % wanted"), HasSubstr("true features"),
            HasSubstr("estimated features"), HasSubstr("at the upload threshold"),
            HasSubstr("fusion            agree 0.30, keep 0.05 (the usual")));
  EXPECT_THAT(calibrated.err, HasSubstr("wrote disc.json"));
  const auto file = ReadDiscriminatorFile(Path("disc.json"));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->images, 40);
  EXPECT_EQ(file->near.name, "small");
  EXPECT_FALSE(file->program.empty());
  EXPECT_EQ(file->fusion->weights, kUsualFusion);

  const Outcome printed = Run("calibrate --near near.rec --far far.rec --upload 0.4 --json");
  EXPECT_EQ(printed.status, 0);
  EXPECT_EQ(ParseDiscriminatorFile(printed.out).value(), *file);

  // explain judges as the file does.
  const auto judge = MakeDiscriminator(file->discriminator).value();
  const Recording near = ReadRecording(Path("near.rec")).value();
  for (const std::size_t i : {0U, 7U, 20U}) {
    const RecordedFrame& frame = near.frames[i];
    const Outcome explained =
        Run("explain --recording near.rec --discriminator disc.json --json " + frame.name);
    ASSERT_EQ(explained.status, 0) << explained.err;
    const auto json = nlohmann::json::parse(explained.out);
    const Gain gain = judge->Judge({frame.detections, frame.size, {}, HashText(frame.name)}, true);
    EXPECT_EQ(json["difficult"], gain.difficult);
    EXPECT_EQ(json["score"], gain.score);
    EXPECT_EQ(json["reason"], gain.reason);
    EXPECT_EQ(json["upload"], gain.score > file->upload->threshold);
  }
}

TEST_F(JudgeVerbs, ExplainShowsWhatFigure6Shows) {
  Recording one{.model = {.name = "small", .nms = "iou 0.5"},
                .classes = {{"person", "dog", "cat", "bottle"}},
                .frames = {{.name = "figure6",
                            .size = {100, 100},
                            .detections = {{{10, 5, 60, 95}, 0.9818F, 0},
                                           {{55, 50, 95, 95}, 0.2507F, 1},
                                           {{55, 50, 95, 95}, 0.0735F, 2},
                                           {{20, 20, 30, 40}, 0.0572F, 3}}}}};
  ASSERT_TRUE(WriteRecording(Path("one.rec"), one).has_value());
  const Outcome explained = Run("explain --recording one.rec pictures/figure6.jpg");
  ASSERT_EQ(explained.status, 0) << explained.err;
  EXPECT_EQ(explained.out,
            "image  figure6, 100 x 100 px\n"
            "near   small\n"
            "\n"
            "class   top score  boxes\n"
            "person     0.9818      1\n"
            "dog        0.2507      1\n"
            "cat        0.0735      1\n"
            "bottle     0.0572      1\n"
            "\n"
            "1 boxes between the thresholds, 0.2000 < score <= 0.5000\n"
            "class   score    area  x1 y1 x2 y2\n"
            "dog    0.2507  0.1800  55 50 95 95\n"
            "\n"
            "step 1  1 found, 2 estimated: they differ, go on\n"
            "step 2  2 estimated > 2? no, go on\n"
            "step 3  smallest area 0.1800 < 0.3100? yes: difficult\n"
            "gain score 0.2507, difficult: above 0.2000\n");
  EXPECT_THAT(Run("explain --recording one.rec --discriminator entropy figure6").out,
              HasSubstr("no threshold to compare it with"));
  EXPECT_THAT(Run("explain --recording one.rec --discriminator threshold figure6").out,
              HasSubstr("threshold: mean score 0.6163 >= 0.5"));
}

TEST_F(JudgeVerbs, RefuseWithOneClearLineAndTheStatusThatFits) {
  ASSERT_EQ(Run("calibrate --near near.rec --far far.rec -o disc.json").status, 0);
  struct Row {
    const char* arguments;
    int status;
    const char* says;
  };
  const Row rows[] = {
      {"calibrate --near near.rec", 2, "needs --near and --far"},
      {"calibrate --near near.rec --far far.rec --discriminator smalbig", 2,
       "no discriminator is called 'smalbig'; there are smallbig, random"},
      {"calibrate --near near.rec --far far.rec --param count_threshold", 2,
       "'count_threshold' is no parameter: write NAME=NUMBER"},
      {"calibrate --near near.rec --far far.rec --param count_threshold=2", 2,
       "--param goes with a discriminator that is named"},
      {"calibrate --near near.rec --far far.rec --discriminator smallbig --param cuont=2", 2,
       "has no parameter 'cuont'"},
      {"calibrate --near near.rec --far far.rec --discriminator ridge --param memory=0", 2,
       "memory is 0, but must be in [1, "},
      {"calibrate --near near.rec --far far.rec --goal map", 2,
       "--goal: 'map' is no goal; there are accuracy and objects"},
      {"calibrate --near none_found.rec --far far.rec --discriminator cf", 3,
       "nothing to learn a gain from: 40 images with 0 boxes of the near model"},
      {"calibrate --near nan --far far.rec --images one.csv", 3,
       "comp4_det_test_person.txt:1: expected `id score xmin ymin xmax ymax`, got 'photo0 nan"},
      {"calibrate --near near.rec --far short.rec", 3, "different images"},
      {"calibrate --near none.rec --far far.rec", 3, "none.rec"},
      {"calibrate --near near.rec --far far.rec --truth none", 3, "none"},
      {"calibrate --near near.rec --far far.rec --classes zebra", 3, "class 'zebra' is unknown"},
      {"calibrate --near near.rec --far far.rec --discriminator blur", 3,
       "needs the Brenner gradient, which the near recording lacks for image photo0"},
      {"calibrate --near near.rec --far far.rec --discriminator smallbig --param "
       "count_threshold=2 --param area_threshold=0.1 -o no/disc.json",
       3, "cannot write"},
      {"explain --discriminator disc.json", 2, "needs an image and one of --near MODEL"},
      {"explain --recording other.rec --discriminator disc.json photo1", 3, "hash: small"},
      {"explain --recording near.rec --discriminator disc.json photo99", 3,
       "has no image 'photo99'; it has 40, as photo0"},
      {"explain --recording near.rec --discriminator none.json photo1", 3,
       "give a file made by calibrate, or one of smallbig"},
      {"explain --recording near.rec --discriminator blur photo1", 3, "needs the Brenner gradient"},
  };
  for (const Row& row : rows) {
    const Outcome outcome = Run(row.arguments);
    EXPECT_EQ(outcome.status, row.status) << row.arguments;
    EXPECT_THAT(outcome.err, HasSubstr(row.says)) << row.arguments;
    const auto lines = std::count(outcome.err.begin(), outcome.err.end(), '\n');
    EXPECT_EQ(lines, 1) << outcome.err;
  }
}

TEST_F(JudgeVerbs, CalibrateSaysWhateverItFitsThatTheModelsMayBeSwapped) {
  for (const std::string name : {"auto", "smallbig", "ridge", "conv", "entropy"}) {
    const std::string with = " --discriminator " + name;
    EXPECT_THAT(Run("calibrate --near near.rec --far far.rec" + with).err,
                Not(HasSubstr("swapped")))
        << name;
    const Outcome swapped = Run("calibrate --near far.rec --far near.rec" + with);
    EXPECT_EQ(swapped.status, 0) << name;
    EXPECT_THAT(swapped.err, AllOf(HasSubstr("the near model finds more objects above 0.5 ("),
                                   HasSubstr("are they swapped?")))
        << name;
    const Outcome equal = Run("calibrate --near near.rec --far near.rec" + with);
    EXPECT_THAT(equal.err, HasSubstr("uploading every image brings nothing (goal: accuracy)"))
        << name;
    EXPECT_THAT(Run("calibrate --goal objects --near far.rec --far none_found.rec" + with).err,
                HasSubstr("uploading every image brings nothing (goal: objects)"))
        << name;
  }
}

TEST_F(JudgeVerbs, CalibrateSeesByAnnotationsThatTheModelsAreSwapped) {
  const Recording far = ReadRecording(Path("far.rec")).value();
  std::ofstream truth(Path("truth.csv"));
  truth << "image,class,xmin,ymin,xmax,ymax,difficult,truncated\n";
  for (const RecordedFrame& frame : far.frames) {
    truth << frame.name << ",dog,1,1,2,2,1,0\n";  // an object that does not count
    for (const Detection& box : frame.detections) {
      truth << frame.name << "," << far.classes.names[static_cast<std::size_t>(box.label)]
            << ",1,1," << box.box.x2 << "," << box.box.y2 << ",0,0\n";
    }
  }
  truth.close();
  for (const std::string name : {"smallbig", "ridge", "random"}) {
    const std::string with = " --goal objects --truth truth.csv --discriminator " + name;
    const Outcome right = Run("calibrate --near near.rec --far far.rec" + with);
    EXPECT_EQ(right.status, 0) << right.err;
    EXPECT_THAT(right.err, Not(HasSubstr("swapped"))) << name;
    EXPECT_THAT(Run("calibrate --near far.rec --far near.rec" + with).err, HasSubstr("swapped?"))
        << name;
  }
  EXPECT_THAT(Run("calibrate --near far.rec --far near.rec --truth truth.csv").err,
              HasSubstr("swapped?"));
}

TEST_F(JudgeVerbs, CalibrateLeavesOutBoxesThatAreNoNumbersAndSaysSo) {
  Recording near = ReadRecording(Path("near.rec")).value();
  near.frames[3].detections.push_back({{0, 0, 50, 50}, std::nanf(""), 0});
  ASSERT_TRUE(WriteRecording(Path("nan.rec"), near).has_value());
  const Outcome with = Run("calibrate --near nan.rec --far far.rec --json");
  const Outcome without = Run("calibrate --near near.rec --far far.rec --json");
  EXPECT_EQ(with.status, 0) << with.err;
  EXPECT_THAT(with.err, HasSubstr("1 boxes of near left out, whose score or corners are no finite "
                                  "numbers, the first in image photo3"));
  EXPECT_EQ(with.out, without.out);
}

TEST_F(JudgeVerbs, CalibrateOfFewOrBlindImagesSaysWhatThatIsWorth) {
  for (const std::string which : {"near", "far"}) {
    Recording few = ReadRecording(Path(which + ".rec")).value();
    few.frames.resize(10);
    ASSERT_TRUE(WriteRecording(Path(which + "10.rec"), few).has_value());
  }
  const Outcome by_choice = Run("calibrate --near near10.rec --far far10.rec");
  EXPECT_EQ(by_choice.status, 0) << by_choice.err;
  EXPECT_THAT(by_choice.out,
              AllOf(HasSubstr("10 images are too few to learn from: the paper's rule "
                              "is taken; record 50 or more"),
                    HasSubstr("smallbig (version")));
  const Outcome by_name = Run("calibrate --near near10.rec --far far10.rec --discriminator ridge");
  EXPECT_EQ(by_name.status, 0) << by_name.err;
  EXPECT_THAT(by_name.err, HasSubstr("10 images are too few to learn from, and its figures are of "
                                     "those that it was fitted to"));
  const Outcome blind = Run("calibrate --near none_found.rec --far far.rec");
  EXPECT_EQ(blind.status, 0) << blind.err;
  EXPECT_THAT(blind.err, HasSubstr("the near model finds nothing in any image"));
}

TEST_F(JudgeVerbs, CalibrateChoosesAndExplainsWhyWhereImagesAreEnough) {
  for (const std::string which : {"near", "far"}) {
    Recording many = ReadRecording(Path(which + ".rec")).value();
    for (std::size_t i = 0; i < 20; ++i) {
      many.frames.push_back(many.frames[i]);
      many.frames.back().name += "again";
    }
    ASSERT_TRUE(WriteRecording(Path(which + "60.rec"), many).has_value());
  }
  const std::string pair = "calibrate --near near60.rec --far far60.rec ";
  const Outcome chosen = Run(pair + "--upload 0.3 -o disc.json");
  ASSERT_EQ(chosen.status, 0) << chosen.err;
  EXPECT_THAT(chosen.out, AllOf(HasSubstr("chosen by what uploading 30.00 % of the images brings"),
                                HasSubstr("(goal: accuracy)"), HasSubstr("5 folds, 4 splits"),
                                HasSubstr("smallbig"), HasSubstr("chosen\n")));
  const DiscriminatorFile file = ReadDiscriminatorFile(Path("disc.json")).value();
  EXPECT_EQ(file.choice->candidates.size(), 6U);
  EXPECT_EQ(Run(pair + "--upload 0.3 --json").out, Run(pair + "--upload 0.3 --json").out);
  // One class, and a learned one by name, which is refused for another near model.
  const Outcome ridge = Run(pair + "--classes person --discriminator ridge -o ridge.json");
  ASSERT_EQ(ridge.status, 0) << ridge.err;
  EXPECT_THAT(ridge.out, AllOf(HasSubstr("classes 1\n"), HasSubstr("ridge (version 1)")));
  EXPECT_EQ(Run("explain --recording near60.rec --discriminator ridge.json photo1").status, 0);
  const Outcome other = Run("explain --recording other.rec --discriminator ridge.json photo1");
  EXPECT_EQ(other.status, 3);
  EXPECT_THAT(other.err, HasSubstr("hash: small"));
}

TEST_F(JudgeVerbs, CalibrateWarnsOfFitsThatMeanLittle) {
  EXPECT_THAT(Run("calibrate --near near.rec --far near.rec").err,
              HasSubstr("every image is easy"));
  EXPECT_THAT(Run("calibrate --discriminator help").out, HasSubstr("count_threshold=2"));
}

}  // namespace
}  // namespace nearfar
