#include "schedule/dispatch.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "core/rng.h"
#include "schedule/earliest.h"
#include "schedule/test_deals.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;

TEST(DispatchCounts, GivesTheCrowdedRegionsToTheLargestModel) {
  const auto nodes = NodesOf({10, 10, 10}, {28, 64, 49});
  const auto work = WorkOf({0, 5, 1, 9, 2, 0});
  // 2 to the largest (node 1): 9 and 5; 3 to node 2: 2, 1 and the first 0; 1 to node 0.
  EXPECT_THAT(DispatchCounts(nodes, work, std::vector{1, 2, 3}), ElementsAre(2, 1, 2, 1, 2, 0));
}

TEST(DispatchCounts, BreaksTiesByPlanOrderAndIndexAndTakesNothing) {
  const auto nodes = NodesOf({10, 10});
  EXPECT_THAT(DispatchCounts(nodes, EqualWork(3), std::vector{2, 1}), ElementsAre(0, 0, 1));
  EXPECT_TRUE(DispatchCounts(nodes, {}, std::vector{0, 0}).empty());
}

TEST(DispatchShares, GivesSharesOfThePixelsWhereRegionsDiffer) {
  const auto nodes = NodesOf({10, 10, 10}, {1, 3, 2});
  auto work = WorkOf({1, 2, 3, 4});
  work[3].pixels = 6'000'000;  // most crowded, and two thirds of all
  const auto node_of = DispatchShares(nodes, work, std::vector{0.0, 2.0, 1.0});
  EXPECT_THAT(node_of, ElementsAre(2, 2, 2, 1));
  EXPECT_THAT(DispatchShares(nodes, EqualWork(3), std::vector{0.0, 2.0, 1.0}),
              ElementsAre(1, 1, 2));
}

TEST(ExchangeByCrowd, IsTheOrderByCrowdForEqualRegionsAndAPlanThatMayNotEndLater) {
  Rng rng(6);
  for (int trial = 0; trial < 200; ++trial) {
    const auto nodes = NodesOf({10, 12, 30, 8}, {2, 1, 3, 2});
    std::vector<double> crowds(1 + rng.Below(30));
    for (double& crowd : crowds) {
      crowd = static_cast<double>(rng.Below(5));
    }
    const auto work = WorkOf(crowds);
    const auto paces = PacesOf(nodes);
    EarliestPlan plan = PlanEarliest(paces, work);
    const auto before = CountsOf({plan.node_of, ""}, 4);
    ExchangeByCrowd(nodes, paces, work, plan.end, false, plan.node_of);
    const auto counts = CountsOf({plan.node_of, ""}, 4);
    EXPECT_EQ(counts, before);
    for (std::size_t a = 0; a < work.size(); ++a) {
      for (std::size_t b = 0; b < work.size(); ++b) {
        const double quality_a = nodes[static_cast<std::size_t>(plan.node_of[a])].quality;
        const double quality_b = nodes[static_cast<std::size_t>(plan.node_of[b])].quality;
        EXPECT_FALSE(work[a].crowd > work[b].crowd && quality_a < quality_b);
      }
    }
  }
}

TEST(ExchangeByCrowd, KeepsToItsLimitWithUnequalRegions) {
  Rng rng(7);
  for (int trial = 0; trial < 300; ++trial) {
    const auto nodes = NodesOf({10, 12, 30}, {2, 1, 3});
    std::vector<double> crowds(1 + rng.Below(20));
    for (double& crowd : crowds) {
      crowd = rng.Uniform(0, 9);
    }
    auto work = WorkOf(crowds);
    for (Work& region : work) {
      region.pixels = 100'000 + static_cast<std::int64_t>(rng.Below(3'000'000));
    }
    const auto paces = PacesOf(nodes);
    EarliestPlan plan = PlanEarliest(paces, work);
    const auto value = [&] {
      double sum = 0;
      for (std::size_t r = 0; r < work.size(); ++r) {
        sum += work[r].crowd * nodes[static_cast<std::size_t>(plan.node_of[r])].quality;
      }
      return sum;
    };
    const double limit = plan.end * (trial % 2 == 0 ? 1 : 1.5);
    double before = value();
    ExchangeByCrowd(nodes, paces, work, limit, limit > plan.end, plan.node_of);
    EXPECT_GE(value(), before);
    std::vector<double> ends(3);
    for (std::size_t r = 0; r < work.size(); ++r) {
      const auto node = static_cast<std::size_t>(plan.node_of[r]);
      ends[node] += paces[node].Of(work[r].pixels);
    }
    EXPECT_LE(*std::max_element(ends.begin(), ends.end()), limit + 1e-6);
  }
}

TEST(ExchangeByCrowd, SlackMovesCrowdsToLargerModelsAndNeverToANodeThatIsNotReady) {
  auto nodes = NodesOf({10, 20, 1}, {1, 2, 9});
  nodes[2].ready = false;
  const auto work = WorkOf({0, 3, 1});
  const auto paces = PacesOf(nodes);
  std::vector<int> node_of = {0, 0, 0};
  ExchangeByCrowd(nodes, paces, work, 0.030, true, node_of);
  EXPECT_THAT(node_of, ElementsAre(0, 1, 0));  // one more would end at 40 ms
  ExchangeByCrowd(nodes, paces, work, 0.060, true, node_of);
  EXPECT_THAT(node_of, ElementsAre(1, 1, 1));
  node_of = {Assignment::kHeldBack, 0, 0};
  ExchangeByCrowd(nodes, paces, work, 1, true, node_of);
  EXPECT_THAT(node_of, ElementsAre(Assignment::kHeldBack, 1, 1));
}

}  // namespace
}  // namespace nearfar
