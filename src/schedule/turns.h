#pragma once

#include <map>
#include <string>

#include "schedule/scheduler.h"

namespace nearfar {

/// Gives every region to one node in turn, so that over many frames each node has had its share by
/// measured speed: [HODE §III.B] "assigns 4K images to edge nodes proportional to their computing
/// power". Shares of a single region cannot be rounded within one frame; here what a node is owed is
/// carried over. A node that returns begins without a claim.
class Turns final : public Scheduler {
 public:
  std::string name() const override { return "turns"; }
  std::string version() const override { return "1"; }
  Assignment Assign(const WorkDeal& deal) override;

 private:
  std::map<LinkId, double> owed_;  ///< regions, of the nodes that were ready at the last deal
};

}  // namespace nearfar
