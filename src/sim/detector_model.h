#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/detection.h"
#include "core/expected.h"
#include "core/geometry.h"
#include "data/recording.h"
#include "data/truth.h"

namespace nearfar {

/// What decides whether a detector finds somebody.
struct Sight {
  double height = 0;  ///< in px that the model sees: of what lies in its region, scaled as that is
  double hidden = 0;  ///< share of the body behind others or beyond the region; [0, 1]
  double crowding = 0;  ///< largest IoU with anybody else's box; [0, 1]

  friend bool operator==(const Sight&, const Sight&) = default;
};

/// How well one model finds people: values fitted to its recordings and applied where there are no
/// pixels. Somebody is found with a score above scores[k] with the probability
///   logistic(evidence[k](height) - hidden_loss[k] · hidden - crowding_loss[k] · crowding),
/// but not more often than above the score before it; between the scores it is linear, and 0 above
/// 1. One deviate decides for all scores, so that an AP can be told of it: a modelled one.
struct PersonDetector {
  std::string name;             ///< of the model
  std::vector<double> heights;  ///< px as the model sees them, rising, > 0
  std::vector<double> scores;   ///< rising, in (0, 1); nobody is found with less than the first
  std::vector<std::vector<double>> evidence;  ///< by score, at the heights; linear in the logarithm
                                              ///< between them, on in that line below the first,
                                              ///< level above the last
  std::vector<double> hidden_loss;            ///< by score, >= 0
  std::vector<double> crowding_loss;          ///< by score, >= 0
  double edge_share = 0;     ///< deviation of each edge of a box: that share of its side, ...
  double edge_px = 0;        ///< ... and, apart from it, so many px as the model sees them
  double false_per_mpx = 0;  ///< boxes of nothing, away from people, per 10^6 px that it sees
  std::vector<double> false_above;  ///< share of those scored above scores[k]; falling from 1
  double false_height = 64;         ///< their middle height in px as seen, ...
  double false_spread = 1;          ///< ... and its deviation in octaves
  double echoes = 0;                ///< boxes of parts and pairs of people, for each one found
  std::vector<double> echo_above;   ///< share of those scored above scores[k]
  double persistence = 0.7;  ///< share of the deviate that stays with somebody for a while, and
                             ///< with which a box of nothing is there again; [0, 1]. Not fitted
  double persistence_s = 1;  ///< that while, in s; > 0. Not fitted
  std::int64_t people = 0;   ///< looks at people behind the fit; 0: not fitted

  friend bool operator==(const PersonDetector&, const PersonDetector&) = default;
};

/// Errors: kInvalidInput, naming the value that is out of range.
Expected<void> Validate(const PersonDetector& detector);

/// One that finds everybody whom it sees, where they are, and nothing else.
PersonDetector PerfectDetector();

/// Probability that somebody is found with a score above `score`, which counts as scores[0] where
/// it is lower. REQUIRES: a valid detector; sight.height > 0.
double RecallOf(const PersonDetector& detector, const Sight& sight, double score);
/// The score with which somebody is found, given a standard normal deviate; nothing: not found.
/// REQUIRES: as RecallOf.
std::optional<float> ScoreOf(const PersonDetector& detector, const Sight& sight, double deviate);
/// The score of a box of nothing, given a uniform number in [0, 1). `above`: false_above,
/// echo_above.
float FalseScoreOf(const PersonDetector& detector, std::span<const double> above, double uniform);

/// A standard normal deviate for somebody at an instant: `persistence` of its variance stays over
/// about `persistence_s`, the rest is new at each. Hangs on its arguments alone.
/// @param who  a hash of seed, model and person.
double PersistentDeviate(const PersonDetector& detector, std::uint64_t who, double seconds);

/// How a recorded region was scaled before the model saw it: an overview to its recorded input, a
/// tile not at all, unless the model's input is smaller, a whole picture to fit into that input.
/// 1 where nothing is known.
double SeenScale(const ModelIdentity& model, const RecordedFrame& frame);

/// What each of some people hides of the others: by person, the share of the box that lies behind
/// boxes that end lower in the picture, and the largest IoU with another's. `height` stays 0.
std::vector<Sight> Hiding(std::span<const Box> people);

struct DetectorFitOptions {
  double iou = 0.5;      ///< from which a box finds somebody; (0, 1]
  double smoothing = 5;  ///< weight against bends of the evidence over the height, in people; >= 0
  int steps = 600;       ///< of the descent; [1, 100000]
  double least_seen =
      0.15;  ///< who lies in a region by less is neither wanted nor punished; [0, 1]

  friend bool operator==(const DetectorFitOptions&, const DetectorFitOptions&) = default;
};

/// How often people of one kind were found with a score above 0.25, and how often the fit says so.
struct RecallCheck {
  std::string what;         ///< "32-64 px", "hidden 0.25-0.50"
  std::int64_t people = 0;  ///< looks at such people
  double measured = 0;      ///< recall in [0, 1]
  double fitted = 0;        ///< mean of RecallOf over the same looks

  friend bool operator==(const RecallCheck&, const RecallCheck&) = default;
};

struct DetectorFit {
  PersonDetector detector;
  std::vector<RecallCheck>
      checks;  ///< by height, then by hiding, then by crowding; none without people

  friend bool operator==(const DetectorFit&, const DetectorFit&) = default;
};

/// Fits the model of those recordings to what is really there: recall and score by height, hiding
/// and crowding (a cumulative logit, the evidence piecewise linear in log height and not falling up
/// to 256 px), false boxes, and how far edges are off. A recording may hold whole frames, tiles or
/// an overview; several of one model at several scales add up. A region counts as seen at the size
/// to which it fits in the recorded model's input. Errors: kInvalidInput when truth or a recording
/// has no class person, when recordings are of different weights, or fewer than 50 looks at people
/// are common; messages name what is missing.
Expected<DetectorFit> FitPersonDetector(const Truth& truth, std::span<const Recording> recordings,
                                        const DetectorFitOptions& options = {});

/// One JSON object.
std::string ToJson(const PersonDetector& detector);
/// Errors: kInvalidInput with the member that is wrong; kUnsupported for a later schema.
Expected<PersonDetector> ParsePersonDetector(std::string_view json);
/// A file of one such object. Errors: also kNotFound, kIo; with the path.
Expected<PersonDetector> ReadPersonDetector(const std::string& path);

}  // namespace nearfar
