#include "cli/discriminator_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

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

std::vector<std::string> SplitNames(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::size_t first = text.find_first_not_of(" \t", at);
    if (first < comma) {
      names.push_back(text.substr(first, text.find_last_not_of(" \t", comma - 1) + 1 - first));
    }
    at = comma + 1;
  }
  return names;
}

}  // namespace nearfar::cli
