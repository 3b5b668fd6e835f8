#include "sim/simulate.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "discriminate/factory.h"
#include "pipeline/named_planner.h"
#include "pipeline/small_big.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// One person who walks through an otherwise empty square of 1024 px.
class Walker final : public BoxSource {
 public:
  std::size_t frames() const override { return 50; }
  SimFrame Frame(std::size_t frame) const override {
    return {.name = "f" + std::to_string(frame), .size = {1024, 1024}, .upload_bytes = 100'000};
  }
  Detections Detect(std::size_t frame, const Rect& rect, Size /*input*/,
                    std::size_t model) const override {
    const float x = 100 + 15 * static_cast<float>(frame);
    const Box person{x, 400, x + 30, 470};
    const Box region{static_cast<float>(rect.x), static_cast<float>(rect.y),
                     static_cast<float>(rect.x + rect.width),
                     static_cast<float>(rect.y + rect.height)};
    if (IntersectionArea(person, region) < person.area()) {
      return {};
    }
    return {{person, 0.5F + 0.1F * static_cast<float>(model), 0}};
  }
  const std::vector<TruthObject>* TruthOf(std::size_t /*frame*/) const override { return nullptr; }
};

std::vector<SimulatedNode> Nodes(std::size_t count) {
  std::vector<SimulatedNode> nodes;
  for (std::size_t i = 0; i < count; ++i) {
    nodes.push_back({.link = LinkId{static_cast<std::uint32_t>(i + 1)},
                     .name = "n" + std::to_string(i + 1),
                     .model = {.per_region = milliseconds(5),
                               .px_per_second = 10e6 * static_cast<double>(i + 1),
                               .noise = 0.05,
                               .drift = {.sigma = 0.2}}});
  }
  return nodes;
}

std::unique_ptr<ParallelPlanner> PlannerFor(std::span<const SimulatedNode> nodes,
                                            const std::string& name = "all-tiles",
                                            Duration deadline = seconds(5)) {
  std::vector<NodeDescription> descriptions;
  for (const SimulatedNode& node : nodes) {
    descriptions.push_back({.link = node.link, .name = node.name});
  }
  PlannerSpec spec = NamedPlanner(name, descriptions).value();
  spec.options.deadline = deadline;
  return MakePlanner(spec).value();
}

Simulated Drive(std::span<const SimulatedNode> nodes, const SimulationOptions& options,
              Duration deadline = seconds(5)) {
  const auto planner = PlannerFor(nodes, "all-tiles", deadline);
  EXPECT_TRUE(Validate(options, nodes));
  return Simulate(*planner, Walker(), nodes, options, SystemClock());
}

TEST(Simulate, EndsEveryFrameOnceAndInOrder) {
  for (const int window : {1, 2, 5}) {
    const Simulated run = Drive(Nodes(3), {.window = window, .frames = 120});
    ASSERT_THAT(run.trace.frames, SizeIs(120));
    for (std::size_t i = 0; i < 120; ++i) {
      EXPECT_EQ(run.trace.frames[i].frame, FrameId{i});
      EXPECT_EQ(run.trace.frames[i].status, FrameStatus::kOk);
      EXPECT_THAT(run.trace.frames[i].detections, SizeIs(1));
    }
  }
}

TEST(Simulate, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const Simulated a = Drive(Nodes(3), {.seed = 1});
  const Simulated b = Drive(Nodes(3), {.seed = 1});
  const Simulated c = Drive(Nodes(3), {.seed = 2});
  EXPECT_EQ(a.trace.frames, b.trace.frames);
  EXPECT_NE(a.trace.frames, c.trace.frames);
}

TEST(Simulate, KeepsTheCamerasTime) {
  const Simulated run = Drive(Nodes(3), {.fps = 2, .frames = 10});
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(run.frames[i].arrived - TimePoint{}, milliseconds(500) * i);
  }
}

TEST(Simulate, MoreFramesInFlightAndMoreNodesAreFaster) {
  const auto end = [](const Simulated& run) { return run.frames.back().emitted; };
  EXPECT_LT(end(Drive(Nodes(3), {.window = 2})), end(Drive(Nodes(3), {.window = 1})));
  EXPECT_LT(end(Drive(Nodes(3), {.window = 1})), end(Drive(Nodes(1), {.window = 1})));
}

TEST(Simulate, LosesNoFrameWhereANodeDiesAndUsesItAgainWhenItReturns) {
  std::vector<SimulatedNode> nodes = Nodes(3);
  nodes[2].model.outages = {{.from = milliseconds(300), .length = seconds(2)}};
  const Simulated run = Drive(nodes, {.frames = 200});
  ASSERT_THAT(run.trace.frames, SizeIs(200));
  EXPECT_THAT(run.trace.frames, Each(Field(&FrameRecord::status, FrameStatus::kOk)));
  int failed = 0;
  bool used_after = false;
  for (std::size_t i = 0; i < 200; ++i) {
    for (const Answer& answer : run.trace.frames[i].answers) {
      failed += answer.ok() ? 0 : 1;
      used_after |= answer.ok() && answer.link == LinkId{3} &&
                    run.frames[i].arrived - TimePoint{} > seconds(3);
    }
  }
  EXPECT_GT(failed, 0);
  EXPECT_TRUE(used_after);
}

TEST(Simulate, ANodeThatStandsStillOrIsDeadForGoodEndsNoStream) {
  std::vector<SimulatedNode> nodes = Nodes(2);
  nodes[0].model.power = {{.at = milliseconds(200), .factor = 0}};
  nodes[1].model.outages = {{.from = seconds(1), .length = Duration::max()}};
  const Simulated run = Drive(nodes, {.frames = 60}, milliseconds(300));
  ASSERT_THAT(run.trace.frames, SizeIs(60));
  EXPECT_EQ(run.trace.frames.back().status, FrameStatus::kFailed);
  EXPECT_EQ(run.trace.frames.back().tiles->unseen, "!!!!");
}

TEST(Simulate, DrivesTheSmallBigPlannerToo) {
  std::vector<SimulatedNode> nodes = Nodes(2);
  nodes[0].link = kNear;
  nodes[1].link = LinkId{1};
  nodes[1].detector = 1;
  nodes[1].network = {.up_bytes_per_second = 1e6, .delay = milliseconds(20)};
  SmallBigPlanner planner({}, MakeDiscriminator({.name = "cloud-only"}).value(),
                          std::make_unique<ThresholdPolicy>());
  const Simulated run = Simulate(planner, Walker(), nodes, {.frames = 20}, SystemClock());
  ASSERT_THAT(run.trace.frames, SizeIs(20));
  EXPECT_THAT(run.trace.frames, Each(Field(&FrameRecord::status, FrameStatus::kOk)));
  EXPECT_FLOAT_EQ(run.trace.frames[3].detections.at(0).score, 0.6F);
}

TEST(Simulate, RefusesByName) {
  std::vector<SimulatedNode> nodes = Nodes(2);
  EXPECT_THAT(Validate({.window = 0}, nodes).error().message, HasSubstr("window"));
  EXPECT_THAT(Validate({.fps = -1}, nodes).error().message, HasSubstr("fps"));
  nodes[1].link = nodes[0].link;
  EXPECT_THAT(Validate(SimulationOptions{}, nodes).error().message, HasSubstr("n1"));
  nodes = Nodes(1);
  nodes[0].model.px_per_second = 0;
  EXPECT_FALSE(Validate(SimulationOptions{}, nodes));
}

}  // namespace
}  // namespace nearfar
