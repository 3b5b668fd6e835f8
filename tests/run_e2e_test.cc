// The real program against a real node in a second process: what a user sees when things go wrong.
// A named pipe among the pictures is the gate at which a test holds the run: reading it waits until
// the test writes.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "adapters/image/codec.h"
#include "adapters/media/media_source.h"
#include "core/rng.h"
#include "trace/json_lines.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A child process with its output in files.
class Process {
 public:
  Process(std::vector<std::string> arguments, const std::string& out, const std::string& err) {
    pid_ = fork();
    if (pid_ == 0) {
      dup2(open(out.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600), STDOUT_FILENO);
      dup2(open(err.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600), STDERR_FILENO);
      std::vector<char*> argv;
      for (std::string& argument : arguments) {
        argv.push_back(argument.data());
      }
      argv.push_back(nullptr);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Process() { Kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Signal(int signal) const { kill(pid_, signal); }
  /// Waits for its end; the exit status, or 128 + signal.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void Kill() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Wait();
    }
  }
  /// Resident memory in kB.
  long ResidentKb() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:")) {
        return std::atol(line.c_str() + 6);
      }
    }
    return -1;
  }

 private:
  pid_t pid_ = -1;
};

std::string Contents(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// Asks again and again until it holds; false after a minute.
template <typename Condition>
bool Eventually(const Condition& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

class RunEndToEnd : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_TRUE(fs::exists(Near()) && fs::exists(Far())) << "the tiny pair is missing in models/";
    folder_ = ::testing::TempDir() + "nearfar_run_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    Rng rng(7);
    for (int i = 0; i < 10; ++i) {
      Image picture(Size{160, 120});
      for (int y = 0; y < 120; ++y) {
        for (int x = 0; x < 160 * 3; ++x) {
          picture.row(y)[x] = static_cast<std::uint8_t>((x / 24 + y / 8 + i) * 16 + rng.Below(8));
        }
      }
      const auto jpeg = EncodeJpeg(picture.view(), 85);
      pictures_.push_back(At("p" + std::to_string(i) + ".jpg"));
      std::ofstream(pictures_.back(), std::ios::binary)
          .write(reinterpret_cast<const char*>(jpeg->data()),
                 static_cast<std::streamsize>(jpeg->size()));
    }
  }
  void TearDown() override {
    if (!folder_.empty() && !HasFailure()) {
      fs::remove_all(folder_);
    }
  }

  static std::string Near() { return NEARFAR_SOURCE_DIR "/models/scene_near"; }
  static std::string Far() { return NEARFAR_SOURCE_DIR "/models/scene_far"; }
  std::string At(const std::string& name) const { return folder_ + "/" + name; }

  std::string Gate(const std::string& name) const {
    const std::string path = At(name);
    mkfifo(path.c_str(), 0600);
    return path;
  }
  /// Waits until the run reads the gate, and holds it there until the picture is written. Closed in
  /// child processes, which would hold it for ever.
  static int Reach(const std::string& gate) { return open(gate.c_str(), O_WRONLY | O_CLOEXEC); }
  void Open(int reached) const {
    const std::string bytes = Contents(pictures_[0]);
    EXPECT_EQ(write(reached, bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
    close(reached);
  }

  std::unique_ptr<Process> Start(std::vector<std::string> arguments, const std::string& name) const {
    arguments.insert(arguments.begin(), NEARFAR_BINARY);
    return std::make_unique<Process>(std::move(arguments), At(name + ".out"), At(name + ".err"));
  }
  /// `nearfar run` over a list of pictures with these further flags.
  std::unique_ptr<Process> StartRun(const std::vector<std::string>& pictures,
                                    std::vector<std::string> flags) const {
    std::ofstream list(At("list.txt"));
    for (const std::string& picture : pictures) {
      list << picture << "\n";
    }
    list.close();
    std::vector<std::string> arguments{"run", At("list.txt"), "--near", Near()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return Start(std::move(arguments), "run");
  }
  /// A node that serves the far model; at this port, or at a free one, which is then told.
  std::unique_ptr<Process> StartNode(int& port) const {
    fs::remove(At("node.out"));
    auto node = Start({"node", "--models", Far(), "--port", std::to_string(port), "--json"}, "node");
    EXPECT_TRUE(Eventually([&] { return Contents(At("node.out")).find('\n') != std::string::npos; }))
        << Contents(At("node.err"));
    port = nlohmann::json::parse(Contents(At("node.out"))).at("port");
    return node;
  }
  std::vector<std::string> Times(std::size_t count) const {
    std::vector<std::string> many;
    for (std::size_t i = 0; i < count; ++i) {
      many.push_back(pictures_[i % pictures_.size()]);
    }
    return many;
  }
  Trace TraceOfRun() const {
    auto trace = ReadTrace(At("run.jsonl"));
    EXPECT_TRUE(trace) << trace.error().message;
    return trace ? *std::move(trace) : Trace{};
  }
  static void ExpectOnceInOrder(const Trace& trace) {
    for (std::size_t i = 0; i < trace.frames.size(); ++i) {
      EXPECT_EQ(ToNumber(trace.frames[i].frame), i);
    }
  }
  std::string Errors() const { return Contents(At("run.err")); }

  std::string folder_;
  std::vector<std::string> pictures_;
};

TEST_F(RunEndToEnd, OutlivesItsNodeAndUsesItAgainWhenItIsBack) {
  int port = 0;
  auto node = StartNode(port);
  std::vector<std::string> inputs = Times(10);
  inputs.push_back(Gate("dies.jpg"));
  for (const std::string& picture : Times(10)) {
    inputs.push_back(picture);
  }
  std::vector<std::string> gates;
  for (int i = 0; i < 120; ++i) {
    gates.push_back(Gate("back" + std::to_string(i) + ".jpg"));
    inputs.push_back(gates.back());
  }
  auto run = StartRun(inputs, {"--far", "127.0.0.1:" + std::to_string(port) + "/scene_far",
                               "--discriminator", "cloud-only", "--first-backoff", "50ms",
                               "--last-backoff", "100ms", "--deadline", "20s", "--in-flight", "4",
                               "--trace", At("run.jsonl")});
  int reached = Reach(At("dies.jpg"));
  // All ten are answered, since the window would let no more than four be open.
  ASSERT_TRUE(Eventually([&] { return TraceOfRun().frames.size() >= 10; })) << Errors();
  node->Kill();
  Open(reached);
  reached = Reach(gates[0]);
  node = StartNode(port);
  std::size_t used = 0;
  for (std::size_t i = 0; i < gates.size(); ++i) {
    if (i > 0) {
      reached = Reach(gates[i]);
    }
    Open(reached);
    if (used == 0) {
      const std::size_t so_far = 21 + i + 1;
      ASSERT_TRUE(Eventually([&] { return TraceOfRun().frames.size() >= so_far; })) << Errors();
      used = TraceOfRun().frames.back().status == FrameStatus::kOk ? i : 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(used == 0 ? 60 : 0));
    }
  }
  EXPECT_EQ(run->Wait(), 0) << Errors();
  const Trace trace = TraceOfRun();
  ASSERT_EQ(trace.frames.size(), inputs.size());
  ExpectOnceInOrder(trace);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(trace.frames[i].status, FrameStatus::kOk) << trace.frames[i].reason;
    EXPECT_EQ(trace.frames[i].answers.back().link, LinkId{1});
  }
  for (std::size_t i = 10; i < 21; ++i) {
    EXPECT_EQ(trace.frames[i].status, FrameStatus::kDegraded) << i;
    EXPECT_FALSE(trace.frames[i].reason.empty());
  }
  EXPECT_EQ(trace.frames.back().status, FrameStatus::kOk) << trace.frames.back().reason;
  EXPECT_THAT(Errors(), HasSubstr("the far node answers again"));
}

TEST_F(RunEndToEnd, KeepsEverythingWhenStoppedByCtrlC) {
  std::vector<std::string> inputs = Times(10);
  inputs.push_back(Gate("gate.jpg"));
  for (const std::string& picture : Times(2000)) {
    inputs.push_back(picture);
  }
  auto run = StartRun(inputs, {"--trace", At("run.jsonl"), "--coco", At("results.json"),
                               "--annotate", At("drawn"), "--video", At("drawn.mp4"), "--json"});
  const int reached = Reach(At("gate.jpg"));
  run->Signal(SIGINT);
  Open(reached);
  EXPECT_EQ(run->Wait(), 130) << Errors();
  const Trace trace = TraceOfRun();
  ExpectOnceInOrder(trace);
  EXPECT_GE(trace.frames.size(), 11U);
  EXPECT_LT(trace.frames.size(), 2000U);
  EXPECT_TRUE(trace.remarks.empty());
  EXPECT_TRUE(nlohmann::json::parse(Contents(At("results.json"))).is_array());
  const auto summary = nlohmann::json::parse(Contents(At("run.out")));
  EXPECT_EQ(summary.at("frames"), trace.frames.size());
  EXPECT_EQ(summary.at("stopped"), true);
  EXPECT_EQ(std::distance(fs::directory_iterator(At("drawn")), fs::directory_iterator()),
            static_cast<std::ptrdiff_t>(trace.frames.size()));
  const SystemClock clock;
  auto video = MediaSource::Open({At("drawn.mp4")}, {}, clock);
  std::size_t frames = 0;
  while ((*video)->Next()) {
    ++frames;
  }
  EXPECT_EQ(frames, trace.frames.size());
}

TEST_F(RunEndToEnd, SaysOneLineForEachPictureThatCannotBeReadAndGoesOn) {
  std::ofstream(At("letter.jpg")) << "Dear reader\n";
  const std::string whole = Contents(pictures_[0]);
  std::ofstream(At("cut.jpg"), std::ios::binary) << whole.substr(0, whole.size() / 2);
  const char huge[] =
      "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x75\x30\0\0\x75\x30\x08\x02\0\0\0";
  std::ofstream(At("huge.png"), std::ios::binary) << std::string(huge, sizeof huge - 1);
  auto run = StartRun({pictures_[0], At("missing.jpg"), At("letter.jpg"), At("cut.jpg"),
                       At("huge.png"), pictures_[1]},
                      {"--trace", At("run.jsonl")});
  EXPECT_EQ(run->Wait(), 1);
  const Trace trace = TraceOfRun();
  ASSERT_EQ(trace.frames.size(), 6U);
  ExpectOnceInOrder(trace);
  EXPECT_EQ(trace.frames[0].status, FrameStatus::kOk);
  EXPECT_EQ(trace.frames[5].status, FrameStatus::kOk);
  const char* expected[] = {"missing.jpg: No such file", "letter.jpg: this is no picture",
                            "cut.jpg: the JPEG is damaged or cut short", "30000x30000"};
  const std::string errors = Errors();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(trace.frames[i + 1].status, FrameStatus::kUnreadable);
    EXPECT_THAT(trace.frames[i + 1].reason, HasSubstr(expected[i]));
    EXPECT_THAT(errors, HasSubstr("nearfar: unreadable: " + trace.frames[i + 1].reason + "\n"));
  }
  EXPECT_THAT(errors, HasSubstr("2 ok, 0 degraded, 4 unreadable, 0 failed"));
}

TEST_F(RunEndToEnd, StopsInOrderWhenTheDiskIsFull) {
  auto run = StartRun(Times(500), {"--coco", "/dev/full", "--trace", At("run.jsonl")});
  EXPECT_EQ(run->Wait(), 3) << Errors();
  const std::string errors = Errors();
  EXPECT_THAT(errors, HasSubstr("/dev/full"));
  EXPECT_EQ(errors.find("/dev/full"), errors.rfind("/dev/full"));  // said once
  if (fs::exists(At("run.jsonl"))) {
    EXPECT_LT(TraceOfRun().frames.size(), 500U);
  }
}

TEST_F(RunEndToEnd, RunsNearWhenNobodyIsAtTheFarEnd) {
  auto run = StartRun(Times(5), {"--far", "127.0.0.1:1/scene_far", "--far-patience", "100ms",
                                 "--discriminator", "cloud-only", "--trace", At("run.jsonl")});
  EXPECT_EQ(run->Wait(), 0) << Errors();
  const Trace trace = TraceOfRun();
  ASSERT_EQ(trace.frames.size(), 5U);
  for (const FrameRecord& record : trace.frames) {
    EXPECT_EQ(record.status, FrameStatus::kDegraded);
  }
  EXPECT_THAT(Errors(), HasSubstr("cannot be used yet"));
}

TEST_F(RunEndToEnd, KeepsEveryPictureWhenTheModelledLinkLosesEverything) {
  int port = 0;
  const auto node = StartNode(port);
  for (const char* in_flight : {"1", "8"}) {
    auto run = StartRun(Times(6), {"--far", "127.0.0.1:" + std::to_string(port) + "/scene_far",
                                   "--discriminator", "cloud-only", "--link-model", "loss=100%",
                                   "--deadline", "50ms", "--first-backoff", "1ms", "--last-backoff",
                                   "1ms", "--in-flight", in_flight, "--trace", At("run.jsonl")});
    EXPECT_EQ(run->Wait(), 0) << Errors();
    const Trace trace = TraceOfRun();
    ASSERT_EQ(trace.frames.size(), 6U);
    ExpectOnceInOrder(trace);
    for (const FrameRecord& record : trace.frames) {
      EXPECT_EQ(record.status, FrameStatus::kDegraded);
      EXPECT_EQ(record.answers.front().link, kNear);
      EXPECT_TRUE(record.answers.front().ok());
    }
    EXPECT_THAT(trace.frames[0].reason, HasSubstr("answer within "));
  }
}

TEST_F(RunEndToEnd, KeepsEveryPictureWhenTheNodeStandsStill) {
  int port = 0;
  const auto node = StartNode(port);
  std::vector<std::string> inputs = Times(3);
  inputs.push_back(Gate("gate.jpg"));
  for (const std::string& picture : Times(5)) {
    inputs.push_back(picture);
  }
  auto run = StartRun(inputs, {"--far", "127.0.0.1:" + std::to_string(port) + "/scene_far",
                               "--discriminator", "cloud-only", "--link-model", "delay=1ms",
                               "--deadline", "1s", "--first-backoff", "1ms", "--last-backoff", "1ms",
                               "--in-flight", "1", "--trace", At("run.jsonl")});
  const int reached = Reach(At("gate.jpg"));
  node->Signal(SIGSTOP);
  Open(reached);
  EXPECT_EQ(run->Wait(), 0) << Errors();
  node->Signal(SIGCONT);
  const Trace trace = TraceOfRun();
  ASSERT_EQ(trace.frames.size(), inputs.size());
  ExpectOnceInOrder(trace);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(trace.frames[i].status, i < 3 ? FrameStatus::kOk : FrameStatus::kDegraded) << i;
    EXPECT_EQ(trace.frames[i].answers.front().link, i < 3 ? LinkId{1} : kNear) << i;
  }
}

TEST_F(RunEndToEnd, KeepsEveryPictureWhenTheNodeDiesBehindAModelledLink) {
  int port = 0;
  auto node = StartNode(port);
  std::vector<std::string> inputs = Times(4);
  inputs.push_back(Gate("dies.jpg"));
  for (const std::string& picture : Times(20)) {
    inputs.push_back(picture);
  }
  auto run = StartRun(inputs, {"--far", "127.0.0.1:" + std::to_string(port) + "/scene_far",
                               "--discriminator", "cloud-only", "--deadline", "20s", "--link-model",
                               "up=20Mbit/s down=20Mbit/s delay=20ms jitter=1ms loss=0.1%",
                               "--trace", At("run.jsonl")});
  const int reached = Reach(At("dies.jpg"));
  ASSERT_TRUE(Eventually([&] { return TraceOfRun().frames.size() >= 4; })) << Errors();
  node->Kill();
  Open(reached);
  EXPECT_EQ(run->Wait(), 0) << Errors();
  const Trace trace = TraceOfRun();
  ASSERT_EQ(trace.frames.size(), inputs.size());
  ExpectOnceInOrder(trace);
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_EQ(trace.frames[i].status, FrameStatus::kOk) << trace.frames[i].reason;
    ASSERT_EQ(trace.frames[i].answers.size(), 1U);  // the near model was left out
    EXPECT_GE(trace.frames[i].answers[0].total, std::chrono::milliseconds(40));  // both ways
  }
  for (std::size_t i = 4; i < inputs.size(); ++i) {
    EXPECT_EQ(trace.frames[i].status, FrameStatus::kDegraded) << i;
    EXPECT_EQ(trace.frames[i].answers.front().link, kNear) << i;
  }
}

TEST_F(RunEndToEnd, HoldsABudgetWithADiscriminatorThatOnlyRanksAndMeasuresWhatItMisses) {
  int port = 0;
  const auto node = StartNode(port);
  auto run = StartRun(Times(300), {"--far", "127.0.0.1:" + std::to_string(port) + "/scene_far",
                                   "--discriminator", "entropy", "--upload-share", "0.3",
                                   "--upload-rate", "100MB/s", "--audit", "0.2", "--seed", "3",
                                   "--deadline", "60s", "--linger", "60s", "--json", "--trace",
                                   At("run.jsonl")});
  ASSERT_EQ(run->Wait(), 0) << Errors();
  EXPECT_THAT(Errors(), HasSubstr("budget: at most 30 % of the pictures, uploaded "));
  EXPECT_THAT(Errors(), HasSubstr("at most 100MB/s, sent "));
  EXPECT_EQ(Errors().find("only ranks"), std::string::npos);
  const Trace trace = TraceOfRun();
  ASSERT_EQ(trace.frames.size(), 300U);
  ExpectOnceInOrder(trace);
  std::size_t uploaded = 0;
  std::size_t audits = 0;
  for (const FrameRecord& frame : trace.frames) {
    EXPECT_EQ(frame.status, FrameStatus::kOk) << frame.reason;
    ASSERT_EQ(frame.verdicts.size(), 1U);
    const Verdict& verdict = frame.verdicts[0];
    EXPECT_EQ(verdict.policy, "budget 1");
    EXPECT_GE(verdict.upload_probability, verdict.audit_probability);
    EXPECT_GT(verdict.audit_probability, 0);
    uploaded += verdict.uploaded ? 1 : 0;
    audits += verdict.uploaded && verdict.audit ? 1 : 0;
    EXPECT_EQ(frame.answers.size(), verdict.uploaded && !verdict.audit ? 2U : 1U);
  }
  EXPECT_NEAR(static_cast<double>(uploaded), 90, 12);
  EXPECT_GT(audits, 0U);
  EXPECT_EQ(trace.outcomes.size(), audits);
  for (const OutcomeRecord& outcome : trace.outcomes) {
    EXPECT_EQ(outcome.kind, OutcomeKind::kAudit);
    EXPECT_TRUE(outcome.answer.ok()) << outcome.answer.error;
  }
  const auto summary = nlohmann::json::parse(Contents(At("run.out")));
  EXPECT_EQ(summary.at("uploaded"), uploaded);
  EXPECT_EQ(summary.at("audits"), audits);
  EXPECT_EQ(summary.at("upload_share_asked"), 0.3);
  EXPECT_DOUBLE_EQ(summary.at("upload_share"), static_cast<double>(uploaded) / 300);
}

TEST_F(RunEndToEnd, ChecksTheExampleAndNamesLineAndKeyOfAMistake) {
  EXPECT_EQ(chdir(NEARFAR_SOURCE_DIR), 0);
  const std::string example = NEARFAR_SOURCE_DIR "/examples/small-big.yaml";
  EXPECT_EQ(Start({"run", "--config", example, "--check", pictures_[0]}, "run")->Wait(), 0)
      << Errors();
  const struct {
    const char* line;
    const char* said;
  } cases[] = {{"deadlin: 2s", "bad.yaml:2: deadlin: there is no such key; do you mean deadline?"},
               {"near: /nonexistent.onnx", "bad.yaml:2: near: "},
               {"discriminator: largesmall", "bad.yaml:2: discriminator: "},
               {"class-thresholds: {unicorn: 0.5}", "bad.yaml:2: class-thresholds: 'unicorn'"},
               {"classes: [unicorn]", "bad.yaml:2: classes: the near model knows no 'unicorn'"},
               {"link-model: up=20Mbit/s", "bad.yaml:2: link-model: goes with --far"},
               {"link-model: up=20\nfar: 127.0.0.1:1",
                "bad.yaml:2: link-model: 'up=20': '20' is no rate above 0"},
               {"deadline: 0s", "bad.yaml:2: deadline: must be longer than 0"},
               {"upload-share: 1.5", "bad.yaml:2: upload-share: '1.5' is no number from 0 to 1"},
               {"upload-rate: 2 Mb", "bad.yaml:2: upload-rate: '2 Mb' is no rate above 0"},
               {"audit: 0.9", "bad.yaml:2: audit: '0.9' is no number from 0 to 0.5"},
               {"explore: 0.1", "bad.yaml:2: explore: goes with upload-share or upload-rate"},
               {"upload-above: 0.3\nupload-share: 0.2",
                "bad.yaml:2: upload-above: does not go with upload-share"},
               {"upload-rate: 1 MB/s\nupload-above: 0.3",
                "bad.yaml:3: upload-above: does not go with upload-rate"}};
  for (const auto& c : cases) {
    const bool has_near = std::string(c.line).starts_with("near:");
    std::ofstream(At("bad.yaml")) << "# head\n" << c.line << "\n"
                                  << (has_near ? "" : "near: " + Near() + "\n");
    EXPECT_NE(Start({"run", "--config", At("bad.yaml"), "--check", pictures_[0]}, "run")->Wait(), 0)
        << c.line;
    EXPECT_THAT(Errors(), HasSubstr(c.said));
  }
}

TEST_F(RunEndToEnd, TakesNoMoreMemoryForMorePictures) {
  std::vector<std::string> inputs = Times(300);
  inputs.push_back(Gate("early.jpg"));
  for (const std::string& picture : Times(1200)) {
    inputs.push_back(picture);
  }
  inputs.push_back(Gate("late.jpg"));
  auto run = StartRun(inputs, {"--trace", At("run.jsonl"), "--coco", At("results.json"),
                               "--annotate", At("drawn"), "--video", At("drawn.mp4")});
  int reached = Reach(At("early.jpg"));
  const long early = run->ResidentKb();
  Open(reached);
  reached = Reach(At("late.jpg"));
  const long late = run->ResidentKb();
  Open(reached);
  EXPECT_EQ(run->Wait(), 0) << Errors();
  EXPECT_GT(early, 0);
  EXPECT_LE(static_cast<double>(late), 1.1 * static_cast<double>(early));
}

}  // namespace
}  // namespace nearfar
