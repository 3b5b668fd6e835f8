#include "models/detection_model.h"

#include <utility>

#include "core/nms.h"

namespace nearfar {

DetectionModel::DetectionModel(ModelPackage package, ClassTable classes,
                               std::shared_ptr<const Decoder> decoder)
    : package_(std::move(package)), classes_(std::move(classes)), decoder_(std::move(decoder)) {
  for (const std::string& name : classes_.names) {
    const auto found = package_.stretch.find(name);
    stretches_.push_back(found == package_.stretch.end() ? BoxStretch{} : found->second);
  }
}

Expected<DetectionModel> DetectionModel::Make(ModelPackage package) {
  ClassTable classes = MakeClassTable(package.labels);
  auto decoder = MakeDecoder(package.decoder, classes);
  if (!decoder) {
    return tl::unexpected(decoder.error());
  }
  return DetectionModel(std::move(package), std::move(classes), *std::move(decoder));
}

std::vector<std::int64_t> DetectionModel::InputShape(Size input) const {
  if (package_.input.layout == Layout::kNchw) {
    return {1, 3, input.height, input.width};
  }
  return {1, input.height, input.width, 3};
}

Size DetectionModel::OwnScaleInput(Size picture) const {
  if (!package_.input.dynamic) {
    return package_.input.size;
  }
  // The coarsest grid that a detector's outputs come in.
  constexpr int kStep = 32;
  const auto round_up = [](int side) { return (side + kStep - 1) / kStep * kStep; };
  return {round_up(picture.width), round_up(picture.height)};
}

Expected<Detections> DetectionModel::Decode(std::span<const TensorView> outputs,
                                            const FrameInInput& place, Size input) const {
  Detections boxes;
  const DecodeRequest request{outputs, input, package_.score_floor};
  if (auto ok = decoder_->Decode(request, boxes); !ok) {
    return tl::unexpected(ok.error());
  }
  for (Detection& detection : boxes) {
    detection.box = FrameFromInput(detection.box, place);
    const BoxStretch& stretch = stretches_[static_cast<std::size_t>(detection.label)];
    if (stretch != BoxStretch{}) {
      detection.box = Stretched(detection.box, stretch);
    }
  }
  return boxes;
}

Detections DetectionModel::Finish(const Detections& decoded, Size frame) const {
  Detections kept = Nms(decoded, package_.nms);
  for (Detection& detection : kept) {
    detection.box = ClipTo(detection.box, frame);
  }
  std::erase_if(kept, [](const Detection& detection) { return detection.box.area() <= 0; });
  return kept;
}

}  // namespace nearfar
