#include "schedule/turns.h"

#include <gmock/gmock.h>

#include <vector>

#include "schedule/test_deals.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Who got how many of `frames` frames of one region each.
std::vector<int> After(Turns& turns, const std::vector<NodeState>& nodes, int frames) {
  std::vector<int> counts(nodes.size());
  const auto work = EqualWork(1);
  for (int i = 0; i < frames; ++i) {
    ++counts[static_cast<std::size_t>(turns.Assign({.nodes = nodes, .work = work}).node_of[0])];
  }
  return counts;
}

TEST(Turns, GiveEachNodeItsShareOverManyFrames) {
  Turns turns;
  EXPECT_THAT(After(turns, NodesOf({10, 20, 40}), 70), ElementsAre(40, 20, 10));
}

TEST(Turns, LeaveOutADeadNodeAndOweItNothingWhenItReturns) {
  Turns turns;
  auto nodes = NodesOf({10, 10});
  nodes[0].ready = false;
  EXPECT_THAT(After(turns, nodes, 50), ElementsAre(0, 50));
  nodes[0].ready = true;
  EXPECT_THAT(After(turns, nodes, 10), ElementsAre(5, 5));
}

TEST(Turns, OfNothingAreNothing) {
  Turns turns;
  const auto nodes = NodesOf({10});
  EXPECT_THAT(turns.Assign({.nodes = nodes}).node_of, IsEmpty());
}

}  // namespace
}  // namespace nearfar
