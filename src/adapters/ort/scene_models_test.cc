#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "adapters/ort/detector.h"
#include "data/scene.h"
#include "eval/average_precision.h"
#include "eval/comparison.h"

namespace nearfar::ort {
namespace {

using Settings = std::map<std::string, std::string>;

/// Fresh pictures: the models were trained on other seeds.
struct SceneSet {
  std::vector<ScenePicture> pictures;
  std::vector<TruthImage> truth;
};

const SceneSet& Fresh() {
  static const SceneSet kSet = [] {
    SceneSet set;
    for (std::uint64_t index = 0; index < 150; ++index) {
      set.pictures.push_back(DrawPicture({.seed = 77}, index));
      set.truth.push_back(ToTruth(set.pictures.back()));
    }
    return set;
  }();
  return kSet;
}

std::filesystem::path PackageOf(const std::string& model) {
  return std::filesystem::path(NEARFAR_SOURCE_DIR) / "models" / model;
}

/// What a model of models/ sees in the fresh pictures, with some of its settings changed.
std::vector<Detections> Look(const std::string& model, const Settings& settings = {}) {
  const auto detector = OrtDetector::Open({.model = PackageOf(model), .settings = settings});
  if (!detector) {
    ADD_FAILURE() << detector.error().message;
    return std::vector<Detections>(Fresh().pictures.size());
  }
  EXPECT_EQ((*detector)->labels(), SceneLabels().names);
  std::vector<Detections> seen;
  for (const ScenePicture& picture : Fresh().pictures) {
    const auto answer = (*detector)->Detect(picture.pixels.view(), 0, 0);
    EXPECT_TRUE(answer) << answer.error().message;
    seen.push_back(answer ? answer->detections : Detections{});
  }
  return seen;
}

MatchTable Match(const std::vector<Detections>& seen) {
  return MatchVoc(Fresh().truth, seen, SceneLabels().size());
}

double Ap50(const std::vector<Detections>& seen) {
  return MeanAveragePrecision(Match(seen), Interpolation::kArea).value_or(0);
}

/// Share of the wanted objects of at least / below a height that a model finds (score > 0.5).
double RecallByHeight(const std::vector<Detections>& seen, float from, float to) {
  std::vector<TruthImage> truth = Fresh().truth;
  for (TruthImage& image : truth) {
    for (TruthObject& object : image.objects) {
      object.difficult |= object.box.height() < from || object.box.height() >= to;
    }
  }
  const ObjectCounts counts = CountObjects(MatchVoc(truth, seen, SceneLabels().size()));
  return static_cast<double>(counts.found) / static_cast<double>(counts.wanted);
}

TEST(SceneModels, FarFindsNearlyAllAndNearMissesTheSmall) {
  const auto near = Look("scene_near");
  const auto far = Look("scene_far");
  EXPECT_GT(Ap50(far), 0.9);
  EXPECT_GT(Ap50(near), 0.55);
  EXPECT_LT(Ap50(near), Ap50(far) - 0.15);
  EXPECT_GT(RecallByHeight(near, 80, 1e9F), 0.8);
  EXPECT_LT(RecallByHeight(near, 0, 40), RecallByHeight(near, 80, 1e9F) - 0.3);
  EXPECT_GT(RecallByHeight(far, 0, 40), RecallByHeight(near, 0, 40) + 0.2);
}

TEST(SceneModels, TellAWrongCentreColourAnchorOrResizeFromTheRightOne) {
  struct Row {
    const char* model;
    Settings wrong;
    double loss;  ///< of AP50, at least
  };
  const std::vector<Row> rows = {
      {"scene_far", {{"decoder.centre", "corner"}}, 0.1},
      {"scene_far", {{"input.channels", "bgr"}}, 0.2},
      {"scene_far", {{"input.resize", "letterbox-top-left"}}, 0.03},
      {"scene_far", {{"input.scale", "1"}}, 0.5},
      {"scene_near", {{"decoder.xy_scale", "2"}}, 0.1},
      {"scene_near", {{"decoder.sizes", "square"}}, 0.1},
      // The two levels' anchors swapped, and width for height.
      {"scene_near", {{"decoder.anchors", "58,44,40,92,112,72;8,20,24,16,22,44"}}, 0.3},
      {"scene_near", {{"decoder.anchors", "20,8,16,24,44,22;44,58,92,40,72,112"}}, 0.3},
      {"scene_near", {{"input.channels", "rgb"}}, 0.2},
      {"scene_near", {{"input.resize", "letterbox"}}, 0.02},
      {"scene_near", {{"input.mean", "0"}, {"input.std", "1"}}, 0.3},
  };
  const std::map<std::string, double> right = {{"scene_far", Ap50(Look("scene_far"))},
                                               {"scene_near", Ap50(Look("scene_near"))}};
  for (const Row& row : rows) {
    const double ap = Ap50(Look(row.model, row.wrong));
    EXPECT_LT(ap, right.at(row.model) - row.loss)
        << row.model << " with " << row.wrong.begin()->first << " = " << row.wrong.begin()->second;
  }
}

TEST(SceneModels, FarTakesAnySizeThatItsStridesDivide) {
  const double usual = Ap50(Look("scene_far"));
  EXPECT_GT(Ap50(Look("scene_far", {{"input.size", "352x288"}})), usual - 0.15);
}

}  // namespace
}  // namespace nearfar::ort
