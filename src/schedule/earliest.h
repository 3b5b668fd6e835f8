#pragma once

#include <string>
#include <vector>

#include "core/expected.h"
#include "schedule/pace.h"
#include "schedule/scheduler.h"

namespace nearfar {

struct EarliestOptions {
  /// Regions that a node has open at most before further ones are held back: 1 binds each region as
  /// late as can be, 2 keeps a node at work while its answer travels; 0 holds nothing back.
  int open = 2;
  /// Uses the time to a frame's deadline for larger models.
  bool spend_slack = true;
  double slack_share = 0.9;  ///< of the time to the deadline that is planned with; (0, 1]

  friend bool operator==(const EarliestOptions&, const EarliestOptions&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const EarliestOptions& options);

/// Plans each region, the largest first, for the node that would have it done first. @return by work,
/// its node, and when the last one ends in seconds from now.
struct EarliestPlan {
  std::vector<int> node_of;
  double end = 0;

  friend bool operator==(const EarliestPlan&, const EarliestPlan&) = default;
};
/// REQUIRES: a node is ready.
EarliestPlan PlanEarliest(std::span<const Pace> paces, std::span<const Work> work);

/// Holds back whatever of a plan its node need not have yet, so that it is planned anew when answers
/// have told more. What a node gets now are its first regions, the largest first.
/// @param open  as in EarliestOptions; 0 holds nothing back.
void HoldBack(std::span<const NodeState> nodes, std::span<const Work> work, int open,
              std::vector<int>& node_of);

/// Earliest completion: a greedy plan by measured speeds and queues, the crowded regions on it
/// exchanged towards larger models, and its tail held back to be planned anew at each answer.
class EarliestCompletion final : public Scheduler {
 public:
  /// REQUIRES: Validate(options).
  explicit EarliestCompletion(const EarliestOptions& options = {});

  std::string name() const override { return "earliest"; }
  std::string version() const override { return "1"; }
  Assignment Assign(const WorkDeal& deal) override;

 private:
  EarliestOptions options_;
  ProgressWatch watch_;
};

}  // namespace nearfar
