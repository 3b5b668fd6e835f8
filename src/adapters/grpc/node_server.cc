#include "adapters/grpc/node_server.h"

#include <grpcpp/grpcpp.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "adapters/grpc/channel.h"
#include "adapters/grpc/detection_tensors.h"
#include "adapters/grpc/messages.h"
#include "inference.grpc.pb.h"

#ifndef NEARFAR_VERSION
#error "the build names the program's version"
#endif

namespace nearfar {
namespace {

using grpc::Status;
using grpc::StatusCode;

StatusCode ToStatusCode(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidInput:
    case ErrorCode::kUnsupported:
    case ErrorCode::kLimitExceeded:
      return StatusCode::INVALID_ARGUMENT;
    case ErrorCode::kNotFound:
      return StatusCode::NOT_FOUND;
    case ErrorCode::kUnavailable:
      return StatusCode::UNAVAILABLE;
    case ErrorCode::kDeadlineExceeded:
      return StatusCode::DEADLINE_EXCEEDED;
    case ErrorCode::kCancelled:
      return StatusCode::CANCELLED;
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return StatusCode::INTERNAL;
  }
  return StatusCode::INTERNAL;
}

Status ToStatus(const Error& error) { return {ToStatusCode(error.code), OneLine(error.message)}; }

/// A frame's own parameters, which the reply carries back unchanged.
constexpr const char* kEchoed[] = {"frame_id", "region_id", "offset_x", "offset_y"};

std::uint64_t Nanoseconds(Duration duration) {
  return static_cast<std::uint64_t>(std::max(duration, Duration::zero()).count());
}

/// How long the parts of one request took.
struct Spent {
  Duration input{};  ///< decoding and preparing
  Duration infer{};
  Duration output{};  ///< decoding of the model's outputs and NMS
  std::int64_t images = 0;
};

/// Sums of one model since the start, as the statistics call tells them.
struct Totals {
  ServedModelCounts counts;
  Spent spent;
  Duration succeeded{};  ///< from arrival to answer
  Duration failed{};
  std::uint64_t executions = 0;
  WallTime last_inference{};
};

class ModelQueue;

/// One ModelInfer call from its arrival until gRPC is done with it, when it deletes itself. Whoever
/// takes it out of the queue (a worker, its cancellation, the end of the drain) finishes it, once.
class InferCall final : public grpc::ServerUnaryReactor {
 public:
  InferCall(grpc::CallbackServerContext* call_context,
            const inference::ModelInferRequest* call_request,
            inference::ModelInferResponse* call_response)
      : context(*call_context), request(*call_request), response(*call_response) {}

  void OnDone() override { delete this; }
  void OnCancel() override;

  grpc::CallbackServerContext& context;
  const inference::ModelInferRequest& request;
  inference::ModelInferResponse& response;
  ModelQueue* queue = nullptr;  ///< where it may be waiting; null when it was refused
  TimePoint arrived;
  std::optional<TimePoint> deadline;
};

/// A model with its waiting calls and its workers.
class ModelQueue {
 public:
  ModelQueue(ServedModel served, const ImageDecoder& decode_image, const NodeServerOptions& options,
             const Clock& clock)
      : model_(std::move(served)), decode_image_(decode_image), options_(options), clock_(clock) {
    totals_.counts.name = model_.name;
    for (int i = 0; i < model_.callers; ++i) {
      workers_.emplace_back([this] { Work(); });
    }
  }

  ~ModelQueue() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    work_.notify_all();
    for (std::thread& worker : workers_) {
      worker.join();
    }
  }

  const ServedModel& model() const { return model_; }

  /// Takes a call in or refuses it; finishes it in the latter case.
  void Accept(InferCall* call) {
    std::string refusal;
    StatusCode code = StatusCode::RESOURCE_EXHAUSTED;
    {
      const std::lock_guard lock(mutex_);
      const int idle = model_.callers - running_;
      const auto waiting = static_cast<int>(waiting_.size());
      if (stopping_) {
        code = StatusCode::UNAVAILABLE;
        refusal = "the node is stopping";
      } else if (waiting >= options_.queue_length + std::max(idle, 0)) {
        refusal = "the queue of model '" + model_.name + "' is full (" + std::to_string(waiting) +
                  " waiting): try later or elsewhere";
      } else {
        call->queue = this;
        waiting_.push_back(call);
      }
      totals_.counts.refused += refusal.empty() ? 0 : 1;
    }
    if (refusal.empty()) {
      work_.notify_one();
    } else {
      call->Finish({code, refusal});
    }
  }

  /// The sender has gone: the call leaves the queue, if it is still there.
  void Withdraw(InferCall* call) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = std::find(waiting_.begin(), waiting_.end(), call);
      if (found == waiting_.end()) {
        return;
      }
      waiting_.erase(found);
      ++totals_.counts.expired;
      if (waiting_.empty() && running_ == 0) {
        idle_.notify_all();
      }
    }
    call->Finish({StatusCode::CANCELLED, "given up while it waited, not computed"});
  }

  /// Refuses what comes from now on.
  void RefuseNew() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }

  /// Waits until nothing is in hand; at `until` the waiting calls are refused, so that only those
  /// that run are waited for.
  void Drain(std::chrono::steady_clock::time_point until) {
    std::deque<InferCall*> given_up;
    {
      std::unique_lock lock(mutex_);
      const auto nothing_in_hand = [this] { return waiting_.empty() && running_ == 0; };
      if (!idle_.wait_until(lock, until, nothing_in_hand)) {
        given_up.swap(waiting_);
        totals_.counts.refused += given_up.size();
      }
    }
    for (InferCall* call : given_up) {
      call->Finish({StatusCode::UNAVAILABLE, "the node is stopping"});
    }
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return waiting_.empty() && running_ == 0; });
  }

  Totals totals() const {
    const std::lock_guard lock(mutex_);
    return totals_;
  }

 private:
  void Work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
      if (waiting_.empty()) {
        return;
      }
      InferCall* call = waiting_.front();
      waiting_.pop_front();
      ++running_;
      lock.unlock();
      Serve(call);
      lock.lock();
      --running_;
      if (waiting_.empty() && running_ == 0) {
        idle_.notify_all();
      }
    }
  }

  bool TooLate(const InferCall& call) const {
    return (call.deadline && clock_.Now() >= *call.deadline) || call.context.IsCancelled();
  }

  /// Computes the answer of a call and finishes it.
  void Serve(InferCall* call) {
    const TimePoint started = clock_.Now();
    const Duration queued = started - call->arrived;
    if (TooLate(*call)) {
      {
        const std::lock_guard lock(mutex_);
        ++totals_.counts.expired;
      }
      char waited[32];
      std::snprintf(waited, sizeof waited, "%.0f ms", ToMilliseconds(queued));
      call->Finish({StatusCode::DEADLINE_EXCEEDED,
                    std::string("not computed: its deadline passed while it waited ") + waited});
      return;
    }
    Spent spent;
    Expected<void> computed;
    try {
      computed = Compute(*call, spent);
    } catch (const std::exception& error) {
      computed = Fail(ErrorCode::kInternal, "model '" + model_.name + "' failed: " + error.what());
    }
    const TimePoint ended = clock_.Now();
    std::int64_t waiting = 0;
    {
      const std::lock_guard lock(mutex_);
      waiting = static_cast<std::int64_t>(waiting_.size());
      totals_.counts.queued += queued;
      totals_.counts.computed += ended - started;
      if (computed) {
        ++totals_.counts.answered;
        totals_.counts.images += static_cast<std::uint64_t>(spent.images);
        totals_.executions += static_cast<std::uint64_t>(spent.images);
        totals_.spent.input += spent.input;
        totals_.spent.infer += spent.infer;
        totals_.spent.output += spent.output;
        totals_.succeeded += ended - call->arrived;
        totals_.last_inference = clock_.WallNow();
      } else {
        ++totals_.counts.failed;
        totals_.failed += ended - call->arrived;
      }
    }
    if (!computed) {
      call->response.Clear();
      call->Finish(ToStatus(computed.error()));
      return;
    }
    Parameters& parameters = *call->response.mutable_parameters();
    SetParameter(parameters, "queue_length", waiting);
    SetParameter(parameters, "queue_ns", queued.count());
    SetParameter(parameters, "compute_ns", (ended - started).count());
    call->Finish(Status::OK);
  }

  /// Fills the response. The payload is known by the request's tensors (docs/protocol.md).
  Expected<void> Compute(const InferCall& call, Spent& spent) const {
    const Expected<MessageTensors> inputs = ReadInputs(call.request);
    if (!inputs) {
      return tl::unexpected(inputs.error());
    }
    inference::ModelInferResponse& response = call.response;
    response.set_model_name(model_.name);
    response.set_model_version(model_.version);
    response.set_id(call.request.id());
    for (const char* name : kEchoed) {
      const auto value = IntegerParameter(call.request.parameters(), name);
      if (!value) {
        return tl::unexpected(value.error());
      }
      if (*value) {
        SetParameter(*response.mutable_parameters(), name, **value);
      }
    }
    const std::vector<WireTensorView>& tensors = inputs->views;
    if (tensors.empty()) {
      return Fail(ErrorCode::kInvalidInput, "the request has no input");
    }
    const bool alone = tensors.size() == 1;
    const auto own = [&] {
      return std::any_of(
          model_.inputs.begin(), model_.inputs.end(), [&](const WireTensorSpec& spec) {
            return spec.name == tensors[0].name && spec.datatype == tensors[0].datatype;
          });
    };
    if (model_.detector != nullptr && alone && tensors[0].datatype == "BYTES") {
      return AnswerImages(call, tensors[0], spent);
    }
    if (model_.detector != nullptr && alone && tensors[0].name == "pixels" && !own()) {
      return AnswerPixels(call, tensors[0], spent);
    }
    return AnswerTensors(call, tensors, spent);
  }

  Expected<void> AnswerImages(const InferCall& call, const WireTensorView& images,
                              Spent& spent) const {
    const std::vector<std::string_view> elements = SplitElements(images);
    if (elements.empty()) {
      return Fail(ErrorCode::kInvalidInput,
                  "the image tensor has no element: one JPEG or PNG each");
    }
    if (elements.size() > static_cast<std::size_t>(options_.max_images)) {
      return Fail(ErrorCode::kLimitExceeded, std::to_string(elements.size()) +
                                                 " images in one request, more than the limit of " +
                                                 std::to_string(options_.max_images));
    }
    std::vector<ImageDetections> found;
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (i > 0 && TooLate(call)) {
        return Fail(ErrorCode::kDeadlineExceeded, "the deadline passed after " + std::to_string(i) +
                                                      " of " + std::to_string(elements.size()) +
                                                      " images");
      }
      const TimePoint before = clock_.Now();
      const Expected<Image> image = decode_image_(
          {reinterpret_cast<const std::uint8_t*>(elements[i].data()), elements[i].size()});
      spent.input += clock_.Now() - before;
      if (!image) {
        return Fail(image.error().code, "image " + std::to_string(i + 1) + " of " +
                                            std::to_string(elements.size()) + ": " +
                                            image.error().message);
      }
      auto detected = Detect(image->view(), spent);
      if (!detected) {
        return tl::unexpected(detected.error());
      }
      found.push_back({image->size(), std::move(*detected)});
    }
    return AddDetections(call, found);
  }

  Expected<void> AnswerPixels(const InferCall& call, const WireTensorView& pixels,
                              Spent& spent) const {
    std::vector<std::int64_t> shape = pixels.shape;
    if (shape.size() == 4 && shape[0] == 1) {
      shape.erase(shape.begin());
    }
    if (pixels.datatype != "UINT8" || shape.size() != 3 || shape[2] != 3 || shape[0] < 1 ||
        shape[1] < 1) {
      return Fail(ErrorCode::kInvalidInput, "input 'pixels' is " +
                                                FormatType(pixels.datatype, pixels.shape) +
                                                ", but one picture is UINT8 [height,width,3]");
    }
    if (shape[0] * shape[1] > options_.max_pixels) {
      return Fail(ErrorCode::kLimitExceeded,
                  "a picture of " + std::to_string(shape[1]) + "x" + std::to_string(shape[0]) +
                      " px is above the limit of " + std::to_string(options_.max_pixels) + " px");
    }
    const auto order = TextParameter(call.request.parameters(), "channel_order");
    if (!order) {
      return tl::unexpected(order.error());
    }
    const std::string channels = order->value_or("RGB");
    if (channels != "RGB" && channels != "BGR") {
      return Fail(ErrorCode::kInvalidInput,
                  "parameter 'channel_order' is " + Quote(channels) + ", but must be RGB or BGR");
    }
    const TimePoint before = clock_.Now();
    const Size size{static_cast<int>(shape[1]), static_cast<int>(shape[0])};
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(pixels.bytes.data());
    PixelView view{bytes, size, std::ptrdiff_t{3} * size.width};
    Image swapped;
    if (channels == "RGB") {
      swapped = Image(size);
      std::uint8_t* to = swapped.data();
      for (std::size_t i = 0; i + 2 < pixels.bytes.size(); i += 3) {
        to[i] = bytes[i + 2];
        to[i + 1] = bytes[i + 1];
        to[i + 2] = bytes[i];
      }
      view = swapped.view();
    }
    spent.input += clock_.Now() - before;
    auto detected = Detect(view, spent);
    if (!detected) {
      return tl::unexpected(detected.error());
    }
    const ImageDetections found{size, std::move(*detected)};
    return AddDetections(call, {&found, 1});
  }

  Expected<Detections> Detect(const PixelView& view, Spent& spent) const {
    auto answer = model_.detector->Detect(view, 0, 0);
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    ++spent.images;
    spent.input += answer->prepare;
    spent.infer += answer->infer;
    spent.output += answer->decode;
    return std::move(answer->detections);
  }

  Expected<void> AddDetections(const InferCall& call,
                               std::span<const ImageDetections> found) const {
    std::vector<std::string> wanted;
    for (const auto& output : call.request.outputs()) {
      wanted.push_back(output.name());
    }
    auto tensors = WriteDetections(found, model_.detector->labels(), wanted);
    if (!tensors) {
      return tl::unexpected(tensors.error());
    }
    for (WireTensor& tensor : *tensors) {
      AddOutput(call.response, std::move(tensor));
    }
    SetParameter(*call.response.mutable_parameters(), "model_hash",
                 model_.detector->identity().hash);
    return {};
  }

  Expected<void> AnswerTensors(const InferCall& call, std::span<const WireTensorView> given,
                               Spent& spent) const {
    if (!model_.execute) {
      return Fail(ErrorCode::kInvalidInput, "model '" + model_.name +
                                                "' takes 'image' (BYTES [n]) or 'pixels' (UINT8 "
                                                "[height,width,3]), not its own tensors");
    }
    std::vector<WireTensorView> ordered;
    for (const WireTensorSpec& spec : model_.inputs) {
      const auto found = std::find_if(given.begin(), given.end(),
                                      [&](const WireTensorView& t) { return t.name == spec.name; });
      if (found == given.end()) {
        return Fail(ErrorCode::kInvalidInput, "input '" + spec.name + "' of model '" + model_.name +
                                                  "' is missing (" +
                                                  FormatType(spec.datatype, spec.shape) + ")");
      }
      if (const auto fits = CheckFits(*found, spec); !fits) {
        return fits;
      }
      ordered.push_back(*found);
    }
    if (given.size() != ordered.size()) {
      const auto stranger = std::find_if(given.begin(), given.end(), [&](const WireTensorView& t) {
        return std::none_of(model_.inputs.begin(), model_.inputs.end(),
                            [&](const WireTensorSpec& spec) { return spec.name == t.name; });
      });
      return Fail(ErrorCode::kInvalidInput,
                  stranger == given.end()
                      ? "an input is given twice"
                      : "model '" + model_.name + "' has no input " + Quote(stranger->name));
    }
    Expected<TensorAnswer> answer = model_.execute(ordered);
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    spent.images = 1;
    spent.infer += answer->infer;
    if (call.request.outputs().empty()) {
      for (WireTensor& tensor : answer->outputs) {
        AddOutput(call.response, std::move(tensor));
      }
      return {};
    }
    for (const auto& wanted : call.request.outputs()) {
      const auto found = std::find_if(answer->outputs.begin(), answer->outputs.end(),
                                      [&](const WireTensor& t) { return t.name == wanted.name(); });
      if (found == answer->outputs.end()) {
        return Fail(ErrorCode::kInvalidInput,
                    "model '" + model_.name + "' has no output " + Quote(wanted.name()));
      }
      AddOutput(call.response, *found);
    }
    return {};
  }

  const ServedModel model_;
  const ImageDecoder& decode_image_;
  const NodeServerOptions& options_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<InferCall*> waiting_;
  int running_ = 0;
  bool stopping_ = false;  ///< new calls are refused
  bool closed_ = false;    ///< workers leave once nothing waits
  Totals totals_;
  std::vector<std::thread> workers_;
};

void InferCall::OnCancel() {
  if (queue != nullptr) {
    queue->Withdraw(this);
  }
}

inference::DataType ToDataType(std::string_view datatype) {
  inference::DataType type = inference::TYPE_INVALID;
  const std::string name = datatype == "BYTES" ? "TYPE_STRING" : "TYPE_" + std::string(datatype);
  inference::DataType_Parse(name, &type);
  return type;
}

/// Everything that a model takes: the payloads of a detector, each alone, then its own tensors.
std::vector<WireTensorSpec> InputsOf(const ServedModel& model) {
  std::vector<WireTensorSpec> inputs;
  if (model.detector != nullptr) {
    inputs = {{"image", "BYTES", {-1}}, {"pixels", "UINT8", {-1, -1, 3}}};
  }
  if (model.execute) {
    inputs.insert(inputs.end(), model.inputs.begin(), model.inputs.end());
  }
  return inputs;
}

std::vector<WireTensorSpec> OutputsOf(const ServedModel& model) {
  std::vector<WireTensorSpec> outputs;
  if (model.detector != nullptr) {
    outputs = DetectionOutputs();
  }
  if (model.execute) {
    outputs.insert(outputs.end(), model.outputs.begin(), model.outputs.end());
  }
  return outputs;
}

class Service final : public inference::GRPCInferenceService::CallbackService {
 public:
  Service(std::vector<ServedModel> models, ImageDecoder decode_image,
          const NodeServerOptions& options, const Clock& clock)
      : decode_image_(std::move(decode_image)), options_(options), clock_(clock) {
    for (ServedModel& model : models) {
      queues_.push_back(
          std::make_unique<ModelQueue>(std::move(model), decode_image_, options_, clock_));
    }
  }

  void RefuseNew() {
    ready_ = false;
    for (const auto& queue : queues_) {
      queue->RefuseNew();
    }
  }

  void Drain() {
    const auto until = std::chrono::steady_clock::now() + options_.drain;
    for (const auto& queue : queues_) {
      queue->Drain(until);
    }
  }

  std::vector<ServedModelCounts> counts() const {
    std::vector<ServedModelCounts> counts;
    for (const auto& queue : queues_) {
      counts.push_back(queue->totals().counts);
    }
    return counts;
  }

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest*,
                                       inference::ServerLiveResponse* response) override {
    response->set_live(true);
    return Done(context, Status::OK);
  }

  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest*,
                                        inference::ServerReadyResponse* response) override {
    response->set_ready(ready_);
    return Done(context, Status::OK);
  }

  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const inference::ModelReadyRequest* request,
                                       inference::ModelReadyResponse* response) override {
    response->set_ready(ready_ && Find(request->name(), request->version()).has_value());
    return Done(context, Status::OK);
  }

  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest*,
                                           inference::ServerMetadataResponse* response) override {
    response->set_name("nearfar");
    response->set_version(NEARFAR_VERSION);
    for (const char* extension : {"binary_tensor_data", "model_configuration", "statistics"}) {
      response->add_extensions(extension);
    }
    return Done(context, Status::OK);
  }

  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override {
    const auto queue = Find(request->name(), request->version());
    if (!queue) {
      return Done(context, ToStatus(queue.error()));
    }
    const ServedModel& model = (*queue)->model();
    response->set_name(model.name);
    response->add_versions(model.version);
    response->set_platform(model.platform);
    const auto describe = [](const WireTensorSpec& spec,
                             inference::ModelMetadataResponse::TensorMetadata& tensor) {
      tensor.set_name(spec.name);
      tensor.set_datatype(spec.datatype);
      tensor.mutable_shape()->Add(spec.shape.begin(), spec.shape.end());
    };
    for (const WireTensorSpec& spec : InputsOf(model)) {
      describe(spec, *response->add_inputs());
    }
    for (const WireTensorSpec& spec : OutputsOf(model)) {
      describe(spec, *response->add_outputs());
    }
    return Done(context, Status::OK);
  }

  grpc::ServerUnaryReactor* ModelConfig(grpc::CallbackServerContext* context,
                                        const inference::ModelConfigRequest* request,
                                        inference::ModelConfigResponse* response) override {
    const auto queue = Find(request->name(), request->version());
    if (!queue) {
      return Done(context, ToStatus(queue.error()));
    }
    const ServedModel& model = (*queue)->model();
    inference::ModelConfig& config = *response->mutable_config();
    config.set_name(model.name);
    config.set_platform(model.platform);
    config.set_backend("nearfar");
    for (const WireTensorSpec& spec : InputsOf(model)) {
      inference::ModelInput& input = *config.add_input();
      input.set_name(spec.name);
      input.set_data_type(ToDataType(spec.datatype));
      input.mutable_dims()->Add(spec.shape.begin(), spec.shape.end());
      input.set_optional(model.detector != nullptr);
    }
    for (const WireTensorSpec& spec : OutputsOf(model)) {
      inference::ModelOutput& output = *config.add_output();
      output.set_name(spec.name);
      output.set_data_type(ToDataType(spec.datatype));
      output.mutable_dims()->Add(spec.shape.begin(), spec.shape.end());
    }
    if (model.detector != nullptr) {
      const ModelIdentity& identity = model.detector->identity();
      std::string labels;
      for (const std::string& label : model.detector->labels()) {
        labels += label + "\n";
      }
      (*config.mutable_parameters())["labels"].set_string_value(labels);
      (*config.mutable_parameters())["model_hash"].set_string_value(identity.hash);
      (*config.mutable_parameters())["preprocessing"].set_string_value(identity.preprocessing);
      (*config.mutable_parameters())["nms"].set_string_value(identity.nms);
    }
    return Done(context, Status::OK);
  }

  grpc::ServerUnaryReactor* ModelStatistics(grpc::CallbackServerContext* context,
                                            const inference::ModelStatisticsRequest* request,
                                            inference::ModelStatisticsResponse* response) override {
    if (!request->name().empty()) {
      const auto queue = Find(request->name(), request->version());
      if (!queue) {
        return Done(context, ToStatus(queue.error()));
      }
      AddStatistics(**queue, *response);
      return Done(context, Status::OK);
    }
    for (const auto& queue : queues_) {
      AddStatistics(*queue, *response);
    }
    return Done(context, Status::OK);
  }

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    auto* call = new InferCall(context, request, response);  // deletes itself in OnDone
    call->arrived = clock_.Now();
    const auto timeout = IntegerParameter(request->parameters(), "timeout");
    if (!timeout) {
      call->Finish(ToStatus(timeout.error()));
      return call;
    }
    if (*timeout && **timeout < 0) {
      call->Finish(
          {StatusCode::INVALID_ARGUMENT, "parameter 'timeout' is negative (microseconds)"});
      return call;
    }
    if (*timeout && **timeout > 0) {
      constexpr std::int64_t kLongest = 1'000'000LL * 86'400;
      call->deadline = call->arrived + std::chrono::microseconds(std::min(**timeout, kLongest));
    }
    const auto queue = Find(request->model_name(), request->model_version());
    if (!queue) {
      call->Finish(ToStatus(queue.error()));
      return call;
    }
    (*queue)->Accept(call);
    return call;
  }

 private:
  static grpc::ServerUnaryReactor* Done(grpc::CallbackServerContext* context,
                                        const Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  /// The model of that name; an empty name means the only one, an empty version any.
  Expected<ModelQueue*> Find(const std::string& name, const std::string& version) const {
    std::string known;
    for (const auto& queue : queues_) {
      const ServedModel& model = queue->model();
      if ((model.name == name || (name.empty() && queues_.size() == 1)) &&
          (version.empty() || version == model.version)) {
        return queue.get();
      }
      known += (known.empty() ? "" : ", ") + model.name + " (version " + model.version + ")";
    }
    return Fail(ErrorCode::kNotFound, "no model " + Quote(name) +
                                          (version.empty() ? "" : " of version " + Quote(version)) +
                                          " here: this node serves " + known);
  }

  static void AddStatistics(const ModelQueue& queue, inference::ModelStatisticsResponse& response) {
    const Totals totals = queue.totals();
    inference::ModelStatistics& statistics = *response.add_model_stats();
    statistics.set_name(queue.model().name);
    statistics.set_version(queue.model().version);
    statistics.set_last_inference(
        static_cast<std::uint64_t>(totals.last_inference.time_since_epoch().count()));
    statistics.set_inference_count(totals.counts.images);
    statistics.set_execution_count(totals.executions);
    inference::InferStatistics& infer = *statistics.mutable_inference_stats();
    const auto set = [](inference::StatisticDuration& to, std::uint64_t count, Duration sum) {
      to.set_count(count);
      to.set_ns(Nanoseconds(sum));
    };
    const ServedModelCounts& counts = totals.counts;
    set(*infer.mutable_success(), counts.answered, totals.succeeded);
    set(*infer.mutable_fail(), counts.failed + counts.refused + counts.expired, totals.failed);
    set(*infer.mutable_queue(), counts.answered + counts.failed, counts.queued);
    set(*infer.mutable_compute_input(), counts.answered, totals.spent.input);
    set(*infer.mutable_compute_infer(), counts.answered, totals.spent.infer);
    set(*infer.mutable_compute_output(), counts.answered, totals.spent.output);
  }

  const ImageDecoder decode_image_;
  const NodeServerOptions options_;
  const Clock& clock_;
  std::atomic<bool> ready_ = true;
  std::vector<std::unique_ptr<ModelQueue>> queues_;
};

/// Why the address cannot be listened at, found by trying to bind it as gRPC did.
Error WhyNot(const NodeServerOptions& options) {
  const std::string where = HostAndPort(options.address, options.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int failure =
      getaddrinfo(options.address.c_str(), std::to_string(options.port).c_str(), &hints, &found);
  if (failure != 0) {
    return {ErrorCode::kUnavailable, "cannot listen at " + where + ": " + gai_strerror(failure) +
                                         ": give --address a name or address of this machine"};
  }
  int reason = 0;
  for (const addrinfo* at = found; at != nullptr && reason == 0; at = at->ai_next) {
    const int handle = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    const int yes = 1;
    if (handle < 0 || setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(handle, at->ai_addr, at->ai_addrlen) != 0 || listen(handle, 1) != 0) {
      reason = errno;
    }
    if (handle >= 0) {
      close(handle);
    }
  }
  freeaddrinfo(found);
  if (reason == EADDRINUSE) {
    return {ErrorCode::kUnavailable, "cannot listen at " + where +
                                         ": the port is in use: choose "
                                         "another with --port (0 picks a free one)"};
  }
  return {ErrorCode::kUnavailable,
          "cannot listen at " + where +
              (reason == 0 ? "" : std::string(": ") + std::strerror(reason)) +
              ": choose another --address or --port"};
}

class GrpcNodeServer final : public NodeServer {
 public:
  GrpcNodeServer(std::vector<ServedModel> models, ImageDecoder decode_image,
                 const NodeServerOptions& options, const Clock& clock)
      : options_(options), service_(std::move(models), std::move(decode_image), options, clock) {}
  ~GrpcNodeServer() override { Stop(); }

  Expected<void> Listen() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(HostAndPort(options_.address, options_.port),
                             grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(static_cast<int>(options_.max_message_bytes));
    builder.SetMaxSendMessageSize(-1);
    // Two nodes on one port would share its callers by chance: the second must fail instead.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1024);
    // Links ask whether the node still lives while they wait for it.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 2000);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      server_.reset();
      return tl::unexpected(WhyNot(options_));
    }
    return {};
  }

  int port() const override { return port_; }
  std::string address() const override { return HostAndPort(options_.address, port_); }
  std::vector<ServedModelCounts> counts() const override { return service_.counts(); }

  void Stop() override {
    if (server_ == nullptr) {
      return;
    }
    service_.RefuseNew();
    service_.Drain();
    // Answers already given are still on their way to the senders.
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
    server_->Wait();
    server_.reset();
  }

 private:
  const NodeServerOptions options_;
  Service service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Expected<void> Validate(const NodeServerOptions& options) {
  const auto refuse = [](const char* name, const auto& value, const char* range) {
    return Fail(ErrorCode::kInvalidInput,
                std::string(name) + " is " + std::to_string(value) + ", but must be " + range);
  };
  if (options.address.empty()) {
    return Fail(ErrorCode::kInvalidInput, "the address to listen at is empty");
  }
  if (options.port < 0 || options.port > 65535) {
    return refuse("port", options.port, "in [0, 65535]");
  }
  if (options.queue_length < 0) {
    return refuse("queue length", options.queue_length, ">= 0");
  }
  if (options.max_message_bytes < 1 || options.max_message_bytes > INT32_MAX) {
    return refuse("message limit", options.max_message_bytes, "in [1, 2147483647] bytes");
  }
  if (options.max_pixels < 1 || options.max_pixels > INT32_MAX) {
    return refuse("pixel limit", options.max_pixels, "in [1, 2147483647]");
  }
  if (options.max_images < 1) {
    return refuse("images per request", options.max_images, ">= 1");
  }
  if (options.drain < Duration::zero()) {
    return Fail(ErrorCode::kInvalidInput, "the time to drain is negative");
  }
  return {};
}

Expected<std::unique_ptr<NodeServer>> NodeServer::Start(std::vector<ServedModel> models,
                                                        ImageDecoder decode_image,
                                                        const NodeServerOptions& options,
                                                        const Clock& clock) {
  if (const auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  if (models.empty()) {
    return Fail(ErrorCode::kInvalidInput, "a node needs at least one model to serve");
  }
  std::set<std::string> names;
  for (const ServedModel& model : models) {
    if (!names.insert(model.name).second) {
      return Fail(ErrorCode::kInvalidInput, "two models are named '" + model.name +
                                                "': clients choose by name, so rename one");
    }
    if (model.callers < 1 || model.callers > 256) {
      return Fail(ErrorCode::kInvalidInput, "model '" + model.name + "' has " +
                                                std::to_string(model.callers) +
                                                " callers, but must have 1 to 256");
    }
    if (model.detector == nullptr && !model.execute) {
      return Fail(ErrorCode::kInvalidInput, "model '" + model.name + "' can do nothing");
    }
  }
  PrepareTransport();
  auto server =
      std::make_unique<GrpcNodeServer>(std::move(models), std::move(decode_image), options, clock);
  if (const auto listening = server->Listen(); !listening) {
    return tl::unexpected(listening.error());
  }
  return std::unique_ptr<NodeServer>(std::move(server));
}

}  // namespace nearfar
