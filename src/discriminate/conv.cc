#include "discriminate/conv.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/adam.h"
#include "core/phrase.h"
#include "core/rng.h"

namespace nearfar {
namespace {

constexpr std::size_t kBoxes = ConvNet::kBoxes;
constexpr std::size_t kInputs = ConvNet::kInputs;
constexpr std::size_t kChannels = ConvNet::kChannels;
constexpr std::size_t kWidth = ConvNet::kWidth;
constexpr std::size_t kBatch = 32;

/// One convolution along the boxes, padded with zeros. `weights` holds out x width x in, then out
/// biases.
void Convolve(const std::vector<float>& weights, const float* in, std::size_t channels_in,
              float* out) {
  const float* const biases = weights.data() + kChannels * kWidth * channels_in;
  for (std::size_t x = 0; x < kBoxes; ++x) {
    for (std::size_t o = 0; o < kChannels; ++o) {
      float sum = biases[o];
      for (std::size_t k = 0; k < kWidth; ++k) {
        if (x + k < 1 || x + k > kBoxes) {
          continue;  // the padding
        }
        const float* const from = in + (x + k - 1) * channels_in;
        const float* const w = weights.data() + (o * kWidth + k) * channels_in;
        for (std::size_t i = 0; i < channels_in; ++i) {
          sum += w[i] * from[i];
        }
      }
      out[x * kChannels + o] = sum;
    }
  }
}

/// Its derivatives: adds to those of the weights and, where asked for, of the input.
void ConvolveBack(const std::vector<float>& weights, const float* in, std::size_t channels_in,
                  const float* error, std::vector<float>& gradient, float* back) {
  float* const biases = gradient.data() + kChannels * kWidth * channels_in;
  for (std::size_t x = 0; x < kBoxes; ++x) {
    for (std::size_t o = 0; o < kChannels; ++o) {
      const float e = error[x * kChannels + o];
      if (e == 0) {
        continue;
      }
      biases[o] += e;
      for (std::size_t k = 0; k < kWidth; ++k) {
        if (x + k < 1 || x + k > kBoxes) {
          continue;
        }
        const std::size_t from = (x + k - 1) * channels_in;
        const std::size_t w = (o * kWidth + k) * channels_in;
        for (std::size_t i = 0; i < channels_in; ++i) {
          gradient[w + i] += e * in[from + i];
          if (back != nullptr) {
            back[from + i] += e * weights[w + i];
          }
        }
      }
    }
  }
}

struct Activations {
  std::array<float, kBoxes * kChannels> first;
  std::array<float, kBoxes * kChannels> second;
  std::array<float, kChannels> mean;
  float output = 0;
};

template <typename Values>
void Rectify(Values& values) {
  for (float& value : values) {
    value = std::max(value, 0.0F);
  }
}

Activations Forward(const ConvNet& net, const ConvInput& input) {
  Activations a;
  Convolve(net.first, input.data(), kInputs, a.first.data());
  Rectify(a.first);
  Convolve(net.second, a.first.data(), kChannels, a.second.data());
  Rectify(a.second);
  a.mean.fill(0);
  for (std::size_t x = 0; x < kBoxes; ++x) {
    for (std::size_t c = 0; c < kChannels; ++c) {
      a.mean[c] += a.second[x * kChannels + c] / static_cast<float>(kBoxes);
    }
  }
  a.output = net.last[kChannels];
  for (std::size_t c = 0; c < kChannels; ++c) {
    a.output += net.last[c] * a.mean[c];
  }
  return a;
}

void Backward(const ConvNet& net, const ConvInput& input, bool difficult, ConvNet& gradient) {
  const Activations a = Forward(net, input);
  const float probability = 1 / (1 + std::exp(-a.output));
  const float error = probability - (difficult ? 1.0F : 0.0F);
  std::array<float, kBoxes * kChannels> second{};
  for (std::size_t c = 0; c < kChannels; ++c) {
    gradient.last[c] += error * a.mean[c];
    for (std::size_t x = 0; x < kBoxes; ++x) {
      if (a.second[x * kChannels + c] > 0) {
        second[x * kChannels + c] = error * net.last[c] / static_cast<float>(kBoxes);
      }
    }
  }
  gradient.last[kChannels] += error;
  std::array<float, kBoxes * kChannels> first{};
  ConvolveBack(net.second, a.first.data(), kChannels, second.data(), gradient.second, first.data());
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (a.first[i] <= 0) {
      first[i] = 0;
    }
  }
  ConvolveBack(net.first, input.data(), kInputs, first.data(), gradient.first, nullptr);
}

constexpr std::size_t kFirstSize = kChannels * (kWidth * kInputs + 1);
constexpr std::size_t kSecondSize = kChannels * (kWidth * kChannels + 1);
constexpr std::size_t kLastSize = kChannels + 1;

ConvNet Zeros() {
  return {std::vector<float>(kFirstSize), std::vector<float>(kSecondSize),
          std::vector<float>(kLastSize)};
}

void FillAtRandom(std::vector<float>& values, std::size_t biases, std::size_t inputs, Rng& rng) {
  const double spread = std::sqrt(2.0 / static_cast<double>(inputs));
  for (std::size_t i = 0; i + biases < values.size(); ++i) {
    values[i] = static_cast<float>(spread * rng.Normal());
  }
}

}  // namespace

ConvInput ConvInputOf(const Evidence& evidence) {
  std::vector<std::size_t> order;
  for (std::size_t b = 0; b < evidence.raw.size(); ++b) {
    if (std::isfinite(evidence.raw[b].score)) {
      order.push_back(b);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return evidence.raw[a].score > evidence.raw[b].score;
  });
  ConvInput input{};
  const auto width = static_cast<float>(evidence.image.width);
  const auto height = static_cast<float>(evidence.image.height);
  for (std::size_t x = 0; x < std::min(order.size(), kBoxes); ++x) {
    const Detection& box = evidence.raw[order[x]];
    const std::array<float, kInputs> channels = {box.score, box.box.x1 / width, box.box.y1 / height,
                                                 box.box.x2 / width, box.box.y2 / height};
    for (std::size_t i = 0; i < kInputs; ++i) {
      input[x * kInputs + i] = std::isfinite(channels[i]) ? channels[i] : 0;
    }
  }
  return input;
}

double Evaluate(const ConvNet& net, const ConvInput& input) { return Forward(net, input).output; }

Expected<ConvNet> FitConvNet(std::span<const LabelledImage> images, const ConvFitOptions& options) {
  if (images.empty()) {
    return Fail(ErrorCode::kInvalidInput, "no images to train on");
  }
  std::vector<ConvInput> inputs;
  std::vector<bool> labels;
  for (const LabelledImage& image : images) {
    inputs.push_back(ConvInputOf(image.evidence()));
    labels.push_back(IsDifficult(image));
  }
  Rng rng(options.seed);
  ConvNet net = Zeros();
  FillAtRandom(net.first, kChannels, kWidth * kInputs, rng);
  FillAtRandom(net.second, kChannels, kWidth * kChannels, rng);
  FillAtRandom(net.last, 1, kChannels, rng);
  std::vector<std::size_t> order(inputs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t batches = (inputs.size() + kBatch - 1) / kBatch;
  Adam adam({.learning_rate = options.learning_rate,
             .steps = static_cast<double>(batches) * options.epochs});
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    rng.Shuffle(order);
    for (std::size_t start = 0; start < order.size(); start += kBatch) {
      const std::size_t end = std::min(order.size(), start + kBatch);
      ConvNet gradient = Zeros();
      for (std::size_t i = start; i < end; ++i) {
        Backward(net, inputs[order[i]], labels[order[i]], gradient);
      }
      const double scale = 1 / static_cast<double>(end - start);
      adam.Begin();
      adam.Step(net.first, gradient.first, scale);
      adam.Step(net.second, gradient.second, scale);
      adam.Step(net.last, gradient.last, scale);
    }
  }
  return net;
}

ConvNet Gradient(const ConvNet& net, const ConvInput& input, bool difficult) {
  ConvNet gradient = Zeros();
  Backward(net, input, difficult, gradient);
  return gradient;
}

NumberTables ToTables(const ConvNet& net) {
  return {{"first", TableRow(net.first)},
          {"second", TableRow(net.second)},
          {"last", TableRow(net.last)}};
}

Expected<ConvNet> ConvNetFrom(const NumberTables& tables) {
  TableReader reader(tables);
  const std::vector<double> first = reader.Take("first", kFirstSize);
  const std::vector<double> second = reader.Take("second", kSecondSize);
  const std::vector<double> last = reader.Take("last", kLastSize);
  if (const std::string fault = reader.fault(); !fault.empty()) {
    return Fail(ErrorCode::kInvalidInput, "the tables of discriminator conv: " + fault);
  }
  return ConvNet{
      {first.begin(), first.end()}, {second.begin(), second.end()}, {last.begin(), last.end()}};
}

Gain ConvOverBoxes::Judge(const Evidence& evidence, bool explain) const {
  Gain gain{.score = Evaluate(net_, ConvInputOf(evidence))};
  gain.difficult = threshold_ && gain.score > *threshold_;
  if (explain) {
    gain.reason = "output of the convolutions " + ShortNumber(gain.score);
  }
  return gain;
}

double ConvOverBoxes::natural_threshold() const {
  return threshold_.value_or(std::numeric_limits<double>::infinity());
}

}  // namespace nearfar
