#pragma once

#include <memory>

#include "adapters/grpc/node_link.h"
#include "adapters/grpc/served_model.h"
#include "models/detection_model.h"

namespace nearfar {

/// The payload `tensor` for a stock server that serves the model of `model`'s package: the client
/// decodes and prepares the picture as the package says, and decodes the model's outputs itself.
std::unique_ptr<TensorExchange> MakeStockExchange(DetectionModel model, ImageDecoder decode_image);

}  // namespace nearfar
