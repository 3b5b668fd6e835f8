#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "adapters/image/codec.h"
#include "adapters/ort/detector.h"
#include "core/labels.h"

namespace nearfar::ort {
namespace {

namespace fs = std::filesystem;

fs::path Bundle() {
  const char* named = std::getenv("NEARFAR_ASSETS");
  return named != nullptr ? fs::path(named)
                          : fs::path(NEARFAR_SOURCE_DIR) / ".." / "shared" / "assets";
}

Image ReadPhoto(const fs::path& path) {
  const auto bytes = ReadFileBytes(path.string(), 1 << 24);
  EXPECT_TRUE(bytes.has_value());
  auto image = DecodeImage(*bytes);
  EXPECT_TRUE(image.has_value());
  return *std::move(image);
}

struct Truth {
  std::string name;
  Box box;
};

struct Case {
  std::string weight;
  std::string photo;
  std::vector<Truth> truths;
  int to_find;  ///< of the truths, at IoU > 0.5 and score > 0.3
  std::map<std::string, std::string> settings;
};

class BundleModels : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    if (!fs::exists(Bundle() / "weights")) {
      std::cout << "left out: no bundle at ../shared/assets or NEARFAR_ASSETS\n";
    }
  }
  void SetUp() override {
    if (!fs::exists(Bundle() / "weights")) {
      GTEST_SKIP() << "needs the bundle's weights";
    }
  }
};

TEST_P(BundleModels, FindsTheObjectsOfAPhotoAfterInspectionAlone) {
  const Case& c = GetParam();
  DetectorOptions options;
  options.model = Bundle() / "weights" / (c.weight + ".onnx");
  options.settings = c.settings;
  for (auto& [key, value] : options.settings) {
    if (key == "decoder.priors") {
      value = (Bundle() / "weights" / value).string();
    }
  }
  const auto detector = OrtDetector::Open(options);
  ASSERT_TRUE(detector.has_value()) << detector.error().message;
  EXPECT_FALSE((*detector)->assumed().empty());
  EXPECT_THAT((*detector)->identity().hash, testing::MatchesRegex("[0-9a-f]{16}"));
  const Image photo = ReadPhoto(Bundle() / c.photo);
  const auto answer = (*detector)->Detect(photo.view(), 0, 0);
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_TRUE(std::is_sorted(answer->detections.begin(), answer->detections.end(),
                             [](const auto& a, const auto& b) { return a.score > b.score; }));
  int found = 0;
  for (const Truth& truth : c.truths) {
    float best = 0;
    for (const Detection& detection : answer->detections) {
      const std::string name = Synonyms::Default().Canonical(
          (*detector)->labels()[static_cast<std::size_t>(detection.label)]);
      if (detection.score > 0.3F && name == Synonyms::Default().Canonical(truth.name)) {
        best = std::max(best, Iou(detection.box, truth.box));
      }
    }
    found += best > 0.5F ? 1 : 0;
  }
  EXPECT_GE(found, c.to_find);
  // A detector that floods the picture finds everything and is worth nothing.
  EXPECT_LE(CountAbove(answer->detections, 0.5F), 2 * static_cast<int>(c.truths.size()) + 6);

  // A view is only an offset: the same pixels give the same boxes, moved.
  const auto moved = (*detector)->Detect(photo.view(), 1000, 2000);
  ASSERT_TRUE(moved.has_value());
  ASSERT_EQ(moved->detections.size(), answer->detections.size());
  for (std::size_t i = 0; i < moved->detections.size(); ++i) {
    EXPECT_EQ(moved->detections[i].box, Translate(answer->detections[i].box, 1000, 2000));
  }
  // Boxes before NMS give the same boxes after it.
  const auto raw = (*detector)->DetectBeforeNms(photo.view(), 0, 0);
  ASSERT_TRUE(raw.has_value());
  EXPECT_EQ((*detector)->model().Finish(raw->detections, photo.size()), answer->detections);
}

const std::vector<Truth> kCat{
    {"cat", {57, 47, 332, 371}}, {"tv", {343, 127, 500, 347}}, {"laptop", {330, 127, 500, 370}}};
const std::vector<Truth> kHelmets{{"helmet", {287, 106, 374, 211}},
                                  {"helmet", {192, 123, 276, 227}},
                                  {"helmet", {123, 97, 219, 217}}};
constexpr const char* kHelmetPhoto = "helmet/JPEGImages/005311.jpg";
constexpr const char* kCatPhoto = "coco/val2017/000000403817.jpg";

INSTANTIATE_TEST_SUITE_P(
    Weights, BundleModels,
    testing::Values(Case{"yolov8s_rawheads_fp16w", kCatPhoto, kCat, 2, {}},
                    Case{"yolov5s_rawheads_fp16w", kCatPhoto, kCat, 2, {}},
                    Case{"yolov8n_rawheads_fp16w", kCatPhoto, kCat, 1, {}},
                    Case{"yolov8n_rawheads_fp16w", kCatPhoto, kCat, 1, {{"input.size", "512x416"}}},
                    Case{"yolov8n_640_decoded", kCatPhoto, kCat, 1, {}},
                    Case{"yolov5n_rawheads_fp16w", kCatPhoto, kCat, 1, {}},
                    Case{"yolov5n_640_decoded", kCatPhoto, kCat, 1, {}},
                    Case{"picodet_s_416_coco", kCatPhoto, kCat, 1, {}},
                    Case{"yolox_nano_416", kCatPhoto, kCat, 1, {}},
                    Case{"nanodet_m_416", kCatPhoto, kCat, 1, {}},
                    Case{"ssd_mobilenet_v1_coco_300_u8",
                         kCatPhoto,
                         kCat,
                         1,
                         {{"decoder.priors", "ssd_mobilenet_v1_coco_300_anchors.csv"}}},
                    Case{"fastestdet_352", kCatPhoto, kCat, 1, {}},
                    Case{"yolo_fastest_1.1_320_rawheads", kCatPhoto, kCat, 1, {}},
                    Case{"mbv2_yolov3_nano_voc_320_rawheads", kCatPhoto, kCat, 1, {}},
                    Case{"helmet_yolov5s_rawheads_fp16w", kHelmetPhoto, kHelmets, 3, {}},
                    Case{"helmet_yolov8n_rawheads_fp16w", kHelmetPhoto, kHelmets, 2, {}}),
    [](const auto& case_info) {
      std::string name = case_info.param.weight;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return c == '.'; }, '_');
      return name + (case_info.param.settings.contains("input.size") ? "_wide" : "");
    });

}  // namespace
}  // namespace nearfar::ort
