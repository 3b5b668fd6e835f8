// `nearfar paper small-big` on the bundle: both VOC07 pairs' detections, and models run over VOC,
// COCO and helmet photos, fill their rows.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "data/test_folder.h"
#include "program.h"

namespace nearfar {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Bundle() {
  const char* place = std::getenv("NEARFAR_ASSETS");
  return place != nullptr ? place : NEARFAR_SOURCE_DIR "/../shared/assets";
}

class PaperBundle : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(Bundle() + "/voc07_detections")) {
      std::cout << "left out: no bundle at " << Bundle() << "\n";
      GTEST_SKIP() << "needs the bundle's detections and weights";
    }
    const std::string voc07 = Bundle() + "/voc07_detections/";
    const std::string weights = Bundle() + "/weights/";
    const std::string quick = "near: " + weights +
                              "yolo_fastest_1.1_320_rawheads.onnx, far: " + weights +
                              "picodet_s_416_coco.onnx}\n";
    pairs_ =
        folder_.Write("pairs.yaml",
                      "pairs:\n"
                      "- {small: 1, dataset: 07+12, near: " +
                          voc07 + "tiny_yolo_a, far: " + voc07 + "yolov2, truth: " + voc07 +
                          "gt.csv.gz}\n"
                          "- {small: 2, dataset: 07+12, near: " +
                          voc07 + "tiny_yolo_b, far: " + voc07 + "mobilenet_yolo, truth: " + voc07 +
                          "gt.csv.gz}\n"
                          "- {small: 1, dataset: 07, truth: " +
                          Bundle() + "/VOCdevkit, image-set: 'voc07:test', pictures: 100, " +
                          quick + "- {small: 1, dataset: coco, truth: " + Bundle() +
                          "/coco, image-set: 'coco-voc:all', pictures: 100, " + quick +
                          "- {small: 1, dataset: helmet, truth: " + Bundle() +
                          "/helmet, pictures: 100, near: " + weights +
                          "helmet_yolov8n_rawheads_fp16w.onnx, far: " + weights +
                          "helmet_yolov5s_rawheads_fp16w.onnx, near-set: {input.size: 320x320}, "
                          "far-set: {input.size: 320x320}}\n");
  }

  TestFolder folder_;
  std::string pairs_;
};

/// A value of a line of ours; fails the test where there is none.
double ValueOf(const json& tables, std::string_view number, std::string_view row,
               std::string_view whose, std::string_view column) {
  for (const json& table : tables["tables"]) {
    for (const json& line : table["lines"]) {
      if (table["number"] == number && line["row"] == row && line["whose"] == whose) {
        const json& values = line["values"];
        EXPECT_TRUE(values.contains(column)) << number << " " << row << ": " << line.dump();
        return values.value(std::string(column), -1.0);
      }
    }
  }
  ADD_FAILURE() << "no line " << whose << " in row " << row << " of Table " << number;
  return -1;
}

std::string RemarkOf(const json& tables, std::string_view number, std::string_view row,
                     std::string_view whose) {
  for (const json& table : tables["tables"]) {
    for (const json& line : table["lines"]) {
      if (table["number"] == number && line["row"] == row && line["whose"] == whose) {
        return line.value("remark", "");
      }
    }
  }
  return "no such line";
}

TEST_F(PaperBundle, FillsTheRowsOfItsPairs) {
  const ProgramResult result = RunProgram(
      {NEARFAR_BINARY, "paper", "small-big", pairs_, "--json", "--cache", folder_ / "cache"});
  ASSERT_EQ(result.status, 0) << result.err;
  const json tables = json::parse(result.out);
  ASSERT_EQ(tables["pairs"].size(), 5U);

  const struct {
    const char* table;
    const char* row;
    const char* whose;
    const char* column;
    double low, high;
  } bands[] = {
      // First pair: 2,351 images, so the bands are narrow. The fit is out of fold.
      {"III", "07+12", "ours", "Big model mAP(%)", 73.9, 74.1},
      {"III", "07+12", "ours", "Small model mAP(%)", 53.3, 53.6},
      {"III", "07+12", "ours", "End-to-end mAP(%)", 66.5, 69.5},
      {"III", "07+12", "ours", "Upload ratio(%)", 48, 56},
      {"III", "07+12", "ours", "(End-to-end/Big model(%))", 90, 94},
      {"III", "07+12", "ours at the paper's 51.23 %", "Upload ratio(%)", 51.2, 51.3},
      {"III", "07+12", "ours at the paper's 51.23 %", "End-to-end mAP(%)", 67, 69},
      {"IV", "07+12", "ours", "End-to-end/Big model(%)", 87, 92},
      {"IV", "07+12", "ours, true objects", "End-to-end/Big model(%)", 86, 91},
      {"XII", "07+12", "ours at the paper's 51.23 %", "End-to-end mAP randomly(%)", 62.5, 66},
      {"XVI", "07+12", "ours, baseline at 50 %", "End-to-end mAP confidence score(%)", 62.5, 66},
      {"XVII", "07+12", "ours, baseline at 50 %", "End-to-end/Big model(%) confidence score", 74,
       81},
      {"I", "Ground Truth", "ours", "Accuracy(%)", 70, 76},
      {"I", "Predicted", "ours", "Accuracy(%)", 65, 71},
      {"I", "Predicted", "ours", "F1", .67, .74},
      // Second pair.
      {"V", "07+12", "ours", "Big model mAP(%)", 75.5, 75.8},
      {"V", "07+12", "ours", "End-to-end mAP(%)", 69, 71.5},
      {"VI", "07+12", "ours", "End-to-end/Big model(%)", 89, 93.5},
      // A hundred photos each: wide.
      {"III", "07", "ours", "Big model mAP(%)", 70, 88},
      {"III", "07", "ours", "Small model mAP(%)", 48, 66},
      {"XIV", "07", "ours, baseline at 50 %", "End-to-end mAP blurred(%)", 55, 80},
      {"XV", "07", "ours, baseline at 50 %", "End-to-end/Big model(%) blurred", 65, 95},
      {"III", "COCO", "ours", "Big model mAP(%)", 45, 72},
      {"III", "COCO", "ours", "Small model mAP(%)", 27, 52},
      {"III", "COCO", "ours at the paper's 52.09 %", "Upload ratio(%)", 52, 52},
      {"XI", "mAP", "ours", "Edge-only", 18, 45},
      {"XI", "mAP", "ours", "Cloud-only", 76, 96},
      {"XI", "mAP", "ours at the paper's 51.19 %", "Our method", 40, 80},
      {"XI", "Number of detected objects", "ours, true objects", "Cloud-only", 150, 221},
      {"XI", "Total inference time (s)", "ours", "Our method", .1, 600},
  };
  for (const auto& band : bands) {
    const double value = ValueOf(tables, band.table, band.row, band.whose, band.column);
    EXPECT_THAT(value, AllOf(::testing::Ge(band.low), ::testing::Le(band.high)))
        << "Table " << band.table << ", " << band.row << ", " << band.whose << ", " << band.column;
  }

  EXPECT_THAT(RemarkOf(tables, "III", "07+12", "ours"),
              HasSubstr("other models, 2351 images, the paper's 4952"));
  EXPECT_THAT(RemarkOf(tables, "III", "COCO", "ours"), HasSubstr("20 classes, the paper's 18"));
  EXPECT_THAT(RemarkOf(tables, "XIV", "07+12", "ours, baseline at 50 %"),
              HasSubstr("blur needs the Brenner gradient, which the recording lacks"));
  EXPECT_THAT(RemarkOf(tables, "XI", "Total inference time (s)", "ours"),
              HasSubstr("without a link"));
  EXPECT_THAT(RemarkOf(tables, "XVI", "07", "paper"), HasSubstr("same number as in Table XIV"));
  EXPECT_EQ(RemarkOf(tables, "III", "07++12", "ours"), "no pair named");

  // Again: nothing is run anew, and nothing else comes out.
  const ProgramResult again = RunProgram(
      {NEARFAR_BINARY, "paper", "small-big", pairs_, "--json", "--cache", folder_ / "cache"});
  EXPECT_THAT(again.err, HasSubstr("0 images recorded, 100 were there already"));
  EXPECT_EQ(again.out, result.out);
}

}  // namespace
}  // namespace nearfar
