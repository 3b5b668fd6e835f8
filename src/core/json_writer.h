#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/detection.h"
#include "core/geometry.h"
#include "core/model_identity.h"

namespace nearfar {

/// Appends compact JSON to a string. Numbers are the shortest that read back as the same value;
/// numbers that JSON has no sign for become the texts "inf", "-inf" and "nan"; bytes that are no
/// UTF-8 become U+FFFD. Commas are its own business.
/// REQUIRES: calls in an order that makes a JSON value (every Begin has its End, a Key its value).
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void BeginObject() { Begin('{'); }
  void EndObject() { End('}'); }
  void BeginArray() { Begin('['); }
  void EndArray() { End(']'); }
  void Key(std::string_view key);

  void Value(std::string_view text);
  void Value(const char* text) { Value(std::string_view(text)); }
  void Value(const std::string& text) { Value(std::string_view(text)); }
  void Value(bool value);
  void Value(double value);
  void Value(float value);
  template <std::integral Integer>
  void Value(Integer value) {
    Separate();
    char digits[24];
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  /// In ms, exact to the nanosecond.
  void Value(Duration duration);
  /// [width, height]
  void Value(Size size);
  /// [x, y, width, height]
  void Value(const Rect& rect);
  /// [x1, y1, x2, y2, score, label]
  void Value(const Detection& detection);
  void Value(const ModelIdentity& identity);
  /// An array of whatever Value takes.
  template <typename Range>
  requires requires(const Range& range) {
    range.begin();
  } &&(!std::convertible_to<const Range&, std::string_view>)void Value(const Range& range) {
    BeginArray();
    for (const auto& element : range) {
      Value(element);
    }
    EndArray();
  }

  template <typename T>
  void Field(std::string_view key, const T& value) {
    Key(key);
    Value(value);
  }
  /// Leaves the member out where the text is empty.
  void FieldUnlessEmpty(std::string_view key, std::string_view text) {
    if (!text.empty()) {
      Field(key, text);
    }
  }

 private:
  void Separate() {
    if (needs_comma_) {
      out_ += ',';
    }
    needs_comma_ = true;
  }
  void Begin(char bracket) {
    Separate();
    out_ += bracket;
    needs_comma_ = false;
  }
  void End(char bracket) {
    out_ += bracket;
    needs_comma_ = true;
  }
  void AppendText(std::string_view text);

  std::string& out_;
  bool needs_comma_ = false;
};

/// The text as it reads back from JSON: bytes that are no UTF-8 replaced by U+FFFD.
std::string AsUtf8(std::string_view text);

}  // namespace nearfar
