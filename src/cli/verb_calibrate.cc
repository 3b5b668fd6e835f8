#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/flag_values.h"
#include "cli/open_recording.h"
#include "cli/report.h"
#include "cli/verb.h"
#include "core/phrase.h"
#include "data/read_truth.h"
#include "eval/average_precision.h"
#include "eval/fusion_fit.h"
#include "eval/matching.h"
#include "train/calibrate.h"

namespace nearfar::cli {
namespace {

struct Flags {
  std::string near;
  std::string far;
  std::string images;
  std::string truth;
  std::string image_set;
  std::string synonyms;
  std::vector<std::string> classes;
  bool count_difficult = false;
  std::string discriminator{kAutomatic};
  std::string goal = "accuracy";
  std::vector<std::string> parameters;
  double upload = 0.5;
  std::string output;
  bool json = false;
};

std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100 * share);
  return text;
}

std::string Signed(double number) { return (number > 0 ? "+" : "") + ShortNumber(number); }

std::string ThresholdLines(const DiscriminatorFile& file) {
  std::string text;
  if (file.score) {
    const SmallBigOptions options = SmallBigOptionsOf(file.discriminator).value();
    const long long difference = file.score->difference();
    text += "score threshold   " + ShortNumber(options.score_threshold) + "  (" +
            std::to_string(file.score->estimated) + " boxes above it, " +
            std::to_string(file.score->objects) +
            (file.truth ? " annotated objects" : " objects found by the far model") +
            ": L = " + (difference > 0 ? "+" : "") + std::to_string(difference) + ")\n";
    text += "count threshold   " + std::to_string(options.count_threshold) + "\n";
    text += "area threshold    " + ShortNumber(options.area_threshold) + "\n";
  } else {
    for (const auto& [name, value] : file.discriminator.parameters) {
      text += name + std::string(name.size() < 17 ? 18 - name.size() : 1, ' ') +
              ShortNumber(value) + "\n";
    }
  }
  if (file.upload) {
    text += "upload threshold  " + ShortNumber(file.upload->threshold) + "  (gain score; uploads " +
            Percent(file.upload->reached) + ", " + Percent(file.upload->wanted) + " wanted)\n";
  }
  return text;
}

/// How the discriminator was chosen, try by try.
std::string ChoiceLines(const Choice& choice) {
  if (!choice.remark.empty()) {
    return choice.remark + "\n\n";
  }
  std::string text = "chosen by what uploading " + Percent(choice.upload) +
                     " of the images brings, of all that uploading every one would (goal: " +
                     std::string(ToString(choice.goal)) +
                     ")\non images that were not fitted to: " + std::to_string(choice.folds) +
                     " folds" +
                     (choice.repeats > 1 ? ", " + std::to_string(choice.repeats) + " splits" : "") +
                     "; a later one is taken if its lead is larger than its standard error\n";
  std::vector<std::vector<std::string>> rows;
  for (const Candidate& candidate : choice.candidates) {
    const bool first = rows.empty();
    rows.push_back({candidate.name, Percent(candidate.captured),
                    first ? "" : Signed(100 * candidate.lead),
                    first ? "" : ShortNumber(100 * candidate.standard_error),
                    candidate.name == choice.name ? "chosen"
                    : candidate.taken             ? "taken"
                                                  : ""});
  }
  return text + FormatTable({"tried", "brings", "lead", "+-", ""}, rows) + "\n";
}

/// What `run` does with both answers of an uploaded image.
std::string FusionLine(const DiscriminatorFile& file) {
  return file.fusion ? "fusion            " + Explain(*file.fusion) + "\n" : "";
}

void Print(const DiscriminatorFile& file) {
  const int easy = file.images - file.difficult;
  std::cout << "near   " << file.near.name << "\nfar    " << file.far.name << "\nimages "
            << file.images << ": " << file.difficult << " difficult ("
            << Percent(static_cast<double>(file.difficult) / file.images) << "), " << easy
            << " easy\nclasses " << file.classes.size() << "\n\n"
            << (file.choice ? ChoiceLines(*file.choice) : "") << file.discriminator.name
            << " (version " << file.version << ")\n"
            << ThresholdLines(file) << FusionLine(file) << "\n";
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* what, const std::optional<BinaryMetrics>& metrics) {
    if (metrics) {
      rows.push_back({what, Percent(metrics->accuracy()), ShortNumber(metrics->f1()),
                      Percent(metrics->precision()), Percent(metrics->recall()),
                      Percent(metrics->upload_ratio())});
    }
  };
  add("true features", file.with_true_features);
  add("estimated features", file.with_estimated_features);
  add("at the upload threshold", file.at_upload_threshold);
  std::cout << FormatTable({"verdict by", "accuracy", "F1", "precision", "recall", "uploads"},
                           rows);
}

/// How good one of the models is by the annotations: its mAP, or the objects that it finds.
double Worth(const LabelledSet& set, GainGoal goal, Detections LabelledImage::*boxes_of) {
  std::vector<TruthImage> images;
  std::vector<Detections> boxes;
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    TruthImage& image = images.emplace_back();
    image.name = set.names[i];
    image.size = set.images[i].size;
    for (const TrueObject& object : *set.images[i].truth) {
      image.objects.push_back(
          {.box = object.box, .label = object.label, .difficult = object.ignored});
    }
    boxes.push_back(set.images[i].*boxes_of);
  }
  const MatchTable matches = MatchVoc(images, boxes, set.classes.size());
  return goal == GainGoal::kAccuracy
             ? MeanAveragePrecision(matches, Interpolation::kVoc07).value_or(0)
             : static_cast<double>(CountObjects(matches).found);
}

/// Says what makes any discriminator fitted to such images doubtful.
void Doubt(const LabelledSet& set, GainGoal goal) {
  int near_objects = 0;
  int far_objects = 0;
  std::size_t near_boxes = 0;
  for (const LabelledImage& image : set.images) {
    near_objects += CountAbove(image.near, 0.5F);
    far_objects += CountAbove(image.far, 0.5F);
    near_boxes += image.near.size();
  }
  if (near_boxes == 0) {
    Say("the near model finds nothing in any image, at whatever score: there is nothing to judge "
        "by");
  }
  if (!(WholeGain(set, goal) > kNoGain)) {
    Say("uploading every image brings nothing (goal: " + std::string(ToString(goal)) +
        "): no discriminator is of use; are near and far swapped?");
  } else if (set.has_truth) {
    const double near = Worth(set, goal, &LabelledImage::near);
    const double far = Worth(set, goal, &LabelledImage::far);
    if (far <= near) {
      Say("by the annotations the far model is no better than the near one (" +
          std::string(goal == GainGoal::kAccuracy ? "mAP " : "objects found ") + ShortNumber(far) +
          " and " + ShortNumber(near) + "): are they swapped?");
    }
  } else if (near_objects > far_objects) {
    Say("the near model finds more objects above 0.5 (" + std::to_string(near_objects) +
        ") than the far one (" + std::to_string(far_objects) + "): are they swapped?");
  }
}

/// Fits, and shows how far it is.
Expected<DiscriminatorFile> Fit(const LabelledSet& set, const Recording& near, const Recording& far,
                                const CalibrationOptions& options) {
  Progress progress("fitting", CalibrationSteps(set, options));
  return nearfar::Calibrate(set, near.model, far.model, options, [&] { progress.Advance(); });
}

/// Says what a user should know of a fit that is of little use.
void Warn(const DiscriminatorFile& file, const LabelledSet& set) {
  if (IsLearned(file.discriminator.name) && file.images < kLeastToLearn) {
    Say(std::to_string(file.images) + " images are too few to learn from, and its figures are of " +
        "those that it was fitted to: record " + std::to_string(kLeastToLearn) +
        " or more, or take smallbig");
  }
  if (file.difficult == 0 || file.difficult == file.images) {
    Say(std::string("every image is ") + (file.difficult == 0 ? "easy" : "difficult") +
        " by the paper's definition: thresholds fitted on such images mean little");
  }
  if (file.with_estimated_features->upload_ratio() == 0 && file.difficult > 0) {
    Say("the fitted verdict uploads nothing" +
        std::string(file.score && file.score->difference() >= 0
                        ? ": the near model finds as many boxes above 0.5 as there are objects"
                        : "") +
        "; go by the upload threshold");
  }
  if (file.score) {
    const SmallBig judge(SmallBigOptionsOf(file.discriminator).value());
    int open = 0;
    int easy = 0;
    for (const LabelledImage& image : set.images) {
      const SmallBigVerdict verdict = judge.Explain(image.evidence()).verdict;
      open += verdict.step != SmallBigStep::kSameCount ? 1 : 0;
      easy += verdict.step != SmallBigStep::kSameCount && !verdict.difficult ? 1 : 0;
    }
    const SmallBigOptions published;
    const bool as_published = judge.options().count_threshold == published.count_threshold &&
                              judge.options().area_threshold == published.area_threshold;
    if (open > 0 && easy == 0 && !as_published) {
      Say("steps 2 and 3 find no image easy that step 1 leaves open: fitted on true counts, step 1 "
          "decides alone; to keep the paper's thresholds add "
          "--discriminator smallbig --param count_threshold=2 --param area_threshold=0.31");
    }
  }
}

int Calibrate(const Flags& flags) {
  if (flags.discriminator == "help") {
    std::cout << DiscriminatorHelp() << std::endl;
    return kDone;
  }
  if (flags.near.empty() || flags.far.empty()) {
    Say("calibrate needs --near and --far: what both models found in the same images");
    return kUsage;
  }
  const auto parameters = ParseParameters(flags.parameters);
  if (!parameters) {
    Say(parameters.error().message);
    return kUsage;
  }
  const DiscriminatorSpec spec{.name = flags.discriminator, .parameters = *parameters};
  if (spec.name != kAutomatic) {
    if (const auto checked = CheckParameters(spec); !checked) {
      Say(checked.error().message);
      return kUsage;
    }
  } else if (!spec.parameters.empty()) {
    Say("--param goes with a discriminator that is named, not with auto");
    return kUsage;
  }
  const auto goal = ParseGainGoal(flags.goal);
  if (!goal) {
    Say("--goal: " + goal.error().message);
    return kUsage;
  }
  const Expected<Synonyms> synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return Stop(synonyms.error());
  }
  const std::string& images = flags.images.empty() ? flags.truth : flags.images;
  Expected<Recording> near = OpenAndSay(flags.near, images, *synonyms);
  if (!near) {
    return Stop(near.error());
  }
  Expected<Recording> far = OpenAndSay(flags.far, images, *synonyms);
  if (!far) {
    return Stop(far.error());
  }
  std::optional<Truth> truth;
  if (!flags.truth.empty()) {
    Expected<Truth> read = ReadTruth(flags.truth, *synonyms, {.image_set = flags.image_set});
    if (!read) {
      return Stop(read.error());
    }
    truth = *std::move(read);
  }
  if (truth) {
    SayAll(flags.truth, truth->remarks);
  }
  if (truth && !flags.image_set.empty()) {
    for (const auto& [path, recording] :
         {std::pair(&flags.near, &*near), std::pair(&flags.far, &*far)}) {
      if (const auto kept = KeepNamed(*truth, *path, *recording); !kept) {
        return Stop(kept.error());
      }
    }
  }
  const Expected<LabelledSet> set =
      JoinRecordings(*near, *far, truth ? &*truth : nullptr, *synonyms,
                     {.classes = flags.classes, .count_difficult = flags.count_difficult});
  if (!set) {
    return Stop(set.error());
  }
  SayAll("", set->remarks);
  Expected<DiscriminatorFile> file =
      Fit(*set, *near, *far, {.discriminator = spec, .upload = flags.upload, .goal = *goal});
  if (!file) {
    return Stop(file.error());
  }
  file->program = NEARFAR_VERSION;
  file->fusion = FitFusion(set->images, set->classes.size());
  Doubt(*set, *goal);
  Warn(*file, *set);
  if (flags.json) {
    std::cout << FormatDiscriminatorFile(*file);
  } else {
    Print(*file);
  }
  if (!flags.output.empty()) {
    if (const auto written = WriteDiscriminatorFile(flags.output, *file); !written) {
      return Stop(written.error());
    }
    Say("wrote " + flags.output);
  }
  std::cout.flush();
  return kDone;
}

}  // namespace

std::function<int()> SetUpCalibrate(CLI::App& app) {
  const auto flags = std::make_shared<Flags>();
  app.add_option("--near", flags->near,
                 "what the near model found: a recording, a folder of comp4_det_* files, or COCO "
                 "results");
  app.add_option("--far", flags->far, "what the far model found in the same images");
  app.add_option(
      "--truth", flags->truth,
      "annotations (VOC, COCO, YOLO, MOT, CSV); without them the far model's boxes above "
      "0.5 stand in");
  app.add_option("--images", flags->images,
                 "names and sizes of the images, where the recordings are imports that lack them "
                 "(default: the truth)");
  app.add_option("--image-set", flags->image_set,
                 "part of the truth: a VOC list (test), a YOLO split (val)");
  app.add_option("--synonyms", flags->synonyms,
                 "file of class spellings: canonical = alias, alias");
  app.add_option("--classes", flags->classes,
                 "classes that count, comma-separated; default: all that near, far and truth share")
      ->delimiter(',');
  app.add_flag("--count-difficult", flags->count_difficult,
               "count objects that the annotation marks difficult");
  app.add_option("--discriminator", flags->discriminator,
                 "auto: the best that the images carry, by cross-validation; or one of " +
                     DiscriminatorNames() + "; 'help' tells their parameters")
      ->capture_default_str();
  app.add_option("--param", flags->parameters,
                 "NAME=NUMBER: a parameter of the discriminator; a threshold given is kept, the "
                 "others are fitted")
      ->take_all();
  app.add_option("--goal", flags->goal,
                 "what uploads are to bring: accuracy (mean average precision) or objects (found)")
      ->capture_default_str();
  app.add_option("--upload", flags->upload, "share of the images to upload, beside the paper's fit")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("-o,--output", flags->output, "the discriminator file to write");
  app.add_flag("--json", flags->json, "print the discriminator file instead of tables");
  return [flags] { return Calibrate(*flags); };
}

}  // namespace nearfar::cli
