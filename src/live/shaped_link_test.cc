#include "live/shaped_link.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>
#include <vector>

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TimePoint kStart{seconds(100)};

/// A node that answers when the test says so.
class HeldLink final : public NodeLink {
 public:
  void Send(Upload upload, std::function<void(Answer)> done) override {
    arrived.push_back(ToNumber(upload.request));
    sizes.push_back(upload.bytes.size());
    if (answers_at_once) {
      done(Found(upload.request));
      return;
    }
    held[ToNumber(upload.request)] = std::move(done);
  }
  void Cancel(RequestId request) override {
    const std::lock_guard lock(mutex_);
    cancelled.push_back(ToNumber(request));
  }
  std::string node() const override { return "far:1"; }
  Upload::Payload payload() const override { return Upload::Payload::kPixels; }

  void Finds(std::uint64_t request, std::int64_t bytes = 1148) {
    held.at(request)(Found(RequestId{request}, bytes));
  }
  void Fails(std::uint64_t request, const std::string& code) {
    Answer answer;
    answer.request = RequestId{request};
    answer.error_code = code;
    answer.error = "said so";
    held.at(request)(std::move(answer));
  }
  static Answer Found(RequestId request, std::int64_t bytes = 1148) {
    Answer answer;
    answer.request = request;
    answer.node = "far:1";
    answer.bytes_up = 1148;
    answer.bytes_down = bytes;
    answer.total = milliseconds(1);
    answer.detections = {{{0, 0, 4, 4}, 0.9F, 0}};
    return answer;
  }

  bool answers_at_once = false;
  std::vector<std::uint64_t> arrived;
  std::vector<std::size_t> sizes;
  std::vector<std::uint64_t> cancelled;
  std::map<std::uint64_t, std::function<void(Answer)>> held;

 private:
  std::mutex mutex_;  ///< of cancelled: the only member that several threads of a test touch
};

/// 1 ms per packet of 1,148 bytes beside the request's 300, 5 ms each way.
LinkModel Plain() {
  return {.up_bytes_per_second = 1'514'000,
          .down_bytes_per_second = 1'214'000,
          .delay = milliseconds(5)};
}

/// A shaped link whose time the test moves.
struct Bench {
  explicit Bench(const LinkModel& model = Plain()) { link.emplace(inner, model, clock); }

  void Send(std::uint64_t request, std::size_t bytes = 1148, Duration within = seconds(1)) {
    Upload upload;
    upload.request = RequestId{request};
    upload.bytes.resize(bytes);
    upload.deadline = clock.Now() + within;
    link->Send(std::move(upload), [this, request](Answer answer) {
      EXPECT_EQ(answer.request, RequestId{request});
      ++times_done[request];
      order.push_back(request);
      answers[request] = std::move(answer);
    });
    link->PassTime();
  }
  /// Moves time to `ms` after the start, stopping wherever the link wants to be woken.
  void RunTo(double ms) {
    const TimePoint end = kStart + FromMilliseconds(ms);
    for (auto wake = link->next_wake(); wake && *wake <= end; wake = link->next_wake()) {
      clock.Set(std::max(clock.Now(), *wake));
      link->PassTime();
    }
    clock.Set(end);
    link->PassTime();
  }
  bool Done(std::uint64_t request) const { return times_done.contains(request); }

  FakeClock clock = [] {
    FakeClock at_start;
    at_start.Set(kStart);
    return at_start;
  }();
  HeldLink inner;
  std::map<std::uint64_t, int> times_done;
  std::vector<std::uint64_t> order;
  std::map<std::uint64_t, Answer> answers;
  std::optional<ShapedLink> link;  // last: its end still answers
};

TEST(ShapedLink, BringsAnUploadUpAndItsAnswerDownInTheModelsTime) {
  Bench bench;
  EXPECT_FALSE(bench.link->next_wake());
  EXPECT_EQ(bench.link->node(), "far:1");
  EXPECT_EQ(bench.link->payload(), Upload::Payload::kPixels);
  bench.Send(1);
  bench.RunTo(5.9);
  EXPECT_THAT(bench.inner.arrived, IsEmpty());
  bench.RunTo(6);
  EXPECT_THAT(bench.inner.arrived, ElementsAre(1));
  EXPECT_THAT(bench.inner.sizes, ElementsAre(1148));
  bench.RunTo(106);
  bench.inner.Finds(1);
  bench.RunTo(111.9);
  EXPECT_FALSE(bench.Done(1));
  bench.RunTo(112);  // 6 up, 100 inside, 1 + 5 down
  ASSERT_TRUE(bench.Done(1));
  EXPECT_TRUE(bench.answers[1].ok());
  EXPECT_EQ(bench.answers[1].total, milliseconds(112));
  EXPECT_EQ(bench.answers[1].detections.size(), 1U);
  EXPECT_FALSE(bench.link->next_wake());
}

TEST(ShapedLink, WithNoLimitPassesEverythingThroughAtOnce) {
  Bench bench(LinkModel{});
  bench.inner.answers_at_once = true;
  bench.Send(1);
  ASSERT_TRUE(bench.Done(1));
  EXPECT_EQ(bench.answers[1].total, Duration::zero());
}

TEST(ShapedLink, LetsUploadsLeaveOneAfterTheOther) {
  Bench bench;
  bench.Send(3);
  bench.Send(1);
  bench.Send(2);
  bench.RunTo(6);
  EXPECT_THAT(bench.inner.arrived, ElementsAre(3));
  bench.RunTo(7.9);
  EXPECT_THAT(bench.inner.arrived, ElementsAre(3, 1));
  bench.RunTo(8);
  EXPECT_THAT(bench.inner.arrived, ElementsAre(3, 1, 2));
  bench.inner.Finds(2, 1148 * 10);  // its answer keeps the one after it waiting
  bench.inner.Finds(3);
  bench.inner.Finds(1);
  bench.RunTo(100);
  EXPECT_THAT(bench.order, ElementsAre(2, 3, 1));
}

TEST(ShapedLink, LateCallsOfPassTimeChangeNoDeparture) {
  Bench bench;
  bench.Send(1);
  bench.Send(2);
  bench.clock.Set(kStart + milliseconds(7));  // both have arrived by now, at 6 and 7 ms
  bench.link->PassTime();
  EXPECT_THAT(bench.inner.arrived, ElementsAre(1, 2));
}

TEST(ShapedLink, FailsWhatIsNotThereByItsDeadlineWhereverItIs) {
  Bench bench;
  bench.Send(1, 1148, milliseconds(3));      // on its way up
  bench.Send(2, 1148, FromMilliseconds(1));  // at its deadline it could just leave: too late
  bench.Send(3, 1148, milliseconds(8));      // up at 7 ms, answered at 7.5, on its way down
  bench.RunTo(7.5);
  EXPECT_THAT(bench.order, ElementsAre(2, 1));
  EXPECT_THAT(bench.inner.arrived, ElementsAre(3));  // and 2 has not kept it waiting
  bench.inner.Finds(3);
  bench.RunTo(100);
  EXPECT_THAT(bench.order, ElementsAre(2, 1, 3));
  for (const auto& [request, answer] : bench.answers) {
    EXPECT_EQ(answer.error_code, "deadline-exceeded") << request;
    EXPECT_THAT(answer.error, HasSubstr("the modelled link to far:1 brought no answer within"));
    EXPECT_EQ(bench.times_done[request], 1);
  }
  EXPECT_EQ(bench.answers[1].bytes_up, 1148);
  EXPECT_EQ(bench.answers[2].bytes_up, 0);
  EXPECT_FALSE(bench.link->next_wake());
}

TEST(ShapedLink, ThatLosesEverythingFailsEveryUploadAtItsDeadline) {
  LinkModel model = Plain();
  model.loss = 1;
  Bench bench(model);
  bench.Send(1, 1148, milliseconds(50));
  bench.Send(2, 1148, milliseconds(60));
  bench.RunTo(59.9);
  EXPECT_THAT(bench.order, ElementsAre(1));
  bench.RunTo(60);
  EXPECT_THAT(bench.order, ElementsAre(1, 2));
  EXPECT_THAT(bench.inner.arrived, IsEmpty());
  EXPECT_EQ(bench.answers[2].error_code, "deadline-exceeded");
}

TEST(ShapedLink, BringsRefusalsOverTheModelAndOwnFailuresAtOnce) {
  for (const auto& [code, after] : {std::pair{"unavailable", true}, std::pair{"limit-exceeded", true},
                                    std::pair{"deadline-exceeded", false},
                                    std::pair{"cancelled", false}}) {
    Bench bench;
    bench.Send(1);
    bench.RunTo(6);
    bench.inner.Fails(1, code);
    bench.RunTo(7);
    EXPECT_EQ(bench.Done(1), !after) << code;
    bench.RunTo(12);
    ASSERT_TRUE(bench.Done(1)) << code;
    EXPECT_EQ(bench.answers[1].error_code, code);
    EXPECT_EQ(bench.answers[1].error, "said so");
  }
}

TEST(ShapedLink, CancelHurriesTheAnswerWhereverItIs) {
  Bench bench;
  bench.Send(1);  // will be inside
  bench.RunTo(6);
  bench.Send(2);  // on its way up
  bench.Send(3);  // waits
  bench.Send(4);  // waits, and stays
  for (const std::uint64_t request : {1, 2, 3, 3, 99}) {
    bench.link->Cancel(RequestId{request});
  }
  bench.RunTo(6);
  EXPECT_THAT(bench.order, ElementsAre(2, 3));
  EXPECT_THAT(bench.inner.cancelled, ElementsAre(1));
  bench.inner.Fails(1, "cancelled");
  bench.RunTo(13);
  EXPECT_THAT(bench.inner.arrived, ElementsAre(1, 4));  // 2 keeps the lane to 7 ms; 3 never had it
  EXPECT_THAT(bench.order, ElementsAre(2, 3, 1));
  EXPECT_EQ(bench.answers[2].error_code, "cancelled");
  bench.inner.Finds(4);
  bench.link->Cancel(RequestId{4});  // on its way down
  bench.RunTo(13);
  EXPECT_EQ(bench.answers[4].error_code, "cancelled");
  for (const auto& [request, times] : bench.times_done) {
    EXPECT_EQ(times, 1) << request;
  }
}

TEST(ShapedLink, TakesOneAnswerARequestHoweverOftenTheNodeAnswers) {
  Bench bench;
  bench.Send(1);
  bench.RunTo(6);
  const auto again = bench.inner.held.at(1);
  bench.inner.Finds(1);
  again(HeldLink::Found(RequestId{1}));  // while the first comes down
  bench.RunTo(100);
  again(HeldLink::Found(RequestId{1}));  // long after
  bench.RunTo(200);
  EXPECT_EQ(bench.times_done[1], 1);
}

TEST(ShapedLink, AnswersWhatIsOpenAtItsEndAndDropsWhatComesLater) {
  Bench bench;
  bench.Send(1);
  bench.RunTo(6);
  bench.Send(2);
  bench.Send(3);
  bench.link.reset();
  EXPECT_THAT(bench.order, ElementsAre(1, 2, 3));
  EXPECT_THAT(bench.inner.cancelled, ElementsAre(1));
  bench.inner.Fails(1, "cancelled");
  for (const std::uint64_t request : {1, 2, 3}) {
    EXPECT_EQ(bench.times_done[request], 1);
    EXPECT_EQ(bench.answers[request].error_code, "cancelled");
    EXPECT_THAT(bench.answers[request].error, HasSubstr("was closed"));
  }
}

TEST(LinkPacer, KeepsALinkGoingInRealTimeForSeveralSenders) {
  const SystemClock clock;
  HeldLink inner;
  inner.answers_at_once = true;
  std::atomic<int> done = 0;
  {
    ShapedLink link(inner,
                    {.up_bytes_per_second = 100e6,
                     .down_bytes_per_second = 100e6,
                     .delay = std::chrono::microseconds(200),
                     .jitter = std::chrono::microseconds(100),
                     .loss = 0.001},
                    clock);
    const LinkPacer pacer(link, clock);
    std::vector<std::thread> senders;
    for (std::uint64_t sender = 0; sender < 3; ++sender) {
      senders.emplace_back([&, sender] {
        for (std::uint64_t i = 0; i < 50; ++i) {
          Upload upload;
          upload.request = RequestId{100 * sender + i};
          upload.bytes.resize(1000);
          // A minute is never reached; the last ones may still be open at the end.
          upload.deadline = clock.Now() + std::chrono::minutes(1);
          link.Send(std::move(upload), [&done](const Answer&) { ++done; });
          if (i % 7 == 0) {
            link.Cancel(RequestId{100 * sender + i});
          }
        }
      });
    }
    for (std::thread& sender : senders) {
      sender.join();
    }
  }
  EXPECT_EQ(done, 150);
}

}  // namespace
}  // namespace nearfar
