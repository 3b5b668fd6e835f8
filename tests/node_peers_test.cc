// Our node and our client against third parties: the stock tritonclient and a stock MLServer.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "adapters/grpc/node_link.h"
#include "adapters/grpc/stock_exchange.h"
#include "adapters/image/codec.h"
#include "adapters/ort/detector.h"
#include "child_process.h"
#include "program.h"
#include "trace/json_lines.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using testing::HasSubstr;

const SystemClock kClock;
const std::string kGoldens = std::string(NEARFAR_SOURCE_DIR) + "/tests/goldens";
const std::string kPeers = std::string(NEARFAR_SOURCE_DIR) + "/tests/peers";
const std::string kPhoto = kGoldens + "/photo_large.png";

/// The address that `nearfar node --json` says it listens at.
std::string ReadyAt(ChildProcess& node) {
  const auto line = node.ReadLine(seconds(60));
  EXPECT_TRUE(line) << "the node did not say that it is ready";
  return line ? nlohmann::json::parse(*line).at("address").get<std::string>() : "";
}

Upload PhotoUpload(std::uint64_t request) {
  Upload upload;
  upload.request = RequestId{request};
  upload.bytes = *ReadFileBytes(kPhoto, 1 << 24);
  upload.rect = WholeOf(DecodeImage(upload.bytes)->size());
  upload.deadline = kClock.Now() + seconds(30);
  return upload;
}

Answer SendOver(NodeLink& link, Upload upload) {
  auto promise = std::make_shared<std::promise<Answer>>();  // the callback may outlive this frame
  auto answer = promise->get_future();
  link.Send(std::move(upload), [promise](Answer a) { promise->set_value(std::move(a)); });
  return answer.get();
}

/// The same boxes, scores and labels up to what two builds of one engine may differ by.
void ExpectSame(const Detections& a, const Detections& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i].box.x1, b[i].box.x1, 0.05);
    EXPECT_NEAR(a[i].box.y1, b[i].box.y1, 0.05);
    EXPECT_NEAR(a[i].box.x2, b[i].box.x2, 0.05);
    EXPECT_NEAR(a[i].box.y2, b[i].box.y2, 0.05);
    EXPECT_NEAR(a[i].score, b[i].score, 1e-3);
    EXPECT_EQ(a[i].label, b[i].label);
  }
}

TEST(NodePeersTest, AStockTritonClientGetsWhatTheProtocolPagePromises) {
  const std::string model = kGoldens + "/yolo11_export";
  ChildProcess node({NEARFAR_BINARY, "node", "--models", model, "--noop", "--port", "0", "--json"});
  const std::string address = ReadyAt(node);
  ASSERT_FALSE(address.empty());
  ChildProcess client({NEARFAR_TEST_PYTHON, kPeers + "/triton_client.py", address, "yolo11_export",
                       model + "/1/model.onnx", kPhoto});
  EXPECT_EQ(client.Wait(seconds(60)), 0);
  EXPECT_EQ(client.ReadLine(seconds(1)), "all as documented");

  // The port is taken: a second node says so and ends.
  const std::string port = address.substr(address.rfind(':') + 1);
  ChildProcess second({NEARFAR_BINARY, "node", "--noop", "--port", port});
  EXPECT_EQ(second.Wait(seconds(20)), 3);

  node.Signal(SIGTERM);
  const auto counts = node.ReadLine(seconds(20));
  ASSERT_TRUE(counts);
  const auto eye = nlohmann::json::parse(*counts).at("models").at(0);
  EXPECT_EQ(eye.at("answered"), 7);
  EXPECT_EQ(eye.at("images"), 8);
  EXPECT_EQ(eye.at("failed"), 3);
  EXPECT_EQ(node.Wait(seconds(20)), 0);
}

TEST(NodePeersTest, ANodeThatIsKilledAndStartedAgainIsFoundAgain) {
  const std::string model = kGoldens + "/yolo11_export";
  auto node = std::make_unique<ChildProcess>(
      std::vector<std::string>{NEARFAR_BINARY, "node", model, "--port", "0", "--json"});
  NodeLinkOptions options;
  options.address = ReadyAt(*node);
  options.first_backoff = std::chrono::milliseconds(100);
  options.longest_backoff = std::chrono::milliseconds(500);
  auto link = GrpcNodeLink::Open(options, LabelSpace{}, Synonyms::Default(), nullptr, kClock);
  ASSERT_TRUE(link);
  const auto description = (*link)->Describe(seconds(20));
  ASSERT_TRUE(description) << description.error().message;
  EXPECT_EQ(description->unmapped, description->class_names);  // the space is empty
  EXPECT_TRUE(SendOver(**link, PhotoUpload(1)).ok());

  node->Signal(SIGKILL);
  EXPECT_EQ(node->Wait(seconds(20)), 128 + SIGKILL);
  EXPECT_EQ(SendOver(**link, PhotoUpload(2)).error_code, "unavailable");

  const std::string port = options.address.substr(options.address.rfind(':') + 1);
  node = std::make_unique<ChildProcess>(
      std::vector<std::string>{NEARFAR_BINARY, "node", model, "--port", port, "--json"});
  EXPECT_EQ(ReadyAt(*node), options.address);
  Answer back;
  const TimePoint until = kClock.Now() + seconds(20);
  for (std::uint64_t id = 3; back.node.empty() || !back.ok(); ++id) {
    ASSERT_LT(kClock.Now(), until) << back.error;
    back = SendOver(**link, PhotoUpload(id));
  }
  EXPECT_FALSE((*link)->unmapped().empty());
}

TEST(NodePeersTest, OurClientGetsFromAStockMlServerWhatItsOwnEngineGives) {
  // A letterboxed fp32 model, and one of uint8 input in the other layout.
  for (const std::string name : {"yolo11_export", "ssd_uint8_nhwc"}) {
    SCOPED_TRACE(name);
    std::string folder = testing::TempDir() + "nearfar_mlserver_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const std::string package = kGoldens + "/" + name;
    auto own = ort::OrtDetector::Open({.model = package});
    ASSERT_TRUE(own) << own.error().message;
    ChildProcess server({NEARFAR_TEST_PYTHON, kPeers + "/start_mlserver.py", folder, name,
                         package + "/1/model.onnx"});
    const auto port = server.ReadLine(seconds(30));
    ASSERT_TRUE(port);
    NodeLinkOptions options;
    options.address = "127.0.0.1:" + *port;
    options.model = name;
    options.first_backoff = std::chrono::milliseconds(100);
    options.longest_backoff = std::chrono::milliseconds(500);
    const LabelSpace labels = MakeLabelSpace((*own)->labels(), Synonyms::Default());
    auto link = GrpcNodeLink::Open(
        options, labels, Synonyms::Default(),
        MakeStockExchange((*own)->model(),
                          [](std::span<const std::uint8_t> bytes) { return DecodeImage(bytes); }),
        kClock);
    ASSERT_TRUE(link);
    Answer answer;
    const TimePoint until = kClock.Now() + seconds(90);  // Python imports take their time
    for (std::uint64_t id = 1; answer.node.empty() || !answer.ok(); ++id) {
      ASSERT_LT(kClock.Now(), until) << answer.error;
      ASSERT_FALSE(server.Wait(seconds(0))) << "the server has ended";
      answer = SendOver(**link, PhotoUpload(id));
      poll(nullptr, 0, 50);
    }
    const auto description = (*link)->Describe(seconds(20));
    ASSERT_TRUE(description) << description.error().message;
    EXPECT_THAT(description->server, HasSubstr("mlserver"));
    EXPECT_FALSE(description->takes_images);

    const auto pixels = DecodeImage(*ReadFileBytes(kPhoto, 1 << 24));
    const auto expected = (*own)->Detect(pixels->view(), 0, 0);
    ASSERT_TRUE(expected);
    EXPECT_GT(expected->detections.size(), 5U);
    ExpectSame(answer.detections, expected->detections);

    // The same picture as pixels of a region: the boxes are moved to where it lies in the frame.
    Upload crop = PhotoUpload(1000);
    crop.payload = Upload::Payload::kPixels;
    crop.bytes.assign(pixels->view().data, pixels->view().data + pixels->size().area() * 3);
    crop.rect.x = 11;
    crop.rect.y = 7;
    const Answer moved = SendOver(**link, crop);
    ASSERT_TRUE(moved.ok()) << moved.error;
    Detections back = moved.detections;
    for (Detection& d : back) {
      d.box = Translate(d.box, -11, -7);
    }
    ExpectSame(back, expected->detections);
    EXPECT_GT(moved.bytes_up, 30'000);
    EXPECT_GT(moved.bytes_down, 100);

    // What is no picture fails here, and a model of another kind in the reply.
    Upload broken = PhotoUpload(1001);
    broken.bytes.resize(100);
    EXPECT_EQ(SendOver(**link, broken).error_code, "invalid-input");

    // The program itself, from a JPEG file, whose bytes go as they are, to the trace.
    const std::string jpeg = folder + "/photo.jpg";
    const auto encoded = EncodeJpeg(pixels->view(), 90);
    ASSERT_TRUE(encoded);
    std::ofstream(jpeg, std::ios::binary)
        .write(reinterpret_cast<const char*>(encoded->data()),
               static_cast<std::streamsize>(encoded->size()));
    const auto from_jpeg = (*own)->Detect(DecodeImage(*encoded)->view(), 0, 0);
    ASSERT_TRUE(from_jpeg);
    const ProgramResult run = RunProgram(
        {NEARFAR_BINARY, "run", jpeg, "--near", package, "--far", options.address + "/" + name,
         "--far-package", package, "--discriminator", "cloud-only", "--far-patience", "20s",
         "--deadline", "20s", "--trace", folder + "/run.jsonl"});
    EXPECT_EQ(run.status, 0) << run.err;
    const auto trace = ReadTrace(folder + "/run.jsonl");
    ASSERT_TRUE(trace) << trace.error().message;
    ASSERT_EQ(trace->frames.size(), 1U);
    EXPECT_EQ(trace->frames[0].status, FrameStatus::kOk) << trace->frames[0].reason;
    ASSERT_EQ(trace->frames[0].answers.size(), 1U);  // the near model was left out
    ExpectSame(trace->frames[0].answers[0].detections, from_jpeg->detections);

    server.Signal(SIGTERM);
    if (!server.Wait(seconds(15))) {
      server.Signal(SIGKILL);
    }
    fs::remove_all(folder);
  }
}

}  // namespace
}  // namespace nearfar
