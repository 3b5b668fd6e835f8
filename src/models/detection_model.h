#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/pixels.h"
#include "models/package.h"

namespace nearfar {

/// A package ready to be used around any engine, near or far: pixels → input tensor, output tensors
/// → boxes. Immutable, so several callers may share one.
class DetectionModel {
 public:
  /// Errors: as MakeDecoder.
  static Expected<DetectionModel> Make(ModelPackage package);

  const ModelPackage& package() const { return package_; }
  /// Names of the labels that boxes carry: the package's labels without background and gaps.
  const std::vector<std::string>& labels() const { return classes_.names; }
  /// Shape of the input tensor, batch 1.
  std::vector<std::int64_t> InputShape() const { return InputShape(package_.input.size); }
  /// The same for an input of another size.
  std::vector<std::int64_t> InputShape(Size input) const;
  /// The input that shows a picture at its own scale: the picture's sides, rounded up to multiples
  /// of 32, where the graph leaves the size free, else the one that it has.
  Size OwnScaleInput(Size picture) const;

  /// Decodes one frame's outputs into boxes in px of the frame, stretched as the package says,
  /// before NMS and unclipped.
  /// Errors: kInvalidInput when the outputs do not fit the decoder.
  Expected<Detections> Decode(std::span<const TensorView> outputs,
                              const FrameInInput& place) const {
    return Decode(outputs, place, package_.input.size);
  }
  /// The same for an input of another size.
  Expected<Detections> Decode(std::span<const TensorView> outputs, const FrameInInput& place,
                              Size input) const;

  /// NMS on boxes as decoded, then every box is cut to the frame; boxes without area go.
  Detections Finish(const Detections& decoded, Size frame) const;

 private:
  DetectionModel(ModelPackage package, ClassTable classes, std::shared_ptr<const Decoder> decoder);

  ModelPackage package_;
  ClassTable classes_;
  std::vector<BoxStretch> stretches_;       ///< by label
  std::shared_ptr<const Decoder> decoder_;  ///< immutable; shared so that models can be copied
};

}  // namespace nearfar
