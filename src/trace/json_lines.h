#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/expected.h"
#include "trace/record.h"

namespace nearfar {

using TraceRecord = std::variant<RunRecord, FrameRecord, OutcomeRecord>;

/// One line of JSON without its line end: {"type": "run" | "frame" | "outcome", ...}. Durations are
/// in ms, times in ms UTC, boxes are [x1, y1, x2, y2, score, label] in px of the frame.
std::string ToJsonLine(const TraceRecord& record);

/// Reads one line. Unknown keys are ignored. Errors: kInvalidInput.
Expected<TraceRecord> ParseTraceLine(std::string_view line);

/// A whole trace in memory.
struct Trace {
  RunRecord run;
  std::vector<FrameRecord> frames;
  std::vector<OutcomeRecord> outcomes;
  std::vector<std::string> remarks;  ///< "last line is cut off: left out" and the like
};

/// Reads a trace. A cut last line (a killed run) is left out and remarked; a broken line elsewhere is
/// an error that names the line. Errors: kNotFound, kIo, kInvalidInput.
Expected<Trace> ReadTrace(const std::string& path);

}  // namespace nearfar
