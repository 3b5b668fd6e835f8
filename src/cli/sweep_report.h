#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapters/plot/chart.h"
#include "discriminate/fit.h"
#include "discriminate/fusion.h"
#include "eval/sweep.h"

namespace nearfar::cli {

/// One image of the paper's Figure 4.
struct TrueCase {
  TrueFeatures features;
  bool difficult = false;
};

/// One area threshold of the paper's Figure 7.
struct AreaThresholdPoint {
  double threshold = 0;
  BinaryMetrics metrics;
};

/// A pair of models swept, with all that its tables and charts say of it.
struct SweptPair {
  std::string label;  ///< of --pair; empty: the only one
  std::string near;   ///< names of the models
  std::string far;
  bool has_truth = false;        ///< else the far boxes above the prediction threshold stand in
  bool fitted_to_truth = false;  ///< else to the far model's boxes
  std::size_t images = 0;
  int classes = 0;
  FusionWeights fusion;  ///< of the rows with fusion
  std::size_t folds = 0;
  std::uint64_t seed = 1;
  SweepOptions options;
  SweepResult result;
  std::vector<std::pair<std::string, std::string>> left_out;  ///< discriminator and why
  std::vector<TrueCase> cases;
  std::vector<AreaThresholdPoint> area_thresholds;
};

/// The paper's rule with its own count and area threshold, its score threshold swept: all others
/// are held against it. Beside it the same with all thresholds fitted.
inline constexpr const char* kReference = "smallbig";
inline constexpr const char* kRefitted = "smallbig-fitted";
/// What may stand behind a name: "-objects" for a learned one, which then learns the objects that
/// an upload finds, not accuracy; "+fusion" where near's and far's boxes together answer uploads.
inline constexpr const char* kObjectsSuffix = "-objects";
inline constexpr const char* kFusionSuffix = "+fusion";
/// The rows that know what no discriminator can know: the truth, the far model's boxes.
inline constexpr const char* kOracle = "oracle";
inline constexpr const char* kFarOracle = "oracle-far";

/// Whose boxes over what images, judged by what: one sentence.
std::string DataOf(const SweptPair& pair);
/// What the discriminators were fitted to, folds, seed: one sentence.
std::string FitsOf(const SweptPair& pair);

/// The table for people: where near and far stand, and every discriminator at a few ratios.
std::string FormatSweep(const SweptPair& pair);

/// All points of all pairs as comma-separated values; docs/evaluation.md explains the columns.
std::string FormatSweepCsv(const std::vector<SweptPair>& pairs);

/// A chart and the name of its file, without extension.
struct NamedChart {
  std::string name;
  Chart chart;
};

/// Charts of one pair: the paper's Figures 4, 7, 8 and 9, recovered gain, mAP on kept images.
std::vector<NamedChart> ChartsOf(const SweptPair& pair);

/// Charts over several pairs, by label in their order: mAP and recovered gain at each ratio of the
/// table.
std::vector<NamedChart> ChartsByLabel(const std::vector<SweptPair>& pairs);

}  // namespace nearfar::cli
