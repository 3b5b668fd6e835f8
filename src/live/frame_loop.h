#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/clock.h"
#include "core/pixels.h"
#include "pipeline/planner.h"
#include "trace/record.h"

namespace nearfar {

/// Carries out what a planner wants done: threads and links in the product, a script in tests.
/// Replies come back through FrameLoop::Reply, never from inside these calls.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Start(const Infer& infer, std::shared_ptr<const Frame> frame) = 0;
  virtual void Start(const Send& send, std::shared_ptr<const Frame> frame) = 0;
  virtual void Stop(const Cancel& cancel) = 0;
  /// @param frame  null when the picture could not be read.
  virtual void Deliver(FrameRecord record, std::shared_ptr<const Frame> frame) = 0;
  virtual void Deliver(OutcomeRecord record) = 0;
};

struct FrameLoopOptions {
  Duration patience = std::chrono::seconds(2);  ///< a link that has not answered this long after a
                                                ///< request's deadline is taken to have failed; >= 0

  friend bool operator==(const FrameLoopOptions&, const FrameLoopOptions&) = default;
};

/// Drives one planner: feeds it events, carries its actions to an executor, keeps its timers and the
/// pictures of the frames in flight. Knows neither threads nor clocks, so the product and the tests
/// with fake time run the same loop. Answers to requests that are not open (twice, never asked, of a
/// foreign frame) are dropped and counted. Used by one thread.
class FrameLoop {
 public:
  /// Both must outlive the loop.
  FrameLoop(Planner& planner, Executor& executor, FrameLoopOptions options = {});

  /// The next picture of the stream, and what was measured of it.
  void Arrive(TimePoint now, std::shared_ptr<const Frame> frame, const PixelFeatures& features,
              std::int64_t upload_bytes);
  /// The next picture of the stream cannot be read.
  void Break(TimePoint now, std::string source, std::string name, std::string reason);
  void Reply(TimePoint now, Answer answer);
  /// Fires what is due.
  void PassTime(TimePoint now);
  /// Gives up all that is asked of other machines, now and from now on: those requests fail as
  /// cancelled, so that every frame ends with what the device itself has found.
  void Abandon(TimePoint now);

  /// The moment at which PassTime has something to do.
  std::optional<TimePoint> next_wake() const;
  /// Frames that have come and are not yet delivered.
  std::size_t frames_in_flight() const { return frames_in_flight_; }
  /// Requests sent to other machines and not yet answered.
  std::size_t far_requests_open() const { return far_open_; }
  /// Requests to the near model that are not yet answered.
  std::size_t near_requests_open() const { return open_.size() - far_open_; }
  /// Answers that nobody had asked for.
  std::uint64_t stray_answers() const { return stray_answers_; }

 private:
  struct OpenRequest {
    FrameId frame{};
    RegionId region{};
    LinkId link = kNear;
    TimePoint overdue;  ///< only of far requests
  };

  /// Steps the planner through an event and all that follows from it at once.
  void Feed(Event event);
  void CarryOut(Action action, TimePoint now);
  /// The planner's event for the failure of an open far request.
  Event FailureOf(RequestId request, TimePoint now, const Error& error);
  void Close(std::map<RequestId, OpenRequest>::iterator request);

  Planner& planner_;
  Executor& executor_;
  FrameLoopOptions options_;
  std::uint64_t next_frame_ = 0;
  std::map<FrameId, std::shared_ptr<const Frame>> frames_;  ///< shared with uploads, which may
                                                            ///< outlive their frame's turn
  std::map<RequestId, OpenRequest> open_;
  std::set<std::pair<TimePoint, RequestId>> overdue_;       ///< far requests by overdue time
  std::set<TimePoint> wakes_;
  std::deque<Event> pending_;
  std::size_t frames_in_flight_ = 0;
  std::size_t far_open_ = 0;
  std::uint64_t stray_answers_ = 0;
  bool abandoning_ = false;
  bool feeding_ = false;
};

}  // namespace nearfar
