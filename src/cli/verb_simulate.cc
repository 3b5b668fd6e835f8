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
#include "cli/report.h"
#include "cli/simulation_setting.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "data/tracks.h"
#include "discriminate/budget.h"
#include "eval/average_precision.h"
#include "eval/matching.h"
#include "sim/detector_model.h"
#include "sim/simulate.h"
#include "sim/track_boxes.h"
#include "trace/json_lines.h"

namespace nearfar::cli {
namespace {

namespace fs = std::filesystem;

/// One planner's line of the table.
struct Outcome {
  std::string planner;
  Simulated run;
  TileFigures figures;
  std::optional<double> ap;
  std::optional<double> recall;
};

Expected<std::vector<PersonDetector>> ReadDetectors(const SimulationSetting& setting) {
  std::vector<PersonDetector> detectors;
  for (const DetectorSetting& detector : setting.detectors) {
    if (detector.model.empty()) {
      detectors.push_back(PerfectDetector());
      continue;
    }
    auto read = ReadPersonDetector(detector.model);
    if (!read) {
      return tl::unexpected(read.error());
    }
    detectors.push_back(std::move(*read));
  }
  return detectors;
}

Expected<std::unique_ptr<BoxSource>> OpenTracks(const SimulationSetting& setting) {
  const auto form = ParseTrackForm(setting.form);
  if (!form) {
    return tl::unexpected(form.error());
  }
  const auto tracks = ReadTracks(setting.tracks, {.form = *form,
                                                  .target_fps = setting.fps,
                                                  .riders_are_people = setting.riders});
  if (!tracks) {
    return tl::unexpected(tracks.error());
  }
  SayAll(setting.tracks, tracks->remarks);
  auto detectors = ReadDetectors(setting);
  if (!detectors) {
    return tl::unexpected(detectors.error());
  }
  TrackBoxesOptions options{.frame = tracks->frame, .seed = setting.options.seed};
  if (!setting.frame.empty()) {
    const auto size = ParseSize(setting.frame);
    if (!size) {
      return Fail(size.error().code, "--frame: " + size.error().message);
    }
    options.frame = *size;
  }
  return MakeTrackBoxes(*tracks, std::move(*detectors), options);
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

