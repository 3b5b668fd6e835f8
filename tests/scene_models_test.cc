#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/ort/detector.h"
#include "core/rng.h"
#include "data/scene.h"
#include "data/scene_detector.h"
#include "discriminate/factory.h"
#include "eval/average_precision.h"
#include "eval/comparison.h"
#include "train/calibrate.h"
#include "train/labelled_set.h"

namespace nearfar {
namespace {

using Settings = std::map<std::string, std::string>;

// Pictures that training never saw; the first are for fitting, the rest for judging.
const SceneOptions kScene{.seed = 77};
constexpr int kFitted = 120;
constexpr int kJudged = 180;

const std::vector<ScenePicture>& Pictures() {
  static const std::vector<ScenePicture> kPictures = [] {
    std::vector<ScenePicture> pictures;
    for (std::uint64_t index = 0; index < kFitted + kJudged; ++index) {
      pictures.push_back(DrawPicture(kScene, index));
    }
    return pictures;
  }();
  return kPictures;
}

const Truth& TruthOfAll() {
  static const Truth kTruth = SceneTruth(kScene, {.count = kFitted + kJudged});
  return kTruth;
}

std::vector<TruthImage> JudgedTruth() {
  return {TruthOfAll().images.begin() + kFitted, TruthOfAll().images.end()};
}

std::unique_ptr<ort::OrtDetector> Open(const std::string& model, const Settings& settings = {}) {
  auto detector =
      ort::OrtDetector::Open({.model = std::filesystem::path(NEARFAR_SOURCE_DIR) / "models" / model,
                              .settings = settings});
  EXPECT_TRUE(detector) << (detector ? "" : detector.error().message);
  return detector ? *std::move(detector) : nullptr;
}

/// What a model of models/ sees in some of the pictures, with some of its settings changed.
std::vector<Detections> Look(const std::string& model, const Settings& settings = {},
                             std::size_t from = kFitted, std::size_t count = kJudged) {
  std::vector<Detections> seen(count);
  const auto detector = Open(model, settings);
  if (detector == nullptr) {
    return seen;
  }
  EXPECT_EQ(detector->labels(), SceneLabels().names);
  for (std::size_t i = 0; i < count; ++i) {
    auto answer = detector->Detect(Pictures()[from + i].pixels.view(), 0, 0);
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
    if (answer) {
      seen[i] = std::move(answer->detections);
    }
  }
  return seen;
}

/// Both models as they are, over the pictures that are judged.
const std::vector<Detections>& Near() {
  static const std::vector<Detections> kSeen = Look("scene_near");
  return kSeen;
}
const std::vector<Detections>& Far() {
  static const std::vector<Detections> kSeen = Look("scene_far");
  return kSeen;
}

double Ap50(const std::vector<Detections>& seen) {
  return MeanAveragePrecision(MatchVoc(JudgedTruth(), seen, SceneLabels().size()),
                              Interpolation::kArea)
      .value_or(0);
}

/// Share of the wanted objects between two heights (px) that is found with a score above 0.5.
double RecallByHeight(const std::vector<Detections>& seen, float from, float to) {
  std::vector<TruthImage> truth = JudgedTruth();
  for (TruthImage& image : truth) {
    for (TruthObject& object : image.objects) {
      object.difficult |= object.box.height() < from || object.box.height() >= to;
    }
  }
  const ObjectCounts counts = CountObjects(MatchVoc(truth, seen, SceneLabels().size()));
  return static_cast<double>(counts.found) / static_cast<double>(counts.wanted);
}

TEST(SceneModels, FarFindsNearlyAllAndNearMissesTheSmall) {
  EXPECT_GT(Ap50(Far()), 0.93);
  EXPECT_GT(Ap50(Near()), 0.55);
  EXPECT_LT(Ap50(Near()), Ap50(Far()) - 0.2);
  EXPECT_GT(RecallByHeight(Near(), 80, 1e9F), 0.75);
  EXPECT_LT(RecallByHeight(Near(), 0, 40), RecallByHeight(Near(), 80, 1e9F) - 0.3);
  EXPECT_GT(RecallByHeight(Far(), 0, 40), RecallByHeight(Near(), 0, 40) + 0.2);
}

TEST(SceneModels, TellAWrongCentreColourAnchorOrScaleFromTheRightOne) {
  struct Row {
    const char* model;
    Settings wrong;
    double most;  ///< AP50 that is left, at most
  };
  const std::vector<Row> rows = {
      {"scene_far", {{"decoder.centre", "corner"}}, 0.75},
      {"scene_far", {{"input.channels", "bgr"}}, 0.4},
      {"scene_far", {{"input.scale", "1"}}, 0.2},
      {"scene_near", {{"decoder.xy_scale", "2"}}, 0.4},
      {"scene_near", {{"decoder.sizes", "square"}}, 0.4},
      // The two levels' anchors swapped; then width for height.
      {"scene_near", {{"decoder.anchors", "58,44,40,92,112,72;8,20,24,16,22,44"}}, 0.2},
      {"scene_near", {{"decoder.anchors", "20,8,16,24,44,22;44,58,92,40,72,112"}}, 0.3},
      {"scene_near", {{"input.channels", "rgb"}}, 0.3},
      {"scene_near", {{"input.mean", "0"}, {"input.std", "1"}}, 0.2},
  };
  for (const Row& row : rows) {
    EXPECT_LT(Ap50(Look(row.model, row.wrong)), row.most)
        << row.model << " with " << row.wrong.begin()->first << " = " << row.wrong.begin()->second;
  }
}

TEST(SceneModels, FarTakesAnySizeThatItsStridesDivide) {
  EXPECT_GT(Ap50(Look("scene_far", {{"input.size", "352x288"}})), 0.8);
}

Recording Record(const std::string& model) {
  Recording recording{.classes = SceneLabels()};
  const auto detector = Open(model);
  if (detector == nullptr) {
    return recording;
  }
  recording.model = detector->identity();
  const std::vector<Detections> seen = Look(model, {}, 0, kFitted);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const ScenePicture& picture = Pictures()[i];
    recording.frames.push_back({.name = picture.name,
                                .index = i,
                                .rect = WholeOf(picture.size),
                                .size = picture.size,
                                .detections = seen[i]});
  }
  return recording;
}

TEST(SceneModels, ReachMoreByThePapersRuleThanByChanceOrTopScore) {
  const Recording near = Record("scene_near");
  const Recording far = Record("scene_far");
  Truth truth = TruthOfAll();
  truth.images.resize(kFitted);
  const auto set = JoinRecordings(near, far, &truth, Synonyms::Default(), {});
  ASSERT_TRUE(set) << set.error().message;
  const auto fitted =
      Calibrate(*set, near.model, far.model, {.discriminator = {.name = "smallbig"}});
  ASSERT_TRUE(fitted) << fitted.error().message;

  // At the same share of uploads, half of the pictures, by each one's gain.
  std::map<std::string, double> ap;
  for (const DiscriminatorSpec& spec :
       {fitted->discriminator, DiscriminatorSpec{"random", {}}, DiscriminatorSpec{"top1", {}}}) {
    const auto discriminator = MakeDiscriminator(spec);
    ASSERT_TRUE(discriminator) << discriminator.error().message;
    std::vector<double> gains;
    for (std::size_t i = 0; i < Near().size(); ++i) {
      const ScenePicture& picture = Pictures()[kFitted + i];
      const Evidence evidence{Near()[i], picture.size, {}, HashText(picture.name)};
      gains.push_back((*discriminator)->Judge(evidence, false).score);
    }
    ap[spec.name] = Ap50(ComposeCascade(Near(), Far(), UploadTop(gains, 0.5)));
  }
  EXPECT_GT(ap["smallbig"], ap["random"] + 0.04);
  EXPECT_GT(ap["smallbig"], ap["top1"] + 0.1);
  const double recovered = (ap["smallbig"] - Ap50(Near())) / (Ap50(Far()) - Ap50(Near()));
  EXPECT_GT(recovered, 0.7);
  RecordProperty("recovered", std::to_string(recovered));
  RecordProperty("smallbig", std::to_string(ap["smallbig"]));
  RecordProperty("random", std::to_string(ap["random"]));
  RecordProperty("top1", std::to_string(ap["top1"]));
}

}  // namespace
}  // namespace nearfar
