#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/expected.h"
#include "discriminate/discriminator.h"
#include "discriminate/fusion.h"
#include "discriminate/upload_policy.h"
#include "pipeline/planner.h"

namespace nearfar {

/// How the small-big planner treats its one far link.
struct SmallBigPlannerOptions {
  bool has_far = true;          ///< false: every verdict is noted and every near answer stands
  Duration deadline = std::chrono::seconds(5);  ///< wait for a far answer, from its sending; > 0
  int max_uploads = 4;          ///< sent and unanswered at the same time; further ones wait; >= 1
  int max_audits = 2;           ///< audits sent and unanswered, beside max_uploads; those that find no
                                ///< room are not sent; >= 0
  Duration first_backoff = std::chrono::milliseconds(250);  ///< pause after a failure; doubles; > 0
  Duration last_backoff = std::chrono::seconds(30);         ///< longest pause; >= first_backoff
  float score_threshold = 0.01F;  ///< boxes below do not enter the result; [0, 1]
  FusionWeights fusion;  ///< of both answers on uploaded images; 0, 0: the far answer alone
  std::vector<float> class_thresholds;  ///< by label, instead of score_threshold; may be shorter

  friend bool operator==(const SmallBigPlannerOptions&, const SmallBigPlannerOptions&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const SmallBigPlannerOptions& options);

/// The small-big system [SmallBig §III]: every image goes through the near model; the discriminator
/// judges its raw boxes; easy images keep the near answer (steps 1-2-3-6), difficult ones are
/// uploaded and get the far one (steps 1-2-3-4-5-6). One region, the whole frame; one far link.
///
/// An image that stays near may be audited: its frame ends with the near answer at once, and the far
/// one, whenever it comes, is an outcome by itself. Audits never wait and never take the place of an
/// upload; they are sent only while the link is well.
///
/// A discriminator that needs no boxes (cloud-only) is asked before the near model; what it finds
/// difficult goes up at once, and the near model looks only where no far answer is to be had.
///
/// Beyond the paper: every frame ends exactly once and in order, whatever the far side does. A far
/// answer that fails or misses its deadline leaves the near answer, marked degraded; the link then
/// rests for a backoff that doubles with every failure, during which difficult images stay near; when
/// it has passed, one upload goes out as a probe, and its success opens the link again.
class SmallBigPlanner final : public Planner {
 public:
  /// REQUIRES: Validate(options), both policies not null.
  SmallBigPlanner(SmallBigPlannerOptions options, std::unique_ptr<Discriminator> discriminator,
                  std::unique_ptr<UploadPolicy> policy);

  Actions Step(const Event& event) override;
  bool needs_brenner() const override { return discriminator_->needs_brenner(); }
  bool needs_jpeg_bytes() const override { return discriminator_->needs_jpeg_bytes(); }

  /// Frames that have arrived and are not yet emitted.
  std::size_t frames_in_flight() const { return frames_.size(); }

 private:
  enum class Stage { kAsksNear, kWaitsForSlot, kUploaded, kFinished };

  /// One frame from arrival to emission.
  struct FrameState {
    Stage stage = Stage::kAsksNear;
    RequestId near_request{};
    RequestId far_request{};
    TimePoint captured{};
    TimePoint deadline{};
    PixelFeatures features;
    std::int64_t upload_bytes = 0;
    UploadCost estimated;  ///< as the policy was told
    bool near_asked = false;
    bool near_ok = false;
    FrameRecord record;  ///< answers[0] is the near one, once it has come; a reason before the end
                         ///< says why the far one is not waited for any more
  };

  /// A far answer that may still come for a frame that has ended without it.
  struct LateRequest {
    FrameId frame{};
    std::string name;
    Size size;
    PixelFeatures features;
    Detections near;
    double upload_probability = 1;
    UploadCost estimated;
    bool near_ok = true;
    bool audit = false;
  };

  /// What is known of the far link.
  struct LinkState {
    int in_flight = 0;          ///< without audits
    int audits_in_flight = 0;
    int failures = 0;           ///< in a row
    TimePoint retry_at{};       ///< no upload before, while failures > 0
    std::string last_error;
    double bytes_per_second = 0;  ///< 0 = not measured
    Duration round_trip{};
  };

  void On(const FrameArrived& event, Actions& actions);
  void On(const FrameBroken& event, Actions& actions);
  void On(const ReplyArrived& event, Actions& actions);
  void On(const TimerFired& event, Actions& actions);
  void On(const NodeChanged& event, Actions& actions);
  void On(const LinkChanged& event, Actions& actions);
  void On(const Trained& /*event*/, Actions& /*actions*/) {}  // it trains nothing aside

  void AskNear(FrameState& state, Actions& actions);
  /// Judges a frame and writes its verdict; true when an upload is wanted.
  bool Decide(FrameState& state, const Detections& raw, TimePoint now);
  /// A verdict that names who judged and who decided, and nothing else yet.
  Verdict NewVerdict(const FrameState& state) const;
  void TakeNearAnswer(FrameState& state, const Answer& answer, TimePoint now, Actions& actions);
  void TakeFarAnswer(FrameState& state, const Answer& answer, TimePoint now, Actions& actions);
  void TakeLateAnswer(const LateRequest& late, const Answer& answer, TimePoint now,
                      Actions& actions);
  /// Sends waiting uploads while the link has room, or gives them up while it rests.
  void DispatchUploads(TimePoint now, Actions& actions);
  /// True when the link accepts no upload at this time.
  bool LinkRests(TimePoint now) const;
  /// Room for one more upload: all of max_uploads when the link is well, one probe when it is not.
  bool LinkHasRoom() const;
  /// Starts or lengthens the rest of the link; failures during a rest count once.
  void NoteFailure(const std::string& what, TimePoint now);
  void NoteSuccess();
  /// Ends a frame with the near answer because the far one was wanted and is not to be had; asks for
  /// that answer where it was left out.
  void Degrade(FrameState& state, const std::string& reason, Actions& actions);
  /// Ends a frame with these boxes, as far as their scores let them into the result.
  /// @param from  who found a box, by its place.
  template <typename LinkOf>
  void Finish(FrameState& state, const Detections& detections, const LinkOf& from);
  /// Sends an audit, if there is room for it now.
  void DispatchAudit(FrameState& state, TimePoint now, Actions& actions);
  /// What the policy is told of an upload's cost.
  UploadCost EstimatedCost(const FrameState& state) const;
  /// What is to be known of a far answer that comes after its frame has ended.
  LateRequest LateRequestOf(const FrameState& state) const;
  void ObserveCost(const UploadCost& estimated, const Answer& answer, TimePoint now);
  void ObserveFar(const LateRequest& context, const Detections& far);
  void EmitFinished(TimePoint now, Actions& actions);

  RequestId NextRequest() { return RequestId{next_request_++}; }

  SmallBigPlannerOptions options_;
  std::unique_ptr<Discriminator> discriminator_;
  std::unique_ptr<UploadPolicy> policy_;
  std::map<FrameId, FrameState> frames_;          ///< arrived, not emitted
  std::uint64_t next_due_ = 0;                    ///< frame to be emitted next
  std::map<RequestId, FrameId> frame_of_;         ///< open requests of frames in frames_
  std::map<RequestId, LateRequest> late_;         ///< open far requests of frames that have ended
  std::deque<FrameId> waiting_;                   ///< difficult frames without an upload slot
  LinkState link_;
  std::uint64_t next_request_ = 1;
};

}  // namespace nearfar
