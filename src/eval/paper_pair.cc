#include "eval/paper_pair.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <numeric>
#include <utility>

#include "core/clock.h"
#include "core/phrase.h"
#include "core/rng.h"
#include "discriminate/baselines.h"
#include "discriminate/factory.h"
#include "eval/average_precision.h"
#include "eval/comparison.h"
#include "eval/matching.h"

namespace nearfar {
namespace {

constexpr double kIou = .5;
constexpr std::size_t kFewImages = 100;
/// The published thresholds [SmallBig §V.D, Fig. 7].
constexpr int kCountThreshold = 2;
constexpr double kAreaThreshold = .31;

std::string TitleOf(const Recording& recording, const char* fallback) {
  return recording.model.name.empty() ? fallback : recording.model.name;
}

/// What the fit and Table I's labels are made from. Objects that VOC marks difficult and crowds do
/// not count, as in `nearfar calibrate`.
std::vector<LabelledImage> Labelled(const Recording& near, const AlignedSet& set) {
  std::vector<LabelledImage> images;
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    const RecordedFrame& frame = near.frames[set.position[0][i]];
    LabelledImage image{.near = set.detections[0][i],
                        .far = set.detections[1][i],
                        .truth = std::vector<TrueObject>(),
                        .size = frame.size,
                        .features = frame.features,
                        .key = HashText(frame.name)};
    for (const TruthObject& object : set.images[i].objects) {
      image.truth->push_back({object.box, object.label, object.difficult || object.crowd});
    }
    images.push_back(std::move(image));
  }
  return images;
}

void Add(const BinaryMetrics& part, BinaryMetrics& sum) {
  sum.true_positives += part.true_positives;
  sum.false_positives += part.false_positives;
  sum.true_negatives += part.true_negatives;
  sum.false_negatives += part.false_negatives;
}

std::size_t BoxesIn(const std::vector<Detections>& images) {
  return std::accumulate(
      images.begin(), images.end(), std::size_t{0},
      [](std::size_t sum, const Detections& boxes) { return sum + boxes.size(); });
}

}  // namespace

Expected<void> Validate(const PaperPairOptions& options) {
  if (options.folds < 2 || options.folds > 100) {
    return Fail(ErrorCode::kInvalidInput,
                "folds are " + std::to_string(options.folds) + "; give 2 to 100");
  }
  return {};
}

PaperAnswer PaperPair::Answer(const std::vector<Detections>& boxes,
                              const std::vector<bool>& uploaded) const {
  const MatchTable table = MatchVoc(images_, boxes, classes_.size(), kIou);
  const ObjectCounts objects = CountObjects(table);
  return {.map = MeanAveragePrecision(table, Interpolation::kVoc07),
          .counted = objects.counted,
          .found = objects.found,
          .upload_ratio = static_cast<double>(std::count(uploaded.begin(), uploaded.end(), true)) /
                          static_cast<double>(images_.size())};
}

PaperAnswer PaperPair::Cascade(const std::vector<bool>& uploaded) const {
  PaperAnswer answer = Answer(ComposeCascade(near_, far_, uploaded), uploaded);
  answer.seconds = Seconds(true, uploaded);
  return answer;
}

/// Service times one after the other; absent as soon as one of them was not recorded.
std::optional<double> PaperPair::Seconds(bool with_near, const std::vector<bool>& with_far) const {
  double sum = 0;
  for (std::size_t i = 0; i < with_far.size(); ++i) {
    if ((with_near && near_ms_[i] < 0) || (with_far[i] && far_ms_[i] < 0)) {
      return std::nullopt;
    }
    sum += (with_near ? near_ms_[i] : 0) + (with_far[i] ? far_ms_[i] : 0);
  }
  return sum / 1000;
}

std::vector<int> PaperPair::Folds() const {
  // Dealt out in an order of chance, so that all folds are equally large.
  std::vector<std::size_t> order(images_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const double chance_a = ChanceOf(options_.seed, HashText(images_[a].name));
    const double chance_b = ChanceOf(options_.seed, HashText(images_[b].name));
    return chance_a != chance_b ? chance_a < chance_b : a < b;
  });
  std::vector<int> folds(images_.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    folds[order[i]] = static_cast<int>(i % static_cast<std::size_t>(options_.folds));
  }
  return folds;
}

Expected<void> PaperPair::FitAndJudge(const Recording& near, const AlignedSet& set) {
  const std::vector<LabelledImage> labelled = Labelled(near, set);
  const SmallBigOptions published{.count_threshold = kCountThreshold,
                                  .area_threshold = kAreaThreshold};
  // The gain score does not hang on the score threshold: one judging serves all folds.
  SmallBig rule(published);
  Expected<Judgement> judged = JudgeRecorded(rule, near, set.position[0], near_);
  if (!judged) {
    return tl::unexpected(judged.error());
  }
  const std::vector<int> folds = Folds();
  difficult_.assign(images_.size(), false);
  for (int fold = 0; fold < options_.folds; ++fold) {
    std::vector<LabelledImage> others;
    for (std::size_t i = 0; i < labelled.size(); ++i) {
      if (folds[i] != fold) {
        others.push_back(labelled[i]);
      }
    }
    const Expected<ScoreFit> fit =
        FitScoreThreshold(others, {.score_floor = near.model.score_floor});
    if (!fit) {
      return tl::unexpected(fit.error());
    }
    thresholds_.push_back(fit->threshold);
    const Expected<CountAreaFit> refit =
        FitCountAndArea(others, {.score_floor = near.model.score_floor});
    if (!refit) {
      return tl::unexpected(refit.error());
    }
    refits_.push_back(*refit);
    const SmallBigOptions refitted{.score_threshold = fit->threshold,
                                   .count_threshold = refit->count_threshold,
                                   .area_threshold = refit->area_threshold};
    const SmallBig refitted_rule(refitted);
    for (std::size_t i = 0; i < labelled.size(); ++i) {
      if (folds[i] != fold) {
        continue;
      }
      difficult_[i] = judged->gains[i] > fit->threshold;
      Add(MeasureOnTrueFeatures({&labelled[i], 1}, refitted), refitted_on_true_features_);
      refitted_on_estimates_.Add(
          IsDifficult(labelled[i]),
          refitted_rule.Judge(labelled[i].evidence(), false).score > fit->threshold);
    }
  }
  for (std::size_t i = 0; i < labelled.size(); ++i) {
    on_estimates_.Add(IsDifficult(labelled[i]), difficult_[i]);
  }
  on_true_features_ = MeasureOnTrueFeatures(labelled, published);
  gains_["smallbig"] = std::move(judged->gains);
  return {};
}

void PaperPair::RankBaselines(const Recording& near, const AlignedSet& set) {
  const DiscriminatorSpec baselines[] = {
      {.name = "random", .parameters = {{"seed", static_cast<double>(options_.seed)}}},
      {.name = "blur"},
      {.name = "top1", .parameters = {{"classes", classes_.size()}}}};
  for (const DiscriminatorSpec& spec : baselines) {
    const auto discriminator = MakeDiscriminator(spec);
    assert(discriminator.has_value());
    Expected<Judgement> judged = JudgeRecorded(**discriminator, near, set.position[0], near_);
    if (judged) {
      gains_[spec.name] = std::move(judged->gains);
    } else {
      lacking_[spec.name] = judged.error();
      remarks_.push_back(judged.error().message);
    }
  }
}

void PaperPair::RemarkOddities(const Recording& near, const Recording& far) {
  if (images_.size() < kFewImages) {
    remarks_.push_back("only " + std::to_string(images_.size()) +
                       " images: figures of so few say little");
  }
  for (const auto& [boxes, which] : {std::pair(&near_, "near"), std::pair(&far_, "far")}) {
    if (BoxesIn(*boxes) == 0) {
      remarks_.push_back(std::string("the ") + which + " model found no box in any image");
    }
  }
  if (small_.map && big_.map && *big_.map <= *small_.map && BoxesIn(near_) > 0) {
    remarks_.push_back("the far model's mAP is not above the near one's: are they swapped?");
  }
  if (Difference(near.model, far.model).empty()) {
    remarks_.push_back("near and far are recordings of one and the same model");
  }
}

Expected<PaperPair> PaperPair::Make(const Recording& near, const Recording& far, const Truth& truth,
                                    const Synonyms& synonyms, const PaperPairOptions& options) {
  if (const auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  std::vector<DetectionSet> sources;
  for (const auto& [recording, title] : {std::pair(&near, "near"), std::pair(&far, "far")}) {
    Expected<DetectionSet> source = BoxesOf(*recording, title);
    if (!source) {
      return tl::unexpected(source.error());
    }
    sources.push_back(std::move(*source));
  }
  Expected<AlignedSet> set = Align(truth, sources, synonyms, options.classes);
  if (!set) {
    return tl::unexpected(set.error());
  }
  if (set->images.size() < static_cast<std::size_t>(options.folds)) {
    return Fail(ErrorCode::kInvalidInput,
                std::to_string(set->images.size()) + " images are fewer than the " +
                    std::to_string(options.folds) + " folds that thresholds are fitted in");
  }
  PaperPair pair;
  pair.options_ = options;
  pair.synonyms_ = synonyms;
  pair.near_name_ = TitleOf(near, "an unnamed model");
  pair.far_name_ = TitleOf(far, "an unnamed model");
  pair.classes_ = set->classes;
  pair.images_ = set->images;
  pair.near_ = set->detections[0];
  pair.far_ = set->detections[1];
  pair.remarks_ = options.remarks;
  pair.remarks_.insert(pair.remarks_.end(), set->remarks.begin(), set->remarks.end());
  for (const TruthImage& image : pair.images_) {
    pair.objects_ += std::count_if(image.objects.begin(), image.objects.end(),
                                   [](const TruthObject& o) { return !o.difficult && !o.crowd; });
  }
  if (auto judged = pair.FitAndJudge(near, *set); !judged) {
    return tl::unexpected(judged.error());
  }
  pair.RankBaselines(near, *set);
  for (std::size_t i = 0; i < pair.images_.size(); ++i) {
    pair.near_ms_.push_back(near.frames[set->position[0][i]].service_ms);
    pair.far_ms_.push_back(far.frames[set->position[1][i]].service_ms);
  }
  const std::vector<bool> none(pair.images_.size(), false);
  const std::vector<bool> all(pair.images_.size(), true);
  pair.small_ = pair.Cascade(none);
  pair.big_ = pair.Answer(pair.far_, all);
  pair.big_.seconds = pair.Seconds(false, all);
  pair.ours_ = pair.Cascade(pair.difficult_);
  pair.RemarkOddities(near, far);
  return pair;
}

std::vector<double> PaperPair::score_thresholds() const {
  std::vector<double> sorted = thresholds_;
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

Expected<PaperAnswer> PaperPair::At(std::string_view discriminator, double ratio) const {
  assert(ratio >= 0 && ratio <= 1);
  const auto key = std::pair(std::string(discriminator), ratio);
  if (const auto known = at_.find(key); known != at_.end()) {
    return known->second;
  }
  if (const auto lacking = lacking_.find(discriminator); lacking != lacking_.end()) {
    return tl::unexpected(lacking->second);
  }
  const auto gains = gains_.find(discriminator);
  if (gains == gains_.end()) {
    return Fail(ErrorCode::kNotFound, "the paper compares no discriminator '" +
                                          std::string(discriminator) +
                                          "': there are smallbig, random, blur, top1");
  }
  return at_[key] = Cascade(UploadTop(gains->second, ratio));
}

Expected<void> PaperPair::TakeRun(PaperColumn way, const Trace& trace) {
  const DetectionSet source = BoxesOf(trace, "trace");
  const Truth truth{.classes = classes_, .images = images_};
  const Expected<AlignedSet> set = Align(truth, {&source, 1}, synonyms_, classes_.names);
  if (!set) {
    return tl::unexpected(set.error());
  }
  if (set->images.size() != images_.size()) {
    return Fail(ErrorCode::kInvalidInput, "the trace has " + std::to_string(set->images.size()) +
                                              " of the " + std::to_string(images_.size()) +
                                              " images: run it over all of them");
  }
  if (set->classes != classes_) {
    return Fail(ErrorCode::kInvalidInput,
                "the trace is of other classes than the two recordings: it lacks some of those "
                "that are judged");
  }
  // Align sorts by name, as it did before: the images are in the same order.
  const RunCosts costs = CostsOf(trace, set->position[0]);
  PaperAnswer answer = Answer(set->detections[0], costs.uploaded);
  std::optional<WallTime> first;
  std::optional<WallTime> last;
  for (const std::size_t f : set->position[0]) {
    const FrameRecord& frame = trace.frames[f];
    if (frame.status == FrameStatus::kUnreadable) {
      continue;  // never taken: it has no time
    }
    const WallTime end =
        frame.captured_at + std::chrono::duration_cast<std::chrono::milliseconds>(frame.total);
    first = std::min(first.value_or(frame.captured_at), frame.captured_at);
    last = std::max(last.value_or(end), end);
  }
  if (first && last) {
    answer.seconds = static_cast<double>((*last - *first).count()) / 1000;
  }
  if (costs.degraded + costs.unreadable + costs.failed > 0) {
    remarks_.push_back("of the run's " + std::to_string(images_.size()) + " images " +
                       std::to_string(costs.degraded) +
                       " kept the near answer because the far one failed, " +
                       std::to_string(costs.unreadable + costs.failed) + " have no answer");
  }
  runs_[way] = answer;
  return {};
}

const PaperAnswer& PaperPair::RealWorld(PaperColumn way) const {
  if (const auto run = runs_.find(way); run != runs_.end()) {
    return run->second;
  }
  return way == PaperColumn::kEdgeOnly ? small_ : way == PaperColumn::kCloudOnly ? big_ : ours_;
}

}  // namespace nearfar
