#include <CLI/CLI.hpp>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/flag_values.h"
#include "cli/paper_report.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/verb.h"
#include "data/imports.h"
#include "data/read_truth.h"
#include "eval/paper_pair.h"
#include "eval/paper_tables.h"
#include "trace/json_lines.h"

namespace nearfar::cli {
namespace {

/// One pair of models on one set of images, as the user names it.
struct PairSettings {
  std::string where;  ///< "pairs.yaml:3"; empty: the flags
  std::string small = "1";
  std::string data;
  std::string near;
  std::string far;
  std::string truth;
  std::string image_set;
  std::string images;
  std::vector<std::string> classes;
  std::string edge_trace;
  std::string cloud_trace;
  std::string ours_trace;
  bool paper_models = false;
  bool paper_images = false;
};

SettingTable TableOf(PairSettings& pair) {
  return SettingTable(
      {
          {"small", "whose tables: the paper's small model 1, 2 or 3 (before SSD), or yolov4 [1]",
           &pair.small},
          {"dataset", "which row: 07, 07+12, 07++12, coco or helmet", &pair.data},
          {"near", "the small model: its recording, or boxes to import", &pair.near},
          {"far", "the big model, likewise", &pair.far},
          {"truth", "annotations: VOC folder, COCO JSON, YOLO folder, MOT sequence or CSV",
           &pair.truth},
          {"image-set", "part of the truth: a VOC list (test), a YOLO split (val)",
           &pair.image_set},
          {"images", "names and sizes of the images for imported boxes (default: the truth)",
           &pair.images},
          {"classes", "judge these classes only", &pair.classes},
          {"edge-trace", "Table XI measured: trace of a run that uploads nothing",
           &pair.edge_trace},
          {"cloud-trace", "Table XI measured: trace of a run that uploads everything",
           &pair.cloud_trace},
          {"ours-trace", "Table XI measured: trace of a run with the discriminator",
           &pair.ours_trace},
          {"paper-models", "these are the paper's own models", &pair.paper_models},
          {"paper-images", "these are the paper's own test images", &pair.paper_images},
      },
      "nearfar paper small-big --help");
}

struct SmallBigFlags {
  std::string pairs_file;
  PairSettings pair;
  std::unique_ptr<SettingTable> pair_table;
  std::vector<std::string> tables;
  int folds = 2;
  std::uint64_t seed = 1;
  std::string synonyms;
  std::string folder;
  bool json = false;
  bool markdown = false;
};

void SayAll(const std::string& what, const std::vector<std::string>& remarks) {
  for (const std::string& remark : remarks) {
    Say(what + ": " + remark);
  }
}

/// "pairs.yaml:3: MESSAGE".
Error At(const PairSettings& pair, Error error) {
  if (!pair.where.empty()) {
    error.message = pair.where + ": " + error.message;
  }
  return error;
}

/// What is not named or goes not together, or empty.
std::string Misuse(const PairSettings& pair) {
  for (const auto& [value, key] : {std::pair(&pair.data, "dataset"), std::pair(&pair.near, "near"),
                                   std::pair(&pair.far, "far"), std::pair(&pair.truth, "truth")}) {
    if (value->empty()) {
      return std::string("the pair has no ") + key + ": each needs dataset, near, far and truth";
    }
  }
  return "";
}

Expected<Recording> Open(const std::string& path, const PairSettings& pair,
                         const Synonyms& synonyms) {
  Expected<Recording> recording =
      OpenRecording(path, pair.images.empty() ? pair.truth : pair.images, synonyms);
  if (recording) {
    SayAll(path, recording->remarks);
  }
  return recording;
}

Expected<PaperPair> MakePair(const PairSettings& settings, const SmallBigFlags& flags,
                             const Synonyms& synonyms) {
  PaperPairOptions options{.folds = flags.folds,
                           .seed = flags.seed,
                           .classes = settings.classes,
                           .models_as_paper = settings.paper_models,
                           .images_as_paper = settings.paper_images};
  const auto models = ParsePaperModels(settings.small);
  if (!models) {
    return tl::unexpected(models.error());
  }
  options.models = *models;
  const auto data = ParsePaperData(settings.data);
  if (!data) {
    return tl::unexpected(data.error());
  }
  options.data = *data;
  const Expected<Truth> truth =
      ReadTruth(settings.truth, synonyms, {.image_set = settings.image_set});
  if (!truth) {
    return tl::unexpected(truth.error());
  }
  SayAll(settings.truth, truth->remarks);
  const Expected<Recording> near = Open(settings.near, settings, synonyms);
  if (!near) {
    return tl::unexpected(near.error());
  }
  const Expected<Recording> far = Open(settings.far, settings, synonyms);
  if (!far) {
    return tl::unexpected(far.error());
  }
  Expected<PaperPair> pair = PaperPair::Make(*near, *far, *truth, synonyms, options);
  if (!pair) {
    return pair;
  }
  for (const auto& [path, way] : {std::pair(&settings.edge_trace, PaperColumn::kEdgeOnly),
                                  std::pair(&settings.cloud_trace, PaperColumn::kCloudOnly),
                                  std::pair(&settings.ours_trace, PaperColumn::kOurMethod)}) {
    if (path->empty()) {
      continue;
    }
    const Expected<Trace> trace = ReadTrace(*path);
    if (!trace) {
      return tl::unexpected(trace.error());
    }
    SayAll(*path, trace->remarks);
    if (const auto taken = pair->TakeRun(way, *trace); !taken) {
      return Fail(taken.error().code, *path + ": " + taken.error().message);
    }
  }
  return pair;
}

/// The pairs of the file, then the one of the flags.
Expected<void> ReadPairs(SmallBigFlags& flags, std::deque<PairSettings>& pairs) {
  if (!flags.pairs_file.empty()) {
    std::deque<SettingTable> tables;  // of pairs that stay where they are
    const auto applied =
        SettingTable::ApplyList(flags.pairs_file, "pairs", [&](int line) -> SettingTable& {
          pairs.push_back({.where = flags.pairs_file + ":" + std::to_string(line)});
          return tables.emplace_back(TableOf(pairs.back()));
        });
    if (!applied) {
      return applied;
    }
  }
  if (auto applied = flags.pair_table->Apply(""); !applied) {
    return applied;
  }
  if (!flags.pair_table->GivenAsYaml().empty() && flags.pair_table->GivenAsYaml() != "{}") {
    pairs.push_back(flags.pair);
  }
  return {};
}

int RunSmallBig(SmallBigFlags& flags) {
  const Expected<Synonyms> synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return Stop(synonyms.error());
  }
  std::deque<PairSettings> settings;
  if (const auto read = ReadPairs(flags, settings); !read) {
    Say(read.error().message);
    return kUsage;
  }
  for (const PairSettings& pair : settings) {
    if (const std::string misuse = Misuse(pair); !misuse.empty()) {
      Say(At(pair, {ErrorCode::kInvalidInput, misuse}).message);
      return kUsage;
    }
  }
  // A table that there is not is said before minutes of work.
  if (const auto known = FillTables({}, flags.tables); !known) {
    Say(known.error().message);
    return kUsage;
  }
  std::vector<PaperPair> pairs;
  for (const PairSettings& named : settings) {
    Expected<PaperPair> pair = MakePair(named, flags, *synonyms);
    if (!pair) {
      return Stop(At(named, pair.error()));
    }
    pairs.push_back(std::move(*pair));
  }
  const std::vector<FilledTable> tables = FillTables(pairs, flags.tables).value();
  if (!flags.folder.empty()) {
    if (const auto written = WritePaperCsv(flags.folder, tables, pairs); !written) {
      return Stop(written.error());
    }
  }
  std::cout << (flags.json       ? PaperJson(tables, pairs)
                : flags.markdown ? PaperMarkdown(tables, pairs)
                                 : PaperText(tables, pairs));
  return kDone;
}

std::function<int()> SetUpSmallBig(CLI::App& app) {
  const auto flags = std::make_shared<SmallBigFlags>();
  app.add_option("pairs", flags->pairs_file,
                 "YAML list of pairs, each with the keys of the flags below (see "
                 "examples/paper-small-big.yaml)")
      ->type_name("FILE");
  flags->pair_table = std::make_unique<SettingTable>(TableOf(flags->pair));
  flags->pair_table->Declare(app);
  app.add_option("--table", flags->tables, "only these tables: I, III, IV, ... XVII")
      ->delimiter(',');
  app.add_option("--folds", flags->folds,
                 "no image is judged by a threshold that was fitted to it: so many parts")
      ->capture_default_str()
      ->check(CLI::Range(2, 100));
  app.add_option("--seed", flags->seed, "of the folds and of random uploads")
      ->capture_default_str();
  app.add_option("--synonyms", flags->synonyms, "file of class spellings: canonical = alias, alias")
      ->type_name("FILE");
  app.add_option("-o,--output", flags->folder, "also write each table as CSV into this folder")
      ->type_name("FOLDER");
  CLI::Option* const json = app.add_flag("--json", flags->json, "one JSON object instead of text");
  app.add_flag("--markdown", flags->markdown, "Markdown instead of text")->excludes(json);
  return [flags] { return RunSmallBig(*flags); };
}

}  // namespace

std::function<int()> SetUpPaper(CLI::App& app) {
  app.require_subcommand(1);
  CLI::App* const small_big = app.add_subcommand(
      "small-big",
      "Tables I and III to XVII of the small-big paper beside what pairs of yours give");
  const std::function<int()> run = SetUpSmallBig(*small_big);
  return [run] { return run(); };
}

}  // namespace nearfar::cli
