#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// A 3x3 convolution over a grid, padded with zeros, without an activation.
struct GridConvolution {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::vector<float> weights;  ///< outputs x inputs x 3 rows x 3 columns
  std::vector<float> biases;   ///< outputs

  friend bool operator==(const GridConvolution&, const GridConvolution&) = default;
};

/// One of the two residual convolutional networks of [HODE Fig. 6]: a convolution to some channels,
/// one residual unit (rectify, convolve, twice, added to what came in), rectify, and a convolution
/// to one number for each cell.
struct ResidualBranch {
  GridConvolution first;
  GridConvolution inner;
  GridConvolution outer;
  GridConvolution last;

  friend bool operator==(const ResidualBranch&, const ResidualBranch&) = default;
};

/// What the network sees of one frame: planes of numbers, cell by cell in the grid's order.
/// The trend branch has the five newest results: of each a plane of log(1 + people) and one of 1
/// where the cell was looked at (beyond the paper: where it is 0, the count is unknown), and last a
/// plane of the age of the newest. The closeness branch has the newest result alone (1 where there
/// is anybody), its age, and a plane of how many of the people followed are forecast in the cell
/// (beyond the paper; zeros: left out).
struct FlowInput {
  static constexpr std::size_t kFrames = 5;
  static constexpr std::size_t kTrendPlanes = 2 * kFrames + 1;
  static constexpr std::size_t kClosenessPlanes = 4;

  int columns = 0;
  int rows = 0;
  std::vector<float> trend;      ///< kTrendPlanes x cells
  std::vector<float> closeness;  ///< kClosenessPlanes x cells

  std::size_t cells() const {
    return static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows);
  }
  friend bool operator==(const FlowInput&, const FlowInput&) = default;
};

/// The spatio-temporal flow filter's network as a value: [HODE §II.A, Fig. 6]. A trend branch over
/// five frames and a closeness branch over one, combined by a weighted sum for each cell; the paper
/// leaves depth, width and the way of combining open. The same weights serve grids of any size.
struct ResidualNetwork {
  ResidualBranch trend;
  ResidualBranch closeness;
  std::vector<float>
      combine;  ///< weights of trend and closeness, the bias, and the weight of the newest
                ///< result itself, so that the branches learn what Comp-1 misses

  friend bool operator==(const ResidualNetwork&, const ResidualNetwork&) = default;
};

/// A network with random weights (He), the last convolutions' small. REQUIRES: channels > 0.
ResidualNetwork MakeResidualNetwork(std::size_t channels, std::uint64_t seed);

/// What a pass leaves behind, for the way back; its memory is used again.
struct ResidualPass {
  struct Branch {
    std::vector<float> first, first_up, inner, inner_up, outer, outer_up, last;
  };
  Branch trend;
  Branch closeness;
  std::vector<float> logits;  ///< by cell: the log odds that somebody stands there
};

/// REQUIRES: the input's planes are as long as its grid says.
void Forward(const ResidualNetwork& network, const FlowInput& input, ResidualPass& pass);

/// Adds the gradient of a loss to `gradient`, a network of the same shape.
/// @param by_logit  the loss's derivative by each cell's logit.
/// REQUIRES: pass is Forward's of this network and input.
void Backward(const ResidualNetwork& network, const FlowInput& input, const ResidualPass& pass,
              std::span<const float> by_logit, ResidualNetwork& gradient);

/// The network's lists of numbers in a fixed order, and whether each is of weights (not biases).
struct NumberList {
  std::vector<float>* numbers;
  bool weights;
};
std::vector<NumberList> ListsOf(ResidualNetwork& network);

}  // namespace nearfar
