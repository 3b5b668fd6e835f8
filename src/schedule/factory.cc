#include "schedule/factory.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/phrase.h"
#include "schedule/earliest.h"
#include "schedule/proportional.h"
#include "schedule/turns.h"

namespace nearfar {
namespace {

const std::vector<SchedulerInfo>& Table() {
  static const std::vector<SchedulerInfo> table = {
      {"earliest",
       "each region to the node that has it done first; the tail is dealt out as nodes answer",
       {{"open", double{EarliestOptions{}.open}, 0, 1000, true,
         "regions open at a node before further ones are held back; 0: none is held back"},
        {"spend_slack", 1, 0, 1, true, "1: time to the deadline buys larger models"},
        {"slack_share", EarliestOptions{}.slack_share, 0.01, 1, false,
         "share of the time to the deadline that is planned with"}}},
      {"salbs", "the paper's speed-aware shares: in proportion to measured speed", {}},
      {"equal", "the same share to every node", {}},
      {"turns", "region after region in turn, by measured speed over many frames", {}},
  };
  return table;
}

const SchedulerInfo* Find(std::string_view name) {
  const auto& table = Table();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const SchedulerInfo& info) { return info.name == name; });
  return found == table.end() ? nullptr : &*found;
}

template <typename Entries>
std::string Names(const Entries& entries) {
  std::string names;
  for (const auto& entry : entries) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names;
}

/// The parameters of a checked spec, with defaults filled in.
class Parameters {
 public:
  explicit Parameters(const SchedulerSpec& spec) : spec_(spec), info_(*Find(spec.name)) {}

  double operator[](std::string_view name) const {
    const auto given = spec_.parameters.find(name);
    if (given != spec_.parameters.end()) {
      return given->second;
    }
    return std::find_if(info_.parameters.begin(), info_.parameters.end(),
                        [&](const SchedulerParameter& entry) { return entry.name == name; })
        ->fallback;
  }

 private:
  const SchedulerSpec& spec_;
  const SchedulerInfo& info_;
};

}  // namespace

std::span<const SchedulerInfo> KnownSchedulers() { return Table(); }

Expected<void> Validate(const SchedulerSpec& spec) {
  const SchedulerInfo* const info = Find(spec.name);
  if (info == nullptr) {
    return Fail(ErrorCode::kNotFound,
                "no scheduler is called '" + spec.name + "'; there are " + Names(Table()));
  }
  for (const auto& [name, value] : spec.parameters) {
    const auto known = std::find_if(
        info->parameters.begin(), info->parameters.end(),
        [&, &key = name](const SchedulerParameter& entry) { return entry.name == key; });
    if (known == info->parameters.end()) {
      return Fail(ErrorCode::kNotFound, "scheduler " + spec.name + " has no parameter '" + name +
                                            (info->parameters.empty()
                                                 ? "'; it has none"
                                                 : "'; it has " + Names(info->parameters)));
    }
    if (!(value >= known->low && value <= known->high) ||
        (known->whole && value != std::floor(value))) {
      return Fail(ErrorCode::kInvalidInput,
                  "scheduler " + spec.name + ": " + name + " is " + ShortNumber(value) +
                      ", but must be " + (known->whole ? "a whole number " : "") + "in [" +
                      ShortNumber(known->low) + ", " + ShortNumber(known->high) + "]");
    }
  }
  return {};
}

Expected<std::unique_ptr<Scheduler>> MakeScheduler(const SchedulerSpec& spec) {
  if (auto valid = Validate(spec); !valid) {
    return tl::unexpected(valid.error());
  }
  const Parameters p(spec);
  if (spec.name == "equal") {
    return std::make_unique<EqualShares>();
  }
  if (spec.name == "salbs") {
    return std::make_unique<SpeedShares>();
  }
  if (spec.name == "turns") {
    return std::make_unique<Turns>();
  }
  return std::make_unique<EarliestCompletion>(
      EarliestOptions{.open = static_cast<int>(p["open"]),
                      .spend_slack = p["spend_slack"] != 0,
                      .slack_share = p["slack_share"]});
}

}  // namespace nearfar
