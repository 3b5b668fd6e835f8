#include "schedule/makespan_bound.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;

std::vector<Duration> Milliseconds(std::vector<int> values) {
  std::vector<Duration> times;
  for (const int value : values) {
    times.push_back(milliseconds(value));
  }
  return times;
}

TEST(MakespanBound, IsTheLeastTimeInWhichWholeRegionsFit) {
  struct Row {
    std::vector<int> per_region;
    int regions;
    int bound;
  };
  const Row rows[] = {
      {{10}, 0, 0},          {{}, 0, 0},           {{10}, 3, 30},
      {{10, 30}, 1, 10},     {{10, 30}, 4, 30},    {{10, 30}, 5, 40},
      {{10, 0}, 2, 20},      // a node that does not work
      {{7, 7}, 3, 14},       // 10.5 if regions could be cut
      {{12, 10, 25, 15, 25}, 19, 60},  // 5, 6, 2, 4 and 2
      {{12, 10, 25, 15, 25}, 20, 70},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(MakespanBound(Milliseconds(row.per_region), row.regions), milliseconds(row.bound))
        << row.regions;
  }
}

TEST(MakespanBound, FitsTheRegionsAndNothingShorterDoes) {
  Rng rng(1);
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<Duration> times;
    for (std::uint64_t i = 0; i <= rng.Below(6); ++i) {
      times.push_back(Duration(1 + rng.Below(1000)));
    }
    const int regions = 1 + static_cast<int>(rng.Below(50));
    const Duration bound = MakespanBound(times, regions);
    const auto fit = [&](Duration end) {
      std::int64_t sum = 0;
      for (const Duration time : times) {
        sum += end / time;
      }
      return sum;
    };
    EXPECT_GE(fit(bound), regions);
    EXPECT_LT(fit(bound - Duration(1)), regions);
  }
}

TEST(MakespanBound, ByPixelsIsTheSameForEqualRegionsAndBelowEveryAssignmentOfUnequalOnes) {
  const std::vector<TrueSpeed> nodes = {
      {milliseconds(2), 1e8}, {milliseconds(1), 5e7}, {milliseconds(5), 0}};
  const std::vector<std::int64_t> equal(5, 1'000'000);
  EXPECT_EQ(MakespanBound(nodes, equal), MakespanBound(Milliseconds({12, 21, 0}), 5));
  EXPECT_EQ(MakespanBound(nodes, std::vector<std::int64_t>{}), Duration::zero());
  // One large region and a small one: the large one at the quick node.
  EXPECT_EQ(MakespanBound(nodes, std::vector<std::int64_t>{4'000'000, 10'000}), milliseconds(42));
  Rng rng(2);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<std::int64_t> pixels(1 + rng.Below(6));
    for (std::int64_t& px : pixels) {
      px = 10'000 + static_cast<std::int64_t>(rng.Below(2'000'000));
    }
    Duration best = Duration::max();
    for (std::uint32_t choice = 0; choice < (1U << pixels.size()); ++choice) {
      Duration ends[2] = {};
      for (std::size_t r = 0; r < pixels.size(); ++r) {
        const TrueSpeed& node = nodes[choice >> r & 1];
        ends[choice >> r & 1] +=
            node.per_region + std::chrono::round<Duration>(std::chrono::duration<double>(
                                  static_cast<double>(pixels[r]) / node.px_per_second));
      }
      best = std::min(best, std::max(ends[0], ends[1]));
    }
    EXPECT_LE(MakespanBound(nodes, pixels), best + Duration(10));
    EXPECT_GT(2 * MakespanBound(nodes, pixels), best);  // and of some use
  }
}

}  // namespace
}  // namespace nearfar
