#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "adapters/ort/detector.h"
#include "adapters/ort/graph_cost.h"
#include "adapters/ort/session.h"
#include "adapters/ort/tiny_onnx.h"

namespace nearfar::ort {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

/// A detector of two classes over 32x32 px: a 5-channel image projection that always "sees" the box
/// (8,8)-(24,24) as class 1, scored by the red value of the first pixel. Outputs [1,6,21].
std::string TinyDetector(int type) {
  std::vector<float> base(6 * 21, 0);
  base[0] = base[21] = 16;
  base[42] = base[63] = 16;
  std::vector<tiny::Node> nodes;
  std::string image = "images";
  if (type != tiny::kFloat) {
    nodes.push_back({"Cast", {"images"}, {"as_float"}, tiny::IntAttribute("to", tiny::kFloat)});
    image = "as_float";
  }
  nodes.push_back({"Slice", {image, "starts", "ends", "axes"}, {"pixel"}, {}});
  nodes.push_back({"Reshape", {"pixel", "one"}, {"red"}, {}});
  nodes.push_back({"Mul", {"red", "mask"}, {"scores"}, {}});
  nodes.push_back({"Add", {"base", "scores"}, {"output0"}, {}});
  std::vector<float> mask(6 * 21, 0);
  mask[105] = type == tiny::kUint8 ? 1.0F / 255 : 1;
  return tiny::Model(nodes, {tiny::Value("images", type, {1, 3, 32, 32})},
                     {tiny::Value("output0", tiny::kFloat, {1, 6, 21})},
                     {tiny::Tensor("base", tiny::kFloat, {1, 6, 21}, base),
                      tiny::Tensor("mask", tiny::kFloat, {1, 6, 21}, mask),
                      tiny::Tensor<std::int64_t>("starts", tiny::kInt64, {3}, {0, 0, 0}),
                      tiny::Tensor<std::int64_t>("ends", tiny::kInt64, {3}, {1, 1, 1}),
                      tiny::Tensor<std::int64_t>("axes", tiny::kInt64, {3}, {1, 2, 3}),
                      tiny::Tensor<std::int64_t>("one", tiny::kInt64, {3}, {1, 1, 1})},
                     {{"names", "['cat', 'dog']"}, {"task", "detect"}});
}

class Ort : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("nearfar_ort_" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path Write(const std::string& name, std::string_view bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  fs::path folder_;
};

Image RedPicture(std::uint8_t red) {
  Image image({64, 32});
  for (std::int64_t i = 0; i < image.size().area(); ++i) {
    image.data()[3 * i + 2] = red;
  }
  return image;
}

TEST_F(Ort, DetectsWithFloatHalfAndByteInputsAlike) {
  for (const int type : {tiny::kFloat, tiny::kFloat16, tiny::kUint8}) {
    DetectorOptions options;
    options.model = Write("tiny.onnx", TinyDetector(type));
    options.settings = {{"input.resize", "stretch"}};
    const auto detector = OrtDetector::Open(options);
    ASSERT_TRUE(detector.has_value()) << detector.error().message;
    EXPECT_THAT((*detector)->labels(), ElementsAre("cat", "dog"));
    const auto answer = (*detector)->Detect(RedPicture(204).view(), 100, 10);
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    ASSERT_EQ(answer->detections.size(), 1U);
    EXPECT_EQ(answer->detections[0].label, 1);
    EXPECT_NEAR(answer->detections[0].score, 0.8, 1e-3);
    EXPECT_EQ(answer->detections[0].box, (Box{116, 18, 148, 34}));  // 64 px wide frame: x doubled
    EXPECT_GT(answer->infer.count(), 0);
  }
}

TEST_F(Ort, GivesOneDetectorToSeveralCallersAtOnce) {
  DetectorOptions options;
  options.model = Write("tiny.onnx", TinyDetector(tiny::kFloat));
  const auto detector = OrtDetector::Open(options);
  ASSERT_TRUE(detector.has_value()) << detector.error().message;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&, t] {
      const Image picture = RedPicture(static_cast<std::uint8_t>(50 * (t + 1)));
      // Pad grey above: the first pixel belongs to the padding, the same for every caller.
      for (int i = 0; i < 50; ++i) {
        const auto answer = (*detector)->Detect(picture.view(), t, 0);
        const bool right = answer && answer->detections.size() == 1 &&
                           std::abs(answer->detections[0].score - 114.0F / 255) < 1e-4F &&
                           answer->detections[0].box.x1 == static_cast<float>(16 + t);
        wrong += right ? 0 : 1;
      }
    });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(Ort, FillsTheIdentityWithAllThatDecidesTheBoxes) {
  DetectorOptions options;
  options.model = Write("tiny.onnx", TinyDetector(tiny::kFloat));
  options.score_floor = 0.05F;
  options.label_map = "v1";
  const auto detector = OrtDetector::Open(options);
  ASSERT_TRUE(detector.has_value());
  const ModelIdentity& identity = (*detector)->identity();
  EXPECT_EQ(identity.name, "tiny");
  EXPECT_EQ(identity.hash, *HashFile(options.model));
  EXPECT_EQ(identity.input, (Size{32, 32}));
  EXPECT_NEAR(identity.score_floor, 0.05, 1e-6);
  EXPECT_EQ(identity.label_map, "v1");
  EXPECT_THAT(identity.preprocessing, HasSubstr("letterbox 114"));
  EXPECT_THAT(identity.nms, HasSubstr("iou 0.5"));
  // The floor cuts: 0.04 · 255 ≈ 10.
  options.settings = {{"input.resize", "stretch"}};
  const auto stretched = OrtDetector::Open(options);
  ASSERT_TRUE(stretched.has_value());
  EXPECT_NE(Difference((*stretched)->identity(), identity), "");
  EXPECT_TRUE((*stretched)->Detect(RedPicture(10).view(), 0, 0)->detections.empty());
  EXPECT_EQ((*stretched)->Detect(RedPicture(20).view(), 0, 0)->detections.size(), 1U);
}

TEST_F(Ort, HashesAFileAsSha256) {
  EXPECT_EQ(*HashFile(Write("abc", "abc")), "ba7816bf8f01cfea");
  EXPECT_EQ(*HashFile(Write("empty", "")), "e3b0c44298fc1c14");
  EXPECT_FALSE(HashFile(folder_ / "none").has_value());
}

TEST_F(Ort, RefusesWhatIsNoModelInOneClearLine) {
  const std::string whole = TinyDetector(tiny::kFloat);
  const std::string classifier = tiny::Model({{"Flatten", {"images"}, {"prob"}, {}}},
                                             {tiny::Value("images", tiny::kFloat, {1, 3, 8, 8})},
                                             {tiny::Value("prob", tiny::kFloat, {1, 192})});
  const std::string unknown_operator =
      tiny::Model({{"Frobnicate", {"images"}, {"out"}, {}}},
                  {tiny::Value("images", tiny::kFloat, {1, 3, 8, 8})},
                  {tiny::Value("out", tiny::kFloat, {1, 192})});
  struct Row {
    std::string bytes;
    const char* message;
  };
  for (const Row& row : {Row{"this is a text\n", "no ONNX file"}, Row{"", "cannot load model"},
                         Row{whole.substr(0, whole.size() / 2), "cannot load model"},
                         Row{classifier, "'prob' [1,192]"}, Row{unknown_operator, "Frobnicate"}}) {
    DetectorOptions options;
    options.model = Write("model.onnx", row.bytes);
    const auto detector = OrtDetector::Open(options);
    ASSERT_FALSE(detector.has_value()) << row.message;
    EXPECT_THAT(detector.error().message,
                AllOf(HasSubstr("model.onnx"), HasSubstr(row.message), Not(HasSubstr("\n"))));
  }
  DetectorOptions missing;
  missing.model = folder_ / "none.onnx";
  EXPECT_EQ(OrtDetector::Open(missing).error().code, ErrorCode::kNotFound);
}

TEST_F(Ort, NoticesOutputsThatTheChosenDecoderCannotRead) {
  DetectorOptions options;
  options.model = Write("tiny.onnx", TinyDetector(tiny::kFloat));
  options.settings = {{"decoder", "fastestdet"}};
  const auto detector = OrtDetector::Open(options);
  ASSERT_FALSE(detector.has_value());
  EXPECT_THAT(detector.error().message,
              AllOf(HasSubstr("fastestdet"), HasSubstr("'output0' [1,6,21]")));
}

TEST_F(Ort, ListsTheProvidersThatTheLibraryHas) {
  DetectorOptions options;
  options.model = Write("tiny.onnx", TinyDetector(tiny::kFloat));
  options.engine.provider = "abacus";
  const auto detector = OrtDetector::Open(options);
  ASSERT_FALSE(detector.has_value());
  EXPECT_THAT(detector.error().message, AllOf(HasSubstr("'abacus'"), HasSubstr("cpu")));
  EXPECT_FALSE(Validate(EngineOptions{.intra_op_threads = 0}).has_value());
}

TEST_F(Ort, RefusesAnEmptyPicture) {
  DetectorOptions options;
  options.model = Write("tiny.onnx", TinyDetector(tiny::kFloat));
  const auto detector = OrtDetector::Open(options);
  ASSERT_TRUE(detector.has_value());
  EXPECT_FALSE((*detector)->Detect(PixelView{}, 0, 0).has_value());
}

TEST_F(Ort, RunsNamedTensorsAndSaysWhatDoesNotFit) {
  const std::string model =
      tiny::Model({{"Add", {"a", "b"}, {"sum"}, {}}},
                  {tiny::Value("a", tiny::kFloat, {-1}), tiny::Value("b", tiny::kFloat, {-1})},
                  {tiny::Value("sum", tiny::kFloat, {-1})});
  const auto session = Session::Open(Write("add.onnx", model), {});
  ASSERT_TRUE(session.has_value()) << session.error().message;
  const std::vector<float> ones{1, 1, 1};
  const std::vector<float> twos{2, 2, 2};
  const std::vector<std::int64_t> shape{3};
  const RawTensor a{"a", ElementType::kFloat32, shape, std::as_bytes(std::span(ones))};
  const RawTensor b{"b", ElementType::kFloat32, shape, std::as_bytes(std::span(twos))};
  auto outputs = (*session)->Run(std::vector{b, a});
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  ASSERT_EQ(outputs->tensors().size(), 1U);
  EXPECT_EQ(outputs->tensors()[0].name, "sum");
  EXPECT_THAT(outputs->AsFloats()[0].data, ElementsAre(3, 3, 3));

  EXPECT_THAT((*session)->Run(std::vector{a}).error().message, HasSubstr("2 inputs, 1 came"));
  RawTensor wrong = b;
  wrong.name = "c";
  EXPECT_THAT((*session)->Run(std::vector{a, wrong}).error().message, HasSubstr("'c'"));
  const std::vector<std::int64_t> longer{4};
  wrong = b;
  wrong.shape = longer;
  EXPECT_THAT((*session)->Run(std::vector{a, wrong}).error().message, HasSubstr("[4] in 12 bytes"));
  const std::vector<std::int64_t> two{2};
  wrong = b;
  wrong.shape = two;
  wrong.bytes = wrong.bytes.first(8);
  EXPECT_FALSE(
      (*session)->Run(std::vector{a, wrong}).has_value());  // the engine itself refuses 3 + 2
}

TEST_F(Ort, CountsParametersAndOperationsOfEveryKindOfProduct) {
  // Conv 3→4 of 3x3 over 8x8 without padding, in one group; then Gemm 144→5.
  const std::vector<float> weights(4 * 3 * 3 * 3, 0.5F);
  const std::vector<float> bias(4, 0);
  const std::vector<float> matrix(144 * 5, 0.1F);
  const std::string model =
      tiny::Model({{"Conv", {"images", "w", "b"}, {"c"}, {}},
                   {"Flatten", {"c"}, {"f"}, {}},
                   {"Gemm", {"f", "m"}, {"g"}, {}},
                   {"Reshape", {"g", "shape"}, {"r"}, {}},
                   {"MatMul", {"r", "v"}, {"out"}, {}}},
                  {tiny::Value("images", tiny::kFloat, {1, 3, -1, -1})},
                  {tiny::Value("out", tiny::kFloat, {5, 2})},
                  {tiny::Tensor("w", tiny::kFloat, {4, 3, 3, 3}, weights),
                   tiny::Tensor("b", tiny::kFloat, {4}, bias),
                   tiny::Tensor("m", tiny::kFloat, {144, 5}, matrix),
                   tiny::Tensor<std::int64_t>("shape", tiny::kInt64, {2}, {5, 1}),
                   tiny::Tensor("v", tiny::kFloat, {1, 2}, std::vector<float>{1, 2})});
  const fs::path file = Write("net.onnx", model);
  InputSpec input;
  input.tensor = "images";
  input.size = {8, 8};
  const auto cost = MeasureGraph(file, input);
  ASSERT_TRUE(cost.has_value()) << cost.error().message;
  EXPECT_EQ(cost->parameters, 108 + 4 + 720 + 2);  // the shape does not count
  EXPECT_EQ(cost->macs_of.at("Conv"), 4 * 6 * 6 * 27);
  EXPECT_EQ(cost->macs_of.at("Gemm"), 720);
  EXPECT_EQ(cost->macs_of.at("MatMul"), 10);
  EXPECT_EQ(cost->macs, 4 * 6 * 6 * 27 + 720 + 10);
  EXPECT_EQ(cost->file_bytes, static_cast<std::int64_t>(model.size()));
}

TEST_F(Ort, CountsNoParametersInWhatIsNoModel) {
  const std::string whole = TinyDetector(tiny::kFloat);
  EXPECT_TRUE(CountParameters(whole).has_value());
  EXPECT_FALSE(CountParameters("").has_value());
  EXPECT_FALSE(CountParameters("a text is no model").has_value());
  // Cut anywhere, it is a whole model only if the graph had ended before.
  for (std::size_t length = 0; length < whole.size() / 2; ++length) {
    EXPECT_FALSE(CountParameters(std::string_view(whole).substr(0, length)).has_value()) << length;
  }
}

}  // namespace
}  // namespace nearfar::ort
