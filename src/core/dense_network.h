#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nearfar {

/// One fully connected layer: y = weights x + biases.
struct DenseLayer {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::vector<float> weights;  ///< row by row: outputs x inputs
  std::vector<float> biases;   ///< outputs

  friend bool operator==(const DenseLayer&, const DenseLayer&) = default;
};

/// A small fully connected network as a value: layer after layer, rectified between them (ReLU),
/// the last one plain.
struct DenseNetwork {
  std::vector<DenseLayer> layers;

  friend bool operator==(const DenseNetwork&, const DenseNetwork&) = default;
};

/// A network of these widths, inputs first, with random weights (He) and biases 0.
/// REQUIRES: at least two widths, all > 0.
DenseNetwork MakeDenseNetwork(std::span<const std::size_t> widths, std::uint64_t seed);

/// What the network says of one input: its outputs, which stand in `scratch` until the next call.
/// REQUIRES: input as long as the first layer is wide.
std::span<const float> EvaluateAll(const DenseNetwork& network, std::span<const float> input,
                                   std::vector<float>& scratch);

/// The first output, of networks that have one.
float Evaluate(const DenseNetwork& network, std::span<const float> input,
               std::vector<float>& scratch);

/// Passes forwards and backwards through a network, for losses of any kind over any of its outputs.
/// The network must outlive it, and may change its weights, not its widths.
class DensePass {
 public:
  explicit DensePass(const DenseNetwork& network);

  /// Sets the gradient to 0.
  void Clear();
  /// The outputs, until the next call. REQUIRES: input as long as the first layer is wide.
  std::span<const float> Forward(std::span<const float> input);
  /// Adds to the gradient what the last Forward contributes. REQUIRES: the same input.
  /// @param errors  derivatives of the loss by each output.
  void Backward(std::span<const float> input, std::span<const float> errors);
  /// As Backward. @return the derivatives by the input, until the next call.
  std::span<const float> BackwardToInput(std::span<const float> input,
                                         std::span<const float> errors);
  /// By layer.
  const std::vector<DenseLayer>& gradient() const { return gradient_; }

 private:
  void Propagate(std::span<const float> input, float* to_input);

  const DenseNetwork& network_;
  std::vector<std::vector<float>> outputs_;  // of each layer, rectified
  std::vector<std::vector<float>> errors_;   // of each layer's output
  std::vector<float> input_errors_;
  std::vector<DenseLayer> gradient_;
};

/// One example: its input row, what should come out, and how much it counts.
struct DenseTraining {
  std::span<const float> inputs;   ///< row by row: examples x inputs of the network
  std::span<const float> targets;  ///< one for each example
  std::span<const float> weights;  ///< one for each example; empty: 1 each
};

struct AdamOptions {
  double learning_rate = 3e-3;  ///< falls to 0 along half a cosine; > 0
  double weight_decay = 1e-3;   ///< of weights, not of biases, per step in units of the rate; >= 0
  int epochs = 40;              ///< passes over the examples; > 0
  int batch = 32;               ///< > 0
  std::uint64_t seed = 1;       ///< of the order of examples

  friend bool operator==(const AdamOptions&, const AdamOptions&) = default;
};

/// Trains towards the least weighted squared error (Adam, with decoupled weight decay).
/// REQUIRES: at least one example, sizes that belong together, one output.
void TrainNetwork(DenseNetwork& network, const DenseTraining& examples, const AdamOptions& options);

/// The gradient of the weighted squared error, halved and averaged over all examples, by layer: for
/// tests against finite differences.
std::vector<DenseLayer> Gradient(const DenseNetwork& network, const DenseTraining& examples);

}  // namespace nearfar
