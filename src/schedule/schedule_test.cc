#include <gmock/gmock.h>

#include "schedule/factory.h"

namespace nearfar {
namespace {

TEST(SchedulerFactory, MakesEachKnownNameWithItsDefaults) {
  for (const SchedulerInfo& info : KnownSchedulers()) {
    const auto made = MakeScheduler({.name = std::string(info.name), .parameters = {}});
    ASSERT_TRUE(made) << info.name;
    EXPECT_EQ((*made)->name(), info.name);
  }
}

}  // namespace
}  // namespace nearfar
