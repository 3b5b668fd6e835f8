#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "schedule/scheduler.h"

namespace nearfar {

/// A scheduler by name, as it stands in flags and YAML. Parameters left out have their defaults;
/// switches are 0 or 1.
struct SchedulerSpec {
  std::string name = "earliest";
  std::map<std::string, double, std::less<>> parameters;

  friend bool operator==(const SchedulerSpec&, const SchedulerSpec&) = default;
};

/// One parameter of a scheduler.
struct SchedulerParameter {
  std::string_view name;
  double fallback = 0;  ///< taken when it is not given
  double low = 0;       ///< least and greatest value taken
  double high = 1;
  bool whole = false;   ///< only whole numbers
  std::string_view meaning;
};

/// What help texts and checks need to know of a scheduler.
struct SchedulerInfo {
  std::string_view name;
  std::string_view summary;
  std::vector<SchedulerParameter> parameters;
  int most_nodes = 0;   ///< ready at a time; 0: any number
};

/// All schedulers that can be had by name.
std::span<const SchedulerInfo> KnownSchedulers();

/// Errors: kNotFound for an unknown name or parameter, naming those there are; kInvalidInput for a
/// value out of its range.
Expected<void> Validate(const SchedulerSpec& spec);

/// Makes a scheduler by name. Errors: those of Validate.
Expected<std::unique_ptr<Scheduler>> MakeScheduler(const SchedulerSpec& spec);

}  // namespace nearfar
