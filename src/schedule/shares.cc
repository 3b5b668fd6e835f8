#include "schedule/shares.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace nearfar {
namespace {

void List(std::vector<int>& action, std::size_t node, int left,
          std::vector<std::vector<int>>& all) {
  if (node + 1 == action.size()) {
    action[node] = left;
    all.push_back(action);
    return;
  }
  for (int tenths = 0; tenths <= left; ++tenths) {
    action[node] = tenths;
    List(action, node + 1, left - tenths, all);
  }
}

}  // namespace

std::vector<std::vector<int>> ListShares(int nodes) {
  assert(nodes >= 1 && nodes <= 5);
  std::vector<std::vector<int>> all;
  std::vector<int> action(static_cast<std::size_t>(nodes));
  List(action, 0, kTenths, all);
  return all;
}

std::vector<int> RoundShares(std::span<const double> weights, int total) {
  assert(!weights.empty() && total >= 0);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int> counts(weights.size());
  std::vector<double> rest(weights.size());
  int given = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double share = sum > 0 ? weights[i] / sum : 1 / static_cast<double>(weights.size());
    const double exact = share * total;
    counts[i] = static_cast<int>(std::floor(exact + 1e-9));
    rest[i] = std::round((exact - counts[i]) * 1e9);  // ties in spite of rounding errors
    given += counts[i];
  }
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rest[a] > rest[b]; });
  for (std::size_t k = 0; given < total; ++k, ++given) {
    ++counts[order[k % order.size()]];
  }
  return counts;
}

}  // namespace nearfar
