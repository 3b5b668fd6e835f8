#include "train/schedule_training.h"

#include <gmock/gmock.h>

#include <vector>

#include "schedule/dqn.h"
#include "schedule/earliest.h"
#include "schedule/factored_dqn.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

/// A quick and a slow node that share one core: the slow one is better left alone.
ScheduleWorld TwoOnOneCore() {
  ScheduleWorld world;
  for (const double ms : {10, 40}) {
    world.nodes.push_back({.px_per_second = 1e3 * 512 * 512 / ms, .noise = 0.05, .host = 0});
  }
  world.hosts = {{.cores = 1}};
  return world;
}

TEST(TrainScheduler, TeachesTheFactoredDqnWhatEarliestCompletionCannotSee) {
  const std::vector<ScheduleWorld> worlds = {TwoOnOneCore()};
  FactoredDqn dqn({.unguarded = true, .explore_frames = 1500});
  const auto curve = TrainScheduler(dqn, worlds, {.episodes = 5, .frames_per_episode = 600});
  ASSERT_TRUE(curve);
  ASSERT_EQ(curve->size(), 5U);
  for (std::size_t e = 0; e < curve->size(); ++e) {
    EXPECT_EQ((*curve)[e].frames, static_cast<std::int64_t>(600 * (e + 1)));
    EXPECT_GT((*curve)[e].loss, 0);
    EXPECT_GT((*curve)[e].over_bound, 0.9);
  }
  FactoredDqn trained({.unguarded = true});
  ASSERT_TRUE(trained.LoadState(dqn.SaveState()));
  trained.SetLearning(false);
  EarliestCompletion earliest;
  const double learned = RunEpisode(worlds[0], trained, 200, 77).fps();
  EXPECT_GT(learned, 1.2 * RunEpisode(worlds[0], earliest, 200, 77).fps());
}

TEST(TrainScheduler, TeachesThePaperDqnMoreFromTheMakespanThanChanceKnows) {
  ScheduleWorld world = TwoOnOneCore();
  world.hosts.clear();
  for (NodeModel& node : world.nodes) {
    node.host.reset();
  }
  PaperDqn dqn({.makespan_reward = true, .explore_frames = 1500});
  const auto curve =
      TrainScheduler(dqn, std::vector{world}, {.episodes = 4, .frames_per_episode = 600});
  ASSERT_TRUE(curve);
  EXPECT_GT(curve->back().frames_per_second, 1.3 * curve->front().frames_per_second);
  EXPECT_LT(curve->back().over_bound, curve->front().over_bound);
}

TEST(TrainScheduler, IsTheSeedsAlone) {
  const std::vector<ScheduleWorld> worlds = {DriftingFive(), TwoOnOneCore()};
  const auto learned = [&](std::uint64_t seed) {
    FactoredDqn dqn({.unguarded = true, .learn_from = 30});
    const auto curve =
        TrainScheduler(dqn, worlds, {.episodes = 2, .frames_per_episode = 60, .seed = seed});
    EXPECT_TRUE(curve);
    return dqn.SaveState();
  };
  EXPECT_EQ(learned(1), learned(1));
  EXPECT_NE(learned(1), learned(2));
}

TEST(TrainScheduler, SaysWhatIsWrong) {
  FactoredDqn dqn;
  const auto error = [&](const std::vector<ScheduleWorld>& worlds,
                         const ScheduleTrainingOptions& options) {
    return TrainScheduler(dqn, worlds, options).error().message;
  };
  EXPECT_THAT(error({}, {}), HasSubstr("no world"));
  EXPECT_THAT(error({DriftingFive()}, {.episodes = 0}), HasSubstr("episodes"));
  EXPECT_THAT(error({DriftingFive(), ScheduleWorld{}}, {}), HasSubstr("nodes"));
}

}  // namespace
}  // namespace nearfar
