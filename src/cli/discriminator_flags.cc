#include "cli/discriminator_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <utility>

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

Expected<DiscriminatorSpec> ParseDiscriminatorFlags(const std::string& name,
                                                    const std::vector<std::string>& parameters) {
  DiscriminatorSpec spec{.name = name};
  for (const std::string& text : parameters) {
    const std::size_t equals = text.find('=');
    double value = 0;
    const char* const end = text.data() + text.size();
    const char* const begin = equals == std::string::npos ? end : text.data() + equals + 1;
    const auto [rest, error] = std::from_chars(begin, end, value);
    if (equals == 0 || begin == end || error != std::errc() || rest != end) {
      return Fail(ErrorCode::kInvalidInput,
                  "'" + text + "' is no parameter: write NAME=NUMBER, as in count_threshold=2");
    }
    spec.parameters[text.substr(0, equals)] = value;
  }
  if (const auto made = MakeDiscriminator(spec); !made) {
    return tl::unexpected(made.error());
  }
  return spec;
}

Expected<OpenedDiscriminator> OpenDiscriminator(const std::string& name_or_file,
                                                const std::vector<std::string>& parameters) {
  OpenedDiscriminator opened;
  const auto known = KnownDiscriminators();
  if (std::any_of(known.begin(), known.end(),
                  [&](const DiscriminatorInfo& info) { return info.name == name_or_file; })) {
    auto spec = ParseDiscriminatorFlags(name_or_file, parameters);
    if (!spec) {
      return tl::unexpected(spec.error());
    }
    opened.spec = *std::move(spec);
  } else {
    if (!parameters.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  "--param goes with a discriminator's name; a file has its own parameters");
    }
    auto file = ReadDiscriminatorFile(name_or_file);
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
  auto made = MakeDiscriminator(opened.spec);
  if (!made) {
    return tl::unexpected(made.error());
  }
  opened.discriminator = *std::move(made);
  return opened;
}

Expected<Synonyms> ReadSynonyms(const std::string& path) {
  if (path.empty()) {
    return Synonyms::Default();
  }
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return Fail(ErrorCode::kNotFound, "cannot read the synonyms file " + path);
  }
  Expected<Synonyms> synonyms = Synonyms::Parse(text.str());
  if (!synonyms) {
    return Fail(synonyms.error().code, path + ": " + synonyms.error().message);
  }
  return synonyms;
}

}  // namespace nearfar::cli
