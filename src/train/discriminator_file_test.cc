#include "train/discriminator_file.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

DiscriminatorFile Example() {
  return {.discriminator = {.name = "smallbig",
                            .parameters = {{"score_threshold", 0.1 + 0.2},
                                           {"count_threshold", 2},
                                           {"area_threshold", 0.31},
                                           {"prediction_threshold", 0.5},
                                           {"upload_empty", 0}}},
          .version = "1",
          .upload = UploadFit{1.0 / 3, 0.5, 0.49},
          .near = {.name = "small",
                   .version = "1",
                   .hash = "0123456789abcdef",
                   .preprocessing = "letterbox",
                   .nms = "iou 0.5",
                   .score_floor = 0.01,
                   .label_map = "l1",
                   .input = {320, 320}},
          .far = {.name = "big \"quoted\"", .hash = "fedcba9876543210"},
          .classes = {{"person", "dog"}},
          .images = 20,
          .difficult = 9,
          .truth = true,
          .score = ScoreFit{0.1 + 0.2, 40, 41},
          .with_true_features = BinaryMetrics{8, 2, 9, 1},
          .with_estimated_features = BinaryMetrics{7, 3, 8, 2},
          .at_upload_threshold = BinaryMetrics{6, 4, 7, 3},
          .fusion = FusionFit{.weights = {0.3, 0.1},
                              .images = 20,
                              .truth = true,
                              .gain = 0.1 + 0.2,
                              .standard_error = 1.0 / 3,
                              .confident = 12,
                              .confirmed = 10},
          .program = "0.1.0"};
}

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(DiscriminatorFile, ReadsBackAsItWasWritten) {
  const DiscriminatorFile file = Example();
  const auto read = ParseDiscriminatorFile(FormatDiscriminatorFile(file));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, file);
  // What is optional may be absent.
  const DiscriminatorFile bare{
      .discriminator = {.name = "cloud-only"}, .version = "1", .classes = {{"person"}}};
  EXPECT_EQ(ParseDiscriminatorFile(FormatDiscriminatorFile(bare)).value(), bare);
}

TEST(DiscriminatorFile, TakesWhatAPersonWritesByHand) {
  const auto file = ParseDiscriminatorFile(R"({
    "nearfar_discriminator": 1, "discriminator": "smallbig", "version": "1",
    "parameters": {"upload_empty": true, "count_threshold": 3.0},
    "classes": ["person"], "near": {"hash": "00"}, "far": {}})");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(SmallBigOptionsOf(file->discriminator).value(),
            (SmallBigOptions{.count_threshold = 3, .upload_empty = true}));
}

TEST(DiscriminatorFile, RefusesWhatItCannotTrustInOneLine) {
  const std::string good = FormatDiscriminatorFile(Example());
  struct Row {
    std::string text;
    ErrorCode code;
    const char* message;
  };
  const Row rows[] = {
      {"", ErrorCode::kInvalidInput, "line 1: is no JSON"},
      {"{\n\"a\": 1,\n]", ErrorCode::kInvalidInput, "line 3: is no JSON"},
      {good.substr(0, good.size() / 2), ErrorCode::kInvalidInput, "is no JSON"},
      {"{\"nearfar_discriminator\": 1e999}", ErrorCode::kInvalidInput, "is no JSON"},
      {"\xff\xfe", ErrorCode::kInvalidInput, "line 1: is no JSON"},
      {"[1]", ErrorCode::kInvalidInput, "is no discriminator file"},
      {"{}", ErrorCode::kInvalidInput, "make one with `nearfar calibrate`"},
      {Replace(good, "\"nearfar_discriminator\": 1", "\"nearfar_discriminator\": 2"),
       ErrorCode::kUnsupported, "has format 2, this program reads 1"},
      {Replace(good, "\"version\": \"1\"", "\"version\": \"0\""), ErrorCode::kUnsupported,
       "was fitted for smallbig version 0, this program has 1"},
      {Replace(good, "\"discriminator\": \"smallbig\"", "\"discriminator\": \"bigsmall\""),
       ErrorCode::kNotFound, "no discriminator is called 'bigsmall'"},
      {Replace(good, "\"area_threshold\": 0.31", "\"area_threshold\": 31"),
       ErrorCode::kInvalidInput, "area_threshold is 31"},
      {Replace(good, "\"area_threshold\": 0.31", "\"area_threshold\": \"x\""),
       ErrorCode::kInvalidInput, ".parameters.area_threshold: expected a number"},
      {Replace(good, "\"area_threshold\"", "\"aera_threshold\""), ErrorCode::kNotFound,
       "no parameter 'aera_threshold'"},
      {Replace(good, "\"images\"", "\"pictures\""), ErrorCode::kInvalidInput,
       "has an unknown member \"pictures\""},
      {Replace(good, "\"classes\"", "\"klasses\""), ErrorCode::kInvalidInput, "\"klasses\""},
      {Replace(good, "\"wanted\"", "\"want\""), ErrorCode::kInvalidInput,
       ".upload: has an unknown member \"want\""},
      {Replace(good, "\"agree\": 0.3", "\"agree\": 3"), ErrorCode::kInvalidInput,
       ".fusion: fusion weight agree is 3"},
      {Replace(good, "\"keep\"", "\"kept\""), ErrorCode::kInvalidInput, ".fusion"},
      {Replace(good, "\"true_positives\": 8", "\"true_positives\": 8.5"), ErrorCode::kInvalidInput,
       ".with_true_features.true_positives: expected a whole number"},
      {Replace(good, "\"hash\": \"0123456789abcdef\"", "\"hash\": 7"), ErrorCode::kInvalidInput,
       ".near.hash: expected a text"},
  };
  for (const Row& row : rows) {
    const auto read = ParseDiscriminatorFile(row.text);
    ASSERT_FALSE(read.has_value()) << row.message;
    EXPECT_EQ(read.error().code, row.code) << read.error().message;
    EXPECT_THAT(read.error().message, HasSubstr(row.message));
    EXPECT_THAT(read.error().message, Not(HasSubstr("\n"))) << row.message;
  }
}

/// Images of two classes, of which a learned discriminator can be fitted.
std::vector<LabelledImage> Images() {
  Rng rng(6);
  std::vector<LabelledImage> images(60);
  for (LabelledImage& image : images) {
    image.size = {200, 100};
    for (int place = 0; place < 5; ++place) {
      const auto x = static_cast<float>(40 * place);
      image.near.push_back({{x, 0, x + 30, static_cast<float>(rng.Uniform(5, 90))},
                            static_cast<float>(rng.Uniform(0.01, 1)),
                            static_cast<int>(rng.Below(2))});
      if (rng.Chance(0.6)) {
        image.far.push_back(image.near.back());
        image.far.back().score = 0.9F;
      }
    }
  }
  return images;
}

DiscriminatorFile Learned(const std::string& name) {
  DiscriminatorFile file{
      .discriminator = {.name = name, .parameters = {{"threshold", 0.1}}},
      .version = "1",
      .upload = UploadFit{0.1, 0.5, 0.5},
      .goal = GainGoal::kObjects,
      .classes = {{"person", "dog"}},
      .images = 60,
      .choice = Choice{.name = name,
                       .goal = GainGoal::kObjects,
                       .upload = 1.0 / 3,
                       .images = 60,
                       .folds = 5,
                       .repeats = 4,
                       .candidates = {{"cf", 0.1 + 0.2, 0, 0, true}, {"ridge", 0.4, 0.1, 0.2}},
                       .remark = "a remark"}};
  for (int percent = 0; percent <= 100; ++percent) {
    file.gain_percentiles.push_back(std::sqrt(percent) / 7);
  }
  file.discriminator.tables = FitTables(name, Images(), 2, GainGoal::kObjects).value();
  return file;
}

TEST(DiscriminatorFile, BringsLearnedNumbersBackToTheLastBit) {
  for (const char* const name : {"cf", "ridge", "mlp", "conv"}) {
    const DiscriminatorFile file = Learned(name);
    const std::string text = FormatDiscriminatorFile(file);
    const auto read = ParseDiscriminatorFile(text);
    ASSERT_TRUE(read.has_value()) << name << ": " << read.error().message;
    EXPECT_EQ(*read, file) << name;
    EXPECT_EQ(FormatDiscriminatorFile(*read), text) << name;
    const auto before = MakeDiscriminator(file.discriminator).value();
    const auto after = MakeDiscriminator(read->discriminator).value();
    for (const LabelledImage& image : Images()) {
      const Gain gain = before->Judge(image.evidence(), true);
      const Gain again = after->Judge(image.evidence(), true);
      EXPECT_EQ(gain.score, again.score) << name;  // bit by bit
      EXPECT_EQ(gain.reason, again.reason) << name;
      before->Watch(image.evidence());
      after->Watch(image.evidence());
    }
  }
}

TEST(DiscriminatorFile, RefusesLearnedNumbersThatCannotBe) {
  const std::string good = FormatDiscriminatorFile(Learned("ridge"));
  const DiscriminatorFile for_three = [] {
    DiscriminatorFile file = Learned("ridge");
    file.classes.names.push_back("cat");
    return file;
  }();
  DiscriminatorFile falling = Learned("cf");
  falling.gain_percentiles[50] = 0;
  DiscriminatorFile few = Learned("cf");
  few.gain_percentiles.pop_back();
  DiscriminatorFile bare = Learned("mlp");
  bare.discriminator.tables.clear();
  DiscriminatorFile surplus = Learned("cf");
  surplus.discriminator.name = "smallbig";
  surplus.discriminator.parameters.clear();
  const struct {
    std::string text;
    const char* message;
  } rows[] = {
      {FormatDiscriminatorFile(for_three), "its tables are for 2 classes, but it names 3"},
      {FormatDiscriminatorFile(falling), ".gain_percentiles: expected 101 rising numbers"},
      {FormatDiscriminatorFile(few), ".gain_percentiles: expected 101 rising numbers"},
      {FormatDiscriminatorFile(bare), "mlp is learned: make a file with `nearfar calibrate"},
      {FormatDiscriminatorFile(surplus), "smallbig takes no tables, but has 3"},
      {Replace(good, "\"weights\": [", "\"weights\": [1e300, "), "row \"weights\" has 46 numbers"},
      {Replace(good, "\"intercept\": [", "\"intercept\": [null, "), ".tables.intercept"},
      {Replace(good, "\"intercept\": [", "\"intercept\": [\"nan\", "), "\"intercept\" has 2"},
      {Replace(good, "\"rate_images\": [60.0]", "\"rate_images\": [\"inf\"]"),
       "row \"rate_images\" holds a number that is too large or none"},
      {Replace(good, "\"rate_images\": [60.0]", "\"rate_images\": 60"), ".tables.rate_images"},
      {Replace(good, "\"tables\": {", "\"tables\": {\"more\": [1], "), "another kind"},
      {Replace(good, "\"discriminator\": \"ridge\"", "\"discriminator\": \"mlp\""),
       "has no row \"network_spread\""},
      {Replace(good, "\"goal\": \"objects\"", "\"goal\": \"map\""),
       ".goal: 'map' is no goal; there are accuracy and objects"},
      {Replace(good, "\"remark\"", "\"remarks\""), ".choice: has an unknown member \"remarks\""},
      {Replace(good, "\"taken\": true", "\"taken\": 7"), ".choice"},
      {Replace(good, "\"candidates\": [", "\"candidates\": [7, "), ".choice"},
  };
  for (const auto& row : rows) {
    const auto read = ParseDiscriminatorFile(row.text);
    ASSERT_FALSE(read.has_value()) << row.message;
    EXPECT_THAT(read.error().message, HasSubstr(row.message));
    EXPECT_THAT(read.error().message, Not(HasSubstr("\n"))) << row.message;
  }
}

TEST(DiscriminatorFile, IsWrittenWholeAndNamesItsPathInErrors) {
  const auto folder = std::filesystem::path(::testing::TempDir()) /
                      ("discriminator_file_test" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "disc.json";
  ASSERT_TRUE(WriteDiscriminatorFile(path, Example()).has_value());
  EXPECT_EQ(ReadDiscriminatorFile(path).value(), Example());
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));

  const auto nowhere = WriteDiscriminatorFile(folder / "no" / "disc.json", Example());
  ASSERT_FALSE(nowhere.has_value());
  EXPECT_EQ(nowhere.error().code, ErrorCode::kIo);
  EXPECT_THAT(nowhere.error().message, HasSubstr("No such file"));

  const auto missing = ReadDiscriminatorFile(folder / "missing.json");
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("missing.json"));
  const auto directory = ReadDiscriminatorFile(folder);
  EXPECT_FALSE(directory.has_value());
  std::ofstream(path) << "nonsense";
  EXPECT_THAT(ReadDiscriminatorFile(path).error().message, HasSubstr(path + ": line 1"));
  std::filesystem::remove_all(folder);
}

TEST(CheckMadeFor, RefusesBoxesOfAnotherModelWithWhatDiffers) {
  const DiscriminatorFile file = Example();
  ModelIdentity same = file.near;
  same.name = "renamed";  // names are for people
  EXPECT_EQ(CheckMadeFor(file, same), Expected<std::string>(""));
  ModelIdentity other = file.near;
  other.hash = "ffff";
  other.input = {416, 416};
  const auto refused = CheckMadeFor(file, other);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("made for near model small"));
  EXPECT_THAT(refused.error().message, HasSubstr("hash: 0123456789abcdef"));
  EXPECT_THAT(refused.error().message, HasSubstr("input: 320x320"));
}

TEST(CheckMadeFor, GoesByTheNameOfImportsAndSaysSo) {
  DiscriminatorFile file = Example();
  file.near = {.name = "comp4"};
  const auto weak = CheckMadeFor(file, file.near);
  ASSERT_TRUE(weak.has_value());
  EXPECT_THAT(*weak, HasSubstr("only the name comp4"));
  const auto refused = CheckMadeFor(file, {.name = "another import"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("name: comp4"));
}

TEST(WriteDiscriminatorFile, LeavesADeviceInItsPlace) {
  const auto full = std::filesystem::path(::testing::TempDir()) /
                    ("discriminator_file_test_full" + std::to_string(getpid()));
  std::filesystem::create_symlink("/dev/full", full);
  const auto refused = WriteDiscriminatorFile(full, Example());
  EXPECT_TRUE(std::filesystem::is_symlink(full));
  std::filesystem::remove(full);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("No space left"));
}

}  // namespace
}  // namespace nearfar
