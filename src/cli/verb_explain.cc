#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/image/codec.h"
#include "adapters/ort/detector.h"
#include "cli/flag_values.h"
#include "cli/report.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "core/rng.h"
#include "data/imports.h"
#include "train/discriminator_file.h"
#include "train/labelled_set.h"

namespace nearfar::cli {
namespace {

struct Flags {
  std::string near;
  std::vector<std::string> settings;
  std::string provider = "cpu";
  int jpeg_quality = 90;
  std::string recording;
  std::string images;
  std::string image;
  std::string discriminator = "smallbig";
  std::vector<std::string> parameters;
  std::string synonyms;
  bool json = false;
};

/// One image as the near model saw it.
struct Subject {
  std::string name;
  std::string model;
  LabelSpace classes;
  Detections raw;  ///< labels in `classes`
  Size size;
  PixelFeatures features;

  Evidence evidence() const { return {raw, size, features, HashText(name)}; }
};

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::string Name(const LabelSpace& classes, int label) {
  return label >= 0 && label < classes.size() ? classes.names[static_cast<std::size_t>(label)]
                                              : "class " + std::to_string(label);
}

Expected<Subject> SubjectFromRecording(const Flags& flags, const OpenedDiscriminator& judge) {
  const auto synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return tl::unexpected(synonyms.error());
  }
  const auto recording = OpenRecording(flags.recording, flags.images, *synonyms);
  if (!recording) {
    return tl::unexpected(recording.error());
  }
  if (judge.file) {
    if (const auto made_for = CheckMadeFor(*judge.file, recording->model); !made_for) {
      return tl::unexpected(made_for.error());
    } else if (!made_for->empty()) {
      Say(*made_for);
    }
  }
  // People name the picture; recordings key it by its name without folder and extension.
  const RecordedFrame* frame = recording->Find(flags.image);
  if (frame == nullptr) {
    frame = recording->Find(std::filesystem::path(flags.image).stem().string());
  }
  if (frame == nullptr) {
    return Fail(ErrorCode::kNotFound,
                "recording " + flags.recording + " has no image '" + flags.image + "'; it has " +
                    std::to_string(recording->frames.size()) +
                    (recording->frames.empty() ? "" : ", as " + recording->frames[0].name));
  }
  Subject subject{.name = frame->name,
                  .model = recording->model.name,
                  .classes = judge.file ? judge.file->classes : recording->classes,
                  .size = frame->size,
                  .features = frame->features};
  if (subject.size.width <= 0 || subject.size.height <= 0) {
    return Fail(ErrorCode::kInvalidInput,
                "recording " + flags.recording + " does not know the size of image " + frame->name);
  }
  subject.raw = DetectionsIn(subject.classes, *recording, *frame, *synonyms);
  return subject;
}

/// Looks at a picture with the near model.
Expected<Subject> SubjectFromPicture(const Flags& flags, const OpenedDiscriminator& judge) {
  const auto synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return tl::unexpected(synonyms.error());
  }
  auto settings = ParseModelSettings(flags.settings, "--set");
  if (!settings) {
    return tl::unexpected(settings.error());
  }
  const auto bytes = ReadFileBytes(flags.image, ImageLimits{}.max_bytes);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  const auto picture = DecodeImage(*bytes);
  if (!picture) {
    return Fail(picture.error().code, flags.image + ": " + picture.error().message);
  }
  const auto detector = ort::OrtDetector::Open({.model = flags.near,
                                                .settings = *std::move(settings),
                                                .engine = {.provider = flags.provider},
                                                .label_map = synonyms->version()});
  if (!detector) {
    return tl::unexpected(detector.error());
  }
  for (const std::string& assumed : (*detector)->assumed()) {
    Say(flags.near + ": " + assumed);
  }
  if (judge.file) {
    if (const auto made_for = CheckMadeFor(*judge.file, (*detector)->identity()); !made_for) {
      return tl::unexpected(made_for.error());
    } else if (!made_for->empty()) {
      Say(*made_for);
    }
  }
  auto answer = (*detector)->Detect(picture->view(), 0, 0);
  if (!answer) {
    return Fail(answer.error().code, flags.image + ": " + answer.error().message);
  }
  Subject subject{.name = std::filesystem::path(flags.image).stem().string(),
                  .model = (*detector)->identity().name,
                  .classes = judge.file ? judge.file->classes
                                        : MakeLabelSpace((*detector)->labels(), *synonyms),
                  .raw = std::move(answer->detections),
                  .size = picture->size()};
  MapLabels((*detector)->labels(), subject.classes, *synonyms).Apply(subject.raw);
  // Measured as a run would: the JPEG that it would upload is the file itself, where it is one.
  subject.features =
      MeasurePixels(picture->view(), *bytes,
                    {judge.discriminator->needs_brenner(), judge.discriminator->needs_jpeg_bytes()},
                    flags.jpeg_quality);
  return subject;
}

/// What becomes of the two comparisons after step 1, as sentences.
std::vector<std::string> StepLines(const SmallBigExplanation& why, const SmallBigOptions& options) {
  const BoxFeatures& f = why.features;
  std::vector<std::string> lines;
  const auto verdict = [](bool difficult) { return difficult ? "difficult" : "easy"; };
  if (why.verdict.step == SmallBigStep::kNoCandidate) {
    lines.push_back("step 0  no box above " + Number(options.score_threshold) +
                    ", and such images are uploaded: difficult");
    return lines;
  }
  const std::string counts =
      std::to_string(f.predicted) + " found, " + std::to_string(f.estimated) + " estimated: ";
  if (why.verdict.step == SmallBigStep::kSameCount) {
    lines.push_back("step 1  " + counts + "equal: easy");
    return lines;
  }
  lines.push_back("step 1  " + counts + "they differ, go on");
  const std::string many = std::to_string(f.estimated) + " estimated > " +
                           std::to_string(options.count_threshold) + "? ";
  if (why.verdict.step == SmallBigStep::kManyObjects) {
    lines.push_back("step 2  " + many + "yes: difficult");
    return lines;
  }
  lines.push_back("step 2  " + many + "no, go on");
  lines.push_back("step 3  smallest area " + Number(f.smallest_area_ratio) + " < " +
                  Number(options.area_threshold) + "? " + (why.verdict.difficult ? "yes" : "no") +
                  ": " + verdict(why.verdict.difficult));
  return lines;
}

std::optional<SmallBigOptions> RuleOf(const OpenedDiscriminator& judge) {
  return judge.spec.name == "smallbig" ? std::optional(SmallBigOptionsOf(judge.spec).value())
                                       : std::nullopt;
}

void Print(const Subject& subject, const OpenedDiscriminator& judge, const Gain& gain) {
  std::cout << "image  " << subject.name << ", " << subject.size.width << " x "
            << subject.size.height << " px\nnear   " << subject.model << "\n\n";
  std::vector<std::vector<std::string>> rows;
  for (const ClassScore& entry : TopScores(subject.raw)) {
    rows.push_back(
        {Name(subject.classes, entry.label), Number(entry.top_score), std::to_string(entry.boxes)});
  }
  std::cout << FormatTable({"class", "top score", "boxes"}, rows) << "\n";
  if (const auto options = RuleOf(judge)) {
    const Detections between =
        BoxesBetween(subject.raw, options->score_threshold, options->prediction_threshold);
    std::cout << between.size() << " boxes between the thresholds, "
              << Number(options->score_threshold)
              << " < score <= " << Number(options->prediction_threshold) << "\n";
    rows.clear();
    for (const Detection& box : between) {
      char corners[96];
      std::snprintf(corners, sizeof corners, "%.0f %.0f %.0f %.0f", box.box.x1, box.box.y1,
                    box.box.x2, box.box.y2);
      rows.push_back({Name(subject.classes, box.label), Number(box.score),
                      Number(AreaRatio(box.box, subject.size)), corners});
    }
    if (!rows.empty()) {
      std::cout << FormatTable({"class", "score", "area", "x1 y1 x2 y2"}, rows);
    }
    std::cout << "\n";
    for (const std::string& line :
         StepLines(SmallBig(*options).Explain(subject.evidence()), *options)) {
      std::cout << line << "\n";
    }
  } else {
    std::cout << judge.spec.name << ": " << gain.reason << "\n";
  }
  std::cout << "gain score " << Number(gain.score) << ", ";
  if (judge.discriminator->has_verdict()) {
    std::cout << (gain.difficult ? "difficult: above " : "easy: not above ")
              << Number(judge.discriminator->natural_threshold()) << "\n";
  } else {
    std::cout << "no threshold to compare it with\n";
  }
  if (judge.file && judge.file->upload) {
    const UploadFit& upload = *judge.file->upload;
    std::cout << "to upload " << Number(100 * upload.wanted) << " % of the images: "
              << (gain.score > upload.threshold ? "uploaded, above " : "kept, not above ")
              << Number(upload.threshold) << "\n";
  }
}

void PrintJson(const Subject& subject, const OpenedDiscriminator& judge, const Gain& gain) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Field("image", subject.name);
  json.Field("size", subject.size);
  json.Field("near", subject.model);
  json.Field("discriminator", judge.spec.name);
  json.Field("version", judge.discriminator->version());
  json.Field("difficult", gain.difficult);
  json.Field("score", gain.score);
  if (judge.discriminator->has_verdict()) {
    json.Field("threshold", judge.discriminator->natural_threshold());
  }
  if (judge.file && judge.file->upload) {
    json.Field("upload_threshold", judge.file->upload->threshold);
    json.Field("upload", gain.score > judge.file->upload->threshold);
  }
  json.Field("reason", gain.reason);
  json.Key("top_scores");
  json.BeginArray();
  for (const ClassScore& entry : TopScores(subject.raw)) {
    json.BeginObject();
    json.Field("class", Name(subject.classes, entry.label));
    json.Field("score", entry.top_score);
    json.Field("boxes", entry.boxes);
    json.EndObject();
  }
  json.EndArray();
  if (const auto options = RuleOf(judge)) {
    const SmallBigExplanation why = SmallBig(*options).Explain(subject.evidence());
    json.Field("step", static_cast<int>(why.verdict.step));
    json.Field("found", why.features.predicted);
    json.Field("estimated", why.features.estimated);
    json.Field("smallest_area_ratio", why.features.smallest_area_ratio);
    json.Field("score_threshold", options->score_threshold);
    json.Field("count_threshold", options->count_threshold);
    json.Field("area_threshold", options->area_threshold);
    json.Key("between");
    json.BeginArray();
    for (const Detection& box :
         BoxesBetween(subject.raw, options->score_threshold, options->prediction_threshold)) {
      json.BeginObject();
      json.Field("class", Name(subject.classes, box.label));
      json.Field("score", box.score);
      json.Field("area_ratio", AreaRatio(box.box, subject.size));
      json.Key("box");
      json.BeginArray();
      for (const float corner : {box.box.x1, box.box.y1, box.box.x2, box.box.y2}) {
        json.Value(corner);
      }
      json.EndArray();
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  std::cout << text << "\n";
}

int Explain(const Flags& flags) {
  if (flags.image.empty() || flags.recording.empty() == flags.near.empty()) {
    Say("explain needs an image and one of --near MODEL, to look at the picture, and --recording "
        "FILE, to take the image of that name from it");
    return kUsage;
  }
  const auto parameters = ParseParameters(flags.parameters);
  if (!parameters) {
    Say(parameters.error().message);
    return kUsage;
  }
  const auto judge = OpenDiscriminator({.name = flags.discriminator, .parameters = *parameters});
  if (!judge) {
    return Stop(judge.error());
  }
  const Expected<Subject> subject =
      flags.near.empty() ? SubjectFromRecording(flags, *judge) : SubjectFromPicture(flags, *judge);
  if (!subject) {
    return Stop(subject.error());
  }
  const std::string missing = MissingFeatures(*judge->discriminator, subject->features);
  if (!missing.empty()) {
    Say("discriminator " + judge->spec.name + " needs " + missing +
        ", which is not known of image " + subject->name);
    return kCannot;
  }
  const Gain gain = judge->discriminator->Judge(subject->evidence(), true);
  if (flags.json) {
    PrintJson(*subject, *judge, gain);
  } else {
    Print(*subject, *judge, gain);
  }
  std::cout.flush();
  return kDone;
}

}  // namespace

std::function<int()> SetUpExplain(CLI::App& app) {
  const auto flags = std::make_shared<Flags>();
  app.add_option("image", flags->image, "a picture, or an image's name in the recording");
  app.add_option("--near", flags->near, "the near model: an .onnx file or a package's folder");
  app.add_option("--set", flags->settings, "KEY=VALUE over the near model's config.pbtxt")
      ->take_all();
  app.add_option("--provider", flags->provider, "execution provider")->capture_default_str();
  app.add_option("--jpeg-quality", flags->jpeg_quality,
                 "of the upload that `size` weighs, where the picture is no JPEG")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--recording", flags->recording,
                 "what the near model found, instead of the model");
  app.add_option("--images", flags->images,
                 "names and sizes of the images, where the recording is an import that lacks them");
  app.add_option("--discriminator", flags->discriminator,
                 "a file made by calibrate, or one of " + DiscriminatorNames())
      ->capture_default_str();
  app.add_option("--param", flags->parameters,
                 "NAME=NUMBER: a parameter, where the discriminator is given by name")
      ->take_all();
  app.add_option("--synonyms", flags->synonyms,
                 "file of class spellings: canonical = alias, alias");
  app.add_flag("--json", flags->json, "print one JSON object");
  return [flags] { return Explain(*flags); };
}

}  // namespace nearfar::cli
