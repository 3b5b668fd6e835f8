// What one verdict costs: an image with 100 boxes, scores and sizes spread as a small model's are.

#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "core/rng.h"
#include "discriminate/factory.h"

namespace nearfar {
namespace {

std::vector<Detections> MakeImages(int images, int boxes) {
  Rng rng(42);
  std::vector<Detections> made(static_cast<std::size_t>(images));
  for (Detections& raw : made) {
    for (int k = 0; k < boxes; ++k) {
      const double score = rng.Uniform();
      const auto x = static_cast<float>(rng.Uniform(0, 500));
      const auto y = static_cast<float>(rng.Uniform(0, 400));
      raw.push_back({{x, y, x + static_cast<float>(rng.Uniform(5, 300)),
                      y + static_cast<float>(rng.Uniform(5, 300))},
                     static_cast<float>(0.01 + 0.99 * score * score * score),
                     static_cast<int>(rng.Below(80))});
    }
  }
  return made;
}

/// What learned discriminators are fitted to: a far model that believes more.
std::vector<LabelledImage> LabelledImages() {
  std::vector<LabelledImage> labelled;
  for (const Detections& raw : MakeImages(64, 100)) {
    labelled.push_back({.near = raw, .far = raw, .size = {640, 480}});
    for (Detection& box : labelled.back().far) {
      box.score = std::sqrt(box.score);
    }
  }
  return labelled;
}

void JudgeImages(benchmark::State& state, const DiscriminatorSpec& spec) {
  const auto images = MakeImages(64, 100);
  const auto judge = MakeDiscriminator(spec).value();
  std::size_t next = 0;
  for (auto _ : state) {
    const Evidence evidence{images[next], {640, 480}, {.brenner = 120, .jpeg_bytes = 40000}, next};
    next = (next + 1) % images.size();
    benchmark::DoNotOptimize(judge->Judge(evidence, false));
    judge->Watch(evidence);
  }
  state.SetItemsProcessed(state.iterations());
}

const int registered = [] {
  for (const DiscriminatorInfo& info : KnownDiscriminators()) {
    DiscriminatorSpec spec{.name = std::string(info.name)};
    if (IsLearned(spec.name)) {
      spec.tables = FitTables(spec.name, LabelledImages(), 80, GainGoal::kAccuracy).value();
    }
    if (spec.name == "top1") {
      spec.parameters["classes"] = 80;
    }
    benchmark::RegisterBenchmark(("Judge/" + spec.name).c_str(), JudgeImages, spec);
  }
  benchmark::RegisterBenchmark(
      "Judge/smallbig, never difficult", JudgeImages,
      DiscriminatorSpec{.parameters = {{"count_threshold", 1000}, {"area_threshold", 0}}});
  benchmark::RegisterBenchmark(
      "Judge/smallbig, uploads empty", JudgeImages,
      DiscriminatorSpec{.parameters = {{"count_threshold", 10}, {"upload_empty", 1}}});
  return 0;
}();

}  // namespace
}  // namespace nearfar
