#include "schedule/factory.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "schedule/proportional.h"
#include "schedule/test_deals.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SchedulerFactory, MakesEachKnownNameWithItsDefaults) {
  EXPECT_GE(KnownSchedulers().size(), 3U);
  for (const SchedulerInfo& info : KnownSchedulers()) {
    const auto made = MakeScheduler({.name = std::string(info.name), .parameters = {}});
    ASSERT_TRUE(made) << info.name;
    EXPECT_EQ((*made)->name(), info.name);
    EXPECT_FALSE((*made)->version().empty());
    EXPECT_FALSE(info.summary.empty());
    for (const SchedulerParameter& parameter : info.parameters) {
      EXPECT_GE(parameter.fallback, parameter.low);
      EXPECT_LE(parameter.fallback, parameter.high);
    }
  }
}

TEST(SchedulerFactory, SaysWhatIsWrong) {
  const auto error = [](const SchedulerSpec& spec) { return MakeScheduler(spec).error(); };
  EXPECT_EQ(error({"fifo", {}}).code, ErrorCode::kNotFound);
  EXPECT_THAT(error({"fifo", {}}).message, HasSubstr("no scheduler is called 'fifo'; there are "));
  EXPECT_THAT(error({"earliest", {{"depth", 1}}}).message, HasSubstr("it has open, "));
  EXPECT_EQ(error({"equal", {{"open", 1}}}).message,
            "scheduler equal has no parameter 'open'; it has none");
  EXPECT_EQ(error({"earliest", {{"open", 1.5}}}).code, ErrorCode::kInvalidInput);
  EXPECT_EQ(error({"earliest", {{"open", -1}}}).message,
            "scheduler earliest: open is -1, but must be a whole number in [0, 1000]");
}

/// The contract of scheduler.h, for every scheduler there is.
class AnyScheduler : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Scheduler> Make() const { return *MakeScheduler({GetParam(), {}}); }
};

/// Deals `work` out until nothing is held back, each busy node answering in turn, and counts by node.
std::vector<int> DealAll(Scheduler& scheduler, std::vector<NodeState> nodes,
                         std::vector<Work> work) {
  std::vector<int> counts(nodes.size());
  TimePoint now{};
  bool first = true;
  for (int turn = 0; turn < 10'000 && !work.empty(); ++turn) {
    const Assignment assignment =
        scheduler.Assign({.now = now, .nodes = nodes, .work = work, .first = first});
    first = false;
    EXPECT_EQ(assignment.node_of.size(), work.size());
    std::vector<Work> held;
    for (std::size_t r = 0; r < work.size(); ++r) {
      const int node = assignment.node_of[r];
      if (node == Assignment::kHeldBack) {
        held.push_back(work[r]);
        continue;
      }
      NodeState& state = nodes[static_cast<std::size_t>(node)];
      EXPECT_TRUE(state.ready);
      ++counts[static_cast<std::size_t>(node)];
      ++state.queued;
      ++state.given;
      state.queued_px += work[r].pixels;
    }
    work = std::move(held);
    const bool open =
        std::any_of(nodes.begin(), nodes.end(), [](const NodeState& n) { return n.queued > 0; });
    EXPECT_TRUE(work.empty() || open) << "held back from idle nodes";
    now += std::chrono::milliseconds(10);
    NodeState& answers = nodes[static_cast<std::size_t>(turn) % nodes.size()];
    if (answers.queued > 0) {
      answers.queued_px -= answers.queued_px / answers.queued;
      --answers.queued;
      ++answers.done;
    }
  }
  EXPECT_TRUE(work.empty());
  return counts;
}

TEST_P(AnyScheduler, GivesEveryRegionToAReadyNodeOfOneToFive) {
  for (std::size_t n = 1; n <= 5; ++n) {
    for (const std::size_t dead : {std::size_t{0}, n - 1, n}) {
      const auto scheduler = Make();
      auto nodes = NodesOf(std::vector<double>(n, 10));
      if (dead < n && n > 1) {
        nodes[dead].ready = false;
      }
      const auto counts = DealAll(*scheduler, nodes, EqualWork(13));
      for (std::size_t i = 0; i < n; ++i) {
        EXPECT_TRUE(nodes[i].ready || counts[i] == 0);
      }
    }
  }
}

TEST_P(AnyScheduler, BearsNodesThatJoinDieReturnAndHaveNoSpeed) {
  const auto scheduler = Make();
  auto nodes = NodesOf({0, 10, 0});
  DealAll(*scheduler, nodes, EqualWork(7));
  nodes[1].ready = false;
  EXPECT_EQ(DealAll(*scheduler, nodes, EqualWork(7))[1], 0);
  nodes[1].ready = true;
  nodes[0].px_per_second = 5e7;
  nodes.push_back({.link = LinkId{9}});
  const auto counts = DealAll(*scheduler, nodes, EqualWork(40));
  if (GetParam() != "dqn") {   // it has not learned yet
    EXPECT_GT(counts[1], 0);  // a quick node that returned has its share again
  }
}

TEST_P(AnyScheduler, BearsUnequalRegionsAndNone) {
  const auto scheduler = Make();
  auto nodes = NodesOf({10, 20, 15}, {1, 3, 2});
  auto work = WorkOf({3, 0, 7, 1, 0, 2});
  for (std::size_t r = 0; r < work.size(); ++r) {
    work[r].pixels = 1 + static_cast<std::int64_t>(r * r * 300'000);
  }
  DealAll(*scheduler, nodes, work);
  EXPECT_TRUE(scheduler->Assign({.nodes = nodes}).node_of.empty());
}

TEST_P(AnyScheduler, DecidesTheSameEachTime) {
  const auto nodes = NodesOf({10, 20, 15}, {1, 3, 2});
  const auto first = Make();
  const auto second = Make();
  for (int k = 0; k < 20; ++k) {
    const auto work = EqualWork(static_cast<std::size_t>(1 + k));
    const TimePoint now = TimePoint{} + k * std::chrono::milliseconds(100);
    EXPECT_EQ(first->Assign({.now = now, .nodes = nodes, .work = work}),
              second->Assign({.now = now, .nodes = nodes, .work = work}));
  }
}

INSTANTIATE_TEST_SUITE_P(Each, AnyScheduler, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const SchedulerInfo& known : KnownSchedulers()) {
                             names.emplace_back(known.name);
                           }
                           return names;
                         }()),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(SpeedShares, FollowTheMeasuredSpeedAndNotTheQueue) {
  SpeedShares salbs;
  auto nodes = NodesOf({10, 30});
  nodes[0].queued = 50;
  nodes[0].queued_px = 50'000'000;
  EXPECT_THAT(CountsOf(salbs.Assign({.nodes = nodes, .work = EqualWork(8)}), 2),
              ElementsAre(6, 2, 0));
}

TEST(EqualShares, AreEqualAmongThoseReady) {
  EqualShares equal;
  auto nodes = NodesOf({10, 30, 5});
  nodes[1].ready = false;
  EXPECT_THAT(CountsOf(equal.Assign({.nodes = nodes, .work = EqualWork(8)}), 3),
              ElementsAre(4, 0, 4, 0));
}

}  // namespace
}  // namespace nearfar
