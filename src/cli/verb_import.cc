#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>

#include "cli/flag_values.h"
#include "cli/report.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "data/imports.h"
#include "data/recording.h"

namespace nearfar::cli {
namespace {

struct ImportFlags {
  std::string detections;
  std::string images;
  std::string output;
  std::string name;
  std::string synonyms;
  bool force = false;
  bool json = false;
};

int RunImport(const ImportFlags& flags) {
  const Expected<Synonyms> synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return Stop(synonyms.error());
  }
  std::error_code ignored;
  if (!flags.force && std::filesystem::exists(flags.output, ignored)) {
    Say("there is already a file " + flags.output + ": name another, or --force to replace it");
    return kCannot;
  }
  Expected<Recording> recording = OpenRecording(flags.detections, flags.images, *synonyms);
  if (!recording) {
    return Stop(recording.error());
  }
  for (const std::string& remark : recording->remarks) {
    Say(remark);
  }
  if (!flags.name.empty()) {
    recording->model.name = flags.name;
  }
  if (const Expected<void> written = WriteRecording(flags.output, *recording); !written) {
    return Stop(written.error());
  }
  std::uint64_t boxes = 0;
  for (const RecordedFrame& frame : recording->frames) {
    boxes += frame.detections.size();
  }
  if (flags.json) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject();
    json.Field("recording", flags.output);
    json.Field("model", recording->model);
    json.Field("images", recording->frames.size());
    json.Field("boxes", boxes);
    json.Field("classes", recording->classes.names);
    json.EndObject();
    std::cout << text << std::endl;
  } else {
    std::cout << flags.output << ": " << recording->frames.size() << " images with " << boxes
              << " boxes of " << recording->classes.size() << " classes" << std::endl;
  }
  return kDone;
}

}  // namespace

std::function<int()> SetUpImport(CLI::App& app) {
  const auto flags = std::make_shared<ImportFlags>();
  app.add_option("detections", flags->detections,
                 "a folder with the VOC devkit's comp4_det_SET_CLASS.txt, or COCO results JSON")
      ->required()
      ->type_name("DETECTIONS");
  app.add_option(
         "--images", flags->images,
         "what tells the images that were looked at and their sizes: for comp4 a VOC folder "
         "or a CSV image,width,height (default: images.csv in or above the folder); for COCO "
         "results the instances JSON")
      ->type_name("PATH");
  app.add_option("-o,--output", flags->output, "the recording to be written")
      ->required()
      ->type_name("FILE");
  app.add_option("--name", flags->name,
                 "what to call the model (default: the folder's or file's name)");
  app.add_option("--synonyms", flags->synonyms,
                 "which class names mean the same (default: built in)")
      ->type_name("FILE");
  app.add_flag("--force", flags->force, "replace a file that is there");
  app.add_flag("--json", flags->json, "print the summary as one JSON object");
  return [flags] { return RunImport(*flags); };
}

}  // namespace nearfar::cli
