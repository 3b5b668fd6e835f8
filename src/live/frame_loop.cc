#include "live/frame_loop.h"

#include <vector>

namespace nearfar {

FrameLoop::FrameLoop(Planner& planner, Executor& executor, FrameLoopOptions options)
    : planner_(planner), executor_(executor), options_(options) {}

void FrameLoop::Arrive(TimePoint now, std::shared_ptr<const Frame> frame,
                       const PixelFeatures& features, std::int64_t upload_bytes) {
  const FrameId id{next_frame_++};
  FrameArrived event{now,           id,
                     frame->source, frame->name,
                     frame->size(), frame->captured,
                     frame->captured_at, features,
                     upload_bytes, frame->captured};
  frames_[id] = std::move(frame);
  ++frames_in_flight_;
  Feed(std::move(event));
}

void FrameLoop::Break(TimePoint now, std::string source, std::string name, std::string reason) {
  const FrameId id{next_frame_++};
  ++frames_in_flight_;
  Feed(FrameBroken{now, id, std::move(source), std::move(name), std::move(reason)});
}

void FrameLoop::Reply(TimePoint now, Answer answer) {
  const auto request = open_.find(answer.request);
  if (request == open_.end()) {
    ++stray_answers_;
    return;
  }
  // What was asked is known here; an answer is not trusted to repeat it.
  const FrameId frame = request->second.frame;
  answer.region = request->second.region;
  answer.link = request->second.link;
  Close(request);
  Feed(ReplyArrived{now, frame, std::move(answer)});
}

void FrameLoop::PassTime(TimePoint now) {
  bool due = false;
  while (!wakes_.empty() && *wakes_.begin() <= now) {
    wakes_.erase(wakes_.begin());
    due = true;
  }
  if (due) {
    Feed(TimerFired{now});
  }
  while (!overdue_.empty() && overdue_.begin()->first <= now) {
    Feed(FailureOf(overdue_.begin()->second, now,
                   {ErrorCode::kDeadlineExceeded, "the link never answered"}));
  }
}

void FrameLoop::Abandon(TimePoint now) {
  abandoning_ = true;
  std::vector<RequestId> far;
  for (const auto& [id, request] : open_) {
    if (request.link != kNear) {
      far.push_back(id);
    }
  }
  for (const RequestId id : far) {
    if (const auto request = open_.find(id); request != open_.end()) {
      executor_.Stop(Cancel{id, request->second.link});
      Feed(FailureOf(id, now, {ErrorCode::kCancelled, "the run was stopped"}));
    }
  }
}

std::optional<TimePoint> FrameLoop::next_wake() const {
  std::optional<TimePoint> next;
  if (!wakes_.empty()) {
    next = *wakes_.begin();
  }
  if (!overdue_.empty() && (!next || overdue_.begin()->first < *next)) {
    next = overdue_.begin()->first;
  }
  return next;
}

void FrameLoop::Feed(Event event) {
  pending_.push_back(std::move(event));
  if (feeding_) {
    return;
  }
  feeding_ = true;
  while (!pending_.empty()) {
    const Event next = std::move(pending_.front());
    pending_.pop_front();
    const TimePoint now = std::visit([](const auto& e) { return e.now; }, next);
    for (Action& action : planner_.Step(next)) {
      CarryOut(std::move(action), now);
    }
  }
  feeding_ = false;
}

void FrameLoop::CarryOut(Action action, TimePoint now) {
  if (auto* infer = std::get_if<Infer>(&action)) {
    open_[infer->request] = {infer->frame, infer->region, kNear, {}};
    executor_.Start(*infer, frames_.at(infer->frame));
  } else if (auto* send = std::get_if<Send>(&action)) {
    const TimePoint overdue = send->deadline + options_.patience;
    open_[send->request] = {send->frame, send->region, send->link, overdue};
    overdue_.insert({overdue, send->request});
    ++far_open_;
    if (abandoning_) {
      pending_.push_back(
          FailureOf(send->request, now, {ErrorCode::kCancelled, "the run was stopped"}));
    } else {
      executor_.Start(*send, frames_.at(send->frame));
    }
  } else if (auto* cancel = std::get_if<Cancel>(&action)) {
    executor_.Stop(*cancel);
  } else if (auto* emit = std::get_if<Emit>(&action)) {
    std::shared_ptr<const Frame> frame;
    if (auto node = frames_.extract(emit->record.frame)) {
      frame = std::move(node.mapped());
    }
    --frames_in_flight_;
    executor_.Deliver(std::move(emit->record), std::move(frame));
  } else if (auto* outcome = std::get_if<EmitOutcome>(&action)) {
    executor_.Deliver(std::move(outcome->record));
  } else if (auto* wake = std::get_if<WakeAt>(&action)) {
    wakes_.insert(wake->when);
  } else if (auto* train = std::get_if<Train>(&action)) {
    train->training->Run();
    pending_.push_back(Trained{now, std::move(train->training)});
  }
}

Event FrameLoop::FailureOf(RequestId request, TimePoint now, const Error& error) {
  const auto open = open_.find(request);
  Answer answer;
  answer.request = request;
  answer.region = open->second.region;
  answer.link = open->second.link;
  answer.error_code = ToString(error.code);
  answer.error = error.message;
  const FrameId frame = open->second.frame;
  Close(open);
  return ReplyArrived{now, frame, std::move(answer)};
}

void FrameLoop::Close(std::map<RequestId, OpenRequest>::iterator request) {
  if (request->second.link != kNear) {
    overdue_.erase({request->second.overdue, request->first});
    --far_open_;
  }
  open_.erase(request);
}

}  // namespace nearfar
