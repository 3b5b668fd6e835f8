#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"

namespace nearfar {

/// A tensor as the Open Inference Protocol carries it raw: little-endian elements, row by row; an
/// element of a BYTES tensor is its length as uint32 followed by its bytes.
struct WireTensor {
  std::string name;
  std::string datatype;  ///< "FP32", "UINT8", "INT64", "BYTES", ...
  std::vector<std::int64_t> shape;
  std::string bytes;

  friend bool operator==(const WireTensor&, const WireTensor&) = default;
};

/// The same, borrowed.
struct WireTensorView {
  std::string_view name;
  std::string_view datatype;
  std::vector<std::int64_t> shape;
  std::string_view bytes;
};

/// What a model takes or gives under one name.
struct WireTensorSpec {
  std::string name;
  std::string datatype;
  std::vector<std::int64_t> shape;  ///< -1: any length

  friend bool operator==(const WireTensorSpec&, const WireTensorSpec&) = default;
};

/// Bytes of one element; 0 for BYTES, whose elements differ; nothing for a name that the protocol
/// does not know.
std::optional<std::size_t> ElementBytes(std::string_view datatype);

/// Number of elements of a shape. Errors: kInvalidInput for a negative length, kLimitExceeded where
/// the product exceeds 2^40.
Expected<std::int64_t> CountElements(std::string_view name, std::span<const std::int64_t> shape);

/// Checks that datatype, shape and size of the bytes fit each other. Errors: kInvalidInput.
Expected<void> CheckTensor(const WireTensorView& tensor);

/// Checks a tensor against what a model declares. Errors: kInvalidInput.
Expected<void> CheckFits(const WireTensorView& tensor, const WireTensorSpec& spec);

/// The elements of a BYTES tensor that CheckTensor has passed.
std::vector<std::string_view> SplitElements(const WireTensorView& bytes_tensor);

/// Appends one element to the raw form of a BYTES tensor.
void AppendElement(std::string& bytes, std::string_view element);

/// A tensor of numbers. T is the C++ type that belongs to `datatype`.
template <typename T>
WireTensor MakeTensor(std::string name, std::string datatype, std::vector<std::int64_t> shape,
                      std::span<const T> values) {
  return {std::move(name), std::move(datatype), std::move(shape),
          std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes())};
}

/// A name from outside in quotes, cut to 60 characters and without control characters, so that a
/// message stays one line.
std::string Quote(std::string_view name);

/// "[1,3,640,640]"
std::string FormatShape(std::span<const std::int64_t> shape);

/// "FP32 [1,3,640,640]"
std::string FormatType(std::string_view datatype, std::span<const std::int64_t> shape);

}  // namespace nearfar
