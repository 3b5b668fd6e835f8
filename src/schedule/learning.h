#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/dense_network.h"
#include "core/expected.h"
#include "core/rng.h"
#include "schedule/scheduler.h"

namespace nearfar {

/// How far a scheduler's learning has come.
struct LearningProgress {
  std::int64_t decisions = 0;  ///< frames dealt out
  std::int64_t learnings = 0;  ///< steps of gradient descent
  double loss = 0;             ///< of the last one: mean squared error of Q, clipped as it is learned
  std::int64_t taken = 0;      ///< decisions that the network made, chance included

  friend bool operator==(const LearningProgress&, const LearningProgress&) = default;
};

/// A scheduler that learns from what comes of its decisions.
class LearningScheduler : public Scheduler {
 public:
  virtual LearningProgress progress() const = 0;
  /// Goes on deciding without learning and without chance (false), or learns again.
  virtual void SetLearning(bool learning) = 0;
};

/// The last `capacity` experiences. [HODE Algorithm 1 line 9]
template <typename Experience>
class ReplayMemory {
 public:
  /// REQUIRES: capacity > 0.
  explicit ReplayMemory(std::size_t capacity) : capacity_(capacity) {}

  void Add(Experience experience) {
    if (experiences_.size() < capacity_) {
      experiences_.push_back(std::move(experience));
    } else {
      experiences_[next_] = std::move(experience);
    }
    next_ = (next_ + 1) % capacity_;
  }
  /// One of them by chance. REQUIRES: not empty.
  const Experience& Draw(Rng& rng) const {
    return experiences_[static_cast<std::size_t>(rng.Below(experiences_.size()))];
  }
  std::size_t size() const { return experiences_.size(); }
  void Clear() {
    experiences_.clear();
    next_ = 0;
  }

 private:
  std::size_t capacity_;
  std::size_t next_ = 0;
  std::vector<Experience> experiences_;
};

/// What a learning scheduler keeps over a restart.
struct LearnedState {
  std::string scheduler;       ///< name and version of whose it is
  std::string version;
  std::int64_t decisions = 0;
  std::vector<DenseNetwork> networks;
  std::vector<double> numbers;  ///< the scheduler's own

  friend bool operator==(const LearnedState&, const LearnedState&) = default;
};

/// As one line of JSON.
std::string ToJsonLine(const LearnedState& state);
/// Reads it back. @param like  what a state of this scheduler has: its name and version, as many
/// numbers, networks of the same widths. Errors: kInvalidInput.
Expected<LearnedState> LearnedStateFrom(std::string_view text, const LearnedState& like);

}  // namespace nearfar
