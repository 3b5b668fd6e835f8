#include <array>

#include "cli/verb.h"

namespace nearfar::cli {

// Verbs, in the order in which a new user meets them.

std::function<int()> SetUpModel(CLI::App& app);
std::function<int()> SetUpEval(CLI::App& app);

std::span<const Verb> Verbs() {
  static const std::array<Verb, 2> verbs{{
      {"model", "tell what a model is: parameters, size, operations, decoder, what was assumed",
       "nearfar model --synonyms", SetUpModel},
      {"eval", "hold recordings and traces against a truth: mAP, objects found, uploads, latency",
       "nearfar eval --truth VOC2007 --near near.rec --far far.rec --discriminator smallbig random",
       SetUpEval},
  }};
  return verbs;
}

}  // namespace nearfar::cli
