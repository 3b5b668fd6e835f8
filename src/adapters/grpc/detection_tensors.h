#pragma once

#include <span>
#include <string>
#include <vector>

#include "adapters/grpc/wire_tensor.h"
#include "core/detection.h"
#include "core/expected.h"
#include "core/geometry.h"

namespace nearfar {

/// What was found in one sent image.
struct ImageDetections {
  Size size;              ///< of the sent image in px, upright
  Detections detections;  ///< in px of it; labels index the model's class names
};

/// The outputs of the payloads `image` and `pixels`, in their order: boxes, scores, labels, names,
/// counts; then detection_out, which is only given when asked for.
const std::vector<WireTensorSpec>& DetectionOutputs();

/// Writes the detections of N images as tensors, one image after the other:
///   boxes FP32 [n,4]   x1,y1,x2,y2 in px of the sent image
///   scores FP32 [n], labels INT64 [n], names BYTES [n] (the class name of each box)
///   counts INT64 [N]   boxes of each image
///   detection_out FP32 [1,1,n,7]   image, label, score, then the corners as shares of width and
///                                  height in [0, 1], as OpenVINO's detectors give them
/// @param wanted  names of the outputs; empty: all but detection_out.
/// Errors: kInvalidInput for a name that is none of these.
Expected<std::vector<WireTensor>> WriteDetections(std::span<const ImageDetections> images,
                                                  const std::vector<std::string>& class_names,
                                                  std::span<const std::string> wanted);

/// Boxes of one sent image with the names that the server gave their classes.
struct NamedDetections {
  Detections detections;           ///< in px of the sent image; label: the server's class index
  std::vector<std::string> names;  ///< same length
};

struct DetectionLimits {
  int max_boxes = 10000;  ///< a reply with more is garbage; > 0
};

/// Reads the reply to one sent image. Nothing in it is trusted: shapes, counts, finite numbers,
/// scores in [0, 1], labels in range, corners in order are checked, and boxes are cut to the image.
/// @param class_names  names by label, for servers that send no `names`; empty: `names` is needed.
/// Errors: kInvalidInput, kLimitExceeded, with what is wrong.
Expected<NamedDetections> ReadDetections(std::span<const WireTensorView> outputs, Size sent,
                                         const std::vector<std::string>& class_names,
                                         const DetectionLimits& limits);

}  // namespace nearfar
