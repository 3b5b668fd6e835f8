#include "sim/simulate.h"

#include <algorithm>
#include <map>
#include <queue>
#include <utility>

namespace nearfar {
namespace {

/// What the simulation itself has to do at a moment; nodes at work keep their own events.
struct Due {
  enum class Kind { kFrame, kAtNode, kAnswer, kOverdue, kWake, kTrained };
  TimePoint at;
  std::uint64_t order = 0;  ///< of two at one moment, the one that was planned first
  Kind kind = Kind::kWake;
  RequestId request{};
  std::shared_ptr<FlowTraining> training;
};

struct Later {
  bool operator()(const Due& a, const Due& b) const {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
};

/// A node, and the two lanes of its link.
struct Peer {
  const SimulatedNode* node;
  LinkLane up;
  LinkLane down;
};

/// A request from its sending to its one reply.
struct Open {
  FrameId frame{};
  RegionId region{};
  Rect rect;
  Size input;
  std::size_t peer = 0;
  TimePoint sent;
  bool at_node = false;
  Answer answer;  ///< as far as it is known
};

class Simulation {
 public:
  Simulation(Planner& planner, const BoxSource& boxes, std::span<const SimulatedNode> nodes,
             const SimulationOptions& options, const Clock& clock)
      : planner_(planner),
        boxes_(boxes),
        options_(options),
        clock_(clock),
        machines_(ModelsOf(nodes), options.hosts, options.seed),
        frames_left_(options.frames > 0 ? options.frames : boxes.frames()) {
    for (const SimulatedNode& node : nodes) {
      peers_.push_back({&node, LinkLane::Up(node.network), LinkLane::Down(node.network)});
    }
  }

  Simulated Run() {
    TakeFrames();
    while (true) {
      const std::optional<NodeEvent> machine = machines_.Next();
      // A machine that is done goes first: what it frees is known to whoever decides next.
      if (machine && (due_.empty() || machine->at <= due_.top().at)) {
        if (open_.empty() && in_flight_ == 0 && frames_left_ == 0) {
          break;  // outages go on for ever; the stream has ended
        }
        now_ = machine->at;
        On(machines_.TakeNext());
      } else if (!due_.empty()) {
        const Due next = due_.top();
        due_.pop();
        now_ = next.at;
        machines_.AdvanceTo(now_);
        On(next);
      } else {
        break;
      }
      TakeFrames();
      if (open_.empty() && in_flight_ == 0 && frames_left_ == 0) {
        break;
      }
    }
    return std::move(result_);
  }

 private:
  static std::vector<NodeModel> ModelsOf(std::span<const SimulatedNode> nodes) {
    std::vector<NodeModel> models;
    for (const SimulatedNode& node : nodes) {
      models.push_back(node.model);
    }
    return models;
  }

  void Plan(Due due) {
    due.order = next_order_++;
    due_.push(std::move(due));
  }

  /// Lets frames in while there is room and they are due.
  void TakeFrames() {
    while (frames_left_ > 0 && in_flight_ < options_.window) {
      TimePoint captured = now_;
      if (options_.fps > 0) {
        captured = TimePoint{} + FromMilliseconds(1e3 * static_cast<double>(next_frame_) /
                                                  options_.fps);
        if (captured > now_) {
          if (!frame_planned_) {
            frame_planned_ = true;
            Plan({.at = captured, .kind = Due::Kind::kFrame});
          }
          return;
        }
      }
      const std::size_t source = next_frame_ % boxes_.frames();
      SimFrame frame = boxes_.Frame(source);
      SimulatedFrame& facts = result_.frames.emplace_back();
      facts.source_frame = source;
      facts.arrived = now_;
      for (std::size_t i = 0; i < machines_.size(); ++i) {
        facts.speeds.push_back(machines_.SpeedAt(i, now_));
      }
      result_.step_times.emplace_back();
      --frames_left_;
      ++in_flight_;
      const FrameId id{next_frame_++};
      Feed(FrameArrived{.now = now_,
                        .frame = id,
                        .source = "simulation",
                        .name = std::move(frame.name),
                        .size = frame.size,
                        .captured = captured,
                        .captured_at = WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(
                            captured.time_since_epoch())),
                        .features = frame.features,
                        .upload_bytes = frame.upload_bytes,
                        .moment = MomentOf(frame.moment)},
           id);
    }
  }

  /// The scene's time, which always rises: a source that begins again, or has no times, goes on in
  /// steps as before.
  TimePoint MomentOf(Duration shown) {
    TimePoint moment = TimePoint{} + shown + lap_;
    if (moment_ && moment <= *moment_) {
      lap_ += *moment_ + step_ - moment;
      moment = *moment_ + step_;
    }
    step_ = moment_ ? moment - *moment_ : step_;
    moment_ = moment;
    return moment;
  }

  /// Gives the planner an event, and everything that it wants done its way.
  void Feed(const Event& event, std::optional<FrameId> frame) {
    const TimePoint begin = clock_.Now();
    Actions actions = planner_.Step(event);
    const Duration took = clock_.Now() - begin;
    result_.planner_time += took;
    if (frame) {
      result_.step_times[ToNumber(*frame)] += took;
    }
    for (Action& action : actions) {
      std::visit([&](auto& a) { CarryOut(a); }, action);
    }
  }

  void CarryOut(Infer& infer) {
    Start(infer.request, infer.frame, infer.region, infer.rect, infer.input, kNear);
  }
  void CarryOut(Send& send) {
    Start(send.request, send.frame, send.region, send.rect, send.input, send.link);
    Plan({.at = send.deadline + options_.patience,
          .kind = Due::Kind::kOverdue,
          .request = send.request});
  }
  void CarryOut(Cancel& cancel) {
    const auto open = open_.find(cancel.request);
    if (open != open_.end() && open->second.at_node &&
        machines_.Cancel(open->second.peer, ToNumber(cancel.request))) {
      open->second.at_node = false;
      Fail(cancel.request, ErrorCode::kCancelled, "nobody waits for it any more");
    }
  }
  void CarryOut(Emit& emit) {
    --in_flight_;
    result_.frames[ToNumber(emit.record.frame)].emitted = now_;
    result_.trace.frames.push_back(std::move(emit.record));
  }
  void CarryOut(EmitOutcome& outcome) {
    result_.trace.outcomes.push_back(std::move(outcome.record));
  }
  void CarryOut(WakeAt& wake) {
    Plan({.at = std::max(wake.when, now_), .kind = Due::Kind::kWake});
  }
  void CarryOut(Train& train) {
    const TimePoint begin = clock_.Now();
    train.training->Run();
    result_.training_time += clock_.Now() - begin;
    Plan({.at = now_ + options_.training,
          .kind = Due::Kind::kTrained,
          .training = std::move(train.training)});
  }

  void Start(RequestId request, FrameId frame, RegionId region, const Rect& rect, Size input,
             LinkId link) {
    const auto peer = std::find_if(peers_.begin(), peers_.end(), [&](const Peer& candidate) {
      return candidate.node->link == link;
    });
    Open& open = open_[request];
    open = {.frame = frame,
            .region = region,
            .rect = rect,
            .input = input == Size{} ? rect.size() : input,
            .peer = static_cast<std::size_t>(peer - peers_.begin()),
            .sent = now_};
    open.answer.request = request;
    open.answer.region = region;
    open.answer.link = link;
    if (peer == peers_.end()) {
      open.answer.node = "link " + std::to_string(ToNumber(link));
      Fail(request, ErrorCode::kUnavailable, "there is no such node");
      return;
    }
    open.answer.node = peer->node->name;
    if (link == kNear) {
      Plan({.at = now_, .kind = Due::Kind::kAtNode, .request = request});
      return;
    }
    open.answer.bytes_up = static_cast<std::int64_t>(
        peer->node->bytes_per_px * static_cast<double>(open.input.area()));
    // Bytes that never arrive are found missing when the request is overdue.
    if (const auto arrival = peer->up.Send(now_, open.answer.bytes_up)) {
      Plan({.at = *arrival, .kind = Due::Kind::kAtNode, .request = request});
    }
  }

  void On(const Due& due) {
    switch (due.kind) {
      case Due::Kind::kFrame:
        frame_planned_ = false;
        break;
      case Due::Kind::kAtNode:
        if (const auto open = open_.find(due.request); open != open_.end()) {
          open->second.at_node = machines_.Give(open->second.peer, ToNumber(due.request),
                                                std::max<std::int64_t>(1, open->second.input.area()));
          if (!open->second.at_node) {
            Fail(due.request, ErrorCode::kUnavailable, "connection refused");
          }
        }
        break;
      case Due::Kind::kAnswer:
        Reply(due.request);
        break;
      case Due::Kind::kOverdue:
        if (const auto open = open_.find(due.request); open != open_.end()) {
          if (open->second.at_node) {
            machines_.Cancel(open->second.peer, ToNumber(due.request));
          }
          SetError(open->second.answer, ErrorCode::kDeadlineExceeded, "the link never answered");
          Reply(due.request);
        }
        break;
      case Due::Kind::kWake:
        Feed(TimerFired{now_}, std::nullopt);
        break;
      case Due::Kind::kTrained:
        Feed(Trained{now_, due.training}, std::nullopt);
        break;
    }
  }

  void On(const NodeEvent& event) {
    if (event.kind == NodeEvent::Kind::kDone) {
      const RequestId request{event.work};
      const auto open = open_.find(request);
      if (open == open_.end()) {
        return;  // overdue, and answered as such
      }
      const Peer& peer = peers_[event.node];
      Answer& answer = open->second.answer;
      open->second.at_node = false;
      answer.compute = event.compute;
      answer.queued = event.queued;
      answer.queue_length = static_cast<int>(machines_.queued(event.node));
      answer.detections = boxes_.Detect(result_.frames[ToNumber(open->second.frame)].source_frame,
                                        open->second.rect, open->second.input,
                                        peer.node->detector);
      SendBack(request, open->second);
    } else if (event.kind == NodeEvent::Kind::kDied) {
      std::vector<RequestId> lost;
      for (const auto& [request, open] : open_) {
        if (open.peer == event.node && open.at_node) {
          lost.push_back(request);
        }
      }
      for (const RequestId request : lost) {
        open_.at(request).at_node = false;
        Fail(request, ErrorCode::kUnavailable, "connection reset");
      }
    }
  }

  void SendBack(RequestId request, Open& open) {
    if (open.answer.link == kNear) {
      Plan({.at = now_, .kind = Due::Kind::kAnswer, .request = request});
      return;
    }
    Peer& peer = peers_[open.peer];
    open.answer.bytes_down = peer.node->bytes_down;
    if (const auto arrival = peer.down.Send(now_, open.answer.bytes_down)) {
      Plan({.at = *arrival, .kind = Due::Kind::kAnswer, .request = request});
    }
  }

  static void SetError(Answer& answer, ErrorCode code, const std::string& what) {
    answer.detections.clear();
    answer.error_code = ToString(code);
    answer.error = what;
  }

  /// The request has failed, and whoever asked hears of it a delay later.
  void Fail(RequestId request, ErrorCode code, const std::string& what) {
    Open& open = open_.at(request);
    SetError(open.answer, code, what);
    const Duration delay =
        open.peer < peers_.size() ? peers_[open.peer].node->network.delay : Duration::zero();
    Plan({.at = now_ + delay, .kind = Due::Kind::kAnswer, .request = request});
  }

  /// The one reply of a request.
  void Reply(RequestId request) {
    auto open = open_.extract(request);
    if (open.empty()) {
      return;
    }
    Answer& answer = open.mapped().answer;
    answer.total = now_ - open.mapped().sent;
    Feed(ReplyArrived{now_, open.mapped().frame, std::move(answer)}, open.mapped().frame);
  }

  Planner& planner_;
  const BoxSource& boxes_;
  const SimulationOptions& options_;
  const Clock& clock_;
  ModelledNodes machines_;
  std::vector<Peer> peers_;
  std::priority_queue<Due, std::vector<Due>, Later> due_;
  std::map<RequestId, Open> open_;
  std::uint64_t next_order_ = 0;
  std::uint64_t next_frame_ = 0;
  std::size_t frames_left_;
  int in_flight_ = 0;
  bool frame_planned_ = false;
  std::optional<TimePoint> moment_;  ///< of the newest frame's scene
  Duration step_ = std::chrono::milliseconds(100);
  Duration lap_{};
  TimePoint now_{};
  Simulated result_;
};

}  // namespace

Expected<void> Validate(const SimulationOptions& options, std::span<const SimulatedNode> nodes) {
  const auto wrong = [](const std::string& what) { return Fail(ErrorCode::kInvalidInput, what); };
  if (!(options.fps >= 0) || options.fps > 1e6) {
    return wrong("fps: must lie in [0, 1000000]");
  }
  if (options.window < 1) {
    return wrong("window: must be at least 1, is " + std::to_string(options.window));
  }
  if (options.patience < Duration::zero() || options.training < Duration::zero()) {
    return wrong("patience, training: must not be negative");
  }
  std::vector<NodeModel> models;
  for (const SimulatedNode& node : nodes) {
    models.push_back(node.model);
    if (const auto valid = Validate(node.network); !valid) {
      return wrong(node.name + ": " + valid.error().message);
    }
    if (!(node.bytes_per_px >= 0) || node.bytes_down < 0) {
      return wrong(node.name + ": bytes must not be negative");
    }
    if (std::count_if(nodes.begin(), nodes.end(), [&](const SimulatedNode& other) {
          return other.link == node.link;
        }) > 1) {
      return wrong(node.name + ": another node has its link " +
                   std::to_string(ToNumber(node.link)));
    }
  }
  return Validate(models, options.hosts);
}

Simulated Simulate(Planner& planner, const BoxSource& boxes, std::span<const SimulatedNode> nodes,
                   const SimulationOptions& options, const Clock& clock) {
  return Simulation(planner, boxes, nodes, options, clock).Run();
}

}  // namespace nearfar
