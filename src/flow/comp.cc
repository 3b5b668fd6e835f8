#include "flow/comp.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace nearfar {
namespace {

/// Results remembered: enough for Comp-5 with a dozen frames in flight.
constexpr std::size_t kRemembered = 16;

}  // namespace

void UpdateCrowds(const CountGrid& seen, std::vector<float>& crowds) {
  for (std::size_t c = 0; c < seen.cells(); ++c) {
    if (seen.known[c] || seen.counts[c] > 0) {
      crowds[c] = seen.counts[c];
    }
  }
}

bool Fits(const LookResult& result, const TileGrid& grid) {
  return result.looked.empty() || result.looked.size() == static_cast<std::size_t>(grid.cells());
}

void KeepAll::SetGrid(const TileGrid& grid) {
  if (grid != grid_) {
    grid_ = grid;
    crowds_.assign(static_cast<std::size_t>(grid.cells()), 0);
  }
}

LookPlan KeepAll::Plan(FrameId /*frame*/, TimePoint /*captured*/) {
  return {.cells = std::vector<Look>(crowds_.size(), Look::kKeep)};
}

void KeepAll::Observe(const LookResult& result) {
  if (Fits(result, grid_)) {
    UpdateCrowds(CountPeople(grid_, result.looked, result.people), crowds_);
  }
}

Comp::Comp(const CompOptions& options) : options_(options) {
  assert(options.back >= 1 && options.back <= 5);
}

std::string Comp::name() const { return "comp-" + std::to_string(options_.back); }

void Comp::SetGrid(const TileGrid& grid) {
  if (grid != grid_) {
    grid_ = grid;
    seen_.clear();
    crowds_.assign(static_cast<std::size_t>(grid.cells()), 0);
  }
}

LookPlan Comp::Plan(FrameId frame, TimePoint /*captured*/) {
  LookPlan plan{.cells = std::vector<Look>(crowds_.size(), Look::kKeep)};
  const auto back = static_cast<std::uint64_t>(options_.back);
  const std::uint64_t now = ToNumber(frame);
  // The newest result that is at least i frames old, which is that of t - i where it has come.
  const auto found = std::find_if(seen_.rbegin(), seen_.rend(),
                                  [&](const Seen& seen) { return seen.frame + back <= now; });
  if (found == seen_.rend()) {
    plan.reason = "no result yet";
    return plan;
  }
  for (std::size_t c = 0; c < plan.cells.size(); ++c) {
    const CountGrid& then = found->grid;
    const bool empty = options_.unknown_is_empty ? then.counts[c] == 0 : then.Empty(c);
    plan.cells[c] = empty ? Look::kSkip : Look::kKeep;
  }
  return plan;
}

void Comp::Observe(const LookResult& result) {
  if (!Fits(result, grid_)) {
    return;
  }
  CountGrid seen = CountPeople(grid_, result.looked, result.people);
  UpdateCrowds(seen, crowds_);
  const bool answered = std::find(seen.known.begin(), seen.known.end(), true) != seen.known.end();
  if (options_.unknown_is_empty && !answered) {
    return;  // a frame without any answer has no result to go by
  }
  seen_.push_back({ToNumber(result.frame), std::move(seen)});
  if (seen_.size() > kRemembered) {
    seen_.pop_front();
  }
}

}  // namespace nearfar
