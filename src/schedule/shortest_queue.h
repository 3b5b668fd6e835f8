#pragma once

#include <string>

#include "schedule/scheduler.h"

namespace nearfar {

/// Gives each region, at once and in plan order, to the ready node with the fewest regions open, as
/// load balancers do that know no speeds ("least connections"). Crowds play no part.
class ShortestQueue final : public Scheduler {
 public:
  std::string name() const override { return "shortest-queue"; }
  std::string version() const override { return "1"; }
  Assignment Assign(const WorkDeal& deal) override;
};

}  // namespace nearfar
