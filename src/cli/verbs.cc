#include <array>

#include "cli/verb.h"

namespace nearfar::cli {

std::function<int()> SetUpCalibrate(CLI::App& app);
std::function<int()> SetUpEval(CLI::App& app);
std::function<int()> SetUpExplain(CLI::App& app);
std::function<int()> SetUpImport(CLI::App& app);
std::function<int()> SetUpModel(CLI::App& app);
std::function<int()> SetUpNode(CLI::App& app);
std::function<int()> SetUpRecord(CLI::App& app);
std::function<int()> SetUpRun(CLI::App& app);
std::function<int()> SetUpScene(CLI::App& app);

// In the order in which a new user meets them.
std::span<const Verb> Verbs() {
  static const std::array verbs{
      Verb{"run", "detect objects: near model first, difficult pictures to the far one",
           "nearfar run photos/ --near small.onnx --far 127.0.0.1:8001/big --trace run.jsonl",
           SetUpRun},
      Verb{"model", "tell what a model is: parameters, size, operations, decoder, what was assumed",
           "nearfar model --synonyms", SetUpModel},
      Verb{"node", "serve models to others over the Open Inference Protocol v2",
           "nearfar node --models models/scene_far --port 8001", SetUpNode},
      Verb{"record", "keep a detector's boxes over pictures and videos, to decide upon them many times",
           "nearfar record tests/goldens/photo_large.png --model models/scene_near --output near.rec", SetUpRecord},
      Verb{"import", "turn another program's detections (VOC comp4, COCO results) into a recording",
           "nearfar import results/VOC2007/Main --images VOCdevkit/VOC2007 --output far.rec",
           SetUpImport},
      Verb{"calibrate", "fit a discriminator from what both models found in the same images",
           "nearfar calibrate --near near.rec --far far.rec --upload 0.5 -o disc.json",
           SetUpCalibrate},
      Verb{"explain", "why one image is easy or difficult",
           "nearfar explain --recording near.rec --discriminator disc.json 000004", SetUpExplain},
      Verb{"eval", "hold recordings and traces against a truth: mAP, objects found, uploads, latency",
           "nearfar eval --truth VOC2007 --near near.rec --far far.rec --discriminator smallbig random",
           SetUpEval},
      Verb{"scene", "draw an annotated set of street pictures from a seed",
           "nearfar scene --out scene --split calibrate=200 --split judge=200", SetUpScene},
  };
  return verbs;
}

}  // namespace nearfar::cli
