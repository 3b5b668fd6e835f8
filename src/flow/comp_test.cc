#include "flow/comp.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nearfar {
namespace {

const TileGrid kGrid = MakeTileGrid({40, 10}, {10, 10});

LookResult Result(std::uint64_t frame, std::vector<bool> looked, std::vector<int> people_in) {
  LookResult result{.frame = FrameId{frame}, .looked = std::move(looked)};
  for (const int cell : people_in) {
    const auto x = static_cast<float>(10 * cell + 5);
    result.people.push_back({.box = {x - 1, 4, x + 1, 6}, .score = 1});
  }
  return result;
}

std::vector<bool> LookedAt(const LookPlan& plan) {
  std::vector<bool> looked;
  for (const Look look : plan.cells) {
    looked.push_back(look != Look::kSkip);
  }
  return looked;
}

std::string Letters(const LookPlan& plan) {
  std::string letters;
  for (const Look look : plan.cells) {
    letters += look == Look::kSkip ? '.' : (look == Look::kKeep ? 'k' : 'p');
  }
  return letters;
}

TEST(Comp, SkipsWhatWasEmptySoManyFramesBefore) {
  for (int back = 1; back <= 5; ++back) {
    Comp comp({.back = back});
    comp.SetGrid(kGrid);
    for (std::uint64_t t = 0; t < 4; ++t) {
      comp.Observe(Result(t, std::vector<bool>(4, true), {static_cast<int>(t)}));
    }
    std::string expected = "....";
    expected[static_cast<std::size_t>(4 - std::min(back, 4))] = 'k';
    EXPECT_EQ(Letters(comp.Plan(FrameId{4}, {})), back == 5 ? "kkkk" : expected) << back;
    EXPECT_EQ(comp.name(), "comp-" + std::to_string(back));
  }
}

TEST(Comp, KeepsEverythingBeforeTheFirstResultAndAfterAFrameWithoutAnAnswer) {
  Comp comp({.back = 1});
  comp.SetGrid(kGrid);
  EXPECT_EQ(Letters(comp.Plan(FrameId{0}, {})), "kkkk");
  EXPECT_EQ(comp.Plan(FrameId{0}, {}).reason, "no result yet");
  comp.Observe(Result(0, std::vector<bool>(4, true), {}));
  comp.Observe(Result(1, std::vector<bool>(4, false), {}));
  EXPECT_EQ(Letters(comp.Plan(FrameId{2}, {})), "kkkk");
}

TEST(Comp, TakesTheNewestResultWhereTheOneAskedForIsInFlight) {
  Comp comp({.back = 1});
  comp.SetGrid(kGrid);
  comp.Observe(Result(0, std::vector<bool>(4, true), {0}));
  comp.Observe(Result(1, std::vector<bool>(4, true), {2}));
  EXPECT_EQ(Letters(comp.Plan(FrameId{3}, {})), "..k.");
}

TEST(Comp, LooksAtWhatItSkippedBecauseThatIsUnknown) {
  Comp comp({.back = 1});
  comp.SetGrid(kGrid);
  comp.Observe(Result(0, std::vector<bool>(4, true), {0}));
  LookPlan plan = comp.Plan(FrameId{1}, {});
  EXPECT_EQ(Letters(plan), "k...");
  comp.Observe(Result(1, LookedAt(plan), {0}));
  EXPECT_EQ(Letters(comp.Plan(FrameId{2}, {})), "kkkk");
}

TEST(Comp, TakenByTheLetterNeverLooksAgainWhereItOnceSkipped) {
  Comp comp({.back = 1, .unknown_is_empty = true});
  comp.SetGrid(kGrid);
  comp.Observe(Result(0, std::vector<bool>(4, true), {0}));
  for (std::uint64_t t = 1; t < 50; ++t) {
    const LookPlan plan = comp.Plan(FrameId{t}, {});
    ASSERT_EQ(Letters(plan), "k...");
    comp.Observe(Result(t, LookedAt(plan), {0}));
  }
}

TEST(Comp, ForgetsTheOldGridWhenTheFrameChangesAndKeepsItWhenItIsTheSame) {
  Comp comp({.back = 1});
  comp.SetGrid(kGrid);
  comp.Observe(Result(0, std::vector<bool>(4, true), {0, 0}));
  comp.SetGrid(kGrid);
  EXPECT_EQ(Letters(comp.Plan(FrameId{1}, {})), "k...");
  EXPECT_EQ(comp.crowds(), (std::vector<float>{2, 0, 0, 0}));
  comp.SetGrid(MakeTileGrid({20, 10}, {10, 10}));
  EXPECT_EQ(Letters(comp.Plan(FrameId{1}, {})), "kk");
  EXPECT_EQ(comp.crowds(), (std::vector<float>{0, 0}));
  comp.Observe(Result(1, std::vector<bool>(4, true), {0}));  // late, of the old grid
  EXPECT_EQ(comp.crowds(), (std::vector<float>{0, 0}));
}

TEST(KeepAll, LooksAtEveryCellAndKnowsTheCrowdsLastSeen) {
  KeepAll all;
  all.SetGrid(kGrid);
  all.Observe(Result(0, std::vector<bool>(4, true), {1, 1, 3}));
  all.Observe(Result(1, {true, false, true, true}, {}));
  EXPECT_EQ(Letters(all.Plan(FrameId{2}, {})), "kkkk");
  EXPECT_EQ(all.crowds(), (std::vector<float>{0, 2, 0, 0}));
}

}  // namespace
}  // namespace nearfar
