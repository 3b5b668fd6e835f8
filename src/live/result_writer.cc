#include "live/result_writer.h"

namespace nearfar {

template <typename Deed>
void ResultWriter::ForEach(const Deed& deed) {
  std::erase_if(sinks_, [&](Sink* sink) {
    const Expected<void> written = deed(*sink);
    if (!written && !error_) {
      error_ = written.error();
    }
    return !written.has_value();
  });
}

void ResultWriter::Begin(const RunRecord& run) {
  ForEach([&](Sink& sink) { return sink.Begin(run); });
}

void ResultWriter::Write(const FrameRecord& record, const PixelView& pixels) {
  ForEach([&](Sink& sink) { return sink.Write(record, pixels); });
}

void ResultWriter::Write(const OutcomeRecord& record) {
  ForEach([&](Sink& sink) { return sink.Write(record); });
}

void ResultWriter::End() {
  ForEach([](Sink& sink) { return sink.End(); });
}

}  // namespace nearfar
