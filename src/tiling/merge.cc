#include "tiling/merge.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

Box BoxOf(const Rect& rect) {
  return {static_cast<float>(rect.x), static_cast<float>(rect.y),
          static_cast<float>(rect.x + rect.width), static_cast<float>(rect.y + rect.height)};
}

/// What both have; inverted where they have nothing in common.
Box Common(const Box& a, const Box& b) {
  return {std::max(a.x1, b.x1), std::max(a.y1, b.y1), std::min(a.x2, b.x2), std::min(a.y2, b.y2)};
}

bool Touch(const Box& a, const Box& b) {
  return a.x1 < b.x2 && b.x1 < a.x2 && a.y1 < b.y2 && b.y1 < a.y2;
}

/// False where the boxes surely overlap by less than `iou`: their sides alone say so.
bool CanOverlap(const Box& a, const Box& b, float iou) {
  const float across = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const float down = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  constexpr float kRounding = 0.999F;
  return across >= kRounding * iou * std::max(a.width(), b.width()) &&
         down >= kRounding * iou * std::max(a.height(), b.height());
}

Box Around(const Box& a, const Box& b) {
  return {std::min(a.x1, b.x1), std::min(a.y1, b.y1), std::max(a.x2, b.x2), std::max(a.y2, b.y2)};
}

/// Cuts a detection to its region. False when nothing of it is left, or it is no box.
bool CutToRegion(const Box& region, Detection& detection) {
  const Box& box = detection.box;
  if (!std::isfinite(box.x1) || !std::isfinite(box.y1) || !std::isfinite(box.x2) ||
      !std::isfinite(box.y2) || std::isnan(detection.score)) {
    return false;
  }
  detection.box = Common(box, region);
  return detection.box.x1 < detection.box.x2 && detection.box.y1 < detection.box.y2;
}

/// A box of one of the results.
struct Candidate {
  Detection detection;
  std::uint32_t result = 0;
  std::uint32_t order = 0;  ///< its place among all boxes, in plan order
  bool cut_left = false;    ///< ends at that inner border of its region
  bool cut_top = false;
  bool cut_right = false;
  bool cut_bottom = false;

  bool cut() const { return cut_left || cut_top || cut_right || cut_bottom; }
};

bool Better(const Candidate& a, const Candidate& b) {
  return a.detection.score > b.detection.score ||
         (a.detection.score == b.detection.score && a.order < b.order);
}

/// What is known of an answered region.
struct Seen {
  Box rect;
  bool overview = false;
  float margin_x = 0;  ///< a box that ends so near an inner border is cut
  float margin_y = 0;
  bool inner_left = false;  ///< that border is not the frame's edge
  bool inner_top = false;
  bool inner_right = false;
  bool inner_bottom = false;
  std::vector<std::uint32_t> neighbours;  ///< other results of its kind that see a part of it
  std::vector<std::uint32_t> cut;  ///< its cut boxes that have not gone, by place in their list

  /// Whether the region has all of the box in view, no nearer to an inner border than `slack` and
  /// its margin.
  bool Holds(const Box& box, float slack_x, float slack_y) const {
    return box.x1 >= rect.x1 + (inner_left ? margin_x + slack_x : -slack_x) &&
           box.y1 >= rect.y1 + (inner_top ? margin_y + slack_y : -slack_y) &&
           box.x2 <= rect.x2 - (inner_right ? margin_x + slack_x : -slack_x) &&
           box.y2 <= rect.y2 - (inner_bottom ? margin_y + slack_y : -slack_y);
  }
};

Seen Look(Size frame, const TiledRegion& region, float border_px) {
  const Rect& rect = region.rect;
  Seen seen{.rect = BoxOf(rect), .overview = region.kind == TiledRegion::Kind::kOverview};
  const auto scale = [](int side, int input) {
    return input > 0 ? static_cast<float>(side) / static_cast<float>(input) : 1.0F;
  };
  seen.margin_x = border_px * scale(rect.width, region.input.width);
  seen.margin_y = border_px * scale(rect.height, region.input.height);
  seen.inner_left = rect.x > 0;
  seen.inner_top = rect.y > 0;
  seen.inner_right = rect.x + rect.width < frame.width;
  seen.inner_bottom = rect.y + rect.height < frame.height;
  return seen;
}

/// Boxes by where their middle lies, so that those near a place are quickly had.
class Places {
 public:
  explicit Places(Size frame)
      : columns_((std::max(frame.width, 1) + kSide - 1) / kSide),
        rows_((std::max(frame.height, 1) + kSide - 1) / kSide),
        first_(static_cast<std::size_t>(columns_) * static_cast<std::size_t>(rows_), kNone) {}

  void Add(std::uint32_t id, const Box& box) {
    std::uint32_t& first = first_[At(Column(Middle(box.x1, box.x2)), Row(Middle(box.y1, box.y2)))];
    if (next_.size() <= id) {
      next_.resize(id + 1, kNone);
    }
    next_[id] = first;
    first = id;
  }
  /// Calls `visit` with the ids whose middle may lie in the box.
  template <typename Visit>
  void Near(const Box& box, Visit visit) const {
    const int right = Column(box.x2);
    const int bottom = Row(box.y2);
    for (int row = Row(box.y1); row <= bottom; ++row) {
      for (int column = Column(box.x1); column <= right; ++column) {
        for (std::uint32_t id = first_[At(column, row)]; id != kNone; id = next_[id]) {
          visit(id);
        }
      }
    }
  }

 private:
  static constexpr int kSide = 96;
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  static float Middle(float low, float high) { return (low + high) / 2; }
  static int Index(float value, int count) {
    return static_cast<int>(
        std::clamp(value / static_cast<float>(kSide), 0.0F, static_cast<float>(count - 1)));
  }
  int Column(float x) const { return Index(x, columns_); }
  int Row(float y) const { return Index(y, rows_); }
  std::size_t At(int column, int row) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) +
           static_cast<std::size_t>(column);
  }

  int columns_;
  int rows_;
  std::vector<std::uint32_t> first_;  ///< by place
  std::vector<std::uint32_t> next_;   ///< by id
};

/// Around a box, where the middle of every box lies that overlaps it by at least `iou`. The sides
/// of two such boxes, w and v, share at least iou · max(w, v), and share (w + v) / 2 less the
/// distance of their middles; v is at most w / iou. So the middles are no further apart than this.
Box ReachOf(const Box& box, float iou) {
  constexpr float kRounding = 1.001F;
  const float reach = kRounding * std::max(1 - iou, (1 / iou - 1) / 2);
  const float x = (box.x1 + box.x2) / 2;
  const float y = (box.y1 + box.y2) / 2;
  return {x - reach * box.width(), y - reach * box.height(), x + reach * box.width(),
          y + reach * box.height()};
}

class BorderMerge {
 public:
  BorderMerge(Size frame, std::span<const RegionResult> results, const MergeOptions& options)
      : frame_(frame), results_(results), options_(options), places_(frame) {}

  Merged Run() {
    Sort();
    JoinWhole();
    DropSeenFurther();
    PlaceOverview();
    DropCut();
    StitchCut();
    return Give();
  }

 private:
  /// Somebody, by the box that stands for them.
  struct Person {
    Candidate best;
    std::vector<std::uint32_t> results;  ///< stitched parts: whose they are
    bool in_overview = false;
  };

  bool SameLabel(const Candidate& a, const Candidate& b) const {
    return a.detection.label == b.detection.label;
  }

  /// Parts the boxes into whole ones, cut ones and the overview's, each best first.
  void Sort() {
    seen_.reserve(results_.size());
    for (const RegionResult& result : results_) {
      seen_.push_back(Look(frame_, result.region, options_.border_px));
    }
    std::uint32_t order = 0;
    for (std::uint32_t r = 0; r < results_.size(); ++r) {
      Seen& seen = seen_[r];
      for (std::uint32_t other = 0; other < results_.size(); ++other) {
        if (other != r && seen_[other].overview == seen.overview &&
            Touch(seen_[other].rect, seen.rect)) {
          seen.neighbours.push_back(other);
        }
      }
      for (const Detection& detection : results_[r].detections) {
        Candidate candidate{.detection = detection, .result = r, .order = order++};
        if (!CutToRegion(seen.rect, candidate.detection)) {
          continue;
        }
        const Box& box = candidate.detection.box;
        candidate.cut_left = seen.inner_left && box.x1 < seen.rect.x1 + seen.margin_x;
        candidate.cut_top = seen.inner_top && box.y1 < seen.rect.y1 + seen.margin_y;
        candidate.cut_right = seen.inner_right && box.x2 > seen.rect.x2 - seen.margin_x;
        candidate.cut_bottom = seen.inner_bottom && box.y2 > seen.rect.y2 - seen.margin_y;
        (seen.overview ? overview_ : candidate.cut() ? cut_ : whole_).push_back(candidate);
      }
    }
    for (std::vector<Candidate>* boxes : {&whole_, &cut_, &overview_}) {
      std::sort(boxes->begin(), boxes->end(), Better);
    }
    for (std::uint32_t c = 0; c < cut_.size(); ++c) {
      seen_[cut_[c].result].cut.push_back(c);
    }
  }

  void AddPerson(const Candidate& candidate) {
    places_.Add(static_cast<std::uint32_t>(people_.size()), candidate.detection.box);
    people_.push_back({.best = candidate});
  }

  void JoinWhole() {
    people_.reserve(whole_.size() + overview_.size());
    for (const Candidate& candidate : FirstOfEach(whole_)) {
      AddPerson(candidate);
    }
  }

  /// Two boxes of different results that may be one person's, by place in a list.
  struct Pair {
    float iou = 0;
    std::uint32_t a = 0;  ///< a < b
    std::uint32_t b = 0;

    bool operator<(const Pair& other) const {
      if (iou != other.iou) {
        return iou > other.iou;
      }
      return a != other.a ? a < other.a : b < other.b;
    }
  };

  /// The best box of each person, where different results' boxes of one overlap by more than `iou`.
  /// The pairs that overlap most are joined first, and two boxes of one result never are.
  /// @param boxes  best first.
  std::vector<Candidate> FirstOfEach(const std::vector<Candidate>& boxes) const {
    std::vector<Pair> pairs;
    Places places(frame_);
    for (std::uint32_t i = 0; i < boxes.size(); ++i) {
      const Candidate& candidate = boxes[i];
      const Box& box = candidate.detection.box;
      if (!SeenByOthers(candidate)) {
        continue;
      }
      places.Near(ReachOf(box, options_.iou), [&](std::uint32_t other) {
        if (boxes[other].result != candidate.result && SameLabel(boxes[other], candidate) &&
            CanOverlap(boxes[other].detection.box, box, options_.iou)) {
          const float iou = Iou(boxes[other].detection.box, box);
          if (iou > options_.iou && !CutIn(boxes[other].result, candidate, iou) &&
              !CutIn(candidate.result, boxes[other], iou)) {
            pairs.push_back({iou, other, i});
          }
        }
      });
      places.Add(i, box);
    }
    std::sort(pairs.begin(), pairs.end());
    // A ring of boxes for each person; its first is the best.
    constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    std::vector<std::uint32_t> first(boxes.size());
    std::vector<std::uint32_t> next(boxes.size(), kNone);
    for (std::uint32_t i = 0; i < boxes.size(); ++i) {
      first[i] = i;
    }
    const auto meet = [&](std::uint32_t a, std::uint32_t b) {
      for (std::uint32_t i = a; i != kNone; i = next[i]) {
        for (std::uint32_t j = b; j != kNone; j = next[j]) {
          if (boxes[i].result == boxes[j].result) {
            return true;
          }
        }
      }
      return false;
    };
    for (const Pair& pair : pairs) {
      const std::uint32_t a = std::min(first[pair.a], first[pair.b]);
      const std::uint32_t b = std::max(first[pair.a], first[pair.b]);
      if (a == b || meet(a, b)) {
        continue;
      }
      std::uint32_t last = a;
      while (next[last] != kNone) {
        last = next[last];
      }
      next[last] = b;
      for (std::uint32_t i = b; i != kNone; i = next[i]) {
        first[i] = a;
      }
    }
    std::vector<Candidate> people;
    people.reserve(boxes.size());
    for (std::uint32_t i = 0; i < boxes.size(); ++i) {
      if (first[i] == i) {
        people.push_back(boxes[i]);
      }
    }
    return people;
  }

  /// Whether the box reaches out of another result's region, which has a cut box that agrees with
  /// it by more than `iou`: then it is not the one whom that result has whole.
  bool CutIn(std::uint32_t result, const Candidate& candidate, float iou) const {
    const Seen& seen = seen_[result];
    if (seen.overview || seen.Holds(candidate.detection.box, 0, 0)) {
      return false;
    }
    const Box visible = Common(candidate.detection.box, seen.rect);
    return std::any_of(seen.cut.begin(), seen.cut.end(), [&](std::uint32_t c) {
      const Candidate& part = cut_[c];
      return SameLabel(part, candidate) && Touch(part.detection.box, visible) &&
             Iou(part.detection.box, visible) > iou;
    });
  }

  /// Whether another result of its kind sees any of the box.
  bool SeenByOthers(const Candidate& candidate) const {
    const std::vector<std::uint32_t>& others = seen_[candidate.result].neighbours;
    return std::any_of(others.begin(), others.end(), [&](std::uint32_t r) {
      return Touch(candidate.detection.box, seen_[r].rect);
    });
  }

  /// An overview's box and what it may be the same as.
  struct Tie {
    float iou = 0;
    std::uint32_t box = 0;  ///< into overview_
    bool is_cut = false;    ///< `other` is one of cut_, else of people_
    std::uint32_t other = 0;

    bool operator<(const Tie& b) const {
      if (iou != b.iou) {
        return iou > b.iou;
      }
      if (box != b.box) {
        return box < b.box;
      }
      return is_cut != b.is_cut ? !is_cut : other < b.other;
    }
  };

  void PlaceOverview() {
    overview_ = FirstOfEach(overview_);
    std::vector<Tie> ties;
    for (std::uint32_t o = 0; o < overview_.size(); ++o) {
      const Candidate& candidate = overview_[o];
      const Box& box = candidate.detection.box;
      places_.Near(ReachOf(box, options_.overview_iou), [&](std::uint32_t id) {
        const Candidate& whole = people_[id].best;
        if (!CanOverlap(whole.detection.box, box, options_.overview_iou) ||
            !SameLabel(whole, candidate)) {
          return;
        }
        const float iou = Iou(whole.detection.box, box);
        if (iou >= options_.overview_iou) {
          ties.push_back({iou, o, false, id});
        }
      });
      for (const Seen& seen : seen_) {
        if (seen.cut.empty() || !Touch(box, seen.rect)) {
          continue;
        }
        const Box visible = Common(box, seen.rect);
        for (const std::uint32_t c : seen.cut) {
          const Candidate& part = cut_[c];
          if (!SameLabel(part, candidate) || !Touch(box, part.detection.box)) {
            continue;
          }
          const float iou = Iou(visible, part.detection.box);
          if (iou >= options_.shared_iou) {
            ties.push_back({iou, o, true, c});
          }
        }
      }
    }
    std::sort(ties.begin(), ties.end());
    enum class Is : std::uint8_t { kUnknown, kPerson, kOwn };
    std::vector<Is> is(overview_.size(), Is::kUnknown);
    for (const Tie& tie : ties) {
      if (tie.is_cut) {
        // A part goes to the box that it agrees with best.
        if (!cut_gone_[tie.other] && is[tie.box] != Is::kPerson) {
          cut_gone_[tie.other] = true;
          is[tie.box] = Is::kOwn;
        }
      } else if (is[tie.box] == Is::kUnknown && !people_[tie.other].in_overview) {
        people_[tie.other].in_overview = true;
        is[tie.box] = Is::kPerson;
      }
    }
    for (std::uint32_t o = 0; o < overview_.size(); ++o) {
      const Candidate& candidate = overview_[o];
      if (is[o] == Is::kPerson || (is[o] == Is::kUnknown && TileHolds(candidate))) {
        continue;
      }
      AddPerson(candidate);
    }
  }

  /// Whether an answered tile has the box in full view, the overview's coarseness allowed for.
  bool TileHolds(const Candidate& candidate) const {
    const Seen& from = seen_[candidate.result];
    return std::any_of(seen_.begin(), seen_.end(), [&](const Seen& seen) {
      return !seen.overview &&
             seen.Holds(candidate.detection.box, from.margin_x / 2, from.margin_y / 2);
    });
  }

  /// Whether another answered tile has all of the part away from its own borders, and so sees on
  /// where the part is cut.
  bool SeenFurther(const Candidate& part) const {
    const std::vector<std::uint32_t>& others = seen_[part.result].neighbours;
    return std::any_of(others.begin(), others.end(),
                       [&](std::uint32_t r) { return seen_[r].Holds(part.detection.box, 0, 0); });
  }

  /// The part of somebody with the most of them in view is never among those that go here.
  void DropSeenFurther() {
    cut_gone_.resize(cut_.size());
    for (std::size_t c = 0; c < cut_.size(); ++c) {
      cut_gone_[c] = SeenFurther(cut_[c]);
    }
    for (Seen& seen : seen_) {
      std::erase_if(seen.cut, [&](std::uint32_t c) { return cut_gone_[c]; });
    }
  }

  /// The parts of those who are whole elsewhere.
  void DropCut() {
    for (std::size_t c = 0; c < cut_.size(); ++c) {
      const Candidate& part = cut_[c];
      if (cut_gone_[c]) {
        continue;
      }
      const Box& view = seen_[part.result].rect;
      cut_gone_[c] = std::any_of(people_.begin(), people_.end(), [&](const Person& person) {
        return Touch(person.best.detection.box, part.detection.box) &&
               person.best.result != part.result && SameLabel(person.best, part) &&
               Iou(Common(person.best.detection.box, view), part.detection.box) >=
                   options_.shared_iou;
      });
    }
  }

  /// Parts that agree where their regions overlap become one box; a lone part stays as it is.
  void StitchCut() {
    std::vector<Person> stitched;
    for (std::size_t c = 0; c < cut_.size(); ++c) {
      if (cut_gone_[c]) {
        continue;
      }
      const Candidate& part = cut_[c];
      Person* found = nullptr;
      for (Person& person : stitched) {
        if (SameLabel(person.best, part) && Agree(person, part)) {
          found = &person;
          break;
        }
      }
      if (found == nullptr) {
        stitched.push_back({.best = part, .results = {part.result}});
        continue;
      }
      found->best.detection.box = Around(found->best.detection.box, part.detection.box);
      found->results.push_back(part.result);
    }
    people_.insert(people_.end(), stitched.begin(), stitched.end());
  }

  /// Whether a part continues what other regions saw of a person.
  bool Agree(const Person& person, const Candidate& part) const {
    const Box& view = seen_[part.result].rect;
    for (const std::uint32_t r : person.results) {
      if (r == part.result) {
        return false;
      }
      const Box both = Common(view, seen_[r].rect);
      const Box a = Common(person.best.detection.box, both);
      const Box b = Common(part.detection.box, both);
      if (both.area() > 0 && a.area() > 0 && Iou(a, b) >= options_.shared_iou) {
        return true;
      }
    }
    return false;
  }

  Merged Give() {
    std::vector<const Candidate*> order;
    order.reserve(people_.size());
    for (const Person& person : people_) {
      order.push_back(&person.best);
    }
    std::sort(order.begin(), order.end(),
              [](const Candidate* a, const Candidate* b) { return Better(*a, *b); });
    Merged merged;
    merged.detections.reserve(order.size());
    merged.sources.reserve(order.size());
    for (const Candidate* candidate : order) {
      merged.detections.push_back(candidate->detection);
      merged.sources.push_back(results_[candidate->result].source);
    }
    return merged;
  }

  Size frame_;
  std::span<const RegionResult> results_;
  const MergeOptions& options_;
  std::vector<Seen> seen_;  ///< by result
  std::vector<Candidate> whole_, cut_, overview_;
  std::vector<bool> cut_gone_;  ///< by cut box
  std::vector<Person> people_;
  Places places_;  ///< of people_
};

}  // namespace

Expected<void> Validate(const MergeOptions& options) {
  const auto check = [](const char* what, float value) -> Expected<void> {
    if (value > 0 && value <= 1) {
      return {};
    }
    return Fail(ErrorCode::kInvalidInput, std::string("merging tiles: ") + what + " is " +
                                              std::to_string(value) +
                                              ": give an overlap above 0, at most 1");
  };
  for (const auto& [what, value] : {std::pair{"iou", options.iou},
                                    {"overview_iou", options.overview_iou},
                                    {"shared_iou", options.shared_iou}}) {
    if (const auto valid = check(what, value); !valid) {
      return valid;
    }
  }
  if (!(options.border_px >= 0 && options.border_px <= 1e6F)) {
    return Fail(
        ErrorCode::kInvalidInput,
        "merging tiles: border_px is " + std::to_string(options.border_px) + ": give 0 px or more");
  }
  return {};
}

Merged MergeByIou(std::span<const RegionResult> results, const MergeOptions& options) {
  struct Ranked {
    Detection detection;
    std::uint32_t result = 0;
  };
  std::vector<Ranked> all;
  for (std::uint32_t r = 0; r < results.size(); ++r) {
    const Box rect = BoxOf(results[r].region.rect);
    for (Detection detection : results[r].detections) {
      if (CutToRegion(rect, detection)) {
        all.push_back({detection, r});
      }
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Ranked& a, const Ranked& b) {
    return a.detection.score > b.detection.score;
  });
  Size frame;
  for (const RegionResult& result : results) {
    frame.width = std::max(frame.width, result.region.rect.x + result.region.rect.width);
    frame.height = std::max(frame.height, result.region.rect.y + result.region.rect.height);
  }
  Places places(frame);
  Merged merged;
  for (const Ranked& ranked : all) {
    const Box& box = ranked.detection.box;
    bool suppressed = false;
    places.Near(ReachOf(box, options.iou), [&](std::uint32_t id) {
      const Detection& kept = merged.detections[id];
      suppressed =
          suppressed || (kept.label == ranked.detection.label && Iou(kept.box, box) > options.iou);
    });
    if (!suppressed) {
      places.Add(static_cast<std::uint32_t>(merged.detections.size()), box);
      merged.detections.push_back(ranked.detection);
      merged.sources.push_back(results[ranked.result].source);
    }
  }
  return merged;
}

Merged MergeByBorder(Size frame, std::span<const RegionResult> results,
                     const MergeOptions& options) {
  return BorderMerge(frame, results, options).Run();
}

}  // namespace nearfar
