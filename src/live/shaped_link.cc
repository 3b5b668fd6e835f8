#include "live/shaped_link.h"

#include <algorithm>
#include <cassert>
#include <vector>

namespace nearfar {
namespace {

constexpr std::int64_t kRequestBytes = 300;  // names, parameters and headers around an upload
constexpr std::int64_t kRefusalBytes = 200;  // an answer without boxes

Error NotInTime(const std::string& node, Duration spent) {
  return {ErrorCode::kDeadlineExceeded,
          "the modelled link to " + node + " brought no answer within " +
              std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(spent).count()) +
              " ms"};
}

/// Failures that this side finds out by itself, without a message from the other.
bool ArisesHere(const Answer& answer) {
  return answer.error_code == ToString(ErrorCode::kDeadlineExceeded) ||
         answer.error_code == ToString(ErrorCode::kCancelled);
}

}  // namespace

struct ShapedLink::State {
  enum class Place { kWaiting, kGoingUp, kInside, kComingDown, kGivenUp };

  /// One request until its `done`.
  struct Request {
    Upload upload;  ///< its bytes are gone once the inner link has it
    std::function<void(Answer)> done;
    TimePoint sent;
    std::int64_t bytes_up = 0;  ///< 0 until it has left
    Place place = Place::kWaiting;
    bool cancelled = false;
    std::optional<TimePoint> arrival;  ///< of what is on its way
    Answer answer;                     ///< of kComingDown
    std::pair<TimePoint, std::uint64_t> due;
  };

  State(const LinkModel& model, const Clock& its_clock)
      : clock(its_clock), up(LinkLane::Up(model)), down(LinkLane::Down(model)) {}

  /// Looks at the request again at this moment, after all that is due by then already.
  void Schedule(std::uint64_t id, TimePoint when) {
    Request& request = open.at(id);
    due.erase(request.due);
    request.due = {when, next_ticket++};
    due.emplace(request.due, id);
  }
  /// Looks at it again when what is on its way arrives, or at its deadline.
  void ScheduleArrival(std::uint64_t id) {
    const Request& request = open.at(id);
    Schedule(id, std::min(request.arrival.value_or(TimePoint::max()), request.upload.deadline));
  }
  /// When the first of those who wait may leave.
  std::optional<TimePoint> next_departure() const {
    if (waiting.empty()) {
      return std::nullopt;
    }
    return std::max(up.free_at(), open.at(waiting.front()).sent);
  }
  void Depart() {
    const std::uint64_t id = waiting.front();
    waiting.pop_front();
    Request& request = open.at(id);
    request.place = Place::kGoingUp;
    request.bytes_up = static_cast<std::int64_t>(request.upload.bytes.size());
    request.arrival = up.Send(request.sent, request.bytes_up + kRequestBytes);
    ScheduleArrival(id);
  }
  void TakeAnswer(std::uint64_t id, Answer answer) {
    const std::lock_guard lock(mutex);
    const auto found = open.find(id);
    if (closed || found == open.end() || found->second.place != Place::kInside) {
      return;
    }
    Request& request = found->second;
    const TimePoint now = clock.Now();
    request.place = Place::kComingDown;
    request.arrival = ArisesHere(answer)
                          ? now
                          : down.Send(now, answer.bytes_down > 0 ? answer.bytes_down : kRefusalBytes);
    request.answer = std::move(answer);
    ScheduleArrival(id);
    Tell();
  }
  void Tell() const {
    if (told) {
      told();
    }
  }
  static Answer FailureOf(const Request& request, const std::string& node, TimePoint now,
                          const Error& error) {
    Answer answer;
    answer.request = request.upload.request;
    answer.region = request.upload.region;
    answer.node = node;
    answer.total = now - request.sent;
    answer.bytes_up = request.bytes_up;
    answer.error_code = ToString(error.code);
    answer.error = error.message;
    return answer;
  }

  const Clock& clock;  ///< not read once closed
  std::mutex mutex;
  LinkLane up;
  LinkLane down;
  std::map<std::uint64_t, Request> open;
  std::deque<std::uint64_t> waiting;
  std::map<std::pair<TimePoint, std::uint64_t>, std::uint64_t> due;
  std::uint64_t next_id = 1;
  std::uint64_t next_ticket = 1;
  bool closed = false;
  std::function<void()> told;
};

ShapedLink::ShapedLink(NodeLink& inner, const LinkModel& model, const Clock& clock)
    : inner_(inner), clock_(clock), state_(std::make_shared<State>(model, clock)) {
  assert(Validate(model));
}

ShapedLink::~ShapedLink() {
  std::map<std::uint64_t, State::Request> open;
  {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
    open.swap(state_->open);
  }
  const TimePoint now = clock_.Now();
  for (auto& [id, request] : open) {
    if (request.place == State::Place::kInside) {
      inner_.Cancel(request.upload.request);
    }
    request.done(State::FailureOf(request, node(), now,
                                  {ErrorCode::kCancelled, "the link to " + node() + " was closed"}));
  }
}

void ShapedLink::Send(Upload upload, std::function<void(Answer)> done) {
  const std::lock_guard lock(state_->mutex);
  const std::uint64_t id = state_->next_id++;
  State::Request& request = state_->open[id];
  request.upload = std::move(upload);
  request.done = std::move(done);
  request.sent = clock_.Now();
  state_->waiting.push_back(id);
  state_->Schedule(id, request.upload.deadline);
  state_->Tell();
}

void ShapedLink::Cancel(RequestId asked) {
  bool inside = false;
  {
    const std::lock_guard lock(state_->mutex);
    for (auto& [id, request] : state_->open) {
      if (request.upload.request != asked || request.cancelled) {
        continue;
      }
      request.cancelled = true;
      if (request.place == State::Place::kInside) {
        inside = true;
        continue;
      }
      std::erase(state_->waiting, id);
      request.place = State::Place::kGivenUp;
      state_->Schedule(id, clock_.Now());
    }
    state_->Tell();
  }
  if (inside) {
    inner_.Cancel(asked);
  }
}

void ShapedLink::PassTime() {
  using Place = State::Place;
  const TimePoint now = clock_.Now();
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  for (;;) {
    const auto departure = state.next_departure();
    const bool none_due = state.due.empty() || state.due.begin()->first.first > now;
    if (departure && *departure <= now &&
        (none_due || *departure < state.due.begin()->first.first)) {
      state.Depart();
      continue;
    }
    if (none_due) {
      return;
    }
    const std::uint64_t id = state.due.begin()->second;
    const TimePoint when = state.due.begin()->first.first;
    State::Request& request = state.open.at(id);
    const bool arrived = request.arrival && *request.arrival <= when;
    if (request.place == Place::kGoingUp && arrived) {
      request.place = Place::kInside;
      state.due.erase(request.due);
      Upload upload = std::move(request.upload);
      request.upload = {.request = upload.request,
                        .frame = upload.frame,
                        .region = upload.region,
                        .deadline = upload.deadline};
      const RequestId asked = upload.request;
      lock.unlock();
      inner_.Send(std::move(upload), [held = state_, id](Answer answer) {
        held->TakeAnswer(id, std::move(answer));
      });
      lock.lock();
      // A Cancel that came between the two found nothing to cancel inside.
      const auto still = state.open.find(id);
      if (still != state.open.end() && still->second.cancelled &&
          still->second.place == Place::kInside) {
        lock.unlock();
        inner_.Cancel(asked);
        lock.lock();
      }
      continue;
    }
    Answer answer;
    if (request.place == Place::kComingDown && arrived) {
      answer = std::move(request.answer);
      answer.total = now - request.sent;
    } else if (request.place == Place::kGivenUp) {
      answer = State::FailureOf(
          request, node(), now,
          {ErrorCode::kCancelled, "the request to " + node() + " was given up"});
    } else {
      std::erase(state.waiting, id);
      answer = State::FailureOf(request, node(), now, NotInTime(node(), now - request.sent));
    }
    const std::function<void(Answer)> done = std::move(request.done);
    state.due.erase(request.due);
    state.open.erase(id);
    lock.unlock();
    done(std::move(answer));
    lock.lock();
  }
}

std::optional<TimePoint> ShapedLink::next_wake() const {
  const std::lock_guard lock(state_->mutex);
  std::optional<TimePoint> next = state_->next_departure();
  if (!state_->due.empty()) {
    const TimePoint due = state_->due.begin()->first.first;
    next = next ? std::min(*next, due) : due;
  }
  return next;
}

void ShapedLink::OnEarlierWake(std::function<void()> told) {
  const std::lock_guard lock(state_->mutex);
  state_->told = std::move(told);
}

LinkPacer::LinkPacer(ShapedLink& link, const Clock& clock) : link_(link), clock_(clock) {
  link_.OnEarlierWake([this] {
    {
      const std::lock_guard lock(mutex_);
      told_ = true;
    }
    changed_.notify_one();
  });
  thread_ = std::thread([this] { Keep(); });
}

LinkPacer::~LinkPacer() {
  link_.OnEarlierWake(nullptr);
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void LinkPacer::Keep() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    told_ = false;
    lock.unlock();
    link_.PassTime();
    const auto wake = link_.next_wake();
    lock.lock();
    const auto stirred = [this] { return told_ || ending_; };
    if (wake) {
      changed_.wait_for(lock, std::min<Duration>(*wake - clock_.Now(), std::chrono::hours(1)), stirred);
    } else {
      changed_.wait(lock, stirred);
    }
  }
}

}  // namespace nearfar
