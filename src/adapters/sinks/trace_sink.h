#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "core/expected.h"
#include "live/ports.h"

namespace nearfar {

/// Writes the trace as JSON lines (src/trace/json_lines.h). Every line is handed to the system at
/// once, so a killed run leaves a trace that is whole up to its last frame.
class TraceSink final : public Sink {
 public:
  /// @param path  file to write over; "-" is stdout. Errors: kIo.
  static Expected<std::unique_ptr<TraceSink>> Open(const std::string& path);

  Expected<void> Begin(const RunRecord& run) override;
  Expected<void> Write(const FrameRecord& record, const PixelView& pixels) override;
  Expected<void> Write(const OutcomeRecord& record) override;
  Expected<void> End() override;

 private:
  struct Close {
    void operator()(std::FILE* file) const;
  };

  explicit TraceSink(std::string path) : path_(std::move(path)) {}
  Expected<void> WriteLine(std::string line);
  Expected<void> Failure() const;

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace nearfar
