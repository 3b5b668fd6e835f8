#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/grpc/node_link.h"
#include "adapters/grpc/stock_exchange.h"
#include "adapters/image/codec.h"
#include "adapters/media/media_source.h"
#include "adapters/media/picture_sinks.h"
#include "adapters/ort/detector.h"
#include "adapters/sinks/coco_sink.h"
#include "adapters/sinks/trace_sink.h"
#include "cli/flag_values.h"
#include "cli/link_setting.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "core/json_writer.h"
#include "core/phrase.h"
#include "discriminate/budget.h"
#include "live/run_stream.h"
#include "live/shaped_link.h"
#include "live/summary.h"
#include "pipeline/small_big.h"

namespace nearfar::cli {
namespace {

/// Everything that can be set, with its default.
struct RunConfig {
  std::vector<std::string> images;
  MediaOptions media;

  std::string near;
  std::map<std::string, std::string> near_set;
  std::string provider = "cpu";
  double score_floor = -1;  ///< < 0: the model package's

  std::string far;
  std::string far_package;
  Duration far_patience = std::chrono::seconds(5);
  std::string link_model;

  std::string discriminator = "smallbig";
  std::map<std::string, double> parameters;
  double upload_above = -1e15;  ///< the lowest: the discriminator's own threshold

  bool learn = false;
  double upload_share = -1;     ///< < 0: no such budget
  std::string upload_rate;      ///< empty: no such budget
  double audit = -1;            ///< < 0: DefaultAudit with a budget, else none
  double explore = 0;
  std::int64_t seed = 0;

  std::vector<std::string> classes;
  std::string synonyms;
  double score_threshold = 0.01;
  std::map<std::string, double> class_thresholds;
  std::string fusion = "auto";

  SmallBigPlannerOptions planner;
  StreamOptions stream;

  std::string trace;
  std::string coco;
  std::string coco_truth;
  std::string annotate;
  std::string video;
  double video_fps = 0;  ///< 0: the source video's, else 10
  double draw_above = 0.5;
  int jpeg_quality = 90;
  bool json = false;
};

std::vector<Setting> SettingsOf(RunConfig& c) {
  return {
      {"images", "pictures, videos, folders, or lists of them (*.txt, @FILE)", &c.images, 0, 0, true},
      {"recursive", "also read folders inside folders", &c.media.recursive},
      {"max-pixels", "a larger picture is refused from its header", &c.media.limits.max_pixels, 1},
      {"max-bytes", "a larger file is refused", &c.media.limits.max_bytes, 1},
      {"near", "the small model: an .onnx file or a package's folder", &c.near},
      {"near-set", "over the near model's config.pbtxt (`nearfar model --settings`)", &c.near_set},
      {"near-threads", "pictures in the near model at the same time, one thread each",
       &c.stream.near_threads, 1, 256},
      {"provider", "execution provider of the near model", &c.provider},
      {"score-floor", "the near model's boxes scored below do not exist; default: the package's",
       &c.score_floor, 0, 1},
      {"far", "HOST:PORT/MODEL of the big model; without it everything stays near", &c.far},
      {"far-package", "the big model's own package or .onnx file, when its node is a stock server "
       "(Triton, OVMS, MLServer): tensors are made and decoded here", &c.far_package},
      {"far-patience", "at the start, wait this long for the far node to say what it is",
       &c.far_patience},
      {"link-model", "a network to be put before the far node, as in \"up=20Mbit/s down=20Mbit/s "
       "delay=5ms jitter=1ms loss=1% seed=1\" (docs/link-models.md)", &c.link_model},
      {"discriminator", "a name, or a file made by `nearfar calibrate`", &c.discriminator},
      {"param", "parameter of a discriminator that is given by name", &c.parameters, -1e15},
      {"upload-above", "upload when the gain score exceeds this; default: the file's upload "
       "threshold, else the discriminator's own verdict", &c.upload_above, -1e15},
      {"upload-share", "upload at most this share of the pictures, those with the largest gains",
       &c.upload_share, 0, 1},
      {"upload-rate", "upload at most so much: 2Mbit/s, 250KB/s; with upload-share both hold",
       &c.upload_rate},
      {"audit", "probability that a picture which stays near is uploaded all the same, to measure "
       "what is missed; default: 0.01 with a budget (less under a share of 0.2), else 0", &c.audit, 0, 0.5},
      {"explore", "upload by a chance that rises over this share of the pictures around the "
       "threshold of the budget", &c.explore, 0, 1},
      {"learn", "a discriminator file of cf, ridge or mlp goes on learning from the uploads' answers",
       &c.learn},
      {"seed", "of what a budget and audits leave to chance", &c.seed, 0},
      {"classes", "classes that count; default: the discriminator file's, else the near model's",
       &c.classes},
      {"synonyms", "file of class names that mean the same (`nearfar model --synonyms`)", &c.synonyms},
      {"score-threshold", "boxes scored lower do not enter the results", &c.score_threshold, 0, 1},
      {"class-thresholds", "the same for single classes", &c.class_thresholds, 0, 1},
      {"fusion", "near and far boxes of an uploaded picture: on, off, agree=A,keep=K; default: as the "
       "discriminator file says, else off", &c.fusion},
      {"deadline", "wait for a far answer, from its sending", &c.planner.deadline},
      {"uploads", "uploads on their way at the same time", &c.planner.max_uploads, 1, 1024},
      {"first-backoff", "pause of the far link after a failure; doubles", &c.planner.first_backoff},
      {"last-backoff", "longest pause", &c.planner.last_backoff},
      {"in-flight", "frames read and not yet written", &c.stream.max_in_flight, 1, 1024},
      {"grace", "after Ctrl-C, wait for answers on their way", &c.stream.grace},
      {"linger", "at the end, wait for late answers and audits", &c.stream.linger},
      {"trace", "write every frame's record as JSON lines; - is stdout", &c.trace},
      {"coco", "write the results as COCO results JSON", &c.coco},
      {"coco-truth", "instances JSON whose image and category numbers --coco uses", &c.coco_truth},
      {"annotate", "write pictures with their boxes into this folder", &c.annotate},
      {"video", "write pictures with their boxes as a video (.mp4)", &c.video},
      {"video-fps", "its frames a second; default: the source video's, else 10", &c.video_fps, 0.01,
       1000},
      {"draw-above", "boxes scored lower are not drawn", &c.draw_above, 0, 1},
      {"jpeg-quality", "of uploads that are no JPEG files, and of drawn pictures", &c.jpeg_quality, 1,
       100},
      {"json", "print the summary as one JSON object on stdout", &c.json},
  };
}

/// The classes as one list for people, cut short.
std::string Listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == 12) {
      return text + ", and " + std::to_string(names.size() - i) + " more";
    }
    text += (i > 0 ? ", " : "") + names[i];
  }
  return text;
}

std::string InMb(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

/// Says what a user wants to hear while it runs: pictures that cannot be read, a far node that goes
/// or comes back, and how far the work is.
class TalkingSink final : public Sink {
 public:
  TalkingSink(std::optional<std::uint64_t> total, bool has_far)
      : progress_("run", total), has_far_(has_far) {}

  using Sink::Write;
  Expected<void> Write(const FrameRecord& record, const PixelView& /*pixels*/) override {
    progress_.Advance();
    if (record.status == FrameStatus::kUnreadable || record.status == FrameStatus::kFailed) {
      if (++bad_ <= kMostLines) {
        Say(std::string(ToString(record.status)) + ": " + record.reason);
      } else if (bad_ == kMostLines + 1) {
        Say("further pictures without a result are only in the trace and the summary");
      }
    } else if (has_far_ && record.status == FrameStatus::kDegraded && !far_is_away_) {
      far_is_away_ = true;
      Say("difficult pictures keep the near answer from " + record.name + " on: " + record.reason);
    } else if (far_is_away_ && record.status == FrameStatus::kOk && !record.answers.empty() &&
               record.answers.back().link != kNear) {
      far_is_away_ = false;
      Say("the far node answers again from " + record.name + " on");
    }
    return {};
  }

 private:
  static constexpr int kMostLines = 20;

  Progress progress_;
  bool has_far_;
  int bad_ = 0;
  bool far_is_away_ = false;
};

/// A run, put together from its configuration and not yet started.
struct Assembly {
  SystemClock clock;
  Synonyms synonyms = Synonyms::Default();
  std::unique_ptr<MediaSource> source;
  std::unique_ptr<ort::OrtDetector> near;
  LabelSpace classes;
  LabelMap near_labels;
  std::optional<CocoCatalog> catalog;
  std::unique_ptr<SmallBigPlanner> planner;
  std::unique_ptr<GrpcNodeLink> link;
  std::unique_ptr<ShapedLink> shaped;  ///< before `link`, where a link model is set
  std::unique_ptr<LinkPacer> pacer;
};

/// The label space in force: chosen, the one that the discriminator was fitted in, or the near one.
Expected<LabelSpace> ChooseClasses(const RunConfig& config, const SettingTable& table,
                                   const OpenedDiscriminator& judge, const Assembly& assembly) {
  const LabelSpace near = MakeLabelSpace(assembly.near->labels(), assembly.synonyms);
  if (config.classes.empty()) {
    return judge.file ? judge.file->classes : near;
  }
  std::vector<std::string> names;
  for (const std::string& given : config.classes) {
    for (std::size_t at = 0; at <= given.size();) {  // also as one text, comma-separated
      const std::size_t comma = std::min(given.find(',', at), given.size());
      if (comma > at) {
        names.push_back(given.substr(at, comma - at));
      }
      at = comma + 1;
    }
  }
  LabelSpace chosen = MakeLabelSpace(names, assembly.synonyms);
  for (const std::string& name : chosen.names) {
    if (near.Find(name) == kNoLabel) {
      return Fail(ErrorCode::kInvalidInput, table.Where("classes") + ": the near model knows no '" +
                                                name + "'; it knows " + Listed(near.names));
    }
  }
  if (judge.file && chosen != judge.file->classes) {
    return Fail(ErrorCode::kInvalidInput,
                table.Where("classes") + ": the discriminator was fitted on other classes (" +
                    Listed(judge.file->classes.names) + "); leave the key out or calibrate anew");
  }
  return chosen;
}

Expected<void> CheckAll(const RunConfig& config, const SettingTable& table) {
  const auto wrong = [&](const char* key, const std::string& what) {
    return Fail(ErrorCode::kInvalidInput, table.Where(key) + ": " + what);
  };
  if (config.images.empty()) {
    return wrong("images", "name the pictures, folders or videos to look at");
  }
  if (config.near.empty()) {
    return wrong("near", "name the small model: an .onnx file or a package's folder");
  }
  if (config.json && config.trace == "-") {
    return wrong("trace", "stdout is taken by --json; write the trace to a file");
  }
  if (!config.far_package.empty() && config.far.empty()) {
    return wrong("far-package", "goes with --far");
  }
  if (!config.link_model.empty() && config.far.empty()) {
    return wrong("link-model", "goes with --far");
  }
  if (!config.coco_truth.empty() && config.coco.empty()) {
    return wrong("coco-truth", "goes with --coco");
  }
  const bool has_budget = config.upload_share >= 0 || !config.upload_rate.empty();
  if (has_budget && config.upload_above > -1e15) {
    return wrong("upload-above", "does not go with " +
                                     std::string(config.upload_share >= 0 ? "upload-share"
                                                                          : "upload-rate") +
                                     ": a budget finds its own threshold; leave one of them out");
  }
  if (config.explore > 0 && !has_budget) {
    return wrong("explore", "goes with upload-share or upload-rate");
  }
  if (config.planner.deadline <= Duration::zero()) {
    return wrong("deadline", "must be longer than 0");
  }
  if (config.planner.first_backoff <= Duration::zero()) {
    return wrong("first-backoff", "must be longer than 0");
  }
  if (config.planner.last_backoff < config.planner.first_backoff) {
    return wrong("last-backoff", "must not be shorter than first-backoff");
  }
  return {};
}

/// The budget that is asked for, if any.
Expected<std::optional<BudgetOptions>> BudgetOf(const RunConfig& config,
                                                const SettingTable& table) {
  BudgetOptions budget;
  if (config.upload_share >= 0) {
    budget.share = config.upload_share;
  }
  if (!config.upload_rate.empty()) {
    const auto rate = ParseByteRate(config.upload_rate);
    if (!rate) {
      return Fail(rate.error().code, table.Where("upload-rate") + ": " + rate.error().message);
    }
    budget.bytes_per_second = *rate;
  }
  if (!budget.share && !budget.bytes_per_second) {
    return std::nullopt;
  }
  budget.audit = config.audit < 0 ? DefaultAudit(budget.share) : config.audit;
  budget.explore = config.explore;
  budget.seed = static_cast<std::uint64_t>(config.seed);
  return budget;
}

/// Opens everything that a run needs but its outputs.
Expected<void> Assemble(const RunConfig& config, const SettingTable& table, Assembly& assembly) {
  const auto wrong = [&](const char* key, const Error& error) {
    return Fail(error.code, table.Where(key) + ": " + error.message);
  };
  auto synonyms = ReadSynonyms(config.synonyms);
  if (!synonyms) {
    return wrong("synonyms", synonyms.error());
  }
  assembly.synonyms = *std::move(synonyms);
  auto source = MediaSource::Open(config.images, config.media, assembly.clock);
  if (!source) {
    return wrong("images", source.error());
  }
  assembly.source = *std::move(source);

  ort::DetectorOptions detector;
  detector.model = config.near;
  detector.settings = config.near_set;
  detector.engine.provider = config.provider;
  detector.label_map = assembly.synonyms.version();
  if (config.score_floor >= 0) {
    detector.score_floor = static_cast<float>(config.score_floor);
  }
  auto near = ort::OrtDetector::Open(detector);
  if (!near) {
    return wrong("near", near.error());
  }
  assembly.near = *std::move(near);

  auto judge = OpenDiscriminator(
      {config.discriminator, {config.parameters.begin(), config.parameters.end()}}, config.learn);
  if (!judge) {
    return wrong(config.parameters.empty() ? "discriminator" : "param", judge.error());
  }
  if (judge->file) {
    auto fits = CheckMadeFor(*judge->file, assembly.near->identity());
    if (!fits) {
      return wrong("discriminator", fits.error());
    }
    if (!fits->empty()) {
      Say(*fits);
    }
  }
  auto classes = ChooseClasses(config, table, *judge, assembly);
  if (!classes) {
    return tl::unexpected(classes.error());
  }
  assembly.classes = *std::move(classes);
  assembly.near_labels =
      MapLabels(assembly.near->labels(), assembly.classes, assembly.synonyms);

  SmallBigPlannerOptions options = config.planner;
  options.has_far = !config.far.empty();
  options.score_threshold = static_cast<float>(config.score_threshold);
  if (!config.class_thresholds.empty()) {
    options.class_thresholds.assign(assembly.classes.names.size(), options.score_threshold);
    for (const auto& [name, threshold] : config.class_thresholds) {
      const int label = assembly.classes.Find(assembly.synonyms.Canonical(name));
      if (label == kNoLabel) {
        return wrong("class-thresholds",
                     {ErrorCode::kInvalidInput, "'" + name + "' is none of the classes in force: " +
                                                    Listed(assembly.classes.names)});
      }
      options.class_thresholds[static_cast<std::size_t>(label)] = static_cast<float>(threshold);
    }
  }
  auto fusion = ChooseFusion(config.fusion, judge->file);
  if (!fusion) {
    return wrong("fusion", fusion.error());
  }
  options.fusion = *fusion;
  if (options.has_far && fusion->active()) {
    Say("uploaded pictures get both answers fused: agree " + ShortNumber(fusion->agree) + ", keep " +
        ShortNumber(fusion->keep) + " (--fusion off takes the far one alone)");
  }
  auto budget = BudgetOf(config, table);
  if (!budget) {
    return tl::unexpected(budget.error());
  }
  const double threshold = config.upload_above > -1e15 ? config.upload_above
                           : judge->file && judge->file->upload
                               ? judge->file->upload->threshold
                               : judge->discriminator->natural_threshold();
  std::unique_ptr<UploadPolicy> policy;
  if (*budget) {
    if (judge->file) {
      (*budget)->gain_percentiles = judge->file->gain_percentiles;
    }
    if (const auto valid = Validate(**budget); !valid) {
      return wrong(config.upload_share >= 0 ? "upload-share" : "upload-rate", valid.error());
    }
    policy = std::make_unique<BudgetPolicy>(**budget);
  } else {
    policy = std::make_unique<ThresholdPolicy>(threshold, std::max(config.audit, 0.0),
                                               static_cast<std::uint64_t>(config.seed));
  }
  if (!*budget && options.has_far && threshold == std::numeric_limits<double>::infinity()) {
    Say(judge->spec.name +
        " only ranks pictures: nothing is uploaded before --upload-share, --upload-above or a "
        "file made by `nearfar calibrate` gives it a threshold");
  }
  assembly.planner =
      std::make_unique<SmallBigPlanner>(std::move(options), std::move(judge->discriminator),
                                        std::move(policy));

  if (!config.coco_truth.empty()) {
    auto catalog = ReadCocoCatalog(config.coco_truth, assembly.synonyms);
    if (!catalog) {
      return wrong("coco-truth", catalog.error());
    }
    assembly.catalog = *std::move(catalog);
  }
  if (!config.far.empty()) {
    NodeLinkOptions link;
    const std::size_t slash = config.far.find('/');
    link.address = config.far.substr(0, slash);
    link.model = slash == std::string::npos ? "" : config.far.substr(slash + 1);
    std::unique_ptr<TensorExchange> exchange;
    if (!config.far_package.empty()) {
      // Opened for what its graph says of inputs and outputs; the engine is let go again.
      const auto far = ort::OrtDetector::Open({.model = config.far_package});
      if (!far) {
        return wrong("far-package", far.error());
      }
      exchange = MakeStockExchange(
          (*far)->model(), [limits = config.media.limits](std::span<const std::uint8_t> bytes) {
            return DecodeImage(bytes, limits);
          });
    }
    auto opened = GrpcNodeLink::Open(link, assembly.classes, assembly.synonyms, std::move(exchange),
                                     assembly.clock);
    if (!opened) {
      return wrong("far", opened.error());
    }
    assembly.link = *std::move(opened);
  }
  if (!config.link_model.empty()) {
    const auto model = ParseLinkModel(config.link_model);
    if (!model) {
      return wrong("link-model", model.error());
    }
    assembly.shaped = std::make_unique<ShapedLink>(*assembly.link, *model, assembly.clock);
    assembly.pacer = std::make_unique<LinkPacer>(*assembly.shaped, assembly.clock);
  }
  return {};
}

/// Asks the far node what it is, and says what a user should know of the answer. A node that is not
/// there is no error: it may come later.
std::optional<ModelIdentity> MeetFarNode(const RunConfig& config, GrpcNodeLink& link) {
  const auto description = link.Describe(config.far_patience);
  if (!description) {
    Say("the far node " + config.far + " cannot be used yet (" + description.error().message +
        "); difficult pictures keep the near answer until it can");
    return std::nullopt;
  }
  Say("far: " + description->model + " on " + description->server + " at " + config.far);
  if (!description->unmapped.empty()) {
    Say("far: " + std::to_string(description->unmapped.size()) +
        " classes are none of those in force and are left out: " + Listed(description->unmapped));
  }
  ModelIdentity identity;
  identity.name = description->model;
  identity.version = description->model_version;
  identity.hash = description->model_hash;
  return identity;
}

Expected<std::vector<std::uint8_t>> EncodeUpload(const Frame& frame, const Rect& rect,
                                                 Upload::Payload payload, int jpeg_quality) {
  const PixelView view = Crop(frame.pixels.view(), rect);
  if (payload == Upload::Payload::kImage) {
    return EncodeJpeg(view, jpeg_quality);
  }
  std::vector<std::uint8_t> rows;
  rows.reserve(static_cast<std::size_t>(view.size.area()) * 3);
  for (int y = 0; y < view.size.height; ++y) {
    rows.insert(rows.end(), view.row(y), view.row(y) + std::ptrdiff_t{3} * view.size.width);
  }
  return rows;
}

/// Of the pictures that were judged.
double UploadShare(const RunSummary& summary) {
  return static_cast<double>(summary.uploaded) /
         static_cast<double>(std::max<std::uint64_t>(summary.judged, 1));
}

/// In bytes a second.
double UploadRate(const RunSummary& summary, double elapsed_s) {
  return static_cast<double>(summary.bytes_up) / std::max(elapsed_s, 1e-9);
}

void PrintSummary(const RunConfig& config, const RunSummary& summary, bool has_far,
                  double elapsed_s) {
  const auto count = [](std::uint64_t number) { return std::to_string(number); };
  char rate[64];
  std::snprintf(rate, sizeof rate, " in %.1f s (%.1f/s): ", elapsed_s,
                static_cast<double>(summary.frames) / std::max(elapsed_s, 1e-9));
  Say(count(summary.frames) + (summary.frames == 1 ? " frame" : " frames") + rate +
      count(summary.ok) + " ok, " + count(summary.degraded) + " degraded, " +
      count(summary.unreadable) + " unreadable, " + count(summary.failed) + " failed");
  char latency[96];
  std::snprintf(latency, sizeof latency, "latency p50 %.0f ms, p95 %.0f ms",
                ToMilliseconds(summary.latency.Percentile(50)),
                ToMilliseconds(summary.latency.Percentile(95)));
  Say(count(summary.difficult) + " difficult, " +
      (has_far ? count(summary.uploaded) + " uploaded, " + count(summary.late_answers) +
                     " answered late; " + InMb(summary.bytes_up) + " up, " +
                     InMb(summary.bytes_down) + " down; "
               : std::string("none uploaded: there is no far node (--far); ")) +
      latency);
  if (!has_far) {
    return;
  }
  std::string budget;
  if (config.upload_share >= 0) {
    budget = "budget: at most " + ShortNumber(100 * config.upload_share) +
             " % of the pictures, uploaded " + ShortNumber(100 * UploadShare(summary)) + " %";
  }
  if (!config.upload_rate.empty()) {
    budget += (budget.empty() ? "budget: " : "; ") + std::string("at most ") + config.upload_rate +
              ", sent " + ShortNumber(UploadRate(summary, elapsed_s) / 1e3) + " KB/s (" +
              ShortNumber(UploadRate(summary, elapsed_s) * 8e-6) + " Mbit/s)";
  }
  if (summary.audits > 0) {
    budget += (budget.empty() ? "" : "; ") + count(summary.audits) +
              " of the uploads were audits: `nearfar eval --trace` gives the miss rate";
  }
  if (!budget.empty()) {
    Say(budget);
  }
}

std::string SummaryAsJson(const RunConfig& config, const RunSummary& summary, double elapsed_s,
                          bool stopped) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Field("frames", summary.frames);
  json.Field("ok", summary.ok);
  json.Field("degraded", summary.degraded);
  json.Field("unreadable", summary.unreadable);
  json.Field("failed", summary.failed);
  json.Field("difficult", summary.difficult);
  json.Field("uploaded", summary.uploaded);
  json.Field("audits", summary.audits);
  if (config.upload_share >= 0) {
    json.Field("upload_share_asked", config.upload_share);
  }
  if (!config.upload_rate.empty()) {
    json.Field("upload_bytes_per_s_asked", ParseByteRate(config.upload_rate).value_or(0));
  }
  json.Field("upload_share", UploadShare(summary));
  json.Field("upload_bytes_per_s", UploadRate(summary, elapsed_s));
  json.Field("far_answers", summary.far_answers);
  json.Field("late_answers", summary.late_answers);
  json.Field("objects", summary.objects);
  json.Field("bytes_up", summary.bytes_up);
  json.Field("bytes_down", summary.bytes_down);
  json.Field("latency_p50_ms", ToMilliseconds(summary.latency.Percentile(50)));
  json.Field("latency_p95_ms", ToMilliseconds(summary.latency.Percentile(95)));
  json.Field("elapsed_s", elapsed_s);
  json.Field("stopped", stopped);
  json.EndObject();
  return text;
}

/// Opens the outputs that are asked for.
Expected<std::vector<std::unique_ptr<Sink>>> OpenSinks(const RunConfig& config,
                                                       const SettingTable& table,
                                                       Assembly& assembly) {
  const auto wrong = [&](const char* key, const Error& error) {
    return Fail(error.code, table.Where(key) + ": " + error.message);
  };
  std::vector<std::unique_ptr<Sink>> sinks;
  if (!config.trace.empty()) {
    auto trace = TraceSink::Open(config.trace);
    if (!trace) {
      return wrong("trace", trace.error());
    }
    sinks.push_back(*std::move(trace));
  }
  if (!config.coco.empty()) {
    sinks.push_back(std::make_unique<CocoSink>(config.coco, std::move(assembly.catalog)));
  }
  const DrawingOptions drawing{static_cast<float>(config.draw_above), config.jpeg_quality};
  if (!config.annotate.empty()) {
    auto folder = OpenPictureFolder(config.annotate, drawing);
    if (!folder) {
      return wrong("annotate", folder.error());
    }
    sinks.push_back(*std::move(folder));
  }
  if (!config.video.empty()) {
    const double source_fps = assembly.source->frames_per_second();
    const double fps = config.video_fps > 0 ? config.video_fps : source_fps > 0 ? source_fps : 10;
    sinks.push_back(MakeVideoSink(config.video, fps, drawing));
  }
  return sinks;
}

int Run(const RunConfig& config, const SettingTable& table, bool check_only) {
  if (const auto fine = CheckAll(config, table); !fine) {
    Say(fine.error().message);
    return kUsage;
  }
  Assembly assembly;
  if (const auto assembled = Assemble(config, table, assembly); !assembled) {
    return Stop(assembled.error());
  }
  if (check_only) {
    Say("the configuration is valid");
    return kDone;
  }
  UseCallersThreadOnly();
  for (const std::string& assumed : assembly.near->assumed()) {
    Say("near: assumed: " + assumed);
  }
  if (!assembly.near_labels.unmapped.empty()) {
    Say("near: " + std::to_string(assembly.near_labels.unmapped.size()) +
        " classes are none of those in force and are left out: " +
        Listed(assembly.near_labels.unmapped));
  }
  for (const std::string& remark : assembly.source->remarks()) {
    Say(remark);
  }
  auto sinks = OpenSinks(config, table, assembly);
  if (!sinks) {
    return Stop(sinks.error());
  }

  RunRecord run;
  run.program = "nearfar " NEARFAR_VERSION;
  run.config = table.GivenAsYaml();
  run.classes = assembly.classes;
  run.models.push_back(assembly.near->identity());
  run.started = assembly.clock.WallNow();
  std::vector<NodeLink*> links;
  if (assembly.link) {
    links.push_back(assembly.shaped ? static_cast<NodeLink*>(assembly.shaped.get())
                                    : assembly.link.get());
    run.models.push_back(MeetFarNode(config, *assembly.link).value_or(ModelIdentity{.name = config.far}));
  }

  SummarySink summary;
  std::optional<TalkingSink> talk(std::in_place, assembly.source->count(), assembly.link != nullptr);
  std::vector<Sink*> all{&summary, &*talk};
  for (const auto& sink : *sinks) {
    all.push_back(sink.get());
  }
  WatchForInterrupt();
  const StreamParts parts{*assembly.source,
                          *assembly.near,
                          assembly.near_labels,
                          links,
                          *assembly.planner,
                          all,
                          [&](const Frame& frame, const Rect& rect, Upload::Payload payload) {
                            return EncodeUpload(frame, rect, payload, config.jpeg_quality);
                          },
                          [&](const Frame& frame, const Planner& planner) {
                            return MeasurePixels(
                                frame.pixels.view(), frame.encoded,
                                {planner.needs_brenner(), planner.needs_jpeg_bytes()},
                                config.jpeg_quality);
                          },
                          Interrupted,
                          assembly.clock};
  const TimePoint start = assembly.clock.Now();
  const StreamEnd end = RunStream(parts, config.stream, run);
  const double elapsed_s = ToMilliseconds(assembly.clock.Now() - start) / 1e3;
  talk.reset();  // the progress line ends

  if (assembly.link && !assembly.link->unmapped().empty()) {
    Say("far: answers held classes that are none of those in force: " +
        Listed(assembly.link->unmapped()));
  }
  PrintSummary(config, summary.summary(), assembly.link != nullptr, elapsed_s);
  if (config.json) {
    std::cout << SummaryAsJson(config, summary.summary(), elapsed_s, end.stopped) << std::endl;
  }
  if (end.error) {
    return Stop(*end.error);
  }
  if (end.stopped) {
    Say("stopped; what was done is kept");
    return kInterrupted;
  }
  return summary.summary().unreadable + summary.summary().failed > 0 ? kSomeFailed : kDone;
}

}  // namespace

std::function<int()> SetUpRun(CLI::App& app) {
  /// Outlives this call: the parser fills it later.
  struct State {
    RunConfig config;
    SettingTable table{SettingsOf(config)};
    std::string file;
    bool check = false;
  };
  auto state = std::make_shared<State>();
  app.add_option("--config", state->file, "YAML file with the same keys as the flags; flags win")
      ->type_name("FILE");
  app.add_flag("--check", state->check, "check the configuration, name line and key of a mistake, end");
  state->table.Declare(app);
  return [state] {
    if (const auto read = state->table.Apply(state->file); !read) {
      Say(read.error().message);
      return static_cast<int>(kUsage);
    }
    return Run(state->config, state->table, state->check);
  };
}

}  // namespace nearfar::cli
