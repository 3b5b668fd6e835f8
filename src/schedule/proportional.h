#pragma once

#include <string>

#include "schedule/scheduler.h"

namespace nearfar {

/// Gives every ready node the same share, at once.
class EqualShares final : public Scheduler {
 public:
  std::string name() const override { return "equal"; }
  std::string version() const override { return "1"; }
  Assignment Assign(const WorkDeal& deal) override;
};

/// [HODE §III.D] speed-aware load-balanced scheduling: shares in proportion to the measured speeds,
/// given at once, whatever the queues. A node's speed is that at the mean size of the regions.
class SpeedShares final : public Scheduler {
 public:
  std::string name() const override { return "salbs"; }
  std::string version() const override { return "1"; }
  Assignment Assign(const WorkDeal& deal) override;
};

}  // namespace nearfar
