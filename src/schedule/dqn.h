#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/adam.h"
#include "core/dense_network.h"
#include "core/rng.h"
#include "schedule/learning.h"
#include "schedule/scheduler.h"

namespace nearfar {

/// What [HODE §II.B] names without a value, or leaves open.
struct DqnOptions {
  bool makespan_reward = false;  ///< instead of eq. 5: 1 - the frame's makespan / their mean of late
  double lambda1 = 1;            ///< eq. 5; > 0
  double lambda2 = 1;            ///< eq. 5; > 0
  double discount = 0.5;         ///< [0, 1]; at 1 eq. 5-7 telescope to nothing; at 0.9 the greatest of
                                 ///< 1,001 noisy values, believed again and again, grows for ever
  int learn_every = 4;           ///< Algorithm 1: I; > 0
  int batch = 32;                ///< experiences per learning; > 0
  int memory = 10'000;           ///< experiences kept; > 0
  double explore_first = 1;      ///< epsilon at the beginning, falling in a line ...
  double explore_last = 0.05;    ///< ... to this ...
  int explore_frames = 5'000;    ///< ... over so many frames; > 0
  double learning_rate = 1e-3;   ///< of Adam; > 0
  int hidden = 64;               ///< width of the two hidden layers; > 0
  int target_every = 20;         ///< learnings after which the target network is renewed; > 0
  std::uint64_t seed = 1;

  friend bool operator==(const DqnOptions&, const DqnOptions&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const DqnOptions& options);

/// The terms of [HODE eq. 6-7] at one moment: p_i = done / given for the frames in flight, 1 where a
/// node was given nothing; q_i / v_i in seconds.
struct BalanceTerms {
  double progress = 0;  ///< sum of (p_i - avgp)²
  double queue = 0;     ///< sum of (q_i / v_i - avgq)²

  friend bool operator==(const BalanceTerms&, const BalanceTerms&) = default;
};
/// @param pixels  of a mean region: v_i counts such regions.
BalanceTerms BalanceOf(std::span<const NodeState> nodes, std::int64_t pixels);
/// [HODE eq. 5] lambda1 (P_t - P_t+1) + lambda2 (Q_t - Q_t+1).
double PaperReward(const BalanceTerms& before, const BalanceTerms& after, const DqnOptions& options);

/// [HODE §II.B, Algorithm 1, eq. 1-7] the accuracy-aware DQN-based load-balanced scheduling, as
/// printed. One network output for each of the actions of ListShares.
///
/// Read or fixed by us: t is the coming of a frame (earlier ones may be in flight; one at a time,
/// all queues are empty and every p_i is 1 at t, so that eq. 5 is 0 throughout); v_i is in regions of
/// the frame's mean size per second; the inputs are q_i / 10 and v_i / 100; the number of regions is
/// no part of the state (eq. 1); shares become counts by the largest remainder; everything is given
/// at once; what is dealt out again after a node's loss goes by the frame's last action; a node that
/// is not ready is 0, 0 and gets nothing: actions that would give it some are left out. Layers
/// 2M-64-64-actions, rectified; Q-learning against a target network, errors clipped to [-1, 1].
class PaperDqn final : public LearningScheduler {
 public:
  /// REQUIRES: Validate(options).
  explicit PaperDqn(const DqnOptions& options = {});
  PaperDqn(const PaperDqn&) = delete;
  PaperDqn& operator=(const PaperDqn&) = delete;

  std::string name() const override { return "dqn"; }
  std::string version() const override { return "1"; }
  /// REQUIRES: at most five nodes. Where their number changes, learning begins anew.
  Assignment Assign(const WorkDeal& deal) override;
  void Observe(FrameId frame, Duration makespan, std::span<const NodeState> nodes,
               TimePoint now) override;
  LearningProgress progress() const override { return progress_; }
  void SetLearning(bool learning) override { learning_ = learning; }
  std::string SaveState() const override;
  /// A state says for how many nodes it is.
  Expected<void> LoadState(std::string_view state) override;

 private:
  struct Experience {
    std::vector<float> state;
    std::size_t action = 0;
    float reward = 0;
    std::vector<float> next;
    unsigned next_ready = 0;  ///< bit i: node i was ready
  };
  /// A decision whose reward or next state is not known yet.
  struct Pending {
    FrameId frame{};
    Experience experience;
    bool has_next = false;
    bool has_reward = false;
  };

  void Prepare(std::size_t nodes);
  DenseNetwork MakeNetwork(std::size_t nodes) const;
  bool Allowed(std::size_t action, unsigned ready) const;
  std::size_t Choose(const std::vector<float>& state, unsigned ready);
  void Complete();
  void Learn();

  DqnOptions options_;
  Rng rng_;
  std::size_t nodes_ = 0;
  std::vector<std::vector<int>> actions_;
  DenseNetwork network_;
  DenseNetwork target_;
  std::optional<DensePass> pass_;
  Adam adam_;
  ReplayMemory<Experience> memory_;
  std::deque<Pending> pending_;
  BalanceTerms before_;
  std::size_t last_action_ = 0;
  double mean_makespan_ = 0;  ///< in seconds
  std::int64_t makespans_ = 0;
  bool learning_ = true;
  LearningProgress progress_;
  std::vector<float> scratch_;
};

}  // namespace nearfar
