#pragma once

#include <span>
#include <vector>

namespace nearfar {

/// How often the small parts of a whole are listed: every way to give 10 tenths to M nodes.
inline constexpr int kTenths = 10;

/// Every action of [HODE eq. 2-4] at a granularity of 0.1, in tenths, in lexicographic order: 1 for
/// one node, 1,001 for five. REQUIRES: nodes in [1, 5].
std::vector<std::vector<int>> ListShares(int nodes);

/// Rounds shares of `total` to whole counts by the largest remainder, ties by index: each count is
/// the exact share rounded down or up, and their sum is `total`. Weights need not sum to 1; where
/// all are 0, they count alike.
/// REQUIRES: weights not empty, finite, >= 0; total >= 0.
std::vector<int> RoundShares(std::span<const double> weights, int total);

}  // namespace nearfar
