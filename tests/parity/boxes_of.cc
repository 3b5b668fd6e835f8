// Prints what the product sees in pictures, one JSON line each, for compare.py:
//   boxes_of MODEL SCORE_FLOOR KEY=VALUE... -- IMAGE...
#include <cstdlib>
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "adapters/image/codec.h"
#include "adapters/ort/detector.h"

namespace {

nlohmann::json Rows(const nearfar::Detections& detections) {
  auto rows = nlohmann::json::array();
  for (const nearfar::Detection& d : detections) {
    rows.push_back({d.box.x1, d.box.y1, d.box.x2, d.box.y2, d.score, d.label});
  }
  return rows;
}

int Fail(const std::string& message) {
  std::cerr << "boxes_of: " << message << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return Fail("MODEL SCORE_FLOOR KEY=VALUE... -- IMAGE...");
  nearfar::ort::DetectorOptions options{.model = argv[1], .score_floor = std::strtof(argv[2], nullptr)};
  options.nms = {.iou = 0.5F, .max_detections = 100'000, .max_candidates = 100'000};
  int i = 3;
  for (; i < argc && std::string(argv[i]) != "--"; ++i) {
    const std::string setting = argv[i];
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) return Fail("'" + setting + "' is not KEY=VALUE");
    options.settings[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  const auto detector = nearfar::ort::OrtDetector::Open(options);
  if (!detector) return Fail(detector.error().message);
  for (++i; i < argc; ++i) {
    const auto bytes = nearfar::ReadFileBytes(argv[i], 1 << 26);
    if (!bytes) return Fail(bytes.error().message);
    const auto image = nearfar::DecodeImage(*bytes);
    if (!image) return Fail(std::string(argv[i]) + ": " + image.error().message);
    const auto before = (*detector)->DetectBeforeNms(image->view(), 0, 0);
    if (!before) return Fail(before.error().message);
    const auto after = (*detector)->model().Finish(before->detections, image->size());
    std::cout << nlohmann::json{{"image", argv[i]}, {"before", Rows(before->detections)}, {"after", Rows(after)}}
              << "\n";
  }
  return 0;
}
