#include "adapters/sinks/trace_sink.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "trace/json_lines.h"

namespace nearfar {

void TraceSink::Close::operator()(std::FILE* file) const {
  if (file != stdout) {
    std::fclose(file);
  }
}

Expected<std::unique_ptr<TraceSink>> TraceSink::Open(const std::string& path) {
  std::unique_ptr<TraceSink> sink(new TraceSink(path == "-" ? "stdout" : path));
  sink->file_.reset(path == "-" ? stdout : std::fopen(path.c_str(), "wb"));
  if (!sink->file_) {
    return Fail(ErrorCode::kIo,
                "cannot write the trace to " + path + ": " + std::strerror(errno));
  }
  return sink;
}

Expected<void> TraceSink::Begin(const RunRecord& run) { return WriteLine(ToJsonLine(run)); }

Expected<void> TraceSink::Write(const FrameRecord& record, const PixelView& /*pixels*/) {
  return WriteLine(ToJsonLine(record));
}

Expected<void> TraceSink::Write(const OutcomeRecord& record) {
  return WriteLine(ToJsonLine(record));
}

Expected<void> TraceSink::End() {
  std::FILE* file = file_.release();
  const bool ok = file == stdout ? std::fflush(file) == 0 : std::fclose(file) == 0;
  return ok ? Expected<void>{} : Failure();
}

Expected<void> TraceSink::WriteLine(std::string line) {
  line += '\n';
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
      std::fflush(file_.get()) != 0) {
    return Failure();
  }
  return {};
}

Expected<void> TraceSink::Failure() const {
  return Fail(ErrorCode::kIo,
              "cannot write the trace to " + path_ + ": " + std::strerror(errno));
}

}  // namespace nearfar
