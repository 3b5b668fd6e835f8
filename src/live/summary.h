#pragma once

#include <array>
#include <cstdint>

#include "core/clock.h"
#include "live/ports.h"

namespace nearfar {

/// Percentiles of times in constant memory: buckets that grow by 0.1 %, from 10 µs to hours.
class LatencyHistogram {
 public:
  void Add(Duration time);
  /// The nearest-rank percentile within 0.1 %: the middle of the bucket that holds it. Zero when
  /// there are no times. REQUIRES: 0 < percent <= 100.
  Duration Percentile(double percent) const;
  std::uint64_t count() const { return count_; }

 private:
  std::array<std::uint64_t, 21000> buckets_{};
  std::uint64_t count_ = 0;
};

/// What a run came to, counted from its trace records and nothing else.
struct RunSummary {
  std::uint64_t frames = 0;
  std::uint64_t ok = 0;
  std::uint64_t degraded = 0;
  std::uint64_t unreadable = 0;
  std::uint64_t failed = 0;
  std::uint64_t difficult = 0;     ///< frames with a region judged difficult
  std::uint64_t uploaded = 0;      ///< frames of which a region was sent to a far node
  std::uint64_t audits = 0;        ///< of these uploads, to measure what stays near
  std::uint64_t judged = 0;        ///< frames whose near answer came, so that somebody decided
  std::uint64_t far_answers = 0;   ///< good answers of far nodes, in time or late
  std::uint64_t late_answers = 0;  ///< answers that came after their frame's result
  std::uint64_t objects = 0;       ///< boxes in the results
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
  LatencyHistogram latency;        ///< from capture to emission, of frames that could be read
};

/// Counts a run as it goes.
class SummarySink final : public Sink {
 public:
  Expected<void> Write(const FrameRecord& record, const PixelView& pixels) override;
  Expected<void> Write(const OutcomeRecord& record) override;
  const RunSummary& summary() const { return summary_; }

 private:
  void Count(const Answer& answer);

  RunSummary summary_;
};

}  // namespace nearfar
