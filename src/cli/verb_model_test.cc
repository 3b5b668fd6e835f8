#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "adapters/ort/tiny_onnx.h"

namespace nearfar {
namespace {

using testing::AllOf;
using testing::HasSubstr;

namespace fs = std::filesystem;
namespace tiny = ort::tiny;

struct Ran {
  int status = -1;
  std::string out;
  std::string said;
};

class ModelVerb : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("nearfar_model_" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Ran Run(const std::string& arguments) {
    const fs::path out = folder_ / "out";
    const fs::path said = folder_ / "said";
    const std::string command = std::string(NEARFAR_BINARY) + " model " + arguments + " >" +
                                out.string() + " 2>" + said.string();
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Read(out), Read(said)};
  }
  static std::string Read(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  /// A model of `width` channels that pools its convolution to a YOLOv8 output of one class.
  std::string WriteModel(const std::string& name, std::int64_t width) {
    const std::vector<float> weights(static_cast<std::size_t>(width * 3 * 9), 0);
    const std::vector<float> boxes(5 * 21, 0);
    const std::string model =
        tiny::Model({{"Conv", {"images", "w"}, {"c"}, {}},
                     {"ReduceMean", {"c"}, {"m"}, tiny::IntAttribute("keepdims", 0)},
                     {"Mul", {"m", "boxes"}, {"output0"}, {}}},
                    {tiny::Value("images", tiny::kFloat, {1, 3, 32, 32})},
                    {tiny::Value("output0", tiny::kFloat, {1, 5, 21})},
                    {tiny::Tensor("w", tiny::kFloat, {width, 3, 3, 3}, weights),
                     tiny::Tensor("boxes", tiny::kFloat, {1, 5, 21}, boxes)},
                    {{"names", "['helmet']"}});
    std::ofstream(folder_ / name, std::ios::binary) << model;
    return (folder_ / name).string();
  }
  fs::path folder_;
};

TEST_F(ModelVerb, TellsParametersSizeAndOperations) {
  const Ran ran = Run(WriteModel("near.onnx", 4) + " --json");
  ASSERT_EQ(ran.status, 0) << ran.said;
  const auto report = nlohmann::json::parse(ran.out).at("models").at(0);
  EXPECT_EQ(report.at("name"), "near");
  EXPECT_EQ(report.at("parameters"), 4 * 27 + 105);
  EXPECT_EQ(report.at("macs"), 4 * 30 * 30 * 27);
  EXPECT_DOUBLE_EQ(report.at("gflops").get<double>(), 2e-9 * 4 * 30 * 30 * 27);
  EXPECT_EQ(report.at("size_bytes"), fs::file_size(folder_ / "near.onnx"));
  EXPECT_EQ(report.at("decoder").at("family"), "yolo-concat");
  EXPECT_EQ(report.at("labels").at(0), "helmet");
  EXPECT_FALSE(report.at("assumed").empty());
}

TEST_F(ModelVerb, HoldsTwoModelsAgainstEachOther) {
  const std::string near = WriteModel("near.onnx", 4);
  const std::string far = WriteModel("far.onnx", 400);
  const Ran text = Run(near + " " + far);
  ASSERT_EQ(text.status, 0) << text.said;
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("Model size(MB)"), HasSubstr("Pruned(%)"), HasSubstr("(2 x MAC)")));
  const double wanted =
      1 - static_cast<double>(fs::file_size(near)) / static_cast<double>(fs::file_size(far));
  for (const std::string& order : {near + " " + far, far + " " + near}) {
    const Ran json = Run(order + " --json");
    ASSERT_EQ(json.status, 0) << json.said;
    EXPECT_DOUBLE_EQ(nlohmann::json::parse(json.out).at("pruned_share").get<double>(), wanted);
  }
}

TEST_F(ModelVerb, WritesAPackageThatNeedsNoAssumption) {
  const Ran wrote = Run(WriteModel("near.onnx", 4) + " --write " + (folder_ / "models").string());
  ASSERT_EQ(wrote.status, 0) << wrote.said;
  const Ran again = Run((folder_ / "models" / "near").string() + " --json");
  ASSERT_EQ(again.status, 0) << again.said;
  const auto report = nlohmann::json::parse(again.out).at("models").at(0);
  EXPECT_TRUE(report.at("assumed").empty()) << report.at("assumed");
  EXPECT_EQ(report.at("version"), "1");
}

TEST_F(ModelVerb, PrintsSynonymsAndSettings) {
  EXPECT_THAT(Run("--synonyms").out, HasSubstr("motorcycle   = motorbike"));
  EXPECT_THAT(Run("--settings").out,
              AllOf(HasSubstr("input.resize: "), HasSubstr("decoder=yolo-anchors"),
                    HasSubstr("decoder.anchors: ")));
}

TEST_F(ModelVerb, EndsWithOneLineForWhatCannotBe) {
  std::ofstream(folder_ / "text.onnx") << "this is a text";
  const Ran text = Run((folder_ / "text.onnx").string());
  EXPECT_EQ(text.status, 3);
  EXPECT_THAT(text.said, AllOf(HasSubstr("text.onnx"), HasSubstr("no ONNX file")));
  EXPECT_EQ(std::count(text.said.begin(), text.said.end(), '\n'), 1);
  EXPECT_EQ(text.out, "");
  const std::string near = WriteModel("near.onnx", 4);
  const Ran key = Run(near + " --set input.resise=stretch");
  EXPECT_EQ(key.status, 3);
  EXPECT_THAT(key.said, HasSubstr("'input.resise'"));
  EXPECT_EQ(Run(near + " --set input.resize").status, 2);
  EXPECT_EQ(Run("").status, 2);
}

}  // namespace
}  // namespace nearfar
