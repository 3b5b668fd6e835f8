#include <array>
#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/labels.h"
#include "data/text.h"
#include "data/track_rows.h"

namespace nearfar {
namespace {

/// Frames a second of the Stanford Drone Dataset.
constexpr double kSddFps = 30;
/// Its flag says that, not how much, of somebody is hidden.
constexpr float kOccludedVisibility = 0.5F;

bool IsPerson(std::string_view label, const TracksOptions& options) {
  return label == "Pedestrian" ||
         (options.riders_are_people && (label == "Biker" || label == "Skater"));
}

}  // namespace

Expected<TrackRows> ReadSddRows(const std::string& path, std::string_view text,
                                const TracksOptions& options) {
  TrackRows rows{.name = NameOf(NameOf(path)), .fps = kSddFps, .clipped = true};
  // The classes of the data set, in an order that does not hang on the scene.
  for (const char* name : {"Biker", "Skater", "Cart", "Car", "Bus"}) {
    if (!options.people_only && !IsPerson(name, options)) {
      rows.classes.names.push_back(Synonyms::Default().Canonical(name));
    }
  }
  std::size_t lost = 0;
  std::size_t others = 0;
  std::size_t empty = 0;
  for (int line = 1; !text.empty(); ++line) {
    const auto words = SplitWords(TakeLine(text));
    if (words.empty()) {
      continue;
    }
    std::array<double, 9> values{};
    bool ok = words.size() == 10 && words[9].size() > 2 && words[9].front() == '"' &&
              words[9].back() == '"';
    for (std::size_t i = 0; ok && i < values.size(); ++i) {
      const auto value = ParseNumber(words[i]);
      ok = value.has_value();
      values[i] = value.value_or(0);
    }
    if (!ok) {
      return WrongRow(path, line,
                      "expected track x1 y1 x2 y2 frame lost occluded generated \"label\"");
    }
    if (values[5] < 0 || values[5] != std::floor(values[5])) {
      return WrongRow(path, line,
                      "the frame is '" + std::string(words[5]) + "', no whole number from 0 on");
    }
    const auto number = static_cast<long>(values[5]);
    if (!rows.Span(number)) {
      return WrongRow(
          path, line,
          "frame " + std::to_string(number) +
              " is more than 1000000 frames from others: mend the row or split the file",
          ErrorCode::kLimitExceeded);
    }
    if (values[6] != 0) {
      ++lost;
      continue;
    }
    const std::string_view name = words[9].substr(1, words[9].size() - 2);
    const std::string canonical =
        IsPerson(name, options) ? "person" : Synonyms::Default().Canonical(name);
    if (options.people_only && canonical != "person") {
      ++others;
      continue;
    }
    if (!(values[3] > values[1]) || !(values[4] > values[2])) {
      ++empty;
      continue;
    }
    if (rows.classes.Find(canonical) == kNoLabel) {
      rows.classes.names.push_back(canonical);
    }
    rows.boxes[number].push_back(
        {.box = {static_cast<float>(values[1]), static_cast<float>(values[2]),
                 static_cast<float>(values[3]), static_cast<float>(values[4])},
         .track = static_cast<int>(values[0]),
         .visibility = values[7] != 0 ? kOccludedVisibility : 1.0F,
         .label = rows.classes.Find(canonical)});
  }
  if (lost > 0) {
    rows.remarks.push_back(std::to_string(lost) + " boxes marked lost: left out");
  }
  if (others > 0) {
    rows.remarks.push_back(std::to_string(others) + " boxes of what is no person: left out");
  }
  if (empty > 0) {
    rows.remarks.push_back(std::to_string(empty) + " boxes without width or height: left out");
  }
  return rows;
}

}  // namespace nearfar
