#include "flow/learning_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "flow/factory.h"
#include "flow/walks.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

const TileGrid kGrid = MakeTileGrid({1920, 1080}, {240, 240});

/// How a run went.
struct Course {
  std::vector<LookPlan> plans;
  std::size_t people = 0, missed = 0, skipped = 0, cells = 0;
  double recall() const { return 1 - static_cast<double>(missed) / static_cast<double>(people); }
};

Course RunOn(FlowFilter& filter, std::uint64_t seed, std::uint64_t frames, std::size_t lag = 1) {
  Course run;
  Walks walks(kGrid, seed);
  filter.SetGrid(kGrid);
  std::vector<LookResult> in_flight;
  for (std::uint64_t t = 0; t < frames; ++t) {
    while (in_flight.size() >= lag) {
      filter.Observe(in_flight.front());
      in_flight.erase(in_flight.begin());
    }
    const Detections people = walks.Next();
    const LookPlan plan = filter.Plan(FrameId{t}, Walks::TimeOf(t));
    LookResult result = ResultOf(kGrid, FrameId{t}, Walks::TimeOf(t), plan, people);
    run.people += people.size();
    run.missed += people.size() - result.people.size();
    run.skipped +=
        static_cast<std::size_t>(std::count(plan.cells.begin(), plan.cells.end(), Look::kSkip));
    run.cells += plan.cells.size();
    in_flight.push_back(std::move(result));
    run.plans.push_back(plan);
  }
  return run;
}

TEST(LearningFilter, LooksAtEverythingUntilItSwitchesOnAndThenSkipsMost) {
  LearningFilter filter;
  const Course run = RunOn(filter, 1, 1500);
  for (std::size_t t = 0; t < 20; ++t) {
    EXPECT_EQ(std::count(run.plans[t].cells.begin(), run.plans[t].cells.end(), Look::kSkip), 0);
    EXPECT_THAT(run.plans[t].reason, HasSubstr("learning"));
  }
  EXPECT_TRUE(filter.on());
  EXPECT_GT(static_cast<double>(run.skipped) / static_cast<double>(run.cells), 0.6);
  EXPECT_GT(run.recall(), 0.99);
  EXPECT_NEAR(filter.estimate().recall, run.recall(), 0.005);
}

TEST(LearningFilter, HoldsItsRecallWithTwoFramesInFlight) {
  LearningFilter filter;
  const Course run = RunOn(filter, 2, 1500, 2);
  EXPECT_GT(run.recall(), 0.985);
  EXPECT_GT(run.skipped, run.cells / 3);
}

TEST(LearningFilter, StarvesNoCell) {
  for (const int max_age : {3, 20, 80}) {
    LearningFilter filter({.index = {.max_age = max_age}, .first_people = 0});
    const Course run = RunOn(filter, 3, 600);
    std::vector<int> age(static_cast<std::size_t>(kGrid.cells()));
    for (const LookPlan& plan : run.plans) {
      for (std::size_t c = 0; c < age.size(); ++c) {
        age[c] = plan.cells[c] == Look::kSkip ? age[c] + 1 : 0;
        ASSERT_LT(age[c], max_age);
      }
    }
  }
}

TEST(LearningFilter, DrawsFullLooksFromSeedAndFrameAlone) {
  // The same frames are drawn whatever the camera sees, once the filter is on.
  std::vector<std::vector<std::uint64_t>> drawn;
  for (const std::uint64_t world : {4U, 5U}) {
    LearningFilter filter({.seed = 9, .full_look_share = 0.1});
    const Course run = RunOn(filter, world, 1000);
    drawn.emplace_back();
    for (std::uint64_t t = 400; t < 1000; ++t) {
      const LookPlan& plan = run.plans[t];
      if (plan.full_look) {
        drawn.back().push_back(t);
        EXPECT_EQ(std::count(plan.cells.begin(), plan.cells.end(), Look::kSkip), 0);
        EXPECT_EQ(plan.would.size(), plan.cells.size());
        EXPECT_GT(std::count(plan.would.begin(), plan.would.end(), Look::kSkip), 0);
      } else {
        EXPECT_TRUE(plan.would.empty());
      }
    }
  }
  EXPECT_EQ(drawn[0], drawn[1]);
  EXPECT_NEAR(static_cast<double>(drawn[0].size()), 60, 25);
}

TEST(LearningFilter, IsTheSameForTheSameSeed) {
  LearningFilter first, second;
  EXPECT_EQ(RunOn(first, 6, 500).plans, RunOn(second, 6, 500).plans);
}

TEST(LearningFilter, SwitchesOffWhenPeopleAppearWhereItDoesNotLook) {
  LearningFilter filter({.full_look_share = 0.2});
  RunOn(filter, 7, 800);
  ASSERT_TRUE(filter.on());
  // From now on others stand in other cells, eight frames long.
  Rng rng(1);
  bool switched_off = false;
  Detections people;
  for (std::uint64_t t = 800; t < 1400 && !switched_off; ++t) {
    const LookPlan plan = filter.Plan(FrameId{t}, Walks::TimeOf(t));
    if (t % 8 == 0) {
      people.clear();
    }
    while (people.size() < 5) {
      const auto x = static_cast<float>(rng.Uniform(0, 1920));
      const auto y = static_cast<float>(rng.Uniform(0, 1080));
      people.push_back({.box = {x - 5, y - 9, x + 5, y + 9}, .score = 1});
    }
    filter.Observe(ResultOf(kGrid, FrameId{t}, Walks::TimeOf(t), plan, people));
    switched_off = !filter.on();
  }
  EXPECT_TRUE(switched_off);
}

TEST(LearningFilter, IsNotKeptOffByBoxesOfNothing) {
  LearningFilter filter;
  filter.SetGrid(kGrid);
  Walks walks(kGrid, 8);
  Rng rng(2);
  for (std::uint64_t t = 0; t < 1500; ++t) {
    Detections found = walks.Next();
    const auto x = static_cast<float>(rng.Uniform(0, 1920));
    const auto y = static_cast<float>(rng.Uniform(0, 1080));
    found.push_back({.box = {x - 8, y - 20, x + 8, y + 20}, .score = 1});
    const LookPlan plan = filter.Plan(FrameId{t}, Walks::TimeOf(t));
    filter.Observe(ResultOf(kGrid, FrameId{t}, Walks::TimeOf(t), plan, found));
  }
  EXPECT_TRUE(filter.on());
}

TEST(LearningFilter, GoesOnWithItsState) {
  LearningFilter filter;
  RunOn(filter, 8, 800);
  ASSERT_TRUE(filter.on());
  const std::string state = filter.SaveState();
  EXPECT_EQ(state.find('\n'), std::string::npos);
  LearningFilter restarted;
  restarted.SetGrid(kGrid);
  ASSERT_TRUE(restarted.LoadState(state));
  EXPECT_TRUE(restarted.on());
  EXPECT_EQ(restarted.SaveState(), state);
  // Nothing is known of who is there: the first frame is looked at whole.
  EXPECT_EQ(restarted.Plan(FrameId{0}, {}).cells,
            std::vector<Look>(static_cast<std::size_t>(kGrid.cells()), Look::kKeep));
}

TEST(LearningFilter, StartsSoonerFromOtherCameras) {
  LearningFilter other;
  RunOn(other, 9, 800);
  const std::string states[] = {other.SaveState()};
  const Expected<std::string> pool = PoolFlowStates(states);
  ASSERT_TRUE(pool);
  LearningFilter filter;
  filter.SetGrid(MakeTileGrid({640, 480}, {160, 160}));  // another grid is no matter
  ASSERT_TRUE(filter.LoadState(*pool));
  EXPECT_FALSE(filter.on());
  EXPECT_FALSE(PoolFlowStates({}));
}

TEST(LearningFilter, RefusesStatesThatAreNoneOfItsOwnInOneLineAndStaysAsItWas) {
  LearningFilter filter;
  RunOn(filter, 10, 300);
  const std::string state = filter.SaveState();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = state;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const std::pair<std::string, std::string> cases[] = {
      {"", "no JSON"},
      {"{", "no JSON"},
      {"[]", "expected an object"},
      {"{}", "has no \"filter\""},
      {with("\"flow\"", "\"flow-net\""), "filter flow-net"},
      {with("\"version\":\"1\"", "\"version\":\"2\""), "version 2"},
      {with("[1920,1080]", "[1280,720]"), "1280x720"},
      {with("\"people\":", "\"people\":-"), "out of range"},
      {with("\"births\":[", "\"births\":[1,"), "1920x1080"},
  };
  for (const auto& [text, message] : cases) {
    const Expected<void> loaded = filter.LoadState(text);
    ASSERT_FALSE(loaded) << text;
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(loaded.error().message, HasSubstr(message));
    EXPECT_EQ(loaded.error().message.find('\n'), std::string::npos);
    EXPECT_EQ(filter.SaveState(), state);
  }
}

TEST(LearningFilter, ForgetsACameraWhoseFrameChangesInMidStream) {
  LearningFilter filter;
  RunOn(filter, 11, 800);
  ASSERT_TRUE(filter.on());
  filter.SetGrid(kGrid);
  EXPECT_TRUE(filter.on());
  const TileGrid small = MakeTileGrid({640, 480}, {512, 512});
  filter.SetGrid(small);
  EXPECT_FALSE(filter.on());
  EXPECT_EQ(filter.Plan(FrameId{800}, Walks::TimeOf(800)).cells, std::vector<Look>(2, Look::kKeep));
  // A late result of the old grid.
  filter.Observe({.frame = FrameId{799}, .looked = std::vector<bool>(40, true)});
  filter.Observe({.frame = FrameId{800}, .looked = std::vector<bool>(40, true)});
  EXPECT_EQ(filter.crowds(), std::vector<float>(2));
}

TEST(LearningFilter, LivesThroughFramesWithoutAnswersGapsAndBrokenBoxes) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const std::string name : {"flow", "index", "flow-net", "comp-1", "all"}) {
    const auto filter = MakeFlowFilter({.name = name}).value();
    filter->SetGrid(kGrid);
    Walks walks(kGrid, 12);
    for (std::uint64_t i = 0; i < 400; ++i) {
      const std::uint64_t t = i < 200 ? i : i + 100000;  // a gap of hours
      // The clock stands still for a while, too.
      const TimePoint captured = Walks::TimeOf(i > 100 && i < 120 ? 100 : t);
      const LookPlan plan = filter->Plan(FrameId{t}, captured);
      ASSERT_EQ(plan.cells.size(), static_cast<std::size_t>(kGrid.cells()));
      Detections people = walks.Next();
      LookResult result = ResultOf(kGrid, FrameId{t}, captured, plan, people);
      result.people.push_back({.box = {kNan, 0, 1, 1}});
      result.people.push_back({.box = {-1e30F, -1e30F, 1e30F, 1e30F}});
      if (i % 7 == 0) {
        result.looked.assign(result.looked.size(), false);
        result.people.clear();
      } else if (i % 7 == 1) {
        result.looked.clear();
        result.people.clear();
      }
      filter->Observe(result);
    }
    EXPECT_EQ(filter->crowds().size(), static_cast<std::size_t>(kGrid.cells())) << name;
  }
}

TEST(LearningFilter, TakesACellWithoutAnAnswerForUnknownNotEmpty) {
  // Probes that never come back do not make a cell look empty: it is tried again and again.
  LearningFilter filter({.index = {.max_age = 10}, .first_people = 0});
  filter.SetGrid(kGrid);
  int tried = 0;
  for (std::uint64_t t = 0; t < 200; ++t) {
    const LookPlan plan = filter.Plan(FrameId{t}, Walks::TimeOf(t));
    LookResult result = ResultOf(kGrid, FrameId{t}, Walks::TimeOf(t), plan, {});
    tried += t >= 100 && result.looked[5] ? 1 : 0;
    result.looked[5] = false;
    filter.Observe(result);
  }
  EXPECT_EQ(tried, 100);
}

}  // namespace
}  // namespace nearfar
