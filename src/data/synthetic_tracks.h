#pragma once

#include <cstdint>

#include "core/expected.h"
#include "core/geometry.h"
#include "data/tracks.h"

namespace nearfar {

/// A square seen by a fixed camera, as tracks without pixels: for trying things out where there is no
/// recorded scene.
struct SyntheticTracksOptions {
  Size frame{3840, 2160};  ///< px; sides >= 64
  double fps = 10;         ///< > 0
  int frames = 600;        ///< >= 1
  double people = 30;      ///< in the picture on average; (0, 10000]
  double far_height = 50;  ///< of somebody at the upper edge, px; >= 1 ...
  double near_height = 250;  ///< ... and at the lower one
  double stands = 0.2;     ///< share of those who stop for a while on their way; [0, 1]
  std::uint64_t seed = 1;

  friend bool operator==(const SyntheticTracksOptions&, const SyntheticTracksOptions&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const SyntheticTracksOptions& options);

/// People who cross the square on a few paths, from one gate at its edge to another, each at a pace of
/// his own, some of them stopping for a while. Parts of the picture stay empty. The same options give
/// the same tracks on every machine up to rounding.
/// REQUIRES: Validate(options).
Tracks MakeSyntheticTracks(const SyntheticTracksOptions& options);

}  // namespace nearfar
