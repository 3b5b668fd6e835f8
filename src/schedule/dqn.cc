#include "schedule/dqn.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "schedule/dispatch.h"
#include "schedule/pace.h"
#include "schedule/shares.h"

namespace nearfar {
namespace {

constexpr std::size_t kMostNodes = 5;
constexpr std::size_t kMostPending = 64;
constexpr std::int64_t kLongMean = 1000;  // frames over which the mean makespan is taken
constexpr double kMostBlame = 5;
constexpr double kEndless = 1e18;  // steps of Adam: the rate stays

std::int64_t MeanPixels(std::span<const Work> work) {
  std::int64_t pixels = 0;
  for (const Work& region : work) {
    pixels += region.pixels;
  }
  return std::max<std::int64_t>(1, pixels / static_cast<std::int64_t>(work.size()));
}

double SumOfSquares(const std::vector<double>& values) {
  double mean = 0;
  for (const double value : values) {
    mean += value / static_cast<double>(values.size());
  }
  double sum = 0;
  for (const double value : values) {
    sum += (value - mean) * (value - mean);
  }
  return sum;
}

/// [HODE eq. 1], scaled.
std::vector<float> StateOf(std::span<const NodeState> nodes, std::int64_t pixels) {
  const std::vector<Pace> paces = PacesOf(nodes);
  std::vector<float> state;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool known = nodes[i].ready && nodes[i].px_per_second > 0;
    state.push_back(nodes[i].ready ? static_cast<float>(nodes[i].queued) / 10 : 0);
    state.push_back(known ? static_cast<float>(1 / paces[i].Of(pixels)) / 100 : 0);
  }
  return state;
}

unsigned ReadyOf(std::span<const NodeState> nodes) {
  unsigned ready = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    ready |= nodes[i].ready ? 1U << i : 0;
  }
  return ready;
}

}  // namespace

Expected<void> Validate(const DqnOptions& options) {
  const auto wrong = [](const char* what) { return Fail(ErrorCode::kInvalidInput, what); };
  const auto share = [](double value) { return value >= 0 && value <= 1; };
  if (!(options.lambda1 > 0 && options.lambda2 > 0 && std::isfinite(options.lambda1) &&
        std::isfinite(options.lambda2))) {
    return wrong("lambda1 and lambda2: must be numbers above 0");
  }
  if (!share(options.discount) || !share(options.explore_first) || !share(options.explore_last)) {
    return wrong("discount, explore_first and explore_last: must lie in [0, 1]");
  }
  if (options.learn_every <= 0 || options.batch <= 0 || options.memory <= 0 ||
      options.explore_frames <= 0 || options.target_every <= 0) {
    return wrong("learn_every, batch, memory, explore_frames and target_every: must be above 0");
  }
  if (options.hidden <= 0 || options.hidden > 4096) {
    return wrong("hidden: must lie in [1, 4096]");
  }
  if (!(options.learning_rate > 0 && options.learning_rate <= 1)) {
    return wrong("learning_rate: must lie in (0, 1]");
  }
  return {};
}

BalanceTerms BalanceOf(std::span<const NodeState> nodes, std::int64_t pixels) {
  const std::vector<Pace> paces = PacesOf(nodes);
  std::vector<double> progress;
  std::vector<double> queue;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    progress.push_back(nodes[i].given > 0 ? static_cast<double>(nodes[i].done) / nodes[i].given
                                          : 1);
    queue.push_back(nodes[i].queued * paces[i].Of(pixels));
  }
  return {SumOfSquares(progress), SumOfSquares(queue)};
}

double PaperReward(const BalanceTerms& before, const BalanceTerms& after,
                   const DqnOptions& options) {
  return options.lambda1 * (before.progress - after.progress) +
         options.lambda2 * (before.queue - after.queue);
}

PaperDqn::PaperDqn(const DqnOptions& options)
    : options_(options),
      rng_(options.seed),
      adam_({.learning_rate = options.learning_rate, .steps = kEndless}),
      memory_(static_cast<std::size_t>(options.memory)) {
  assert(Validate(options));
}

DenseNetwork PaperDqn::MakeNetwork(std::size_t nodes) const {
  const auto hidden = static_cast<std::size_t>(options_.hidden);
  const std::array<std::size_t, 4> widths = {2 * nodes, hidden, hidden,
                                             ListShares(static_cast<int>(nodes)).size()};
  // The last layer says 0 at first: of a thousand chance values, the greatest would be believed.
  DenseNetwork network = MakeDenseNetwork(widths, options_.seed);
  std::fill(network.layers.back().weights.begin(), network.layers.back().weights.end(), 0.0F);
  return network;
}

void PaperDqn::Prepare(std::size_t nodes) {
  assert(nodes >= 1 && nodes <= kMostNodes);
  if (nodes == nodes_) {
    return;
  }
  nodes_ = nodes;
  actions_ = ListShares(static_cast<int>(nodes));
  network_ = MakeNetwork(nodes);
  target_ = network_;
  pass_.emplace(network_);
  adam_ = Adam({.learning_rate = options_.learning_rate, .steps = kEndless});
  memory_.Clear();
  pending_.clear();
  progress_ = {};
}

bool PaperDqn::Allowed(std::size_t action, unsigned ready) const {
  for (std::size_t i = 0; i < nodes_; ++i) {
    if (actions_[action][i] > 0 && (ready >> i & 1) == 0) {
      return false;
    }
  }
  return true;
}

std::size_t PaperDqn::Choose(const std::vector<float>& state, unsigned ready) {
  const double along = std::min(
      1.0, static_cast<double>(progress_.decisions) / options_.explore_frames);
  const double epsilon =
      options_.explore_first + along * (options_.explore_last - options_.explore_first);
  if (learning_ && rng_.Chance(epsilon)) {
    std::size_t action = 0;
    do {
      action = static_cast<std::size_t>(rng_.Below(actions_.size()));
    } while (!Allowed(action, ready));
    return action;
  }
  const std::span<const float> q = EvaluateAll(network_, state, scratch_);
  std::optional<std::size_t> best;
  for (std::size_t a = 0; a < q.size(); ++a) {
    if (Allowed(a, ready) && (!best || q[a] > q[*best])) {
      best = a;
    }
  }
  assert(best);
  return *best;
}

Assignment PaperDqn::Assign(const WorkDeal& deal) {
  if (deal.work.empty()) {
    return {{}, name()};
  }
  Prepare(deal.nodes.size());
  const unsigned ready = ReadyOf(deal.nodes);
  assert(ready != 0);
  if (deal.first) {
    const std::int64_t pixels = MeanPixels(deal.work);
    std::vector<float> state = StateOf(deal.nodes, pixels);
    const BalanceTerms terms = BalanceOf(deal.nodes, pixels);
    if (!pending_.empty() && !pending_.back().has_next) {
      Pending& last = pending_.back();
      last.experience.next = state;
      last.experience.next_ready = ready;
      last.has_next = true;
      if (!options_.makespan_reward) {
        last.experience.reward = static_cast<float>(PaperReward(before_, terms, options_));
        last.has_reward = true;
      }
    }
    Complete();
    last_action_ = Choose(state, ready);
    before_ = terms;
    if (learning_) {
      pending_.push_back({.frame = deal.frame,
                          .experience = {.state = std::move(state), .action = last_action_}});
    }
    ++progress_.decisions;
    ++progress_.taken;
    if (learning_ && progress_.decisions % options_.learn_every == 0 && memory_.size() > 0) {
      Learn();
    }
  }
  std::vector<double> weights;
  double sum = 0;
  for (std::size_t i = 0; i < nodes_; ++i) {
    weights.push_back(deal.nodes[i].ready ? actions_[last_action_][i] : 0);
    sum += weights.back();
  }
  for (std::size_t i = 0; sum <= 0 && i < nodes_; ++i) {
    weights[i] = deal.nodes[i].ready ? 1 : 0;  // all that the action named are gone
  }
  return {DispatchShares(deal.nodes, deal.work, weights), name()};
}

void PaperDqn::Observe(FrameId frame, Duration makespan, std::span<const NodeState> /*nodes*/,
                       TimePoint /*now*/) {
  if (!options_.makespan_reward) {
    return;
  }
  const double seconds = std::chrono::duration<double>(makespan).count();
  mean_makespan_ += (seconds - mean_makespan_) /
                    static_cast<double>(std::min<std::int64_t>(++makespans_, kLongMean));
  for (Pending& pending : pending_) {
    if (pending.frame == frame) {
      pending.experience.reward =
          static_cast<float>(std::max(1 - seconds / std::max(mean_makespan_, 1e-9), -kMostBlame));
      pending.has_reward = true;
    }
  }
}

void PaperDqn::Complete() {
  for (Pending& pending : pending_) {
    if (pending.has_next && pending.has_reward) {
      memory_.Add(std::move(pending.experience));
    }
  }
  std::erase_if(pending_, [](const Pending& p) { return p.has_next && p.has_reward; });
  while (pending_.size() > kMostPending) {
    pending_.pop_front();  // frames that never ended
  }
}

void PaperDqn::Learn() {
  pass_->Clear();
  double loss = 0;
  std::vector<float> errors(actions_.size());
  for (int b = 0; b < options_.batch; ++b) {
    const Experience& e = memory_.Draw(rng_);
    const std::span<const float> next = EvaluateAll(target_, e.next, scratch_);
    float best = -std::numeric_limits<float>::infinity();
    for (std::size_t a = 0; a < next.size(); ++a) {
      if (next[a] > best && Allowed(a, e.next_ready)) {
        best = next[a];
      }
    }
    const float wanted = e.reward + static_cast<float>(options_.discount) * best;
    const float error = std::clamp(pass_->Forward(e.state)[e.action] - wanted, -1.0F, 1.0F);
    errors[e.action] = error;
    pass_->Backward(e.state, errors);
    errors[e.action] = 0;
    loss += static_cast<double>(error) * error / options_.batch;
  }
  adam_.Begin();
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    adam_.Step(network_.layers[l].weights, pass_->gradient()[l].weights, 1.0 / options_.batch);
    adam_.Step(network_.layers[l].biases, pass_->gradient()[l].biases, 1.0 / options_.batch);
  }
  progress_.loss = loss;
  if (++progress_.learnings % options_.target_every == 0) {
    target_ = network_;
  }
}

std::string PaperDqn::SaveState() const {
  if (nodes_ == 0) {
    return {};
  }
  return ToJsonLine({.scheduler = name(),
                     .version = version(),
                     .decisions = progress_.decisions,
                     .networks = {network_},
                     .numbers = {static_cast<double>(nodes_)}});
}

Expected<void> PaperDqn::LoadState(std::string_view text) {
  // The widths tell the number of nodes; any up to five will do.
  Error last;
  for (std::size_t nodes = 1; nodes <= kMostNodes; ++nodes) {
    if (nodes_ != 0 && nodes != nodes_) {
      continue;
    }
    auto state = LearnedStateFrom(text, {.scheduler = name(),
                                         .version = version(),
                                         .networks = {MakeNetwork(nodes)},
                                         .numbers = {0}});
    if (!state) {
      last = state.error();
      continue;
    }
    Prepare(nodes);
    network_ = std::move(state->networks[0]);
    target_ = network_;
    memory_.Clear();
    pending_.clear();
    progress_ = {.decisions = state->decisions, .taken = state->decisions};
    return {};
  }
  return tl::unexpected(last);
}

}  // namespace nearfar
