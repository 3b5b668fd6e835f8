#include "adapters/grpc/served_model.h"

#include <utility>

namespace nearfar {

ServedModel MakeNoOpModel(std::string name) {
  ServedModel model;
  model.name = std::move(name);
  model.platform = "nearfar_noop";
  model.inputs = {{"data", "BYTES", {-1}}};
  model.outputs = {{"count", "INT64", {1}}};
  model.execute = [](std::span<const WireTensorView> inputs) -> Expected<TensorAnswer> {
    const std::int64_t count = inputs[0].shape[0];
    TensorAnswer answer;
    answer.outputs.push_back(MakeTensor<std::int64_t>("count", "INT64", {1}, {&count, 1}));
    return answer;
  };
  return model;
}

}  // namespace nearfar
