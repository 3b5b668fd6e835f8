// Average precision and its bootstrap on sets as large as VOC07 test: about 5,000 images, 20
// classes, 2.5 objects and 25 boxes an image.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/ranking.h"
#include "core/rng.h"
#include "eval/comparison.h"
#include "eval/sweep.h"

namespace nearfar {
namespace {

constexpr int kClasses = 20;

struct Scene {
  std::vector<TruthImage> images;
  std::vector<Detections> detections;
};

Scene MakeScene(int images, int wrong_boxes) {
  Rng rng(1);
  Scene scene;
  const auto box = [&] {
    const auto x = static_cast<float>(rng.Uniform(0, 400));
    const auto y = static_cast<float>(rng.Uniform(0, 300));
    return Box{x, y, x + static_cast<float>(rng.Uniform(10, 100)),
               y + static_cast<float>(rng.Uniform(10, 100))};
  };
  for (int i = 0; i < images; ++i) {
    TruthImage image{.size = {500, 400}};
    Detections detections;
    for (std::uint64_t o = rng.Below(6); o > 0; --o) {
      const int label = static_cast<int>(rng.Below(kClasses));
      image.objects.push_back({.box = box(), .label = label, .difficult = rng.Chance(0.15)});
      detections.push_back({Translate(image.objects.back().box, 3, 2),
                            static_cast<float>(rng.Uniform(0.1, 1)), label});
    }
    for (int wrong = 0; wrong < wrong_boxes; ++wrong) {
      detections.push_back({box(), static_cast<float>(rng.Uniform(0.01, 0.5)),
                            static_cast<int>(rng.Below(kClasses))});
    }
    scene.images.push_back(std::move(image));
    scene.detections.push_back(std::move(detections));
  }
  return scene;
}

void MatchAndReadVocAp(benchmark::State& state) {
  const Scene scene = MakeScene(static_cast<int>(state.range(0)), 22);
  for (auto _ : state) {
    const MatchTable table = MatchVoc(scene.images, scene.detections, kClasses);
    benchmark::DoNotOptimize(MeanAveragePrecision(table, Interpolation::kVoc07));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(MatchAndReadVocAp)->Arg(5000)->Unit(benchmark::kMillisecond);

void MatchAndReadCocoAp(benchmark::State& state) {
  const Scene scene = MakeScene(static_cast<int>(state.range(0)), 22);
  for (auto _ : state) {
    const MatchTable table = MatchCoco(scene.images, scene.detections, kClasses);
    benchmark::DoNotOptimize(MeanAveragePrecision(table, Interpolation::kCoco));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(MatchAndReadCocoAp)->Arg(5000)->Unit(benchmark::kMillisecond);

/// 1,000 draws of one table's VOC07 mAP: matched once, read a thousand times.
void BootstrapVocAp(benchmark::State& state) {
  const Scene scene = MakeScene(static_cast<int>(state.range(0)), 22);
  const MatchTable table = MatchVoc(scene.images, scene.detections, kClasses);
  for (auto _ : state) {
    std::vector<double> values;
    Resample(scene.images.size(), {.draws = 1000}, [&](ImageWeights draw) {
      values.push_back(*MeanAveragePrecision(table, Interpolation::kVoc07, draw));
    });
    benchmark::DoNotOptimize(PercentileInterval(std::move(values)));
  }
}
BENCHMARK(BootstrapVocAp)->Arg(500)->Arg(5000)->Unit(benchmark::kMillisecond);

/// The whole comparison of small, big and end to end, all figures with intervals of 1,000 draws.
void CompareWithIntervals(benchmark::State& state) {
  const Scene scene = MakeScene(static_cast<int>(state.range(0)), 22);
  LabelSpace classes;
  for (int c = 0; c < kClasses; ++c) {
    classes.names.push_back("class" + std::to_string(c));
  }
  const std::vector<bool> uploaded(scene.images.size(), true);
  const std::vector<Contender> contenders = {
      {.name = "small", .role = Role::kSmall, .detections = scene.detections},
      {.name = "big", .role = Role::kBig, .detections = scene.detections},
      {.name = "both",
       .role = Role::kEndToEnd,
       .detections = scene.detections,
       .uploaded = uploaded}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        Compare(scene.images, classes, contenders, {.bootstrap = {.draws = 1000}}));
  }
}
BENCHMARK(CompareWithIntervals)->Arg(500)->Unit(benchmark::kMillisecond)->Iterations(1);

/// Ten orders at 21 ratios with 200 draws, as `nearfar sweep` reads them; fits are not in it.
void SweepTenOrders(benchmark::State& state) {
  const auto images = static_cast<std::size_t>(state.range(0));
  const Scene scene = MakeScene(static_cast<int>(images), 10);
  std::vector<Detections> near = scene.detections;
  Rng rng(2);
  for (Detections& boxes : near) {
    std::erase_if(boxes, [&](const Detection&) { return rng.Chance(0.3); });
  }
  LabelSpace classes;
  for (int c = 0; c < kClasses; ++c) {
    classes.names.push_back(std::to_string(c));
  }
  std::vector<UploadOrder> orders;
  for (int o = 0; o < 10; ++o) {
    std::vector<double> worth(images);
    std::generate(worth.begin(), worth.end(), [&] { return rng.Uniform(); });
    orders.push_back({std::to_string(o), ByFallingValue(worth)});
  }
  const SweepOptions options{.ratios = DefaultRatios(),
                             .comparison = {.bootstrap = {.draws = 200}},
                             .reference = std::size_t{0}};
  for (auto _ : state) {
    const PairSweep sweep(scene.images, classes, near, scene.detections, options.comparison);
    benchmark::DoNotOptimize(sweep.Run(orders, options));
  }
}
BENCHMARK(SweepTenOrders)->Arg(4952)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace nearfar
