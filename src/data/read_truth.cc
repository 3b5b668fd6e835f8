#include "data/read_truth.h"

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "data/paper_datasets.h"
#include "data/text.h"
#include "data/tracks.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

enum class Form { kUnknown, kVoc, kCoco, kYolo, kMot, kCsv, kTracks };

/// Whether one of PANDA's files, by how it begins: its table by the head line, its JSON by keys
/// that COCO's does not have.
bool IsPanda(const fs::path& path) {
  const Expected<std::string> text = ReadFileText(path.string());
  if (!text) {
    return false;
  }
  const std::string_view start = std::string_view(*text).substr(0, 4096);
  return start.starts_with("image,x,y,w,h") || start.find("\"image id\"") != start.npos ||
         start.find("\"image size\"") != start.npos || start.find("\"track id\"") != start.npos;
}

Form FormOfFile(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string extension = path.extension().string();
  if (extension == ".json") {
    return IsPanda(path) ? Form::kTracks : Form::kCoco;
  }
  if (extension == ".yaml" || extension == ".yml" || name == "classes.txt") {
    return Form::kYolo;
  }
  if (name == "gt.txt" || name == "seqinfo.ini") {
    return Form::kMot;
  }
  if (name.ends_with(".csv") || name.ends_with(".csv.gz")) {
    return IsPanda(path) ? Form::kTracks : Form::kCsv;
  }
  if (name.ends_with(".json.gz")) {
    return Form::kTracks;
  }
  const bool is_list = extension == ".txt" &&
                       fs::absolute(path).parent_path().parent_path().filename() == "ImageSets";
  if (extension == ".xml" || is_list) {
    return Form::kVoc;
  }
  return name.ends_with(".txt") || name.ends_with(".txt.gz") ? Form::kTracks : Form::kUnknown;
}

/// True when an entry of the folder fits.
template <typename Fits>
bool HasEntry(const fs::path& folder, Fits fits) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (fits(it->path())) {
      return true;
    }
  }
  return false;
}

Form FormOfFolder(const fs::path& path) {
  const auto is_xml = [](const fs::path& file) { return file.extension() == ".xml"; };
  const auto is_set = [](const fs::path& folder) {
    return fs::is_directory(folder / "Annotations");
  };
  const auto is_instances = [](const fs::path& file) {
    return file.extension() == ".json" &&
           (file.filename().string().starts_with("instances") ||
            file.filename().string().starts_with("_annotations.coco"));
  };
  if (is_set(path) || HasEntry(path / "VOCdevkit", is_set)) {
    return Form::kVoc;
  }
  if (fs::exists(path / "seqinfo.ini") || fs::exists(path / "gt" / "gt.txt")) {
    return Form::kMot;
  }
  if (HasEntry(path / "annotations", is_instances) || HasEntry(path, is_instances)) {
    return Form::kCoco;
  }
  for (const char* name :
       {"data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names", "labels"}) {
    if (fs::exists(path / name)) {
      return Form::kYolo;
    }
  }
  return HasEntry(path, is_set) || HasEntry(path, is_xml) ? Form::kVoc : Form::kUnknown;
}

}  // namespace

LabelSpace OrderClasses(const std::set<std::string>& canonical_names) {
  LabelSpace classes;
  for (const std::string& name : VocLabels().names) {
    if (canonical_names.contains(name)) {
      classes.names.push_back(name);
    }
  }
  if (classes.names.size() < canonical_names.size()) {
    classes.names.assign(canonical_names.begin(), canonical_names.end());
  }
  return classes;
}

Expected<Truth> ReadTruth(const std::string& path, const Synonyms& synonyms,
                          const TruthOptions& options) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return Fail(ErrorCode::kNotFound, "there are no annotations at " + path);
  }
  // No folder may be read, or it vanishes meanwhile: the one place where the file system throws.
  try {
    if (IsPaperSet(options.image_set)) {
      const Expected<PaperSet> set = ParsePaperSet(options.image_set);
      return set ? ReadPaperSet(path, *set, synonyms) : tl::unexpected(set.error());
    }
    switch (fs::is_directory(path) ? FormOfFolder(path) : FormOfFile(path)) {
      case Form::kVoc:
        return ReadVocTruth(path, synonyms, options);
      case Form::kCoco:
        return ReadCocoTruth(path, synonyms);
      case Form::kYolo:
        return ReadYoloTruth(path, synonyms, options);
      case Form::kMot:
        return ReadMotTruth(path);
      case Form::kCsv:
        return ReadCsvTruth(path, synonyms);
      case Form::kTracks: {
        const Expected<Tracks> tracks = ReadTracks(path);
        if (!tracks && tracks.error().code == ErrorCode::kUnsupported) {
          break;
        }
        return tracks ? Expected<Truth>(TracksAsTruth(*tracks)) : tl::unexpected(tracks.error());
      }
      case Form::kUnknown:
        break;
    }
  } catch (const fs::filesystem_error& failure) {
    return Fail(ErrorCode::kIo, "cannot read " + path + ": " + failure.what());
  }
  return Fail(ErrorCode::kUnsupported,
              path +
                  " is no annotation that nearfar knows: name a PASCAL VOC folder (Annotations/), "
                  "a COCO instances JSON, a YOLO data.yaml, a MOT sequence (seqinfo.ini, gt/), a "
                  "track file or a CSV image,class,xmin,ymin,xmax,ymax");
}

}  // namespace nearfar
