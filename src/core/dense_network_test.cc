#include "core/dense_network.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/adam.h"
#include "core/rng.h"

namespace nearfar {
namespace {

float Say(const DenseNetwork& network, std::span<const float> input) {
  std::vector<float> scratch;
  return Evaluate(network, input, scratch);
}

/// Random rows, with targets that no linear form meets.
struct Examples {
  std::vector<float> inputs;
  std::vector<float> targets;
  std::vector<float> weights;

  Examples(std::size_t count, std::size_t width, std::uint64_t seed = 3) {
    Rng rng(seed);
    for (std::size_t i = 0; i < count; ++i) {
      float target = 0;
      for (std::size_t f = 0; f < width; ++f) {
        inputs.push_back(static_cast<float>(rng.Normal()));
        target += std::abs(inputs.back()) / static_cast<float>(width);
      }
      targets.push_back(target);
      weights.push_back(static_cast<float>(rng.Uniform(0.5, 2)));
    }
  }
  DenseTraining training() const { return {inputs, targets, weights}; }
};

/// Half the mean weighted squared error.
double Loss(const DenseNetwork& network, const DenseTraining& examples) {
  const std::size_t width = network.layers.front().inputs;
  double sum = 0;
  for (std::size_t i = 0; i < examples.targets.size(); ++i) {
    const double off =
        Say(network, examples.inputs.subspan(i * width, width)) - examples.targets[i];
    sum += (examples.weights.empty() ? 1 : examples.weights[i]) * off * off / 2;
  }
  return sum / static_cast<double>(examples.targets.size());
}

TEST(DenseNetwork, ComputesWhatItsLayersSay) {
  // Five inputs: one block of four and a rest. The second hidden unit is below 0: rectified.
  const DenseNetwork network{
      {{5, 2, {1, 2, 3, 4, 5, -1, -1, -1, -1, -1}, {0.5F, 0}}, {2, 1, {2, 100}, {-1}}}};
  const std::array<float, 5> input = {1, 1, 1, 1, 2};
  EXPECT_EQ(Say(network, input), 2 * (1 + 2 + 3 + 4 + 10 + 0.5F) - 1);
  const std::array<float, 5> negative = {-1, -1, -1, -1, -1};
  EXPECT_EQ(Say(network, negative), 100 * 5 - 1);
  // The last layer is plain: it may say less than 0.
  const std::array<float, 5> nothing = {};
  EXPECT_EQ(Say({{{5, 1, {0, 0, 0, 0, 0}, {-3}}}}, nothing), -3);
}

TEST(DenseNetwork, StartsFromItsSeedAloneWithBiasesAtZero) {
  const std::array<std::size_t, 3> widths = {400, 16, 1};
  const DenseNetwork network = MakeDenseNetwork(widths, 5);
  EXPECT_EQ(MakeDenseNetwork(widths, 5), network);
  EXPECT_NE(MakeDenseNetwork(widths, 6), network);
  ASSERT_EQ(network.layers.size(), 2U);
  double square = 0;
  for (const float weight : network.layers[0].weights) {
    square += weight * weight / static_cast<double>(network.layers[0].weights.size());
  }
  EXPECT_NEAR(square, 2.0 / 400, 0.1 * 2.0 / 400);  // He
  EXPECT_THAT(network.layers[0].biases, ::testing::Each(0.0F));
}

TEST(DenseNetwork, GradientMatchesFiniteDifferences) {
  const std::array<std::size_t, 4> widths = {5, 7, 6, 1};
  DenseNetwork network = MakeDenseNetwork(widths, 2);
  Rng rng(8);
  for (DenseLayer& layer : network.layers) {
    for (float& bias : layer.biases) {
      bias = static_cast<float>(rng.Uniform(0.05, 0.3));
    }
  }
  const Examples examples(9, 5);
  const std::vector<DenseLayer> gradient = Gradient(network, examples.training());
  ASSERT_EQ(gradient.size(), 3U);
  const auto check = [&](float& value, float derivative) {
    constexpr float kStep = 3e-4F;
    const float kept = value;
    value = kept + kStep;
    const double above = Loss(network, examples.training());
    value = kept - kStep;
    const double below = Loss(network, examples.training());
    value = kept;
    EXPECT_NEAR(derivative, (above - below) / (2 * kStep), 2e-3 + 5e-3 * std::abs(derivative));
  };
  double size = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    for (std::size_t i = 0; i < network.layers[l].weights.size(); ++i) {
      check(network.layers[l].weights[i], gradient[l].weights[i]);
      size += std::abs(gradient[l].weights[i]);
    }
    for (std::size_t i = 0; i < network.layers[l].biases.size(); ++i) {
      check(network.layers[l].biases[i], gradient[l].biases[i]);
    }
  }
  EXPECT_GT(size, 1);  // there was something to compare
}

TEST(DenseNetwork, AWeightCountsAsRepetition) {
  const std::array<std::size_t, 3> widths = {2, 4, 1};
  const DenseNetwork network = MakeDenseNetwork(widths, 4);
  const std::vector<float> inputs = {1, 2, -1, 0.5F};
  const std::vector<float> targets = {1, -1};
  const std::vector<float> twice = {2, 1};
  const std::vector<float> repeated_inputs = {1, 2, 1, 2, -1, 0.5F};
  const std::vector<float> repeated_targets = {1, 1, -1};
  const auto weighted = Gradient(network, {inputs, targets, twice});
  const auto repeated = Gradient(network, {repeated_inputs, repeated_targets, {}});
  for (std::size_t l = 0; l < weighted.size(); ++l) {
    for (std::size_t i = 0; i < weighted[l].weights.size(); ++i) {
      // Averaged over two examples, and over three.
      EXPECT_NEAR(2 * weighted[l].weights[i], 3 * repeated[l].weights[i], 1e-5);
    }
  }
}

TEST(DenseNetwork, LearnsWhatNoLinearFormCanAndTheSameEachTime) {
  const std::array<std::size_t, 3> widths = {2, 16, 1};
  const DenseNetwork start = MakeDenseNetwork(widths, 1);
  const Examples examples(400, 2);
  const AdamOptions options{.learning_rate = 1e-2, .weight_decay = 0, .epochs = 40};
  DenseNetwork network = start;
  TrainNetwork(network, examples.training(), options);
  EXPECT_LT(Loss(network, examples.training()), 0.02 * Loss(start, examples.training()));
  const Examples unseen(200, 2, 77);
  EXPECT_LT(Loss(network, unseen.training()), 0.05 * Loss(start, unseen.training()));
  DenseNetwork again = start;
  TrainNetwork(again, examples.training(), options);
  EXPECT_EQ(again, network);
  DenseNetwork other_order = start;
  AdamOptions reordered = options;
  reordered.seed = 2;
  TrainNetwork(other_order, examples.training(), reordered);
  EXPECT_NE(other_order, network);
}

TEST(DenseNetwork, LearnsNothingOfExamplesWithoutWeight) {
  const std::array<std::size_t, 3> widths = {1, 4, 1};
  const std::vector<float> inputs = {1, 2};
  const std::vector<float> targets = {5, -5};
  const std::vector<float> none = {0, 0};
  const DenseNetwork start = MakeDenseNetwork(widths, 1);
  DenseNetwork network = start;
  TrainNetwork(network, {inputs, targets, none}, {.weight_decay = 0, .epochs = 3});
  EXPECT_EQ(network, start);
}

TEST(DensePass, GradientsOfManyOutputsByWeightsAndInputMatchFiniteDifferences) {
  const std::array<std::size_t, 4> widths = {5, 7, 6, 3};
  DenseNetwork network = MakeDenseNetwork(widths, 3);
  std::vector<float> input = {0.3F, -0.2F, 0.9F, 0.5F, -0.7F};
  const std::vector<float> errors = {1, 0, -2};  // the loss: first - 2 · third output
  std::vector<float> scratch;
  const auto loss = [&] {
    const auto said = EvaluateAll(network, input, scratch);
    return static_cast<double>(said[0]) - 2 * static_cast<double>(said[2]);
  };
  DensePass pass(network);
  const auto forward = pass.Forward(input);
  const auto said = EvaluateAll(network, input, scratch);
  ASSERT_EQ(forward.size(), 3U);
  EXPECT_TRUE(std::equal(forward.begin(), forward.end(), said.begin(), said.end()));
  pass.Clear();
  const auto by_input = pass.BackwardToInput(input, errors);
  const auto check = [&](float& value, float derivative) {
    constexpr float kStep = 1e-3F;
    const float kept = value;
    value = kept + kStep;
    const double above = loss();
    value = kept - kStep;
    const double below = loss();
    value = kept;
    EXPECT_NEAR(derivative, (above - below) / (2 * kStep), 5e-3 + 5e-3 * std::abs(derivative));
  };
  for (std::size_t i = 0; i < input.size(); ++i) {
    EXPECT_NE(by_input[i], 0);
    check(input[i], by_input[i]);
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    for (std::size_t i = 0; i < network.layers[l].weights.size(); ++i) {
      check(network.layers[l].weights[i], pass.gradient()[l].weights[i]);
    }
    for (std::size_t i = 0; i < network.layers[l].biases.size(); ++i) {
      check(network.layers[l].biases[i], pass.gradient()[l].biases[i]);
    }
  }
  // Twice the same adds up; without the input, the weights' part is the same.
  const std::vector<DenseLayer> once = pass.gradient();
  pass.Forward(input);
  pass.Backward(input, errors);
  for (std::size_t l = 0; l < once.size(); ++l) {
    for (std::size_t i = 0; i < once[l].weights.size(); ++i) {
      EXPECT_FLOAT_EQ(pass.gradient()[l].weights[i], 2 * once[l].weights[i]);
    }
  }
}

TEST(Adam, StepsByTheRateAgainstTheGradientFirstAndNotAtAllAfterItsSteps) {
  Adam adam({.learning_rate = 0.1, .steps = 2});
  std::vector<float> values = {1, 1, 1};
  const std::vector<float> gradient = {4, -0.001F, 0};
  adam.Begin();
  adam.Step(values, gradient, 1);
  EXPECT_NEAR(values[0], 0.9, 1e-5);
  EXPECT_NEAR(values[1], 1.1, 1e-4);
  EXPECT_EQ(values[2], 1);
  adam.Begin();
  adam.Step(values, gradient, 1);
  EXPECT_NEAR(values[0], 0.85, 1e-5);  // half way along the cosine: half the rate
  const std::vector<float> last = values;
  for (int more = 0; more < 3; ++more) {
    adam.Begin();
    adam.Step(values, gradient, 1);
    EXPECT_EQ(values, last);
  }
}

TEST(Adam, DecaysWhatIsToDecay) {
  Adam adam({.learning_rate = 0.1, .weight_decay = 0.5, .steps = 10});
  std::vector<float> weights = {2};
  std::vector<float> biases = {2};
  const std::vector<float> flat = {0};
  adam.Begin();
  adam.Step(weights, flat, 1);
  adam.Step(biases, flat, 1, /*decays=*/false);
  EXPECT_FLOAT_EQ(weights[0], 2 * (1 - 0.1F * 0.5F));
  EXPECT_EQ(biases[0], 2);
}

}  // namespace
}  // namespace nearfar
