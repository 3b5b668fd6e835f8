#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Small ONNX files made in the tests, message by message.

namespace nearfar::ort::tiny {

inline std::string Varint(std::uint64_t value) {
  std::string bytes;
  do {
    bytes.push_back(static_cast<char>((value & 127U) | (value > 127 ? 128U : 0U)));
    value >>= 7;
  } while (value != 0);
  return bytes;
}
inline std::string Number(int field, std::uint64_t value) {
  return Varint(static_cast<std::uint64_t>(field) << 3) + Varint(value);
}
inline std::string Bytes(int field, std::string_view bytes) {
  return Varint((static_cast<std::uint64_t>(field) << 3) | 2U) + Varint(bytes.size()) +
         std::string(bytes);
}

/// Numbers of ONNX's element types.
inline constexpr int kFloat = 1;
inline constexpr int kUint8 = 2;
inline constexpr int kInt64 = 7;
inline constexpr int kFloat16 = 10;

/// A ValueInfoProto; a dimension of −1 is free and called "free".
inline std::string Value(std::string_view name, int type, const std::vector<std::int64_t>& shape) {
  std::string dims;
  for (const std::int64_t dim : shape) {
    dims += Bytes(1, dim < 0 ? Bytes(2, "free") : Number(1, static_cast<std::uint64_t>(dim)));
  }
  return Bytes(1, name) +
         Bytes(2, Bytes(1, Number(1, static_cast<std::uint64_t>(type)) + Bytes(2, dims)));
}

template <typename T>
std::string Tensor(std::string_view name, int type, const std::vector<std::int64_t>& shape,
                   const std::vector<T>& values) {
  std::string tensor;
  for (const std::int64_t dim : shape) {
    tensor += Number(1, static_cast<std::uint64_t>(dim));
  }
  std::string raw(values.size() * sizeof(T), '\0');
  std::memcpy(raw.data(), values.data(), raw.size());
  return tensor + Number(2, static_cast<std::uint64_t>(type)) + Bytes(8, name) + Bytes(9, raw);
}

struct Node {
  std::string op;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string attributes;  ///< AttributeProtos, each wrapped as field 5
};

inline std::string IntAttribute(std::string_view name, std::int64_t value) {
  return Bytes(5, Bytes(1, name) + Number(3, static_cast<std::uint64_t>(value)) + Number(20, 2));
}

/// A whole model.
inline std::string Model(const std::vector<Node>& nodes, const std::vector<std::string>& inputs,
                         const std::vector<std::string>& outputs,
                         const std::vector<std::string>& initializers = {},
                         const std::vector<std::pair<std::string, std::string>>& metadata = {}) {
  std::string graph;
  for (const Node& node : nodes) {
    std::string bytes;
    for (const std::string& input : node.inputs) {
      bytes += Bytes(1, input);
    }
    for (const std::string& output : node.outputs) {
      bytes += Bytes(2, output);
    }
    graph += Bytes(1, bytes + Bytes(4, node.op) + node.attributes);
  }
  graph += Bytes(2, "tiny");
  for (const std::string& initializer : initializers) {
    graph += Bytes(5, initializer);
  }
  for (const std::string& input : inputs) {
    graph += Bytes(11, input);
  }
  for (const std::string& output : outputs) {
    graph += Bytes(12, output);
  }
  std::string model = Number(1, 8) + Bytes(2, "nearfar tests") + Bytes(7, graph) +
                      Bytes(8, Bytes(1, "") + Number(2, 13));
  for (const auto& [key, value] : metadata) {
    model += Bytes(14, Bytes(1, key) + Bytes(2, value));
  }
  return model;
}

}  // namespace nearfar::ort::tiny
