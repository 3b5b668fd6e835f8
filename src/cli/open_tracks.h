#pragma once

#include <memory>

#include "cli/simulation_setting.h"
#include "core/expected.h"
#include "data/tracks.h"
#include "sim/box_source.h"

namespace nearfar::cli {

/// The tracks that a simulation names: read, or made up ("synthetic", or
/// "synthetic:people=40,frames=600,seed=1"). Errors: those of ReadTracks; kInvalidInput.
Expected<Tracks> ReadTracksOf(const SimulationSetting& setting);

/// What the setting's detectors find of them. A detector's model is a file, "builtin:NAME" for one
/// that was fitted beforehand (examples/detectors), or none: then it finds everybody.
/// Errors: those of ReadPersonDetector and MakeTrackBoxes; kNotFound; kInvalidInput.
Expected<std::unique_ptr<BoxSource>> OpenTracks(const SimulationSetting& setting,
                                                const Tracks& tracks);

/// The same for the setting's own tracks; says what is to be remarked of them.
Expected<std::unique_ptr<BoxSource>> OpenTracks(const SimulationSetting& setting);

}  // namespace nearfar::cli
