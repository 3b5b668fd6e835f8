#include "adapters/plot/chart.h"

#include <gmock/gmock.h>

#include <limits>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "data/test_folder.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Chart SomeChart() {
  Chart chart{.title = "title",
              .x = {.title = "x (%)", .low = 0, .high = 100},
              .y = {.title = "y (%)"},
              .lines = {{"level", 30, false}, {"threshold", 40, true}},
              .caption = "a caption"};
  chart.series.push_back({.label = "rising", .style = 1, .interval = true});
  for (int x = 0; x <= 100; x += 5) {
    chart.series.back().points.push_back({double(x), double(x), x - 5.0, x + 5.0});
  }
  return chart;
}

/// Pixels whose colour is nearer to `wanted` (blue, green, red) than the tolerance.
int CountPixels(const cv::Mat& picture, const cv::Scalar& wanted) {
  cv::Mat mask;
  cv::inRange(picture, wanted - cv::Scalar(12, 12, 12), wanted + cv::Scalar(12, 12, 12), mask);
  return cv::countNonZero(mask);
}

const cv::Scalar kVermillion(0, 94, 213);
const cv::Scalar kBlue(178, 114, 0);

TEST(Chart, IsDrawnAsBothFormats) {
  const TestFolder folder;
  ASSERT_TRUE(WriteSvg(SomeChart(), folder / "chart.svg"));
  ASSERT_TRUE(WritePng(SomeChart(), folder / "chart.png"));
  const std::string svg = ReadAll(folder / "chart.svg");
  EXPECT_THAT(svg, StartsWith("<?xml"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  const cv::Mat picture = cv::imread(folder / "chart.png");
  ASSERT_FALSE(picture.empty());
  EXPECT_EQ(picture.cols, 1440);
  EXPECT_GT(picture.rows, 800);
  EXPECT_GT(CountPixels(picture, kVermillion), 1000) << "the curve in its colour";
  EXPECT_EQ(CountPixels(picture, kBlue), 0);
  EXPECT_EQ(picture.at<cv::Vec3b>(5, 5), cv::Vec3b(255, 255, 255));
}

TEST(Chart, IsTheSamePictureTwice) {
  const TestFolder folder;
  ASSERT_TRUE(WritePng(SomeChart(), folder / "a.png"));
  ASSERT_TRUE(WritePng(SomeChart(), folder / "b.png"));
  EXPECT_TRUE(ReadAll(folder / "a.png") == ReadAll(folder / "b.png"));
}

TEST(Chart, GrowsWithItsCaptionAndLegend) {
  const TestFolder folder;
  Chart chart = SomeChart();
  ASSERT_TRUE(WritePng(chart, folder / "short.png"));
  for (int word = 0; word < 100; ++word) {
    chart.caption += " and more words";
  }
  ASSERT_TRUE(WritePng(chart, folder / "long.png"));
  for (int style = 2; style < 40; ++style) {
    chart.series.push_back({.label = "series " + std::to_string(style), .style = style});
  }
  ASSERT_TRUE(WritePng(chart, folder / "tall.png"));
  const int rows[] = {cv::imread(folder / "short.png").rows, cv::imread(folder / "long.png").rows,
                      cv::imread(folder / "tall.png").rows};
  EXPECT_GT(rows[1], rows[0] + 100);
  EXPECT_GT(rows[2], rows[1] + 100);
}

TEST(Chart, HasRoomForItsCaptionWhereverItBreaks) {
  const TestFolder folder;
  Chart chart = SomeChart();
  for (int words = 0; words < 40; ++words) {
    chart.caption += " caption" + std::to_string(words);
    ASSERT_TRUE(WritePng(chart, folder / "chart.png"));
    const cv::Mat picture = cv::imread(folder / "chart.png");
    const cv::Mat foot = picture.rowRange(picture.rows - 10, picture.rows);
    EXPECT_EQ(CountPixels(foot, cv::Scalar(255, 255, 255)), foot.rows * foot.cols) << chart.caption;
  }
}

TEST(Chart, IsDefinedWithoutPointsAndLeavesOutWhatIsNotFinite) {
  const TestFolder folder;
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  Chart empty;
  ASSERT_TRUE(WritePng(empty, folder / "empty.png"));
  empty.series.push_back({.label = "none", .style = 1});
  empty.series.push_back({.label = "absent", .style = 2, .points = {{0, kNan}, {kNan, 1}}});
  empty.series.push_back({.label = "one", .style = 3, .points = {{0, 1}}});
  empty.lines.push_back({"nowhere", kNan, false});
  ASSERT_TRUE(WritePng(empty, folder / "hardly.png"));
  ASSERT_TRUE(WriteSvg(empty, folder / "hardly.svg"));
  EXPECT_THAT(ReadAll(folder / "hardly.svg"), ::testing::Not(HasSubstr("nan")));
}

TEST(Chart, NamesPlacesAndSpreadsCounts) {
  const TestFolder folder;
  Chart chart{.x = {.names = {"blur:1", "blur:2"}}, .y = {.counts = true}};
  chart.series.push_back(
      {.label = "cases", .style = 2, .line = false, .points = {{0, 1}, {1, 37}}});
  ASSERT_TRUE(WritePng(chart, folder / "named.png"));
  EXPECT_GT(CountPixels(cv::imread(folder / "named.png"), kBlue), 50);
}

TEST(Chart, SaysWhereItCannotBeWritten) {
  const TestFolder folder;
  for (const auto write : {&WriteSvg, &WritePng}) {
    const auto written = write(SomeChart(), folder / "no/such/chart");
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code, ErrorCode::kIo);
    EXPECT_THAT(written.error().message, HasSubstr("no/such/chart"));
  }
}

}  // namespace
}  // namespace nearfar
