#pragma once

#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/detection.h"
#include "core/geometry.h"
#include "core/model_identity.h"

namespace nearfar {

/// Reads the members of one JSON object into typed fields and remembers the first member that is
/// not what it should be. `Json` is nlohmann::json or a type of the same interface: the library
/// itself stays in the .cc files that parse. The counterpart of JsonWriter.
template <typename Json>
class JsonFields {
 public:
  explicit JsonFields(const Json& object) : object_(object) {
    if (!object.is_object()) {
      error_ = ": expected an object";
    }
  }

  /// Fills `field` from the member, where there is one; else it keeps its default.
  template <typename T>
  JsonFields& Read(const char* key, T& field) {
    return ReadMember(key, field, false);
  }
  /// The member must be there.
  template <typename T>
  JsonFields& Require(const char* key, T& field) {
    return ReadMember(key, field, true);
  }

  bool ok() const { return error_.empty(); }
  /// ".models[1].hash: expected a text", or empty.
  const std::string& error() const { return error_; }

  /// Reads one value. Empty when it could; else the path inside it and what was expected there.
  static std::string ReadValue(const Json& json, std::string& value) {
    if (!json.is_string()) {
      return ": expected a text";
    }
    value = json.template get_ref<const std::string&>();
    return {};
  }
  static std::string ReadValue(const Json& json, bool& value) {
    if (!json.is_boolean()) {
      return ": expected true or false";
    }
    value = json.template get<bool>();
    return {};
  }
  template <std::floating_point Real>
  static std::string ReadValue(const Json& json, Real& value) {
    if (json.is_number()) {
      value = json.template get<Real>();
      return {};
    }
    using Limits = std::numeric_limits<Real>;
    if (json == "inf" || json == "-inf" || json == "nan") {
      value = json == "nan" ? Limits::quiet_NaN()
                            : (json == "inf" ? Limits::infinity() : -Limits::infinity());
      return {};
    }
    return ": expected a number";
  }
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) static std::string
      ReadValue(const Json& json, Integer& value) {
    using Limits = std::numeric_limits<Integer>;
    bool fits = false;
    if (json.is_number_unsigned()) {
      const auto number = json.template get<unsigned long long>();
      fits = std::in_range<Integer>(number);
      value = fits ? static_cast<Integer>(number) : value;
    } else if (json.is_number_integer()) {
      const auto number = json.template get<long long>();
      fits = std::in_range<Integer>(number);
      value = fits ? static_cast<Integer>(number) : value;
    } else if (json.is_number_float()) {
      // Other programs write whole numbers as 17.0.
      const auto number = json.template get<double>();
      fits = std::floor(number) == number && std::abs(number) < 9e15 &&
             number >= static_cast<double>(Limits::min()) &&
             number <= static_cast<double>(Limits::max());
      value = fits ? static_cast<Integer>(number) : value;
    }
    return fits ? std::string() : ": expected a whole number in range";
  }
  template <typename Id>
  requires std::is_enum_v<Id>
  static std::string ReadValue(const Json& json, Id& id) {
    std::underlying_type_t<Id> number{};
    std::string error = ReadValue(json, number);
    id = Id{number};
    return error;
  }
  static std::string ReadValue(const Json& json, Duration& duration) {
    double milliseconds = 0;
    std::string error = ReadValue(json, milliseconds);
    if (error.empty() && !(std::abs(milliseconds) < 9e12)) {
      return ": expected a number of ms";
    }
    duration = FromMilliseconds(milliseconds);
    return error;
  }
  static std::string ReadValue(const Json& json, WallTime& time) {
    long long milliseconds = 0;
    std::string error = ReadValue(json, milliseconds);
    time = WallTime(std::chrono::milliseconds(milliseconds));
    return error;
  }
  static std::string ReadValue(const Json& json, Size& size) {
    return ReadTuple(json, "[width, height]", size.width, size.height);
  }
  static std::string ReadValue(const Json& json, Rect& rect) {
    return ReadTuple(json, "[x, y, width, height]", rect.x, rect.y, rect.width, rect.height);
  }
  static std::string ReadValue(const Json& json, Detection& d) {
    return ReadTuple(json, "[x1, y1, x2, y2, score, label]", d.box.x1, d.box.y1, d.box.x2, d.box.y2,
                     d.score, d.label);
  }
  static std::string ReadValue(const Json& json, ModelIdentity& identity) {
    JsonFields fields(json);
    fields.Read("name", identity.name)
        .Read("version", identity.version)
        .Read("hash", identity.hash)
        .Read("preprocessing", identity.preprocessing)
        .Read("pictures", identity.pictures)
        .Read("nms", identity.nms)
        .Read("score_floor", identity.score_floor)
        .Read("label_map", identity.label_map)
        .Read("input", identity.input);
    return fields.error();
  }
  template <typename T>
  static std::string ReadValue(const Json& json, std::vector<T>& values) {
    return ReadArray(json, values,
                     [](const Json& element, T& value) { return ReadValue(element, value); });
  }

  /// Reads an array whose elements `read(element, value)` understands.
  template <typename T, typename ReadElement>
  static std::string ReadArray(const Json& json, std::vector<T>& values, ReadElement read) {
    if (!json.is_array()) {
      return ": expected an array";
    }
    values.clear();
    values.reserve(json.size());
    for (const Json& element : json) {
      if (std::string error = read(element, values.emplace_back()); !error.empty()) {
        return "[" + std::to_string(values.size() - 1) + "]" + error;
      }
    }
    return {};
  }
  /// A member that is an array whose elements `read(element, value)` understands.
  template <typename T, typename ReadElement>
  JsonFields& Read(const char* key, std::vector<T>& values, ReadElement read) {
    return ReadMemberWith(key, false,
                          [&](const Json& json) { return ReadArray(json, values, read); });
  }
  /// A member that `read(member, value)` understands.
  template <typename T, typename ReadMemberValue>
  JsonFields& ReadBy(const char* key, T& value, ReadMemberValue read) {
    return ReadMemberWith(key, false, [&](const Json& json) { return read(json, value); });
  }

 private:
  template <typename... Fields>
  static std::string ReadTuple(const Json& json, const char* shape, Fields&... fields) {
    if (!json.is_array() || json.size() != sizeof...(fields)) {
      return std::string(": expected ") + shape;
    }
    std::size_t i = 0;
    bool ok = true;
    ((ok = ok && ReadValue(json[i++], fields).empty()), ...);
    return ok ? std::string() : std::string(": expected ") + shape;
  }

  template <typename T>
  JsonFields& ReadMember(const char* key, T& field, bool required) {
    return ReadMemberWith(key, required, [&](const Json& json) { return ReadValue(json, field); });
  }

  template <typename ReadJson>
  JsonFields& ReadMemberWith(const char* key, bool required, ReadJson read) {
    if (!ok()) {
      return *this;
    }
    const auto member = object_.find(key);
    if (member == object_.end()) {
      error_ = required ? std::string(": has no \"") + key + "\"" : "";
    } else if (std::string error = read(*member); !error.empty()) {
      error_ = "." + (key + error);
    }
    return *this;
  }

  const Json& object_;
  std::string error_;
};

}  // namespace nearfar
