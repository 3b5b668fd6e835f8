#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/image/corrupt.h"
#include "adapters/media/media_source.h"
#include "core/expected.h"
#include "core/labels.h"
#include "core/model_identity.h"
#include "data/recorded_tiling.h"

namespace nearfar::cli {

/// What is recorded, by which model and how.
struct RecordOptions {
  std::vector<std::string> inputs;    ///< pictures, folders, videos, lists
  std::string model;                  ///< an .onnx file or a package's folder
  std::vector<std::string> settings;  ///< KEY=VALUE over the model's config.pbtxt
  std::string
      output;  ///< a recording that is there, of the same model and settings, is gone on with
  std::string provider = "cpu";
  double score_floor = 0.01;      ///< boxes scored lower are not recorded
  std::optional<double> nms_iou;  ///< absent: the model's
  int max_detections = 0;         ///< an image; 0: the model's
  int threads = 1;
  int jpeg_quality = 90;  ///< for the JPEG size of pictures that are no JPEG files
  bool before_nms = false;
  std::optional<Corruption> corruption;  ///< spoils each picture before it is looked at
  std::optional<RecordedTiling> tiling;  ///< each region of a picture by itself; else it is whole
  MediaOptions media;
};

struct RecordTally {
  ModelIdentity model;
  std::uint64_t recorded = 0;  ///< pictures
  std::uint64_t regions = 0;   ///< of pictures in tiles
  std::uint64_t already_there = 0;
  std::uint64_t failed = 0;
  std::uint64_t boxes = 0;
  std::uint64_t other_source = 0;  ///< already there, but recorded from another path
  std::string first_other_source;
  std::vector<double> service_ms;
  double seconds = 0;
  std::optional<Error> ended_by;  ///< the file could not be written further
};

/// Records what a model finds in pictures, in a file that a killed or stopped run leaves whole;
/// says on stderr what was assumed and what could not be read. Stops early when Interrupted().
/// Errors: those of the media source, the model and of opening the recording.
Expected<RecordTally> RecordPictures(const RecordOptions& options, const Synonyms& synonyms);

}  // namespace nearfar::cli
