#include "schedule/shares.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <set>

#include "core/rng.h"

namespace nearfar {
namespace {

TEST(ListShares, NamesEveryActionOnceAndEachSumsToTheWhole) {
  const std::size_t counts[] = {1, 11, 66, 286, 1001};
  for (int nodes = 1; nodes <= 5; ++nodes) {
    const auto all = ListShares(nodes);
    EXPECT_EQ(all.size(), counts[nodes - 1]);
    EXPECT_EQ(std::set(all.begin(), all.end()).size(), all.size());
    for (const auto& action : all) {
      EXPECT_EQ(std::accumulate(action.begin(), action.end(), 0), kTenths);
      EXPECT_GE(*std::min_element(action.begin(), action.end()), 0);
    }
  }
}

TEST(RoundShares, GivesTheLargestRemaindersWhatIsLeft) {
  struct Row {
    std::vector<double> weights;
    int total;
    std::vector<int> counts;
  };
  const Row rows[] = {
      {{1}, 7, {7}},
      {{1, 1, 1}, 0, {0, 0, 0}},
      {{0.5, 0.3, 0.2}, 10, {5, 3, 2}},
      {{1, 1, 1}, 10, {4, 3, 3}},        // a tie: the first
      {{0.45, 0.1, 0.45}, 7, {3, 1, 3}},  // 3.15, 0.7, 3.15
      {{3, 0, 1}, 5, {4, 0, 1}},         // 3.75, 0, 1.25
      {{0, 0, 0}, 4, {2, 1, 1}},         // no weight at all: alike
      {{1e-300, 1}, 3, {0, 3}},
      {{0.1, 0.2, 0.7}, 1, {0, 0, 1}},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(RoundShares(row.weights, row.total), row.counts);
  }
}

TEST(RoundShares, AlwaysSumsToTheTotalAndNeverStraysByOneOrMore) {
  Rng rng(4);
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<double> weights(1 + rng.Below(16));
    for (double& weight : weights) {
      weight = rng.Chance(0.2) ? 0 : rng.Uniform();
    }
    weights[0] += 0.01;
    const int total = static_cast<int>(rng.Below(100));
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    const std::vector<int> counts = RoundShares(weights, total);
    EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), 0), total);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_LT(std::abs(counts[i] - weights[i] / sum * total), 1 + 1e-6);
    }
  }
}

}  // namespace
}  // namespace nearfar
