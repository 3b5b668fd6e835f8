#include "eval/comparison.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/ranking.h"

namespace nearfar {
namespace {

constexpr double kNoGap = 1e-9;

/// A contender's boxes held against the truth.
struct Matches {
  MatchTable voc;
  MatchTable coco;
};

/// What can be read off one draw of the images.
struct Reading {
  std::optional<double> voc07, area, ap50, ap50_95;
  ObjectCounts objects;
};

Reading Read(const Matches& matches, float score_threshold, ImageWeights weights) {
  Reading reading;
  reading.voc07 = MeanAveragePrecision(matches.voc, Interpolation::kVoc07, weights);
  reading.area = MeanAveragePrecision(matches.voc, Interpolation::kArea, weights);
  const std::vector<double> coco =
      MeanAveragePrecisions(matches.coco, Interpolation::kCoco, weights);
  if (!coco.empty()) {
    reading.ap50 = coco[0];
    reading.ap50_95 =
        std::accumulate(coco.begin(), coco.end(), 0.0) / static_cast<double>(coco.size());
  }
  reading.objects = CountObjects(matches.voc, score_threshold, weights);
  return reading;
}

std::optional<double> Ratio(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? std::optional(static_cast<double>(part) / static_cast<double>(whole))
                   : std::nullopt;
}

std::optional<double> Recovered(const Reading& own, const Reading& small, const Reading& big) {
  if (!own.voc07 || !small.voc07 || !big.voc07 || *big.voc07 - *small.voc07 <= kNoGap) {
    return std::nullopt;
  }
  return (*own.voc07 - *small.voc07) / (*big.voc07 - *small.voc07);
}

/// The figures of a standing that get an interval, each with how it is read off a draw.
struct Estimate {
  Figure Standing::*figure;
  std::function<std::optional<double>(const Reading& own, const Reading* small, const Reading* big)>
      read;
};

const std::vector<Estimate>& Estimates() {
  static const std::vector<Estimate> estimates = {
      {&Standing::voc07, [](const Reading& own, auto*, auto*) { return own.voc07; }},
      {&Standing::area, [](const Reading& own, auto*, auto*) { return own.area; }},
      {&Standing::ap50, [](const Reading& own, auto*, auto*) { return own.ap50; }},
      {&Standing::ap50_95, [](const Reading& own, auto*, auto*) { return own.ap50_95; }},
      {&Standing::recall, [](const Reading& own, auto*,
                             auto*) { return Ratio(own.objects.found, own.objects.wanted); }},
      {&Standing::found_share,
       [](const Reading& own, auto*, const Reading* big) {
         return big != nullptr ? Ratio(own.objects.found, big->objects.found) : std::nullopt;
       }},
      {&Standing::recovered,
       [](const Reading& own, const Reading* small, const Reading* big) {
         return small != nullptr && big != nullptr ? Recovered(own, *small, *big) : std::nullopt;
       }},
  };
  return estimates;
}

bool AppliesTo(const Estimate& estimate, Role role) {
  const bool is_share =
      estimate.figure == &Standing::found_share || estimate.figure == &Standing::recovered;
  return !is_share || role == Role::kEndToEnd;
}

std::optional<double> SizeAp(std::span<const TruthImage> images, const Contender& contender,
                             int classes, const CocoOptions& options) {
  return MeanAveragePrecision(MatchCoco(images, contender.detections, classes, options),
                              Interpolation::kCoco);
}

void AddClasses(const Matches& matches, const LabelSpace& classes, float score_threshold,
                Standing& standing) {
  for (std::size_t c = 0; c < classes.names.size(); ++c) {
    const ClassMatches& voc = matches.voc.classes[c];
    const ClassMatches& coco = matches.coco.classes[c];
    ClassStanding row;
    row.name = classes.names[c];
    row.wanted = std::accumulate(voc.wanted.begin(), voc.wanted.end(), std::int64_t{0});
    row.found = std::count_if(voc.detections.begin(), voc.detections.end(), [&](const auto& d) {
      return d.score > score_threshold && (d.found & 1U) != 0;
    });
    row.voc07 = AveragePrecision(voc, 0, Interpolation::kVoc07);
    row.area = AveragePrecision(voc, 0, Interpolation::kArea);
    row.ap50 = AveragePrecision(coco, 0, Interpolation::kCoco);
    double sum = 0;
    for (std::size_t t = 0; t < matches.coco.iou_thresholds.size(); ++t) {
      sum += AveragePrecision(coco, t, Interpolation::kCoco).value_or(0);
    }
    if (row.ap50) {
      row.ap50_95 = sum / static_cast<double>(matches.coco.iou_thresholds.size());
    }
    standing.per_class.push_back(std::move(row));
  }
}

void AddUploads(const Contender& contender, const Matches& matches, float score_threshold,
                Standing& standing) {
  if (contender.uploaded.empty()) {
    return;
  }
  std::vector<std::uint32_t> kept;
  for (const bool uploaded : contender.uploaded) {
    kept.push_back(uploaded ? 0 : 1);
  }
  standing.kept_images = std::count(kept.begin(), kept.end(), 1U);
  standing.upload_ratio = 1 - static_cast<double>(standing.kept_images) /
                                  static_cast<double>(contender.uploaded.size());
  if (standing.kept_images > 0) {
    const Reading on_kept = Read(matches, score_threshold, kept);
    standing.kept_voc07 = on_kept.voc07;
    standing.kept_ap50_95 = on_kept.ap50_95;
  }
}

}  // namespace

std::vector<Detections> ComposeCascade(std::span<const Detections> near,
                                       std::span<const Detections> far,
                                       const std::vector<bool>& uploaded) {
  return ComposeCascade(near, far, uploaded, {});
}

std::vector<Detections> ComposeCascade(std::span<const Detections> near,
                                       std::span<const Detections> far,
                                       const std::vector<bool>& uploaded,
                                       const FusionWeights& fusion) {
  assert(near.size() == far.size() && near.size() == uploaded.size());
  std::vector<Detections> composed;
  composed.reserve(near.size());
  for (std::size_t i = 0; i < near.size(); ++i) {
    composed.push_back(!uploaded[i]       ? near[i]
                       : fusion.active() ? Fuse(near[i], far[i], fusion).detections
                                          : far[i]);
  }
  return composed;
}

std::vector<bool> UploadTop(std::span<const double> gains, double ratio) {
  assert(ratio >= 0 && ratio <= 1);
  const std::vector<std::size_t> order = ByFallingValue(gains);
  const auto count =
      static_cast<std::size_t>(std::llround(ratio * static_cast<double>(gains.size())));
  std::vector<bool> uploaded(gains.size(), false);
  for (std::size_t i = 0; i < count; ++i) {
    uploaded[order[i]] = true;
  }
  return uploaded;
}

Expected<void> Validate(const ComparisonOptions& options) {
  if (!(options.iou > 0 && options.iou <= 1)) {
    return Fail(ErrorCode::kInvalidInput,
                "IoU of a match is " + std::to_string(options.iou) + "; give one in (0, 1]");
  }
  if (!(options.score_threshold >= 0 && options.score_threshold < 1)) {
    return Fail(ErrorCode::kInvalidInput, "score threshold of a found object is " +
                                              std::to_string(options.score_threshold) +
                                              "; give one in [0, 1)");
  }
  if (options.bootstrap.draws < 0 || options.bootstrap.draws > 100000) {
    return Fail(
        ErrorCode::kInvalidInput,
        "bootstrap draws are " + std::to_string(options.bootstrap.draws) + "; give 0 to 100000");
  }
  return {};
}

std::vector<Standing> Compare(std::span<const TruthImage> images, const LabelSpace& classes,
                              std::span<const Contender> contenders,
                              const ComparisonOptions& options) {
  assert(Validate(options).has_value() && !images.empty());
  std::vector<Matches> matches;
  std::optional<std::size_t> small;
  std::optional<std::size_t> big;
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    matches.push_back({MatchVoc(images, contenders[i].detections, classes.size(), options.iou),
                       MatchCoco(images, contenders[i].detections, classes.size())});
    if (contenders[i].role == Role::kSmall && !small) {
      small = i;
    }
    if (contenders[i].role == Role::kBig && !big) {
      big = i;
    }
  }
  const auto read_all = [&](ImageWeights weights) {
    std::vector<Reading> readings;
    for (const Matches& match : matches) {
      readings.push_back(Read(match, options.score_threshold, weights));
    }
    return readings;
  };
  const auto reading_of = [](const std::vector<Reading>& readings, std::optional<std::size_t> at) {
    return at ? &readings[*at] : nullptr;
  };

  const std::vector<Reading> readings = read_all({});
  std::vector<Standing> standings;
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    const Contender& contender = contenders[i];
    Standing standing;
    standing.name = contender.name;
    standing.role = contender.role;
    standing.objects = readings[i].objects;
    for (const Estimate& estimate : Estimates()) {
      if (AppliesTo(estimate, contender.role)) {
        (standing.*estimate.figure).value =
            estimate.read(readings[i], reading_of(readings, small), reading_of(readings, big));
      }
    }
    if (big && contender.role == Role::kEndToEnd) {
      standing.counted_share = Ratio(readings[i].objects.counted, readings[*big].objects.counted);
    }
    standing.ap_small = SizeAp(images, contender, classes.size(), CocoSmall());
    standing.ap_medium = SizeAp(images, contender, classes.size(), CocoMedium());
    standing.ap_large = SizeAp(images, contender, classes.size(), CocoLarge());
    AddClasses(matches[i], classes, options.score_threshold, standing);
    AddUploads(contender, matches[i], options.score_threshold, standing);
    standing.bytes_up = contender.bytes_up;
    standing.latencies = contender.latencies.size();
    if (!contender.latencies.empty()) {
      standing.latency = PercentilesOf(contender.latencies);
    }
    standings.push_back(std::move(standing));
  }

  // One list of drawn values per contender and estimate; a draw in which a figure means nothing (no
  // object, no gap) adds none.
  const std::vector<Estimate>& estimates = Estimates();
  std::vector<std::vector<double>> drawn(contenders.size() * estimates.size());
  Resample(images.size(), options.bootstrap, [&](ImageWeights draw) {
    const std::vector<Reading> in_draw = read_all(draw);
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      for (std::size_t e = 0; e < estimates.size(); ++e) {
        if (!AppliesTo(estimates[e], contenders[i].role)) {
          continue;
        }
        const auto value =
            estimates[e].read(in_draw[i], reading_of(in_draw, small), reading_of(in_draw, big));
        if (value) {
          drawn[i * estimates.size() + e].push_back(*value);
        }
      }
    }
  });
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    for (std::size_t e = 0; e < estimates.size(); ++e) {
      Figure& figure = standings[i].*estimates[e].figure;
      std::vector<double>& values = drawn[i * estimates.size() + e];
      if (figure.value && !values.empty()) {
        figure.interval = PercentileInterval(std::move(values));
      }
    }
  }
  return standings;
}

}  // namespace nearfar
