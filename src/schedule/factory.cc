#include "schedule/factory.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/phrase.h"
#include "schedule/dqn.h"
#include "schedule/earliest.h"
#include "schedule/factored_dqn.h"
#include "schedule/proportional.h"
#include "schedule/shortest_queue.h"
#include "schedule/turns.h"

namespace nearfar {
namespace {

constexpr double kMostCount = 1e6;
constexpr double kMostSeed = 9007199254740992.0;  // 2^53: beyond it a double skips whole numbers

std::vector<SchedulerParameter> EarliestParameters() {
  const EarliestOptions defaults;
  return {{"open", static_cast<double>(defaults.open), 0, 1000, true,
           "regions open at a node before further ones are held back; 0: none is held back"},
          {"spend_slack", defaults.spend_slack ? 1.0 : 0, 0, 1, true,
           "1: time to the deadline buys larger models"},
          {"slack_share", defaults.slack_share, 0.01, 1, false,
           "share of the time to the deadline that is planned with"}};
}

std::vector<SchedulerParameter> DqnParameters() {
  const DqnOptions defaults;
  return {{"makespan_reward", 0, 0, 1, true, "1: rewards short frames, not the paper's eq. 5"},
          {"lambda1", defaults.lambda1, 1e-6, 1e6, false, "weight of eq. 6, the progress"},
          {"lambda2", defaults.lambda2, 1e-6, 1e6, false, "weight of eq. 7, the queues"},
          {"discount", defaults.discount, 0, 1, false, "of the next state's value"},
          {"learn_every", static_cast<double>(defaults.learn_every), 1, kMostCount, true,
           "the paper's I: frames from one learning to the next"},
          {"batch", static_cast<double>(defaults.batch), 1, kMostCount, true, "experiences per learning"},
          {"memory", static_cast<double>(defaults.memory), 1, kMostCount, true, "experiences kept"},
          {"explore_first", defaults.explore_first, 0, 1, false, "chance of a random action first"},
          {"explore_last", defaults.explore_last, 0, 1, false, "and in the end"},
          {"explore_frames", static_cast<double>(defaults.explore_frames), 1, 1e9, true, "from first to last"},
          {"seed", static_cast<double>(defaults.seed), 0, kMostSeed, true,
           "of weights and chance"}};
}

std::vector<SchedulerParameter> FactoredDqnParameters() {
  const FactoredDqnOptions defaults;
  std::vector<SchedulerParameter> parameters = {
      {"unguarded", 0, 0, 1, true, "1: decides every frame, whatever came of it"},
      {"discount", defaults.discount, 0, 0.999, false, "of the next state's value"},
      {"learn_every", static_cast<double>(defaults.learn_every), 1, kMostCount, true,
       "frames from one learning to the next"},
      {"explore_first", defaults.explore_first, 0, 1, false,
       "chance that a frame is dealt out partly at random, first"},
      {"explore_last", defaults.explore_last, 0, 1, false, "and in the end"},
      {"explore_frames", static_cast<double>(defaults.explore_frames), 1, 1e9, true, "from first to last"},
      {"seed", static_cast<double>(defaults.seed), 0, kMostSeed, true, "of weights and chance"}};
  const auto earliest = EarliestParameters();
  parameters.insert(parameters.end(), earliest.begin(), earliest.end());
  return parameters;
}

const std::vector<SchedulerInfo>& Table() {
  static const std::vector<SchedulerInfo> table = {
      {"earliest",
       "each region to the node that has it done first; the tail is dealt out as nodes answer",
       EarliestParameters()},
      {"salbs", "the paper's speed-aware shares: in proportion to measured speed", {}},
      {"equal", "the same share to every node", {}},
      {"shortest-queue", "each region to the node with the fewest open; knows no speeds", {}},
      {"turns", "region after region in turn, by measured speed over many frames", {}},
      {"dqn", "the paper's DQN as printed, for up to five nodes", DqnParameters(), 5},
      {"factored-dqn", "a DQN that corrects earliest completion, guarded by it",
       FactoredDqnParameters(), static_cast<int>(FactoredDqn::kMostNodes)},
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

EarliestOptions ToEarliestOptions(const Parameters& p) {
  return {.open = static_cast<int>(p["open"]),
          .spend_slack = p["spend_slack"] != 0,
          .slack_share = p["slack_share"]};
}

DqnOptions ToDqnOptions(const Parameters& p) {
  return {.makespan_reward = p["makespan_reward"] != 0,
          .lambda1 = p["lambda1"],
          .lambda2 = p["lambda2"],
          .discount = p["discount"],
          .learn_every = static_cast<int>(p["learn_every"]),
          .batch = static_cast<int>(p["batch"]),
          .memory = static_cast<int>(p["memory"]),
          .explore_first = p["explore_first"],
          .explore_last = p["explore_last"],
          .explore_frames = static_cast<int>(p["explore_frames"]),
          .seed = static_cast<std::uint64_t>(p["seed"])};
}

FactoredDqnOptions ToFactoredDqnOptions(const Parameters& p) {
  return {.unguarded = p["unguarded"] != 0,
          .discount = p["discount"],
          .learn_every = static_cast<int>(p["learn_every"]),
          .explore_first = p["explore_first"],
          .explore_last = p["explore_last"],
          .explore_frames = static_cast<int>(p["explore_frames"]),
          .seed = static_cast<std::uint64_t>(p["seed"])};
}

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
  if (spec.name == "shortest-queue") {
    return std::make_unique<ShortestQueue>();
  }
  if (spec.name == "turns") {
    return std::make_unique<Turns>();
  }
  if (spec.name == "dqn") {
    return std::make_unique<PaperDqn>(ToDqnOptions(p));
  }
  if (spec.name == "factored-dqn") {
    return std::make_unique<FactoredDqn>(ToFactoredDqnOptions(p), ToEarliestOptions(p));
  }
  return std::make_unique<EarliestCompletion>(ToEarliestOptions(p));
}

}  // namespace nearfar
