#include "data/tracks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "data/text.h"
#include "data/track_rows.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

constexpr long kMostFrames = 1'000'000;
/// Where nothing names the rate.
constexpr double kUnknownFps = 30;

/// Frame sizes of which one is taken where nothing names it.
constexpr Size kCommonSizes[] = {{640, 480},   {768, 576},   {1280, 720}, {1920, 1080},
                                 {2560, 1440}, {3840, 2160}, {7680, 4320}};

std::string SizeText(Size size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

/// The size that the boxes themselves suggest.
Size DeriveSize(const TrackRows& rows) {
  std::vector<float> xs;
  std::vector<float> ys;
  float right = 1;
  float bottom = 1;
  for (const auto& [number, boxes] : rows.boxes) {
    for (const TrackedBox& box : boxes) {
      right = std::max(right, box.box.x2);
      bottom = std::max(bottom, box.box.y2);
      xs.push_back((box.box.x1 + box.box.x2) / 2);
      ys.push_back((box.box.y1 + box.box.y2) / 2);
    }
  }
  if (!rows.clipped && !xs.empty()) {
    // Boxes reach beyond the frame; 95 % of their middles, and more, lie in it.
    const auto high = [](std::vector<float>& values) {
      const auto nth =
          values.end() - 1 - static_cast<std::ptrdiff_t>(static_cast<double>(values.size()) * 0.05);
      std::nth_element(values.begin(), nth, values.end());
      return *nth;
    };
    const float x = high(xs);
    const float y = high(ys);
    for (const Size size : kCommonSizes) {
      if (x <= static_cast<float>(size.width) && y <= static_cast<float>(size.height)) {
        return size;
      }
    }
  }
  const auto whole = [](float edge) { return static_cast<int>(std::ceil(std::min(edge, 1e6F))); };
  return {whole(right), whole(bottom)};
}

std::string FrameName(long number) {
  char text[24];
  std::snprintf(text, sizeof text, "%06ld", number);
  return text;
}

/// The frames that are kept, by number: all, or those nearest to the instants of `target_fps`.
std::vector<long> FramesToKeep(const TrackRows& rows, double fps, double target_fps) {
  std::vector<long> kept;
  if (rows.stills || target_fps <= 0 || target_fps >= fps) {
    for (long number = rows.first; number <= rows.last; ++number) {
      kept.push_back(number);
    }
    return kept;
  }
  for (long k = 0;; ++k) {
    const long number = rows.first + std::lround(static_cast<double>(k) * fps / target_fps);
    if (number > rows.last) {
      return kept;
    }
    kept.push_back(number);
  }
}

/// The form of a file, or nothing where it has none that is known.
std::optional<TrackForm> FormOf(const std::string& path, std::string_view text) {
  const std::string file = fs::path(path).filename().string();
  const auto named = [&](std::string_view end) {
    return file.ends_with(end) || file.ends_with(std::string(end) + ".gz");
  };
  if (named(".json")) {
    return TrackForm::kPandaJson;
  }
  std::string_view line;
  while (!text.empty() && Trim(line).empty()) {
    line = TakeLine(text);
  }
  const auto fields = SplitAt(line, ',');
  if (fields[0] == "image") {
    return TrackForm::kPandaCsv;
  }
  if (named("gt.txt")) {
    return TrackForm::kMotGt;
  }
  if (named("det.txt")) {
    return TrackForm::kMotDet;
  }
  if (fields.size() >= 6) {
    const auto kind =
        fields.size() == 8 || fields.size() == 9 ? ParseNumber(fields[7]) : std::nullopt;
    return kind && *kind >= 1 ? TrackForm::kMotGt : TrackForm::kMotDet;
  }
  if (SplitWords(line).size() >= 9 && fields.size() == 1) {
    return TrackForm::kSdd;
  }
  return std::nullopt;
}

}  // namespace

bool TrackRows::Span(long number) {
  if (first > last) {
    first = number;
    last = number;
    return true;
  }
  first = std::min(first, number);
  last = std::max(last, number);
  return last - first < kMostFrames;
}

tl::unexpected<Error> WrongRow(const std::string& path, int line, const std::string& what,
                               ErrorCode code) {
  return Fail(code, path + ":" + std::to_string(line) + ": " + what);
}

Expected<TrackForm> ParseTrackForm(std::string_view name) {
  constexpr std::pair<std::string_view, TrackForm> kForms[] = {
      {"auto", TrackForm::kAuto},          {"mot-gt", TrackForm::kMotGt},
      {"mot-det", TrackForm::kMotDet},     {"sdd", TrackForm::kSdd},
      {"panda-csv", TrackForm::kPandaCsv}, {"panda-json", TrackForm::kPandaJson}};
  for (const auto& [known, form] : kForms) {
    if (name == known) {
      return form;
    }
  }
  return Fail(
      ErrorCode::kInvalidInput,
      "'" + std::string(name) +
          "' is no form of track files: auto, mot-gt, mot-det, sdd, panda-csv or panda-json");
}

Expected<void> Validate(const TracksOptions& options) {
  const auto wrong = [](const char* option, double value, const char* expected) {
    char text[64];
    std::snprintf(text, sizeof text, "%s is %g: ", option, value);
    return Fail(ErrorCode::kInvalidInput, std::string(text) + expected);
  };
  if (!(options.fps >= 0 && options.fps <= 1e4)) {
    return wrong("fps", options.fps, "expected 0 (as the file says) to 10000");
  }
  if (!(options.target_fps >= 0 && options.target_fps <= 1e4)) {
    return wrong("target_fps", options.target_fps, "expected 0 (all frames) to 10000");
  }
  if (options.frame.width < 0 || options.frame.height < 0 || options.frame.width > 1000000 ||
      options.frame.height > 1000000 || (options.frame.area() == 0 && options.frame != Size{})) {
    return Fail(ErrorCode::kInvalidInput, "frame is " + SizeText(options.frame) +
                                              ": expected a width and height from 1 to 1000000");
  }
  return {};
}

Expected<Tracks> ReadTracks(const std::string& path, const TracksOptions& options) {
  if (auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  std::string file = path;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    const fs::path folder(path);
    const fs::path tables[] = {folder / "gt" / "gt.txt", folder / "det" / "det.txt"};
    const bool wants_det = options.form == TrackForm::kMotDet;
    file.clear();
    for (const fs::path& table : {tables[wants_det ? 1 : 0], tables[wants_det ? 0 : 1]}) {
      if (fs::exists(table, ignored)) {
        file = table.string();
        break;
      }
    }
    if (file.empty()) {
      return Fail(ErrorCode::kNotFound,
                  path + " is no MOT sequence: there is neither gt/gt.txt nor det/det.txt in it");
    }
  }
  const Expected<std::string> text = ReadFileText(file);
  if (!text) {
    return tl::unexpected(text.error());
  }
  const auto form = options.form == TrackForm::kAuto ? FormOf(file, *text) : options.form;
  if (!form) {
    return Fail(Trim(*text).empty() ? ErrorCode::kInvalidInput : ErrorCode::kUnsupported,
                file + (Trim(*text).empty() ? " is empty"
                                            : " is no track file that nearfar knows: MOTChallenge "
                                              "gt or det, Stanford Drone, PANDA's table or JSON"));
  }
  Expected<TrackRows> rows =
      *form == TrackForm::kSdd        ? ReadSddRows(file, *text, options)
      : *form == TrackForm::kPandaCsv ? ReadPandaTable(file, *text)
      : *form == TrackForm::kPandaJson
          ? ReadPandaJson(file, *text, options)
          : ReadMotRows(file, *text, /*annotations=*/*form == TrackForm::kMotGt);
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  if (rows->first > rows->last) {
    return Fail(ErrorCode::kInvalidInput,
                file + " has no rows, and no seqinfo says how many frames it is of");
  }

  Tracks tracks{.name = rows->name, .classes = rows->classes, .remarks = rows->remarks};
  tracks.frame = options.frame.area() > 0 ? options.frame : rows->frame;
  if (tracks.frame.area() == 0) {
    tracks.frame = DeriveSize(*rows);
    tracks.remarks.push_back("nothing names the frame's size: taken as " + SizeText(tracks.frame) +
                             " from the boxes");
  }
  double file_fps = options.fps > 0 ? options.fps : rows->fps;
  if (file_fps == 0 && !rows->stills) {
    file_fps = kUnknownFps;
    tracks.remarks.push_back("no seqinfo.ini says how many frames a second it has: taken as 30");
  }
  const std::vector<long> kept = FramesToKeep(*rows, file_fps, options.target_fps);
  tracks.fps = rows->stills             ? 0
               : options.target_fps > 0 ? std::min(options.target_fps, file_fps)
                                        : file_fps;
  tracks.frames.reserve(kept.size());
  for (const long number : kept) {
    TrackFrame frame{
        .number = number,
        .name = rows->stills ? rows->names[static_cast<std::size_t>(number)] : FrameName(number),
        .seconds = static_cast<double>(number - rows->first) / (rows->stills ? 1 : file_fps)};
    if (!frame.name.starts_with(options.only)) {
      continue;
    }
    if (const auto found = rows->boxes.find(number); found != rows->boxes.end()) {
      frame.boxes = std::move(found->second);
    }
    tracks.frames.push_back(std::move(frame));
  }
  if (tracks.frames.empty()) {
    return Fail(ErrorCode::kNotFound,
                file + " has no frame whose name begins with '" + options.only +
                    "'; the first is " +
                    (rows->stills ? rows->names.front() : FrameName(rows->first)));
  }
  return tracks;
}

Truth TracksAsTruth(const Tracks& tracks) {
  Truth truth{.classes = tracks.classes, .remarks = tracks.remarks};
  truth.images.reserve(tracks.frames.size());
  for (const TrackFrame& frame : tracks.frames) {
    TruthImage image{.name = frame.name, .size = tracks.frame};
    for (const TrackedBox& box : frame.boxes) {
      image.objects.push_back(
          {.box = box.box, .label = box.label, .difficult = box.difficult, .track = box.track});
    }
    truth.images.push_back(std::move(image));
  }
  return truth;
}

}  // namespace nearfar
