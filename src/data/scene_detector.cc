#include "data/scene_detector.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace nearfar {
namespace {

/// Boxes that overlap an object, each weighed by the share of the object that lies under it.
double Crowding(const ScenePicture& picture, std::size_t object) {
  const Box& box = picture.objects[object].box;
  double crowding = 0;
  for (std::size_t i = 0; i < picture.objects.size(); ++i) {
    if (i != object) {
      crowding += IntersectionArea(box, picture.objects[i].box) / std::max(box.area(), 1e-6F);
    }
  }
  return crowding;
}

float Logistic(double evidence) { return static_cast<float>(1 / (1 + std::exp(-evidence))); }

Box Misplace(const Box& box, double deviation, Size frame, Rng& rng) {
  const auto shift = [&](float side) {
    return static_cast<float>(rng.Normal() * deviation) * side;
  };
  Box moved = box;
  moved.x1 += shift(box.width());
  moved.y1 += shift(box.height());
  moved.x2 += shift(box.width());
  moved.y2 += shift(box.height());
  return ClipTo(moved, frame);
}

/// How many things that happen independently at a small mean rate: at most 20.
int DrawCount(double mean, Rng& rng) {
  int count = 0;
  for (int i = 0; i < 20; ++i) {
    count += rng.Chance(mean / 20) ? 1 : 0;
  }
  return count;
}

std::string HashOf(const DetectorModel& model) {
  std::string text = model.name;
  for (const double value :
       {model.half_side, model.sharpness, model.crowding, model.hiding, model.unsteadiness,
        model.surest, model.misplacement, model.false_boxes, model.mislabelling}) {
    text += " " + std::to_string(value);
  }
  std::array<char, 17> hex{};
  std::snprintf(hex.data(), hex.size(), "%016llx",
                static_cast<unsigned long long>(MixBits(HashText(text)) ^ MixBits(model.seed)));
  return hex.data();
}

ScenePicture Describe(const SceneOptions& options, const SceneRange& range, std::uint64_t index) {
  return range.street ? DrawStreetFrame(options, index, SceneContent::kObjectsOnly)
                      : DrawPicture(options, index, SceneContent::kObjectsOnly);
}

}  // namespace

DetectorModel NearDetectorModel() {
  return {.name = "scene-near-model", .half_side = 0.13, .crowding = 1.6, .service_ms = 4};
}

DetectorModel FarDetectorModel() {
  return {.name = "scene-far-model",
          .half_side = 0.035,
          .sharpness = 2.2,
          .crowding = 0.5,
          .hiding = 2.5,
          .unsteadiness = 0.6,
          .misplacement = 0.02,
          .false_boxes = 0.2,
          .mislabelling = 0.005,
          .service_ms = 40};
}

Detections Detect(const DetectorModel& model, const ScenePicture& picture) {
  Rng rng(MixBits(model.seed) ^ HashText(picture.name) ^ HashText(model.name));
  const auto labels = static_cast<std::uint64_t>(SceneLabels().size());
  const auto frame_area = static_cast<double>(picture.size.area());
  Detections detections;
  for (std::size_t i = 0; i < picture.objects.size(); ++i) {
    const SceneObject& object = picture.objects[i];
    const double side = std::sqrt(object.box.area() / frame_area);
    const double evidence = model.sharpness * std::log2(std::max(side, 1e-6) / model.half_side) -
                            model.crowding * Crowding(picture, i) -
                            model.hiding * (1 - object.visibility) +
                            model.unsteadiness * rng.Normal();
    Detection detection{Misplace(object.box, model.misplacement, picture.size, rng),
                        std::min(Logistic(evidence), static_cast<float>(model.surest)),
                        object.label};
    if (rng.Chance(model.mislabelling)) {
      detection.label = static_cast<int>(
          (static_cast<std::uint64_t>(object.label) + 1 + rng.Below(labels - 1)) % labels);
    }
    if (detection.box.area() > 0) {
      detections.push_back(detection);
    }
  }
  for (int i = DrawCount(model.false_boxes, rng); i > 0; --i) {
    const double width = rng.Uniform(0.03, 0.3) * picture.size.width;
    const double height = rng.Uniform(0.05, 0.4) * picture.size.height;
    const auto x = static_cast<float>(rng.Uniform(0, picture.size.width - width));
    const auto y = static_cast<float>(rng.Uniform(0, picture.size.height - height));
    const double draw = rng.Uniform();
    // Mostly faint: one in six is scored above 0.5.
    detections.push_back({{x, y, x + static_cast<float>(width), y + static_cast<float>(height)},
                          static_cast<float>(0.75 * draw * draw),
                          static_cast<int>(rng.Below(labels))});
  }
  std::erase_if(detections, [&](const Detection& detection) {
    return detection.score < static_cast<float>(model.score_floor);
  });
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  return detections;
}

Truth SceneTruth(const SceneOptions& options, const SceneRange& range) {
  Truth truth{.classes = SceneLabels()};
  for (int i = 0; i < range.count; ++i) {
    truth.images.push_back(
        ToTruth(Describe(options, range, range.first + static_cast<std::uint64_t>(i))));
  }
  return truth;
}

Recording RecordScene(const DetectorModel& model, const SceneOptions& options,
                      const SceneRange& range) {
  Recording recording{.model = {.name = model.name,
                                .version = "1",
                                .hash = HashOf(model),
                                .preprocessing = "none: drawn from the scene's truth",
                                .nms = "not needed: a box an object",
                                .score_floor = model.score_floor,
                                .label_map = Synonyms::Default().version(),
                                .input = options.size},
                      .classes = SceneLabels()};
  for (int i = 0; i < range.count; ++i) {
    const std::uint64_t index = range.first + static_cast<std::uint64_t>(i);
    const ScenePicture picture = Describe(options, range, index);
    Rng pace(MixBits(model.seed) + HashText(picture.name));
    recording.frames.push_back(
        {.source = (range.street ? "street-" : "scene-") + std::to_string(options.seed),
         .name = picture.name,
         .index = index,
         .rect = WholeOf(picture.size),
         .size = picture.size,
         .captured_ms =
             range.street ? 1000 * static_cast<double>(index) / options.frames_per_second : -1,
         .service_ms = model.service_ms * pace.Uniform(0.9, 1.1),
         .detections = Detect(model, picture)});
  }
  return recording;
}

}  // namespace nearfar
