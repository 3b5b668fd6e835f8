#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/sequence_info.h"
#include "data/text.h"
#include "data/track_rows.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// "MOT17-02" of "MOT17-02.gt.txt.gz".
std::string SequenceNameOf(fs::path file) {
  while (file.extension() == ".gz" || file.extension() == ".txt" || file.extension() == ".gt" ||
         file.extension() == ".det" || file.extension() == ".csv") {
    file = file.stem();
  }
  return file.filename().string();
}

/// The seqinfo.ini that belongs to a table, or nothing.
std::optional<std::string> FindSequenceInfo(const fs::path& table) {
  const fs::path folder = fs::absolute(table).lexically_normal().parent_path();
  for (const fs::path& candidate : {folder / (SequenceNameOf(table) + ".seqinfo.ini"),
                                    folder / "seqinfo.ini", folder.parent_path() / "seqinfo.ini"}) {
    std::error_code ignored;
    const bool is_parent = candidate.parent_path() == folder.parent_path();
    const bool in_sequence = folder.filename() == "gt" || folder.filename() == "det";
    if (fs::exists(candidate, ignored) && (!is_parent || in_sequence)) {
      return candidate.string();
    }
  }
  return std::nullopt;
}

/// Whether the ids only number the rows of each frame, by falling score, and so say nothing of who
/// is who.
bool NumbersOnly(const TrackRows& rows) {
  bool several = false;
  for (const auto& [number, boxes] : rows.boxes) {
    several = several || boxes.size() > 1;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      if (boxes[i].track != static_cast<int>(i) + 1 ||
          (i > 0 && boxes[i].score > boxes[i - 1].score)) {
        return false;
      }
    }
  }
  return several && rows.boxes.size() > 1;
}

}  // namespace

Expected<TrackRows> ReadMotRows(const std::string& path, std::string_view text, bool annotations) {
  TrackRows rows{.name = SequenceNameOf(path)};
  if (const auto file = FindSequenceInfo(path)) {
    const Expected<SequenceInfo> info = ReadSequenceInfo(*file);
    if (!info) {
      return tl::unexpected(info.error());
    }
    rows.frame = info->size;
    rows.fps = info->fps;
    if (rows.name == "gt" || rows.name == "det") {
      rows.name =
          info->name.empty() ? fs::path(*file).parent_path().filename().string() : info->name;
    }
    if (info->length > 0) {
      rows.first = 1;
      rows.last = info->length;
    }
  }

  const std::size_t needed = annotations ? 8 : 6;
  std::size_t other_classes = 0;
  std::size_t beyond = 0;
  std::size_t empty = 0;
  std::size_t odd_scores = 0;
  bool all_unscored = true;
  const bool has_length = rows.last >= rows.first;
  for (int line = 1; !text.empty(); ++line) {
    const std::string_view row = TakeLine(text);
    if (Trim(row).empty()) {
      continue;
    }
    const auto fields = SplitAt(row, ',');
    std::array<double, 9> values{0, 0, 0, 0, 0, 0, 1, 1, 1};
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i >= fields.size() && i >= needed) {
        break;
      }
      const auto value = i < fields.size() ? ParseNumber(fields[i]) : std::nullopt;
      if (!value) {
        return WrongRow(path, line,
                        std::string("expected frame,id,left,top,width,height,") +
                            (annotations ? "marked,class[,visibility]" : "[score,...]") +
                            ", got '" + std::string(row.substr(0, 60)) + "'");
      }
      values[i] = *value;
    }
    if (values[0] < 0 || values[0] != std::floor(values[0])) {
      return WrongRow(path, line,
                      "the frame is '" + std::string(fields[0]) + "', no whole number from 0 on");
    }
    const auto number = static_cast<long>(values[0]);
    if (has_length && (number < rows.first || number > rows.last)) {
      ++beyond;
      continue;
    }
    if (!rows.Span(number)) {
      return WrongRow(
          path, line,
          "frame " + std::to_string(number) +
              " is more than 1000000 frames from others: mend the row or split the file",
          ErrorCode::kLimitExceeded);
    }
    const int kind = annotations ? static_cast<int>(values[7]) : 1;
    const bool pedestrian = kind == 1 || kind < 0;  // MOT15 knows no classes
    const bool neutral = kind == 2 || kind == 7 || kind == 8 || kind == 12;
    if (!pedestrian && !neutral) {
      ++other_classes;
      continue;
    }
    if (!(values[4] > 0) || !(values[5] > 0)) {
      ++empty;
      continue;
    }
    // Corners are counted from 1.
    const auto left = static_cast<float>(values[2] - 1);
    const auto top = static_cast<float>(values[3] - 1);
    TrackedBox box{.box = {left, top, left + static_cast<float>(values[4]),
                           top + static_cast<float>(values[5])},
                   .track = values[1] < 0 ? -1 : static_cast<int>(values[1])};
    if (annotations) {
      box.difficult = neutral || values[6] == 0;
      box.visibility =
          fields.size() > 8 ? std::clamp(static_cast<float>(values[8]), 0.0F, 1.0F) : 1.0F;
      box.visibility = kind < 0 ? 1.0F : box.visibility;
    } else {
      box.score = static_cast<float>(values[6]);
      all_unscored = all_unscored && values[6] == -1;
      odd_scores += values[6] < 0 || values[6] > 1 ? 1 : 0;
    }
    rows.boxes[number].push_back(box);
  }

  if (!annotations && all_unscored && odd_scores > 0) {
    for (auto& [number, boxes] : rows.boxes) {
      for (TrackedBox& box : boxes) {
        box.score = 1;
      }
    }
    rows.remarks.push_back("every score is -1: taken as 1");
  } else if (odd_scores > 0) {
    rows.remarks.push_back(std::to_string(odd_scores) +
                           " scores are outside 0 to 1: kept as they are");
  }
  if (!annotations && NumbersOnly(rows)) {
    for (auto& [number, boxes] : rows.boxes) {
      for (TrackedBox& box : boxes) {
        box.track = -1;
      }
    }
    rows.remarks.push_back(
        "the ids only number the boxes of each frame by score: nobody is followed over frames");
  }
  if (other_classes > 0) {
    rows.remarks.push_back(std::to_string(other_classes) +
                           " boxes of vehicles and occluders: left out");
  }
  if (empty > 0) {
    rows.remarks.push_back(std::to_string(empty) + " boxes without width or height: left out");
  }
  if (beyond > 0) {
    rows.remarks.push_back(std::to_string(beyond) +
                           " boxes of frames that the sequence does not have: left out");
  }
  return rows;
}

}  // namespace nearfar
