#include "flow/birth_rates.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace nearfar {

bool IsEdge(const TileGrid& grid, int cell) {
  const int column = cell % grid.columns;
  const int row = cell / grid.columns;
  return column == 0 || row == 0 || column == grid.columns - 1 || row == grid.rows - 1;
}

void BirthRates::Reset(const TileGrid& grid) {
  grid_ = grid;
  births_.assign(static_cast<std::size_t>(grid.cells()), 0);
  exposure_ = births_;
  rates_ = births_;
  Work();
}

void BirthRates::SetPooled(const PooledRates& pooled) {
  pooled_ = pooled;
  Work();
}

void BirthRates::SetCounts(std::vector<double> births, std::vector<double> exposure) {
  assert(births.size() == births_.size() && exposure.size() == exposure_.size());
  births_ = std::move(births);
  exposure_ = std::move(exposure);
  Work();
}

void BirthRates::Observe(std::span<const double> waited, const PeopleTracker::News& news) {
  assert(waited.size() == births_.size());
  double longest = 0;
  for (const double seconds : waited) {
    longest = std::max(longest, seconds);
  }
  if (longest <= 0) {
    return;
  }
  for (std::size_t c = 0; c < births_.size(); ++c) {
    if (waited[c] > 0) {
      const double watched = std::min(waited[c], options_.most_seconds);
      const double keep = std::exp(-waited[c] / options_.memory);
      births_[c] *= keep;
      exposure_[c] = keep * exposure_[c] + watched;
    }
  }
  for (const int cell : news.births) {
    births_[static_cast<std::size_t>(cell)] += 1 / (1 + options_.deaths);
  }
  for (const int cell : news.deaths) {
    births_[static_cast<std::size_t>(cell)] += options_.deaths / (1 + options_.deaths);
  }
  Work();
}

PooledRates BirthRates::camera() const {
  double births[2] = {}, exposure[2] = {};
  for (std::size_t c = 0; c < births_.size(); ++c) {
    const int kind = IsEdge(grid_, static_cast<int>(c)) ? 1 : 0;
    births[kind] += births_[c];
    exposure[kind] += exposure_[c];
  }
  const double prior = options_.camera_prior;
  return {(births[1] + prior * pooled_.edge) / (exposure[1] + prior),
          (births[0] + prior * pooled_.inside) / (exposure[0] + prior)};
}

void BirthRates::Work() {
  const PooledRates own = camera();
  for (std::size_t c = 0; c < births_.size(); ++c) {
    const double kind = IsEdge(grid_, static_cast<int>(c)) ? own.edge : own.inside;
    rates_[c] = std::max(options_.floor * kind, (births_[c] + options_.cell_prior * kind) /
                                                    (exposure_[c] + options_.cell_prior));
  }
}

}  // namespace nearfar
