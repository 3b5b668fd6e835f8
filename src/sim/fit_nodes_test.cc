#include "sim/fit_nodes.h"

#include <gmock/gmock.h>

#include "pipeline/named_planner.h"
#include "sim/simulate.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

/// An empty 4K frame: what is fitted is time alone.
class Nobody final : public BoxSource {
 public:
  std::size_t frames() const override { return 60; }
  SimFrame Frame(std::size_t frame) const override {
    return {.name = std::to_string(frame), .size = {3840, 2160}};
  }
  Detections Detect(std::size_t, const Rect&, Size, std::size_t) const override { return {}; }
  const std::vector<TruthObject>* TruthOf(std::size_t) const override { return nullptr; }
};

TEST(FitNodes, FindsTheModelThatASimulationRanWith) {
  const NodeModel fast{.per_region = std::chrono::milliseconds(8),
                       .px_per_second = 30e6,
                       .noise = 0.05};
  const NodeModel slow{.per_region = std::chrono::milliseconds(20),
                       .px_per_second = 10e6,
                       .noise = 0.1,
                       .drift = {.sigma = 0.2, .tau = std::chrono::seconds(8)}};
  const std::vector<SimulatedNode> nodes{{.link = LinkId{1}, .name = "fast", .model = fast},
                                         {.link = LinkId{2}, .name = "slow", .model = slow}};
  PlannerSpec spec = NamedPlanner("all-tiles", {{.link = LinkId{1}, .name = "fast"},
                                                {.link = LinkId{2}, .name = "slow"}})
                         .value();
  spec.options.joining.on = false;
  spec.options.padding.fixed = Size{64, 64};
  const auto planner = MakePlanner(spec).value();
  const Simulated run = Simulate(*planner, Nobody(), nodes, {.frames = 200}, SystemClock());
  const auto fitted = FitNodes(run.trace);
  ASSERT_TRUE(fitted);
  ASSERT_THAT(*fitted, SizeIs(2));
  const auto time = [](const NodeModel& node, double px) {
    return ToMilliseconds(node.per_region) + 1e3 * px / node.px_per_second;
  };
  for (const double px : {100e3, 400e3}) {
    EXPECT_NEAR(time((*fitted)[0].node, px) / time(fast, px), 1, 0.05);
    EXPECT_NEAR(time((*fitted)[1].node, px) / time(slow, px), 1, 0.15);
  }
  EXPECT_NEAR((*fitted)[0].node.noise, 0.05, 0.02);
  EXPECT_LT((*fitted)[0].node.drift.sigma, 0.06);
  EXPECT_NEAR((*fitted)[1].node.noise, 0.1, 0.04);
  EXPECT_GT((*fitted)[1].node.drift.sigma, 0.08);
  EXPECT_TRUE(Validate((*fitted)[1].node));
}

TEST(FitNodes, SaysWhereATraceHasNothingToFit) {
  const auto nothing = FitNodes({});
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().message, HasSubstr("20 answers"));
}

}  // namespace
}  // namespace nearfar
