#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"
#include "core/rng.h"

namespace nearfar {

/// A walk of the log of a node's speed about 0: an Ornstein-Uhlenbeck process.
struct SpeedDrift {
  double sigma = 0;  ///< standard deviation in the long run; [0, 2]
  Duration tau = std::chrono::seconds(4);  ///< in which a deviation falls to 1/e; > 0

  friend bool operator==(const SpeedDrift&, const SpeedDrift&) = default;
};

/// Times in which a node is slower by some factor, as when others use it.
struct SlowDowns {
  Duration every{};  ///< mean time from one's beginning to the next one's, exponential; 0: none. One
                     ///< that would begin during another is left out
  double least = 1.5;  ///< factor, uniform in [least, most]; >= 1
  double most = 4;
  Duration shortest = std::chrono::seconds(2);  ///< uniform in [shortest, longest]; > 0
  Duration longest = std::chrono::seconds(8);

  friend bool operator==(const SlowDowns&, const SlowDowns&) = default;
};

/// A node that does not answer: what it has is lost, and nothing comes in, until it returns.
struct Outage {
  Duration from{};    ///< since the beginning
  Duration length{};  ///< > 0; Duration::max(): it never returns

  friend bool operator==(const Outage&, const Outage&) = default;
};

/// From `at` on, everything goes `factor` times as fast.
struct PowerStep {
  Duration at{};      ///< since the beginning; rising
  double factor = 1;  ///< >= 0; 0 stands still; of a trace above 0

  friend bool operator==(const PowerStep&, const PowerStep&) = default;
};

/// A node as numbers. Its speed changes at most every 10 ms. What it does at a moment: 1 / (per_region + pixels / px_per_second) regions per
/// second, times drift, slow-down, power and trace, times its share of its host's cores.
struct NodeModel {
  Duration per_region{};       ///< fixed part of one inference; >= 0
  double px_per_second = 0;    ///< > 0
  double noise = 0;            ///< standard deviation of the log of one service time; [0, 2]
  /// Recorded logs of service times about what is expected of them, taken one after the other, from
  /// a place of the seed's choice, and again from the start; each within [-10, 10].
  std::vector<double> recorded_noise;
  SpeedDrift drift;
  SlowDowns slow_downs;
  std::vector<Outage> outages;    ///< in order, not overlapping
  std::vector<PowerStep> power;   ///< factor 1 before the first
  /// A recorded trace as factors of its speed, each from its time to the next one's; after
  /// `trace_length` it begins again. Empty: none.
  std::vector<PowerStep> trace;
  Duration trace_length{};        ///< > the last `at` of trace
  std::optional<std::size_t> host;  ///< index of the machine that it shares with others

  friend bool operator==(const NodeModel&, const NodeModel&) = default;
};

/// A machine shared by nodes: k busy nodes on c cores each go at min(1, c / k) of their speed, or as
/// a recording says.
struct HostModel {
  double cores = 1;  ///< > 0
  /// Instead of cores: by the host's nodes in their order, by the set of those that are busy (bit k:
  /// the k-th, itself included), the factor of its speed when it is alone; > 0. At most 16 nodes.
  std::vector<std::vector<double>> recorded;

  friend bool operator==(const HostModel&, const HostModel&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const NodeModel& node);
/// Also: a host that is not there. Errors name the node, counted from 0.
Expected<void> Validate(std::span<const NodeModel> nodes, std::span<const HostModel> hosts);

/// What happens at a modelled node.
struct NodeEvent {
  enum class Kind {
    kDone,      ///< a region was looked at
    kDied,      ///< all it had is lost
    kReturned,
  };
  TimePoint at;
  std::size_t node = 0;
  Kind kind = Kind::kDone;
  std::uint64_t work = 0;  ///< of kDone: as given
  Duration compute{};      ///< of kDone: from the begin of its work to its end
  Duration queued{};       ///< of kDone: from when it was given to its begin

  friend bool operator==(const NodeEvent&, const NodeEvent&) = default;
};

/// Modelled nodes at work: each does what it was given one by one, in order. Pure: chance comes from
/// the seed, by node; how a node's speed walks does not depend on what it is given, so that two
/// policies meet the same world. Times begin at TimePoint{}. Not thread-safe.
class ModelledNodes {
 public:
  /// REQUIRES: Validate(nodes, hosts).
  ModelledNodes(std::span<const NodeModel> nodes, std::span<const HostModel> hosts,
                std::uint64_t seed);

  std::size_t size() const { return nodes_.size(); }

  /// What happens next if nothing more is given; nothing when all is quiet for good.
  std::optional<NodeEvent> Next() const;
  /// Lets the next event happen, and moves to its time.
  /// REQUIRES: Next() has a value.
  NodeEvent TakeNext();
  /// Moves to `now`. REQUIRES: not before now(), and not after the next event.
  void AdvanceTo(TimePoint now);
  TimePoint now() const { return now_; }

  /// Gives a node a region at now(). A dead node takes nothing: false.
  bool Give(std::size_t node, std::uint64_t work, std::int64_t pixels);
  /// Takes work back that has not begun. False when it has begun, or is not there.
  bool Cancel(std::size_t node, std::uint64_t work);

  bool alive(std::size_t node) const { return nodes_[node].alive; }
  /// Regions it has, the one in work included.
  std::size_t queued(std::size_t node) const { return nodes_[node].queue.size(); }
  /// How fast it is at a moment, as a factor of the model's speed, without regard to its host: 0
  /// while dead or standing still.
  double SpeedAt(std::size_t node, TimePoint at) const;
  /// The mean time that one region of `pixels` takes at a moment, alone on its host; zero when it
  /// does not work.
  Duration ServiceTimeAt(std::size_t node, std::int64_t pixels, TimePoint at) const;

 private:
  struct Piece {
    std::uint64_t work = 0;
    std::int64_t pixels = 0;
    TimePoint given;
    TimePoint begun;
    double left = 0;  ///< seconds of work at factor 1
  };
  struct Slow {
    TimePoint from;
    TimePoint to;
    double factor = 1;
  };
  struct Node {
    NodeModel model;
    Rng drift_rng{0};
    Rng slow_rng{0};
    Rng noise_rng{0};
    std::size_t next_noise = 0;     ///< of recorded_noise
    std::size_t place = 0;          ///< among the nodes of its host
    std::vector<double> drift;      ///< factors by step, as far as was asked
    double log_drift = 0;           ///< of the last
    std::vector<Slow> slow;         ///< as far as was asked
    TimePoint slow_until{};         ///< begins of slow-downs are known up to here
    std::deque<Piece> queue;
    bool alive = true;
  };

  void Begin(Node& node, TimePoint at);
  bool DeadAt(const Node& node, TimePoint at) const;
  double FactorAt(Node& node, TimePoint at) const;
  double SharedFactor(std::size_t node, TimePoint at) const;
  std::optional<TimePoint> NextOutageEdge(const Node& node) const;
  void Work(TimePoint until);

  // Walks are drawn when first asked for; what is drawn does not depend on when.
  mutable std::vector<Node> nodes_;
  std::vector<HostModel> hosts_;
  TimePoint now_{};
};

}  // namespace nearfar
