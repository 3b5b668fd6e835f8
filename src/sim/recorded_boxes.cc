#include "sim/recorded_boxes.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <map>
#include <utility>

#include "core/phrase.h"
#include "sim/detector_model.h"

namespace nearfar {
namespace {

std::string RectText(const Rect& rect) {
  return std::to_string(rect.width) + "x" + std::to_string(rect.height) + "+" +
         std::to_string(rect.x) + "+" + std::to_string(rect.y);
}

bool Holds(const Rect& outer, const Rect& inner) {
  return inner.x >= outer.x && inner.y >= outer.y &&
         inner.x + inner.width <= outer.x + outer.width &&
         inner.y + inner.height <= outer.y + outer.height;
}

double ScaleOf(const RegionQuestion& question) {
  return std::min(static_cast<double>(question.input.width) / question.rect.width,
                  static_cast<double>(question.input.height) / question.rect.height);
}

/// Whether the rectangles leave no gap in `whole` but at its outer edge, of less than a tenth of
/// it.
bool Fill(const Rect& whole, const std::vector<Rect>& parts) {
  constexpr int kSamples = 24;
  int covered = 0;
  for (int row = 0; row < kSamples; ++row) {
    for (int column = 0; column < kSamples; ++column) {
      const double x = whole.x + (column + 0.5) * whole.width / kSamples;
      const double y = whole.y + (row + 0.5) * whole.height / kSamples;
      covered += std::any_of(parts.begin(), parts.end(),
                             [&](const Rect& part) {
                               return x >= part.x && x < part.x + part.width && y >= part.y &&
                                      y < part.y + part.height;
                             })
                     ? 1
                     : 0;
    }
  }
  return covered >= kSamples * kSamples * 9 / 10;
}

}  // namespace

Expected<std::unique_ptr<RecordedBoxes>> RecordedBoxes::Make(
    std::span<const std::vector<Recording>> recordings, const Truth* truth,
    const LabelSpace& classes, const RecordedBoxesOptions& options) {
  if (!(options.scale_tolerance >= 1) || !(options.bytes_per_px >= 0)) {
    return Fail(ErrorCode::kInvalidInput, "recorded boxes: scale_tolerance is " +
                                              ShortNumber(options.scale_tolerance) +
                                              " (at least 1), bytes_per_px " +
                                              ShortNumber(options.bytes_per_px) + " (at least 0)");
  }
  if (const auto valid = Validate(options.merge); !valid) {
    return tl::unexpected(valid.error());
  }
  if (recordings.empty()) {
    return Fail(ErrorCode::kInvalidInput, "recorded boxes: there is no recording");
  }
  std::unique_ptr<RecordedBoxes> made(new RecordedBoxes);
  made->options_ = options;

  // The frames that every model has, in the order of the first.
  std::map<std::string, std::size_t> models_with;
  for (const std::vector<Recording>& of_model : recordings) {
    std::map<std::string, bool> seen;
    for (const Recording& recording : of_model) {
      if (recording.model.hash != of_model[0].model.hash) {
        return Fail(ErrorCode::kInvalidInput,
                    "recorded boxes: one model's recordings are of " + of_model[0].model.name +
                        " (" + of_model[0].model.hash + ") and of " + recording.model.name + " (" +
                        recording.model.hash + ")");
      }
      if (recording.model.nms == "none") {
        return Fail(ErrorCode::kInvalidInput, "recorded boxes: " + recording.model.name +
                                                  " was recorded before NMS: record it after");
      }
      for (const RecordedFrame& frame : recording.frames) {
        seen[frame.name] = true;
      }
    }
    if (seen.empty()) {
      return Fail(ErrorCode::kInvalidInput, "recorded boxes: a model has no recorded frame");
    }
    for (const auto& [name, yes] : seen) {
      ++models_with[name];
    }
    made->models_.push_back(of_model[0].model.name);
  }
  std::map<std::string, std::size_t> index_of;
  for (const Recording& recording : recordings[0]) {
    for (const RecordedFrame& frame : recording.frames) {
      if (models_with[frame.name] == recordings.size() && !index_of.contains(frame.name)) {
        index_of.emplace(frame.name, made->frames_.size());
        made->frames_.push_back({.name = frame.name, .size = frame.size});
      }
    }
  }
  if (made->frames_.empty()) {
    return Fail(ErrorCode::kInvalidInput, "recorded boxes: no frame was recorded by every model");
  }
  if (made->frames_.size() < models_with.size()) {
    made->remarks_.push_back(std::to_string(models_with.size() - made->frames_.size()) +
                             " frames that not every model has: left out");
  }

  made->regions_.resize(recordings.size());
  for (std::size_t m = 0; m < recordings.size(); ++m) {
    made->regions_[m].resize(made->frames_.size());
    for (const Recording& recording : recordings[m]) {
      const LabelMap map = MapLabels(recording.classes.names, classes, Synonyms::Default());
      for (const RecordedFrame& frame : recording.frames) {
        const auto found = index_of.find(frame.name);
        if (found == index_of.end() || frame.rect.size().area() <= 0) {
          continue;
        }
        SimFrame& shown = made->frames_[found->second];
        if (shown.size != frame.size) {
          return Fail(ErrorCode::kInvalidInput,
                      "recorded boxes: " + frame.name + " has two sizes in the recordings");
        }
        if (frame.rect == WholeOf(frame.size) && !shown.features.has_jpeg_bytes()) {
          shown.features = frame.features;
        }
        Region region{.rect = frame.rect,
                      .scale = SeenScale(recording.model, frame),
                      .detections = frame.detections};
        map.Apply(region.detections);
        made->regions_[m][found->second].push_back(std::move(region));
      }
    }
  }
  for (SimFrame& frame : made->frames_) {
    frame.upload_bytes =
        frame.features.has_jpeg_bytes()
            ? frame.features.jpeg_bytes
            : std::llround(options.bytes_per_px * static_cast<double>(frame.size.area()));
  }

  made->truth_.resize(made->frames_.size());
  if (truth != nullptr) {
    const LabelMap map = MapLabels(truth->classes.names, classes, Synonyms::Default());
    std::size_t known = 0;
    for (const TruthImage& image : truth->images) {
      const auto found = index_of.find(image.name);
      if (found == index_of.end()) {
        continue;
      }
      std::vector<TruthObject>& objects = made->truth_[found->second].emplace();
      for (TruthObject object : image.objects) {
        const auto label = static_cast<std::size_t>(object.label);
        object.label = label < map.label_of.size() ? map.label_of[label] : kNoLabel;
        if (object.label != kNoLabel) {
          objects.push_back(object);
        }
      }
      ++known;
    }
    if (known < made->frames_.size()) {
      made->remarks_.push_back(std::to_string(made->frames_.size() - known) +
                               " frames are not in the truth");
    }
  }
  return made;
}

bool RecordedBoxes::Fits(const Region& region, Size frame, double asked) const {
  const double recorded = region.scale;
  if (recorded > asked && asked > 0.999 && region.rect != WholeOf(frame)) {
    return true;  // a part smaller than the model's input, which enlarges it whoever sends it
  }
  // A hair more, so that a scale of exactly the tolerance fits.
  const double factor = recorded > asked ? recorded / asked : asked / recorded;
  return factor <= options_.scale_tolerance * 1.000001;
}

const RecordedBoxes::Region* RecordedBoxes::FindSame(std::size_t frame,
                                                     const RegionQuestion& question,
                                                     std::size_t model) const {
  const Region* best = nullptr;
  const double asked = ScaleOf(question);
  const auto off = [&](const Region& region) { return std::abs(std::log(region.scale / asked)); };
  for (const Region& region : regions_[model][frame]) {
    if (region.rect == question.rect && Fits(region, frames_[frame].size, asked) &&
        (best == nullptr || off(region) < off(*best))) {
      best = &region;
    }
  }
  return best;
}

std::vector<const RecordedBoxes::Region*> RecordedBoxes::FindInside(std::size_t frame,
                                                                    const RegionQuestion& question,
                                                                    std::size_t model) const {
  std::vector<const Region*> inside;
  std::vector<Rect> rects;
  for (const Region& region : regions_[model][frame]) {
    if (Holds(question.rect, region.rect) &&
        Fits(region, frames_[frame].size, ScaleOf(question))) {
      inside.push_back(&region);
      rects.push_back(region.rect);
    }
  }
  if (!Fill(question.rect, rects)) {
    inside.clear();
  }
  return inside;
}

Detections RecordedBoxes::Detect(std::size_t frame, const Rect& rect, Size input,
                                 std::size_t model) const {
  const RegionQuestion question{rect, input};
  if (const Region* same = FindSame(frame, question, model)) {
    return same->detections;
  }
  std::vector<RegionResult> results;
  for (const Region* region : FindInside(frame, question, model)) {
    // In px of the rectangle: its own edge cuts whoever stands there, as it would have in the live
    // region, and nobody beyond it says more.
    RegionResult& result = results.emplace_back();
    result.region.rect = {region->rect.x - rect.x, region->rect.y - rect.y, region->rect.width,
                          region->rect.height};
    result.region.input = result.region.rect.size();
    result.detections = region->detections;
    for (Detection& detection : result.detections) {
      detection.box =
          Translate(detection.box, static_cast<float>(-rect.x), static_cast<float>(-rect.y));
    }
  }
  Detections merged = MergeByBorder(rect.size(), results, options_.merge).detections;
  for (Detection& detection : merged) {
    detection.box =
        Translate(detection.box, static_cast<float>(rect.x), static_cast<float>(rect.y));
  }
  return merged;
}

const std::vector<TruthObject>* RecordedBoxes::TruthOf(std::size_t frame) const {
  return truth_[frame] ? &*truth_[frame] : nullptr;
}

Expected<void> RecordedBoxes::Check(std::span<const RegionQuestion> questions) const {
  std::size_t missing = 0;
  std::string first;
  for (std::size_t m = 0; m < models_.size(); ++m) {
    for (std::size_t f = 0; f < frames_.size(); ++f) {
      for (const RegionQuestion& question : questions) {
        if (FindSame(f, question, m) == nullptr && FindInside(f, question, m).empty() &&
            ++missing == 1) {
          first = "the region " + RectText(question.rect) + " at " +
                  std::to_string(question.input.width) + "x" +
                  std::to_string(question.input.height) + " of " + frames_[f].name + " by " +
                  models_[m];
        }
      }
    }
  }
  if (missing == 0) {
    return {};
  }
  return Fail(ErrorCode::kNotFound,
              "the recordings cannot answer for " + first +
                  (missing > 1 ? " and " + std::to_string(missing - 1) + " more" : "") +
                  ": record the frames with the tile, padding and overview of the simulation");
}

std::vector<RegionQuestion> QuestionsOf(const TileGrid& grid, const Padding& padding,
                                        std::optional<Size> overview) {
  std::vector<RegionQuestion> questions;
  for (int cell = 0; cell < grid.cells(); ++cell) {
    const Rect rect = PaddedTile(grid, padding, cell);
    questions.push_back({rect, rect.size()});
  }
  if (overview) {
    questions.push_back({WholeOf(grid.frame), *overview});
  }
  return questions;
}

}  // namespace nearfar
