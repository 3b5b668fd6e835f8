#include "core/ranking.h"

#include <gmock/gmock.h>

#include <cmath>

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ByFallingValue, PutsTheLargestFirstAndTiesInInputOrder) {
  const double values[] = {0.5, 2, 0.5, -HUGE_VAL, 2};
  EXPECT_THAT(ByFallingValue(values), ElementsAre(1, 4, 0, 2, 3));
  EXPECT_THAT(ByFallingValue({}), IsEmpty());
}

TEST(ByFallingScore, LeavesOutBoxesWhoseScoreIsNoNumber) {
  const Box box{0, 0, 1, 1};
  const Detections boxes = {{box, .2F, 0}, {box, NAN, 0}, {box, .9F, 1}, {box, .2F, 2}};
  EXPECT_THAT(ByFallingScore(boxes), ElementsAre(2, 0, 3));
  EXPECT_THAT(ByFallingScore({}), IsEmpty());
}

}  // namespace
}  // namespace nearfar
