#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/tracks.h"

namespace nearfar {

/// The rows of one track file before they are put in frames.
struct TrackRows {
  std::string name;
  Size frame;      ///< area 0: unknown
  double fps = 0;  ///< 0: unknown
  bool stills = false;
  bool clipped = false;  ///< its boxes end at the frame's edge, so that they tell its size
  long first = 0;        ///< of the frames; first > last: none
  long last = -1;
  LabelSpace classes{{"person"}};
  std::map<long, std::vector<TrackedBox>> boxes;  ///< by frame number
  std::vector<std::string> names;                 ///< of stills, by number
  std::vector<std::string> remarks;

  /// Widens first and last so that they hold `number`. False when they would be further apart than
  /// a track file may be.
  bool Span(long number);
};

/// "PATH:LINE: WHAT"
tl::unexpected<Error> WrongRow(const std::string& path, int line, const std::string& what,
                               ErrorCode code = ErrorCode::kInvalidInput);

/// Reads one form each from the file's text. `path` is for messages and for what stands beside it.
Expected<TrackRows> ReadMotRows(const std::string& path, std::string_view text, bool annotations);
Expected<TrackRows> ReadSddRows(const std::string& path, std::string_view text,
                                const TracksOptions& options);
Expected<TrackRows> ReadPandaTable(const std::string& path, std::string_view text);
Expected<TrackRows> ReadPandaJson(const std::string& path, std::string_view text,
                                  const TracksOptions& options);

}  // namespace nearfar
