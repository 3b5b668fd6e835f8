#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "models/graph_facts.h"
#include "models/tensor.h"

namespace nearfar::ort {

/// How the engine runs a model.
struct EngineOptions {
  /// Threads that work on one call; ≥ 1. Two callers of one session with one thread each beat one
  /// caller with two.
  int intra_op_threads = 1;
  /// Execution provider: "cpu", or one that the library was built with ("cuda", "openvino", ...).
  std::string provider = "cpu";

  friend bool operator==(const EngineOptions&, const EngineOptions&) = default;
};

Expected<void> Validate(const EngineOptions& options);

/// Providers that the engine's library has, in short form ("cpu", "cuda", ...).
std::vector<std::string> Providers();

/// Borrowed values of one tensor, as they lie in memory (row-major, little-endian).
struct RawTensor {
  std::string_view name;
  ElementType type = ElementType::kFloat32;
  std::span<const std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// The outputs of one call, in the order of the graph; they live as long as this object.
class RunOutputs {
 public:
  RunOutputs();
  RunOutputs(RunOutputs&&) noexcept;
  RunOutputs& operator=(RunOutputs&&) noexcept;
  ~RunOutputs();

  std::span<const RawTensor> tensors() const;
  /// The outputs of floating-point type as fp32 views; fp16 and fp64 ones are converted.
  std::vector<TensorView> AsFloats();

 private:
  friend class Session;
  struct Values;
  std::unique_ptr<Values> values_;
};

/// A loaded model. Run may be called by several threads at once.
class Session {
 public:
  /// Errors: kNotFound, kInvalidInput (no ONNX, or cut short), kUnsupported (an operator or
  /// provider that the library lacks; the message lists the providers).
  static Expected<std::unique_ptr<Session>> Open(const std::filesystem::path& model,
                                                 const EngineOptions& options);
  ~Session();

  const GraphFacts& facts() const { return facts_; }
  /// First 16 hex digits of the file's SHA-256.
  const std::string& hash() const { return hash_; }
  const EngineOptions& options() const { return options_; }

  /// Runs the graph on the named inputs, whose bytes are not copied.
  /// Errors: kInvalidInput for a name, type or shape that the graph does not take; kInternal when
  /// the engine fails.
  Expected<RunOutputs> Run(std::span<const RawTensor> inputs) const;

 private:
  struct Engine;
  Session(std::unique_ptr<Engine> engine, EngineOptions options);

  std::unique_ptr<Engine> engine_;
  EngineOptions options_;
  GraphFacts facts_;
  std::string hash_;
};

/// First 16 hex digits of a file's SHA-256. Errors: kNotFound, kIo.
Expected<std::string> HashFile(const std::filesystem::path& path);

}  // namespace nearfar::ort
