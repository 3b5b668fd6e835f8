#include "schedule/factored_dqn.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "schedule/test_deals.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

TEST(BlockGuard, TriesTheChallengerAndPutsItIntoForceOnlyWhereItIsQuicker) {
  const auto share = [](double challenger_seconds) {
    BlockGuard guard;
    int taken = 0;
    for (int f = 0; f < 100 * BlockGuard::kBlock; ++f) {
      const bool challenger = guard.Next();
      taken += challenger ? 1 : 0;
      guard.Observe(challenger, challenger ? challenger_seconds : 1.0, 1e6);
    }
    return taken / (100.0 * BlockGuard::kBlock);
  };
  EXPECT_NEAR(share(0.5), 1 - 1.0 / BlockGuard::kTryEvery, 0.03);
  EXPECT_NEAR(share(1.0), 1.0 / BlockGuard::kTryEvery, 0.02);    // as good is not better
  EXPECT_NEAR(share(0.995), 1.0 / BlockGuard::kTryEvery, 0.02);  // nor is a tie within the margin
  EXPECT_NEAR(share(2.0), 1.0 / BlockGuard::kTryEvery, 0.02);
}

TEST(BlockGuard, GoesBackWhenTheChallengerBecomesWorse) {
  BlockGuard guard;
  int late = 0;
  for (int f = 0; f < 200 * BlockGuard::kBlock; ++f) {
    const bool challenger = guard.Next();
    const bool first_half = f < 100 * BlockGuard::kBlock;
    late += challenger && f > 120 * BlockGuard::kBlock ? 1 : 0;
    guard.Observe(challenger, challenger ? (first_half ? 0.5 : 2.0) : 1.0, 1e6);
  }
  EXPECT_NEAR(late / (80.0 * BlockGuard::kBlock), 1.0 / BlockGuard::kTryEvery, 0.05);
}

/// A world without an event queue: two nodes on one core. Working both, each takes twice its time;
/// the slow one is better left alone.
class TwoOnOneCore {
 public:
  explicit TwoOnOneCore(FactoredDqn& dqn) : dqn_(dqn) {}

  /// One frame; returns how many regions the slow node got.
  int Frame() {
    const auto work = EqualWork(10);
    const FrameId id{frame_++};
    auto nodes = NodesOf({ms_[0], ms_[1]});
    std::vector<Work> left = work;
    std::vector<int> counts(2);
    bool first = true;
    const TimePoint came = now_;
    // All at once (open = 0): the counts say all.
    const Assignment assignment =
        dqn_.Assign({.now = now_, .frame = id, .nodes = nodes, .work = left, .first = first});
    for (const int node : assignment.node_of) {
      ++counts[static_cast<std::size_t>(node)];
    }
    const double alone[2] = {10, 40};
    const bool both = counts[0] > 0 && counts[1] > 0;
    double end = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      if (counts[i] > 0) {
        const double time = alone[i] * (both ? 2 : 1);
        ms_[i] += 0.7 * (time - ms_[i]);
        end = std::max(end, time * counts[i]);
      }
    }
    now_ += FromMilliseconds(end);
    dqn_.Observe(id, now_ - came, nodes, now_);
    last_ms_ = end;
    return counts[1];
  }
  double last_ms() const { return last_ms_; }

 private:
  FactoredDqn& dqn_;
  TimePoint now_{};
  std::uint64_t frame_ = 0;
  double ms_[2] = {20, 80};
  double last_ms_ = 0;
};

TEST(FactoredDqn, UntrainedIsEarliestCompletion) {
  FactoredDqn dqn({.unguarded = true}, {.open = 0});
  dqn.SetLearning(false);
  EarliestCompletion earliest({.open = 0});
  const auto nodes = NodesOf({10, 25, 40}, {1, 2, 3});
  for (std::uint64_t f = 0; f < 20; ++f) {
    const auto work = WorkOf(std::vector<double>(1 + f, static_cast<double>(f % 3)));
    const WorkDeal deal{.frame = FrameId{f}, .nodes = nodes, .work = work};
    EXPECT_EQ(dqn.Assign(deal).node_of, EarliestCompletion({.open = 0}).Assign(deal).node_of);
  }
}

TEST(FactoredDqn, LearnsToLeaveOutANodeThatSlowsDownItsNeighbour) {
  FactoredDqn dqn({.unguarded = true, .explore_frames = 1500}, {.open = 0});
  TwoOnOneCore world(dqn);
  dqn.SetLearning(false);
  EXPECT_GT(world.Frame(), 0);
  EXPECT_GT(world.last_ms(), 140);  // 8 x 20 and 2 x 80
  dqn.SetLearning(true);
  for (int f = 0; f < 4000; ++f) {
    world.Frame();
  }
  EXPECT_GT(dqn.progress().learnings, 1400);
  dqn.SetLearning(false);
  for (int f = 0; f < 20; ++f) {
    world.Frame();
  }
  EXPECT_EQ(world.Frame(), 0);
  EXPECT_NEAR(world.last_ms(), 100, 1e-6);
}

TEST(FactoredDqn, GuardedTakesOverWhereItHasBeenBetterAndSaysWhoDecided) {
  FactoredDqn dqn({.explore_frames = 1500}, {.open = 0});
  TwoOnOneCore world(dqn);
  for (int f = 0; f < 6000; ++f) {
    world.Frame();
  }
  const LearningProgress early = dqn.progress();
  for (int f = 0; f < 1600; ++f) {
    world.Frame();
  }
  EXPECT_EQ(dqn.progress().decisions, 7600);
  EXPECT_GT(static_cast<double>(dqn.progress().taken - early.taken) / 1600, 0.6);
  EXPECT_LT(dqn.progress().taken, dqn.progress().decisions);
}

TEST(FactoredDqn, TreatsTheSameNodesTheSameInWhateverOrderTheyStand) {
  FactoredDqn trained({.unguarded = true, .explore_frames = 500}, {.open = 0});
  TwoOnOneCore world(trained);
  for (int f = 0; f < 1500; ++f) {
    world.Frame();
  }
  const std::string state = trained.SaveState();
  const std::vector<double> times = {10, 80, 20, 35, 12, 60};
  const std::vector<std::size_t> order = {4, 2, 0, 5, 3, 1};
  std::vector<double> shuffled;
  for (const std::size_t i : order) {
    shuffled.push_back(times[i]);
  }
  const auto counts = [&](const std::vector<double>& of) {
    FactoredDqn dqn({.unguarded = true}, {.open = 0});
    EXPECT_TRUE(dqn.LoadState(state));
    dqn.SetLearning(false);
    const auto nodes = NodesOf(of);
    return CountsOf(dqn.Assign({.nodes = nodes, .work = EqualWork(23)}), of.size());
  };
  const auto straight = counts(times);
  const auto mixed = counts(shuffled);
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(mixed[i], straight[order[i]]);
  }
}

TEST(FactoredDqn, ServesOneToSixteenNodesWithTheSameWeights) {
  FactoredDqn dqn({.unguarded = true, .learn_from = 20});
  TimePoint now{};
  for (std::uint64_t f = 0; f < 160; ++f) {
    const auto nodes = NodesOf(std::vector<double>(1 + f % 16, 10));
    const auto work = EqualWork(20);
    const Assignment assignment =
        dqn.Assign({.now = now, .frame = FrameId{f}, .nodes = nodes, .work = work});
    EXPECT_LT(CountsOf(assignment, nodes.size()).back(), 20);
    now += std::chrono::milliseconds(50);
    dqn.Observe(FrameId{f}, std::chrono::milliseconds(50), nodes, now);
  }
  EXPECT_GT(dqn.progress().learnings, 0);
}

TEST(FactoredDqn, GoesOnWithASavedStateAndRefusesOthers) {
  FactoredDqn dqn({.unguarded = true, .explore_frames = 500}, {.open = 0});
  TwoOnOneCore world(dqn);
  for (int f = 0; f < 300; ++f) {
    world.Frame();
  }
  const std::string saved = dqn.SaveState();
  EXPECT_THAT(saved, ::testing::Not(HasSubstr("\n")));
  FactoredDqn again;
  ASSERT_TRUE(again.LoadState(saved));
  EXPECT_EQ(again.SaveState(), saved);
  std::string other_version = saved;
  other_version.replace(other_version.find("\"version\":\"1\""), 13, "\"version\":\"0\"");
  for (const std::string& text : {std::string("nonsense"), other_version, std::string("{}")}) {
    const auto loaded = again.LoadState(text);
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().message, HasSubstr("state of scheduler factored-dqn"));
  }
  EXPECT_EQ(again.SaveState(), saved);
}

TEST(FactoredDqnOptions, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(Validate(FactoredDqnOptions{}));
  EXPECT_FALSE(Validate(FactoredDqnOptions{.discount = 1}));
  EXPECT_FALSE(Validate(FactoredDqnOptions{.learn_every = 0}));
  EXPECT_FALSE(Validate(FactoredDqnOptions{.learn_from = 0}));
  EXPECT_FALSE(Validate(FactoredDqnOptions{.explore_first = 2}));
  EXPECT_FALSE(Validate(FactoredDqnOptions{.learning_rate = 0}));
}

}  // namespace
}  // namespace nearfar
