#include "cli/record_pictures.h"

#include <cmath>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "adapters/image/codec.h"
#include "adapters/ort/detector.h"
#include "cli/flag_values.h"
#include "cli/report.h"
#include "core/clock.h"
#include "data/recording.h"

namespace nearfar::cli {
namespace {

/// A picture, decoded and measured, on its way to the detector.
struct Piece {
  std::uint64_t index = 0;
  SourceItem item;
  Image spoiled;  ///< what is looked at instead of the frame's pixels; empty: those
  PixelFeatures features;
};

/// Hands pieces from the thread that decodes to the one that infers; holds a few at most.
class Handover {
 public:
  /// Waits for room. False when the taker has gone.
  bool Put(Piece piece) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || pieces_.size() < kMost; });
    if (closed_) {
      return false;
    }
    pieces_.push_back(std::move(piece));
    changed_.notify_all();
    return true;
  }
  /// Waits for a piece; nothing when there will be none.
  std::optional<Piece> Take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !pieces_.empty(); });
    if (pieces_.empty()) {
      return std::nullopt;
    }
    std::optional<Piece> piece = std::move(pieces_.front());
    pieces_.pop_front();
    changed_.notify_all();
    return piece;
  }
  /// No more pieces will come, or none is wanted; those already there can still be taken.
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  static constexpr std::size_t kMost = 2;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Piece> pieces_;
  bool closed_ = false;
};

/// A recording that one thread asks what it has while another appends.
class SharedWriter {
 public:
  explicit SharedWriter(RecordingWriter writer) : writer_(std::move(writer)) {}

  bool Has(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return writer_.Has(name);
  }
  std::string SourceOf(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return writer_.SourceOf(name);
  }
  Expected<void> Append(const RecordedFrame& frame) {
    const std::lock_guard lock(mutex_);
    return writer_.Append(frame);
  }

 private:
  mutable std::mutex mutex_;
  RecordingWriter writer_;
};

Expected<std::unique_ptr<ort::OrtDetector>> OpenDetector(const RecordOptions& options,
                                                         const Synonyms& synonyms) {
  ort::DetectorOptions detector{
      .model = options.model,
      .engine = {.intra_op_threads = options.threads, .provider = options.provider},
      .score_floor = static_cast<float>(options.score_floor),
      .label_map = synonyms.version()};
  auto settings = ParseModelSettings(options.settings, "--set");
  if (!settings) {
    return tl::unexpected(settings.error());
  }
  detector.settings = *std::move(settings);
  // Over config.pbtxt, setting by setting: what is not given stays the package's.
  if (options.nms_iou) {
    detector.settings["nms.iou"] = std::to_string(*options.nms_iou);
  }
  if (options.max_detections > 0) {
    detector.settings["nms.max_detections"] = std::to_string(options.max_detections);
  }
  return ort::OrtDetector::Open(detector);
}

/// Decodes and measures what is not yet recorded, until the source or the patience ends.
void ReadPictures(FrameSource& source, const SharedWriter& writer, const RecordOptions& options,
                  Handover& handover) {
  for (std::uint64_t index = 0; !Interrupted(); ++index) {
    std::optional<SourceItem> item = source.Next();
    if (!item) {
      break;
    }
    Piece piece{.index = index, .item = std::move(*item)};
    if (piece.item.frame && !writer.Has(piece.item.name)) {
      const Frame& frame = **piece.item.frame;
      if (options.corruption) {
        piece.spoiled = Corrupt(frame.pixels.view(), *options.corruption, frame.name);
        piece.features = MeasurePixels(piece.spoiled.view(), {}, {}, options.jpeg_quality);
      } else {
        piece.features =
            MeasurePixels(frame.pixels.view(), frame.encoded, {}, options.jpeg_quality);
      }
    }
    if (!handover.Put(std::move(piece))) {
      break;
    }
  }
  handover.Close();
}

/// Looks at one picture and writes what was seen. An error ends the run; a picture that cannot be
/// read or looked at is said, counted and passed over.
Expected<void> RecordPiece(Piece piece, Detector& detector, const RecordOptions& options,
                           const LabelMap& labels, SharedWriter& writer, RecordTally& tally) {
  const SourceItem& item = piece.item;
  if (writer.Has(item.name)) {
    ++tally.already_there;
    const auto place = [](const std::string& path) {
      std::error_code ignored;
      return std::filesystem::weakly_canonical(path, ignored);
    };
    const std::string before = writer.SourceOf(item.name);
    if (before != item.source && place(before) != place(item.source) && tally.other_source++ == 0) {
      tally.first_other_source = item.name + ": " + before + ", now " + item.source;
    }
    return {};
  }
  if (!item.frame) {
    ++tally.failed;
    Say(item.frame.error().message);
    return {};
  }
  const Frame& frame = **item.frame;
  const PixelView pixels = piece.spoiled.empty() ? frame.pixels.view() : piece.spoiled.view();
  Expected<DetectorAnswer> answer = options.before_nms ? detector.DetectBeforeNms(pixels, 0, 0)
                                                       : detector.Detect(pixels, 0, 0);
  if (!answer) {
    ++tally.failed;
    Say(item.source + ": the detector failed: " + answer.error().message);
    return {};
  }
  labels.Apply(answer->detections);
  RecordedFrame recorded{
      .source = item.source,
      .name = item.name,
      .index = piece.index,
      .rect = WholeOf(frame.size()),
      .size = frame.size(),
      .captured_ms = static_cast<double>(frame.captured_at.time_since_epoch().count()),
      .service_ms = ToMilliseconds(answer->prepare + answer->infer + answer->decode),
      .features = piece.features,
      .detections = std::move(answer->detections)};
  if (Expected<void> written = writer.Append(recorded); !written) {
    return written;
  }
  ++tally.recorded;
  tally.boxes += recorded.detections.size();
  tally.service_ms.push_back(recorded.service_ms);
  return {};
}

}  // namespace

Expected<RecordTally> RecordPictures(const RecordOptions& options, const Synonyms& synonyms) {
  const SystemClock clock;
  auto source = MediaSource::Open(options.inputs, options.media, clock);
  if (!source) {
    return tl::unexpected(source.error());
  }
  for (const std::string& remark : (*source)->remarks()) {
    Say(remark);
  }
  const auto detector = OpenDetector(options, synonyms);
  if (!detector) {
    return tl::unexpected(detector.error());
  }
  for (const std::string& assumption : (*detector)->assumed()) {
    Say(options.model + ": " + assumption);
  }
  RecordTally tally{.model = (*detector)->identity()};
  tally.model.score_floor = std::round(tally.model.score_floor * 1e6) / 1e6;
  tally.model.nms = options.before_nms ? "none" : tally.model.nms;
  tally.model.pictures = options.corruption ? ToString(*options.corruption) : "";
  const LabelSpace classes = MakeLabelSpace((*detector)->labels(), synonyms);
  const LabelMap labels = MapLabels((*detector)->labels(), classes, synonyms);
  Expected<RecordingWriter> opened = RecordingWriter::Open(options.output, tally.model, classes);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  for (const std::string& remark : opened->remarks()) {
    Say(remark);
  }
  if (opened->found() > 0) {
    Say(options.output + " holds " + std::to_string(opened->found()) + " images: going on with it");
  }

  SharedWriter writer(std::move(*opened));
  (*source)->PassOver([&](const std::string& name) { return writer.Has(name); });
  Handover handover;
  Expected<void> result;
  const TimePoint start = clock.Now();
  {
    std::thread reader([&] { ReadPictures(**source, writer, options, handover); });
    Progress progress("recording", (*source)->count());
    while (result && !Interrupted()) {
      std::optional<Piece> piece = handover.Take();
      if (!piece) {
        break;
      }
      result = RecordPiece(std::move(*piece), **detector, options, labels, writer, tally);
      progress.Advance();
    }
    handover.Close();
    reader.join();
  }
  if (!result) {
    tally.ended_by = result.error();
  }
  tally.seconds = ToMilliseconds(clock.Now() - start) / 1000;
  if (tally.other_source > 0) {
    Say(std::to_string(tally.other_source) +
        " images were taken as already recorded though they came from another path (" +
        tally.first_other_source + ")");
  }
  return tally;
}

}  // namespace nearfar::cli
