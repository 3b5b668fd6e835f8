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

  /// Whether the picture is recorded; of tiles, whether all are: cell 0 comes last.
  bool Has(const std::string& name, RegionId region = RegionId{0}) const {
    const std::lock_guard lock(mutex_);
    return writer_.Has(name, region);
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
      }
      if (options.tiling) {
        // Each region is measured by itself.
      } else if (options.corruption) {
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

/// Looks at one region of a picture, at the region's scale where the model leaves its size free.
Expected<void> LookAt(const RegionToRecord& region, const PixelView& pixels,
                      ort::OrtDetector& detector, const RecordOptions& options,
                      RecordedFrame& recorded) {
  PixelView view = pixels;
  Image scaled;
  Size input = detector.model().package().input.size;
  if (options.tiling) {
    view = Crop(pixels, region.rect);
    if (region.input != region.rect.size()) {
      scaled = Shrink(view, region.input);
      view = scaled.view();
      recorded.input = region.input;
    } else {
      recorded.input = {};
    }
    input = detector.model().OwnScaleInput(view.size);
    recorded.features = MeasurePixels(view, {}, {}, options.jpeg_quality);
  }
  Expected<DetectorAnswer> answer =
      detector.DetectWithInput(view, 0, 0, input, !options.before_nms);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  const float scale_x = static_cast<float>(region.rect.width) / static_cast<float>(view.size.width);
  const float scale_y =
      static_cast<float>(region.rect.height) / static_cast<float>(view.size.height);
  for (Detection& detection : answer->detections) {
    const Box& box = detection.box;
    detection.box =
        Translate({box.x1 * scale_x, box.y1 * scale_y, box.x2 * scale_x, box.y2 * scale_y},
                  static_cast<float>(region.rect.x), static_cast<float>(region.rect.y));
  }
  recorded.service_ms = ToMilliseconds(answer->prepare + answer->infer + answer->decode);
  recorded.detections = std::move(answer->detections);
  return {};
}

/// Looks at one picture and writes what was seen. An error ends the run; a picture that cannot be
/// read or looked at is said, counted and passed over.
Expected<void> RecordPiece(Piece piece, ort::OrtDetector& detector, const RecordOptions& options,
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
  RecordedFrame recorded{
      .source = item.source,
      .name = item.name,
      .index = piece.index,
      .rect = WholeOf(frame.size()),
      .size = frame.size(),
      .captured_ms = static_cast<double>(frame.captured_at.time_since_epoch().count()),
      .features = piece.features};
  const std::vector<RegionToRecord> regions =
      options.tiling ? RegionsToRecord(*options.tiling, frame.size())
                     : std::vector<RegionToRecord>{{kWholeFrame, recorded.rect, frame.size()}};
  for (const RegionToRecord& region : regions) {
    if (writer.Has(item.name, region.region)) {
      continue;
    }
    if (options.tiling && Interrupted()) {
      return {};
    }
    recorded.region = region.region;
    recorded.rect = region.rect;
    if (const auto seen = LookAt(region, pixels, detector, options, recorded); !seen) {
      ++tally.failed;
      Say(item.source + ": the detector failed: " + seen.error().message);
      return {};
    }
    labels.Apply(recorded.detections);
    if (Expected<void> written = writer.Append(recorded); !written) {
      return written;
    }
    ++tally.regions;
    tally.boxes += recorded.detections.size();
    tally.service_ms.push_back(recorded.service_ms);
  }
  ++tally.recorded;
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
  if (options.tiling) {
    tally.model.pictures += (tally.model.pictures.empty() ? "" : " ") + ToString(*options.tiling);
    const RecordedTiling& tiling = *options.tiling;
    tally.model.input =
        (*detector)->model().OwnScaleInput({tiling.tile.width + 2 * tiling.padding.width,
                                            tiling.tile.height + 2 * tiling.padding.height});
  }
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
    Say(options.output + " holds " + std::to_string(opened->found()) +
        (options.tiling ? " regions" : " images") + ": going on with it");
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
