#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "cli/flag_values.h"
#include "cli/record_pictures.h"
#include "cli/report.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "core/percentile.h"

namespace nearfar::cli {
namespace {

struct RecordFlags {
  RecordOptions options;
  std::string synonyms;
  std::string corrupt;
  std::string tiles;
  std::string padding = "64";
  int overview = 0;
  bool whole = false;
  std::uint64_t seed = 1;
  bool json = false;
};

void PrintSummary(const RecordFlags& flags, RecordTally& tally, bool interrupted) {
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
    json.Field("recording", flags.options.output);
    json.Field("model", tally.model);
    json.Field("recorded", tally.recorded);
    if (flags.options.tiling) {
      json.Field("regions", tally.regions);
    }
    json.Field("already_there", tally.already_there);
    json.Field("failed", tally.failed);
    json.Field("boxes", tally.boxes);
    json.Field("seconds", tally.seconds);
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
  std::cout << flags.options.output << ": " << tally.recorded << " images recorded";
  if (flags.options.tiling) {
    std::cout << " in " << tally.regions << " regions";
  }
  std::cout << " with " << tally.boxes << " boxes";
  if (tally.already_there > 0) {
    std::cout << ", " << tally.already_there << " were there already";
  }
  if (tally.failed > 0) {
    std::cout << ", " << tally.failed << " failed";
  }
  if (tally.recorded > 0) {
    char text[160];
    std::snprintf(text, sizeof text, "; %.1f s, service time p50 %.1f, p95 %.1f, p99 %.1f ms",
                  tally.seconds, p50, p95, p99);
    std::cout << text;
  }
  std::cout << std::endl;
}

/// How the pictures are cut, where they are. Errors: kInvalidInput with the flag.
Expected<std::optional<RecordedTiling>> ParseTiling(const RecordFlags& flags) {
  if (flags.tiles.empty()) {
    if (flags.overview > 0 || flags.whole) {
      return Fail(ErrorCode::kInvalidInput,
                  "--overview and --whole go with --tiles: pictures are recorded whole without it");
    }
    return std::optional<RecordedTiling>();
  }
  const auto tile = ParseSizeFlag(flags.tiles, "--tiles");
  const auto padding = ParseSizeFlag(flags.padding, "--padding");
  if (!tile || !padding) {
    return tl::unexpected((!tile ? tile : padding).error());
  }
  const RecordedTiling tiling{*tile, *padding, flags.overview, flags.whole};
  if (const auto valid = Validate(tiling); !valid) {
    return tl::unexpected(valid.error());
  }
  return std::optional(tiling);
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
    flags.options.corruption = *corruption;
  }
  const auto tiling = ParseTiling(flags);
  if (!tiling) {
    Say(tiling.error().message);
    return kUsage;
  }
  flags.options.tiling = *tiling;
  const Expected<Synonyms> synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return Stop(synonyms.error());
  }
  Expected<RecordTally> tally = RecordPictures(flags.options, *synonyms);
  if (!tally) {
    return Stop(tally.error());
  }
  PrintSummary(flags, *tally, Interrupted());
  if (tally->ended_by) {
    return Stop(*tally->ended_by);
  }
  if (Interrupted()) {
    Say("stopped; the same command goes on where this one ended");
    return kInterrupted;
  }
  return tally->failed > 0 ? kSomeFailed : kDone;
}

}  // namespace

std::function<int()> SetUpRecord(CLI::App& app) {
  const auto flags = std::make_shared<RecordFlags>();
  app.add_option("inputs", flags->options.inputs,
                 "pictures, folders, videos, or lists of files (*.txt, @FILE)")
      ->required()
      ->type_name("INPUT");
  app.add_option("-m,--model", flags->options.model, "an .onnx file or a package's folder")
      ->required()
      ->type_name("MODEL");
  app.add_option(
         "-o,--output", flags->options.output,
         "the recording; one that is there already, of the same model and settings, is gone "
         "on with")
      ->required()
      ->type_name("FILE");
  app.add_option("--set", flags->options.settings, "KEY=VALUE over the model's config.pbtxt")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--score-floor", flags->options.score_floor, "boxes scored lower are not recorded")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option(
         "--nms-iou", flags->options.nms_iou,
         "a box that overlaps a better one of its class by more goes (default: the model's)")
      ->check(CLI::Range(0.01, 1.0));
  app.add_option("--max-boxes", flags->options.max_detections,
                 "best boxes kept an image (default: the model's)")
      ->check(CLI::Range(1, 100000));
  app.add_flag("--before-nms", flags->options.before_nms,
               "record the decoded boxes as they are before NMS");
  app.add_option(
         "--corrupt", flags->corrupt,
         "spoil each picture before it is looked at: blur, occlusion, water, smoke or dark, "
         "strength 1 to 3, as in smoke:2")
      ->type_name("KIND:STRENGTH");
  app.add_option("--seed", flags->seed, "with a picture's name, where --corrupt puts its drops")
      ->capture_default_str();
  app.add_option("--tiles", flags->tiles,
                 "record each tile of this size by itself, WxH or one number, in px; `nearfar "
                 "merge` makes whole frames of them")
      ->type_name("SIZE");
  app.add_option("--padding", flags->padding, "px by which a tile reaches over its neighbours")
      ->type_name("SIZE")
      ->capture_default_str();
  app.add_option("--overview", flags->overview,
                 "with --tiles: also the whole picture, its longer side scaled to so many px")
      ->type_name("PX")
      ->check(CLI::Range(1, 65535));
  app.add_flag("--whole", flags->whole, "with --tiles: also the whole picture at its own scale");
  app.add_flag("-r,--recursive", flags->options.media.recursive,
               "also look into folders inside folders");
  app.add_option("--max-pixels", flags->options.media.limits.max_pixels,
                 "a larger picture is refused from its header")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--max-bytes", flags->options.media.limits.max_bytes, "a larger file is refused")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--synonyms", flags->synonyms,
                 "which class names mean the same (default: built in)")
      ->type_name("FILE");
  app.add_option("--provider", flags->options.provider, "execution provider")
      ->capture_default_str();
  app.add_option("--threads", flags->options.threads,
                 "threads of the engine; decoding has one of its own")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_option("--jpeg-quality", flags->options.jpeg_quality,
                 "for the JPEG size of pictures that are no JPEG files")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  app.add_flag("--json", flags->json, "print the summary as one JSON object");
  return [flags] { return RunRecord(*flags); };
}

}  // namespace nearfar::cli
