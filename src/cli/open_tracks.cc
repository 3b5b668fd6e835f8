#include "cli/open_tracks.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/embedded.h"
#include "cli/flag_values.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "data/synthetic_tracks.h"
#include "sim/detector_model.h"
#include "sim/track_boxes.h"

namespace nearfar::cli {
namespace {

constexpr std::string_view kSynthetic = "synthetic";
constexpr std::string_view kBuiltIn = "builtin:";

/// A file, or "builtin:yolov8n": one of those fitted beforehand.
Expected<PersonDetector> OpenPersonDetector(const std::string& model) {
  if (!model.starts_with(kBuiltIn)) {
    return ReadPersonDetector(model);
  }
  const std::string name = model.substr(kBuiltIn.size());
  const std::string_view text = EmbeddedText("detectors/" + name + ".json");
  if (text.empty()) {
    return Fail(ErrorCode::kNotFound,
                "no detector '" + name + "' is built in; there are yolov5n, yolov8n and yolov8s");
  }
  return ParsePersonDetector(text);
}

Expected<std::vector<PersonDetector>> ReadDetectors(const SimulationSetting& setting) {
  std::vector<PersonDetector> detectors;
  for (const DetectorSetting& detector : setting.detectors) {
    if (detector.model.empty()) {
      detectors.push_back(PerfectDetector());
      continue;
    }
    auto read = OpenPersonDetector(detector.model);
    if (!read) {
      return tl::unexpected(read.error());
    }
    detectors.push_back(std::move(*read));
  }
  return detectors;
}

/// "synthetic", or "synthetic:people=40,frames=600,seed=1".
Expected<Tracks> MakeTracks(const SimulationSetting& setting) {
  SyntheticTracksOptions options{.fps = setting.fps, .seed = setting.options.seed};
  std::istringstream texts(
      setting.tracks.substr(std::min(setting.tracks.size(), kSynthetic.size() + 1)));
  std::vector<std::string> pairs;
  for (std::string text; std::getline(texts, text, ',');) {
    pairs.push_back(text);
  }
  const auto values = ParseParameters(pairs);
  if (!values) {
    return tl::unexpected(values.error());
  }
  for (const auto& [name, value] : *values) {
    if (name == "people") {
      options.people = value;
    } else if (name == "frames") {
      options.frames = static_cast<int>(value);
    } else if (name == "seed") {
      options.seed = static_cast<std::uint64_t>(value);
    } else if (name == "far-height") {
      options.far_height = value;
    } else if (name == "near-height") {
      options.near_height = value;
    } else {
      return Fail(ErrorCode::kInvalidInput, "synthetic tracks have no '" + name +
                                                "'; they have people, frames, seed, far-height and "
                                                "near-height");
    }
  }
  if (const auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  return MakeSyntheticTracks(options);
}

}  // namespace

Expected<Tracks> ReadTracksOf(const SimulationSetting& setting) {
  if (setting.tracks.starts_with(kSynthetic)) {
    return MakeTracks(setting);
  }
  const auto form = ParseTrackForm(setting.form);
  if (!form) {
    return tl::unexpected(form.error());
  }
  return ReadTracks(
      setting.tracks,
      {.form = *form, .target_fps = setting.fps, .riders_are_people = setting.riders});
}

Expected<std::unique_ptr<BoxSource>> OpenTracks(const SimulationSetting& setting,
                                                const Tracks& tracks) {
  auto detectors = ReadDetectors(setting);
  if (!detectors) {
    return tl::unexpected(detectors.error());
  }
  TrackBoxesOptions options{.frame = tracks.frame, .seed = setting.options.seed};
  if (!setting.frame.empty()) {
    const auto size = ParseSizeFlag(setting.frame, "--frame");
    if (!size) {
      return tl::unexpected(size.error());
    }
    options.frame = *size;
  }
  return MakeTrackBoxes(tracks, std::move(*detectors), options);
}

Expected<std::unique_ptr<BoxSource>> OpenTracks(const SimulationSetting& setting) {
  const auto tracks = ReadTracksOf(setting);
  if (!tracks) {
    return tl::unexpected(tracks.error());
  }
  SayAll(setting.tracks, tracks->remarks);
  return OpenTracks(setting, *tracks);
}

}  // namespace nearfar::cli
