#include "schedule/earliest.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>

#include "core/rng.h"
#include "schedule/makespan_bound.h"
#include "schedule/test_deals.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

TEST(PlanEarliest, MeetsTheIntegerBoundWithEqualRegions) {
  Rng rng(2);
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<double> times(1 + rng.Below(8));
    std::vector<Duration> exact;
    for (double& time : times) {
      time = rng.Uniform(5, 50);
      exact.push_back(FromMilliseconds(time));
    }
    const std::size_t regions = 1 + rng.Below(40);
    const EarliestPlan plan = PlanEarliest(PacesOf(NodesOf(times)), EqualWork(regions));
    EXPECT_NEAR(1e3 * plan.end,
                ToMilliseconds(MakespanBound(exact, static_cast<int>(regions))), 1e-3);
  }
}

TEST(PlanEarliest, CountsWhatIsQueuedAndLeavesOutWhoIsNotReady) {
  auto nodes = NodesOf({10, 10, 10});
  nodes[0].queued = 3;
  nodes[0].queued_px = 3'000'000;
  nodes[2].ready = false;
  const EarliestPlan plan = PlanEarliest(PacesOf(nodes), EqualWork(5));
  EXPECT_THAT(CountsOf({plan.node_of, ""}, 3), ElementsAre(1, 4, 0, 0));
  EXPECT_NEAR(plan.end, 0.040, 1e-9);
}

TEST(PlanEarliest, PlacesTheLargestFirst) {
  auto work = EqualWork(3);
  work[2].pixels = 2'000'000;
  // In plan order the large one would come last and end at 30.
  EXPECT_THAT(PlanEarliest(PacesOf(NodesOf({10, 10})), work).node_of, ElementsAre(1, 1, 0));
}

TEST(PlanEarliest, TakesANodeNeverMeasuredForOneLikeTheOthers) {
  const EarliestPlan some = PlanEarliest(PacesOf(NodesOf({10, 0, 10})), EqualWork(6));
  EXPECT_THAT(CountsOf({some.node_of, ""}, 3), ElementsAre(2, 2, 2, 0));
  const EarliestPlan none = PlanEarliest(PacesOf(NodesOf({0, 0})), EqualWork(4));
  EXPECT_THAT(CountsOf({none.node_of, ""}, 2), ElementsAre(2, 2, 0));
}

TEST(EarliestCompletion, HoldsBackWhatNobodyNeedsYetAndDealsItOutAtAnswers) {
  EarliestCompletion scheduler({.open = 1});
  auto nodes = NodesOf({10, 20});
  const auto work = EqualWork(6);
  const Assignment first = scheduler.Assign({.nodes = nodes, .work = work});
  EXPECT_EQ(first.decided_by, "earliest");
  EXPECT_THAT(CountsOf(first, 2), ElementsAre(1, 1, 4));
  // Node 0 answers after 10 ms.
  nodes[0].done = 1;
  nodes[1].queued = 1;
  nodes[1].queued_px = 1'000'000;
  const auto rest = EqualWork(4);
  const Assignment next = scheduler.Assign({.now = TimePoint{} + milliseconds(10),
                                            .nodes = nodes,
                                            .work = rest,
                                            .first = false});
  EXPECT_THAT(CountsOf(next, 2), ElementsAre(1, 0, 3));
}

TEST(EarliestCompletion, HoldsNothingBackWhenToldSo) {
  EarliestCompletion scheduler({.open = 0});
  const auto nodes = NodesOf({10, 20});
  const auto work = EqualWork(6);
  EXPECT_THAT(CountsOf(scheduler.Assign({.nodes = nodes, .work = work}), 2), ElementsAre(4, 2, 0));
}

TEST(EarliestCompletion, NeverHoldsEverythingBackFromIdleNodes) {
  Rng rng(3);
  for (int trial = 0; trial < 200; ++trial) {
    EarliestCompletion scheduler({.open = 1 + trial % 3});
    auto nodes = NodesOf({10, 20, 1000, 0});
    nodes[rng.Below(4)].ready = false;
    const auto work = EqualWork(1 + rng.Below(10));
    const Assignment assignment = scheduler.Assign({.nodes = nodes, .work = work});
    const auto counts = CountsOf(assignment, 4);
    EXPECT_LT(counts[4], static_cast<int>(work.size()));
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(nodes[i].ready || counts[i] == 0);
    }
  }
}

TEST(EarliestCompletion, TakesANodeThatIsOverdueForSlowedDown) {
  EarliestCompletion scheduler({.open = 1});
  auto nodes = NodesOf({10, 10});
  const auto work = EqualWork(6);
  scheduler.Assign({.nodes = nodes, .work = work});
  // Node 0 has answered twice, node 1 not at all in 40 ms: its next one would end far too late.
  nodes[1].queued = 1;
  nodes[1].queued_px = 1'000'000;
  nodes[1].oldest = milliseconds(40);
  const auto one = EqualWork(4);
  const Assignment late = scheduler.Assign(
      {.now = TimePoint{} + milliseconds(40), .nodes = nodes, .work = one, .first = false});
  EXPECT_THAT(CountsOf(late, 2), ElementsAre(1, 0, 3));
  const std::vector<Pace> paces = [&] {
    ProgressWatch watch;
    auto idle = NodesOf({10, 10});
    watch.Measure(idle, TimePoint{});
    watch.Given(idle, std::vector{0, 1}, TimePoint{});
    return watch.Measure(nodes, TimePoint{} + milliseconds(40));
  }();
  EXPECT_NEAR(paces[1].Of(1'000'000), 0.046, 1e-6);
  EXPECT_NEAR(paces[1].busy, 0.006, 1e-6);
  EXPECT_NEAR(paces[0].Of(1'000'000), 0.010, 1e-9);
}

TEST(EarliestCompletion, CountsOnlyTheRestOfTheRegionInWork) {
  ProgressWatch watch;
  auto nodes = NodesOf({10});
  watch.Measure(nodes, TimePoint{});
  watch.Given(nodes, std::vector{2}, TimePoint{});
  nodes[0].queued = 2;
  nodes[0].queued_px = 2'000'000;
  EXPECT_NEAR(watch.Measure(nodes, TimePoint{} + milliseconds(4))[0].busy, 0.016, 1e-9);
  nodes[0].queued = 1;  // answered at 11 ms
  nodes[0].queued_px = 1'000'000;
  EXPECT_NEAR(watch.Measure(nodes, TimePoint{} + milliseconds(11))[0].busy, 0.010, 1e-9);
  EXPECT_NEAR(watch.Measure(nodes, TimePoint{} + milliseconds(14))[0].busy, 0.007, 1e-9);
}

TEST(EarliestCompletion, SpendsTheTimeToADeadlineOnLargerModels) {
  const auto nodes = NodesOf({5, 20}, {1, 2});
  const auto work = WorkOf({4, 3, 2, 1, 0});
  const auto to_large = [&](EarliestOptions options, std::optional<Duration> slack) {
    EarliestCompletion scheduler(options);
    options.open = 0;
    return CountsOf(EarliestCompletion(options).Assign(
                        {.nodes = nodes, .work = work, .slack = slack}),
                    2)[1];
  };
  EXPECT_EQ(to_large({}, std::nullopt), 1);
  EXPECT_EQ(to_large({}, milliseconds(70)), 3);   // 60 of 63 ms
  EXPECT_EQ(to_large({}, milliseconds(200)), 5);
  EXPECT_EQ(to_large({}, milliseconds(-5)), 1);   // too late already: as quick as can be
  EXPECT_EQ(to_large({.spend_slack = false}, milliseconds(200)), 1);
  EXPECT_EQ(to_large({.slack_share = 1}, milliseconds(80)), 4);
}

TEST(EarliestCompletion, DealsOutNothingOfNothing) {
  EarliestCompletion scheduler;
  const auto nodes = NodesOf({5});
  EXPECT_TRUE(scheduler.Assign({.nodes = nodes}).node_of.empty());
}

TEST(EarliestOptions, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(Validate(EarliestOptions{}));
  EXPECT_FALSE(Validate(EarliestOptions{.open = -1}));
  EXPECT_FALSE(Validate(EarliestOptions{.slack_share = 0}));
}

}  // namespace
}  // namespace nearfar
