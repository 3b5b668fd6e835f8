#include "eval/audit.h"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

#include "core/rng.h"
#include "discriminate/budget.h"

namespace nearfar {
namespace {

Detections Boxes(int count) {
  Detections boxes;
  for (int i = 0; i < count; ++i) {
    boxes.push_back({{0, 0, 10, 10}, 0.9F, 0});
  }
  return boxes;
}

/// A frame where the near model finds one object; the far one finds a second where `difficult`.
struct Case {
  bool uploaded = false;
  bool audit = false;
  double audit_probability = 0.1;
  bool difficult = false;
  bool answered = true;
};

Trace TraceOf(const std::vector<Case>& cases) {
  Trace trace;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    FrameRecord frame{.frame = FrameId{i}};
    frame.verdicts.push_back(
        {.audit_probability = c.audit_probability, .uploaded = c.uploaded, .audit = c.audit});
    frame.answers.push_back({.link = kNear, .detections = Boxes(1)});
    const Answer far{.link = LinkId{1}, .detections = Boxes(c.difficult ? 2 : 1)};
    if (c.uploaded && c.answered) {
      if (c.audit) {
        trace.outcomes.push_back({FrameId{i}, OutcomeKind::kAudit, far});
      } else {
        frame.answers.push_back(far);
      }
    }
    trace.frames.push_back(std::move(frame));
  }
  return trace;
}

TEST(WeightedShare, OfNothingIsAbsentAndOfNoPositiveHasAnUpperBound) {
  EXPECT_FALSE(WeightedShare({}).value);
  const std::vector<ChanceSample> none(10, {0.5, false});
  const Figure figure = WeightedShare(none);
  EXPECT_EQ(figure.value, 0);
  EXPECT_EQ(figure.interval->low, 0);
  EXPECT_NEAR(figure.interval->high, 0.2775, 1e-3);  // Wilson, 0 of 10
}

TEST(WeightedShare, IsWilsonsForEqualChancesAndWeighsRareOnesMore) {
  const std::vector<ChanceSample> equal{{0.2, true}, {0.2, false}, {0.2, false}, {0.2, true}};
  EXPECT_DOUBLE_EQ(*WeightedShare(equal).value, 0.5);
  EXPECT_NEAR(WeightedShare(equal).interval->low, 0.15, 1e-3);  // Wilson, 2 of 4
  const std::vector<ChanceSample> unequal{{0.1, true}, {0.5, false}, {0.5, false}};
  EXPECT_DOUBLE_EQ(*WeightedShare(unequal).value, 10.0 / 14);
}

TEST(Audit, EveryRegionIsCountedOnceByWhatBecameOfIt) {
  std::vector<Case> cases{
      {},                                                    // kept
      {.audit_probability = 0},                              // kept, never seen
      {.uploaded = true, .audit = true, .difficult = true},  // audited
      {.uploaded = true, .audit = true, .answered = false},  // never came
      {.audit = true},                                       // had no room
      {.uploaded = true, .difficult = true},                 // upload
      {.uploaded = true},                                    // upload, easy
      {.uploaded = true, .answered = false},                 // upload, failed
      {},                                                    // wanted, link rested
  };
  Trace trace = TraceOf(cases);
  trace.frames.back().status = FrameStatus::kDegraded;
  trace.frames.push_back({.frame = FrameId{90}, .status = FrameStatus::kUnreadable});
  trace.outcomes.push_back(trace.outcomes[0]);                                          // twice
  trace.outcomes.push_back({FrameId{4711}, OutcomeKind::kAudit, {.link = LinkId{1}}});  // of nobody
  const AuditReport report = ReportAudits(trace);
  EXPECT_EQ(report.kept, 4);
  EXPECT_EQ(report.unseen, 1);
  EXPECT_EQ(report.not_sent, 1);
  EXPECT_EQ(report.audits, 3);
  EXPECT_EQ(report.answered, 1);
  EXPECT_EQ(report.found_difficult, 1);
  EXPECT_EQ(report.uploads, 3);
  EXPECT_EQ(report.uploads_answered, 2);
  EXPECT_EQ(report.uploads_difficult, 1);
  EXPECT_EQ(report.kept_difficult.value, 1.0);
  EXPECT_DOUBLE_EQ(*report.miss_rate.value, 4 / (4 + 1.5));
}

TEST(Audit, ATraceWithoutAuditsClaimsNothing) {
  const AuditReport empty = ReportAudits({});
  EXPECT_EQ(empty, AuditReport{});
  const AuditReport none = ReportAudits(TraceOf({{.audit_probability = 0}, {.uploaded = true}}));
  EXPECT_FALSE(none.kept_difficult.value);
  EXPECT_FALSE(none.miss_rate.value);
}

TEST(Audit, NoDifficultImageAnywhereHasNoMissRate) {
  const AuditReport report =
      ReportAudits(TraceOf({{.uploaded = true, .audit = true}, {.uploaded = true}}));
  EXPECT_EQ(report.kept_difficult.value, 0.0);
  EXPECT_FALSE(report.miss_rate.value);
}

// A stream on which a higher score is more often difficult, through the real policy with a budget
// that steers and breaks ties by chance: what audits say is right on average, its interval holds
// the truth about 19 times of 20, and what uploads alone say is far off.
TEST(Audit, TheMissRateIsUnbiasedItsIntervalCoversAndUploadsAloneMislead) {
  constexpr int kRuns = 400;
  constexpr int kFrames = 1500;
  double mean_error = 0;
  double mean_share_error = 0;
  double naive_error = 0;
  double weighted_error = 0;
  int covered = 0;
  for (int run = 0; run < kRuns; ++run) {
    Rng rng(static_cast<std::uint64_t>(run));
    BudgetPolicy policy({.share = 0.2, .audit = 0.05, .seed = static_cast<std::uint64_t>(run)});
    std::vector<Case> cases;
    double weighted = 0;
    int kept = 0, kept_difficult = 0, difficult_all = 0, uploads = 0, uploads_difficult = 0;
    for (int i = 0; i < kFrames; ++i) {
      const double score = std::max(0.0, rng.Uniform(-0.3, 1));  // many ties at 0
      const bool difficult = rng.Chance(0.1 + 0.6 * score * score);
      const UploadChoice choice = policy.Choose({.score = score}, {}, {});
      cases.push_back({choice.upload, choice.audit, choice.audit_probability, difficult});
      weighted += choice.upload && difficult ? 1 / choice.probability : 0;
      const bool stays = !choice.upload || choice.audit;
      kept += stays ? 1 : 0;
      kept_difficult += stays && difficult ? 1 : 0;
      difficult_all += difficult ? 1 : 0;
      uploads += stays ? 0 : 1;
      uploads_difficult += !stays && difficult ? 1 : 0;
    }
    const AuditReport report = ReportAudits(TraceOf(cases));
    const double truth = static_cast<double>(kept_difficult) / difficult_all;
    mean_error += (*report.miss_rate.value - truth) / kRuns;
    mean_share_error +=
        (*report.kept_difficult.value - static_cast<double>(kept_difficult) / kept) / kRuns;
    weighted_error += (weighted / difficult_all - 1) / kRuns;
    covered += report.miss_rate.interval->low <= truth && truth <= report.miss_rate.interval->high;
    naive_error += (static_cast<double>(uploads_difficult) / uploads -
                    static_cast<double>(kept_difficult) / kept) /
                   kRuns;
  }
  EXPECT_LT(std::abs(mean_share_error), 0.006);
  EXPECT_LT(std::abs(mean_error), 0.02);  // a ratio of some 60 audits: a bias of the order of 1/60
  EXPECT_NEAR(covered / static_cast<double>(kRuns), 0.95, 0.025);
  EXPECT_GT(naive_error, 0.3);
  // All uploads weighted by their probability count the difficult images of the whole stream.
  EXPECT_LT(std::abs(weighted_error), 0.03);
}

}  // namespace
}  // namespace nearfar
