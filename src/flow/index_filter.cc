#include "flow/index_filter.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>

#include "flow/comp.h"
#include "flow/count_grid.h"

namespace nearfar {
namespace {

constexpr std::size_t kMostInFlight = 64;
constexpr double kAverage = 0.03;  // weight of the newest frame in the averages

}  // namespace

IndexFilter::IndexFilter(const IndexOptions& options)
    : options_(options),
      tracker_(options.tracker),
      watcher_(options.tracker),
      rates_(options.rates),
      threshold_(options.first_index) {}

void IndexFilter::SetGrid(const TileGrid& grid) {
  if (grid == grid_) {
    return;
  }
  grid_ = grid;
  const auto cells = static_cast<std::size_t>(grid.cells());
  tracker_.Reset(grid);
  watcher_.Reset(grid);
  rates_.Reset(grid);
  crowds_.assign(cells, 0);
  in_flight_.clear();
  times_.clear();
  answered_.assign(cells, -1e9);
  answered_frame_.assign(cells, 0);
  learned_.assign(cells, -1e9);
  left_.assign(cells, 0);
  followed_.assign(cells, 0);
  waited_.assign(cells, 0);
  threshold_ = options_.first_index;
  missed_average_ = people_average_ = averaged_ = 0;
  begun_ = false;
}

double IndexFilter::SecondsOf(FrameId frame, TimePoint captured) {
  if (!begun_) {
    begun_ = true;
    first_captured_ = captured;
    last_seconds_ = 0;
  } else {
    const double seconds = std::chrono::duration<double>(captured - first_captured_).count();
    const double frames = ToNumber(frame) > ToNumber(last_frame_)
                              ? static_cast<double>(ToNumber(frame) - ToNumber(last_frame_))
                              : 1;
    // A clock that stands still or runs back is not believed.
    const double step = seconds > last_seconds_ ? seconds - last_seconds_ : per_frame_ * frames;
    per_frame_ += 0.1 * (std::clamp(step / frames, 1e-3, 10.0) - per_frame_);
    last_seconds_ += step;
  }
  last_frame_ = frame;
  times_.emplace_back(frame, last_seconds_);
  if (times_.size() > kMostInFlight) {
    times_.pop_front();
  }
  return last_seconds_;
}

LookPlan IndexFilter::Plan(FrameId frame, TimePoint captured) {
  const double now = SecondsOf(frame, captured);
  const std::size_t cells = crowds_.size();
  LookPlan plan{.cells = std::vector<Look>(cells, Look::kSkip)};
  std::fill(followed_.begin(), followed_.end(), 0);
  tracker_.Forecast(now, followed_);
  const double leave = options_.unseen_leave * per_frame_;
  double missed = 0;
  double people = tracker_.count();
  for (std::size_t c = 0; c < cells; ++c) {
    // Frames since the newest look, those in flight included, and since the newest answer.
    double newest = answered_[c];
    std::uint64_t newest_frame = answered_frame_[c];
    for (const Planned& planned : in_flight_) {
      if (planned.looked[c]) {
        newest_frame = std::max(newest_frame, ToNumber(planned.frame) + 1);
        const auto at = std::find_if(times_.rbegin(), times_.rend(),
                                     [&](const auto& time) { return time.first == planned.frame; });
        newest = at == times_.rend() ? newest : std::max(newest, at->second);
      }
    }
    const double age = std::min(1e6, (now - newest) / per_frame_);
    const double per_frame = rates_.rates()[c] * per_frame_;
    const double gone = 1 - std::exp(-leave * age);
    const double waited = per_frame * (age / leave - gone / (leave * leave));
    // Whoever a look in flight finds is not known yet.
    const double unknown = std::min(1e6, (now - answered_[c]) / per_frame_);
    const double unseen = per_frame * (1 - std::exp(-leave * unknown)) / leave;
    const double index = options_.tail_weight * (followed_[c] + left_[c]) +
                         std::max(0.0, age * per_frame * gone / leave - waited) +
                         (unseen - per_frame * gone / leave);
    const bool old =
        ToNumber(frame) + 1 >= newest_frame + static_cast<std::uint64_t>(options_.max_age);
    const bool expected = followed_[c] >= std::max(threshold_, 0.1);
    if (expected) {
      plan.cells[c] = Look::kKeep;
    } else if (index >= threshold_ || old) {
      plan.cells[c] = newest < -1e8 ? Look::kKeep : Look::kProbe;
    } else {
      missed += followed_[c] + left_[c] + unseen;
    }
    people += unseen;
  }
  last_expected_ = missed;
  ++averaged_;
  const double weight = std::max(kAverage, 1 / averaged_);
  missed_average_ += weight * (missed - missed_average_);
  people_average_ += weight * (people - people_average_);
  // Steers towards the share of misses that the target allows.
  const double allowed = (1 - options_.target_recall) * std::max(people_average_, 1e-6);
  const double ratio = (calibration_ * missed_average_ + 1e-3 * allowed) / allowed;
  threshold_ *= std::exp(-options_.steering * std::clamp(std::log(ratio), -2.0, 2.0));
  threshold_ = std::clamp(threshold_, 1e-5, 0.5);
  Planned planned{frame, std::vector<bool>(cells)};
  for (std::size_t c = 0; c < cells; ++c) {
    planned.looked[c] = plan.cells[c] != Look::kSkip;
  }
  in_flight_.push_back(std::move(planned));
  if (in_flight_.size() > kMostInFlight) {
    in_flight_.pop_front();
  }
  return plan;
}

double IndexFilter::expected_miss() const {
  return people_average_ > 0 ? calibration_ * missed_average_ / people_average_ : 0;
}

void IndexFilter::Observe(const LookResult& result, bool learns) {
  const auto time = std::find_if(times_.begin(), times_.end(),
                                 [&](const auto& known) { return known.first == result.frame; });
  if (!Fits(result, grid_) || time == times_.end()) {
    return;
  }
  const double seconds = time->second;
  std::erase_if(in_flight_, [&](const Planned& planned) {
    return ToNumber(planned.frame) <= ToNumber(result.frame);
  });
  std::vector<bool> looked = result.looked;
  looked.resize(crowds_.size());
  UpdateCrowds(CountPeople(grid_, looked, result.people), crowds_);
  std::fill(followed_.begin(), followed_.end(), 0);
  tracker_.Forecast(seconds, followed_);
  const PeopleTracker::News news = tracker_.Observe(seconds, looked, result.people);
  for (std::size_t c = 0; c < looked.size(); ++c) {
    waited_[c] = 0;
    if (looked[c]) {
      const double since = answered_[c] < -1e8 ? per_frame_ : seconds - answered_[c];
      waited_[c] = std::max(0.0, since);
      left_[c] = tracker_.miss_rate() *
                 std::min(1.0, left_[c] + rates_.rates()[c] * std::min(since, 10.0));
      answered_[c] = std::max(answered_[c], seconds);
      answered_frame_[c] = std::max(answered_frame_[c], ToNumber(result.frame) + 1);
    }
  }
  if (learns) {
    rates_.Observe(waited_, followed_, news);
  }
}

void IndexFilter::Learn(const LookResult& whole) {
  const auto time = std::find_if(times_.begin(), times_.end(),
                                 [&](const auto& known) { return known.first == whole.frame; });
  if (!Fits(whole, grid_) || time == times_.end()) {
    return;
  }
  std::vector<bool> looked = whole.looked;
  looked.resize(crowds_.size());
  const bool first =
      std::all_of(learned_.begin(), learned_.end(), [](double t) { return t < -1e8; });
  std::fill(followed_.begin(), followed_.end(), 0);
  watcher_.Forecast(time->second, followed_);
  const PeopleTracker::News news = watcher_.Observe(time->second, looked, whole.people);
  for (std::size_t c = 0; c < looked.size(); ++c) {
    waited_[c] = 0;
    if (looked[c]) {
      waited_[c] = learned_[c] < -1e8 ? 0 : std::max(0.0, time->second - learned_[c]);
      learned_[c] = std::max(learned_[c], time->second);
    }
  }
  if (!first) {  // everybody is new in the first frame
    rates_.Observe(waited_, followed_, news);
  }
}

void IndexFilter::BeginLearning() {
  watcher_ = tracker_;
  learned_ = answered_;
}

void IndexFilter::SetCrowds(const LookResult& result) {
  UpdateCrowds(CountPeople(grid_, result.looked, result.people), crowds_);
}

void IndexFilter::AdoptLearned() {
  tracker_ = watcher_;
  for (std::size_t c = 0; c < answered_.size(); ++c) {
    answered_[c] = std::max(answered_[c], learned_[c]);
  }
}

}  // namespace nearfar
