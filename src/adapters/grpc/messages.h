#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/grpc/wire_tensor.h"
#include "core/expected.h"
#include "inference.pb.h"

namespace nearfar {

/// The tensors of a message, borrowed from it, or owned where it carried typed `contents`.
struct MessageTensors {
  std::vector<WireTensorView> views;
  std::deque<std::string> owned;  ///< a deque: views into it survive its growth and its move
};

/// Reads the tensors of a message, given raw or as typed contents, and checks each as CheckTensor
/// does. The message must outlive the views. Errors: kInvalidInput, kLimitExceeded.
Expected<MessageTensors> ReadInputs(const inference::ModelInferRequest& request);
Expected<MessageTensors> ReadOutputs(const inference::ModelInferResponse& response);

/// Appends a tensor in raw form.
void AddInput(inference::ModelInferRequest& request, WireTensor tensor);
void AddOutput(inference::ModelInferResponse& response, WireTensor tensor);

using Parameters = google::protobuf::Map<std::string, inference::InferParameter>;

/// A whole number among the parameters: int64 or uint64. Nothing when there is none of this name.
/// Errors: kInvalidInput when it has another type or does not fit.
Expected<std::optional<std::int64_t>> IntegerParameter(const Parameters& parameters,
                                                       const std::string& name);
Expected<std::optional<std::string>> TextParameter(const Parameters& parameters,
                                                   const std::string& name);
void SetParameter(Parameters& parameters, const std::string& name, std::int64_t value);
void SetParameter(Parameters& parameters, const std::string& name, std::string value);

}  // namespace nearfar
