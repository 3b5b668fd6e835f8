// Schedulers in two modelled worlds, paired by seed: five drifting nodes (DriftingFive), and the five
// processes that share cores of bench/shared_cores.csv.
//   schedule_bench [FRAMES [SEEDS [EPISODES]]]     default 1000 5 30
// Every policy sees the same worlds and loads, once with one frame at a time and once with two in
// flight. What learns was trained before in EPISODES episodes of 1,000 frames of the same world with
// other seeds, one for each world, and learns no more, except where the label says so. The bound is
// the integer lower bound of the makespan by the true speeds when a frame comes, with idle nodes and,
// where they share a host, each alone on it.

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/percentile.h"
#include "schedule/dispatch.h"
#include "schedule/dqn.h"
#include "schedule/earliest.h"
#include "schedule/factored_dqn.h"
#include "schedule/pace.h"
#include "schedule/proportional.h"
#include "schedule/shares.h"
#include "schedule/shortest_queue.h"
#include "train/schedule_training.h"
#include "train/schedule_world.h"
#include "train/shared_cores.h"

namespace nearfar {
namespace {

constexpr std::uint64_t kTrainingSeed = 1;
constexpr std::uint64_t kJudgingSeed = 2001;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// The best of the paper's 0.1-granular actions by the speeds and queues as told.
class BestAction final : public Scheduler {
 public:
  std::string name() const override { return "best-action"; }
  std::string version() const override { return "1"; }
  Assignment Assign(const WorkDeal& deal) override {
    if (deal.work.empty()) {
      return {};
    }
    if (actions_.empty()) {
      actions_ = ListShares(static_cast<int>(deal.nodes.size()));
    }
    const std::vector<Pace> paces = PacesOf(deal.nodes);
    std::vector<int> best;
    double best_end = 0;
    for (const std::vector<int>& action : actions_) {
      const std::vector<double> weights(action.begin(), action.end());
      const std::vector<int> counts = RoundShares(weights, static_cast<int>(deal.work.size()));
      double end = 0;
      bool ready = true;
      for (std::size_t i = 0; i < counts.size(); ++i) {
        ready = ready && (paces[i].ready || counts[i] == 0);
        if (counts[i] > 0) {
          end = std::max(end, paces[i].busy + counts[i] * paces[i].Of(deal.work[0].pixels));
        }
      }
      if (ready && (best.empty() || end < best_end)) {
        best = counts;
        best_end = end;
      }
    }
    return {DispatchCounts(deal.nodes, deal.work, best), name()};
  }

 private:
  std::vector<std::vector<int>> actions_;
};

/// Measures the time of each frame's decisions and of what is learned apart from them.
class Timed final : public Scheduler {
 public:
  Timed(Scheduler& scheduler, std::vector<double>& decisions_us)
      : scheduler_(scheduler), decisions_us_(decisions_us) {}
  std::string name() const override { return scheduler_.name(); }
  std::string version() const override { return scheduler_.version(); }
  Assignment Assign(const WorkDeal& deal) override {
    const auto begin = std::chrono::steady_clock::now();
    Assignment assignment = scheduler_.Assign(deal);
    const double took =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    const auto frame = static_cast<std::size_t>(ToNumber(deal.frame));
    if (frame >= decisions_us_.size()) {
      decisions_us_.resize(frame + 1);
    }
    decisions_us_[frame] += took;
    return assignment;
  }
  void Observe(FrameId frame, Duration makespan, std::span<const NodeState> nodes,
               TimePoint now) override {
    scheduler_.Observe(frame, makespan, nodes, now);
  }

 private:
  Scheduler& scheduler_;
  std::vector<double>& decisions_us_;
};

struct Policy {
  std::string label;
  std::function<std::unique_ptr<Scheduler>()> make;
  bool true_speeds = false;
};

/// By in_flight - 1, then by seed.
struct Row {
  std::vector<double> fps[2];
  std::vector<double> over_bound;  // every frame, one at a time
  std::vector<double> milliseconds;
  std::vector<double> decisions_us;
  double taken[2] = {};
};

Row Run(const ScheduleWorld& base, const Policy& policy, int frames, int seeds) {
  Row row;
  for (int in_flight = 1; in_flight <= 2; ++in_flight) {
    ScheduleWorld world = base;
    world.in_flight = in_flight;
    world.true_speeds = policy.true_speeds;
    int decided = 0;
    int taken = 0;
    for (int s = 0; s < seeds; ++s) {
      const std::unique_ptr<Scheduler> scheduler = policy.make();
      std::vector<double> decisions_us;
      Timed timed(*scheduler, decisions_us);
      const ScheduleEpisode episode =
          RunEpisode(world, timed, frames, kJudgingSeed + static_cast<std::uint64_t>(s));
      row.fps[in_flight - 1].push_back(episode.fps());
      row.decisions_us.insert(row.decisions_us.end(), decisions_us.begin(), decisions_us.end());
      for (const ScheduledFrame& frame : episode.frames) {
        ++decided;
        taken += frame.decided_by == "dqn" ? 1 : 0;
        if (in_flight == 1) {
          row.over_bound.push_back(Seconds(frame.makespan) / Seconds(frame.bound));
          row.milliseconds.push_back(ToMilliseconds(frame.makespan));
        }
      }
    }
    row.taken[in_flight - 1] = static_cast<double>(taken) / decided;
  }
  return row;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) {
    sum += value / static_cast<double>(values.size());
  }
  return sum;
}

/// Weights after training, and the curve on the way.
std::string Trained(const char* label, LearningScheduler& scheduler,
                    const std::vector<ScheduleWorld>& worlds, int episodes) {
  const auto begin = std::chrono::steady_clock::now();
  const auto curve = TrainScheduler(
      scheduler, worlds, {.episodes = episodes, .seed = kTrainingSeed});
  if (!curve) {
    std::fprintf(stderr, "%s\n", curve.error().message.c_str());
    std::exit(1);
  }
  std::printf("trained %s in %.1f s; loss by 1,000 frames:", label,
              Seconds(std::chrono::steady_clock::now() - begin));
  for (const ScheduleTrainingPoint& point : *curve) {
    std::printf(" %.3g", point.loss);
  }
  std::puts("");
  return scheduler.SaveState();
}

template <typename Learner, typename Options>
std::function<std::unique_ptr<Scheduler>()> From(const std::string& state, Options options,
                                                 bool learning) {
  return [=]() -> std::unique_ptr<Scheduler> {
    auto scheduler = std::make_unique<Learner>(options);
    if (auto loaded = scheduler->LoadState(state); !loaded) {
      std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
      std::exit(1);
    }
    scheduler->SetLearning(learning);
    return scheduler;
  };
}

void Judge(const char* title, const ScheduleWorld& world, int frames, int seeds, int episodes) {
  std::printf("\n%s: %d frames, seeds %llu to %llu\n", title, frames,
              static_cast<unsigned long long>(kJudgingSeed),
              static_cast<unsigned long long>(kJudgingSeed) + static_cast<unsigned>(seeds) - 1);
  ScheduleWorld two = world;
  two.in_flight = 2;
  const int explore = episodes * 600;
  const DqnOptions printed{.explore_frames = explore};
  DqnOptions makespan = printed;
  makespan.makespan_reward = true;
  const FactoredDqnOptions guarded{.explore_frames = explore};
  FactoredDqnOptions unguarded = guarded;
  unguarded.unguarded = true;
  PaperDqn printed_dqn(printed);
  PaperDqn makespan_dqn(makespan);
  FactoredDqn factored(unguarded);
  // The paper's reward is 0 throughout one frame at a time: it learns from two in flight alone.
  const std::string of_printed = Trained("dqn as printed", printed_dqn, {two}, episodes);
  const std::string of_makespan =
      Trained("dqn, -makespan", makespan_dqn, {world, two}, episodes);
  const std::string of_factored = Trained("factored dqn", factored, {world, two}, episodes);
  const std::vector<Policy> policies = {
      {"equal", [] { return std::make_unique<EqualShares>(); }},
      {"shortest-queue", [] { return std::make_unique<ShortestQueue>(); }},
      {"salbs", [] { return std::make_unique<SpeedShares>(); }},
      {"best 0.1 action, true speeds", [] { return std::make_unique<BestAction>(); }, true},
      {"earliest", [] { return std::make_unique<EarliestCompletion>(); }},
      {"earliest, true speeds", [] { return std::make_unique<EarliestCompletion>(); }, true},
      {"dqn as printed", From<PaperDqn>(of_printed, printed, false)},
      {"dqn, -makespan", From<PaperDqn>(of_makespan, makespan, false)},
      {"factored, unguarded", From<FactoredDqn>(of_factored, unguarded, false)},
      {"factored, unguarded, learning", From<FactoredDqn>(of_factored, unguarded, true)},
      {"factored, guarded", From<FactoredDqn>(of_factored, guarded, false)},
      {"factored, guarded, learning", From<FactoredDqn>(of_factored, guarded, true)},
      {"factored, guarded, from nothing", [] { return std::make_unique<FactoredDqn>(); }},
  };
  std::vector<Row> rows;
  std::size_t earliest = 0;
  for (const Policy& policy : policies) {
    earliest = policy.label == "earliest" ? rows.size() : earliest;
    rows.push_back(Run(world, policy, frames, seeds));
  }
  std::printf("%-32s | makespan/bound mean p50 p95 | makespan p50 p95 ms | fps one, against earliest"
              " [least, most] | fps two in flight, against earliest | taken one, two"
              " | decisions of a frame p50 p95 us\n", "policy");
  for (std::size_t p = 0; p < rows.size(); ++p) {
    const Row& row = rows[p];
    std::printf("%-32s | %.3f %.3f %.3f | %.1f %.1f", policies[p].label.c_str(),
                Mean(row.over_bound), Percentile(row.over_bound, 50),
                Percentile(row.over_bound, 95), Percentile(row.milliseconds, 50),
                Percentile(row.milliseconds, 95));
    for (int k = 0; k < 2; ++k) {
      std::vector<double> against;
      for (std::size_t s = 0; s < row.fps[k].size(); ++s) {
        against.push_back(row.fps[k][s] / rows[earliest].fps[k][s]);
      }
      const auto [least, most] = std::minmax_element(against.begin(), against.end());
      std::printf(" | %.2f, %.3f [%.3f, %.3f]", Mean(row.fps[k]), Percentile(against, 50), *least,
                  *most);
    }
    std::printf(" | %.2f %.2f | %.1f %.1f\n", row.taken[0], row.taken[1],
                Percentile(row.decisions_us, 50), Percentile(row.decisions_us, 95));
  }
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  const int frames = argc > 1 ? std::atoi(argv[1]) : 1000;
  const int seeds = argc > 2 ? std::atoi(argv[2]) : 5;
  const int episodes = argc > 3 ? std::atoi(argv[3]) : 30;
  if (frames <= 0 || seeds <= 0 || episodes <= 0) {
    std::fputs("schedule_bench [FRAMES [SEEDS [EPISODES]]]: all above 0\n", stderr);
    return 1;
  }
  std::ifstream file(std::string(NEARFAR_SOURCE_DIR) + "/bench/shared_cores.csv");
  std::stringstream text;
  text << file.rdbuf();
  const auto shared = ReadSharedCores(text.str());
  if (!shared) {
    std::fprintf(stderr, "%s\n", shared.error().message.c_str());
    return 1;
  }
  Judge("Five drifting nodes", DriftingFive(), frames, seeds, episodes);
  Judge("Five processes that share cores, as recorded", *shared, frames, seeds, episodes);
  return 0;
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) { return nearfar::Main(argc, argv); }
