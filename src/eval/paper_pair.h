#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/expected.h"
#include "core/labels.h"
#include "data/recording.h"
#include "data/truth.h"
#include "discriminate/fit.h"
#include "eval/alignment.h"
#include "eval/paper_small_big.h"
#include "eval/replay.h"
#include "trace/json_lines.h"

namespace nearfar {

/// How a pair of ours is held against the paper's.
struct PaperPairOptions {
  PaperModels models = PaperModels::kSmall1;  ///< whose tables it stands in
  PaperData data = PaperData::k07;            ///< in which row
  int folds = 2;                     ///< nothing is judged by a threshold fitted to it; [2, 100]
  std::uint64_t seed = 1;            ///< of the folds and of random uploads
  std::vector<std::string> classes;  ///< that count, any spelling; empty: all of the truth's
  bool models_as_paper = false;      ///< the user says that these are the paper's models
  bool images_as_paper = false;      ///< and these its images
  std::vector<std::string> remarks;  ///< what the reader of the truth said, to stand by the rows

  friend bool operator==(const PaperPairOptions&, const PaperPairOptions&) = default;
};

/// Errors: kInvalidInput with the field, its value and its range.
Expected<void> Validate(const PaperPairOptions& options);

/// What one way of answering all images is worth, in the paper's measures [SmallBig §VI.A.2].
struct PaperAnswer {
  std::optional<double> map;  ///< VOC07's 11 points at IoU .5; absent where no object is wanted
  std::int64_t counted = 0;   ///< boxes scored > 0.5, right or wrong: the paper's count
  std::int64_t found = 0;     ///< objects of the truth found by such a box
  double upload_ratio = 0;
  std::optional<double> seconds;  ///< for all images; absent where it was not measured

  friend bool operator==(const PaperAnswer&, const PaperAnswer&) = default;
};

/// A small and a big model on one set of images, with the paper's rule between them and its three
/// baselines: all that the tables' cells are read off.
///
/// The rule has the published thresholds of count and area (2 and .31); its score threshold is
/// fitted as the paper does [SmallBig §V.D eq. 1], on the images of the other folds.
class PaperPair {
 public:
  /// @param near, far  recordings of the two models over the images of the truth
  /// Errors: those of Align and FitSmallBig; kInvalidInput for fewer images than folds, images
  /// without a size, and invalid options.
  static Expected<PaperPair> Make(const Recording& near, const Recording& far, const Truth& truth,
                                  const Synonyms& synonyms, const PaperPairOptions& options);

  const PaperPairOptions& options() const { return options_; }
  const std::string& near_name() const { return near_name_; }
  const std::string& far_name() const { return far_name_; }
  std::size_t images() const { return images_.size(); }
  int classes() const { return classes_.size(); }
  std::int64_t objects() const { return objects_; }  ///< that are to be found
  /// The score thresholds of the folds, rising.
  std::vector<double> score_thresholds() const;
  /// What a reader should know of the figures, beyond what options and counts say.
  const std::vector<std::string>& remarks() const { return remarks_; }

  const PaperAnswer& small() const { return small_; }
  const PaperAnswer& big() const { return big_; }
  /// The rule by its own verdict.
  const PaperAnswer& ours() const { return ours_; }
  /// The rule ("smallbig") or a baseline with the share `ratio` of the images uploaded, those that
  /// it ranks first. Errors: kNotFound for an unknown name; kInvalidInput when the recording lacks
  /// what it needs (pixels for blur). REQUIRES: 0 <= ratio <= 1.
  Expected<PaperAnswer> At(std::string_view discriminator, double ratio) const;

  /// Table I: the three steps on true counts and areas, and on estimates.
  const BinaryMetrics& on_true_features() const { return on_true_features_; }
  const BinaryMetrics& on_estimates() const { return on_estimates_; }
  /// The same with count and area thresholds that are fitted, too, as the paper does: on the true
  /// features of the images of the other folds.
  const BinaryMetrics& refitted_on_true_features() const { return refitted_on_true_features_; }
  const BinaryMetrics& refitted_on_estimates() const { return refitted_on_estimates_; }
  /// The fitted thresholds of the folds, in their order.
  const std::vector<CountAreaFit>& refits() const { return refits_; }

  /// Puts measured runs in the place of what the recordings say of Table XI: the final boxes, the
  /// uploads, and the time from the first picture taken to the last result.
  /// Errors: those of Align; kInvalidInput when the trace lacks images of this pair.
  Expected<void> TakeRun(PaperColumn way, const Trace& trace);
  /// Table XI's columns: kEdgeOnly, kCloudOnly, kOurMethod.
  const PaperAnswer& RealWorld(PaperColumn way) const;
  /// Whether that column was measured in a run.
  bool IsRun(PaperColumn way) const { return runs_.contains(way); }

 private:
  PaperPair() = default;

  PaperAnswer Answer(const std::vector<Detections>& boxes, const std::vector<bool>& uploaded) const;
  PaperAnswer Cascade(const std::vector<bool>& uploaded) const;
  std::optional<double> Seconds(bool with_near, const std::vector<bool>& with_far) const;
  std::vector<int> Folds() const;
  Expected<void> FitAndJudge(const Recording& near, const AlignedSet& set);
  void RankBaselines(const Recording& near, const AlignedSet& set);
  void RemarkOddities(const Recording& near, const Recording& far);

  PaperPairOptions options_;
  Synonyms synonyms_;
  std::string near_name_, far_name_;
  LabelSpace classes_;
  std::vector<TruthImage> images_;
  std::vector<Detections> near_, far_;
  std::vector<double> near_ms_, far_ms_;  ///< service times; < 0: not recorded
  std::int64_t objects_ = 0;
  std::vector<double> thresholds_;                                 ///< by fold
  std::vector<bool> difficult_;                                    ///< the rule's verdicts
  std::map<std::string, std::vector<double>, std::less<>> gains_;  ///< by discriminator
  std::map<std::string, Error, std::less<>> lacking_;  ///< discriminators that cannot judge, why
  mutable std::map<std::pair<std::string, double>, PaperAnswer> at_;  ///< what was asked before
  PaperAnswer small_, big_, ours_;
  BinaryMetrics on_true_features_, on_estimates_;
  BinaryMetrics refitted_on_true_features_, refitted_on_estimates_;
  std::vector<CountAreaFit> refits_;
  std::map<PaperColumn, PaperAnswer> runs_;
  std::vector<std::string> remarks_;
};

}  // namespace nearfar
