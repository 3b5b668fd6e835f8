#include "sim/detector_model.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/json_fields.h"
#include "core/json_writer.h"
#include "core/phrase.h"
#include "core/rng.h"
#include "data/text.h"

namespace nearfar {
namespace {

constexpr int kSchema = 1;

double Logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// The standard normal deviate behind a hash.
double NormalOf(std::uint64_t hash) { return Rng(hash).Normal(); }

bool Rising(const std::vector<double>& values) {
  return std::is_sorted(values.begin(), values.end(), std::less_equal<>());
}

/// Where a height lies between a detector's: in front of which, and how far from the one before.
struct HeightPlace {
  std::size_t above = 0;
  double part = 1;
};

HeightPlace PlaceOf(const PersonDetector& detector, double height) {
  const std::vector<double>& h = detector.heights;
  if (h.size() == 1 || height >= h.back()) {
    return {h.size() - 1, 1};
  }
  const auto above = std::upper_bound(h.begin() + 1, h.end() - 1, height);
  const auto j = static_cast<std::size_t>(above - h.begin());
  return {j, std::log(height / h[j - 1]) / std::log(h[j] / h[j - 1])};
}

/// The chance of a score above scores[k], as its own regression says.
double ChanceAbove(const PersonDetector& detector, const Sight& sight, const HeightPlace& place,
                   std::size_t k) {
  const std::vector<double>& e = detector.evidence[k];
  const double at = place.part == 1
                        ? e[place.above]
                        : e[place.above - 1] + place.part * (e[place.above] - e[place.above - 1]);
  return Logistic(at - detector.hidden_loss[k] * sight.hidden -
                  detector.crowding_loss[k] * sight.crowding);
}

}  // namespace

Expected<void> Validate(const PersonDetector& d) {
  const auto wrong = [&](const std::string& what) {
    return Fail(ErrorCode::kInvalidInput, "person detector '" + d.name + "': " + what);
  };
  const auto finite = [](const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  };
  if (d.heights.empty() || !finite(d.heights) || !(d.heights.front() > 0) || !Rising(d.heights)) {
    return wrong("heights must be numbers above 0 that rise");
  }
  if (d.scores.empty() || !(d.scores.front() > 0) || !(d.scores.back() < 1) || !Rising(d.scores)) {
    return wrong("scores must rise within 0 and 1");
  }
  if (d.evidence.size() != d.scores.size() ||
      std::any_of(d.evidence.begin(), d.evidence.end(), [&](const std::vector<double>& row) {
        return row.size() != d.heights.size() || !finite(row);
      })) {
    return wrong("evidence must have a list for each score, of a number for each height");
  }
  for (const auto& [name, losses] :
       {std::pair{"hidden_loss", &d.hidden_loss}, {"crowding_loss", &d.crowding_loss}}) {
    if (losses->size() != d.scores.size() || !finite(*losses) ||
        std::any_of(losses->begin(), losses->end(), [](double loss) { return loss < 0; })) {
      return wrong(std::string(name) + " must have a number of at least 0 for each score");
    }
  }
  for (const auto& [name, above] :
       {std::pair{"false_above", &d.false_above}, {"echo_above", &d.echo_above}}) {
    const bool falls = std::is_sorted(above->rbegin(), above->rend());
    if (above->size() != d.scores.size() || !falls || above->front() > 1 || above->back() < 0) {
      return wrong(std::string(name) + " must fall from 1 towards 0, as many numbers as scores");
    }
  }
  const std::pair<const char*, double> least_zero[] = {{"edge_share", d.edge_share},
                                                       {"edge_px", d.edge_px},
                                                       {"echoes", d.echoes},
                                                       {"false_per_mpx", d.false_per_mpx},
                                                       {"false_spread", d.false_spread}};
  for (const auto& [name, value] : least_zero) {
    if (!(value >= 0 && value < 1e6)) {
      return wrong(std::string(name) + " is " + ShortNumber(value) + ", no number of at least 0");
    }
  }
  if (!(d.persistence >= 0 && d.persistence <= 1)) {
    return wrong("persistence is " + ShortNumber(d.persistence) + ", not within 0 and 1");
  }
  if (!(d.persistence_s > 0) || !(d.false_height > 0) || !(d.persistence_s < 1e6) ||
      !(d.false_height < 1e6)) {
    return wrong("persistence_s and false_height must be above 0");
  }
  return {};
}

PersonDetector PerfectDetector() {
  return {.name = "everybody",
          .heights = {1},
          .scores = {0.98},
          .evidence = {{1e3}},
          .hidden_loss = {0},
          .crowding_loss = {0},
          .false_above = {1},
          .echo_above = {1}};
}

double RecallOf(const PersonDetector& detector, const Sight& sight, double score) {
  assert(sight.height > 0);
  const HeightPlace place = PlaceOf(detector, sight.height);
  const std::vector<double>& scores = detector.scores;
  double chance = ChanceAbove(detector, sight, place, 0);
  for (std::size_t k = 0; score > scores[k]; ++k) {
    const bool last = k + 1 == scores.size();
    const double next_score = last ? 1 : scores[k + 1];
    const double next = last ? 0 : std::min(chance, ChanceAbove(detector, sight, place, k + 1));
    if (score < next_score || last) {
      const double part = std::min((score - scores[k]) / (next_score - scores[k]), 1.0);
      return chance + part * (next - chance);
    }
    chance = next;
  }
  return chance;
}

std::optional<float> ScoreOf(const PersonDetector& detector, const Sight& sight, double deviate) {
  assert(sight.height > 0);
  const HeightPlace place = PlaceOf(detector, sight.height);
  const std::vector<double>& scores = detector.scores;
  // The share of all deviates that are larger still.
  const double beaten = 0.5 * std::erfc(deviate / std::sqrt(2.0));
  double chance = ChanceAbove(detector, sight, place, 0);
  if (!(beaten < chance)) {
    return std::nullopt;
  }
  for (std::size_t k = 0;; ++k) {
    const bool last = k + 1 == scores.size();
    const double next = last ? 0 : std::min(chance, ChanceAbove(detector, sight, place, k + 1));
    if (!(beaten < next)) {
      const double high = last ? 1 : scores[k + 1];
      const double part = (chance - beaten) / (chance - next);
      // Never exactly the lower score: that is not above it.
      return std::max(static_cast<float>(scores[k] + part * (high - scores[k])),
                      std::nextafter(static_cast<float>(scores[k]), 1.0F));
    }
    chance = next;
  }
}

float FalseScoreOf(const PersonDetector& detector, std::span<const double> above, double uniform) {
  // `above` falls from 1: the interval in which the number lies, and where in it.
  std::size_t k = 0;
  while (k + 1 < above.size() && uniform < above[k + 1]) {
    ++k;
  }
  const bool last = k + 1 == above.size();
  const double low = detector.scores[k];
  const double high = last ? 1 : detector.scores[k + 1];
  const double span = above[k] - (last ? 0 : above[k + 1]);
  const double part = span > 0 ? std::clamp((above[k] - uniform) / span, 0.0, 1.0) : 0;
  return static_cast<float>(low + part * (high - low));
}

double PersistentDeviate(const PersonDetector& detector, std::uint64_t who, double seconds) {
  // Somebody's own clock, so that not everybody changes at once.
  const double place =
      seconds / detector.persistence_s + static_cast<double>(MixBits(who) >> 11) * 0x1.0p-53;
  const double knot = std::floor(place);
  const auto at = [&](double which) {
    return NormalOf(who ^ MixBits(static_cast<std::uint64_t>(static_cast<std::int64_t>(which))));
  };
  constexpr double kQuarterTurn = 1.5707963267948966;
  const double turn = (place - knot) * kQuarterTurn;
  const double slow = std::cos(turn) * at(knot) + std::sin(turn) * at(knot + 1);
  const auto instant = static_cast<std::uint64_t>(std::llround(seconds * 1e6));
  const double fresh = NormalOf(MixBits(who + 0x51ED270B) ^ MixBits(instant));
  return std::sqrt(detector.persistence) * slow + std::sqrt(1 - detector.persistence) * fresh;
}

double SeenScale(const ModelIdentity& model, const RecordedFrame& frame) {
  const Size size = frame.rect.size();
  if (size.area() <= 0) {
    return 1;
  }
  const auto to_fit = [&](Size into) {
    return std::min(static_cast<double>(into.width) / size.width,
                    static_cast<double>(into.height) / size.height);
  };
  if (frame.input.area() > 0) {
    return to_fit(frame.input);
  }
  if (model.input.area() == 0) {
    return 1;
  }
  const bool tile = frame.rect != WholeOf(frame.size);
  return tile ? std::min(1.0, to_fit(model.input)) : to_fit(model.input);
}

std::vector<Sight> Hiding(std::span<const Box> people) {
  constexpr int kAcross = 8;
  constexpr int kDown = 16;
  std::vector<Sight> sights(people.size());
  std::vector<std::size_t> in_front;
  for (std::size_t i = 0; i < people.size(); ++i) {
    const Box& box = people[i];
    in_front.clear();
    for (std::size_t j = 0; j < people.size(); ++j) {
      if (j == i || IntersectionArea(box, people[j]) <= 0) {
        continue;
      }
      sights[i].crowding = std::max(sights[i].crowding, double{Iou(box, people[j])});
      if (people[j].y2 > box.y2 || (people[j].y2 == box.y2 && j < i)) {
        in_front.push_back(j);
      }
    }
    if (in_front.empty()) {
      continue;
    }
    int hidden = 0;
    for (int row = 0; row < kDown; ++row) {
      for (int column = 0; column < kAcross; ++column) {
        const float x = box.x1 + box.width() * (static_cast<float>(column) + 0.5F) / kAcross;
        const float y = box.y1 + box.height() * (static_cast<float>(row) + 0.5F) / kDown;
        hidden +=
            std::any_of(in_front.begin(), in_front.end(),
                        [&](std::size_t j) {
                          const Box& other = people[j];
                          return x >= other.x1 && x < other.x2 && y >= other.y1 && y < other.y2;
                        })
                ? 1
                : 0;
      }
    }
    sights[i].hidden = static_cast<double>(hidden) / (kAcross * kDown);
  }
  return sights;
}

std::string ToJson(const PersonDetector& d) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Field("type", "person-detector");
  json.Field("schema", kSchema);
  json.Field("name", d.name);
  json.Field("heights", d.heights);
  json.Field("scores", d.scores);
  json.Field("evidence", d.evidence);
  json.Field("hidden_loss", d.hidden_loss);
  json.Field("crowding_loss", d.crowding_loss);
  json.Field("edge_share", d.edge_share);
  json.Field("edge_px", d.edge_px);
  json.Field("false_per_mpx", d.false_per_mpx);
  json.Field("false_above", d.false_above);
  json.Field("false_height", d.false_height);
  json.Field("false_spread", d.false_spread);
  json.Field("echoes", d.echoes);
  json.Field("echo_above", d.echo_above);
  json.Field("persistence", d.persistence);
  json.Field("persistence_s", d.persistence_s);
  json.Field("people", d.people);
  json.EndObject();
  return text;
}

Expected<PersonDetector> ParsePersonDetector(std::string_view text) {
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) {
    return Fail(ErrorCode::kInvalidInput, "this is no JSON, or a cut one");
  }
  PersonDetector d;
  std::string type;
  int schema = kSchema;
  JsonFields<nlohmann::json> fields(object);
  fields.Require("type", type).Read("schema", schema);
  if (fields.ok() && type != "person-detector") {
    return Fail(ErrorCode::kInvalidInput, "this is no person detector: its type is '" + type + "'");
  }
  if (fields.ok() && schema > kSchema) {
    return Fail(ErrorCode::kUnsupported, "schema " + std::to_string(schema) +
                                             " is of a later nearfar; this one reads " +
                                             std::to_string(kSchema));
  }
  fields.Read("name", d.name)
      .Require("heights", d.heights)
      .Require("scores", d.scores)
      .Require("evidence", d.evidence)
      .Require("hidden_loss", d.hidden_loss)
      .Require("crowding_loss", d.crowding_loss)
      .Read("edge_share", d.edge_share)
      .Read("edge_px", d.edge_px)
      .Read("false_per_mpx", d.false_per_mpx)
      .Require("false_above", d.false_above)
      .Read("false_height", d.false_height)
      .Read("false_spread", d.false_spread)
      .Read("echoes", d.echoes)
      .Require("echo_above", d.echo_above)
      .Read("persistence", d.persistence)
      .Read("persistence_s", d.persistence_s)
      .Read("people", d.people);
  if (!fields.ok()) {
    return Fail(ErrorCode::kInvalidInput, "person detector" + fields.error());
  }
  if (const auto valid = Validate(d); !valid) {
    return tl::unexpected(valid.error());
  }
  return d;
}

Expected<PersonDetector> ReadPersonDetector(const std::string& path) {
  const Expected<std::string> text = ReadFileText(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  Expected<PersonDetector> detector = ParsePersonDetector(*text);
  return detector ? std::move(detector)
                  : Fail(detector.error().code, path + ": " + detector.error().message);
}

}  // namespace nearfar
