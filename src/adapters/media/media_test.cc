#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/videoio.hpp>
#include <string>
#include <vector>

#include "adapters/media/media_source.h"
#include "adapters/media/natural_order.h"
#include "adapters/media/picture_sinks.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A folder of its own for each test.
class Media : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "nearfar_media_" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_ + "/inner");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Picture(const std::string& name, int grey = 128) {
    const std::string path = folder_ + "/" + name;
    cv::imwrite(path, cv::Mat(20, 30, CV_8UC3, cv::Scalar::all(grey)));
    return path;
  }
  std::string Video(const std::string& name, int frames) {
    const std::string path = folder_ + "/" + name;
    cv::VideoWriter writer(path, cv::CAP_FFMPEG, cv::VideoWriter::fourcc('m', 'p', '4', 'v'), 10,
                           {64, 48});
    for (int i = 0; i < frames; ++i) {
      writer.write(cv::Mat(48, 64, CV_8UC3, cv::Scalar::all(20 * i)));
    }
    return path;
  }
  std::string Text(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  std::unique_ptr<MediaSource> Open(const std::vector<std::string>& inputs,
                                    const MediaOptions& options = {}) {
    auto source = MediaSource::Open(inputs, options, clock_);
    EXPECT_TRUE(source) << source.error().message;
    return std::move(*source);
  }
  static std::vector<SourceItem> All(FrameSource& source) {
    std::vector<SourceItem> items;
    while (auto item = source.Next()) {
      items.push_back(std::move(*item));
    }
    return items;
  }
  static std::vector<std::string> Names(const std::vector<SourceItem>& items) {
    std::vector<std::string> names;
    for (const SourceItem& item : items) {
      names.push_back(item.name);
    }
    return names;
  }

  SystemClock clock_;
  std::string folder_;
};

TEST(NaturalOrder, CountsAsPeopleDo) {
  std::vector<std::string> names{"b1", "a10", "a2", "a02", "a", "a2b", "A9", "", "a2"};
  std::sort(names.begin(), names.end(), NaturallyBefore);
  EXPECT_THAT(names, ElementsAre("", "A9", "a", "a02", "a2", "a2", "a2b", "a10", "b1"));
  EXPECT_FALSE(NaturallyBefore("7", "7"));
  EXPECT_TRUE(NaturallyBefore("99999999999999999998", "99999999999999999999"));
}

TEST_F(Media, ReadsAFolderInNaturalOrderAndKeepsTheBytesOfJpegAndPng) {
  Picture("img10.jpg");
  Picture("img9.png");
  Picture("img1.bmp");
  Picture("inner/deep.jpg");
  Text("notes.md", "no picture");
  auto source = Open({folder_});
  EXPECT_EQ(source->count(), 3U);
  const auto items = All(*source);
  EXPECT_THAT(Names(items), ElementsAre("img1", "img9", "img10"));
  EXPECT_EQ((*items[2].frame)->size(), (Size{30, 20}));
  EXPECT_TRUE((*items[0].frame)->encoded.empty());
  EXPECT_EQ((*items[1].frame)->encoded.size(), fs::file_size(folder_ + "/img9.png"));
  EXPECT_EQ((*items[2].frame)->encoded.size(), fs::file_size(folder_ + "/img10.jpg"));
  auto deep = Open({folder_}, {.recursive = true});
  EXPECT_EQ(All(*deep).size(), 4U);
}

TEST_F(Media, GivesBrokenPicturesTheirTurnWithPathAndReason) {
  const std::string good = Picture("good.jpg");
  const std::string letter = Text("letter.jpg", "Dear reader");
  const std::string missing = folder_ + "/missing.jpg";
  Picture("cut.jpg");
  fs::resize_file(folder_ + "/cut.jpg", fs::file_size(folder_ + "/cut.jpg") / 2);
  auto source = Open({letter, missing, folder_ + "/cut.jpg", good});
  const auto items = All(*source);
  ASSERT_EQ(items.size(), 4U);
  EXPECT_THAT(items[0].frame.error().message, HasSubstr("letter.jpg: this is no picture"));
  EXPECT_EQ(items[1].frame.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(items[1].frame.error().message, HasSubstr("missing.jpg"));
  EXPECT_THAT(items[2].frame.error().message, HasSubstr("cut.jpg: the JPEG is damaged or cut"));
  EXPECT_TRUE(items[3].frame);
}

TEST_F(Media, ReadsListsFromTheListsFolder) {
  Picture("a.jpg");
  Picture("inner/b.jpg");
  const std::string list = Text("val.txt", "# the split\ninner/b.jpg\r\n\na.jpg\ngone.jpg\n");
  for (const std::string& input : {list, "@" + list}) {
    auto source = Open({input});
    const auto items = All(*source);
    EXPECT_THAT(Names(items), ElementsAre("b", "a", "gone"));
    EXPECT_FALSE(items[2].frame);
  }
}

TEST_F(Media, MakesNamesUniqueAndSaysSo) {
  const std::string one = Picture("a.jpg");
  const std::string two = Picture("inner/a.jpg");
  const std::string odd = Picture("a~2.jpg");
  auto source = Open({one, odd, two, two});
  EXPECT_THAT(Names(All(*source)), ElementsAre("a", "a~2", "a~3", "a~4"));
  ASSERT_EQ(source->remarks().size(), 1U);
  EXPECT_THAT(source->remarks()[0], HasSubstr("2 input(s)"));
  EXPECT_THAT(Open({one})->remarks(), IsEmpty());
}

TEST_F(Media, NumbersTheFramesOfAVideo) {
  const std::string video = Video("clip.mp4", 5);
  auto alone = Open({video});
  EXPECT_DOUBLE_EQ(alone->frames_per_second(), 10);
  EXPECT_EQ(alone->count(), std::nullopt);
  const auto items = All(*alone);
  EXPECT_THAT(Names(items), ElementsAre("000000", "000001", "000002", "000003", "000004"));
  EXPECT_NEAR((*items[4].frame)->pixels.view().data[0], 80, 4);
  const std::string picture = Picture("x.jpg");
  auto among = Open({picture, Video("two.mp4", 2)});
  EXPECT_THAT(Names(All(*among)), ElementsAre("x", "two_000000", "two_000001"));
}

TEST_F(Media, GivesAVideoThatCannotBeReadOneTurnAndGoesOn) {
  const std::string letter = Text("letter.mp4", "Dear reader");
  auto source = Open({letter, folder_ + "/gone.avi", Video("ok.mp4", 1)});
  const auto items = All(*source);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_THAT(items[0].frame.error().message, HasSubstr("letter.mp4: this is no video"));
  EXPECT_EQ(items[1].frame.error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(items[2].frame);
}

TEST_F(Media, ReadsAnImageSequenceFromTheFolderThatItsSeqinfoNames) {
  Picture("inner/000002.jpg");
  Picture("inner/000001.jpg");
  Picture("beside.jpg");
  Text("seqinfo.ini", "[Sequence]\nimDir=inner\nframeRate=14\nimWidth=30\nimHeight=20\n");
  auto source = Open({folder_});
  EXPECT_THAT(Names(All(*source)), ElementsAre("000001", "000002"));
  EXPECT_DOUBLE_EQ(source->frames_per_second(), 14);
  Text("seqinfo.ini", "imDir=nowhere\nimWidth=30\nimHeight=20\n");
  EXPECT_THAT(MediaSource::Open({folder_}, {}, clock_).error().message, HasSubstr("nowhere"));
  Text("seqinfo.ini", "imWidth=30\n");
  EXPECT_THAT(MediaSource::Open({folder_}, {}, clock_).error().message,
              HasSubstr("seqinfo.ini: lacks imWidth or imHeight"));
}

TEST_F(Media, RefusesWhatHoldsNoPictures) {
  EXPECT_THAT(MediaSource::Open({}, {}, clock_).error().message, HasSubstr("no pictures"));
  EXPECT_THAT(MediaSource::Open({folder_}, {}, clock_).error().message, HasSubstr("--recursive"));
  EXPECT_EQ(MediaSource::Open({"@/nonexistent"}, {}, clock_).error().code, ErrorCode::kNotFound);
}

FrameRecord Record(const std::string& name) {
  FrameRecord record;
  record.name = name;
  record.detections = {{{2, 2, 20, 15}, 0.9F, 0}, {{2, 2, 20, 15}, 0.2F, 0}};
  record.provenance = {kNear, kNear};
  record.verdicts = {Verdict{.reason = "no candidate box"}};
  return record;
}

TEST_F(Media, PictureFolderWritesOnePictureAFrame) {
  auto sink = OpenPictureFolder(folder_ + "/drawn/here", {});
  ASSERT_TRUE(sink);
  RunRecord run;
  run.classes = {{"person"}};
  ASSERT_TRUE((*sink)->Begin(run));
  const Image picture(Size{40, 30});
  EXPECT_TRUE((*sink)->Write(Record("a"), picture.view()));
  EXPECT_TRUE((*sink)->Write(Record("unreadable"), PixelView{}));
  EXPECT_EQ(cv::imread(folder_ + "/drawn/here/a.jpg").cols, 40);
  EXPECT_FALSE(fs::exists(folder_ + "/drawn/here/unreadable.jpg"));
  const Image one(Size{1, 1});
  FrameRecord outside = Record("no/such/folder");
  const auto failed = (*sink)->Write(outside, one.view());
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("no/such/folder.jpg"));
  EXPECT_FALSE(OpenPictureFolder("/dev/null/x", {}));
}

TEST_F(Media, VideoSinkWritesAVideoOfAllPicturesWhateverTheirSize) {
  const std::string path = folder_ + "/out.mp4";
  auto sink = MakeVideoSink(path, 10, {});
  ASSERT_TRUE(sink->Begin(RunRecord{}));
  const Image odd(Size{65, 47});
  const Image tall(Size{30, 90});
  EXPECT_TRUE(sink->Write(Record("a"), odd.view()));
  EXPECT_TRUE(sink->Write(Record("b"), tall.view()));
  EXPECT_TRUE(sink->Write(Record("c"), PixelView{}));
  const auto ended = sink->End();
  EXPECT_TRUE(ended) << ended.error().message;
  auto source = Open({path});
  const auto items = All(*source);
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ((*items[0].frame)->size(), (Size{64, 46}));
}

TEST_F(Media, VideoSinkTellsOfAPathThatCannotBeWritten) {
  EXPECT_FALSE(MakeVideoSink("/nonexistent/out.mp4", 10, {})->Begin(RunRecord{}));
  // A full disk: the encoder itself does not tell.
  fs::create_symlink("/dev/full", folder_ + "/full.mp4");
  auto sink = MakeVideoSink(folder_ + "/full.mp4", 10, {});
  const Image picture(Size{64, 48});
  const bool failed =
      !sink->Begin(RunRecord{}) || !sink->Write(Record("a"), picture.view()) || !sink->End();
  EXPECT_TRUE(failed);
}

TEST(Caption, SaysWhoAnsweredAndWhy) {
  FrameRecord record = Record("a");
  EXPECT_EQ(CaptionOf(record), "easy, kept near: no candidate box");
  record.verdicts[0].difficult = record.verdicts[0].uploaded = true;
  record.provenance = {LinkId{1}, LinkId{1}};
  EXPECT_THAT(CaptionOf(record), HasSubstr("difficult, answered far"));
  record.status = FrameStatus::kDegraded;
  record.reason = "unavailable: refused";
  EXPECT_EQ(CaptionOf(record), "difficult, kept near (degraded): unavailable: refused");
  EXPECT_EQ(CaptionOf(FrameRecord{}), "");
}

TEST_F(Media, LeavesUnwantedPicturesUnreadButKeepsTheirPlace) {
  Picture("a.png");
  Text("b.png", "this would be an error of another kind if it were read");
  Picture("c.png");
  const auto source = Open({folder_});
  source->PassOver([](const std::string& name) { return name == "b"; });
  const auto items = All(*source);
  ASSERT_EQ(items.size(), 3U);
  EXPECT_TRUE(items[0].frame);
  EXPECT_EQ(items[1].name, "b");
  EXPECT_EQ(items[1].frame.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(items[2].frame);
}

}  // namespace
}  // namespace nearfar
