#include "train/schedule_world.h"

#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "schedule/factory.h"
#include "train/shared_cores.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

ScheduleEpisode RunFrames(const ScheduleWorld& world, const std::string& name, int frames,
                    std::uint64_t seed = 1) {
  return RunEpisode(world, **MakeScheduler({name, {}}), frames, seed);
}

double MeanOverBound(const ScheduleEpisode& episode) {
  double sum = 0;
  for (const ScheduledFrame& frame : episode.frames) {
    sum += std::chrono::duration<double>(frame.makespan) /
           std::chrono::duration<double>(frame.bound) / static_cast<double>(episode.frames.size());
  }
  return sum;
}

TEST(ScheduleWorld, NodesThatNeitherDriftNorScatterMeetTheBound) {
  ScheduleWorld world;
  for (const double ms : {12, 10, 25, 15, 25}) {
    world.nodes.push_back({.px_per_second = 1e3 * 512 * 512 / ms});
  }
  world.true_speeds = true;
  const ScheduleEpisode episode = RunFrames(world, "earliest", 50);
  ASSERT_EQ(episode.frames.size(), 50U);
  for (const ScheduledFrame& frame : episode.frames) {
    EXPECT_GE(frame.makespan, frame.bound - Duration(100));
    EXPECT_LE(ToMilliseconds(frame.makespan), ToMilliseconds(frame.bound) + 1e-3);
    EXPECT_EQ(frame.decided_by, "earliest");
  }
}

TEST(ScheduleWorld, EarliestCompletionStaysWithinFivePercentOfTheBoundInADriftingWorld) {
  const ScheduleWorld world = DriftingFive();
  const double earliest = MeanOverBound(RunFrames(world, "earliest", 300));
  EXPECT_LT(earliest, 1.05);
  EXPECT_GT(MeanOverBound(RunFrames(world, "salbs", 300)), earliest + 0.03);
  EXPECT_GT(MeanOverBound(RunFrames(world, "equal", 300)), 1.5);
}

TEST(ScheduleWorld, TwoFramesInFlightLeaveNoNodeIdleAtAFramesEnd) {
  ScheduleWorld world = DriftingFive();
  const double one = RunFrames(world, "earliest", 300).fps();
  world.in_flight = 2;
  const double two = RunFrames(world, "earliest", 300).fps();
  EXPECT_GT(two, 1.05 * one);
  world.true_speeds = true;
  EXPECT_GT(two, 0.98 * RunFrames(world, "earliest", 300).fps());
}

TEST(ScheduleWorld, EveryFrameEndsThoughNodesDieReturnAndStandStill) {
  ScheduleWorld world = DriftingFive();
  world.in_flight = 2;
  world.nodes[0].outages = {{milliseconds(130), seconds(2)}, {seconds(5), Duration::max()}};
  world.nodes[1].outages = {{milliseconds(131), milliseconds(1)}};
  world.nodes[3].power = {{seconds(3), 0}, {seconds(4), 0.2}};
  // Once, all are away at the same time.
  for (NodeModel& node : world.nodes) {
    if (node.outages.empty()) {
      node.outages.push_back({seconds(1), milliseconds(100)});
    }
  }
  world.nodes[1].outages.push_back({seconds(1), milliseconds(100)});
  for (const SchedulerInfo& info : KnownSchedulers()) {
    const ScheduleEpisode episode = RunFrames(world, std::string(info.name), 200);
    ASSERT_EQ(episode.frames.size(), 200U);
    for (const ScheduledFrame& frame : episode.frames) {
      EXPECT_GT(frame.makespan, Duration::zero()) << info.name;
    }
  }
}

TEST(ScheduleWorld, EndsEarlyWhenAllNodesAreGoneForGood) {
  ScheduleWorld world = DriftingFive();
  for (NodeModel& node : world.nodes) {
    node.outages = {{seconds(1), Duration::max()}};
  }
  const ScheduleEpisode episode = RunFrames(world, "earliest", 1000);
  EXPECT_LT(episode.frames.size(), 100U);
  EXPECT_EQ(episode.frames.back().makespan, Duration::zero());
}

TEST(ScheduleWorld, IsTheSeedsAlone) {
  const ScheduleWorld world = DriftingFive();
  EXPECT_EQ(RunFrames(world, "earliest", 40), RunFrames(world, "earliest", 40));
  EXPECT_NE(RunFrames(world, "earliest", 40), RunFrames(world, "earliest", 40, 2));
}

TEST(ScheduleWorld, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(Validate(DriftingFive()));
  const auto message = [](auto change) {
    ScheduleWorld world = DriftingFive();
    change(world);
    const auto valid = Validate(world);
    return valid ? "" : valid.error().message;
  };
  EXPECT_THAT(message([](ScheduleWorld& w) { w.nodes.clear(); }), HasSubstr("nodes"));
  EXPECT_THAT(message([](ScheduleWorld& w) { w.nodes[2].noise = -1; }), HasSubstr("node 2: noise"));
  EXPECT_THAT(message([](ScheduleWorld& w) { w.qualities = {1}; }), HasSubstr("qualities"));
  EXPECT_THAT(message([](ScheduleWorld& w) { w.load.least = 0; }), HasSubstr("load"));
  EXPECT_THAT(message([](ScheduleWorld& w) { w.in_flight = 0; }), HasSubstr("in_flight"));
  EXPECT_THAT(message([](ScheduleWorld& w) { w.speed.noise = 0; }), HasSubstr("noise"));
}

constexpr const char* kHeader = "process,work_ms,begin_us,duration_us,busy_begin,busy_end\n";

TEST(SharedCores, TakesMediansByCompanyAndTheScatterInOrder) {
  const auto world = ReadSharedCores(std::string(kHeader) +
                                     "0,10,0,10000,1,1\n0,10,0,20000,1,1\n0,10,0,10000,1,1\n"
                                     "0,10,0,30000,3,3\n0,10,0,30000,3,3\n0,10,0,30000,3,3\n"
                                     "0,10,0,77000,1,3\n"  // its company changed: left out
                                     "1,10,0,40000,2,2\n\n1,10,0,80000,3,3\r\n");
  ASSERT_TRUE(world) << world.error().message;
  ASSERT_EQ(world->nodes.size(), 2U);
  EXPECT_TRUE(Validate(*world));
  EXPECT_NEAR(world->nodes[0].px_per_second, 512 * 512 / 0.010, 1e-6);
  EXPECT_EQ(world->nodes[0].recorded_noise.size(), 6U);
  EXPECT_NEAR(world->nodes[0].recorded_noise[1], std::log(2), 1e-9);
  EXPECT_NEAR(world->hosts[0].recorded[0][3], 1.0 / 3, 1e-9);
  EXPECT_NEAR(world->hosts[0].recorded[1][3], 0.5, 1e-9);  // once alone: like any two
}

TEST(SharedCores, SaysWhatIsWrongAndWhere) {
  const auto message = [](const std::string& csv) { return ReadSharedCores(csv).error().message; };
  EXPECT_THAT(message("a,b\n"), HasSubstr("line 1: expected the header"));
  EXPECT_THAT(message(kHeader), HasSubstr("no piece of work"));
  EXPECT_THAT(message(std::string(kHeader) + "0,10,0,10000,1,1\n0,10,x,10000,1,1\n"),
              HasSubstr("line 3: expected six numbers"));
  EXPECT_THAT(message(std::string(kHeader) + "0,10,0,0,1,1\n"), HasSubstr("line 2"));
  EXPECT_THAT(message(std::string(kHeader) + "0,10,0,9,1,1,7\n"), HasSubstr("line 2"));
  EXPECT_THAT(message(std::string(kHeader) + "16,10,0,9,1,1\n"), HasSubstr("at most 16"));
  EXPECT_THAT(message(std::string(kHeader) + "0,10,0,9,3,3\n"), HasSubstr("no piece"));
  EXPECT_THAT(message(std::string(kHeader) + "0,1,0,9,1,1\n1,1,0,9,3,3\n"),
              HasSubstr("process 1 never worked alone"));
}

TEST(SharedCores, TheRecordingOfFiveProcessesReads) {
  std::ifstream file(std::string(NEARFAR_SOURCE_DIR) + "/bench/shared_cores.csv");
  std::stringstream text;
  text << file.rdbuf();
  const auto world = ReadSharedCores(text.str());
  ASSERT_TRUE(world) << world.error().message;
  EXPECT_EQ(world->nodes.size(), 5U);
  EXPECT_EQ(RunFrames(*world, "earliest", 50).frames.size(), 50U);
}

}  // namespace
}  // namespace nearfar
