#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"

namespace nearfar {

/// One field of a protobuf text: `name: value` or `name { fields }`. A list gives one field for
/// each of its values. The schema is not needed, so that fields of any version of Triton can be
/// passed over.
struct TextField {
  std::string name;
  std::string value;              ///< scalar as written, strings without quotes
  std::vector<TextField> fields;  ///< of a message
  bool is_message = false;
  int line = 0;  ///< counted from 1
};

/// Reads protobuf's text format. Errors: kInvalidInput as "FILE:LINE: what was expected".
Expected<std::vector<TextField>> ParseTextFormat(std::string_view text, std::string_view file);

/// A string as it is written in the text format, with quotes.
std::string QuoteText(std::string_view text);

/// A number in the shortest form that reads back equal; several with commas between.
std::string NumberText(float value);
std::string NumberText(const std::array<float, 3>& values);

}  // namespace nearfar
