#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/flag_values.h"
#include "cli/report.h"
#include "cli/verb.h"
#include "core/json_writer.h"
#include "core/percentile.h"
#include "data/read_truth.h"
#include "data/recorded_tiling.h"
#include "data/recording.h"
#include "tiling/merge.h"

namespace nearfar::cli {
namespace {

struct MergeFlags {
  std::string tiles;
  std::string output;
  std::string how = "border";
  std::string cells = "all";
  std::string occupied;
  bool no_overview = false;
  bool force = false;
  bool json = false;
  MergeOptions options;
};

/// The regions of one picture, in plan order.
using Regions = std::vector<const RecordedFrame*>;

/// Cells by number from "3,4,17". Errors: kInvalidInput.
Expected<std::set<int>> ParseCells(const std::string& text) {
  std::set<int> cells;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    int cell = 0;
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + end, cell);
    if (error != std::errc() || stop != rest.data() + end || cell < 0) {
      return Fail(ErrorCode::kInvalidInput,
                  "--cells '" + text + "': give all, or the cells' numbers as in 0,1,7");
    }
    cells.insert(cell);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return cells;
}

/// Which cells of which pictures are merged; what is not named is.
class Choice {
 public:
  static Expected<Choice> Make(const MergeFlags& flags) {
    Choice choice;
    if (flags.cells != "all") {
      auto cells = ParseCells(flags.cells);
      if (!cells) {
        return tl::unexpected(cells.error());
      }
      choice.named_ = *std::move(cells);
    }
    if (!flags.occupied.empty()) {
      Expected<Truth> truth = ReadTruth(flags.occupied);
      if (!truth) {
        return tl::unexpected(truth.error());
      }
      SayAll(flags.occupied, truth->remarks);
      for (TruthImage& image : truth->images) {
        choice.truth_[image.name] = std::move(image.objects);
      }
    }
    return choice;
  }

  /// The cells of a picture that are merged; nothing where all are.
  /// Errors: kNotFound when the truth lacks the picture.
  Expected<std::optional<std::set<int>>> Of(const std::string& name, const TileGrid& grid) const {
    std::optional<std::set<int>> cells = named_;
    if (!truth_.empty()) {
      const auto found = truth_.find(name);
      if (found == truth_.end()) {
        return Fail(ErrorCode::kNotFound, "--occupied: the truth has no picture " + name);
      }
      std::set<int> occupied;
      for (const TruthObject& object : found->second) {
        const int cell = grid.CellOf(object.box);
        if (!named_ || named_->contains(cell)) {
          occupied.insert(cell);
        }
      }
      cells = std::move(occupied);
    }
    return cells;
  }

 private:
  std::optional<std::set<int>> named_;
  std::map<std::string, std::vector<TruthObject>> truth_;
};

struct Tally {
  std::size_t regions = 0;
  std::size_t incomplete = 0;  ///< pictures that lack regions
  std::vector<std::int64_t> pixels;
  std::vector<Duration> merging;
};

/// The regions by picture, in the order in which the pictures come.
std::vector<Regions> ByPicture(const Recording& recording) {
  std::map<std::string_view, std::size_t> index;
  std::vector<Regions> pictures;
  for (const RecordedFrame& frame : recording.frames) {
    const auto [found, is_new] = index.emplace(frame.name, pictures.size());
    if (is_new) {
      pictures.emplace_back();
    }
    pictures[found->second].push_back(&frame);
  }
  for (Regions& regions : pictures) {
    std::sort(regions.begin(), regions.end(),
              [](const RecordedFrame* a, const RecordedFrame* b) { return a->region < b->region; });
  }
  return pictures;
}

RegionResult ResultOf(const RecordedFrame& frame, const TileGrid& grid) {
  const int number = static_cast<int>(ToNumber(frame.region));
  RegionResult result{.detections = frame.detections, .source = number};
  result.region.kind =
      number < grid.cells() ? TiledRegion::Kind::kTiles : TiledRegion::Kind::kOverview;
  result.region.rect = frame.rect;
  if (number < grid.cells()) {
    result.region.cells = {number};
  }
  result.region.input = frame.input.area() > 0 ? frame.input : frame.rect.size();
  return result;
}

/// One picture's regions as one whole frame.
Expected<RecordedFrame> MergePicture(const Regions& regions, const RecordedTiling& tiling,
                                     const MergeFlags& flags, const Choice& choice, Tally& tally) {
  const RecordedFrame& some = *regions.front();
  const TileGrid grid = MakeTileGrid(some.size, tiling.tile);
  const auto cells = choice.Of(some.name, grid);
  if (!cells) {
    return tl::unexpected(cells.error());
  }
  std::vector<RegionResult> results;
  double service_ms = 0;
  std::int64_t pixels = 0;
  for (const RecordedFrame* frame : regions) {
    const int number = static_cast<int>(ToNumber(frame->region));
    const bool wanted = flags.how == "whole"      ? number == grid.cells() + 1
                        : flags.how == "overview" ? number == grid.cells()
                        : number == grid.cells()  ? !flags.no_overview
                        : number < grid.cells()   ? !*cells || (*cells)->contains(number)
                                                  : false;
    if (wanted) {
      results.push_back(ResultOf(*frame, grid));
      service_ms += std::max(0.0, frame->service_ms);
      pixels += results.back().region.pixels();
    }
  }
  if (regions.size() < RegionsToRecord(tiling, some.size).size()) {
    ++tally.incomplete;
  }
  RecordedFrame whole{.source = some.source,
                      .name = some.name,
                      .index = some.index,
                      .rect = WholeOf(some.size),
                      .size = some.size,
                      .captured_ms = some.captured_ms,
                      .service_ms = service_ms};
  const SystemClock clock;
  const TimePoint start = clock.Now();
  Merged merged = flags.how == "iou" ? MergeByIou(results, flags.options)
                                     : MergeByBorder(some.size, results, flags.options);
  tally.merging.push_back(clock.Now() - start);
  whole.detections = std::move(merged.detections);
  tally.regions += results.size();
  tally.pixels.push_back(pixels);
  return whole;
}

/// What the merged boxes' identity says of how they came about.
std::string HowText(const MergeFlags& flags) {
  std::string text = "merged by " + flags.how;
  if (flags.cells != "all") {
    text += " of cells " + flags.cells;
  }
  if (!flags.occupied.empty()) {
    text += " of occupied cells";
  }
  return flags.no_overview ? text + " without overview" : text;
}

int Report(const MergeFlags& flags, const Recording& merged, const Tally& tally) {
  std::size_t boxes = 0;
  for (const RecordedFrame& frame : merged.frames) {
    boxes += frame.detections.size();
  }
  const auto milliseconds = [&](double percent) {
    return tally.merging.empty() ? 0.0 : ToMilliseconds(Percentile(tally.merging, percent));
  };
  const double median_pixels =
      tally.pixels.empty() ? 0.0 : static_cast<double>(Percentile(tally.pixels, 50.0)) / 1e6;
  if (flags.json) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject();
    json.Field("recording", flags.output);
    json.Field("images", merged.frames.size());
    json.Field("regions", tally.regions);
    json.Field("incomplete", tally.incomplete);
    json.Field("boxes", boxes);
    json.Field("megapixels_p50", median_pixels);
    json.Field("merge_ms_p50", milliseconds(50));
    json.Field("merge_ms_p95", milliseconds(95));
    json.EndObject();
    std::cout << text << std::endl;
    return kDone;
  }
  char text[160];
  std::snprintf(text, sizeof text, "; p50 %.1f Mpx a picture; merging took p50 %.3f, p95 %.3f ms",
                median_pixels, milliseconds(50), milliseconds(95));
  std::cout << flags.output << ": " << merged.frames.size() << " images of " << tally.regions
            << " regions with " << boxes << " boxes" << text << std::endl;
  return kDone;
}

int RunMerge(const MergeFlags& flags) {
  if (const auto valid = Validate(flags.options); !valid) {
    Say(valid.error().message);
    return kUsage;
  }
  std::error_code ignored;
  if (!flags.force && std::filesystem::exists(flags.output, ignored)) {
    Say("there is already a file " + flags.output + ": name another, or --force to replace it");
    return kCannot;
  }
  const Expected<Choice> choice = Choice::Make(flags);
  if (!choice) {
    return Stop(choice.error());
  }
  const Expected<Recording> recording = ReadRecording(flags.tiles);
  if (!recording) {
    return Stop(recording.error());
  }
  SayAll("", recording->remarks);
  const auto tiling = ReadTiling(recording->model.pictures);
  if (!tiling) {
    return Stop({ErrorCode::kInvalidInput,
                 flags.tiles + " is a recording of whole frames: `nearfar record --tiles` records "
                               "tiles"});
  }
  if ((flags.how == "overview" && tiling->overview == 0) ||
      (flags.how == "whole" && !tiling->whole)) {
    return Stop({ErrorCode::kInvalidInput, "--how " + flags.how + ": " + flags.tiles +
                                               " was recorded without --" + flags.how});
  }
  Recording merged{.model = recording->model, .classes = recording->classes};
  merged.model.pictures = WithoutTiling(recording->model.pictures);
  merged.model.nms += "; " + ToString(*tiling) + ", " + HowText(flags);
  Tally tally;
  for (const Regions& regions : ByPicture(*recording)) {
    Expected<RecordedFrame> frame = MergePicture(regions, *tiling, flags, *choice, tally);
    if (!frame) {
      return Stop(frame.error());
    }
    merged.frames.push_back(*std::move(frame));
  }
  if (tally.incomplete > 0) {
    Say(std::to_string(tally.incomplete) + " of " + std::to_string(merged.frames.size()) +
        " pictures lack regions, as a recording that was stopped does: merged from those there "
        "are");
  }
  if (const auto written = WriteRecording(flags.output, merged); !written) {
    return Stop(written.error());
  }
  return Report(flags, merged, tally);
}

}  // namespace

std::function<int()> SetUpMerge(CLI::App& app) {
  const auto flags = std::make_shared<MergeFlags>();
  app.add_option("tiles", flags->tiles, "a recording of tiles")->required()->type_name("TILES.rec");
  app.add_option("-o,--output", flags->output, "the recording of whole frames")
      ->required()
      ->type_name("FILE");
  app.add_option("--how", flags->how,
                 "border: whole boxes win over those cut at a tile's border, the overview fills in "
                 "the large ones; iou: duplicates go by IoU, as the paper prints it; overview or "
                 "whole: that look alone")
      ->check(CLI::IsMember({"border", "iou", "overview", "whole"}))
      ->capture_default_str();
  app.add_option("--cells", flags->cells, "which tiles: all, or their numbers, as in 0,1,7")
      ->capture_default_str();
  app.add_option("--occupied", flags->occupied,
                 "only the tiles in which the middle of an object of this truth lies: what a "
                 "perfect filter lets through")
      ->type_name("TRUTH");
  app.add_flag("--no-overview", flags->no_overview, "leave the overview out");
  app.add_option("--iou", flags->options.iou, "boxes of two tiles that overlap by more are one")
      ->capture_default_str();
  app.add_option("--border", flags->options.border_px,
                 "a box that ends so near its tile's inner border is cut, in px")
      ->capture_default_str();
  app.add_flag("--force", flags->force, "replace the file");
  app.add_flag("--json", flags->json, "print the summary as one JSON object");
  return [flags] { return RunMerge(*flags); };
}

}  // namespace nearfar::cli
