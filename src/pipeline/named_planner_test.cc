#include "pipeline/named_planner.h"

#include <gmock/gmock.h>

#include <set>
#include <string>

namespace nearfar {
namespace {

using ::testing::HasSubstr;

std::vector<NodeDescription> Nodes(std::uint32_t count) {
  std::vector<NodeDescription> nodes;
  for (std::uint32_t i = 1; i <= count; ++i) {
    nodes.push_back({.link = LinkId{i}, .name = "n" + std::to_string(i)});
  }
  return nodes;
}

TEST(NamedPlanner, MakesEveryOneThatIsListed) {
  std::set<std::string> names;
  for (const NamedPlannerInfo& info : KnownPlanners()) {
    const auto spec = NamedPlanner(info.name, Nodes(3));
    ASSERT_TRUE(spec) << info.name;
    EXPECT_EQ(spec->name, info.name);
    EXPECT_EQ(spec->options.nodes.size(), 3U);
    const auto planner = MakePlanner(*spec);
    ASSERT_TRUE(planner) << info.name << ": " << planner.error().message;
    EXPECT_EQ((*planner)->filter().name(), spec->filter.name);
    EXPECT_EQ((*planner)->scheduler().name(), spec->scheduler.name);
    EXPECT_TRUE(names.insert(spec->name).second);
  }
}

TEST(NamedPlanner, IsThePapersWhereItSaysSo) {
  const PlannerSpec printed = NamedPlanner("hode-printed", Nodes(5)).value();
  EXPECT_EQ(printed.options.tile, (Size{512, 512}));
  EXPECT_EQ(printed.options.merge, TileMerge::kIou);
  EXPECT_EQ(printed.options.padding.reach, 1);
  EXPECT_EQ(printed.options.scale.wanted_height, 0);
  EXPECT_EQ(printed.options.overview, 0);
  EXPECT_FALSE(printed.options.joining.on);
  EXPECT_EQ(NamedPlanner("elf", Nodes(5))->options.grow, 0.3);
  EXPECT_EQ(NamedPlanner("comp-3", Nodes(5))->filter.name, "comp-3");
}

TEST(NamedPlanner, SaysWhatIsWrong) {
  EXPECT_THAT(NamedPlanner("fastest", Nodes(2)).error().message, HasSubstr("there are hode, "));
  EXPECT_THAT(MakePlanner(NamedPlanner("hode-printed", Nodes(6)).value()).error().message,
              HasSubstr("at most 5 nodes, not to 6"));
  EXPECT_THAT(MakePlanner(NamedPlanner("hode", {}).value()).error().message, HasSubstr("nodes"));
  PlannerSpec spec = NamedPlanner("hode", Nodes(2)).value();
  spec.filter.name = "magic";
  EXPECT_FALSE(MakePlanner(spec));
}

}  // namespace
}  // namespace nearfar
