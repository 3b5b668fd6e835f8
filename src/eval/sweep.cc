#include "eval/sweep.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numeric>
#include <utility>

#include "eval/cascade_curves.h"

namespace nearfar {
namespace {

constexpr double kNoGap = 1e-9;

std::optional<double> Ratio(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? std::optional(static_cast<double>(part) / static_cast<double>(whole))
                   : std::nullopt;
}

/// The figures that get an interval, as one draw has them.
struct Reading {
  CascadeReading whole;
  std::optional<double> kept_voc07;
};

/// All that one draw says.
struct Draw {
  Reading near;
  Reading far;
  std::vector<std::vector<Reading>> curves;  // by order and ratio
};

/// @param fused  what fused orders are read from; nullptr: there is none.
Draw ReadDraw(const CascadeCurves& by_far, const CascadeCurves* fused,
              std::span<const UploadOrder> orders, std::span<const std::size_t> counts,
              ImageWeights weights) {
  Draw draw;
  CascadeState all(by_far, false, weights);
  draw.near.whole = all.Read();
  draw.near.kept_voc07 = draw.near.whole.voc07;
  for (std::size_t image = 0; image < by_far.images(); ++image) {
    all.Upload(image);
  }
  draw.far.whole = all.Read();
  for (const UploadOrder& order : orders) {
    const CascadeCurves& pair = order.fused ? *fused : by_far;
    std::vector<Reading>& curve = draw.curves.emplace_back();
    CascadeState cascade(pair, false, weights);
    CascadeState kept(pair, true, weights);
    std::size_t uploaded = 0;
    for (const std::size_t count : counts) {
      for (; uploaded < count; ++uploaded) {
        cascade.Upload(order.images[uploaded]);
        kept.Upload(order.images[uploaded]);
      }
      // Nothing and everything are the same for every order.
      curve.push_back(count == 0 ? draw.near
                      : count == pair.images() && !order.fused
                          ? draw.far
                          : Reading{cascade.Read(), kept.Read().voc07});
    }
  }
  return draw;
}

std::optional<double> Recovered(const Reading& own, const Draw& draw) {
  const auto& near = draw.near.whole.voc07;
  const auto& far = draw.far.whole.voc07;
  if (!own.whole.voc07 || !near || !far || *far - *near <= kNoGap) {
    return std::nullopt;
  }
  return (*own.whole.voc07 - *near) / (*far - *near);
}

std::optional<double> TimesReference(std::optional<double> own, std::optional<double> reference) {
  return own && reference && *reference > kNoGap ? std::optional(*own / *reference) : std::nullopt;
}

/// The figures of a point, each absent where it means nothing.
struct Values {
  std::optional<double> voc07, found_share, recovered, times_reference, kept_voc07;
};

Values ValuesOf(const Reading& own, const Reading* reference, const Draw& draw) {
  Values values{.voc07 = own.whole.voc07,
                .found_share = Ratio(own.whole.found, draw.far.whole.found),
                .recovered = Recovered(own, draw),
                .kept_voc07 = own.kept_voc07};
  if (reference != nullptr) {
    values.times_reference = TimesReference(values.recovered, Recovered(*reference, draw));
  }
  return values;
}

constexpr std::pair<std::optional<double> Values::*, Figure SweepPoint::*> kFigures[] = {
    {&Values::voc07, &SweepPoint::voc07},
    {&Values::found_share, &SweepPoint::found_share},
    {&Values::recovered, &SweepPoint::recovered},
    {&Values::times_reference, &SweepPoint::times_reference},
    {&Values::kept_voc07, &SweepPoint::kept_voc07}};

/// What the draws gave for each figure of a point, where it means something.
using Drawn = std::array<std::vector<double>, std::size(kFigures)>;

/// The points of a result: near, far, then curve after curve.
std::vector<SweepPoint*> PointsOf(SweepResult& result) {
  std::vector<SweepPoint*> points = {&result.near, &result.far};
  for (SweepCurve& curve : result.curves) {
    for (SweepPoint& point : curve.points) {
      points.push_back(&point);
    }
  }
  return points;
}

/// Their figures in one draw, in the same order.
std::vector<Values> ValuesOfAll(const Draw& draw, std::optional<std::size_t> reference) {
  std::vector<Values> values = {ValuesOf(draw.near, nullptr, draw),
                                ValuesOf(draw.far, nullptr, draw)};
  for (const std::vector<Reading>& curve : draw.curves) {
    for (std::size_t r = 0; r < curve.size(); ++r) {
      values.push_back(ValuesOf(curve[r], reference ? &draw.curves[*reference][r] : nullptr, draw));
    }
  }
  return values;
}

}  // namespace

MatchTable MergeMatches(const MatchTable& near, const MatchTable& far) {
  assert(near.images == far.images && near.classes.size() == far.classes.size() &&
         near.iou_thresholds == far.iou_thresholds);
  const auto n = static_cast<std::uint32_t>(near.images);
  MatchTable merged{.iou_thresholds = near.iou_thresholds, .images = 2 * near.images};
  for (std::size_t c = 0; c < near.classes.size(); ++c) {
    const auto& first = near.classes[c];
    std::vector<MatchedDetection> second = far.classes[c].detections;
    for (MatchedDetection& detection : second) {
      detection.image += n;
    }
    ClassMatches& matches = merged.classes.emplace_back();
    matches.wanted = first.wanted;
    matches.wanted.insert(matches.wanted.end(), far.classes[c].wanted.begin(),
                          far.classes[c].wanted.end());
    std::merge(first.detections.begin(), first.detections.end(), second.begin(), second.end(),
               std::back_inserter(matches.detections),
               [n](const MatchedDetection& a, const MatchedDetection& b) {
                 return a.score != b.score ? a.score > b.score : a.image % n < b.image % n;
               });
    matches.decisive.resize(merged.iou_thresholds.size());
    for (std::size_t t = 0; t < matches.decisive.size(); ++t) {
      for (std::size_t d = 0; d < matches.detections.size(); ++d) {
        if (((matches.detections[d].found | matches.detections[d].ignored) >> t & 1) != 0) {
          matches.decisive[t].push_back(static_cast<std::uint32_t>(d));
        }
      }
    }
  }
  return merged;
}

std::vector<std::uint32_t> CascadeWeights(const std::vector<bool>& uploaded, ImageWeights draw) {
  const std::size_t n = uploaded.size();
  assert(draw.empty() || draw.size() == n);
  std::vector<std::uint32_t> weights(2 * n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    weights[uploaded[i] ? n + i : i] = draw.empty() ? 1 : draw[i];
  }
  return weights;
}

std::vector<double> UploadDerivatives(const MatchTable& merged) {
  const std::size_t n = merged.images / 2;
  std::vector<double> gains(n, 0);
  int judged = 0;
  for (const ClassMatches& matches : merged.classes) {
    const double wanted =
        std::accumulate(matches.wanted.begin(), matches.wanted.end(), 0.0) / 2;  // both halves
    if (wanted == 0) {
      continue;
    }
    ++judged;
    // With every box at weight w, T found and N counted until a box, AP = (1/P) Σ w T/N over the
    // found ones. One box more raises or lowers T/N of itself and of all after it.
    constexpr double kWeight = 0.5;
    struct Step {
      double found = 0;
      double counted = 0;
    };
    std::vector<Step> steps(matches.detections.size());
    Step at;
    for (std::size_t d = 0; d < steps.size(); ++d) {
      const MatchedDetection& detection = matches.detections[d];
      const bool ignored = (detection.ignored & 1U) != 0;
      at.found += (detection.found & 1U) != 0 ? kWeight : 0;
      at.counted += ignored ? 0 : kWeight;
      steps[d] = at;
    }
    double if_found = 0;  // Σ over later found boxes of w d(T/N) when T and N grow
    double if_wrong = 0;  // the same when N alone grows
    for (std::size_t d = steps.size(); d-- > 0;) {
      const MatchedDetection& detection = matches.detections[d];
      if ((detection.ignored & 1U) != 0) {
        continue;
      }
      const Step& step = steps[d];
      const bool found = (detection.found & 1U) != 0;
      if (found) {
        if_found += kWeight * (step.counted - step.found) / (step.counted * step.counted);
        if_wrong -= kWeight * step.found / (step.counted * step.counted);
      }
      const double change = (found ? step.found / step.counted + if_found : if_wrong) / wanted;
      const bool is_far = detection.image >= n;
      gains[is_far ? detection.image - n : detection.image] += is_far ? change : -change;
    }
  }
  for (double& gain : gains) {
    gain /= std::max(1, judged);
  }
  return gains;
}

std::vector<double> DefaultRatios() {
  std::vector<double> ratios;
  for (int step = 0; step <= 20; ++step) {
    ratios.push_back(step / 20.0);
  }
  return ratios;
}

Expected<void> Validate(const SweepOptions& options) {
  if (options.ratios.empty()) {
    return Fail(ErrorCode::kInvalidInput, "no upload ratio is given; give some in [0, 1]");
  }
  for (const double ratio : options.ratios) {
    if (!(ratio >= 0 && ratio <= 1)) {
      return Fail(ErrorCode::kInvalidInput,
                  "an upload ratio is " + std::to_string(ratio) + "; give them in [0, 1]");
    }
  }
  return Validate(options.comparison);
}

PairSweep::PairSweep(std::span<const TruthImage> images, const LabelSpace& classes,
                     std::span<const Detections> near, std::span<const Detections> far,
                     const ComparisonOptions& options, std::span<const Detections> fused)
    : images_(images.size()) {
  assert(!images.empty() && (fused.empty() || fused.size() == images.size()));
  const Tables of_near{MatchVoc(images, near, classes.size(), options.iou),
                       MatchCoco(images, near, classes.size())};
  const auto with = [&](std::span<const Detections> answers) {
    return Tables{MergeMatches(of_near.voc, MatchVoc(images, answers, classes.size(), options.iou)),
                  MergeMatches(of_near.coco, MatchCoco(images, answers, classes.size()))};
  };
  by_far_ = with(far);
  if (!fused.empty()) {
    by_fused_ = with(fused);
  }
}

SweepPoint PairSweep::PointAt(const Tables& tables, double ratio, const std::vector<bool>& uploaded,
                              float score_threshold) {
  const std::vector<std::uint32_t> weights = CascadeWeights(uploaded);
  SweepPoint point{.ratio = ratio};
  point.uploaded = static_cast<std::size_t>(std::count(uploaded.begin(), uploaded.end(), true));
  point.area = MeanAveragePrecision(tables.voc, Interpolation::kArea, weights);
  const std::vector<double> coco =
      MeanAveragePrecisions(tables.coco, Interpolation::kCoco, weights);
  if (!coco.empty()) {
    point.ap50 = coco[0];
    point.ap50_95 =
        std::accumulate(coco.begin(), coco.end(), 0.0) / static_cast<double>(coco.size());
  }
  point.objects = CountObjects(tables.voc, score_threshold, weights);
  return point;
}

SweepResult PairSweep::Run(std::span<const UploadOrder> orders, const SweepOptions& options,
                           const std::function<void()>& advance) const {
  assert(Validate(options).has_value());
  assert(std::is_sorted(options.ratios.begin(), options.ratios.end()));
  const float threshold = options.comparison.score_threshold;
  std::vector<std::size_t> counts;
  for (const double ratio : options.ratios) {
    counts.push_back(static_cast<std::size_t>(std::llround(ratio * static_cast<double>(images_))));
  }

  SweepResult result{.near = PointAt(by_far_, 0, std::vector<bool>(images_, false), threshold),
                     .far = PointAt(by_far_, 1, std::vector<bool>(images_, true), threshold)};
  for (const UploadOrder& order : orders) {
    assert(order.images.size() == images_ && (!order.fused || by_fused_));
    SweepCurve& curve = result.curves.emplace_back(SweepCurve{.name = order.name});
    std::vector<bool> uploaded(images_, false);
    std::size_t next = 0;
    for (std::size_t r = 0; r < counts.size(); ++r) {
      for (; next < counts[r]; ++next) {
        uploaded[order.images[next]] = true;
      }
      curve.points.push_back(
          PointAt(order.fused ? *by_fused_ : by_far_, options.ratios[r], uploaded, threshold));
    }
  }
  const CascadeCurves by_far(by_far_.voc, threshold);
  std::optional<CascadeCurves> by_fused;
  if (by_fused_) {
    by_fused.emplace(by_fused_->voc, threshold);
  }
  const std::vector<SweepPoint*> points = PointsOf(result);
  const auto read = [&](ImageWeights weights) {
    std::vector<Values> values =
        ValuesOfAll(ReadDraw(by_far, by_fused ? &*by_fused : nullptr, orders, counts, weights),
                    options.reference);
    if (advance) {
      advance();
    }
    return values;
  };
  const std::vector<Values> values = read({});
  for (std::size_t p = 0; p < points.size(); ++p) {
    for (const auto& [value, figure] : kFigures) {
      (points[p]->*figure).value = values[p].*value;
    }
    points[p]->counted_share = Ratio(points[p]->objects.counted, result.far.objects.counted);
  }

  std::vector<Drawn> drawn(points.size());
  Resample(images_, options.comparison.bootstrap, [&](ImageWeights weights) {
    const std::vector<Values> in_draw = read(weights);
    for (std::size_t p = 0; p < points.size(); ++p) {
      for (std::size_t f = 0; f < std::size(kFigures); ++f) {
        if (const auto& value = in_draw[p].*kFigures[f].first) {
          drawn[p][f].push_back(*value);
        }
      }
    }
  });
  for (std::size_t p = 0; p < points.size(); ++p) {
    for (std::size_t f = 0; f < std::size(kFigures); ++f) {
      Figure& figure = points[p]->*kFigures[f].second;
      if (figure.value && !drawn[p][f].empty()) {
        figure.interval = PercentileInterval(std::move(drawn[p][f]));
      }
    }
  }
  return result;
}

}  // namespace nearfar
