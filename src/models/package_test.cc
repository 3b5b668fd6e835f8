#include "models/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "models/detection_model.h"
#include "models/inspect.h"
#include "models/repository.h"
#include "models/text_format.h"

namespace nearfar {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

namespace fs = std::filesystem;

TEST(ParseTextFormat, ReadsWhatTritonsConfigsHold) {
  const auto fields = ParseTextFormat(
      "# a comment\n"
      "name: \"ssd\" max_batch_size: 0\n"
      "input [ { name: 'images', data_type: TYPE_FP32; dims: [ 3, -1, 640 ] } ]\n"
      "parameters: { key: \"a\" value: { string_value: \"x\" \"y\\\"z\\n\" } }\n"
      "instance_group < count: 2 kind: KIND_CPU >\n"
      "empty: []\n",
      "config.pbtxt");
  ASSERT_TRUE(fields.has_value()) << fields.error().message;
  ASSERT_EQ(fields->size(), 5U);
  EXPECT_EQ((*fields)[0].value, "ssd");
  EXPECT_EQ((*fields)[2].line, 3);
  ASSERT_EQ((*fields)[2].fields.size(), 5U);
  EXPECT_EQ((*fields)[2].fields[3].value, "-1");
  EXPECT_EQ((*fields)[3].fields[1].fields[0].value, "xy\"z\n");
  EXPECT_EQ((*fields)[4].fields[1].value, "KIND_CPU");
}

TEST(ParseTextFormat, NamesTheLineOfAMistake) {
  struct Row {
    const char* text;
    const char* message;
  };
  for (const Row& row : {Row{"name: \"a\"\ninput {\n", "f:3: the text ends"},
                         Row{"name \"a\"", "f:1: 'name': expected ':' or '{'"},
                         Row{"name: \"a\n\"", "f:1: 'name': a string does not end"},
                         Row{"\n\n}", "f:3: expected a field's name, found '}'"},
                         Row{"dims: [1 2]", "f:1: 'dims': expected ',' or ']'"},
                         Row{"a:", "f:1: 'a': expected a value"}}) {
    const auto fields = ParseTextFormat(row.text, "f");
    ASSERT_FALSE(fields.has_value()) << row.text;
    EXPECT_THAT(fields.error().message, StartsWith(row.message));
  }
  const std::string deep(1000, '{');
  EXPECT_FALSE(ParseTextFormat("a" + deep, "f").has_value());
  std::string nested;
  for (int i = 0; i < 1000; ++i) {
    nested += "a {";
  }
  EXPECT_FALSE(ParseTextFormat(nested, "f").has_value());
  EXPECT_THAT(*ParseTextFormat("", "f"), IsEmpty());
}

constexpr const char* kConfig = R"(name: "near"
platform: "onnxruntime_onnx"
default_model_filename: "net.onnx"
dynamic_batching { preferred_batch_size: [ 4, 8 ] }
input [ { name: "images" data_type: TYPE_FP32 dims: [ 1, 3, 320, 320 ] } ]
output [ { name: "boxes" data_type: TYPE_FP32 dims: [ 1, 100, 4 ] label_filename: "names.txt" } ]
parameters { key: "somebody.elses" value: { string_value: "1" } }
parameters { key: "nearfar.decoder" value: { string_value: "ssd" } }
parameters {
  key: "nearfar.decoder.boxes"
  value: { string_value: "decoded" }
}
)";

TEST(ParseConfig, ReadsItsOwnSettingsAndPassesOthersOver) {
  const auto config = ParseConfig(kConfig, "near/config.pbtxt");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->name, "near");
  EXPECT_EQ(config->model_file, "net.onnx");
  EXPECT_EQ(config->label_file, "names.txt");
  ASSERT_TRUE(config->input.has_value());
  EXPECT_THAT(config->input->shape, ElementsAre(1, 3, 320, 320));
  EXPECT_EQ(config->settings.size(), 2U);
  EXPECT_EQ(config->settings.at("decoder.boxes"), (Setting{"decoded", "near/config.pbtxt:11"}));
}

TEST(ParseConfig, NamesFileLineAndKeyOfAMistake) {
  struct Row {
    const char* text;
    const char* place;
    const char* what;
  };
  for (const Row& row :
       {Row{"\nparameters { key: \"nearfar.input.rezise\" value: { string_value: \"stretch\" } }",
            "f:2", "'input.rezise'"},
        Row{"parameters { key: \"nearfar.decoder\" value: { int64_param: 1 } }", "f:1",
            "string_value"},
        Row{"backend: \"tensorrt\"", "f:1", "'tensorrt'"},
        Row{"input { name: \"x\"\n dims: [ 3, big ] }", "f:2", "'big'"},
        Row{"parameters { key: \"nearfar.decoder\" value: { string_value: \"ssd\" } }\n"
            "parameters { key: \"nearfar.decoder\" value: { string_value: \"dfl\" } }",
            "f:2", "twice"}}) {
    const auto config = ParseConfig(row.text, "f");
    ASSERT_FALSE(config.has_value()) << row.text;
    EXPECT_THAT(config.error().message, AllOf(StartsWith(row.place), HasSubstr(row.what)));
  }
}

GraphFacts Yolov8Facts() {
  GraphFacts facts;
  facts.inputs = {{"images", ElementType::kFloat32, {1, 3, 640, 640}}};
  facts.outputs = {{"output0", ElementType::kFloat32, {1, 84, 8400}}};
  return facts;
}

TEST(WriteConfig, SaysEverythingThatReadingNeeds) {
  auto first = Inspect(Yolov8Facts(), {}, {}, {});
  ASSERT_TRUE(first.has_value());
  ModelPackage package = first->package;
  package.name = "near";
  package.input.channels = ChannelOrder::kBgr;
  package.input.mean = {0.485F, 0.456F, 0.406F};
  package.nms.iou = 0.65F;
  package.score_floor = 0.05F;
  package.stretch[package.labels[1]] = {0, 0.125F, -0.25F, 0.5F};
  const auto config = ParseConfig(WriteConfig(package, Yolov8Facts()), "config.pbtxt");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  auto again = Inspect(Yolov8Facts(), *config, package.labels, {});
  ASSERT_TRUE(again.has_value()) << again.error().message;
  again->package.name = config->name;
  EXPECT_EQ(again->package, package);
  EXPECT_THAT(again->assumed, IsEmpty());
}

TEST(BoxStretch, MovesEachSideOutwardsByItsShareAndIsPartOfTheIdentity) {
  EXPECT_EQ(Stretched({10, 20, 20, 40}, {}), (Box{10, 20, 20, 40}));
  EXPECT_EQ(Stretched({10, 20, 20, 40}, {0.5F, 0.25F, -0.25F, 1}), (Box{5, 15, 17.5F, 60}));
  ModelPackage plain;
  ModelPackage stretched;
  stretched.stretch["hat"] = {0, 0, 0, 0.5F};
  EXPECT_EQ(IdentityOf(plain).nms + "; hat stretched 0,0,0,0.5", IdentityOf(stretched).nms);
}

TEST(DetectionModel, StretchesTheBoxesOfAClassInPxOfTheFrameAndCutsThemToIt) {
  auto found = Inspect(Yolov8Facts(), {}, {}, {});
  ASSERT_TRUE(found.has_value());
  found->package.stretch[found->package.labels[1]] = {0, 0, 0, 1};
  const auto model = DetectionModel::Make(found->package);
  ASSERT_TRUE(model.has_value());
  // Two boxes of 64 x 32 px in the input at (100, 200), one of class 0 and one of class 1.
  const GraphFacts facts = Yolov8Facts();
  const auto& shape = facts.outputs[0].shape;
  const auto rows = static_cast<std::size_t>(shape[1]);
  const auto columns = static_cast<std::size_t>(shape[2]);
  std::vector<float> values(rows * columns);
  for (std::size_t column = 0; column < 2; ++column) {
    const float box[] = {100, 200, 64, 32};
    for (std::size_t row = 0; row < 4; ++row) {
      values[row * columns + column] = box[row];
    }
    values[(4 + column) * columns + column] = 0.9F;
  }
  const TensorView view{facts.outputs[0].name, shape, values};
  const Size frame{320, 110};  // half the input's width: boxes are half as large
  const auto decoded =
      model->Decode({&view, 1}, PlaceFrame(frame, found->package.input));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  ASSERT_EQ(decoded->size(), 2U);
  const Box& plain = (*decoded)[0].box;
  const Box& stretched = (*decoded)[1].box;
  EXPECT_FLOAT_EQ(plain.height(), 16);
  EXPECT_FLOAT_EQ(stretched.height(), 32);
  EXPECT_EQ(stretched.y1, plain.y1);
  EXPECT_EQ(stretched.x2, plain.x2);
  for (const Detection& detection : model->Finish(*decoded, {320, 10})) {
    EXPECT_LE(detection.box.y2, 10);
  }
}

TEST(ParseLabels, KeepsGapsAndDropsLineEnds) {
  EXPECT_THAT(ParseLabels("background\r\nperson \n\ntraffic light"),
              ElementsAre("background", "person", "", "traffic light"));
  EXPECT_THAT(ParseLabels(""), IsEmpty());
}

class Repository : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("nearfar_repository_" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void Write(const fs::path& file, std::string_view text) {
    fs::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file, std::ios::binary) << text;
  }
  fs::path folder_;
};

TEST_F(Repository, FindsTheHighestVersionWithLabelsAndConfig) {
  Write("m/1/net.onnx", "one");
  Write("m/10/net.onnx", "ten");
  Write("m/9/net.onnx", "nine");
  Write("m/12/other.onnx", "not this");
  Write("m/config.pbtxt", "default_model_filename: \"net.onnx\"\n");
  Write("m/labels.txt", "a\nb\n");
  const auto found = FindModel(folder_ / "m/", {});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->model, folder_ / "m/10/net.onnx");
  EXPECT_EQ(found->version, "10");
  EXPECT_EQ(found->name, "m");
  EXPECT_THAT(found->labels, ElementsAre("a", "b"));
}

TEST_F(Repository, TakesABareFileWithOptionsAndReadsThePriorsTheyName) {
  Write("net.onnx", "graph");
  Write("priors.csv", "0.5,0.5,1,1\n");
  Write("names.txt", "cat\n");
  const auto found =
      FindModel(folder_ / "net.onnx", {{"decoder.priors", (folder_ / "priors.csv").string()},
                                       {"labels", (folder_ / "names.txt").string()}});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->files.at("priors"), "0.5,0.5,1,1\n");
  EXPECT_THAT(found->labels, ElementsAre("cat"));
  EXPECT_EQ(found->config.settings.at("decoder.priors").where, "option decoder.priors");
}

TEST_F(Repository, ReadsPriorsBesideTheConfigThatNamesThem) {
  Write("m/1/model.onnx", "graph");
  Write("m/anchors.csv", "0.5,0.5,1,1\n");
  Write(
      "m/config.pbtxt",
      "parameters { key: \"nearfar.decoder.priors\" value: { string_value: \"anchors.csv\" } }\n");
  const auto found = FindModel(folder_ / "m", {});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->files.at("priors"), "0.5,0.5,1,1\n");
}

TEST_F(Repository, SaysWhatIsMissing) {
  Write("m/config.pbtxt",
        "parameters { key: \"nearfar.decoder.priors\" value: { string_value: \"no\" } }");
  EXPECT_THAT(FindModel(folder_ / "none.onnx", {}).error().message, HasSubstr("no model at"));
  EXPECT_THAT(FindModel(folder_ / "m", {}).error().message, HasSubstr("1/model.onnx"));
  Write("m/1/model.onnx", "graph");
  EXPECT_THAT(FindModel(folder_ / "m", {}).error().message,
              AllOf(HasSubstr("config.pbtxt:1"), HasSubstr("does not exist")));
  EXPECT_THAT(FindModel(folder_ / "m/1/model.onnx", {{"resize", "stretch"}}).error().message,
              AllOf(StartsWith("option resize"), HasSubstr("input.resize")));
}

TEST_F(Repository, WritesAPackageThatItFindsAgain) {
  Write("net.onnx", "graph");
  auto inspection = Inspect(Yolov8Facts(), {}, {}, {});
  ASSERT_TRUE(inspection.has_value());
  inspection->package.name = "net";
  const auto target =
      WritePackage(inspection->package, Yolov8Facts(), folder_ / "net.onnx", folder_ / "out");
  ASSERT_TRUE(target.has_value()) << target.error().message;
  const auto found = FindModel(*target, {});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(*ReadTextFile(found->model), "graph");
  EXPECT_EQ(found->labels, inspection->package.labels);
  const auto twice =
      WritePackage(inspection->package, Yolov8Facts(), folder_ / "net.onnx", folder_ / "out");
  ASSERT_FALSE(twice.has_value());
  EXPECT_THAT(twice.error().message, HasSubstr("is there already"));
}

}  // namespace
}  // namespace nearfar
