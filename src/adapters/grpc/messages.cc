#include "adapters/grpc/messages.h"

#include <limits>
#include <utility>

namespace nearfar {
namespace {

/// Narrows the elements of a typed field to the datatype's own width.
template <typename T, typename Field>
std::optional<std::string> Pack(const Field& values) {
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(values.size()) * sizeof(T));
  for (const auto value : values) {
    if (!std::in_range<T>(value)) {
      return std::nullopt;
    }
    const auto narrow = static_cast<T>(value);
    bytes.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
  }
  return bytes;
}

template <typename Field>
std::string Copy(const Field& values) {
  return {reinterpret_cast<const char*>(values.data()),
          static_cast<std::size_t>(values.size()) * sizeof(*values.data())};
}

/// The raw form of typed contents; nothing when a value does not fit the datatype, or the datatype
/// has no typed field.
std::optional<std::string> ToRaw(std::string_view datatype,
                                 const inference::InferTensorContents& contents) {
  if (datatype == "BOOL") return Copy(contents.bool_contents());
  if (datatype == "INT8") return Pack<std::int8_t>(contents.int_contents());
  if (datatype == "INT16") return Pack<std::int16_t>(contents.int_contents());
  if (datatype == "INT32") return Copy(contents.int_contents());
  if (datatype == "INT64") return Copy(contents.int64_contents());
  if (datatype == "UINT8") return Pack<std::uint8_t>(contents.uint_contents());
  if (datatype == "UINT16") return Pack<std::uint16_t>(contents.uint_contents());
  if (datatype == "UINT32") return Copy(contents.uint_contents());
  if (datatype == "UINT64") return Copy(contents.uint64_contents());
  if (datatype == "FP32") return Copy(contents.fp32_contents());
  if (datatype == "FP64") return Copy(contents.fp64_contents());
  if (datatype == "BYTES") {
    std::string bytes;
    for (const std::string& element : contents.bytes_contents()) {
      AppendElement(bytes, element);
    }
    return bytes;
  }
  return std::nullopt;
}

template <typename Tensors, typename RawContents>
Expected<MessageTensors> Read(const Tensors& tensors, const RawContents& raw,
                              const char* raw_field) {
  if (!raw.empty() && raw.size() != tensors.size()) {
    return Fail(ErrorCode::kInvalidInput, std::string(raw_field) + " has " +
                                              std::to_string(raw.size()) + " entries for " +
                                              std::to_string(tensors.size()) + " tensors");
  }
  MessageTensors read;
  for (int i = 0; i < tensors.size(); ++i) {
    const auto& tensor = tensors.Get(i);
    WireTensorView view{.name = tensor.name(),
                        .datatype = tensor.datatype(),
                        .shape = {tensor.shape().begin(), tensor.shape().end()},
                        .bytes = {}};
    if (!raw.empty()) {
      if (tensor.contents().ByteSizeLong() > 0) {  // some servers send it empty
        return Fail(
            ErrorCode::kInvalidInput,
            "tensor " + Quote(view.name) + " has both contents and an entry in " + raw_field);
      }
      view.bytes = raw.Get(i);
    } else if (ElementBytes(view.datatype)) {
      std::optional<std::string> bytes = ToRaw(view.datatype, tensor.contents());
      if (!bytes) {
        return Fail(ErrorCode::kInvalidInput, "the contents of tensor " + Quote(view.name) +
                                                  " do not fit its datatype " +
                                                  std::string(view.datatype));
      }
      view.bytes = read.owned.emplace_back(std::move(*bytes));
    }
    if (const auto checked = CheckTensor(view); !checked) {
      return tl::unexpected(checked.error());
    }
    read.views.push_back(std::move(view));
  }
  return read;
}

template <typename Tensor>
void Describe(Tensor& to, WireTensor& from) {
  to.set_name(std::move(from.name));
  to.set_datatype(std::move(from.datatype));
  to.mutable_shape()->Add(from.shape.begin(), from.shape.end());
}

tl::unexpected<Error> WrongType(const std::string& name, const char* wanted) {
  return Fail(ErrorCode::kInvalidInput, "parameter '" + name + "' must be " + wanted);
}

}  // namespace

Expected<MessageTensors> ReadInputs(const inference::ModelInferRequest& request) {
  return Read(request.inputs(), request.raw_input_contents(), "raw_input_contents");
}

Expected<MessageTensors> ReadOutputs(const inference::ModelInferResponse& response) {
  return Read(response.outputs(), response.raw_output_contents(), "raw_output_contents");
}

void AddInput(inference::ModelInferRequest& request, WireTensor tensor) {
  Describe(*request.add_inputs(), tensor);
  request.add_raw_input_contents(std::move(tensor.bytes));
}

void AddOutput(inference::ModelInferResponse& response, WireTensor tensor) {
  Describe(*response.add_outputs(), tensor);
  response.add_raw_output_contents(std::move(tensor.bytes));
}

Expected<std::optional<std::int64_t>> IntegerParameter(const Parameters& parameters,
                                                       const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) {
    return std::nullopt;
  }
  const inference::InferParameter& value = found->second;
  if (value.has_int64_param()) {
    return value.int64_param();
  }
  if (value.has_uint64_param() && std::in_range<std::int64_t>(value.uint64_param())) {
    return static_cast<std::int64_t>(value.uint64_param());
  }
  return WrongType(name, "a whole number (int64_param)");
}

Expected<std::optional<std::string>> TextParameter(const Parameters& parameters,
                                                   const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) {
    return std::nullopt;
  }
  if (!found->second.has_string_param()) {
    return WrongType(name, "a text (string_param)");
  }
  return found->second.string_param();
}

void SetParameter(Parameters& parameters, const std::string& name, std::int64_t value) {
  parameters[name].set_int64_param(value);
}

void SetParameter(Parameters& parameters, const std::string& name, std::string value) {
  parameters[name].set_string_param(std::move(value));
}

}  // namespace nearfar
