#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <future>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "adapters/grpc/messages.h"
#include "adapters/grpc/node_link.h"
#include "adapters/grpc/node_server.h"
#include "adapters/image/codec.h"
#include "inference.grpc.pb.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto kLong = seconds(20);  // longer than any test should need

/// A detector that tests break on purpose. It answers with one box that says what it saw: the size
/// of the view, and the blue, green and red of its first pixel as scores.
class BrokenDetector final : public Detector {
 public:
  Expected<DetectorAnswer> Detect(const PixelView& view, int, int) override {
    {
      std::unique_lock lock(mutex_);
      ++calls_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
    }
    if (throws) {
      throw std::runtime_error("the engine\nfell over");
    }
    if (error) {
      return tl::unexpected(*error);
    }
    DetectorAnswer answer;
    const Box whole{0, 0, static_cast<float>(view.size.width),
                    static_cast<float>(view.size.height)};
    for (int channel = 0; channel < 3; ++channel) {
      answer.detections.push_back(
          {whole, static_cast<float>(view.row(0)[channel]) / 255.0F, channel});
    }
    answer.infer = milliseconds(1);
    return answer;
  }
  Expected<DetectorAnswer> DetectBeforeNms(const PixelView& view, int x, int y) override {
    return Detect(view, x, y);
  }
  const ModelIdentity& identity() const override { return identity_; }
  const std::vector<std::string>& labels() const override { return labels_; }

  /// Holds every call until Open.
  void Close() { Set(false); }
  void Open() { Set(true); }
  void WaitForCalls(int calls) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return calls_ >= calls; });
  }
  int calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

  bool throws = false;
  std::optional<Error> error;

 private:
  void Set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int calls_ = 0;
  ModelIdentity identity_{.name = "broken", .hash = "00112233aabbccdd"};
  std::vector<std::string> labels_{"motorbike", "flying saucer", "cat"};
};

const SystemClock kClock;

Expected<Image> Decode(std::span<const std::uint8_t> bytes) { return DecodeImage(bytes); }

/// A node with the broken detector, and what talks to it.
class NodeTest : public testing::Test {
 protected:
  void StartNode(NodeServerOptions options = {}, int callers = 1) {
    options.port = port_;
    auto server = NodeServer::Start(Models(callers), Decode, options, kClock);
    ASSERT_TRUE(server) << server.error().message;
    node_ = std::move(*server);
    port_ = node_->port();
    stub_ = inference::GRPCInferenceService::NewStub(
        grpc::CreateChannel(node_->address(), grpc::InsecureChannelCredentials()));
  }

  std::vector<ServedModel> Models(int callers) {
    ServedModel eye;
    eye.name = "eye";
    eye.callers = callers;
    eye.detector = detector_;
    eye.inputs = {{"x", "FP32", {1, -1}}, {"flag", "BOOL", {1}}};
    eye.outputs = {{"twice", "FP32", {1, -1}}};
    eye.execute = [](std::span<const WireTensorView> inputs) -> Expected<TensorAnswer> {
      std::vector<float> values(inputs[0].bytes.size() / sizeof(float));
      std::memcpy(values.data(), inputs[0].bytes.data(), inputs[0].bytes.size());
      for (float& value : values) {
        value *= 2;
      }
      TensorAnswer answer;
      answer.outputs.push_back(MakeTensor<float>("twice", "FP32", inputs[0].shape, values));
      return answer;
    };
    return {eye, MakeNoOpModel("noop")};
  }

  std::unique_ptr<GrpcNodeLink> LinkTo(std::string address, std::string model = "eye") {
    NodeLinkOptions options;
    options.address = std::move(address);
    options.model = std::move(model);
    options.link = LinkId{3};
    options.first_backoff = milliseconds(100);
    options.longest_backoff = milliseconds(200);
    auto link = GrpcNodeLink::Open(options, VocLabels(), Synonyms::Default(), nullptr, kClock);
    EXPECT_TRUE(link) << link.error().message;
    return std::move(*link);
  }
  std::unique_ptr<GrpcNodeLink> LinkToNode() { return LinkTo(node_->address()); }

  /// Calls ModelInfer as a stock client does.
  grpc::Status Infer(const inference::ModelInferRequest& request,
                     inference::ModelInferResponse* response = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kLong);
    inference::ModelInferResponse own;
    return stub_->ModelInfer(&context, request, response != nullptr ? response : &own);
  }

  std::shared_ptr<BrokenDetector> detector_ = std::make_shared<BrokenDetector>();
  std::unique_ptr<NodeServer> node_;
  int port_ = 0;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

Upload JpegUpload(std::uint64_t request = 1, Duration patience = kLong) {
  Image picture({40, 30});
  std::fill_n(picture.data(), 40 * 30 * 3, std::uint8_t{128});
  Upload upload;
  upload.request = RequestId{request};
  upload.frame = FrameId{7};
  upload.rect = {100, 200, 40, 30};
  upload.bytes = *EncodeJpeg(picture.view(), 90);
  upload.deadline = kClock.Now() + patience;
  return upload;
}

std::future<Answer> SendOver(NodeLink& link, Upload upload) {
  auto promise = std::make_shared<std::promise<Answer>>();  // a second `done` would throw here
  std::future<Answer> answer = promise->get_future();
  link.Send(std::move(upload), [promise](Answer a) { promise->set_value(std::move(a)); });
  return answer;
}

/// Waits for something that another thread is about to do and that has no event of its own.
template <typename Condition>
void Await(Condition condition) {
  const TimePoint until = kClock.Now() + kLong;
  while (!condition()) {
    ASSERT_LT(kClock.Now(), until) << "it did not come about";
    std::this_thread::yield();
  }
}

// ---- A good day
// -----------------------------------------------------------------------------------

TEST_F(NodeTest, AnswersAJpegWithBoxesInPxOfTheFrameAndLabelsOfTheSpace) {
  StartNode();
  const auto link = LinkToNode();
  const Upload upload = JpegUpload();
  const auto sent_bytes = static_cast<std::int64_t>(upload.bytes.size());
  const Answer answer = SendOver(*link, upload).get();
  ASSERT_TRUE(answer.ok()) << answer.error;
  ASSERT_EQ(answer.detections.size(), 2U);  // the saucer is no class of VOC
  for (const Detection& d : answer.detections) {
    EXPECT_EQ(d.box, (Box{100, 200, 140, 230}));
    EXPECT_NEAR(d.score, 128.0F / 255, 0.01F);
  }
  EXPECT_EQ(VocLabels().names[static_cast<std::size_t>(answer.detections[0].label)], "motorcycle");
  EXPECT_EQ(VocLabels().names[static_cast<std::size_t>(answer.detections[1].label)], "cat");
  EXPECT_THAT(link->unmapped(), ElementsAre("flying saucer"));
  EXPECT_EQ(answer.request, RequestId{1});
  EXPECT_EQ(answer.link, LinkId{3});
  EXPECT_EQ(answer.node, node_->address());
  EXPECT_EQ(answer.model, "eye");
  EXPECT_EQ(answer.model_version, "1");
  EXPECT_EQ(answer.queue_length, 0);
  EXPECT_GT(answer.compute, Duration::zero());
  EXPECT_GT(answer.total, answer.compute);
  EXPECT_GT(answer.bytes_up, sent_bytes);
  EXPECT_LT(answer.bytes_up, sent_bytes + 300);
  EXPECT_GT(answer.bytes_down, 100);
}

TEST_F(NodeTest, SeesTheSamePixelsWhetherSentAsBgrOrRgb) {
  StartNode();
  Upload upload = JpegUpload();
  upload.payload = Upload::Payload::kPixels;
  upload.rect = {5, 6, 2, 1};
  upload.bytes = {51, 102, 204, 0, 0, 0};  // blue, green, red
  const auto link = LinkToNode();
  const Answer answer = SendOver(*link, upload).get();
  ASSERT_TRUE(answer.ok()) << answer.error;
  ASSERT_EQ(answer.detections.size(), 2U);
  EXPECT_FLOAT_EQ(answer.detections[0].score, 0.8F);  // channel 2, red, as "cat"
  EXPECT_EQ(VocLabels().names[static_cast<std::size_t>(answer.detections[0].label)], "cat");
  EXPECT_FLOAT_EQ(answer.detections[1].score, 0.2F);
  EXPECT_EQ(answer.detections[0].box, (Box{5, 6, 7, 7}));

  inference::ModelInferRequest request;
  request.set_model_name("eye");
  const std::vector<std::uint8_t> rgb{204, 102, 51, 0, 0, 0};
  AddInput(request, MakeTensor<std::uint8_t>("pixels", "UINT8", {1, 1, 2, 3}, rgb));
  inference::ModelInferResponse response;
  ASSERT_TRUE(Infer(request, &response).ok());
  const auto outputs = ReadOutputs(response);
  ASSERT_TRUE(outputs);
  const auto found = ReadDetections(outputs->views, {2, 1}, {}, {});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FLOAT_EQ(found->detections[0].score, 0.2F);
  EXPECT_FLOAT_EQ(found->detections[2].score, 0.8F);
  EXPECT_THAT(found->names, ElementsAre("motorbike", "flying saucer", "cat"));
}

TEST_F(NodeTest, AnswersSeveralImagesOfARequestWithACountForEach) {
  StartNode();
  const Upload picture = JpegUpload();
  inference::ModelInferRequest request;
  request.set_model_name("eye");
  request.set_id("batch");
  auto& input = *request.add_inputs();
  input.set_name("image");
  input.set_datatype("BYTES");
  input.add_shape(2);
  for (int i = 0; i < 2; ++i) {  // typed contents, as clients without raw tensors send them
    input.mutable_contents()->add_bytes_contents(picture.bytes.data(), picture.bytes.size());
  }
  for (const char* name : {"counts", "detection_out"}) {
    request.add_outputs()->set_name(name);
  }
  (*request.mutable_parameters())["frame_id"].set_int64_param(41);
  inference::ModelInferResponse response;
  const grpc::Status status = Infer(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.id(), "batch");
  EXPECT_EQ(response.parameters().at("frame_id").int64_param(), 41);
  EXPECT_EQ(response.parameters().at("model_hash").string_param(), "00112233aabbccdd");
  ASSERT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "counts");
  const std::int64_t counts[] = {3, 3};
  EXPECT_EQ(response.raw_output_contents(0),
            std::string(reinterpret_cast<const char*>(counts), sizeof counts));
  EXPECT_THAT(response.outputs(1).shape(), ElementsAre(1, 1, 6, 7));
  float row[7];
  std::memcpy(row, response.raw_output_contents(1).data() + 5 * sizeof row, sizeof row);
  EXPECT_EQ(row[0], 1);  // second image
  EXPECT_EQ(row[1], 2);  // third label
  EXPECT_EQ(row[5], 1);  // right edge as a share of the width
}

TEST_F(NodeTest, RunsTheModelsOwnTensors) {
  StartNode();
  inference::ModelInferRequest request;
  request.set_model_name("eye");
  const bool flag = true;
  const std::vector<float> values{1, -2.5F};
  AddInput(request, MakeTensor<bool>("flag", "BOOL", {1}, {&flag, 1}));  // in any order
  AddInput(request, MakeTensor<float>("x", "FP32", {1, 2}, values));
  inference::ModelInferResponse response;
  const grpc::Status status = Infer(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const std::vector<float> twice{2, -5};
  EXPECT_EQ(response.raw_output_contents(0),
            MakeTensor<float>("twice", "FP32", {1, 2}, twice).bytes);
}

TEST_F(NodeTest, DescribesItselfAndCountsWhatItDid) {
  StartNode();
  const auto link = LinkToNode();
  const auto description = link->Describe(kLong);
  ASSERT_TRUE(description) << description.error().message;
  EXPECT_THAT(description->server, HasSubstr("nearfar "));
  EXPECT_EQ(description->model, "eye");
  EXPECT_TRUE(description->takes_images);
  EXPECT_TRUE(description->takes_pixels);
  EXPECT_EQ(description->model_hash, "00112233aabbccdd");
  EXPECT_THAT(description->class_names, ElementsAre("motorbike", "flying saucer", "cat"));
  EXPECT_THAT(description->unmapped, ElementsAre("flying saucer"));
  EXPECT_EQ(description->inputs.size(), 4U);

  detector_->error = Error{ErrorCode::kInternal, "no"};
  EXPECT_FALSE(SendOver(*link, JpegUpload(1)).get().ok());
  detector_->error.reset();
  EXPECT_TRUE(SendOver(*link, JpegUpload(2)).get().ok());

  grpc::ClientContext context;
  inference::ModelStatisticsResponse statistics;
  ASSERT_TRUE(stub_->ModelStatistics(&context, {}, &statistics).ok());
  ASSERT_EQ(statistics.model_stats_size(), 2);
  const inference::ModelStatistics& eye = statistics.model_stats(0);
  EXPECT_EQ(eye.name(), "eye");
  EXPECT_EQ(eye.inference_count(), 1U);
  EXPECT_GT(eye.last_inference(), 1'600'000'000'000U);
  EXPECT_EQ(eye.inference_stats().success().count(), 1U);
  EXPECT_EQ(eye.inference_stats().fail().count(), 1U);
  EXPECT_EQ(eye.inference_stats().compute_infer().ns(), 1'000'000U);
  const ServedModelCounts counts = node_->counts()[0];
  EXPECT_EQ(counts.answered, 1U);
  EXPECT_EQ(counts.failed, 1U);
}

TEST_F(NodeTest, TellsWhichModelsAreReady) {
  StartNode();
  const auto ready = [&](const char* name, const char* version) {
    grpc::ClientContext context;
    inference::ModelReadyRequest request;
    request.set_name(name);
    request.set_version(version);
    inference::ModelReadyResponse response;
    EXPECT_TRUE(stub_->ModelReady(&context, request, &response).ok());
    return response.ready();
  };
  EXPECT_TRUE(ready("eye", ""));
  EXPECT_TRUE(ready("eye", "1"));
  EXPECT_FALSE(ready("eye", "2"));
  EXPECT_FALSE(ready("nose", ""));
  const Answer answer = SendOver(*LinkTo(node_->address(), "nose"), JpegUpload()).get();
  EXPECT_EQ(answer.error_code, "not-found");
  EXPECT_THAT(answer.error, AllOf(HasSubstr("'nose'"), HasSubstr("eye (version 1), noop")));
}

// ---- Too much, too late, too slow
// -----------------------------------------------------------------

TEST_F(NodeTest, RefusesAtOnceWhenTheQueueIsFull) {
  StartNode({.queue_length = 1});
  detector_->Close();
  const auto link = LinkToNode();
  auto running = SendOver(*link, JpegUpload(1));
  detector_->WaitForCalls(1);
  auto first = SendOver(*link, JpegUpload(2));
  auto second = SendOver(*link, JpegUpload(3));
  // One of the two waits, the other is refused while the detector still holds.
  const bool first_refused = [&] {
    for (;;) {
      if (first.wait_for(milliseconds(1)) == std::future_status::ready) return true;
      if (second.wait_for(milliseconds(1)) == std::future_status::ready) return false;
    }
  }();
  const Answer refused = (first_refused ? first : second).get();
  EXPECT_EQ(refused.error_code, "limit-exceeded");
  EXPECT_THAT(refused.error, HasSubstr("queue of model 'eye' is full (1 waiting)"));
  detector_->Open();
  EXPECT_TRUE(running.get().ok());
  const Answer waited = (first_refused ? second : first).get();
  EXPECT_TRUE(waited.ok());
  EXPECT_GT(waited.queued, Duration::zero());
  EXPECT_EQ(node_->counts()[0].refused, 1U);
}

TEST_F(NodeTest, DoesNotComputeWhatExpiredInTheQueue) {
  StartNode();
  detector_->Close();
  const auto link = LinkToNode();
  auto running = SendOver(*link, JpegUpload(1));
  detector_->WaitForCalls(1);
  const Answer late = SendOver(*link, JpegUpload(2, milliseconds(50))).get();
  EXPECT_EQ(late.error_code, "deadline-exceeded");
  Await(
      [&] { return node_->counts()[0].expired == 1; });  // the node's clock runs out a little later
  detector_->Open();
  EXPECT_TRUE(running.get().ok());
  // A later request passes the queue after the late one would have.
  EXPECT_TRUE(SendOver(*link, JpegUpload(3)).get().ok());
  EXPECT_EQ(detector_->calls(), 2);
  EXPECT_EQ(node_->counts()[0].expired, 1U);
}

TEST_F(NodeTest, ObeysTheTimeoutParameterWhereTheCallHasNoDeadline) {
  StartNode();
  detector_->Close();
  const auto link = LinkToNode();
  auto running = SendOver(*link, JpegUpload(1));
  detector_->WaitForCalls(1);
  const Upload picture = JpegUpload();
  inference::ModelInferRequest request;
  request.set_model_name("eye");
  WireTensor image{"image", "BYTES", {1}, {}};
  AppendElement(image.bytes,
                {reinterpret_cast<const char*>(picture.bytes.data()), picture.bytes.size()});
  AddInput(request, std::move(image));
  (*request.mutable_parameters())["timeout"].set_int64_param(1);  // a microsecond
  std::promise<grpc::Status> done;
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  stub_->async()->ModelInfer(&context, &request, &response,
                             [&](grpc::Status status) { done.set_value(std::move(status)); });
  detector_->Open();
  EXPECT_TRUE(running.get().ok());
  const grpc::Status status = done.get_future().get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("not computed"));
  EXPECT_EQ(detector_->calls(), 1);
}

TEST_F(NodeTest, AnswersOnceWhenCancelledAndFreesThePlaceInTheQueue) {
  StartNode({.queue_length = 1});
  detector_->Close();
  const auto link = LinkToNode();
  auto running = SendOver(*link, JpegUpload(1));
  detector_->WaitForCalls(1);
  for (std::uint64_t id = 2; id < 6; ++id) {
    Answer answer;
    do {  // full until the node has heard that the one before was given up
      auto waiting = SendOver(*link, JpegUpload(id));
      link->Cancel(RequestId{id});
      answer = waiting.get();
    } while (answer.error_code == "limit-exceeded");
    EXPECT_EQ(answer.error_code, "cancelled") << answer.error;
  }
  link->Cancel(RequestId{99});  // unknown: nothing happens
  std::future<Answer> last;
  do {  // gets the place in the end: it is neither refused nor, with the detector held, answered
    last = SendOver(*link, JpegUpload(6));
  } while (last.wait_for(milliseconds(300)) == std::future_status::ready);
  detector_->Open();
  EXPECT_TRUE(running.get().ok());
  EXPECT_TRUE(last.get().ok());
  EXPECT_EQ(detector_->calls(), 2);  // none of the cancelled ones
}

TEST_F(NodeTest, AnswersEverythingInFlightWhenTheLinkIsClosed) {
  StartNode();
  detector_->Close();
  auto link = LinkToNode();
  auto running = SendOver(*link, JpegUpload(1));
  detector_->WaitForCalls(1);
  auto waiting = SendOver(*link, JpegUpload(2));
  link.reset();
  EXPECT_EQ(running.get().error_code, "cancelled");
  EXPECT_EQ(waiting.get().error_code, "cancelled");
  detector_->Open();
}

TEST_F(NodeTest, FinishesWhatIsInHandWhenStoppedAndRefusesNew) {
  StartNode();
  detector_->Close();
  const auto link = LinkToNode();
  auto running = SendOver(*link, JpegUpload(1));
  detector_->WaitForCalls(1);
  std::thread stopping([&] { node_->Stop(); });
  std::string refusal;
  while (refusal.empty()) {  // the first may come before the stop and wait in the queue
    auto late = SendOver(*link, JpegUpload(2, milliseconds(20)));
    const Answer answer = late.get();
    if (answer.error_code == "unavailable") refusal = answer.error;
  }
  EXPECT_THAT(refusal, HasSubstr("stopping"));
  detector_->Open();
  EXPECT_TRUE(running.get().ok());
  stopping.join();
  EXPECT_EQ(SendOver(*link, JpegUpload(3)).get().error_code, "unavailable");
}

TEST_F(NodeTest, SaysInOneLineThatAModelFailed) {
  StartNode();
  const auto link = LinkToNode();
  detector_->throws = true;
  const Answer thrown = SendOver(*link, JpegUpload(1)).get();
  EXPECT_EQ(thrown.error_code, "unavailable");
  EXPECT_THAT(thrown.error, AllOf(HasSubstr("the engine fell over"), Not(HasSubstr("\n"))));
  detector_->throws = false;
  detector_->error = Error{ErrorCode::kInvalidInput, "outputs do not fit the decoder"};
  EXPECT_THAT(SendOver(*link, JpegUpload(2)).get().error, HasSubstr("outputs do not fit"));
  detector_->error.reset();
  EXPECT_TRUE(SendOver(*link, JpegUpload(3)).get().ok());
}

TEST_F(NodeTest, RefusesAMessageAboveItsLimit) {
  StartNode({.max_message_bytes = 1000});
  const auto link = LinkTo(node_->address(), "noop");
  Upload upload = JpegUpload();
  upload.bytes.assign(2000, 0);
  const Answer answer = SendOver(*link, upload).get();
  EXPECT_EQ(answer.error_code, "limit-exceeded");
  EXPECT_THAT(answer.error, HasSubstr("larger than max"));
}

TEST_F(NodeTest, SaysThatAPortIsInUse) {
  StartNode();
  NodeServerOptions options;
  options.port = port_;
  const auto second = NodeServer::Start({MakeNoOpModel("noop")}, Decode, options, kClock);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message,
              HasSubstr("127.0.0.1:" + std::to_string(port_) + ": the port is in use"));
}

TEST_F(NodeTest, RefusesOptionsAndModelsThatCannotBe) {
  const auto refusal = [](NodeServerOptions options, std::vector<ServedModel> models) {
    options.port = std::max(options.port, 0) == 8001 ? 0 : options.port;
    const auto server = NodeServer::Start(std::move(models), Decode, options, kClock);
    return server ? std::string() : server.error().message;
  };
  EXPECT_THAT(refusal({.port = 70000}, Models(1)), HasSubstr("port is 70000"));
  EXPECT_THAT(refusal({.queue_length = -1}, Models(1)), HasSubstr("queue length is -1"));
  EXPECT_THAT(refusal({.max_message_bytes = 0}, Models(1)), HasSubstr("message limit is 0"));
  EXPECT_THAT(refusal({.address = "nowhere.invalid"}, Models(1)), HasSubstr("nowhere.invalid"));
  EXPECT_THAT(refusal({}, {}), HasSubstr("at least one model"));
  EXPECT_THAT(refusal({}, Models(0)), HasSubstr("0 callers"));
  EXPECT_THAT(refusal({}, {MakeNoOpModel("a"), MakeNoOpModel("a")}),
              HasSubstr("two models are named 'a'"));
  EXPECT_THAT(refusal({}, {ServedModel{.name = "idle"}}), HasSubstr("can do nothing"));
}

// ---- Hostile requests
// -----------------------------------------------------------------------------

TEST_F(NodeTest, CallsHostileRequestsInvalidAndLivesOn) {
  StartNode({.max_pixels = 1000, .max_images = 2});
  const auto input = [](inference::ModelInferRequest & r, const char* name, const char* type,
                        std::vector<std::int64_t> shape) -> auto& {
    auto& tensor = *r.add_inputs();
    tensor.set_name(name);
    tensor.set_datatype(type);
    tensor.mutable_shape()->Add(shape.begin(), shape.end());
    return tensor;
  };
  using Request = inference::ModelInferRequest;
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  struct Case {
    const char* what;
    std::function<void(Request&)> make;
    const char* says;
  };
  const std::vector<Case> cases{
      {"no input", [](Request&) {}, "no input"},
      {"negative length",
       [&](Request& r) {
         input(r, "x", "FP32", {1, -4});
       },
       "negative length"},
      {"product overflows",
       [&](Request& r) {
         input(r, "x", "FP32", {kHuge, kHuge});
         r.add_raw_input_contents("abcd");
       },
       "too large"},
      {"huge tensor without bytes",
       [&](Request& r) {
         input(r, "x", "FP32", {1, 1LL << 39});
       },
       "has 0 bytes"},
      {"raw size does not fit",
       [&](Request& r) {
         input(r, "x", "FP32", {1, 2});
         r.add_raw_input_contents("abcd");
       },
       "4 bytes, but FP32 [1,2] takes 8"},
      {"more raw entries than inputs",
       [&](Request& r) {
         input(r, "x", "FP32", {1, 1});
         r.add_raw_input_contents("abcd");
         r.add_raw_input_contents("abcd");
       },
       "2 entries for 1 tensors"},
      {"raw and typed",
       [&](Request& r) {
         input(r, "x", "FP32", {1, 1}).mutable_contents()->add_fp32_contents(1);
         r.add_raw_input_contents("abcd");
       },
       "both contents"},
      {"unknown datatype with a control character",
       [&](Request& r) { input(r, "x", "FP\n32", {1}); }, "unknown datatype 'FP?32'"},
      {"typed value does not fit",
       [&](Request& r) {
         input(r, "pixels", "UINT8", {1, 1, 3}).mutable_contents()->add_uint_contents(256);
       },
       "do not fit its datatype UINT8"},
      {"BYTES element longer than the tensor",
       [&](Request& r) {
         input(r, "image", "BYTES", {1});
         r.add_raw_input_contents(
             std::string("\xFF\xFF\xFF\xFF"
                         "abc"));
       },
       "ends inside element 0"},
      {"BYTES with fewer elements than its shape",
       [&](Request& r) {
         input(r, "image", "BYTES", {3});
         r.add_raw_input_contents(std::string("\1\0\0\0a", 5));
       },
       "has 1 elements"},
      {"no image", [&](Request& r) { input(r, "image", "BYTES", {0}); }, "no element"},
      {"too many images",
       [&](Request& r) {
         auto& tensor = input(r, "image", "BYTES", {3});
         for (int i = 0; i < 3; ++i) tensor.mutable_contents()->add_bytes_contents("a");
       },
       "limit of 2"},
      {"text instead of a JPEG",
       [&](Request& r) {
         input(r, "image", "BYTES", {1}).mutable_contents()->add_bytes_contents("hello");
       },
       "image 1 of 1: "},
      {"pixels of four channels",
       [&](Request& r) {
         input(r, "pixels", "UINT8", {1, 1, 4});
         r.add_raw_input_contents("abcd");
       },
       "UINT8 [height,width,3]"},
      {"empty pixels",
       [&](Request& r) {
         input(r, "pixels", "UINT8", {0, 5, 3});
       },
       "UINT8 [height,width,3]"},
      {"pixels as floats",
       [&](Request& r) {
         input(r, "pixels", "FP32", {1, 0, 3});
       },
       "UINT8 [height,width,3]"},
      {"too many pixels",
       [&](Request& r) {
         input(r, "pixels", "UINT8", {1001, 1, 3});
         r.add_raw_input_contents(std::string(3003, 'a'));
       },
       "above the limit of 1000"},
      {"unknown channel order",
       [&](Request& r) {
         input(r, "pixels", "UINT8", {1, 1, 3});
         r.add_raw_input_contents("abc");
         (*r.mutable_parameters())["channel_order"].set_string_param("GBR");
       },
       "must be RGB or BGR"},
      {"unknown output",
       [&](Request& r) {
         input(r, "pixels", "UINT8", {1, 1, 3});
         r.add_raw_input_contents("abc");
         r.add_outputs()->set_name("bxoes");
       },
       "'bxoes' is unknown"},
      {"own tensor missing",
       [&](Request& r) {
         input(r, "x", "FP32", {1, 1});
         r.add_raw_input_contents("abcd");
       },
       "'flag' of model 'eye' is missing"},
      {"own tensor of another shape",
       [&](Request& r) {
         input(r, "x", "FP32", {2, 1});
         r.add_raw_input_contents("abcdefgh");
       },
       "FP32 [2,1], but the model takes FP32 [1,-1]"},
      {"stranger among the tensors",
       [&](Request& r) {
         input(r, "x", "FP32", {1, 1});
         input(r, "flag", "BOOL", {1});
         input(r, "y", "BOOL", {1});
         r.add_raw_input_contents("abcd");
         r.add_raw_input_contents("a");
         r.add_raw_input_contents("a");
       },
       "no input 'y'"},
      {"frame id that is a text",
       [&](Request& r) {
         input(r, "pixels", "UINT8", {1, 1, 3});
         r.add_raw_input_contents("abc");
         (*r.mutable_parameters())["frame_id"].set_string_param("7");
       },
       "'frame_id' must be a whole number"},
      {"negative timeout",
       [&](Request& r) { (*r.mutable_parameters())["timeout"].set_int64_param(-1); }, "negative"},
  };
  for (const Case& c : cases) {
    Request request;
    request.set_model_name("eye");
    c.make(request);
    const grpc::Status status = Infer(request);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << c.what;
    EXPECT_THAT(status.error_message(), AllOf(HasSubstr(c.says), Not(HasSubstr("\n")))) << c.what;
  }
  EXPECT_EQ(detector_->calls(), 1);  // the unknown output is noticed when the answer is written
  EXPECT_TRUE(SendOver(*LinkTo(node_->address()),
                       [] {
                         Upload small = JpegUpload();
                         small.payload = Upload::Payload::kPixels;
                         small.rect = {0, 0, 1, 1};
                         small.bytes = {1, 2, 3};
                         return small;
                       }())
                  .get()
                  .ok());
}

// ---- Nodes that are not there, or not what they should be
// ------------------------------------------

/// A listening TCP socket on a free loopback port.
class Listener {
 public:
  Listener() : handle_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(bind(handle_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(listen(handle_, 16), 0);
    EXPECT_EQ(getsockname(handle_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
  }
  ~Listener() { Close(); }
  void Close() {
    if (handle_ >= 0) {
      shutdown(handle_, SHUT_RDWR);  // wakes the thread in Accept
      close(handle_);
      handle_ = -1;
    }
  }
  int Accept() const { return accept(handle_, nullptr, nullptr); }
  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int handle_;
  int port_ = 0;
};

/// Answers every connection with fixed bytes, whatever is asked.
class OtherProtocol {
 public:
  explicit OtherProtocol(std::string says) : says_(std::move(says)), thread_([this] { Serve(); }) {}
  ~OtherProtocol() {
    listener_.Close();
    thread_.join();
    for (const int peer : peers_) {
      close(peer);
    }
  }
  std::string address() const { return listener_.address(); }

 private:
  void Serve() {
    for (int peer = listener_.Accept(); peer >= 0; peer = listener_.Accept()) {
      peers_.push_back(peer);
      if (!says_.empty()) {
        char asked[64];
        if (recv(peer, asked, sizeof asked, 0) > 0) {
          send(peer, says_.data(), says_.size(), MSG_NOSIGNAL);
        }
      }
    }
  }

  const std::string says_;
  Listener listener_;
  std::vector<int> peers_;
  std::thread thread_;
};

TEST_F(NodeTest, FailsAtOnceWhereNothingListens) {
  Listener gone;
  const std::string address = gone.address();
  gone.Close();
  const auto link = LinkTo(address);
  const Answer answer = SendOver(*link, JpegUpload()).get();
  EXPECT_EQ(answer.error_code, "unavailable");
  EXPECT_THAT(answer.error, HasSubstr("node " + address + " is unavailable"));
  EXPECT_LT(answer.total, kLong / 2);
  EXPECT_EQ(link->Describe(kLong).error().code, ErrorCode::kUnavailable);
}

TEST_F(NodeTest, SaysThatAnotherProtocolIsSpokenAtThePort) {
  struct Case {
    const char* says;
    Duration patience;
    const char* message;
  };
  const std::vector<Case> cases{
      {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", kLong, "does not speak gRPC"},
      {"SSH-2.0-OpenSSH_9.2p1\r\n", kLong, "does not speak gRPC"},
      {"", milliseconds(150), "another protocol"},  // takes the connection and says nothing
  };
  for (const Case& c : cases) {
    const OtherProtocol other(c.says);
    const Answer answer = SendOver(*LinkTo(other.address()), JpegUpload(1, c.patience)).get();
    EXPECT_EQ(answer.error_code, "unavailable") << c.says;
    EXPECT_THAT(answer.error, AllOf(HasSubstr(other.address()), HasSubstr(c.message))) << c.says;
  }
}

/// Passes bytes between a link and a node until it is cut, as a cable would be.
class Cable {
 public:
  explicit Cable(int node_port) : node_port_(node_port), acceptor_([this] { Serve(); }) {}
  ~Cable() {
    Cut();
    listener_.Close();
    acceptor_.join();
    for (std::thread& pump : pumps_) {
      pump.join();
    }
    for (const int end : ends_) {
      close(end);
    }
  }
  std::string address() const { return listener_.address(); }
  void Cut() {
    const std::lock_guard lock(mutex_);
    whole_ = false;
    for (const int end : ends_) {
      shutdown(end, SHUT_RDWR);
    }
  }
  void Mend() {
    const std::lock_guard lock(mutex_);
    whole_ = true;
  }

 private:
  void Serve() {
    for (int near = listener_.Accept(); near >= 0; near = listener_.Accept()) {
      const int far = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in at{};
      at.sin_family = AF_INET;
      at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      at.sin_port = htons(static_cast<std::uint16_t>(node_port_));
      const std::lock_guard lock(mutex_);
      ends_.insert(ends_.end(), {near, far});
      if (!whole_ || connect(far, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
        shutdown(near, SHUT_RDWR);
        continue;
      }
      pumps_.emplace_back([=] { Pump(near, far); });
      pumps_.emplace_back([=] { Pump(far, near); });
    }
  }
  static void Pump(int from, int to) {
    char bytes[65536];
    for (ssize_t n = recv(from, bytes, sizeof bytes, 0); n > 0;
         n = recv(from, bytes, sizeof bytes, 0)) {
      for (ssize_t sent = 0; sent < n;) {
        const ssize_t more =
            send(to, bytes + sent, static_cast<std::size_t>(n - sent), MSG_NOSIGNAL);
        if (more <= 0) {
          return;
        }
        sent += more;
      }
    }
    shutdown(to, SHUT_RDWR);
  }

  const int node_port_;
  Listener listener_;
  std::mutex mutex_;
  bool whole_ = true;
  std::vector<int> ends_;
  std::vector<std::thread> pumps_;
  std::thread acceptor_;
};

TEST_F(NodeTest, SurvivesACutMidFlightAndComesBack) {
  StartNode();
  Cable cable(port_);
  const auto link = LinkTo(cable.address());
  EXPECT_TRUE(SendOver(*link, JpegUpload(1)).get().ok());
  detector_->Close();
  auto in_flight = SendOver(*link, JpegUpload(2));
  detector_->WaitForCalls(2);
  cable.Cut();
  const Answer lost = in_flight.get();
  EXPECT_EQ(lost.error_code, "unavailable") << lost.error;
  EXPECT_LT(lost.total, kLong / 2);
  const Answer still_lost = SendOver(*link, JpegUpload(3)).get();
  EXPECT_EQ(still_lost.error_code, "unavailable") << still_lost.error;
  detector_->Open();
  cable.Mend();
  Answer back;
  const TimePoint until = kClock.Now() + kLong;
  for (std::uint64_t id = 4; !back.ok() || back.node.empty(); ++id) {
    ASSERT_LT(kClock.Now(), until) << back.error;
    back = SendOver(*link, JpegUpload(id)).get();
  }
  EXPECT_FALSE(back.detections.empty());
}

/// A server whose replies are whatever a test says.
class Liar final : public inference::GRPCInferenceService::Service {
 public:
  Liar() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  grpc::Status ModelInfer(grpc::ServerContext*, const inference::ModelInferRequest*,
                          inference::ModelInferResponse* response) override {
    *response = reply;
    return grpc::Status::OK;
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  inference::ModelInferResponse reply;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(NodeTest, CallsGarbageInTheReplyGarbage) {
  Liar liar;
  const auto link = LinkTo(liar.address());
  const float kNan = std::numeric_limits<float>::quiet_NaN();
  struct Reply {
    std::vector<float> boxes{1, 2, 3, 4};
    std::vector<std::int64_t> boxes_shape{1, 4};
    std::vector<float> scores{0.5F};
    std::vector<std::int64_t> labels{0};
    std::vector<std::string> names{"cat"};
    std::vector<std::int64_t> counts{1};
    bool with_scores = true;
  };
  const auto answer_to = [&](const Reply& r) {
    liar.reply.Clear();
    const auto n = [](const auto& v) { return static_cast<std::int64_t>(v.size()); };
    AddOutput(liar.reply, MakeTensor<float>("boxes", "FP32", r.boxes_shape, r.boxes));
    if (r.with_scores) {
      AddOutput(liar.reply, MakeTensor<float>("scores", "FP32", {n(r.scores)}, r.scores));
    }
    AddOutput(liar.reply, MakeTensor<std::int64_t>("labels", "INT64", {n(r.labels)}, r.labels));
    WireTensor names{"names", "BYTES", {n(r.names)}, {}};
    for (const std::string& name : r.names) {
      AppendElement(names.bytes, name);
    }
    AddOutput(liar.reply, names);
    AddOutput(liar.reply, MakeTensor<std::int64_t>("counts", "INT64", {n(r.counts)}, r.counts));
    return SendOver(*link, JpegUpload()).get();
  };
  const Answer honest = answer_to({});
  ASSERT_TRUE(honest.ok()) << honest.error;
  EXPECT_EQ(honest.queue_length, -1);  // it does not say
  EXPECT_EQ(honest.detections[0].box, (Box{101, 202, 103, 204}));

  const std::vector<std::pair<Reply, const char*>> cases{
      {{.boxes = {1, 2, 3, kNan}}, "not a finite number"},
      {{.boxes = {3, 2, 1, 4}}, "before the left"},
      {{.scores = {kNan}}, "outside [0, 1]"},
      {{.scores = {1.5F}}, "outside [0, 1]"},
      {{.labels = {-1}}, "no class of the model"},
      {{.labels = {std::numeric_limits<std::int64_t>::max()}}, "no class of the model"},
      {{.boxes_shape = {4}}, "shape [n,4]"},
      {{.boxes_shape = {2, 2}}, "instead of FP32 [2,4]"},
      {{.boxes_shape = {-1, 4}}, "negative length"},
      {{.boxes_shape = {1'000'000'000, 4}}, "takes"},
      {{.scores = {0.5F, 0.5F}}, "instead of FP32 [1]"},
      {{.names = {}}, "instead of BYTES [1]"},
      {{.counts = {-1}}, "counts -1 boxes"},
      {{.counts = {1, 0}}, "instead of INT64 [1]"},
      {{.with_scores = false}, "no output 'scores'"},
  };
  for (const auto& [reply, says] : cases) {
    const Answer answer = answer_to(reply);
    EXPECT_EQ(answer.error_code, "invalid-input") << says;
    EXPECT_THAT(answer.error, AllOf(HasSubstr("replied with garbage"), HasSubstr(says)));
    EXPECT_THAT(answer.detections, IsEmpty());
  }
  Reply many;
  many.boxes.assign(4 * 10'001, 1.0F);
  many.boxes_shape = {10'001, 4};
  EXPECT_EQ(answer_to(many).error_code, "limit-exceeded");
  liar.reply.Clear();
  EXPECT_EQ(SendOver(*link, JpegUpload()).get().error_code, "invalid-input");

  // A box that leaves the sent picture is cut to it; numbers about itself are not believed blindly.
  liar.reply.Clear();
  SetParameter(*liar.reply.mutable_parameters(), "compute_ns", std::int64_t{-5});
  const Answer huge = answer_to({.boxes = {-1e30F, 0, 1e30F, 1e9F}});
  ASSERT_TRUE(huge.ok()) << huge.error;
  EXPECT_EQ(huge.detections[0].box, (Box{100, 200, 140, 230}));
  EXPECT_EQ(huge.compute, Duration::zero());
}

TEST_F(NodeTest, NoticesAGrpcServerOfAnotherService) {
  Liar liar;  // knows ModelInfer, but neither metadata nor readiness
  const auto description = LinkTo(liar.address())->Describe(kLong);
  ASSERT_FALSE(description);
  EXPECT_EQ(description.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(description.error().message, HasSubstr("not the Open Inference Protocol"));
}

TEST(NodeLinkTest, RefusesAnAddressThatIsNone) {
  for (const char* address :
       {"", "host", "host:", ":8001", "host:0", "host:70000", "host:80a1", "host:-1"}) {
    NodeLinkOptions options;
    options.address = address;
    const auto link =
        GrpcNodeLink::Open(options, VocLabels(), Synonyms::Default(), nullptr, kClock);
    ASSERT_FALSE(link) << address;
    EXPECT_THAT(link.error().message, HasSubstr("must be host:port"));
  }
}

}  // namespace
}  // namespace nearfar
