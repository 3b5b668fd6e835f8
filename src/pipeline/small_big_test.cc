#include "pipeline/small_big.h"

#include <map>
#include <memory>
#include <optional>

#include <gmock/gmock.h>

#include "core/rng.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Size kImage{100, 100};

/// Says "difficult" where the near model found more than one box, and counts what it is taught.
class CountDiscriminator final : public Discriminator {
 public:
  explicit CountDiscriminator(int* observed = nullptr, Detections* taught = nullptr)
      : observed_(observed), taught_(taught) {}
  std::string name() const override { return "count"; }
  std::string version() const override { return "1"; }
  double natural_threshold() const override { return 1; }
  Gain Judge(const Evidence& evidence, bool /*explain*/) const override {
    const auto count = static_cast<double>(evidence.raw.size());
    return {count, count > 1, "counted"};
  }
  void Observe(const Evidence& /*evidence*/, const GainOutcome& outcome) override {
    last_probability = outcome.upload_probability;
    if (observed_ != nullptr) {
      ++*observed_;
    }
    if (taught_ != nullptr) {
      *taught_ = outcome.far;
    }
  }
  double last_probability = -1;

 private:
  int* observed_;
  Detections* taught_;
};

/// Uploads "difficult" images, audits all others, and writes down what it is told.
class AuditAll final : public UploadPolicy {
 public:
  struct Told {
    int added = 0, withdrawn = 0;
    std::vector<std::int64_t> actual;
  };
  explicit AuditAll(Told* told) : told_(told) {}
  std::string name() const override { return "audit-all"; }
  std::string version() const override { return "1"; }
  UploadChoice Choose(const Gain& gain, const UploadCost&, TimePoint) override {
    return {.upload = true,
            .probability = gain.difficult ? 1 : 0.25,
            .audit = !gain.difficult,
            .audit_probability = 0.25,
            .reason = gain.difficult ? "" : "by chance"};
  }
  void Add(const UploadCost&, TimePoint) override { ++told_->added; }
  void Withdraw(const UploadCost& estimated, TimePoint) override {
    EXPECT_EQ(estimated.bytes, 1000);
    ++told_->withdrawn;
  }
  void Observe(const UploadCost& estimated, const UploadCost& actual, TimePoint) override {
    EXPECT_EQ(estimated.bytes, 1000);
    told_->actual.push_back(actual.bytes);
  }

 private:
  Told* told_;
};

/// Sends everything to the far model without a look.
class SendsAll final : public Discriminator {
 public:
  explicit SendsAll(int* observed = nullptr) : observed_(observed) {}
  std::string name() const override { return "all"; }
  std::string version() const override { return "1"; }
  bool needs_boxes() const override { return false; }
  double natural_threshold() const override { return 0.5; }
  Gain Judge(const Evidence& /*evidence*/, bool /*explain*/) const override {
    return {1, true, "all"};
  }
  void Observe(const Evidence& /*evidence*/, const GainOutcome& /*outcome*/) override {
    if (observed_ != nullptr) {
      ++*observed_;
    }
  }

 private:
  int* observed_;
};

/// Uploads what it is told to, whatever the gain.
class Scripted final : public UploadPolicy {
 public:
  struct Calls {
    int added = 0;
    int withdrawn = 0;
  };
  Scripted(UploadChoice choice, Calls* calls)
      : choice_(std::move(choice)), calls_(calls) {}
  std::string name() const override { return "scripted"; }
  std::string version() const override { return "1"; }
  UploadChoice Choose(const Gain&, const UploadCost&, TimePoint) override { return choice_; }
  void Add(const UploadCost&, TimePoint) override { ++calls_->added; }
  void Withdraw(const UploadCost&, TimePoint) override { ++calls_->withdrawn; }

 private:
  UploadChoice choice_;
  Calls* calls_;
};

/// Uploads and audits by chance, and keeps account of each upload, known by its bytes.
class Ledger final : public UploadPolicy {
 public:
  struct Account {
    int charged = 0, withdrawn = 0, observed = 0;
    UploadChoice choice;
  };
  using Accounts = std::map<std::int64_t, Account>;
  Ledger(std::uint64_t seed, Accounts* accounts) : rng_(seed), accounts_(accounts) {}
  std::string name() const override { return "ledger"; }
  std::string version() const override { return "1"; }
  UploadChoice Choose(const Gain&, const UploadCost& cost, TimePoint) override {
    UploadChoice choice{.probability = 0.1 + 0.8 * rng_.Uniform(), .audit_probability = 0.05};
    choice.upload = rng_.Chance(choice.probability);
    choice.audit = choice.upload && rng_.Chance(0.4);
    Account& account = (*accounts_)[cost.bytes];
    account.charged += choice.upload ? 1 : 0;
    account.choice = choice;
    return choice;
  }
  void Add(const UploadCost& cost, TimePoint) override { ++(*accounts_)[cost.bytes].charged; }
  void Withdraw(const UploadCost& cost, TimePoint) override {
    ++(*accounts_)[cost.bytes].withdrawn;
  }
  void Observe(const UploadCost& cost, const UploadCost&, TimePoint) override {
    ++(*accounts_)[cost.bytes].observed;
  }

 private:
  Rng rng_;
  Accounts* accounts_;
};

Detections Boxes(int count, float score = 0.9F) {
  Detections boxes;
  for (int i = 0; i < count; ++i) {
    const auto x = static_cast<float>(10 * i);
    boxes.push_back({{x, 0, x + 8, 8}, score, 0});
  }
  return boxes;
}

/// The world around a planner, moved by hand: keeps what was asked for and what was emitted.
class World {
 public:
  World(SmallBigPlannerOptions options, std::unique_ptr<Discriminator> discriminator,
        std::unique_ptr<UploadPolicy> policy = std::make_unique<ThresholdPolicy>())
      : planner(options, std::move(discriminator), std::move(policy)) {}
  explicit World(SmallBigPlannerOptions options = {}, int* observed = nullptr,
                 Detections* taught = nullptr)
      : planner(options, std::make_unique<CountDiscriminator>(observed, taught),
                std::make_unique<ThresholdPolicy>()) {}
  World(SmallBigPlannerOptions options, AuditAll::Told* told) : World(options, told, nullptr) {}
  World(SmallBigPlannerOptions options, AuditAll::Told* told, int* observed)
      : World(options, told, std::make_unique<CountDiscriminator>(observed)) {}

  void Step(const Event& event) {
    for (const Action& action : planner.Step(event)) {
      if (const auto* infer = std::get_if<Infer>(&action)) {
        infers[infer->frame] = *infer;
      } else if (const auto* send = std::get_if<Send>(&action)) {
        sends[send->frame] = *send;
      } else if (const auto* emit = std::get_if<Emit>(&action)) {
        emitted.push_back(emit->record);
      } else if (const auto* outcome = std::get_if<EmitOutcome>(&action)) {
        outcomes.push_back(outcome->record);
      }
    }
  }
  void Arrive(std::uint64_t frame, std::int64_t upload_bytes = 1000) {
    Step(FrameArrived{.now = now,
                      .frame = FrameId{frame},
                      .source = "test",
                      .name = std::to_string(frame),
                      .size = kImage,
                      .captured = now,
                      .upload_bytes = upload_bytes});
  }
  void NearFinds(std::uint64_t frame, int count) {
    Step(ReplyArrived{now, FrameId{frame},
                      {.request = infers.at(FrameId{frame}).request, .node = "near",
                       .detections = Boxes(count)}});
  }
  void NearFails(std::uint64_t frame) {
    Step(ReplyArrived{now, FrameId{frame},
                      {.request = infers.at(FrameId{frame}).request, .node = "near",
                       .error_code = "internal", .error = "boom"}});
  }
  void FarFinds(std::uint64_t frame, int count) {
    Step(ReplyArrived{now, FrameId{frame},
                      {.request = sends.at(FrameId{frame}).request, .link = LinkId{1}, .node = "far",
                       .detections = Boxes(count), .bytes_up = 1100}});
  }
  void FarFails(std::uint64_t frame) {
    Step(ReplyArrived{now, FrameId{frame},
                      {.request = sends.at(FrameId{frame}).request, .link = LinkId{1}, .node = "far",
                       .error_code = "unavailable", .error = "connection refused"}});
  }
  /// A frame whose near answer is `count` boxes, at once.
  void Take(std::uint64_t frame, int count) {
    Arrive(frame);
    NearFinds(frame, count);
  }
  bool AskedNear(std::uint64_t frame) const { return infers.contains(FrameId{frame}); }
  bool Sent(std::uint64_t frame) const { return sends.contains(FrameId{frame}); }

  CountDiscriminator* judge = nullptr;
  SmallBigPlanner planner;
  TimePoint now{seconds(100)};
  std::map<FrameId, Infer> infers;
  std::map<FrameId, Send> sends;
  std::vector<FrameRecord> emitted;
  std::vector<OutcomeRecord> outcomes;

 private:
  World(SmallBigPlannerOptions options, AuditAll::Told* told,
        std::unique_ptr<CountDiscriminator> discriminator)
      : judge(discriminator.get()),
        planner(options, std::move(discriminator), std::make_unique<AuditAll>(told)) {}
};

TEST(SmallBig, WithoutNeedOfBoxesAnImageGoesUpWithoutTheNearModel) {
  int observed = 0;
  World world({}, std::make_unique<SendsAll>(&observed));
  world.Arrive(0);
  EXPECT_FALSE(world.AskedNear(0));
  ASSERT_TRUE(world.Sent(0));
  world.FarFinds(0, 3);
  ASSERT_EQ(world.emitted.size(), 1U);
  const FrameRecord& record = world.emitted[0];
  EXPECT_EQ(record.status, FrameStatus::kOk);
  EXPECT_EQ(record.reason, "");
  EXPECT_EQ(record.detections.size(), 3U);
  EXPECT_THAT(record.provenance, ElementsAre(LinkId{1}, LinkId{1}, LinkId{1}));
  EXPECT_EQ(record.answers.size(), 1U);
  ASSERT_EQ(record.verdicts.size(), 1U);
  EXPECT_TRUE(record.verdicts[0].uploaded);
  EXPECT_EQ(record.verdicts[0].upload_probability, 1);
  EXPECT_EQ(record.verdicts[0].discriminator, "all 1");
  EXPECT_EQ(observed, 0);  // there is no near answer to learn from
}

TEST(SmallBig, AsksTheNearModelThatWasLeftOutWhenTheFarAnswerFails) {
  World world({.max_uploads = 1}, std::make_unique<SendsAll>());
  world.Arrive(0);
  world.Arrive(1);  // waits for the one slot
  EXPECT_FALSE(world.Sent(1));
  world.FarFails(0);  // and now the link rests
  EXPECT_TRUE(world.AskedNear(0));
  EXPECT_TRUE(world.AskedNear(1));
  EXPECT_THAT(world.emitted, IsEmpty());
  world.NearFinds(1, 1);
  world.NearFinds(0, 2);
  ASSERT_EQ(world.emitted.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const FrameRecord& record = world.emitted[i];
    EXPECT_EQ(record.status, FrameStatus::kDegraded);
    EXPECT_EQ(record.detections.size(), 2U - i);
    EXPECT_EQ(record.answers[0].node, "near");
    EXPECT_EQ(record.answers.size(), i == 0 ? 2U : 1U);  // the near one, then the failure
    EXPECT_EQ(record.verdicts.size(), 1U);
    EXPECT_EQ(record.verdicts[0].uploaded, i == 0);
  }
  EXPECT_THAT(world.emitted[0].reason, HasSubstr("connection refused"));
  EXPECT_THAT(world.emitted[1].reason, HasSubstr("rests"));
}

TEST(SmallBig, AsksTheNearModelThatWasLeftOutWhenTheFarAnswerIsLate) {
  int observed = 0;
  World world({.deadline = seconds(1)}, std::make_unique<SendsAll>(&observed));
  world.Arrive(0);
  world.now += seconds(1);
  world.Step(TimerFired{world.now});
  ASSERT_TRUE(world.AskedNear(0));
  world.FarFinds(0, 5);  // late, and the near model is at work already
  world.NearFinds(0, 1);
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_EQ(world.emitted[0].status, FrameStatus::kDegraded);
  EXPECT_EQ(world.emitted[0].detections.size(), 1U);
  EXPECT_EQ(world.outcomes.size(), 1U);
  EXPECT_EQ(observed, 0);
}

TEST(SmallBig, FailsAnImageThatNeitherTheFarNorThenTheNearModelAnswers) {
  World world({}, std::make_unique<SendsAll>());
  world.Arrive(0);
  world.FarFails(0);
  world.NearFails(0);
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_EQ(world.emitted[0].status, FrameStatus::kFailed);
  EXPECT_THAT(world.emitted[0].reason, HasSubstr("boom"));
  EXPECT_THAT(world.emitted[0].reason, HasSubstr("connection refused"));
  EXPECT_EQ(world.emitted[0].verdicts.size(), 1U);
}

TEST(SmallBig, WithoutNeedOfBoxesTheNearModelLooksWhereNothingGoesUp) {
  {
    World no_far({.has_far = false}, std::make_unique<SendsAll>());
    no_far.Take(0, 2);
    ASSERT_EQ(no_far.emitted.size(), 1U);
    EXPECT_EQ(no_far.emitted[0].detections.size(), 2U);
    EXPECT_EQ(no_far.emitted[0].status, FrameStatus::kOk);
    EXPECT_TRUE(no_far.emitted[0].verdicts[0].difficult);
  }
  Scripted::Calls calls;
  World kept({}, std::make_unique<SendsAll>(),
             std::make_unique<Scripted>(UploadChoice{.upload = false}, &calls));
  kept.Take(0, 2);
  ASSERT_EQ(kept.emitted.size(), 1U);
  EXPECT_EQ(kept.emitted[0].status, FrameStatus::kOk);
  EXPECT_EQ(kept.emitted[0].detections.size(), 2U);
  EXPECT_EQ(kept.emitted[0].verdicts.size(), 1U);
  EXPECT_FALSE(kept.Sent(0));
  kept.Arrive(1);
  kept.NearFails(1);  // then the far one is to have it
  ASSERT_TRUE(kept.Sent(1));
  kept.FarFinds(1, 1);
  ASSERT_EQ(kept.emitted.size(), 2U);
  EXPECT_EQ(kept.emitted[1].status, FrameStatus::kDegraded);
  EXPECT_EQ(kept.emitted[1].verdicts.size(), 1U);
  EXPECT_EQ(calls.added, 1);
}

TEST(SmallBig, AnAuditChosenBeforeTheNearModelLooksBecomesTheUploadWhenThatFails) {
  Scripted::Calls calls;
  World world({}, std::make_unique<SendsAll>(),
              std::make_unique<Scripted>(
                  UploadChoice{.upload = true, .probability = 0.1, .audit = true}, &calls));
  world.Take(0, 2);  // near finds: the audit goes out beside its result
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_EQ(world.emitted[0].provenance[0], kNear);
  EXPECT_TRUE(world.emitted[0].verdicts[0].audit);
  ASSERT_TRUE(world.Sent(0));
  world.Arrive(1);
  EXPECT_FALSE(world.Sent(1));
  world.NearFails(1);
  ASSERT_TRUE(world.Sent(1));
  world.FarFinds(1, 3);
  ASSERT_EQ(world.emitted.size(), 2U);
  EXPECT_EQ(world.emitted[1].detections.size(), 3U);
  EXPECT_FALSE(world.emitted[1].verdicts[0].audit);
  EXPECT_EQ(calls.added, 0);  // it was counted when it was chosen
  EXPECT_EQ(calls.withdrawn, 0);
}

TEST(SmallBig, FusionWantsTheNearModelEvenWhereEverythingGoesUp) {
  World world({.fusion = kUsualFusion}, std::make_unique<SendsAll>());
  world.Arrive(0);
  ASSERT_TRUE(world.AskedNear(0));
  world.NearFinds(0, 1);
  EXPECT_TRUE(world.Sent(0));
}

TEST(SmallBig, AnEasyImageKeepsTheNearAnswerAndSendsNothing) {
  World world;
  world.Take(0, 1);
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_FALSE(world.Sent(0));
  const FrameRecord& record = world.emitted[0];
  EXPECT_EQ(record.status, FrameStatus::kOk);
  EXPECT_EQ(record.detections, Boxes(1));
  EXPECT_THAT(record.provenance, ElementsAre(kNear));
  ASSERT_EQ(record.verdicts.size(), 1U);
  EXPECT_FALSE(record.verdicts[0].uploaded);
  EXPECT_EQ(record.verdicts[0].upload_probability, 0);
  EXPECT_EQ(record.verdicts[0].discriminator, "count 1");
}

TEST(SmallBig, ADifficultImageGetsTheFarAnswerAndKeepsTheNearOneInTheTrace) {
  int observed = 0;
  World world({}, &observed);
  world.Take(0, 2);
  ASSERT_TRUE(world.Sent(0));
  EXPECT_THAT(world.emitted, IsEmpty());
  world.now += milliseconds(30);
  world.FarFinds(0, 3);
  ASSERT_EQ(world.emitted.size(), 1U);
  const FrameRecord& record = world.emitted[0];
  EXPECT_EQ(record.status, FrameStatus::kOk);
  EXPECT_EQ(record.detections, Boxes(3));
  EXPECT_EQ(record.provenance, std::vector<LinkId>(3, LinkId{1}));
  EXPECT_EQ(record.answers.size(), 2U);
  EXPECT_EQ(record.answers[0].detections, Boxes(2));
  EXPECT_TRUE(record.verdicts[0].uploaded);
  EXPECT_EQ(record.verdicts[0].upload_probability, 1);
  EXPECT_EQ(record.total, milliseconds(30));
  EXPECT_EQ(observed, 1);
}

TEST(SmallBig, FusesBothAnswersOfAnUploadedImageAndTeachesTheFarOneAlone) {
  Detections taught;
  World world({.fusion = {.agree = 0.5, .keep = 0.5}}, nullptr, &taught);
  world.Take(0, 2);
  world.FarFinds(0, 1);
  ASSERT_EQ(world.emitted.size(), 1U);
  const FrameRecord& record = world.emitted[0];
  ASSERT_EQ(record.detections.size(), 2U);
  EXPECT_EQ(record.detections[0].box, Boxes(1)[0].box);
  EXPECT_FLOAT_EQ(record.detections[0].score, 0.945F);  // 1 − (1 − .9)(1 − .5·.9)
  EXPECT_EQ(record.detections[1].box, Boxes(2)[1].box);
  EXPECT_FLOAT_EQ(record.detections[1].score, 0.45F);
  EXPECT_THAT(record.provenance, ElementsAre(LinkId{1}, kNear));
  EXPECT_EQ(record.answers[0].detections, Boxes(2));
  EXPECT_EQ(record.answers[1].detections, Boxes(1));
  EXPECT_EQ(taught, Boxes(1));

  // What fusing lowers below the threshold of the result stays out of it.
  World strict({.score_threshold = 0.5F, .fusion = {.agree = 0.5, .keep = 0.5}});
  strict.Take(0, 2);
  strict.FarFinds(0, 1);
  EXPECT_EQ(strict.emitted[0].detections.size(), 1U);
  EXPECT_THAT(strict.emitted[0].provenance, ElementsAre(LinkId{1}));
}

TEST(SmallBig, FusesNothingWhereOneOfTheModelsFailed) {
  World world({.fusion = {.agree = 0.5, .keep = 0.5}});
  world.Arrive(0);
  world.NearFails(0);
  world.FarFinds(0, 2);
  world.Take(1, 2);
  world.FarFails(1);
  world.Take(2, 1);  // easy
  ASSERT_EQ(world.emitted.size(), 3U);
  EXPECT_EQ(world.emitted[0].detections, Boxes(2));
  EXPECT_EQ(world.emitted[0].provenance, std::vector<LinkId>(2, LinkId{1}));
  EXPECT_EQ(world.emitted[1].detections, Boxes(2));
  EXPECT_EQ(world.emitted[1].provenance, std::vector<LinkId>(2, kNear));
  EXPECT_EQ(world.emitted[2].detections, Boxes(1));
}

TEST(SmallBig, NearWorkGoesOnWhileUploadsAreInFlightAndResultsStayInOrder) {
  World world;
  world.Take(0, 2);
  world.Take(1, 1);
  world.Take(2, 1);
  EXPECT_THAT(world.emitted, IsEmpty());  // 1 and 2 are finished but wait for 0
  world.FarFinds(0, 2);
  ASSERT_EQ(world.emitted.size(), 3U);
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(world.emitted[i].frame, FrameId{i});
  }
}

TEST(SmallBig, UploadsBeyondTheBoundWaitForASlot) {
  World world({.max_uploads = 2});
  for (std::uint64_t i = 0; i < 3; ++i) {
    world.Take(i, 2);
  }
  EXPECT_TRUE(world.Sent(1));
  EXPECT_FALSE(world.Sent(2));
  world.FarFinds(1, 2);
  EXPECT_TRUE(world.Sent(2));
}

TEST(SmallBig, AMissedDeadlineLeavesTheNearAnswerAndTheLateOneBecomesAnOutcome) {
  int observed = 0;
  World world({.deadline = milliseconds(500)}, &observed);
  world.Take(0, 2);
  world.now += milliseconds(499);
  world.Step(TimerFired{world.now});
  EXPECT_THAT(world.emitted, IsEmpty());
  world.now += milliseconds(1);
  world.Step(TimerFired{world.now});
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_EQ(world.emitted[0].status, FrameStatus::kDegraded);
  EXPECT_THAT(world.emitted[0].reason, HasSubstr("no far answer within 500 ms"));
  EXPECT_EQ(world.emitted[0].detections, Boxes(2));
  EXPECT_TRUE(world.emitted[0].verdicts[0].uploaded);  // the bytes were spent
  world.now += seconds(1);
  world.FarFinds(0, 5);
  EXPECT_EQ(world.emitted.size(), 1U);
  ASSERT_EQ(world.outcomes.size(), 1U);
  EXPECT_EQ(world.outcomes[0].frame, FrameId{0});
  EXPECT_EQ(world.outcomes[0].answer.detections, Boxes(5));
  EXPECT_EQ(observed, 1);
}

TEST(SmallBig, ADeadFarNodeDegradesAndIsTriedAgainAfterABackoffThatDoubles) {
  World world({.first_backoff = milliseconds(100), .last_backoff = milliseconds(300)});
  world.Take(0, 2);
  world.FarFails(0);
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_EQ(world.emitted[0].status, FrameStatus::kDegraded);
  EXPECT_EQ(world.emitted[0].reason, "unavailable: connection refused");

  world.Take(1, 2);  // while the link rests
  EXPECT_FALSE(world.Sent(1));
  ASSERT_EQ(world.emitted.size(), 2U);
  EXPECT_THAT(world.emitted[1].reason, HasSubstr("next try in 100 ms"));
  EXPECT_TRUE(world.emitted[1].verdicts[0].difficult);
  EXPECT_FALSE(world.emitted[1].verdicts[0].uploaded);

  world.now += milliseconds(100);
  world.Take(2, 2);
  EXPECT_TRUE(world.Sent(2));
  world.FarFails(2);
  world.now += milliseconds(199);
  world.Take(3, 2);
  EXPECT_FALSE(world.Sent(3));
  world.now += milliseconds(1);
  world.Take(4, 2);
  world.FarFails(4);
  world.now += milliseconds(300);  // 400 ms would be next, 300 is the longest
  world.Take(5, 2);
  EXPECT_TRUE(world.Sent(5));
}

TEST(SmallBig, AfterARestOneProbeGoesFirstAndItsSuccessOpensTheLink) {
  World world({.max_uploads = 4, .first_backoff = milliseconds(100)});
  world.Take(0, 2);
  world.FarFails(0);
  world.now += milliseconds(100);
  world.Take(1, 2);
  world.Take(2, 2);
  EXPECT_TRUE(world.Sent(1));
  EXPECT_FALSE(world.Sent(2));
  world.FarFinds(1, 3);
  EXPECT_TRUE(world.Sent(2));
  world.Take(3, 2);
  EXPECT_TRUE(world.Sent(3));
}

TEST(SmallBig, WaitingUploadsAreGivenUpWhenTheLinkFails) {
  World world({.max_uploads = 1});
  world.Take(0, 2);
  world.Take(1, 2);
  world.FarFails(0);
  ASSERT_EQ(world.emitted.size(), 2U);
  EXPECT_EQ(world.emitted[1].status, FrameStatus::kDegraded);
}

TEST(SmallBig, RepliesThatComeTwiceOrToNobodyAreIgnored) {
  World world;
  world.Take(0, 2);
  world.FarFinds(0, 3);
  world.FarFinds(0, 4);
  world.NearFinds(0, 1);
  world.Step(ReplyArrived{world.now, FrameId{7}, {.request = RequestId{999}}});
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_EQ(world.emitted[0].detections, Boxes(3));
}

TEST(SmallBig, AnUnreadableImageTakesItsTurn) {
  World world;
  world.Take(0, 2);
  world.Step(FrameBroken{world.now, FrameId{1}, "test", "broken", "not a JPEG"});
  EXPECT_THAT(world.emitted, IsEmpty());
  world.FarFinds(0, 2);
  ASSERT_EQ(world.emitted.size(), 2U);
  EXPECT_EQ(world.emitted[1].status, FrameStatus::kUnreadable);
  EXPECT_EQ(world.emitted[1].reason, "not a JPEG");
}

TEST(SmallBig, ANearModelThatFailsIsCoveredByTheFarOne) {
  World world;
  world.Arrive(0);
  world.NearFails(0);
  ASSERT_TRUE(world.Sent(0));
  world.FarFinds(0, 2);
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_EQ(world.emitted[0].status, FrameStatus::kDegraded);
  EXPECT_EQ(world.emitted[0].detections, Boxes(2));
}

TEST(SmallBig, WithoutAnyAnswerTheFrameIsMarkedFailed) {
  World world;
  world.Arrive(0);
  world.NearFails(0);
  world.FarFails(0);
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_EQ(world.emitted[0].status, FrameStatus::kFailed);
  EXPECT_THAT(world.emitted[0].reason, HasSubstr("boom"));
  EXPECT_THAT(world.emitted[0].reason, HasSubstr("connection refused"));
}

TEST(SmallBig, WithoutAFarNodeVerdictsAreNotedAndNearAnswersStand) {
  World world({.has_far = false});
  world.Take(0, 2);
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_EQ(world.emitted[0].status, FrameStatus::kOk);
  EXPECT_TRUE(world.emitted[0].verdicts[0].difficult);
  EXPECT_FALSE(world.emitted[0].verdicts[0].uploaded);
}

TEST(SmallBig, ResultsHoldTheBoxesAboveTheirClassesThreshold) {
  World world({.score_threshold = 0.5F, .class_thresholds = {0.95F}});
  world.Take(0, 1);  // one box of class 0, score .9
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_THAT(world.emitted[0].detections, IsEmpty());
  EXPECT_EQ(world.emitted[0].answers[0].detections.size(), 1U);
}

TEST(SmallBig, ANodeThatSaysItIsReadyIsUsedAtOnce) {
  World world({.first_backoff = seconds(10)});
  world.Take(0, 2);
  world.FarFails(0);
  world.Step(NodeChanged{world.now, LinkId{1}, true, "far"});
  world.Take(1, 2);
  EXPECT_TRUE(world.Sent(1));
}

TEST(SmallBig, OptionsThatCannotWorkAreNamed) {
  EXPECT_TRUE(Validate(SmallBigPlannerOptions{}));
  EXPECT_THAT(Validate(SmallBigPlannerOptions{.deadline = Duration::zero()}).error().message,
              HasSubstr("deadline"));
  EXPECT_THAT(Validate(SmallBigPlannerOptions{.max_uploads = 0}).error().message,
              HasSubstr("max_uploads"));
  EXPECT_THAT(Validate(SmallBigPlannerOptions{.score_threshold = 2}).error().message,
              HasSubstr("score"));
}

TEST(SmallBig, AnAuditedFrameEndsAtOnceWithTheNearAnswerAndTheFarOneIsAnOutcome) {
  AuditAll::Told told;
  int observed = 0;
  World world({}, &told, &observed);
  world.Take(0, 1);
  ASSERT_EQ(world.emitted.size(), 1U);
  ASSERT_TRUE(world.Sent(0));
  const FrameRecord& record = world.emitted[0];
  EXPECT_EQ(record.status, FrameStatus::kOk);
  EXPECT_EQ(record.detections, Boxes(1));
  EXPECT_THAT(record.provenance, ElementsAre(kNear));
  EXPECT_TRUE(record.verdicts[0].audit);
  EXPECT_TRUE(record.verdicts[0].uploaded);
  EXPECT_FALSE(record.verdicts[0].difficult);
  EXPECT_EQ(record.verdicts[0].upload_probability, 0.25);
  EXPECT_EQ(record.verdicts[0].audit_probability, 0.25);
  EXPECT_EQ(record.verdicts[0].reason, "counted; by chance");
  world.now += seconds(30);  // long after its deadline
  world.Step(TimerFired{world.now});
  world.FarFinds(0, 3);
  ASSERT_EQ(world.outcomes.size(), 1U);
  EXPECT_EQ(world.outcomes[0].kind, OutcomeKind::kAudit);
  EXPECT_EQ(world.outcomes[0].frame, FrameId{0});
  EXPECT_EQ(world.outcomes[0].answer.detections, Boxes(3));
  EXPECT_EQ(observed, 1);
  EXPECT_EQ(world.judge->last_probability, 0.25);
  EXPECT_THAT(told.actual, ElementsAre(1100));
  EXPECT_EQ(world.emitted.size(), 1U);
}

TEST(SmallBig, AnAuditWaitsForNoneAndNoneWaitsForIt) {
  AuditAll::Told told;
  World world({.max_uploads = 1, .max_audits = 1}, &told);
  world.Take(0, 2);  // takes the upload's place
  world.Take(1, 1);
  EXPECT_TRUE(world.Sent(1));  // beside it
  world.Take(2, 1);
  EXPECT_FALSE(world.Sent(2));  // the audits' place is taken
  EXPECT_EQ(told.withdrawn, 1);
  world.FarFinds(1, 1);
  world.Take(3, 1);
  EXPECT_TRUE(world.Sent(3));
  world.FarFinds(0, 2);
  ASSERT_EQ(world.emitted.size(), 4U);
  EXPECT_TRUE(world.emitted[2].verdicts[0].audit);
  EXPECT_FALSE(world.emitted[2].verdicts[0].uploaded);
  world.Take(4, 2);
  EXPECT_TRUE(world.Sent(4));  // audits in flight take no place of an upload
}

TEST(SmallBig, AnAuditThatFailsIsAnOutcomeThatTeachesNothingAndRestsTheLink) {
  AuditAll::Told told;
  int observed = 0;
  World world({.first_backoff = milliseconds(100)}, &told, &observed);
  world.Take(0, 1);
  world.FarFails(0);
  ASSERT_EQ(world.outcomes.size(), 1U);
  EXPECT_EQ(world.outcomes[0].kind, OutcomeKind::kAudit);
  EXPECT_EQ(world.outcomes[0].answer.error_code, "unavailable");
  EXPECT_EQ(observed, 0);
  EXPECT_THAT(told.actual, IsEmpty());
  world.Take(1, 1);  // while the link rests no audit goes out ...
  EXPECT_FALSE(world.Sent(1));
  EXPECT_EQ(told.withdrawn, 1);
  world.now += milliseconds(100);
  world.Take(2, 1);  // ... nor as the probe of a link that was ill
  EXPECT_FALSE(world.Sent(2));
  for (const FrameRecord& record : world.emitted) {
    EXPECT_EQ(record.status, FrameStatus::kOk);  // easy images miss nothing
  }
}

TEST(SmallBig, AuditsThatComeTwiceOutOfOrderOrNeverLeaveNothingBehind) {
  AuditAll::Told told;
  int observed = 0;
  World world({.max_audits = 3}, &told, &observed);
  for (std::uint64_t i = 0; i < 3; ++i) {
    world.Take(i, 1);
  }
  world.FarFinds(2, 2);
  world.FarFinds(0, 2);
  world.FarFinds(0, 2);
  world.FarFinds(2, 4);
  EXPECT_EQ(observed, 2);
  ASSERT_EQ(world.outcomes.size(), 2U);
  EXPECT_EQ(world.outcomes[0].frame, FrameId{2});
  EXPECT_EQ(world.outcomes[1].frame, FrameId{0});
  EXPECT_EQ(told.actual.size(), 2U);
  EXPECT_EQ(world.emitted.size(), 3U);  // the third never answers: its frame has long ended
  EXPECT_EQ(world.planner.frames_in_flight(), 0U);
}

TEST(SmallBig, WithoutAFarNodeNothingIsAudited) {
  AuditAll::Told told;
  World world({.has_far = false}, &told);
  world.Take(0, 1);
  EXPECT_FALSE(world.Sent(0));
  ASSERT_EQ(world.emitted.size(), 1U);
  EXPECT_FALSE(world.emitted[0].verdicts[0].uploaded);
}

TEST(SmallBig, ThePolicyIsToldOfEveryUploadThatItDidNotChooseOrThatDidNotGo) {
  AuditAll::Told told;
  World world({.max_uploads = 1, .first_backoff = milliseconds(100)}, &told);
  world.Arrive(0);
  world.NearFails(0);
  EXPECT_EQ(told.added, 1);
  world.Take(1, 2);
  EXPECT_EQ(told.withdrawn, 0);  // waits for its place
  world.FarFails(0);
  EXPECT_EQ(told.withdrawn, 1);  // and is given up when the link fails
}

// The property that a user relies on, under a far side that answers, fails, stalls or repeats itself
// at random: one result per frame, in order, and nothing left behind.
TEST(SmallBig, EveryFrameEndsExactlyOnceAndInOrderWhateverTheFarSideDoes) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    World world({.deadline = milliseconds(50),
                 .max_uploads = 3,
                 .first_backoff = milliseconds(10),
                 .last_backoff = milliseconds(80)});
    constexpr std::uint64_t kFrames = 60;
    std::uint64_t arrived = 0;
    std::vector<std::uint64_t> near_open;
    std::vector<std::uint64_t> far_open;
    const auto take = [&](std::vector<std::uint64_t>& open) {
      const auto i = static_cast<std::size_t>(rng.Below(open.size()));
      const std::uint64_t frame = open[i];
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
      return frame;
    };
    std::map<FrameId, bool> seen_send;
    while (world.emitted.size() < kFrames) {
      world.now += milliseconds(rng.Below(20));
      switch (rng.Below(5)) {
        case 0:
          if (arrived < kFrames) {
            world.Arrive(arrived);
            near_open.push_back(arrived++);
          }
          break;
        case 1:
          if (!near_open.empty()) {
            world.NearFinds(take(near_open), static_cast<int>(rng.Below(4)));
          }
          break;
        case 2:
        case 3:
          if (!far_open.empty()) {
            const std::uint64_t frame = take(far_open);
            rng.Chance(0.5) ? world.FarFinds(frame, 1) : world.FarFails(frame);
            if (rng.Chance(0.1)) {
              world.FarFinds(frame, 2);  // twice
            }
          }
          break;
        default:
          world.Step(TimerFired{world.now});
      }
      for (const auto& [frame, send] : world.sends) {
        if (!seen_send[frame]) {
          seen_send[frame] = true;
          far_open.push_back(ToNumber(frame));
        }
      }
    }
    while (!far_open.empty()) {
      world.FarFinds(take(far_open), 1);
    }
    ASSERT_EQ(world.emitted.size(), kFrames);
    for (std::uint64_t i = 0; i < kFrames; ++i) {
      ASSERT_EQ(world.emitted[i].frame, FrameId{i}) << "seed " << seed;
    }
    EXPECT_EQ(world.planner.frames_in_flight(), 0U);
  }
}

TEST(SmallBig, EveryUploadIsChargedOnceAndSettledOnceWhateverBothModelsDo) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    Ledger::Accounts accounts;
    std::unique_ptr<Discriminator> judge = std::make_unique<CountDiscriminator>();
    if (seed % 2 == 1) {
      judge = std::make_unique<SendsAll>();  // judged before the near model has looked
    }
    World world({.deadline = milliseconds(50),
                 .max_uploads = 2,
                 .max_audits = 1,
                 .first_backoff = milliseconds(10),
                 .last_backoff = milliseconds(80),
                 .fusion = {.agree = seed % 3 == 2 ? 0.3 : 0.0}},
                std::move(judge), std::make_unique<Ledger>(seed, &accounts));
    constexpr std::uint64_t kFrames = 60;
    std::uint64_t arrived = 0;
    std::map<FrameId, bool> near_answered;
    std::map<FrameId, bool> far_answered;
    const auto next = [&](const auto& asked, std::map<FrameId, bool>& answered) {
      std::vector<std::uint64_t> open;
      for (const auto& [frame, request] : asked) {
        if (!answered[frame]) {
          open.push_back(ToNumber(frame));
        }
      }
      std::optional<std::uint64_t> frame;
      if (!open.empty()) {
        frame = open[static_cast<std::size_t>(rng.Below(open.size()))];
        answered[FrameId{*frame}] = true;
      }
      return frame;
    };
    std::map<FrameId, bool> far_ok;
    const auto far_answers = [&] {
      if (const auto frame = next(world.sends, far_answered)) {
        far_ok[FrameId{*frame}] = rng.Chance(0.7);
        far_ok[FrameId{*frame}] ? world.FarFinds(*frame, 1) : world.FarFails(*frame);
        if (rng.Chance(0.1)) {
          world.FarFinds(*frame, 2);  // twice
        }
        return true;
      }
      return false;
    };
    for (int step = 0; world.emitted.size() < kFrames; ++step) {
      ASSERT_LT(step, 10000) << "seed " << seed << ": it hangs";
      world.now += milliseconds(rng.Below(20));
      switch (rng.Below(5)) {
        case 0:
          if (arrived < kFrames) {
            world.Arrive(arrived, static_cast<std::int64_t>(1000 + arrived));
            ++arrived;
          }
          break;
        case 1:
        case 2:
          if (const auto frame = next(world.infers, near_answered)) {
            rng.Chance(0.8) ? world.NearFinds(*frame, static_cast<int>(rng.Below(4)))
                            : world.NearFails(*frame);
          }
          break;
        case 3:
          far_answers();
          break;
        default:
          world.Step(TimerFired{world.now});
      }
    }
    while (far_answers()) {
    }
    ASSERT_EQ(world.emitted.size(), kFrames);
    EXPECT_EQ(world.planner.frames_in_flight(), 0U);
    for (std::uint64_t i = 0; i < kFrames; ++i) {
      const std::string where = "seed " + std::to_string(seed) + ", frame " + std::to_string(i);
      const FrameRecord& record = world.emitted[i];
      ASSERT_EQ(record.frame, FrameId{i}) << where;
      ASSERT_EQ(record.verdicts.size(), 1U) << where;
      const Verdict& verdict = record.verdicts[0];
      const Ledger::Account& account = accounts[static_cast<std::int64_t>(1000 + i)];
      const bool sent = world.Sent(i);
      ASSERT_LE(account.charged, 1) << where;
      ASSERT_EQ(account.withdrawn, account.charged - (sent ? 1 : 0)) << where;
      ASSERT_EQ(account.observed, sent && far_ok[FrameId{i}] ? 1 : 0) << where;
      ASSERT_EQ(verdict.uploaded, sent) << where;
      if (verdict.reason == "the near model failed") {
        ASSERT_EQ(verdict.upload_probability, 1) << where;
        ASSERT_FALSE(verdict.audit) << where;
      } else {
        ASSERT_EQ(verdict.upload_probability, account.choice.probability) << where;
        ASSERT_EQ(verdict.audit, account.choice.audit) << where;
      }
    }
  }
}

}  // namespace
}  // namespace nearfar
