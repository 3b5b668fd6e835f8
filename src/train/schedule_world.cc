#include "train/schedule_world.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <deque>
#include <optional>
#include <utility>

#include "core/rng.h"
#include "schedule/makespan_bound.h"

namespace nearfar {
namespace {

/// One frame in flight.
struct Flying {
  std::size_t index = 0;
  std::vector<Work> held;  ///< not yet given, in plan order
  int open = 0;            ///< given and not answered
  std::vector<int> given;  ///< by node
  std::vector<int> done;
};

/// One region out at a node.
struct Sent {
  std::uint64_t request = 0;
  std::size_t frame = 0;
  Work work;
  TimePoint at;
};

class Episode {
 public:
  Episode(const ScheduleWorld& world, Scheduler& scheduler, int frames, std::uint64_t seed,
          const EpisodeStart& start)
      : world_(world),
        scheduler_(scheduler),
        start_(start),
        total_(static_cast<std::size_t>(frames)),
        nodes_(world.nodes, world.hosts, seed),
        load_rng_(MixBits(seed + 0x10AD)),
        speeds_(world.nodes.size(), SpeedEstimator(world.speed)),
        out_(world.nodes.size()) {
    walk_ = load_rng_.Normal() / std::sqrt(1 - world.load.memory * world.load.memory);
  }

  ScheduleEpisode Run() {
    for (;;) {
      while (flying_.size() < static_cast<std::size_t>(world_.in_flight) &&
             result_.frames.size() < total_) {
        Start();
      }
      if (flying_.empty() || !nodes_.Next()) {
        break;
      }
      Handle(nodes_.TakeNext());
      for (std::size_t f = 0; f < flying_.size(); ++f) {
        Deal(flying_[f], false);
      }
    }
    result_.length = nodes_.now() - TimePoint{};
    return std::move(result_);
  }

 private:
  void Start() {
    walk_ = world_.load.memory * walk_ + load_rng_.Normal();
    const int regions =
        std::clamp(static_cast<int>(std::lround(world_.load.mean + world_.load.step * walk_)),
                   world_.load.least, world_.load.most);
    std::vector<Duration> times;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      times.push_back(nodes_.ServiceTimeAt(i, world_.region_px, nodes_.now()));
    }
    const bool any =
        std::any_of(times.begin(), times.end(), [](Duration t) { return t > Duration::zero(); });
    Flying frame{.index = result_.frames.size(),
                 .given = std::vector<int>(nodes_.size()),
                 .done = std::vector<int>(nodes_.size())};
    for (int r = 0; r < regions; ++r) {
      frame.held.push_back({RegionId{static_cast<std::uint32_t>(r)}, world_.region_px, 0});
    }
    result_.frames.push_back({.regions = regions,
                              .came = nodes_.now(),
                              .bound = any ? MakespanBound(times, regions) : Duration::zero()});
    flying_.push_back(std::move(frame));
    Deal(flying_.back(), true);
  }

  std::vector<NodeState> States() const {
    std::vector<NodeState> states;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      NodeState state{.link = LinkId{static_cast<std::uint32_t>(i + 1)},
                      .ready = nodes_.alive(i),
                      .quality = world_.qualities.empty() ? 0 : world_.qualities[i]};
      for (const Sent& sent : out_[i]) {
        ++state.queued;
        state.queued_px += sent.work.pixels;
      }
      if (world_.true_speeds) {
        const Duration time = nodes_.ServiceTimeAt(i, world_.region_px, nodes_.now());
        state.px_per_second = time > Duration::zero()
                                  ? static_cast<double>(world_.region_px) /
                                        std::chrono::duration<double>(time).count()
                                  : 0;
      } else {
        const NodeSpeed speed = speeds_[i].At(nodes_.now());
        state.px_per_second = speed.px_per_second;
        state.per_region = speed.per_region;
      }
      for (const Flying& frame : flying_) {
        state.given += frame.given[i];
        state.done += frame.done[i];
      }
      state.oldest = out_[i].empty() ? Duration::zero() : nodes_.now() - out_[i].front().at;
      states.push_back(state);
    }
    return states;
  }

  void Deal(Flying& frame, bool first) {
    if (frame.held.empty()) {
      return;
    }
    const std::vector<NodeState> states = States();
    if (std::none_of(states.begin(), states.end(), [](const NodeState& s) { return s.ready; })) {
      return;
    }
    const Assignment assignment = scheduler_.Assign({.now = Told(nodes_.now()),
                                                     .frame = IdOf(frame.index),
                                                     .nodes = states,
                                                     .work = frame.held,
                                                     .first = first});
    ++result_.assignments;
    std::string& decided_by = result_.frames[frame.index].decided_by;
    if (decided_by.empty()) {
      decided_by = assignment.decided_by;
    }
    std::vector<Work> held;
    for (std::size_t r = 0; r < frame.held.size(); ++r) {
      if (assignment.node_of[r] == Assignment::kHeldBack) {
        held.push_back(frame.held[r]);
        continue;
      }
      const auto node = static_cast<std::size_t>(assignment.node_of[r]);
      [[maybe_unused]] const bool taken = nodes_.Give(node, next_request_, frame.held[r].pixels);
      assert(taken);
      out_[node].push_back({next_request_++, frame.index, frame.held[r], nodes_.now()});
      ++frame.given[node];
      ++frame.open;
    }
    frame.held = std::move(held);
  }

  TimePoint Told(TimePoint at) const { return start_.time + (at - TimePoint{}); }
  FrameId IdOf(std::size_t index) const { return FrameId{ToNumber(start_.frame) + index}; }

  Flying& Of(std::size_t frame) {
    return *std::find_if(flying_.begin(), flying_.end(),
                         [&](const Flying& flying) { return flying.index == frame; });
  }

  void Handle(const NodeEvent& event) {
    std::deque<Sent>& out = out_[event.node];
    if (event.kind == NodeEvent::Kind::kDied) {
      for (const Sent& sent : out) {
        Flying& frame = Of(sent.frame);
        --frame.open;
        --frame.given[event.node];
        frame.held.push_back(sent.work);
      }
      out.clear();
      return;
    }
    if (event.kind == NodeEvent::Kind::kReturned) {
      speeds_[event.node] = SpeedEstimator(world_.speed);
      return;
    }
    const Sent sent = out.front();
    out.pop_front();
    speeds_[event.node].Observe({.sent = sent.at,
                                 .answered = event.at,
                                 .pixels = sent.work.pixels,
                                 .compute = event.compute});
    Flying& frame = Of(sent.frame);
    ++frame.done[event.node];
    if (--frame.open == 0 && frame.held.empty()) {
      ScheduledFrame& record = result_.frames[frame.index];
      record.makespan = event.at - record.came;
      scheduler_.Observe(IdOf(frame.index), record.makespan, States(), Told(event.at));
      std::erase_if(flying_, [&](const Flying& f) { return f.index == sent.frame; });
    }
  }

  const ScheduleWorld& world_;
  Scheduler& scheduler_;
  EpisodeStart start_;
  std::size_t total_;
  ModelledNodes nodes_;
  Rng load_rng_;
  double walk_ = 0;
  std::vector<SpeedEstimator> speeds_;
  std::vector<std::deque<Sent>> out_;  // by node, in order of sending
  std::vector<Flying> flying_;         // in order of coming
  std::uint64_t next_request_ = 0;
  ScheduleEpisode result_;
};

}  // namespace

Expected<void> Validate(const ScheduleWorld& world) {
  const auto wrong = [](const char* what) { return Fail(ErrorCode::kInvalidInput, what); };
  if (world.nodes.empty()) {
    return wrong("nodes: there must be at least one");
  }
  if (auto valid = Validate(world.nodes, world.hosts); !valid) {
    return valid;
  }
  if (!world.qualities.empty() && world.qualities.size() != world.nodes.size()) {
    return wrong("qualities: must be one for each node, or none");
  }
  const RegionLoad& load = world.load;
  if (load.least <= 0 || load.most < load.least || load.most > 100'000 ||
      !(load.memory >= 0 && load.memory < 1) || !std::isfinite(load.mean) ||
      !std::isfinite(load.step)) {
    return wrong("load: needs 0 < least <= most <= 100000, memory in [0, 1), finite mean and step");
  }
  if (world.region_px <= 0 || world.in_flight <= 0) {
    return wrong("region_px and in_flight: must be above 0");
  }
  return Validate(world.speed);
}

ScheduleEpisode RunEpisode(const ScheduleWorld& world, Scheduler& scheduler, int frames,
                           std::uint64_t seed, const EpisodeStart& start) {
  assert(Validate(world) && frames > 0);
  return Episode(world, scheduler, frames, seed, start).Run();
}

ScheduleWorld DriftingFive() {
  ScheduleWorld world;
  for (const double milliseconds : {12, 10, 25, 15, 25}) {
    world.nodes.push_back(
        {.px_per_second = 1e3 * static_cast<double>(world.region_px) / milliseconds,
         .noise = 0.08,
         .drift = {.sigma = 0.2, .tau = std::chrono::seconds(4)},
         .slow_downs = {.every = std::chrono::seconds(15)}});
  }
  return world;
}

}  // namespace nearfar
