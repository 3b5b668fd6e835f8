#include "discriminate/factory.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "core/rng.h"
#include "discriminate/upload_policy.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

constexpr int kClasses = 20;

/// A spec with its defaults; a learned one is fitted to images that chance has drawn.
DiscriminatorSpec SpecNamed(std::string_view name) {
  DiscriminatorSpec spec{.name = std::string(name)};
  if (IsLearned(name)) {
    static const std::vector<LabelledImage> images = [] {
      Rng rng(5);
      std::vector<LabelledImage> drawn(60);
      for (LabelledImage& image : drawn) {
        image.size = {10, 10};
        for (std::uint64_t k = rng.Below(6); k > 0; --k) {
          const Box box{0, 0, 10, static_cast<float>(rng.Uniform(1, 10))};
          const int label = static_cast<int>(rng.Below(kClasses));
          image.near.push_back({box, static_cast<float>(rng.Uniform()), label});
          image.far.push_back({box, static_cast<float>(rng.Uniform()), label});
        }
      }
      return drawn;
    }();
    spec.tables = FitTables(name, images, kClasses, GainGoal::kAccuracy).value();
  }
  return spec;
}

TEST(MakeDiscriminator, MakesEachKnownNameWithItsDefaults) {
  std::vector<std::string> names;
  for (const DiscriminatorInfo& info : KnownDiscriminators()) {
    const auto made = MakeDiscriminator(SpecNamed(info.name));
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ((*made)->name(), info.name);
    EXPECT_EQ((*made)->has_verdict(), std::isfinite((*made)->natural_threshold()));
    names.emplace_back(info.name);
  }
  EXPECT_THAT(names,
              ::testing::ElementsAre("smallbig", "random", "blur", "top1", "entropy", "count",
                                     "size", "cf", "ridge", "mlp", "online", "conv", "ibt",
                                     "cross-entropy", "threshold", "cloud-only", "edge-only"));
}

TEST(MakeDiscriminator, TakesTheParametersOfItsTableAndTheirDefaultsAreTheOnesInForce) {
  EXPECT_EQ(SmallBigOptionsOf({}).value(), SmallBigOptions{});
  const SmallBigOptions options{.score_threshold = 0.1,
                                .count_threshold = 5,
                                .area_threshold = 0.25,
                                .prediction_threshold = 0.4,
                                .upload_empty = true};
  EXPECT_EQ(SmallBigOptionsOf(SpecOf(options)).value(), options);
}

TEST(MakeDiscriminator, RefusesWhatItDoesNotKnowInOneClearLine) {
  struct Row {
    DiscriminatorSpec spec;
    ErrorCode code;
    const char* message;
  };
  const double nan = std::nan("");
  const Row rows[] = {
      {{.name = "smalbig"}, ErrorCode::kNotFound, "'smalbig'; there are smallbig, random, blur"},
      {{.name = ""}, ErrorCode::kNotFound, "no discriminator is called ''"},
      {{.parameters = {{"count", 2}}},
       ErrorCode::kNotFound,
       "smallbig has no parameter 'count'; it has score_threshold, count_threshold"},
      {{.name = "ridge"}, ErrorCode::kInvalidInput, "`nearfar calibrate --discriminator ridge`"},
      {{.name = "ridge", .tables = {{"class_rates", {1}}}},
       ErrorCode::kInvalidInput,
       "ridge: has no row \"curve\""},
      {{.name = "entropy", .tables = {{"class_rates", {1}}}},
       ErrorCode::kInvalidInput,
       "entropy takes no tables"},
      {{.name = "cloud-only", .parameters = {{"x", 1}}}, ErrorCode::kNotFound, "it has none"},
      {{.parameters = {{"count_threshold", 2.5}}},
       ErrorCode::kInvalidInput,
       "count_threshold is 2.5, but must be a whole number in [0, 1e+06]"},
      {{.parameters = {{"area_threshold", 31}}},
       ErrorCode::kInvalidInput,
       "area_threshold is 31, but must be in [0, 1]"},
      {{.parameters = {{"score_threshold", 0.6}}}, ErrorCode::kInvalidInput, "score_threshold"},
      {{.name = "ibt", .parameters = {{"threshold_img", nan}}},
       ErrorCode::kInvalidInput,
       "threshold_img is nan"},
      {{.name = "blur", .parameters = {{"threshold", std::numeric_limits<double>::infinity()}}},
       ErrorCode::kInvalidInput,
       "must be a finite number"},
      {{.name = "top1", .parameters = {{"classes", 0}}}, ErrorCode::kInvalidInput, "classes is 0"},
  };
  for (const Row& row : rows) {
    const auto made = MakeDiscriminator(row.spec);
    ASSERT_FALSE(made.has_value()) << row.message;
    EXPECT_EQ(made.error().code, row.code) << row.message;
    EXPECT_THAT(made.error().message, HasSubstr(row.message));
  }
}

// What each name says of one image; see docs/discriminators.md for the formulas.
TEST(Discriminators, JudgeAsTheirNamesSay) {
  const Detections sure = {{{0, 0, 90, 90}, 0.95F, 0}};
  const Detections unsure = {{{0, 0, 9, 9}, 0.45F, 0}, {{0, 0, 9, 9}, 0.3F, 1}};
  const Detections none;
  struct Row {
    DiscriminatorSpec spec;
    const Detections& raw;
    PixelFeatures features;
    bool difficult;
  };
  const Row rows[] = {
      {{.name = "smallbig"}, sure, {}, false},
      {{.name = "smallbig"}, unsure, {}, true},
      {{.name = "blur", .parameters = {{"threshold", 50}}}, none, {.brenner = 49}, true},
      {{.name = "blur", .parameters = {{"threshold", 50}}}, none, {.brenner = 50}, false},
      {{.name = "top1", .parameters = {{"threshold", 0.4}, {"classes", 2}}}, unsure, {}, true},
      {{.name = "top1", .parameters = {{"threshold", 0.4}, {"classes", 2}}}, sure, {}, false},
      {{.name = "top1", .parameters = {{"threshold", 0.4}, {"classes", 2}}}, none, {}, true},
      {{.name = "entropy", .parameters = {{"threshold", 1}}}, unsure, {}, true},
      {{.name = "entropy", .parameters = {{"threshold", 1}}}, sure, {}, false},
      {{.name = "count", .parameters = {{"threshold", 0}}}, none, {}, false},
      {{.name = "count", .parameters = {{"threshold", 0}}}, unsure, {}, true},
      {{.name = "count", .parameters = {{"threshold", 100}}}, unsure, {}, false},
      {{.name = "size", .parameters = {{"threshold", 0.2}}}, none, {.jpeg_bytes = 2001}, true},
      {{.name = "size", .parameters = {{"threshold", 0.2}}}, none, {.jpeg_bytes = 2000}, false},
      {{.name = "ibt"}, unsure, {}, true},
      {{.name = "ibt"}, sure, {}, false},
      {{.name = "ibt"}, none, {}, false},  // Sedna: no box, no hard example
      {{.name = "ibt", .parameters = {{"threshold_img", 1}}}, sure, {}, true},  // share 0 >= 1 - 1
      {{.name = "ibt", .parameters = {{"threshold_img", 1}}}, none, {}, false},
      {{.name = "cross-entropy"}, unsure, {}, true},
      {{.name = "cross-entropy"}, sure, {}, false},
      {{.name = "cross-entropy"}, none, {}, false},
      {{.name = "threshold"}, unsure, {}, true},
      {{.name = "threshold"}, sure, {}, false},
      {{.name = "threshold", .parameters = {{"threshold", 1}}}, none, {}, false},
      {{.name = "cloud-only"}, none, {}, true},
      {{.name = "edge-only"}, unsure, {}, false},
  };
  for (const Row& row : rows) {
    const auto judge = MakeDiscriminator(row.spec).value();
    ASSERT_EQ(MissingFeatures(*judge, row.features), "");
    const Gain gain = judge->Judge({row.raw, {100, 100}, row.features, 0}, true);
    EXPECT_EQ(gain.difficult, row.difficult) << row.spec.name << ": " << gain.reason;
    EXPECT_EQ(gain.difficult, gain.score > judge->natural_threshold()) << row.spec.name;
    EXPECT_TRUE(std::isfinite(gain.score)) << row.spec.name;
    EXPECT_FALSE(gain.reason.empty());
  }
}

TEST(Discriminators, NeedBoxesUnlessEverythingGoesToTheFarModel) {
  for (const DiscriminatorInfo& info : KnownDiscriminators()) {
    EXPECT_EQ(MakeDiscriminator(SpecNamed(info.name)).value()->needs_boxes(),
              info.name != "cloud-only")
        << info.name;
  }
}

TEST(Discriminators, SayDifficultExactlyAboveTheirNaturalThreshold) {
  Rng rng(11);
  for (const DiscriminatorInfo& info : KnownDiscriminators()) {
    DiscriminatorSpec spec = SpecNamed(info.name);
    for (int round = 0; round < 500; ++round) {
      if (IsRanking(spec.name)) {
        spec = WithGainThreshold(spec, rng.Uniform(-1, 1));
      }
      const auto judge = MakeDiscriminator(spec).value();
      Detections raw(rng.Below(6));
      for (Detection& box : raw) {
        box = {{0, 0, 10, static_cast<float>(10 * rng.Uniform())},
               static_cast<float>(rng.Below(11)) / 10.0F,
               static_cast<int>(rng.Below(20))};
      }
      const Evidence evidence{raw, {10, 10}, {rng.Uniform(), 50}, rng.Next()};
      const Gain gain = judge->Judge(evidence, false);
      ASSERT_EQ(gain.difficult, gain.score > judge->natural_threshold()) << spec.name;
      ASSERT_EQ(gain.score, judge->Judge(evidence, true).score) << spec.name;
      // The policy without a threshold of its own follows the verdict.
      ASSERT_EQ(ThresholdPolicy().Choose(gain, {}, {}).upload, gain.difficult);
      ASSERT_EQ(ThresholdPolicy(judge->natural_threshold()).Choose(gain, {}, {}).upload,
                gain.difficult);
    }
  }
}

TEST(WithGainThreshold, MakesTheVerdictTheOneOfThatGainScore) {
  for (const DiscriminatorInfo& info : KnownDiscriminators()) {
    if (IsRanking(info.name)) {
      const auto judge = MakeDiscriminator(WithGainThreshold(SpecNamed(info.name), -0.125));
      ASSERT_TRUE(judge.has_value()) << judge.error().message;
      EXPECT_EQ((*judge)->natural_threshold(), -0.125) << info.name;
    }
  }
}

TEST(MissingFeatures, NamesWhatTheDiscriminatorNeedsAndDoesNotGet) {
  const auto missing = [](const char* name, const PixelFeatures& features) {
    return MissingFeatures(*MakeDiscriminator({.name = name}).value(), features);
  };
  EXPECT_EQ(missing("blur", {}), "the Brenner gradient");
  EXPECT_EQ(missing("blur", {.brenner = 0}), "");  // a flat image is measured, not absent
  EXPECT_EQ(missing("size", {.brenner = 1}), "the size of the JPEG");
  EXPECT_EQ(missing("smallbig", {}), "");
}

}  // namespace
}  // namespace nearfar
