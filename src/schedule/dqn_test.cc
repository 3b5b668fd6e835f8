#include "schedule/dqn.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "schedule/factored_dqn.h"
#include "schedule/factory.h"
#include "schedule/test_deals.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

TEST(PaperReward, IsTheFallOfTheTwoSumsOfSquares) {
  auto nodes = NodesOf({10, 20});
  // p = 1/2 and, nothing given, 1; q/v = 20 ms and 80 ms.
  nodes[0].given = 4;
  nodes[0].done = 2;
  nodes[0].queued = 2;
  nodes[1].queued = 4;
  const BalanceTerms before = BalanceOf(nodes, 1'000'000);
  EXPECT_NEAR(before.progress, 2 * 0.25 * 0.25, 1e-12);
  EXPECT_NEAR(before.queue, 2 * 0.030 * 0.030, 1e-12);
  nodes[0].done = 4;
  nodes[1].queued = 1;  // 20 ms both
  const BalanceTerms after = BalanceOf(nodes, 1'000'000);
  EXPECT_EQ(after.progress, 0);
  EXPECT_NEAR(after.queue, 0, 1e-12);
  EXPECT_NEAR(PaperReward(before, after, {.lambda1 = 2, .lambda2 = 10}),
              2 * before.progress + 10 * before.queue, 1e-12);
  EXPECT_LT(PaperReward(after, before, {}), 0);  // less balanced: a bad action
  EXPECT_EQ(BalanceOf({}, 1), BalanceTerms{});
}

TEST(PaperReward, IsZeroThroughoutWhenFramesComeOneAtATime) {
  const auto idle = NodesOf({10, 20, 30});
  EXPECT_EQ(PaperReward(BalanceOf(idle, 1), BalanceOf(idle, 1), {}), 0);
}

/// Deals `frames` frames of ten regions to idle nodes; each takes `makespan(counts)`.
template <typename Makespan>
void Live(PaperDqn& dqn, const std::vector<NodeState>& nodes, int frames, Makespan makespan) {
  TimePoint now{};
  const auto work = EqualWork(10);
  const auto first = dqn.progress().decisions;
  for (int f = 0; f < frames; ++f) {
    const FrameId id{static_cast<std::uint64_t>(first + f)};
    const Assignment assignment =
        dqn.Assign({.now = now, .frame = id, .nodes = nodes, .work = work});
    const Duration took = FromMilliseconds(makespan(CountsOf(assignment, nodes.size())));
    now += took;
    dqn.Observe(id, took, nodes, now);
  }
}

double TwoNodesMakespan(const std::vector<int>& counts) {
  return std::max(10.0 * counts[0], 40.0 * counts[1]);
}

TEST(PaperDqn, LearnsTheBestSharesFromTheMakespanItself) {
  PaperDqn dqn({.makespan_reward = true, .discount = 0, .explore_frames = 1500});
  const auto nodes = NodesOf({10, 40});
  Live(dqn, nodes, 3000, TwoNodesMakespan);
  EXPECT_EQ(dqn.progress().decisions, 3000);
  EXPECT_EQ(dqn.progress().learnings, 750);  // t % I == 0 and t > 0
  dqn.SetLearning(false);
  const auto counts = CountsOf(dqn.Assign({.nodes = nodes, .work = EqualWork(10)}), 2);
  EXPECT_LE(TwoNodesMakespan(counts), 90);  // 8 and 2 would take 80; chance takes 200 on average
}

TEST(PaperDqn, LearnsFromThePaperRewardWhereQueuesTellActionsApart) {
  // A frame comes while half of the one before is still open: the reward of an action is how even
  // it left the queues. Node 1 is four times as slow.
  PaperDqn dqn({.discount = 0, .explore_frames = 2000, .learning_rate = 3e-3});
  auto nodes = NodesOf({10, 40});
  for (int f = 0; f < 4000; ++f) {
    const FrameId id{static_cast<std::uint64_t>(f)};
    // By turns idle, and with what the last action left.
    const auto counts =
        CountsOf(dqn.Assign({.frame = id, .nodes = nodes, .work = EqualWork(10)}), 2);
    const bool idle = f % 2 == 1;
    for (std::size_t i = 0; i < 2; ++i) {
      nodes[i].given = idle ? 0 : counts[i];
      nodes[i].done = 0;
      nodes[i].queued = idle ? 0 : counts[i];
      nodes[i].queued_px = nodes[i].queued * 1'000'000;
    }
  }
  dqn.SetLearning(false);
  const auto counts =
      CountsOf(dqn.Assign({.nodes = NodesOf({10, 40}), .work = EqualWork(10)}), 2);
  // Even queues: 8 and 2; p is 0 at whoever was given something, so that giving all to one costs.
  EXPECT_NEAR(counts[0], 8, 1);
  EXPECT_GE(counts[1], 1);
}

TEST(PaperDqn, ExploresAtFirstAndNotAtAllOnceItNoLongerLearns) {
  PaperDqn dqn;
  const auto nodes = NodesOf({10, 20, 30});
  const auto distinct = [&] {
    std::set<std::vector<int>> seen;
    for (int k = 0; k < 50; ++k) {
      seen.insert(CountsOf(dqn.Assign({.nodes = nodes, .work = EqualWork(10)}), 3));
    }
    return seen.size();
  };
  EXPECT_GT(distinct(), 20U);
  dqn.SetLearning(false);
  EXPECT_EQ(distinct(), 1U);
}

TEST(PaperDqn, GivesNothingToANodeThatIsNotReadyEvenOfAnEarlierAction) {
  PaperDqn dqn;
  auto nodes = NodesOf({10, 20, 30});
  for (int k = 0; k < 300; ++k) {
    for (NodeState& node : nodes) {
      node.ready = true;
    }
    nodes[static_cast<std::size_t>(k % 3)].ready = false;
    nodes[static_cast<std::size_t>(k / 3 % 3)].ready = false;
    const Assignment first = dqn.Assign({.nodes = nodes, .work = EqualWork(7)});
    for (const int node : first.node_of) {
      EXPECT_TRUE(nodes[static_cast<std::size_t>(node)].ready);
    }
    // Whoever got it dies; the rest is dealt out anew.
    std::swap(nodes[0].ready, nodes[static_cast<std::size_t>(first.node_of[0])].ready);
    if (std::none_of(nodes.begin(), nodes.end(), [](const NodeState& n) { return n.ready; })) {
      continue;
    }
    const Assignment again = dqn.Assign({.nodes = nodes, .work = EqualWork(7), .first = false});
    for (const int node : again.node_of) {
      EXPECT_TRUE(nodes[static_cast<std::size_t>(node)].ready);
    }
  }
}

TEST(PaperDqn, GoesOnWithASavedState) {
  PaperDqn dqn({.makespan_reward = true});
  const auto nodes = NodesOf({10, 40});
  Live(dqn, nodes, 400, TwoNodesMakespan);
  const std::string saved = dqn.SaveState();
  EXPECT_THAT(saved, ::testing::Not(HasSubstr("\n")));
  PaperDqn again({.makespan_reward = true});
  ASSERT_TRUE(again.LoadState(saved));
  EXPECT_EQ(again.SaveState(), saved);
  EXPECT_EQ(again.progress().decisions, 400);
  dqn.SetLearning(false);
  again.SetLearning(false);
  for (std::size_t regions = 1; regions < 20; ++regions) {
    EXPECT_EQ(dqn.Assign({.nodes = nodes, .work = EqualWork(regions)}),
              again.Assign({.nodes = nodes, .work = EqualWork(regions)}));
  }
}

TEST(PaperDqn, RefusesAStateOfAnotherNumberOfNodesOrSchedulerAndStaysAsItWas) {
  PaperDqn two;
  two.Assign({.nodes = NodesOf({10, 40}), .work = EqualWork(1)});
  PaperDqn three;
  three.Assign({.nodes = NodesOf({10, 40, 5}), .work = EqualWork(1)});
  const std::string before = three.SaveState();
  EXPECT_THAT(three.LoadState(two.SaveState()).error().message,
              HasSubstr("was it another number of nodes?"));
  FactoredDqn factored;
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("{\"scheduler\":\"dqn\"}"),
        factored.SaveState(), before.substr(0, before.size() / 2),
        std::string("{\"scheduler\":\"dqn\",\"version\":\"1\",\"decisions\":1,\"numbers\":[2],"
                    "\"networks\":[[{\"inputs\":4,\"outputs\":1,\"weights\":[1],\"biases\":[]}]]}"),
        std::string("{\"scheduler\":\"dqn\",\"version\":\"1\",\"decisions\":1,\"numbers\":[2],"
                    "\"networks\":[]}")}) {
    const auto loaded = three.LoadState(text);
    ASSERT_FALSE(loaded) << text;
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(loaded.error().message, HasSubstr("state of scheduler dqn"));
    EXPECT_THAT(loaded.error().message, ::testing::Not(HasSubstr("\n")));
  }
  EXPECT_EQ(three.SaveState(), before);
}

TEST(DqnOptions, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(Validate(DqnOptions{}));
  EXPECT_FALSE(Validate(DqnOptions{.lambda1 = 0}));
  EXPECT_FALSE(Validate(DqnOptions{.discount = 1.1}));
  EXPECT_FALSE(Validate(DqnOptions{.learn_every = 0}));
  EXPECT_FALSE(Validate(DqnOptions{.explore_last = -1}));
  EXPECT_FALSE(Validate(DqnOptions{.hidden = 0}));
  EXPECT_FALSE(Validate(DqnOptions{.learning_rate = 0}));
}

}  // namespace
}  // namespace nearfar
