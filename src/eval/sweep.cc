#include "eval/sweep.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace nearfar {
namespace {

constexpr double kNoGap = 1e-9;

std::optional<double> Ratio(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? std::optional(static_cast<double>(part) / static_cast<double>(whole))
                   : std::nullopt;
}

/// What a draw is read for: the figures that get an interval.
struct Reading {
  std::optional<double> voc07;
  std::optional<double> kept_voc07;
  std::int64_t found = 0;
};

std::optional<double> Recovered(const Reading& own, const Reading& near, const Reading& far) {
  if (!own.voc07 || !near.voc07 || !far.voc07 || *far.voc07 - *near.voc07 <= kNoGap) {
    return std::nullopt;
  }
  return (*own.voc07 - *near.voc07) / (*far.voc07 - *near.voc07);
}

std::optional<double> TimesReference(std::optional<double> own, std::optional<double> reference) {
  return own && reference && *reference > kNoGap ? std::optional(*own / *reference) : std::nullopt;
}

/// Values of one point's figures over the draws in which they mean something.
struct Drawn {
  std::vector<double> voc07, found_share, recovered, times_reference, kept_voc07;
};

void Keep(std::optional<double> value, std::vector<double>& values) {
  if (value) {
    values.push_back(*value);
  }
}

void GiveInterval(std::vector<double> values, Figure& figure) {
  if (figure.value && !values.empty()) {
    figure.interval = PercentileInterval(std::move(values));
  }
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

std::vector<std::size_t> OrderByWorth(std::span<const double> worth) {
  std::vector<std::size_t> order(worth.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return worth[a] > worth[b]; });
  return order;
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
                     const ComparisonOptions& options)
    : images_(images.size()),
      voc_(MergeMatches(MatchVoc(images, near, classes.size(), options.iou),
                        MatchVoc(images, far, classes.size(), options.iou))),
      coco_(MergeMatches(MatchCoco(images, near, classes.size()),
                         MatchCoco(images, far, classes.size()))) {
  assert(!images.empty());
}

SweepResult PairSweep::Run(std::span<const UploadOrder> orders, const SweepOptions& options,
                           const std::function<void()>& advance) const {
  assert(Validate(options).has_value());
  const float threshold = options.comparison.score_threshold;
  const std::size_t ratios = options.ratios.size();

  // The choices of uploads: none, all, then by order and ratio.
  std::vector<std::vector<bool>> uploads = {std::vector<bool>(images_, false),
                                            std::vector<bool>(images_, true)};
  std::vector<std::size_t> counts = {0, images_};
  for (const UploadOrder& order : orders) {
    assert(order.images.size() == images_);
    for (const double ratio : options.ratios) {
      const auto count =
          static_cast<std::size_t>(std::llround(ratio * static_cast<double>(images_)));
      std::vector<bool> uploaded(images_, false);
      for (std::size_t i = 0; i < count; ++i) {
        uploaded[order.images[i]] = true;
      }
      uploads.push_back(std::move(uploaded));
      counts.push_back(count);
    }
  }
  const auto read = [&](std::size_t choice, ImageWeights draw) {
    std::vector<std::uint32_t> weights = CascadeWeights(uploads[choice], draw);
    Reading reading;
    reading.voc07 = MeanAveragePrecision(voc_, Interpolation::kVoc07, weights);
    reading.found = CountObjects(voc_, threshold, weights).found;
    if (counts[choice] < images_) {
      std::fill(weights.begin() + static_cast<std::ptrdiff_t>(images_), weights.end(), 0U);
      reading.kept_voc07 = MeanAveragePrecision(voc_, Interpolation::kVoc07, weights);
    }
    return reading;
  };
  // Nothing and everything uploaded are the same for every order.
  const auto read_all = [&](ImageWeights draw) {
    std::vector<Reading> readings = {read(0, draw), read(1, draw)};
    for (std::size_t choice = 2; choice < uploads.size(); ++choice) {
      readings.push_back(counts[choice] == 0         ? readings[0]
                         : counts[choice] == images_ ? readings[1]
                                                     : read(choice, draw));
    }
    return readings;
  };
  const auto reference_of = [&](std::size_t choice) -> std::optional<std::size_t> {
    return options.reference && choice >= 2
               ? std::optional(2 + *options.reference * ratios + (choice - 2) % ratios)
               : std::nullopt;
  };

  const std::vector<Reading> readings = read_all({});
  std::vector<SweepPoint> points(uploads.size());
  for (std::size_t choice = 0; choice < uploads.size(); ++choice) {
    SweepPoint& point = points[choice];
    point.ratio = choice < 2 ? static_cast<double>(choice) : options.ratios[(choice - 2) % ratios];
    point.uploaded = counts[choice];
    const std::vector<std::uint32_t> weights = CascadeWeights(uploads[choice]);
    point.voc07.value = readings[choice].voc07;
    point.area = MeanAveragePrecision(voc_, Interpolation::kArea, weights);
    const std::vector<double> coco = MeanAveragePrecisions(coco_, Interpolation::kCoco, weights);
    if (!coco.empty()) {
      point.ap50 = coco[0];
      point.ap50_95 =
          std::accumulate(coco.begin(), coco.end(), 0.0) / static_cast<double>(coco.size());
    }
    point.objects = CountObjects(voc_, threshold, weights);
    point.kept_voc07.value = readings[choice].kept_voc07;
    point.recovered.value = Recovered(readings[choice], readings[0], readings[1]);
  }
  for (std::size_t choice = 0; choice < points.size(); ++choice) {
    SweepPoint& point = points[choice];
    point.found_share.value = Ratio(point.objects.found, points[1].objects.found);
    point.counted_share = Ratio(point.objects.counted, points[1].objects.counted);
    if (const auto reference = reference_of(choice)) {
      point.times_reference.value =
          TimesReference(point.recovered.value, points[*reference].recovered.value);
    }
  }
  if (advance) {
    advance();
  }

  std::vector<Drawn> drawn(points.size());
  Resample(images_, options.comparison.bootstrap, [&](ImageWeights draw) {
    const std::vector<Reading> in_draw = read_all(draw);
    std::vector<std::optional<double>> recovered;
    for (const Reading& reading : in_draw) {
      recovered.push_back(Recovered(reading, in_draw[0], in_draw[1]));
    }
    for (std::size_t choice = 0; choice < points.size(); ++choice) {
      Keep(in_draw[choice].voc07, drawn[choice].voc07);
      Keep(in_draw[choice].kept_voc07, drawn[choice].kept_voc07);
      Keep(Ratio(in_draw[choice].found, in_draw[1].found), drawn[choice].found_share);
      Keep(recovered[choice], drawn[choice].recovered);
      if (const auto reference = reference_of(choice)) {
        Keep(TimesReference(recovered[choice], recovered[*reference]),
             drawn[choice].times_reference);
      }
    }
    if (advance) {
      advance();
    }
  });
  for (std::size_t choice = 0; choice < points.size(); ++choice) {
    GiveInterval(std::move(drawn[choice].voc07), points[choice].voc07);
    GiveInterval(std::move(drawn[choice].kept_voc07), points[choice].kept_voc07);
    GiveInterval(std::move(drawn[choice].found_share), points[choice].found_share);
    GiveInterval(std::move(drawn[choice].recovered), points[choice].recovered);
    GiveInterval(std::move(drawn[choice].times_reference), points[choice].times_reference);
  }

  SweepResult result{.near = points[0], .far = points[1]};
  for (std::size_t o = 0; o < orders.size(); ++o) {
    const auto first = points.begin() + static_cast<std::ptrdiff_t>(2 + o * ratios);
    result.curves.push_back({orders[o].name, {first, first + static_cast<std::ptrdiff_t>(ratios)}});
  }
  return result;
}

}  // namespace nearfar
