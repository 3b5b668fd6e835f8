#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/expected.h"
#include "discriminate/discriminator.h"
#include "discriminate/fit.h"
#include "discriminate/number_tables.h"

namespace nearfar {

/// A few convolutions over the detector's output: the discriminator that the paper tried first and
/// found not to work well [SmallBig §V.B]. Here as a negative baseline.
///
/// The 16 best boxes by falling score are a sequence of 5 channels: score and the box's corners as
/// shares of the image; a missing box is zeros. Two convolutions of width 3 with 8 channels, padded
/// with zeros and rectified, then the mean over the sequence and one linear output, which is
/// trained towards the label of [SmallBig §V.A]: 1 difficult, 0 easy, by cross entropy.
struct ConvNet {
  static constexpr std::size_t kBoxes = 16;
  static constexpr std::size_t kInputs = 5;
  static constexpr std::size_t kChannels = 8;
  static constexpr std::size_t kWidth = 3;

  std::vector<float> first;   ///< kChannels x kWidth x kInputs weights, then kChannels biases
  std::vector<float> second;  ///< kChannels x kWidth x kChannels weights, then kChannels biases
  std::vector<float> last;    ///< kChannels weights, then one bias

  friend bool operator==(const ConvNet&, const ConvNet&) = default;
};

/// The input of the net, box by box. REQUIRES: evidence.image.area() > 0.
using ConvInput = std::array<float, ConvNet::kBoxes * ConvNet::kInputs>;
ConvInput ConvInputOf(const Evidence& evidence);

/// The net's output before the logistic function: above 0 it calls the image difficult.
double Evaluate(const ConvNet& net, const ConvInput& input);

struct ConvFitOptions {
  int epochs = 60;              ///< > 0
  double learning_rate = 1e-2;  ///< of Adam, falling to 0; > 0
  std::uint64_t seed = 1;

  friend bool operator==(const ConvFitOptions&, const ConvFitOptions&) = default;
};

/// Errors: kInvalidInput for no images.
Expected<ConvNet> FitConvNet(std::span<const LabelledImage> images,
                             const ConvFitOptions& options = {});

/// The derivatives of the cross entropy of one example by all weights: for tests against finite
/// differences.
ConvNet Gradient(const ConvNet& net, const ConvInput& input, bool difficult);

NumberTables ToTables(const ConvNet& net);
/// Errors: kInvalidInput naming the row that is missing, too long, too short or not finite.
Expected<ConvNet> ConvNetFrom(const NumberTables& tables);

class ConvOverBoxes final : public Discriminator {
 public:
  /// @param threshold  difficult above it; absent: it only ranks.
  ConvOverBoxes(ConvNet net, std::optional<double> threshold)
      : net_(std::move(net)), threshold_(threshold) {}

  std::string name() const override { return "conv"; }
  std::string version() const override { return "1"; }
  Gain Judge(const Evidence& evidence, bool explain) const override;
  bool has_verdict() const override { return threshold_.has_value(); }
  double natural_threshold() const override;

 private:
  ConvNet net_;
  std::optional<double> threshold_;
};

}  // namespace nearfar
