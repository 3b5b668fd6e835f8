#include "schedule/shortest_queue.h"

#include <gmock/gmock.h>

#include "schedule/test_deals.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;

TEST(ShortestQueue, EvensOutTheQueuesWhateverTheSpeeds) {
  ShortestQueue scheduler;
  auto nodes = NodesOf({1, 1000, 0, 10});  // one never measured
  nodes[1].queued = 2;
  nodes[3].ready = false;
  const auto work = EqualWork(6);
  // 0 and 2 catch up with node 1; then a tie of three: by index.
  EXPECT_THAT(scheduler.Assign({.nodes = nodes, .work = work}).node_of,
              ElementsAre(0, 2, 0, 2, 0, 1));
}

TEST(ShortestQueue, GivesAllToTheOnlyNodeAndNothingOfNothing) {
  ShortestQueue scheduler;
  const auto nodes = NodesOf({10});
  const auto work = EqualWork(3);
  EXPECT_THAT(scheduler.Assign({.nodes = nodes, .work = work}).node_of, ElementsAre(0, 0, 0));
  EXPECT_TRUE(scheduler.Assign({.nodes = nodes}).node_of.empty());
}

}  // namespace
}  // namespace nearfar
