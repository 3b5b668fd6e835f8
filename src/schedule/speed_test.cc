#include "schedule/speed.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cmath>
#include <vector>

#include "core/rng.h"

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kMpx = 1'000'000;

/// A node that works without pause.
class BusyNode {
 public:
  explicit BusyNode(std::uint64_t seed = 1, double noise = 0.08) : rng_(seed), noise_(noise) {}

  void Answer(double ms, std::int64_t pixels = kMpx) {
    const TimePoint sent = now_;
    now_ += FromMilliseconds(ms * std::exp(noise_ * rng_.Normal()));
    speed_.Observe({.sent = sent, .answered = now_, .pixels = pixels});
  }
  void Wait(Duration time) { now_ += time; }
  /// What a region is believed to take, in ms.
  double Believed(std::int64_t pixels = kMpx) const {
    const NodeSpeed speed = speed_.At(now_);
    return ToMilliseconds(speed.per_region) +
           1e3 * static_cast<double>(pixels) / speed.px_per_second;
  }
  const SpeedEstimator& speed() const { return speed_; }
  TimePoint now() const { return now_; }

 private:
  Rng rng_;
  double noise_;
  SpeedEstimator speed_;
  TimePoint now_{};
};

TEST(SpeedEstimator, KnowsNothingBeforeTheFirstAnswerAndBelievesTheFirst) {
  BusyNode node(1, 0);
  EXPECT_FALSE(node.speed().measured());
  EXPECT_EQ(node.speed().At(TimePoint{}), NodeSpeed{});
  node.Answer(20);
  EXPECT_TRUE(node.speed().measured());
  EXPECT_NEAR(node.Believed(), 20, 1e-6);
  EXPECT_NEAR(node.Believed(3 * kMpx), 60, 1e-6);  // so far all grows with the pixels
}

TEST(SpeedEstimator, AveragesNoiseAndFollowsDrift) {
  BusyNode node;
  double off = 0;
  double log_speed = 0;
  Rng rng(9);
  for (int k = 0; k < 4000; ++k) {
    // sigma 0.2, tau 4 s, at about 20 ms a step
    log_speed = std::exp(-0.005) * log_speed + 0.2 * std::sqrt(1 - std::exp(-0.01)) * rng.Normal();
    node.Answer(20 * std::exp(log_speed));
    off += k < 50 ? 0 : std::pow(std::log(node.Believed() / 20) - log_speed, 2) / 3950;
  }
  EXPECT_LT(std::sqrt(off), 0.055);  // the noise of one answer is 0.08
}

TEST(SpeedEstimator, FollowsASlowDownAtItsSecondAnswerAndTheReturnAtItsSecond) {
  BusyNode node;
  for (int k = 0; k < 100; ++k) {
    node.Answer(20);
  }
  node.Answer(80);
  EXPECT_GT(node.Believed(), 30);
  node.Answer(80);
  EXPECT_NEAR(node.Believed(), 80, 16);
  node.Answer(80);
  EXPECT_NEAR(node.Believed(), 80, 12);
  node.Answer(20);
  node.Answer(20);
  EXPECT_NEAR(node.Believed(), 20, 4);
}

TEST(SpeedEstimator, HalfBelievesOneOutlierAndForgetsItAtTheNextAnswer) {
  BusyNode node;
  for (int k = 0; k < 100; ++k) {
    node.Answer(20);
  }
  node.Answer(1000);
  EXPECT_LT(node.Believed(), 20 * std::exp(1.6));  // half of at most 3 in the log
  node.Answer(20);
  EXPECT_NEAR(node.Believed(), 20, 4);
}

TEST(SpeedEstimator, AnOldDeviationFadesSoThatANodeThatGotNothingIsTriedAgain) {
  BusyNode node;
  for (int k = 0; k < 200; ++k) {
    node.Answer(20);
  }
  for (int k = 0; k < 5; ++k) {
    node.Answer(80);
  }
  EXPECT_GT(node.Believed(), 60);
  const double sure = node.speed().At(node.now()).doubt;
  node.Wait(seconds(4));
  EXPECT_LT(node.Believed(), 45);
  EXPECT_GT(node.speed().At(node.now()).doubt, 2 * sure);
  node.Wait(seconds(60));
  EXPECT_NEAR(node.Believed(), 21, 5);  // its level
  EXPECT_NEAR(node.speed().At(node.now()).doubt, SpeedOptions{}.spread, 1e-6);
}

TEST(SpeedEstimator, TellsTheFixedPartFromThePixelsOnceSizesDiffer) {
  BusyNode node;
  Rng rng(3);
  for (int k = 0; k < 400; ++k) {
    const auto pixels = static_cast<std::int64_t>(rng.Uniform(0.3, 3) * kMpx);
    node.Answer(6 + 10 * static_cast<double>(pixels) / kMpx, pixels);
  }
  EXPECT_NEAR(ToMilliseconds(node.speed().At(node.now()).per_region), 6, 1.5);
  EXPECT_NEAR(node.Believed(3 * kMpx), 36, 4);
  EXPECT_NEAR(node.Believed(kMpx / 2), 11, 1.5);
}

TEST(SpeedEstimator, CountsFromTheAnswerBeforeWhereRegionsWaitedAtTheNode) {
  SpeedEstimator speed;
  // Two sent at once: the second was in work from 20 ms on.
  speed.Observe({.sent = {}, .answered = TimePoint{} + milliseconds(20), .pixels = kMpx});
  speed.Observe({.sent = {}, .answered = TimePoint{} + milliseconds(40), .pixels = kMpx});
  EXPECT_NEAR(1e3 * kMpx / speed.At(TimePoint{} + milliseconds(40)).px_per_second, 20, 0.01);
}

TEST(SpeedEstimator, TakesTheNodesOwnTimeWhereAnswersCameTogether) {
  SpeedEstimator speed;
  for (int k = 1; k <= 20; ++k) {
    // A link that lets two through at once.
    const TimePoint at = TimePoint{} + milliseconds(40 * k);
    speed.Observe({.sent = {}, .answered = at, .pixels = kMpx, .compute = milliseconds(40)});
    speed.Observe({.sent = {}, .answered = at, .pixels = kMpx, .compute = milliseconds(40)});
  }
  EXPECT_NEAR(1e3 * kMpx / speed.At(TimePoint{} + milliseconds(800)).px_per_second, 40, 0.01);
  // Without it, the belief stays a positive number.
  SpeedEstimator blind;
  for (int k = 0; k < 20; ++k) {
    blind.Observe({.sent = {}, .answered = TimePoint{}, .pixels = kMpx});
  }
  EXPECT_TRUE(std::isfinite(blind.At(TimePoint{}).px_per_second));
  EXPECT_GT(blind.At(TimePoint{}).px_per_second, 0);
}

TEST(SpeedOptions, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(Validate(SpeedOptions{}));
  EXPECT_FALSE(Validate(SpeedOptions{.noise = 0}));
  EXPECT_FALSE(Validate(SpeedOptions{.spread = NAN}));
  EXPECT_FALSE(Validate(SpeedOptions{.memory = Duration::zero()}));
  EXPECT_FALSE(Validate(SpeedOptions{.level_memory = seconds(1)}));
  EXPECT_FALSE(Validate(SpeedOptions{.surprise = -1}));
}

}  // namespace
}  // namespace nearfar
