#pragma once

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

}  // namespace nearfar
