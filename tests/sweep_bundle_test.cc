// `nearfar sweep` on real detections: the first pair of the bundle on VOC07 test photos.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "data/test_folder.h"
#include "program.h"

namespace nearfar {
namespace {

using nlohmann::json;

std::string Voc07(const std::string& what) {
  const char* place = std::getenv("NEARFAR_ASSETS");
  return (place != nullptr ? std::string(place) : NEARFAR_SOURCE_DIR "/../shared/assets") +
         "/voc07_detections/" + what;
}

/// Recovered gain by discriminator and ratio, as in the CSV.
std::map<std::string, double> RecoveredIn(const std::string& path) {
  std::istringstream file(ReadAll(path));
  std::map<std::string, double> recovered;
  std::map<std::string, std::size_t> column;
  std::string line;
  while (std::getline(file, line)) {
    std::vector<std::string> cells;
    std::istringstream parts(line);
    for (std::string cell; std::getline(parts, cell, ',');) {
      cells.push_back(cell);
    }
    if (column.empty()) {
      for (std::size_t c = 0; c < cells.size(); ++c) {
        column[cells[c]] = c;
      }
    } else if (cells.size() > column["recovered"] && !cells[column["recovered"]].empty()) {
      recovered[cells[column["discriminator"]] + " " + cells[column["upload_ratio"]]] =
          std::stod(cells[column["recovered"]]);
    }
  }
  return recovered;
}

TEST(SweepBundle, MeetsWhatTheFirstPairIsKnownForAndEqualsEval) {
  const TestFolder folder;
  const std::vector<std::string> pair = {
      "--truth", Voc07("gt.csv.gz"), "--near", Voc07("tiny_yolo_a"), "--far", Voc07("yolov2")};
  std::vector<std::string> words = {NEARFAR_BINARY, "sweep",       "--bootstrap", "0",
                                    "-o",           folder / "out"};
  words.insert(words.end(), pair.begin(), pair.end());
  const ProgramResult swept = RunProgram(words);
  ASSERT_EQ(swept.status, 0) << swept.err;
  const auto recovered = RecoveredIn(folder / "out/curves.csv");
  // Measured beforehand on the same 2,351 images with other programs; chance on all 4,952.
  EXPECT_NEAR(recovered.at("smallbig 0.2000"), .29, .015);
  EXPECT_NEAR(recovered.at("smallbig 0.5000"), .70, .015);
  EXPECT_NEAR(recovered.at("random 0.2000"), .23, .03);
  EXPECT_NEAR(recovered.at("random 0.5000"), .55, .03);
  EXPECT_NEAR(recovered.at("oracle 0.2000"), .86, .04);
  EXPECT_NEAR(recovered.at("oracle 0.5000"), 1.10, .04);
  EXPECT_NEAR(recovered.at("oracle-far 0.2000"), .54, .03);
  EXPECT_NEAR(recovered.at("oracle-far 0.5000"), .83, .03);
  EXPECT_EQ(recovered.at("entropy 1.0000"), 1);

  words = {NEARFAR_BINARY, "eval", "--json", "--discriminator", "random", "entropy",
           "--upload",     "0.2",  "0.5"};
  words.insert(words.end(), pair.begin(), pair.end());
  const ProgramResult judged = RunProgram(words);
  ASSERT_EQ(judged.status, 0) << judged.err;
  const json rows = json::parse(judged.out)["rows"];
  const char* const points[] = {"random 0.2000", "random 0.5000", "entropy 0.2000",
                                "entropy 0.5000"};
  for (std::size_t p = 0; p < 4; ++p) {
    EXPECT_NEAR(recovered.at(points[p]), rows[p + 2]["gap_recovered"].get<double>(), 1e-6)
        << points[p] << ": nothing of it is fitted";
  }
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  if (!std::filesystem::exists(nearfar::Voc07("gt.csv.gz"))) {
    std::puts("left out: no bundle of real data (NEARFAR_ASSETS or ../shared/assets)");
    return 0;
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
