#include "discriminate/fusion.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "core/ranking.h"

namespace nearfar {
namespace {

constexpr float kSameObject = 0.5F;  // IoU above which two boxes of one class show one object

}  // namespace

Expected<void> Validate(const FusionWeights& weights) {
  const std::pair<const char*, double> each[] = {{"agree", weights.agree}, {"keep", weights.keep}};
  for (const auto& [name, weight] : each) {
    if (!(weight >= 0 && weight <= 1)) {
      return Fail(ErrorCode::kInvalidInput, std::string("fusion weight ") + name + " is " +
                                                std::to_string(weight) + "; give one in [0, 1]");
    }
  }
  return {};
}

FusedDetections Fuse(const Detections& near, const Detections& far, const FusionWeights& weights) {
  assert(Validate(weights));
  enum : std::uint8_t { kFree, kDouble, kTaken };
  const std::vector<std::size_t> near_order = ByFallingScore(near);
  std::vector<std::uint8_t> state(near.size(), kFree);

  Detections boxes;
  boxes.reserve(far.size() + near.size());
  for (const std::size_t f : ByFallingScore(far)) {
    Detection box = far[f];
    bool confirmed = false;
    for (const std::size_t n : near_order) {
      if (state[n] == kTaken || near[n].label != box.label ||
          !(Iou(near[n].box, box.box) > kSameObject)) {
        continue;
      }
      state[n] = confirmed ? kDouble : kTaken;
      if (!confirmed) {
        const double s = box.score;
        box.score = static_cast<float>(1 - (1 - s) * (1 - weights.agree * near[n].score));
        confirmed = true;
      }
    }
    boxes.push_back(box);
  }
  const std::size_t far_boxes = boxes.size();
  if (weights.keep > 0) {
    for (const std::size_t n : near_order) {
      if (state[n] == kFree) {
        boxes.push_back(near[n]);
        boxes.back().score = static_cast<float>(weights.keep * near[n].score);
      }
    }
  }

  FusedDetections fused;
  fused.detections.reserve(boxes.size());
  fused.from_near.reserve(boxes.size());
  for (const std::size_t i : ByFallingScore(boxes)) {
    fused.detections.push_back(boxes[i]);
    fused.from_near.push_back(i >= far_boxes ? 1 : 0);
  }
  return fused;
}

}  // namespace nearfar
