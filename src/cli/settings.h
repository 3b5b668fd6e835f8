#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"

namespace CLI {
class App;
}
namespace YAML {
class Node;
}

namespace nearfar::cli {

/// Where a setting's value goes. Lists and pairs are added to, all else is replaced.
using SettingTarget =
    std::variant<std::string*, std::vector<std::string>*, int*, std::int64_t*, double*, bool*,
                 Duration*, std::map<std::string, std::string>*, std::map<std::string, double>*>;

/// One thing that a user can set, by the flag --KEY or by the key KEY of a YAML file.
struct Setting {
  const char* key;
  const char* meaning;
  SettingTarget target;
  double low = 0;           ///< least and greatest number taken, where it is a number
  double high = 1e15;
  bool positional = false;  ///< also what stands on the command line without a flag
};

/// The settings of one verb: read from the command line and from a YAML file, which the command line
/// overrides. Times are written with a unit ("250ms", "2s", "1min"), pairs as KEY=VALUE or a YAML map.
class SettingTable {
 public:
  /// The targets must outlive the table.
  /// @param help  what lists all keys, for messages
  explicit SettingTable(std::vector<Setting> settings, std::string help = "nearfar run --help")
      : settings_(std::move(settings)), help_(std::move(help)) {}

  /// What takes one map of a list: the line is where the map begins.
  using TableOf = std::function<SettingTable&(int line)>;

  /// Makes the key `name` of the file a list of maps, each taken into the table that `table_of`
  /// returns for it. Lists have no flag.
  void AddList(std::string name, TableOf table_of) { lists_.emplace(std::move(name), std::move(table_of)); }

  /// Declares the flags. What they are given is kept until Apply. The table must outlive the parsing.
  void Declare(CLI::App& app);

  /// Takes the file (empty: none), then the flags, into the targets.
  /// Errors: kNotFound for the file; kInvalidInput with file, line and key, or the flag, of the first
  /// mistake: syntax, an unknown key, a key given twice, a value that does not fit.
  Expected<void> Apply(const std::string& file);
  /// The same with the text of a file; messages call it `name`.
  Expected<void> ApplyText(const std::string& name, const std::string& text);

  /// Takes a YAML file that is a list of maps, or a map whose one key `name` is such a list: calls
  /// `table_of` for each and takes the map into the table that it returns; the line given to it is
  /// where the map begins. Errors: as Apply.
  static Expected<void> ApplyList(const std::string& file, const std::string& name,
                                  const TableOf& table_of);

  /// How the user gave this key: "FILE:LINE: KEY" or "--KEY"; "--KEY", too, where it was not given.
  std::string Where(std::string_view key) const;

  /// The settings that were given, as YAML.
  std::string GivenAsYaml() const;

 private:
  struct Given {
    std::string where;
    std::vector<std::string> values;  ///< of pairs: "KEY=VALUE"
  };

  Expected<void> ReadFile(const std::string& file);
  Expected<void> ReadText(const std::string& name, const std::string& text);
  Expected<void> TakeFlags();
  Expected<void> ReadMap(const std::string& file, const YAML::Node& root);
  static Expected<void> ReadList(const std::string& file, const YAML::Node& list,
                                 const TableOf& table_of);
  Expected<void> AssignGiven();
  Expected<void> Assign(const Setting& setting, const Given& given);

  std::vector<Setting> settings_;
  std::string help_;
  std::map<std::string, TableOf, std::less<>> lists_;
  std::map<std::string, std::vector<std::string>, std::less<>> flags_;
  std::map<std::string, Given, std::less<>> given_;
};

/// Reads a time with its unit: ns, us, ms, s, min, h. Errors: kInvalidInput.
Expected<Duration> ParseDuration(std::string_view text);

/// Bytes a second from a rate with its unit: bit/s or B/s, with k, M, G (1000) or Ki, Mi, Gi (1024)
/// before them ("2 Mbit/s", "250KB/s"). Errors: kInvalidInput, also for 0.
Expected<double> ParseByteRate(std::string_view text);

}  // namespace nearfar::cli
