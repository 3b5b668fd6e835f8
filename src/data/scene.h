#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/labels.h"
#include "core/pixels.h"
#include "data/truth.h"

namespace nearfar {

/// How full a picture of the scene is.
enum class SceneKind {
  kQuiet,   ///< one or two large objects close to the camera
  kStreet,  ///< a handful of objects of middling size
  kCrowd,   ///< many small objects far away that hide each other
};

/// A street drawn from a seed: textured houses, pavement and road, people, bicycles, cars and dogs,
/// and things that resemble them in shape but not in colour (posts, crates, stones), so that a
/// detector has to see colour too. The same options give the same bytes on every machine.
struct SceneOptions {
  Size size{320, 240};        ///< px; each side in [64, 4096]
  std::uint64_t seed = 1;     ///< of everything; two seeds share no picture
  double quiet_share = 0.45;  ///< of pictures that are quiet; [0, 1]
  double crowd_share =
      0.35;  ///< of pictures that are crowds; quiet + crowd <= 1, the rest are streets
  int fewest_in_crowd = 6;        ///< objects asked for in a crowd; > 0
  int most_in_crowd = 14;         ///< as many at most; >= fewest, <= 200
  double noise = 5;               ///< strongest grain, standard deviation in grey levels; [0, 40]
  double frames_per_second = 10;  ///< of a sequence; > 0
  int passers_by = 10;            ///< objects that come and go in a sequence; [1, 200]

  friend bool operator==(const SceneOptions&, const SceneOptions&) = default;
};

/// Errors: kInvalidInput with the field, its value and its range.
Expected<void> Validate(const SceneOptions& options);

/// One object in a picture.
struct SceneObject {
  int label = 0;            ///< index into SceneLabels()
  Box box;                  ///< of the whole object, hidden parts too, cut to the frame, in px
  double visibility = 1;    ///< share of its pixels inside the frame that nothing hides; [0, 1]
  double inside = 1;        ///< share of its whole box that lies inside the frame; (0, 1]
  std::uint32_t track = 0;  ///< the same over a sequence; its place in a picture otherwise

  friend bool operator==(const SceneObject&, const SceneObject&) = default;
};

/// One picture and what is in it, farthest object first.
struct ScenePicture {
  std::string name;  ///< "scene-SEED-INDEX" or "street-SEED-INDEX": no two pictures share one
  SceneKind kind = SceneKind::kStreet;
  Size size;
  Image pixels;  ///< empty where only the objects were asked for
  std::vector<SceneObject> objects;
};

enum class SceneContent { kPixelsAndObjects, kObjectsOnly };

/// person, bicycle, car, dog: names that VOC and COCO share.
const LabelSpace& SceneLabels();

/// Picture `index` of a set of independent ones, its kind drawn from the shares.
/// REQUIRES: Validate(options) holds.
ScenePicture DrawPicture(const SceneOptions& options, std::uint64_t index,
                         SceneContent content = SceneContent::kPixelsAndObjects);

/// Frame `index` of one street in front of a still camera: objects enter, pass and leave, each pass
/// with a track of its own. Any frame can be drawn without those before it.
/// REQUIRES: Validate(options) holds.
ScenePicture DrawStreetFrame(const SceneOptions& options, std::uint64_t index,
                             SceneContent content = SceneContent::kPixelsAndObjects);

/// The annotation of one picture. Objects of which less than a tenth is seen are left out; those of
/// which less than four tenths are seen, or that lie less than half inside, are marked difficult.
TruthImage ToTruth(const ScenePicture& picture);

}  // namespace nearfar
