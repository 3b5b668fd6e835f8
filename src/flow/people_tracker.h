#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/detection.h"
#include "core/tile_grid.h"

namespace nearfar {

struct TrackerOptions {
  double gate = 0.6;     ///< a person is found again within so many box sizes of the forecast; > 0
  double alpha = 0.6;    ///< share of the surprise that moves the place; (0, 1]
  double beta = 0.2;     ///< share of the surprise that changes the velocity; [0, 1]
  double spread = 0.06;  ///< of the place forecast, at least, in box sizes; > 0
  double spread_rate = 0.3;  ///< more spread per second of forecast, in box sizes; >= 0
  double leave_rate = 0.05;  ///< people that vanish per second, a prior; > 0
  double drop_below = 0.03;  ///< people who are less likely there are forgotten; (0, 1)

  friend bool operator==(const TrackerOptions&, const TrackerOptions&) = default;
};

/// A person followed over frames, in px of the frame and seconds.
struct FollowedPerson {
  float x = 0, y = 0;           ///< middle of the box when last found
  float vx = 0, vy = 0;         ///< px per second
  float width = 0, height = 0;  ///< of the box
  double seen = 0;              ///< when last found
  double judged = 0;            ///< until when `alive` has been worked out
  double alive = 1;             ///< probability to be there still
  int hits = 1;                 ///< times found
  int misses = 0;               ///< times not found in a row, though looked for
  int born_in = 0;              ///< cell in which first found

  friend bool operator==(const FollowedPerson&, const FollowedPerson&) = default;
};

/// Follows people by the boxes of the frames' results (an alpha-beta filter each, nearest first),
/// and says where they stand next. It goes by what was looked at: a person in a cell that nobody
/// looked at is believed in; one who is not found where somebody looked is doubted, by the share of
/// people that the detector is seen to overlook.
class PeopleTracker {
 public:
  /// What one result brought.
  struct News {
    std::vector<int> births;  ///< cells in which somebody new was found, once for each; told when
                              ///< the person is found for the second time
    std::vector<int> deaths;  ///< cells in which somebody of them was given up
  };

  explicit PeopleTracker(const TrackerOptions& options = {}) : options_(options) {}

  /// Forgets everybody.
  void Reset(const TileGrid& grid);
  /// Takes in the result of a frame. REQUIRES: looked is as long as the grid has cells.
  News Observe(double seconds, const std::vector<bool>& looked, const Detections& people);
  /// Adds to each cell's `expected` how many of the people followed stand there at a time.
  void Forecast(double seconds, std::span<double> expected) const;

  const std::vector<FollowedPerson>& people() const { return people_; }
  /// Share of the people looked at that are overlooked, by those found again.
  double miss_rate() const { return MissRate(0); }
  /// The same of those overlooked so many times in a row just before: who is hard to see now is hard
  /// to see in a moment.
  double MissRate(int misses) const;
  /// Share of the boxes of nobody known that stand for somebody: who is found again when looked at
  /// once more.
  double confirm_rate() const { return (confirmed_ + 8) / (confirmed_ + refuted_ + 10); }
  /// People who are probably there.
  double count() const;

 private:
  struct Pair {
    float distance;
    std::uint32_t person;
    std::uint32_t box;
  };
  double Size(const FollowedPerson& person) const;

  TrackerOptions options_;
  TileGrid grid_;
  std::vector<FollowedPerson> people_;
  static constexpr int kStreak = 12;
  std::array<double, kStreak> found_{};   // by misses in a row before
  std::array<double, kStreak> missed_{};  // the same
  double confirmed_ = 0;
  double refuted_ = 0;
  std::vector<std::pair<float, std::uint32_t>> by_x_;  // kept for its memory alone, as the next
  std::vector<Pair> pairs_;
  std::vector<std::uint32_t> person_of_;
  std::vector<bool> taken_;
};

}  // namespace nearfar
