#include "eval/matching.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace nearfar {
namespace {

double Area(const Box& box) {
  return std::max(0.0, double{box.x2} - box.x1) * std::max(0.0, double{box.y2} - box.y1);
}

double PreciseIntersection(const Box& a, const Box& b) {
  const double width = double{std::min(a.x2, b.x2)} - std::max(a.x1, b.x1);
  const double height = double{std::min(a.y2, b.y2)} - std::max(a.y1, b.y1);
  return std::max(0.0, width) * std::max(0.0, height);
}

/// Share of the box that lies inside a region which stands for many objects.
double ShareInside(const Box& box, const Box& region) {
  const double area = Area(box);
  return area > 0 ? PreciseIntersection(box, region) / area : 0;
}

/// Boxes of one image, sorted into classes, best first.
using ByClass = std::vector<std::vector<const Detection*>>;

ByClass SplitByClass(const Detections& detections, int classes) {
  ByClass by_class(static_cast<std::size_t>(classes));
  for (const Detection& detection : detections) {
    if (detection.label >= 0 && detection.label < classes && !std::isnan(detection.score)) {
      by_class[static_cast<std::size_t>(detection.label)].push_back(&detection);
    }
  }
  for (auto& list : by_class) {
    std::stable_sort(list.begin(), list.end(),
                     [](const Detection* a, const Detection* b) { return a->score > b->score; });
  }
  return by_class;
}

std::vector<std::vector<const TruthObject*>> SplitByClass(const TruthImage& image, int classes) {
  std::vector<std::vector<const TruthObject*>> by_class(static_cast<std::size_t>(classes));
  for (const TruthObject& object : image.objects) {
    if (object.label >= 0 && object.label < classes) {
      by_class[static_cast<std::size_t>(object.label)].push_back(&object);
    }
  }
  return by_class;
}

MatchTable EmptyTable(std::size_t images, int classes, std::vector<double> iou_thresholds) {
  MatchTable table;
  table.images = images;
  table.iou_thresholds = std::move(iou_thresholds);
  table.classes.resize(static_cast<std::size_t>(classes));
  for (ClassMatches& matches : table.classes) {
    matches.wanted.assign(images, 0);
  }
  return table;
}

/// Brings the boxes of all images into one order and notes where the curves bend.
void Finish(MatchTable& table) {
  for (ClassMatches& matches : table.classes) {
    std::stable_sort(matches.detections.begin(), matches.detections.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    matches.decisive.resize(table.iou_thresholds.size());
    for (std::size_t t = 0; t < table.iou_thresholds.size(); ++t) {
      for (std::size_t d = 0; d < matches.detections.size(); ++d) {
        const MatchedDetection& detection = matches.detections[d];
        if (((detection.found | detection.ignored) >> t & 1) != 0) {
          matches.decisive[t].push_back(static_cast<std::uint32_t>(d));
        }
      }
    }
  }
}

}  // namespace

double PreciseIou(const Box& a, const Box& b) {
  const double intersection = PreciseIntersection(a, b);
  const double together = Area(a) + Area(b) - intersection;
  return together > 0 ? intersection / together : 0;
}

MatchTable MatchVoc(std::span<const TruthImage> images, std::span<const Detections> detections,
                    int classes, double iou) {
  assert(images.size() == detections.size());
  MatchTable table = EmptyTable(images.size(), classes, {iou});
  std::vector<bool> taken;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto truth = SplitByClass(images[i], classes);
    const ByClass boxes = SplitByClass(detections[i], classes);
    for (std::size_t c = 0; c < table.classes.size(); ++c) {
      ClassMatches& matches = table.classes[c];
      matches.wanted[i] = static_cast<std::uint32_t>(
          std::count_if(truth[c].begin(), truth[c].end(),
                        [](const TruthObject* o) { return !o->difficult && !o->crowd; }));
      taken.assign(truth[c].size(), false);
      for (const Detection* box : boxes[c]) {
        MatchedDetection match{box->score, static_cast<std::uint32_t>(i), 0, 0};
        double best = 0;
        std::size_t which = truth[c].size();
        bool in_crowd = false;
        for (std::size_t o = 0; o < truth[c].size(); ++o) {
          if (truth[c][o]->crowd) {
            in_crowd = in_crowd || ShareInside(box->box, truth[c][o]->box) >= iou;
            continue;
          }
          const double overlap = PreciseIou(box->box, truth[c][o]->box);
          if (overlap > best) {
            best = overlap;
            which = o;
          }
        }
        if (which < truth[c].size() && best >= iou) {
          if (truth[c][which]->difficult) {
            match.ignored = 1;
          } else if (!taken[which]) {
            taken[which] = true;
            match.found = 1;
          } else {
            match.ignored = in_crowd ? 1 : 0;
          }
        } else if (in_crowd) {
          match.ignored = 1;
        }
        matches.detections.push_back(match);
      }
    }
  }
  Finish(table);
  return table;
}

CocoOptions CocoSmall() { return {.min_area = 0, .max_area = 32.0 * 32}; }
CocoOptions CocoMedium() { return {.min_area = 32.0 * 32, .max_area = 96.0 * 96}; }
CocoOptions CocoLarge() { return {.min_area = 96.0 * 96, .max_area = 1e10}; }

MatchTable MatchCoco(std::span<const TruthImage> images, std::span<const Detections> detections,
                     int classes, const CocoOptions& options) {
  assert(images.size() == detections.size());
  std::vector<double> thresholds = options.iou_thresholds;
  if (thresholds.empty()) {
    for (int t = 0; t < 10; ++t) {
      thresholds.push_back(t == 9 ? 0.95 : 0.5 + t * ((0.95 - 0.5) / 9));
    }
  }
  assert(thresholds.size() <= 16);
  MatchTable table = EmptyTable(images.size(), classes, thresholds);

  struct Object {
    const TruthObject* truth;
    bool region;   // stands for many: takes any number of boxes
    bool ignored;  // a region, or of a size that is not asked for
  };
  std::vector<Object> objects;
  std::vector<double> overlaps;
  std::vector<bool> taken;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto truth = SplitByClass(images[i], classes);
    const ByClass boxes = SplitByClass(detections[i], classes);
    for (std::size_t c = 0; c < table.classes.size(); ++c) {
      ClassMatches& matches = table.classes[c];
      objects.clear();
      for (const TruthObject* object : truth[c]) {
        const bool region = object->crowd || object->difficult;
        const double area = object->area >= 0 ? double{object->area} : Area(object->box);
        objects.push_back(
            {object, region, region || area < options.min_area || area > options.max_area});
      }
      std::stable_sort(objects.begin(), objects.end(),
                       [](const Object& a, const Object& b) { return a.ignored < b.ignored; });
      matches.wanted[i] = static_cast<std::uint32_t>(std::count_if(
          objects.begin(), objects.end(), [](const Object& o) { return !o.ignored; }));

      const std::size_t count =
          std::min(boxes[c].size(), static_cast<std::size_t>(std::max(0, options.max_detections)));
      overlaps.assign(count * objects.size(), 0);
      for (std::size_t d = 0; d < count; ++d) {
        for (std::size_t o = 0; o < objects.size(); ++o) {
          const Box& box = boxes[c][d]->box;
          const Box& object = objects[o].truth->box;
          overlaps[d * objects.size() + o] =
              objects[o].region ? ShareInside(box, object) : PreciseIou(box, object);
        }
      }
      const std::size_t first = matches.detections.size();
      for (std::size_t d = 0; d < count; ++d) {
        matches.detections.push_back({boxes[c][d]->score, static_cast<std::uint32_t>(i), 0, 0});
      }
      for (std::size_t t = 0; t < thresholds.size(); ++t) {
        const auto bit = static_cast<std::uint16_t>(1U << t);
        taken.assign(objects.size(), false);
        for (std::size_t d = 0; d < count; ++d) {
          double best = std::min(thresholds[t], 1 - 1e-10);
          std::size_t which = objects.size();
          for (std::size_t o = 0; o < objects.size(); ++o) {
            if (taken[o] && !objects[o].region) {
              continue;
            }
            if (which < objects.size() && !objects[which].ignored && objects[o].ignored) {
              break;
            }
            const double overlap = overlaps[d * objects.size() + o];
            if (overlap >= best) {
              best = overlap;
              which = o;
            }
          }
          MatchedDetection& match = matches.detections[first + d];
          if (which < objects.size()) {
            taken[which] = true;
            (objects[which].ignored ? match.ignored : match.found) |= bit;
          } else {
            const double area = Area(boxes[c][d]->box);
            if (area < options.min_area || area > options.max_area) {
              match.ignored |= bit;
            }
          }
        }
      }
    }
  }
  Finish(table);
  return table;
}

}  // namespace nearfar
