#include "core/link_model.h"

#include <gmock/gmock.h>

#include <limits>
#include <vector>

namespace nearfar {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr TimePoint kStart{seconds(100)};

/// Milliseconds from the start to an arrival.
double After(std::optional<TimePoint> arrival) {
  return arrival ? ToMilliseconds(*arrival - kStart) : -1;
}

TEST(LinkModel, IsNamedWhereItIsWrong) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(Validate(LinkModel{}));
  EXPECT_TRUE(Validate({.up_bytes_per_second = 1, .delay = std::chrono::minutes(1), .loss = 1}));
  const std::pair<LinkModel, const char*> cases[] = {
      {{.up_bytes_per_second = -1}, "up"},
      {{.up_bytes_per_second = 0.5}, "up"},  // a kilobyte would take half an hour
      {{.down_bytes_per_second = nan}, "down"},
      {{.delay = milliseconds(-1)}, "delay"},
      {{.delay = std::chrono::hours(1)}, "delay"},
      {{.jitter = milliseconds(-1)}, "jitter"},
      {{.loss = -0.01}, "loss"},
      {{.loss = 1.01}, "loss"},
      {{.loss = nan}, "loss"},
  };
  for (const auto& [model, field] : cases) {
    ASSERT_FALSE(Validate(model)) << field;
    EXPECT_THAT(Validate(model).error().message, HasSubstr(std::string(field) + ": "));
  }
}

TEST(LinkModel, CountsTheHeadersOfEveryPacket) {
  EXPECT_EQ(BytesOnWire(0), 66);  // a packet all the same
  EXPECT_EQ(BytesOnWire(1448), 1514);
  EXPECT_EQ(BytesOnWire(1449), 1449 + 2 * 66);
}

TEST(LinkLane, WithoutLimitsDeliversAtOnce) {
  LinkLane lane = LinkLane::Up({});
  EXPECT_EQ(After(lane.Send(kStart, 1'000'000)), 0);
  EXPECT_EQ(After(lane.Send(kStart, 0)), 0);
}

TEST(LinkLane, TakesBytesOverRatePlusDelay) {
  // 10 packets of 1,514 bytes at 1,514,000 bytes/s: 10 ms; up and down have rates of their own.
  const LinkModel model{.up_bytes_per_second = 1'514'000,
                        .down_bytes_per_second = 3'028'000,
                        .delay = milliseconds(5)};
  LinkLane up = LinkLane::Up(model);
  LinkLane down = LinkLane::Down(model);
  EXPECT_EQ(After(up.Send(kStart, 14'480)), 15);
  EXPECT_EQ(After(down.Send(kStart, 14'480)), 10);
  EXPECT_EQ(After(up.free_at()), 10);
}

TEST(LinkLane, SendsOneMessageAfterTheOther) {
  LinkLane lane =
      LinkLane::Up({.up_bytes_per_second = 1'514'000, .delay = milliseconds(5)});
  EXPECT_EQ(After(lane.Send(kStart, 14'480)), 15);
  EXPECT_EQ(After(lane.Send(kStart, 1448)), 16);                      // waits its turn
  EXPECT_EQ(After(lane.Send(kStart + milliseconds(11), 1448)), 17);   // just as the lane gets free
  EXPECT_EQ(After(lane.Send(kStart + milliseconds(100), 1448)), 106);  // long after
}

TEST(LinkLane, NeverOvertakesUnderJitterAndStaysWithinIt) {
  LinkLane lane = LinkLane::Up({.delay = milliseconds(5), .jitter = milliseconds(10), .seed = 3});
  double last = 0;
  bool varied = false;
  for (int i = 0; i < 200; ++i) {
    const double arrival = After(lane.Send(kStart + microseconds(100 * i), 100));
    EXPECT_GE(arrival, last);
    EXPECT_GE(arrival, 5 + 0.1 * i);
    EXPECT_LT(arrival, 15 + 0.1 * i);
    varied = varied || arrival > last + 0.2;
    last = arrival;
  }
  EXPECT_TRUE(varied);
}

TEST(LinkLane, DeliversNothingWhenEverythingIsLost) {
  LinkLane lane = LinkLane::Up({.up_bytes_per_second = 1'514'000, .loss = 1});
  EXPECT_FALSE(lane.Send(kStart, 1448));
  EXPECT_EQ(After(lane.free_at()), 1);  // it was sent all the same
}

TEST(LinkLane, RepairsALostLastPacketAfterTheTimeout) {
  // Messages of one packet: none follows, so a loss costs a round trip and 200 ms, then twice that.
  LinkLane lane = LinkLane::Up({.delay = milliseconds(5), .loss = 0.3, .seed = 5});
  std::vector<int> times_lost(4);
  for (int i = 0; i < 3000; ++i) {
    const TimePoint now = kStart + std::chrono::minutes(i);
    const auto arrival = lane.Send(now, 0);
    ASSERT_TRUE(arrival);
    const double late = ToMilliseconds(*arrival - now) - 5;
    if (late < 1) {
      ++times_lost[0];
    } else if (late < 212) {
      EXPECT_NEAR(late, 210, 1.5);
      ++times_lost[1];
    } else {
      EXPECT_GE(late, 629);
      ++times_lost[2];
    }
  }
  EXPECT_NEAR(times_lost[0] / 3000.0, 0.7, 0.03);
  EXPECT_NEAR(times_lost[1] / 3000.0, 0.21, 0.03);
}

TEST(LinkLane, RepairsAPacketInsideAMessageAfterARoundTrip) {
  // 1,000 packets in 1,000 ms at most 2 of whose last three are lost in this seed's first message:
  // what is repaired on the way does not delay the end, what is sent again takes its time.
  const double loss = 0.01;
  const LinkModel model{
      .up_bytes_per_second = 1'514'000, .delay = microseconds(500), .loss = loss, .seed = 11};
  LinkLane lane = LinkLane::Up(model);
  int quick = 0;
  for (int i = 0; i < 50; ++i) {
    const TimePoint now = kStart + std::chrono::minutes(i);
    const double took = ToMilliseconds(*lane.Send(now, 1'448'000) - now);
    EXPECT_GE(took, 1000.5);
    EXPECT_LT(took, 1700);
    quick += took < 1040 ? 1 : 0;
  }
  EXPECT_GE(quick, 44);  // P(one of the last three is lost) = 3 %
}

TEST(LinkLane, HoldsTheRateToWhatCongestionControlAllows) {
  // 1.22 · 1,514 bytes / (20 ms · √.01) = 923,540 bytes/s, far below the wire.
  LinkLane lane = LinkLane::Up(
      {.up_bytes_per_second = 100e6, .delay = milliseconds(10), .loss = 0.01, .seed = 1});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(lane.Send(kStart, 144'800));
  }
  const double sent = 100 * static_cast<double>(BytesOnWire(144'800)) / 0.99;  // and again
  EXPECT_NEAR(After(lane.free_at()), 1e3 * sent / 923'540, 300);
}

TEST(LinkLane, GivesTheSameArrivalsForTheSameSeed) {
  const LinkModel model{.up_bytes_per_second = 1e6,
                        .down_bytes_per_second = 1e6,
                        .delay = milliseconds(5),
                        .jitter = milliseconds(3),
                        .loss = 0.02,
                        .seed = 7};
  LinkModel other = model;
  other.seed = 8;
  LinkLane a = LinkLane::Up(model);
  LinkLane b = LinkLane::Up(model);
  LinkLane c = LinkLane::Up(other);
  LinkLane d = LinkLane::Down(model);
  bool differs_by_seed = false;
  bool differs_by_direction = false;
  for (int i = 0; i < 50; ++i) {
    const TimePoint now = kStart + milliseconds(200 * i);
    const auto arrival = a.Send(now, 50'000);
    EXPECT_EQ(arrival, b.Send(now, 50'000));
    differs_by_seed = differs_by_seed || arrival != c.Send(now, 50'000);
    differs_by_direction = differs_by_direction || arrival != d.Send(now, 50'000);
  }
  EXPECT_TRUE(differs_by_seed);
  EXPECT_TRUE(differs_by_direction);
}

}  // namespace
}  // namespace nearfar
