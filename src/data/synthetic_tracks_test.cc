#include "data/synthetic_tracks.h"

#include <gtest/gtest.h>

#include <map>

namespace nearfar {
namespace {

TEST(SyntheticTracks, KeepTheirNumberOfPeopleAndStayInThePicture) {
  const SyntheticTracksOptions options{.frames = 400, .people = 40};
  const Tracks tracks = MakeSyntheticTracks(options);
  ASSERT_EQ(tracks.frames.size(), 400U);
  std::size_t people = 0;
  for (const TrackFrame& frame : tracks.frames) {
    people += frame.boxes.size();
    for (const TrackedBox& person : frame.boxes) {
      EXPECT_EQ(person.box, ClipTo(person.box, options.frame));
      EXPECT_GT(person.box.area(), 0);
    }
  }
  EXPECT_GT(people, 400U * 25);
  EXPECT_LT(people, 400U * 45);
}

TEST(SyntheticTracks, MoveSteadilyAndAreLargerBelow) {
  const Tracks tracks = MakeSyntheticTracks({.frames = 200});
  std::map<int, Box> before;
  for (const TrackFrame& frame : tracks.frames) {
    for (const TrackedBox& person : frame.boxes) {
      if (const auto last = before.find(person.track); last != before.end()) {
        EXPECT_LT(std::abs(person.box.x2 - last->second.x2), 60);
        EXPECT_LT(std::abs(person.box.y2 - last->second.y2), 60);
      }
      before[person.track] = person.box;
      if (person.visibility == 1 && person.box.y2 < 300) {
        EXPECT_LT(person.box.height(), 100);
      }
    }
  }
}

TEST(SyntheticTracks, HangOnTheirSeedAlone) {
  EXPECT_EQ(MakeSyntheticTracks({.frames = 50, .seed = 3}), MakeSyntheticTracks({.frames = 50, .seed = 3}));
  EXPECT_NE(MakeSyntheticTracks({.frames = 50, .seed = 3}), MakeSyntheticTracks({.frames = 50, .seed = 4}));
}

TEST(SyntheticTracks, RefuseByName) {
  EXPECT_TRUE(Validate(SyntheticTracksOptions{}));
  EXPECT_FALSE(Validate(SyntheticTracksOptions{.frame = {10, 10}}));
  EXPECT_FALSE(Validate(SyntheticTracksOptions{.fps = 0}));
  EXPECT_FALSE(Validate(SyntheticTracksOptions{.people = 0}));
  EXPECT_FALSE(Validate(SyntheticTracksOptions{.stands = 2}));
}

}  // namespace
}  // namespace nearfar
