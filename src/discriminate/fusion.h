#pragma once

#include <cstdint>
#include <vector>

#include "core/detection.h"
#include "core/expected.h"

namespace nearfar {

/// How much the near answer counts beside the far one on an uploaded image. 0, 0 is the far answer
/// alone, as in [SmallBig §III] step 5.
struct FusionWeights {
  double agree = 0;  ///< how far a near box lifts the far box that it confirms; [0, 1]
  double keep = 0;   ///< what a near box without a far one keeps of its score; [0, 1]

  bool active() const { return agree > 0 || keep > 0; }
  friend bool operator==(const FusionWeights&, const FusionWeights&) = default;
};

/// Cautious weights for those who have no truth to fit them with: they gained on every pair of
/// detectors that docs/discriminators.md lists.
inline constexpr FusionWeights kUsualFusion{.agree = 0.3, .keep = 0.05};

/// How weights came about, as it stands in a discriminator file.
struct FusionFit {
  FusionWeights weights;
  int images = 0;             ///< fitted on
  bool truth = false;         ///< fitted to annotations; else kUsualFusion or nothing
  double gain = 0;            ///< with truth: mAP of fused − far answers, weights fitted on other
                              ///< images (area under the curve, IoU .5, every image uploaded)
  double standard_error = 0;  ///< of that gain
  std::int64_t confident = 0;  ///< near boxes scored above .5
  std::int64_t confirmed = 0;  ///< of them, those that a far box of their class above .5 overlaps

  friend bool operator==(const FusionFit&, const FusionFit&) = default;
};

/// Errors: kInvalidInput, naming the weight.
Expected<void> Validate(const FusionWeights& weights);

/// Two answers for one image, made one.
struct FusedDetections {
  Detections detections;  ///< by falling score; far before near and input order in a tie
  std::vector<std::uint8_t> from_near;  ///< for each of them: 1 where only the near model found it

  friend bool operator==(const FusedDetections&, const FusedDetections&) = default;
};

/// Fuses the near and the far model's boxes of one image. A near box confirms a far box of its
/// class that it overlaps by IoU > .5: the far box keeps its place and gets 1 − (1 − s)(1 −
/// agree·s_near). Far boxes choose by falling score, each the best-scored near box still free; a
/// near box that overlaps a far one and is chosen by none is its double, and goes. Near boxes
/// without a far one stay at keep·s_near; with keep 0 they go. Boxes whose score is not a number
/// are dropped.
/// @param near, far  any order, one coordinate frame, one label space, scores in [0, 1].
/// REQUIRES: Validate(weights).
FusedDetections Fuse(const Detections& near, const Detections& far, const FusionWeights& weights);

}  // namespace nearfar
