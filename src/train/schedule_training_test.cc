#include "train/schedule_training.h"

#include <gmock/gmock.h>

namespace nearfar {
namespace {
TEST(X, Y) {}
}  // namespace
}  // namespace nearfar
