#include "flow/residual_network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"

namespace nearfar {
namespace {

FlowInput RandomInput(int columns, int rows, std::uint64_t seed) {
  Rng rng(seed);
  FlowInput input{columns, rows, {}, {}};
  for (std::size_t i = 0; i < FlowInput::kTrendPlanes * input.cells(); ++i) {
    input.trend.push_back(static_cast<float>(rng.Normal()));
  }
  for (std::size_t i = 0; i < FlowInput::kClosenessPlanes * input.cells(); ++i) {
    input.closeness.push_back(static_cast<float>(rng.Normal()));
  }
  return input;
}

/// A loss with a different weight for each cell.
double LossOf(const ResidualNetwork& network, const FlowInput& input) {
  ResidualPass pass;
  Forward(network, input, pass);
  double loss = 0;
  for (std::size_t c = 0; c < pass.logits.size(); ++c) {
    loss += std::sin(1.0 + static_cast<double>(c)) * double{pass.logits[c]};
  }
  return loss;
}

TEST(ResidualNetwork, GradientsMatchFiniteDifferences) {
  for (const auto& [columns, rows] : {std::pair{4, 3}, std::pair{1, 1}, std::pair{1, 5}}) {
    ResidualNetwork network = MakeResidualNetwork(3, 7);
    const FlowInput input = RandomInput(columns, rows, 11);
    ResidualPass pass;
    Forward(network, input, pass);
    std::vector<float> by_logit;
    for (std::size_t c = 0; c < pass.logits.size(); ++c) {
      by_logit.push_back(static_cast<float>(std::sin(1.0 + static_cast<double>(c))));
    }
    ResidualNetwork gradient = network;
    for (const NumberList& list : ListsOf(gradient)) {
      std::fill(list.numbers->begin(), list.numbers->end(), 0.0F);
    }
    Backward(network, input, pass, by_logit, gradient);
    const std::vector<NumberList> values = ListsOf(network);
    const std::vector<NumberList> gradients = ListsOf(gradient);
    int checked = 0;
    for (std::size_t l = 0; l < values.size(); ++l) {
      for (std::size_t i = 0; i < values[l].numbers->size(); i += 5) {
        float& value = (*values[l].numbers)[i];
        const float kept = value;
        constexpr float kStep = 1e-3F;
        value = kept + kStep;
        const double up = LossOf(network, input);
        value = kept - kStep;
        const double down = LossOf(network, input);
        value = kept;
        // At a rectifier's corner the slopes to both sides differ: the gradient lies between.
        const double here = LossOf(network, input);
        const double right = (up - here) / double{kStep};
        const double left = (here - down) / double{kStep};
        const double found = double{(*gradients[l].numbers)[i]};
        const double room = 0.02 + 0.02 * std::abs(found);
        ++checked;
        EXPECT_GE(found, std::min(left, right) - room) << "list " << l << " number " << i;
        EXPECT_LE(found, std::max(left, right) + room) << "list " << l << " number " << i;
      }
    }
    EXPECT_GT(checked, 100);
  }
}

TEST(ResidualNetwork, ServesGridsOfAnySizeAndSeesNeighbours) {
  const ResidualNetwork network = MakeResidualNetwork(8, 1);
  FlowInput input = RandomInput(16, 9, 3);
  ResidualPass pass;
  Forward(network, input, pass);
  EXPECT_EQ(pass.logits.size(), 144U);
  const std::vector<float> before = pass.logits;
  input.closeness[0] += 1;  // of the corner cell
  Forward(network, input, pass);
  EXPECT_NE(pass.logits[17], before[17]);  // its neighbour across the corner
  EXPECT_EQ(pass.logits[143], before[143]);
}

TEST(ResidualNetwork, IsTheSameForTheSameSeed) {
  EXPECT_EQ(MakeResidualNetwork(8, 5), MakeResidualNetwork(8, 5));
  EXPECT_NE(MakeResidualNetwork(8, 5), MakeResidualNetwork(8, 6));
}

}  // namespace
}  // namespace nearfar
