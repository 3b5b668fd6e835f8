#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/geometry.h"
#include "data/tracks.h"
#include "sim/box_source.h"
#include "sim/detector_model.h"

namespace nearfar {

struct TrackBoxesOptions {
  /// How a scene becomes a frame of the wanted size; its shape is always kept.
  enum class Fit {
    kScale,      ///< scaled so that its longer side is the wanted size's longer side: an upright
                 ///< scene gives upright frames, with as many px or more
    kLetterbox,  ///< scaled to fit into the wanted size, in the middle; the rest shows nobody
  };
  Size frame{3840, 2160};  ///< area > 0
  Fit fit = Fit::kScale;
  float min_score = 0.5F;      ///< detections and tracker output scored lower stand for nobody
  double bytes_per_px = 0.15;  ///< of a frame as JPEG; >= 0
  std::uint64_t seed = 1;

  friend bool operator==(const TrackBoxesOptions&, const TrackBoxesOptions&) = default;
};

/// Errors: kInvalidInput, naming the option and its value.
Expected<void> Validate(const TrackBoxesOptions& options);

/// What modelled detectors find of the people of recorded tracks. The label space in force is
/// {person}; whoever is no person in the tracks is not there.
///
/// In a region, somebody is seen at the height that lies in it, scaled as the region is (input ÷
/// rect); hidden is what others cover, or the tracks' own visibility where that is less, and what
/// lies beyond the region. Their box is cut to the region; who is seen by less than 0.15 is not
/// found. Overlapping regions of one frame agree on who is hard to find: chance hangs on the
/// person, the instant and the model, never on the region. Boxes of nothing stay for a while where
/// they are. Errors: kInvalidInput for options or detectors that are not valid, or no detector.
Expected<std::unique_ptr<BoxSource>> MakeTrackBoxes(const Tracks& tracks,
                                                    std::vector<PersonDetector> detectors,
                                                    const TrackBoxesOptions& options = {});

/// The size of the frames that MakeTrackBoxes gives. REQUIRES: tracks.frame.area() > 0; valid
/// options.
Size FrameSizeOf(const Tracks& tracks, const TrackBoxesOptions& options);

}  // namespace nearfar
