#include "schedule/earliest.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <numeric>

#include "schedule/dispatch.h"

namespace nearfar {
namespace {

/// Places of regions by falling size, ties in plan order.
std::vector<std::size_t> BySize(std::span<const Work> work) {
  std::vector<std::size_t> order(work.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return work[a].pixels > work[b].pixels;
  });
  return order;
}

}  // namespace

Expected<void> Validate(const EarliestOptions& options) {
  if (options.open < 0 || options.open > 1000) {
    return Fail(ErrorCode::kInvalidInput, "open: must lie in [0, 1000]");
  }
  if (!(options.slack_share > 0 && options.slack_share <= 1)) {
    return Fail(ErrorCode::kInvalidInput, "slack_share: must lie in (0, 1]");
  }
  return {};
}

EarliestPlan PlanEarliest(std::span<const Pace> paces, std::span<const Work> work) {
  EarliestPlan plan{std::vector<int>(work.size(), Assignment::kHeldBack), 0};
  std::vector<double> ends;
  for (const Pace& pace : paces) {
    ends.push_back(pace.busy);
  }
  for (const std::size_t region : BySize(work)) {
    int best = -1;
    double best_end = 0;
    for (std::size_t i = 0; i < paces.size(); ++i) {
      if (!paces[i].ready) {
        continue;
      }
      const double end = ends[i] + paces[i].Of(work[region].pixels);
      if (best < 0 || end < best_end) {
        best = static_cast<int>(i);
        best_end = end;
      }
    }
    assert(best >= 0);
    ends[static_cast<std::size_t>(best)] = best_end;
    plan.node_of[region] = best;
    plan.end = std::max(plan.end, best_end);
  }
  return plan;
}

void HoldBack(std::span<const NodeState> nodes, std::span<const Work> work, int open,
              std::vector<int>& node_of) {
  if (open <= 0) {
    return;
  }
  std::vector<int> room;
  for (const NodeState& node : nodes) {
    room.push_back(open - node.queued);
  }
  for (const std::size_t region : BySize(work)) {
    if (node_of[region] >= 0 && --room[static_cast<std::size_t>(node_of[region])] < 0) {
      node_of[region] = Assignment::kHeldBack;
    }
  }
}

EarliestCompletion::EarliestCompletion(const EarliestOptions& options) : options_(options) {
  assert(Validate(options));
}

Assignment EarliestCompletion::Assign(const WorkDeal& deal) {
  const std::vector<Pace> paces = watch_.Measure(deal.nodes, deal.now);
  EarliestPlan plan = PlanEarliest(paces, deal.work);
  double limit = plan.end;
  if (deal.slack && options_.spend_slack) {
    limit = std::max(
        limit, options_.slack_share * std::chrono::duration<double>(*deal.slack).count());
  }
  ExchangeByCrowd(deal.nodes, paces, deal.work, limit, limit > plan.end, plan.node_of);
  HoldBack(deal.nodes, deal.work, options_.open, plan.node_of);
  std::vector<int> given(deal.nodes.size());
  for (const int node : plan.node_of) {
    if (node >= 0) {
      ++given[static_cast<std::size_t>(node)];
    }
  }
  watch_.Given(deal.nodes, given, deal.now);
  return {std::move(plan.node_of), "earliest"};
}

}  // namespace nearfar
