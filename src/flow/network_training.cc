#include "flow/network_training.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "core/adam.h"
#include "core/phrase.h"
#include "core/rng.h"

namespace nearfar {
namespace {

constexpr std::size_t kLeastExamples = 10;

/// Hides cells without people, each frame's with one chance, as unknown.
void Hide(FlowInput& input, Rng& rng) {
  const std::size_t cells = input.cells();
  const double share = rng.Uniform();
  for (std::size_t f = 0; f < FlowInput::kFrames; ++f) {
    float* const counts = input.trend.data() + 2 * f * cells;
    float* const known = counts + cells;
    for (std::size_t c = 0; c < cells; ++c) {
      if (counts[c] == 0 && rng.Chance(share)) {
        known[c] = 0;
        if (f == 0) {
          input.closeness[cells + c] = 0;
        }
      }
    }
  }
}

double Logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// Cross entropy summed over the known cells; `by_logit` is filled with its derivative.
double Loss(const FlowExample& example, const std::vector<float>& logits,
            std::vector<float>* by_logit) {
  double loss = 0;
  for (std::size_t c = 0; c < logits.size(); ++c) {
    const double x = double{logits[c]};
    const bool occupied = example.people[c] > 0;
    if (by_logit != nullptr) {
      (*by_logit)[c] = example.known[c] ? static_cast<float>(Logistic(x) - (occupied ? 1 : 0)) : 0;
    }
    if (example.known[c]) {
      loss += std::max(x, 0.0) - (occupied ? x : 0) + std::log1p(std::exp(-std::abs(x)));
    }
  }
  return loss;
}

using Part = std::vector<const FlowExample*>;

std::size_t KnownCells(const Part& part) {
  std::size_t known = 0;
  for (const FlowExample* const example : part) {
    known +=
        static_cast<std::size_t>(std::count(example->known.begin(), example->known.end(), true));
  }
  return known;
}

double MeanLoss(const ResidualNetwork& network, const Part& part, ResidualPass& pass) {
  double loss = 0;
  for (const FlowExample* const example : part) {
    Forward(network, example->input, pass);
    loss += Loss(*example, pass.logits, nullptr);
  }
  return loss / static_cast<double>(std::max<std::size_t>(1, KnownCells(part)));
}

/// The greatest probability from which the cells kept hold the target's share of the people.
double ThresholdFor(double target, const ResidualNetwork& network, const Part& part,
                    ResidualPass& pass) {
  std::vector<std::pair<float, float>> people;  // logit of their cell, how many
  double all = 0;
  for (const FlowExample* const example : part) {
    Forward(network, example->input, pass);
    for (std::size_t c = 0; c < pass.logits.size(); ++c) {
      if (example->known[c] && example->people[c] > 0) {
        people.emplace_back(pass.logits[c], example->people[c]);
        all += double{example->people[c]};
      }
    }
  }
  if (people.empty()) {
    return 0.5;
  }
  std::sort(people.begin(), people.end());
  double missed = 0;
  for (const auto& [logit, count] : people) {
    missed += double{count};
    if (missed > (1 - target) * all) {
      return std::clamp(Logistic(double{logit}), 1e-6, 0.5);
    }
  }
  return 0.5;
}

Expected<void> Check(const FlowTrainingOptions& options) {
  const bool ok = options.channels > 0 && options.epochs > 0 && options.batch > 0 &&
                  options.learning_rate > 0 && options.weight_decay >= 0 && options.hide >= 0 &&
                  options.hide <= 1 && options.target_recall > 0 && options.target_recall < 1;
  return ok ? Expected<void>()
            : Fail(ErrorCode::kInvalidInput,
                   "training the flow network: an option is out of range");
}

}  // namespace

Expected<TrainedFlowNetwork> TrainFlowNetwork(std::vector<FlowExample> examples,
                                              const FlowTrainingOptions& options) {
  std::vector<std::vector<FlowExample>> sequences;
  sequences.push_back(std::move(examples));
  return TrainFlowNetwork(sequences, options);
}

Expected<TrainedFlowNetwork> TrainFlowNetwork(
    const std::vector<std::vector<FlowExample>>& sequences, const FlowTrainingOptions& options) {
  if (const Expected<void> valid = Check(options); !valid) {
    return tl::unexpected(valid.error());
  }
  Part train, validation, test;
  for (const std::vector<FlowExample>& sequence : sequences) {
    for (std::size_t i = 0; i < sequence.size(); ++i) {
      Part& part =
          5 * i < 3 * sequence.size() ? train : (5 * i < 4 * sequence.size() ? validation : test);
      part.push_back(&sequence[i]);
    }
  }
  TrainedFlowNetwork trained{.examples = train.size() + validation.size() + test.size()};
  if (trained.examples < kLeastExamples || validation.empty() || test.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "training the flow network: there are " + std::to_string(trained.examples) +
                    " frames looked at whole, but it takes " + std::to_string(kLeastExamples));
  }
  ResidualNetwork network = MakeResidualNetwork(options.channels, options.seed);
  ResidualNetwork gradient = network;
  Rng rng(options.seed ^ HashText("flow network"));
  const auto batch = static_cast<std::size_t>(options.batch);
  const std::size_t steps = (train.size() + batch - 1) / batch;
  Adam adam({.learning_rate = options.learning_rate,
             .weight_decay = options.weight_decay,
             .steps = static_cast<double>(steps) * options.epochs});
  std::vector<std::size_t> order(train.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  ResidualPass pass;
  FlowInput input;
  std::vector<float> by_logit;
  double best = std::numeric_limits<double>::infinity();
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    rng.Shuffle(order);
    for (std::size_t begin = 0; begin < order.size(); begin += batch) {
      for (const NumberList& list : ListsOf(gradient)) {
        std::fill(list.numbers->begin(), list.numbers->end(), 0.0F);
      }
      const std::size_t end = std::min(order.size(), begin + batch);
      std::size_t cells = 0;
      for (std::size_t i = begin; i < end; ++i) {
        const FlowExample& example = *train[order[i]];
        input = example.input;
        if (rng.Chance(options.hide)) {
          Hide(input, rng);
        }
        Forward(network, input, pass);
        by_logit.resize(pass.logits.size());
        Loss(example, pass.logits, &by_logit);
        Backward(network, input, pass, by_logit, gradient);
        cells += pass.logits.size();
      }
      adam.Begin();
      std::vector<NumberList> values = ListsOf(network);
      const std::vector<NumberList> gradients = ListsOf(gradient);
      for (std::size_t i = 0; i < values.size(); ++i) {
        adam.Step(*values[i].numbers, *gradients[i].numbers,
                  1.0 / static_cast<double>(std::max<std::size_t>(1, cells)), values[i].weights);
      }
    }
    trained.curve.push_back({MeanLoss(network, train, pass), MeanLoss(network, validation, pass)});
    if (trained.curve.back().validation < best) {
      best = trained.curve.back().validation;
      trained.network = network;
    }
  }
  if (trained.network.combine.empty()) {
    trained.network = network;  // no validation loss was a number
  }
  trained.threshold = ThresholdFor(options.target_recall, trained.network, validation, pass);
  trained.test_loss = MeanLoss(trained.network, test, pass);
  double right = 0;
  for (const FlowExample* const example : test) {
    Forward(trained.network, example->input, pass);
    for (std::size_t c = 0; c < pass.logits.size(); ++c) {
      right += example->known[c] && (pass.logits[c] >= 0) == (example->people[c] > 0) ? 1 : 0;
    }
  }
  trained.test_accuracy = right / static_cast<double>(std::max<std::size_t>(1, KnownCells(test)));
  return trained;
}

}  // namespace nearfar
