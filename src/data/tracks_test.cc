#include "data/tracks.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "data/read_truth.h"
#include "data/test_folder.h"

namespace nearfar {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSequence =
    "[Sequence]\nname=MOT17-99\nimDir=img1\nframeRate=25\nseqLength=5\nimWidth=1920\n"
    "imHeight=1080\nimExt=.jpg\n";

std::vector<long> NumbersOf(const Tracks& tracks) {
  std::vector<long> numbers;
  for (const TrackFrame& frame : tracks.frames) {
    numbers.push_back(frame.number);
  }
  return numbers;
}

std::vector<std::size_t> CountsOf(const Tracks& tracks) {
  std::vector<std::size_t> counts;
  for (const TrackFrame& frame : tracks.frames) {
    counts.push_back(frame.boxes.size());
  }
  return counts;
}

void WriteGzip(const std::string& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
}

TEST(MotTracks, ReadsAnnotationsWithAllFramesOfTheSequenceAndForgivesLikes) {
  const TestFolder folder;
  folder.Write("seqinfo.ini", kSequence);
  folder.Write("gt/gt.txt",
               "4,2,11,21,30,40,1,7,0.25\n"  // a static person; rows are not sorted
               "2,1,1,1,10,20,1,1,0.5\n"
               "2,3,1,1,10,20,1,3,1\n"    // a car
               "2,4,1,1,0,20,1,1,1\n"     // no width
               "9,1,1,1,10,20,1,1,1\n");  // beyond the sequence
  for (const char* path : {"", "gt/gt.txt"}) {
    const Expected<Tracks> tracks = ReadTracks(folder / path);
    ASSERT_TRUE(tracks) << tracks.error().message;
    EXPECT_EQ(tracks->name, "MOT17-99");
    EXPECT_EQ(tracks->frame, (Size{1920, 1080}));
    EXPECT_EQ(tracks->fps, 25);
    EXPECT_THAT(tracks->classes.names, ElementsAre("person"));
    EXPECT_THAT(NumbersOf(*tracks), ElementsAre(1, 2, 3, 4, 5));
    EXPECT_THAT(CountsOf(*tracks), ElementsAre(0, 1, 0, 1, 0));
    EXPECT_EQ(
        tracks->frames[3],
        (TrackFrame{
            .number = 4,
            .name = "000004",
            .seconds = 0.12,
            .boxes = {
                {.box = {10, 20, 40, 60}, .track = 2, .visibility = 0.25F, .difficult = true}}}));
    EXPECT_THAT(tracks->remarks, ElementsAre("1 boxes of vehicles and occluders: left out",
                                             "1 boxes without width or height: left out",
                                             HasSubstr("1 boxes of frames that the sequence")));
  }
}

TEST(MotTracks, ReadsDetectionsOfAnyNumberOfColumns) {
  const TestFolder folder;
  const std::string det = folder.Write("MOT17-99.det.txt",
                                       "3,-1,913.8,485.9,97.6,112.6,0.05\r\n"
                                       "\n"
                                       "1,-1,1.5,1,10,20,0.9,-1,-1,-1\n"
                                       "1,-1,2,2,10,20\n");
  const Expected<Tracks> tracks = ReadTracks(det);
  ASSERT_TRUE(tracks) << tracks.error().message;
  EXPECT_EQ(tracks->name, "MOT17-99");
  EXPECT_EQ(tracks->frame, (Size{1280, 720}));
  EXPECT_EQ(tracks->fps, 30);
  EXPECT_THAT(CountsOf(*tracks), ElementsAre(2, 0, 1));
  EXPECT_EQ(tracks->frames[0].boxes[0],
            (TrackedBox{.box = {0.5F, 0, 10.5F, 20}, .track = -1, .score = 0.9F}));
  EXPECT_EQ(tracks->frames[0].boxes[1].score, 1);
  EXPECT_THAT(tracks->remarks,
              ElementsAre(HasSubstr("taken as 1280x720"), HasSubstr("taken as 30")));
  // What the file itself does not say can be said.
  const Expected<Tracks> told = ReadTracks(det, {.frame = {1920, 1080}, .fps = 14});
  EXPECT_EQ(told->frame, (Size{1920, 1080}));
  EXPECT_DOUBLE_EQ(told->frames[2].seconds, 2.0 / 14);
  // A seqinfo.ini of the same name beside it says it as well.
  folder.Write("MOT17-99.seqinfo.ini", kSequence);
  EXPECT_EQ(ReadTracks(det)->fps, 25);
  EXPECT_THAT(CountsOf(*ReadTracks(det)), ElementsAre(2, 0, 1, 0, 0));
}

TEST(MotTracks, TakesIdsThatOnlyNumberTheRowsOfAFrameForNoTracks) {
  const TestFolder folder;
  const std::string numbered =
      folder.Write("numbered.txt",
                   "1,1,5,5,9,9,.9,-1,-1,-1\n1,2,50,5,9,9,.8,-1,-1,-1\n2,1,90,5,9,9,.7,-1,-1,-1\n");
  EXPECT_EQ(ReadTracks(numbered)->frames[0].boxes[1].track, -1);
  EXPECT_THAT(ReadTracks(numbered)->remarks[0], HasSubstr("nobody is followed"));
  const std::string tracked =
      folder.Write("tracked.txt",
                   "1,7,5,5,9,9,.9,-1,-1,-1\n1,2,50,5,9,9,.8,-1,-1,-1\n2,7,6,5,9,9,.7,-1,-1,-1\n");
  EXPECT_EQ(ReadTracks(tracked)->frames[0].boxes[1].track, 2);
  // Trackers that give no score write -1.
  const Expected<Tracks> unscored =
      ReadTracks(folder.Write("unscored.txt", "1,7,5,5,9,9,-1,-1,-1,-1\n"));
  EXPECT_EQ(unscored->frames[0].boxes[0].score, 1);
  EXPECT_THAT(unscored->remarks[0], HasSubstr("every score is -1"));
  const Expected<Tracks> odd =
      ReadTracks(folder.Write("odd.txt", "1,-1,5,5,9,9,-0.5\n1,-1,5,5,9,9,3.5\n"));
  EXPECT_EQ(odd->frames[0].boxes[1].score, 3.5F);
  EXPECT_THAT(odd->remarks[0], HasSubstr("2 scores are outside 0 to 1"));
}

TEST(SddTracks, LeavesLostBoxesOutAndNamesTheOthersByTheirLabel) {
  const TestFolder folder;
  const std::string file = folder.Write("gates_video9.txt",
                                        "0 793 1035 835 1097 6500 1 0 0 \"Pedestrian\"\n"
                                        "1 10 20 30 60 6502 0 1 0 \"Pedestrian\"\n"
                                        "2 100 20 130 60 6502 0 0 1 \"Biker\"\n"
                                        "3 100 20 130 60 6502 0 0 1 \"Golf\"\n");
  const Expected<Tracks> tracks = ReadTracks(file);
  ASSERT_TRUE(tracks) << tracks.error().message;
  EXPECT_EQ(tracks->name, "gates_video9");
  EXPECT_EQ(tracks->fps, 30);
  EXPECT_EQ(tracks->frame, (Size{130, 60}));
  EXPECT_THAT(tracks->classes.names,
              ElementsAre("person", "biker", "skater", "cart", "car", "bus", "golf"));
  // The first frame has nobody in sight, the second no row at all.
  EXPECT_THAT(NumbersOf(*tracks), ElementsAre(6500, 6501, 6502));
  EXPECT_THAT(CountsOf(*tracks), ElementsAre(0, 0, 3));
  EXPECT_THAT(tracks->frames[2].boxes,
              ElementsAre(TrackedBox{.box = {10, 20, 30, 60}, .track = 1, .visibility = 0.5F},
                          TrackedBox{.box = {100, 20, 130, 60}, .track = 2, .label = 1},
                          TrackedBox{.box = {100, 20, 130, 60}, .track = 3, .label = 6}));
  EXPECT_THAT(tracks->remarks,
              ElementsAre("1 boxes marked lost: left out", HasSubstr("taken as 130x60")));
  const Expected<Tracks> people = ReadTracks(file, {.people_only = true});
  EXPECT_THAT(people->classes.names, ElementsAre("person"));
  EXPECT_THAT(CountsOf(*people), ElementsAre(0, 0, 1));
  EXPECT_THAT(people->remarks,
              ElementsAre(HasSubstr("1 boxes marked lost"),
                          HasSubstr("2 boxes of what is no person"), HasSubstr("taken as")));
  const Expected<Tracks> riders =
      ReadTracks(file, {.riders_are_people = true, .people_only = true});
  EXPECT_THAT(CountsOf(*riders), ElementsAre(0, 0, 2));
}

TEST(PandaTracks, ReadsStillsFromTheTableByName) {
  const TestFolder folder;
  const Expected<Tracks> truth =
      ReadTracks(folder.Write("gt.csv",
                              "image,x,y,w,h\nIMG_2_1.jpg,10,20,30,40\nIMG_3_1_new.jpg,1,1,2,2\n"
                              "IMG_2_1.jpg,50,60,0,5\n"));
  ASSERT_TRUE(truth) << truth.error().message;
  EXPECT_EQ(truth->fps, 0);
  EXPECT_EQ(truth->frame, (Size{40, 60}));
  ASSERT_EQ(truth->frames.size(), 2U);
  EXPECT_EQ(truth->frames[0].name, "IMG_2_1");
  EXPECT_THAT(truth->frames[0].boxes, ElementsAre(TrackedBox{.box = {10, 20, 40, 60}}));
  EXPECT_EQ(truth->frames[1].name, "IMG_3_1_new");
  EXPECT_EQ(truth->frames[1].seconds, 1);
  const Expected<Tracks> found =
      ReadTracks(folder.Write("det.csv", "image,score,x,y,w,h\nIMG_2_1.jpg,0.5,10,20,30,40\n"));
  EXPECT_THAT(found->frames[0].boxes,
              ElementsAre(TrackedBox{.box = {10, 20, 40, 60}, .score = 0.5F}));
  // A scene is asked for by how its names begin.
  EXPECT_EQ(ReadTracks(folder / "gt.csv", {.only = "IMG_3_"})->frames.size(), 1U);
  EXPECT_THAT(ReadTracks(folder / "gt.csv", {.only = "IMG_9_"}).error().message,
              HasSubstr("no frame whose name begins with 'IMG_9_'; the first is IMG_2_1"));
}

constexpr const char* kRect = R"({"tl":{"x":0.1,"y":0.2},"br":{"x":0.2,"y":0.4}})";
constexpr const char* kHalf = R"({"tl":{"x":0.1,"y":0.2},"br":{"x":0.2,"y":0.3}})";

std::string Stills(const std::string& objects) {
  return R"({"02_OCT/IMG_02_02.jpg":{"image id":9,"image size":{"height":500,"width":1000},)"
         R"("objects list":[]},"01_HIT/IMG_01_01.jpg":{"image id":1,)"
         R"("image size":{"height":1000,"width":2000},"objects list":[)" +
         objects + "]}}";
}

TEST(PandaTracks, ReadsTheAnnotationJsonAsDocumented) {
  const TestFolder folder;
  const std::string person = std::string(R"({"category":"person","pose":"walking","rects":{)") +
                             R"("head":)" + kHalf + R"(,"visible body":)" + kHalf +
                             R"(,"full body":)" + kRect + "}}";
  const std::string file = folder.Write(
      "person_bbox_train.json",
      Stills(person +
             R"(,{"category":"crowd","rect":{"tl":{"x":-1,"y":0},"br":{"x":0.5,"y":2}}})"));
  const Expected<Tracks> tracks = ReadTracks(file);
  ASSERT_TRUE(tracks) << tracks.error().message;
  EXPECT_EQ(tracks->frame, (Size{2000, 1000}));
  ASSERT_EQ(tracks->frames.size(), 2U);
  EXPECT_EQ(tracks->frames[0].name, "IMG_01_01");
  ASSERT_EQ(tracks->frames[0].boxes.size(), 2U);
  EXPECT_EQ(tracks->frames[0].boxes[0].box, (Box{200, 200, 400, 400}));
  EXPECT_NEAR(tracks->frames[0].boxes[0].visibility, 0.5, 1e-5);
  EXPECT_FALSE(tracks->frames[0].boxes[0].difficult);
  // Beyond the frame is cut there.
  EXPECT_EQ(tracks->frames[0].boxes[1].box, (Box{0, 0, 1000, 1000}));
  EXPECT_TRUE(tracks->frames[0].boxes[1].difficult);
  EXPECT_THAT(tracks->remarks, ElementsAre(HasSubstr("1 images have another size")));
  EXPECT_EQ(ReadTracks(file, {.panda_body = PandaBody::kVisible})->frames[0].boxes[0].box,
            (Box{200, 200, 400, 300}));
  EXPECT_EQ(ReadTracks(file, {.frame = {1000, 500}})->frames[0].boxes[0].box,
            (Box{100, 100, 200, 200}));

  const struct {
    const char* objects;
    const char* message;
  } kBroken[] = {
      {"{}", R"("01_HIT/IMG_01_01.jpg"."objects list"[0]: has no "category")"},
      {R"({"category":"crowd"})", R"([0]: has neither "rects" nor "rect")"},
      {R"({"category":"crowd","rect":{"tl":{"x":0.1}}})", "[0].rect.tl.y: expected a number"},
      {R"({"category":"person","rects":{}})", R"([0].rects: has no "full body")"},
  };
  for (const auto& [objects, message] : kBroken) {
    folder.Write("person_bbox_train.json", Stills(objects));
    EXPECT_THAT(ReadTracks(file).error().message, HasSubstr(message));
  }
  folder.Write("person_bbox_train.json", "{\"a.jpg\":{}}");
  EXPECT_THAT(ReadTracks(file).error().message, HasSubstr("\"a.jpg\": has no \"image size\""));
  folder.Write("person_bbox_train.json", "{\"a.jpg\":");
  EXPECT_THAT(ReadTracks(file).error().message, HasSubstr("is no JSON"));
}

TEST(PandaTracks, ReadsTheTrackJsonWithItsSequenceInfo) {
  const TestFolder folder;
  const std::string file = folder.Write(
      "01_HIT/tracks.json", std::string(R"([{"track id":7,"frames":[{"frame id":2,"rect":)") +
                                kRect + R"(,"occlusion":"normal"}]}])");
  EXPECT_THAT(ReadTracks(file).error().message, HasSubstr("put seqinfo.json beside it"));
  EXPECT_EQ(ReadTracks(file, {.frame = {100, 100}})->frames.size(), 1U);
  folder.Write("01_HIT/seqinfo.json",
               R"({"name":"01_HIT","frameRate":2,"seqLength":3,"imWidth":1000,"imHeight":500})");
  const Expected<Tracks> tracks = ReadTracks(file);
  ASSERT_TRUE(tracks) << tracks.error().message;
  EXPECT_EQ(tracks->name, "01_HIT");
  EXPECT_EQ(tracks->fps, 2);
  EXPECT_THAT(CountsOf(*tracks), ElementsAre(0, 1, 0));
  EXPECT_EQ(tracks->frames[1].boxes[0], (TrackedBox{.box = {100, 100, 200, 200}, .track = 7}));
  EXPECT_DOUBLE_EQ(tracks->frames[1].seconds, 0.5);
  folder.Write("01_HIT/tracks.json", R"([{"track id":7,"frames":[{"frame id":2}]}])");
  EXPECT_THAT(ReadTracks(file).error().message, HasSubstr("[0].frames[0]: has no \"rect\""));
  folder.Write("01_HIT/tracks.json", "7");
  EXPECT_THAT(ReadTracks(file).error().message, HasSubstr("expected an object by image"));
}

TEST(ReadTracks, KeepsTheFramesNearestToTheWantedRate) {
  const TestFolder folder;
  const std::string file =
      folder.Write("a.txt", "10,-1,1,1,9,9,1\n25,-1,1,1,9,9,1\n13,-1,1,1,9,9,1\n");
  EXPECT_THAT(NumbersOf(*ReadTracks(file, {.fps = 30, .target_fps = 10})),
              ElementsAre(10, 13, 16, 19, 22, 25));
  // 14 to 10 a second: 0, 1.4, 2.8, 4.2, 5.6, 7, ...
  EXPECT_THAT(NumbersOf(*ReadTracks(file, {.fps = 14, .target_fps = 10})),
              ElementsAre(10, 11, 13, 14, 16, 17, 18, 20, 21, 23, 24, 25));
  EXPECT_EQ(ReadTracks(file, {.fps = 14, .target_fps = 10})->fps, 10);
  EXPECT_EQ(ReadTracks(file, {.fps = 5, .target_fps = 10})->frames.size(), 16U);
  EXPECT_EQ(ReadTracks(file, {.fps = 5, .target_fps = 10})->fps, 5);
}

TEST(ReadTracks, ReadsGzippedFilesAndSaysWhereOneIsCut) {
  const TestFolder folder;
  WriteGzip(folder / "a.txt.gz", "1,-1,1,1,9,9,1\n");
  EXPECT_EQ(ReadTracks(folder / "a.txt.gz")->name, "a");
  const std::string whole = ReadAll(folder / "a.txt.gz");
  folder.Write("cut.txt.gz", whole.substr(0, whole.size() - 10));
  EXPECT_THAT(ReadTracks(folder / "cut.txt.gz").error().message, HasSubstr("cut or broken gzip"));
}

TEST(ReadTracks, SaysInOneLineWhichRowIsWrong) {
  const TestFolder folder;
  const struct {
    const char* file;
    const char* text;
    const char* message;
    TrackForm form = TrackForm::kAuto;
  } kBroken[] = {
      {"a.txt", "", "a.txt is empty"},
      {"b.txt", " \n\n", "b.txt is empty"},
      {"gt.txt", "", "gt.txt has no rows, and no seqinfo says"},
      {"c.txt", "hello world\n", "c.txt is no track file that nearfar knows"},
      {"d.txt", "1,-1,1,1,9,9,1\n1,-1,1,1,9\n", "d.txt:2: expected frame,id,left,top"},
      {"e.txt", "1,-1,1,1,9,nan,1\n", "e.txt:1: expected frame,id"},
      {"f.txt", "1,-1,1,1,9,1e300,1\n", "f.txt:1: expected frame,id"},
      {"g.txt", "1.5,-1,1,1,9,9,1\n", "g.txt:1: the frame is '1.5', no whole number"},
      {"h.txt", "-1,-1,1,1,9,9,1\n", "h.txt:1: the frame is '-1'"},
      {"i.txt", "1,-1,1,1,9,9,1\n900000000,-1,1,1,9,9,1\n",
       "i.txt:2: frame 900000000 is more than"},
      {"j.txt", "1,1,1,1,9,9,1\n", "j.txt:1: expected frame,id", TrackForm::kMotGt},
      {"k.txt", "0 1 2 3 4 5 0 0 0 Pedestrian\n", "k.txt:1: expected track x1 y1"},
      {"l.txt", "0 1 2 3 4 5 0 0 0 \"Biker\"\n0 1 2 x 4 5 0 0 0 \"Biker\"\n", "l.txt:2: expected"},
      {"m.txt", "0 1 2 3 4 5.5 0 0 0 \"Biker\"\n", "m.txt:1: the frame is '5.5'"},
      {"n.csv", "image,x,y,w\n", "n.csv:1: expected the head line image,x,y,w,h"},
      {"o.csv", "image,x,y,w,h\na.jpg,1,2,3\n", "o.csv:2: expected image,x,y,w,h, got 'a.jpg"},
      {"p.csv", "image,x,y,w,h\na.jpg,1,2,3,inf\n", "p.csv:2: expected image"},
      {"q.csv", "image,x,y,w,h\n", "q.csv has no rows"},
  };
  for (const auto& [file, text, message, form] : kBroken) {
    const Expected<Tracks> tracks = ReadTracks(folder.Write(file, text), {.form = form});
    ASSERT_FALSE(tracks) << file;
    EXPECT_THAT(tracks.error().message, HasSubstr(message));
    EXPECT_THAT(tracks.error().message, Not(HasSubstr("\n")));
  }
  EXPECT_EQ(ReadTracks(folder / "nowhere.txt").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(ReadTracks(folder.path()).error().message, HasSubstr("neither gt/gt.txt nor det"));
  EXPECT_THAT(ReadTracks(folder / "a.txt", {.fps = -1}).error().message, HasSubstr("fps is -1"));
  EXPECT_THAT(ReadTracks(folder / "a.txt", {.frame = {5, 0}}).error().message,
              HasSubstr("frame is 5x0"));
  EXPECT_THAT(ParseTrackForm("mot").error().message, HasSubstr("mot-gt, mot-det, sdd"));
  EXPECT_EQ(*ParseTrackForm("sdd"), TrackForm::kSdd);
}

TEST(ReadTracks, ReadsAnEmptyTableOfASequenceAsFramesWithoutAnyone) {
  const TestFolder folder;
  folder.Write("seqinfo.ini", kSequence);
  folder.Write("det/det.txt", "");
  EXPECT_THAT(CountsOf(*ReadTracks(folder.path())), ElementsAre(0, 0, 0, 0, 0));
}

TEST(TracksAsTruth, IsWhatReadTruthGivesOfTheSameFile) {
  const TestFolder folder;
  folder.Write("MOT17-99.seqinfo.ini", kSequence);
  const std::string file =
      folder.Write("MOT17-99.gt.txt", "4,2,11,21,30,40,1,7,0.25\n2,1,1,1,10,20,1,1,0.5\n");
  const Truth truth = TracksAsTruth(*ReadTracks(file));
  EXPECT_THAT(truth.classes.names, ElementsAre("person"));
  ASSERT_EQ(truth.images.size(), 5U);
  EXPECT_EQ(truth.images[3],
            (TruthImage{.name = "000004",
                        .size = {1920, 1080},
                        .objects = {{.box = {10, 20, 40, 60}, .difficult = true, .track = 2}}}));
  const Expected<Truth> read = ReadTruth(file);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, truth);
  const std::string table = folder.Write("panda.csv", "image,x,y,w,h\nIMG_2_1.jpg,10,20,30,40\n");
  EXPECT_THAT(ReadTruth(table)->images,
              ElementsAre(TruthImage{
                  .name = "IMG_2_1", .size = {40, 60}, .objects = {{{10, 20, 40, 60}}}}));
  const std::string json = folder.Write("person_bbox.json", Stills(""));
  EXPECT_EQ(ReadTruth(json)->images.size(), 2U);
}

}  // namespace
}  // namespace nearfar
