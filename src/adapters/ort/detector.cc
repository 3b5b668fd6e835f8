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
  return DetectWithInput(view, offset_x, offset_y, model_.package().input.size, true);
}

Expected<DetectorAnswer> OrtDetector::DetectBeforeNms(const PixelView& view, int offset_x,
                                                      int offset_y) {
  return DetectWithInput(view, offset_x, offset_y, model_.package().input.size, false);
}

/// One look at one view; its tensor goes back to the detector's spare ones.
class OrtDetector::Pass final : public DetectorPass {
 public:
  Pass(OrtDetector& detector, Size view, int offset_x, int offset_y, Size input)
      : detector_(detector), view_(view), offset_x_(offset_x), offset_y_(offset_y), input_(input) {}
  ~Pass() override { detector_.KeepSpareTensor(std::move(tensor_)); }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  void Fill(const PixelView& view) {
    const TimePoint start = clock_.Now();
    InputSpec input = detector_.model_.package().input;
    input.size = input_;
    tensor_ = detector_.TakeSpareTensor();
    tensor_.resize(TensorBytes(input));
    place_ = PlaceFrame(view.size, input);
    FillTensor(view, input, place_, tensor_);
    answer_.prepare = clock_.Now() - start;
  }

  Expected<void> Infer() override {
    const TimePoint start = clock_.Now();
    const InputSpec& input = detector_.model_.package().input;
    const std::vector<std::int64_t> shape = detector_.model_.InputShape(input_);
    const RawTensor raw{input.tensor, input.type, shape, tensor_};
    auto outputs = detector_.session_->Run({&raw, 1});
    if (!outputs) {
      return tl::unexpected(outputs.error());
    }
    outputs_ = *std::move(outputs);
    answer_.infer = clock_.Now() - start;
    return {};
  }

  Expected<DetectorAnswer> Decode() override { return Decode(true); }

  Expected<DetectorAnswer> Decode(bool with_nms) {
    const TimePoint start = clock_.Now();
    auto decoded = detector_.model_.Decode(outputs_->AsFloats(), place_, input_);
    if (!decoded) {
      return tl::unexpected(decoded.error());
    }
    answer_.detections = with_nms ? detector_.model_.Finish(*decoded, view_) : *std::move(decoded);
    for (Detection& detection : answer_.detections) {
      detection.box =
          Translate(detection.box, static_cast<float>(offset_x_), static_cast<float>(offset_y_));
    }
    answer_.decode = clock_.Now() - start;
    return std::move(answer_);
  }

 private:
  OrtDetector& detector_;
  Size view_;
  int offset_x_;
  int offset_y_;
  Size input_;
  FrameInInput place_;
  std::vector<std::byte> tensor_;
  std::optional<RunOutputs> outputs_;
  DetectorAnswer answer_;
  SystemClock clock_;
};

Expected<std::unique_ptr<OrtDetector::Pass>> OrtDetector::Begin(const PixelView& view, int offset_x,
                                                                int offset_y, Size input) {
  if (view.size.width <= 0 || view.size.height <= 0) {
    return Fail(ErrorCode::kInvalidInput, "an empty picture was given to the detector");
  }
  auto pass = std::make_unique<Pass>(*this, view.size, offset_x, offset_y, input);
  pass->Fill(view);
  return pass;
}

Expected<std::unique_ptr<DetectorPass>> OrtDetector::Prepare(const PixelView& view, int offset_x,
                                                             int offset_y) {
  auto pass = Begin(view, offset_x, offset_y, model_.package().input.size);
  if (!pass) {
    return tl::unexpected(pass.error());
  }
  return std::unique_ptr<DetectorPass>(*std::move(pass));
}

Expected<DetectorAnswer> OrtDetector::DetectWithInput(const PixelView& view, int offset_x,
                                                      int offset_y, Size input, bool with_nms) {
  const InputSpec& own = model_.package().input;
  if (input != own.size && !own.dynamic) {
    return Fail(ErrorCode::kUnsupported,
                "the model takes pictures of " + std::to_string(own.size.width) + "x" +
                    std::to_string(own.size.height) + " only, not of " +
                    std::to_string(input.width) + "x" + std::to_string(input.height));
  }
  if (input.width <= 0 || input.height <= 0) {
    return Fail(ErrorCode::kInvalidInput, "an input of no size was asked of the detector");
  }
  auto pass = Begin(view, offset_x, offset_y, input);
  if (!pass) {
    return tl::unexpected(pass.error());
  }
  if (const auto inferred = (*pass)->Infer(); !inferred) {
    return tl::unexpected(inferred.error());
  }
  return (*pass)->Decode(with_nms);
}

std::vector<std::byte> OrtDetector::TakeSpareTensor() {
  const std::lock_guard lock(mutex_);
  if (spare_tensors_.empty()) {
    return {};
  }
  std::vector<std::byte> tensor = std::move(spare_tensors_.back());
  spare_tensors_.pop_back();
  return tensor;
}

void OrtDetector::KeepSpareTensor(std::vector<std::byte> tensor) {
  const std::lock_guard lock(mutex_);
  spare_tensors_.push_back(std::move(tensor));
}

}  // namespace nearfar::ort
