#include "cli/settings.h"

#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <sstream>
#include <type_traits>

namespace nearfar::cli {
namespace {

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<bool> ParseSwitch(std::string_view text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") {
    return true;
  }
  if (text == "false" || text == "no" || text == "off" || text == "0") {
    return false;
  }
  return std::nullopt;
}

std::string Short(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", number);
  return text;
}

/// Letters to change, add or drop to get from one text to the other.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

tl::unexpected<Error> Wrong(const std::string& where, const std::string& what) {
  return Fail(ErrorCode::kInvalidInput, where + ": " + what);
}

bool IsMap(const Setting& setting) {
  return std::holds_alternative<std::map<std::string, std::string>*>(setting.target) ||
         std::holds_alternative<std::map<std::string, double>*>(setting.target);
}

bool IsList(const Setting& setting) {
  return std::holds_alternative<std::vector<std::string>*>(setting.target);
}

}  // namespace

Expected<Duration> ParseDuration(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ns", 1e-6}, {"us", 1e-3}, {"ms", 1}, {"min", 60e3}, {"s", 1e3}, {"h", 3600e3}};
  for (const auto& [unit, in_ms] : kUnits) {
    if (!text.ends_with(unit)) {
      continue;
    }
    std::string_view digits = text.substr(0, text.size() - unit.size());
    while (digits.ends_with(' ')) {
      digits.remove_suffix(1);
    }
    const auto number = ParseNumber(digits);
    if (number && *number >= 0 && *number * in_ms < 1e12) {
      return FromMilliseconds(*number * in_ms);
    }
  }
  return Fail(ErrorCode::kInvalidInput,
              "'" + std::string(text) + "' is no time: write a number with ms, s, min or h");
}

Expected<double> ParseByteRate(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"bit/s", 1.0 / 8}, {"bps", 1.0 / 8}, {"B/s", 1}};
  static constexpr std::pair<std::string_view, double> kPrefixes[] = {
      {"Ki", 1024.0}, {"Mi", 1024.0 * 1024}, {"Gi", 1024.0 * 1024 * 1024}, {"k", 1e3},
      {"K", 1e3},     {"M", 1e6},            {"G", 1e9},                   {"", 1}};
  for (const auto& [unit, bytes] : kUnits) {
    if (!text.ends_with(unit)) {
      continue;
    }
    std::string_view rest = text.substr(0, text.size() - unit.size());
    const auto prefix = std::find_if(std::begin(kPrefixes), std::end(kPrefixes),
                                     [&](const auto& entry) { return rest.ends_with(entry.first); });
    rest.remove_suffix(prefix->first.size());
    while (rest.ends_with(' ')) {
      rest.remove_suffix(1);
    }
    const auto number = ParseNumber(rest);
    const double rate = number.value_or(0) * prefix->second * bytes;
    if (rate > 0 && rate <= 1e15) {
      return rate;
    }
  }
  return Fail(ErrorCode::kInvalidInput,
              "'" + std::string(text) +
                  "' is no rate above 0: write a number with kbit/s, Mbit/s, KB/s or MB/s");
}

void SettingTable::Declare(CLI::App& app) {
  for (const Setting& setting : settings_) {
    const std::string key = setting.key;
    if (std::holds_alternative<bool*>(setting.target)) {
      app.add_flag_callback(
          "--" + key, [this, key] { flags_[key] = {"true"}; }, setting.meaning);
      continue;
    }
    const std::string name = setting.positional ? key + ",--" + key : "--" + key;
    CLI::Option* option = app.add_option(name, flags_[key], setting.meaning);
    if (!setting.positional) {
      option->allow_extra_args(false);
    }
    if (!IsMap(setting) && !IsList(setting)) {
      option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    if (IsMap(setting)) {
      option->type_name("KEY=VALUE");
    } else if (std::holds_alternative<Duration*>(setting.target)) {
      option->type_name("TIME");
    } else if (std::holds_alternative<int*>(setting.target) ||
               std::holds_alternative<std::int64_t*>(setting.target) ||
               std::holds_alternative<double*>(setting.target)) {
      option->type_name("NUMBER");
    }
  }
}

Expected<void> SettingTable::Apply(const std::string& file) {
  if (!file.empty()) {
    if (auto read = ReadFile(file); !read) {
      return read;
    }
  }
  return TakeFlags();
}

Expected<void> SettingTable::ApplyText(const std::string& name, const std::string& text) {
  if (auto read = ReadText(name, text); !read) {
    return read;
  }
  return TakeFlags();
}

Expected<void> SettingTable::TakeFlags() {
  for (const auto& [key, values] : flags_) {
    if (!values.empty()) {
      given_[key] = {"--" + key, values};
    }
  }
  return AssignGiven();
}

Expected<void> SettingTable::AssignGiven() {
  for (const Setting& setting : settings_) {
    if (const auto given = given_.find(std::string_view(setting.key)); given != given_.end()) {
      if (auto assigned = Assign(setting, given->second); !assigned) {
        return assigned;
      }
    }
  }
  return {};
}

Expected<void> SettingTable::ReadFile(const std::string& file) {
  std::ifstream stream(file);
  if (!stream || std::filesystem::is_directory(file)) {
    return Fail(ErrorCode::kNotFound, "cannot open the configuration " + file);
  }
  std::ostringstream text;
  text << stream.rdbuf();
  return ReadText(file, text.str());
}

Expected<void> SettingTable::ReadText(const std::string& name, const std::string& text) {
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) {
      return {};
    }
    return ReadMap(name, root);
  } catch (const YAML::Exception& error) {
    return Wrong(name + ":" + std::to_string(error.mark.line + 1), "no valid YAML: " + error.msg);
  }
}

Expected<void> SettingTable::ApplyList(const std::string& file, const std::string& name,
                                       const TableOf& table_of) {
  std::ifstream stream(file);
  if (!stream || std::filesystem::is_directory(file)) {
    return Fail(ErrorCode::kNotFound, "cannot open the list of " + name + " " + file);
  }
  try {
    const YAML::Node root = YAML::Load(stream);
    const bool is_named = root.IsMap() && root.size() == 1 && root[name];
    const YAML::Node list = is_named ? root[name] : root;
    if (!list.IsSequence()) {
      return Wrong(file + ":1", "expected `" + name + ":` and a list of maps below it");
    }
    return ReadList(file, list, table_of);
  } catch (const YAML::Exception& error) {
    return Wrong(file + ":" + std::to_string(error.mark.line + 1), "no valid YAML: " + error.msg);
  }
}

Expected<void> SettingTable::ReadList(const std::string& file, const YAML::Node& list,
                                      const TableOf& table_of) {
  for (const YAML::Node& element : list) {
    SettingTable& table = table_of(element.Mark().line + 1);
    if (auto read = table.ReadMap(file, element); !read) {
      return read;
    }
    if (auto assigned = table.AssignGiven(); !assigned) {
      return assigned;
    }
  }
  return {};
}

Expected<void> SettingTable::ReadMap(const std::string& file, const YAML::Node& root) {
  if (!root.IsMap()) {
    return Wrong(file + ":" + std::to_string(root.Mark().line + 1),
                 "a configuration is a map of keys and values");
  }
  for (const auto& entry : root) {
    const std::string line = file + ":" + std::to_string(entry.first.Mark().line + 1);
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const std::string where = line + ": " + key;
    if (const auto list = lists_.find(key); list != lists_.end()) {
      if (!entry.second.IsSequence()) {
        return Wrong(where, "takes a list of maps");
      }
      if (auto read = ReadList(file, entry.second, list->second); !read) {
        return read;
      }
      continue;
    }
    const auto known = std::find_if(settings_.begin(), settings_.end(),
                                    [&](const Setting& setting) { return key == setting.key; });
    if (known == settings_.end()) {
      const auto nearest = std::min_element(
          settings_.begin(), settings_.end(), [&](const Setting& a, const Setting& b) {
            return EditDistance(key, a.key) < EditDistance(key, b.key);
          });
      const bool alike = EditDistance(key, nearest->key) <= 2;
      return Wrong(where, "there is no such key" +
                              (alike ? "; do you mean " + std::string(nearest->key) + "?"
                                     : std::string("; `" + help_ + "` lists all of them")));
    }
    if (given_.contains(key)) {
      return Wrong(where, "is given twice (before at " + given_.at(key).where + ")");
    }
    Given given{where, {}};
    const YAML::Node& value = entry.second;
    if (value.IsScalar() && !IsMap(*known)) {
      given.values = {value.Scalar()};
    } else if (value.IsSequence() && IsList(*known)) {
      for (const auto& element : value) {
        if (!element.IsScalar()) {
          return Wrong(where, "is a list of plain values");
        }
        given.values.push_back(element.Scalar());
      }
    } else if (value.IsMap() && IsMap(*known)) {
      for (const auto& pair : value) {
        if (!pair.first.IsScalar() || !pair.second.IsScalar()) {
          return Wrong(where, "is a map of plain values");
        }
        given.values.push_back(pair.first.Scalar() + "=" + pair.second.Scalar());
      }
    } else if (!value.IsNull()) {
      return Wrong(where, IsMap(*known)    ? "takes a map, as in `person: 0.5`"
                          : IsList(*known) ? "takes a value or a list of values"
                                           : "takes one plain value");
    }
    if (!given.values.empty()) {
      given_[key] = std::move(given);
    }
  }
  return {};
}

Expected<void> SettingTable::Assign(const Setting& setting, const Given& given) {
  const std::string& last = given.values.back();
  const auto in_range = [&](const std::string& text) -> Expected<double> {
    const auto number = ParseNumber(text);
    if (!number || *number < setting.low || *number > setting.high) {
      return Wrong(given.where, "'" + text + "' is no number from " + Short(setting.low) + " to " +
                                    Short(setting.high));
    }
    return *number;
  };
  const auto pair_of =
      [&](const std::string& text) -> Expected<std::pair<std::string, std::string>> {
    // The last sign: names of settings and classes may hold one, numbers do not.
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Wrong(given.where, "'" + text + "' is no pair: write KEY=VALUE");
    }
    return std::pair(text.substr(0, equals), text.substr(equals + 1));
  };
  return std::visit(
      [&](auto* target) -> Expected<void> {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<T, std::string>) {
          *target = last;
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          *target = given.values;
        } else if constexpr (std::is_same_v<T, bool>) {
          const auto value = ParseSwitch(last);
          if (!value) {
            return Wrong(given.where, "'" + last + "' is neither true nor false");
          }
          *target = *value;
        } else if constexpr (std::is_same_v<T, Duration>) {
          const auto value = ParseDuration(last);
          if (!value) {
            return Wrong(given.where, value.error().message);
          }
          *target = *value;
        } else if constexpr (std::is_same_v<T, double>) {
          const auto value = in_range(last);
          if (!value) {
            return tl::unexpected(value.error());
          }
          *target = *value;
        } else if constexpr (std::is_integral_v<T>) {
          const auto value = in_range(last);
          if (!value) {
            return tl::unexpected(value.error());
          }
          if (*value != std::floor(*value)) {
            return Wrong(given.where, "'" + last + "' is no whole number");
          }
          *target = static_cast<T>(*value);
        } else {
          for (const std::string& text : given.values) {
            auto pair = pair_of(text);
            if (!pair) {
              return tl::unexpected(pair.error());
            }
            if constexpr (std::is_same_v<T, std::map<std::string, double>>) {
              const auto value = in_range(pair->second);
              if (!value) {
                return tl::unexpected(value.error());
              }
              (*target)[pair->first] = *value;
            } else {
              (*target)[pair->first] = pair->second;
            }
          }
        }
        return {};
      },
      setting.target);
}

std::string SettingTable::Where(std::string_view key) const {
  const auto given = given_.find(key);
  return given == given_.end() ? "--" + std::string(key) : given->second.where;
}

std::string SettingTable::GivenAsYaml() const {
  YAML::Emitter yaml;
  yaml << YAML::BeginMap;
  for (const Setting& setting : settings_) {
    const auto given = given_.find(std::string_view(setting.key));
    if (given == given_.end()) {
      continue;
    }
    yaml << YAML::Key << setting.key << YAML::Value;
    if (IsMap(setting)) {
      yaml << YAML::BeginMap;
      for (const std::string& text : given->second.values) {
        const std::size_t equals = text.find('=');
        yaml << YAML::Key << text.substr(0, equals) << YAML::Value << text.substr(equals + 1);
      }
      yaml << YAML::EndMap;
    } else if (IsList(setting)) {
      yaml << given->second.values;
    } else {
      yaml << given->second.values.back();
    }
  }
  yaml << YAML::EndMap;
  return yaml.c_str();
}

}  // namespace nearfar::cli
