#include "core/nms.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <unordered_map>
#include <vector>

namespace nearfar {

Detections Nms(const Detections& detections, const NmsOptions& options) {
  std::vector<std::size_t> order;
  order.reserve(detections.size());
  for (std::size_t i = 0; i < detections.size(); ++i) {
    if (!std::isnan(detections[i].score)) {
      order.push_back(i);
    }
  }
  const auto better = [&](std::size_t a, std::size_t b) {
    return detections[a].score > detections[b].score ||
           (detections[a].score == detections[b].score && a < b);
  };
  if (order.size() > static_cast<std::size_t>(options.max_candidates)) {
    const auto cut = order.begin() + options.max_candidates;
    std::nth_element(order.begin(), cut, order.end(), better);
    order.erase(cut, order.end());
  }
  std::sort(order.begin(), order.end(), better);

  // Kept boxes by label: a box meets only those that may suppress it.
  std::unordered_map<int, std::vector<Box>> kept_boxes;
  Detections kept;
  for (const std::size_t i : order) {
    const Detection& candidate = detections[i];
    auto& rivals = kept_boxes[options.per_class ? candidate.label : 0];
    const bool suppressed = std::any_of(rivals.begin(), rivals.end(), [&](const Box& rival) {
      return Iou(rival, candidate.box) > options.iou;
    });
    if (suppressed) {
      continue;
    }
    rivals.push_back(candidate.box);
    kept.push_back(candidate);
    if (kept.size() == static_cast<std::size_t>(options.max_detections)) {
      break;
    }
  }
  return kept;
}

}  // namespace nearfar
