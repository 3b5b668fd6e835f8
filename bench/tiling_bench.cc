// One 4K frame cut, joined and put together again: 1,300 boxes of 40 padded tiles and an overview.
// Target: split + join + merge ≤ 0.5 ms on one core.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/rng.h"
#include "tiling/join.h"
#include "tiling/merge.h"
#include "tiling/padding.h"

namespace nearfar {
namespace {

struct Frame {
  Size size{3840, 2160};
  TileGrid grid = MakeTileGrid(size, {512, 512});
  Padding padding = EvenPadding(grid, {64, 64});
  std::vector<int> cells;
  std::vector<RegionResult> results;
};

/// Tiles and overview as two regions of results; about `boxes` boxes of people 20 to 300 px high,
/// in crowds, jittered from region to region as a detector's are.
Frame MakeFrame(std::size_t boxes) {
  Frame frame;
  frame.cells.resize(static_cast<std::size_t>(frame.grid.cells()));
  std::iota(frame.cells.begin(), frame.cells.end(), 0);
  for (TiledRegion& region : JoinTiles(frame.grid, frame.padding, frame.cells, {.on = false})) {
    frame.results.push_back({.region = std::move(region)});
  }
  frame.results.push_back({.region = Overview(frame.size, 960)});
  Rng rng(7);
  std::size_t count = 0;
  float crowd_x = 0;
  float crowd_y = 0;
  while (count < boxes) {
    if (rng.Chance(0.05)) {
      crowd_x = static_cast<float>(rng.Uniform(0, 3500));
      crowd_y = static_cast<float>(rng.Uniform(0, 1900));
    }
    const auto height = static_cast<float>(20 * std::exp(rng.Uniform(0, 2.7)));
    const float x = crowd_x + static_cast<float>(rng.Uniform(0, 500));
    const float y = crowd_y + static_cast<float>(rng.Uniform(0, 300));
    const Box person{x, y, x + height * 0.4F, y + height};
    for (RegionResult& result : frame.results) {
      const bool overview = result.region.kind == TiledRegion::Kind::kOverview;
      const Rect& r = result.region.rect;
      const auto jitter = [&] { return static_cast<float>(rng.Uniform(-0.04, 0.04)) * height; };
      const Box seen{std::max(person.x1 + jitter(), static_cast<float>(r.x)),
                     std::max(person.y1 + jitter(), static_cast<float>(r.y)),
                     std::min(person.x2 + jitter(), static_cast<float>(r.x + r.width)),
                     std::min(person.y2 + jitter(), static_cast<float>(r.y + r.height))};
      if (seen.width() > 5 && seen.height() > 5 && (!overview || height > 80)) {
        result.detections.push_back({seen, static_cast<float>(rng.Uniform(0.01, 1)), 0});
        ++count;
      }
    }
  }
  return frame;
}

void SplitJoinMerge1300(benchmark::State& state) {
  const Frame frame = MakeFrame(1300);
  for (auto _ : state) {
    benchmark::DoNotOptimize(JoinTiles(frame.grid, frame.padding, frame.cells));
    benchmark::DoNotOptimize(MergeByBorder(frame.size, frame.results));
  }
}
BENCHMARK(SplitJoinMerge1300)->Unit(benchmark::kMicrosecond);

void MergeByBorder1300(benchmark::State& state) {
  const Frame frame = MakeFrame(1300);
  for (auto _ : state) {
    benchmark::DoNotOptimize(MergeByBorder(frame.size, frame.results));
  }
}
BENCHMARK(MergeByBorder1300)->Unit(benchmark::kMicrosecond);

void MergeByIou1300(benchmark::State& state) {
  const Frame frame = MakeFrame(1300);
  for (auto _ : state) {
    benchmark::DoNotOptimize(MergeByIou(frame.results));
  }
}
BENCHMARK(MergeByIou1300)->Unit(benchmark::kMicrosecond);

/// Every cell of a grid of `columns` x `rows`, or every second one.
void Join(benchmark::State& state) {
  const TileGrid grid = MakeTileGrid(
      {static_cast<int>(512 * state.range(0)), static_cast<int>(512 * state.range(1))}, {512, 512});
  const Padding padding = EvenPadding(grid, {64, 64});
  std::vector<int> cells;
  for (int cell = 0; cell < grid.cells(); cell += static_cast<int>(state.range(2))) {
    cells.push_back(cell);
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(JoinTiles(grid, padding, cells));
  }
}
BENCHMARK(Join)
    ->Args({8, 5, 1})
    ->Args({8, 5, 2})
    ->Args({16, 9, 1})
    ->Args({16, 9, 2})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace nearfar
