#pragma once

#include <string>

#include "core/expected.h"
#include "discriminate/discriminator.h"
#include "discriminate/features.h"

namespace nearfar {

/// The three thresholds of [SmallBig §V.D] and what the paper leaves open.
struct SmallBigOptions {
  double score_threshold = 0.2;  ///< above it a box may be an object, (§V.C: "like 0.15-0.35");
                                 ///< [0, prediction_threshold]
  int count_threshold = 2;       ///< more estimated objects than this: difficult; >= 0
  double area_threshold = 0.31;  ///< a smallest area share below this: difficult; [0, 1]
  double prediction_threshold = 0.5;  ///< above it a box is an object found (§V.A); [0, 1]
  bool upload_empty = false;  ///< an image without any box above score_threshold is difficult; the
                              ///< paper calls it easy

  friend bool operator==(const SmallBigOptions&, const SmallBigOptions&) = default;
};

/// Errors: kInvalidInput with the field, its value and its range.
Expected<void> Validate(const SmallBigOptions& options);

/// Which comparison of [SmallBig §V.C.2] decided.
enum class SmallBigStep {
  kNoCandidate = 0,  ///< nothing above the score threshold, and the options upload such images
  kSameCount = 1,    ///< as many objects found as estimated: easy
  kManyObjects = 2,  ///< more objects estimated than the count threshold: difficult
  kSmallObject = 3   ///< the smallest object is below the area threshold: difficult; else easy
};

struct SmallBigVerdict {
  bool difficult = false;
  SmallBigStep step = SmallBigStep::kSameCount;

  friend bool operator==(const SmallBigVerdict&, const SmallBigVerdict&) = default;
};

/// The three steps as printed in [SmallBig §V.C.2], on estimated or on true values: equal counts
/// are easy; a strictly greater count is difficult; a strictly smaller area share is difficult.
/// @param predicted            objects found by the near model (score > 0.5)
/// @param objects              estimated or true number of objects
/// @param smallest_area_ratio  of those objects; 1 when there is none
SmallBigVerdict DecideSmallBig(int predicted, int objects, double smallest_area_ratio,
                               int count_threshold, double area_threshold);

/// A verdict with all that led to it.
struct SmallBigExplanation {
  BoxFeatures features;  ///< at the fitted score threshold
  SmallBigVerdict verdict;
  double score = 0;  ///< the gain score
};

/// Decides from the near model's boxes alone whether the far model should see the image: easy when
/// lowering the score threshold finds no further object; otherwise difficult when objects are many
/// or the smallest is small. [SmallBig §V.C]
///
/// The gain score is the largest score threshold at which the verdict turns difficult, with the
/// other thresholds fixed: the verdict is difficult for every score threshold below it and easy
/// from it up. 0 when no score threshold makes it difficult. With upload_empty, an image without a
/// candidate box scores just above score_threshold, the higher the better its best box.
class SmallBig final : public Discriminator {
 public:
  /// REQUIRES: Validate(options).
  explicit SmallBig(const SmallBigOptions& options);

  std::string name() const override { return "smallbig"; }
  std::string version() const override { return "1"; }
  Gain Judge(const Evidence& evidence, bool explain) const override;
  double natural_threshold() const override { return options_.score_threshold; }

  /// The verdict step by step, counted at the fitted score threshold (not from the gain score).
  SmallBigExplanation Explain(const Evidence& evidence) const;
  const SmallBigOptions& options() const { return options_; }

 private:
  double GainScore(const Evidence& evidence) const;

  SmallBigOptions options_;
};

/// An explanation in one phrase: "3 objects estimated > 2 (1 found)".
std::string ToPhrase(const SmallBigExplanation& explanation, const SmallBigOptions& options);

}  // namespace nearfar
