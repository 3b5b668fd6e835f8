#include "train/discriminator_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/json_fields.h"
#include "core/json_writer.h"

namespace nearfar {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;
using Fields = JsonFields<Json>;

constexpr int kFormat = 1;

OrderedJson ToJson(const ModelIdentity& identity) {
  std::string text;
  JsonWriter(text).Value(identity);
  return OrderedJson::parse(text);
}

OrderedJson ToJson(const BinaryMetrics& metrics) {
  // The ratios are for people; the counts are what is read back.
  return {{"accuracy", metrics.accuracy()},
          {"f1", metrics.f1()},
          {"precision", metrics.precision()},
          {"recall", metrics.recall()},
          {"upload_ratio", metrics.upload_ratio()},
          {"true_positives", metrics.true_positives},
          {"false_positives", metrics.false_positives},
          {"true_negatives", metrics.true_negatives},
          {"false_negatives", metrics.false_negatives}};
}

std::string Join(const char* path, const std::string& error) {
  return std::string(".") + path + error;
}

/// The first member that is not among the known ones, as an error; empty when there is none.
std::string UnknownMember(const Json& object, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return ": has an unknown member \"" + key + "\"";
    }
  }
  return {};
}

std::string ReadMetrics(const Json& json, BinaryMetrics& metrics) {
  Fields fields(json);
  fields.Require("true_positives", metrics.true_positives)
      .Require("false_positives", metrics.false_positives)
      .Require("true_negatives", metrics.true_negatives)
      .Require("false_negatives", metrics.false_negatives);
  if (!fields.ok()) {
    return fields.error();
  }
  return UnknownMember(json,
                       {"accuracy", "f1", "precision", "recall", "upload_ratio", "true_positives",
                        "false_positives", "true_negatives", "false_negatives"});
}

std::string ReadUpload(const Json& json, UploadFit& upload) {
  Fields fields(json);
  fields.Require("threshold", upload.threshold)
      .Read("wanted", upload.wanted)
      .Read("reached", upload.reached);
  return fields.ok() ? UnknownMember(json, {"threshold", "wanted", "reached"}) : fields.error();
}

std::string ReadScore(const Json& json, ScoreFit& score) {
  Fields fields(json);
  fields.Require("estimated", score.estimated).Require("objects", score.objects);
  return fields.ok() ? UnknownMember(json, {"estimated", "objects", "difference"}) : fields.error();
}

OrderedJson ToJson(const Choice& choice) {
  OrderedJson json{{"goal", ToString(choice.goal)},
                   {"upload", choice.upload},
                   {"images", choice.images},
                   {"folds", choice.folds},
                   {"repeats", choice.repeats}};
  if (!choice.remark.empty()) {
    json["remark"] = choice.remark;
  }
  json["candidates"] = OrderedJson::array();
  for (const Candidate& candidate : choice.candidates) {
    json["candidates"].push_back({{"name", candidate.name},
                                  {"captured", candidate.captured},
                                  {"lead", candidate.lead},
                                  {"standard_error", candidate.standard_error},
                                  {"taken", candidate.taken}});
  }
  return json;
}

std::string ReadGoal(const Json& json, GainGoal& goal) {
  const auto parsed = ParseGainGoal(json.is_string() ? json.get<std::string>() : "");
  if (!parsed) {
    return ": " + parsed.error().message;
  }
  goal = *parsed;
  return {};
}

std::string ReadCandidate(const Json& json, Candidate& candidate) {
  Fields fields(json);
  fields.Require("name", candidate.name)
      .Read("captured", candidate.captured)
      .Read("lead", candidate.lead)
      .Read("standard_error", candidate.standard_error)
      .Read("taken", candidate.taken);
  return fields.ok() ? UnknownMember(json, {"name", "captured", "lead", "standard_error", "taken"})
                     : fields.error();
}

std::string ReadChoice(const Json& json, Choice& choice) {
  Fields fields(json);
  fields.Read("upload", choice.upload)
      .Read("images", choice.images)
      .Read("folds", choice.folds)
      .Read("repeats", choice.repeats)
      .Read("remark", choice.remark);
  std::string error = fields.error();
  if (error.empty()) {
    error = UnknownMember(json,
                          {"goal", "upload", "images", "folds", "repeats", "remark", "candidates"});
  }
  if (error.empty() && json.contains("goal")) {
    error = ReadGoal(json["goal"], choice.goal);
  }
  if (error.empty() && json.contains("candidates")) {
    for (const Json& candidate : json["candidates"]) {
      error = error.empty() ? ReadCandidate(candidate, choice.candidates.emplace_back()) : error;
    }
  }
  return error;
}

std::string ReadFusion(const Json& json, FusionFit& fusion) {
  Fields fields(json);
  fields.Require("agree", fusion.weights.agree)
      .Require("keep", fusion.weights.keep)
      .Read("images", fusion.images)
      .Read("truth", fusion.truth)
      .Read("gain", fusion.gain)
      .Read("standard_error", fusion.standard_error)
      .Read("confident", fusion.confident)
      .Read("confirmed", fusion.confirmed);
  if (!fields.ok()) {
    return fields.error();
  }
  if (const auto valid = Validate(fusion.weights); !valid) {
    return ": " + valid.error().message;
  }
  return UnknownMember(json, {"agree", "keep", "images", "truth", "gain", "standard_error",
                              "confident", "confirmed"});
}

std::string ReadParameters(const Json& json, DiscriminatorSpec& spec) {
  if (!json.is_object()) {
    return ": expected an object";
  }
  for (const auto& [name, value] : json.items()) {
    double number = 0;
    if (value.is_boolean()) {
      number = value.get<bool>() ? 1 : 0;
    } else if (std::string error = Fields::ReadValue(value, number); !error.empty()) {
      return "." + name + error;
    }
    spec.parameters[name] = number;
  }
  return {};
}

std::string ReadTables(const Json& json, DiscriminatorSpec& spec) {
  if (!json.is_object()) {
    return ": expected an object";
  }
  for (const auto& [name, value] : json.items()) {
    if (std::string error = Fields::ReadValue(value, spec.tables[name]); !error.empty()) {
      return "." + name + error;
    }
  }
  return {};
}

std::string ReadPercentiles(const Json& json, std::vector<double>& percentiles) {
  std::string error = Fields::ReadValue(json, percentiles);
  if (error.empty() &&
      (percentiles.size() != 101 || !std::is_sorted(percentiles.begin(), percentiles.end()))) {
    error = ": expected 101 rising numbers";
  }
  return error;
}

std::string ReadClasses(const Json& json, LabelSpace& classes) {
  std::string error = Fields::ReadValue(json, classes.names);
  if (error.empty() && classes.names.empty()) {
    error = ": expected at least one class";
  }
  return error;
}

template <typename T, typename Read>
std::string ReadOptional(const Json& json, const char* key, std::optional<T>& value, Read read) {
  const auto member = json.find(key);
  if (member == json.end()) {
    return {};
  }
  const std::string error = read(*member, value.emplace());
  return error.empty() ? error : Join(key, error);
}

template <typename T, typename Read>
std::string ReadRequired(const Json& json, const char* key, T& value, Read read) {
  const auto member = json.find(key);
  if (member == json.end()) {
    return std::string(": has no \"") + key + "\"";
  }
  const std::string error = read(*member, value);
  return error.empty() ? error : Join(key, error);
}

std::string ReadIdentity(const Json& json, ModelIdentity& identity) {
  return Fields::ReadValue(json, identity);
}

std::string ReadFile(const Json& json, DiscriminatorFile& file) {
  Fields fields(json);
  fields.Require("discriminator", file.discriminator.name)
      .Require("version", file.version)
      .Read("images", file.images)
      .Read("difficult", file.difficult)
      .Read("truth", file.truth)
      .Read("program", file.program);
  std::string error = fields.error();
  const auto then = [&](auto read) {
    if (error.empty()) {
      error = read();
    }
  };
  then([&] {
    return UnknownMember(json, {"nearfar_discriminator",
                                "program",
                                "discriminator",
                                "version",
                                "parameters",
                                "upload",
                                "fusion",
                                "near",
                                "far",
                                "classes",
                                "images",
                                "difficult",
                                "truth",
                                "score",
                                "goal",
                                "choice",
                                "tables",
                                "gain_percentiles",
                                "with_true_features",
                                "with_estimated_features",
                                "at_upload_threshold"});
  });
  then([&] { return ReadRequired(json, "parameters", file.discriminator, ReadParameters); });
  if (json.contains("tables")) {
    then([&] { return ReadRequired(json, "tables", file.discriminator, ReadTables); });
  }
  then([&] { return ReadOptional(json, "goal", file.goal, ReadGoal); });
  then([&] { return ReadOptional(json, "choice", file.choice, ReadChoice); });
  if (error.empty() && file.choice) {
    file.choice->name = file.discriminator.name;
  }
  if (json.contains("gain_percentiles")) {
    then([&] {
      return ReadRequired(json, "gain_percentiles", file.gain_percentiles, ReadPercentiles);
    });
  }
  then([&] { return ReadRequired(json, "near", file.near, ReadIdentity); });
  then([&] { return ReadRequired(json, "far", file.far, ReadIdentity); });
  then([&] { return ReadRequired(json, "classes", file.classes, ReadClasses); });
  then([&] { return ReadOptional(json, "upload", file.upload, ReadUpload); });
  then([&] { return ReadOptional(json, "fusion", file.fusion, ReadFusion); });
  then([&] { return ReadOptional(json, "score", file.score, ReadScore); });
  then([&] {
    return ReadOptional(json, "with_true_features", file.with_true_features, ReadMetrics);
  });
  then([&] {
    return ReadOptional(json, "with_estimated_features", file.with_estimated_features, ReadMetrics);
  });
  then([&] {
    return ReadOptional(json, "at_upload_threshold", file.at_upload_threshold, ReadMetrics);
  });
  return error;
}

std::string SystemError() { return std::strerror(errno); }

}  // namespace

std::string FormatDiscriminatorFile(const DiscriminatorFile& file) {
  OrderedJson json;
  json["nearfar_discriminator"] = kFormat;
  json["program"] = file.program;
  json["discriminator"] = file.discriminator.name;
  json["version"] = file.version;
  json["parameters"] = OrderedJson::object();
  for (const auto& [name, value] : file.discriminator.parameters) {
    json["parameters"][name] = value;
  }
  if (file.goal) {
    json["goal"] = ToString(*file.goal);
  }
  if (file.choice) {
    json["choice"] = ToJson(*file.choice);
  }
  if (file.upload) {
    json["upload"] = {{"threshold", file.upload->threshold},
                      {"wanted", file.upload->wanted},
                      {"reached", file.upload->reached}};
  }
  if (file.fusion) {
    OrderedJson& fusion = json["fusion"];
    fusion["agree"] = file.fusion->weights.agree;
    fusion["keep"] = file.fusion->weights.keep;
    fusion["images"] = file.fusion->images;
    fusion["truth"] = file.fusion->truth;
    if (file.fusion->truth) {
      fusion["gain"] = file.fusion->gain;
      fusion["standard_error"] = file.fusion->standard_error;
    }
    fusion["confident"] = file.fusion->confident;
    fusion["confirmed"] = file.fusion->confirmed;
  }
  json["classes"] = file.classes.names;
  json["images"] = file.images;
  json["difficult"] = file.difficult;
  json["truth"] = file.truth;
  if (file.score) {
    json["score"] = {{"estimated", file.score->estimated},
                     {"objects", file.score->objects},
                     {"difference", file.score->difference()}};
  }
  if (file.with_true_features) {
    json["with_true_features"] = ToJson(*file.with_true_features);
  }
  if (file.with_estimated_features) {
    json["with_estimated_features"] = ToJson(*file.with_estimated_features);
  }
  if (file.at_upload_threshold) {
    json["at_upload_threshold"] = ToJson(*file.at_upload_threshold);
  }
  json["near"] = ToJson(file.near);
  json["far"] = ToJson(file.far);
  std::string text = json.dump(2, ' ', false, OrderedJson::error_handler_t::replace);
  // Rows of numbers stand last, one a line, so that what people read comes first.
  const auto add_rows = [&](const char* name, const NumberTables& rows) {
    text.erase(text.size() - 2);  // "\n}"
    text += ",\n  \"" + std::string(name) + "\": {";
    const char* separator = "\n";
    for (const auto& [row, values] : rows) {
      text += separator + ("    " + Json(row).dump() + ": ") + Json(values).dump();
      separator = ",\n";
    }
    text += "\n  }\n}";
  };
  if (!file.gain_percentiles.empty()) {
    text.erase(text.size() - 2);
    text += ",\n  \"gain_percentiles\": " + Json(file.gain_percentiles).dump() + "\n}";
  }
  if (!file.discriminator.tables.empty()) {
    add_rows("tables", file.discriminator.tables);
  }
  return text + "\n";
}

Expected<DiscriminatorFile> ParseDiscriminatorFile(std::string_view text) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    const std::size_t end = std::min(error.byte, text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    return Fail(ErrorCode::kInvalidInput,
                "line " + std::to_string(line) + ": is no JSON: " + error.what());
  } catch (const Json::exception& error) {  // a number beyond all range
    return Fail(ErrorCode::kInvalidInput, std::string("is no JSON: ") + error.what());
  }
  const auto format = json.is_object() ? json.find("nearfar_discriminator") : json.end();
  if (!json.is_object() || format == json.end()) {
    return Fail(ErrorCode::kInvalidInput,
                "is no discriminator file: has no \"nearfar_discriminator\"; make one with "
                "`nearfar calibrate`");
  }
  if (*format != kFormat) {
    return Fail(ErrorCode::kUnsupported, "has format " + format->dump() + ", this program reads " +
                                             std::to_string(kFormat) +
                                             ": calibrate again or use the program that wrote it");
  }
  DiscriminatorFile file;
  if (const std::string error = ReadFile(json, file); !error.empty()) {
    return Fail(ErrorCode::kInvalidInput, "top level" + error);
  }
  const auto discriminator = MakeDiscriminator(file.discriminator);
  if (!discriminator) {
    return tl::unexpected(discriminator.error());
  }
  if ((*discriminator)->version() != file.version) {
    return Fail(ErrorCode::kUnsupported, "was fitted for " + file.discriminator.name + " version " +
                                             file.version + ", this program has " +
                                             (*discriminator)->version() + ": calibrate again");
  }
  const auto rates = file.discriminator.tables.find("class_rates");
  if (rates != file.discriminator.tables.end() &&
      rates->second.size() != file.classes.names.size()) {
    return Fail(ErrorCode::kInvalidInput, "its tables are for " +
                                              std::to_string(rates->second.size()) +
                                              " classes, but it names " +
                                              std::to_string(file.classes.names.size()));
  }
  if (file.score) {
    const auto threshold = file.discriminator.parameters.find("score_threshold");
    file.score->threshold =
        threshold == file.discriminator.parameters.end() ? 0 : threshold->second;
  }
  return file;
}

Expected<DiscriminatorFile> ReadDiscriminatorFile(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return Fail(ErrorCode::kIo,
                "cannot read discriminator file " + path + ": " + std::strerror(EISDIR));
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                "cannot read discriminator file " + path + ": " + SystemError());
  }
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) {
    return Fail(ErrorCode::kIo, "cannot read discriminator file " + path + ": " + SystemError());
  }
  Expected<DiscriminatorFile> file = ParseDiscriminatorFile(text.str());
  if (!file) {
    return Fail(file.error().code, "discriminator file " + path + ": " + file.error().message);
  }
  return file;
}

Expected<void> WriteDiscriminatorFile(const std::string& path, const DiscriminatorFile& file) {
  const std::string text = FormatDiscriminatorFile(file);
  // A device or a pipe is written to; renaming would put a file in its place.
  std::error_code ignored;
  const bool in_place =
      std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored);
  const std::string beside = in_place ? path : path + ".part";
  errno = 0;
  std::FILE* const out = std::fopen(beside.c_str(), "wb");
  bool done = out != nullptr && std::fwrite(text.data(), 1, text.size(), out) == text.size();
  if (out != nullptr) {
    done = std::fclose(out) == 0 && done;
  }
  if (!done || (!in_place && std::rename(beside.c_str(), path.c_str()) != 0)) {
    const std::string reason = SystemError();
    if (!in_place) {
      std::remove(beside.c_str());
    }
    return Fail(ErrorCode::kIo, "cannot write discriminator file " + path + ": " + reason);
  }
  return {};
}

Expected<std::string> CheckMadeFor(const DiscriminatorFile& file, const ModelIdentity& near) {
  const std::string difference = Difference(file.near, near);
  if (!difference.empty()) {
    return Fail(
        ErrorCode::kInvalidInput,
        "the discriminator was made for near model " + file.near.name + ", not for " + near.name +
            " (" + difference +
            "): calibrate with a recording of this model, or use the model it was made for");
  }
  if (file.near.hash.empty() || near.hash.empty()) {
    return "the discriminator's near model or the one at hand has no hash, as imports have none: "
           "only the name " +
           near.name + " says that they are the same";
  }
  return std::string();
}

}  // namespace nearfar
