#include "live/summary.h"

#include <algorithm>
#include <cmath>

#include "core/percentile.h"

namespace nearfar {
namespace {

constexpr double kSmallestMs = 0.01;
constexpr double kGrowth = 1.001;

}  // namespace

void LatencyHistogram::Add(Duration time) {
  const double steps = std::log(std::max(ToMilliseconds(time), kSmallestMs) / kSmallestMs) /
                       std::log(kGrowth);
  const auto bucket = std::min(static_cast<std::size_t>(steps), buckets_.size() - 1);
  ++buckets_[bucket];
  ++count_;
}

Duration LatencyHistogram::Percentile(double percent) const {
  if (count_ == 0) {
    return {};
  }
  const std::size_t rank = NearestRank(count_, percent);
  std::size_t bucket = 0;
  for (std::uint64_t seen = buckets_[0]; seen < rank; seen += buckets_[bucket]) {
    ++bucket;
  }
  return FromMilliseconds(kSmallestMs * std::pow(kGrowth, static_cast<double>(bucket) + 0.5));
}

Expected<void> SummarySink::Write(const FrameRecord& record, const PixelView& /*pixels*/) {
  ++summary_.frames;
  switch (record.status) {
    case FrameStatus::kOk: ++summary_.ok; break;
    case FrameStatus::kDegraded: ++summary_.degraded; break;
    case FrameStatus::kUnreadable: ++summary_.unreadable; break;
    case FrameStatus::kFailed: ++summary_.failed; break;
  }
  const auto any = [&](bool Verdict::* fact) {
    return std::any_of(record.verdicts.begin(), record.verdicts.end(),
                       [&](const Verdict& verdict) { return verdict.*fact; });
  };
  summary_.difficult += any(&Verdict::difficult) ? 1U : 0U;
  summary_.uploaded += any(&Verdict::uploaded) ? 1U : 0U;
  summary_.audits += any(&Verdict::uploaded) && any(&Verdict::audit) ? 1U : 0U;
  summary_.judged += record.verdicts.empty() ? 0U : 1U;
  summary_.objects += record.detections.size();
  for (const Answer& answer : record.answers) {
    Count(answer);
  }
  if (record.status != FrameStatus::kUnreadable) {
    summary_.latency.Add(record.total);
  }
  return {};
}

Expected<void> SummarySink::Write(const OutcomeRecord& record) {
  summary_.late_answers += record.kind == OutcomeKind::kLate ? 1U : 0U;
  Count(record.answer);
  return {};
}

void SummarySink::Count(const Answer& answer) {
  if (answer.link != kNear) {
    summary_.far_answers += answer.ok() ? 1U : 0U;
    summary_.bytes_up += answer.bytes_up;
    summary_.bytes_down += answer.bytes_down;
  }
}

}  // namespace nearfar
