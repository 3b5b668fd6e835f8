// Schedulers in one modelled world, paired by seed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/percentile.h"
#include "schedule/factory.h"
#include "train/schedule_world.h"

int main(int argc, char** argv) {
  using namespace nearfar;
  const int frames = argc > 1 ? std::atoi(argv[1]) : 1000;
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 5;
  struct Row { std::string label; SchedulerSpec spec; bool truth = false; };
  std::vector<Row> rows;
  rows.push_back({"equal", {"equal", {}}});
  rows.push_back({"salbs", {"salbs", {}}});
  rows.push_back({"salbs, true", {"salbs", {}}, true});
  for (int open : {0, 1, 2, 3}) {
    rows.push_back({"earliest open " + std::to_string(open), {"earliest", {{"open", double(open)}}}});
    rows.push_back({"earliest open " + std::to_string(open) + ", true", {"earliest", {{"open", double(open)}}}, true});
  }
  for (const Row& row : rows) {
    double fps[2] = {};
    double ratio = 0, sum = 0, sumb = 0;
    std::vector<double> ratios;
    for (int s = 1; s <= seeds; ++s) {
      for (int f = 1; f <= 2; ++f) {
        ScheduleWorld world = DriftingFive();
        world.in_flight = f;
        world.true_speeds = row.truth;
        auto scheduler = *MakeScheduler(row.spec);
        auto episode = RunEpisode(world, *scheduler, frames, static_cast<std::uint64_t>(s));
        fps[f - 1] += episode.fps() / seeds;
        if (f == 1) for (auto& x : episode.frames) {
          ratios.push_back(double(x.makespan.count()) / double(x.bound.count()));
          sum += double(x.makespan.count()); sumb += double(x.bound.count());
        }
      }
    }
    for (double r : ratios) ratio += r / double(ratios.size());
    std::printf("%-28s %.3f (sums %.3f) p50 %.3f p95 %.3f  fps %.2f  two %.2f\n", row.label.c_str(), ratio, sum / sumb,
                Percentile(ratios, 50), Percentile(ratios, 95), fps[0], fps[1]);
  }
}
