#include "discriminate/number_tables.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace nearfar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TableRow, RoundsToSevenDigitsOnce) {
  const std::vector<double> row = {1.23456789, -1.0 / 3, 0, 1e-9 / 7};
  const std::vector<double> rounded = TableRow(row);
  EXPECT_THAT(rounded, ElementsAre(1.234568, -0.3333333, 0, 1.428571e-10));
  EXPECT_EQ(TableRow(rounded), rounded);
  const std::vector<float> floats = {0.1F};
  EXPECT_THAT(TableRow(floats), ElementsAre(0.1));
  EXPECT_THAT(TableRow(2.5), ElementsAre(2.5));
  EXPECT_THAT(TableRow(std::vector<double>{}), IsEmpty());
}

TEST(TableReader, TakesRowsOfTheRightLength) {
  const NumberTables tables = {{"one", {4}}, {"two", {1, 2}}};
  TableReader reader(tables);
  EXPECT_TRUE(reader.Has("one"));
  EXPECT_FALSE(reader.Has("three"));
  EXPECT_EQ(reader.TakeNumber("one"), 4);
  EXPECT_THAT(reader.Take("two", TableReader::kAnySize), ElementsAre(1, 2));
  EXPECT_EQ(reader.fault(), "");
}

TEST(TableReader, NamesTheFirstFault) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const NumberTables tables = {{"empty", {}},
                               {"inf", {1, kInfinity}},
                               {"large", {-1e13}},
                               {"nan", {std::nan("")}},
                               {"two", {1, 2}}};
  const struct {
    const char* row;
    std::size_t size;
    const char* fault;
  } rows[] = {
      {"none", 1, "has no row \"none\""},
      {"two", 3, "row \"two\" has 2 numbers, expected 3"},
      {"two", 1, "row \"two\" has 2 numbers, expected 1"},
      {"empty", TableReader::kAnySize, "row \"empty\" has 0 numbers"},
      {"nan", 1, "row \"nan\" holds a number that is too large or none"},
      {"inf", 2, "row \"inf\" holds a number that is too large or none"},
      {"large", 1, "row \"large\" holds a number that is too large or none"},
      {"two", 2, "has rows that belong to another kind"},  // the other four were not taken
  };
  for (const auto& row : rows) {
    TableReader reader(tables);
    const std::vector<double> taken = reader.Take(row.row, row.size);
    EXPECT_EQ(reader.fault(), row.fault);
    EXPECT_EQ(taken.empty(), std::string(row.fault).find("another kind") == std::string::npos);
    reader.Fault("a later one");
    if (!taken.empty()) {
      EXPECT_EQ(reader.fault(), "a later one");
    } else {
      EXPECT_EQ(reader.fault(), row.fault);
      EXPECT_EQ(TableReader(tables).TakeNumber(row.row), 0);
    }
  }
}

}  // namespace
}  // namespace nearfar
