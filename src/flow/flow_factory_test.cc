#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "flow/factory.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

TEST(FlowFactory, MakesEveryFilterThatItNames) {
  for (const FlowFilterInfo& info : KnownFlowFilters()) {
    auto filter = MakeFlowFilter({.name = std::string(info.name)});
    ASSERT_TRUE(filter) << info.name;
    EXPECT_EQ((*filter)->name(), info.name);
    (*filter)->SetGrid(MakeTileGrid({3840, 2160}, {512, 512}));
    EXPECT_EQ((*filter)->Plan(FrameId{0}, {}).cells, std::vector<Look>(40, Look::kKeep))
        << info.name;
    EXPECT_EQ((*filter)->crowds().size(), 40U);
  }
}

TEST(FlowFactory, NamesTheFiltersThereAreWhenAskedForAnother) {
  const auto filter = MakeFlowFilter({.name = "comp-6"});
  ASSERT_FALSE(filter);
  EXPECT_EQ(filter.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(filter.error().message, HasSubstr("'comp-6'"));
  EXPECT_THAT(filter.error().message, HasSubstr("comp-5"));
}

TEST(FlowFactory, RefusesValuesOutOfRange) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const FlowFilterSpec specs[] = {
      {.name = "all", .target_recall = 0},
      {.name = "all", .target_recall = 1},
      {.name = "all", .target_recall = kNan},
      {.name = "all", .full_look_share = -0.1},
      {.name = "all", .full_look_share = kNan},
      {.name = "all", .full_look_share = 1.1},
      {.name = "all", .max_age = 0},
  };
  for (const FlowFilterSpec& spec : specs) {
    const auto filter = MakeFlowFilter(spec);
    ASSERT_FALSE(filter);
    EXPECT_EQ(filter.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(filter.error().message, HasSubstr("must be"));
  }
}

}  // namespace
}  // namespace nearfar
