#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/open_recording.h"
#include "cli/report.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "core/phrase.h"
#include "data/read_truth.h"
#include "sim/detector_model.h"

namespace nearfar::cli {
namespace {

struct FitPeopleFlags {
  std::string truth;
  std::string image_set;
  std::vector<std::string> recordings;
  std::string output;
  bool json = false;
  DetectorFitOptions options;
};

Expected<DetectorFit> FitFrom(const FitPeopleFlags& flags) {
  const Synonyms& synonyms = Synonyms::Default();
  Expected<Truth> truth =
      ReadTruth(flags.truth, synonyms, TruthOptions{.image_set = flags.image_set});
  if (!truth) {
    return tl::unexpected(truth.error());
  }
  SayAll(flags.truth, truth->remarks);
  std::vector<Recording> recordings;
  for (const std::string& path : flags.recordings) {
    Expected<Recording> recording = OpenAndSay(path, flags.truth, synonyms);
    if (!recording) {
      return tl::unexpected(recording.error());
    }
    recordings.push_back(*std::move(recording));
  }
  return FitPersonDetector(*truth, recordings, flags.options);
}

void PrintText(const DetectorFit& fit, const std::string& output) {
  std::vector<std::vector<std::string>> rows;
  for (const RecallCheck& check : fit.checks) {
    rows.push_back(
        {check.what, std::to_string(check.people), Percent(check.measured), Percent(check.fitted)});
  }
  std::cout << FormatTable({"people", "looks", "found %", "fitted %"}, rows);
  const PersonDetector& d = fit.detector;
  std::cout << "\nfound: a box scored above 0.25 at IoU of at least 0.5; heights as the model sees "
               "them\n"
            << output << ": " << d.name << ", " << d.people << " looks at people; boxes of nothing "
            << ShortNumber(d.false_per_mpx)
            << " per 10^6 px (of them scored above 0.25: " << Percent(d.false_above[3])
            << " %), of parts and pairs " << ShortNumber(d.echoes) << " for each one found ("
            << Percent(d.echo_above[3]) << " %); edges off by " << ShortNumber(100 * d.edge_share)
            << " % of the side and " << ShortNumber(d.edge_px) << " px\n";
}

void PrintJson(const DetectorFit& fit, const std::string& output) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Field("file", output);
  json.Field("model", fit.detector.name);
  json.Field("people", fit.detector.people);
  json.Key("checks");
  json.BeginArray();
  for (const RecallCheck& check : fit.checks) {
    json.BeginObject();
    json.Field("what", check.what);
    json.Field("people", check.people);
    json.Field("measured", check.measured);
    json.Field("fitted", check.fitted);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::cout << text << "\n";
}

int RunFitPeople(const FitPeopleFlags& flags) {
  const Expected<DetectorFit> fit = FitFrom(flags);
  if (!fit) {
    return Stop(fit.error());
  }
  std::ofstream file(flags.output, std::ios::binary);
  file << ToJson(fit->detector) << "\n";
  file.close();
  if (!file) {
    return Stop(Error{ErrorCode::kIo, "cannot write " + flags.output +
                                          ": is the disk full or the folder not yours to write?"});
  }
  if (flags.json) {
    PrintJson(*fit, flags.output);
  } else {
    PrintText(*fit, flags.output);
  }
  return kDone;
}

}  // namespace

std::function<int()> SetUpFitPeople(CLI::App& app) {
  const auto flags = std::make_shared<FitPeopleFlags>();
  app.add_option("--truth", flags->truth,
                 "annotations with people: what `eval --truth` takes, track files too")
      ->required();
  app.add_option("--image-set", flags->image_set,
                 "part of the truth: a VOC list (test), a YOLO split (val)");
  app.add_option("--recording", flags->recordings,
                 "a recording of the model: whole frames, tiles or overviews; several add up")
      ->required();
  app.add_option("-o,--output", flags->output, "the fitted model, one JSON object")->required();
  app.add_option("--iou", flags->options.iou, "from which a box finds somebody")
      ->capture_default_str()
      ->check(CLI::Range(0.05, 1.0));
  app.add_option("--smoothing", flags->options.smoothing,
                 "weight against bends of recall over height, in people")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  app.add_flag("--json", flags->json, "print the table as one JSON object");
  return [flags] { return RunFitPeople(*flags); };
}

}  // namespace nearfar::cli
