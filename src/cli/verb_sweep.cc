#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "adapters/plot/chart.h"
#include "cli/flag_values.h"
#include "cli/open_recording.h"
#include "cli/report.h"
#include "cli/sweep_report.h"
#include "cli/verb.h"
#include "core/ranking.h"
#include "data/read_truth.h"
#include "discriminate/fusion.h"
#include "eval/alignment.h"
#include "eval/sweep.h"
#include "train/choose.h"
#include "train/out_of_fold.h"

namespace nearfar::cli {
namespace {

constexpr float kPredictionThreshold = 0.5F;  // [SmallBig §V.A]

struct SweepFlags {
  std::string near;
  std::string far;
  std::string truth;
  std::vector<std::string> pairs;
  std::string image_set;
  std::string images;
  std::string synonyms;
  std::vector<std::string> classes;
  std::vector<std::string> discriminators;
  std::string fit_to = "far";
  std::string fusion = "on";
  FoldOptions folds;
  std::vector<double> ratios = DefaultRatios();
  ComparisonOptions comparison;
  std::string output;
};

/// What is swept: files of one pair.
struct PairFiles {
  std::string label;
  std::string near;
  std::string far;
  std::string truth;  // empty: none
};

/// Reads LABEL=near.rec,far.rec[,truth].
Expected<PairFiles> ParsePair(const std::string& text, const std::string& truth) {
  const std::size_t equals = text.find('=');
  std::vector<std::string> parts;
  for (std::size_t from = equals == std::string::npos ? text.size() : equals + 1;
       from < text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    parts.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  const bool complete = equals != std::string::npos && equals > 0 &&
                        (parts.size() == 2 || parts.size() == 3) && !parts[0].empty() &&
                        !parts[1].empty();
  if (!complete) {
    return Fail(
        ErrorCode::kInvalidInput,
        "--pair " + text + " is not LABEL=near.rec,far.rec or LABEL=near.rec,far.rec,truth");
  }
  return PairFiles{text.substr(0, equals), parts[0], parts[1],
                   parts.size() == 3 ? parts[2] : truth};
}

/// Leaves out boxes that no rule can rank, and says how many.
void DropBroken(const std::string& path, Recording& recording) {
  std::size_t broken = 0;
  for (RecordedFrame& frame : recording.frames) {
    broken += std::erase_if(frame.detections, [](const Detection& d) {
      return !std::isfinite(d.score) || !std::isfinite(d.box.x1) || !std::isfinite(d.box.y1) ||
             !std::isfinite(d.box.x2) || !std::isfinite(d.box.y2);
    });
  }
  if (broken > 0) {
    Say(path + ": " + std::to_string(broken) +
        " boxes with a score or corner that is not a finite number left out");
  }
}

Expected<Recording> Open(const std::string& path, const std::string& images,
                         const Synonyms& synonyms) {
  Expected<Recording> recording = OpenAndSay(path, images, synonyms);
  if (recording) {
    DropBroken(path, *recording);
    const bool empty =
        std::all_of(recording->frames.begin(), recording->frames.end(),
                    [](const RecordedFrame& frame) { return frame.detections.empty(); });
    if (empty && !recording->frames.empty()) {
      Say(path + ": no boxes at all in " + std::to_string(recording->frames.size()) + " images");
    }
  }
  return recording;
}

/// The boxes above the prediction threshold as objects.
std::vector<TruthObject> ObjectsOf(const Detections& detections) {
  std::vector<TruthObject> objects;
  for (const Detection& detection : detections) {
    if (detection.score > kPredictionThreshold) {
      objects.push_back({.box = detection.box, .label = detection.label});
    }
  }
  return objects;
}

/// The far model's boxes in the place of annotations.
Truth PseudoTruth(const Recording& far) {
  Truth truth{.classes = far.classes};
  for (const RecordedFrame& frame : far.frames) {
    TruthImage& image = truth.images.emplace_back();
    image.name = frame.name;
    image.size = frame.size;
    image.objects = ObjectsOf(frame.detections);
  }
  return truth;
}

/// Both views of the same images: what discriminators are fitted to, and what cascades are held
/// against.
struct Material {
  LabelledSet set;
  AlignedSet aligned;
  std::vector<std::size_t> place;  // of the aligned images in the set
  Recording near;
  Recording far;
  bool has_truth = false;
};

Expected<Material> Read(const PairFiles& files, const SweepFlags& flags, const Synonyms& synonyms) {
  Material material{.has_truth = !files.truth.empty()};
  const std::string& images = flags.images.empty() ? files.truth : flags.images;
  Truth truth;
  if (material.has_truth) {
    Expected<Truth> read = ReadTruth(files.truth, synonyms, {.image_set = flags.image_set});
    if (!read) {
      return tl::unexpected(read.error());
    }
    truth = std::move(*read);
    SayAll(files.truth, truth.remarks);
  }
  const std::pair<const std::string*, Recording*> recordings[] = {{&files.near, &material.near},
                                                                  {&files.far, &material.far}};
  for (const auto& [path, into] : recordings) {
    Expected<Recording> recording = Open(*path, images, synonyms);
    if (!recording) {
      return tl::unexpected(recording.error());
    }
    *into = std::move(*recording);
  }
  // Before images are left out: recordings of different images are a mistake, not a choice.
  if (const auto same = CheckSameImages(material.near, files.near, material.far, files.far);
      !same) {
    return tl::unexpected(same.error());
  }
  for (const auto& [path, recording] : recordings) {
    if (material.has_truth) {
      if (const auto kept = KeepNamed(truth, *path, *recording); !kept) {
        return tl::unexpected(kept.error());
      }
    }
  }
  Expected<LabelledSet> set =
      JoinRecordings(material.near, material.far, material.has_truth ? &truth : nullptr, synonyms,
                     {.classes = flags.classes});
  if (!set) {
    return tl::unexpected(set.error());
  }
  material.set = std::move(*set);
  SayAll("", material.set.remarks);
  if (!material.has_truth) {
    truth = PseudoTruth(material.far);
  }
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < material.set.names.size(); ++i) {
    places.emplace(material.set.names[i], i);
  }
  std::erase_if(truth.images,
                [&](const TruthImage& image) { return !places.contains(image.name); });
  std::vector<DetectionSet> sources;
  for (const auto& [recording, title] :
       {std::pair{&material.near, "near"}, std::pair{&material.far, "far"}}) {
    Expected<DetectionSet> source = BoxesOf(*recording, title);
    if (!source) {
      return tl::unexpected(source.error());
    }
    sources.push_back(std::move(*source));
  }
  Expected<AlignedSet> aligned = Align(truth, sources, synonyms, material.set.classes.names);
  if (!aligned) {
    return tl::unexpected(aligned.error());
  }
  material.aligned = std::move(*aligned);
  for (const TruthImage& image : material.aligned.images) {
    material.place.push_back(places.at(image.name));
  }
  return material;
}

/// A row's name, taken apart.
struct RowName {
  std::string name;
  GainGoal goal = GainGoal::kAccuracy;
  bool fused = false;
};

RowName ParseRowName(std::string name) {
  RowName row;
  const auto take = [&](std::string_view suffix) {
    const bool there = name.ends_with(suffix);
    name.erase(name.size() - (there ? suffix.size() : 0));
    return there;
  };
  row.fused = take(kFusionSuffix);
  row.goal = take(kObjectsSuffix) ? GainGoal::kObjects : GainGoal::kAccuracy;
  row.name = std::move(name);
  return row;
}

bool IsKnown(const std::string& name) {
  const auto known = KnownDiscriminators();
  return std::any_of(known.begin(), known.end(),
                     [&](const DiscriminatorInfo& info) { return info.name == name; });
}

std::vector<std::string> NamesToSweep(const SweepFlags& flags, bool has_truth) {
  std::vector<std::string> names = {kReference};  // all others are held against it
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  };
  if (!flags.discriminators.empty()) {
    std::for_each(flags.discriminators.begin(), flags.discriminators.end(), add);
    return names;
  }
  for (const DiscriminatorInfo& info : KnownDiscriminators()) {
    // Two rank nothing, and stand in the table as near and far alone; one learns from the answers
    // of a stream, of which there are none here.
    if (info.name != "cloud-only" && info.name != "edge-only" && info.name != "online") {
      add(std::string(info.name));
    }
  }
  add(std::string("ridge") + kObjectsSuffix);
  add(std::string("ridge") + kFusionSuffix);
  add(kRefitted);
  add(kFarOracle);
  if (has_truth) {
    add(kOracle);
  }
  return names;
}

/// What is fitted under a name of the sweep: the paper's rule keeps its count and area threshold.
DiscriminatorSpec SpecFor(const std::string& name) {
  return name == kRefitted ? DiscriminatorSpec{.name = kReference} : CandidateSpec(name);
}

/// What a discriminator needs of the pixels and some recorded images lack, or empty.
std::string Lacking(const std::string& name, const LabelledSet& set) {
  const auto judge = MakeDiscriminator(SpecFor(name));
  std::string missing;
  std::size_t lacking = 0;
  for (const LabelledImage& image : set.images) {
    const std::string here = judge ? MissingFeatures(**judge, image.features) : "";
    lacking += here.empty() ? 0 : 1;
    missing = here.empty() ? missing : here;
  }
  return lacking == 0 ? ""
                      : "needs " + missing + ", which the near recording lacks for " +
                            std::to_string(lacking) + " of " + std::to_string(set.images.size()) +
                            " images; make it anew with `nearfar record`";
}

/// The orders in which the discriminators upload the aligned images.
Expected<std::vector<UploadOrder>> OrdersOf(const SweepFlags& flags, const Material& material,
                                            const PairSweep& sweep,
                                            std::span<const std::size_t> fold_of, SweptPair& pair) {
  LabelledSet without_truth;
  if (!pair.fitted_to_truth) {
    without_truth = material.set;
    without_truth.has_truth = false;
    for (LabelledImage& image : without_truth.images) {
      image.truth.reset();
    }
  }
  const LabelledSet& to_fit = pair.fitted_to_truth ? material.set : without_truth;
  const std::vector<std::string> names = NamesToSweep(flags, material.has_truth);
  std::vector<UploadOrder> orders;
  Progress progress("fitting discriminators", names.size());
  std::map<std::string, std::vector<double>> known_worth;  // of rows that differ in fusion alone
  for (const std::string& row_name : names) {
    const auto& [name, goal, fused] = ParseRowName(row_name);
    const std::string unfused =
        row_name.substr(0, row_name.size() - (fused ? std::strlen(kFusionSuffix) : 0));
    std::vector<double> worth = known_worth[unfused];  // by aligned image
    std::string why_not;
    if (!worth.empty()) {
      // Judged already.
    } else if (name == kOracle) {
      if (material.has_truth) {
        worth = sweep.OracleWorth();
      } else {
        why_not = "there is no truth for it to know";
      }
    } else if (name == kFarOracle) {
      const LabelSpace& classes = material.aligned.classes;
      std::vector<TruthImage> pseudo = material.aligned.images;
      for (std::size_t i = 0; i < pseudo.size(); ++i) {
        pseudo[i].objects = ObjectsOf(material.aligned.detections[1][i]);
      }
      worth = UploadDerivatives(MergeMatches(
          MatchVoc(pseudo, material.aligned.detections[0], classes.size(), flags.comparison.iou),
          MatchVoc(pseudo, material.aligned.detections[1], classes.size(), flags.comparison.iou)));
    } else if (why_not = Lacking(name, material.set); why_not.empty()) {
      const Expected<OutOfFoldGains> gains =
          JudgeOutOfFold(to_fit, material.near.model, SpecFor(name), goal, fold_of);
      if (gains) {
        for (const std::size_t place : material.place) {
          worth.push_back(gains->worth[place]);
        }
        const auto [least, most] = std::minmax_element(gains->gains.begin(), gains->gains.end());
        if (*least == *most) {
          Say(row_name +
              " gives every image the same gain: it ranks nothing, and its curve goes by "
              "the names of the images");
        }
      } else {
        why_not = gains.error().message;
      }
    }
    progress.Advance();
    if (worth.empty()) {
      Say(row_name + " is left out: " + why_not);
      pair.left_out.emplace_back(row_name, why_not);
      continue;
    }
    if (row_name == kReference) {
      pair.options.reference = orders.size();
    }
    orders.push_back({row_name, ByFallingValue(worth), fused});
    known_worth[unfused] = std::move(worth);
  }
  if (orders.empty()) {
    return Fail(ErrorCode::kInvalidInput, "no discriminator is left to sweep");
  }
  return orders;
}

/// Says what a user should know before he believes a curve.
void Warn(const SweptPair& pair) {
  const std::string of = pair.label.empty() ? "" : pair.label + ": ";
  const auto& near = pair.result.near.voc07.value;
  const auto& far = pair.result.far.voc07.value;
  if (near && far && !pair.result.far.recovered.value) {
    char text[200];
    std::snprintf(text, sizeof text,
                  "far (mAP %.1f) is no better than near (%.1f): there is no gap to recover%s",
                  100 * *far, 100 * *near, *near > *far ? "; are the two models swapped?" : "");
    Say(of + text);
  }
  if (pair.images < 50) {
    Say(of + std::to_string(pair.images) +
        " images only: fits and curves of so few say little (fifty and more do)");
  }
  if (pair.classes == 1) {
    Say(of + "one class only: mAP is the average precision of that class");
  }
}

Expected<SweptPair> SweepPair(const PairFiles& files, const SweepFlags& flags,
                              const Synonyms& synonyms) {
  const Expected<Material> material = Read(files, flags, synonyms);
  if (!material) {
    return tl::unexpected(material.error());
  }
  const Expected<std::vector<std::size_t>> fold_of =
      SplitIntoFolds(material->set.names, flags.folds);
  if (!fold_of) {
    return tl::unexpected(fold_of.error());
  }
  SweptPair pair{.label = files.label,
                 .near = material->near.model.name,
                 .far = material->far.model.name,
                 .has_truth = material->has_truth,
                 .fitted_to_truth = material->has_truth && flags.fit_to == "truth",
                 .images = material->aligned.images.size(),
                 .classes = material->aligned.classes.size(),
                 .folds = *std::max_element(fold_of->begin(), fold_of->end()) + 1,
                 .seed = flags.folds.seed,
                 .options = {.ratios = flags.ratios, .comparison = flags.comparison}};
  if (pair.folds < static_cast<std::size_t>(flags.folds.folds)) {
    Say("folds reduced to " + std::to_string(pair.folds) + ": " + std::to_string(pair.images) +
        " images do not fill " + std::to_string(flags.folds.folds));
  }
  pair.fusion = ChooseFusion(flags.fusion, std::nullopt).value();
  std::vector<Detections> fused;
  for (std::size_t i = 0; i < pair.images; ++i) {
    fused.push_back(
        Fuse(material->aligned.detections[0][i], material->aligned.detections[1][i], pair.fusion)
            .detections);
  }
  const PairSweep sweep(material->aligned.images, material->aligned.classes,
                        material->aligned.detections[0], material->aligned.detections[1],
                        flags.comparison, fused);
  const Expected<std::vector<UploadOrder>> orders =
      OrdersOf(flags, *material, sweep, *fold_of, pair);
  if (!orders) {
    return tl::unexpected(orders.error());
  }
  {
    Progress progress("resampling images",
                      static_cast<std::uint64_t>(flags.comparison.bootstrap.draws) + 1);
    pair.result = sweep.Run(*orders, pair.options, [&] { progress.Advance(); });
  }
  if (!pair.result.near.voc07.value) {
    return Fail(ErrorCode::kInvalidInput,
                material->has_truth
                    ? files.truth + ": no object of the judged classes in " +
                          std::to_string(pair.images) + " images: there is nothing to judge by"
                    : files.far + ": no box scored above 0.5 in " + std::to_string(pair.images) +
                          " images to stand in for annotations: give --truth");
  }
  for (const LabelledImage& image : material->set.images) {
    pair.cases.push_back({MeasureTruth(image), IsDifficult(image)});
  }
  for (int step = 0; step <= 100; ++step) {
    const SmallBigOptions rule{.count_threshold = 2, .area_threshold = step / 100.0};
    pair.area_thresholds.push_back(
        {rule.area_threshold, MeasureOnTrueFeatures(material->set.images, rule)});
  }
  Warn(pair);
  return pair;
}

/// A label as the name of a folder.
std::string FolderName(std::string label) {
  std::replace_if(
      label.begin(), label.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '_' && c != '.'; },
      '_');
  return label == "." || label == ".." ? "_" : label;
}

Expected<void> WriteCharts(const std::vector<NamedChart>& charts,
                           const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) {
    return Fail(ErrorCode::kIo,
                "cannot make the folder " + folder.string() + ": " + failed.message());
  }
  for (const NamedChart& chart : charts) {
    const std::string stem = (folder / chart.name).string();
    if (const auto written = WriteSvg(chart.chart, stem + ".svg"); !written) {
      return written;
    }
    if (const auto written = WritePng(chart.chart, stem + ".png"); !written) {
      return written;
    }
  }
  return {};
}

Expected<void> Write(const std::vector<SweptPair>& pairs, const std::filesystem::path& folder) {
  for (const SweptPair& pair : pairs) {
    const auto written =
        WriteCharts(ChartsOf(pair), pair.label.empty() ? folder : folder / FolderName(pair.label));
    if (!written) {
      return written;
    }
  }
  if (pairs.size() > 1) {
    if (const auto written = WriteCharts(ChartsByLabel(pairs), folder); !written) {
      return written;
    }
  }
  const std::string path = (folder / "curves.csv").string();
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << FormatSweepCsv(pairs);
  file.close();
  if (!file) {
    return Fail(ErrorCode::kIo, "cannot write " + path);
  }
  return {};
}

/// Flags that do not go together: what to say, or empty.
std::string Misuse(const SweepFlags& flags) {
  const bool one = !flags.near.empty() || !flags.far.empty();
  if (one == !flags.pairs.empty() || (one && (flags.near.empty() || flags.far.empty()))) {
    return "sweep needs --near and --far, or --pair LABEL=near.rec,far.rec[,truth] once or more";
  }
  for (const std::string& row : flags.discriminators) {
    const RowName asked = ParseRowName(row);
    const bool special =
        asked.name == kRefitted || asked.name == kOracle || asked.name == kFarOracle;
    if (!special && !IsKnown(asked.name)) {
      return "sweep knows no discriminator '" + row + "'; there are " + DiscriminatorNames() +
             ", " + kRefitted + ", " + kOracle + ", " + kFarOracle +
             (std::filesystem::exists(row)
                  ? ". That is a file, fitted to images that may be these: give the name of what "
                    "is in it, to have it fitted anew for each fold"
                  : "");
    }
    if (asked.name == "online") {
      return "sweep: online learns from the answers of a stream, and there is none here; replay it "
             "with `nearfar eval --budget SHARE --discriminator online`";
    }
    if (asked.goal == GainGoal::kObjects && (special || !IsLearned(asked.name))) {
      return "sweep: " + row + ": " + asked.name + " learns nothing, so it has no " +
             kObjectsSuffix + " version";
    }
  }
  if (const auto fusion = ChooseFusion(flags.fusion, std::nullopt); !fusion) {
    return "--fusion: " + fusion.error().message;
  }
  if (const auto valid =
          Validate(SweepOptions{.ratios = flags.ratios, .comparison = flags.comparison});
      !valid) {
    return valid.error().message;
  }
  const std::string two[] = {"a", "b"};
  if (const auto valid = SplitIntoFolds(two, flags.folds); !valid) {
    return valid.error().message;
  }
  return "";
}

int RunSweep(SweepFlags flags) {
  if (const std::string misuse = Misuse(flags); !misuse.empty()) {
    Say(misuse);
    return kUsage;
  }
  std::sort(flags.ratios.begin(), flags.ratios.end());
  flags.ratios.erase(std::unique(flags.ratios.begin(), flags.ratios.end()), flags.ratios.end());
  std::vector<PairFiles> files;
  std::unordered_set<std::string> folders;
  for (const std::string& text : flags.pairs) {
    Expected<PairFiles> pair = ParsePair(text, flags.truth);
    if (pair && !folders.insert(FolderName(pair->label)).second) {
      pair = Fail(ErrorCode::kInvalidInput,
                  "two pairs are labelled " + pair->label + " or alike; give each its own label");
    }
    if (!pair) {
      Say(pair.error().message);
      return kUsage;
    }
    files.push_back(std::move(*pair));
  }
  if (files.empty()) {
    files.push_back({"", flags.near, flags.far, flags.truth});
  }
  const bool any_truth = std::any_of(files.begin(), files.end(),
                                     [](const PairFiles& pair) { return !pair.truth.empty(); });
  if (flags.fit_to == "truth" && !any_truth) {
    Say("--fit-to truth needs a --truth");
    return kUsage;
  }
  flags.comparison.bootstrap.seed = flags.folds.seed;
  const Expected<Synonyms> synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return Stop(synonyms.error());
  }
  std::vector<SweptPair> pairs;
  for (const PairFiles& pair : files) {
    Expected<SweptPair> swept = SweepPair(pair, flags, *synonyms);
    if (!swept) {
      return Stop(pair.label.empty()
                      ? swept.error()
                      : Error{swept.error().code, pair.label + ": " + swept.error().message});
    }
    std::cout << (pairs.empty() ? "" : "\n") << FormatSweep(*swept) << std::flush;
    pairs.push_back(std::move(*swept));
  }
  if (!flags.output.empty()) {
    if (const auto written = Write(pairs, flags.output); !written) {
      return Stop(written.error());
    }
    Say("wrote curves.csv and charts (SVG, PNG) to " + flags.output);
  }
  return kDone;
}

}  // namespace

std::function<int()> SetUpSweep(CLI::App& app) {
  const auto flags = std::make_shared<SweepFlags>();
  app.add_option("--near", flags->near,
                 "what the near model found: a recording, a folder of comp4_det_* files, or COCO "
                 "results");
  app.add_option("--far", flags->far, "what the far model found in the same images");
  app.add_option("--truth", flags->truth,
                 "annotations (VOC, COCO, YOLO, MOT, CSV) to judge by; without them the far "
                 "model's boxes above 0.5 stand in");
  app.add_option("--pair", flags->pairs,
                 "LABEL=near.rec,far.rec[,truth] instead of --near and --far; repeatable: charts "
                 "by label, as for a corruption and its strengths")
      ->take_all();
  app.add_option("--image-set", flags->image_set,
                 "part of the truth: a VOC list (test), a YOLO split (val)");
  app.add_option("--images", flags->images,
                 "names and sizes of the images, where the recordings are imports that lack them "
                 "(default: the truth)");
  app.add_option("--synonyms", flags->synonyms,
                 "file of class spellings: canonical = alias, alias");
  app.add_option("--classes", flags->classes,
                 "classes that count, comma-separated; default: all that near, far and truth share")
      ->delimiter(',');
  app.add_option("--discriminator", flags->discriminators,
                 "which to sweep: " + DiscriminatorNames() +
                     "; smallbig-fitted (count and area threshold fitted too); oracle and "
                     "oracle-far, which know the truth and the far model's boxes. NAME-objects "
                     "learns objects found instead of accuracy; NAME+fusion answers uploads by "
                     "both models' boxes. Default: all that rank images");
  app.add_option("--fusion", flags->fusion,
                 "weights of the rows NAME+fusion: on (the usual ones) or agree=A,keep=K")
      ->capture_default_str();
  app.add_option("--fit-to", flags->fit_to,
                 "what discriminators are fitted to: the far model's boxes, or the truth")
      ->check(CLI::IsMember({"far", "truth"}))
      ->capture_default_str();
  app.add_option("--folds", flags->folds.folds,
                 "each image is judged by a fit to the other folds; fewer for few images")
      ->capture_default_str();
  app.add_option("--seed", flags->folds.seed, "seed of the split and of the resampling")
      ->capture_default_str();
  app.add_option("--ratios", flags->ratios, "upload ratios, comma-separated; default 0,.05,...,1")
      ->delimiter(',');
  flags->comparison.bootstrap.draws = 200;
  app.add_option("--bootstrap", flags->comparison.bootstrap.draws,
                 "95 % intervals from this many resamplings of the images; 0: none")
      ->capture_default_str();
  app.add_option("--iou", flags->comparison.iou, "IoU from which an object is found")
      ->capture_default_str();
  app.add_option("--score", flags->comparison.score_threshold,
                 "boxes scored above count as objects found")
      ->capture_default_str();
  app.add_option("-o,--output", flags->output,
                 "folder for curves.csv and the charts as SVG and PNG");
  return [flags] { return RunSweep(*flags); };
}

}  // namespace nearfar::cli
