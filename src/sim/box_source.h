#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/detection.h"
#include "core/geometry.h"
#include "core/pixels.h"
#include "data/truth.h"

namespace nearfar {

/// One frame of a simulated stream.
struct SimFrame {
  std::string name;
  Size size;
  Duration moment{};       ///< of the scene that it shows, since the first frame
  PixelFeatures features;  ///< may be absent
  std::int64_t upload_bytes = 0;  ///< of the whole frame as JPEG

  friend bool operator==(const SimFrame&, const SimFrame&) = default;
};

/// Which boxes which model would have found where: the pixels of a simulation. Pure: the same
/// question gets the same answer. Thread-compatible.
class BoxSource {
 public:
  virtual ~BoxSource() = default;
  virtual std::size_t frames() const = 0;
  virtual SimFrame Frame(std::size_t frame) const = 0;
  /// What `model` finds in a region of a frame.
  /// @param model  index into the simulation's models.
  /// @param input  size to which the region is scaled before the model sees it.
  /// @return boxes in px of the frame, by falling score, labels in the label space in force.
  virtual Detections Detect(std::size_t frame, const Rect& rect, Size input, std::size_t model) const = 0;
  /// What is really there, where that is known; labels in the label space in force.
  virtual const std::vector<TruthObject>* TruthOf(std::size_t frame) const = 0;
};

}  // namespace nearfar
