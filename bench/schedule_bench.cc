#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/percentile.h"
#include "schedule/dqn.h"
#include "schedule/factored_dqn.h"
#include "schedule/factory.h"
#include "train/schedule_training.h"
#include "train/schedule_world.h"
#include "train/shared_cores.h"

using namespace nearfar;
int main(int argc, char** argv) {
  const int frames = argc > 1 ? std::atoi(argv[1]) : 1000;
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 5;
  const int train = argc > 3 ? std::atoi(argv[3]) : 20;
  std::ifstream file(std::string(NEARFAR_SOURCE_DIR) + "/bench/shared_cores.csv");
  std::stringstream text;
  text << file.rdbuf();
  const ScheduleWorld shared = *ReadSharedCores(text.str());
  for (const ScheduleWorld& base : {shared, DriftingFive()}) {
    ScheduleWorld two = base;
    two.in_flight = 2;
    std::vector<ScheduleWorld> worlds{base, two};
    auto run = [&](const char* label, auto make) {
      double fps[2] = {};
      double taken = 0;
      for (int s = 1; s <= seeds; ++s) {
        for (int f = 1; f <= 2; ++f) {
          ScheduleWorld world = base;
          world.in_flight = f;
          auto scheduler = make();
          auto t0 = std::chrono::steady_clock::now();
          auto e = RunEpisode(world, *scheduler, frames, static_cast<std::uint64_t>(1000 + s));
          (void)t0;
          fps[f - 1] += e.fps() / seeds;
          for (auto& x : e.frames) taken += x.decided_by == "dqn" ? 0.5 / double(frames) / seeds : 0;
        }
      }
      std::printf("%-30s fps %.2f two %.2f taken %.2f\n", label, fps[0], fps[1], taken);
    };
    FactoredDqn f({.unguarded = true});
    auto d = DriftingFive(); auto d2 = d; d2.in_flight = 2; auto s1 = shared; auto s2 = shared; s2.in_flight = 2;
    auto curve = *TrainScheduler(f, std::vector{s1, d, s2, d2}, {.episodes = train});
    for (auto& p : curve) std::printf(" %.3f/%.1f", p.loss, p.frames_per_second);
    std::puts("");
    std::string state = f.SaveState();
    run("earliest", [] { return *MakeScheduler({"earliest", {}}); });
      run("factored trained unguarded", [&] { auto x = std::make_unique<FactoredDqn>(FactoredDqnOptions{.unguarded = true}); if (!x->LoadState(state)) std::abort(); x->SetLearning(false); return x; });
      run("factored trained guarded", [&] { auto x = std::make_unique<FactoredDqn>(FactoredDqnOptions{}); if (!x->LoadState(state)) std::abort(); return x; });
      run("factored trained guarded not learning", [&] { auto x = std::make_unique<FactoredDqn>(FactoredDqnOptions{}); if (!x->LoadState(state)) std::abort(); x->SetLearning(false); return x; });
    run("factored fresh guarded", [&] { return std::make_unique<FactoredDqn>(FactoredDqnOptions{}); });
  }
}
