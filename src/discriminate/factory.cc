#include "discriminate/factory.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

#include "discriminate/baselines.h"
#include "discriminate/conv.h"
#include "discriminate/gain_estimator.h"
#include "discriminate/online.h"

namespace nearfar {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kMost = std::numeric_limits<double>::max();
constexpr double kMostWhole = 9007199254740992.0;  // 2^53: beyond it a double skips whole numbers
constexpr double kMostCount = 1e6;

using Direction = OneNumber::Direction;

std::string Text(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

constexpr ParameterInfo kMinScore{"min_score",
                                  0.25,
                                  0,
                                  1,
                                  false,
                                  "boxes scored lower are not looked at: the output threshold of "
                                  "the detector that Sedna would be given"};

constexpr ParameterInfo kGainThreshold{"threshold", kNone, -kMost,
                                       kMost,       false, "a larger expected gain is difficult"};
constexpr ParameterInfo kMemory{"memory",   1000,  1,
                                kMostWhole, false, "images over which class rates are averaged"};

std::vector<ParameterInfo> OnlineParameters() {
  const OnlineOptions defaults;
  return {{"threshold", kNone, -kMost, kMost, false,
           "a larger score is difficult; default: the rule's 0.2"},
          {"objects", 0, 0, 1, true, "1: towards objects found, 0: towards accuracy"},
          {"first_fit", static_cast<double>(defaults.first_fit), 2, kMostCount, true,
           "answers before the first fit"},
          {"most_answers", static_cast<double>(defaults.most_answers), 2, kMostCount, true,
           "answers remembered"},
          {"most_weight", defaults.most_weight, 1, kMost, false,
           "an answer counts 1 / its upload probability, but at most this"},
          {"weighted", 1, 0, 1, true, "0: every answer counts 1, which is biased"},
          kMemory};
}

const std::vector<DiscriminatorInfo>& Table() {
  static const std::vector<DiscriminatorInfo> table = {
      {"smallbig",
       "the paper's rule: uncertain boxes, then many objects or a small one",
       {{"score_threshold", 0.2, 0, 1, false, "a box scored above it may be an object"},
        {"count_threshold", 2, 0, kMostCount, true, "more objects than this are difficult"},
        {"area_threshold", 0.31, 0, 1, false, "a smallest area share below this is difficult"},
        {"prediction_threshold", 0.5, 0, 1, false, "a box scored above it is an object found"},
        {"upload_empty", 0, 0, 1, true, "1: an image without any candidate box is difficult"}}},
      {"random",
       "chance, from the image's name",
       {{"threshold", 0.5, -kMost, kMost, false, "difficult above it: 1 - the share uploaded"},
        {"seed", 0, 0, kMostWhole, true, "another seed, another choice"}}},
      {"blur",
       "low Brenner gradient first",
       {{"threshold", kNone, -kMost, kMost, false, "a lower mean Brenner gradient is difficult"}}},
      {"top1",
       "low mean over the classes of the top score first",
       {{"threshold", kNone, -kMost, kMost, false, "a lower mean is difficult"},
        {"classes", 20, 1, kMostCount, true, "number of classes that the mean is taken over"}}},
      {"entropy",
       "high sum of the boxes' entropies first",
       {{"threshold", kNone, -kMost, kMost, false, "a higher sum (nats) is difficult"},
        {"min_score", 0.05, 0, 1, false, "boxes scored lower do not count"}}},
      {"count",
       "many objects first: the paper's count alone",
       {{"threshold", kNone, -kMost, kMost, false, "more objects than this are difficult"},
        {"score_threshold", 0.2, 0, 1, false, "a box scored above it counts"}}},
      {"size",
       "many JPEG bytes per pixel first",
       {{"threshold", kNone, -kMost, kMost, false, "more bytes per pixel are difficult"}}},
      {"cf",
       "closed form: doubtful boxes, those of rare classes first",
       {kGainThreshold, kMemory},
       true},
      {"ridge", "linear in 41 features of the boxes and two of each class", {kGainThreshold, kMemory}, true},
      {"mlp", "small networks on what ridge leaves", {kGainThreshold, kMemory}, true},
      {"online", "learns from the answers to uploads, starting from the paper's rule",
       OnlineParameters()},
      {"conv",
       "the paper's failed try: a few convolutions over the boxes",
       {{"threshold", kNone, -kMost, kMost, false, "a higher output is difficult"}},
       true},
      {"ibt",
       "Sedna's image-box-thresholds: a large share of low-scored boxes",
       {{"threshold_box", 0.5, 0, 1, false, "a score up to it is low"},
        {"threshold_img", 0.5, 0, 1, false, "difficult when the share is at least 1 - this"},
        kMinScore}},
      {"cross-entropy",
       "Sedna's cross entropy: low confidence 1 + sum(s ln s) / ln n",
       {{"threshold_cross_entropy", 0.5, 0, 1, false, "a lower confidence is difficult"},
        kMinScore}},
      {"threshold",
       "Sedna's threshold: a low mean score",
       {{"threshold", 0.5, 0, 1, false, "a lower mean score is difficult"}, kMinScore}},
      {"cloud-only", "every image is difficult", {}},
      {"edge-only", "every image is easy", {}},
  };
  return table;
}

const DiscriminatorInfo* Find(std::string_view name) {
  const auto& table = Table();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const DiscriminatorInfo& info) { return info.name == name; });
  return found == table.end() ? nullptr : &*found;
}

template <typename Entries>
std::string Names(const Entries& entries) {
  std::string names;
  for (const auto& entry : entries) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  return names;
}

/// The parameters of one discriminator, checked, with defaults filled in.
class Parameters {
 public:
  static Expected<Parameters> Check(const DiscriminatorSpec& spec) {
    const DiscriminatorInfo* const info = Find(spec.name);
    if (info == nullptr) {
      return Fail(ErrorCode::kNotFound,
                  "no discriminator is called '" + spec.name + "'; there are " + Names(Table()));
    }
    for (const auto& [name, value] : spec.parameters) {
      const auto known =
          std::find_if(info->parameters.begin(), info->parameters.end(),
                       [&, &key = name](const ParameterInfo& entry) { return entry.name == key; });
      if (known == info->parameters.end()) {
        return Fail(ErrorCode::kNotFound,
                    "discriminator " + spec.name + " has no parameter '" + name +
                        (info->parameters.empty() ? "'; it has none"
                                                  : "'; it has " + Names(info->parameters)));
      }
      if (!(value >= known->low && value <= known->high) ||
          (known->whole && value != std::floor(value))) {
        const std::string range = known->high == kMost
                                      ? "a finite number"
                                      : "in [" + Text(known->low) + ", " + Text(known->high) + "]";
        return Fail(ErrorCode::kInvalidInput, "discriminator " + spec.name + ": " + name + " is " +
                                                  Text(value) + ", but must be " +
                                                  (known->whole ? "a whole number " : "") + range);
      }
    }
    return Parameters(*info, spec);
  }

  double operator[](std::string_view name) const {
    const auto given = spec_.parameters.find(name);
    if (given != spec_.parameters.end()) {
      return given->second;
    }
    const auto known = std::find_if(info_.parameters.begin(), info_.parameters.end(),
                                    [&](const ParameterInfo& entry) { return entry.name == name; });
    assert(known != info_.parameters.end());
    return known->fallback;
  }

  /// The value, or nothing where it is not given and has no default.
  std::optional<double> Maybe(std::string_view name) const {
    const double value = (*this)[name];
    return std::isnan(value) ? std::nullopt : std::optional(value);
  }

 private:
  Parameters(const DiscriminatorInfo& info, const DiscriminatorSpec& spec)
      : info_(info), spec_(spec) {}

  const DiscriminatorInfo& info_;
  const DiscriminatorSpec& spec_;
};

SmallBigOptions ToSmallBigOptions(const Parameters& p) {
  return {.score_threshold = p["score_threshold"],
          .count_threshold = static_cast<int>(p["count_threshold"]),
          .area_threshold = p["area_threshold"],
          .prediction_threshold = p["prediction_threshold"],
          .upload_empty = p["upload_empty"] != 0};
}

Expected<std::unique_ptr<Discriminator>> MakeLearned(const DiscriminatorSpec& spec,
                                                     const Parameters& p) {
  if (spec.name == "conv") {
    const Expected<ConvNet> net = ConvNetFrom(spec.tables);
    if (!net) {
      return tl::unexpected(net.error());
    }
    return std::make_unique<ConvOverBoxes>(*net, p.Maybe("threshold"));
  }
  const Expected<GainEstimator> estimator = GainEstimatorFrom(*EstimatorOf(spec.name), spec.tables);
  if (!estimator) {
    return tl::unexpected(estimator.error());
  }
  return std::make_unique<LearnedGain>(
      *estimator, LearnedGain::Options{.threshold = p.Maybe("threshold"), .memory = p["memory"]});
}

OnlineOptions ToOnlineOptions(const Parameters& p) {
  return {.goal = p["objects"] != 0 ? GainGoal::kObjects : GainGoal::kAccuracy,
          .first_fit = static_cast<int>(p["first_fit"]),
          .most_answers = static_cast<int>(std::max(p["most_answers"], p["first_fit"])),
          .most_weight = p["most_weight"],
          .weighted = p["weighted"] != 0,
          .memory = p["memory"]};
}

OneNumber::Options MakeOptions(const std::string& name, const Parameters& p) {
  OneNumber::Options options{.name = name};
  if (name == "random") {
    options.quantity = "chance";
    options.threshold = p["threshold"];
    options.measure = [seed = static_cast<std::uint64_t>(p["seed"])](const Evidence& e) {
      return ChanceOf(seed, e.key);
    };
  } else if (name == "blur") {
    options.quantity = "Brenner gradient";
    options.difficult = Direction::kLowIsDifficult;
    options.threshold = p.Maybe("threshold");
    options.needs_brenner = true;
    options.measure = [](const Evidence& e) { return e.features.brenner; };
  } else if (name == "top1") {
    options.quantity = "mean top score";
    options.difficult = Direction::kLowIsDifficult;
    options.threshold = p.Maybe("threshold");
    options.measure = [classes = static_cast<int>(p["classes"])](const Evidence& e) {
      return MeanTopScore(e.raw, classes);
    };
  } else if (name == "entropy") {
    options.quantity = "sum of entropies";
    options.threshold = p.Maybe("threshold");
    options.measure = [min_score = p["min_score"]](const Evidence& e) {
      return SumOfEntropies(e.raw, min_score);
    };
  } else if (name == "count") {
    options.quantity = "number of objects";
    options.threshold = p.Maybe("threshold");
    options.measure = [above = static_cast<float>(p["score_threshold"])](const Evidence& e) {
      return CountAbove(e.raw, above);
    };
  } else if (name == "size") {
    options.quantity = "JPEG bytes per pixel";
    options.threshold = p.Maybe("threshold");
    options.needs_jpeg_bytes = true;
    options.measure = [](const Evidence& e) {
      return static_cast<double>(e.features.jpeg_bytes) / static_cast<double>(e.image.area());
    };
  } else if (name == "ibt") {
    options.quantity = "share of low scores";
    options.threshold = 1 - p["threshold_img"];
    options.or_equal = true;
    options.least_gain = -1;
    options.measure = [box = p["threshold_box"], min = p["min_score"]](const Evidence& e) {
      return ShareOfLowScores(e.raw, box, min);
    };
  } else if (name == "cross-entropy") {
    options.quantity = "confidence";
    options.difficult = Direction::kLowIsDifficult;
    options.threshold = p["threshold_cross_entropy"];
    options.least_gain = -1;
    options.measure = [min = p["min_score"]](const Evidence& e) {
      return EntropyConfidence(e.raw, min);
    };
  } else if (name == "threshold") {
    options.quantity = "mean score";
    options.difficult = Direction::kLowIsDifficult;
    options.threshold = p["threshold"];
    options.least_gain = -1;
    options.measure = [min = p["min_score"]](const Evidence& e) { return MeanScore(e.raw, min); };
  } else {
    assert(name == "cloud-only" || name == "edge-only");
    options.quantity = "constant";
    options.threshold = 0.5;
    options.needs_boxes = name == "edge-only";  // whose result is the near model's
    options.measure = [value = name == "cloud-only" ? 1.0 : 0.0](const Evidence&) { return value; };
  }
  return options;
}

}  // namespace

std::span<const DiscriminatorInfo> KnownDiscriminators() { return Table(); }

Expected<void> CheckParameters(const DiscriminatorSpec& spec) {
  const Expected<Parameters> parameters = Parameters::Check(spec);
  if (!parameters) {
    return tl::unexpected(parameters.error());
  }
  return spec.name == "smallbig" ? Validate(ToSmallBigOptions(*parameters)) : Expected<void>();
}

Expected<std::unique_ptr<Discriminator>> MakeDiscriminator(const DiscriminatorSpec& spec) {
  const Expected<Parameters> parameters = Parameters::Check(spec);
  if (!parameters) {
    return tl::unexpected(parameters.error());
  }
  if (IsLearned(spec.name)) {
    if (spec.tables.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  "discriminator " + spec.name +
                      " is learned: make a file with `nearfar calibrate --discriminator " +
                      spec.name + "` and name that");
    }
    return MakeLearned(spec, *parameters);
  }
  if (!spec.tables.empty()) {
    return Fail(ErrorCode::kInvalidInput, "discriminator " + spec.name +
                                              " takes no tables, but has " +
                                              std::to_string(spec.tables.size()));
  }
  if (spec.name == "online") {
    return std::make_unique<OnlineGain>(ToOnlineOptions(*parameters), std::nullopt,
                                        parameters->Maybe("threshold"));
  }
  if (spec.name == "smallbig") {
    const SmallBigOptions options = ToSmallBigOptions(*parameters);
    if (const Expected<void> valid = Validate(options); !valid) {
      return tl::unexpected(valid.error());
    }
    return std::make_unique<SmallBig>(options);
  }
  return std::make_unique<OneNumber>(MakeOptions(spec.name, *parameters));
}

Expected<std::unique_ptr<Discriminator>> MakeLearning(const DiscriminatorSpec& spec,
                                                      GainGoal goal) {
  const Expected<Parameters> parameters = Parameters::Check(spec);
  if (!parameters) {
    return tl::unexpected(parameters.error());
  }
  const std::optional<EstimatorKind> kind = EstimatorOf(spec.name);
  if (!kind) {
    return Fail(ErrorCode::kUnsupported,
                "discriminator " + spec.name +
                    " cannot learn from answers: online, and files of cf, ridge and mlp can");
  }
  auto estimator = GainEstimatorFrom(*kind, spec.tables);
  if (!estimator) {
    return tl::unexpected(estimator.error());
  }
  return std::make_unique<OnlineGain>(
      OnlineOptions{.goal = goal, .memory = (*parameters)["memory"]}, *std::move(estimator),
      parameters->Maybe("threshold"));
}

Expected<SmallBigOptions> SmallBigOptionsOf(const DiscriminatorSpec& spec) {
  assert(spec.name == "smallbig");
  const Expected<Parameters> parameters = Parameters::Check(spec);
  if (!parameters) {
    return tl::unexpected(parameters.error());
  }
  const SmallBigOptions options = ToSmallBigOptions(*parameters);
  if (const Expected<void> valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  return options;
}

DiscriminatorSpec SpecOf(const SmallBigOptions& options) {
  return {.name = "smallbig",
          .parameters = {{"score_threshold", options.score_threshold},
                         {"count_threshold", options.count_threshold},
                         {"area_threshold", options.area_threshold},
                         {"prediction_threshold", options.prediction_threshold},
                         {"upload_empty", options.upload_empty ? 1 : 0}}};
}

bool IsLearned(std::string_view name) {
  const DiscriminatorInfo* const info = Find(name);
  return info != nullptr && info->learned;
}

Expected<NumberTables> FitTables(std::string_view name, std::span<const LabelledImage> images,
                                 int classes, GainGoal goal) {
  assert(IsLearned(name));
  if (name == "conv") {
    const auto net = FitConvNet(images);
    return net ? Expected<NumberTables>(ToTables(*net)) : tl::unexpected(net.error());
  }
  const auto estimator = FitGainEstimator(*EstimatorOf(name), images, classes, {.goal = goal});
  return estimator ? Expected<NumberTables>(ToTables(*estimator))
                   : tl::unexpected(estimator.error());
}

bool IsRanking(std::string_view name) {
  return IsLearned(name) || name == "random" || name == "blur" || name == "top1" ||
         name == "entropy" || name == "count" || name == "size";
}

DiscriminatorSpec WithGainThreshold(DiscriminatorSpec spec, double gain_threshold) {
  assert(IsRanking(spec.name));
  const bool low_is_difficult = spec.name == "blur" || spec.name == "top1";
  spec.parameters["threshold"] = low_is_difficult ? -gain_threshold : gain_threshold;
  return spec;
}

std::string MissingFeatures(const Discriminator& discriminator, const PixelFeatures& features) {
  std::string missing;
  if (discriminator.needs_brenner() && !features.has_brenner()) {
    missing = "the Brenner gradient";
  }
  if (discriminator.needs_jpeg_bytes() && !features.has_jpeg_bytes()) {
    missing += (missing.empty() ? "" : " and ") + std::string("the size of the JPEG");
  }
  return missing;
}

}  // namespace nearfar
