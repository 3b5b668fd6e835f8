#include "eval/alignment.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace nearfar {
namespace {

constexpr std::size_t kNamesShown = 5;

/// "a, b, c and 12 more".
std::string Some(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > kNamesShown) {
    text += " and " + std::to_string(names.size() - kNamesShown) + " more";
  }
  return text;
}

std::string Count(std::size_t number, std::string_view one, std::string_view many) {
  return std::to_string(number) + " " + std::string(number == 1 ? one : many);
}

bool IsFinite(const Detection& d) {
  return std::isfinite(d.score) && std::isfinite(d.box.x1) && std::isfinite(d.box.y1) &&
         std::isfinite(d.box.x2) && std::isfinite(d.box.y2);
}

using Places = std::map<std::string_view, std::size_t>;

Expected<Places> PlacesIn(const DetectionSet& source) {
  Places places;
  for (std::size_t i = 0; i < source.images.size(); ++i) {
    if (!places.emplace(source.images[i].name, i).second) {
      return Fail(ErrorCode::kInvalidInput, source.title + ": image " + source.images[i].name +
                                                " stands twice; give each image once");
    }
  }
  return places;
}

/// The classes to be judged: of the truth, asked for, and named by at least one source.
Expected<LabelSpace> JudgedClasses(const Truth& truth, std::span<const DetectionSet> sources,
                                   const Synonyms& synonyms, std::span<const std::string> only,
                                   std::vector<std::string>& remarks) {
  std::set<std::string> asked;
  for (const std::string& name : only) {
    const std::string canonical = synonyms.Canonical(name);
    if (MapLabels({name}, truth.classes, synonyms).label_of[0] == kNoLabel) {
      return Fail(ErrorCode::kNotFound, "the truth has no class \"" + canonical +
                                            "\"; it has: " + Some(truth.classes.names));
    }
    asked.insert(canonical);
  }
  std::set<std::string> named;
  for (const DetectionSet& source : sources) {
    for (const std::string& name : source.classes.names) {
      named.insert(synonyms.Canonical(name));
    }
  }
  LabelSpace classes;
  std::vector<std::string> nameless;
  for (const std::string& name : truth.classes.names) {
    const std::string canonical = synonyms.Canonical(name);
    if (!asked.empty() && asked.count(canonical) == 0) {
      continue;
    }
    if (named.count(canonical) == 0) {
      nameless.push_back(name);
    } else if (classes.Find(canonical) == kNoLabel) {
      classes.names.push_back(canonical);
    }
  }
  if (!nameless.empty()) {
    remarks.push_back(Count(nameless.size(), "class", "classes") +
                      " of the truth that no detector names left out: " + Some(nameless));
  }
  if (classes.names.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "truth and boxes have no class in common (truth: " + Some(truth.classes.names) +
                    "; " + (sources.empty() ? "no boxes" : sources[0].title + ": ") +
                    (sources.empty() ? "" : Some(sources[0].classes.names)) +
                    "); add the spellings to the synonyms file");
  }
  return classes;
}

}  // namespace

Expected<DetectionSet> BoxesOf(const Recording& recording, std::string title) {
  DetectionSet source{std::move(title), recording.classes, {}};
  if (recording.model.nms == "none") {
    return Fail(ErrorCode::kUnsupported,
                source.title + " holds boxes before NMS, many an object; record it with NMS");
  }
  source.images.reserve(recording.frames.size());
  for (const RecordedFrame& frame : recording.frames) {
    if (frame.region != kWholeFrame || frame.rect.size() != frame.size) {
      return Fail(ErrorCode::kUnsupported, source.title + ": " + frame.name +
                                               " is recorded in regions; only recordings of "
                                               "whole images can be held against a truth");
    }
    source.images.push_back({frame.name, frame.detections});
  }
  return source;
}

DetectionSet BoxesOf(const Trace& trace, std::string title) {
  DetectionSet source{std::move(title), trace.run.classes, {}};
  source.images.reserve(trace.frames.size());
  for (const FrameRecord& frame : trace.frames) {
    source.images.push_back({frame.name, frame.detections});
  }
  return source;
}

DetectionSet NearBoxesOf(const Trace& trace, std::string title) {
  DetectionSet source{std::move(title), trace.run.classes, {}};
  source.images.reserve(trace.frames.size());
  for (const FrameRecord& frame : trace.frames) {
    source.images.push_back({frame.name, {}});
    for (const Answer& answer : frame.answers) {
      if (answer.link == kNear && answer.ok()) {
        source.images.back().detections = answer.detections;
        break;
      }
    }
  }
  return source;
}

Expected<AlignedSet> Align(const Truth& truth, std::span<const DetectionSet> sources,
                           const Synonyms& synonyms, std::span<const std::string> only) {
  AlignedSet set;
  Expected<LabelSpace> classes = JudgedClasses(truth, sources, synonyms, only, set.remarks);
  if (!classes) {
    return tl::unexpected(classes.error());
  }
  set.classes = std::move(*classes);

  std::vector<Places> places;
  for (const DetectionSet& source : sources) {
    Expected<Places> found = PlacesIn(source);
    if (!found) {
      return tl::unexpected(found.error());
    }
    places.push_back(std::move(*found));
  }

  // Images, by name.
  const LabelMap truth_map = MapLabels(truth.classes.names, set.classes, synonyms);
  std::set<std::string_view> truth_names;
  std::vector<const TruthImage*> common;
  std::vector<std::vector<std::string>> lacked(sources.size());
  for (const TruthImage& image : truth.images) {
    truth_names.insert(image.name);
    bool everywhere = true;
    for (std::size_t s = 0; s < sources.size(); ++s) {
      if (places[s].count(image.name) == 0) {
        lacked[s].push_back(image.name);
        everywhere = false;
      }
    }
    if (everywhere) {
      common.push_back(&image);
    }
  }
  for (std::size_t s = 0; s < sources.size(); ++s) {
    if (!lacked[s].empty()) {
      set.remarks.push_back(sources[s].title + " lacks " +
                            Count(lacked[s].size(), "image", "images") +
                            " of the truth, left out for all: " + Some(lacked[s]));
    }
    std::vector<std::string> strangers;
    for (const FoundBoxes& image : sources[s].images) {
      if (truth_names.count(image.name) == 0) {
        strangers.push_back(image.name);
      }
    }
    if (!strangers.empty()) {
      set.remarks.push_back(sources[s].title + " has " +
                            Count(strangers.size(), "image", "images") +
                            " without truth, left out: " + Some(strangers));
    }
  }
  if (common.empty()) {
    const std::string of_truth = truth.images.empty() ? "none" : truth.images[0].name;
    const std::string of_source =
        sources.empty() || sources[0].images.empty() ? "none" : sources[0].images[0].name;
    return Fail(ErrorCode::kInvalidInput,
                "truth and boxes have no image in common (truth: " +
                    Count(truth.images.size(), "image", "images") + ", first " + of_truth +
                    "; boxes: first " + of_source +
                    "); images are joined by file name without folder and extension");
  }
  std::sort(common.begin(), common.end(),
            [](const TruthImage* a, const TruthImage* b) { return a->name < b->name; });
  for (const TruthImage* image : common) {
    set.images.push_back(*image);
    std::vector<TruthObject>& objects = set.images.back().objects;
    for (TruthObject& object : objects) {
      const bool known = object.label >= 0 && object.label < truth.classes.size();
      object.label = known ? truth_map.label_of[static_cast<std::size_t>(object.label)] : kNoLabel;
    }
    std::erase_if(objects, [](const TruthObject& o) { return o.label == kNoLabel; });
  }

  // Boxes, in the judged classes.
  set.detections.resize(sources.size());
  set.position.resize(sources.size());
  for (std::size_t s = 0; s < sources.size(); ++s) {
    const LabelMap map = MapLabels(sources[s].classes.names, set.classes, synonyms);
    std::size_t broken = 0;
    std::size_t foreign = 0;
    for (const TruthImage& image : set.images) {
      const std::size_t place = places[s].at(image.name);
      Detections boxes = sources[s].images[place].detections;
      broken += std::erase_if(boxes, [](const Detection& d) { return !IsFinite(d); });
      const std::size_t before = boxes.size();
      map.Apply(boxes);
      foreign += before - boxes.size();
      set.detections[s].push_back(std::move(boxes));
      set.position[s].push_back(place);
    }
    if (broken > 0) {
      set.remarks.push_back(sources[s].title + ": " + Count(broken, "box", "boxes") +
                            " with a score or corner that is not a finite number left out");
    }
    if (foreign > 0) {
      set.remarks.push_back(sources[s].title + ": " + Count(foreign, "box", "boxes") +
                            " of classes that are not judged left out: " + Some(map.unmapped));
    }
  }
  return set;
}

}  // namespace nearfar
