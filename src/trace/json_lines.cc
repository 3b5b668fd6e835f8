#include "trace/json_lines.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/json_fields.h"
#include "core/json_writer.h"

namespace nearfar {
namespace {

using nlohmann::json;
using Fields = JsonFields<json>;

constexpr int kSchema = 1;
constexpr std::array kStatuses = {FrameStatus::kOk, FrameStatus::kDegraded,
                                  FrameStatus::kUnreadable, FrameStatus::kFailed};
constexpr std::array kOutcomes = {OutcomeKind::kLate, OutcomeKind::kAudit, OutcomeKind::kLoser};

void WriteVerdict(JsonWriter& writer, const Verdict& verdict) {
  writer.BeginObject();
  writer.Field("region", ToNumber(verdict.region));
  writer.Field("rect", verdict.rect);
  if (!verdict.cells.empty() || verdict.input != Size{}) {
    writer.Field("cells", verdict.cells);
    writer.Field("input", verdict.input);
    writer.Field("crowd", verdict.crowd);
  }
  if (verdict.link != kNear) {
    writer.Field("link", ToNumber(verdict.link));
  }
  writer.Field("score", verdict.score);
  writer.Field("threshold", verdict.threshold);
  writer.Field("upload_probability", verdict.upload_probability);
  if (verdict.audit_probability != 0) {
    writer.Field("audit_probability", verdict.audit_probability);
  }
  writer.Field("difficult", verdict.difficult);
  writer.Field("uploaded", verdict.uploaded);
  if (verdict.audit) {
    writer.Field("audit", true);
  }
  writer.FieldUnlessEmpty("reason", verdict.reason);
  writer.FieldUnlessEmpty("discriminator", verdict.discriminator);
  writer.FieldUnlessEmpty("policy", verdict.policy);
  writer.EndObject();
}

void WriteTiles(JsonWriter& writer, const TilesRecord& tiles) {
  writer.BeginObject();
  writer.Field("columns", tiles.columns);
  writer.Field("tile", tiles.tile);
  writer.Field("cells", tiles.cells);
  if (tiles.full_look) {
    writer.Field("full_look", true);
  }
  writer.FieldUnlessEmpty("reason", tiles.reason);
  writer.FieldUnlessEmpty("unseen", tiles.unseen);
  writer.Field("all_px", tiles.all_px);
  writer.Field("sent_px", tiles.sent_px);
  writer.FieldUnlessEmpty("filter", tiles.filter);
  writer.FieldUnlessEmpty("scheduler", tiles.scheduler);
  writer.FieldUnlessEmpty("decided_by", tiles.decided_by);
  writer.EndObject();
}

void WriteAnswer(JsonWriter& writer, const Answer& answer) {
  writer.BeginObject();
  writer.Field("request", ToNumber(answer.request));
  writer.Field("region", ToNumber(answer.region));
  writer.Field("link", ToNumber(answer.link));
  writer.Field("node", answer.node);
  writer.FieldUnlessEmpty("model", answer.model);
  writer.FieldUnlessEmpty("model_version", answer.model_version);
  writer.Field("detections", answer.detections);
  writer.FieldUnlessEmpty("error_code", answer.error_code);
  writer.FieldUnlessEmpty("error", answer.error);
  writer.Field("total", answer.total);
  writer.Field("compute", answer.compute);
  writer.Field("queued", answer.queued);
  writer.Field("queue_length", answer.queue_length);
  writer.Field("bytes_up", answer.bytes_up);
  writer.Field("bytes_down", answer.bytes_down);
  writer.EndObject();
}

void Write(JsonWriter& writer, const RunRecord& run) {
  writer.Field("type", "run");
  writer.Field("schema", run.schema);
  writer.Field("program", run.program);
  writer.Field("started", run.started.time_since_epoch().count());
  writer.Field("classes", run.classes.names);
  writer.Field("models", run.models);
  writer.Field("config", run.config);
}

void Write(JsonWriter& writer, const FrameRecord& frame) {
  writer.Field("type", "frame");
  writer.Field("frame", ToNumber(frame.frame));
  writer.Field("source", frame.source);
  writer.Field("name", frame.name);
  writer.Field("size", frame.size);
  writer.Field("captured_at", frame.captured_at.time_since_epoch().count());
  writer.Field("status", ToString(frame.status));
  writer.FieldUnlessEmpty("reason", frame.reason);
  if (frame.tiles) {
    writer.Key("tiles");
    WriteTiles(writer, *frame.tiles);
  }
  writer.Key("verdicts");
  writer.BeginArray();
  for (const Verdict& verdict : frame.verdicts) {
    WriteVerdict(writer, verdict);
  }
  writer.EndArray();
  writer.Key("answers");
  writer.BeginArray();
  for (const Answer& answer : frame.answers) {
    WriteAnswer(writer, answer);
  }
  writer.EndArray();
  writer.Field("detections", frame.detections);
  writer.Key("provenance");
  writer.BeginArray();
  for (const LinkId link : frame.provenance) {
    writer.Value(ToNumber(link));
  }
  writer.EndArray();
  writer.Field("total", frame.total);
}

void Write(JsonWriter& writer, const OutcomeRecord& outcome) {
  writer.Field("type", "outcome");
  writer.Field("frame", ToNumber(outcome.frame));
  writer.Field("kind", ToString(outcome.kind));
  writer.Key("answer");
  WriteAnswer(writer, outcome.answer);
}

/// Reads one of the names that ToString gives to the values of an enumeration.
template <typename Enum, std::size_t kCount>
std::string ReadName(const std::string& name, const std::array<Enum, kCount>& values,
                     const char* kind, Enum& value) {
  for (const Enum candidate : values) {
    if (ToString(candidate) == name) {
      value = candidate;
      return {};
    }
  }
  return "'" + name + "' is no " + kind;
}

std::string ReadVerdict(const json& object, Verdict& verdict) {
  return Fields(object)
      .Read("region", verdict.region)
      .Read("rect", verdict.rect)
      .Read("cells", verdict.cells)
      .Read("input", verdict.input)
      .Read("crowd", verdict.crowd)
      .Read("link", verdict.link)
      .Read("score", verdict.score)
      .Read("threshold", verdict.threshold)
      .Read("upload_probability", verdict.upload_probability)
      .Read("audit_probability", verdict.audit_probability)
      .Read("difficult", verdict.difficult)
      .Read("uploaded", verdict.uploaded)
      .Read("audit", verdict.audit)
      .Read("reason", verdict.reason)
      .Read("discriminator", verdict.discriminator)
      .Read("policy", verdict.policy)
      .error();
}

std::string ReadTiles(const json& object, std::optional<TilesRecord>& read) {
  TilesRecord& tiles = read.emplace();
  return Fields(object)
      .Read("columns", tiles.columns)
      .Read("tile", tiles.tile)
      .Read("cells", tiles.cells)
      .Read("full_look", tiles.full_look)
      .Read("reason", tiles.reason)
      .Read("unseen", tiles.unseen)
      .Read("all_px", tiles.all_px)
      .Read("sent_px", tiles.sent_px)
      .Read("filter", tiles.filter)
      .Read("scheduler", tiles.scheduler)
      .Read("decided_by", tiles.decided_by)
      .error();
}

std::string ReadAnswer(const json& object, Answer& answer) {
  return Fields(object)
      .Read("request", answer.request)
      .Read("region", answer.region)
      .Read("link", answer.link)
      .Read("node", answer.node)
      .Read("model", answer.model)
      .Read("model_version", answer.model_version)
      .Read("detections", answer.detections)
      .Read("error_code", answer.error_code)
      .Read("error", answer.error)
      .Read("total", answer.total)
      .Read("compute", answer.compute)
      .Read("queued", answer.queued)
      .Read("queue_length", answer.queue_length)
      .Read("bytes_up", answer.bytes_up)
      .Read("bytes_down", answer.bytes_down)
      .error();
}

tl::unexpected<Error> Malformed(const std::string& type, const std::string& error) {
  return Fail(ErrorCode::kInvalidInput, "the " + type + " record" + error);
}

Expected<TraceRecord> ReadRun(const json& object) {
  RunRecord run;
  Fields fields(object);
  fields.Read("schema", run.schema)
      .Read("program", run.program)
      .Read("started", run.started)
      .Read("classes", run.classes.names)
      .Read("models", run.models)
      .Read("config", run.config);
  if (!fields.ok()) {
    return Malformed("run", fields.error());
  }
  if (run.schema > kSchema) {
    return Fail(ErrorCode::kUnsupported, "the trace has schema " + std::to_string(run.schema) +
                                             "; this nearfar reads up to " +
                                             std::to_string(kSchema) +
                                             ": use the one that wrote it (" + run.program + ")");
  }
  return run;
}

Expected<TraceRecord> ReadFrame(const json& object) {
  FrameRecord frame;
  std::string status(ToString(frame.status));
  Fields fields(object);
  fields.Require("frame", frame.frame)
      .Read("source", frame.source)
      .Read("name", frame.name)
      .Read("size", frame.size)
      .Read("captured_at", frame.captured_at)
      .Read("status", status)
      .Read("reason", frame.reason)
      .ReadBy("tiles", frame.tiles, ReadTiles)
      .Read("verdicts", frame.verdicts, ReadVerdict)
      .Read("answers", frame.answers, ReadAnswer)
      .Read("detections", frame.detections)
      .Read("provenance", frame.provenance)
      .Read("total", frame.total);
  if (!fields.ok()) {
    return Malformed("frame", fields.error());
  }
  if (std::string error = ReadName(status, kStatuses, "status", frame.status); !error.empty()) {
    return Malformed("frame", ".status: " + error);
  }
  if (frame.provenance.size() != frame.detections.size()) {
    return Malformed("frame", ".provenance: has " + std::to_string(frame.provenance.size()) +
                                  " entries for " + std::to_string(frame.detections.size()) +
                                  " detections");
  }
  return frame;
}

Expected<TraceRecord> ReadOutcome(const json& object) {
  OutcomeRecord outcome;
  std::string kind(ToString(outcome.kind));
  Fields fields(object);
  fields.Require("frame", outcome.frame).Read("kind", kind);
  if (!fields.ok()) {
    return Malformed("outcome", fields.error());
  }
  if (std::string error = ReadName(kind, kOutcomes, "kind of outcome", outcome.kind);
      !error.empty()) {
    return Malformed("outcome", ".kind: " + error);
  }
  if (const auto member = object.find("answer"); member == object.end()) {
    return Malformed("outcome", ": has no \"answer\"");
  } else if (std::string error = ReadAnswer(*member, outcome.answer); !error.empty()) {
    return Malformed("outcome", ".answer" + error);
  }
  return outcome;
}

Expected<TraceRecord> ReadObject(const json& object) {
  std::string type;
  Fields fields(object);
  fields.Require("type", type);
  if (!fields.ok()) {
    return Fail(ErrorCode::kInvalidInput, "the record" + fields.error());
  }
  if (type == "run") {
    return ReadRun(object);
  }
  if (type == "frame") {
    return ReadFrame(object);
  }
  if (type == "outcome") {
    return ReadOutcome(object);
  }
  return Fail(ErrorCode::kInvalidInput,
              "the record's type is '" + type + "'; a trace has run, frame and outcome");
}

}  // namespace

std::string ToJsonLine(const TraceRecord& record) {
  std::string line;
  JsonWriter writer(line);
  writer.BeginObject();
  std::visit([&](const auto& one) { Write(writer, one); }, record);
  writer.EndObject();
  return line;
}

Expected<TraceRecord> ParseTraceLine(std::string_view line) {
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) {
    return Fail(ErrorCode::kInvalidInput, "no JSON: '" + AsUtf8(line.substr(0, 40)) + "'");
  }
  return ReadObject(object);
}

Expected<Trace> ReadTrace(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                "cannot open the trace " + path + ": " + std::strerror(errno));
  }
  Trace trace;
  bool has_run = false;
  std::string line;
  std::size_t broken_line = 0;  // a line that is no JSON: forgiven if nothing follows it
  std::size_t number = 0;
  const auto at = [&](std::size_t which) { return path + ":" + std::to_string(which) + ": "; };
  const auto no_json = [&] {
    return Fail(
        ErrorCode::kInvalidInput,
        at(broken_line) + (has_run ? "the line is no JSON, and it is not the last one: take it out"
                                   : "the file is no trace: its first line is no JSON"));
  };
  while (std::getline(file, line)) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    if (broken_line > 0) {
      return no_json();
    }
    const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (object.is_discarded()) {
      broken_line = number;
      continue;
    }
    Expected<TraceRecord> record = ReadObject(object);
    if (!record) {
      return Fail(record.error().code, at(number) + record.error().message);
    }
    const bool is_run = std::holds_alternative<RunRecord>(*record);
    if (is_run == has_run) {
      return Fail(
          ErrorCode::kInvalidInput,
          at(number) + (is_run ? "a second run record: a trace holds one run, take them apart"
                               : "a trace begins with its run record; this one lacks it"));
    }
    if (is_run) {
      trace.run = std::get<RunRecord>(std::move(*record));
      has_run = true;
    } else if (auto* frame = std::get_if<FrameRecord>(&*record)) {
      trace.frames.push_back(std::move(*frame));
    } else {
      trace.outcomes.push_back(std::get<OutcomeRecord>(std::move(*record)));
    }
  }
  if (file.bad() || (!file.eof() && file.fail())) {
    return Fail(ErrorCode::kIo, "cannot read the trace " + path + " beyond line " +
                                    std::to_string(number) + ": " + std::strerror(errno));
  }
  if (!has_run) {
    return Fail(
        ErrorCode::kInvalidInput,
        path + " is no trace: it has no run record (`nearfar run` writes one as its first line)");
  }
  if (broken_line > 0) {
    trace.remarks.push_back(at(broken_line) + "the last line is cut off: left out");
  }
  return trace;
}

}  // namespace nearfar
