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
/// in ms, times in ms UTC, boxes are [x1, y1, x2, y2, score, label] in px of the frame. Reads back as
/// an equal record, except that bytes which are no UTF-8 become U+FFFD.
std::string ToJsonLine(const TraceRecord& record);

/// Reads one line. Unknown keys are ignored, missing ones keep their defaults; only "type" and
/// "frame" must be there. Errors: kInvalidInput; kUnsupported for the schema of a later nearfar.
Expected<TraceRecord> ParseTraceLine(std::string_view line);

/// A whole trace in memory.
struct Trace {
  RunRecord run;
  std::vector<FrameRecord> frames;
  std::vector<OutcomeRecord> outcomes;
  std::vector<std::string> remarks;  ///< "last line is cut off: left out" and the like
};

/// Reads a trace. A last line that is no JSON (a killed run) is left out and remarked; one elsewhere,
/// and one that is JSON but no record, is an error that names the line.
/// Errors: kNotFound, kIo, kInvalidInput, kUnsupported.
Expected<Trace> ReadTrace(const std::string& path);

}  // namespace nearfar
