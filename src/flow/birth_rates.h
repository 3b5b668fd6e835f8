#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/tile_grid.h"
#include "flow/people_tracker.h"

namespace nearfar {

/// How often somebody new appears, per second and cell: at the frame's edge and inside it. What
/// cameras have in common.
struct PooledRates {
  double edge = 0.04;    ///< >= 0
  double inside = 0.01;  ///< >= 0

  friend bool operator==(const PooledRates&, const PooledRates&) = default;
};

struct BirthRateOptions {
  double camera_prior =
      40;  ///< the pooled rates weigh like so many cell-seconds of this camera's; > 0
  double cell_prior = 3;  ///< the camera's rates weigh like so many seconds of a cell's; > 0
  double deaths = 0.5;  ///< where people vanish they appear: a death counts as so many births; >= 0
  double floor = 0.25;  ///< no cell's rate falls below this share of its camera's; [0, 1]
  double most_seconds = 8;  ///< a cell looked at after longer counts as watched for so long; > 0
  double memory = 1800;     ///< seconds after which what was counted weighs 1/e; > 0

  friend bool operator==(const BirthRateOptions&, const BirthRateOptions&) = default;
};

/// Learns for each cell of a camera how often somebody new appears there, from what was found where
/// somebody looked. Cells that were seldom looked at go by the camera's cells of their kind (edge
/// or inside), and these by other cameras'.
class BirthRates {
 public:
  explicit BirthRates(const BirthRateOptions& options = {}) : options_(options) {}

  /// Forgets the cells, not the pooled rates.
  void Reset(const TileGrid& grid);
  /// @param waited  by cell: seconds since it was last looked at, where it was looked at now; else
  /// 0.
  /// @param followed  by cell: people who were expected. A cell where somebody was is looked at
  ///                  anyway, and says nothing of how often somebody appears where nobody is.
  void Observe(std::span<const double> waited, std::span<const double> followed,
               const PeopleTracker::News& news);
  /// Per second, by cell.
  const std::vector<double>& rates() const { return rates_; }

  const PooledRates& pooled() const { return pooled_; }
  void SetPooled(const PooledRates& pooled);
  /// This camera's own, which go by the pooled ones while little has been seen.
  PooledRates camera() const;

  /// What was counted, by cell: for saving. REQUIRES of SetCounts: as long as the grid has cells.
  const std::vector<double>& births() const { return births_; }
  const std::vector<double>& exposure() const { return exposure_; }
  void SetCounts(std::vector<double> births, std::vector<double> exposure);

 private:
  void Work();

  BirthRateOptions options_;
  TileGrid grid_;
  PooledRates pooled_;
  std::vector<double> births_;    // deaths included, as options say
  std::vector<double> exposure_;  // seconds
  std::vector<double> rates_;
};

/// True for cells of the first and last rows and columns.
bool IsEdge(const TileGrid& grid, int cell);

}  // namespace nearfar
