#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/clock.h"
#include "core/detection.h"
#include "core/expected.h"
#include "core/ids.h"
#include "core/labels.h"
#include "core/model_identity.h"
#include "core/pixels.h"

namespace nearfar {

/// What one detector said of one region, with all that a policy may want to know of it later.
struct RecordedFrame {
  std::string source;       ///< file or stream
  std::string name;         ///< key of the image (see Frame::name)
  std::uint64_t index = 0;  ///< position in the source
  RegionId region = kWholeFrame;
  Rect rect;                ///< the region, in px of the frame
  Size input;               ///< to which it was scaled before the model saw it; empty: rect's size
  Size size;                ///< of the frame
  double captured_ms = -1;  ///< UTC; < 0 absent
  double service_ms = -1;   ///< time the detector took; < 0 absent
  PixelFeatures features;   ///< of the region's pixels
  Detections detections;    ///< in px of the frame, by falling score; labels in the
                            ///< recording's classes

  friend bool operator==(const RecordedFrame&, const RecordedFrame&) = default;
};

/// A detector's raw boxes over a set of images: decided upon many times, recorded once.
struct Recording {
  ModelIdentity model;
  LabelSpace classes;  ///< canonical names of the detector's own classes
  std::vector<RecordedFrame> frames;
  std::vector<std::string> remarks;  ///< what was odd in the file and how it was read

  /// The frame of that name (its whole-frame region), or nullptr. Looks at one frame after the
  /// other: for many names use IndexByName.
  const RecordedFrame* Find(const std::string& name) const;
  friend bool operator==(const Recording&, const Recording&) = default;
};

/// The whole-frame regions by name. The names and pointers are those of `recording`.
std::unordered_map<std::string_view, const RecordedFrame*> IndexByName(const Recording& recording);

/// Checks that two recordings are of the same images.
/// Errors: those of CheckSamePictures; kInvalidInput, with how many images and which ones only one of them has.
/// @param left, right  what the message calls them: their paths, or "near" and "far".
Expected<void> CheckSameImages(const Recording& a, std::string_view left, const Recording& b,
                               std::string_view right);

// ---- Recording files: JSON Lines, a header and one line a frame
// ----------------------------------
// {"type":"recording","schema":1,"model":{...},"classes":[...]}
// {"type":"recorded","source":...,"name":...,"size":[w,h],"detections":[[x1,y1,x2,y2,score,label]]}
// Unknown keys are ignored, and what is absent is left out. Gzipped files are read as they are.
// A recording of tiles has several lines a frame, with "region" and "rect" [x,y,w,h] (and "input"
// [w,h] where the region was scaled), numbered as RegionsToRecord says (see recorded_tiling.h); its
// model's "pictures" tells how they were cut, as in "tiles 512x512 padding 64x64 overview 960".

/// Reads a recording file. A last line that is no JSON (a killed run) is left out and remarked; one
/// elsewhere is an error that names the line. Errors: kNotFound, kIo, kInvalidInput, kUnsupported.
Expected<Recording> ReadRecording(const std::string& path);

/// Writes a recording file in one go, over one that was there. Errors: kIo.
Expected<void> WriteRecording(const std::string& path, const Recording& recording);

/// Appends frames to a recording file as they come; each is in the file when Append returns, so
/// that a killed run leaves all but the line it was at. Not thread-safe; a second writer of the
/// same file, in whatever process, is refused.
class RecordingWriter {
 public:
  /// Starts a new file, or goes on with one that is there: a cut last line is taken off with a
  /// remark, and its frames are known by Has. Errors: kInvalidInput when the file is no recording,
  /// or one of another model, preprocessing, NMS, score floor, label map or classes (the message
  /// says what differs); kUnavailable when another process writes it; kIo.
  static Expected<RecordingWriter> Open(const std::string& path, const ModelIdentity& model,
                                        const LabelSpace& classes);

  RecordingWriter(RecordingWriter&& other) noexcept;
  RecordingWriter& operator=(RecordingWriter&& other) noexcept;
  ~RecordingWriter();

  /// Whether the region of the frame of that name is already in the file.
  bool Has(std::string_view name, RegionId region = kWholeFrame) const;
  /// The source of that frame, or empty: to tell a frame already there from another of the same
  /// name.
  std::string SourceOf(std::string_view name, RegionId region = kWholeFrame) const;
  /// Frames that were there when the file was opened.
  std::size_t found() const { return found_; }
  const std::vector<std::string>& remarks() const { return remarks_; }

  /// REQUIRES: !Has(frame.name, frame.region). Errors: kIo (disk full, ...).
  Expected<void> Append(const RecordedFrame& frame);

 private:
  RecordingWriter() = default;

  std::string path_;
  int file_ = -1;
  std::unordered_map<std::string, std::string> source_of_;  ///< by name and region
  std::size_t found_ = 0;
  std::vector<std::string> remarks_;
};

}  // namespace nearfar
