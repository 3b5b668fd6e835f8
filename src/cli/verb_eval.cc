#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "cli/flag_values.h"
#include "cli/open_recording.h"
#include "cli/report.h"
#include "cli/tiles_report.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "core/phrase.h"
#include "data/read_truth.h"
#include "data/text.h"
#include "discriminate/factory.h"
#include "eval/alignment.h"
#include "eval/audit.h"
#include "eval/comparison.h"
#include "eval/replay.h"
#include "eval/tiles.h"
#include "trace/json_lines.h"
#include "train/discriminator_file.h"
#include "train/labelled_set.h"

namespace nearfar::cli {
namespace {

struct EvalFlags {
  std::string truth;
  std::string image_set;
  std::string images;
  std::vector<std::string> recordings;
  std::string near;
  std::string far;
  std::string trace;
  std::vector<std::string> discriminators;
  std::vector<double> upload;
  std::vector<double> budget;
  double audit = -1;  // < 0: DefaultAudit
  bool learn = false;
  std::string decisions;
  std::vector<std::string> fusion = {"auto"};
  std::vector<std::string> classes;
  std::string synonyms;
  ComparisonOptions comparison;
  bool per_class = false;
  bool sizes = false;
  bool json = false;
};

/// The inputs, read.
struct Inputs {
  Truth truth;
  Synonyms synonyms;
  std::vector<Recording> others;
  std::optional<Recording> near;
  std::optional<Recording> far;
  std::optional<Trace> trace;
};

/// Everything judged: rows over the same images, and what was left out on the way.
struct Evaluation {
  AlignedSet set;
  std::vector<Standing> standings;
  std::optional<AuditReport> audits;  // of the trace
  TilesReport tiles;                  // of the trace
  std::vector<std::string> notes;     // what stands behind the figures
};

/// Whether some frame was cut: then no answer is a whole picture's.
bool HasTiles(const Trace& trace) {
  return std::any_of(trace.frames.begin(), trace.frames.end(),
                     [](const FrameRecord& frame) { return frame.tiles.has_value(); });
}

Expected<Inputs> ReadInputs(const EvalFlags& flags) {
  const std::string& images = flags.images.empty() ? flags.truth : flags.images;
  Inputs inputs;
  Expected<Synonyms> synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return tl::unexpected(synonyms.error());
  }
  inputs.synonyms = *synonyms;
  Expected<Truth> truth =
      ReadTruth(flags.truth, inputs.synonyms, TruthOptions{.image_set = flags.image_set});
  if (!truth) {
    return tl::unexpected(truth.error());
  }
  inputs.truth = std::move(*truth);
  if (!flags.trace.empty()) {
    Expected<Trace> trace = ReadTrace(flags.trace);
    if (!trace) {
      return tl::unexpected(trace.error());
    }
    SayAll(flags.trace, trace->remarks);
    inputs.trace = std::move(*trace);
    if (HasTiles(*inputs.trace)) {
      FitTruthToTrace(*inputs.trace, inputs.truth);
    }
  }
  SayAll(flags.truth, inputs.truth.remarks);
  for (const std::string& path : flags.recordings) {
    Expected<Recording> recording = OpenAndSay(path, images, inputs.synonyms);
    if (!recording) {
      return tl::unexpected(recording.error());
    }
    inputs.others.push_back(std::move(*recording));
  }
  const std::pair<const std::string*, std::optional<Recording>*> pair[] = {
      {&flags.near, &inputs.near}, {&flags.far, &inputs.far}};
  for (const auto& [path, into] : pair) {
    if (!path->empty()) {
      Expected<Recording> recording = OpenAndSay(*path, images, inputs.synonyms);
      if (!recording) {
        return tl::unexpected(recording.error());
      }
      *into = std::move(*recording);
    }
  }
  if (inputs.near && inputs.far) {
    if (const auto same = CheckSamePictures(inputs.near->model, inputs.far->model); !same) {
      return tl::unexpected(same.error());
    }
  }
  return inputs;
}

// ---- decisions

/// Reads `image,uploaded` with 0 or 1, one image a line; a first line of names is passed over.
Expected<std::vector<bool>> ReadDecisions(const std::string& path,
                                          const std::vector<TruthImage>& images) {
  const Expected<std::string> text = ReadFileText(path);
  if (!text) {
    return Fail(text.error().code, "decisions: " + text.error().message);
  }
  std::istringstream file(*text);
  std::map<std::string, bool> uploaded;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    line.erase(std::find_if(line.rbegin(), line.rend(),
                            [](unsigned char c) { return std::isspace(c) == 0; })
                   .base(),
               line.end());
    const std::size_t comma = line.rfind(',');
    const std::string value = comma == std::string::npos ? "" : line.substr(comma + 1);
    if (line.empty() || (number == 1 && value == "uploaded")) {
      continue;
    }
    if (value != "0" && value != "1") {
      return Fail(ErrorCode::kInvalidInput,
                  path + ":" + std::to_string(number) + ": expected `image,0` or `image,1`");
    }
    if (!uploaded.emplace(line.substr(0, comma), value == "1").second) {
      return Fail(ErrorCode::kInvalidInput, path + ":" + std::to_string(number) + ": " +
                                                line.substr(0, comma) + " is decided twice");
    }
  }
  std::vector<bool> by_image;
  for (const TruthImage& image : images) {
    const auto found = uploaded.find(image.name);
    if (found == uploaded.end()) {
      return Fail(ErrorCode::kInvalidInput, path + " does not decide on " + image.name);
    }
    by_image.push_back(found->second);
  }
  return by_image;
}

/// What the audits of a run say, in a sentence or two; empty when there were none.
std::string AuditText(const AuditReport& audits) {
  if (audits.audits == 0) {
    return "";
  }
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  const auto with_interval = [](const Figure& figure) {
    std::string text = Percent(*figure.value) + " %";
    if (figure.interval) {
      text += " [" + Percent(figure.interval->low) + ", " + Percent(figure.interval->high) + "]";
    }
    return text;
  };
  std::string text = "audits: " + number(audits.audits) + " of " + number(audits.kept) +
                     " images that stayed near were chosen, " + number(audits.answered) +
                     " answered, " + number(audits.found_difficult) + " difficult";
  if (audits.kept_difficult.value) {
    text += "; of those that stayed near " + with_interval(audits.kept_difficult) +
            " were difficult (weighted, 95 %)";
  }
  if (audits.miss_rate.value) {
    text += "; miss rate, of all difficult ones: " + with_interval(audits.miss_rate);
  }
  if (audits.unseen > 0) {
    text += "; " + number(audits.unseen) + " had no chance of an audit and are left out";
  }
  return text;
}

// ---- from inputs to rows

/// Places of the sources in the aligned set.
struct Places {
  std::optional<std::size_t> near, far, trace, trace_near;
};

/// Small-big replayed from the two recordings.
/// @param answered  the uploads that make the result; absent: all of them.
Contender Replayed(const Inputs& inputs, const AlignedSet& set, const Places& places,
                   std::string name, const std::vector<bool>& uploaded, const FusionWeights& fusion,
                   const std::vector<bool>* answered = nullptr) {
  if (fusion.active()) {
    name += ", fused " + ShortNumber(fusion.agree) + "/" + ShortNumber(fusion.keep);
  }
  Contender contender{.name = std::move(name), .role = Role::kEndToEnd};
  contender.detections = ComposeCascade(set.detections[*places.near], set.detections[*places.far],
                                        answered != nullptr ? *answered : uploaded, fusion);
  Costs costs = RecordedCosts(*inputs.near, set.position[*places.near], *inputs.far,
                              set.position[*places.far], uploaded);
  contender.bytes_up = costs.bytes_up;
  contender.latencies = std::move(costs.latencies);
  contender.uploaded = uploaded;
  return contender;
}

/// A discriminator, and the near boxes in the label space that it judges.
struct Judge {
  std::string title;
  std::unique_ptr<Discriminator> discriminator;
  std::optional<double> threshold;       // of the gain, as calibrated to an upload ratio
  std::vector<double> gain_percentiles;  // as calibrated; may be empty
  std::vector<Detections> boxes;         // by image, in the label space that it judges in
  std::vector<Detections> far_boxes;     // likewise, what it may learn from
  std::vector<FusionWeights> fusion;     // a row each
};

/// The weights that --fusion asks for, each once.
Expected<std::vector<FusionWeights>> ChooseFusions(const std::vector<std::string>& texts,
                                                   const std::optional<DiscriminatorFile>& file) {
  std::vector<FusionWeights> chosen;
  for (const std::string& text : texts) {
    const auto weights = ChooseFusion(text, file);
    if (!weights) {
      return tl::unexpected(weights.error());
    }
    if (std::find(chosen.begin(), chosen.end(), *weights) == chosen.end()) {
      chosen.push_back(*weights);
    }
  }
  return chosen;
}

/// By the name of a discriminator, or of a file that `nearfar calibrate` wrote.
Expected<Judge> MakeJudge(const std::string& name, const EvalFlags& flags, const Inputs& inputs,
                          const AlignedSet& set, const Places& places) {
  const std::size_t near = *places.near;
  const std::size_t far = *places.far;
  Judge judge{.title = name};
  Expected<OpenedDiscriminator> opened = OpenDiscriminator({.name = name}, flags.learn);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  judge.discriminator = std::move(opened->discriminator);
  Expected<std::vector<FusionWeights>> fusion = ChooseFusions(flags.fusion, opened->file);
  if (!fusion) {
    return Fail(fusion.error().code, "--fusion with " + name + ": " + fusion.error().message);
  }
  judge.fusion = *std::move(fusion);
  if (!opened->file) {
    judge.boxes = set.detections[near];
    judge.far_boxes = set.detections[far];
    return judge;
  }
  const DiscriminatorFile& file = *opened->file;
  const auto fits = CheckMadeFor(file, inputs.near->model);
  if (!fits) {
    return Fail(fits.error().code, name + ": " + fits.error().message);
  }
  if (!fits->empty()) {
    Say(name + ": " + *fits);
  }
  judge.title = std::filesystem::path(name).filename().string();
  if (file.upload) {
    judge.threshold = file.upload->threshold;
  }
  judge.gain_percentiles = file.gain_percentiles;
  for (const std::size_t f : set.position[near]) {
    judge.boxes.push_back(
        DetectionsIn(file.classes, *inputs.near, inputs.near->frames[f], inputs.synonyms));
  }
  for (const std::size_t f : set.position[far]) {
    judge.far_boxes.push_back(
        DetectionsIn(file.classes, *inputs.far, inputs.far->frames[f], inputs.synonyms));
  }
  return judge;
}

/// The live policy under budgets, over the images in the order in which they were recorded.
Expected<void> AddBudgeted(const EvalFlags& flags, const std::string& name, const Inputs& inputs,
                           const AlignedSet& set, const Places& places,
                           std::vector<Contender>& contenders) {
  const std::vector<std::size_t>& position = set.position[*places.near];
  std::vector<std::size_t> order(position.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return position[a] < position[b]; });
  for (const double share : flags.budget) {
    Expected<Judge> judge = MakeJudge(name, flags, inputs, set, places);
    if (!judge) {
      return tl::unexpected(judge.error());
    }
    std::vector<std::size_t> frames;
    std::vector<Detections> near_boxes;
    std::vector<Detections> far_boxes;
    for (const std::size_t i : order) {
      frames.push_back(position[i]);
      near_boxes.push_back(judge->boxes[i]);
      far_boxes.push_back(judge->far_boxes[i]);
    }
    const BudgetOptions options{.share = share,
                                .audit = flags.audit < 0 ? DefaultAudit(share) : flags.audit,
                                .gain_percentiles = judge->gain_percentiles,
                                .seed = flags.comparison.bootstrap.seed};
    if (const auto valid = Validate(options); !valid) {
      return Fail(valid.error().code, name + ", --budget: " + valid.error().message);
    }
    const Expected<BudgetedUploads> in_order =
        ReplayBudget(options, *judge->discriminator, *inputs.near, frames, near_boxes, far_boxes);
    if (!in_order) {
      return tl::unexpected(in_order.error());
    }
    std::vector<bool> uploaded(order.size());
    std::vector<bool> answered(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      uploaded[order[i]] = in_order->uploaded[i];
      answered[order[i]] = in_order->answered[i];
    }
    for (const FusionWeights& weights : judge->fusion) {
      contenders.push_back(
          Replayed(inputs, set, places,
                   "end to end, " + judge->title + ", budget " + Percent(share, 0) + " %", uploaded,
                   weights, &answered));
    }
  }
  return {};
}

Expected<void> AddDecided(const EvalFlags& flags, const Inputs& inputs, const AlignedSet& set,
                          const Places& places, std::optional<double> run_ratio,
                          std::vector<Contender>& contenders) {
  if (!flags.decisions.empty()) {
    Expected<std::vector<bool>> uploaded = ReadDecisions(flags.decisions, set.images);
    if (!uploaded) {
      return tl::unexpected(uploaded.error());
    }
    const auto fusion = ChooseFusions(flags.fusion, std::nullopt);
    if (!fusion) {
      return Fail(fusion.error().code, "--fusion: " + fusion.error().message);
    }
    for (const FusionWeights& weights : *fusion) {
      contenders.push_back(
          Replayed(inputs, set, places, "end to end, decided by file", *uploaded, weights));
    }
  }
  for (const std::string& name : flags.discriminators) {
    Expected<Judge> judge = MakeJudge(name, flags, inputs, set, places);
    if (!judge) {
      return tl::unexpected(judge.error());
    }
    Expected<Judgement> judgement = JudgeRecorded(*judge->discriminator, *inputs.near,
                                                  set.position[*places.near], judge->boxes);
    if (!judgement) {
      return tl::unexpected(judgement.error());
    }
    std::vector<double> ratios = flags.upload;
    const bool budget_only = !flags.budget.empty() && ratios.empty();
    if (ratios.empty() && !judge->threshold && run_ratio && IsRanking(name)) {
      ratios = {*run_ratio};
    }
    if (!budget_only && ratios.empty() && !judge->threshold &&
        !judge->discriminator->has_verdict()) {
      return Fail(ErrorCode::kInvalidInput,
                  name + " only ranks images: say with --upload or --budget how many go up");
    }
    if (!budget_only && ratios.empty()) {
      for (std::size_t i = 0; judge->threshold && i < judgement->gains.size(); ++i) {
        judgement->difficult[i] = judgement->gains[i] > *judge->threshold;
      }
      for (const FusionWeights& weights : judge->fusion) {
        contenders.push_back(Replayed(inputs, set, places, "end to end, " + judge->title,
                                      judgement->difficult, weights));
      }
    }
    for (const double ratio : ratios) {
      for (const FusionWeights& weights : judge->fusion) {
        contenders.push_back(Replayed(
            inputs, set, places, "end to end, " + judge->title + " at " + Percent(ratio, 0) + " %",
            UploadTop(judgement->gains, ratio), weights));
      }
    }
    if (const auto added = AddBudgeted(flags, name, inputs, set, places, contenders); !added) {
      return added;
    }
  }
  return {};
}

/// The lowest score among final boxes, where the run cut off near boxes well below it.
std::optional<float> FloorOfRun(const Trace& trace) {
  float final_floor = 1;
  float near_floor = 1;
  for (const FrameRecord& frame : trace.frames) {
    for (const Detection& d : frame.detections) {
      final_floor = std::min(final_floor, d.score);
    }
    for (const Answer& answer : frame.answers) {
      for (const Detection& d : answer.detections) {
        near_floor = answer.link == kNear ? std::min(near_floor, d.score) : near_floor;
      }
    }
  }
  return final_floor > near_floor + 0.03F ? std::optional(final_floor) : std::nullopt;
}

/// Of how many pictures of a run the near model was asked: cloud-only leaves it out.
struct AskedShare {
  std::size_t asked = 0;
  std::size_t readable = 0;

  bool all() const { return asked == readable; }
};

AskedShare NearAsked(const Trace& trace) {
  AskedShare share;
  for (const FrameRecord& frame : trace.frames) {
    if (frame.status != FrameStatus::kUnreadable) {
      ++share.readable;
      share.asked += !frame.answers.empty() && frame.answers.front().link == kNear ? 1U : 0U;
    }
  }
  return share;
}

std::string Title(const Recording& recording, const std::string& path) {
  return recording.model.name.empty() ? std::filesystem::path(path).stem().string()
                                      : recording.model.name;
}

/// How well the people of a tiled run were found, as a note.
void AddPeople(Evaluation& evaluation, float score_threshold) {
  for (const Standing& standing : evaluation.standings) {
    for (const ClassStanding& c : standing.per_class) {
      if (standing.name == "end to end" && c.name == "person" && c.wanted > 0) {
        evaluation.notes.push_back(
            "people: AP50 " + OrDash(c.ap50) + " %, recall " +
            Percent(static_cast<double>(c.found) / static_cast<double>(c.wanted)) +
            " % with a score above " + ShortNumber(score_threshold));
      }
    }
  }
}

Expected<Evaluation> Evaluate(const EvalFlags& flags, const Inputs& inputs) {
  std::vector<DetectionSet> sources;
  const auto add = [&](const Recording& recording,
                       const std::string& title) -> Expected<std::size_t> {
    Expected<DetectionSet> source = BoxesOf(recording, title);
    if (!source) {
      return tl::unexpected(source.error());
    }
    sources.push_back(std::move(*source));
    return sources.size() - 1;
  };
  Places places;
  for (std::size_t i = 0; i < inputs.others.size(); ++i) {
    if (const auto at = add(inputs.others[i], flags.recordings[i]); !at) {
      return tl::unexpected(at.error());
    }
  }
  const std::pair<const std::optional<Recording>*, std::optional<std::size_t>*> pair[] = {
      {&inputs.near, &places.near}, {&inputs.far, &places.far}};
  for (const auto& [recording, place] : pair) {
    if (*recording) {
      const auto at = add(**recording, place == &places.near ? "near" : "far");
      if (!at) {
        return tl::unexpected(at.error());
      }
      *place = *at;
    }
  }
  if (inputs.trace) {
    places.trace = sources.size();
    sources.push_back(BoxesOf(*inputs.trace, "trace"));
    if (!inputs.near && !HasTiles(*inputs.trace) && NearAsked(*inputs.trace).all()) {
      places.trace_near = sources.size();
      sources.push_back(NearBoxesOf(*inputs.trace, "near answers of the trace"));
    }
  }
  Expected<AlignedSet> aligned = Align(inputs.truth, sources, inputs.synonyms, flags.classes);
  if (!aligned) {
    return tl::unexpected(aligned.error());
  }
  Evaluation evaluation{.set = std::move(*aligned)};
  const AlignedSet& set = evaluation.set;

  std::optional<RunCosts> run;
  std::optional<double> run_ratio;
  if (places.trace) {
    run = CostsOf(*inputs.trace, set.position[*places.trace]);
    run_ratio = static_cast<double>(std::count(run->uploaded.begin(), run->uploaded.end(), true)) /
                static_cast<double>(run->uploaded.size());
  }
  std::vector<Contender> contenders;
  for (std::size_t i = 0; i < inputs.others.size(); ++i) {
    Costs costs = RecordedCosts(inputs.others[i], set.position[i]);
    contenders.push_back({.name = Title(inputs.others[i], flags.recordings[i]),
                          .role = Role::kOther,
                          .detections = set.detections[i],
                          .latencies = std::move(costs.latencies)});
  }
  if (places.near || places.trace_near) {
    const std::size_t at = places.near ? *places.near : *places.trace_near;
    contenders.push_back({.name = "small alone",
                          .role = Role::kSmall,
                          .detections = set.detections[at],
                          .bytes_up = 0});
    contenders.back().latencies =
        run ? run->near : RecordedCosts(*inputs.near, set.position[at]).latencies;
  }
  if (places.far) {
    const auto& at = set.position[*places.far];
    contenders.push_back(
        {.name = "big alone", .role = Role::kBig, .detections = set.detections[*places.far]});
    const Recording& near = inputs.near ? *inputs.near : *inputs.far;
    contenders.back().bytes_up = RecordedCosts(near, places.near ? set.position[*places.near] : at,
                                               *inputs.far, at, std::vector<bool>(at.size(), true))
                                     .bytes_up;
    contenders.back().latencies = run ? run->far : RecordedCosts(*inputs.far, at).latencies;
  }
  if (run) {
    contenders.push_back({.name = "end to end",
                          .role = Role::kEndToEnd,
                          .detections = set.detections[*places.trace],
                          .uploaded = run->uploaded,
                          .bytes_up = run->bytes_up,
                          .latencies = run->end_to_end});
    evaluation.notes.push_back(
        HasTiles(*inputs.trace)
            ? "latency as the run measured it, capture to emission"
            : "latency as the run measured it: small = near answer, big = far answer of the "
              "uploaded images with link and queue, end to end = capture to emission");
    if (run->degraded + run->unreadable + run->failed > 0) {
      evaluation.notes.push_back(
          "of " + std::to_string(set.images.size()) + " images " + std::to_string(run->degraded) +
          " kept the near answer because the far one failed, " + std::to_string(run->unreadable) +
          " could not be read, " + std::to_string(run->failed) + " failed");
    }
    if (const AskedShare near = NearAsked(*inputs.trace); !near.all() && !HasTiles(*inputs.trace)) {
      evaluation.notes.push_back(
          "the run asked the near model about " + std::to_string(near.asked) + " of " +
          std::to_string(near.readable) + " images: the trace gives it no row of its own");
    }
    if (const auto floor = FloorOfRun(*inputs.trace)) {
      char text[160];
      std::snprintf(text, sizeof text,
                    "the run kept no box scored below %.2f, although the near model found such: "
                    "its average precisions are lower for it",
                    *floor);
      evaluation.notes.emplace_back(text);
    }
  } else if (std::any_of(contenders.begin(), contenders.end(),
                         [](const Contender& c) { return !c.latencies.empty(); })) {
    evaluation.notes.push_back("latency = recorded service time of the engines, without any link");
  }
  if (const auto added = AddDecided(flags, inputs, set, places, run_ratio, contenders); !added) {
    return tl::unexpected(added.error());
  }
  if (!flags.budget.empty()) {
    evaluation.notes.push_back(
        "budget: the live policy over the images in the order of the near "
        "recording, from a cold start or the file's spread of gains; an "
        "audit counts as upload and keeps the near answer (seed " +
        std::to_string(flags.comparison.bootstrap.seed) + ")");
  }
  if (inputs.trace) {
    evaluation.audits = ReportAudits(*inputs.trace, flags.comparison.score_threshold);
    if (const std::string said = AuditText(*evaluation.audits); !said.empty()) {
      evaluation.notes.push_back(said);
    }
  }
  evaluation.standings = Compare(set.images, set.classes, contenders, flags.comparison);
  if (inputs.trace) {
    evaluation.tiles = ReportTiles(*inputs.trace);
    if (evaluation.tiles.frames > 0) {
      AddPeople(evaluation, flags.comparison.score_threshold);
    }
  }
  return evaluation;
}

// ---- text

std::string Bytes(const std::optional<std::int64_t>& bytes) {
  if (!bytes) {
    return "-";
  }
  const auto value = static_cast<double>(*bytes);
  char text[32];
  if (value >= 1e6) {
    std::snprintf(text, sizeof text, "%.1f MB", value / 1e6);
  } else if (value >= 1e3) {
    std::snprintf(text, sizeof text, "%.1f kB", value / 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.0f B", value);
  }
  return text;
}

std::string Milliseconds(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", ToMilliseconds(duration));
  return text;
}

std::string RecoveredText(const Standing& standing, bool has_pair) {
  return standing.recovered.value ? WithInterval(standing.recovered) : (has_pair ? "no gap" : "-");
}

void PrintText(const Evaluation& evaluation, const EvalFlags& flags) {
  using Row = std::vector<std::string>;
  const bool with_intervals = flags.comparison.bootstrap.draws > 0;
  const std::vector<Standing>& standings = evaluation.standings;
  const auto has_role = [&](Role role) {
    return std::any_of(standings.begin(), standings.end(),
                       [&](const Standing& s) { return s.role == role; });
  };

  std::vector<Row> rows;
  for (const Standing& s : standings) {
    Row row = {s.name, OrDash(s.voc07.value), OrDash(s.area.value), OrDash(s.ap50.value),
               OrDash(s.ap50_95.value)};
    if (flags.sizes) {
      row.insert(row.end(), {OrDash(s.ap_small), OrDash(s.ap_medium), OrDash(s.ap_large)});
    }
    row.insert(row.end(), {std::to_string(s.objects.found), std::to_string(s.objects.counted),
                           OrDash(s.upload_ratio), Bytes(s.bytes_up),
                           s.latency ? Milliseconds(s.latency->p50) : "-",
                           s.latency ? Milliseconds(s.latency->p95) : "-"});
    rows.push_back(std::move(row));
  }
  Row header = {"", "mAP", "area AP", "AP50", "AP50:95"};
  if (flags.sizes) {
    header.insert(header.end(), {"small", "medium", "large"});
  }
  header.insert(header.end(), {"found", "counted", "uploaded %", "bytes up", "p50 ms", "p95 ms"});
  std::cout << FormatTable(header, rows);
  const std::int64_t wanted = standings.empty() ? 0 : standings[0].objects.wanted;
  std::cout << "\n"
            << evaluation.set.images.size() << " images, " << wanted << " objects of "
            << evaluation.set.classes.size()
            << (evaluation.set.classes.size() == 1 ? " class" : " classes") << "; accuracies in %; "
            << "mAP: VOC07, 11 points, IoU " << flags.comparison.iou
            << "; found: objects of the truth with a box scored > "
            << flags.comparison.score_threshold
            << "; counted: all such boxes, right or wrong (the paper's count)\n";
  for (const std::string& note : evaluation.notes) {
    std::cout << note << "\n";
  }
  if (const std::string tiles = ToText(evaluation.tiles); !tiles.empty()) {
    std::cout << "\n" << tiles;
  }

  if (has_role(Role::kEndToEnd)) {
    rows.clear();
    const bool has_pair = has_role(Role::kSmall) && has_role(Role::kBig);
    for (const Standing& s : standings) {
      if (s.role == Role::kEndToEnd) {
        rows.push_back({s.name, std::to_string(s.kept_images), OrDash(s.kept_voc07),
                        OrDash(s.kept_ap50_95), WithInterval(s.found_share),
                        OrDash(s.counted_share), RecoveredText(s, has_pair)});
      }
    }
    std::cout << "\n"
              << FormatTable({"", "kept images", "mAP on kept", "AP50:95 on kept",
                              "found / big's %", "counted / big's %", "mAP gap recovered %"},
                             rows);
  }
  if (with_intervals) {
    rows.clear();
    for (const Standing& s : standings) {
      rows.push_back({s.name, WithInterval(s.voc07), WithInterval(s.area), WithInterval(s.ap50),
                      WithInterval(s.ap50_95), WithInterval(s.recall)});
    }
    std::cout << "\n95 % intervals over images, " << flags.comparison.bootstrap.draws
              << " draws, seed " << flags.comparison.bootstrap.seed << "\n"
              << FormatTable({"", "mAP", "area AP", "AP50", "AP50:95", "found / objects"}, rows);
  }
  if (flags.per_class) {
    for (const Standing& s : standings) {
      rows.clear();
      for (const ClassStanding& c : s.per_class) {
        rows.push_back({c.name, OrDash(c.voc07), OrDash(c.area), OrDash(c.ap50), OrDash(c.ap50_95),
                        std::to_string(c.found), std::to_string(c.wanted)});
      }
      std::cout << "\n"
                << FormatTable(
                       {s.name, "AP (VOC07)", "area AP", "AP50", "AP50:95", "found", "objects"},
                       rows);
    }
  }
}

// ---- JSON

void Field(JsonWriter& json, const char* key, const std::optional<double>& value) {
  if (value) {
    json.Field(key, *value);
  }
}

void Field(JsonWriter& json, const std::string& key, const Figure& figure) {
  if (!figure.value) {
    return;
  }
  json.Field(key, *figure.value);
  if (figure.interval) {
    json.Field(key + "_interval", std::vector<double>{figure.interval->low, figure.interval->high});
  }
}

const char* RoleName(Role role) {
  switch (role) {
    case Role::kSmall:
      return "small";
    case Role::kBig:
      return "big";
    case Role::kEndToEnd:
      return "end-to-end";
    case Role::kOther:
      return "other";
  }
  return "other";
}

void WriteStanding(JsonWriter& json, const Standing& s) {
  json.BeginObject();
  json.Field("name", s.name);
  json.Field("role", RoleName(s.role));
  Field(json, "map_voc07", s.voc07);
  Field(json, "map_area", s.area);
  Field(json, "ap50", s.ap50);
  Field(json, "ap50_95", s.ap50_95);
  Field(json, "ap_small", s.ap_small);
  Field(json, "ap_medium", s.ap_medium);
  Field(json, "ap_large", s.ap_large);
  json.Field("objects_found", s.objects.found);
  json.Field("objects_counted", s.objects.counted);
  json.Field("objects", s.objects.wanted);
  Field(json, "objects_found_share", s.recall);
  if (s.upload_ratio) {
    json.Field("upload_ratio", *s.upload_ratio);
    json.Field("kept_images", s.kept_images);
    Field(json, "kept_map_voc07", s.kept_voc07);
    Field(json, "kept_ap50_95", s.kept_ap50_95);
  }
  Field(json, "found_of_big", s.found_share);
  Field(json, "counted_of_big", s.counted_share);
  Field(json, "gap_recovered", s.recovered);
  if (s.bytes_up) {
    json.Field("bytes_up", *s.bytes_up);
  }
  if (s.latency) {
    json.Key("latency_ms");
    json.BeginObject();
    json.Field("p50", s.latency->p50);
    json.Field("p95", s.latency->p95);
    json.Field("p99", s.latency->p99);
    json.Field("images", s.latencies);
    json.EndObject();
  }
  json.Key("classes");
  json.BeginArray();
  for (const ClassStanding& c : s.per_class) {
    json.BeginObject();
    json.Field("name", c.name);
    json.Field("objects", c.wanted);
    json.Field("objects_found", c.found);
    Field(json, "ap_voc07", c.voc07);
    Field(json, "ap_area", c.area);
    Field(json, "ap50", c.ap50);
    Field(json, "ap50_95", c.ap50_95);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
}

/// The audits of a trace as a member of an object; nothing where there were none.
void AddAudits(JsonWriter& json, const AuditReport& audits) {
  if (audits.audits == 0) {
    return;
  }
  json.Key("audit");
  json.BeginObject();
  json.Field("kept", audits.kept);
  json.Field("kept_unseen", audits.unseen);
  json.Field("not_sent", audits.not_sent);
  json.Field("audits", audits.audits);
  json.Field("audits_answered", audits.answered);
  json.Field("audits_difficult", audits.found_difficult);
  json.Field("uploads", audits.uploads);
  json.Field("uploads_difficult", audits.uploads_difficult);
  Field(json, "kept_difficult", audits.kept_difficult);
  Field(json, "miss_rate", audits.miss_rate);
  json.EndObject();
}

void PrintJson(const Evaluation& evaluation, const EvalFlags& flags) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Field("images", evaluation.set.images.size());
  json.Field("classes", evaluation.set.classes.names);
  json.Field("iou", flags.comparison.iou);
  json.Field("score_threshold", flags.comparison.score_threshold);
  json.Field("bootstrap_draws", flags.comparison.bootstrap.draws);
  json.Field("seed", flags.comparison.bootstrap.seed);
  json.Field("remarks", evaluation.set.remarks);
  json.Field("notes", evaluation.notes);
  if (evaluation.audits) {
    AddAudits(json, *evaluation.audits);
  }
  AddTiles(json, evaluation.tiles);
  json.Key("rows");
  json.BeginArray();
  for (const Standing& standing : evaluation.standings) {
    WriteStanding(json, standing);
  }
  json.EndArray();
  json.EndObject();
  std::cout << text << "\n";
}

// ---- the verb

/// Flags that do not go together: what to say, or empty.
std::string Misuse(const EvalFlags& flags) {
  if (flags.recordings.empty() && flags.near.empty() && flags.far.empty() && flags.trace.empty()) {
    return "nothing to evaluate: give --recording, --near and --far, or --trace";
  }
  const bool decides = !flags.discriminators.empty() || !flags.decisions.empty();
  if (decides && (flags.near.empty() || flags.far.empty())) {
    return "--discriminator and --decisions need both --near and --far";
  }
  if (!flags.upload.empty() && flags.discriminators.empty()) {
    return "--upload needs a --discriminator that ranks the images";
  }
  if (!flags.budget.empty() && flags.discriminators.empty()) {
    return "--budget needs a --discriminator that ranks the images";
  }
  if (const auto valid = Validate(flags.comparison); !valid) {
    return valid.error().message;
  }
  for (const std::string& text : flags.fusion) {
    if (const auto fusion = ChooseFusion(text, std::nullopt); !fusion) {
      return "--fusion: " + fusion.error().message;
    }
  }
  if (flags.fusion != std::vector<std::string>{"auto"} && !decides) {
    return "--fusion needs a --discriminator or --decisions: a trace is fused already or not";
  }
  return "";
}

/// What a trace tells without any truth: uploads, bytes, times, and what the audits say of the
/// rest.
int ReportTrace(const EvalFlags& flags) {
  const Expected<Trace> trace = ReadTrace(flags.trace);
  if (!trace) {
    return Stop(trace.error());
  }
  SayAll(flags.trace, trace->remarks);
  std::vector<std::size_t> frames(trace->frames.size());
  std::iota(frames.begin(), frames.end(), std::size_t{0});
  const RunCosts costs = CostsOf(*trace, frames);
  const AuditReport audits = ReportAudits(*trace, flags.comparison.score_threshold);
  const auto uploaded = std::count(costs.uploaded.begin(), costs.uploaded.end(), true);
  const TilesReport tiles = ReportTiles(*trace);
  if (flags.json) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject();
    json.Field("images", frames.size());
    json.Field("uploaded", uploaded);
    json.Field("bytes_up", costs.bytes_up);
    json.Field("bytes_down", costs.bytes_down);
    json.Field("degraded", costs.degraded);
    json.Field("unreadable", costs.unreadable);
    json.Field("failed", costs.failed);
    AddAudits(json, audits);
    AddTiles(json, tiles);
    json.EndObject();
    std::cout << text << std::endl;
    return kDone;
  }
  std::cout << frames.size() << " images";
  if (!frames.empty()) {
    const LatencyPercentiles latency = PercentilesOf(costs.end_to_end);
    std::cout << ", uploaded " << uploaded << " ("
              << Percent(static_cast<double>(uploaded) / static_cast<double>(frames.size()))
              << " %), " << Bytes(costs.bytes_up) << " up; capture to emission p50 "
              << Milliseconds(latency.p50) << " ms, p95 " << Milliseconds(latency.p95) << " ms; "
              << costs.degraded << " degraded, " << costs.unreadable << " unreadable, "
              << costs.failed << " failed";
  }
  std::cout << "\n" << ToText(tiles);
  if (const std::string said = AuditText(audits); !said.empty()) {
    std::cout << said << "\n";
  } else if (tiles.frames == 0 && frames.size() > static_cast<std::size_t>(uploaded)) {
    std::cout << "no audit was drawn among the images that stayed near: nothing is known of what "
                 "they miss\n";
  }
  std::cout << "without --truth nothing is said of accuracy" << std::endl;
  return kDone;
}

int RunEval(const EvalFlags& flags) {
  if (flags.truth.empty()) {
    const bool trace_alone =
        !flags.trace.empty() && flags.near.empty() && flags.far.empty() && flags.recordings.empty();
    if (!trace_alone) {
      Say("--truth is required; only a --trace alone tells something without it");
      return kUsage;
    }
    return ReportTrace(flags);
  }
  if (const std::string misuse = Misuse(flags); !misuse.empty()) {
    Say(misuse);
    return kUsage;
  }
  const Expected<Inputs> inputs = ReadInputs(flags);
  if (!inputs) {
    return Stop(inputs.error());
  }
  const Expected<Evaluation> evaluation = Evaluate(flags, *inputs);
  if (!evaluation) {
    return Stop(evaluation.error());
  }
  SayAll("", evaluation->set.remarks);
  if (flags.json) {
    PrintJson(*evaluation, flags);
  } else {
    PrintText(*evaluation, flags);
  }
  return kDone;
}

}  // namespace

std::function<int()> SetUpEval(CLI::App& app) {
  const auto flags = std::make_shared<EvalFlags>();
  app.add_option("--truth", flags->truth,
                 "Annotations: VOC folder, COCO JSON, YOLO folder, MOT sequence, track file or CSV; "
                 "a --trace alone is told of without them");
  app.add_option("--image-set", flags->image_set,
                 "Part of the truth: a VOC list (test), a YOLO split (val)");
  app.add_option("--recording", flags->recordings,
                 "A recording, a comp4_det_* folder or COCO results, judged alone; repeatable");
  app.add_option("--near", flags->near, "Recording of the small model");
  app.add_option("--far", flags->far, "Recording of the big model");
  app.add_option("--trace", flags->trace, "Trace of a run: its final boxes, decisions and costs");
  app.add_option("--discriminator", flags->discriminators,
                 "Replay small-big from --near and --far with this discriminator: a name or a "
                 "file of `nearfar calibrate`; repeatable");
  app.add_option("--upload", flags->upload,
                 "Share of the images to upload, those with the largest gains; several allowed. "
                 "Without it the discriminator's own verdict holds, or the share of "
                 "the run where it has none")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option(
         "--budget", flags->budget,
         "Share of the images that the live budget (run --upload-share) may upload, replayed "
         "in the order of the near recording; several allowed")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--audit", flags->audit,
                 "Chance of an audit under --budget; default: that of run, 0.01 or less")
      ->check(CLI::Range(0.0, 0.5));
  app.add_flag("--learn", flags->learn,
               "Under --budget, discriminators from files go on learning from the uploads' answers");
  app.add_option("--decisions", flags->decisions,
                 "Replay small-big with the decisions of this file: lines image,0 or image,1");
  app.add_option("--fusion", flags->fusion,
                 "Fuse both answers of uploaded images in replays: on, off, agree=A,keep=K; "
                 "several allowed. Default: as a discriminator file says, else off")
      ->take_all();
  app.add_option("--images", flags->images,
                 "Names and sizes of the images for imported boxes (default: the truth)");
  app.add_option("--classes", flags->classes, "Judge these classes only")->delimiter(',');
  app.add_option("--synonyms", flags->synonyms,
                 "File of class spellings: canonical = alias, alias");
  app.add_option("--iou", flags->comparison.iou,
                 "IoU from which an object is found and of VOC's mAP")
      ->capture_default_str();
  app.add_option("--score", flags->comparison.score_threshold,
                 "Boxes scored above count as objects found")
      ->capture_default_str();
  app.add_option("--bootstrap", flags->comparison.bootstrap.draws,
                 "Give 95 % intervals from this many resamplings of the images, e.g. 1000")
      ->capture_default_str();
  app.add_option("--seed", flags->comparison.bootstrap.seed,
                 "Seed of the resampling and of --budget")
      ->capture_default_str();
  app.add_flag("--sizes", flags->sizes, "Also AP50:95 of small, medium and large objects (COCO)");
  app.add_flag("--per-class", flags->per_class, "Also a table by class for each row");
  app.add_flag("--json", flags->json, "One JSON object instead of tables; shares in [0, 1]");
  return [flags] { return RunEval(*flags); };
}

}  // namespace nearfar::cli
