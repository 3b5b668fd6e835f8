#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/image/codec.h"
#include "cli/flag_values.h"
#include "cli/report.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "data/scene.h"
#include "data/write_truth.h"

namespace nearfar::cli {
namespace {

namespace fs = std::filesystem;

struct SceneFlags {
  std::string out;
  std::vector<std::string> splits{"all=100"};
  std::string size = "320x240";
  std::string format = "voc";
  std::uint64_t first = 0;
  bool street = false;
  int quality = 92;
  bool json = false;
  SceneOptions options;
};

struct Split {
  std::string name;
  int count = 0;
};

tl::unexpected<Error> BadFlag(const std::string& flag, const std::string& value,
                              const std::string& wanted) {
  return Fail(ErrorCode::kInvalidInput, flag + " '" + value + "': " + wanted);
}

Expected<int> ParseCount(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Fail(ErrorCode::kInvalidInput, "no whole number");
  }
  return value;
}

Expected<std::vector<Split>> ParseSplits(const std::vector<std::string>& texts) {
  std::vector<Split> splits;
  std::set<std::string> names;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const auto count = equals == std::string::npos
                           ? Expected<int>(0)
                           : ParseCount(std::string_view(text).substr(equals + 1));
    if (equals == std::string::npos || equals == 0 || !count || *count < 1 || *count > 1'000'000 ||
        text.find('/') != std::string::npos) {
      return BadFlag("--split", text, "give NAME=COUNT with a count of 1 to 1000000");
    }
    if (!names.insert(text.substr(0, equals)).second) {
      return BadFlag("--split", text, "this name was given before");
    }
    splits.push_back({text.substr(0, equals), *count});
  }
  return splits;
}

Expected<void> WriteFile(const fs::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) {
    return Fail(ErrorCode::kIo, "cannot write " + path.string() +
                                    ": is the disk full or the folder not yours to write?");
  }
  return {};
}

/// Where the parts of the set go.
struct SetFolders {
  fs::path pictures;
  fs::path annotations;
  fs::path lists;  ///< VOC only
};

Expected<SetFolders> MakeFolders(const SceneFlags& flags) {
  const fs::path root = flags.out;
  const SetFolders folders =
      flags.format == "voc"
          ? SetFolders{root / "JPEGImages", root / "Annotations", root / "ImageSets" / "Main"}
          : SetFolders{root / "images", root / "annotations", {}};
  for (const fs::path& folder : {folders.pictures, folders.annotations, folders.lists}) {
    std::error_code error;
    if (!folder.empty() && !fs::create_directories(folder, error) && error) {
      return Fail(ErrorCode::kIo,
                  "--out: cannot make the folder " + folder.string() + ": " + error.message());
    }
  }
  return folders;
}

/// Draws one picture and writes it, with its annotation where that is a file of its own.
Expected<TruthImage> WritePicture(const SceneFlags& flags, const SetFolders& folders,
                                  std::uint64_t index) {
  const ScenePicture picture =
      flags.street ? DrawStreetFrame(flags.options, index) : DrawPicture(flags.options, index);
  const std::string file = picture.name + ".jpg";
  const auto jpeg = EncodeJpeg(picture.pixels.view(), flags.quality);
  if (!jpeg) {
    return tl::unexpected(jpeg.error());
  }
  TruthImage truth = ToTruth(picture);
  truth.file = (folders.pictures / file).string();
  Expected<void> written =
      WriteFile(truth.file, {reinterpret_cast<const char*>(jpeg->data()), jpeg->size()});
  if (written && flags.format == "voc") {
    written = WriteFile(folders.annotations / (picture.name + ".xml"),
                        FormatVocXml(truth, SceneLabels(), file, "scene"));
  }
  if (!written) {
    return tl::unexpected(written.error());
  }
  return truth;
}

/// Writes the list (VOC) or the instances (COCO) of a split.
Expected<void> WriteSplit(const SceneFlags& flags, const SetFolders& folders, const Split& split,
                          const Truth& truth) {
  if (flags.format == "coco") {
    return WriteFile(folders.annotations / ("instances_" + split.name + ".json"),
                     FormatCocoInstances(truth));
  }
  std::string list;
  for (const TruthImage& image : truth.images) {
    list += image.name + "\n";
  }
  return WriteFile(folders.lists / (split.name + ".txt"), list);
}

int CountObjects(const Truth& truth, int label) {
  int count = 0;
  for (const TruthImage& image : truth.images) {
    for (const TruthObject& object : image.objects) {
      count += object.label == label ? 1 : 0;
    }
  }
  return count;
}

void Report(const SceneFlags& flags, const std::vector<std::pair<Split, Truth>>& written) {
  if (flags.json) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject();
    json.Field("out", flags.out);
    json.Field("seed", flags.options.seed);
    json.Key("splits");
    json.BeginArray();
    for (const auto& [split, truth] : written) {
      json.BeginObject();
      json.Field("name", split.name);
      json.Field("images", truth.images.size());
      json.Key("objects");
      json.BeginObject();
      for (int label = 0; label < SceneLabels().size(); ++label) {
        json.Field(SceneLabels().names[static_cast<std::size_t>(label)],
                   CountObjects(truth, label));
      }
      json.EndObject();
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
    std::cout << text << "\n";
    return;
  }
  std::vector<std::string> header{"split", "images"};
  header.insert(header.end(), SceneLabels().names.begin(), SceneLabels().names.end());
  std::vector<std::vector<std::string>> rows;
  for (const auto& [split, truth] : written) {
    rows.push_back({split.name, std::to_string(truth.images.size())});
    for (int label = 0; label < SceneLabels().size(); ++label) {
      rows.back().push_back(std::to_string(CountObjects(truth, label)));
    }
  }
  std::cout << FormatTable(header, rows);
}

int RunScene(SceneFlags flags) {
  const auto size = ParseSizeFlag(flags.size, "--size");
  const auto splits = ParseSplits(flags.splits);
  if (!size || !splits) {
    Say((!size ? size.error() : splits.error()).message);
    return kUsage;
  }
  flags.options.size = *size;
  if (const auto valid = Validate(flags.options); !valid) {
    Say(valid.error().message);
    return kUsage;
  }
  const auto folders = MakeFolders(flags);
  if (!folders) {
    return Stop(folders.error());
  }
  std::uint64_t total = 0;
  for (const Split& split : *splits) {
    total += static_cast<std::uint64_t>(split.count);
  }
  WatchForInterrupt();
  Progress progress("drawing", total);
  std::vector<std::pair<Split, Truth>> written;
  std::uint64_t index = flags.first;
  for (const Split& split : *splits) {
    Truth truth{.classes = SceneLabels()};
    for (int i = 0; i < split.count && !Interrupted(); ++i, ++index) {
      auto image = WritePicture(flags, *folders, index);
      if (!image) {
        return Stop(image.error());
      }
      truth.images.push_back(*std::move(image));
      progress.Advance();
    }
    // What was drawn before an interrupt makes a set, too.
    if (const auto saved = WriteSplit(flags, *folders, split, truth); !saved) {
      return Stop(saved.error());
    }
    written.emplace_back(split, std::move(truth));
    if (Interrupted()) {
      break;
    }
  }
  Report(flags, written);
  return Interrupted() ? kInterrupted : kDone;
}

}  // namespace

std::function<int()> SetUpScene(CLI::App& app) {
  const auto flags = std::make_shared<SceneFlags>();
  app.add_option("--out", flags->out, "Folder of the set; made where it is not there")->required();
  app.add_option("--split", flags->splits,
                 "Parts of the set as NAME=COUNT; repeatable. No picture is in two of them")
      ->capture_default_str();
  app.add_option("--format", flags->format,
                 "voc (XML and lists) or coco (instances JSON, hard objects as crowd regions)")
      ->check(CLI::IsMember({"voc", "coco"}))
      ->capture_default_str();
  app.add_option("--seed", flags->options.seed, "Two seeds share no picture")
      ->capture_default_str();
  app.add_option("--size", flags->size, "WIDTHxHEIGHT in px")->capture_default_str();
  app.add_option("--first", flags->first, "Number of the first picture")->capture_default_str();
  app.add_flag("--street", flags->street,
               "Consecutive frames of one street instead of single pictures");
  app.add_option("--quiet", flags->options.quiet_share,
                 "Share of pictures with one or two large objects")
      ->capture_default_str();
  app.add_option("--crowd", flags->options.crowd_share, "Share of pictures with many small objects")
      ->capture_default_str();
  app.add_option("--quality", flags->quality, "JPEG quality")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_flag("--json", flags->json, "Say what was written as JSON");
  return [flags] { return RunScene(*flags); };
}

}  // namespace nearfar::cli
