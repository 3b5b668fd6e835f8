// The few fields of ONNX's protobuf messages that counting needs, read from the wire format:
// ModelProto graph = 7; GraphProto node = 1, initializer = 5; NodeProto attribute = 5;
// AttributeProto t = 5, g = 6, tensors = 10, graphs = 11; TensorProto dims = 1, data_type = 2.

#include <optional>

#include "adapters/ort/graph_cost.h"

namespace nearfar::ort {
namespace {

constexpr int kDeepest = 32;

struct WireField {
  std::uint32_t number = 0;
  std::uint32_t type = 0;
  std::uint64_t value = 0;  ///< of a varint
  std::string_view bytes;   ///< of a length-delimited field
};

/// Reads fields one by one; `broken` when the bytes are no protobuf message.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  std::optional<WireField> Next() {
    if (rest_.empty()) {
      return std::nullopt;
    }
    WireField field;
    const std::uint64_t tag = Varint();
    field.number = static_cast<std::uint32_t>(tag >> 3);
    field.type = static_cast<std::uint32_t>(tag & 7);
    std::uint64_t length = 0;
    switch (field.type) {
      case 0:
        field.value = Varint();
        break;
      case 1:
        length = 8;
        break;
      case 2:
        length = Varint();
        break;
      case 5:
        length = 4;
        break;
      default:
        broken_ = true;
        break;
    }
    if (broken_ || field.number == 0 || length > rest_.size()) {
      broken_ = true;
      return std::nullopt;
    }
    field.bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return field;
  }
  std::uint64_t Varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) {
        break;
      }
      const auto byte = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 127U} << shift;
      if (byte < 128) {
        return value;
      }
    }
    broken_ = true;
    return 0;
  }
  bool empty() const { return rest_.empty(); }
  bool broken() const { return broken_; }

 private:
  std::string_view rest_;
  bool broken_ = false;
};

/// Kinds of elements that are weights: floating point and 8-bit integers.
bool IsWeightType(std::uint64_t data_type) {
  switch (data_type) {
    case 1:   // FLOAT
    case 2:   // UINT8
    case 3:   // INT8
    case 10:  // FLOAT16
    case 11:  // DOUBLE
    case 16:  // BFLOAT16
      return true;
    default:
      return data_type >= 17 && data_type <= 22;  // 8-bit floats, 4-bit integers
  }
}

bool CountTensor(std::string_view bytes, std::int64_t& count) {
  WireReader reader(bytes);
  std::int64_t elements = 1;
  std::uint64_t type = 0;
  const auto times = [&](std::uint64_t dim) {
    return dim <= (std::uint64_t{1} << 31) &&
           !__builtin_mul_overflow(elements, static_cast<std::int64_t>(dim), &elements);
  };
  while (const auto field = reader.Next()) {
    if (field->number == 1 && field->type == 0 && !times(field->value)) {
      return false;
    }
    if (field->number == 1 && field->type == 2) {
      WireReader dims(field->bytes);
      while (!dims.empty()) {
        if (!times(dims.Varint()) || dims.broken()) {
          return false;
        }
      }
    }
    type = field->number == 2 ? field->value : type;
  }
  count += IsWeightType(type) ? elements : 0;
  return !reader.broken();
}

bool CountGraph(std::string_view bytes, int depth, std::int64_t& count) {
  if (depth > kDeepest) {
    return false;
  }
  WireReader graph(bytes);
  while (const auto field = graph.Next()) {
    if (field->type != 2) {
      continue;
    }
    if (field->number == 5 && !CountTensor(field->bytes, count)) {
      return false;
    }
    if (field->number != 1) {
      continue;
    }
    WireReader node(field->bytes);
    while (const auto part = node.Next()) {
      if (part->number != 5 || part->type != 2) {
        continue;
      }
      WireReader attribute(part->bytes);
      while (const auto value = attribute.Next()) {
        if (value->type != 2) {
          continue;
        }
        const bool tensor = value->number == 5 || value->number == 10;
        const bool subgraph = value->number == 6 || value->number == 11;
        if ((tensor && !CountTensor(value->bytes, count)) ||
            (subgraph && !CountGraph(value->bytes, depth + 1, count))) {
          return false;
        }
      }
      if (attribute.broken()) {
        return false;
      }
    }
    if (node.broken()) {
      return false;
    }
  }
  return !graph.broken();
}

}  // namespace

Expected<std::int64_t> CountParameters(std::string_view onnx_bytes) {
  WireReader model(onnx_bytes);
  std::int64_t count = 0;
  bool has_graph = false;
  bool whole = true;
  while (const auto field = model.Next()) {
    if (field->number == 7 && field->type == 2) {
      has_graph = true;
      whole = whole && CountGraph(field->bytes, 0, count);
    }
  }
  if (!has_graph || !whole || model.broken()) {
    return Fail(ErrorCode::kInvalidInput, "it is no ONNX file, or one cut short");
  }
  return count;
}

}  // namespace nearfar::ort
