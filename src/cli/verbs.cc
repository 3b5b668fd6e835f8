#include <array>

#include "cli/verb.h"

namespace nearfar::cli {

// Verbs, in the order in which a new user meets them.

std::function<int()> SetUpEval(CLI::App& app);
std::function<int()> SetUpNode(CLI::App& app);

std::span<const Verb> Verbs() {
  static const std::array<Verb, 2> verbs{{
      {"eval", "hold recordings and traces against a truth: mAP, objects found, uploads, latency",
       "nearfar eval --truth VOC2007 --near near.rec --far far.rec --discriminator smallbig random",
       SetUpEval},
      {"node", "serve models to others over the Open Inference Protocol v2",
       "nearfar node --models tests/goldens/yolo11_export --port 8001", SetUpNode},
  }};
  return verbs;
}

}  // namespace nearfar::cli
