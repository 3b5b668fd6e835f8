#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {

/// Kinds of numbers in a model's tensors, as far as nearfar tells them apart.
enum class ElementType {
  kFloat32,
  kFloat16,
  kUint8,
  kInt8,
  kInt32,
  kInt64,
  kFloat64,
  kBool,
  kString,
  kOther
};

/// "fp32", "fp16", "uint8", ...
std::string_view ToString(ElementType type);
/// Bytes of one element; 0 for kString and kOther.
std::size_t SizeOf(ElementType type);

/// A shape as it is printed: "[1,3,?,640]", free dimensions as `?`.
std::string ShapeText(std::span<const std::int64_t> shape);

/// Borrowed values of one output, row-major, converted to fp32.
struct TensorView {
  std::string_view name;
  std::span<const std::int64_t> shape;
  std::span<const float> data;
};

/// What a graph says of one of its inputs or outputs. Free dimensions are -1.
struct TensorFacts {
  std::string name;
  ElementType type = ElementType::kFloat32;
  std::vector<std::int64_t> shape;

  friend bool operator==(const TensorFacts&, const TensorFacts&) = default;
};

/// The nearest IEEE half-precision number (ties to even), as its bits; and back.
std::uint16_t HalfFromFloat(float value);
float FloatFromHalf(std::uint16_t bits);

}  // namespace nearfar
