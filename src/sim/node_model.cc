#include "sim/node_model.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <string>

#include "core/phrase.h"

namespace nearfar {
namespace {

/// Speeds are constant within a step.
constexpr Duration kStep = std::chrono::milliseconds(10);
constexpr double kLeastRate = 1e-9;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

Duration ToDuration(double seconds) {
  return std::chrono::ceil<Duration>(std::chrono::duration<double>(seconds));
}

tl::unexpected<Error> Wrong(const std::string& what) {
  return Fail(ErrorCode::kInvalidInput, what);
}

TimePoint StepOf(TimePoint at) { return TimePoint{} + (at - TimePoint{}) / kStep * kStep; }

Expected<void> CheckSteps(const std::string& name, const std::vector<PowerStep>& steps,
                          double least) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!(steps[i].factor >= least && steps[i].factor <= 1e6)) {
      return Wrong(name + ": a factor must lie in [" + ShortNumber(least) + ", 1e6]");
    }
    if (steps[i].at < Duration::zero() || (i > 0 && steps[i].at <= steps[i - 1].at)) {
      return Wrong(name + ": times must rise, from 0 on");
    }
  }
  return {};
}

/// The factor of the last step not after `at`.
double FactorOf(const std::vector<PowerStep>& steps, Duration at) {
  const auto after = std::upper_bound(steps.begin(), steps.end(), at,
                                      [](Duration t, const PowerStep& step) { return t < step.at; });
  return after == steps.begin() ? 1 : std::prev(after)->factor;
}

}  // namespace

Expected<void> Validate(const NodeModel& node) {
  if (node.per_region < Duration::zero()) {
    return Wrong("per_region: must not be below 0");
  }
  if (!(std::isfinite(node.px_per_second) && node.px_per_second > 0)) {
    return Wrong("px_per_second: must be a number above 0");
  }
  if (!(node.noise >= 0 && node.noise <= 2)) {
    return Wrong("noise: must lie in [0, 2]");
  }
  for (const double value : node.recorded_noise) {
    if (!(std::abs(value) <= 10)) {
      return Wrong("recorded_noise: must lie in [-10, 10]");
    }
  }
  if (!(node.drift.sigma >= 0 && node.drift.sigma <= 2) || node.drift.tau <= Duration::zero()) {
    return Wrong("drift: sigma must lie in [0, 2], tau above 0");
  }
  const SlowDowns& slow = node.slow_downs;
  if (slow.every < Duration::zero()) {
    return Wrong("slow_downs: every must not be below 0");
  }
  if (!(slow.least >= 1 && slow.most >= slow.least && std::isfinite(slow.most))) {
    return Wrong("slow_downs: factors must be at least 1, most not below least");
  }
  if (slow.shortest <= Duration::zero() || slow.longest < slow.shortest) {
    return Wrong("slow_downs: shortest must be above 0, longest not below it");
  }
  Duration end{};
  for (const Outage& outage : node.outages) {
    if (outage.length <= Duration::zero() || outage.from < end) {
      return Wrong("outages: must come in order, apart, each longer than 0");
    }
    end = outage.length == Duration::max() ? Duration::max() : outage.from + outage.length;
  }
  if (auto valid = CheckSteps("power", node.power, 0); !valid) {
    return valid;
  }
  if (auto valid = CheckSteps("trace", node.trace, 1e-6); !valid) {
    return valid;
  }
  if (!node.trace.empty() && node.trace_length <= node.trace.back().at) {
    return Wrong("trace_length: must be above the last time of the trace");
  }
  return {};
}

Expected<void> Validate(std::span<const NodeModel> nodes, std::span<const HostModel> hosts) {
  for (std::size_t h = 0; h < hosts.size(); ++h) {
    if (!(hosts[h].cores > 0 && std::isfinite(hosts[h].cores))) {
      return Wrong("host " + std::to_string(h) + ": cores must be a number above 0");
    }
    const auto& recorded = hosts[h].recorded;
    const auto own = static_cast<std::size_t>(std::count_if(
        nodes.begin(), nodes.end(), [&](const NodeModel& node) { return node.host == h; }));
    if (!recorded.empty() && (own > 16 || recorded.size() != own)) {
      return Wrong("host " + std::to_string(h) + ": is recorded for " +
                   std::to_string(recorded.size()) + " nodes, and has " + std::to_string(own) +
                   " (at most 16)");
    }
    for (const auto& factors : recorded) {
      const bool fine = factors.size() == std::size_t{1} << own &&
                        std::all_of(factors.begin(), factors.end(),
                                    [](double f) { return f > 0 && f <= 1e6; });
      if (!fine) {
        return Wrong("host " + std::to_string(h) +
                     ": needs a factor in (0, 1e6] for every set of busy nodes");
      }
    }
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::string which = "node " + std::to_string(i) + ": ";
    if (auto valid = Validate(nodes[i]); !valid) {
      return Wrong(which + valid.error().message);
    }
    if (nodes[i].host && *nodes[i].host >= hosts.size()) {
      return Wrong(which + "host " + std::to_string(*nodes[i].host) + " is not there; there are " +
                   std::to_string(hosts.size()));
    }
  }
  return {};
}

ModelledNodes::ModelledNodes(std::span<const NodeModel> nodes, std::span<const HostModel> hosts,
                             std::uint64_t seed)
    : hosts_(hosts.begin(), hosts.end()) {
  assert(Validate(nodes, hosts));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::uint64_t own = MixBits(seed + 0x1000 * (i + 1));
    Node node{.model = nodes[i],
              .drift_rng = Rng(own),
              .slow_rng = Rng(MixBits(own + 1)),
              .noise_rng = Rng(MixBits(own + 2))};
    node.alive = !DeadAt(node, TimePoint{});
    if (!node.model.recorded_noise.empty()) {
      node.next_noise = static_cast<std::size_t>(
          Rng(MixBits(own + 3)).Below(node.model.recorded_noise.size()));
    }
    for (const Node& before : nodes_) {
      node.place += before.model.host == node.model.host ? 1U : 0U;
    }
    nodes_.push_back(std::move(node));
  }
}

bool ModelledNodes::DeadAt(const Node& node, TimePoint at) const {
  const Duration t = at - TimePoint{};
  return std::any_of(node.model.outages.begin(), node.model.outages.end(), [&](const Outage& o) {
    return t >= o.from && (o.length == Duration::max() || t < o.from + o.length);
  });
}

std::optional<TimePoint> ModelledNodes::NextOutageEdge(const Node& node) const {
  for (const Outage& outage : node.model.outages) {
    if (node.alive && TimePoint{} + outage.from >= now_) {
      return TimePoint{} + outage.from;
    }
    if (!node.alive && outage.length != Duration::max() &&
        TimePoint{} + outage.from + outage.length >= now_) {
      return TimePoint{} + outage.from + outage.length;
    }
    if (!node.alive && outage.length == Duration::max()) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

double ModelledNodes::FactorAt(Node& node, TimePoint at) const {
  at = StepOf(at);
  double factor = 1;
  if (node.model.drift.sigma > 0) {
    const auto step = static_cast<std::size_t>((at - TimePoint{}) / kStep);
    while (node.drift.size() <= step) {
      const double keep = std::exp(-Seconds(kStep) / Seconds(node.model.drift.tau));
      const double chance = node.model.drift.sigma * node.drift_rng.Normal();
      node.log_drift = node.drift.empty()
                           ? chance
                           : keep * node.log_drift + std::sqrt(1 - keep * keep) * chance;
      node.drift.push_back(std::exp(node.log_drift));
    }
    factor *= node.drift[step];
  }
  const SlowDowns& slow = node.model.slow_downs;
  if (slow.every > Duration::zero()) {
    while (node.slow_until <= at) {
      const double gap = -std::log(1 - node.slow_rng.Uniform()) * Seconds(slow.every);
      const double by = node.slow_rng.Uniform(slow.least, slow.most);
      const double length = node.slow_rng.Uniform(Seconds(slow.shortest), Seconds(slow.longest));
      node.slow_until += ToDuration(gap);
      if (node.slow.empty() || node.slow.back().to <= node.slow_until) {
        node.slow.push_back({node.slow_until, node.slow_until + ToDuration(length), by});
      }
    }
    for (auto it = node.slow.rbegin(); it != node.slow.rend() && at < it->to; ++it) {
      if (at >= it->from) {
        factor /= it->factor;
        break;
      }
    }
  }
  const Duration t = at - TimePoint{};
  factor *= FactorOf(node.model.power, t);
  if (!node.model.trace.empty()) {
    factor *= FactorOf(node.model.trace, t % node.model.trace_length);
  }
  return factor;
}

double ModelledNodes::SharedFactor(std::size_t index, TimePoint at) const {
  Node& node = nodes_[index];
  double factor = FactorAt(node, at);
  if (node.model.host) {
    int busy = 0;
    std::size_t set = 0;
    for (const Node& other : nodes_) {
      if (other.model.host == node.model.host && !other.queue.empty()) {
        ++busy;
        set |= std::size_t{1} << (other.place & 15);
      }
    }
    const HostModel& host = hosts_[*node.model.host];
    if (busy > 0 && host.recorded.empty()) {
      factor *= std::min(1.0, host.cores / busy);
    } else if (busy > 0) {
      factor *= host.recorded[node.place][set];
    }
  }
  return factor;
}

void ModelledNodes::Begin(Node& node, TimePoint at) {
  Piece& piece = node.queue.front();
  piece.begun = at;
  const double mean =
      Seconds(node.model.per_region) + static_cast<double>(piece.pixels) / node.model.px_per_second;
  double noise = node.model.noise * node.noise_rng.Normal();
  if (!node.model.recorded_noise.empty()) {
    noise += node.model.recorded_noise[node.next_noise];
    node.next_noise = (node.next_noise + 1) % node.model.recorded_noise.size();
  }
  piece.left = mean * std::exp(noise);
}

std::optional<NodeEvent> ModelledNodes::Next() const {
  std::optional<NodeEvent> next;
  const auto take = [&](const NodeEvent& event) {
    if (!next || event.at < next->at) {
      next = event;
    }
  };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (const auto edge = NextOutageEdge(nodes_[i])) {
      take({.at = *edge,
            .node = i,
            .kind = nodes_[i].alive ? NodeEvent::Kind::kDied : NodeEvent::Kind::kReturned});
    }
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    if (node.queue.empty()) {
      continue;
    }
    const Piece& piece = node.queue.front();
    double left = piece.left;
    TimePoint at = now_;
    for (;;) {
      const double rate = SharedFactor(i, at);
      const TimePoint change = StepOf(at) + kStep;
      if (rate > kLeastRate && left <= rate * Seconds(change - at)) {
        take({.at = at + ToDuration(left / rate),
              .node = i,
              .kind = NodeEvent::Kind::kDone,
              .work = piece.work,
              .compute = at + ToDuration(left / rate) - piece.begun,
              .queued = piece.begun - piece.given});
        break;
      }
      left -= rate * Seconds(change - at);
      at = change;
      if (rate <= kLeastRate) {
        const auto moves = std::find_if(
            node.model.power.begin(), node.model.power.end(), [&](const PowerStep& step) {
              return TimePoint{} + step.at > at - kStep && step.factor > 0;
            });
        if (moves == node.model.power.end()) {
          break;  // it stands still for good
        }
        at = std::max(at, StepOf(TimePoint{} + moves->at));
      }
      if (next && at >= next->at) {
        break;  // something else comes first
      }
    }
  }
  return next;
}

void ModelledNodes::Work(TimePoint until) {
  while (now_ < until) {
    TimePoint to = until;
    std::vector<double> rates(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].queue.empty()) {
        rates[i] = SharedFactor(i, now_);
        to = std::min(to, StepOf(now_) + kStep);
      }
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].queue.empty()) {
        nodes_[i].queue.front().left -= rates[i] * Seconds(to - now_);
      }
    }
    now_ = to;
  }
}

void ModelledNodes::AdvanceTo(TimePoint now) {
  assert(now >= now_);
  Work(now);
}

NodeEvent ModelledNodes::TakeNext() {
  const std::optional<NodeEvent> next = Next();
  assert(next);
  Work(next->at);
  Node& node = nodes_[next->node];
  switch (next->kind) {
    case NodeEvent::Kind::kDone:
      node.queue.pop_front();
      if (!node.queue.empty()) {
        Begin(node, now_);
      }
      break;
    case NodeEvent::Kind::kDied:
      node.queue.clear();
      node.alive = false;
      break;
    case NodeEvent::Kind::kReturned:
      node.alive = true;
      break;
  }
  return *next;
}

bool ModelledNodes::Give(std::size_t index, std::uint64_t work, std::int64_t pixels) {
  Node& node = nodes_[index];
  if (!node.alive) {
    return false;
  }
  node.queue.push_back({.work = work, .pixels = pixels, .given = now_});
  if (node.queue.size() == 1) {
    Begin(node, now_);
  }
  return true;
}

bool ModelledNodes::Cancel(std::size_t index, std::uint64_t work) {
  std::deque<Piece>& queue = nodes_[index].queue;
  for (std::size_t k = 1; k < queue.size(); ++k) {
    if (queue[k].work == work) {
      queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(k));
      return true;
    }
  }
  return false;
}

double ModelledNodes::SpeedAt(std::size_t node, TimePoint at) const {
  return DeadAt(nodes_[node], at) ? 0 : FactorAt(nodes_[node], at);
}

Duration ModelledNodes::ServiceTimeAt(std::size_t node, std::int64_t pixels, TimePoint at) const {
  const NodeModel& model = nodes_[node].model;
  const double factor = SpeedAt(node, at);
  return factor > kLeastRate
             ? ToDuration((Seconds(model.per_region) +
                           static_cast<double>(pixels) / model.px_per_second) /
                          factor)
             : Duration::zero();
}

}  // namespace nearfar
