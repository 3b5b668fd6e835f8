// Reads every track file of the bundle and counts what its README says.

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "data/tracks.h"

namespace nearfar {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::string Bundle() {
  const char* place = std::getenv("NEARFAR_ASSETS");
  return place != nullptr ? place : NEARFAR_SOURCE_DIR "/../shared/assets";
}

std::size_t CountBoxes(const Tracks& tracks) {
  std::size_t count = 0;
  for (const TrackFrame& frame : tracks.frames) {
    count += frame.boxes.size();
  }
  return count;
}

struct Expectation {
  const char* file;
  Size frame;
  double fps;
  std::size_t frames;
  std::size_t boxes;
};

class BundleTracks : public ::testing::TestWithParam<Expectation> {};

TEST_P(BundleTracks, HaveTheirFramesAndBoxes) {
  const Expectation& expected = GetParam();
  const Expected<Tracks> tracks = ReadTracks(Bundle() + "/" + expected.file);
  ASSERT_TRUE(tracks) << tracks.error().message;
  EXPECT_EQ(tracks->frame, expected.frame);
  EXPECT_EQ(tracks->fps, expected.fps);
  EXPECT_EQ(tracks->frames.size(), expected.frames);
  EXPECT_EQ(CountBoxes(*tracks), expected.boxes);
}

INSTANTIATE_TEST_SUITE_P(
    Bundle, BundleTracks,
    ::testing::Values(
        // Pedestrians, and their likes that are neither wanted nor punished.
        Expectation{"tracks/MOT17_gt/MOT17-02.gt.txt.gz", {1920, 1080}, 30, 600, 26601},
        Expectation{"tracks/MOT17_gt/MOT17-05.gt.txt.gz", {640, 480}, 14, 837, 7256},
        Expectation{"tracks/MOT17_gt/MOT17-13.gt.txt.gz", {1920, 1080}, 25, 750, 11768},
        Expectation{"tracks/MOT17_det_frcnn/MOT17-05.det.txt.gz", {640, 480}, 30, 837, 3848},
        Expectation{"tracks/MOT20_boosttrack/MOT20-02.txt.gz", {1920, 1080}, 30, 1390, 79922},
        Expectation{"tracks/detector_streams/MOT17-02-SDP.txt.gz", {1920, 1080}, 30, 600, 42634},
        // Eight scenes; 8,724 of the 9,006 frames of one have a row.
        Expectation{"tracks/SDD/gates_video2.txt.gz", {1323, 1968}, 30, 9006, 56709},
        Expectation{"tracks/SDD/quad_video2.txt.gz", {1980, 988}, 30, 509, 6701},
        Expectation{"tracks/SDD/nexus_video3.txt.gz", {1182, 1751}, 30, 1062, 21633},
        Expectation{"panda/gt.csv.gz", {7998, 4819}, 0, 90, 17914},
        Expectation{"panda/det.csv.gz", {7459, 4799}, 0, 90, 15717}));

TEST(Bundle, SaysWhichIdsFollowNobody) {
  const Expected<Tracks> stream =
      ReadTracks(Bundle() + "/tracks/detector_streams/MOT17-02-SDP.txt.gz");
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_THAT(stream->remarks, Contains(HasSubstr("nobody is followed")));
  const Expected<Tracks> tracked =
      ReadTracks(Bundle() + "/tracks/MOT20_boosttrack/MOT20-07.txt.gz");
  ASSERT_TRUE(tracked) << tracked.error().message;
  EXPECT_EQ(tracked->frames[0].boxes[0].track, 2483);
}

TEST(Bundle, HasADroneSceneAtTenFramesASecond) {
  const Expected<Tracks> tracks = ReadTracks(Bundle() + "/tracks/SDD/little_video0.txt.gz",
                                             {.target_fps = 10, .people_only = true});
  ASSERT_TRUE(tracks) << tracks.error().message;
  EXPECT_EQ(tracks->fps, 10);
  EXPECT_EQ(tracks->frames.size(), 506U);
  EXPECT_EQ(tracks->frames[1].number, 3);
  EXPECT_DOUBLE_EQ(tracks->frames[1].seconds, 0.1);
}

}  // namespace
}  // namespace nearfar

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (!std::filesystem::exists(nearfar::Bundle() + "/README.md")) {
    std::puts("left out: no bundle at ../shared/assets or NEARFAR_ASSETS");
    return 0;
  }
  return RUN_ALL_TESTS();
}
