#include "live/run_stream.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "live/near_stage.h"
#include "live/result_writer.h"
#include "live/work_queue.h"

namespace nearfar {
namespace {

constexpr int kWaitingForNear = 2;  // pictures prepared ahead of the engine, beyond those inside it
constexpr Duration kStopCheck = std::chrono::milliseconds(100);
// A fair JPEG has about this many bytes a pixel; only an estimate, for pictures without a JPEG.
constexpr double kTypicalJpegBytesPerPixel = 0.2;

/// What the other threads tell the planner's.
struct Arrived {
  SourceItem item;
  PixelFeatures features;
};
struct Replied {
  Answer answer;
  std::optional<FrameId> near_of;  ///< the frame that the near model is done with
};
struct SourceEnded {};
using Message = std::variant<Arrived, Replied, SourceEnded>;

/// Where they leave it. Bounded by the frames and requests in flight. Shared with the callbacks of
/// requests, which may come after the run.
class Mailbox {
 public:
  void Post(Message message) {
    {
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
    }
    changed_.notify_one();
  }
  /// The oldest message, or nothing when there is none until then.
  std::optional<Message> Take(TimePoint until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [this] { return !messages_.empty(); });
    if (messages_.empty()) {
      return std::nullopt;
    }
    Message message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> messages_;
};

/// Lets the reader go on while there is room for one more frame.
class Window {
 public:
  Window(int in_flight, int for_near) : in_flight_(in_flight), for_near_(for_near) {}

  /// Waits for room; false when the window was closed.
  bool Enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || (in_flight_ > 0 && for_near_ > 0); });
    if (closed_) {
      return false;
    }
    --in_flight_;
    --for_near_;
    return true;
  }
  void LeaveNear() { Change([this] { ++for_near_; }); }
  void Leave() { Change([this] { ++in_flight_; }); }
  void Close() { Change([this] { closed_ = true; }); }

 private:
  template <typename Deed>
  void Change(const Deed& deed) {
    {
      const std::lock_guard lock(mutex_);
      deed();
    }
    changed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int in_flight_;
  int for_near_;
  bool closed_ = false;
};

bool IsJpeg(const std::vector<std::uint8_t>& bytes) {
  return bytes.size() > 2 && bytes[0] == 0xFF && bytes[1] == 0xD8;
}

std::int64_t EstimateUploadBytes(const Frame& frame, const PixelFeatures& features) {
  if (features.has_jpeg_bytes()) {
    return features.jpeg_bytes;
  }
  if (IsJpeg(frame.encoded)) {
    return static_cast<std::int64_t>(frame.encoded.size());
  }
  return static_cast<std::int64_t>(kTypicalJpegBytesPerPixel *
                                   static_cast<double>(frame.size().area()));
}

/// One run: the planner's loop with real threads around it.
class Stream final : public Executor {
 public:
  Stream(const StreamParts& parts, const StreamOptions& options)
      : parts_(parts),
        options_(options),
        window_(options.max_in_flight, options.near_threads + kWaitingForNear),
        loop_(parts.planner, *this, options.loop),
        results_(parts.sinks) {}

  StreamEnd Run(const RunRecord& run);

  void Start(const Infer& infer, std::shared_ptr<const Frame> frame) override;
  void Start(const Send& send, std::shared_ptr<const Frame> frame) override;
  void Stop(const Cancel& cancel) override { LinkOf(cancel.link).Cancel(cancel.request); }
  void Deliver(FrameRecord record, std::shared_ptr<const Frame> frame) override;
  void Deliver(OutcomeRecord record) override;

 private:
  void Read();
  void Take(Message message);
  void LeaveNear(FrameId frame) {
    if (awaits_near_.erase(frame) > 0) {
      window_.LeaveNear();
    }
  }
  NodeLink& LinkOf(LinkId link) const { return *parts_.links.at(ToNumber(link) - 1); }
  TimePoint Now() const { return parts_.clock.Now(); }

  const StreamParts& parts_;
  const StreamOptions& options_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  Window window_;
  FrameLoop loop_;
  ResultWriter results_;            // used by the writer's thread alone while that runs
  std::atomic<bool> write_failed_ = false;
  bool source_ended_ = false;
  std::uint64_t frames_arrived_ = 0;
  std::set<FrameId> awaits_near_;          // keep the reader waiting
  std::optional<FrameId> near_asked_of_;  // the last one
  // The threads, joined in reverse order: engine, then helper, then writer.
  std::optional<WorkQueue> writer_;
  std::optional<WorkQueue> helper_;
  std::optional<NearStage> near_;
};

StreamEnd Stream::Run(const RunRecord& run) {
  StreamEnd end;
  results_.Begin(run);
  if (results_.error()) {
    end.error = results_.error();
    results_.End();
    return end;
  }
  writer_.emplace(1);
  helper_.emplace(1);
  near_.emplace(parts_.near, parts_.near_labels, *helper_, options_.near_threads, parts_.clock);
  std::thread reader([this] { Read(); });

  std::optional<TimePoint> stop_at;    // when frames in flight are given up
  std::optional<TimePoint> linger_to;  // until when late answers are awaited
  for (;;) {
    TimePoint until = Now() + kStopCheck;
    for (const auto& moment : {loop_.next_wake(), stop_at, linger_to}) {
      until = moment ? std::min(until, *moment) : until;
    }
    if (auto message = mailbox_->Take(until)) {
      Take(std::move(*message));
    }
    const TimePoint now = Now();
    loop_.PassTime(now);
    if (!end.stopped && !write_failed_ && parts_.stop_requested && parts_.stop_requested()) {
      end.stopped = true;
    }
    if ((end.stopped || write_failed_) && !stop_at) {
      stop_at = now + options_.grace;
      window_.Close();
    }
    if (stop_at && now >= *stop_at) {
      loop_.Abandon(now);
      stop_at = TimePoint::max();
    }
    if (source_ended_ && loop_.frames_in_flight() == 0 && loop_.near_requests_open() == 0) {
      if (!linger_to) {
        linger_to = stop_at ? now : now + options_.linger;
      }
      if (loop_.far_requests_open() == 0 || now >= *linger_to) {
        break;
      }
    }
  }
  reader.join();
  loop_.Abandon(Now());  // late answers that did not come are written as such
  near_.reset();
  helper_.reset();
  writer_.reset();
  results_.End();
  end.error = results_.error();
  return end;
}

void Stream::Read() {
  while (window_.Enter()) {
    auto item = parts_.source.Next();
    if (!item) {
      break;
    }
    Arrived arrived{std::move(*item), {}};
    if (arrived.item.frame && parts_.measure) {
      arrived.features = parts_.measure(**arrived.item.frame, parts_.planner);
    }
    mailbox_->Post(std::move(arrived));
  }
  mailbox_->Post(SourceEnded{});
}

void Stream::Take(Message message) {
  if (auto* arrived = std::get_if<Arrived>(&message)) {
    const FrameId id{frames_arrived_++};
    awaits_near_.insert(id);
    SourceItem& item = arrived->item;
    if (item.frame) {
      const std::int64_t bytes = EstimateUploadBytes(**item.frame, arrived->features);
      loop_.Arrive(Now(), std::move(*item.frame), arrived->features, bytes);
      if (near_asked_of_ != id) {  // it goes to the far model alone
        LeaveNear(id);
      }
    } else {
      loop_.Break(Now(), std::move(item.source), std::move(item.name),
                  item.frame.error().message);
    }
  } else if (auto* replied = std::get_if<Replied>(&message)) {
    if (replied->near_of) {
      LeaveNear(*replied->near_of);
    }
    loop_.Reply(Now(), std::move(replied->answer));
  } else {
    source_ended_ = true;
  }
}

void Stream::Start(const Infer& infer, std::shared_ptr<const Frame> frame) {
  near_asked_of_ = infer.frame;
  near_->Detect(infer, std::move(frame), [this, id = infer.frame](Answer answer) {
    mailbox_->Post(Replied{std::move(answer), id});
  });
}

void Stream::Start(const Send& send, std::shared_ptr<const Frame> frame) {
  helper_->Add([this, send, frame = std::move(frame)] {
    NodeLink& link = LinkOf(send.link);
    Upload upload;
    upload.request = send.request;
    upload.frame = send.frame;
    upload.region = send.region;
    upload.rect = send.rect;
    upload.payload = link.payload();
    upload.deadline = send.deadline;
    const bool as_it_came = upload.payload == Upload::Payload::kImage && IsJpeg(frame->encoded) &&
                            send.rect == WholeOf(frame->size());
    auto bytes = as_it_came ? Expected<std::vector<std::uint8_t>>(frame->encoded)
                            : parts_.encode(*frame, send.rect, upload.payload);
    const auto reply = [mailbox = mailbox_, request = send.request](Answer answer) {
      answer.request = request;
      mailbox->Post(Replied{std::move(answer), std::nullopt});
    };
    if (!bytes) {
      Answer answer;
      answer.node = link.node();
      answer.error_code = ToString(bytes.error().code);
      answer.error = bytes.error().message;
      reply(std::move(answer));
      return;
    }
    upload.bytes = std::move(*bytes);
    link.Send(std::move(upload), reply);
  });
}

void Stream::Deliver(FrameRecord record, std::shared_ptr<const Frame> frame) {
  LeaveNear(record.frame);
  writer_->Add([this, record = std::move(record), frame = std::move(frame)]() mutable {
    results_.Write(record, frame ? frame->pixels.view() : PixelView{});
    write_failed_ = results_.error().has_value();
    frame.reset();
    window_.Leave();
  });
}

void Stream::Deliver(OutcomeRecord record) {
  writer_->Add([this, record = std::move(record)] {
    results_.Write(record);
    write_failed_ = results_.error().has_value();
  });
}

}  // namespace

Expected<void> Validate(const StreamOptions& options) {
  const auto wrong = [](const char* what, auto value) {
    return Fail(ErrorCode::kInvalidInput,
                std::string(what) + ": must be at least 1, is " + std::to_string(value));
  };
  if (options.max_in_flight < 1) {
    return wrong("in-flight", options.max_in_flight);
  }
  if (options.near_threads < 1) {
    return wrong("near-threads", options.near_threads);
  }
  if (options.grace < Duration::zero() || options.linger < Duration::zero() ||
      options.loop.patience < Duration::zero()) {
    return Fail(ErrorCode::kInvalidInput, "grace, linger, patience: must not be negative");
  }
  return {};
}

StreamEnd RunStream(const StreamParts& parts, const StreamOptions& options, const RunRecord& run) {
  assert(Validate(options));
  return Stream(parts, options).Run(run);
}

}  // namespace nearfar
