#include "schedule/factored_dqn.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <utility>

#include "schedule/dispatch.h"

namespace nearfar {
namespace {

constexpr double kEndless = 1e18;       // steps of Adam: the rate stays
constexpr std::size_t kMostPending = 64;
constexpr std::uint8_t kLeftOut = 3;    // the action that leaves a node out
constexpr double kReferenceShare = 0.01;
constexpr double kLevelShare = 0.01;
constexpr double kUsedShare = 0.1;
constexpr double kCompanyForget = 0.999;
constexpr double kCompanyPrior = 0.3;   // of a slope of 0, against the spread of log counts

std::vector<std::size_t> SeeWidths() {
  return {FactoredDqn::kFeatures, 24, FactoredDqn::kView};
}
std::vector<std::size_t> JudgeWidths() {
  return {2 * FactoredDqn::kView + FactoredDqn::kGlobals, 32, FactoredDqn::kFactors.size()};
}

/// Its last layer says 0 to everything: no action is better than the first.
DenseNetwork MakeJudge(std::uint64_t seed) {
  DenseNetwork judge = MakeDenseNetwork(JudgeWidths(), MixBits(seed));
  std::fill(judge.layers.back().weights.begin(), judge.layers.back().weights.end(), 0.0F);
  return judge;
}

float Clip(double value, double most = 2) {
  return static_cast<float>(std::clamp(value, -most, most));
}

void Rectify(std::span<float> values) {
  for (float& value : values) {
    value = std::max(value, 0.0F);
  }
}

}  // namespace

Expected<void> Validate(const FactoredDqnOptions& options) {
  const auto wrong = [](const char* what) { return Fail(ErrorCode::kInvalidInput, what); };
  const auto share = [](double value) { return value >= 0 && value <= 1; };
  if (!(options.discount >= 0 && options.discount < 1)) {
    return wrong("discount: must lie in [0, 1)");
  }
  if (!share(options.explore_first) || !share(options.explore_last)) {
    return wrong("explore_first and explore_last: must lie in [0, 1]");
  }
  if (options.learn_every <= 0 || options.learn_from <= 0 || options.batch <= 0 ||
      options.memory <= 0 || options.explore_frames <= 0 || options.target_every <= 0) {
    return wrong(
        "learn_every, learn_from, batch, memory, explore_frames and target_every: must be above 0");
  }
  if (!(options.learning_rate > 0 && options.learning_rate <= 1)) {
    return wrong("learning_rate: must lie in (0, 1]");
  }
  return {};
}

bool BlockGuard::challenger_in_force() const {
  return arms_[1].weight > 0 && arms_[0].weight > 0 &&
         arms_[1].log_pace < arms_[0].log_pace - kMargin;
}

bool BlockGuard::Next() {
  if (frame_ == 0) {
    const bool in_force = challenger_in_force();
    now_ = block_ % kTryEvery == 1 ? !in_force : in_force;
    ++block_;
    seen_ = 0;
    seconds_ = 0;
    pixels_ = 0;
  }
  frame_ = (frame_ + 1) % kBlock;
  return now_;
}

void BlockGuard::Observe(bool challenger, double seconds, double pixels) {
  if (challenger != now_ || ++seen_ <= kLeftOut) {
    return;  // a frame of the block before
  }
  seconds_ += seconds;
  pixels_ += pixels;
  if (seen_ == kBlock - kLeftOut && seconds_ > 0 && pixels_ > 0) {
    Arm& arm = arms_[challenger ? 1 : 0];
    arm.weight = 0.75 * arm.weight + 1;
    arm.log_pace += (std::log(seconds_ / pixels_) - arm.log_pace) / arm.weight;
  }
}

double FactoredDqn::Memory::Company() const {
  if (w <= 0) {
    return 0;
  }
  const double mean_x = x / w;
  const double variance = std::max(xx / w - mean_x * mean_x, 0.0);
  // Few observations count little: the prior is that of a hundred frames.
  return (xy / w - mean_x * y / w) / (variance + kCompanyPrior * 100 / (100 + w) * 0.1);
}

FactoredDqn::FactoredDqn(const FactoredDqnOptions& options, const EarliestOptions& earliest)
    : options_(options),
      earliest_(earliest),
      rng_(options.seed),
      see_(MakeDenseNetwork(SeeWidths(), options.seed)),
      judge_(MakeJudge(options.seed)),
      target_see_(see_),
      target_judge_(judge_),
      see_pass_(see_),
      judge_pass_(judge_),
      adam_({.learning_rate = options.learning_rate, .steps = kEndless}),
      memory_(static_cast<std::size_t>(options.memory)) {
  assert(Validate(options) && Validate(earliest));
}

FactoredDqn::State FactoredDqn::StateOf(const WorkDeal& deal, const std::vector<Pace>& paces) {
  std::int64_t pixels = 0;
  for (const Work& region : deal.work) {
    pixels += region.pixels;
  }
  const std::int64_t mean =
      std::max<std::int64_t>(1, pixels / static_cast<std::int64_t>(deal.work.size()));
  const EarliestPlan plan = PlanEarliest(paces, deal.work);
  double least = 0;
  std::vector<double> planned(paces.size());
  for (const int node : plan.node_of) {
    planned[static_cast<std::size_t>(node)] += 1 / static_cast<double>(deal.work.size());
  }
  int ready = 0;
  int busy = 0;
  for (std::size_t i = 0; i < paces.size(); ++i) {
    if (paces[i].ready) {
      const double time = paces[i].Of(mean);
      least = ready == 0 ? time : std::min(least, time);
      ++ready;
      busy += deal.nodes[i].queued > 0 ? 1 : 0;
    }
  }
  State state;
  for (std::size_t i = 0; i < paces.size(); ++i) {
    if (!paces[i].ready) {
      continue;
    }
    const NodeState& node = deal.nodes[i];
    Memory& memory = MemoryOf(node.link);
    const double time = std::log(paces[i].Of(mean));
    if (node.px_per_second > 0) {
      memory.level = memory.has_level ? memory.level + kLevelShare * (time - memory.level) : time;
      memory.has_level = true;
    }
    state.nodes.push_back({1.0F, node.px_per_second > 0 ? 1.0F : 0.0F, Clip(time - std::log(least)),
                           Clip(paces[i].busy / plan.end),
                           Clip(planned[i] * static_cast<double>(ready)),
                           Clip(memory.has_level ? time - memory.level : 0), Clip(memory.used),
                           Clip(memory.last_factor), Clip(memory.Company()),
                           Clip(paces[i].Of(mean) / plan.end)});
  }
  const double per_node = static_cast<double>(deal.work.size()) / ready;
  state.globals = {Clip(std::log(per_node) / 2), static_cast<float>(ready) / 16,
                   static_cast<float>(busy) / static_cast<float>(ready)};
  return state;
}

void FactoredDqn::Evaluate(const DenseNetwork& see, const DenseNetwork& judge, const State& state,
                           std::vector<float>& q) {
  constexpr std::size_t kActions = kFactors.size();
  const std::size_t count = state.nodes.size();
  std::vector<float> views(count * kView);
  std::array<float, 2 * kView + kGlobals> input{};
  for (std::size_t i = 0; i < count; ++i) {
    const auto view = EvaluateAll(see, state.nodes[i], scratch_);
    std::copy(view.begin(), view.end(), views.begin() + static_cast<std::ptrdiff_t>(i * kView));
  }
  Rectify(views);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < kView; ++k) {
      input[kView + k] += views[i * kView + k] / static_cast<float>(count);
    }
  }
  std::copy(state.globals.begin(), state.globals.end(), input.begin() + 2 * kView);
  q.resize(count * kActions);
  for (std::size_t i = 0; i < count; ++i) {
    std::copy_n(views.begin() + static_cast<std::ptrdiff_t>(i * kView), kView, input.begin());
    const auto said = EvaluateAll(judge, input, scratch_);
    std::copy(said.begin(), said.end(), q.begin() + static_cast<std::ptrdiff_t>(i * kActions));
  }
}

std::vector<std::uint8_t> FactoredDqn::Choose(const State& state, bool by_network) {
  const std::size_t count = state.nodes.size();
  std::vector<std::uint8_t> actions(count);
  if (!by_network) {
    return actions;
  }
  std::vector<float> q;
  Evaluate(see_, judge_, state, q);
  constexpr std::size_t kActions = kFactors.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto first = q.begin() + static_cast<std::ptrdiff_t>(i * kActions);
    actions[i] = static_cast<std::uint8_t>(std::max_element(first, first + kActions) - first);
  }
  const double along = std::min(
      1.0, static_cast<double>(progress_.decisions) / options_.explore_frames);
  const double epsilon =
      options_.explore_first + along * (options_.explore_last - options_.explore_first);
  if (learning_ && rng_.Chance(epsilon)) {
    // One node for certain, and each other one with the chance that it is one of M.
    const auto one = static_cast<std::size_t>(rng_.Below(count));
    for (std::size_t i = 0; i < count; ++i) {
      if (i == one || rng_.Chance(1 / static_cast<double>(count))) {
        actions[i] = static_cast<std::uint8_t>(rng_.Below(kActions));
      }
    }
  }
  if (std::all_of(actions.begin(), actions.end(), [](auto a) { return a == kLeftOut; })) {
    // Somebody must do it: the one whose leaving out is least wanted.
    std::size_t keep = 0;
    for (std::size_t i = 1; i < count; ++i) {
      if (q[i * kActions + kLeftOut] - q[i * kActions] <
          q[keep * kActions + kLeftOut] - q[keep * kActions]) {
        keep = i;
      }
    }
    actions[keep] = 0;
  }
  return actions;
}

Assignment FactoredDqn::Assign(const WorkDeal& deal) {
  if (deal.work.empty()) {
    return {{}, "guard"};
  }
  assert(deal.nodes.size() <= kMostNodes);
  std::vector<Pace> paces = watch_.Measure(deal.nodes, deal.now);
  auto found = decisions_.find(deal.frame);
  if (deal.first || found == decisions_.end()) {
    const State state = StateOf(deal, paces);
    if (!pending_.empty() && !pending_.back().has_next) {
      pending_.back().experience.next = state;
      pending_.back().has_next = true;
    }
    Complete();
    const bool by_network = options_.unguarded || guard_.Next();
    const std::vector<std::uint8_t> actions = Choose(state, by_network);
    Decision decision{.actions = std::vector<std::uint8_t>(deal.nodes.size()),
                      .by_network = by_network,
                      .came = deal.now};
    for (std::size_t i = 0, ready = 0; i < deal.nodes.size(); ++i) {
      if (deal.nodes[i].ready) {
        decision.actions[i] = actions[ready++];
        const std::uint8_t action = decision.actions[i];
        Memory& memory = MemoryOf(deal.nodes[i].link);
        memory.last_factor = action == kLeftOut ? 2 : std::log(kFactors[action]);
        memory.used += kUsedShare * ((action == kLeftOut ? 0 : 1) - memory.used);
        decision.nodes_used += action == kLeftOut ? 0 : 1;
      }
    }
    for (const Work& region : deal.work) {
      decision.pixels += static_cast<double>(region.pixels);
    }
    ++progress_.decisions;
    progress_.taken += by_network ? 1 : 0;
    if (learning_) {
      pending_.push_back(
          {.frame = deal.frame, .experience = {.state = state, .actions = actions}});
    }
    while (decisions_.size() >= kMostPending) {
      decisions_.erase(decisions_.begin());  // frames that never ended
    }
    found = decisions_.insert_or_assign(deal.frame, std::move(decision)).first;
  }
  const Decision& decision = found->second;
  std::vector<Pace> believed = paces;
  bool any = false;
  for (std::size_t i = 0; i < paces.size() && i < decision.actions.size(); ++i) {
    const std::uint8_t action = decision.actions[i];
    if (action == kLeftOut) {
      believed[i].ready = false;
    } else {
      believed[i].per_region *= kFactors[action];
      believed[i].per_pixel *= kFactors[action];
    }
    any = any || believed[i].ready;
  }
  if (!any) {
    believed = paces;  // whoever was not left out is gone
  }
  EarliestPlan plan = PlanEarliest(believed, deal.work);
  double limit = plan.end;
  if (deal.slack && earliest_.spend_slack) {
    limit = std::max(
        limit, earliest_.slack_share * std::chrono::duration<double>(*deal.slack).count());
  }
  ExchangeByCrowd(deal.nodes, believed, deal.work, limit, limit > plan.end, plan.node_of);
  HoldBack(deal.nodes, deal.work, earliest_.open, plan.node_of);
  std::vector<int> given(deal.nodes.size());
  for (const int node : plan.node_of) {
    if (node >= 0) {
      ++given[static_cast<std::size_t>(node)];
    }
  }
  watch_.Given(deal.nodes, given, deal.now);
  return {std::move(plan.node_of), decision.by_network ? "dqn" : "guard"};
}

void FactoredDqn::Observe(FrameId frame, Duration /*makespan*/, std::span<const NodeState> nodes,
                          TimePoint now) {
  const auto found = decisions_.find(frame);
  if (found == decisions_.end()) {
    return;
  }
  const Decision& decision = found->second;
  const TimePoint begin = any_end_ ? std::max(decision.came, last_end_) : decision.came;
  const double seconds = std::max(std::chrono::duration<double>(now - begin).count(), 1e-6);
  last_end_ = any_end_ ? std::max(last_end_, now) : now;
  any_end_ = true;
  const double pace = seconds / decision.pixels;
  reference_ = reference_ > 0 ? reference_ + std::max(kReferenceShare, 1.0 / static_cast<double>(
                                                                           progress_.decisions)) *
                                                 (pace - reference_)
                              : pace;
  guard_.Observe(decision.by_network, seconds, decision.pixels);
  const double company = std::log(std::max(decision.nodes_used, 1));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool used = i < decision.actions.size() && decision.actions[i] != kLeftOut;
    if (used && nodes[i].ready && nodes[i].px_per_second > 0) {
      Memory& memory = MemoryOf(nodes[i].link);
      const double time = -std::log(nodes[i].px_per_second);
      memory.w = kCompanyForget * memory.w + 1;
      memory.x = kCompanyForget * memory.x + company;
      memory.y = kCompanyForget * memory.y + time;
      memory.xx = kCompanyForget * memory.xx + company * company;
      memory.xy = kCompanyForget * memory.xy + company * time;
    }
  }
  for (Pending& pending : pending_) {
    if (pending.frame == frame) {
      pending.experience.reward = Clip(1 - pace / reference_, 1);
      pending.has_reward = true;
    }
  }
  decisions_.erase(found);
  if (learning_ && progress_.decisions % options_.learn_every == 0 &&
      memory_.size() >= static_cast<std::size_t>(std::min(options_.learn_from, options_.memory))) {
    Learn();
  }
}

void FactoredDqn::Complete() {
  for (Pending& pending : pending_) {
    if (pending.has_next && pending.has_reward) {
      memory_.Add(std::move(pending.experience));
    }
  }
  std::erase_if(pending_, [](const Pending& p) { return p.has_next && p.has_reward; });
  while (pending_.size() > kMostPending) {
    pending_.pop_front();
  }
}

void FactoredDqn::Learn() {
  constexpr std::size_t kActions = kFactors.size();
  see_pass_.Clear();
  judge_pass_.Clear();
  double loss = 0;
  std::vector<float> q;
  std::vector<float> next_q;
  for (int b = 0; b < options_.batch; ++b) {
    const Experience& e = memory_.Draw(rng_);
    // Double Q-learning: the network chooses, the target network values.
    Evaluate(see_, judge_, e.next, q);
    Evaluate(target_see_, target_judge_, e.next, next_q);
    double best = 0;
    const std::size_t next_count = e.next.nodes.size();
    for (std::size_t i = 0; i < next_count; ++i) {
      const auto first = q.begin() + static_cast<std::ptrdiff_t>(i * kActions);
      best += static_cast<double>(
                  next_q[i * kActions + static_cast<std::size_t>(
                                            std::max_element(first, first + kActions) - first)]) /
              static_cast<double>(next_count);
    }
    Evaluate(see_, judge_, e.state, q);
    const std::size_t count = e.state.nodes.size();
    double value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      value += static_cast<double>(q[i * kActions + e.actions[i]]) / static_cast<double>(count);
    }
    const double error = value - (e.reward + options_.discount * best);
    loss += error * error / options_.batch;
    // Each node's part of the error, as if it were the sum: the smaller step is left to Adam.
    std::vector<float> views(count * kView);
    std::vector<float> view_errors(count * kView);
    std::array<float, kView> mean_errors{};
    std::array<float, 2 * kView + kGlobals> input{};
    for (std::size_t i = 0; i < count; ++i) {
      const auto view = EvaluateAll(see_, e.state.nodes[i], scratch_);
      std::copy(view.begin(), view.end(), views.begin() + static_cast<std::ptrdiff_t>(i * kView));
    }
    Rectify(views);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < kView; ++k) {
        input[kView + k] += views[i * kView + k] / static_cast<float>(count);
      }
    }
    std::copy(e.state.globals.begin(), e.state.globals.end(), input.begin() + 2 * kView);
    for (std::size_t i = 0; i < count; ++i) {
      std::copy_n(views.begin() + static_cast<std::ptrdiff_t>(i * kView), kView, input.begin());
      std::array<float, kActions> errors{};
      errors[e.actions[i]] = static_cast<float>(error / static_cast<double>(count));
      judge_pass_.Forward(input);
      const auto back = judge_pass_.BackwardToInput(input, errors);
      for (std::size_t k = 0; k < kView; ++k) {
        view_errors[i * kView + k] += back[k];
        mean_errors[k] += back[kView + k] / static_cast<float>(count);
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      std::array<float, kView> errors{};
      for (std::size_t k = 0; k < kView; ++k) {
        errors[k] = views[i * kView + k] > 0 ? view_errors[i * kView + k] + mean_errors[k] : 0;
      }
      see_pass_.Forward(e.state.nodes[i]);
      see_pass_.Backward(e.state.nodes[i], errors);
    }
  }
  adam_.Begin();
  const double scale = 1.0 / options_.batch;
  for (const auto& [network, pass] :
       {std::pair{&see_, &see_pass_}, std::pair{&judge_, &judge_pass_}}) {
    for (std::size_t l = 0; l < network->layers.size(); ++l) {
      adam_.Step(network->layers[l].weights, pass->gradient()[l].weights, scale);
      adam_.Step(network->layers[l].biases, pass->gradient()[l].biases, scale);
    }
  }
  progress_.loss = loss;
  if (++progress_.learnings % options_.target_every == 0) {
    target_see_ = see_;
    target_judge_ = judge_;
  }
}

std::string FactoredDqn::SaveState() const {
  return ToJsonLine({.scheduler = name(),
                     .version = version(),
                     .decisions = progress_.decisions,
                     .networks = {see_, judge_},
                     .numbers = {}});
}

Expected<void> FactoredDqn::LoadState(std::string_view text) {
  auto state = LearnedStateFrom(text, {.scheduler = name(),
                                       .version = version(),
                                       .networks = {see_, judge_},
                                       .numbers = {}});
  if (!state) {
    return tl::unexpected(state.error());
  }
  see_ = std::move(state->networks[0]);
  judge_ = std::move(state->networks[1]);
  target_see_ = see_;
  target_judge_ = judge_;
  memory_.Clear();
  pending_.clear();
  reference_ = 0;  // of whichever nodes it was learned with
  progress_ = {.decisions = state->decisions};
  return {};
}

}  // namespace nearfar
