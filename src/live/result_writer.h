#pragma once

#include <optional>
#include <vector>

#include "core/expected.h"
#include "live/ports.h"

namespace nearfar {

/// Gives every result to every sink. A sink that fails is left alone from then on, its first failure
/// is kept, and the others go on, so that nothing already produced is lost. Used by one thread.
class ResultWriter {
 public:
  /// The sinks must outlive the writer.
  explicit ResultWriter(std::vector<Sink*> sinks) : sinks_(std::move(sinks)) {}

  void Begin(const RunRecord& run);
  void Write(const FrameRecord& record, const PixelView& pixels);
  void Write(const OutcomeRecord& record);
  void End();

  /// The first failure of any sink.
  const std::optional<Error>& error() const { return error_; }

 private:
  template <typename Deed>
  void ForEach(const Deed& deed);

  std::vector<Sink*> sinks_;
  std::optional<Error> error_;
};

}  // namespace nearfar
