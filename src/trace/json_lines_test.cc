#include "trace/json_lines.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A file of the test that is gone when the test is.
class TraceFile {
 public:
  explicit TraceFile(const std::string& text)
      : path_(std::filesystem::path(::testing::TempDir()) /
              (std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) +
               ".jsonl")) {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TraceFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

RunRecord SomeRun() {
  return {.schema = 1,
          .program = "nearfar 0.1.0",
          .config = "near: a.onnx\nfar: \"b\"\n",
          .classes = {{"person", "traffic light"}},
          .models = {{.name = "near",
                      .version = "2",
                      .hash = "0123456789abcdef",
                      .preprocessing = "letterbox 114 centred, RGB/255",
                      .nms = "iou 0.5 per class, 300 best",
                      .score_floor = 0.01,
                      .label_map = "c0ffee",
                      .input = {640, 352}},
                     {.name = "far"}},
          .started = WallTime(milliseconds(1'700'000'000'123))};
}

Answer SomeAnswer() {
  return {.request = RequestId{9007199254740993},
          .region = RegionId{3},
          .link = LinkId{2},
          .node = "10.0.0.2:8001",
          .model = "big",
          .model_version = "7",
          .detections = {{{0.1F, -2.5F, 1e-7F, 4000.123F}, 0.333333F, 1}, {{1, 2, 3, 4}, 1, 0}},
          .error_code = "unavailable",
          .error = "refused: \"queue full\"\n\tπ \x01",
          .total = nanoseconds(123'456'789),
          .compute = nanoseconds(1),
          .queued = nanoseconds(-1'500'000),
          .queue_length = 4,
          .bytes_up = 123'456'789'012,
          .bytes_down = 77};
}

FrameRecord SomeFrame() {
  return {.frame = FrameId{18446744073709551615U},
          .source = "/photos/a b.jpg",
          .name = "a b",
          .size = {1920, 1080},
          .captured_at = WallTime(milliseconds(-1)),
          .status = FrameStatus::kDegraded,
          .reason = "the far node did not answer in 500 ms",
          .tiles = TilesRecord{.columns = 3,
                               .tile = {512, 384},
                               .cells = "#?.###",
                               .full_look = true,
                               .reason = "off",
                               .unseen = "!     ",
                               .all_px = 5'000'000'000,
                               .sent_px = 123,
                               .filter = "index 1",
                               .scheduler = "earliest 1",
                               .decided_by = "guard"},
          .verdicts = {{.region = RegionId{7},
                        .rect = {0, 0, 3840, 2160},
                        .input = {960, 540},
                        .cells = {0, 5},
                        .link = LinkId{2},
                        .crowd = 2.5},
                       {.region = RegionId{3},
                        .rect = {-1, 2, 300, 400},
                        .score = 0.1 + 0.2,
                        .threshold = -std::numeric_limits<double>::infinity(),
                        .upload_probability = 1.0 / 3,
                        .audit_probability = 0.01,
                        .difficult = true,
                        .uploaded = true,
                        .audit = true,
                        .reason = "2 boxes between .18 and .50",
                        .discriminator = "smallbig 1",
                        .policy = "threshold 1"},
                       {}},
          .answers = {SomeAnswer(), {}},
          .detections = {{{1, 2, 3, 4}, 0.5F, 0}, {{5, 6, 7, 8.25F}, 0.25F, kNoLabel}},
          .provenance = {kNear, LinkId{2}},
          .total = nanoseconds(2'000'001)};
}

TEST(TraceLine, ReadsBackEveryField) {
  const TraceRecord records[] = {
      SomeRun(),
      RunRecord{},
      SomeFrame(),
      FrameRecord{},
      OutcomeRecord{.frame = FrameId{5}, .kind = OutcomeKind::kAudit, .answer = SomeAnswer()},
      OutcomeRecord{.frame = FrameId{5}, .kind = OutcomeKind::kLoser},
      OutcomeRecord{}};
  for (const TraceRecord& record : records) {
    const std::string line = ToJsonLine(record);
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    const Expected<TraceRecord> again = ParseTraceLine(line);
    ASSERT_TRUE(again) << again.error().message << "\n" << line;
    EXPECT_TRUE(*again == record) << line;
  }
}

TEST(TraceLine, ReadsBackEveryStatus) {
  for (const FrameStatus status :
       {FrameStatus::kOk, FrameStatus::kDegraded, FrameStatus::kUnreadable, FrameStatus::kFailed}) {
    const FrameRecord frame{.status = status};
    EXPECT_EQ(std::get<FrameRecord>(ParseTraceLine(ToJsonLine(frame)).value()).status, status);
  }
}

TEST(TraceLine, IsCompactAndHasNumbersInTheirShortestForm) {
  const OutcomeRecord outcome{.frame = FrameId{7},
                              .answer = {.node = "n",
                                         .detections = {{{0.1F, 0, 10, 20.5F}, 0.9F, 3}},
                                         .total = nanoseconds(1'250'000)}};
  EXPECT_EQ(
      ToJsonLine(outcome),
      R"({"type":"outcome","frame":7,"kind":"late","answer":{"request":0,"region":0,"link":0,)"
      R"("node":"n","detections":[[0.1,0,10,20.5,0.9,3]],"total":1.25,"compute":0,"queued":0,)"
      R"("queue_length":-1,"bytes_up":0,"bytes_down":0}})");
}

TEST(TraceLine, IsJsonEvenWhereANameIsNoUtf8) {
  const char* names[] = {"caf\xE9",          "\xC3",     "\xE2\x82",       "\xED\xA0\x80",
                         "\xF5\x80\x80\x80", "\xC0\xAF", "ok \xE2\x82\xAC"};
  for (const char* name : names) {
    const std::string line = ToJsonLine(FrameRecord{.name = name});
    EXPECT_TRUE(nlohmann::json::accept(line)) << line;
    EXPECT_TRUE(ParseTraceLine(line)) << line;
  }
}

TEST(TraceLine, IgnoresUnknownKeysAndTakesDefaultsForMissingOnes) {
  const Expected<TraceRecord> record =
      ParseTraceLine(R"( {"type":"frame","frame":3,"weather":{"rain":[1,2]},"name":"x"} )");
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(std::get<FrameRecord>(*record), (FrameRecord{.frame = FrameId{3}, .name = "x"}));
}

TEST(TraceLine, SaysWhatIsWrongAndWhere) {
  const struct {
    const char* line;
    const char* message;
  } cases[] = {
      {"", "no JSON"},
      {"{", "no JSON"},
      {"[]", "the record: expected an object"},
      {"{}", "the record: has no \"type\""},
      {R"({"type":7})", "the record.type: expected a text"},
      {R"({"type":"recording"})", "type is 'recording'"},
      {R"({"type":"frame"})", "the frame record: has no \"frame\""},
      {R"({"type":"frame","frame":-1})",
       "the frame record.frame: expected a whole number in range"},
      {R"({"type":"frame","frame":1,"status":"fine"})", "'fine' is no status"},
      {R"({"type":"frame","frame":1,"size":[1]})", ".size: expected [width, height]"},
      {R"({"type":"frame","frame":1,"detections":[[1,2,3,4,0.5,0]]})",
       "0 entries for 1 detections"},
      {R"({"type":"frame","frame":1,"answers":[{},{"detections":[[1,2,3,4,0.5,0],[1,2]]}]})",
       ".answers[1].detections[1]: expected [x1, y1, x2, y2, score, label]"},
      {R"({"type":"frame","frame":1,"total":"long"})", ".total: expected a number"},
      {R"({"type":"frame","frame":1,"total":1e300})", ".total: expected a number of ms"},
      {R"({"type":"outcome","frame":1,"kind":"odd","answer":{}})", "'odd' is no kind of outcome"},
      {R"({"type":"outcome","frame":1})", "has no \"answer\""},
      {R"({"type":"run","models":[{"hash":1}]})", ".models[0].hash: expected a text"},
  };
  for (const auto& [line, message] : cases) {
    const Expected<TraceRecord> record = ParseTraceLine(line);
    ASSERT_FALSE(record) << line;
    EXPECT_EQ(record.error().code, ErrorCode::kInvalidInput) << line;
    EXPECT_THAT(record.error().message, HasSubstr(message)) << line;
  }
  EXPECT_EQ(ParseTraceLine(R"({"type":"run","schema":2})").error().code, ErrorCode::kUnsupported);
}

TEST(Trace, ReadsRunFramesAndOutcomesInTheirOrder) {
  const OutcomeRecord outcome{.frame = FrameId{0}, .answer = SomeAnswer()};
  const TraceFile file(ToJsonLine(SomeRun()) + "\n" + ToJsonLine(FrameRecord{.frame = FrameId{0}}) +
                       "\r\n\n" + ToJsonLine(outcome) + "\n" + ToJsonLine(SomeFrame()));
  const Expected<Trace> trace = ReadTrace(file.path());
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->run, SomeRun());
  EXPECT_THAT(trace->frames, ElementsAre(FrameRecord{.frame = FrameId{0}}, SomeFrame()));
  EXPECT_THAT(trace->outcomes, ElementsAre(outcome));
  EXPECT_THAT(trace->remarks, IsEmpty());
}

TEST(Trace, LeavesOutACutLastLineWithARemark) {
  const std::string last = ToJsonLine(SomeFrame());
  const TraceFile file(ToJsonLine(SomeRun()) + "\n" + ToJsonLine(FrameRecord{}) + "\n" +
                       last.substr(0, last.size() / 2));
  const Expected<Trace> trace = ReadTrace(file.path());
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->frames.size(), 1U);
  EXPECT_THAT(trace->remarks, ElementsAre(HasSubstr(":3: the last line is cut off")));
}

TEST(Trace, NamesABrokenLineInTheMiddle) {
  const TraceFile file(ToJsonLine(SomeRun()) + "\n{\"type\":\"fra\n" + ToJsonLine(SomeFrame()) +
                       "\n");
  const Expected<Trace> trace = ReadTrace(file.path());
  ASSERT_FALSE(trace);
  EXPECT_THAT(trace.error().message, HasSubstr(file.path() + ":2: "));
}

TEST(Trace, IsRefusedWhereThereIsNoneOrItIsSomethingElse) {
  EXPECT_EQ(ReadTrace("/no/such/trace.jsonl").error().code, ErrorCode::kNotFound);
  const std::pair<const char*, const char*> cases[] = {
      {"", "has no run record"},
      {"hello\n", "has no run record"},
      {"{\"type\":\"frame\",\"frame\":0}\n", ":1: a trace begins with its run record"},
      {"{\"type\":\"run\"}\n{\"type\":\"run\"}\n", ":2: a second run record"},
      {"{\"type\":\"recording\"}\n", ":1: the record's type is 'recording'"}};
  for (const auto& [text, message] : cases) {
    const TraceFile file(text);
    const Expected<Trace> trace = ReadTrace(file.path());
    ASSERT_FALSE(trace) << text;
    EXPECT_EQ(trace.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(trace.error().message, HasSubstr(message));
  }
  EXPECT_FALSE(ReadTrace(::testing::TempDir()));
}

TEST(Trace, CutAnywhereIsAnErrorOrARemarkOrWhole) {
  std::string text = ToJsonLine(SomeRun()) + "\n";
  for (int i = 0; i < 5; ++i) {
    text += ToJsonLine(SomeFrame()) + "\n";
  }
  for (std::size_t cut = 0; cut < text.size(); cut += text.size() / 50) {
    const TraceFile file(text.substr(0, cut));
    const Expected<Trace> trace = ReadTrace(file.path());
    if (trace) {
      const bool at_line_end = cut > 0 && (text[cut - 1] == '\n' || text[cut] == '\n');
      EXPECT_EQ(trace->remarks.size(), at_line_end ? 0U : 1U) << cut;
    } else {
      EXPECT_LT(cut, text.find('\n'));
    }
  }
}

}  // namespace
}  // namespace nearfar
