#include "adapters/ort/detector.h"

#include <utility>

#include "models/inspect.h"
#include "models/repository.h"

namespace nearfar::ort {

OrtDetector::OrtDetector(std::unique_ptr<Session> session, DetectionModel model)
    : session_(std::move(session)), model_(std::move(model)) {}

Expected<std::unique_ptr<OrtDetector>> OrtDetector::Open(const DetectorOptions& options) {
  const auto files = FindModel(options.model, options.settings);
  if (!files) {
    return tl::unexpected(files.error());
  }
  auto session = Session::Open(files->model, options.engine);
  if (!session) {
    return tl::unexpected(session.error());
  }
  const auto about = [&](const Error& error) {
    return Error{error.code, "model '" + files->model.string() + "': " + error.message};
  };
  auto inspection = Inspect((*session)->facts(), files->config, files->labels, files->files);
  if (!inspection) {
    return tl::unexpected(about(inspection.error()));
  }
  ModelPackage package = std::move(inspection->package);
  package.name = files->name;
  package.version = files->version;
  package.score_floor = options.score_floor.value_or(package.score_floor);
  package.nms = options.nms.value_or(package.nms);
  auto model = DetectionModel::Make(std::move(package));
  if (!model) {
    return tl::unexpected(about(model.error()));
  }
  std::unique_ptr<OrtDetector> detector(new OrtDetector(*std::move(session), *std::move(model)));
  detector->file_ = files->model;
  detector->assumed_ = std::move(inspection->assumed);
  detector->identity_ = IdentityOf(detector->model_.package());
  detector->identity_.hash = detector->session_->hash();
  detector->identity_.label_map = options.label_map;

  const Image grey(Size{32, 32});
  if (auto tried = detector->Detect(grey.view(), 0, 0); !tried) {
    return tl::unexpected(about(tried.error()));
  }
  return detector;
}

Expected<DetectorAnswer> OrtDetector::Detect(const PixelView& view, int offset_x, int offset_y) {
  return Look(view, offset_x, offset_y, true);
}

Expected<DetectorAnswer> OrtDetector::DetectBeforeNms(const PixelView& view, int offset_x,
                                                      int offset_y) {
  return Look(view, offset_x, offset_y, false);
}

Expected<DetectorAnswer> OrtDetector::Look(const PixelView& view, int offset_x, int offset_y,
                                           bool with_nms) {
  if (view.size.width <= 0 || view.size.height <= 0) {
    return Fail(ErrorCode::kInvalidInput, "an empty picture was given to the detector");
  }
  const SystemClock clock;
  const TimePoint start = clock.Now();
  const InputSpec& input = model_.package().input;
  std::vector<std::byte> tensor;
  {
    const std::lock_guard lock(mutex_);
    if (!spare_tensors_.empty()) {
      tensor = std::move(spare_tensors_.back());
      spare_tensors_.pop_back();
    }
  }
  tensor.resize(TensorBytes(input));
  const FrameInInput place = PlaceFrame(view.size, input);
  FillTensor(view, input, place, tensor);
  const std::vector<std::int64_t> shape = model_.InputShape();
  const RawTensor raw{input.tensor, input.type, shape, tensor};
  const TimePoint prepared = clock.Now();

  auto outputs = session_->Run({&raw, 1});
  const TimePoint inferred = clock.Now();
  {
    const std::lock_guard lock(mutex_);
    spare_tensors_.push_back(std::move(tensor));
  }
  if (!outputs) {
    return tl::unexpected(outputs.error());
  }
  auto decoded = model_.Decode(outputs->AsFloats(), place);
  if (!decoded) {
    return tl::unexpected(decoded.error());
  }
  DetectorAnswer answer;
  answer.detections = with_nms ? model_.Finish(*decoded, view.size) : *std::move(decoded);
  for (Detection& detection : answer.detections) {
    detection.box = Translate(detection.box, static_cast<float>(offset_x), static_cast<float>(offset_y));
  }
  answer.prepare = prepared - start;
  answer.infer = inferred - prepared;
  answer.decode = clock.Now() - inferred;
  return answer;
}

}  // namespace nearfar::ort
