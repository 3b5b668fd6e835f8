#include "discriminate/fusion.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/rng.h"

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A box of 10 × 10 px whose left side is at x.
Detection At(float x, float score, int label = 0) { return {{x, 0, x + 10, 10}, score, label}; }

/// Up to a dozen boxes that overlap often, of three classes.
Detections Any(Rng& rng) {
  Detections boxes;
  for (auto n = rng.Below(12); n > 0; --n) {
    boxes.push_back(At(static_cast<float>(rng.Uniform(0, 30)), static_cast<float>(rng.Uniform()),
                       static_cast<int>(rng.Below(3))));
  }
  return boxes;
}

TEST(Fuse, LiftsWhatBothFoundAndLowersWhatOnlyTheNearModelFound) {
  const FusedDetections fused =
      Fuse({At(1, 0.8F), At(50, 0.9F)}, {At(0, 0.5F), At(80, 0.5F)}, {.agree = 0.5, .keep = 0.25});
  // 1 − (1 − .5)(1 − .5·.8) = .7; the far box keeps its corners; .25·.9 = .225.
  EXPECT_THAT(fused.detections, ElementsAre(At(0, 0.7F), At(80, 0.5F), At(50, 0.225F)));
  EXPECT_THAT(fused.from_near, ElementsAre(0, 0, 1));
}

TEST(Fuse, TakesTwoBoxesForOneObjectOnlyAboveHalfAnOverlapAndOfOneClass) {
  struct Row {
    Detection near;
    bool same;
  };
  const Row rows[] = {
      {At(0, 0.8F), true},
      {At(3.3F, 0.8F), true},             // 6.7 / 13.3 = .504
      {At(3.4F, 0.8F), false},            // 6.6 / 13.4 = .493
      {{{0, 0, 5, 10}, 0.8F, 0}, false},  // .5: not above
      {At(0, 0.8F, 1), false},
      {{{0, 0, 0, 0}, 0.8F, 0}, false},  // empty
      {{{kNan, 0, 10, 10}, 0.8F, 0}, false},
  };
  for (const Row& row : rows) {
    const FusedDetections fused = Fuse({row.near}, {At(0, 0.5F)}, {.agree = 0.5, .keep = 0.5});
    EXPECT_EQ(fused.detections.size(), row.same ? 1U : 2U) << row.near.box.x1;
    EXPECT_FLOAT_EQ(fused.detections[0].score, row.same ? 0.7F : 0.5F) << row.near.box.x1;
  }
}

TEST(Fuse, GivesANearBoxToTheBestFarOneAndTheBestNearBoxToIt) {
  // Both far boxes overlap the one near box: only the better one is confirmed.
  EXPECT_THAT(Fuse({At(1, 1)}, {At(2, 0.2F), At(0, 0.6F)}, {.agree = 0.5, .keep = 1}).detections,
              ElementsAre(At(0, 0.8F), At(2, 0.2F)));
  // Two near boxes on one far box: the better one confirms it, the other is its double and goes.
  EXPECT_THAT(Fuse({At(1, 0.2F), At(2, 1)}, {At(0, 0.6F)}, {.agree = 0.5, .keep = 1}).detections,
              ElementsAre(At(0, 0.8F)));
  // Equal scores: the first in the list.
  EXPECT_THAT(Fuse({At(2, 1)}, {At(1, 0.5F), At(3, 0.5F)}, {.agree = 0.5, .keep = 1}).detections,
              ElementsAre(At(1, 0.75F), At(3, 0.5F)));
}

TEST(Fuse, OrdersByFallingScoreFarBeforeNearInATie) {
  const FusedDetections fused =
      Fuse({At(90, 0.5F), At(60, 0.5F)}, {At(30, 0.25F), At(0, 0.25F)}, {.agree = 0, .keep = 0.5});
  EXPECT_THAT(fused.detections,
              ElementsAre(At(30, 0.25F), At(0, 0.25F), At(90, 0.25F), At(60, 0.25F)));
  EXPECT_THAT(fused.from_near, ElementsAre(0, 0, 1, 1));
}

TEST(Fuse, DropsBoxesWithoutAScore) {
  const FusedDetections fused =
      Fuse({At(0, kNan), At(50, 0.5F)}, {At(0, 0.5F), At(20, kNan)}, {.agree = 1, .keep = 1});
  EXPECT_THAT(fused.detections, ElementsAre(At(0, 0.5F), At(50, 0.5F)));
}

TEST(Fuse, IsTheFarAnswerWithWeightsOfNothingOrWithoutNearBoxes) {
  Rng rng(5);
  for (int i = 0; i < 200; ++i) {
    const Detections near = Any(rng);
    Detections far = Any(rng);
    std::stable_sort(far.begin(), far.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
    EXPECT_EQ(Fuse(near, far, {}).detections, far);
    EXPECT_EQ(Fuse({}, far, {.agree = 1, .keep = 1}).detections, far);
    EXPECT_THAT(Fuse(near, {}, {.agree = 1, .keep = 0}).detections, IsEmpty());
    EXPECT_EQ(Fuse(near, {}, {.agree = 0, .keep = 1}).detections.size(), near.size());
  }
  EXPECT_THAT(Fuse({}, {}, {.agree = 1, .keep = 1}).detections, IsEmpty());
}

TEST(Fuse, KeepsEveryFarBoxLowersNoneAndStaysWithinZeroAndOne) {
  Rng rng(6);
  for (int i = 0; i < 200; ++i) {
    const Detections near = Any(rng);
    const Detections far = Any(rng);
    const FusionWeights weights{rng.Uniform(), rng.Uniform()};
    const FusedDetections fused = Fuse(near, far, weights);
    ASSERT_EQ(fused.from_near.size(), fused.detections.size());
    EXPECT_EQ(std::count(fused.from_near.begin(), fused.from_near.end(), 0),
              static_cast<std::ptrdiff_t>(far.size()));
    EXPECT_LE(fused.detections.size(), near.size() + far.size());
    for (const Detection& box : fused.detections) {
      EXPECT_GE(box.score, 0);
      EXPECT_LE(box.score, 1);
    }
    for (const Detection& box : far) {
      EXPECT_TRUE(std::any_of(
          fused.detections.begin(), fused.detections.end(),
          [&](const Detection& d) { return d.box == box.box && d.score >= box.score - 1e-6F; }));
    }
  }
}

TEST(FusionWeights, AreRefusedOutsideZeroAndOne) {
  EXPECT_TRUE(Validate({.agree = 0, .keep = 1}).has_value());
  EXPECT_THAT(Validate({.agree = -0.1, .keep = 1}).error().message, HasSubstr("agree"));
  EXPECT_THAT(Validate({.agree = 0, .keep = 1.1}).error().message, HasSubstr("keep"));
  EXPECT_FALSE(Validate({.agree = std::nan(""), .keep = 0}).has_value());
}

}  // namespace
}  // namespace nearfar
