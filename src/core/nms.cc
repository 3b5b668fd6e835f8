#include "core/nms.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace nearfar {
namespace {

/// The boxes kept so far of one label, a column for each number, so that a candidate is held
/// against several at once. The arithmetic is that of Iou, operation by operation.
class KeptBoxes {
 public:
  bool Suppress(const Box& box, float limit) const {
    constexpr std::size_t kBlock = 8;
    const float area = box.area();
    std::size_t i = 0;
    for (; i + kBlock <= x1_.size(); i += kBlock) {
      int any = 0;
      for (std::size_t k = i; k < i + kBlock; ++k) {
        any |= static_cast<int>(Overlap(k, box, area) > limit);
      }
      if (any != 0) {
        return true;
      }
    }
    for (; i < x1_.size(); ++i) {
      if (Overlap(i, box, area) > limit) {
        return true;
      }
    }
    return false;
  }

  void Add(const Box& box) {
    x1_.push_back(box.x1);
    y1_.push_back(box.y1);
    x2_.push_back(box.x2);
    y2_.push_back(box.y2);
    area_.push_back(box.area());
  }

 private:
  /// Intersection over union with box i; not a number, and so above no limit, when both are empty.
  float Overlap(std::size_t i, const Box& box, float area) const {
    const float w = std::min(x2_[i], box.x2) - std::max(x1_[i], box.x1);
    const float h = std::min(y2_[i], box.y2) - std::max(y1_[i], box.y1);
    const float intersection = std::max(0.0F, w) * std::max(0.0F, h);
    return intersection / (area_[i] + area - intersection);
  }

  std::vector<float> x1_, y1_, x2_, y2_, area_;
};

/// A candidate's place in the order: by falling score, equal scores in input order.
struct Rank {
  float score;
  std::uint32_t index;

  bool operator<(const Rank& other) const {
    return score > other.score || (score == other.score && index < other.index);
  }
};

}  // namespace

Detections Nms(const Detections& detections, const NmsOptions& options) {
  std::vector<Rank> order;
  order.reserve(detections.size());
  for (std::size_t i = 0; i < detections.size(); ++i) {
    if (!std::isnan(detections[i].score)) {
      order.push_back({detections[i].score, static_cast<std::uint32_t>(i)});
    }
  }
  if (order.size() > static_cast<std::size_t>(options.max_candidates)) {
    const auto cut = order.begin() + options.max_candidates;
    std::nth_element(order.begin(), cut, order.end());
    order.erase(cut, order.end());
  }
  std::sort(order.begin(), order.end());

  std::unordered_map<int, KeptBoxes> kept_of_label;
  Detections kept;
  for (const Rank& rank : order) {
    const Detection& candidate = detections[rank.index];
    KeptBoxes& rivals = kept_of_label[options.per_class ? candidate.label : 0];
    if (rivals.Suppress(candidate.box, options.iou)) {
      continue;
    }
    rivals.Add(candidate.box);
    kept.push_back(candidate);
    if (kept.size() == static_cast<std::size_t>(options.max_detections)) {
      break;
    }
  }
  return kept;
}

}  // namespace nearfar
