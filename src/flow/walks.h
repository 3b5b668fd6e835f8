#pragma once

// People who walk through frames, for the tests of this folder.

#include <chrono>
#include <cstdint>
#include <vector>

#include "core/rng.h"
#include "flow/flow_filter.h"

namespace nearfar {

/// Frames at 10 per second in which people enter at the left edge and leave at the right.
class Walks {
 public:
  explicit Walks(const TileGrid& grid, std::uint64_t seed) : grid_(grid), rng_(seed) {
    for (int i = 0; i < 6; ++i) {
      Enter(static_cast<float>(rng_.Uniform(0, grid.frame.width)));
    }
  }

  static TimePoint TimeOf(std::uint64_t frame) {
    return TimePoint(std::chrono::milliseconds(100 * static_cast<std::int64_t>(frame)));
  }

  /// The people of the next frame.
  Detections Next() {
    Detections people;
    std::erase_if(walkers_, [&](Walker& walker) {
      walker.x += walker.speed;
      return walker.x >= static_cast<float>(grid_.frame.width);
    });
    if (rng_.Chance(0.03)) {
      Enter(0);
    }
    for (const Walker& w : walkers_) {
      people.push_back({.box = {w.x - 8, w.y - 20, w.x + 8, w.y + 20}, .score = 1});
    }
    return people;
  }

 private:
  struct Walker {
    float x, y, speed;
  };
  void Enter(float x) {
    walkers_.push_back({x, static_cast<float>(rng_.Uniform(0.3, 0.6) * grid_.frame.height),
                        static_cast<float>(rng_.Uniform(3, 6))});
  }

  TileGrid grid_;
  Rng rng_;
  std::vector<Walker> walkers_;
};

/// What comes of a plan when everybody in a cell looked at is found.
inline LookResult ResultOf(const TileGrid& grid, FrameId frame, TimePoint captured,
                           const LookPlan& plan, const Detections& people) {
  LookResult result{.frame = frame, .captured = captured};
  for (const Look look : plan.cells) {
    result.looked.push_back(look != Look::kSkip);
  }
  for (const Detection& person : people) {
    if (result.looked[static_cast<std::size_t>(grid.CellOf(person.box))]) {
      result.people.push_back(person);
    }
  }
  return result;
}

}  // namespace nearfar
