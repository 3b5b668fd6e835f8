#include "adapters/ort/graph_cost.h"

#include <onnxruntime_cxx_api.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "models/repository.h"

namespace nearfar::ort {
namespace {

using Shape = std::vector<std::int64_t>;

/// A folder of its own that goes with this object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::error_code error;
    std::string pattern = (std::filesystem::temp_directory_path(error) / "nearfar-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) {
      path_ = pattern;
    }
  }
  ~ScratchFolder() {
    std::error_code error;
    if (!path_.empty()) {
      std::filesystem::remove_all(path_, error);
    }
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::int64_t Product(const Shape& shape, std::size_t from, std::size_t to) {
  std::int64_t product = 1;
  for (std::size_t i = from; i < to && i < shape.size(); ++i) {
    product *= shape[i];
  }
  return product;
}

std::int64_t Elements(const Shape& shape) { return Product(shape, 0, shape.size()); }

/// Shapes as a profile lists them: [{"float":[1,3,640,640]},{}].
std::vector<Shape> ReadShapes(const nlohmann::json& list) {
  std::vector<Shape> shapes;
  for (const auto& entry : list) {
    Shape shape;
    for (const auto& [type, dims] : entry.items()) {
      shape = dims.get<Shape>();
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

/// MACs of one node; 0 for operators that do not multiply matrices.
std::int64_t CountMacs(const std::string& op, const std::vector<Shape>& inputs,
                       const Shape& output) {
  const auto input = [&](std::size_t i) { return i < inputs.size() ? inputs[i] : Shape{}; };
  if (op == "Conv" || op == "FusedConv" || op == "ConvInteger" || op == "QLinearConv") {
    const Shape weights = input(op == "QLinearConv" ? 3 : 1);  // [out, in ÷ groups, h, w]
    return weights.empty() ? 0 : Elements(output) * Product(weights, 1, weights.size());
  }
  if (op == "ConvTranspose") {
    const Shape weights = input(1);  // [in, out ÷ groups, h, w]
    return weights.empty() ? 0 : Elements(input(0)) * Product(weights, 1, weights.size());
  }
  if (op == "Gemm" || op == "FusedGemm") {  // A is [M,K] or transposed, the output [M,N]
    const Shape a = input(0);
    return output.empty() || output[0] == 0 ? 0 : Elements(a) / output[0] * Elements(output);
  }
  if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul" || op == "FusedMatMul") {
    const Shape a = input(0);
    return a.empty() ? 0 : Elements(output) * a.back();
  }
  return 0;
}

/// Runs the unoptimised graph once under the engine's profiler. Returns the profile's text.
std::string Profile(const std::filesystem::path& model, const InputSpec& input,
                    const std::filesystem::path& folder) {
  const Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "nearfar");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetGraphOptimizationLevel(GraphOptimizationLevel::ORT_DISABLE_ALL);
  options.EnableProfiling((folder / "profile").c_str());
  Ort::Session session(env, model.c_str(), options);
  std::vector<std::byte> zeros(TensorBytes(input));
  const Shape shape = input.layout == Layout::kNchw
                          ? Shape{1, 3, input.size.height, input.size.width}
                          : Shape{1, input.size.height, input.size.width, 3};
  const ONNXTensorElementDataType type =
      input.type == ElementType::kFloat32   ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
      : input.type == ElementType::kFloat16 ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16
                                            : ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const Ort::Value value = Ort::Value::CreateTensor(memory, zeros.data(), zeros.size(),
                                                    shape.data(), shape.size(), type);
  Ort::AllocatorWithDefaultOptions allocator;
  std::vector<std::string> names;
  std::vector<const char*> pointers;
  for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
    names.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
  }
  for (const std::string& name : names) {
    pointers.push_back(name.c_str());
  }
  const char* input_name = input.tensor.c_str();
  session.Run(Ort::RunOptions{nullptr}, &input_name, &value, 1, pointers.data(), pointers.size());
  const std::string file = session.EndProfilingAllocated(allocator).get();
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace

Expected<GraphCost> MeasureGraph(const std::filesystem::path& model, const InputSpec& input) {
  constexpr std::size_t kLargest = std::size_t{2} << 30;  // protobuf's own limit
  const auto bytes = ReadTextFile(model, kLargest);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  GraphCost cost;
  cost.file_bytes = static_cast<std::int64_t>(bytes->size());
  const auto parameters = CountParameters(*bytes);
  if (!parameters) {
    return Fail(parameters.error().code,
                "cannot count '" + model.string() + "': " + parameters.error().message);
  }
  cost.parameters = *parameters;
  const ScratchFolder folder;
  if (folder.path().empty()) {
    return Fail(ErrorCode::kIo, "cannot make a temporary folder to count operations (TMPDIR)");
  }
  try {
    const auto profile = nlohmann::json::parse(Profile(model, input, folder.path()));
    for (const auto& event : profile) {
      const std::string name = event.value("name", "");
      if (!event.contains("args") || !name.ends_with("_kernel_time") ||
          !event["args"].contains("op_name")) {
        continue;
      }
      const auto& args = event["args"];
      const std::string op = args["op_name"].get<std::string>();
      const std::vector<Shape> outputs = ReadShapes(args["output_type_shape"]);
      const std::int64_t macs =
          outputs.empty() ? 0 : CountMacs(op, ReadShapes(args["input_type_shape"]), outputs[0]);
      if (macs > 0) {
        cost.macs += macs;
        cost.macs_of[op] += macs;
      }
    }
  } catch (const Ort::Exception& exception) {
    return Fail(ErrorCode::kInternal, "cannot count the operations of '" + model.string() +
                                          "': " + std::string(exception.what()));
  } catch (const nlohmann::json::exception& exception) {
    return Fail(ErrorCode::kInternal, "cannot read the engine's profile of '" + model.string() +
                                          "': " + std::string(exception.what()));
  }
  return cost;
}

}  // namespace nearfar::ort
