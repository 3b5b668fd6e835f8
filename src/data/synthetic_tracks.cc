#include "data/synthetic_tracks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

/// A point of the picture where people's feet are, in shares of its width and height.
struct Point {
  double x = 0;
  double y = 0;
};

/// One person's way over the square.
struct Walk {
  int track = 0;
  Point from;
  Point to;
  double start = 0;     ///< s
  double pace = 0;      ///< body heights per second
  double sway = 0;      ///< how far off the straight line, in shares of the width
  double stop_at = 2;   ///< share of the way at which he stops; above 1: he does not
  double stop_for = 0;  ///< s
  double build = 1;     ///< own height over the usual one
  // As he goes:
  double done = 0;      ///< share of the way
  double stopped = 0;   ///< s
};

double HeightAt(const SyntheticTracksOptions& options, double y) {
  return options.far_height + (options.near_height - options.far_height) * std::clamp(y, 0.0, 1.0);
}

/// A gate on one of the four edges: people come and go there.
Point Gate(Rng& rng) {
  const double along = rng.Uniform(0.1, 0.9);
  switch (rng.Below(4)) {
    case 0: return {along, 0.08};
    case 1: return {along, 1.05};
    case 2: return {-0.03, 0.1 + 0.8 * along};
    default: return {1.03, 0.1 + 0.8 * along};
  }
}

Walk NewWalk(const SyntheticTracksOptions& options, const std::vector<Point>& gates, Rng& rng) {
  Walk walk;
  const std::size_t from = rng.Below(gates.size());
  const std::size_t to = (from + 1 + rng.Below(gates.size() - 1)) % gates.size();
  walk.from = gates[from];
  walk.to = gates[to];
  walk.pace = rng.Uniform(0.5, 1.1);
  walk.sway = rng.Normal() * 0.02;
  walk.build = rng.Uniform(0.85, 1.15);
  if (rng.Chance(options.stands)) {
    walk.stop_at = rng.Uniform(0.2, 0.8);
    walk.stop_for = rng.Uniform(2, 20);
  }
  return walk;
}

Point Position(const Walk& walk) {
  const double bend = walk.sway * std::sin(3.14159265358979 * walk.done);
  return {walk.from.x + (walk.to.x - walk.from.x) * walk.done + bend,
          walk.from.y + (walk.to.y - walk.from.y) * walk.done + bend};
}

/// Moves on by dt seconds.
void Step(const SyntheticTracksOptions& options, Walk& walk, double dt) {
  if (walk.done >= walk.stop_at && walk.stopped < walk.stop_for) {
    walk.stopped += dt;
    return;
  }
  const double width = (walk.to.x - walk.from.x) * options.frame.width;
  const double height = (walk.to.y - walk.from.y) * options.frame.height;
  const double way = std::max(1.0, std::hypot(width, height));
  walk.done += walk.pace * HeightAt(options, Position(walk).y) * dt / way;
}

}  // namespace

Expected<void> Validate(const SyntheticTracksOptions& options) {
  const auto wrong = [](const std::string& what) { return Fail(ErrorCode::kInvalidInput, what); };
  if (options.frame.width < 64 || options.frame.height < 64) {
    return wrong("frame: sides must be at least 64 px");
  }
  if (!(options.fps > 0) || options.frames < 1) {
    return wrong("fps must be more than 0, frames at least 1");
  }
  if (!(options.people > 0 && options.people <= 10'000)) {
    return wrong("people: must lie in (0, 10000]");
  }
  if (!(options.far_height >= 1) || !(options.near_height >= 1)) {
    return wrong("far_height, near_height: must be at least 1 px");
  }
  if (!(options.stands >= 0 && options.stands <= 1)) {
    return wrong("stands: must lie in [0, 1]");
  }
  return {};
}

Tracks MakeSyntheticTracks(const SyntheticTracksOptions& options) {
  Rng rng(options.seed);
  std::vector<Point> gates;
  for (int i = 0; i < 5; ++i) {
    gates.push_back(Gate(rng));
  }
  Tracks tracks{.name = "synthetic", .frame = options.frame, .fps = options.fps, .classes = {{"person"}}};
  std::vector<Walk> walks;
  int next_track = 1;
  const double dt = 1 / options.fps;
  const auto join = [&](bool on_the_way) {
    Walk walk = NewWalk(options, gates, rng);
    walk.track = next_track++;
    walk.done = on_the_way ? rng.Uniform() : 0;
    walks.push_back(walk);
  };
  while (static_cast<double>(walks.size()) + 0.5 < options.people) {
    join(/*on_the_way=*/true);
  }
  for (int i = 0; i < options.frames; ++i) {
    TrackFrame frame{.number = i + 1, .seconds = i * dt};
    char name[16];
    std::snprintf(name, sizeof name, "%06d", i + 1);
    frame.name = name;
    for (const Walk& walk : walks) {
      const Point feet = Position(walk);
      const double height = walk.build * HeightAt(options, feet.y);
      const double width = 0.4 * height;
      const double x = feet.x * options.frame.width;
      const double y = feet.y * options.frame.height;
      const Box box{static_cast<float>(x - width / 2), static_cast<float>(y - height),
                    static_cast<float>(x + width / 2), static_cast<float>(y)};
      const Box inside = ClipTo(box, options.frame);
      if (inside.area() > 0.3F * box.area()) {
        frame.boxes.push_back({.box = inside,
                               .track = walk.track,
                               .visibility = inside.area() / box.area()});
      }
    }
    tracks.frames.push_back(std::move(frame));
    for (Walk& walk : walks) {
      Step(options, walk, dt);
    }
    // Whoever leaves is followed by another after a while, so that the number wanders about its mean.
    std::erase_if(walks, [](const Walk& walk) { return walk.done >= 1; });
    const double missing = options.people - static_cast<double>(walks.size());
    if (missing > 0 && rng.Chance(std::min(1.0, missing * dt))) {
      join(/*on_the_way=*/false);
    }
  }
  return tracks;
}

}  // namespace nearfar
