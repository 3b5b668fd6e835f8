#include "discriminate/budget.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr TimePoint kStart{seconds(1000)};

/// What a policy did with a stream of scores.
struct Done {
  std::vector<UploadChoice> choices;

  double uploads() const {
    return static_cast<double>(std::count_if(choices.begin(), choices.end(),
                                             [](const UploadChoice& c) { return c.upload; }));
  }
  double share() const { return uploads() / static_cast<double>(choices.size()); }
  /// Least and greatest share among so many in a row.
  std::pair<double, double> Extremes(std::size_t frames) const {
    std::pair<double, double> found{1, 0};
    double now = 0;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      now += choices[i].upload ? 1 : 0;
      now -= i >= frames && choices[i - frames].upload ? 1 : 0;
      if (i + 1 >= frames) {
        found.first = std::min(found.first, now / static_cast<double>(frames));
        found.second = std::max(found.second, now / static_cast<double>(frames));
      }
    }
    return found;
  }
};

Done Play(BudgetPolicy& policy, const std::vector<double>& scores) {
  Done done;
  for (const double score : scores) {
    done.choices.push_back(policy.Choose({.score = score}, {}, kStart));
  }
  return done;
}
Done Play(const BudgetOptions& options, const std::vector<double>& scores) {
  BudgetPolicy policy(options);
  return Play(policy, scores);
}

/// Streams that drift in ways of their own; `n` scores each.
std::vector<std::pair<const char*, std::vector<double>>> Streams(std::size_t n,
                                                                 std::uint64_t seed) {
  std::vector<std::pair<const char*, std::vector<double>>> streams{{"without drift", {}},
                                                                   {"all scores rise half-way", {}},
                                                                   {"all scores fall half-way", {}},
                                                                   {"a steady climb", {}},
                                                                   {"a steady fall", {}},
                                                                   {"waves", {}},
                                                                   {"three values", {}},
                                                                   {"one value", {}},
                                                                   {"mostly zero", {}},
                                                                   {"mostly zero, then never", {}},
                                                                   {"every 150 another scene", {}},
                                                                   {"a burst", {}}};
  Rng rng(seed);
  for (std::size_t i = 0; i < n; ++i) {
    const double u = rng.Uniform();
    const double at = static_cast<double>(i) / static_cast<double>(n);
    const bool late = 2 * i >= n;
    const double zero_or_not = u < 0.85 ? 0 : u;
    const double values[] = {u,
                             late ? 5 + u : u,
                             late ? u : 5 + u,
                             u + 20 * at,
                             u - 20 * at,
                             u + std::sin(40 * at),
                             std::floor(3 * u),
                             0.25,
                             zero_or_not,
                             late ? 1 + u : zero_or_not,
                             u + 3 * static_cast<double>((i / 150) % 2),
                             u + (at > 0.5 && at < 0.53 ? 7 : 0)};
    for (std::size_t s = 0; s < streams.size(); ++s) {
      streams[s].second.push_back(values[s]);
    }
  }
  return streams;
}

TEST(Budget, AShareHoldsInAnyStretchOfAnyStream) {
  for (const double share : {0.05, 0.1, 0.2, 0.5, 0.8}) {
    for (const double audit : {0.0, 0.01}) {
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        for (const auto& [name, scores] : Streams(4000, seed)) {
          const Done done = Play({.share = share, .audit = audit, .seed = seed}, scores);
          const auto [low, high] = done.Extremes(1000);
          EXPECT_GE(low, share - 0.02 - 1e-9) << name << " at " << share << ", audits " << audit;
          EXPECT_LE(high, share + 0.02 + 1e-9) << name << " at " << share << ", audits " << audit;
          EXPECT_LE(done.Extremes(300).second, 1.5 * share + 1e-9) << name << " at " << share;
          EXPECT_NEAR(done.share(), share, 0.0051) << name << " at " << share;
        }
      }
    }
  }
}

TEST(Budget, NothingAndEverythingAreSharesToo) {
  for (const auto& [name, scores] : Streams(400, 1)) {
    EXPECT_EQ(Play({.share = 0.0, .audit = 0.5}, scores).uploads(), 0) << name;
    EXPECT_EQ(Play({.share = 1.0, .audit = 0.5}, scores).uploads(), 400) << name;
  }
}

TEST(Budget, WithoutDriftItUploadsTheBestAndOnlyThem) {
  std::vector<double> scores;
  Rng rng(3);
  for (int i = 0; i < 5000; ++i) {
    scores.push_back(rng.Uniform());
  }
  const Done done = Play({.share = 0.2}, scores);
  int swapped = 0;
  for (std::size_t i = 300; i < scores.size(); ++i) {
    swapped += done.choices[i].upload != (scores[i] > 0.8) ? 1 : 0;
    if (done.choices[i].upload) {
      EXPECT_GE(scores[i], done.choices[i].threshold);
    } else {
      EXPECT_LE(scores[i], done.choices[i].threshold);
    }
  }
  EXPECT_LT(swapped, 200);  // of 4,700, around the threshold
}

TEST(Budget, TheFirstImagesGoByChanceOrByWhatCalibrationSaw) {
  double first = 0;
  double good = 0;
  double bad = 0;
  std::vector<double> percentiles;
  for (int p = 0; p <= 100; ++p) {
    percentiles.push_back(p);
  }
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    first += Play({.share = 0.2, .seed = seed}, {7}).uploads();
    const BudgetOptions known{.share = 0.2, .gain_percentiles = percentiles, .seed = seed};
    good += Play(known, {81.5}).uploads();
    bad += Play(known, {78.5}).uploads();
  }
  EXPECT_NEAR(first / 4000, 0.2, 0.02);
  EXPECT_EQ(good, 4000);
  EXPECT_EQ(bad, 0);
}

TEST(Budget, TiesAreBrokenByAFairChanceThatIsTold) {
  // 60 of 100 images at 0, asked for 70 %: a quarter of the zeros goes.
  std::vector<double> scores;
  for (int i = 0; i < 30000; ++i) {
    scores.push_back(i % 10 < 6 ? 0 : 1 + i % 7);
  }
  const Done done = Play({.share = 0.7, .seed = 5}, scores);
  double zeros = 0;
  double sent = 0;
  double told = 0;
  for (std::size_t i = 300; i < scores.size(); ++i) {
    if (scores[i] == 0) {
      ++zeros;
      sent += done.choices[i].upload ? 1 : 0;
      told += done.choices[i].probability;
    }
  }
  EXPECT_NEAR(sent / zeros, 0.5, 0.01);  // (0.7 - 0.4) / 0.6
  EXPECT_NEAR(told / zeros, 0.5, 0.01);
}

// The sum of (uploaded - probability) over a stream is a martingale: divided by its own deviation
// it is standard normal, also within the decisions of each kind.
TEST(Budget, TheProbabilityToldIsThatOfTheDecision) {
  std::uint64_t another = 1000;
  for (const double explore : {0.0, 0.2}) {
    double uploads = 0, upload_variance = 0, audits = 0, audit_variance = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      for (const auto& [name, scores] : Streams(1000, seed)) {
        const Done done =
            Play({.share = 0.3, .audit = 0.05, .explore = explore, .seed = another++}, scores);
        for (const UploadChoice& c : done.choices) {
          ASSERT_GE(c.probability, 0);
          ASSERT_LE(c.probability, 1);
          ASSERT_TRUE(c.upload || !c.audit);
          ASSERT_TRUE(!c.upload || c.probability > 0);
          ASSERT_TRUE(c.upload || c.probability < 1);
          uploads += (c.upload ? 1 : 0) - c.probability;
          upload_variance += c.probability * (1 - c.probability);
          if (!c.upload || c.audit) {
            audits += (c.audit ? 1 : 0) - c.audit_probability;
            audit_variance += c.audit_probability * (1 - c.audit_probability);
          }
        }
      }
    }
    EXPECT_LT(std::abs(uploads), 3 * std::sqrt(upload_variance)) << explore;
    EXPECT_LT(std::abs(audits), 3 * std::sqrt(audit_variance)) << explore;
  }
}

TEST(Budget, EveryImageHasAChanceOfAnAuditAndAuditsArePaidFor) {
  for (const auto& [name, scores] : Streams(4000, 2)) {
    const Done done = Play({.share = 0.2, .audit = 0.02}, scores);
    double least = 1;
    double audits = 0;
    for (const UploadChoice& c : done.choices) {
      least = std::min(least, c.probability);
      audits += c.audit ? 1 : 0;
      EXPECT_EQ(c.audit, c.reason.starts_with("audit"));
    }
    EXPECT_GE(least, 0.02) << name;
    EXPECT_NEAR(audits / 4000, 0.02 * 0.8, 0.006) << name;
    EXPECT_NEAR(done.share(), 0.2, 0.003) << name;
  }
  // Never more than a quarter of the budget.
  const Done small = Play({.share = 0.02, .audit = 0.5}, Streams(4000, 2)[0].second);
  EXPECT_NEAR(small.choices[500].audit_probability, 0.005, 1e-12);
}

TEST(Budget, ALargerScoreNeverHasASmallerChance) {
  Rng rng(9);
  for (const double explore : {0.0, 0.3, 1.0}) {
    BudgetPolicy policy({.share = 0.3, .audit = 0.01, .explore = explore});
    for (int i = 0; i < 500; ++i) {
      double before = -1;
      for (double score = -0.5; score <= 1.5; score += 0.25) {
        BudgetPolicy branch = policy;
        const double chance = branch.Choose({.score = score}, {}, kStart).probability;
        ASSERT_GE(chance, before - 1e-12);
        before = chance;
      }
      (void)policy.Choose({.score = std::floor(8 * rng.Uniform()) / 8}, {}, kStart);
    }
  }
}

TEST(Budget, ExploringSmoothsTheStepAndHoldsTheShare) {
  const auto scores = Streams(4000, 4)[0].second;
  const Done done = Play({.share = 0.2, .explore = 0.2}, scores);
  EXPECT_NEAR(done.share(), 0.2, 0.003);
  double around = 0;
  for (std::size_t i = 300; i < scores.size(); ++i) {
    const double chance = done.choices[i].probability;
    around += chance > 0 && chance < 1 ? 1 : 0;
  }
  EXPECT_NEAR(around / 3700, 0.25, 0.05);
}

TEST(Budget, TheSameSeedDecidesTheSameAndAnotherOtherwise) {
  const auto scores = Streams(600, 6)[6].second;
  const auto bits = [&](std::uint64_t seed) {
    std::vector<bool> uploads;
    for (const UploadChoice& c :
         Play({.share = 0.3, .audit = 0.02, .seed = seed}, scores).choices) {
      uploads.push_back(c.upload);
    }
    return uploads;
  };
  EXPECT_EQ(bits(1), bits(1));
  EXPECT_NE(bits(1), bits(2));
}

TEST(Budget, ScoresThatAreNoNumbersRankLowestAndInfiniteOnesAtTheEnds) {
  for (const double asked : {0.2, 0.6}) {
    std::vector<double> scores;
    for (int i = 0; i < 3000; ++i) {
      const double kinds[] = {kNan, 1.0 + i % 3, kInfinity, -kInfinity, 2.0};
      scores.push_back(kinds[i % 5]);
    }
    const Done done = Play({.share = asked}, scores);
    EXPECT_NEAR(done.share(), asked, 0.005);
    double nan = 0, infinite = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      EXPECT_TRUE(std::isfinite(done.choices[i].threshold));
      nan += std::isnan(scores[i]) && done.choices[i].upload ? 1 : 0;
      infinite += scores[i] == kInfinity && done.choices[i].upload ? 1 : 0;
    }
    EXPECT_LT(nan, 15);
    EXPECT_GT(infinite, 540);  // of 600
  }
  EXPECT_NEAR(Play({.share = 0.3}, std::vector<double>(2000, kNan)).share(), 0.3, 0.006);
}

TEST(Budget, OverrulingAVerdictIsExplained) {
  BudgetPolicy policy({.share = 0.5});
  bool kept = false;
  bool sent = false;
  for (int i = 0; i < 200; ++i) {
    const UploadChoice hard = policy.Choose({.score = 1.0 + i % 7, .difficult = true}, {}, kStart);
    EXPECT_EQ(hard.reason.empty(), hard.upload);
    kept = kept || hard.reason.starts_with("kept: ");
  }
  for (int i = 0; i < 200; ++i) {
    const UploadChoice easy = policy.Choose({.score = -1.0 - i % 7}, {}, kStart);
    EXPECT_EQ(easy.reason.empty(), !easy.upload);
    sent = sent || easy.reason.starts_with("the budget has room");
  }
  EXPECT_TRUE(kept && sent);
}

// ---- uploads that nobody chose, that were not sent, or that cost otherwise

TEST(Budget, UploadsThatWereNotSentAreGivenBackWithoutABurstAfterwards) {
  const auto scores = Streams(3000, 8)[0].second;
  // One in four is refused: the share of those sent holds all the same.
  BudgetPolicy leaky({.share = 0.2});
  double sent = 0;
  int wanted = 0;
  for (const double score : scores) {
    if (leaky.Choose({.score = score}, {}, kStart).upload) {
      if (++wanted % 4 == 0) {
        leaky.Withdraw({}, kStart);
      } else {
        ++sent;
      }
    }
  }
  EXPECT_NEAR(sent / 3000, 0.2, 0.01);
  // A long rest of the link: it neither wants everything meanwhile nor makes up for it later.
  BudgetPolicy policy({.share = 0.2});
  (void)Play(policy, scores);
  double during = 0;
  for (const double score : scores) {
    if (policy.Choose({.score = score}, {}, kStart).upload) {
      ++during;
      policy.Withdraw({}, kStart);
    }
  }
  EXPECT_LT(during / 3000, 0.4);
  const Done after = Play(policy, scores);
  EXPECT_LE(after.Extremes(300).second, 0.3);
  EXPECT_NEAR(after.share(), 0.2, 0.004);
}

TEST(Budget, UploadsThatNobodyChoseCount) {
  BudgetPolicy policy({.share = 0.3});
  const auto scores = Streams(3000, 8)[0].second;
  double uploads = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (i % 10 == 0) {
      policy.Add({}, kStart);
      ++uploads;
    } else {
      uploads += policy.Choose({.score = scores[i]}, {}, kStart).upload ? 1 : 0;
    }
  }
  EXPECT_NEAR(uploads / 3000, 0.3, 0.005);
}

// ---- bytes a second

/// A camera of 10 pictures a second whose pictures and scores change half-way.
struct Camera {
  double bytes = 0;  ///< sent
  double peak = 0;   ///< most bytes in any 20 s over the rate
  double share = 0;
  double largest = 0;  ///< upload, in bytes
};
Camera Film(const BudgetOptions& options, double actual_over_estimated = 1) {
  BudgetPolicy policy(options);
  Rng rng(11);
  Camera camera;
  std::vector<double> sent;
  for (int i = 0; i < 12000; ++i) {
    const bool late = i >= 6000;
    const auto size =
        static_cast<std::int64_t>((late ? 60e3 : 20e3) * std::exp(0.5 * rng.Normal()));
    const double score = rng.Uniform() + (late ? 3 : 0) + static_cast<double>(size) * 1e-5;
    const TimePoint now = kStart + milliseconds(100) * i;
    double bytes = 0;
    if (policy.Choose({.score = score}, {size, {}}, now).upload) {
      bytes = static_cast<double>(size) * actual_over_estimated;
      policy.Observe({size, {}}, {static_cast<std::int64_t>(bytes), {}}, now);
      camera.share += 1.0 / 12000;
      camera.largest = std::max(camera.largest, bytes);
    }
    sent.push_back(bytes);
    camera.bytes += bytes;
  }
  for (std::size_t i = 200; i < sent.size(); ++i) {
    double window = 0;
    for (std::size_t k = i - 200; k < i; ++k) {
      window += sent[k];
    }
    camera.peak = std::max(camera.peak, window / 20 / *options.bytes_per_second);
  }
  return camera;
}

TEST(Budget, ARateOfBytesHoldsWhileThePicturesChange) {
  for (const double rate : {20e3, 100e3, 250e3}) {
    const BudgetOptions options{.bytes_per_second = rate, .audit = 0.01};
    const Camera camera = Film(options);
    EXPECT_NEAR(camera.bytes / 1200, std::min(rate, 1e9), 0.09 * rate) << rate;
    EXPECT_LE(camera.bytes / 1200, 1.01 * rate) << rate;
    // What the rate gives in the 20 s, a burst of 10 s, and one image that nobody foresaw.
    EXPECT_LE(camera.peak, 1.5 + camera.largest / 20 / rate) << rate;
  }
}

TEST(Budget, WhatUploadsReallyCostIsWhatCounts) {
  const Camera camera = Film({.bytes_per_second = 60e3}, 1.7);
  EXPECT_NEAR(camera.bytes / 1200, 60e3, 3e3);
}

TEST(Budget, OfTwoBudgetsTheTighterHolds) {
  const Camera by_share = Film({.share = 0.1, .bytes_per_second = 1e6});
  EXPECT_NEAR(by_share.share, 0.1, 0.003);
  const Camera by_rate = Film({.share = 0.9, .bytes_per_second = 30e3});
  EXPECT_NEAR(by_rate.bytes / 1200, 30e3, 2e3);
  EXPECT_LT(by_rate.share, 0.3);
}

TEST(Budget, TimeThatStandsStillGivesNothingAndAJumpNoMoreThanABurst) {
  const BudgetOptions options{.bytes_per_second = 100e3};  // a burst is 1 MB
  BudgetPolicy policy(options);
  const auto bytes_of = [&](int frames, TimePoint start, Duration step) {
    double bytes = 0;
    for (int i = 0; i < frames; ++i) {
      bytes += policy.Choose({.score = 1}, {50'000, {}}, start + step * i).upload ? 50e3 : 0;
    }
    return bytes;
  };
  EXPECT_LE(bytes_of(2000, kStart, Duration::zero()), 500e3);
  EXPECT_EQ(bytes_of(2000, kStart, Duration::zero()), 0);
  EXPECT_LE(bytes_of(2000, kStart - seconds(500), Duration::zero()), 0);  // backwards
  EXPECT_LE(bytes_of(2000, kStart + std::chrono::hours(100), Duration::zero()), 1e6 + 50e3);
  // And from there the rate holds again.
  const TimePoint later = kStart + std::chrono::hours(100);
  EXPECT_NEAR(bytes_of(3000, later, milliseconds(100)) / 300, 100e3, 8e3);
  EXPECT_GE(bytes_of(10, TimePoint::max(), Duration::zero()), 0);
  EXPECT_GE(bytes_of(10, TimePoint::min(), Duration::zero()), 0);
}

TEST(Budget, AnUploadLargerThanAllThatMayGoAtOnceIsPaidForAfterwards) {
  BudgetPolicy policy({.bytes_per_second = 1000});  // 10 kB at once
  double bytes = 0;
  for (int i = 0; i < 40000; ++i) {
    const TimePoint now = kStart + milliseconds(100) * i;
    bytes += policy.Choose({.score = 1}, {100'000, {}}, now).upload ? 100e3 : 0;
  }
  EXPECT_GE(bytes, 3.7e6);
  EXPECT_LE(bytes, 4.2e6);  // 4,000 s
  // One that is beyond all measure does not end the stream: 100 s later the budget has room again.
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  BudgetPolicy other({.bytes_per_second = 1000});
  (void)other.Choose({.score = 1}, {100, {}}, kStart);
  other.Observe({0, {}}, {huge, {}}, kStart);
  EXPECT_FALSE(other.Choose({.score = 1}, {100, {}}, kStart + seconds(20)).upload);
  int later = 0;
  for (int i = 0; i < 100; ++i) {
    later += other.Choose({.score = 1}, {100, {}}, kStart + seconds(101 + i)).upload ? 1 : 0;
  }
  EXPECT_GT(later, 20);
  // Sizes below 0 count as unknown.
  BudgetPolicy unknown({.share = 0.5, .bytes_per_second = 1000});
  for (int i = 0; i < 100; ++i) {
    (void)unknown.Choose({.score = 1}, {-5, {}}, kStart);
  }
  EXPECT_EQ(unknown.byte_debt(), 0);
}

TEST(Budget, OptionsOutOfTheirRangeAreNamed) {
  EXPECT_TRUE(Validate(BudgetOptions{.share = 0.2}));
  EXPECT_TRUE(Validate(BudgetOptions{.bytes_per_second = 1}));
  const std::pair<BudgetOptions, const char*> cases[] = {
      {{}, "needs one of them"},
      {{.share = 1.01}, "share: 1.01 is not in its range, [0, 1]"},
      {{.share = -0.1}, "share"},
      {{.share = kNan}, "share"},
      {{.bytes_per_second = 0.0}, "bytes_per_second"},
      {{.bytes_per_second = kInfinity}, "bytes_per_second"},
      {{.share = 0.2, .audit = 0.6}, "audit"},
      {{.share = 0.2, .explore = -1}, "explore"},
      {{.share = 0.2, .window = 5}, "window"},
      {{.share = 0.2, .slack = 0.5}, "slack"},
      {{.share = 0.2, .stiffness = 0}, "stiffness"},
      {{.share = 0.2, .burst = Duration::zero()}, "burst"},
      {{.share = 0.2, .gain_percentiles = {1}}, "gain_percentiles"},
      {{.share = 0.2, .gain_percentiles = {2, 1}}, "gain_percentiles"},
      {{.share = 0.2, .gain_percentiles = {0, kNan}}, "gain_percentiles"}};
  for (const auto& [options, said] : cases) {
    const auto valid = Validate(options);
    ASSERT_FALSE(valid) << said;
    EXPECT_THAT(valid.error().message, HasSubstr(said));
  }
}

TEST(Budget, AuditsAreByDefaultOneInAHundredOrATwentiethOfASmallShare) {
  EXPECT_EQ(DefaultAudit(std::nullopt), 0.01);
  EXPECT_EQ(DefaultAudit(0.2), 0.01);
  EXPECT_DOUBLE_EQ(DefaultAudit(0.05), 0.0025);
  EXPECT_EQ(DefaultAudit(0.0), 0);
}

TEST(RankWindow, RanksAmongTheLastOnesLikeASlowSearch) {
  Rng rng(12);
  RankWindow window(50);
  std::vector<double> all;
  for (int i = 0; i < 1000; ++i) {
    const double value = std::floor(20 * rng.Uniform());
    window.Push(value);
    all.push_back(value);
    const auto first =
        all.end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(all.size(), 50));
    ASSERT_EQ(window.size(), static_cast<std::size_t>(all.end() - first));
    ASSERT_EQ(window.Above(value), static_cast<std::size_t>(std::count_if(
                                       first, all.end(), [&](double v) { return v > value; })));
    ASSERT_EQ(window.Equal(value), static_cast<std::size_t>(std::count(first, all.end(), value)));
    ASSERT_EQ(window.FromTop(0), *std::max_element(first, all.end()));
  }
}

TEST(ThresholdPolicy, AuditsWhatStaysNearWithTheProbabilityThatItTells) {
  ThresholdPolicy policy(0.5, 0.1, 3);
  int audits = 0;
  for (int i = 0; i < 10000; ++i) {
    const UploadChoice kept = policy.Choose({.score = 0.5}, {}, kStart);
    EXPECT_EQ(kept.upload, kept.audit);
    EXPECT_EQ(kept.probability, 0.1);
    EXPECT_EQ(kept.audit_probability, 0.1);
    audits += kept.audit ? 1 : 0;
    const UploadChoice sent = policy.Choose({.score = 0.6}, {}, kStart);
    EXPECT_TRUE(sent.upload && !sent.audit && sent.probability == 1);
  }
  EXPECT_NEAR(audits, 1000, 90);
}

}  // namespace
}  // namespace nearfar
