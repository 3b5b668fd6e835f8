#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "eval/comparison.h"
#include "trace/json_lines.h"

namespace nearfar {

/// One answer that chance let us see: how often such a one is seen, and what it showed.
struct ChanceSample {
  double probability = 1;  ///< (0, 1]
  bool positive = false;

  friend bool operator==(const ChanceSample&, const ChanceSample&) = default;
};

/// The share of positives among all that could have been seen: each sample stands for as many as
/// its probability is rare, sum(y / p) / sum(1 / p) (Hájek's ratio of two Horvitz-Thompson sums).
/// The 95 % interval is Wilson's for a binomial of sum(w)² / sum(w²) trials, w = 1 / p (Kish's
/// effective number): it stays in [0, 1] and is not empty where no sample is positive. Absent
/// without samples. REQUIRES: 0 < probability <= 1.
Figure WeightedShare(std::span<const ChanceSample> samples);

/// What the audits of a run say of the regions that stayed near, difficult as in [SmallBig §V.A]:
/// the far model finds at least one object more, counting boxes scored above the threshold.
struct AuditReport {
  std::int64_t kept = 0;             ///< regions that the policy left near and could have audited
  std::int64_t unseen = 0;           ///< regions that it left near without a chance of an audit
  std::int64_t not_sent = 0;         ///< uploads that it wanted and the link did not take
  std::int64_t audits = 0;           ///< of the kept ones: chosen to be looked at
  std::int64_t answered = 0;         ///< of them: the far model said something
  std::int64_t found_difficult = 0;  ///< of them
  std::int64_t uploads = 0;          ///< regions sent because they were held to be worth it
  std::int64_t uploads_answered = 0;
  std::int64_t uploads_difficult = 0;
  Figure kept_difficult;  ///< share of difficult ones among the kept
  Figure miss_rate;       ///< kept difficult ones / all difficult ones, kept or uploaded

  friend bool operator==(const AuditReport&, const AuditReport&) = default;
};

/// Reads the audits off a trace. Audits that were not sent, failed, or never came are taken to be
/// like those that were answered; so are uploads. Of several answers to one region the first
/// counts.
AuditReport ReportAudits(const Trace& trace, double score_threshold = 0.5);

}  // namespace nearfar
