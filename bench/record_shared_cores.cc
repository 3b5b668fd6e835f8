// Records how long pieces of work take in processes that share cores: five processes with fixed
// pieces of 12, 10, 25, 15 and 25 ms of one core's time on two cores, each switched on and off at
// random, so that every set of busy processes is met. What else runs on the machine is in it, too.
//   record_shared_cores SECONDS SEED > bench/shared_cores.csv
// One row per piece: process, work_ms (of a core, as aimed at), begin_us, duration_us, busy_begin and
// busy_end (the sets of busy processes at begin and end, bit k for process k).
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include "core/rng.h"

namespace {

constexpr std::array<double, 5> kWorkMs = {12, 10, 25, 15, 25};
constexpr std::size_t kMostRows = 100'000;

struct Row {
  std::int64_t begin_us = 0;
  std::int64_t duration_us = 0;
  unsigned busy_begin = 0;
  unsigned busy_end = 0;
};

struct Shared {
  std::atomic<unsigned> wanted{0};  // bit k: process k is to be busy
  std::atomic<unsigned> busy{0};
  std::atomic<bool> stop{false};
  std::array<std::size_t, kWorkMs.size()> rows{};
  std::array<std::array<Row, kMostRows>, kWorkMs.size()> row;
};

/// Floating-point work that no compiler leaves out.
double Turn(std::int64_t turns, double x) {
  for (std::int64_t i = 0; i < turns; ++i) {
    x = x * 1.0000001 + 1e-9 * static_cast<double>(i & 7);
  }
  return x;
}

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void WorkAs(std::size_t process, Shared& shared, std::int64_t turns, std::int64_t start_us) {
  const unsigned own = 1U << process;
  volatile double keep = 1;
  while (!shared.stop) {
    if ((shared.wanted & own) == 0 || shared.rows[process] >= kMostRows) {
      std::this_thread::sleep_for(std::chrono::microseconds(300));
      continue;
    }
    shared.busy |= own;
    while ((shared.wanted & own) != 0 && !shared.stop && shared.rows[process] < kMostRows) {
      Row row{.begin_us = NowUs() - start_us, .busy_begin = shared.busy};
      keep = Turn(turns, keep);
      row.duration_us = NowUs() - start_us - row.begin_us;
      row.busy_end = shared.busy;
      shared.row[process][shared.rows[process]++] = row;
    }
    shared.busy &= ~own;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 40;
  nearfar::Rng rng(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(0, &cores);
  CPU_SET(1, &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0) {
    std::perror("sched_setaffinity to cores 0 and 1");
    return 1;
  }
  void* const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  auto& shared = *new (memory) Shared;
  volatile double keep = Turn(20'000'000, 1);  // warm
  const double before = CpuSeconds();
  constexpr std::int64_t kCalibration = 100'000'000;
  keep = Turn(kCalibration, keep);
  const double turns_per_ms = kCalibration / (1e3 * (CpuSeconds() - before));
  const std::int64_t start_us = NowUs();
  std::vector<pid_t> children;
  for (std::size_t p = 0; p < kWorkMs.size(); ++p) {
    const pid_t child = fork();
    if (child == 0) {
      WorkAs(p, shared, static_cast<std::int64_t>(kWorkMs[p] * turns_per_ms), start_us);
      _exit(0);
    }
    if (child < 0) {
      std::perror("fork");
      shared.stop = true;
      return 1;
    }
    children.push_back(child);
  }
  while (NowUs() - start_us < std::int64_t{1'000'000} * seconds) {
    shared.wanted = 1 + static_cast<unsigned>(rng.Below((1U << kWorkMs.size()) - 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(150 + rng.Below(150)));
  }
  shared.stop = true;
  for (const pid_t child : children) {
    waitpid(child, nullptr, 0);
  }
  std::puts("process,work_ms,begin_us,duration_us,busy_begin,busy_end");
  for (std::size_t p = 0; p < kWorkMs.size(); ++p) {
    for (std::size_t r = 0; r < shared.rows[p]; ++r) {
      const Row& row = shared.row[p][r];
      std::printf("%zu,%g,%lld,%lld,%u,%u\n", p, kWorkMs[p], static_cast<long long>(row.begin_us),
                  static_cast<long long>(row.duration_us), row.busy_begin, row.busy_end);
    }
  }
  return 0;
}
