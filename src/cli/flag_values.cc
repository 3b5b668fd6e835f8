#include "cli/flag_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

#include "data/text.h"

namespace nearfar::cli {

std::string DiscriminatorNames() {
  std::string names;
  for (const DiscriminatorInfo& info : KnownDiscriminators()) {
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  }
  return names;
}

std::string DiscriminatorHelp() {
  std::string text;
  for (const DiscriminatorInfo& info : KnownDiscriminators()) {
    text += std::string(info.name) + ": " + std::string(info.summary) + "\n";
    for (const ParameterInfo& parameter : info.parameters) {
      text += "  " + std::string(parameter.name);
      if (!std::isnan(parameter.fallback)) {
        char number[32];
        std::snprintf(number, sizeof number, "=%g", parameter.fallback);
        text += number;
      }
      text += "  " + std::string(parameter.meaning) + "\n";
    }
  }
  text.pop_back();
  return text;
}

Expected<std::map<std::string, double, std::less<>>> ParseParameters(
    const std::vector<std::string>& texts) {
  std::map<std::string, double, std::less<>> parameters;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    double value = 0;
    const char* const end = text.data() + text.size();
    const char* const begin = equals == std::string::npos ? end : text.data() + equals + 1;
    const auto [rest, error] = std::from_chars(begin, end, value);
    if (equals == 0 || begin == end || error != std::errc() || rest != end) {
      return Fail(ErrorCode::kInvalidInput,
                  "'" + text + "' is no parameter: write NAME=NUMBER, as in count_threshold=2");
    }
    parameters[text.substr(0, equals)] = value;
  }
  return parameters;
}

Expected<OpenedDiscriminator> OpenDiscriminator(const DiscriminatorSpec& asked, bool learn) {
  OpenedDiscriminator opened{.spec = asked};
  const auto known = KnownDiscriminators();
  if (std::none_of(known.begin(), known.end(),
                   [&](const DiscriminatorInfo& info) { return info.name == asked.name; })) {
    if (!asked.parameters.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  "parameters go with a discriminator's name, not with '" + asked.name +
                      "': a discriminator file has its own; by name there are " +
                      DiscriminatorNames());
    }
    auto file = ReadDiscriminatorFile(asked.name);
    if (!file) {
      return Fail(file.error().code,
                  file.error().message +
                      (file.error().code == ErrorCode::kNotFound
                           ? "; give a file made by calibrate, or one of " + DiscriminatorNames()
                           : ""));
    }
    opened.spec = file->discriminator;
    opened.file = *std::move(file);
  }
  auto made = learn && opened.spec.name != "online"
                  ? MakeLearning(opened.spec, opened.file && opened.file->goal
                                                  ? *opened.file->goal
                                                  : GainGoal::kAccuracy)
                  : MakeDiscriminator(opened.spec);
  if (!made) {
    return tl::unexpected(made.error());
  }
  opened.discriminator = *std::move(made);
  return opened;
}

Expected<FusionWeights> ChooseFusion(const std::string& text,
                                     const std::optional<DiscriminatorFile>& file) {
  if (text == "off" || text == "false") {
    return FusionWeights{};
  }
  if (text == "on" || text == "true" || text == "auto") {
    if (file && file->fusion) {
      return file->fusion->weights;
    }
    if (file && text != "auto") {
      return Fail(ErrorCode::kInvalidInput,
                  "the discriminator file has no weights of fusion: calibrate anew, or give "
                  "agree=A,keep=K");
    }
    return text == "auto" ? FusionWeights{} : kUsualFusion;
  }
  std::vector<std::string> pairs;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    pairs.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  const auto given = ParseParameters(pairs);
  FusionWeights weights;
  bool known = given.has_value();
  if (given) {
    for (const auto& [name, value] : *given) {
      known = known && (name == "agree" || name == "keep");
      (name == "agree" ? weights.agree : weights.keep) = value;
    }
  }
  if (!known) {
    return Fail(ErrorCode::kInvalidInput,
                "'" + text + "' is no fusion: write on, off, auto, or weights, as in "
                             "agree=0.3,keep=0.05");
  }
  if (const auto valid = Validate(weights); !valid) {
    return tl::unexpected(valid.error());
  }
  return weights;
}

Expected<std::map<std::string, std::string>> ParseModelSettings(
    const std::vector<std::string>& texts, const std::string& flag) {
  std::map<std::string, std::string> settings;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Fail(ErrorCode::kInvalidInput, flag + " " + text +
                                                ": expected KEY=VALUE; `nearfar model --settings` "
                                                "lists the keys");
    }
    settings[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return settings;
}

Expected<Size> ParseSizeFlag(const std::string& text, const std::string& flag) {
  const std::size_t cross = std::min(text.find('x'), text.size());
  const auto read = [&](std::size_t from, std::size_t to, int& number) {
    const auto [end, error] = std::from_chars(text.data() + from, text.data() + to, number);
    return from < to && error == std::errc() && end == text.data() + to && number >= 0;
  };
  Size size;
  if (!read(0, cross, size.width) ||
      (cross < text.size() && !read(cross + 1, text.size(), size.height))) {
    return Fail(ErrorCode::kInvalidInput,
                flag + " '" + text + "': give WIDTHxHEIGHT in px, or one number for a square");
  }
  size.height = cross < text.size() ? size.height : size.width;
  return size;
}

Expected<Synonyms> ReadSynonyms(const std::string& path) {
  if (path.empty()) {
    return Synonyms::Default();
  }
  const Expected<std::string> text = ReadFileText(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  Expected<Synonyms> synonyms = Synonyms::Parse(*text);
  if (!synonyms) {
    return Fail(synonyms.error().code, path + ": " + synonyms.error().message);
  }
  return synonyms;
}

}  // namespace nearfar::cli
