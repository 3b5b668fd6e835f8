#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/detection.h"
#include "core/rng.h"
#include "data/recording.h"
#include "data/scene.h"
#include "data/truth.h"

namespace nearfar {

/// How a detector of a given strength sees the scene, without a network: which objects it misses
/// and how sure it is of those it finds.
///
/// Each object leaves evidence = sharpness · log2(side / half_side) − crowding · c − hiding · h +
/// a normal deviate, where side is √(box area / frame area), c the number of other boxes that
/// overlap it, each weighed by the share of the object under it, and h the hidden share. The score
/// is the logistic function of the evidence, so an object at half_side, alone and in full view, is
/// scored above 0.5 every other time; a missed one mostly leaves a low score, as real detectors do.
struct DetectorModel {
  std::string name = "scene-model";
  double half_side = 0.1;     ///< side, as a share of the frame's, that is found half the time; > 0
  double sharpness = 1.6;     ///< evidence for each doubling of the side; > 0
  double crowding = 1.0;      ///< evidence lost to one box that covers the object wholly; >= 0
  double hiding = 3.0;        ///< evidence lost when all of it is hidden; >= 0
  double unsteadiness = 0.8;  ///< standard deviation of the evidence; >= 0
  double surest = 0.97;       ///< the highest score given; (0.5, 1]
  double misplacement = 0.04;  ///< standard deviation of each edge, in sides of the box; >= 0
  double false_boxes = 0.6;    ///< mean number of boxes of nothing in an image; >= 0
  double mislabelling = 0.02;  ///< share of boxes with another class; [0, 1]
  double score_floor = 0.01;   ///< boxes scored below are dropped; (0, 1)
  double service_ms = 5;       ///< mean time for an image; > 0
  std::uint64_t seed = 1;

  friend bool operator==(const DetectorModel&, const DetectorModel&) = default;
};

/// A weak detector that misses what is small or crowded, and a strong one that misses little.
DetectorModel NearDetectorModel();
DetectorModel FarDetectorModel();

/// The detections of one picture, by falling score, in px of the frame. Chance hangs on the model's
/// seed and the picture's name alone, so pictures may be taken in any order.
Detections Detect(const DetectorModel& model, const ScenePicture& picture);

/// Which pictures of a scene are meant.
struct SceneRange {
  bool street = false;      ///< frames of one street (DrawStreetFrame) instead of single pictures
  std::uint64_t first = 0;  ///< index of the first
  int count = 100;          ///< >= 0

  friend bool operator==(const SceneRange&, const SceneRange&) = default;
};

/// What really is in those pictures. No picture is painted, so thousands take seconds.
/// REQUIRES: Validate(options) holds.
Truth SceneTruth(const SceneOptions& options, const SceneRange& range);

/// What the model sees in those pictures, as a recording with frames in order. The identity's hash
/// tells models and seeds apart. Frames of a street carry their time, counted from 0.
/// REQUIRES: Validate(options) holds.
Recording RecordScene(const DetectorModel& model, const SceneOptions& options,
                      const SceneRange& range);

}  // namespace nearfar
