#pragma once

#include <string_view>

namespace nearfar {

/// True when `a` comes before `b` as people count: runs of digits by value ("img2" before "img10"),
/// all else by bytes. Texts equal so are ordered by bytes.
bool NaturallyBefore(std::string_view a, std::string_view b);

}  // namespace nearfar
