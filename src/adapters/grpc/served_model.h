#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/grpc/wire_tensor.h"
#include "core/clock.h"
#include "core/expected.h"
#include "core/pixels.h"
#include "live/ports.h"

namespace nearfar {

/// The model's own outputs for its own inputs.
struct TensorAnswer {
  std::vector<WireTensor> outputs;
  Duration infer{};  ///< inside the engine
};

/// One model behind a node. What it can do beside its name is optional, but one of `detector` and
/// `execute` must be there.
struct ServedModel {
  std::string name;
  std::string version = "1";
  std::string platform = "onnxruntime_onnx";
  int callers = 2;  ///< threads that work on it at once; [1, 256]

  /// Answers the payloads `image` and `pixels`; null: they are refused. Shared, because the
  /// detector may serve beside the node, too.
  std::shared_ptr<Detector> detector;

  /// The model's own tensors, for the payload `tensor`. `execute` is called by `callers` threads at
  /// once, with the inputs in the order of `inputs`, each of which fits its spec; empty: refused.
  std::vector<WireTensorSpec> inputs;
  std::vector<WireTensorSpec> outputs;
  std::function<Expected<TensorAnswer>(std::span<const WireTensorView> inputs)> execute;
};

/// A model that looks at nothing: takes the BYTES tensor `data` and answers with the number of its
/// elements, INT64 [1]. For measuring what the wire alone costs.
ServedModel MakeNoOpModel(std::string name);

/// Decodes one JPEG or PNG, upright (EXIF orientation applied), within its own limit of pixels.
/// Called by several threads at once.
using ImageDecoder = std::function<Expected<Image>(std::span<const std::uint8_t> encoded)>;

}  // namespace nearfar
