#include "adapters/grpc/wire_tensor.h"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace nearfar {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian");

constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;
constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);

std::uint32_t ReadLength(std::string_view bytes, std::size_t at) {
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + at, kLengthBytes);
  return length;
}

}  // namespace

std::optional<std::size_t> ElementBytes(std::string_view datatype) {
  static constexpr std::array<std::pair<std::string_view, std::size_t>, 14> kSizes{{
      {"BOOL", 1},
      {"UINT8", 1},
      {"UINT16", 2},
      {"UINT32", 4},
      {"UINT64", 8},
      {"INT8", 1},
      {"INT16", 2},
      {"INT32", 4},
      {"INT64", 8},
      {"FP16", 2},
      {"BF16", 2},
      {"FP32", 4},
      {"FP64", 8},
      {"BYTES", 0},
  }};
  for (const auto& [name, size] : kSizes) {
    if (name == datatype) {
      return size;
    }
  }
  return std::nullopt;
}

Expected<std::int64_t> CountElements(std::string_view name, std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t length : shape) {
    if (length < 0) {
      return Fail(ErrorCode::kInvalidInput,
                  "tensor " + Quote(name) + " has a negative length: shape " + FormatShape(shape));
    }
    if (__builtin_mul_overflow(count, length, &count) || count > kMaxElements) {
      return Fail(ErrorCode::kLimitExceeded,
                  "tensor " + Quote(name) + " is too large: shape " + FormatShape(shape));
    }
  }
  return count;
}

Expected<void> CheckTensor(const WireTensorView& tensor) {
  const std::optional<std::size_t> element_bytes = ElementBytes(tensor.datatype);
  if (!element_bytes) {
    return Fail(
        ErrorCode::kInvalidInput,
        "tensor " + Quote(tensor.name) + " has the unknown datatype " + Quote(tensor.datatype));
  }
  const Expected<std::int64_t> count = CountElements(tensor.name, tensor.shape);
  if (!count) {
    return tl::unexpected(count.error());
  }
  const auto elements = static_cast<std::uint64_t>(*count);
  if (*element_bytes > 0) {
    if (tensor.bytes.size() != elements * *element_bytes) {
      return Fail(ErrorCode::kInvalidInput,
                  "tensor " + Quote(tensor.name) + " has " + std::to_string(tensor.bytes.size()) +
                      " bytes, but " + FormatType(tensor.datatype, tensor.shape) + " takes " +
                      std::to_string(elements * *element_bytes));
    }
    return {};
  }
  std::size_t at = 0;
  std::uint64_t found = 0;
  while (at < tensor.bytes.size()) {
    if (tensor.bytes.size() - at < kLengthBytes ||
        tensor.bytes.size() - at - kLengthBytes < ReadLength(tensor.bytes, at)) {
      return Fail(ErrorCode::kInvalidInput,
                  "tensor " + Quote(tensor.name) + " ends inside element " + std::to_string(found) +
                      ": each element is its length as uint32 (little-endian), then its bytes");
    }
    at += kLengthBytes + ReadLength(tensor.bytes, at);
    ++found;
  }
  if (found != elements) {
    return Fail(ErrorCode::kInvalidInput,
                "tensor " + Quote(tensor.name) + " has " + std::to_string(found) +
                    " elements, but its shape is " + FormatShape(tensor.shape));
  }
  return {};
}

Expected<void> CheckFits(const WireTensorView& tensor, const WireTensorSpec& spec) {
  bool fits = tensor.datatype == spec.datatype && tensor.shape.size() == spec.shape.size();
  for (std::size_t d = 0; fits && d < spec.shape.size(); ++d) {
    fits = spec.shape[d] < 0 || spec.shape[d] == tensor.shape[d];
  }
  if (!fits) {
    return Fail(ErrorCode::kInvalidInput,
                "input " + Quote(tensor.name) + " is " + FormatType(tensor.datatype, tensor.shape) +
                    ", but the model takes " + FormatType(spec.datatype, spec.shape));
  }
  return {};
}

std::vector<std::string_view> SplitElements(const WireTensorView& bytes_tensor) {
  std::vector<std::string_view> elements;
  std::size_t at = 0;
  while (at < bytes_tensor.bytes.size()) {
    const std::uint32_t length = ReadLength(bytes_tensor.bytes, at);
    elements.push_back(bytes_tensor.bytes.substr(at + kLengthBytes, length));
    at += kLengthBytes + length;
  }
  return elements;
}

void AppendElement(std::string& bytes, std::string_view element) {
  const auto length = static_cast<std::uint32_t>(element.size());
  bytes.append(reinterpret_cast<const char*>(&length), kLengthBytes);
  bytes.append(element);
}

std::string Quote(std::string_view name) {
  std::string text = "'";
  for (const char c : name.substr(0, 60)) {
    text += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  }
  return text + (name.size() > 60 ? "...'" : "'");
}

std::string FormatShape(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t d = 0; d < shape.size() && d < 8; ++d) {
    if (d > 0) {
      text += ',';
    }
    text += std::to_string(shape[d]);
  }
  return text + (shape.size() > 8 ? ",...]" : "]");
}

std::string FormatType(std::string_view datatype, std::span<const std::int64_t> shape) {
  return std::string(datatype.substr(0, 16)) + " " + FormatShape(shape);
}

}  // namespace nearfar
