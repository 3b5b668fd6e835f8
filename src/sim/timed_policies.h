#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "flow/flow_filter.h"
#include "schedule/scheduler.h"

namespace nearfar {

/// Real time that a policy took, by frame: index = frame id.
using TimesByFrame = std::vector<Duration>;

inline void AddTime(TimesByFrame& times, FrameId frame, Duration took) {
  const auto at = static_cast<std::size_t>(ToNumber(frame));
  if (times.size() <= at) {
    times.resize(at + 1);
  }
  times[at] += took;
}

/// A flow filter whose Plan and Observe are timed, for what [HODE §III.E] calls its overhead. Both
/// references must outlive it.
class TimedFilter final : public FlowFilter {
 public:
  TimedFilter(std::unique_ptr<FlowFilter> filter, const Clock& clock, TimesByFrame& times)
      : filter_(std::move(filter)), clock_(clock), times_(times) {}

  std::string name() const override { return filter_->name(); }
  std::string version() const override { return filter_->version(); }
  void SetGrid(const TileGrid& grid) override { filter_->SetGrid(grid); }
  LookPlan Plan(FrameId frame, TimePoint captured) override {
    const TimePoint begin = clock_.Now();
    LookPlan plan = filter_->Plan(frame, captured);
    AddTime(times_, frame, clock_.Now() - begin);
    return plan;
  }
  void Observe(const LookResult& result) override {
    const TimePoint begin = clock_.Now();
    filter_->Observe(result);
    AddTime(times_, result.frame, clock_.Now() - begin);
  }
  const std::vector<float>& crowds() const override { return filter_->crowds(); }
  std::shared_ptr<FlowTraining> TakeTraining() override { return filter_->TakeTraining(); }
  void Adopt(FlowTraining& training) override { filter_->Adopt(training); }
  std::string SaveState() const override { return filter_->SaveState(); }
  Expected<void> LoadState(std::string_view state) override { return filter_->LoadState(state); }

 private:
  std::unique_ptr<FlowFilter> filter_;
  const Clock& clock_;
  TimesByFrame& times_;
};

/// A scheduler whose decisions are timed, learning included. Both references must outlive it.
class TimedScheduler final : public Scheduler {
 public:
  TimedScheduler(std::unique_ptr<Scheduler> scheduler, const Clock& clock, TimesByFrame& times)
      : scheduler_(std::move(scheduler)), clock_(clock), times_(times) {}

  std::string name() const override { return scheduler_->name(); }
  std::string version() const override { return scheduler_->version(); }
  Assignment Assign(const WorkDeal& deal) override {
    const TimePoint begin = clock_.Now();
    Assignment assignment = scheduler_->Assign(deal);
    AddTime(times_, deal.frame, clock_.Now() - begin);
    return assignment;
  }
  void Observe(FrameId frame, Duration makespan, std::span<const NodeState> nodes,
               TimePoint now) override {
    const TimePoint begin = clock_.Now();
    scheduler_->Observe(frame, makespan, nodes, now);
    AddTime(times_, frame, clock_.Now() - begin);
  }
  std::string SaveState() const override { return scheduler_->SaveState(); }
  Expected<void> LoadState(std::string_view state) override {
    return scheduler_->LoadState(state);
  }

 private:
  std::unique_ptr<Scheduler> scheduler_;
  const Clock& clock_;
  TimesByFrame& times_;
};

}  // namespace nearfar
