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

void BirthRates::Observe(std::span<const double> waited, std::span<const double> followed,
                         const PeopleTracker::News& news) {
  assert(waited.size() == births_.size() && followed.size() == births_.size());
  for (std::size_t c = 0; c < births_.size(); ++c) {
    if (waited[c] > 0) {
      const double here = std::min(1.0, followed[c]);
      const double watched = (1 - here) * std::min(waited[c], options_.most_seconds);
      const double keep = std::exp(-waited[c] / options_.memory);
      births_[c] *= keep;
      exposure_[c] = keep * exposure_[c] + watched;
    }
  }
  for (const int cell : news.births) {
    const auto c = static_cast<std::size_t>(cell);
    births_[c] += waited[c] > 0 ? std::max(0.0, 1 - followed[c]) / (1 + options_.deaths) : 0;
  }
  for (const int cell : news.deaths) {
    const auto c = static_cast<std::size_t>(cell);
    births_[c] += waited[c] > 0 ? options_.deaths / (1 + options_.deaths) : 0;
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
