// How much of the engine's own speed `nearfar run` reaches with a near model alone: the engine on
// one thread, everything else on the other core. Rounds alternate between bare calls of ONNX
// Runtime on a photo's pre-made tensor and a stream over photos from disk, all sinks but the
// drawing ones on.
//
//   run_bench MODEL.onnx FOLDER [ROUNDS] [FRAMES]     medians over rounds of FRAMES pictures each

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "adapters/image/codec.h"
#include "adapters/media/media_source.h"
#include "adapters/ort/detector.h"
#include "adapters/sinks/coco_sink.h"
#include "adapters/sinks/trace_sink.h"
#include "discriminate/factory.h"
#include "live/run_stream.h"
#include "live/summary.h"
#include "models/preprocess.h"
#include "pipeline/small_big.h"

namespace nearfar {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The model's input for this picture.
std::vector<std::byte> MakeTensor(const ort::OrtDetector& detector, const std::string& picture) {
  const InputSpec& input = detector.model().package().input;
  std::vector<std::byte> tensor(TensorBytes(input));
  const auto bytes = ReadFileBytes(picture, 1 << 24);
  const auto photo = bytes ? DecodeImage(*bytes) : tl::unexpected(bytes.error());
  if (!photo) {
    std::fprintf(stderr, "run_bench: %s\n", photo.error().message.c_str());
    std::exit(1);
  }
  FillTensor(photo->view(), input, PlaceFrame(photo->size(), input), tensor);
  return tensor;
}

/// Calls a second of the engine alone.
double BareRate(const ort::OrtDetector& detector, std::span<const std::byte> tensor, int calls,
                const Clock& clock) {
  const InputSpec& input = detector.model().package().input;
  const std::vector<std::int64_t> shape = detector.model().InputShape();
  const ort::RawTensor raw{input.tensor, input.type, shape, tensor};
  const TimePoint start = clock.Now();
  for (int i = 0; i < calls; ++i) {
    if (!detector.session().Run({&raw, 1})) {
      std::abort();
    }
  }
  return 1e3 * calls / ToMilliseconds(clock.Now() - start);
}

/// Pictures a second of a stream with the near model alone.
double StreamRate(ort::OrtDetector& detector, const std::vector<std::string>& pictures,
                  const std::string& folder, const Clock& clock) {
  auto source = *MediaSource::Open(pictures, {}, clock);
  SmallBigPlanner planner({.has_far = false}, *MakeDiscriminator({}),
                          std::make_unique<ThresholdPolicy>());
  const LabelSpace classes = MakeLabelSpace(detector.labels(), Synonyms::Default());
  SummarySink summary;
  auto trace = *TraceSink::Open(folder + "/run_bench.jsonl");
  CocoSink coco(folder + "/run_bench.json", std::nullopt);
  const StreamParts parts{
      *source, detector, MapLabels(detector.labels(), classes, Synonyms::Default()),
      {},      planner,  {&summary, trace.get(), &coco},
      nullptr, nullptr,  nullptr,
      clock};
  RunRecord run;
  run.classes = classes;
  const TimePoint start = clock.Now();
  const StreamEnd end = RunStream(parts, StreamOptions{}, run);
  const double seconds = ToMilliseconds(clock.Now() - start) / 1e3;
  if (end.error || summary.summary().ok != pictures.size()) {
    std::fprintf(stderr, "run_bench: not every picture has a result\n");
    std::exit(1);
  }
  return static_cast<double>(pictures.size()) / seconds;
}

int Main(int argc, char** argv) {
  const char* assets = std::getenv("NEARFAR_ASSETS");
  const std::string bundle = assets != nullptr ? assets : NEARFAR_SOURCE_DIR "/../shared/assets";
  const std::string model = argc > 1 ? argv[1] : bundle + "/weights/yolov8n_640_decoded.onnx";
  const std::string folder = argc > 2 ? argv[2] : bundle + "/coco/val2017";
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 7;
  const int frames = argc > 4 ? std::atoi(argv[4]) : 40;
  if (!std::filesystem::exists(model) || !std::filesystem::exists(folder)) {
    std::printf("left out: no bundle of real photos and weights at %s\n", bundle.c_str());
    return 0;
  }
  UseCallersThreadOnly();
  const SystemClock clock;
  auto detector = ort::OrtDetector::Open({.model = model});
  if (!detector) {
    std::fprintf(stderr, "run_bench: %s\n", detector.error().message.c_str());
    return 1;
  }
  std::vector<std::string> pictures;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    pictures.push_back(entry.path().string());
  }
  std::sort(pictures.begin(), pictures.end());
  pictures.resize(std::min(pictures.size(), static_cast<std::size_t>(frames)));
  const std::string out = std::filesystem::temp_directory_path().string();

  const std::vector<std::byte> tensor = MakeTensor(**detector, pictures.at(0));
  BareRate(**detector, tensor, 3, clock);
  std::vector<double> ratios;
  std::vector<double> bare_rates;
  std::vector<double> stream_rates;
  for (int round = 0; round < rounds; ++round) {
    const int half = static_cast<int>(pictures.size()) / 2;
    const double before = BareRate(**detector, tensor, half, clock);
    const double stream = StreamRate(**detector, pictures, out, clock);
    const double after = BareRate(**detector, tensor, half, clock);
    const double bare = 2 / (1 / before + 1 / after);
    std::printf("round %d: bare %.2f/s, run %.2f/s, ratio %.3f\n", round, bare, stream,
                stream / bare);
    std::fflush(stdout);
    bare_rates.push_back(bare);
    stream_rates.push_back(stream);
    ratios.push_back(stream / bare);
  }
  std::printf("%s: bare %.2f/s, run %.2f/s, ratio median %.3f, least %.3f\n",
              std::filesystem::path(model).filename().c_str(), Median(bare_rates),
              Median(stream_rates), Median(ratios),
              *std::min_element(ratios.begin(), ratios.end()));
  return 0;
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) { return nearfar::Main(argc, argv); }
