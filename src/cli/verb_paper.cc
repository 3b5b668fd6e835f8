#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/flag_values.h"
#include "cli/open_recording.h"
#include "cli/paper_hode.h"
#include "cli/paper_report.h"
#include "cli/record_pictures.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/verb.h"
#include "core/rng.h"
#include "data/paper_datasets.h"
#include "data/read_truth.h"
#include "data/text.h"
#include "eval/paper_pair.h"
#include "eval/paper_tables.h"
#include "trace/json_lines.h"

namespace nearfar::cli {
namespace {

/// One pair of models on one set of images, as the user names it.
struct PairSettings {
  std::string where;  ///< "pairs.yaml:3"; empty: the flags
  std::string small;  ///< empty: 1
  std::string data;
  std::string near;
  std::string far;
  std::string truth;
  std::string image_set;
  std::string images;
  std::vector<std::string> classes;
  std::int64_t pictures = 0;  // 0: all
  std::map<std::string, std::string> near_set;
  std::map<std::string, std::string> far_set;
  std::string edge_trace;
  std::string cloud_trace;
  std::string ours_trace;
  bool paper_models = false;
  bool paper_images = false;

  friend bool operator==(const PairSettings&, const PairSettings&) = default;
};

SettingTable TableOf(PairSettings& pair) {
  return SettingTable(
      {
          {"small", "whose tables: the paper's small model 1, 2 or 3 (before SSD), or yolov4 [1]",
           &pair.small},
          {"dataset", "which row: 07, 07+12, 07++12, coco or helmet", &pair.data},
          {"near",
           "the small model: its recording, boxes to import, or the model itself (.onnx file or "
           "package), which is then run over the pictures of the truth",
           &pair.near},
          {"far", "the big model, likewise", &pair.far},
          {"truth", "annotations: VOC folder, COCO JSON, YOLO folder, MOT sequence or CSV",
           &pair.truth},
          {"image-set",
           "part of the truth: a VOC list (test), a YOLO split (val), or a data set of the paper's "
           "(voc07++12:test; see `nearfar paper datasets --help`)",
           &pair.image_set},
          {"images", "names and sizes of the images for imported boxes (default: the truth)",
           &pair.images},
          {"classes", "judge these classes only", &pair.classes},
          {"pictures", "only so many images of the truth, drawn by --seed", &pair.pictures, 1},
          {"near-set", "over the near model's config.pbtxt, where it is run", &pair.near_set},
          {"far-set", "over the far model's, likewise", &pair.far_set},
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
  std::string cache = "paper-recordings";
  std::string folder;
  bool json = false;
  bool markdown = false;
};

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

bool IsModel(const std::string& path) {
  const std::filesystem::path file(path);
  std::error_code ignored;
  return file.extension() == ".onnx" || std::filesystem::exists(file / "config.pbtxt", ignored) ||
         std::filesystem::exists(file / "1" / "model.onnx", ignored);
}

/// A name for the recording of a model over these pictures: another model, choice of pictures or
/// settings has another.
std::string CacheName(const std::string& model, const std::map<std::string, std::string>& settings,
                      const PairSettings& pair, std::uint64_t seed) {
  std::error_code ignored;
  std::string key = std::filesystem::weakly_canonical(model, ignored).string() + "\n" +
                    pair.truth + "\n" + pair.image_set + "\n" + std::to_string(pair.pictures) +
                    "\n" + (pair.pictures > 0 ? std::to_string(seed) : "");
  for (const auto& [name, value] : settings) {
    key += "\n" + name + "=" + value;
  }
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(HashText(key)));
  const std::filesystem::path file(model);
  return (file.filename().empty() ? file.parent_path() : file).stem().string() + "-" + digits +
         ".rec";
}

/// Runs a model over the pictures of the truth, as `nearfar record` does; goes on where an earlier
/// run ended. Errors: those of RecordPictures; kNotFound for images without a picture; kCancelled.
Expected<Recording> Record(const std::string& model,
                           const std::map<std::string, std::string>& settings, const Truth& truth,
                           const PairSettings& pair, const SmallBigFlags& flags,
                           const Synonyms& synonyms) {
  RecordOptions options{.model = model};
  std::vector<std::string> missing;
  for (const TruthImage& image : truth.images) {
    if (image.file.empty()) {
      missing.push_back(image.name);
    }
    options.inputs.push_back(image.file);
  }
  if (!missing.empty()) {
    return Fail(ErrorCode::kNotFound,
                "there is no picture of " + std::to_string(missing.size()) + " images of " +
                    pair.truth + " (" + ListNames(missing) +
                    ") for the model to look at: put them where the annotations say, or name a "
                    "recording instead of " +
                    model);
  }
  for (const auto& [key, value] : settings) {
    options.settings.push_back(key + "=" + value);
  }
  std::error_code error;
  std::filesystem::create_directories(flags.cache, error);
  if (error) {
    return Fail(ErrorCode::kIo, "cannot make the folder " + flags.cache + ": " + error.message());
  }
  options.output =
      (std::filesystem::path(flags.cache) / CacheName(model, settings, pair, flags.seed)).string();
  const Expected<RecordTally> tally = RecordPictures(options, synonyms);
  if (!tally) {
    return tl::unexpected(tally.error());
  }
  if (tally->ended_by) {
    return tl::unexpected(*tally->ended_by);
  }
  if (Interrupted()) {
    return Fail(ErrorCode::kCancelled, "stopped; the same command goes on where this one ended");
  }
  if (tally->failed > 0) {
    Say(std::to_string(tally->failed) + " pictures could not be looked at by " + model +
        ": left out");
  }
  Say(options.output + ": " + std::to_string(tally->recorded) + " images recorded, " +
      std::to_string(tally->already_there) + " were there already");
  return ReadRecording(options.output);
}

Expected<Recording> Open(const std::string& path,
                         const std::map<std::string, std::string>& settings, const Truth& truth,
                         const PairSettings& pair, const SmallBigFlags& flags,
                         const Synonyms& synonyms) {
  if (!IsModel(path)) {
    return OpenAndSay(path, pair.images.empty() ? pair.truth : pair.images, synonyms);
  }
  Expected<Recording> recording = Record(path, settings, truth, pair, flags, synonyms);
  if (recording) {
    SayAll(path, recording->remarks);
  }
  return recording;
}

/// Leaves `count` images, drawn by the seed and their names.
void DrawPictures(std::size_t count, std::uint64_t seed, Truth& truth) {
  std::vector<std::pair<std::uint64_t, std::string>> order;
  for (const TruthImage& image : truth.images) {
    order.emplace_back(MixBits(HashText(image.name) ^ MixBits(seed)), image.name);
  }
  std::sort(order.begin(), order.end());
  order.resize(std::min(count, order.size()));
  std::set<std::string> drawn;
  for (const auto& [chance, name] : order) {
    drawn.insert(name);
  }
  std::erase_if(truth.images, [&](const TruthImage& i) { return !drawn.contains(i.name); });
}

/// Whether the images are the paper's own as far as can be told: its named set, and all of it.
bool AreThePapers(const PairSettings& settings, const Truth& truth) {
  const bool test07 = settings.image_set == "voc07:test" || settings.image_set == "voc07+12:test";
  return settings.paper_images ||
         (test07 && truth.images.size() == PaperImageCount(PaperData::k07) &&
          settings.pictures == 0);
}

Expected<PaperPair> MakePair(const PairSettings& settings, const SmallBigFlags& flags,
                             const Synonyms& synonyms) {
  PaperPairOptions options{.folds = flags.folds,
                           .seed = flags.seed,
                           .classes = settings.classes,
                           .models_as_paper = settings.paper_models};
  const auto models = ParsePaperModels(settings.small.empty() ? "1" : settings.small);
  if (!models) {
    return tl::unexpected(models.error());
  }
  options.models = *models;
  const auto data = ParsePaperData(settings.data);
  if (!data) {
    return tl::unexpected(data.error());
  }
  options.data = *data;
  Expected<Truth> truth = ReadTruth(settings.truth, synonyms, {.image_set = settings.image_set});
  if (!truth) {
    return tl::unexpected(truth.error());
  }
  SayAll(settings.truth, truth->remarks);
  options.images_as_paper = AreThePapers(settings, *truth);
  if (IsPaperSet(settings.image_set)) {
    options.remarks = truth->remarks;
  }
  if (settings.pictures > 0) {
    DrawPictures(static_cast<std::size_t>(settings.pictures), flags.seed, *truth);
  }
  const Expected<Recording> near =
      Open(settings.near, settings.near_set, *truth, settings, flags, synonyms);
  if (!near) {
    return tl::unexpected(near.error());
  }
  const Expected<Recording> far =
      Open(settings.far, settings.far_set, *truth, settings, flags, synonyms);
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
  if (flags.pair != PairSettings{}) {
    pairs.push_back(flags.pair);
  }
  return {};
}

int RunSmallBig(SmallBigFlags& flags) {
  WatchForInterrupt();
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
  app.add_option("--cache", flags->cache,
                 "folder for the recordings of models that are run; they are gone on with")
      ->capture_default_str()
      ->type_name("FOLDER");
  app.add_option("-o,--output", flags->folder, "also write each table as CSV into this folder")
      ->type_name("FOLDER");
  CLI::Option* const json = app.add_flag("--json", flags->json, "one JSON object instead of text");
  app.add_flag("--markdown", flags->markdown, "Markdown instead of text")->excludes(json);
  return [flags] { return RunSmallBig(*flags); };
}

// ---- the paper's data sets

struct DatasetFlags {
  std::string folder;
  std::string set;
  std::string list;
  std::string synonyms;
};

/// "5011 images, 12608 objects", or what is in the way.
std::string Contents(const Expected<Truth>& truth) {
  if (!truth) {
    return truth.error().message;
  }
  std::size_t objects = 0;
  for (const TruthImage& image : truth->images) {
    objects += image.objects.size();
  }
  return std::to_string(truth->images.size()) + " images, " + std::to_string(objects) + " objects";
}

int PrintDatasets(const DatasetFlags& flags, const Synonyms& synonyms) {
  std::vector<std::vector<std::string>> rows;
  for (const PaperSetInfo& info : KnownPaperSets()) {
    for (const auto& [part, what] :
         {std::pair("train", info.train), std::pair("test", info.test)}) {
      const std::string name = std::string(info.name) + ":" + part;
      std::string contents;
      if (!flags.folder.empty()) {
        contents = Contents(ReadPaperSet(flags.folder, ParsePaperSet(name).value(), synonyms));
      }
      rows.push_back({name, std::string(what), contents});
    }
    if (!info.reading.empty()) {
      rows.push_back({"", "(" + std::string(info.reading) + ")", ""});
    }
  }
  std::cout << FormatTable({"", "is", flags.folder.empty() ? "" : "in " + flags.folder}, rows);
  return kDone;
}

int RunDatasets(const DatasetFlags& flags) {
  const Expected<Synonyms> synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return Stop(synonyms.error());
  }
  if (flags.set.empty()) {
    if (!flags.list.empty()) {
      Say("--write needs the name of a data set, as in: nearfar paper datasets VOCdevkit "
          "voc07++12:test --write test.txt");
      return kUsage;
    }
    std::error_code ignored;
    if (!flags.folder.empty() && !std::filesystem::exists(flags.folder, ignored)) {
      return Stop({ErrorCode::kNotFound, "there is nothing at " + flags.folder});
    }
    return PrintDatasets(flags, *synonyms);
  }
  const Expected<PaperSet> set = ParsePaperSet(flags.set);
  if (!set) {
    Say(set.error().message);
    return kUsage;
  }
  const Expected<Truth> truth = ReadPaperSet(flags.folder, *set, *synonyms);
  if (!truth) {
    return Stop(truth.error());
  }
  SayAll(flags.folder, truth->remarks);
  std::cout << flags.set << ": " << Contents(truth) << " of " << truth->classes.size()
            << (truth->classes.size() == 1 ? " class" : " classes") << "\n";
  if (flags.list.empty()) {
    return kDone;
  }
  std::ofstream file(flags.list);
  std::vector<std::string> missing;
  for (const TruthImage& image : truth->images) {
    if (image.file.empty()) {
      missing.push_back(image.name);
    } else {
      file << std::filesystem::absolute(image.file).lexically_normal().string() << "\n";
    }
  }
  file.close();
  if (!file) {
    return Stop({ErrorCode::kIo, "cannot write " + flags.list});
  }
  if (!missing.empty()) {
    Say(std::to_string(missing.size()) + " images have no picture: left out of " + flags.list +
        " (" + ListNames(missing) + ")");
    return kSomeFailed;
  }
  return kDone;
}

std::function<int()> SetUpDatasets(CLI::App& app) {
  const auto flags = std::make_shared<DatasetFlags>();
  app.add_option("folder", flags->folder,
                 "VOCdevkit, COCO or helmet folder; without it the sets are only listed")
      ->type_name("FOLDER");
  app.add_option("set", flags->set,
                 "a data set: NAME:train, NAME:test or NAME:all, then :seed=N where there is a "
                 "draw; coco-voc also :classes=A,B. It can also be given as --image-set to "
                 "calibrate, eval and paper small-big");
  app.add_option("--write", flags->list,
                 "write the paths of its pictures, one a line: an input of `nearfar record`")
      ->type_name("FILE.txt");
  app.add_option("--synonyms", flags->synonyms, "file of class spellings: canonical = alias, alias")
      ->type_name("FILE");
  return [flags] { return RunDatasets(*flags); };
}

}  // namespace

std::function<int()> SetUpPaper(CLI::App& app) {
  app.require_subcommand(1);
  CLI::App* const small_big = app.add_subcommand(
      "small-big",
      "Tables I and III to XVII of the small-big paper beside what pairs of yours give");
  CLI::App* const hode = app.add_subcommand(
      "hode", "Figures 2, 3 and 8 to 13 of the HODE paper beside what a simulated run gives");
  CLI::App* const datasets = app.add_subcommand(
      "datasets",
      "the paper's data sets by name, as voc07++12:test: what they hold, and lists of them");
  return [small_big, hode, of_small_big = SetUpSmallBig(*small_big), of_hode = SetUpPaperHode(*hode),
          of_datasets = SetUpDatasets(*datasets)] {
    return small_big->parsed() ? of_small_big() : hode->parsed() ? of_hode() : of_datasets();
  };
}

}  // namespace nearfar::cli
