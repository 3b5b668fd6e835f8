#include "adapters/grpc/node_link.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "adapters/grpc/channel.h"
#include "adapters/grpc/messages.h"
#include "inference.grpc.pb.h"

namespace nearfar {
namespace {

using grpc::Status;
using grpc::StatusCode;
using std::chrono::milliseconds;

std::string Milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<milliseconds>(duration).count()) + " ms";
}

int ToTransportMilliseconds(Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<milliseconds>(duration).count());
}

bool Mentions(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

/// What a failed call means, in our terms.
/// @param connected  whether the channel stood when the call ended
Error Explain(const Status& status, const std::string& address, bool connected, Duration spent) {
  const std::string detail = OneLine(status.error_message());
  const std::string node = "node " + address;
  switch (status.error_code()) {
    case StatusCode::UNAVAILABLE:
      if (Mentions(detail, "http1") || Mentions(detail, "HTTP/1") || Mentions(detail, "HTTP/2") ||
          Mentions(detail, "SETTINGS frame")) {
        return {ErrorCode::kUnavailable,
                node + " does not speak gRPC: is another service at this port? (" + detail + ")"};
      }
      return {ErrorCode::kUnavailable, node + " is unavailable: " + detail};
    case StatusCode::DEADLINE_EXCEEDED:
      if (!connected) {
        return {ErrorCode::kUnavailable, node + " gave no gRPC connection within " +
                                             Milliseconds(spent) +
                                             ": nothing answers there, or another protocol"};
      }
      return {ErrorCode::kDeadlineExceeded,
              node + " gave no answer within " + Milliseconds(spent) +
                  (Mentions(detail, "not computed") ? " (" + detail + ")" : "")};
    case StatusCode::CANCELLED:
      return {ErrorCode::kCancelled, "the request to " + node + " was given up"};
    case StatusCode::RESOURCE_EXHAUSTED:
      return {ErrorCode::kLimitExceeded, node + " refused: " + detail};
    case StatusCode::INVALID_ARGUMENT:
    case StatusCode::OUT_OF_RANGE:
    case StatusCode::FAILED_PRECONDITION:
      return {ErrorCode::kInvalidInput, node + " calls the request invalid: " + detail};
    case StatusCode::NOT_FOUND:
      return {ErrorCode::kNotFound, node + ": " + detail};
    case StatusCode::UNIMPLEMENTED:
      return {ErrorCode::kUnsupported,
              node + " speaks gRPC, but not the Open Inference Protocol: " + detail};
    default:
      return {ErrorCode::kUnavailable, node + " failed: " + detail};
  }
}

/// One request until its answer.
struct Call {
  Upload upload;  ///< its bytes are gone once they are in `request`
  std::function<void(Answer)> done;
  TimePoint sent;
  std::int64_t bytes_up = 0;
  grpc::ClientContext context;
  inference::ModelInferRequest request;
  inference::ModelInferResponse response;
};

class Link final : public GrpcNodeLink {
 public:
  Link(const NodeLinkOptions& options, LabelSpace labels, const Synonyms& synonyms,
       std::unique_ptr<TensorExchange> exchange, const Clock& clock)
      : options_(options),
        labels_(std::move(labels)),
        synonyms_(synonyms),
        exchange_(std::move(exchange)),
        clock_(clock) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(static_cast<int>(options_.max_reply_bytes));
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // its own connection and backoff
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                     ToTransportMilliseconds(options_.first_backoff));
    arguments.SetInt(
        GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,  // what gRPC gives one attempt, despite its name
        ToTransportMilliseconds(options_.connect_timeout));
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
                     ToTransportMilliseconds(options_.longest_backoff));
    // A node that vanished without a word (power, cable) is noticed while an answer is awaited.
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    channel_ =
        grpc::CreateCustomChannel(options_.address, grpc::InsecureChannelCredentials(), arguments);
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
    if (exchange_ != nullptr) {
      encoder_ = std::thread([this] { EncodeAll(); });
    }
  }

  ~Link() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      for (auto& [id, call] : in_flight_) {
        call->context.TryCancel();
      }
    }
    to_encode_changed_.notify_all();
    if (encoder_.joinable()) {
      encoder_.join();
    }
    std::unique_lock lock(mutex_);
    all_answered_.wait(lock, [this] { return in_flight_.empty(); });
  }

  void Send(Upload upload, std::function<void(Answer)> done) override {
    const auto call = std::make_shared<Call>();  // shared: the transport and the list of those in
                                                 // flight both need it until the answer
    call->upload = std::move(upload);
    call->done = std::move(done);
    call->sent = clock_.Now();
    // Deadlines of the transport are on the calendar's clock.
    call->context.set_deadline(std::chrono::system_clock::now() +
                               std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                   std::max(call->upload.deadline - call->sent, Duration::zero())));
    {
      const std::lock_guard lock(mutex_);
      in_flight_.emplace(call->upload.request, call);
      if (exchange_ != nullptr) {
        to_encode_.push_back(call);
      }
    }
    if (exchange_ != nullptr) {
      to_encode_changed_.notify_one();
      return;
    }
    const Upload& own = call->upload;
    WireTensor tensor;
    if (own.payload == Upload::Payload::kImage) {
      tensor = {"image", "BYTES", {1}, {}};
      tensor.bytes.reserve(own.bytes.size() + sizeof(std::uint32_t));
      AppendElement(tensor.bytes,
                    {reinterpret_cast<const char*>(own.bytes.data()), own.bytes.size()});
    } else {
      tensor = MakeTensor<std::uint8_t>("pixels", "UINT8", {own.rect.height, own.rect.width, 3},
                                        own.bytes);
      SetParameter(*call->request.mutable_parameters(), "channel_order", "BGR");
    }
    AddInput(call->request, std::move(tensor));
    Start(call);
  }

  void Cancel(RequestId request) override {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = in_flight_.equal_range(request);
    for (auto at = first; at != last; ++at) {
      at->second->context.TryCancel();
    }
  }

  std::string node() const override { return options_.address; }

  Expected<NodeDescription> Describe(Duration patience) override {
    const TimePoint began = clock_.Now();
    const auto until = std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(patience);
    const auto explain = [&](const Status& status) {
      return tl::unexpected(Explain(status, options_.address, Connected(), clock_.Now() - began));
    };
    NodeDescription description;
    {
      grpc::ClientContext context;
      context.set_deadline(until);
      inference::ServerMetadataResponse server;
      if (const Status status = stub_->ServerMetadata(&context, {}, &server); !status.ok()) {
        return explain(status);
      }
      description.server = OneLine(server.name() + " " + server.version());
    }
    {
      grpc::ClientContext context;
      context.set_deadline(until);
      inference::ModelMetadataRequest request;
      request.set_name(options_.model);
      request.set_version(options_.model_version);
      inference::ModelMetadataResponse model;
      if (const Status status = stub_->ModelMetadata(&context, request, &model); !status.ok()) {
        return explain(status);
      }
      description.model = OneLine(model.name());
      description.model_version = model.versions().empty() ? "" : OneLine(model.versions(0));
      description.platform = OneLine(model.platform());
      for (const auto& input : model.inputs()) {
        description.inputs.push_back(
            {input.name(), input.datatype(), {input.shape().begin(), input.shape().end()}});
        description.takes_images |= input.name() == "image" && input.datatype() == "BYTES";
        description.takes_pixels |= input.name() == "pixels" && input.datatype() == "UINT8";
      }
    }
    {
      grpc::ClientContext context;
      context.set_deadline(until);
      inference::ModelConfigRequest request;
      request.set_name(options_.model);
      request.set_version(options_.model_version);
      inference::ModelConfigResponse config;
      // A server without this call is none the worse: it just does not tell its class names.
      if (stub_->ModelConfig(&context, request, &config).ok()) {
        const auto& parameters = config.config().parameters();
        if (const auto hash = parameters.find("model_hash"); hash != parameters.end()) {
          description.model_hash = OneLine(hash->second.string_value());
        }
        if (const auto labels = parameters.find("labels"); labels != parameters.end()) {
          std::string_view rest = labels->second.string_value();
          while (!rest.empty()) {
            const std::size_t end = std::min(rest.find('\n'), rest.size());
            description.class_names.emplace_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
          }
        }
      }
    }
    if (exchange_ != nullptr) {
      description.class_names = exchange_->class_names();
    } else if (description.class_names.empty()) {
      description.class_names = options_.class_names;
    }
    description.unmapped = MapLabels(description.class_names, labels_, synonyms_).unmapped;
    return description;
  }

  std::vector<std::string> unmapped() const override {
    const std::lock_guard lock(mutex_);
    return {unmapped_.begin(), unmapped_.end()};
  }

 private:
  bool Connected() { return channel_->GetState(false) == GRPC_CHANNEL_READY; }

  /// Turns pictures into tensors, off the caller's thread.
  void EncodeAll() {
    std::unique_lock lock(mutex_);
    for (;;) {
      to_encode_changed_.wait(lock, [this] { return closing_ || !to_encode_.empty(); });
      if (to_encode_.empty()) {
        return;
      }
      const std::shared_ptr<Call> call = std::move(to_encode_.front());
      to_encode_.pop_front();
      const bool closing = closing_;
      lock.unlock();
      if (closing) {
        AnswerFailure(
            *call, {ErrorCode::kCancelled, "the link to node " + options_.address + " was closed"});
      } else if (clock_.Now() >= call->upload.deadline) {
        AnswerFailure(*call, {ErrorCode::kDeadlineExceeded,
                              "the deadline passed before the picture was ready for node " +
                                  options_.address});
      } else if (auto inputs = exchange_->Encode(call->upload); !inputs) {
        AnswerFailure(*call, inputs.error());
      } else {
        for (WireTensor& tensor : *inputs) {
          AddInput(call->request, std::move(tensor));
        }
        Start(call);
      }
      lock.lock();
    }
  }

  /// Hands a filled request to the transport.
  void Start(const std::shared_ptr<Call>& call) {
    Upload& upload = call->upload;
    upload.bytes = {};
    call->request.set_model_name(options_.model);
    call->request.set_model_version(options_.model_version);
    call->request.set_id(std::to_string(ToNumber(upload.request)));
    Parameters& parameters = *call->request.mutable_parameters();
    SetParameter(parameters, "frame_id", static_cast<std::int64_t>(ToNumber(upload.frame)));
    SetParameter(parameters, "region_id", static_cast<std::int64_t>(ToNumber(upload.region)));
    SetParameter(parameters, "offset_x", std::int64_t{upload.rect.x});
    SetParameter(parameters, "offset_y", std::int64_t{upload.rect.y});
    SetParameter(parameters, "timeout",
                 std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::microseconds>(
                                               upload.deadline - clock_.Now())
                                               .count()));
    call->bytes_up = static_cast<std::int64_t>(call->request.ByteSizeLong());
    stub_->async()->ModelInfer(&call->context, &call->request, &call->response,
                               [this, call](const Status& status) { Finish(*call, status); });
  }

  /// What every answer to a call says.
  Answer AnswerTo(const Call& call) const {
    Answer answer;
    answer.request = call.upload.request;
    answer.region = call.upload.region;
    answer.link = options_.link;
    answer.node = options_.address;
    answer.model = options_.model;
    answer.model_version = options_.model_version;
    answer.total = clock_.Now() - call.sent;
    answer.bytes_up = call.bytes_up;
    return answer;
  }

  void AnswerFailure(Call& call, const Error& error) {
    Answer answer = AnswerTo(call);
    answer.error_code = ToString(error.code);
    answer.error = error.message;
    Deliver(call, std::move(answer));
  }

  void Finish(Call& call, const Status& status) {
    if (!status.ok()) {
      AnswerFailure(call, Explain(status, options_.address, Connected(), clock_.Now() - call.sent));
      return;
    }
    const auto outputs = ReadOutputs(call.response);
    auto named = outputs ? Interpret(outputs->views, call.upload.rect.size())
                         : Expected<NamedDetections>(tl::unexpected(outputs.error()));
    if (!named) {
      AnswerFailure(call, {named.error().code,
                           "node " + options_.address +
                               " replied with garbage: " + OneLine(named.error().message)});
      return;
    }
    Answer answer = AnswerTo(call);
    answer.detections = ToLabelSpace(std::move(*named));
    for (Detection& d : answer.detections) {
      d.box = Translate(d.box, static_cast<float>(call.upload.rect.x),
                        static_cast<float>(call.upload.rect.y));
    }
    std::stable_sort(answer.detections.begin(), answer.detections.end(),
                     [](const Detection& a, const Detection& b) { return a.score > b.score; });
    if (!call.response.model_name().empty()) {
      answer.model = OneLine(call.response.model_name());
    }
    answer.model_version = OneLine(call.response.model_version());
    answer.bytes_down = static_cast<std::int64_t>(call.response.ByteSizeLong());
    answer.compute = Duration(Number(call.response, "compute_ns", 0, answer.total.count()));
    answer.queued = Duration(Number(call.response, "queue_ns", 0, answer.total.count()));
    answer.queue_length = static_cast<int>(Number(call.response, "queue_length", -1, 1'000'000));
    Deliver(call, std::move(answer));
  }

  /// A number that the node tells of itself, as far as it can be: within [0, most], else `unknown`.
  static std::int64_t Number(const inference::ModelInferResponse& response, const char* name,
                             std::int64_t unknown, std::int64_t most) {
    const auto value = IntegerParameter(response.parameters(), name);
    return value && *value && **value >= 0 ? std::min(**value, most) : unknown;
  }

  Expected<NamedDetections> Interpret(std::span<const WireTensorView> outputs, Size sent) const {
    if (exchange_ != nullptr) {
      return exchange_->Decode(outputs, sent);
    }
    return ReadDetections(outputs, sent, options_.class_names, options_.limits);
  }

  /// Labels by name; boxes of classes without a place go, and their names are kept for unmapped().
  Detections ToLabelSpace(NamedDetections named) {
    constexpr std::size_t kMostNames =
        10'000;  // a node that makes names up does not fill the memory
    const std::lock_guard lock(mutex_);
    Detections mapped;
    for (std::size_t i = 0; i < named.detections.size(); ++i) {
      std::string& name = named.names[i];
      auto found = label_of_.find(name);
      if (found == label_of_.end()) {
        const int label = labels_.Find(synonyms_.Canonical(name));
        if (label == kNoLabel && unmapped_.size() < kMostNames) {
          unmapped_.insert(OneLine(name));
        }
        if (label_of_.size() >= kMostNames) {
          label_of_.clear();
        }
        found = label_of_.emplace(std::move(name), label).first;
      }
      if (found->second != kNoLabel) {
        Detection& detection = named.detections[i];
        detection.label = found->second;
        mapped.push_back(detection);
      }
    }
    return mapped;
  }

  /// Calls `done`; the last thing that happens to a call.
  void Deliver(Call& call, Answer answer) {
    call.done(std::move(answer));
    const std::lock_guard lock(mutex_);
    const auto [first, last] = in_flight_.equal_range(call.upload.request);
    in_flight_.erase(
        std::find_if(first, last, [&](const auto& entry) { return entry.second.get() == &call; }));
    if (in_flight_.empty()) {
      all_answered_
          .notify_all();  // under the lock: the destructor may run as soon as it is released
    }
  }

  const NodeLinkOptions options_;
  const LabelSpace labels_;
  const Synonyms synonyms_;
  const std::unique_ptr<TensorExchange> exchange_;
  const Clock& clock_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;

  mutable std::mutex mutex_;
  std::condition_variable all_answered_;
  std::condition_variable to_encode_changed_;
  std::multimap<RequestId, std::shared_ptr<Call>> in_flight_;
  std::deque<std::shared_ptr<Call>> to_encode_;
  std::map<std::string, int> label_of_;
  std::set<std::string> unmapped_;
  bool closing_ = false;
  std::thread encoder_;
};

}  // namespace

Expected<void> Validate(const NodeLinkOptions& options) {
  const std::size_t colon = options.address.rfind(':');
  int port = 0;
  if (colon != std::string::npos && colon + 1 < options.address.size() &&
      options.address.size() - colon <= 6 &&
      options.address.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
    port = std::stoi(options.address.substr(colon + 1));
  }
  if (colon == 0 || port < 1 || port > 65535) {
    return Fail(ErrorCode::kInvalidInput,
                "the node's address is " + Quote(options.address) + ", but must be host:port");
  }
  if (options.limits.max_boxes < 1) {
    return Fail(ErrorCode::kInvalidInput, "the limit of boxes in a reply is " +
                                              std::to_string(options.limits.max_boxes) +
                                              ", but must be >= 1");
  }
  if (options.max_reply_bytes < 1 || options.max_reply_bytes > INT32_MAX) {
    return Fail(ErrorCode::kInvalidInput, "the limit of a reply is " +
                                              std::to_string(options.max_reply_bytes) +
                                              " bytes, but must be in [1, 2147483647]");
  }
  if (options.first_backoff < milliseconds(100) ||
      options.longest_backoff < options.first_backoff ||
      options.longest_backoff > std::chrono::hours(1)) {
    return Fail(ErrorCode::kInvalidInput, "the backoff is " + Milliseconds(options.first_backoff) +
                                              " to " + Milliseconds(options.longest_backoff) +
                                              ", but must grow from 100 ms or more to 1 h or less");
  }
  if (options.connect_timeout < milliseconds(10) ||
      options.connect_timeout > std::chrono::hours(1)) {
    return Fail(ErrorCode::kInvalidInput, "the time for one connection attempt is " +
                                              Milliseconds(options.connect_timeout) +
                                              ", but must be in [10 ms, 1 h]");
  }
  return {};
}

Expected<std::unique_ptr<GrpcNodeLink>> GrpcNodeLink::Open(const NodeLinkOptions& options,
                                                           LabelSpace labels,
                                                           const Synonyms& synonyms,
                                                           std::unique_ptr<TensorExchange> exchange,
                                                           const Clock& clock) {
  if (const auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  PrepareTransport();
  return std::unique_ptr<GrpcNodeLink>(
      std::make_unique<Link>(options, std::move(labels), synonyms, std::move(exchange), clock));
}

}  // namespace nearfar
