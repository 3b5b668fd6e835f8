#include "flow/network_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "flow/walks.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

const TileGrid kGrid = MakeTileGrid({960, 540}, {160, 160});

/// Runs the filter over so many frames, training whenever it asks; gives the share skipped at last.
double RunOn(NetworkFilter& filter, std::uint64_t frames) {
  Walks walks(kGrid, 3);
  filter.SetGrid(kGrid);
  std::size_t skipped = 0, cells = 0;
  for (std::uint64_t t = 0; t < frames; ++t) {
    const LookPlan plan = filter.Plan(FrameId{t}, Walks::TimeOf(t));
    if (t + 50 >= frames) {
      cells += plan.cells.size();
      skipped +=
          static_cast<std::size_t>(std::count(plan.cells.begin(), plan.cells.end(), Look::kSkip));
    }
    filter.Observe(ResultOf(kGrid, FrameId{t}, Walks::TimeOf(t), plan, walks.Next()));
    if (const auto training = filter.TakeTraining()) {
      EXPECT_EQ(filter.TakeTraining(), nullptr);  // one at a time
      training->Run();
      filter.Adopt(*training);
    }
  }
  return static_cast<double>(skipped) / static_cast<double>(cells);
}

NetworkFilterOptions Quick() {
  NetworkFilterOptions options{.first_examples = 120};
  options.training.epochs = 6;
  options.training.channels = 4;
  return options;
}

TEST(NetworkFilter, LooksAtEverythingUntilItIsTrainedAndThenSkipsMost) {
  NetworkFilter filter(Quick());
  EXPECT_EQ(RunOn(filter, 120), 0);
  EXPECT_GT(RunOn(filter, 300), 0.4);
  ASSERT_TRUE(filter.trained());
  EXPECT_EQ(filter.trained()->curve.size(), 6U);
  EXPECT_LT(filter.trained()->curve.back().train, filter.trained()->curve.front().train);
  EXPECT_GT(filter.trained()->test_accuracy, 0.95);
}

TEST(NetworkFilter, GoesOnWithItsStateAndRefusesOthers) {
  NetworkFilter filter(Quick());
  RunOn(filter, 200);
  const std::string state = filter.SaveState();
  NetworkFilter restarted(Quick());
  restarted.SetGrid(kGrid);
  ASSERT_TRUE(restarted.LoadState(state));
  EXPECT_EQ(restarted.SaveState(), state);
  NetworkFilter wider;
  wider.SetGrid(kGrid);
  EXPECT_THAT(wider.LoadState(state).error().message, HasSubstr("no network of 8 channels"));
  restarted.SetGrid(MakeTileGrid({960, 540}, {540, 540}));
  EXPECT_THAT(restarted.LoadState(state).error().message, HasSubstr("960x540 frame in 160x160"));
  for (const char* const text : {"", "{}", "[1]", "{\"filter\":\"flow\",\"version\":\"1\"}"}) {
    EXPECT_FALSE(restarted.LoadState(text)) << text;
  }
}

TEST(TrainFlowNetwork, RefusesToLearnFromNextToNothing) {
  EXPECT_FALSE(TrainFlowNetwork(std::vector<FlowExample>{}));
  EXPECT_FALSE(TrainFlowNetwork(std::vector<FlowExample>(9)));
  EXPECT_FALSE(TrainFlowNetwork(std::vector<FlowExample>(50), {.epochs = 0}));
}

TEST(FlowHistory, TellsTheAgeOfTheNewestResultAndMarksWhatIsUnknown) {
  const TileGrid grid = MakeTileGrid({20, 10}, {10, 10});
  FlowHistory history(false);
  history.Reset(grid);
  EXPECT_EQ(history.InputOf(FrameId{0}, {}).closeness[4], 1);  // nothing has come: the oldest
  history.Observe(FrameId{3}, {}, CountPeople(grid, {true, false}, {{.box = {1, 1, 3, 3}}}), {});
  const FlowInput input = history.InputOf(FrameId{5}, {});
  EXPECT_EQ(input.closeness, (std::vector<float>{1, 0, 1, 0, 0.2F, 0.2F, 0, 0}));
}

}  // namespace
}  // namespace nearfar
