#pragma once

#include <optional>
#include <string>

#include "core/expected.h"
#include "data/coco.h"
#include "live/ports.h"

namespace nearfar {

/// Writes the results as COCO results JSON, valid after every picture.
class CocoSink final : public Sink {
 public:
  /// @param catalog  numbers of images and categories; nothing: see CocoResultsWriter::Open.
  CocoSink(std::string path, std::optional<CocoCatalog> catalog)
      : path_(std::move(path)), catalog_(std::move(catalog)) {}

  Expected<void> Begin(const RunRecord& run) override;
  Expected<void> Write(const FrameRecord& record, const PixelView& pixels) override;

 private:
  std::string path_;
  std::optional<CocoCatalog> catalog_;
  std::optional<CocoResultsWriter> writer_;
};

}  // namespace nearfar
