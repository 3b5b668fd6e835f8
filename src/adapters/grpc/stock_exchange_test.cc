#include "adapters/grpc/stock_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace nearfar {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// A YOLOv8-like model of two classes, 64 × 64.
std::unique_ptr<TensorExchange> MakeExchange(ElementType type = ElementType::kFloat32) {
  ModelPackage package;
  package.input.tensor = "images";
  package.input.type = type;
  package.input.size = {64, 64};
  package.decoder.family = "yolo-concat";
  package.labels = {"cat", "dog"};
  package.score_floor = 0.1F;
  auto model = DetectionModel::Make(package);
  EXPECT_TRUE(model) << model.error().message;
  return MakeStockExchange(*std::move(model),
                           [](std::span<const std::uint8_t> bytes) -> Expected<Image> {
                             if (bytes.empty()) {
                               return Fail(ErrorCode::kInvalidInput, "no picture");
                             }
                             return Image({bytes[0], bytes[1]});
                           });
}

/// Boxes of 84 cells (64² at strides 8, 16, 32): one of them a dog in the middle of the input.
std::vector<float> OneDog() {
  constexpr std::size_t kCells = 84;
  std::vector<float> values(6 * kCells, 0.0F);
  const std::size_t cell = 5;
  const float column[6] = {32, 32, 16, 8, 0.05F, 0.75F};  // centre, size, scores
  for (std::size_t row = 0; row < 6; ++row) {
    values[row * kCells + cell] = column[row];
  }
  return values;
}

WireTensorView View(const WireTensor& tensor) {
  return {tensor.name, tensor.datatype, tensor.shape, tensor.bytes};
}

TEST(StockExchangeTest, DecodesOutputsOfEveryFloatingTypeIntoPxOfTheSentPicture) {
  const auto exchange = MakeExchange();
  const std::vector<float> values = OneDog();
  const std::vector<double> doubles(values.begin(), values.end());
  std::vector<std::uint16_t> halves;
  for (const float value : values) {
    halves.push_back(HalfFromFloat(value));
  }
  const std::vector<std::int64_t> shape{1, 6, 84};
  for (const WireTensor& output : {MakeTensor<float>("output0", "FP32", shape, values),
                                   MakeTensor<double>("output0", "FP64", shape, doubles),
                                   MakeTensor<std::uint16_t>("output0", "FP16", shape, halves)}) {
    SCOPED_TRACE(output.datatype);
    const WireTensorView view = View(output);
    const auto decoded = exchange->Decode({&view, 1}, {128, 128});
    ASSERT_TRUE(decoded) << decoded.error().message;
    ASSERT_EQ(decoded->detections.size(), 1U);
    EXPECT_EQ(decoded->names[0], "dog");
    EXPECT_NEAR(decoded->detections[0].score, 0.75F, 1e-3);
    EXPECT_NEAR(decoded->detections[0].box.x1, 48, 1e-3);
    EXPECT_NEAR(decoded->detections[0].box.y2, 72, 1e-3);
  }
}

TEST(StockExchangeTest, CallsOutputsThatDoNotFitGarbage) {
  const auto exchange = MakeExchange();
  const std::vector<float> few(12, 0.0F);
  const std::vector<std::int64_t> numbers(12, 0);
  std::vector<float> impossible = OneDog();
  impossible[5 * 84 + 5] = 7;  // a "score" of 7
  for (const WireTensor& output : {MakeTensor<float>("output0", "FP32", {12}, few),
                                   MakeTensor<float>("output0", "FP32", {1, 3, 4}, few),
                                   MakeTensor<std::int64_t>("output0", "INT64", {1, 12}, numbers),
                                   MakeTensor<float>("output0", "FP32", {1, 6, 84}, impossible)}) {
    const WireTensorView view = View(output);
    const auto decoded = exchange->Decode({&view, 1}, {128, 128});
    ASSERT_FALSE(decoded) << FormatType(output.datatype, output.shape);
    EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidInput);
  }
  EXPECT_FALSE(exchange->Decode({}, {128, 128}));
}

TEST(StockExchangeTest, PreparesTheTensorThatThePackageNames) {
  const std::vector<std::pair<ElementType, std::size_t>> types{
      {ElementType::kFloat32, 4}, {ElementType::kFloat16, 2}, {ElementType::kUint8, 1}};
  for (const auto& [type, bytes] : types) {
    const auto tensors = MakeExchange(type)->Encode({.rect = {3, 4, 20, 10}, .bytes = {20, 10}});
    ASSERT_TRUE(tensors) << tensors.error().message;
    ASSERT_EQ(tensors->size(), 1U);
    EXPECT_EQ(tensors->front().name, "images");
    EXPECT_EQ(tensors->front().bytes.size(), 3 * 64 * 64 * bytes);
    EXPECT_TRUE(CheckTensor(View(tensors->front())));
  }
  const Upload pixels{
      .rect = {0, 0, 2, 1}, .payload = Upload::Payload::kPixels, .bytes = {1, 2, 3, 4, 5, 6}};
  EXPECT_TRUE(MakeExchange()->Encode(pixels));
}

TEST(StockExchangeTest, RefusesAPictureThatIsNoneOrNotItsRegion) {
  const auto exchange = MakeExchange();
  EXPECT_THAT(exchange->Encode({.rect = {0, 0, 1, 1}}).error().message, HasSubstr("no picture"));
  EXPECT_THAT(exchange->Encode({.rect = {0, 0, 10, 20}, .bytes = {20, 10}}).error().message,
              HasSubstr("20x10 px, but its region is 10x20"));
}

}  // namespace
}  // namespace nearfar
