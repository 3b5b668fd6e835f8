#include "live/run_stream.h"

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "core/percentile.h"
#include "live/summary.h"
#include "pipeline/small_big.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// Pictures whose first byte is their number; some are missing.
class NumberedSource final : public FrameSource {
 public:
  explicit NumberedSource(int frames, int broken = -1, bool jpeg = false)
      : frames_(frames), broken_(broken), jpeg_(jpeg) {}
  std::optional<SourceItem> Next() override {
    if (next_ == frames_) {
      return std::nullopt;
    }
    const std::string name = std::to_string(next_);
    if (next_++ == broken_) {
      return SourceItem{"test", name, Fail(ErrorCode::kNotFound, "no such file")};
    }
    auto frame = std::make_shared<Frame>();
    frame->name = name;
    frame->pixels = Image(Size{8, 6});
    frame->pixels.data()[0] = static_cast<std::uint8_t>(next_ - 1);
    if (jpeg_) {
      frame->encoded = {0xFF, 0xD8, 0xFF, static_cast<std::uint8_t>(next_ - 1)};
    }
    frame->captured = std::chrono::steady_clock::now();
    return SourceItem{"test", name, std::move(frame)};
  }

 private:
  int frames_;
  int broken_;
  bool jpeg_;
  int next_ = 0;
};

/// Finds one object, of class 1 in odd pictures, and checks that its steps come in order.
class ParityDetector final : public Detector {
 public:
  class Pass final : public DetectorPass {
   public:
    Pass(ParityDetector& owner, int number) : owner_(owner), number_(number) {}
    Expected<void> Infer() override {
      const int now_inside = ++owner_.inside_;
      owner_.most_inside_ = std::max(owner_.most_inside_.load(), now_inside);
      inferred_ = true;
      --owner_.inside_;
      if (number_ == owner_.fails_at) {
        return Fail(ErrorCode::kInternal, "the engine broke");
      }
      return {};
    }
    Expected<DetectorAnswer> Decode() override {
      EXPECT_TRUE(inferred_);
      return DetectorAnswer{{{{1, 1, 4, 4}, 0.7F, number_ % 2}, {{0, 0, 1, 1}, 0.6F, 2}}};
    }

   private:
    ParityDetector& owner_;
    int number_;
    bool inferred_ = false;
  };

  Expected<DetectorAnswer> Detect(const PixelView&, int, int) override {
    return Fail(ErrorCode::kInternal, "not used");
  }
  Expected<DetectorAnswer> DetectBeforeNms(const PixelView&, int, int) override {
    return Fail(ErrorCode::kInternal, "not used");
  }
  Expected<std::unique_ptr<DetectorPass>> Prepare(const PixelView& view, int, int) override {
    if (on_prepare) {
      on_prepare();
    }
    return std::make_unique<Pass>(*this, view.data[0]);
  }
  const ModelIdentity& identity() const override { return identity_; }
  const std::vector<std::string>& labels() const override { return labels_; }
  int most_inside() const { return most_inside_; }
  int inside() const { return inside_; }

  int fails_at = -1;
  std::function<void()> on_prepare;

 private:
  ModelIdentity identity_{.name = "parity", .version = "3"};
  std::vector<std::string> labels_{"even", "odd", "noise"};
  std::atomic<int> inside_ = 0;
  std::atomic<int> most_inside_ = 0;
};

class OddIsDifficult final : public Discriminator {
 public:
  std::string name() const override { return "odd"; }
  std::string version() const override { return "1"; }
  Gain Judge(const Evidence& evidence, bool) const override {
    const bool odd = !evidence.raw.empty() && evidence.raw.front().label == 1;
    return {odd ? 1.0 : 0.0, odd, ""};
  }
  double natural_threshold() const override { return 0.5; }
};

class EverythingIsDifficult final : public Discriminator {
 public:
  std::string name() const override { return "all"; }
  std::string version() const override { return "1"; }
  bool needs_boxes() const override { return false; }
  Gain Judge(const Evidence&, bool) const override { return {1, true, ""}; }
  double natural_threshold() const override { return 0.5; }
};

/// Answers from threads of its own, or never.
class ThreadedLink final : public NodeLink {
 public:
  ~ThreadedLink() override {
    for (std::thread& thread : threads_) {
      thread.join();
    }
    for (auto& [upload, done] : held_) {
      Answer answer;
      answer.error_code = "cancelled";
      done(std::move(answer));
    }
  }
  void Send(Upload upload, std::function<void(Answer)> done) override {
    sizes.push_back(upload.bytes.size());
    if (on_send) {
      on_send();
    }
    if (static_cast<int>(held_.size()) < holds_first) {
      held_.emplace_back(std::move(upload), std::move(done));
      if (static_cast<int>(held_.size()) == holds_first) {
        holds_first = 0;
        for (auto& [held, its_done] : std::exchange(held_, {})) {
          Answer answer;
          answer.request = held.request;
          its_done(std::move(answer));
        }
      }
      return;
    }
    if (holds) {
      held_.emplace_back(std::move(upload), std::move(done));
      return;
    }
    threads_.emplace_back([request = upload.request, told = on_done, done = std::move(done)] {
      Answer answer;
      answer.request = request;
      answer.node = "far";
      answer.bytes_up = 10;
      answer.detections = {{{0, 0, 2, 2}, 0.9F, 1}, {{2, 2, 4, 4}, 0.8F, 1}};
      if (told) {
        told();
      }
      done(std::move(answer));
    });
  }
  void Cancel(RequestId) override {}
  std::string node() const override { return "far"; }

  bool holds = false;
  int holds_first = 0;  ///< answers none before there are so many
  std::function<void()> on_send;
  std::function<void()> on_done;
  std::vector<std::size_t> sizes;

 private:
  std::vector<std::thread> threads_;
  std::vector<std::pair<Upload, std::function<void(Answer)>>> held_;
};

class KeepingSink final : public Sink {
 public:
  Expected<void> Write(const FrameRecord& record, const PixelView& pixels) override {
    if (static_cast<int>(records.size()) == fails_at) {
      return Fail(ErrorCode::kIo, "disk full");
    }
    if (record.status != FrameStatus::kUnreadable) {
      EXPECT_EQ(std::to_string(pixels.data[0]), record.name);
    }
    records.push_back(record);
    ++written;
    return {};
  }
  Expected<void> Write(const OutcomeRecord& record) override {
    outcomes.push_back(record);
    return {};
  }
  Expected<void> End() override {
    ended = true;
    return {};
  }

  int fails_at = -1;
  bool ended = false;
  std::atomic<int> written = 0;  ///< may be read during the run
  std::vector<FrameRecord> records;
  std::vector<OutcomeRecord> outcomes;
};

/// One run over these parts.
struct Bench {
  StreamEnd Run(int frames, int broken = -1, bool jpeg = false) {
    NumberedSource source(frames, broken, jpeg);
    SmallBigPlanner planner({.has_far = true,
                             .deadline = deadline,
                             .max_uploads = uploads,
                             .score_threshold = 0.1F},
                            std::move(discriminator),
                            std::make_unique<ThresholdPolicy>(0.5, audit));
    const StreamParts parts{
        source,
        detector,
        MapLabels(detector.labels(), LabelSpace{{"even", "odd"}}, Synonyms{}),
        {&link},
        planner,
        {&summary, &sink, &other},
        [](const Frame&, const Rect& rect, Upload::Payload) {
          return std::vector<std::uint8_t>(static_cast<std::size_t>(rect.width));
        },
        nullptr,
        [this] { return stop_after >= 0 && sink.written >= stop_after; },
        clock};
    return RunStream(parts, options, RunRecord{});
  }
  void ExpectInOrder() const {
    for (std::size_t i = 0; i < sink.records.size(); ++i) {
      EXPECT_EQ(ToNumber(sink.records[i].frame), i);
    }
  }

  std::unique_ptr<Discriminator> discriminator = std::make_unique<OddIsDifficult>();
  StreamOptions options{.grace = Duration::zero(), .linger = Duration::zero()};
  Duration deadline = seconds(30);
  int uploads = 4;
  double audit = 0;
  int stop_after = -1;
  SystemClock clock;
  ParityDetector detector;
  SummarySink summary;
  KeepingSink sink;
  KeepingSink other;
  ThreadedLink link;
};

TEST(RunStream, OfNothingWritesNothing) {
  Bench bench;
  const StreamEnd end = bench.Run(0);
  EXPECT_FALSE(end.stopped);
  EXPECT_FALSE(end.error);
  EXPECT_TRUE(bench.sink.records.empty());
  EXPECT_TRUE(bench.sink.ended);
}

TEST(RunStream, WritesEveryFrameOnceInOrderWithItsPixels) {
  for (const int threads : {1, 2}) {
    Bench bench;
    bench.options.near_threads = threads;
    const StreamEnd end = bench.Run(101, 50);
    EXPECT_FALSE(end.error);
    ASSERT_EQ(bench.sink.records.size(), 101U);
    bench.ExpectInOrder();
    EXPECT_EQ(bench.sink.records[50].status, FrameStatus::kUnreadable);
    EXPECT_THAT(bench.sink.records[50].reason, HasSubstr("no such file"));
    EXPECT_EQ(bench.sink.records[3].detections.size(), 2U);
    EXPECT_EQ(bench.sink.records[3].provenance[0], LinkId{1});
    EXPECT_EQ(bench.sink.records[4].detections.size(), 1U);  // "noise" maps to nothing
    EXPECT_EQ(bench.sink.records[4].answers[0].model, "parity");
    EXPECT_LE(bench.detector.most_inside(), threads);
    const RunSummary& summary = bench.summary.summary();
    EXPECT_EQ(summary.frames, 101U);
    EXPECT_EQ(summary.unreadable, 1U);
    EXPECT_EQ(summary.uploaded, 50U);
    EXPECT_EQ(summary.far_answers, 50U);
    EXPECT_EQ(summary.bytes_up, 500);
    EXPECT_EQ(summary.latency.count(), 100U);
  }
}

TEST(RunStream, SendsTheJpegAsItCameAndEncodesWhatIsNone) {
  Bench as_it_came;
  as_it_came.Run(4, -1, true);
  EXPECT_THAT(as_it_came.link.sizes, ::testing::ElementsAre(4, 4));
  Bench encoded;
  encoded.Run(4);
  EXPECT_THAT(encoded.link.sizes, ::testing::ElementsAre(8, 8));
}

TEST(RunStream, LeavesTheNearModelAloneAndItsQueueOutOfTheWayWhereEverythingGoesUp) {
  Bench bench;
  bench.discriminator = std::make_unique<EverythingIsDifficult>();
  bench.options.max_in_flight = 8;
  bench.uploads = 8;
  bench.link.holds_first = 8;  // more than near's queue would let the reader read
  bench.Run(20);
  ASSERT_EQ(bench.sink.records.size(), 20U);
  bench.ExpectInOrder();
  for (const FrameRecord& record : bench.sink.records) {
    EXPECT_EQ(record.status, FrameStatus::kOk) << record.reason;
    EXPECT_EQ(record.answers.size(), 1U);
  }
  EXPECT_EQ(bench.detector.most_inside(), 0);
}

TEST(RunStream, FallsBackToTheNearModelThatWasLeftOut) {
  Bench bench;
  bench.discriminator = std::make_unique<EverythingIsDifficult>();
  bench.link.holds = true;
  bench.deadline = milliseconds(1);
  bench.Run(6);
  ASSERT_EQ(bench.sink.records.size(), 6U);
  bench.ExpectInOrder();
  for (const FrameRecord& record : bench.sink.records) {
    EXPECT_EQ(record.status, FrameStatus::kDegraded);
    EXPECT_EQ(record.detections.size(), 1U);
    EXPECT_EQ(record.provenance[0], kNear);
  }
}

TEST(RunStream, WithOneFrameInFlightNearAndFarNeverOverlap) {
  Bench bench;
  bench.options.max_in_flight = 1;
  std::atomic<int> far_inside = 0;
  std::atomic<bool> overlapped = false;
  bench.link.on_send = [&] {
    overlapped = overlapped || bench.detector.inside() > 0 || far_inside > 0;
    ++far_inside;
  };
  bench.link.on_done = [&] {
    overlapped = overlapped || bench.detector.inside() > 0;
    --far_inside;
  };
  bench.detector.on_prepare = [&] { overlapped = overlapped || far_inside > 0; };
  bench.Run(60);
  ASSERT_EQ(bench.sink.records.size(), 60U);
  EXPECT_EQ(bench.link.sizes.size(), 30U);
  EXPECT_FALSE(overlapped);
}

TEST(RunStream, GivesAFrameWhoseNearModelFailedToTheFarOne) {
  Bench bench;
  bench.detector.fails_at = 2;
  bench.Run(4);
  EXPECT_EQ(bench.sink.records[2].status, FrameStatus::kDegraded);
  EXPECT_EQ(bench.sink.records[2].provenance[0], LinkId{1});
  EXPECT_THAT(bench.sink.records[2].reason, HasSubstr("the engine broke"));
}

TEST(RunStream, StopsInOrderWhenAskedAndGivesUpWhatIsInFlight) {
  Bench bench;
  bench.link.holds = true;
  bench.stop_after = 1;  // frame 1 waits for the far node and holds up the rest
  const StreamEnd end = bench.Run(1000);
  EXPECT_TRUE(end.stopped);
  EXPECT_FALSE(end.error);
  ASSERT_GT(bench.sink.records.size(), 1U);
  EXPECT_LE(bench.sink.records.size(), 1U + 8U);  // the window
  bench.ExpectInOrder();
  EXPECT_EQ(bench.sink.records[1].status, FrameStatus::kDegraded);
  EXPECT_THAT(bench.sink.records[1].reason, HasSubstr("the run was stopped"));
  EXPECT_TRUE(bench.sink.ended);
}

TEST(RunStream, DegradesWhatIsLateAndNotesWhatNeverCame) {
  Bench bench;
  bench.link.holds = true;
  bench.deadline = milliseconds(1);
  bench.Run(2);
  ASSERT_EQ(bench.sink.records.size(), 2U);
  EXPECT_EQ(bench.sink.records[1].status, FrameStatus::kDegraded);
  ASSERT_EQ(bench.sink.outcomes.size(), 1U);
  EXPECT_EQ(bench.sink.outcomes[0].answer.error_code, "cancelled");
}

TEST(RunStream, WaitsAtTheEndForAuditsAndNotesThoseThatNeverCame) {
  Bench bench;
  bench.audit = 1;
  bench.options.linger = seconds(30);  // ends as soon as all have come
  bench.Run(1);
  ASSERT_EQ(bench.sink.records.size(), 1U);
  EXPECT_TRUE(bench.sink.records[0].verdicts[0].audit);
  EXPECT_TRUE(bench.sink.records[0].verdicts[0].uploaded);
  EXPECT_EQ(bench.sink.records[0].status, FrameStatus::kOk);
  ASSERT_EQ(bench.sink.outcomes.size(), 1U);
  EXPECT_EQ(bench.sink.outcomes[0].kind, OutcomeKind::kAudit);
  EXPECT_EQ(bench.sink.outcomes[0].answer.detections.size(), 2U);
  EXPECT_EQ(bench.summary.summary().audits, 1U);
  EXPECT_EQ(bench.summary.summary().uploaded, 1U);
  EXPECT_EQ(bench.summary.summary().late_answers, 0U);
  EXPECT_EQ(bench.summary.summary().bytes_up, 10);

  Bench never;
  never.audit = 1;
  never.link.holds = true;
  never.Run(1);
  ASSERT_EQ(never.sink.outcomes.size(), 1U);
  EXPECT_EQ(never.sink.outcomes[0].kind, OutcomeKind::kAudit);
  EXPECT_EQ(never.sink.outcomes[0].answer.error_code, "cancelled");
  EXPECT_EQ(never.sink.records[0].status, FrameStatus::kOk);
}

TEST(RunStream, StopsWhenASinkFailsAndKeepsWhatTheOthersHave) {
  Bench bench;
  bench.sink.fails_at = 5;
  const StreamEnd end = bench.Run(1000);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(end.error->message, "disk full");
  EXPECT_EQ(bench.sink.records.size(), 5U);
  EXPECT_FALSE(bench.sink.ended);
  EXPECT_GE(bench.other.records.size(), 6U);
  EXPECT_LT(bench.other.records.size(), 1000U);
  EXPECT_TRUE(bench.other.ended);
}

TEST(StreamOptions, AreNamedWhenWrong) {
  EXPECT_TRUE(Validate(StreamOptions{}));
  EXPECT_THAT(Validate({.max_in_flight = 0}).error().message, HasSubstr("in-flight"));
  EXPECT_THAT(Validate({.near_threads = 0}).error().message, HasSubstr("near-threads"));
  EXPECT_FALSE(Validate({.grace = milliseconds(-1)}));
}

TEST(LatencyHistogram, IsWithinAThousandthOfTheNearestRank) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.Percentile(50), Duration::zero());
  std::vector<Duration> times;
  for (int i = 1; i <= 20; ++i) {  // 95 % of 20 is rank 19, as in the figures of `nearfar eval`
    times.push_back(milliseconds(i * i));
    histogram.Add(times.back());
    for (const double percent : {0.1, 50.0, 95.0, 99.0, 100.0}) {
      const double exact = ToMilliseconds(Percentile(times, percent));
      EXPECT_NEAR(ToMilliseconds(histogram.Percentile(percent)), exact, exact * 1e-3)
          << percent << " % of " << i;
    }
  }
  histogram.Add(std::chrono::hours(1000000));  // beyond the last bucket
  EXPECT_GT(histogram.Percentile(100), std::chrono::hours(1));
  histogram.Add(Duration::zero());  // below the first
  EXPECT_LT(histogram.Percentile(1), milliseconds(1));
}

}  // namespace
}  // namespace nearfar
