#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"
#include "schedule/scheduler.h"
#include "schedule/speed.h"
#include "sim/node_model.h"

namespace nearfar {

/// How many regions frames have: mean + step · AR(1) with unit innovations, rounded, clipped.
struct RegionLoad {
  double mean = 20;
  double step = 2.2;
  double memory = 0.97;  ///< [0, 1)
  int least = 6;         ///< > 0
  int most = 40;

  friend bool operator==(const RegionLoad&, const RegionLoad&) = default;
};

/// A world for schedulers alone: modelled nodes, and frames that are nothing but equal regions. The
/// next frame comes as soon as fewer than `in_flight` are out.
struct ScheduleWorld {
  std::vector<NodeModel> nodes;
  std::vector<HostModel> hosts;
  std::vector<double> qualities;  ///< by node; empty: all alike
  RegionLoad load;
  std::int64_t region_px = 512 * 512;
  int in_flight = 1;         ///< > 0
  bool true_speeds = false;  ///< schedulers are told the nodes' true speeds
  SpeedOptions speed;        ///< else: how they are measured

  friend bool operator==(const ScheduleWorld&, const ScheduleWorld&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const ScheduleWorld& world);

/// One frame of an episode.
struct ScheduledFrame {
  int regions = 0;
  TimePoint came;
  Duration makespan{};  ///< from its coming to its last answer
  Duration bound{};     ///< MakespanBound by the true speeds when it came, as if nodes were idle
  std::string decided_by;  ///< who made its first assignment

  friend bool operator==(const ScheduledFrame&, const ScheduledFrame&) = default;
};

struct ScheduleEpisode {
  std::vector<ScheduledFrame> frames;  ///< in order of their coming
  Duration length{};                   ///< from the first frame to the last answer
  std::int64_t assignments = 0;        ///< calls of Assign

  double fps() const {
    return static_cast<double>(frames.size()) / std::chrono::duration<double>(length).count();
  }
  friend bool operator==(const ScheduleEpisode&, const ScheduleEpisode&) = default;
};

/// Where an episode begins for its scheduler: after all that it has seen before.
struct EpisodeStart {
  TimePoint time{};
  FrameId frame{};
};

/// Runs `frames` frames through a scheduler. What a dying node had is held back and dealt out anew.
/// Pure by seed. A frame whose work no node will ever take ends the episode early.
/// REQUIRES: Validate(world); frames > 0.
ScheduleEpisode RunEpisode(const ScheduleWorld& world, Scheduler& scheduler, int frames,
                           std::uint64_t seed, const EpisodeStart& start = {});

/// The five nodes of 12, 10, 25, 15 and 25 ms per region of 512 x 512, drifting (log speed: sigma
/// 0.2, tau 4 s), each slowed down 1.5-4 times for 2-8 s every 15 s, with 8 % noise.
ScheduleWorld DriftingFive();

}  // namespace nearfar
