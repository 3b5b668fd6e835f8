// The cascade at tile grain against the frame cascade and HODE alone, at equal bytes and deadline, on
// recorded tiles of real pixels:
//
//   nearfar mosaic MOT17-02 MOT17-09 MOT17-10 MOT17-11 MOT17-13 --out mosaics --count 25 --seed 1
//   for MODEL in yolov5n yolov8s:
//     nearfar record mosaics/images --model MODEL.onnx --tiles 512 --padding 64 --overview 960 -o MODEL_tiles.rec
//     nearfar record mosaics/images --model MODEL.onnx --set input.size=1920x1088 -o MODEL_half.rec
//     nearfar record mosaics/images --model MODEL.onnx --set input.size=3840x2176 -o MODEL_whole.rec
//   tile_cascade_bench mosaics yolov5n_{tiles,half,whole}.rec yolov8s_{tiles,half,whole}.rec
//
// Near nodes take 40 ms for 512x512 px: four of them see tiles, or one of them whole frames; one far
// node, 15 ms, stands behind 50 Mbit/s. With a deadline of 3 s the frame cascade looks at 3840 px, and
// the tiles' overview has 960 or 1920; with 1 s it is 1920 and 960, since a near node takes 1.3 s for
// 3840. Answers of both models are fused alike in both. Whoever is fitted is fitted to the even mosaics and judged on the odd ones, and the other way
// round. The real planners run in the simulator: ParallelPlanner with and without the cascade,
// SmallBigPlanner on whole frames.

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/plot/chart.h"
#include "core/percentile.h"
#include "core/rng.h"
#include "data/read_truth.h"
#include "discriminate/budget.h"
#include "discriminate/factory.h"
#include "eval/average_precision.h"
#include "eval/matching.h"
#include "pipeline/named_planner.h"
#include "pipeline/small_big.h"
#include "sim/recorded_boxes.h"
#include "sim/simulate.h"
#include "train/out_of_fold.h"

namespace nearfar {
namespace {

constexpr double kShares[] = {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1};
constexpr double kCameraFps = 0.25;
const LabelSpace kPersons{{"person"}};

/// What one model found.
struct Recorded {
  Recording tiles;  ///< with the overview of 960 px
  Recording half;   ///< whole frames at 1920 px
  Recording whole;  ///< and at 3840 px
};

struct Inputs {
  Truth truth;
  Recorded near;
  Recorded far;
};

/// One block of the table.
struct Contest {
  Duration deadline{};
  int overview = 960;       ///< of the tiles
  double frame_scale = 1;   ///< at which the frame cascade looks
};

/// The frames of one half, by the order of their names.
Recording HalfOf(const Recording& recording, int half) {
  std::vector<std::string> names;
  for (const RecordedFrame& frame : recording.frames) {
    names.push_back(frame.name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  Recording part{.model = recording.model, .classes = recording.classes};
  for (const RecordedFrame& frame : recording.frames) {
    const auto place = std::lower_bound(names.begin(), names.end(), frame.name) - names.begin();
    if (place % 2 == half) {
      part.frames.push_back(frame);
    }
  }
  return part;
}

/// Leaves the frames of which every recording has as many regions as of any.
void KeepWholeFrames(std::vector<Recording*> recordings) {
  std::map<std::string, std::size_t> complete;
  for (const Recording* recording : recordings) {
    std::map<std::string, std::size_t> regions;
    std::size_t most = 0;
    for (const RecordedFrame& frame : recording->frames) {
      most = std::max(most, ++regions[frame.name]);
    }
    for (const auto& [name, count] : regions) {
      complete[name] += count == most ? 1 : 0;
    }
  }
  for (Recording* recording : recordings) {
    std::erase_if(recording->frames, [&](const RecordedFrame& frame) {
      return complete[frame.name] < recordings.size();
    });
  }
}

/// Each region as an image of its own, near and far side by side: what a discriminator is fitted to.
LabelledSet SetOf(const Recording& near, const Recording& far) {
  LabelledSet set{.classes = kPersons};
  std::map<std::pair<std::string, RegionId>, const RecordedFrame*> others;
  for (const RecordedFrame& frame : far.frames) {
    others[{frame.name, frame.region}] = &frame;
  }
  for (const RecordedFrame& frame : near.frames) {
    const auto other = others.find({frame.name, frame.region});
    if (other == others.end()) {
      continue;
    }
    const auto in_region = [&](const Recording& recording, const RecordedFrame& of) {
      Detections boxes = DetectionsIn(kPersons, recording, of, Synonyms::Default());
      for (Detection& box : boxes) {
        box.box = Translate(box.box, -static_cast<float>(frame.rect.x),
                            -static_cast<float>(frame.rect.y));
      }
      return boxes;
    };
    set.names.push_back(frame.name + "#" + std::to_string(ToNumber(frame.region)));
    set.images.push_back({.near = in_region(near, frame),
                          .far = in_region(far, *other->second),
                          .size = frame.rect.size(),
                          .features = frame.features,
                          .key = HashText(set.names.back())});
  }
  return set;
}

struct Fitted {
  DiscriminatorSpec spec;
  std::vector<double> percentiles;
};

/// Fitted to a set; the scale of its gains by folds of it.
Fitted FitTo(const LabelledSet& set, const ModelIdentity& near, const std::string& name) {
  const auto folds = SplitIntoFolds(set.names, {.folds = 4}).value();
  const OutOfFoldGains out =
      JudgeOutOfFold(set, near, {.name = name}, GainGoal::kAccuracy, folds).value();
  std::vector<double> gains = out.gains;
  std::sort(gains.begin(), gains.end());
  Fitted fitted{.spec = FitDiscriminator(set, near, {.name = name}, GainGoal::kAccuracy)->spec};
  for (std::size_t p = 0; p <= 100; ++p) {
    fitted.percentiles.push_back(gains[p * (gains.size() - 1) / 100]);
  }
  return fitted;
}

/// What a way of looking gave over all mosaics.
struct Outcome {
  std::vector<TruthImage> truth;
  std::vector<Detections> found;
  double bytes = 0;
  std::vector<Duration> times;
  int degraded = 0;

  void Add(const BoxSource& boxes, const Simulated& run, LinkId far) {
    for (std::size_t i = 0; i < run.trace.frames.size(); ++i) {
      const FrameRecord& frame = run.trace.frames[i];
      truth.push_back({.name = frame.name, .size = frame.size,
                       .objects = *boxes.TruthOf(run.frames[i].source_frame)});
      found.push_back(frame.detections);
      times.push_back(frame.total);
      degraded += frame.status == FrameStatus::kOk ? 0 : 1;
      for (const Answer& answer : frame.answers) {
        bytes += answer.link == far ? static_cast<double>(answer.bytes_up) : 0;
      }
    }
  }
  double ap() const {
    return AveragePrecision(MatchVoc(truth, found, 1).classes[0], 0, Interpolation::kArea)
        .value_or(0);
  }
  double bytes_per_frame() const { return bytes / static_cast<double>(found.size()); }
};

SimulatedNode NodeOf(std::uint32_t link, double tile_ms, std::size_t detector) {
  return {.link = LinkId{link},
          .name = "node-" + std::to_string(link),
          .model = {.per_region = std::chrono::milliseconds(2),
                    .px_per_second = 512 * 512 / (1e-3 * tile_ms),
                    .noise = 0.05},
          .detector = detector};
}

std::unique_ptr<UploadPolicy> Budget(const Fitted& fitted, double share) {
  return std::make_unique<BudgetPolicy>(
      BudgetOptions{.share = share, .slack = 3, .gain_percentiles = fitted.percentiles, .seed = 1});
}

const LinkModel kUplink{.up_bytes_per_second = 50e6 / 8, .down_bytes_per_second = 50e6 / 8,
                        .delay = std::chrono::milliseconds(10)};

/// Tiles on four near nodes; with a share, difficult ones go far.
void RunTiles(const Contest& contest, const RecordedBoxes& boxes, const Fitted* fitted,
              double share, Outcome& outcome) {
  std::vector<SimulatedNode> nodes;
  std::vector<NodeDescription> descriptions;
  for (std::uint32_t link = 1; link <= 5; ++link) {
    nodes.push_back(NodeOf(link, link == 5 ? 15 : 40, link == 5 ? 1 : 0));
    descriptions.push_back({.link = LinkId{link}, .name = nodes.back().name, .far = link == 5});
  }
  const SimFrame first = boxes.Frame(0);
  nodes.back().network = kUplink;
  nodes.back().bytes_per_px =
      static_cast<double>(first.upload_bytes) / static_cast<double>(first.size.area());
  PlannerSpec spec = NamedPlanner("all-tiles", descriptions).value();
  spec.options.joining.on = false;
  spec.options.padding.fixed = Size{64, 64};
  spec.options.overview = contest.overview;
  spec.options.overview_rest = 1;
  spec.options.deadline = contest.deadline;
  spec.options.fusion = kUsualFusion;
  const auto planner =
      fitted == nullptr
          ? MakePlanner(spec).value()
          : MakePlanner(spec, MakeDiscriminator(fitted->spec).value(), Budget(*fitted, share)).value();
  outcome.Add(boxes,
              Simulate(*planner, boxes, nodes, {.fps = kCameraFps, .window = 1}, SystemClock()),
              LinkId{5});
}

/// Whole frames on one near node; difficult ones go far.
void RunFrames(const Contest& contest, const RecordedBoxes& boxes, const Fitted& fitted,
               double share, Outcome& outcome) {
  // A node that scales what it gets: its time is that of the scaled frame.
  const double speed_up = 1 / (contest.frame_scale * contest.frame_scale);
  std::vector<SimulatedNode> nodes{NodeOf(0, 40 / speed_up, 0), NodeOf(1, 15, 1)};
  nodes[1].network = kUplink;
  const SimFrame first = boxes.Frame(0);
  nodes[1].bytes_per_px =
      static_cast<double>(first.upload_bytes) / static_cast<double>(first.size.area());
  SmallBigPlanner planner({.deadline = contest.deadline, .fusion = kUsualFusion}, MakeDiscriminator(fitted.spec).value(),
                          Budget(fitted, share));
  outcome.Add(boxes,
              Simulate(planner, boxes, nodes, {.fps = kCameraFps, .window = 1}, SystemClock()),
              LinkId{1});
}

void Print(const std::string& way, const std::string& judge, double share, const Outcome& outcome) {
  std::printf("%-13s %-8s %5.2f  %8.1f  %6.2f  %6.0f / %6.0f  %5d\n", way.c_str(), judge.c_str(),
              share, outcome.bytes_per_frame() / 1e3, 100 * outcome.ap(),
              ToMilliseconds(Percentile(outcome.times, 50)),
              ToMilliseconds(Percentile(outcome.times, 95)), outcome.degraded);
}

Expected<std::unique_ptr<RecordedBoxes>> BoxesOf(const std::vector<Recording>& near,
                                                 const std::vector<Recording>& far, int half,
                                                 const Truth& truth) {
  std::vector<std::vector<Recording>> halves(2);
  for (const Recording& recording : near) {
    halves[0].push_back(HalfOf(recording, half));
  }
  for (const Recording& recording : far) {
    halves[1].push_back(HalfOf(recording, half));
  }
  return RecordedBoxes::Make(halves, &truth, kPersons,
                             // Whole frames are asked for at their own size; at what size they were
                             // seen is the contest's.
                             {.scale_tolerance = near.size() == 1 ? 4 : 1.3});
}

int Run(const Inputs& in, const Contest& contest, const std::string& chart_path) {
  const bool half_size = contest.frame_scale < 1;
  const Recording& near_frames = half_size ? in.near.half : in.near.whole;
  const Recording& far_frames = in.far.whole;
  std::vector<std::unique_ptr<RecordedBoxes>> tiles;
  std::vector<std::unique_ptr<RecordedBoxes>> frames;
  for (const int half : {0, 1}) {
    // With the whole frames: they tell the bytes of a JPEG.
    auto of_tiles = BoxesOf({in.near.whole, in.near.half, in.near.tiles},
                            {in.far.whole, in.far.half, in.far.tiles}, half, in.truth);
    auto of_frames = BoxesOf({near_frames}, {far_frames}, half, in.truth);
    if (!of_tiles || !of_frames) {
      std::puts((of_tiles ? of_frames.error() : of_tiles.error()).message.c_str());
      return 1;
    }
    const TileGrid grid = MakeTileGrid((*of_tiles)->Frame(0).size, {512, 512});
    const auto checked =
        (*of_tiles)->Check(QuestionsOf(grid, EvenPadding(grid, {64, 64}),
                                       Overview(grid.frame, contest.overview).input));
    if (!checked) {
      std::puts(checked.error().message.c_str());
      return 1;
    }
    tiles.push_back(std::move(*of_tiles));
    frames.push_back(std::move(*of_frames));
  }
  std::printf("\n%zu mosaics; deadline %.0f s; overview of the tiles %d px; frames seen at %.0f px; AP "
              "at IoU .5 of persons\n",
              tiles[0]->frames() + tiles[1]->frames(), ToMilliseconds(contest.deadline) / 1e3,
              contest.overview, 3840 * contest.frame_scale);
  std::printf("%-13s %-8s %5s  %8s  %6s  %15s  %5s\n", "way", "judge", "share", "KB/frame", "AP50",
              "ms p50 / p95", "degr.");
  Outcome hode;
  for (const auto& boxes : tiles) {
    RunTiles(contest, *boxes, nullptr, 0, hode);
  }
  Print("HODE alone", "-", 0, hode);
  Chart chart{.title = "AP over the bytes sent far, deadline " +
                       std::to_string(contest.deadline / std::chrono::seconds(1)) + " s",
              .x = {.title = "KB per frame"},
              .y = {.title = "AP of persons at IoU .5, %"},
              .lines = {{.label = "HODE alone, no byte", .at = 100 * hode.ap()}},
              .caption = std::to_string(hode.found.size()) +
                         " mosaics of 4K; tiles with an overview of " +
                         std::to_string(contest.overview) + " px; frames seen near at " +
                         std::to_string(static_cast<int>(3840 * contest.frame_scale)) + " px"};
  for (const bool tile_grain : {false, true}) {
    for (const std::string judge : {"cf", "ridge", "count", "random"}) {
      std::vector<Fitted> fitted;
      for (const int half : {1, 0}) {  // to the other half
        const LabelledSet set =
            tile_grain ? SetOf(HalfOf(in.near.tiles, half), HalfOf(in.far.tiles, half))
                       : SetOf(HalfOf(near_frames, half), HalfOf(far_frames, half));
        fitted.push_back(FitTo(set, near_frames.model, judge));
      }
      ChartSeries curve{.label = (tile_grain ? "tiles, " : "frames, ") + judge,
                        .style = static_cast<int>(chart.series.size()),
                        .bold = judge == "ridge"};
      for (const double share : kShares) {
        Outcome outcome;
        for (std::size_t half = 0; half < 2; ++half) {
          if (tile_grain) {
            RunTiles(contest, *tiles[half], &fitted[half], share, outcome);
          } else {
            RunFrames(contest, *frames[half], fitted[half], share, outcome);
          }
        }
        Print(tile_grain ? "tile cascade" : "frame cascade", judge, share, outcome);
        curve.points.push_back({outcome.bytes_per_frame() / 1e3, 100 * outcome.ap()});
      }
      chart.series.push_back(std::move(curve));
    }
  }
  const auto drawn = WritePng(chart, chart_path + ".png");
  if (!drawn || !WriteSvg(chart, chart_path + ".svg")) {
    std::printf("cannot draw %s\n", chart_path.c_str());
    return 1;
  }
  std::printf("drawn: %s.png and .svg\n", chart_path.c_str());
  return 0;
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  using namespace nearfar;
  if (argc != 8) {
    std::puts("left out: needs a truth and six recordings, see the head of "
              "bench/tile_cascade_bench.cc");
    return 0;
  }
  auto truth = ReadTruth(argv[1]);
  std::vector<Recording> recordings;
  for (int i = 2; i < 8; ++i) {
    auto recording = ReadRecording(argv[i]);
    if (!truth || !recording) {
      std::puts((truth ? recording.error() : truth.error()).message.c_str());
      return 1;
    }
    recordings.push_back(*std::move(recording));
  }
  std::vector<Recording*> all;
  for (Recording& recording : recordings) {
    all.push_back(&recording);
  }
  KeepWholeFrames(all);
  const Inputs in{*truth, {recordings[0], recordings[1], recordings[2]},
                  {recordings[3], recordings[4], recordings[5]}};
  int number = 0;
  for (const Contest& contest : {Contest{std::chrono::seconds(1), 960, 0.5},
                                 Contest{std::chrono::seconds(3), 960, 1},
                                 Contest{std::chrono::seconds(3), 1920, 1}}) {
    if (const int status = Run(in, contest, "tile_cascade_" + std::to_string(++number));
        status != 0) {
      return status;
    }
  }
  return 0;
}
