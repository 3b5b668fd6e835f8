#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/expected.h"
#include "schedule/learning.h"
#include "train/schedule_world.h"

namespace nearfar {

struct ScheduleTrainingOptions {
  int episodes = 20;             ///< > 0; each in the next world, in turn
  int frames_per_episode = 1000;  ///< > 0
  std::uint64_t seed = 1;        ///< of the first episode; the others count on

  friend bool operator==(const ScheduleTrainingOptions&, const ScheduleTrainingOptions&) = default;
};

/// One point of a training curve. [HODE Fig. 9]
struct ScheduleTrainingPoint {
  std::int64_t frames = 0;     ///< so far
  double loss = 0;             ///< mean of the episode's learnings; 0 where there was none
  double over_bound = 0;       ///< mean makespan of the episode over its bound
  double frames_per_second = 0;

  friend bool operator==(const ScheduleTrainingPoint&, const ScheduleTrainingPoint&) = default;
};

/// Lets a scheduler learn in modelled worlds; what it has learned is its SaveState.
/// @return one point per episode. Errors: kInvalidInput for worlds or options that are none.
Expected<std::vector<ScheduleTrainingPoint>> TrainScheduler(LearningScheduler& scheduler,
                                                            std::span<const ScheduleWorld> worlds,
                                                            const ScheduleTrainingOptions& options);

}  // namespace nearfar
