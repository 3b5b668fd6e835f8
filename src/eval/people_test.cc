#include "eval/people.h"

#include <gmock/gmock.h>

#include <limits>

#include "eval/average_precision.h"

namespace nearfar {
namespace {

TruthObject Somebody(float x, std::int64_t track, bool difficult = false) {
  return {.box = {x, 0, x + 10, 20}, .difficult = difficult, .track = track};
}

Detection BoxAt(float x, float score) { return {{x, 0, x + 10, 20}, score, 0}; }

/// Two images of the same two people, and one of nobody.
const std::vector<TruthImage> kImages{
    {.name = "a", .size = {200, 20}, .objects = {Somebody(0, 7), Somebody(50, 8)}},
    {.name = "b", .size = {200, 20}, .objects = {Somebody(10, 7), Somebody(60, 8)}},
    {.name = "c", .size = {200, 20}}};

TEST(MatchByPerson, PutsBoxesWithTheirPersonOverAllImages) {
  const std::vector<Detections> boxes{
      {BoxAt(0, 0.9F), BoxAt(50, 0.8F), BoxAt(30, 0.3F), BoxAt(20, 0.2F)},
      {BoxAt(60, 0.7F)},
      {BoxAt(0, 0.6F)}};
  const MatchTable table = MatchByPerson(kImages, boxes, 0);
  EXPECT_EQ(table.images, 3U);  // two people and the one of the empty image
  const ClassMatches& all = table.classes[0];
  EXPECT_THAT(all.wanted, testing::ElementsAre(2, 2, 0));
  std::vector<std::uint32_t> persons;
  std::vector<int> found;
  for (const MatchedDetection& entry : all.detections) {
    persons.push_back(entry.image);
    found.push_back(entry.found);
  }
  // Wrong boxes go to whom they are nearest: x = 30 to the one at 50, x = 20 to the one at 0.
  EXPECT_THAT(persons, testing::ElementsAre(0, 1, 1, 2, 1, 0));
  EXPECT_THAT(found, testing::ElementsAre(1, 1, 1, 0, 0, 0));
  EXPECT_THAT(all.decisive[0], testing::ElementsAre(0, 1, 2));
}

TEST(MatchByPerson, GivesTheAveragePrecisionOfTheImages) {
  const std::vector<Detections> boxes{
      {BoxAt(0, 0.9F), BoxAt(52, 0.2F), BoxAt(100, 0.8F)}, {BoxAt(60, 0.7F)}, {BoxAt(0, 0.6F)}};
  const MatchTable images = MatchVoc(kImages, boxes, 1);
  const MatchTable people = MatchByPerson(kImages, boxes, 0);
  for (const Interpolation interpolation :
       {Interpolation::kVoc07, Interpolation::kArea, Interpolation::kCoco}) {
    EXPECT_EQ(AveragePrecision(people.classes[0], 0, interpolation),
              AveragePrecision(images.classes[0], 0, interpolation));
  }
}

TEST(MatchByPerson, TellsThoseWithoutTrackApartAndLeavesOtherLabelsOut) {
  std::vector<TruthImage> images = kImages;
  images[0].objects = {Somebody(0, -1), Somebody(50, -1), {.box = {0, 0, 9, 9}, .label = 1}};
  images[1].objects = {Somebody(0, 7, true)};
  const std::vector<Detections> boxes{
      {{{0, 0, 10, 20}, 0.9F, 1}, {{0, 0, 10, 20}, std::numeric_limits<float>::quiet_NaN(), 0}},
      {BoxAt(0, 0.5F)},
      {}};
  const MatchTable table = MatchByPerson(images, boxes, 0);
  EXPECT_EQ(table.images, 4U);
  EXPECT_THAT(table.classes[0].wanted, testing::ElementsAre(1, 1, 0, 0));
  ASSERT_EQ(table.classes[0].detections.size(), 1U);
  EXPECT_EQ(table.classes[0].detections[0].ignored, 1);
  EXPECT_EQ(table.classes[0].detections[0].image, 2U);
}

TEST(ComparePeople, PairsTheDraws) {
  const std::vector<Detections> good{
      {BoxAt(0, 0.9F), BoxAt(50, 0.8F)}, {BoxAt(10, 0.7F), BoxAt(60, 0.6F)}, {}};
  const std::vector<Detections> half{{BoxAt(0, 0.9F)}, {BoxAt(10, 0.7F)}, {}};
  const std::vector<MatchTable> tables{MatchByPerson(kImages, good, 0),
                                       MatchByPerson(kImages, good, 0),
                                       MatchByPerson(kImages, half, 0)};
  const auto standings = ComparePeople(tables, {.draws = 500, .seed = 3});
  ASSERT_EQ(standings.size(), 3U);
  EXPECT_DOUBLE_EQ(standings[0].ap, 1);
  EXPECT_EQ(standings[1].minus_first, 0);
  EXPECT_EQ(standings[1].minus_first_interval, (Interval{0, 0}));  // in every draw
  EXPECT_NEAR(standings[2].ap, 0.5, 0.01);
  // Draws hold one of the two people, or both.
  EXPECT_NEAR(standings[2].minus_first_interval.low, -1, 0.01);
  EXPECT_NEAR(standings[2].minus_first_interval.high, 0, 0.01);
  EXPECT_EQ(ComparePeople(tables, {.draws = 500, .seed = 3}), standings);
}

TEST(ComparePeople, WithoutDrawsHasNoWidth) {
  const std::vector<MatchTable> tables{MatchByPerson(kImages, std::vector<Detections>(3), 0)};
  const auto standings = ComparePeople(tables, {});
  EXPECT_EQ(standings[0], PeopleStanding{});
}

}  // namespace
}  // namespace nearfar
