#include "sim/flow_loop.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <deque>
#include <utility>

#include "core/percentile.h"
#include "core/rng.h"
#include "flow/count_grid.h"

namespace nearfar {
TileGrid GridOfCells(Size frame, int cells) {
  assert(frame.area() > 0 && cells > 0);
  const int side = (std::max(frame.width, frame.height) + cells - 1) / cells;
  return MakeTileGrid(frame, {side, side});
}

FlowScene SceneOf(const Tracks& tracks, int cells, float least_score) {
  FlowScene scene{tracks.name, GridOfCells(tracks.frame, cells), {}};
  for (const TrackFrame& frame : tracks.frames) {
    FlowFrame now{TimePoint(FromMilliseconds(1e3 * frame.seconds)), {}};
    for (const TrackedBox& box : frame.boxes) {
      if (box.label == 0 && !box.difficult && box.score >= least_score) {
        now.people.push_back(box.box);
      }
    }
    scene.frames.push_back(std::move(now));
  }
  return scene;
}

Size PaddingOf(const FlowScene& scene) {
  std::vector<int> widths, heights;
  for (const FlowFrame& frame : scene.frames) {
    for (const Box& person : frame.people) {
      if (HasPlace(person)) {
        widths.push_back(static_cast<int>(std::ceil(person.width())));
        heights.push_back(static_cast<int>(std::ceil(person.height())));
      }
    }
  }
  return widths.empty() ? Size{} : Size{Percentile(widths, 90), Percentile(heights, 90)};
}

FlowLoopResult RunFlowLoop(const FlowScene& scene, FlowFilter& filter,
                           const FlowLoopOptions& options) {
  assert(options.lag >= 1 && options.miss_rate >= 0 && options.miss_rate < 1);
  const TileGrid& grid = scene.grid;
  const auto cells = static_cast<std::size_t>(grid.cells());
  std::vector<Box> padded;
  double all_pixels = 0;
  for (int c = 0; c < grid.cells(); ++c) {
    padded.push_back(PaddedCell(grid, options.padding, c));
    all_pixels += double{padded.back().area()};
  }
  FlowLoopResult sums{.frames = scene.frames.size()};
  struct PerFrame {
    std::size_t people = 0, missed = 0, missed_padded = 0, skipped = 0, empty = 0;
    double pixels = 0;
  };
  std::vector<PerFrame> frames;
  std::deque<LookResult> in_flight;
  Rng rng(options.seed);
  filter.SetGrid(grid);
  for (std::size_t t = 0; t < scene.frames.size(); ++t) {
    const FlowFrame& frame = scene.frames[t];
    const auto begin = std::chrono::steady_clock::now();
    while (in_flight.size() >= static_cast<std::size_t>(options.lag)) {
      filter.Observe(in_flight.front());
      in_flight.pop_front();
    }
    const LookPlan plan = filter.Plan(FrameId{t}, frame.captured);
    sums.plan_times.push_back(std::chrono::steady_clock::now() - begin);
    PerFrame now;
    LookResult result{.frame = FrameId{t}, .captured = frame.captured};
    std::vector<bool> occupied(cells);
    for (std::size_t c = 0; c < cells; ++c) {
      result.looked.push_back(plan.cells[c] != Look::kSkip);
      now.skipped += result.looked[c] ? 0 : 1;
      now.pixels += result.looked[c] ? double{padded[c].area()} : 0;
    }
    for (const Box& person : frame.people) {
      if (!HasPlace(person)) {
        continue;
      }
      const auto cell = static_cast<std::size_t>(grid.CellOf(person));
      occupied[cell] = true;
      const bool overlooked = rng.Chance(options.miss_rate);
      const bool looked = result.looked[cell];
      const bool whole = looked || IsSeen(grid, options.padding, result.looked, person);
      ++now.people;
      now.missed += looked ? 0 : 1;
      now.missed_padded += whole ? 0 : 1;
      if (whole && !overlooked) {
        result.people.push_back({.box = person, .score = 1});
      }
    }
    now.empty = static_cast<std::size_t>(std::count(occupied.begin(), occupied.end(), false));
    sums.full_looks += plan.full_look ? 1 : 0;
    if (now.skipped > 0 && !sums.on_since) {
      sums.on_since = t;
    }
    frames.push_back(now);
    in_flight.push_back(std::move(result));
  }
  const std::size_t on = sums.on_since.value_or(frames.size());
  const std::size_t frames_on = frames.size() - on;
  PerFrame all, from_on;
  std::array<std::size_t, 4> missed{}, skipped{}, count{};
  for (std::size_t t = 0; t < frames.size(); ++t) {
    const PerFrame& now = frames[t];
    all.skipped += now.skipped;
    all.empty += now.empty;
    if (t >= on) {
      from_on.skipped += now.skipped;
      from_on.empty += now.empty;
      from_on.people += now.people;
      from_on.missed += now.missed;
      from_on.missed_padded += now.missed_padded;
      from_on.pixels += now.pixels;
      const std::size_t quarter = std::min<std::size_t>(3, 4 * (t - on) / frames_on);
      sums.people_by_quarter[quarter] += now.people;
      missed[quarter] += now.missed;
      skipped[quarter] += now.skipped;
      ++count[quarter];
    }
  }
  const auto share = [](double part, double whole) { return whole > 0 ? part / whole : 0; };
  const auto number = [](std::size_t n) { return static_cast<double>(n); };
  sums.empty_share = share(number(all.empty), number(frames.size() * cells));
  sums.skipped = share(number(all.skipped), number(frames.size() * cells));
  sums.empty_share_on = share(number(from_on.empty), number(frames_on * cells));
  sums.skipped_on = share(number(from_on.skipped), number(frames_on * cells));
  sums.skipped_pixels_on =
      frames_on > 0 ? 1 - share(from_on.pixels, number(frames_on) * all_pixels) : 0;
  sums.people_on = from_on.people;
  sums.missed_on = from_on.missed;
  sums.recall_on = 1 - share(number(from_on.missed), number(from_on.people));
  sums.recall_padded_on = 1 - share(number(from_on.missed_padded), number(from_on.people));
  for (std::size_t q = 0; q < 4; ++q) {
    sums.recall_by_quarter[q] = 1 - share(number(missed[q]), number(sums.people_by_quarter[q]));
    sums.skipped_by_quarter[q] = share(number(skipped[q]), number(count[q] * cells));
  }
  return sums;
}

double OpenLoopAccuracy(const FlowScene& scene, FlowFilter& filter, int lag, std::size_t from) {
  assert(lag >= 1);
  const auto cells = static_cast<std::size_t>(scene.grid.cells());
  filter.SetGrid(scene.grid);
  std::size_t right = 0, all = 0;
  for (std::size_t t = 0; t < scene.frames.size(); ++t) {
    const FlowFrame& frame = scene.frames[t];
    if (t >= static_cast<std::size_t>(lag)) {
      const std::size_t then = t - static_cast<std::size_t>(lag);
      LookResult result{.frame = FrameId{then},
                        .captured = scene.frames[then].captured,
                        .looked = std::vector<bool>(cells, true)};
      for (const Box& person : scene.frames[then].people) {
        result.people.push_back({.box = person, .score = 1});
      }
      filter.Observe(result);
    }
    const LookPlan plan = filter.Plan(FrameId{t}, frame.captured);
    if (t < from) {
      continue;
    }
    std::vector<bool> occupied(cells);
    for (const Box& person : frame.people) {
      if (HasPlace(person)) {
        occupied[static_cast<std::size_t>(scene.grid.CellOf(person))] = true;
      }
    }
    for (std::size_t c = 0; c < cells; ++c) {
      right += (plan.cells[c] != Look::kSkip) == occupied[c] ? 1 : 0;
      ++all;
    }
  }
  return all > 0 ? static_cast<double>(right) / static_cast<double>(all) : 0;
}

}  // namespace nearfar
