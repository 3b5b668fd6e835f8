// Average precision against other programs: pycocotools, and VOC's definition in plain numpy, both
// in eval_reference.py.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/rng.h"
#include "eval/average_precision.h"
#include "eval/matching.h"

namespace nearfar {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-4;

struct Scene {
  std::vector<std::string> classes;
  std::vector<TruthImage> images;
  std::vector<Detections> detections;
};

struct SceneOptions {
  int images = 60;
  int classes = 4;
  double difficult = 0.1;  // share of objects
  double crowd = 0.1;
  int score_steps = 1000;  // few: many ties
  bool whole_pixels = true;
};

/// Objects of all sizes, boxes that miss, repeat, overlap and mistake them.
Scene MakeScene(std::uint64_t seed, const SceneOptions& options) {
  Rng rng(seed);
  Scene scene;
  for (int c = 0; c < options.classes; ++c) {
    scene.classes.push_back("class" + std::to_string(c));
  }
  const auto place = [&](double low, double high) {
    const double value = rng.Uniform(low, high);
    return static_cast<float>(options.whole_pixels ? std::floor(value) : value);
  };
  const auto label = [&] {
    return static_cast<int>(rng.Below(static_cast<std::uint64_t>(options.classes)));
  };
  const auto score = [&](double low) {
    const double steps = options.score_steps;
    return static_cast<float>(std::floor(rng.Uniform(low, 1) * steps) / steps);
  };
  for (int i = 0; i < options.images; ++i) {
    TruthImage image{.name = "image" + std::to_string(1000 + i), .size = {640, 480}};
    Detections boxes;
    for (std::uint64_t o = rng.Below(9); o > 0; --o) {
      const float x = place(0, 400);
      const float y = place(0, 300);
      const double largest = rng.Chance(0.4) ? 40 : 230;
      TruthObject object{.box = {x, y, x + place(8, largest), y + place(8, largest)},
                         .label = label(),
                         .difficult = rng.Chance(options.difficult),
                         .crowd = rng.Chance(options.crowd)};
      if (rng.Chance(0.3)) {
        object.area = 0.7F * object.box.area();
      }
      for (std::uint64_t copies = rng.Below(3) + (object.crowd ? 2U : 0U); copies > 0; --copies) {
        Box box = object.box;
        const double shake = 0.15 * std::min(box.width(), box.height());
        box = {box.x1 + place(-shake, shake), box.y1 + place(-shake, shake),
               box.x2 + place(-shake, shake), box.y2 + place(-shake, shake)};
        boxes.push_back({box, score(0.2), rng.Chance(0.9) ? object.label : label()});
      }
      image.objects.push_back(object);
    }
    for (std::uint64_t wrong = rng.Below(i % 20 == 0 ? 600 : 6); wrong > 0; --wrong) {
      const float x = place(0, 500);
      const float y = place(0, 400);
      boxes.push_back({{x, y, x + place(4, 140), y + place(4, 80)}, score(0), label()});
    }
    scene.images.push_back(std::move(image));
    scene.detections.push_back(std::move(boxes));
  }
  return scene;
}

json ToJson(const Scene& scene) {
  json images = json::array();
  for (std::size_t i = 0; i < scene.images.size(); ++i) {
    json objects = json::array();
    for (const TruthObject& o : scene.images[i].objects) {
      objects.push_back({{"box", {o.box.x1, o.box.y1, o.box.x2, o.box.y2}},
                         {"label", o.label},
                         {"difficult", o.difficult},
                         {"crowd", o.crowd},
                         {"area", o.area}});
    }
    json detections = json::array();
    for (const Detection& d : scene.detections[i]) {
      detections.push_back({d.box.x1, d.box.y1, d.box.x2, d.box.y2, d.score, d.label});
    }
    images.push_back({{"width", scene.images[i].size.width},
                      {"height", scene.images[i].size.height},
                      {"objects", objects},
                      {"detections", detections}});
  }
  return {{"classes", scene.classes}, {"images", images}};
}

/// What eval_reference.py says of a scene; null where it could not be run.
json Reference(const Scene& scene) {
  const std::filesystem::path file = std::filesystem::temp_directory_path() /
                                     ("nearfar_eval_" + std::to_string(::getpid()) + ".json");
  std::ofstream(file) << ToJson(scene);
  const std::string command =
      NEARFAR_TEST_PYTHON " " NEARFAR_SOURCE_DIR "/tests/eval_reference.py values " + file.string();
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> part;
  while (pipe != nullptr && std::fgets(part.data(), part.size(), pipe) != nullptr) {
    text += part.data();
  }
  const int status = pipe != nullptr ? ::pclose(pipe) : -1;
  std::filesystem::remove(file);
  return status == 0 ? json::parse(text) : json();
}

void ExpectNear(const std::optional<double>& ours, const json& theirs) {
  ASSERT_EQ(ours.has_value(), !theirs.is_null());
  if (ours) {
    EXPECT_NEAR(*ours, theirs.get<double>(), kTolerance);
  }
}

std::optional<double> At(const MatchTable& table, std::size_t threshold) {
  const auto means = MeanAveragePrecisions(table, Interpolation::kCoco);
  return means.empty() ? std::nullopt : std::optional(means[threshold]);
}

void ExpectCocoEqual(const Scene& scene, const json& reference) {
  const int classes = static_cast<int>(scene.classes.size());
  const MatchTable all = MatchCoco(scene.images, scene.detections, classes);
  ExpectNear(MeanAveragePrecision(all, Interpolation::kCoco), reference["ap50_95"]);
  ExpectNear(At(all, 0), reference["ap50"]);
  ExpectNear(At(all, 5), reference["ap75"]);
  const std::pair<const char*, CocoOptions> sizes[] = {
      {"ap_small", CocoSmall()}, {"ap_medium", CocoMedium()}, {"ap_large", CocoLarge()}};
  for (const auto& [name, options] : sizes) {
    SCOPED_TRACE(name);
    ExpectNear(MeanAveragePrecision(MatchCoco(scene.images, scene.detections, classes, options),
                                    Interpolation::kCoco),
               reference[name]);
  }
}

void ExpectVocEqual(const Scene& scene, const json& reference) {
  const int classes = static_cast<int>(scene.classes.size());
  const MatchTable table = MatchVoc(scene.images, scene.detections, classes);
  ExpectNear(MeanAveragePrecision(table, Interpolation::kVoc07), reference["voc07"]);
  ExpectNear(MeanAveragePrecision(table, Interpolation::kArea), reference["area"]);
  for (std::size_t c = 0; c < scene.classes.size(); ++c) {
    SCOPED_TRACE(scene.classes[c]);
    ExpectNear(AveragePrecision(table.classes[c], 0, Interpolation::kVoc07),
               reference["voc07_of"].value(scene.classes[c], json()));
    ExpectNear(AveragePrecision(table.classes[c], 0, Interpolation::kArea),
               reference["area_of"].value(scene.classes[c], json()));
  }
}

TEST(EvalPeers, PycocotoolsAgreesOnMadeUpScenes) {
  const SceneOptions cases[] = {
      {.difficult = 0, .crowd = 0},
      {.difficult = 0, .crowd = 0.3},
      {.difficult = 0.3, .crowd = 0.1},
      {.score_steps = 10},                             // most scores tie
      {.images = 8, .classes = 12, .difficult = 0.5},  // classes without a wanted object
      {.whole_pixels = false},
  };
  std::uint64_t seed = 100;
  for (const SceneOptions& options : cases) {
    SCOPED_TRACE(seed);
    const Scene scene = MakeScene(seed++, options);
    const json reference = Reference(scene);
    ASSERT_FALSE(reference.is_null())
        << NEARFAR_TEST_PYTHON " could not run eval_reference.py; run tools/setup.sh test";
    ExpectCocoEqual(scene, reference);
  }
}

TEST(EvalPeers, TheDevkitsDefinitionAgreesOnMadeUpScenes) {
  const SceneOptions cases[] = {
      {.difficult = 0, .crowd = 0},
      {.difficult = 0.3, .crowd = 0},
      {.crowd = 0, .score_steps = 10},
      {.images = 8, .classes = 12, .difficult = 0.5, .crowd = 0},
      {.crowd = 0, .whole_pixels = false},
  };
  std::uint64_t seed = 200;
  for (const SceneOptions& options : cases) {
    SCOPED_TRACE(seed);
    const Scene scene = MakeScene(seed++, options);
    const json reference = Reference(scene);
    ASSERT_FALSE(reference.is_null())
        << NEARFAR_TEST_PYTHON " could not run eval_reference.py; run tools/setup.sh test";
    ExpectVocEqual(scene, reference);
  }
}

}  // namespace
}  // namespace nearfar
