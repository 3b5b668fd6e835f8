// How the flow filters do on the tracks of the bundle (NEARFAR_ASSETS or ../shared/assets), every
// scene at 10 frames per second, eight cells on the longer side. Everything in one run.
//  1. Closed loop: the filter `flow`, five seeds, starting from state pooled over the other scenes;
//     recall of the people who stand in a cell looked at, and of those who stand whole in a padded
//     tile looked at (padding: 90 % of the scene's people fit in it).
//  2. Baselines in closed loop.
//  3. Open-loop accuracy (Figure 12): Comp-1 to Comp-5 and the network's binary map, on the last
//     fifth of each scene; the network trained on the first three fifths of all, its loss curve
//     (Figure 8).
//  4. Time per frame of Observe and Plan together.
// flow_bench closed | baselines | accuracy | time; none: all but accuracy, which trains for a
// minute.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/percentile.h"
#include "core/rng.h"
#include "data/tracks.h"
#include "flow/comp.h"
#include "flow/factory.h"
#include "flow/learning_filter.h"
#include "sim/flow_loop.h"
#include "train/flow_training.h"

namespace nearfar {
namespace {

constexpr int kCells = 8;
constexpr std::uint64_t kSeeds = 5;

struct Group {
  std::string name;
  std::vector<FlowScene> scenes;
  std::vector<std::string> places;  // scenes of one place are never pooled for each other
};

void Add(const std::string& path, const std::string& place, Size frame, double fps, float score,
         Group& group) {
  TracksOptions options{.frame = frame, .fps = fps, .target_fps = 10, .people_only = true};
  const Expected<Tracks> tracks = ReadTracks(path, options);
  if (!tracks) {
    std::fprintf(stderr, "%s\n", tracks.error().message.c_str());
    std::exit(1);
  }
  group.scenes.push_back(SceneOf(*tracks, kCells, score));
  group.places.push_back(place);
}

std::vector<Group> ReadGroups(const std::string& tracks) {
  std::vector<Group> groups{{"drone", {}, {}}, {"MOT", {}, {}}};
  for (const char* const name :
       {"deathCircle_video4", "gates_video2", "gates_video4", "hyang_video12", "hyang_video7",
        "little_video0", "nexus_video3", "quad_video2"}) {
    Add(tracks + "/SDD/" + name + ".txt.gz", name, {}, 0, 0, groups[0]);
  }
  for (const char* const number : {"02", "05", "09", "10", "11", "13"}) {
    const std::string name = std::string("MOT17-") + number;
    Add(tracks + "/MOT17_gt/" + name + ".gt.txt.gz", name, {}, 0, 0, groups[1]);
  }
  for (const char* const name : {"MOT17-01", "MOT17-02", "MOT17-08"}) {
    Add(tracks + "/detector_streams/" + name + "-SDP.txt.gz", name, {1920, 1080}, 30, 0.5F,
        groups[1]);
  }
  Add(tracks + "/detector_streams/MOT20-07.txt.gz", "MOT20-07", {1920, 1080}, 25, 0.5F, groups[1]);
  for (const char* const name : {"MOT20-02", "MOT20-07"}) {
    Add(tracks + "/MOT20_boosttrack/" + name + ".txt.gz", name, {1920, 1080}, 25, 0, groups[1]);
  }
  return groups;
}

LearningFilter Make(const FlowScene& scene, std::uint64_t seed, bool padded) {
  LearningOptions options{.seed = seed};
  options.padding = padded ? PaddingOf(scene) : Size{};
  LearningFilter filter(options);
  filter.SetGrid(scene.grid);
  return filter;
}

void Closed(const Group& group, bool padded, double miss_rate, int lag) {
  std::printf(
      "\nClosed loop, %s, target .995 of %s, %.0f %% of detections dropped, lag %d, seeds 1..%d\n",
      group.name.c_str(), padded ? "people whole in a padded tile" : "people in a cell",
      100 * miss_rate, lag, static_cast<int>(kSeeds));
  std::printf("%-20s %6s %5s %6s %7s %7s %7s %7s %8s %7s %6s  %s\n", "scene", "frames", "on",
              "empty", "skipped", "px", "in cell", "padded", "estimate", "worst", "late",
              "recall by quarter");
  const auto options = [&](const FlowScene& scene, std::uint64_t seed) {
    return FlowLoopOptions{
        .lag = lag, .miss_rate = miss_rate, .padding = PaddingOf(scene), .seed = seed};
  };
  std::vector<std::string> states;
  for (const FlowScene& scene : group.scenes) {
    LearningFilter filter = Make(scene, 99, padded);
    RunFlowLoop(scene, filter, options(scene, 99));
    states.push_back(filter.SaveState());
  }
  double skipped = 0, empty = 0, recall = 0, recall_padded = 0, of_empty = 0;
  double cells = 0, skipped_cells = 0, people = 0, missed = 0, missed_padded = 0;
  int off = 0, late = 0, runs = 0;
  for (std::size_t i = 0; i < group.scenes.size(); ++i) {
    const FlowScene& scene = group.scenes[i];
    std::vector<std::string> others;
    for (std::size_t j = 0; j < states.size(); ++j) {
      if (group.places[j] != group.places[i]) {
        others.push_back(states[j]);
      }
    }
    const std::string pool = PoolFlowStates(others).value();
    FlowLoopResult sum{.recall_on = 0, .recall_padded_on = 0};
    double estimate = 0, worst = 0, on = 0;
    int scene_late = 0;
    std::array<double, 4> quarters{};
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      LearningFilter filter = Make(scene, seed, padded);
      if (const auto loaded = filter.LoadState(pool); !loaded) {
        std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
        std::exit(1);
      }
      const FlowLoopResult r = RunFlowLoop(scene, filter, options(scene, seed));
      const double part = 1.0 / kSeeds;
      const auto since = static_cast<double>(r.on_since.value_or(r.frames));
      on += part * since;
      scene_late += since > 0.25 * static_cast<double>(r.frames) ? 1 : 0;
      sum.empty_share_on += part * r.empty_share_on;
      sum.skipped_on += part * r.skipped_on;
      sum.skipped_pixels_on += part * r.skipped_pixels_on;
      const double wrong = filter.estimate().recall - (padded ? r.recall_padded_on : r.recall_on);
      estimate += part * filter.estimate().recall;
      worst = std::max(worst, std::abs(wrong));
      off += std::abs(wrong) > 0.005 ? 1 : 0;
      sum.recall_on += part * r.recall_on;
      sum.recall_padded_on += part * r.recall_padded_on;
      for (std::size_t q = 0; q < 4; ++q) {
        quarters[q] += part * r.recall_by_quarter[q];
      }
      const double all = (static_cast<double>(r.frames) - since) * scene.grid.cells();
      cells += all;
      skipped_cells += all * r.skipped_on;
      const auto number = static_cast<double>(r.people_on);
      people += number;
      missed += number * (1 - r.recall_on);
      missed_padded += number * (1 - r.recall_padded_on);
      of_empty += r.empty_share_on > 0 ? r.skipped_on / r.empty_share_on : 0;
      ++runs;
    }
    late += scene_late;
    std::printf(
        "%-20s %6zu %5.0f %6.3f %7.3f %7.3f %7.4f %7.4f %8.4f %7.4f %6d  %.4f %.4f %.4f %.4f\n",
        scene.name.c_str(), scene.frames.size(), on, sum.empty_share_on, sum.skipped_on,
        sum.skipped_pixels_on, sum.recall_on, sum.recall_padded_on, estimate, worst, scene_late,
        quarters[0], quarters[1], quarters[2], quarters[3]);
    skipped += sum.skipped_on;
    empty += sum.empty_share_on;
    recall += sum.recall_on;
    recall_padded += sum.recall_padded_on;
  }
  const auto n = static_cast<double>(group.scenes.size());
  std::printf(
      "mean of scenes: empty %.3f, skipped %.3f (%.3f of the empty), recall in cell %.4f, padded "
      "%.4f\nall tiles and people together: skipped %.3f, recall in cell %.4f, padded %.4f\n"
      "estimate off by more than .5 points in %d of %d runs, late in %d\n",
      empty / n, skipped / n, of_empty / runs, recall / n, recall_padded / n, skipped_cells / cells,
      1 - missed / people, 1 - missed_padded / people, off, runs, late);
}

void Baselines(const Group& group) {
  std::printf("\nBaselines in closed loop, %s, mean of scenes: skipped, recall in cell, padded\n",
              group.name.c_str());
  for (const bool letter : {true, false}) {
    for (int back = 1; back <= 5; ++back) {
      double skipped = 0, recall = 0, padded = 0;
      for (const FlowScene& scene : group.scenes) {
        Comp comp({.back = back, .unknown_is_empty = letter});
        const FlowLoopResult r = RunFlowLoop(scene, comp, {.padding = PaddingOf(scene)});
        const auto n = static_cast<double>(group.scenes.size());
        skipped += r.skipped_on / n;
        recall += r.recall_on / n;
        padded += r.recall_padded_on / n;
      }
      std::printf("comp-%d, skipped is %-8s %.3f  %.4f  %.4f\n", back, letter ? "empty" : "unknown",
                  skipped, recall, padded);
    }
  }
}

void Accuracy(const Group& group) {
  for (const bool forecast : {false, true}) {
    const auto trained = TrainOnScenes(group.scenes, 1, 300, forecast,
                                       {.epochs = 16, .learning_rate = 3e-3, .hide = 0});
    if (!trained) {
      std::fprintf(stderr, "%s\n", trained.error().message.c_str());
      std::exit(1);
    }
    std::printf("\nOpen-loop accuracy, %s, last fifth of each scene, network %s\n",
                group.name.c_str(), forecast ? "with people followed as input" : "as printed");
    double mean[6] = {};
    for (const FlowScene& scene : group.scenes) {
      const std::size_t from = scene.frames.size() * 4 / 5;
      double accuracy[6];
      for (int back = 1; back <= 5; ++back) {
        Comp comp({.back = back});
        accuracy[back] = OpenLoopAccuracy(scene, comp, 1, from);
      }
      NetworkFilter map = BinaryMapFilter(*trained, scene.grid, forecast);
      accuracy[0] = OpenLoopAccuracy(scene, map, 1, from);
      std::printf("%-20s network %.4f  comp-1..5", scene.name.c_str(), accuracy[0]);
      for (std::size_t i = 0; i < 6; ++i) {
        mean[i] += accuracy[i] / static_cast<double>(group.scenes.size());
        if (i > 0) {
          std::printf(" %.4f", accuracy[i]);
        }
      }
      std::printf("\n");
    }
    std::printf(
        "mean: network %.4f  comp-1..5 %.4f %.4f %.4f %.4f %.4f\nloss by epoch, train/validation:",
        mean[0], mean[1], mean[2], mean[3], mean[4], mean[5]);
    for (const FlowEpoch& epoch : trained->curve) {
      std::printf(" %.4f/%.4f", epoch.train, epoch.validation);
    }
    std::printf("\n");
  }
}

/// 4K in 40 tiles, and 16x9 cells, with so many people.
void Time() {
  std::printf("\nObserve and Plan of one frame, us\n");
  for (const auto& [tile, crowd] :
       {std::pair{512, 20}, std::pair{512, 60}, std::pair{512, 150}, std::pair{240, 60}}) {
    Rng rng(1);
    FlowScene scene{"walks", MakeTileGrid({3840, 2160}, {tile, tile}), {}};
    std::vector<std::array<double, 4>> people;
    for (int i = 0; i < crowd; ++i) {
      people.push_back(
          {rng.Uniform(0, 3840), rng.Uniform(0, 2160), 8 * rng.Normal(), 8 * rng.Normal()});
    }
    for (int t = 0; t < 600; ++t) {
      FlowFrame frame{TimePoint(std::chrono::milliseconds(100 * t)), {}};
      for (auto& [x, y, vx, vy] : people) {
        x = x + vx < 0 || x + vx > 3840 ? rng.Uniform(0, 3840) : x + vx;
        y = y + vy < 0 || y + vy > 2160 ? rng.Uniform(0, 2160) : y + vy;
        frame.people.push_back({static_cast<float>(x - 20), static_cast<float>(y - 50),
                                static_cast<float>(x + 20), static_cast<float>(y + 50)});
      }
      scene.frames.push_back(std::move(frame));
    }
    for (const char* const name : {"flow", "index", "flow-net", "comp-1"}) {
      const std::unique_ptr<FlowFilter> filter = MakeFlowFilter({.name = name}).value();
      if (auto* const net = dynamic_cast<NetworkFilter*>(filter.get())) {
        net->SetGrid(scene.grid);
        net->Use(MakeResidualNetwork(8, 1), 0.5);
      }
      const std::vector<Duration> times = RunFlowLoop(scene, *filter, {}).plan_times;
      const LatencyPercentiles p = PercentilesOf(times);
      std::printf("%-9s %2dx%d cells, %3d people: p50 %.0f p95 %.0f p99 %.0f\n", name,
                  scene.grid.columns, scene.grid.rows, crowd, 1e3 * ToMilliseconds(p.p50),
                  1e3 * ToMilliseconds(p.p95), 1e3 * ToMilliseconds(p.p99));
    }
  }
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  using namespace nearfar;
  const std::string part = argc > 1 ? argv[1] : "";
  if (part == "time" || part.empty()) {
    Time();
  }
  if (part == "time") {
    return 0;
  }
  const char* const given = std::getenv("NEARFAR_ASSETS");
  const std::string assets = given ? given : NEARFAR_SOURCE_DIR "/../shared/assets";
  for (const Group& group : ReadGroups(assets + "/tracks")) {
    if (part == "closed" || part.empty()) {
      Closed(group, false, 0, 1);
      Closed(group, true, 0, 1);
      Closed(group, true, 0.15, 1);
      Closed(group, true, 0, 2);
    }
    if (part == "baselines" || part.empty()) {
      Baselines(group);
    }
    if (part == "accuracy") {
      Accuracy(group);
    }
  }
  return 0;
}
