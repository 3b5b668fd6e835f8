#include "eval/audit.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

constexpr double kZ = 1.959963984540054;  // 97.5 % of the standard normal distribution

std::int64_t ObjectsIn(const Detections& detections, double score_threshold) {
  return std::count_if(detections.begin(), detections.end(), [&](const Detection& d) {
    return static_cast<double>(d.score) > score_threshold;
  });
}

/// Kept difficult ones of all, when this share of the kept is difficult.
std::optional<double> MissRate(double share, double kept, double caught) {
  const double missed = share * kept;
  return missed + caught > 0 ? std::optional(missed / (missed + caught)) : std::nullopt;
}

}  // namespace

Figure WeightedShare(std::span<const ChanceSample> samples) {
  double positive = 0;
  double all = 0;
  double squares = 0;
  for (const ChanceSample& sample : samples) {
    assert(sample.probability > 0 && sample.probability <= 1);
    const double weight = 1 / sample.probability;
    positive += sample.positive ? weight : 0;
    all += weight;
    squares += weight * weight;
  }
  if (all == 0) {
    return {};
  }
  const double share = positive / all;
  const double n = all * all / squares;
  const double center = (share + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half =
      kZ / (1 + kZ * kZ / n) * std::sqrt(share * (1 - share) / n + kZ * kZ / (4 * n * n));
  return {share,
          Interval{std::clamp(center - half, 0.0, share), std::clamp(center + half, share, 1.0)}};
}

AuditReport ReportAudits(const Trace& trace, double score_threshold) {
  std::map<std::pair<FrameId, RegionId>, const Answer*> later;
  for (const OutcomeRecord& outcome : trace.outcomes) {
    if (outcome.answer.ok() && outcome.answer.link != kNear) {
      later.emplace(std::pair(outcome.frame, outcome.answer.region), &outcome.answer);
    }
  }
  AuditReport report;
  std::vector<ChanceSample> samples;
  for (const FrameRecord& frame : trace.frames) {
    for (const Verdict& verdict : frame.verdicts) {
      const Answer* near = nullptr;
      const Answer* far = nullptr;
      for (const Answer& answer : frame.answers) {
        if (answer.ok() && answer.region == verdict.region) {
          const Answer*& of = answer.link == kNear ? near : far;
          of = of == nullptr ? &answer : of;
        }
      }
      if (near == nullptr) {
        continue;  // nobody could judge it
      }
      if (const auto found = later.find({frame.frame, verdict.region});
          far == nullptr && found != later.end()) {
        far = found->second;
      }
      const bool difficult = far != nullptr && ObjectsIn(far->detections, score_threshold) >
                                                   ObjectsIn(near->detections, score_threshold);
      if (verdict.audit) {
        ++report.kept;
        ++report.audits;
        if (verdict.uploaded && far != nullptr && verdict.audit_probability > 0) {
          ++report.answered;
          report.found_difficult += difficult ? 1 : 0;
          samples.push_back({std::min(verdict.audit_probability, 1.0), difficult});
        }
      } else if (verdict.uploaded) {
        ++report.uploads;
        report.uploads_answered += far != nullptr ? 1 : 0;
        report.uploads_difficult += difficult ? 1 : 0;
      } else if (frame.status == FrameStatus::kDegraded) {
        ++report.not_sent;
      } else {
        ++(verdict.audit_probability > 0 ? report.kept : report.unseen);
      }
    }
  }
  report.kept_difficult = WeightedShare(samples);
  if (report.kept_difficult.value) {
    const double caught = report.uploads_answered > 0
                              ? static_cast<double>(report.uploads_difficult) *
                                    static_cast<double>(report.uploads) /
                                    static_cast<double>(report.uploads_answered)
                              : 0;
    const auto kept = static_cast<double>(report.kept);
    report.miss_rate.value = MissRate(*report.kept_difficult.value, kept, caught);
    const Interval& shares = *report.kept_difficult.interval;
    const auto low = MissRate(shares.low, kept, caught);
    const auto high = MissRate(shares.high, kept, caught);
    if (report.miss_rate.value && low && high) {
      report.miss_rate.interval = Interval{*low, *high};
    }
  }
  return report;
}

}  // namespace nearfar
