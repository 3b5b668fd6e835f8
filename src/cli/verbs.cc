#include <array>

#include "cli/verb.h"

namespace nearfar::cli {

std::function<int()> SetUpCalibrate(CLI::App& app);
std::function<int()> SetUpEval(CLI::App& app);
std::function<int()> SetUpExplain(CLI::App& app);
std::function<int()> SetUpFitPeople(CLI::App& app);
std::function<int()> SetUpImport(CLI::App& app);
std::function<int()> SetUpMerge(CLI::App& app);
std::function<int()> SetUpModel(CLI::App& app);
std::function<int()> SetUpMosaic(CLI::App& app);
std::function<int()> SetUpNode(CLI::App& app);
std::function<int()> SetUpPaper(CLI::App& app);
std::function<int()> SetUpRecord(CLI::App& app);
std::function<int()> SetUpRun(CLI::App& app);
std::function<int()> SetUpScene(CLI::App& app);
std::function<int()> SetUpSimulate(CLI::App& app);
std::function<int()> SetUpSweep(CLI::App& app);

// What the examples of calibrate and eval start from.
#define NEARFAR_TWO_RECORDINGS                                              \
  "nearfar scene --out scene --split calibrate=60 --split judge=60\n"       \
  "nearfar record scene/JPEGImages --model models/scene_near -o near.rec\n" \
  "nearfar record scene/JPEGImages --model models/scene_far -o far.rec\n"

// In the order in which a new user meets them.
std::span<const Verb> Verbs() {
  static const std::array verbs{
      Verb{"run", "detect objects: near model first, difficult pictures to the far one",
           "nearfar run tests/goldens --near models/scene_near --far 127.0.0.1:8001/scene_far "
           "--trace run.jsonl",
           SetUpRun},
      Verb{"model", "tell what a model is: parameters, size, operations, decoder, what was assumed",
           "nearfar model models/scene_near models/scene_far", SetUpModel},
      Verb{"node", "serve models to others over the Open Inference Protocol v2",
           "nearfar node --models models/scene_far --port 8001", SetUpNode},
      Verb{"record",
           "keep a detector's boxes over pictures and videos, to decide upon them many times",
           "nearfar record tests/goldens --model models/scene_near -o photos.rec", SetUpRecord},
      Verb{"merge", "make a recording of whole frames out of one of tiles (record --tiles)",
           "nearfar record tests/goldens --model models/scene_near --tiles 256 --padding 32 "
           "--overview 320 -o tiles.rec\n"
           "nearfar merge tiles.rec -o merged.rec --force",
           SetUpMerge},
      Verb{"import", "turn another program's detections (VOC comp4, COCO results) into a recording",
           "nearfar scene --out street --split val=20 --format coco\n"
           "nearfar run street/images --near models/scene_far --coco far.json --coco-truth street\n"
           "nearfar import far.json --images street -o imported.rec --force",
           SetUpImport},
      Verb{"calibrate", "fit a discriminator from what both models found in the same images",
           NEARFAR_TWO_RECORDINGS
           "nearfar calibrate --near near.rec --far far.rec --truth scene --image-set calibrate "
           "-o disc.json",
           SetUpCalibrate},
      Verb{"explain", "why one image is easy or difficult",
           "nearfar explain tests/goldens/photo_wide.png --near models/scene_near", SetUpExplain},
      Verb{"eval",
           "hold recordings and traces against a truth: mAP, objects found, uploads, latency",
           NEARFAR_TWO_RECORDINGS
           "nearfar eval --truth scene --image-set judge --near near.rec --far far.rec "
           "--discriminator smallbig random",
           SetUpEval},
      Verb{"sweep",
           "what every discriminator recovers at every upload ratio: table, CSV, charts",
           NEARFAR_TWO_RECORDINGS
           "nearfar sweep --near near.rec --far far.rec --truth scene -o curves",
           SetUpSweep},
      Verb{"paper", "both papers' tables and figures, printed beside what runs of yours give",
           NEARFAR_TWO_RECORDINGS
           "nearfar paper small-big --small 1 --dataset 07 --near near.rec --far far.rec "
           "--truth scene --image-set judge",
           SetUpPaper},
      Verb{"simulate",
           "run planners over modelled nodes and links: frame rate, accuracy, what was skipped",
           "nearfar simulate --config examples/simulate.yaml --frames 200 --trace %p.jsonl",
           SetUpSimulate},
      Verb{"scene", "draw an annotated set of street pictures from a seed",
           "nearfar scene --out scene --split calibrate=60 --split judge=60", SetUpScene},
      Verb{"mosaic", "lay annotated pictures side by side: 4K test frames from 1080p pictures",
           "nearfar scene --out street --split val=20 --format coco\n"
           "nearfar mosaic street --out large --grid 2x2 --count 8",
           SetUpMosaic},
      Verb{"fit-people",
           "fit how often a model finds people of which height, hidden how far, for simulations",
           "nearfar scene --out street --split val=60 --format coco\n"
           "nearfar record street/images --model models/scene_far -o far.rec\n"
           "nearfar fit-people --truth street --recording far.rec -o far_people.json",
           SetUpFitPeople},
  };
  return verbs;
}

#undef NEARFAR_TWO_RECORDINGS

}  // namespace nearfar::cli
