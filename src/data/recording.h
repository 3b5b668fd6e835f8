#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/detection.h"
#include "core/ids.h"
#include "core/labels.h"
#include "core/model_identity.h"
#include "core/pixels.h"

namespace nearfar {

/// What one detector said of one region, with all that a policy may want to know of it later.
struct RecordedFrame {
  std::string source;               ///< file or stream
  std::string name;                 ///< key of the image (see Frame::name)
  std::uint64_t index = 0;          ///< position in the source
  RegionId region = kWholeFrame;
  Rect rect;                        ///< the region, in px of the frame
  Size size;                        ///< of the frame
  double captured_ms = -1;          ///< UTC; < 0 absent
  double service_ms = -1;           ///< time the detector took; < 0 absent
  PixelFeatures features;           ///< of the region's pixels
  Detections detections;            ///< in px of the frame, by falling score; labels in the
                                    ///< recording's classes

  friend bool operator==(const RecordedFrame&, const RecordedFrame&) = default;
};

/// A detector's raw boxes over a set of images: decided upon many times, recorded once.
struct Recording {
  ModelIdentity model;
  LabelSpace classes;                ///< canonical names of the detector's own classes
  std::vector<RecordedFrame> frames;
  std::vector<std::string> remarks;  ///< what was odd in the file and how it was read

  /// The frame of that name (its whole-frame region), or nullptr.
  const RecordedFrame* Find(const std::string& name) const;
  friend bool operator==(const Recording&, const Recording&) = default;
};

}  // namespace nearfar
