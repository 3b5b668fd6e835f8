#include "pipeline/small_big.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/rng.h"

namespace nearfar {
namespace {

constexpr LinkId kFar{1};

std::string Milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
         " ms";
}

}  // namespace

Expected<void> Validate(const SmallBigPlannerOptions& options) {
  const auto wrong = [](const std::string& what) { return Fail(ErrorCode::kInvalidInput, what); };
  if (options.deadline <= Duration::zero()) {
    return wrong("deadline: must be longer than 0");
  }
  if (options.max_uploads < 1) {
    return wrong("max_uploads: must be at least 1, is " + std::to_string(options.max_uploads));
  }
  if (options.max_audits < 0) {
    return wrong("max_audits: must not be negative, is " + std::to_string(options.max_audits));
  }
  if (options.first_backoff <= Duration::zero() || options.last_backoff < options.first_backoff) {
    return wrong("first_backoff, last_backoff: must be longer than 0 and not shrink");
  }
  const auto is_score = [](float score) { return score >= 0 && score <= 1; };
  if (!is_score(options.score_threshold) ||
      !std::all_of(options.class_thresholds.begin(), options.class_thresholds.end(), is_score)) {
    return wrong("score thresholds: must lie in [0, 1]");
  }
  if (const auto valid = Validate(options.fusion); !valid) {
    return valid;
  }
  return {};
}

SmallBigPlanner::SmallBigPlanner(SmallBigPlannerOptions options,
                                 std::unique_ptr<Discriminator> discriminator,
                                 std::unique_ptr<UploadPolicy> policy)
    : options_(std::move(options)),
      discriminator_(std::move(discriminator)),
      policy_(std::move(policy)) {
  assert(Validate(options_) && discriminator_ && policy_);
}

Actions SmallBigPlanner::Step(const Event& event) {
  Actions actions;
  std::visit(
      [&](const auto& e) {
        On(e, actions);
        DispatchUploads(e.now, actions);
        EmitFinished(e.now, actions);
      },
      event);
  return actions;
}

// Step 1: the captured image goes to the small model, unless the big one is to have it anyway.
void SmallBigPlanner::On(const FrameArrived& event, Actions& actions) {
  FrameState& state = frames_[event.frame];
  state.captured = event.captured;
  state.features = event.features;
  state.upload_bytes = event.upload_bytes;
  state.record.frame = event.frame;
  state.record.source = event.source;
  state.record.name = event.name;
  state.record.size = event.size;
  state.record.captured_at = event.captured_at;
  const bool judged_unseen = options_.has_far && !discriminator_->needs_boxes() &&
                             !options_.fusion.active();  // which wants the near boxes, too
  if (judged_unseen && Decide(state, {}, event.now)) {
    state.stage = Stage::kWaitsForSlot;
    waiting_.push_back(event.frame);
    return;
  }
  AskNear(state, actions);
}

void SmallBigPlanner::AskNear(FrameState& state, Actions& actions) {
  state.stage = Stage::kAsksNear;
  state.near_asked = true;
  state.near_request = NextRequest();
  frame_of_[state.near_request] = state.record.frame;
  actions.push_back(Infer{state.near_request, state.record.frame, kWholeFrame,
                          WholeOf(state.record.size)});
}

void SmallBigPlanner::On(const FrameBroken& event, Actions& /*actions*/) {
  FrameState& state = frames_[event.frame];
  state.captured = event.now;
  state.stage = Stage::kFinished;
  state.record.frame = event.frame;
  state.record.source = event.source;
  state.record.name = event.name;
  state.record.status = FrameStatus::kUnreadable;
  state.record.reason = event.reason;
}

void SmallBigPlanner::On(const ReplyArrived& event, Actions& actions) {
  const RequestId request = event.answer.request;
  if (const auto late = late_.find(request); late != late_.end()) {
    --(late->second.audit ? link_.audits_in_flight : link_.in_flight);
    if (event.answer.ok()) {
      NoteSuccess();
    } else if (late->second.audit) {  // of a late answer it is known since its deadline
      NoteFailure(event.answer.error_code + ": " + event.answer.error, event.now);
    }
    TakeLateAnswer(late->second, event.answer, event.now, actions);
    late_.erase(late);
    return;
  }
  const auto open = frame_of_.find(request);
  if (open == frame_of_.end()) {
    return;  // answered before, or never asked
  }
  FrameState& state = frames_.at(open->second);
  frame_of_.erase(open);
  if (request == state.near_request) {
    TakeNearAnswer(state, event.answer, event.now, actions);
  } else {
    --link_.in_flight;
    TakeFarAnswer(state, event.answer, event.now, actions);
  }
}

void SmallBigPlanner::On(const TimerFired& event, Actions& actions) {
  bool missed = false;
  for (auto& [frame, state] : frames_) {
    if (state.stage != Stage::kUploaded || state.deadline > event.now) {
      continue;
    }
    missed = true;
    frame_of_.erase(state.far_request);
    late_[state.far_request] = LateRequestOf(state);
    Degrade(state, "deadline-exceeded: no far answer within " + Milliseconds(options_.deadline),
            actions);
  }
  if (missed) {
    NoteFailure("no answer within " + Milliseconds(options_.deadline), event.now);
  }
}

void SmallBigPlanner::On(const NodeChanged& event, Actions& /*actions*/) {
  if (event.ready) {
    NoteSuccess();
  } else {
    NoteFailure("the node says that it is not ready", event.now);
  }
}

void SmallBigPlanner::On(const LinkChanged& event, Actions& /*actions*/) {
  link_.bytes_per_second = event.bytes_per_second;
  link_.round_trip = event.round_trip;
}

bool SmallBigPlanner::Decide(FrameState& state, const Detections& raw, TimePoint now) {
  state.estimated = EstimatedCost(state);
  const Evidence evidence{raw, state.record.size, state.features, HashText(state.record.name)};
  const Gain gain = discriminator_->Judge(evidence, /*explain=*/true);
  discriminator_->Watch(evidence);
  const UploadChoice choice = policy_->Choose(gain, state.estimated, now);
  Verdict verdict = NewVerdict(state);
  verdict.score = gain.score;
  verdict.threshold = choice.threshold;
  verdict.upload_probability = choice.probability;
  verdict.audit_probability = choice.audit_probability;
  verdict.difficult = gain.difficult;
  verdict.audit = choice.audit;
  verdict.reason = gain.reason;
  if (!choice.reason.empty()) {
    verdict.reason += (verdict.reason.empty() ? "" : "; ") + choice.reason;
  }
  state.record.verdicts.push_back(std::move(verdict));
  return choice.upload && !choice.audit;
}

Verdict SmallBigPlanner::NewVerdict(const FrameState& state) const {
  Verdict verdict;
  verdict.rect = WholeOf(state.record.size);
  verdict.discriminator = discriminator_->name() + " " + discriminator_->version();
  verdict.policy = policy_->name() + " " + policy_->version();
  return verdict;
}

// Steps 2, 3, and 4 or 6: the preliminary result is judged; easy ends here, difficult is uploaded.
void SmallBigPlanner::TakeNearAnswer(FrameState& state, const Answer& answer, TimePoint now,
                                     Actions& actions) {
  state.near_ok = answer.ok();
  state.record.answers.insert(state.record.answers.begin(), answer);
  if (!state.record.reason.empty()) {  // asked for after the far answer had failed
    Degrade(state, std::string(state.record.reason), actions);
    return;
  }
  bool wanted = !state.near_ok;
  if (state.near_ok && state.record.verdicts.empty()) {
    wanted = Decide(state, answer.detections, now);
  } else if (!state.near_ok) {
    // An audit chosen before the near model had looked becomes this upload; the policy knows of it.
    const bool known = !state.record.verdicts.empty() && state.record.verdicts.front().audit;
    Verdict verdict = NewVerdict(state);
    verdict.difficult = true;
    verdict.upload_probability = 1;
    verdict.reason = "the near model failed";
    state.record.verdicts.assign(1, std::move(verdict));
    if (options_.has_far && !known) {
      state.estimated = EstimatedCost(state);
      policy_->Add(state.estimated, now);
    }
  }
  if (wanted && options_.has_far) {
    state.stage = Stage::kWaitsForSlot;
    waiting_.push_back(state.record.frame);
  } else if (state.near_ok) {
    Finish(state, answer.detections, [](std::size_t) { return kNear; });
    if (state.record.verdicts.front().audit && options_.has_far) {
      DispatchAudit(state, now, actions);
    }
  } else {
    Degrade(state, "there is no far model", actions);
  }
}

// Step 5: the output of the big model is the final result, fused with the small model's where that
// is asked for. What the discriminator learns from is the big model's own answer.
void SmallBigPlanner::TakeFarAnswer(FrameState& state, const Answer& answer, TimePoint now,
                                    Actions& actions) {
  state.record.answers.push_back(answer);
  ObserveCost(state.estimated, answer, now);
  if (!answer.ok()) {
    NoteFailure(answer.error_code + ": " + answer.error, now);
    Degrade(state, answer.error_code + ": " + answer.error, actions);
    return;
  }
  NoteSuccess();
  if (state.near_ok) {
    ObserveFar(LateRequestOf(state), answer.detections);
  } else if (state.near_asked) {
    state.record.status = FrameStatus::kDegraded;
    state.record.reason = "the near model failed: " + state.record.answers.front().error;
  }
  if (state.near_ok && options_.fusion.active()) {
    const FusedDetections fused =
        Fuse(state.record.answers.front().detections, answer.detections, options_.fusion);
    Finish(state, fused.detections,
           [&](std::size_t i) { return fused.from_near[i] != 0 ? kNear : answer.link; });
  } else {
    Finish(state, answer.detections, [&](std::size_t) { return answer.link; });
  }
}

void SmallBigPlanner::TakeLateAnswer(const LateRequest& late, const Answer& answer, TimePoint now,
                                     Actions& actions) {
  actions.push_back(EmitOutcome{
      {late.frame, late.audit ? OutcomeKind::kAudit : OutcomeKind::kLate, answer}});
  ObserveCost(late.estimated, answer, now);
  if (answer.ok() && late.near_ok) {
    ObserveFar(late, answer.detections);
  }
}

UploadCost SmallBigPlanner::EstimatedCost(const FrameState& state) const {
  UploadCost cost{state.upload_bytes, link_.round_trip};
  if (link_.bytes_per_second > 0) {
    cost.time +=
        FromMilliseconds(1e3 * static_cast<double>(state.upload_bytes) / link_.bytes_per_second);
  }
  return cost;
}

SmallBigPlanner::LateRequest SmallBigPlanner::LateRequestOf(const FrameState& state) const {
  const Verdict& verdict = state.record.verdicts.front();
  return {state.record.frame,
          state.record.name,
          state.record.size,
          state.features,
          state.near_ok ? state.record.answers.front().detections : Detections{},
          verdict.upload_probability,
          state.estimated,
          state.near_ok,
          verdict.audit};
}

void SmallBigPlanner::ObserveCost(const UploadCost& estimated, const Answer& answer,
                                  TimePoint now) {
  // A failure that does not say what it cost leaves the estimate.
  if (answer.ok() || answer.bytes_up > 0) {
    policy_->Observe(estimated, {answer.bytes_up, answer.total}, now);
  }
}

void SmallBigPlanner::ObserveFar(const LateRequest& context, const Detections& far) {
  const Evidence evidence{context.near, context.size, context.features, HashText(context.name)};
  discriminator_->Observe(evidence, {context.near, far, context.upload_probability});
}

bool SmallBigPlanner::LinkRests(TimePoint now) const {
  return link_.failures > 0 && now < link_.retry_at;
}

bool SmallBigPlanner::LinkHasRoom() const {
  return link_.in_flight < (link_.failures > 0 ? 1 : options_.max_uploads);
}

void SmallBigPlanner::DispatchUploads(TimePoint now, Actions& actions) {
  while (!waiting_.empty()) {
    FrameState& state = frames_.at(waiting_.front());
    if (LinkRests(now)) {
      Degrade(state, "the far node rests after " + std::to_string(link_.failures) +
                         " failure(s), next try in " + Milliseconds(link_.retry_at - now) +
                         " (last: " + link_.last_error + ")",
              actions);
      policy_->Withdraw(state.estimated, now);
      waiting_.pop_front();
      continue;
    }
    if (!LinkHasRoom()) {
      return;
    }
    waiting_.pop_front();
    state.stage = Stage::kUploaded;
    state.far_request = NextRequest();
    state.deadline = now + options_.deadline;
    state.record.verdicts.front().uploaded = true;
    frame_of_[state.far_request] = state.record.frame;
    ++link_.in_flight;
    actions.push_back(Send{state.far_request,
                           state.record.frame,
                           kWholeFrame,
                           WholeOf(state.record.size),
                           kFar,
                           state.deadline,
                           {state.upload_bytes, link_.round_trip}});
    actions.push_back(WakeAt{state.deadline});
  }
}

// The near answer stands; whether the far one would have been better is seen later. The picture is
// at hand only until its frame is emitted, so that an audit goes now or never.
void SmallBigPlanner::DispatchAudit(FrameState& state, TimePoint now, Actions& actions) {
  if (link_.failures > 0 || link_.audits_in_flight >= options_.max_audits) {
    policy_->Withdraw(state.estimated, now);
    return;
  }
  const RequestId request = NextRequest();
  state.record.verdicts.front().uploaded = true;
  late_[request] = LateRequestOf(state);
  ++link_.audits_in_flight;
  actions.push_back(Send{request,
                         state.record.frame,
                         kWholeFrame,
                         WholeOf(state.record.size),
                         kFar,
                         now + options_.deadline,
                         {state.upload_bytes, link_.round_trip}});
}

void SmallBigPlanner::NoteFailure(const std::string& what, TimePoint now) {
  link_.last_error = what;
  // Failures of uploads sent before the link was seen to be ill count once.
  if (link_.failures > 0 && now < link_.retry_at) {
    return;
  }
  ++link_.failures;
  Duration pause = options_.first_backoff;
  for (int i = 1; i < link_.failures && pause < options_.last_backoff; ++i) {
    pause *= 2;
  }
  link_.retry_at = now + std::min(pause, options_.last_backoff);
}

void SmallBigPlanner::NoteSuccess() { link_.failures = 0; }

void SmallBigPlanner::Degrade(FrameState& state, const std::string& reason, Actions& actions) {
  state.record.reason = reason;
  if (!state.near_asked) {
    AskNear(state, actions);
    return;
  }
  if (!state.near_ok) {
    state.record.status = FrameStatus::kFailed;
    state.record.reason = "the near model failed: " + state.record.answers.front().error +
                          "; and no far answer: " + reason;
    state.stage = Stage::kFinished;
    return;
  }
  state.record.status = FrameStatus::kDegraded;
  Finish(state, state.record.answers.front().detections, [](std::size_t) { return kNear; });
}

template <typename LinkOf>
void SmallBigPlanner::Finish(FrameState& state, const Detections& detections, const LinkOf& from) {
  for (std::size_t i = 0; i < detections.size(); ++i) {
    const Detection& detection = detections[i];
    const auto label = static_cast<std::size_t>(detection.label);
    const float threshold = label < options_.class_thresholds.size()
                                ? options_.class_thresholds[label]
                                : options_.score_threshold;
    if (detection.score >= threshold) {
      state.record.detections.push_back(detection);
      state.record.provenance.push_back(from(i));
    }
  }
  state.stage = Stage::kFinished;
}

void SmallBigPlanner::EmitFinished(TimePoint now, Actions& actions) {
  while (!frames_.empty() && frames_.begin()->first == FrameId{next_due_} &&
         frames_.begin()->second.stage == Stage::kFinished) {
    FrameState& state = frames_.begin()->second;
    state.record.total = now - state.captured;
    actions.push_back(Emit{std::move(state.record)});
    frames_.erase(frames_.begin());
    ++next_due_;
  }
}

}  // namespace nearfar
