#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/image/codec.h"
#include "adapters/image/corrupt.h"
#include "adapters/media/media_source.h"
#include "adapters/ort/detector.h"
#include "cli/flag_values.h"
#include "cli/report.h"
#include "cli/verb.h"
#include "core/clock.h"
#include "core/json_writer.h"
#include "core/labels.h"
#include "core/percentile.h"
#include "data/recording.h"

namespace nearfar::cli {
namespace {

struct RecordFlags {
  std::vector<std::string> inputs;
  std::string model;
  std::vector<std::string> settings;
  std::string output;
  std::string synonyms;
  std::string provider = "cpu";
  double score_floor = 0.01;
  std::optional<double> nms_iou;
  int max_detections = 0;
  int threads = 1;
  int jpeg_quality = 90;
  bool before_nms = false;
  std::string corrupt;
  std::optional<Corruption> corruption;  ///< what `corrupt` says
  std::uint64_t seed = 1;
  MediaOptions media;
  bool json = false;
};

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

struct Tally {
  std::uint64_t recorded = 0;
  std::uint64_t already_there = 0;
  std::uint64_t failed = 0;
  std::uint64_t boxes = 0;
  std::uint64_t other_source = 0;  ///< already there, but recorded from another path
  std::string first_other_source;
  std::vector<double> service_ms;
};

Expected<std::unique_ptr<ort::OrtDetector>> OpenDetector(const RecordFlags& flags,
                                                         const Synonyms& synonyms) {
  ort::DetectorOptions options{
      .model = flags.model,
      .engine = {.intra_op_threads = flags.threads, .provider = flags.provider},
      .score_floor = static_cast<float>(flags.score_floor),
      .label_map = synonyms.version()};
  auto settings = ParseModelSettings(flags.settings, "--set");
  if (!settings) {
    return tl::unexpected(settings.error());
  }
  options.settings = *std::move(settings);
  // Over config.pbtxt, setting by setting: what is not given stays the package's.
  if (flags.nms_iou) {
    options.settings["nms.iou"] = std::to_string(*flags.nms_iou);
  }
  if (flags.max_detections > 0) {
    options.settings["nms.max_detections"] = std::to_string(flags.max_detections);
  }
  return ort::OrtDetector::Open(options);
}

/// Decodes and measures what is not yet recorded, until the source or the patience ends.
void ReadPictures(FrameSource& source, const SharedWriter& writer, const RecordFlags& flags,
                  Handover& handover) {
  for (std::uint64_t index = 0; !Interrupted(); ++index) {
    std::optional<SourceItem> item = source.Next();
    if (!item) {
      break;
    }
    Piece piece{.index = index, .item = std::move(*item)};
    if (piece.item.frame && !writer.Has(piece.item.name)) {
      const Frame& frame = **piece.item.frame;
      if (flags.corruption) {
        piece.spoiled = Corrupt(frame.pixels.view(), *flags.corruption, frame.name);
        piece.features = MeasurePixels(piece.spoiled.view(), {}, {}, flags.jpeg_quality);
      } else {
        piece.features = MeasurePixels(frame.pixels.view(), frame.encoded, {}, flags.jpeg_quality);
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
Expected<void> RecordPiece(Piece piece, Detector& detector, const RecordFlags& flags,
                           const LabelMap& labels, SharedWriter& writer, Tally& tally) {
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
  Expected<DetectorAnswer> answer = flags.before_nms ? detector.DetectBeforeNms(pixels, 0, 0)
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

void PrintSummary(const RecordFlags& flags, const ModelIdentity& model, Tally& tally,
                  double seconds, bool interrupted) {
  const auto percentile = [&](double percent) {
    return tally.recorded > 0 ? Percentile(tally.service_ms, percent) : 0.0;
  };
  const double p50 = percentile(50);
  const double p95 = percentile(95);
  const double p99 = percentile(99);
  if (flags.json) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject();
    json.Field("recording", flags.output);
    json.Field("model", model);
    json.Field("recorded", tally.recorded);
    json.Field("already_there", tally.already_there);
    json.Field("failed", tally.failed);
    json.Field("boxes", tally.boxes);
    json.Field("seconds", seconds);
    json.Field("interrupted", interrupted);
    if (tally.recorded > 0) {
      json.Key("service_ms");
      json.BeginObject();
      json.Field("p50", p50);
      json.Field("p95", p95);
      json.Field("p99", p99);
      json.EndObject();
    }
    json.EndObject();
    std::cout << text << std::endl;
    return;
  }
  std::cout << flags.output << ": " << tally.recorded << " images recorded with " << tally.boxes
            << " boxes";
  if (tally.already_there > 0) {
    std::cout << ", " << tally.already_there << " were there already";
  }
  if (tally.failed > 0) {
    std::cout << ", " << tally.failed << " failed";
  }
  if (tally.recorded > 0) {
    char text[160];
    std::snprintf(text, sizeof text, "; %.1f s, service time p50 %.1f, p95 %.1f, p99 %.1f ms",
                  seconds, p50, p95, p99);
    std::cout << text;
  }
  std::cout << std::endl;
}

int RunRecord(RecordFlags flags) {
  WatchForInterrupt();
  if (!flags.corrupt.empty()) {
    Expected<Corruption> corruption = ParseCorruption(flags.corrupt);
    if (!corruption) {
      Say("--corrupt: " + corruption.error().message);
      return kUsage;
    }
    corruption->seed = flags.seed;
    flags.corruption = *corruption;
  }
  const Expected<Synonyms> synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return Stop(synonyms.error());
  }
  const SystemClock clock;
  auto source = MediaSource::Open(flags.inputs, flags.media, clock);
  if (!source) {
    return Stop(source.error());
  }
  for (const std::string& remark : (*source)->remarks()) {
    Say(remark);
  }
  const auto detector = OpenDetector(flags, *synonyms);
  if (!detector) {
    return Stop(detector.error());
  }
  for (const std::string& assumption : (*detector)->assumed()) {
    Say(flags.model + ": " + assumption);
  }
  ModelIdentity model = (*detector)->identity();
  model.score_floor = std::round(model.score_floor * 1e6) / 1e6;
  model.nms = flags.before_nms ? "none" : model.nms;
  model.pictures = flags.corruption ? ToString(*flags.corruption) : "";
  const LabelSpace classes = MakeLabelSpace((*detector)->labels(), *synonyms);
  const LabelMap labels = MapLabels((*detector)->labels(), classes, *synonyms);
  Expected<RecordingWriter> opened = RecordingWriter::Open(flags.output, model, classes);
  if (!opened) {
    return Stop(opened.error());
  }
  for (const std::string& remark : opened->remarks()) {
    Say(remark);
  }
  if (opened->found() > 0) {
    Say(flags.output + " holds " + std::to_string(opened->found()) + " images: going on with it");
  }

  SharedWriter writer(std::move(*opened));
  (*source)->PassOver([&](const std::string& name) { return writer.Has(name); });
  Handover handover;
  Tally tally;
  Expected<void> result;
  const TimePoint start = clock.Now();
  {
    std::thread reader([&] { ReadPictures(**source, writer, flags, handover); });
    Progress progress("recording", (*source)->count());
    while (result && !Interrupted()) {
      std::optional<Piece> piece = handover.Take();
      if (!piece) {
        break;
      }
      result = RecordPiece(std::move(*piece), **detector, flags, labels, writer, tally);
      progress.Advance();
    }
    handover.Close();
    reader.join();
  }
  const double seconds = ToMilliseconds(clock.Now() - start) / 1000;
  if (tally.other_source > 0) {
    Say(std::to_string(tally.other_source) +
        " images were taken as already recorded though they came from another path (" +
        tally.first_other_source + ")");
  }
  PrintSummary(flags, model, tally, seconds, Interrupted());
  if (!result) {
    return Stop(result.error());
  }
  if (Interrupted()) {
    Say("stopped; the same command goes on where this one ended");
    return kInterrupted;
  }
  return tally.failed > 0 ? kSomeFailed : kDone;
}

}  // namespace

std::function<int()> SetUpRecord(CLI::App& app) {
  const auto flags = std::make_shared<RecordFlags>();
  app.add_option("inputs", flags->inputs,
                 "pictures, folders, videos, or lists of files (*.txt, @FILE)")
      ->required()
      ->type_name("INPUT");
  app.add_option("-m,--model", flags->model, "an .onnx file or a package's folder")
      ->required()
      ->type_name("MODEL");
  app.add_option(
         "-o,--output", flags->output,
         "the recording; one that is there already, of the same model and settings, is gone "
         "on with")
      ->required()
      ->type_name("FILE");
  app.add_option("--set", flags->settings, "KEY=VALUE over the model's config.pbtxt")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--score-floor", flags->score_floor, "boxes scored lower are not recorded")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option(
         "--nms-iou", flags->nms_iou,
         "a box that overlaps a better one of its class by more goes (default: the model's)")
      ->check(CLI::Range(0.01, 1.0));
  app.add_option("--max-boxes", flags->max_detections,
                 "best boxes kept an image (default: the model's)")
      ->check(CLI::Range(1, 100000));
  app.add_flag("--before-nms", flags->before_nms,
               "record the decoded boxes as they are before NMS");
  app.add_option("--corrupt", flags->corrupt,
                 "spoil each picture before it is looked at: blur, occlusion, water, smoke or dark, "
                 "strength 1 to 3, as in smoke:2")
      ->type_name("KIND:STRENGTH");
  app.add_option("--seed", flags->seed, "with a picture's name, where --corrupt puts its drops")
      ->capture_default_str();
  app.add_flag("-r,--recursive", flags->media.recursive, "also look into folders inside folders");
  app.add_option("--max-pixels", flags->media.limits.max_pixels,
                 "a larger picture is refused from its header")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--max-bytes", flags->media.limits.max_bytes, "a larger file is refused")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--synonyms", flags->synonyms,
                 "which class names mean the same (default: built in)")
      ->type_name("FILE");
  app.add_option("--provider", flags->provider, "execution provider")->capture_default_str();
  app.add_option("--threads", flags->threads, "threads of the engine; decoding has one of its own")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_option("--jpeg-quality", flags->jpeg_quality,
                 "for the JPEG size of pictures that are no JPEG files")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  app.add_flag("--json", flags->json, "print the summary as one JSON object");
  return [flags] { return RunRecord(*flags); };
}

}  // namespace nearfar::cli
