#include "train/schedule_training.h"

#include <string>

namespace nearfar {
namespace {

/// Hands everything on and sums up the losses of the learnings that it sees pass.
class LossWatch final : public Scheduler {
 public:
  explicit LossWatch(LearningScheduler& scheduler) : scheduler_(scheduler) {}

  std::string name() const override { return scheduler_.name(); }
  std::string version() const override { return scheduler_.version(); }
  Assignment Assign(const WorkDeal& deal) override {
    Assignment assignment = scheduler_.Assign(deal);
    Look();
    return assignment;
  }
  void Observe(FrameId frame, Duration makespan, std::span<const NodeState> nodes,
               TimePoint now) override {
    scheduler_.Observe(frame, makespan, nodes, now);
    Look();
  }

  double MeanLoss() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : 0; }

 private:
  void Look() {
    const LearningProgress progress = scheduler_.progress();
    if (progress.learnings != seen_) {
      seen_ = progress.learnings;
      sum_ += progress.loss;
      ++count_;
    }
  }

  LearningScheduler& scheduler_;
  std::int64_t seen_ = scheduler_.progress().learnings;
  std::int64_t count_ = 0;
  double sum_ = 0;
};

}  // namespace

Expected<std::vector<ScheduleTrainingPoint>> TrainScheduler(
    LearningScheduler& scheduler, std::span<const ScheduleWorld> worlds,
    const ScheduleTrainingOptions& options) {
  if (worlds.empty()) {
    return Fail(ErrorCode::kInvalidInput, "training a scheduler: there is no world to learn in");
  }
  if (options.episodes <= 0 || options.frames_per_episode <= 0) {
    return Fail(ErrorCode::kInvalidInput,
                "training a scheduler: episodes and frames_per_episode must be above 0");
  }
  for (const ScheduleWorld& world : worlds) {
    if (auto valid = Validate(world); !valid) {
      return tl::unexpected(valid.error());
    }
  }
  std::vector<ScheduleTrainingPoint> curve;
  EpisodeStart start;
  for (int e = 0; e < options.episodes; ++e) {
    const ScheduleWorld& world = worlds[static_cast<std::size_t>(e) % worlds.size()];
    LossWatch watch(scheduler);
    const ScheduleEpisode episode =
        RunEpisode(world, watch, options.frames_per_episode,
                   options.seed + static_cast<std::uint64_t>(e), start);
    start.time += episode.length + std::chrono::seconds(1);
    start.frame = FrameId{ToNumber(start.frame) + episode.frames.size()};
    double over_bound = 0;
    int ended = 0;
    for (const ScheduledFrame& frame : episode.frames) {
      if (frame.makespan > Duration::zero() && frame.bound > Duration::zero()) {
        over_bound += std::chrono::duration<double>(frame.makespan) /
                      std::chrono::duration<double>(frame.bound);
        ++ended;
      }
    }
    curve.push_back({.frames = static_cast<std::int64_t>(ToNumber(start.frame)),
                     .loss = watch.MeanLoss(),
                     .over_bound = ended > 0 ? over_bound / ended : 0,
                     .frames_per_second = episode.fps()});
  }
  return curve;
}

}  // namespace nearfar
