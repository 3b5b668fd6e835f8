#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "adapters/sinks/coco_sink.h"
#include "adapters/sinks/trace_sink.h"
#include "trace/json_lines.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

std::string TestFile(const char* name) { return ::testing::TempDir() + "nearfar_sinks_" + name; }

std::string Contents(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

FrameRecord Record(std::uint64_t number) {
  FrameRecord record;
  record.frame = FrameId{number};
  record.name = std::to_string(number + 1);
  record.size = {64, 48};
  record.detections = {{{1, 2, 11, 22}, 0.5F, 0}};
  record.provenance = {kNear};
  return record;
}

TEST(TraceSink, WritesWhatReadTraceReads) {
  const std::string path = TestFile("trace.jsonl");
  auto sink = TraceSink::Open(path);
  ASSERT_TRUE(sink);
  RunRecord run;
  run.program = "nearfar test";
  run.classes = {{"person"}};
  ASSERT_TRUE((*sink)->Begin(run));
  ASSERT_TRUE((*sink)->Write(Record(0), {}));
  ASSERT_TRUE((*sink)->Write(OutcomeRecord{FrameId{0}, OutcomeKind::kLate, {}}));
  // Whole without End: what a killed run leaves.
  const auto trace = ReadTrace(path);
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->run.program, "nearfar test");
  ASSERT_EQ(trace->frames.size(), 1U);
  EXPECT_EQ(trace->frames[0], Record(0));
  EXPECT_EQ(trace->outcomes.size(), 1U);
  EXPECT_TRUE((*sink)->End());
}

TEST(TraceSink, TellsOfADiskThatIsFullAndOfAPathThatIsNone) {
  auto full = TraceSink::Open("/dev/full");
  ASSERT_TRUE(full);
  const auto written = (*full)->Write(Record(0), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kIo);
  EXPECT_THAT(written.error().message, HasSubstr("/dev/full"));
  EXPECT_THAT(TraceSink::Open("/nonexistent/x.jsonl").error().message,
              HasSubstr("/nonexistent/x.jsonl"));
}

TEST(CocoSink, IsValidAfterEveryPicture) {
  const std::string path = TestFile("results.json");
  CocoSink sink(path, std::nullopt);
  RunRecord run;
  run.classes = {{"person"}};
  ASSERT_TRUE(sink.Begin(run));
  ASSERT_TRUE(sink.Write(Record(0), {}));
  ASSERT_TRUE(sink.Write(Record(1), {}));
  const std::string text = Contents(path);
  EXPECT_EQ(text.front(), '[');
  EXPECT_THAT(text, HasSubstr("\"image_id\":2"));
  EXPECT_EQ(text.substr(text.find_last_not_of('\n')).front(), ']');
}

TEST(CocoSink, TellsOfADiskThatIsFull) {
  CocoSink sink("/dev/full", std::nullopt);
  RunRecord run;
  run.classes = {{"person"}};
  const bool failed = !sink.Begin(run) || !sink.Write(Record(0), {});
  EXPECT_TRUE(failed);
}

}  // namespace
}  // namespace nearfar
