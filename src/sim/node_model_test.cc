#include "sim/node_model.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cmath>
#include <string>
#include <vector>

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// 1 Mpx takes 10 ms.
NodeModel Plain() { return {.px_per_second = 1e8}; }

TimePoint At(Duration since) { return TimePoint{} + since; }

/// The times in ms at which all of `n` regions of 1 Mpx are done, given at once.
std::vector<double> EndsOf(ModelledNodes& nodes, std::size_t node, int n) {
  for (int k = 0; k < n; ++k) {
    EXPECT_TRUE(nodes.Give(node, static_cast<std::uint64_t>(k), 1'000'000));
  }
  std::vector<double> ends;
  while (nodes.queued(node) > 0) {
    const NodeEvent event = nodes.TakeNext();
    EXPECT_EQ(event.kind, NodeEvent::Kind::kDone);
    ends.push_back(ToMilliseconds(event.at - TimePoint{}));
  }
  return ends;
}

using ::testing::DoubleNear;
using ::testing::ElementsAre;

TEST(ModelledNodes, WorksOneByOneAtItsFixedTimeAndItsPixels) {
  NodeModel model = Plain();
  model.per_region = milliseconds(2);
  ModelledNodes nodes(std::vector{model}, {}, 1);
  EXPECT_FALSE(nodes.Next());
  EXPECT_THAT(EndsOf(nodes, 0, 3),
              ElementsAre(DoubleNear(12, 1e-3), DoubleNear(24, 1e-3), DoubleNear(36, 1e-3)));
  EXPECT_FALSE(nodes.Next());
  EXPECT_EQ(nodes.ServiceTimeAt(0, 1'000'000, At(seconds(1))), milliseconds(12));
}

TEST(ModelledNodes, SaysHowLongWorkWaitedAndTook) {
  ModelledNodes nodes(std::vector{Plain()}, {}, 1);
  nodes.Give(0, 7, 1'000'000);
  nodes.Give(0, 8, 2'000'000);
  EXPECT_EQ(nodes.TakeNext().work, 7U);
  const NodeEvent second = nodes.TakeNext();
  EXPECT_EQ(second.work, 8U);
  EXPECT_NEAR(ToMilliseconds(second.compute), 20, 1e-3);
  EXPECT_NEAR(ToMilliseconds(second.queued), 10, 1e-3);
}

TEST(ModelledNodes, BusyNodesShareTheCoresOfTheirHost) {
  NodeModel model = Plain();
  model.host = 0;
  ModelledNodes nodes(std::vector{model, model, Plain()}, std::vector{HostModel{.cores = 1}}, 1);
  nodes.Give(0, 1, 1'000'000);
  nodes.Give(2, 3, 1'000'000);  // on no host: undisturbed
  nodes.AdvanceTo(At(milliseconds(4)));
  nodes.Give(1, 2, 1'000'000);
  // Node 0 has 6 ms left, at half its speed: done at 16. Node 1 then has 4 left, alone: 20.
  EXPECT_EQ(nodes.TakeNext().node, 2U);
  const NodeEvent first = nodes.TakeNext();
  EXPECT_EQ(first.node, 0U);
  EXPECT_NEAR(ToMilliseconds(first.at - TimePoint{}), 16, 1e-3);
  EXPECT_NEAR(ToMilliseconds(nodes.TakeNext().at - TimePoint{}), 20, 1e-3);
}

TEST(ModelledNodes, ARecordedHostSaysHowFastEachIsInWhichCompany) {
  NodeModel model = Plain();
  model.host = 0;
  // Node 0 is undisturbed by node 1 and node 1 goes at a quarter beside node 0.
  const HostModel host{.recorded = {{1, 1, 1, 1}, {1, 1, 1, 0.25}}};
  ModelledNodes nodes(std::vector{model, model}, std::vector{host}, 1);
  nodes.Give(0, 1, 1'000'000);
  nodes.Give(1, 2, 1'000'000);
  EXPECT_NEAR(ToMilliseconds(nodes.TakeNext().at - TimePoint{}), 10, 1e-3);
  // 7.5 ms are left when node 0 falls idle.
  EXPECT_NEAR(ToMilliseconds(nodes.TakeNext().at - TimePoint{}), 17.5, 1e-3);
}

TEST(ModelledNodes, RecordedNoiseIsTakenInOrderFromAPlaceOfTheSeedsChoice) {
  NodeModel model = Plain();
  model.recorded_noise = {0, std::log(2), std::log(3)};
  std::vector<double> firsts;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    ModelledNodes nodes(std::vector{model}, {}, seed);
    const std::vector<double> ends = EndsOf(nodes, 0, 4);
    EXPECT_NEAR(ends[2], 60, 1e-3);             // all three, whatever the order
    EXPECT_NEAR(ends[3] - ends[2], ends[0], 1e-3);  // and again
    firsts.push_back(std::round(ends[0]));
  }
  EXPECT_THAT(firsts, ::testing::IsSupersetOf({10.0, 20.0, 30.0}));
}

TEST(ModelledNodes, ADeadNodeLosesItsWorkTakesNoneAndReturns) {
  NodeModel model = Plain();
  model.outages = {{milliseconds(15), milliseconds(20)}};
  ModelledNodes nodes(std::vector{model}, {}, 1);
  nodes.Give(0, 1, 1'000'000);
  nodes.Give(0, 2, 1'000'000);
  EXPECT_EQ(nodes.TakeNext().kind, NodeEvent::Kind::kDone);
  const NodeEvent died = nodes.TakeNext();
  EXPECT_EQ(died.kind, NodeEvent::Kind::kDied);
  EXPECT_EQ(died.at, At(milliseconds(15)));
  EXPECT_EQ(nodes.queued(0), 0U);
  EXPECT_FALSE(nodes.Give(0, 3, 1'000'000));
  EXPECT_EQ(nodes.SpeedAt(0, nodes.now()), 0);
  EXPECT_EQ(nodes.ServiceTimeAt(0, 1, nodes.now()), Duration::zero());
  const NodeEvent returned = nodes.TakeNext();
  EXPECT_EQ(returned.kind, NodeEvent::Kind::kReturned);
  EXPECT_EQ(returned.at, At(milliseconds(35)));
  EXPECT_THAT(EndsOf(nodes, 0, 1), ElementsAre(DoubleNear(45, 1e-3)));
  EXPECT_FALSE(nodes.Next());
}

TEST(ModelledNodes, OneThatNeverReturnsFallsSilent) {
  NodeModel model = Plain();
  model.outages = {{Duration::zero(), Duration::max()}};
  ModelledNodes nodes(std::vector{model}, {}, 1);
  EXPECT_FALSE(nodes.alive(0));
  EXPECT_FALSE(nodes.Next());
}

TEST(ModelledNodes, PowerChangesSpeedAtItsTimesAndZeroStandsStill) {
  NodeModel model = Plain();
  model.power = {{milliseconds(10), 0.5}, {milliseconds(30), 0}, {seconds(90), 2}};
  ModelledNodes nodes(std::vector{model}, {}, 1);
  // 10 alone; 20 at half speed; the third waits for the power's return and then takes 5.
  EXPECT_THAT(EndsOf(nodes, 0, 3), ElementsAre(DoubleNear(10, 1e-3), DoubleNear(30, 1e-3),
                                               DoubleNear(90'005, 1e-3)));
  model.power = {{milliseconds(10), 0}};
  ModelledNodes still(std::vector{model}, {}, 1);
  still.Give(0, 1, 3'000'000);
  EXPECT_FALSE(still.Next());
}

TEST(ModelledNodes, ATraceBeginsAgain) {
  NodeModel model = Plain();
  model.trace = {{Duration::zero(), 1}, {milliseconds(10), 0.5}};
  model.trace_length = milliseconds(30);
  ModelledNodes nodes(std::vector{model}, {}, 1);
  EXPECT_THAT(EndsOf(nodes, 0, 3), ElementsAre(DoubleNear(10, 1e-3), DoubleNear(30, 1e-3),
                                               DoubleNear(40, 1e-3)));
}

TEST(ModelledNodes, DriftHasItsSpreadAndDecays) {
  NodeModel model = Plain();
  model.drift = {.sigma = 0.2, .tau = seconds(4)};
  ModelledNodes nodes(std::vector{model}, {}, 5);
  double square = 0;
  double lagged = 0;
  double mean = 0;
  constexpr int kSamples = 20000;
  for (int k = 0; k < kSamples; ++k) {
    const double now = std::log(nodes.SpeedAt(0, At(k * seconds(1))));
    const double later = std::log(nodes.SpeedAt(0, At((k + 4) * seconds(1))));
    mean += now / kSamples;
    square += now * now / kSamples;
    lagged += now * later / kSamples;
  }
  EXPECT_NEAR(mean, 0, 0.02);
  EXPECT_NEAR(std::sqrt(square), 0.2, 0.01);
  EXPECT_NEAR(lagged / square, std::exp(-1), 0.05);
}

TEST(ModelledNodes, SlowDownsAreAsOftenAsDeepAndAsLongAsStated) {
  NodeModel model = Plain();
  model.slow_downs = {.every = seconds(15)};
  ModelledNodes nodes(std::vector{model}, {}, 3);
  int slow = 0;
  constexpr int kSamples = 200'000;  // of 100 ms
  int begins = 0;
  bool was = false;
  for (int k = 0; k < kSamples; ++k) {
    const double factor = nodes.SpeedAt(0, At(k * milliseconds(100)));
    EXPECT_TRUE(factor == 1 || (factor <= 1 / 1.5 && factor >= 0.25)) << factor;
    slow += factor < 1 ? 1 : 0;
    begins += factor < 1 && !was ? 1 : 0;
    was = factor < 1;
  }
  EXPECT_NEAR(slow / 10.0 / begins, 5, 0.3);  // seconds each
  // A begin during another is left out: every 15 s and what the running ones hide.
  EXPECT_NEAR(kSamples / 10.0 / begins, 15 + 5, 1.5);
}

TEST(ModelledNodes, ServiceTimesScatterByTheirNoise) {
  NodeModel model = Plain();
  model.noise = 0.08;
  ModelledNodes nodes(std::vector{model}, {}, 3);
  const std::vector<double> ends = EndsOf(nodes, 0, 4000);
  double square = 0;
  double before = 0;
  for (const double end : ends) {
    square += std::pow(std::log((end - before) / 10), 2) / 4000;
    before = end;
  }
  EXPECT_NEAR(std::sqrt(square), 0.08, 0.004);
}

TEST(ModelledNodes, TheWorldIsTheSeedsAloneWhateverIsGivenAndAsked) {
  NodeModel model = Plain();
  model.noise = 0.1;
  model.drift.sigma = 0.3;
  model.slow_downs.every = seconds(5);
  const std::vector<NodeModel> two{model, model};
  ModelledNodes busy(two, {}, 9);
  ModelledNodes idle(two, {}, 9);
  ModelledNodes other(two, {}, 10);
  EndsOf(busy, 0, 200);
  EXPECT_EQ(busy.SpeedAt(0, At(seconds(60))), idle.SpeedAt(0, At(seconds(60))));
  EXPECT_EQ(busy.SpeedAt(1, At(seconds(1))), idle.SpeedAt(1, At(seconds(1))));
  EXPECT_NE(busy.SpeedAt(0, At(seconds(1))), busy.SpeedAt(1, At(seconds(1))));
  EXPECT_NE(busy.SpeedAt(0, At(seconds(1))), other.SpeedAt(0, At(seconds(1))));
  ModelledNodes first(two, {}, 9);
  ModelledNodes second(two, {}, 9);
  EXPECT_EQ(EndsOf(first, 1, 50), EndsOf(second, 1, 50));
}

TEST(ModelledNodes, OnlyWorkThatHasNotBegunIsTakenBack) {
  ModelledNodes nodes(std::vector{Plain()}, {}, 1);
  nodes.Give(0, 1, 1'000'000);
  nodes.Give(0, 2, 1'000'000);
  nodes.Give(0, 3, 1'000'000);
  EXPECT_FALSE(nodes.Cancel(0, 1));
  EXPECT_TRUE(nodes.Cancel(0, 2));
  EXPECT_FALSE(nodes.Cancel(0, 2));
  EXPECT_EQ(nodes.TakeNext().work, 1U);
  EXPECT_EQ(nodes.TakeNext().work, 3U);
}

TEST(NodeModel, NamesTheFieldThatIsWrong) {
  struct Row {
    NodeModel model;
    std::string says;
  };
  const auto with = [](auto change) {
    NodeModel model = Plain();
    change(model);
    return model;
  };
  const Row rows[] = {
      {NodeModel{}, "px_per_second"},
      {with([](NodeModel& m) { m.px_per_second = NAN; }), "px_per_second"},
      {with([](NodeModel& m) { m.per_region = -seconds(1); }), "per_region"},
      {with([](NodeModel& m) { m.noise = -1; }), "noise"},
      {with([](NodeModel& m) { m.recorded_noise = {NAN}; }), "recorded_noise"},
      {with([](NodeModel& m) { m.drift.tau = {}; }), "drift"},
      {with([](NodeModel& m) { m.slow_downs.least = 0.5; }), "slow_downs"},
      {with([](NodeModel& m) { m.slow_downs.longest = seconds(1); }), "slow_downs"},
      {with([](NodeModel& m) { m.slow_downs.every = -seconds(1); }), "slow_downs"},
      {with([](NodeModel& m) { m.outages = {{seconds(1), seconds(2)}, {seconds(2), seconds(1)}}; }),
       "outages"},
      {with([](NodeModel& m) { m.power = {{seconds(1), 1}, {seconds(1), 2}}; }), "power"},
      {with([](NodeModel& m) { m.power = {{seconds(1), -1}}; }), "power"},
      {with([](NodeModel& m) { m.trace = {{seconds(0), 0}}; }), "trace"},
      {with([](NodeModel& m) { m.trace = {{seconds(1), 1}}; }), "trace_length"},
  };
  for (const Row& row : rows) {
    const auto valid = Validate(row.model);
    ASSERT_FALSE(valid) << row.says;
    EXPECT_THAT(valid.error().message, ::testing::HasSubstr(row.says));
  }
  EXPECT_TRUE(Validate(Plain()));
  const auto lost = Validate(std::vector{Plain(), with([](NodeModel& m) { m.host = 1; })},
                             std::vector{HostModel{}});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().message, "node 1: host 1 is not there; there are 1");
  EXPECT_FALSE(Validate(std::vector<NodeModel>{}, std::vector{HostModel{.cores = 0}}));
  const auto on_host = with([](NodeModel& m) { m.host = 0; });
  const auto recorded = [&](std::vector<std::vector<double>> factors) {
    return Validate(std::vector{on_host}, std::vector{HostModel{.recorded = std::move(factors)}})
        .has_value();
  };
  EXPECT_TRUE(recorded({{1, 1}}));
  EXPECT_FALSE(recorded({{1, 1}, {1, 1}}));  // for two nodes
  EXPECT_FALSE(recorded({{1}}));             // not for every set
  EXPECT_FALSE(recorded({{1, 0}}));
}

}  // namespace
}  // namespace nearfar
