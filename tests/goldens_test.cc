#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "adapters/image/codec.h"
#include "adapters/ort/detector.h"

// Detectors with random weights from the families' own libraries (tools/make_goldens.py), and what
// those libraries say of three photos.

namespace nearfar::ort {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Tighter than what users are promised (0.5 px, 1e-3): a pixel row that is rounded otherwise is seen.
constexpr float kWithinPx = 0.05F;
constexpr float kWithinScore = 2e-4F;

fs::path Goldens() { return fs::path(NEARFAR_SOURCE_DIR) / "tests" / "goldens"; }

std::vector<std::string> Cases() {
  std::vector<std::string> cases;
  for (const auto& entry : fs::directory_iterator(Goldens())) {
    if (entry.is_directory()) cases.push_back(entry.path().filename().string());
  }
  std::ranges::sort(cases);
  return cases;
}

Image ReadPhoto(const std::string& name) {
  const auto bytes = ReadFileBytes((Goldens() / (name + ".png")).string(), 1 << 20);
  EXPECT_TRUE(bytes.has_value());
  auto image = DecodeImage(*bytes);
  EXPECT_TRUE(image.has_value());
  return *std::move(image);
}

Json ReadExpected(const std::string& golden) {
  std::ifstream file(Goldens() / golden / "expected.json");
  return Json::parse(file);
}

/// The boxes at `places` of one photo's list, all of them where `places` is empty.
Detections BoxesAt(const Json& photo, const std::string& places) {
  Detections boxes;
  const auto add = [&](const Json& row) {
    boxes.push_back({{row[0], row[1], row[2], row[3]}, row[4], row[5]});
  };
  if (places.empty()) {
    for (const Json& row : photo["boxes"]) add(row);
  } else {
    for (const std::size_t place : photo[places]) add(photo["boxes"][place]);
  }
  return boxes;
}

Detections CutTo(Size frame, const Detections& boxes) {
  const auto width = static_cast<float>(frame.width), height = static_cast<float>(frame.height);
  Detections cut = boxes;
  for (Detection& d : cut) {
    d.box = {std::clamp(d.box.x1, 0.0F, width), std::clamp(d.box.y1, 0.0F, height),
             std::clamp(d.box.x2, 0.0F, width), std::clamp(d.box.y2, 0.0F, height)};
  }
  return cut;
}

/// What a cut may leave or not: boxes without area go, and expected.json is rounded.
bool IsSliver(const Detection& d) { return d.box.width() < 0.05F || d.box.height() < 0.05F; }

struct Deviation {
  int unmatched = 0;  ///< boxes of either list without a partner within the tolerances
  float px = 0;       ///< of matched pairs
  float score = 0;
};

/// Pairs each box with the nearest free one of its label and score.
Deviation Compare(const Detections& ours, const Detections& theirs) {
  Deviation worst;
  std::vector<bool> taken(ours.size(), false);
  for (const Detection& want : theirs) {
    std::size_t best = ours.size();
    float best_px = 0, least = 1;  // both deviations in tolerances
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const Box &a = ours[i].box, &b = want.box;
      const float px = std::max({std::abs(a.x1 - b.x1), std::abs(a.y1 - b.y1), std::abs(a.x2 - b.x2),
                                 std::abs(a.y2 - b.y2)});
      const float off = std::max(px / kWithinPx, std::abs(ours[i].score - want.score) / kWithinScore);
      if (!taken[i] && ours[i].label == want.label && off <= least) {
        best = i;
        best_px = px;
        least = off;
      }
    }
    if (best == ours.size()) {
      worst.unmatched += IsSliver(want) ? 0 : 1;
      continue;
    }
    taken[best] = true;
    worst.px = std::max(worst.px, best_px);
    worst.score = std::max(worst.score, std::abs(ours[best].score - want.score));
  }
  for (std::size_t i = 0; i < ours.size(); ++i) worst.unmatched += taken[i] || IsSliver(ours[i]) ? 0 : 1;
  return worst;
}

Expected<std::unique_ptr<OrtDetector>> Open(const fs::path& model, bool best_class,
                                            std::map<std::string, std::string> settings = {}) {
  settings["decoder.classes"] = best_class ? "best" : "all";
  settings["score_floor"] = "0.05";
  settings["nms.iou"] = "0.5";
  settings["nms.max_detections"] = "1000";
  return OrtDetector::Open({.model = model, .settings = std::move(settings)});
}

/// The worst deviation over the photos, before and after NMS.
Deviation Judge(OrtDetector& detector, const Json& expected, bool best_class) {
  Deviation worst;
  for (const auto& [name, photo] : expected["photos"].items()) {
    const Image image = ReadPhoto(name);
    const auto before = detector.DetectBeforeNms(image.view(), 0, 0);
    const auto after = detector.Detect(image.view(), 0, 0);
    EXPECT_TRUE(before.has_value() && after.has_value());
    if (!before || !after) return {.unmatched = 1 << 20};
    for (const Deviation& one :
         {Compare(before->detections, BoxesAt(photo, best_class ? "before_best_class" : "")),
          Compare(after->detections,
                  CutTo(image.size(), BoxesAt(photo, best_class ? "after_best_class" : "after")))}) {
      worst = {worst.unmatched + one.unmatched, std::max(worst.px, one.px),
               std::max(worst.score, one.score)};
    }
  }
  return worst;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, GivesTheBoxesOfItsFamilysOwnLibrary) {
  const Json expected = ReadExpected(GetParam());
  for (const bool best_class : {false, true}) {
    auto detector = Open(Goldens() / GetParam(), best_class);
    ASSERT_TRUE(detector.has_value()) << detector.error().message;
    const Deviation worst = Judge(**detector, expected, best_class);
    std::cout << GetParam() << (best_class ? ", best class" : "") << ": worst " << worst.px << " px, "
              << worst.score << " in score\n";
    EXPECT_EQ(worst.unmatched, 0) << (best_class ? "best class of a box" : "all classes");
  }
}

TEST_P(Golden, HasTwentyBoxesAPhotoAndAsManyLabelsAsTheGraph) {
  const Json expected = ReadExpected(GetParam());
  auto detector = Open(Goldens() / GetParam(), true);
  ASSERT_TRUE(detector.has_value()) << detector.error().message;
  EXPECT_EQ((*detector)->labels(), (std::vector<std::string>{"person", "car", "dog", "chair", "bottle"}));
  EXPECT_EQ(expected["photos"].size(), 3U);
  for (const auto& photo : expected["photos"]) {
    EXPECT_GE(photo["after"].size(), 20U);
    EXPECT_GE(photo["after_best_class"].size(), 20U);
  }
}

// Colours the wrong way round must not pass: the goldens would be blind to them otherwise.
TEST_P(Golden, MissesItsBoxesWhenRedAndBlueAreSwapped) {
  auto detector = Open(Goldens() / GetParam(), false, {{"input.channels", "bgr"}});
  ASSERT_TRUE(detector.has_value()) << detector.error().message;
  EXPECT_GT(Judge(**detector, ReadExpected(GetParam()), false).unmatched, 20);
}

INSTANTIATE_TEST_SUITE_P(Families, Golden, testing::ValuesIn(Cases()),
                         [](const auto& instance) { return instance.param; });

struct Wrong {
  std::string golden, key, value;
};

class WrongSetting : public testing::TestWithParam<Wrong> {};

TEST_P(WrongSetting, IsSeenInTheBoxes) {
  const Wrong& wrong = GetParam();
  auto detector = Open(Goldens() / wrong.golden, false, {{wrong.key, wrong.value}});
  ASSERT_TRUE(detector.has_value()) << detector.error().message;
  EXPECT_GT(Judge(**detector, ReadExpected(wrong.golden), false).unmatched, 20);
}

INSTANTIATE_TEST_SUITE_P(
    Goldens, WrongSetting,
    testing::Values(
        // anchors of the two finer levels exchanged
        Wrong{"yolov7_levels", "decoder.anchors", "18,30,32,24,28,48;6,8,9,18,14,12;56,44,72,90,120,80"},
        Wrong{"yolov4_heads", "decoder.xy_scale", "1"},              // centres not stretched
        Wrong{"yolo11_heads", "decoder.centre", "half-pixel"},       // half a px off on each level's grid
        Wrong{"ssd_priors", "decoder.variances", "0.1,0.1,0.1,0.1"},
        Wrong{"ssd_priors", "decoder.order", "yxhw"},
        Wrong{"ssd_priors", "decoder.activation", "sigmoid"},
        Wrong{"yolov5_export", "input.resize", "letterbox-top-left"},  // the padding on one side
        Wrong{"yolov8_export", "input.resize", "stretch"}));

class BareExport : public testing::TestWithParam<std::string> {};

TEST_P(BareExport, IsUnderstoodWithoutAConfig) {
  const std::string golden = GetParam();
  std::map<std::string, std::string> settings;
  if (golden == "yolo11_dynamic") {  // the graph leaves both free
    settings["input.size"] = "160x128";
    settings["decoder"] = "yolo-concat";
  }
  if (golden == "yolo11_heads") settings["input.size"] = "128x96";
  if (golden == "yolov7_heads") settings["input.size"] = "96x128";
  auto detector = Open(Goldens() / golden / "1" / "model.onnx", true, settings);
  ASSERT_TRUE(detector.has_value()) << detector.error().message;
  EXPECT_EQ(Judge(**detector, ReadExpected(golden), true).unmatched, 0);
  EXPECT_EQ((*detector)->labels().size(), 5U);
}

INSTANTIATE_TEST_SUITE_P(Exporters, BareExport,
                         testing::Values("yolov5_export", "yolov8_export", "yolo11_export",
                                         "yolo11_dynamic", "yolo11_heads", "yolov7_heads"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace nearfar::ort
