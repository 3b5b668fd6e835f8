#include "eval/paper_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace nearfar {
namespace {

TEST(SmallBigTables, AreTableOneAndThreeToSeventeen) {
  std::vector<std::string> numbers;
  for (const PaperTable& table : SmallBigTables()) {
    numbers.emplace_back(table.number);
    EXPECT_EQ(table.columns.size(), table.titles.size()) << table.number;
    for (const PaperRow& row : table.rows) {
      EXPECT_EQ(row.values.size(), table.columns.size()) << table.number << " " << row.name;
    }
  }
  EXPECT_THAT(numbers, ::testing::ElementsAre("I", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X",
                                              "XI", "XII", "XIII", "XIV", "XV", "XVI", "XVII"));
}

}  // namespace
}  // namespace nearfar
