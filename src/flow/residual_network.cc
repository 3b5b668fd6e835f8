#include "flow/residual_network.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/rng.h"

namespace nearfar {
namespace {

struct Shape {
  std::size_t columns;
  std::size_t rows;
  std::size_t cells() const { return columns * rows; }
};

/// Calls `row(out, in, weight, from, to, shift)` for every weight and every row of the grid that it
/// reaches: cells [from, to) of the output go with the same cells of the input, moved by `shift`.
template <typename Row>
void ForEachRow(const Shape& shape, std::size_t inputs, std::size_t outputs, Row row) {
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t i = 0; i < inputs; ++i) {
      for (std::size_t k = 0; k < 9; ++k) {
        const auto dy = static_cast<std::ptrdiff_t>(k / 3) - 1;
        const auto dx = static_cast<std::ptrdiff_t>(k % 3) - 1;
        const std::size_t left = dx < 0 ? 1 : 0;
        const std::size_t right = shape.columns - (dx > 0 ? 1 : 0);
        for (std::size_t y = dy < 0 ? 1 : 0; y < shape.rows - (dy > 0 ? 1 : 0); ++y) {
          const auto shift = dy * static_cast<std::ptrdiff_t>(shape.columns) + dx;
          if (left < right) {
            row(o, i, (o * inputs + i) * 9 + k, y * shape.columns + left, y * shape.columns + right,
                shift);
          }
        }
      }
    }
  }
}

void Convolve(const GridConvolution& layer, const Shape& shape, const std::vector<float>& in,
              std::vector<float>& out) {
  const std::size_t cells = shape.cells();
  assert(in.size() == layer.inputs * cells);
  out.resize(layer.outputs * cells);
  for (std::size_t o = 0; o < layer.outputs; ++o) {
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(o * cells), cells, layer.biases[o]);
  }
  ForEachRow(shape, layer.inputs, layer.outputs,
             [&](std::size_t o, std::size_t i, std::size_t w, std::size_t from, std::size_t to,
                 std::ptrdiff_t shift) {
               const float weight = layer.weights[w];
               float* const target = out.data() + o * cells;
               const float* const source = in.data() + i * cells + shift;
               for (std::size_t c = from; c < to; ++c) {
                 target[c] += weight * source[c];
               }
             });
}

/// Adds the layer's gradient, and writes that of its input where one is wanted.
void ConvolveBack(const GridConvolution& layer, const Shape& shape, const std::vector<float>& in,
                  const std::vector<float>& by_out, GridConvolution& gradient,
                  std::vector<float>* by_in) {
  const std::size_t cells = shape.cells();
  for (std::size_t o = 0; o < layer.outputs; ++o) {
    for (std::size_t c = 0; c < cells; ++c) {
      gradient.biases[o] += by_out[o * cells + c];
    }
  }
  if (by_in != nullptr) {
    by_in->assign(in.size(), 0);
  }
  ForEachRow(shape, layer.inputs, layer.outputs,
             [&](std::size_t o, std::size_t i, std::size_t w, std::size_t from, std::size_t to,
                 std::ptrdiff_t shift) {
               const float* const target = by_out.data() + o * cells;
               const float* const source = in.data() + i * cells + shift;
               float sum = 0;
               for (std::size_t c = from; c < to; ++c) {
                 sum += target[c] * source[c];
               }
               gradient.weights[w] += sum;
               if (by_in != nullptr) {
                 const float weight = layer.weights[w];
                 float* const back = by_in->data() + i * cells + shift;
                 for (std::size_t c = from; c < to; ++c) {
                   back[c] += weight * target[c];
                 }
               }
             });
}

void Rectify(const std::vector<float>& in, std::vector<float>& out) {
  out.resize(in.size());
  std::transform(in.begin(), in.end(), out.begin(), [](float x) { return std::max(x, 0.0F); });
}

void RectifyBack(const std::vector<float>& in, std::vector<float>& by) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    by[i] = in[i] > 0 ? by[i] : 0;
  }
}

void ForwardBranch(const ResidualBranch& branch, const Shape& shape, const std::vector<float>& in,
                   ResidualPass::Branch& pass) {
  Convolve(branch.first, shape, in, pass.first);
  Rectify(pass.first, pass.first_up);
  Convolve(branch.inner, shape, pass.first_up, pass.inner);
  Rectify(pass.inner, pass.inner_up);
  Convolve(branch.outer, shape, pass.inner_up, pass.outer);
  for (std::size_t i = 0; i < pass.outer.size(); ++i) {
    pass.outer[i] += pass.first[i];
  }
  Rectify(pass.outer, pass.outer_up);
  Convolve(branch.last, shape, pass.outer_up, pass.last);
}

void BackwardBranch(const ResidualBranch& branch, const Shape& shape, const std::vector<float>& in,
                    const ResidualPass::Branch& pass, const std::vector<float>& by_last,
                    ResidualBranch& gradient) {
  std::vector<float> by_outer, by_inner, by_first;
  ConvolveBack(branch.last, shape, pass.outer_up, by_last, gradient.last, &by_outer);
  RectifyBack(pass.outer, by_outer);
  ConvolveBack(branch.outer, shape, pass.inner_up, by_outer, gradient.outer, &by_inner);
  RectifyBack(pass.inner, by_inner);
  ConvolveBack(branch.inner, shape, pass.first_up, by_inner, gradient.inner, &by_first);
  RectifyBack(pass.first, by_first);
  for (std::size_t i = 0; i < by_first.size(); ++i) {
    by_first[i] += by_outer[i];
  }
  ConvolveBack(branch.first, shape, in, by_first, gradient.first, nullptr);
}

GridConvolution MakeConvolution(std::size_t inputs, std::size_t outputs, double gain, Rng& rng) {
  GridConvolution layer{inputs, outputs, std::vector<float>(outputs * inputs * 9),
                        std::vector<float>(outputs)};
  const double spread = gain * std::sqrt(2.0 / static_cast<double>(9 * inputs));
  for (float& weight : layer.weights) {
    weight = static_cast<float>(spread * rng.Normal());
  }
  return layer;
}

ResidualBranch MakeBranch(std::size_t inputs, std::size_t channels, Rng& rng) {
  return {MakeConvolution(inputs, channels, 1, rng), MakeConvolution(channels, channels, 1, rng),
          MakeConvolution(channels, channels, 0.5, rng), MakeConvolution(channels, 1, 0.5, rng)};
}

}  // namespace

ResidualNetwork MakeResidualNetwork(std::size_t channels, std::uint64_t seed) {
  assert(channels > 0);
  Rng rng(seed);
  ResidualNetwork network;
  network.trend = MakeBranch(FlowInput::kTrendPlanes, channels, rng);
  network.closeness = MakeBranch(FlowInput::kClosenessPlanes, channels, rng);
  network.combine = {1, 1, -4, 8};  // at first what Comp-1 says
  return network;
}

void Forward(const ResidualNetwork& network, const FlowInput& input, ResidualPass& pass) {
  const Shape shape{static_cast<std::size_t>(input.columns), static_cast<std::size_t>(input.rows)};
  ForwardBranch(network.trend, shape, input.trend, pass.trend);
  ForwardBranch(network.closeness, shape, input.closeness, pass.closeness);
  pass.logits.resize(shape.cells());
  for (std::size_t c = 0; c < shape.cells(); ++c) {
    pass.logits[c] = network.combine[0] * pass.trend.last[c] +
                     network.combine[1] * pass.closeness.last[c] + network.combine[2] +
                     network.combine[3] * input.closeness[c];
  }
}

void Backward(const ResidualNetwork& network, const FlowInput& input, const ResidualPass& pass,
              std::span<const float> by_logit, ResidualNetwork& gradient) {
  const Shape shape{static_cast<std::size_t>(input.columns), static_cast<std::size_t>(input.rows)};
  assert(by_logit.size() == shape.cells());
  std::vector<float> by_trend(shape.cells()), by_closeness(shape.cells());
  for (std::size_t c = 0; c < shape.cells(); ++c) {
    gradient.combine[0] += by_logit[c] * pass.trend.last[c];
    gradient.combine[1] += by_logit[c] * pass.closeness.last[c];
    gradient.combine[2] += by_logit[c];
    gradient.combine[3] += by_logit[c] * input.closeness[c];
    by_trend[c] = network.combine[0] * by_logit[c];
    by_closeness[c] = network.combine[1] * by_logit[c];
  }
  BackwardBranch(network.trend, shape, input.trend, pass.trend, by_trend, gradient.trend);
  BackwardBranch(network.closeness, shape, input.closeness, pass.closeness, by_closeness,
                 gradient.closeness);
}

std::vector<NumberList> ListsOf(ResidualNetwork& network) {
  std::vector<NumberList> lists;
  for (ResidualBranch* const branch : {&network.trend, &network.closeness}) {
    for (GridConvolution* const layer :
         {&branch->first, &branch->inner, &branch->outer, &branch->last}) {
      lists.push_back({&layer->weights, true});
      lists.push_back({&layer->biases, false});
    }
  }
  lists.push_back({&network.combine, false});
  return lists;
}

}  // namespace nearfar
