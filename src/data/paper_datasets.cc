#include "data/paper_datasets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "core/rng.h"
#include "data/read_truth.h"
#include "data/text.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// Sizes of the paper's sets [SmallBig §VI.A.1].
constexpr double kDrawnOfVoc12 = 4952.0 / 11540.0;
constexpr double kDrawnOfCoco = .05;

constexpr std::array kSets = {
    PaperSetInfo{"voc07", "VOC2007 trainval", "VOC2007 test", ""},
    PaperSetInfo{"voc07+12", "VOC2007 trainval and VOC2012 trainval", "VOC2007 test", ""},
    PaperSetInfo{
        "voc07++12", "VOC2007 trainval and test, and VOC2012 trainval less the test images",
        "4952/11540 of VOC2012 trainval, drawn", "the paper gives no seed: the draw is by ours"},
    PaperSetInfo{"coco-voc", "images of COCO with an object of VOC's classes, less the test images",
                 "5 % of them, drawn",
                 "the paper takes 18 classes and does not name them: all 20, unless named"},
    PaperSetInfo{"helmet", "the list trainval or train of a set in VOC's style", "its list test",
                 "Sedna's images; no split is given"},
};

std::string NamesOfSets() {
  std::string names;
  for (const PaperSetInfo& set : kSets) {
    names += (names.empty() ? "" : ", ") + std::string(set.name);
  }
  return names;
}

/// One truth of several, in their order. Errors: kInvalidInput for a name in two of them.
Expected<Truth> Join(std::vector<Truth> parts, const std::string& path) {
  if (parts.size() == 1) {
    return std::move(parts[0]);
  }
  std::set<std::string> classes;
  for (const Truth& part : parts) {
    classes.insert(part.classes.names.begin(), part.classes.names.end());
  }
  Truth joined{.classes = OrderClasses(classes)};
  std::set<std::string> names;
  for (Truth& part : parts) {
    for (TruthImage& image : part.images) {
      if (!names.insert(image.name).second) {
        return Fail(ErrorCode::kInvalidInput, path + ": two parts of the set have an image " +
                                                  image.name + ": is one folder there twice?");
      }
      for (TruthObject& object : image.objects) {
        object.label =
            joined.classes.Find(part.classes.names[static_cast<std::size_t>(object.label)]);
      }
      joined.images.push_back(std::move(image));
    }
    joined.remarks.insert(joined.remarks.end(), part.remarks.begin(), part.remarks.end());
  }
  return joined;
}

/// Which of the images a draw takes, by name: `count` of them.
std::set<std::string> Draw(const std::vector<TruthImage>& images, std::size_t count,
                           std::uint64_t seed) {
  std::vector<std::pair<std::uint64_t, std::string>> order;
  for (const TruthImage& image : images) {
    order.emplace_back(MixBits(HashText(image.name) ^ MixBits(seed)), image.name);
  }
  std::sort(order.begin(), order.end());
  std::set<std::string> drawn;
  for (std::size_t i = 0; i < std::min(count, order.size()); ++i) {
    drawn.insert(std::move(order[i].second));
  }
  return drawn;
}

void KeepDrawn(std::vector<TruthImage>& images, const std::set<std::string>& drawn, bool wanted) {
  std::erase_if(images,
                [&](const TruthImage& image) { return drawn.contains(image.name) != wanted; });
}

/// The folder VOC2007 or VOC2012 in a devkit, or the path itself where it is that folder.
Expected<std::string> FindYear(const fs::path& path, const std::string& year,
                               const std::string& set) {
  const fs::path itself = path.filename().empty() ? path.parent_path() : path;
  std::vector<fs::path> places = {path / year, path / "VOCdevkit" / year};
  if (itself.filename() == year) {
    places.push_back(itself);
  } else if (itself.filename().string().starts_with("VOC20")) {
    places.push_back(itself.parent_path() / year);
  }
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (fs::is_directory(place / "Annotations", ignored)) {
      return place.string();
    }
  }
  return Fail(ErrorCode::kNotFound, set + " needs " + year + "/Annotations, which is not in " +
                                        path.string() + ": name a VOCdevkit folder that has it");
}

class VocParts {
 public:
  VocParts(const std::string& path, std::string set, const Synonyms& synonyms)
      : path_(path), set_(std::move(set)), synonyms_(synonyms) {}

  /// Adds one list of a year; the first error stays.
  VocParts& Add(const std::string& year, const std::string& list) {
    if (error_) {
      return *this;
    }
    const Expected<std::string> folder = FindYear(path_, year, set_);
    if (!folder) {
      error_ = folder.error();
      return *this;
    }
    Expected<Truth> truth = ReadVocTruth(*folder, synonyms_, {.image_set = list});
    if (truth) {
      parts_.push_back(std::move(*truth));
    } else {
      error_ = truth.error();
    }
    return *this;
  }
  /// Takes the drawn images of the part added last, or what the draw leaves of it.
  VocParts& OfDraw(std::uint64_t seed, bool wanted) {
    if (!error_) {
      std::vector<TruthImage>& images = parts_.back().images;
      const auto all = images.size();
      const auto count =
          static_cast<std::size_t>(std::llround(kDrawnOfVoc12 * static_cast<double>(all)));
      KeepDrawn(images, Draw(images, count, seed), wanted);
      parts_.back().remarks.push_back(set_ + ": " + std::to_string(count) + " of the " +
                                      std::to_string(all) +
                                      " images of VOC2012 trainval drawn as test images by seed " +
                                      std::to_string(seed) + "; the paper gives none");
    }
    return *this;
  }
  Expected<Truth> Joined() {
    return error_ ? Expected<Truth>(tl::unexpected(*error_)) : Join(std::move(parts_), path_);
  }

 private:
  std::string path_;
  std::string set_;
  const Synonyms& synonyms_;
  std::vector<Truth> parts_;
  std::optional<Error> error_;
};

Expected<Truth> ReadVoc(const std::string& path, const PaperSet& set, const Synonyms& synonyms) {
  VocParts parts(path, set.name, synonyms);
  const bool train = set.part != PaperPart::kTest;
  const bool test = set.part != PaperPart::kTrain;
  if (set.name == "voc07++12") {
    if (train) {
      parts.Add("VOC2007", "trainval").Add("VOC2007", "test");
      parts.Add("VOC2012", "trainval").OfDraw(set.seed, false);
    }
    if (test) {
      parts.Add("VOC2012", "trainval").OfDraw(set.seed, true);
    }
  } else {
    if (train) {
      parts.Add("VOC2007", "trainval");
      if (set.name == "voc07+12") {
        parts.Add("VOC2012", "trainval");
      }
    }
    if (test) {
      parts.Add("VOC2007", "test");
    }
  }
  return parts.Joined();
}

/// The instances files of one year in a folder, train before val; or the file itself.
Expected<std::vector<std::string>> InstancesFiles(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    return std::vector<std::string>{path.string()};
  }
  std::map<std::string, std::set<std::string>> by_year;
  for (const fs::path& folder : {path / "annotations", path}) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string stem = it->path().stem().string();
      for (const std::string_view kind :
           {"instances_trainval", "instances_train", "instances_val"}) {
        if (it->path().extension() == ".json" && stem.starts_with(kind)) {
          by_year[stem.substr(kind.size())].insert(it->path().string());
          break;
        }
      }
    }
  }
  if (by_year.size() != 1) {
    std::vector<std::string> years;
    for (const auto& [year, files] : by_year) {
      years.push_back(year);
    }
    return by_year.empty()
               ? Fail(ErrorCode::kNotFound,
                      "coco-voc needs instances_train*.json or instances_val*.json, which are not "
                      "in " +
                          path.string() + " or its annotations/")
               : Fail(ErrorCode::kInvalidInput, path.string() + " holds several years (" +
                                                    ListNames(years, 8) +
                                                    "), which share photos: name one JSON file");
  }
  const std::set<std::string>& files = by_year.begin()->second;
  return std::vector<std::string>(files.begin(), files.end());
}

Expected<Truth> ReadCocoOfVoc(const std::string& path, const PaperSet& set,
                              const Synonyms& synonyms) {
  const auto files = InstancesFiles(path);
  if (!files) {
    return tl::unexpected(files.error());
  }
  std::vector<Truth> parts;
  for (const std::string& file : *files) {
    Expected<Truth> part = ReadCocoTruth(file, synonyms);
    if (!part) {
      return part;
    }
    parts.push_back(std::move(*part));
  }
  Expected<Truth> joined = Join(std::move(parts), path);
  if (!joined) {
    return joined;
  }
  Truth& truth = *joined;
  const LabelSpace wanted =
      set.classes.empty() ? VocLabels() : MakeLabelSpace(set.classes, synonyms);
  for (const std::string& name : wanted.names) {
    if (truth.classes.Find(name) == kNoLabel) {
      return Fail(ErrorCode::kNotFound, path + " has no class '" + name + "'");
    }
  }
  const LabelMap map = MapLabels(truth.classes.names, wanted, synonyms);
  truth.classes = wanted;
  for (TruthImage& image : truth.images) {
    for (TruthObject& object : image.objects) {
      object.label = map.label_of[static_cast<std::size_t>(object.label)];
    }
    std::erase_if(image.objects, [](const TruthObject& o) { return o.label == kNoLabel; });
  }
  std::erase_if(truth.images, [](const TruthImage& image) { return image.objects.empty(); });
  truth.remarks.push_back("coco-voc: " + std::to_string(truth.images.size()) +
                          " images with an object of " + std::to_string(wanted.size()) +
                          " classes; the paper has 98267 of 18 classes that it does not name" +
                          (set.classes.empty() ? "" : ", these are named by the user"));
  if (set.part != PaperPart::kAll) {
    const auto count = static_cast<std::size_t>(
        std::ceil(kDrawnOfCoco * static_cast<double>(truth.images.size())));
    KeepDrawn(truth.images, Draw(truth.images, count, set.seed), set.part == PaperPart::kTest);
    truth.remarks.push_back("coco-voc: " + std::to_string(count) +
                            " images drawn as test images by seed " + std::to_string(set.seed) +
                            "; the paper gives none");
  }
  return joined;
}

Expected<Truth> ReadHelmet(const std::string& path, const PaperSet& set, const Synonyms& synonyms) {
  TruthOptions options;
  if (set.part == PaperPart::kTest) {
    options.image_set = "test";
  } else if (set.part == PaperPart::kTrain) {
    std::error_code ignored;
    options.image_set = fs::exists(fs::path(path) / "ImageSets" / "Main" / "trainval.txt", ignored)
                            ? "trainval"
                            : "train";
  }
  Expected<Truth> truth = ReadVocTruth(path, synonyms, options);
  if (!truth && truth.error().code == ErrorCode::kNotFound && !options.image_set.empty()) {
    return Fail(ErrorCode::kNotFound,
                truth.error().message + "; helmet:all takes every annotated image");
  }
  return truth;
}

Expected<std::uint64_t> ParseSeed(std::string_view text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "the seed '" + std::string(text) + "' is no whole number from 0");
  }
  return seed;
}

}  // namespace

std::span<const PaperSetInfo> KnownPaperSets() { return kSets; }

bool IsPaperSet(std::string_view text) {
  const std::size_t colon = text.find(':');
  return colon != std::string_view::npos &&
         std::any_of(kSets.begin(), kSets.end(),
                     [&](const PaperSetInfo& set) { return set.name == text.substr(0, colon); });
}

Expected<PaperSet> ParsePaperSet(std::string_view text) {
  const auto wrong = [&](const std::string& what) {
    return Fail(ErrorCode::kInvalidInput,
                "'" + std::string(text) + "': " + what +
                    "; write NAME:train, NAME:test or NAME:all, then :seed=N where there is a draw "
                    "and :classes=A,B for coco-voc; names are " +
                    NamesOfSets());
  };
  const std::vector<std::string_view> words = SplitAt(text, ':');
  PaperSet set{.name = std::string(words[0])};
  if (std::none_of(kSets.begin(), kSets.end(),
                   [&](const PaperSetInfo& known) { return known.name == set.name; })) {
    return Fail(ErrorCode::kNotFound,
                "the paper has no data set '" + set.name + "': there are " + NamesOfSets());
  }
  if (words.size() < 2) {
    return wrong("which part of it?");
  }
  if (words[1] == "train") {
    set.part = PaperPart::kTrain;
  } else if (words[1] == "all") {
    set.part = PaperPart::kAll;
  } else if (words[1] != "test") {
    return wrong("no part is called '" + std::string(words[1]) + "'");
  }
  const bool is_drawn = set.name == "voc07++12" || set.name == "coco-voc";
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (words[i].starts_with("seed=") && is_drawn) {
      const auto seed = ParseSeed(words[i].substr(5));
      if (!seed) {
        return wrong(seed.error().message);
      }
      set.seed = *seed;
    } else if (words[i].starts_with("classes=") && set.name == "coco-voc") {
      for (const std::string_view name : SplitAt(words[i].substr(8), ',')) {
        if (name.empty()) {
          return wrong("a class without a name");
        }
        set.classes.emplace_back(name);
      }
    } else {
      return wrong("'" + std::string(words[i]) + "' is nothing that " + set.name + " has");
    }
  }
  return set;
}

Expected<Truth> ReadPaperSet(const std::string& path, const PaperSet& set,
                             const Synonyms& synonyms) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return Fail(ErrorCode::kNotFound, "there is nothing at " + path);
  }
  Expected<Truth> truth = set.name == "coco-voc" ? ReadCocoOfVoc(path, set, synonyms)
                          : set.name == "helmet" ? ReadHelmet(path, set, synonyms)
                                                 : ReadVoc(path, set, synonyms);
  if (truth && truth->images.empty()) {
    return Fail(ErrorCode::kInvalidInput, path + ": no image is in this part of " + set.name);
  }
  return truth;
}

}  // namespace nearfar
