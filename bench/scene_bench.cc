// Drawing the fixture scene: what a set of pictures, or a recording without pixels, costs.

#include <benchmark/benchmark.h>

#include "data/scene.h"
#include "data/scene_detector.h"

namespace nearfar {
namespace {

void DrawPictures(benchmark::State& state) {
  const SceneOptions options;
  std::uint64_t index = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(DrawPicture(options, index++ % 200));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(DrawPictures)->Unit(benchmark::kMillisecond);

void RecordPictures(benchmark::State& state) {
  const SceneOptions options;
  const DetectorModel model = NearDetectorModel();
  std::uint64_t index = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        Detect(model, DrawPicture(options, index++ % 200, SceneContent::kObjectsOnly)));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(RecordPictures)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace nearfar
