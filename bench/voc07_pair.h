#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/imports.h"
#include "data/read_truth.h"
#include "eval/average_precision.h"
#include "eval/comparison.h"
#include "eval/matching.h"
#include "train/labelled_set.h"

namespace nearfar {

/// One pair of detectors on the same images.
struct Voc07Pair {
  LabelledSet set;
  std::vector<TruthImage> images;
  std::vector<Detections> near, far;
  double small = 0, big = 0;

  double MapOf(const std::vector<Detections>& boxes) const {
    return MeanAveragePrecision(MatchVoc(images, boxes, set.classes.size()), Interpolation::kVoc07)
        .value();
  }
  double Recovered(const std::vector<bool>& uploaded) const {
    return (MapOf(ComposeCascade(near, far, uploaded)) - small) / (big - small);
  }
};

/// The folder of the bundle's VOC07 detections with a slash at its end, or empty and a line about
/// it.
inline std::string Voc07Folder() {
  const char* const named = std::getenv("NEARFAR_ASSETS");
  const std::filesystem::path folder =
      (named != nullptr ? std::filesystem::path(named)
                        : std::filesystem::path(NEARFAR_SOURCE_DIR) / "../shared/assets") /
      "voc07_detections";
  if (!std::filesystem::exists(folder)) {
    std::puts("left out: no bundle at ../shared/assets or NEARFAR_ASSETS");
    return "";
  }
  return folder.string() + "/";
}

inline Voc07Pair ReadPair(const std::string& folder, const std::string& near,
                          const std::string& far) {
  const Truth truth = ReadTruth(folder + "gt.csv.gz").value();
  Voc07Pair pair;
  pair.set = JoinRecordings(OpenRecording(folder + near).value(),
                            OpenRecording(folder + far).value(), &truth, Synonyms::Default(), {})
                 .value();
  const LabelMap map = MapLabels(truth.classes.names, pair.set.classes, Synonyms::Default());
  std::map<std::string, const TruthImage*> by_name;
  for (const TruthImage& image : truth.images) {
    by_name[image.name] = &image;
  }
  for (std::size_t i = 0; i < pair.set.images.size(); ++i) {
    TruthImage image = *by_name.at(pair.set.names[i]);
    for (TruthObject& object : image.objects) {
      object.label = map.label_of[static_cast<std::size_t>(object.label)];
    }
    pair.images.push_back(std::move(image));
    pair.near.push_back(pair.set.images[i].near);
    pair.far.push_back(pair.set.images[i].far);
  }
  pair.small = pair.MapOf(pair.near);
  pair.big = pair.MapOf(pair.far);
  return pair;
}

}  // namespace nearfar
