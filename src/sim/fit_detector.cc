#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <unordered_map>

#include "core/adam.h"
#include "core/phrase.h"
#include "sim/detector_model.h"

namespace nearfar {
namespace {

constexpr int kKnots = 14;
constexpr double kFirstKnot = 8;
/// Up to here a larger person is not harder to find.
constexpr double kMonotoneTo = 256;
constexpr std::int64_t kLeastPeople = 50;
/// Which half-octave has no data leans on this slope, as if one in ten people said so.
constexpr double kPriorSlope = 0.5;
constexpr double kPriorWeight = 0.1;

/// Scores above which the chances are fitted.
constexpr double kScores[] = {0.05, 0.1, 0.15, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
constexpr std::size_t kLevels = std::size(kScores);

double Logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// One look at somebody.
struct Look {
  Sight sight;
  std::size_t knot = 0;  ///< the one below, ...
  float part = 0;        ///< ... and how far it is to the next
  float hidden = 0;
  float crowding = 0;
  std::size_t level = 0;  ///< scores exceeded; 0: not found
};

/// An edge of a box that found somebody.
struct EdgeMiss {
  double side = 0;  ///< px as the model sees them, as is all here
  double miss = 0;
};

struct Gathered {
  std::vector<Look> looks;
  std::vector<EdgeMiss> edges;
  std::vector<double> false_scores;
  std::vector<double> false_heights;
  std::vector<double> echo_scores;
  double found = 0;
  double mpx = 0;
};

std::size_t LevelOf(double score) {
  return static_cast<std::size_t>(std::lower_bound(std::begin(kScores), std::end(kScores), score) -
                                  std::begin(kScores));
}

Look LookOf(const Sight& sight, double score) {
  const double place =
      std::clamp(2 * std::log2(std::max(sight.height, 1e-3) / kFirstKnot), -4.0, kKnots - 1.0);
  const auto knot = static_cast<std::size_t>(std::clamp(std::floor(place), 0.0, kKnots - 2.0));
  return {sight,
          knot,
          static_cast<float>(place - static_cast<double>(knot)),
          static_cast<float>(sight.hidden),
          static_cast<float>(sight.crowding),
          LevelOf(score)};
}

/// Somebody as a region shows them.
struct Shown {
  Box box;  ///< in px of the frame, cut to the region
  Sight sight;
  bool wanted = false;
  bool whole = false;
  double score = 0;  ///< of the box that found them; 0: none did
};

std::vector<Shown> ShownIn(const TruthImage& image, std::span<const Sight> sights, int person,
                           const Rect& rect, double scale, double least_seen) {
  const Box region{static_cast<float>(rect.x), static_cast<float>(rect.y),
                   static_cast<float>(rect.x + rect.width),
                   static_cast<float>(rect.y + rect.height)};
  std::vector<Shown> shown;
  for (std::size_t i = 0; i < image.objects.size(); ++i) {
    const TruthObject& object = image.objects[i];
    const float inside = IntersectionArea(object.box, region);
    if (object.label != person || inside <= 0) {
      continue;
    }
    const double share = inside / object.box.area();
    Shown one{.box = {std::max(object.box.x1, region.x1), std::max(object.box.y1, region.y1),
                      std::min(object.box.x2, region.x2), std::min(object.box.y2, region.y2)},
              .sight = sights[i],
              .wanted = !object.difficult && !object.crowd && share >= least_seen,
              .whole = share > 0.999};
    one.sight.hidden = 1 - (1 - one.sight.hidden) * share;
    one.sight.height = one.box.height() * scale;
    shown.push_back(one);
  }
  return shown;
}

void GatherRegion(const TruthImage& image, std::span<const Sight> sights, int person,
                  const RecordedFrame& frame, int recorded_person, double scale,
                  const DetectorFitOptions& options, Gathered& gathered) {
  std::vector<Shown> shown = ShownIn(image, sights, person, frame.rect, scale, options.least_seen);
  // By falling score, as recorded, each box goes to the one still free that it overlaps most.
  for (const Detection& detection : frame.detections) {
    if (detection.label != recorded_person || !(detection.score > kScores[0])) {
      continue;
    }
    Shown* best = nullptr;
    double best_iou = 0;
    double touch = 0;
    for (Shown& one : shown) {
      const double iou = Iou(detection.box, one.box);
      touch = std::max(touch, iou);
      if (one.score == 0 && iou >= options.iou && (best == nullptr || iou > best_iou)) {
        best = &one;
        best_iou = iou;
      }
    }
    if (best == nullptr) {
      const bool neutral = std::any_of(shown.begin(), shown.end(), [&](const Shown& one) {
        return !one.wanted &&
               IntersectionArea(detection.box, one.box) >= 0.5F * detection.box.area();
      });
      if (!neutral && touch >= 0.1) {
        gathered.echo_scores.push_back(detection.score);
      } else if (!neutral) {
        gathered.false_scores.push_back(detection.score);
        gathered.false_heights.push_back(std::max(1.0, detection.box.height() * scale));
      }
      continue;
    }
    best->score = detection.score;
    if (best->whole && best->sight.hidden < 0.2) {
      const double width = best->box.width() * scale;
      const double height = best->box.height() * scale;
      gathered.edges.push_back({width, (detection.box.x1 - best->box.x1) * scale});
      gathered.edges.push_back({width, (detection.box.x2 - best->box.x2) * scale});
      gathered.edges.push_back({height, (detection.box.y1 - best->box.y1) * scale});
      gathered.edges.push_back({height, (detection.box.y2 - best->box.y2) * scale});
    }
  }
  for (const Shown& one : shown) {
    gathered.found += one.score > 0 ? 1 : 0;
    if (one.wanted) {
      gathered.looks.push_back(LookOf(one.sight, one.score));
    }
  }
  gathered.mpx += static_cast<double>(frame.rect.size().area()) * scale * scale / 1e6;
}

/// The numbers that are fitted, for one score.
struct Numbers {
  std::vector<float> evidence = std::vector<float>(kKnots);
  std::vector<float> losses{2, 1};  ///< by hiding, by crowding
};

/// Rising up to kMonotoneTo: neighbours that fall are pooled.
void MakeRise(std::vector<float>& evidence) {
  std::vector<std::pair<float, int>> pools;  // mean, count
  std::size_t monotone = 0;
  while (monotone < evidence.size() &&
         kFirstKnot * std::exp2(0.5 * static_cast<double>(monotone)) <= kMonotoneTo * 1.001) {
    pools.emplace_back(evidence[monotone], 1);
    ++monotone;
    while (pools.size() > 1 && pools[pools.size() - 2].first > pools.back().first) {
      const auto [mean, count] = pools.back();
      pools.pop_back();
      auto& below = pools.back();
      const auto together = static_cast<float>(below.second + count);
      below.first =
          (below.first * static_cast<float>(below.second) + mean * static_cast<float>(count)) /
          together;
      below.second += count;
    }
  }
  std::size_t at = 0;
  for (const auto& [mean, count] : pools) {
    for (int i = 0; i < count; ++i) {
      evidence[at++] = mean;
    }
  }
}

/// A logistic regression of "scored above kScores[level]".
/// @param numbers  where the descent begins: those of the score before.
Numbers Descend(const std::vector<Look>& looks, std::size_t level, Numbers numbers,
                const DetectorFitOptions& options) {
  Adam adam({.learning_rate = 0.08, .steps = static_cast<double>(options.steps)});
  for (int step = 0; step < options.steps; ++step) {
    Numbers gradient;
    gradient.losses = {0, 0};
    for (const Look& look : looks) {
      const std::size_t j = look.knot;
      const double middle = (1 - look.part) * numbers.evidence[j] +
                            look.part * numbers.evidence[j + 1] - numbers.losses[0] * look.hidden -
                            numbers.losses[1] * look.crowding;
      const auto excess = static_cast<float>(Logistic(middle) - (look.level > level ? 1 : 0));
      gradient.evidence[j] += (1 - look.part) * excess;
      gradient.evidence[j + 1] += look.part * excess;
      gradient.losses[0] -= look.hidden * excess;
      gradient.losses[1] -= look.crowding * excess;
    }
    std::vector<float>& e = gradient.evidence;
    for (std::size_t j = 1; j < kKnots; ++j) {
      const double slope = numbers.evidence[j] - numbers.evidence[j - 1];
      const auto pull = static_cast<float>(2 * kPriorWeight * (slope - kPriorSlope));
      e[j] += pull;
      e[j - 1] -= pull;
      if (j + 1 < kKnots) {
        const double bend = numbers.evidence[j + 1] - numbers.evidence[j] - slope;
        const auto push = static_cast<float>(2 * options.smoothing * bend);
        e[j + 1] += push;
        e[j] -= 2 * push;
        e[j - 1] += push;
      }
    }
    const double scale = 1 / static_cast<double>(looks.size());
    adam.Begin();
    adam.Step(numbers.evidence, gradient.evidence, scale);
    adam.Step(numbers.losses, gradient.losses, scale);
    MakeRise(numbers.evidence);
    for (float& loss : numbers.losses) {
      loss = std::max(loss, 0.0F);
    }
  }
  return numbers;
}

void FitRecall(const std::vector<Look>& looks, const DetectorFitOptions& options,
               PersonDetector& detector) {
  Numbers numbers;
  for (std::size_t j = 0; j < kKnots; ++j) {
    detector.heights.push_back(kFirstKnot * std::exp2(0.5 * static_cast<double>(j)));
    numbers.evidence[j] = static_cast<float>(-2 + 0.5 * static_cast<double>(j));
  }
  detector.scores.assign(std::begin(kScores), std::end(kScores));
  for (std::size_t level = 0; level < kLevels; ++level) {
    numbers = Descend(looks, level, std::move(numbers), options);
    detector.evidence.emplace_back(numbers.evidence.begin(), numbers.evidence.end());
    detector.hidden_loss.push_back(numbers.losses[0]);
    detector.crowding_loss.push_back(numbers.losses[1]);
  }
}

/// Share of the scores above each of kScores; halved on from one to the next where there are none.
std::vector<double> SharesAbove(const std::vector<double>& scores) {
  std::vector<double> above(kLevels);
  for (std::size_t k = 0; k < kLevels; ++k) {
    const auto count = std::count_if(scores.begin(), scores.end(),
                                     [&](double score) { return score > kScores[k]; });
    above[k] = scores.empty() ? std::exp2(-static_cast<double>(k))
                              : static_cast<double>(count) / static_cast<double>(scores.size());
  }
  return above;
}

/// The looks of one kind after the other, where there are some.
std::vector<RecallCheck> CheckRecall(const PersonDetector& detector,
                                     const std::vector<Look>& looks) {
  constexpr double kScore = 0.25;
  const std::size_t level = LevelOf(kScore) + 1;
  std::vector<RecallCheck> checks;
  const auto check = [&](std::string what, auto fits) {
    RecallCheck one{.what = std::move(what)};
    for (const Look& look : looks) {
      if (fits(look.sight)) {
        ++one.people;
        one.measured += look.level >= level ? 1 : 0;
        one.fitted += RecallOf(detector, look.sight, kScore);
      }
    }
    if (one.people > 0) {
      one.measured /= static_cast<double>(one.people);
      one.fitted /= static_cast<double>(one.people);
      checks.push_back(std::move(one));
    }
  };
  for (double low = 8; low <= 1024; low *= 2) {
    check(ShortNumber(low) + "-" + ShortNumber(2 * low) + " px",
          [&](const Sight& sight) { return sight.height >= low && sight.height < 2 * low; });
  }
  const double steps[] = {0, 0.1, 0.25, 0.5, 0.75, 1.001};
  for (const auto& [name, part] :
       {std::pair{"hidden ", &Sight::hidden}, {"crowding ", &Sight::crowding}}) {
    for (std::size_t i = 0; i + 1 < std::size(steps); ++i) {
      char range[32];
      std::snprintf(range, sizeof range, "%.2f-%.2f", steps[i], std::min(steps[i + 1], 1.0));
      check(name + std::string(range), [&, part = part](const Sight& sight) {
        return sight.*part >= steps[i] && sight.*part < steps[i + 1];
      });
    }
  }
  return checks;
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Deviation of the edges, as a share of the side and in px beside it: from the smaller and the
/// larger half, by the median, so that mistaken matches do not count.
void FitEdges(std::vector<EdgeMiss> edges, PersonDetector& detector) {
  if (edges.size() < 16) {
    return;
  }
  std::sort(edges.begin(), edges.end(),
            [](const EdgeMiss& a, const EdgeMiss& b) { return a.side < b.side; });
  double side[2];
  double variance[2];
  for (int half = 0; half < 2; ++half) {
    const auto begin =
        edges.begin() + (half == 0 ? 0 : static_cast<std::ptrdiff_t>(edges.size() / 2));
    const auto end =
        half == 0 ? edges.begin() + static_cast<std::ptrdiff_t>(edges.size() / 2) : edges.end();
    std::vector<double> sides;
    std::vector<double> misses;
    for (auto it = begin; it != end; ++it) {
      sides.push_back(it->side);
      misses.push_back(std::abs(it->miss));
    }
    side[half] = Median(std::move(sides));
    const double deviation = 1.4826 * Median(std::move(misses));
    variance[half] = deviation * deviation;
  }
  const double spread = side[1] * side[1] - side[0] * side[0];
  const double share2 = spread > 0 ? std::max(0.0, (variance[1] - variance[0]) / spread) : 0;
  detector.edge_share = std::sqrt(std::min(share2, variance[0] / (side[0] * side[0])));
  detector.edge_px = std::sqrt(
      std::max(0.0, variance[0] - detector.edge_share * detector.edge_share * side[0] * side[0]));
}

}  // namespace

Expected<DetectorFit> FitPersonDetector(const Truth& truth, std::span<const Recording> recordings,
                                        const DetectorFitOptions& options) {
  const int person = truth.classes.Find("person");
  if (recordings.empty() || person == kNoLabel) {
    return Fail(ErrorCode::kInvalidInput, recordings.empty()
                                              ? "fitting a person detector needs a recording"
                                              : "the truth has no class person to fit to");
  }
  std::unordered_map<std::string_view, std::size_t> index_of;
  std::vector<std::vector<Sight>> sights;
  for (std::size_t i = 0; i < truth.images.size(); ++i) {
    index_of.emplace(truth.images[i].name, i);
    std::vector<Box> boxes;
    for (const TruthObject& object : truth.images[i].objects) {
      // Whoever is no person hides people, too, but nobody keeps apart what that is.
      boxes.push_back(object.label == person && !object.crowd ? object.box : Box{});
    }
    sights.push_back(Hiding(boxes));
  }
  Gathered gathered;
  for (const Recording& recording : recordings) {
    if (recording.model.hash != recordings[0].model.hash) {
      return Fail(ErrorCode::kInvalidInput,
                  "the recordings are of different models: " + recordings[0].model.name + " (" +
                      recordings[0].model.hash + ") and " + recording.model.name + " (" +
                      recording.model.hash + ")");
    }
    const int recorded_person = recording.classes.Find("person");
    if (recorded_person == kNoLabel) {
      return Fail(ErrorCode::kInvalidInput,
                  "the recording of " + recording.model.name + " has no class person");
    }
    for (const RecordedFrame& frame : recording.frames) {
      const auto found = index_of.find(frame.name);
      if (found == index_of.end()) {
        continue;
      }
      GatherRegion(truth.images[found->second], sights[found->second], person, frame,
                   recorded_person, SeenScale(recording.model, frame), options, gathered);
    }
  }
  const auto people = static_cast<std::int64_t>(gathered.looks.size());
  if (people < kLeastPeople) {
    return Fail(ErrorCode::kInvalidInput,
                "only " + std::to_string(people) +
                    " looks at people are common to truth and recordings; at least " +
                    std::to_string(kLeastPeople) + " are needed to fit a person detector");
  }

  PersonDetector detector{
      .name = recordings[0].model.name,
      .false_per_mpx =
          static_cast<double>(gathered.false_scores.size()) / std::max(gathered.mpx, 1e-9),
      .false_above = SharesAbove(gathered.false_scores),
      .echoes = static_cast<double>(gathered.echo_scores.size()) / std::max(gathered.found, 1.0),
      .echo_above = SharesAbove(gathered.echo_scores),
      .people = people};
  FitRecall(gathered.looks, options, detector);
  if (!gathered.false_heights.empty()) {
    detector.false_height = Median(gathered.false_heights);
    std::vector<double> octaves;
    for (const double height : gathered.false_heights) {
      octaves.push_back(std::abs(std::log2(height / detector.false_height)));
    }
    detector.false_spread = 1.4826 * Median(std::move(octaves));
  }
  FitEdges(std::move(gathered.edges), detector);
  std::vector<RecallCheck> checks = CheckRecall(detector, gathered.looks);
  return DetectorFit{std::move(detector), std::move(checks)};
}

}  // namespace nearfar
