#include "eval/people.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

#include "eval/average_precision.h"

namespace nearfar {
namespace {

/// Numbers people as they come: tracks over all images, others one by one.
class People {
 public:
  std::uint32_t Of(const TruthObject& object) {
    if (object.track < 0) {
      return next_++;
    }
    const auto [found, is_new] = of_track_.emplace(object.track, next_);
    next_ += is_new ? 1 : 0;
    return found->second;
  }
  std::uint32_t Nobody() { return next_++; }
  std::uint32_t count() const { return next_; }

 private:
  std::map<std::int64_t, std::uint32_t> of_track_;
  std::uint32_t next_ = 0;
};

/// The object that the box overlaps most, or else the nearest; the first of equal ones.
/// REQUIRES: objects is not empty.
std::size_t ObjectOf(const Box& box, std::span<const TruthObject> objects) {
  std::size_t chosen = 0;
  double overlap = -1;
  double distance = 0;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const Box& other = objects[i].box;
    const double iou = PreciseIou(box, other);
    const double away = std::hypot(double{box.x1} + box.x2 - other.x1 - other.x2,
                                   double{box.y1} + box.y2 - other.y1 - other.y2);
    if (iou > overlap || (iou == overlap && iou == 0 && away < distance)) {
      chosen = i;
      overlap = iou;
      distance = away;
    }
  }
  return chosen;
}

}  // namespace

MatchTable MatchByPerson(std::span<const TruthImage> images, std::span<const Detections> detections,
                         int label, double iou) {
  assert(images.size() == detections.size());
  People people;
  MatchTable table{.iou_thresholds = {iou}, .classes = std::vector<ClassMatches>(1)};
  ClassMatches& all = table.classes[0];
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::vector<TruthObject> objects;
    std::vector<std::uint32_t> person;
    for (TruthObject object : images[i].objects) {
      if (object.label == label) {
        object.label = 0;
        objects.push_back(object);
        person.push_back(people.Of(object));
        all.wanted.resize(people.count());
        all.wanted[person.back()] += object.difficult || object.crowd ? 0 : 1;
      }
    }
    Detections boxes;
    for (Detection detection : detections[i]) {
      if (detection.label == label && !std::isnan(detection.score)) {
        detection.label = 0;
        boxes.push_back(detection);
      }
    }
    if (objects.empty()) {  // with or without boxes: people have one number in all tables
      person.push_back(people.Nobody());
      all.wanted.resize(people.count());
    }
    // The order in which the table lists one image's boxes.
    std::stable_sort(boxes.begin(), boxes.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
    TruthImage image = images[i];
    image.objects = objects;
    const MatchTable matched = MatchVoc({&image, 1}, {&boxes, 1}, 1, iou);
    const std::vector<MatchedDetection>& entries = matched.classes[0].detections;
    assert(entries.size() == boxes.size());
    for (std::size_t b = 0; b < entries.size(); ++b) {
      MatchedDetection entry = entries[b];
      entry.image = person[objects.empty() ? 0 : ObjectOf(boxes[b].box, objects)];
      all.detections.push_back(entry);
    }
  }
  std::stable_sort(
      all.detections.begin(), all.detections.end(),
      [](const MatchedDetection& a, const MatchedDetection& b) { return a.score > b.score; });
  all.decisive.resize(1);
  for (std::size_t d = 0; d < all.detections.size(); ++d) {
    if (all.detections[d].found != 0 || all.detections[d].ignored != 0) {
      all.decisive[0].push_back(static_cast<std::uint32_t>(d));
    }
  }
  table.images = people.count();
  return table;
}

std::vector<PeopleStanding> ComparePeople(std::span<const MatchTable> tables,
                                          const BootstrapOptions& options) {
  assert(!tables.empty());
  const auto average = [](const MatchTable& table, ImageWeights draw) {
    return AveragePrecision(table.classes[0], 0, Interpolation::kCoco, draw).value_or(0);
  };
  std::vector<PeopleStanding> standings(tables.size());
  for (std::size_t t = 0; t < tables.size(); ++t) {
    PeopleStanding& standing = standings[t];
    standing.ap = average(tables[t], {});
    standing.minus_first = standing.ap - standings[0].ap;
    standing.interval = {standing.ap, standing.ap};
    standing.minus_first_interval = {standing.minus_first, standing.minus_first};
  }
  if (options.draws == 0) {
    return standings;
  }
  std::vector<std::vector<double>> drawn(tables.size());
  std::vector<std::vector<double>> differences(tables.size());
  Resample(tables[0].images, options, [&](ImageWeights draw) {
    for (std::size_t t = 0; t < tables.size(); ++t) {
      drawn[t].push_back(average(tables[t], draw));
      differences[t].push_back(drawn[t].back() - drawn[0].back());
    }
  });
  for (std::size_t t = 0; t < tables.size(); ++t) {
    standings[t].interval = PercentileInterval(std::move(drawn[t]));
    standings[t].minus_first_interval = PercentileInterval(std::move(differences[t]));
  }
  return standings;
}

}  // namespace nearfar
