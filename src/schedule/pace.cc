#include "schedule/pace.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace nearfar {
namespace {

constexpr double kAnySpeed = 1e7;   // px/s where nothing was measured: only that all are alike
constexpr double kOverdue = 1.5;    // times its expected time: the node has slowed down
constexpr double kStillLeft = 0.15; // of the time so far, is left of a region that is overdue

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

template <typename T>
T Median(std::vector<T> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::vector<Pace> PacesOf(std::span<const NodeState> nodes) {
  std::vector<double> per_region;
  std::vector<double> per_pixel;
  for (const NodeState& node : nodes) {
    if (node.px_per_second > 0) {
      per_region.push_back(Seconds(node.per_region));
      per_pixel.push_back(1 / node.px_per_second);
    }
  }
  std::vector<Pace> paces;
  for (const NodeState& node : nodes) {
    Pace pace{.ready = node.ready};
    if (node.px_per_second > 0) {
      pace.per_region = Seconds(node.per_region);
      pace.per_pixel = 1 / node.px_per_second;
    } else if (per_pixel.empty()) {
      pace.per_pixel = 1 / kAnySpeed;
    } else {
      pace.per_region = Median(per_region);
      pace.per_pixel = Median(per_pixel);
    }
    pace.busy = pace.per_region * node.queued + pace.per_pixel * static_cast<double>(node.queued_px);
    paces.push_back(pace);
  }
  return paces;
}

ProgressWatch::Watched& ProgressWatch::Of(LinkId link) {
  for (Watched& watched : watched_) {
    if (watched.link == link) {
      return watched;
    }
  }
  return watched_.emplace_back(Watched{.link = link});
}

std::vector<Pace> ProgressWatch::Measure(std::span<const NodeState> nodes, TimePoint now) {
  std::vector<Pace> paces = PacesOf(nodes);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const NodeState& node = nodes[i];
    Watched& watched = Of(node.link);
    if (node.queued != watched.queued) {
      // Fewer: an answer has just come, and the next region is in work. More: not by our doing.
      watched.queued = node.queued;
      watched.since = now;
    }
    if (node.queued <= 0) {
      continue;
    }
    Duration at_it = now - watched.since;
    if (node.oldest > Duration::zero()) {
      at_it = std::min(at_it, node.oldest);
    }
    Pace& pace = paces[i];
    const double elapsed = std::max(Seconds(at_it), 0.0);
    const double expected = pace.busy / node.queued;
    if (elapsed > kOverdue * expected) {
      const double slower = elapsed * (1 + kStillLeft) / expected;
      pace.per_region *= slower;
      pace.per_pixel *= slower;
      pace.busy *= slower;
    }
    pace.busy -= std::min(elapsed, pace.busy / node.queued / (1 + kStillLeft));
  }
  return paces;
}

void ProgressWatch::Given(std::span<const NodeState> nodes, std::span<const int> given,
                          TimePoint now) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (given[i] > 0) {
      Watched& watched = Of(nodes[i].link);
      if (watched.queued <= 0) {
        watched.since = now;
      }
      watched.queued += given[i];
    }
  }
}

}  // namespace nearfar
