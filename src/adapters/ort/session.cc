#include "adapters/ort/session.h"

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>
#include <system_error>

namespace nearfar::ort {
namespace {

ElementType TypeOf(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return ElementType::kFloat32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return ElementType::kFloat16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return ElementType::kFloat64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
      return ElementType::kUint8;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
      return ElementType::kInt8;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return ElementType::kInt32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return ElementType::kInt64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return ElementType::kBool;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING:
      return ElementType::kString;
    default:
      return ElementType::kOther;
  }
}

std::optional<ONNXTensorElementDataType> OrtTypeOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case ElementType::kFloat16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case ElementType::kFloat64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
    case ElementType::kUint8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case ElementType::kInt8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    case ElementType::kInt32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case ElementType::kInt64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case ElementType::kBool:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
    case ElementType::kString:
    case ElementType::kOther:
      break;
  }
  return std::nullopt;
}

/// "CUDAExecutionProvider" → "cuda".
std::string ShortName(const std::string& provider) {
  std::string name = provider.substr(0, provider.find("ExecutionProvider"));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

/// The first line of what the engine says, without its own error codes and colours.
std::string OneLine(std::string_view text) {
  std::string line(text.substr(0, text.find('\n')));
  return line.size() > 300 ? line.substr(0, 300) + "..." : line;
}

}  // namespace

Expected<void> Validate(const EngineOptions& options) {
  if (options.intra_op_threads < 1 || options.intra_op_threads > 1024) {
    return Fail(
        ErrorCode::kInvalidInput,
        "engine threads = " + std::to_string(options.intra_op_threads) + ": expected 1 to 1024");
  }
  const std::vector<std::string> providers = Providers();
  if (std::find(providers.begin(), providers.end(), options.provider) == providers.end()) {
    std::string list;
    for (const std::string& provider : providers) {
      list += (list.empty() ? "" : ", ") + provider;
    }
    return Fail(ErrorCode::kUnsupported,
                "execution provider '" + options.provider +
                    "' is not in this ONNX Runtime library; it has: " + list);
  }
  return {};
}

std::vector<std::string> Providers() {
  std::vector<std::string> names;
  for (const std::string& provider : Ort::GetAvailableProviders()) {
    names.push_back(ShortName(provider));
  }
  return names;
}

struct RunOutputs::Values {
  std::vector<Ort::Value> values;
  std::vector<std::vector<std::int64_t>> shapes;
  std::vector<RawTensor> tensors;
  std::vector<std::vector<float>> converted;
};

RunOutputs::RunOutputs() : values_(std::make_unique<Values>()) {}
RunOutputs::RunOutputs(RunOutputs&&) noexcept = default;
RunOutputs& RunOutputs::operator=(RunOutputs&&) noexcept = default;
RunOutputs::~RunOutputs() = default;

std::span<const RawTensor> RunOutputs::tensors() const { return values_->tensors; }

std::vector<TensorView> RunOutputs::AsFloats() {
  std::vector<TensorView> views;
  for (const RawTensor& tensor : values_->tensors) {
    if (tensor.type == ElementType::kFloat32) {
      views.push_back(
          {tensor.name,
           tensor.shape,
           {reinterpret_cast<const float*>(tensor.bytes.data()), tensor.bytes.size() / 4}});
      continue;
    }
    std::vector<float> floats;
    if (tensor.type == ElementType::kFloat16) {
      const auto* halves = reinterpret_cast<const std::uint16_t*>(tensor.bytes.data());
      floats.resize(tensor.bytes.size() / 2);
      std::transform(halves, halves + floats.size(), floats.begin(), FloatFromHalf);
    } else if (tensor.type == ElementType::kFloat64) {
      const auto* doubles = reinterpret_cast<const double*>(tensor.bytes.data());
      floats.resize(tensor.bytes.size() / 8);
      std::transform(doubles, doubles + floats.size(), floats.begin(),
                     [](double value) { return static_cast<float>(value); });
    } else {
      continue;
    }
    values_->converted.push_back(std::move(floats));
    views.push_back({tensor.name, tensor.shape, values_->converted.back()});
  }
  return views;
}

struct Session::Engine {
  // The environment is the engine's own and counted there; each session holds one reference.
  // What goes wrong comes back as an exception; the engine itself stays silent.
  Ort::Env env{ORT_LOGGING_LEVEL_FATAL, "nearfar"};
  Ort::Session session{nullptr};
  std::vector<const char*> output_names;
};

Session::Session(std::unique_ptr<Engine> engine, EngineOptions options)
    : engine_(std::move(engine)), options_(std::move(options)) {}
Session::~Session() = default;

Expected<std::unique_ptr<Session>> Session::Open(const std::filesystem::path& model,
                                                 const EngineOptions& options) {
  if (auto ok = Validate(options); !ok) {
    return tl::unexpected(ok.error());
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(model, error)) {
    return Fail(ErrorCode::kNotFound, "cannot load model '" + model.string() + "': no such file");
  }
  auto hash = HashFile(model);
  if (!hash) {
    return tl::unexpected(hash.error());
  }
  try {
    auto engine = std::make_unique<Engine>();
    Ort::SessionOptions session_options;
    session_options.SetIntraOpNumThreads(options.intra_op_threads);
    session_options.SetInterOpNumThreads(1);
    session_options.SetExecutionMode(ExecutionMode::ORT_SEQUENTIAL);
    session_options.SetGraphOptimizationLevel(GraphOptimizationLevel::ORT_ENABLE_ALL);
    session_options.AddConfigEntry("session.intra_op.allow_spinning", "0");
    session_options.AddConfigEntry("session.inter_op.allow_spinning", "0");
    if (options.provider != "cpu") {
      for (const std::string& provider : Ort::GetAvailableProviders()) {
        if (ShortName(provider) == options.provider) {
          session_options.AppendExecutionProvider(
              provider.substr(0, provider.find("ExecutionProvider")), {});
        }
      }
    }
    engine->session = Ort::Session(engine->env, model.c_str(), session_options);
    std::unique_ptr<Session> opened(new Session(std::move(engine), options));
    opened->hash_ = *hash;

    const Ort::Session& session = opened->engine_->session;
    Ort::AllocatorWithDefaultOptions allocator;
    const auto facts_of = [](std::string name, const Ort::TypeInfo& info) {
      TensorFacts facts{std::move(name), ElementType::kOther, {}};
      if (info.GetONNXType() == ONNX_TYPE_TENSOR) {
        const auto tensor = info.GetTensorTypeAndShapeInfo();
        facts.type = TypeOf(tensor.GetElementType());
        facts.shape = tensor.GetShape();
      }
      return facts;
    };
    GraphFacts& facts = opened->facts_;
    for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
      facts.inputs.push_back(
          facts_of(session.GetInputNameAllocated(i, allocator).get(), session.GetInputTypeInfo(i)));
    }
    for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
      facts.outputs.push_back(facts_of(session.GetOutputNameAllocated(i, allocator).get(),
                                       session.GetOutputTypeInfo(i)));
    }
    for (const TensorFacts& output : facts.outputs) {
      opened->engine_->output_names.push_back(output.name.c_str());
    }
    const Ort::ModelMetadata metadata = session.GetModelMetadata();
    facts.producer = metadata.GetProducerNameAllocated(allocator).get();
    facts.graph_name = metadata.GetGraphNameAllocated(allocator).get();
    for (const auto& key : metadata.GetCustomMetadataMapKeysAllocated(allocator)) {
      facts.metadata[key.get()] =
          metadata.LookupCustomMetadataMapAllocated(key.get(), allocator).get();
    }
    return opened;
  } catch (const Ort::Exception& exception) {
    const bool not_onnx = exception.GetOrtErrorCode() == ORT_INVALID_PROTOBUF;
    return Fail(not_onnx ? ErrorCode::kInvalidInput : ErrorCode::kUnsupported,
                "cannot load model '" + model.string() + "': " +
                    (not_onnx ? "it is no ONNX file, or one cut short"
                              : "the engine refuses it: " + OneLine(exception.what())));
  }
}

Expected<RunOutputs> Session::Run(std::span<const RawTensor> inputs) const {
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<Ort::Value> values;
  std::vector<std::string> names;
  std::vector<const char*> name_pointers;
  try {
    for (const RawTensor& input : inputs) {
      const auto known =
          std::find_if(facts_.inputs.begin(), facts_.inputs.end(),
                       [&](const TensorFacts& facts) { return facts.name == input.name; });
      const auto type = OrtTypeOf(input.type);
      if (known == facts_.inputs.end() || known->type != input.type || !type) {
        return Fail(ErrorCode::kInvalidInput, "input '" + std::string(input.name) + "' of type " +
                                                  std::string(ToString(input.type)) +
                                                  " is none of the model's");
      }
      std::size_t elements = 1;
      for (const std::int64_t dim : input.shape) {
        elements *= dim < 0 ? 0 : static_cast<std::size_t>(dim);
      }
      bool fits = input.shape.size() == known->shape.size() &&
                  elements * SizeOf(input.type) == input.bytes.size();
      for (std::size_t d = 0; fits && d < known->shape.size(); ++d) {
        fits = known->shape[d] < 0 || known->shape[d] == input.shape[d];
      }
      if (!fits) {
        return Fail(ErrorCode::kInvalidInput,
                    "input '" + std::string(input.name) + "' came as " + ShapeText(input.shape) +
                        " in " + std::to_string(input.bytes.size()) + " bytes; the model takes " +
                        ShapeText(known->shape) + " of " + std::string(ToString(known->type)));
      }
      // The engine's interface takes a mutable pointer and only reads from it.
      values.push_back(Ort::Value::CreateTensor(memory, const_cast<std::byte*>(input.bytes.data()),
                                                input.bytes.size(), input.shape.data(),
                                                input.shape.size(), *type));
      names.emplace_back(input.name);
    }
    for (const std::string& name : names) {
      name_pointers.push_back(name.c_str());
    }
    if (values.size() != facts_.inputs.size()) {
      return Fail(ErrorCode::kInvalidInput, "the model takes " +
                                                std::to_string(facts_.inputs.size()) + " inputs, " +
                                                std::to_string(values.size()) + " came");
    }
    RunOutputs outputs;
    auto& out = *outputs.values_;
    out.values = engine_->session.Run(Ort::RunOptions{nullptr}, name_pointers.data(), values.data(),
                                      values.size(), engine_->output_names.data(),
                                      engine_->output_names.size());
    out.shapes.reserve(out.values.size());
    out.converted.reserve(out.values.size());
    for (std::size_t i = 0; i < out.values.size(); ++i) {
      if (!out.values[i].IsTensor()) {
        return Fail(ErrorCode::kUnsupported,
                    "output '" + facts_.outputs[i].name + "' is no tensor");
      }
      const auto info = out.values[i].GetTensorTypeAndShapeInfo();
      out.shapes.push_back(info.GetShape());
      const ElementType type = TypeOf(info.GetElementType());
      const std::size_t size = info.GetElementCount() * SizeOf(type);
      out.tensors.push_back(
          {facts_.outputs[i].name,
           type,
           out.shapes.back(),
           {size == 0 ? nullptr : static_cast<const std::byte*>(out.values[i].GetTensorRawData()),
            size}});
    }
    return outputs;
  } catch (const Ort::Exception& exception) {
    return Fail(ErrorCode::kInternal, "the engine failed: " + OneLine(exception.what()));
  }
}

}  // namespace nearfar::ort
