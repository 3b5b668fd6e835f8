#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/adam.h"
#include "core/dense_network.h"
#include "core/rng.h"
#include "schedule/earliest.h"
#include "schedule/learning.h"
#include "schedule/pace.h"
#include "schedule/scheduler.h"

namespace nearfar {

struct FactoredDqnOptions {
  /// Decides always; else only where it has been better than earliest completion.
  bool unguarded = false;
  double discount = 0.5;        ///< [0, 1)
  int learn_every = 2;          ///< frames; > 0
  int learn_from = 500;         ///< experiences before the first learning, so that a few alike do not
                                ///< undo what was learned before; > 0
  int batch = 16;               ///< > 0
  int memory = 20'000;          ///< experiences kept; > 0
  double explore_first = 0.5;   ///< chance that some node of a frame is treated at random, falling ...
  double explore_last = 0.05;   ///< ... in a line to this ...
  int explore_frames = 5'000;   ///< ... over so many frames; > 0
  double learning_rate = 1e-3;  ///< of Adam; > 0
  int target_every = 100;       ///< learnings after which the target network is renewed; > 0
  std::uint64_t seed = 1;

  friend bool operator==(const FactoredDqnOptions&, const FactoredDqnOptions&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const FactoredDqnOptions& options);

/// Decides from what came of both whether a challenger or the guard is to decide the next frames: in
/// blocks, each judged by its time per pixel without its first frames, which the block before still
/// has a share in. The one in force is tested against the other every so often.
class BlockGuard {
 public:
  static constexpr int kBlock = 16;       ///< frames
  static constexpr int kLeftOut = 4;      ///< of a block's first
  static constexpr int kTryEvery = 12;    ///< blocks: of so many the one out of force gets one
  static constexpr double kMargin = 0.01; ///< by which the challenger must have been quicker

  /// Who decides the next frame, which is being counted: true for the challenger.
  bool Next();
  /// A frame of the block in force was done in this time.
  void Observe(bool challenger, double seconds, double pixels);
  bool challenger_in_force() const;

 private:
  struct Arm {
    double log_pace = 0;  ///< mean of late of the log of seconds per pixel
    double weight = 0;
  };
  Arm arms_[2];  // guard, challenger
  int frame_ = 0;
  std::int64_t block_ = 0;
  bool now_ = false;
  int seen_ = 0;
  double seconds_ = 0;
  double pixels_ = 0;
};

/// A DQN that corrects what earliest completion believes: for each node it says whether the frame is
/// planned with the node's pace as measured, quicker, slower, or without the node at all. What it can
/// learn is what the nodes' own answers do not tell: that a node goes slower when its neighbour on
/// the same machine works, so that the sum is better without it.
///
/// The value of a decision is the mean over the nodes of Q(node, its action), each from the same two
/// small networks (one sees a node, the other that node's view, the mean of all nodes' views and the
/// frame): the same weights serve 1 to 16 nodes in any order. Reward: 1 - (seconds per pixel of the
/// frame) / (their mean of long), clipped to [-1, 1], where a frame's time is counted from its coming
/// or the frame before's end, the later of both. Untrained, it is earliest completion.
class FactoredDqn final : public LearningScheduler {
 public:
  static constexpr std::size_t kFeatures = 10;
  static constexpr std::size_t kView = 16;
  static constexpr std::size_t kGlobals = 3;
  /// Factors of a node's measured time per region; the last leaves it out.
  static constexpr std::array<double, 4> kFactors = {1, 0.75, 1.5, 0};
  static constexpr std::size_t kMostNodes = 16;

  /// REQUIRES: Validate(options).
  explicit FactoredDqn(const FactoredDqnOptions& options = {},
                       const EarliestOptions& earliest = {});
  FactoredDqn(const FactoredDqn&) = delete;
  FactoredDqn& operator=(const FactoredDqn&) = delete;

  std::string name() const override { return "factored-dqn"; }
  std::string version() const override { return "1"; }
  /// REQUIRES: at most 16 nodes.
  Assignment Assign(const WorkDeal& deal) override;
  void Observe(FrameId frame, Duration makespan, std::span<const NodeState> nodes,
               TimePoint now) override;
  LearningProgress progress() const override { return progress_; }
  void SetLearning(bool learning) override { learning_ = learning; }
  std::string SaveState() const override;
  Expected<void> LoadState(std::string_view state) override;

 private:
  using Features = std::array<float, kFeatures>;
  using Globals = std::array<float, kGlobals>;
  struct State {
    std::vector<Features> nodes;  ///< those that are ready
    Globals globals{};
  };
  struct Experience {
    State state;
    std::vector<std::uint8_t> actions;
    float reward = 0;
    State next;
  };
  struct Pending {
    FrameId frame{};
    Experience experience;
    bool has_next = false;
    bool has_reward = false;
  };
  /// What is decided for one frame, until it has ended.
  struct Decision {
    std::vector<std::uint8_t> actions;  ///< by node of the configuration
    bool by_network = false;
    TimePoint came;
    double pixels = 0;
    int nodes_used = 0;
  };
  /// What is remembered of a node.
  struct Memory {
    double level = 0;       ///< slow mean of the log of its time per region
    bool has_level = false;
    double used = 0.5;      ///< share of late frames in which it had work
    double last_factor = 0;  ///< log of the factor it was last planned with; 2 when left out
    // Forgetting sums: how its time hangs on how many nodes are at work.
    double w = 0, x = 0, y = 0, xx = 0, xy = 0;

    double Company() const;
  };

  State StateOf(const WorkDeal& deal, const std::vector<Pace>& paces);
  std::vector<std::uint8_t> Choose(const State& state, bool by_network);
  /// The values of every action, node by node. Uses passes_.
  void Evaluate(const DenseNetwork& see, const DenseNetwork& judge, const State& state,
                std::vector<float>& q);
  void Complete();
  void Learn();
  Memory& MemoryOf(LinkId link) { return memories_[link]; }

  FactoredDqnOptions options_;
  EarliestOptions earliest_;
  Rng rng_;
  DenseNetwork see_;    ///< features -> view
  DenseNetwork judge_;  ///< own view, mean view, globals -> value of each action
  DenseNetwork target_see_;
  DenseNetwork target_judge_;
  DensePass see_pass_;
  DensePass judge_pass_;
  Adam adam_;
  ReplayMemory<Experience> memory_;
  std::deque<Pending> pending_;
  std::map<FrameId, Decision> decisions_;
  std::map<LinkId, Memory> memories_;
  ProgressWatch watch_;
  BlockGuard guard_;
  double reference_ = 0;  ///< mean of long of seconds per pixel; 0: none yet
  TimePoint last_end_{};
  bool any_end_ = false;
  bool learning_ = true;
  LearningProgress progress_;
  std::vector<float> scratch_;
};

}  // namespace nearfar
