#include <array>

#include "cli/verb.h"

namespace nearfar::cli {

// Verbs, in the order in which a new user meets them.

std::span<const Verb> Verbs() {
  static const std::array<Verb, 0> verbs{};
  return verbs;
}

}  // namespace nearfar::cli
