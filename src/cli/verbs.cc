#include "cli/verbs.h"

#include <array>

namespace nearfar::cli {

// Verbs, in the order in which a new user meets them.

std::function<int()> SetUpEval(CLI::App& app);

std::span<const Verb> Verbs() {
  static const std::array<Verb, 1> verbs{{
      {"eval", "hold recordings and traces against a truth: mAP, objects found, uploads, latency",
       "nearfar eval --truth VOC2007 --near near.rec --far far.rec --discriminator smallbig random",
       SetUpEval},
  }};
  static const std::array verbs{ModelVerb()};
  return verbs;
}

}  // namespace nearfar::cli
