#pragma once

#include <cstdio>
#include <string>

namespace nearfar {

/// A number as it stands in reasons and messages: four significant digits, no trailing zeros.
inline std::string ShortNumber(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", number);
  return text;
}

}  // namespace nearfar
