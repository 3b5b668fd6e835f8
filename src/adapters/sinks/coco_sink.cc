#include "adapters/sinks/coco_sink.h"

#include <utility>

namespace nearfar {

Expected<void> CocoSink::Begin(const RunRecord& run) {
  auto writer =
      CocoResultsWriter::Open(path_, run.classes, catalog_ ? &*catalog_ : nullptr);
  if (!writer) {
    return tl::unexpected(writer.error());
  }
  writer_ = std::move(*writer);
  return {};
}

Expected<void> CocoSink::Write(const FrameRecord& record, const PixelView& /*pixels*/) {
  return writer_->Write(record.name, record.detections);
}

}  // namespace nearfar
