#include "adapters/grpc/stock_exchange.h"

#include <cstddef>
#include <cstring>
#include <utility>

#include "models/preprocess.h"

namespace nearfar {
namespace {

std::string_view WireType(ElementType type) {
  switch (type) {
    case ElementType::kFloat16:
      return "FP16";
    case ElementType::kUint8:
      return "UINT8";
    default:
      return "FP32";
  }
}

/// The elements of a floating-point tensor as fp32; empty for other tensors, which no decoder
/// reads.
std::vector<float> AsFloats(const WireTensorView& tensor) {
  const auto convert = [&]<typename T>(T, auto to_float) {
    std::vector<float> values(tensor.bytes.size() / sizeof(T));
    for (std::size_t i = 0; i < values.size(); ++i) {
      T value;
      std::memcpy(&value, tensor.bytes.data() + i * sizeof(T), sizeof(T));
      values[i] = to_float(value);
    }
    return values;
  };
  if (tensor.datatype == "FP32") {
    return convert(float{}, [](float value) { return value; });
  }
  if (tensor.datatype == "FP64") {
    return convert(double{}, [](double value) { return static_cast<float>(value); });
  }
  if (tensor.datatype == "FP16") {
    return convert(std::uint16_t{}, FloatFromHalf);
  }
  return {};
}

class StockExchange final : public TensorExchange {
 public:
  StockExchange(DetectionModel model, ImageDecoder decode_image)
      : model_(std::move(model)), decode_image_(std::move(decode_image)) {}

  Expected<std::vector<WireTensor>> Encode(const Upload& upload) const override {
    PixelView view{upload.bytes.data(), upload.rect.size(), std::ptrdiff_t{3} * upload.rect.width};
    Image decoded;
    if (upload.payload == Upload::Payload::kImage) {
      auto image = decode_image_(upload.bytes);
      if (!image) {
        return tl::unexpected(image.error());
      }
      decoded = *std::move(image);
      view = decoded.view();
      if (view.size != upload.rect.size()) {
        return Fail(ErrorCode::kInvalidInput,
                    "the picture to be sent is " + std::to_string(view.size.width) + "x" +
                        std::to_string(view.size.height) + " px, but its region is " +
                        std::to_string(upload.rect.width) + "x" +
                        std::to_string(upload.rect.height));
      }
    }
    const InputSpec& input = model_.package().input;
    WireTensor tensor{input.tensor, std::string(WireType(input.type)), model_.InputShape(), {}};
    tensor.bytes.resize(TensorBytes(input));
    FillTensor(view, input, PlaceFrame(view.size, input),
               std::as_writable_bytes(std::span(tensor.bytes)));
    std::vector<WireTensor> tensors;
    tensors.push_back(std::move(tensor));
    return tensors;
  }

  Expected<NamedDetections> Decode(std::span<const WireTensorView> outputs,
                                   Size sent) const override {
    std::vector<std::vector<float>> values;
    values.reserve(outputs.size());
    std::vector<TensorView> views;
    for (const WireTensorView& output : outputs) {
      if (std::vector<float> floats = AsFloats(output); !floats.empty()) {
        values.push_back(std::move(floats));
        views.push_back({output.name, output.shape, values.back()});
      }
    }
    const auto decoded = model_.Decode(views, PlaceFrame(sent, model_.package().input));
    if (!decoded) {
      return tl::unexpected(decoded.error());
    }
    NamedDetections named{model_.Finish(*decoded, sent), {}};
    for (const Detection& detection : named.detections) {
      named.names.push_back(model_.labels()[static_cast<std::size_t>(detection.label)]);
    }
    return named;
  }

  const std::vector<std::string>& class_names() const override { return model_.labels(); }

 private:
  const DetectionModel model_;
  const ImageDecoder decode_image_;
};

}  // namespace

std::unique_ptr<TensorExchange> MakeStockExchange(DetectionModel model, ImageDecoder decode_image) {
  return std::make_unique<StockExchange>(std::move(model), std::move(decode_image));
}

}  // namespace nearfar
