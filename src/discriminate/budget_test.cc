#include "discriminate/budget.h"

#include <gmock/gmock.h>

namespace nearfar {
namespace {

TEST(Budget, Placeholder) { EXPECT_TRUE(Validate(BudgetOptions{.share = 0.2})); }

}  // namespace
}  // namespace nearfar
