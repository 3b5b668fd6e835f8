#include "core/dense_network.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "core/adam.h"
#include "core/rng.h"

namespace nearfar {
namespace {

void Apply(const DenseLayer& layer, const float* in, float* out) {
  for (std::size_t o = 0; o < layer.outputs; ++o) {
    const float* const row = layer.weights.data() + o * layer.inputs;
    // Four sums at once: a single one would wait for itself.
    float sums[4] = {layer.biases[o], 0, 0, 0};
    std::size_t i = 0;
    for (; i + 4 <= layer.inputs; i += 4) {
      for (std::size_t k = 0; k < 4; ++k) {
        sums[k] += row[i + k] * in[i + k];
      }
    }
    for (; i < layer.inputs; ++i) {
      sums[0] += row[i] * in[i];
    }
    out[o] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
}

/// The gradient of one example's weighted squared error, halved.
void AddExample(DensePass& pass, std::span<const float> input, float target, float weight) {
  const float error = weight * (pass.Forward(input)[0] - target);
  pass.Backward(input, {&error, 1});
}

}  // namespace

DensePass::DensePass(const DenseNetwork& network) : network_(network) {
  for (const DenseLayer& layer : network.layers) {
    outputs_.emplace_back(layer.outputs);
    errors_.emplace_back(layer.outputs);
    gradient_.push_back({layer.inputs, layer.outputs, std::vector<float>(layer.weights.size()),
                         std::vector<float>(layer.biases.size())});
  }
  input_errors_.resize(network.layers.front().inputs);
}

void DensePass::Clear() {
  for (DenseLayer& layer : gradient_) {
    std::fill(layer.weights.begin(), layer.weights.end(), 0.0F);
    std::fill(layer.biases.begin(), layer.biases.end(), 0.0F);
  }
}

std::span<const float> DensePass::Forward(std::span<const float> input) {
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    Apply(network_.layers[l], l == 0 ? input.data() : outputs_[l - 1].data(), outputs_[l].data());
    if (l + 1 < network_.layers.size()) {
      for (float& value : outputs_[l]) {
        value = std::max(value, 0.0F);
      }
    }
  }
  return outputs_.back();
}

void DensePass::Backward(std::span<const float> input, std::span<const float> errors) {
  std::copy(errors.begin(), errors.end(), errors_.back().begin());
  Propagate(input, nullptr);
}

std::span<const float> DensePass::BackwardToInput(std::span<const float> input,
                                                  std::span<const float> errors) {
  std::copy(errors.begin(), errors.end(), errors_.back().begin());
  Propagate(input, input_errors_.data());
  return input_errors_;
}

void DensePass::Propagate(std::span<const float> input, float* to_input) {
  for (std::size_t l = network_.layers.size(); l-- > 0;) {
    const DenseLayer& layer = network_.layers[l];
    const float* const in = l == 0 ? input.data() : outputs_[l - 1].data();
    float* const back = l == 0 ? to_input : errors_[l - 1].data();
    if (back != nullptr) {
      std::fill(back, back + layer.inputs, 0.0F);
    }
    for (std::size_t o = 0; o < layer.outputs; ++o) {
      const float error = errors_[l][o];
      if (error == 0) {
        continue;
      }
      gradient_[l].biases[o] += error;
      float* const row = gradient_[l].weights.data() + o * layer.inputs;
      const float* const weights = layer.weights.data() + o * layer.inputs;
      for (std::size_t i = 0; i < layer.inputs; ++i) {
        row[i] += error * in[i];
      }
      for (std::size_t i = 0; back != nullptr && i < layer.inputs; ++i) {
        back[i] += error * weights[i];
      }
    }
    for (std::size_t i = 0; l > 0 && i < layer.inputs; ++i) {
      if (in[i] <= 0) {
        back[i] = 0;
      }
    }
  }
}

DenseNetwork MakeDenseNetwork(std::span<const std::size_t> widths, std::uint64_t seed) {
  assert(widths.size() >= 2);
  Rng rng(seed);
  DenseNetwork network;
  for (std::size_t l = 1; l < widths.size(); ++l) {
    DenseLayer layer{widths[l - 1], widths[l], {}, std::vector<float>(widths[l], 0)};
    const double spread = std::sqrt(2.0 / static_cast<double>(layer.inputs));
    for (std::size_t i = 0; i < layer.inputs * layer.outputs; ++i) {
      layer.weights.push_back(static_cast<float>(spread * rng.Normal()));
    }
    network.layers.push_back(std::move(layer));
  }
  return network;
}

float Evaluate(const DenseNetwork& network, std::span<const float> input,
               std::vector<float>& scratch) {
  return EvaluateAll(network, input, scratch)[0];
}

std::span<const float> EvaluateAll(const DenseNetwork& network, std::span<const float> input,
                                   std::vector<float>& scratch) {
  std::size_t widest = 0;
  for (const DenseLayer& layer : network.layers) {
    widest = std::max(widest, layer.outputs);
  }
  scratch.resize(2 * widest);
  const float* in = input.data();
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const DenseLayer& layer = network.layers[l];
    float* const out = scratch.data() + (l % 2) * widest;
    Apply(layer, in, out);
    if (l + 1 < network.layers.size()) {
      for (std::size_t o = 0; o < layer.outputs; ++o) {
        out[o] = std::max(out[o], 0.0F);
      }
    }
    in = out;
  }
  return {in, network.layers.back().outputs};
}

void TrainNetwork(DenseNetwork& network, const DenseTraining& examples, const AdamOptions& options) {
  const std::size_t count = examples.targets.size();
  const std::size_t inputs = network.layers.front().inputs;
  assert(count > 0 && examples.inputs.size() == count * inputs);
  assert(examples.weights.empty() || examples.weights.size() == count);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  DensePass pass(network);
  Rng rng(options.seed);
  const auto batch = static_cast<std::size_t>(options.batch);
  const std::size_t batches = (count + batch - 1) / batch;
  Adam adam({.learning_rate = options.learning_rate,
             .weight_decay = options.weight_decay,
             .steps = static_cast<double>(batches) * options.epochs});
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    rng.Shuffle(order);
    for (std::size_t start = 0; start < count; start += batch) {
      pass.Clear();
      const std::size_t end = std::min(count, start + batch);
      for (std::size_t i = start; i < end; ++i) {
        AddExample(pass, examples.inputs.subspan(order[i] * inputs, inputs),
                   examples.targets[order[i]],
                   examples.weights.empty() ? 1.0F : examples.weights[order[i]]);
      }
      const double scale = 1 / static_cast<double>(end - start);
      adam.Begin();
      for (std::size_t l = 0; l < network.layers.size(); ++l) {
        adam.Step(network.layers[l].weights, pass.gradient()[l].weights, scale);
        adam.Step(network.layers[l].biases, pass.gradient()[l].biases, scale, /*decays=*/false);
      }
    }
  }
}

std::vector<DenseLayer> Gradient(const DenseNetwork& network, const DenseTraining& examples) {
  const std::size_t count = examples.targets.size();
  const std::size_t inputs = network.layers.front().inputs;
  DensePass pass(network);
  pass.Clear();
  for (std::size_t i = 0; i < count; ++i) {
    const float weight = examples.weights.empty() ? 1.0F : examples.weights[i];
    AddExample(pass, examples.inputs.subspan(i * inputs, inputs), examples.targets[i],
               weight / static_cast<float>(count));
  }
  return pass.gradient();
}

}  // namespace nearfar
