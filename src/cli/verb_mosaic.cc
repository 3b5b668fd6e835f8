#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "adapters/image/codec.h"
#include "cli/flag_values.h"
#include "cli/report.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "data/mosaic.h"
#include "data/read_truth.h"
#include "data/write_truth.h"

namespace nearfar::cli {
namespace {

namespace fs = std::filesystem;

struct MosaicFlags {
  std::vector<std::string> inputs;
  std::string image_set;
  std::string out;
  std::string grid = "2x2";
  std::string synonyms;
  int quality = 95;
  bool json = false;
  MosaicOptions options;
};

/// "RxC" as two numbers. Errors: kInvalidInput.
Expected<std::pair<int, int>> ParseGrid(const std::string& text) {
  const std::size_t cross = text.find('x');
  std::pair<int, int> grid;
  const auto read = [&](std::size_t from, std::size_t to, int& number) {
    const auto [end, error] = std::from_chars(text.data() + from, text.data() + to, number);
    return error == std::errc() && end == text.data() + to;
  };
  if (cross == std::string::npos || !read(0, cross, grid.first) ||
      !read(cross + 1, text.size(), grid.second)) {
    return Fail(ErrorCode::kInvalidInput,
                "--grid '" + text + "': give ROWSxCOLUMNS of pictures, such as 2x2");
  }
  return grid;
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

Expected<std::vector<Truth>> ReadSets(const MosaicFlags& flags) {
  const Expected<Synonyms> synonyms = ReadSynonyms(flags.synonyms);
  if (!synonyms) {
    return tl::unexpected(synonyms.error());
  }
  std::vector<Truth> sets;
  for (const std::string& input : flags.inputs) {
    Expected<Truth> truth = ReadTruth(input, *synonyms, {.image_set = flags.image_set});
    if (!truth) {
      return tl::unexpected(truth.error());
    }
    SayAll(input, truth->remarks);
    sets.push_back(*std::move(truth));
  }
  return sets;
}

/// Decoded pictures, each read once however many mosaics it stands in.
class Pictures {
 public:
  explicit Pictures(const std::vector<Truth>& sets) : sets_(sets) {}

  /// Errors: those of reading and decoding, with the file; kInvalidInput when it has another size
  /// than its annotation says.
  Expected<const Image*> Get(std::size_t set, std::size_t image) {
    const auto found = pictures_.find({set, image});
    if (found != pictures_.end()) {
      return &found->second;
    }
    const TruthImage& wanted = sets_[set].images[image];
    const ImageLimits limits;
    const auto bytes = ReadFileBytes(wanted.file, limits.max_bytes);
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    Expected<Image> decoded = DecodeImage(*bytes, limits);
    if (!decoded) {
      return Fail(decoded.error().code, wanted.file + ": " + decoded.error().message);
    }
    if (decoded->size() != wanted.size) {
      return Fail(ErrorCode::kInvalidInput,
                  wanted.file + ": the picture is " + std::to_string(decoded->size().width) + "x" +
                      std::to_string(decoded->size().height) + ", its annotation says " +
                      std::to_string(wanted.size.width) + "x" + std::to_string(wanted.size.height));
    }
    if (pictures_.size() >= kMost) {
      pictures_.clear();
    }
    return &pictures_.emplace(std::pair(set, image), *std::move(decoded)).first->second;
  }

 private:
  static constexpr std::size_t kMost = 64;

  const std::vector<Truth>& sets_;
  std::map<std::pair<std::size_t, std::size_t>, Image> pictures_;
};

Expected<Image> Lay(const Mosaic& mosaic, Pictures& pictures) {
  Image laid(mosaic.truth.size);
  for (const MosaicPiece& piece : mosaic.pieces) {
    const Expected<const Image*> picture = pictures.Get(piece.set, piece.image);
    if (!picture) {
      return tl::unexpected(picture.error());
    }
    const PixelView from = (*picture)->view();
    for (int y = 0; y < piece.rect.height; ++y) {
      std::memcpy(laid.row(piece.rect.y + y) + std::ptrdiff_t{3} * piece.rect.x, from.row(y),
                  static_cast<std::size_t>(piece.rect.width) * 3);
    }
  }
  return laid;
}

void Report(const MosaicFlags& flags, const Truth& truth) {
  std::size_t objects = 0;
  std::size_t ignored = 0;
  for (const TruthImage& image : truth.images) {
    objects += image.objects.size();
    ignored += static_cast<std::size_t>(
        std::count_if(image.objects.begin(), image.objects.end(),
                      [](const TruthObject& o) { return o.difficult || o.crowd; }));
  }
  if (flags.json) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject();
    json.Field("out", flags.out);
    json.Field("seed", flags.options.seed);
    json.Field("images", truth.images.size());
    json.Field("objects", objects - ignored);
    json.Field("ignored", ignored);
    json.EndObject();
    std::cout << text << std::endl;
    return;
  }
  std::cout << flags.out << ": " << truth.images.size() << " mosaics";
  if (!truth.images.empty()) {
    std::cout << " of " << truth.images[0].size.width << "x" << truth.images[0].size.height
              << " px";
  }
  std::cout << " with " << objects - ignored << " objects and " << ignored
            << " more that are neither wanted nor punished" << std::endl;
}

int RunMosaic(MosaicFlags flags) {
  const auto grid = ParseGrid(flags.grid);
  if (!grid) {
    Say(grid.error().message);
    return kUsage;
  }
  std::tie(flags.options.rows, flags.options.columns) = *grid;
  if (const auto valid = Validate(flags.options); !valid) {
    Say(valid.error().message);
    return kUsage;
  }
  const auto sets = ReadSets(flags);
  if (!sets) {
    return Stop(sets.error());
  }
  Expected<std::vector<Mosaic>> mosaics = PlanMosaics(*sets, flags.options);
  if (!mosaics) {
    return Stop(mosaics.error());
  }
  const fs::path pictures_folder = fs::path(flags.out) / "images";
  const fs::path annotations = fs::path(flags.out) / "annotations";
  for (const fs::path& folder : {pictures_folder, annotations}) {
    std::error_code error;
    if (!fs::create_directories(folder, error) && error) {
      return Stop({ErrorCode::kIo,
                   "--out: cannot make the folder " + folder.string() + ": " + error.message()});
    }
  }
  WatchForInterrupt();
  Pictures pictures(*sets);
  Progress progress("laying", mosaics->size());
  Truth truth{.classes = sets->front().classes};
  for (Mosaic& mosaic : *mosaics) {
    if (Interrupted()) {
      break;
    }
    const Expected<Image> laid = Lay(mosaic, pictures);
    if (!laid) {
      return Stop(laid.error());
    }
    const auto jpeg = EncodeJpeg(laid->view(), flags.quality);
    if (!jpeg) {
      return Stop(jpeg.error());
    }
    mosaic.truth.file = (pictures_folder / (mosaic.truth.name + ".jpg")).string();
    if (const auto written = WriteFile(mosaic.truth.file,
                                       {reinterpret_cast<const char*>(jpeg->data()), jpeg->size()});
        !written) {
      return Stop(written.error());
    }
    truth.images.push_back(std::move(mosaic.truth));
    progress.Advance();
  }
  // What was laid before an interrupt makes a set, too.
  if (const auto written =
          WriteFile(annotations / "instances_all.json", FormatCocoInstances(truth));
      !written) {
    return Stop(written.error());
  }
  Report(flags, truth);
  return Interrupted() ? kInterrupted : kDone;
}

}  // namespace

std::function<int()> SetUpMosaic(CLI::App& app) {
  const auto flags = std::make_shared<MosaicFlags>();
  app.add_option("inputs", flags->inputs,
                 "annotated sets: MOT sequences, VOC and YOLO folders, COCO JSON; all pictures of "
                 "one size")
      ->required()
      ->type_name("TRUTH");
  app.add_option("-o,--out", flags->out, "folder of the new set (COCO); made where it is not there")
      ->required()
      ->type_name("DIR");
  app.add_option("--grid", flags->grid, "ROWSxCOLUMNS of pictures in a mosaic")
      ->capture_default_str();
  app.add_option("--count", flags->options.count, "mosaics")->capture_default_str();
  app.add_option("--seed", flags->options.seed, "which pictures meet")->capture_default_str();
  app.add_option("--image-set", flags->image_set,
                 "part of the sets: a VOC list (test), a YOLO split (val)");
  app.add_option("--quality", flags->quality, "JPEG quality")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--synonyms", flags->synonyms,
                 "which class names mean the same (default: built in)")
      ->type_name("FILE");
  app.add_flag("--json", flags->json, "say what was written as one JSON object");
  return [flags] { return RunMosaic(*flags); };
}

}  // namespace nearfar::cli
