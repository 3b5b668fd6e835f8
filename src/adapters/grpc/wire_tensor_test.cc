#include "adapters/grpc/wire_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "adapters/grpc/detection_tensors.h"

namespace nearfar {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

WireTensorView View(const WireTensor& tensor) {
  return {tensor.name, tensor.datatype, tensor.shape, tensor.bytes};
}

TEST(WireTensorTest, KeepsElementsOfAnyContentApart) {
  WireTensor tensor{"t", "BYTES", {3}, {}};
  const std::string binary("\0\xFF\n", 3);
  for (const std::string& element : {std::string("a"), std::string(), binary}) {
    AppendElement(tensor.bytes, element);
  }
  EXPECT_TRUE(CheckTensor(View(tensor)));
  EXPECT_THAT(SplitElements(View(tensor)), ElementsAre("a", "", binary));
  tensor.bytes.pop_back();
  EXPECT_FALSE(CheckTensor(View(tensor)));
  EXPECT_THAT(SplitElements({"t", "BYTES", {0}, {}}), IsEmpty());
}

TEST(WireTensorTest, CountsElementsWithoutOverflow) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  const auto count = [](std::vector<std::int64_t> shape) { return CountElements("t", shape); };
  EXPECT_EQ(count({}), 1);  // a scalar
  EXPECT_EQ(count({0, 4}), 0);
  EXPECT_EQ(count({2, 3}), 6);
  EXPECT_EQ(count({std::int64_t{1} << 40}), std::int64_t{1} << 40);
  EXPECT_EQ(count({(std::int64_t{1} << 40) + 1}).error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(count({kMost, kMost}).error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(count({-1}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(count({0, std::numeric_limits<std::int64_t>::min()}).error().code,
            ErrorCode::kInvalidInput);
}

TEST(WireTensorTest, QuotesStrangeNamesOnOneLine) {
  EXPECT_EQ(Quote("boxes"), "'boxes'");
  EXPECT_EQ(Quote("a\nb\x7F"), "'a?b?'");
  EXPECT_EQ(Quote(std::string(1000, 'x')).size(), 65U);
}

TEST(DetectionTensorsTest, ReadsBackWhatItWrote) {
  const std::vector<std::string> classes{"cat", "dog"};
  const Detections empty;
  const Detections two{{{1, 2, 3, 4}, 0.75F, 1}, {{0, 0, 10, 8}, 0.25F, 0}};
  for (const Detections& detections : {empty, two}) {
    const ImageDetections image{{10, 8}, detections};
    const auto tensors = WriteDetections({&image, 1}, classes, {});
    ASSERT_TRUE(tensors);
    ASSERT_EQ(tensors->size(), 5U);
    std::vector<WireTensorView> views;
    for (const WireTensor& tensor : *tensors) {
      EXPECT_TRUE(CheckTensor(View(tensor)));
      views.push_back(View(tensor));
    }
    const auto read = ReadDetections(views, {10, 8}, classes, {});
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->detections, detections);
    // A server without names: the client's list tells them, and a label beyond it is garbage.
    std::erase_if(views, [](const WireTensorView& view) { return view.name == "names"; });
    EXPECT_EQ(ReadDetections(views, {10, 8}, classes, {})->names, read->names);
    EXPECT_FALSE(ReadDetections(views, {10, 8}, {}, {}));
    EXPECT_EQ(ReadDetections(views, {10, 8}, {"cat"}, {}).has_value(), detections.empty());
  }
}

TEST(DetectionTensorsTest, HoldsTheLimitOfBoxes) {
  const std::vector<std::string> classes{"cat"};
  const ImageDetections image{{10, 8}, Detections(3, {{1, 2, 3, 4}, 0.5F, 0})};
  const auto tensors = WriteDetections({&image, 1}, classes, {});
  std::vector<WireTensorView> views;
  for (const WireTensor& tensor : *tensors) {
    views.push_back(View(tensor));
  }
  EXPECT_TRUE(ReadDetections(views, {10, 8}, classes, {.max_boxes = 3}));
  EXPECT_THAT(ReadDetections(views, {10, 8}, classes, {.max_boxes = 2}).error().message,
              HasSubstr("3 boxes, more than the limit of 2"));
}

}  // namespace
}  // namespace nearfar
