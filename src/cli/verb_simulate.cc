#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/flag_values.h"
#include "cli/open_recording.h"
#include "cli/open_tracks.h"
#include "cli/report.h"
#include "cli/simulation_setting.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "data/read_truth.h"
#include "discriminate/budget.h"
#include "flow/learning_filter.h"
#include "sim/recorded_boxes.h"
#include "sim/simulate.h"
#include "study/run_score.h"
#include "trace/json_lines.h"

namespace nearfar::cli {
namespace {

namespace fs = std::filesystem;

/// One planner's line of the table.
struct Outcome {
  std::string planner;
  RunScore score;
  Duration training{};  ///< real
};

/// Boxes of real models in real pixels. What a planner may ask, tile by tile, must be recorded.
Expected<std::unique_ptr<BoxSource>> OpenRecorded(const SimulationSetting& setting) {
  const Synonyms& synonyms = Synonyms::Default();
  const auto truth = ReadTruth(setting.truth, synonyms);
  if (!truth) {
    return tl::unexpected(truth.error());
  }
  SayAll(setting.truth, truth->remarks);
  std::vector<std::vector<Recording>> recordings;
  for (const DetectorSetting& detector : setting.detectors) {
    std::vector<Recording>& of_model = recordings.emplace_back();
    for (const std::string& path : detector.recordings) {
      auto recording = OpenAndSay(path, setting.truth, synonyms);
      if (!recording) {
        return tl::unexpected(recording.error());
      }
      of_model.push_back(*std::move(recording));
    }
  }
  auto boxes = RecordedBoxes::Make(recordings, &*truth, LabelSpace{{"person"}});
  if (!boxes) {
    return tl::unexpected(boxes.error());
  }
  SayAll("recordings", (*boxes)->remarks());
  // Tiles are recorded with a fixed padding: every planner must ask for just these.
  for (const std::string& name : setting.planners) {
    const auto spec = setting.Planner(name);
    if (!spec) {
      return tl::unexpected(spec.error());
    }
    const Size frame = (*boxes)->Frame(0).size;
    std::vector<RegionQuestion> questions;
    if (spec->options.cut == FrameCut::kWhole) {
      questions.push_back({WholeOf(frame), frame});
    } else if (spec->options.cut == FrameCut::kTiles && spec->options.padding.fixed) {
      const TileGrid grid = MakeTileGrid(frame, spec->options.tile);
      std::optional<Size> overview;
      if (spec->options.overview > 0) {
        overview = Overview(frame, spec->options.overview).input;
      }
      questions = QuestionsOf(grid, EvenPadding(grid, *spec->options.padding.fixed), overview);
    } else {
      return Fail(ErrorCode::kInvalidInput,
                  "planner " + name + " asks for regions that no recording has: from recordings, "
                  "give the padding that they were made with (--padding), and no elf");
    }
    if (const auto checked = (*boxes)->Check(questions); !checked) {
      return Fail(checked.error().code, "planner " + name + ": " + checked.error().message);
    }
  }
  return boxes;
}

/// The planner of that name, with a cascade where the setting asks for one.
Expected<std::unique_ptr<ParallelPlanner>> OpenPlanner(const SimulationSetting& setting,
                                                       const PlannerSpec& spec) {
  if (setting.discriminator.empty()) {
    return MakePlanner(spec);
  }
  auto opened = OpenDiscriminator({.name = setting.discriminator});
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  BudgetOptions budget{.seed = setting.options.seed};
  if (setting.upload_share >= 0) {
    budget.share = setting.upload_share;
  }
  if (!setting.upload_rate.empty()) {
    const auto rate = ParseByteRate(setting.upload_rate);
    if (!rate) {
      return Fail(rate.error().code, "--upload-rate: " + rate.error().message);
    }
    budget.bytes_per_second = *rate;
  }
  if (!budget.share && !budget.bytes_per_second) {
    return MakePlanner(spec, std::move(opened->discriminator), std::make_unique<ThresholdPolicy>());
  }
  if (opened->file) {
    budget.gain_percentiles = opened->file->gain_percentiles;
  }
  return MakePlanner(spec, std::move(opened->discriminator),
                     std::make_unique<BudgetPolicy>(std::move(budget)));
}

std::string TracePath(const std::string& pattern, const std::string& planner) {
  const std::size_t place = pattern.find("%p");
  return place == std::string::npos
             ? pattern
             : pattern.substr(0, place) + planner + pattern.substr(place + 2);
}

Expected<void> WriteTrace(const std::string& path, const Trace& trace) {
  std::ofstream file(path, std::ios::binary);
  file << ToJsonLine(trace.run) << '\n';
  for (const FrameRecord& frame : trace.frames) {
    file << ToJsonLine(frame) << '\n';
  }
  for (const OutcomeRecord& outcome : trace.outcomes) {
    file << ToJsonLine(outcome) << '\n';
  }
  file.flush();
  if (!file) {
    return Fail(ErrorCode::kIo, "cannot write the trace " + path);
  }
  return {};
}

std::string Fixed(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string Millis(Duration duration, int digits = 1) {
  return Fixed(ToMilliseconds(duration), digits);
}

std::string DecidedBy(const Outcome& outcome) {
  std::string text;
  for (const auto& [who, frames] : outcome.score.decided_by) {
    text += (text.empty() ? "" : ", ") + (who.empty() ? std::string("-") : who) + " " +
            Percent(static_cast<double>(frames) / static_cast<double>(outcome.score.frames), 0) + " %";
  }
  return text;
}

const std::vector<std::string> kHeader = {"planner", "frames", "fps",      "p50 ms",
                                          "p95 ms",  "AP50",   "recall",   "skipped",
                                          "not ok",  "planner p50 ms", "p95 ms", "dealt out by"};

std::vector<std::string> Row(const Outcome& outcome) {
  std::size_t not_ok = 0;
  for (const auto& [status, count] : outcome.score.statuses) {
    not_ok += status == FrameStatus::kOk ? 0 : static_cast<std::size_t>(count);
  }
  return {outcome.planner,
          std::to_string(outcome.score.frames),
          Fixed(outcome.score.fps, 2),
          Millis(outcome.score.times.p50),
          Millis(outcome.score.times.p95),
          OrDash(outcome.score.ap),
          OrDash(outcome.score.recall),
          Percent(outcome.score.skipped),
          std::to_string(not_ok),
          Millis(outcome.score.real.p50, 3),
          Millis(outcome.score.real.p95, 3),
          DecidedBy(outcome)};
}

void PrintJson(const std::vector<Outcome>& outcomes) {
  std::string text;
  JsonWriter json(text);
  json.BeginArray();
  for (const Outcome& outcome : outcomes) {
    json.BeginObject();
    json.Field("planner", outcome.planner);
    json.Field("frames", outcome.score.frames);
    json.Field("fps", outcome.score.fps);
    json.Field("p50", outcome.score.times.p50);
    json.Field("p95", outcome.score.times.p95);
    if (outcome.score.ap) {
      json.Field("ap50", *outcome.score.ap);
    }
    if (outcome.score.recall) {
      json.Field("recall", *outcome.score.recall);
    }
    json.Field("skipped", outcome.score.skipped);
    json.Field("planner_p50", outcome.score.real.p50);
    json.Field("planner_p95", outcome.score.real.p95);
    json.Field("training", outcome.training);
    json.Key("decided_by");
    json.BeginObject();
    for (const auto& [who, frames] : outcome.score.decided_by) {
      json.Field(who, frames);
    }
    json.EndObject();
    json.Key("status");
    json.BeginObject();
    for (const auto& [status, frames] : outcome.score.statuses) {
      json.Field(ToString(status), frames);
    }
    json.EndObject();
    json.EndObject();
  }
  json.EndArray();
  std::cout << text << std::endl;
}

Expected<void> WriteCsv(const std::string& path, const std::vector<Outcome>& outcomes) {
  std::ofstream file(path, std::ios::binary);
  const auto line = [&](const std::vector<std::string>& fields) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      file << (i > 0 ? "," : "") << CsvField(fields[i]);
    }
    file << '\n';
  };
  line(kHeader);
  for (const Outcome& outcome : outcomes) {
    line(Row(outcome));
  }
  file.flush();
  if (!file) {
    return Fail(ErrorCode::kIo, "cannot write " + path);
  }
  return {};
}

/// What the flow filters of other cameras have learned, as a state to begin from.
Expected<std::string> PooledState(const std::vector<std::string>& paths) {
  std::vector<std::string> of_filters;
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    if (!std::getline(file, of_filters.emplace_back())) {
      return Fail(ErrorCode::kNotFound, "--pool: cannot read the state " + path);
    }
  }
  auto pooled = PoolFlowStates(of_filters);
  if (!pooled) {
    return Fail(pooled.error().code, "--pool: " + pooled.error().message);
  }
  return *pooled + "\n\n";  // nothing of a scheduler
}

/// Goes on with what was learned here, where there is something; else with what others learned.
Expected<void> LoadState(ParallelPlanner& planner, const std::string& path,
                         const std::vector<std::string>& pool, Size frame) {
  std::ifstream file(path, std::ios::binary);
  if (path.empty() || !file) {
    if (pool.empty() || planner.filter().name() != "flow") {
      return {};
    }
    const auto pooled = PooledState(pool);
    return pooled ? planner.LoadState(*pooled, frame) : tl::unexpected(pooled.error());
  }
  std::ostringstream text;
  text << file.rdbuf();
  if (auto loaded = planner.LoadState(text.str(), frame); !loaded) {
    return Fail(loaded.error().code, path + ": " + loaded.error().message);
  }
  return {};
}

Expected<void> SaveState(const ParallelPlanner& planner, const std::string& path) {
  if (path.empty()) {
    return {};
  }
  const std::string part = path + ".part";  // a kill leaves the old state or the new one
  std::ofstream file(part, std::ios::binary);
  file << planner.SaveState();
  file.close();
  std::error_code error;
  if (file) {
    fs::rename(part, path, error);
  }
  if (!file || error) {
    return Fail(ErrorCode::kIo, "cannot write the state " + path);
  }
  return {};
}

Expected<Outcome> RunPlanner(const SimulationSetting& setting, const std::string& name,
                             const BoxSource& boxes) {
  const auto spec = setting.Planner(name);
  if (!spec) {
    return tl::unexpected(spec.error());
  }
  auto planner = OpenPlanner(setting, *spec);
  if (!planner) {
    return tl::unexpected(planner.error());
  }
  const std::string state = TracePath(setting.state, name);
  if (auto loaded = LoadState(**planner, state, setting.pool, boxes.Frame(0).size); !loaded) {
    return tl::unexpected(loaded.error());
  }
  SimulationOptions options = setting.options;
  options.window = spec->window;
  Simulated run = Simulate(**planner, boxes, setting.nodes, options, SystemClock());
  run.trace.run.program = "nearfar " NEARFAR_VERSION;
  run.trace.run.config = options.config;
  run.trace.run.classes = {{"person"}};
  if (!setting.trace.empty()) {
    if (auto written = WriteTrace(TracePath(setting.trace, name), run.trace); !written) {
      return tl::unexpected(written.error());
    }
  }
  if (auto saved = SaveState(**planner, state); !saved) {
    return tl::unexpected(saved.error());
  }
  return Outcome{name, ScoreRun(boxes, run, spec->options.person_score), run.training_time};
}

int RunSimulate(SimulationSetting& setting, const std::string& file) {
  WatchForInterrupt();
  if (const auto applied = setting.Apply(file); !applied) {
    Say(applied.error().message);
    return applied.error().code == ErrorCode::kInvalidInput ? kUsage : kCannot;
  }
  const auto boxes = setting.tracks.empty() ? OpenRecorded(setting) : OpenTracks(setting);
  if (!boxes) {
    return Stop(boxes.error());
  }
  Progress progress("simulating", setting.planners.size());
  std::vector<Outcome> outcomes;
  for (const std::string& name : setting.planners) {
    const auto outcome = RunPlanner(setting, name, **boxes);
    if (!outcome) {
      return Stop(outcome.error());
    }
    outcomes.push_back(*outcome);
    progress.Advance();
    if (Interrupted()) {
      break;
    }
  }
  if (setting.json) {
    PrintJson(outcomes);
  } else {
    std::vector<std::vector<std::string>> rows;
    for (const Outcome& outcome : outcomes) {
      rows.push_back(Row(outcome));
    }
    std::cout << FormatTable(kHeader, rows);
  }
  if (!setting.csv.empty()) {
    if (const auto written = WriteCsv(setting.csv, outcomes); !written) {
      return Stop(written.error());
    }
  }
  return Interrupted() ? kInterrupted : kDone;
}

}  // namespace

std::function<int()> SetUpSimulate(CLI::App& app) {
  const auto setting = std::make_shared<SimulationSetting>();
  const auto file = std::make_shared<std::string>();
  app.add_option("-c,--config", *file, "YAML with the nodes, and whichever of these settings")
      ->type_name("FILE");
  setting->Declare(app);
  return [setting, file] { return RunSimulate(*setting, *file); };
}

}  // namespace nearfar::cli
