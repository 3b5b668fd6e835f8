#include <array>

#include "cli/verb.h"

namespace nearfar::cli {

// Verbs, in the order in which a new user meets them.

std::function<int()> SetUpRun(CLI::App& app);
std::function<int()> SetUpEval(CLI::App& app);

std::span<const Verb> Verbs() {
  static const std::array<Verb, 2> verbs{{
      {"run", "detect objects: near model first, difficult pictures to the far one",
       "nearfar run photos/ --near small.onnx --far 127.0.0.1:8001/big --trace run.jsonl",
       SetUpRun},
      {"eval", "hold recordings and traces against a truth: mAP, objects found, uploads, latency",
       "nearfar eval --truth VOC2007 --near near.rec --far far.rec --discriminator smallbig random",
       SetUpEval},
  }};
  return verbs;
}

}  // namespace nearfar::cli
