// Decoding and NMS of a 640² YOLO head against its own inference. Without weights: heads filled
// with logits as a detector gives them (nearly all far below the floor, some clumps above). With
// the bundle (NEARFAR_ASSETS or ../shared/assets): a photo through real models. Target: ≤ 10 % of
// the inference.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "adapters/image/codec.h"
#include "adapters/ort/detector.h"
#include "core/nms.h"
#include "core/rng.h"
#include "models/detection_model.h"
#include "models/preprocess.h"

namespace nearfar {
namespace {

DetectionModel MakeModel(const DecoderSpec& spec) {
  ModelPackage package;
  package.decoder = spec;
  package.labels.resize(80);
  for (std::size_t i = 0; i < 80; ++i) {
    package.labels[i] = "class" + std::to_string(i);
  }
  return *DetectionModel::Make(package);
}

/// Raw heads of YOLOv8 at 640²: logits about −9, 130 clumps of some tens of cells above the floor.
void DecodeYolov8Raw640(benchmark::State& state) {
  const DetectionModel model = MakeModel({"dfl", {}, {}});
  Rng rng(3);
  std::vector<std::vector<float>> heads;
  std::vector<std::vector<std::int64_t>> shapes;
  for (const int side : {80, 40, 20}) {
    std::vector<float> head(static_cast<std::size_t>(144 * side * side));
    for (std::size_t i = 0; i < head.size(); ++i) {
      head[i] = static_cast<float>(
          i < static_cast<std::size_t>(64 * side * side) ? rng.Normal() : -9 + rng.Normal());
    }
    for (int object = 0; object < side; ++object) {
      const auto column = 64 + rng.Below(80);
      const auto cell = rng.Below(static_cast<std::uint64_t>(side * side - 8));
      for (std::size_t k = 0; k < 8; ++k) {
        head[column * static_cast<std::size_t>(side * side) + cell + k] =
            static_cast<float>(rng.Uniform(-4, 3));
      }
    }
    heads.push_back(std::move(head));
    shapes.push_back({1, 144, side, side});
  }
  std::vector<TensorView> outputs;
  for (std::size_t l = 0; l < heads.size(); ++l) {
    outputs.push_back({"head", shapes[l], heads[l]});
  }
  std::size_t boxes = 0;
  for (auto _ : state) {
    auto decoded = model.Decode(outputs, {});
    boxes = decoded->size();
    benchmark::DoNotOptimize(model.Finish(*decoded, {640, 640}));
  }
  state.counters["boxes before NMS"] = static_cast<double>(boxes);
}
BENCHMARK(DecodeYolov8Raw640)->Unit(benchmark::kMicrosecond);

/// 640×480 photo into a 640² input.
void FillTensor640(benchmark::State& state) {
  Image photo({static_cast<int>(state.range(0)), static_cast<int>(state.range(0)) * 3 / 4});
  Rng rng(5);
  for (std::int64_t i = 0; i < 3 * photo.size().area(); ++i) {
    photo.data()[i] = static_cast<std::uint8_t>(rng.Next());
  }
  InputSpec input;
  std::vector<std::byte> tensor(TensorBytes(input));
  const FrameInInput place = PlaceFrame(photo.size(), input);
  for (auto _ : state) {
    FillTensor(photo.view(), input, place, tensor);
    benchmark::DoNotOptimize(tensor.data());
  }
}
BENCHMARK(FillTensor640)->Arg(500)->Arg(640)->Arg(1920)->Unit(benchmark::kMicrosecond);

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A real photo through a real model: the median of decoding and NMS as a share of the least
/// inference, so that a neighbour who slows the engine does not flatter the share.
void DecodeShare(benchmark::State& state, const std::string& weight) {
  const char* named = std::getenv("NEARFAR_ASSETS");
  const std::filesystem::path bundle =
      named != nullptr ? named : std::string(NEARFAR_SOURCE_DIR) + "/../shared/assets";
  ort::DetectorOptions options;
  options.model = bundle / "weights" / (weight + ".onnx");
  const auto detector = ort::OrtDetector::Open(options);
  const auto bytes = ReadFileBytes((bundle / "coco/val2017/000000012748.jpg").string(), 1 << 24);
  const auto photo = bytes ? DecodeImage(*bytes) : tl::unexpected(bytes.error());
  if (!detector || !photo) {
    state.SkipWithError("left out: no bundle of weights and photos");
    return;
  }
  std::vector<double> infer;
  std::vector<double> decode;
  std::vector<double> prepare;
  for (auto _ : state) {
    const auto answer = (*detector)->Detect(photo->view(), 0, 0);
    infer.push_back(ToMilliseconds(answer->infer));
    decode.push_back(ToMilliseconds(answer->decode));
    prepare.push_back(ToMilliseconds(answer->prepare));
  }
  const double least = *std::min_element(infer.begin(), infer.end());
  state.counters["infer p50 ms"] = Median(infer);
  state.counters["infer least ms"] = least;
  state.counters["decode+NMS p50 ms"] = Median(decode);
  state.counters["prepare p50 ms"] = Median(prepare);
  state.counters["decode share %"] = 100 * Median(decode) / least;
}
BENCHMARK_CAPTURE(DecodeShare, yolov8n_640_decoded, "yolov8n_640_decoded")
    ->Iterations(20)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(DecodeShare, yolov8n_rawheads, "yolov8n_rawheads_fp16w")
    ->Iterations(20)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(DecodeShare, yolov5n_640_decoded, "yolov5n_640_decoded")
    ->Iterations(20)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(DecodeShare, yolov5n_rawheads, "yolov5n_rawheads_fp16w")
    ->Iterations(20)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace nearfar
