// What a calibration costs: 5,000 images, those of the bundle's first VOC07 pair over and over, or
// made up where there is no bundle; without annotations, and by hand or by choice.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "core/rng.h"
#include "data/imports.h"
#include "data/read_truth.h"
#include "train/calibrate.h"

namespace nearfar {
namespace {

constexpr std::size_t kImages = 5000;
const ModelIdentity kNear{.name = "near", .score_floor = 0.01};
const ModelIdentity kFar{.name = "far"};

std::optional<LabelledSet> FromBundle() {
  const char* const named = std::getenv("NEARFAR_ASSETS");
  const auto bundle = named != nullptr
                          ? std::filesystem::path(named)
                          : std::filesystem::path(NEARFAR_SOURCE_DIR) / "../shared/assets";
  const std::string folder = (bundle / "voc07_detections").string() + "/";
  const auto near = OpenRecording(folder + "tiny_yolo_a");
  const auto far = OpenRecording(folder + "yolov2");
  if (!near || !far) {
    return std::nullopt;
  }
  return JoinRecordings(*near, *far, nullptr, Synonyms::Default(), {}).value();
}

/// Twenty classes, thirty near boxes an image, of which far finds as many as their scores say.
LabelledSet MadeUp() {
  LabelledSet set;
  for (int c = 0; c < 20; ++c) {
    set.classes.names.push_back("class" + std::to_string(c));
  }
  Rng rng(1);
  for (std::size_t i = 0; i < kImages; ++i) {
    set.names.push_back("image" + std::to_string(i));
    LabelledImage image{.size = {500, 375}, .key = HashText(set.names.back())};
    for (int b = 0; b < 30; ++b) {
      const auto x = static_cast<float>(rng.Uniform(0, 400));
      const auto y = static_cast<float>(rng.Uniform(0, 300));
      const double score = 0.01 + 0.98 * rng.Uniform() * rng.Uniform() * rng.Uniform();
      image.near.push_back({{x, y, x + static_cast<float>(rng.Uniform(5, 100)),
                             y + static_cast<float>(rng.Uniform(5, 75))},
                            static_cast<float>(score),
                            static_cast<int>(rng.Below(20))});
      if (rng.Chance(score)) {
        image.far.push_back(image.near.back());
        image.far.back().score = 0.9F;
      }
    }
    set.images.push_back(std::move(image));
  }
  return set;
}

/// Repeats the images under other names until there are enough.
LabelledSet Repeated(LabelledSet set) {
  const std::size_t count = set.images.size();
  for (std::size_t i = count; i < kImages; ++i) {
    set.names.push_back(set.names[i % count] + "_" + std::to_string(i / count));
    set.images.push_back(set.images[i % count]);
    set.images.back().key = HashText(set.names.back());
  }
  return set;
}

void CalibrateImages(benchmark::State& state, const std::string& name) {
  std::optional<LabelledSet> bundle = FromBundle();
  const LabelledSet set = bundle ? Repeated(*std::move(bundle)) : MadeUp();
  std::string chosen;
  for (auto _ : state) {
    const auto file = Calibrate(set, kNear, kFar, {.discriminator = {.name = name}, .upload = 0.2});
    chosen = file.value().discriminator.name;
  }
  state.SetLabel(std::to_string(set.images.size()) + " images, " +
                 (bundle ? "the bundle's first pair" : "made up") + ": " + chosen);
}

const int registered = [] {
  for (const std::string name : {"auto", "smallbig", "cf", "ridge", "mlp", "conv"}) {
    benchmark::RegisterBenchmark(("Calibrate/" + name).c_str(), CalibrateImages, name)
        ->Unit(benchmark::kSecond)
        ->Iterations(1);
  }
  return 0;
}();

}  // namespace
}  // namespace nearfar
