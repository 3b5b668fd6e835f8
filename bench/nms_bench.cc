// NMS of what a detector gives for a crowded picture: 1,300 boxes over 80 classes. Target: ≤ 0.35
// ms. The boxes come in clumps, as before NMS they do: 130 objects with ten boxes each.

#include <benchmark/benchmark.h>

#include "core/nms.h"
#include "core/rng.h"

namespace nearfar {
namespace {

Detections MakeBoxes(int objects, int boxes_each, int classes, double spread) {
  Rng rng(7);
  Detections boxes;
  for (int o = 0; o < objects; ++o) {
    const double x = rng.Uniform(0, 600);
    const double y = rng.Uniform(0, 440);
    const double side = rng.Uniform(10, 120);
    const int label = static_cast<int>(rng.Below(static_cast<std::uint64_t>(classes)));
    for (int b = 0; b < boxes_each; ++b) {
      const auto jitter = [&] { return static_cast<float>(rng.Uniform(-spread, spread) * side); };
      const auto left = static_cast<float>(x) + jitter();
      const auto top = static_cast<float>(y) + jitter();
      boxes.push_back({{left, top, left + static_cast<float>(side) + jitter(),
                        top + static_cast<float>(side) + jitter()},
                       static_cast<float>(rng.Uniform(0.01, 1)),
                       label});
    }
  }
  return boxes;
}

void Nms1300Over80(benchmark::State& state) {
  const Detections boxes = MakeBoxes(130, 10, 80, 0.15);
  for (auto _ : state) {
    benchmark::DoNotOptimize(Nms(boxes, {}));
  }
}
BENCHMARK(Nms1300Over80)->Unit(benchmark::kMicrosecond);

/// Nothing overlaps enough to go: the most comparisons that one picture can ask for.
void Nms1300Over80NothingSuppressed(benchmark::State& state) {
  const Detections boxes = MakeBoxes(1300, 1, 80, 0);
  NmsOptions options;
  options.iou = 0.99F;
  options.max_detections = 10000;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Nms(boxes, options));
  }
}
BENCHMARK(Nms1300Over80NothingSuppressed)->Unit(benchmark::kMicrosecond);

/// One class: a crowd of people.
void Nms1300OfOneClass(benchmark::State& state) {
  const Detections boxes = MakeBoxes(130, 10, 1, 0.15);
  for (auto _ : state) {
    benchmark::DoNotOptimize(Nms(boxes, {}));
  }
}
BENCHMARK(Nms1300OfOneClass)->Unit(benchmark::kMicrosecond);

/// What a noisy SSD gives at a score floor of 0.01.
void Nms45000Over80(benchmark::State& state) {
  const Detections boxes = MakeBoxes(1500, 30, 80, 0.15);
  for (auto _ : state) {
    benchmark::DoNotOptimize(Nms(boxes, {}));
  }
}
BENCHMARK(Nms45000Over80)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace nearfar
