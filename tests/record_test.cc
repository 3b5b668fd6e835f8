// `nearfar record` and `nearfar import` as their users run them, on the tiny models and photos of
// tests/goldens: killed and gone on with, stopped by Ctrl-C, given pictures that are none.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/nms.h"
#include "data/recorded_tiling.h"
#include "data/recording.h"
#include "data/test_folder.h"

namespace nearfar {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kGoldens = NEARFAR_SOURCE_DIR "/tests/goldens/";
const std::string kModel = kGoldens + "ssd_decoded";
const std::string kOtherModel = kGoldens + "yolo11_dynamic";

/// How a run of the program ended and what it said.
struct Ending {
  int status = -1;  ///< exit status, or 1000 + the signal that ended it
  std::string out;
  std::string err;
};

/// The program at work, its words going to files of the folder.
class Program {
 public:
  Program(const TestFolder& folder, std::vector<std::string> arguments)
      : out_(folder / "stdout.txt"), err_(folder / "stderr.txt") {
    arguments.insert(arguments.begin(), NEARFAR_BINARY);
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDOUT_FILENO);
      dup2(open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }

  void Signal(int signal) const { kill(pid_, signal); }

  Ending Wait() const {
    int status = 0;
    waitpid(pid_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), ReadAll(out_),
            ReadAll(err_)};
  }

 private:
  std::string out_;
  std::string err_;
  pid_t pid_ = -1;
};

Ending Call(const TestFolder& folder, const std::vector<std::string>& arguments) {
  return Program(folder, arguments).Wait();
}

/// Waits until a file of the folder has so many lines, however the lines come.
bool WaitForLines(const TestFolder& folder, const std::string& file, std::ptrdiff_t lines) {
  const int notify = inotify_init1(IN_CLOEXEC);
  inotify_add_watch(notify, folder.path().c_str(), IN_MODIFY | IN_CREATE);
  bool reached = false;
  while (!reached) {
    const std::string text = ReadAll(file);
    reached = std::count(text.begin(), text.end(), '\n') >= lines;
    pollfd waiting{notify, POLLIN, 0};
    constexpr int kPatienceMs = 30000;
    if (!reached && poll(&waiting, 1, kPatienceMs) <= 0) {
      break;
    }
    char events[4096];
    if (!reached && read(notify, events, sizeof events) < 0) {
      break;
    }
  }
  close(notify);
  return reached;
}

/// Many pictures in the folder's photos/: copies of a golden one.
void CopyPhotos(const TestFolder& folder, int count) {
  fs::create_directories(folder / "photos");
  for (int i = 0; i < count; ++i) {
    fs::copy_file(kGoldens + "photo_tall.png",
                  folder / ("photos/photo" + std::to_string(i) + ".png"));
  }
}

/// What must not differ between two runs: all but the times.
std::vector<RecordedFrame> Timeless(const Recording& recording) {
  std::vector<RecordedFrame> frames = recording.frames;
  for (RecordedFrame& frame : frames) {
    EXPECT_GT(frame.captured_ms, 0);
    EXPECT_GT(frame.service_ms, 0);
    frame.captured_ms = frame.service_ms = -1;
  }
  return frames;
}

constexpr int kPhotos = 400;

TEST(Record, KilledAndCalledAgainGivesTheRecordingOfAnUnbrokenRun) {
  const TestFolder folder;
  CopyPhotos(folder, kPhotos);
  const std::string file = folder / "killed.rec";
  const std::vector<std::string> command = {"record", folder / "photos", "--model",
                                            kModel,   "--output",        file};
  {
    const Program program(folder, command);
    ASSERT_TRUE(WaitForLines(folder, file, 6));
    program.Signal(SIGKILL);
    ASSERT_EQ(program.Wait().status, 1000 + SIGKILL);
  }
  // A kill of the machine may leave a part of a line.
  const Expected<Recording> left = ReadRecording(file);
  ASSERT_TRUE(left) << left.error().message;
  ASSERT_LT(left->frames.size(), std::size_t{kPhotos}) << "killed too late to prove anything";
  ASSERT_GE(left->frames.size(), 5U);
  fs::resize_file(file, fs::file_size(file) - 20);

  const Ending ending = Call(folder, command);
  EXPECT_EQ(ending.status, 0) << ending.err;
  EXPECT_THAT(ending.err, AllOf(HasSubstr("the last line is cut off: left out"),
                                HasSubstr("going on with it")));
  const Ending unbroken = Call(folder, {"record", folder / "photos", "--model", kModel, "--output",
                                        folder / "unbroken.rec"});
  EXPECT_EQ(unbroken.status, 0) << unbroken.err;
  const Recording resumed = ReadRecording(file).value();
  const Recording whole = ReadRecording(folder / "unbroken.rec").value();
  EXPECT_THAT(resumed.remarks, IsEmpty());
  EXPECT_EQ(whole.frames.size(), std::size_t{kPhotos});
  EXPECT_EQ(resumed.model, whole.model);
  EXPECT_TRUE(Timeless(resumed) == Timeless(whole));

  // Once more there is nothing left to do.
  const std::string before = ReadAll(file);
  EXPECT_THAT(Call(folder, command).out, HasSubstr("400 were there already"));
  EXPECT_EQ(ReadAll(file), before);
}

TEST(Record, StoppedByCtrlCKeepsWhatItHasAndSaysSo) {
  const TestFolder folder;
  CopyPhotos(folder, kPhotos);
  const std::string file = folder / "stopped.rec";
  const Program program(
      folder, {"record", folder / "photos", "--model", kModel, "--output", file, "--json"});
  ASSERT_TRUE(WaitForLines(folder, file, 6));
  program.Signal(SIGINT);
  const Ending ending = program.Wait();
  EXPECT_EQ(ending.status, 130);
  const nlohmann::json summary = nlohmann::json::parse(ending.out);
  EXPECT_EQ(summary["interrupted"], true);
  const Recording recording = ReadRecording(file).value();
  EXPECT_THAT(recording.remarks, IsEmpty());
  EXPECT_EQ(summary["recorded"], recording.frames.size());
  EXPECT_LT(recording.frames.size(), std::size_t{kPhotos});
}

TEST(Record, GoesOnPastPicturesThatAreNoneAndTellsByItsStatus) {
  const TestFolder folder;
  const std::string note = folder.Write("note.jpg", "hello");
  const std::string photo = ReadAll(kGoldens + "photo_wide.png");
  const std::string cut = folder.Write("cut.png", photo.substr(0, photo.size() / 2));
  const std::string empty = folder.Write("empty.png", "");
  const Ending ending =
      Call(folder, {"record", note, folder / "none.png", cut, empty, kGoldens + "photo_wide.png",
                    "--model", kModel, "--output", folder / "r.rec", "--json"});
  EXPECT_EQ(ending.status, 1) << ending.err;
  for (const std::string& file : {note, folder / "none.png", cut, empty}) {
    EXPECT_THAT(ending.err, HasSubstr(file));
  }
  const nlohmann::json summary = nlohmann::json::parse(ending.out);
  EXPECT_EQ(summary["recorded"], 1);
  EXPECT_EQ(summary["failed"], 4);
  EXPECT_EQ(ReadRecording(folder / "r.rec")->frames.size(), 1U);
}

TEST(Record, KeepsWhatPoliciesWantOfModelAndPixels) {
  const TestFolder folder;
  const Ending ending = Call(folder, {"record", kGoldens + "photo_large.png", "--model", kModel,
                                      "--output", folder / "r.rec"});
  ASSERT_EQ(ending.status, 0) << ending.err;
  const Recording recording = ReadRecording(folder / "r.rec").value();
  EXPECT_EQ(recording.model.name, "ssd_decoded");
  EXPECT_EQ(recording.model.hash.size(), 16U);
  EXPECT_FALSE(recording.model.preprocessing.empty());
  EXPECT_THAT(recording.model.nms, HasSubstr("iou"));
  EXPECT_DOUBLE_EQ(recording.model.score_floor, 0.01);
  EXPECT_EQ(recording.model.label_map, Synonyms::Default().version());
  EXPECT_GT(recording.model.input.area(), 0);
  ASSERT_EQ(recording.frames.size(), 1U);
  const RecordedFrame& frame = recording.frames[0];
  EXPECT_EQ(frame.name, "photo_large");
  EXPECT_EQ(frame.rect, WholeOf(frame.size));
  EXPECT_GT(frame.features.brenner, 0);
  EXPECT_GT(frame.features.jpeg_bytes, 0);
  EXPECT_GE(frame.detections.size(), 20U);
  EXPECT_TRUE(std::is_sorted(frame.detections.begin(), frame.detections.end(),
                             [](const auto& a, const auto& b) { return a.score > b.score; }));
}

TEST(Record, SpoilsPicturesAndMixesThemWithNoOthers) {
  const TestFolder folder;
  const auto record = [&](const std::string& file, std::vector<std::string> more) {
    std::vector<std::string> flags = {
        "record", kGoldens + "photo_wide.png", "--model", kModel, "--output", folder / file};
    flags.insert(flags.end(), more.begin(), more.end());
    return Call(folder, flags);
  };
  ASSERT_EQ(record("clean.rec", {}).status, 0);
  ASSERT_EQ(record("dark.rec", {"--corrupt", "dark:3"}).status, 0);
  const Recording clean = ReadRecording(folder / "clean.rec").value();
  const Recording dark = ReadRecording(folder / "dark.rec").value();
  EXPECT_EQ(clean.model.pictures, "");
  EXPECT_EQ(dark.model.pictures, "dark:3 seed 1");
  EXPECT_EQ(dark.frames[0].size, clean.frames[0].size);
  EXPECT_LT(dark.frames[0].features.brenner, 0.5 * clean.frames[0].features.brenner)
      << "measured on the spoiled picture";
  EXPECT_LT(dark.frames[0].features.jpeg_bytes, clean.frames[0].features.jpeg_bytes);
  EXPECT_NE(dark.frames[0].detections, clean.frames[0].detections);

  ASSERT_EQ(record("again.rec", {"--corrupt", "dark:3"}).status, 0);
  EXPECT_EQ(Timeless(ReadRecording(folder / "again.rec").value()), Timeless(dark));
  for (const std::vector<std::string>& other : {std::vector<std::string>{},
                                                {"--corrupt", "dark:2"},
                                                {"--corrupt", "dark:3", "--seed", "2"}}) {
    const Ending refused = record("dark.rec", other);
    EXPECT_EQ(refused.status, 3);
    EXPECT_THAT(refused.err, HasSubstr("pictures: dark:3 seed 1"));
  }
  const Ending mixed =
      Call(folder, {"calibrate", "--near", folder / "clean.rec", "--far", folder / "dark.rec"});
  EXPECT_EQ(mixed.status, 3);
  EXPECT_THAT(mixed.err, HasSubstr("the two models saw different pictures"));
  const Ending unknown = record("fog.rec", {"--corrupt", "fog:1"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("a kind of blur, occlusion, water, smoke, dark"));
}

TEST(Record, BeforeNmsGivesAfterNmsWhatRecordGivesWithoutIt) {
  const TestFolder folder;
  const std::vector<std::string> photos = {
      kGoldens + "photo_large.png", kGoldens + "photo_tall.png", kGoldens + "photo_wide.png"};
  const auto record = [&](const std::string& file, const std::vector<std::string>& more) {
    std::vector<std::string> command = {"record"};
    command.insert(command.end(), photos.begin(), photos.end());
    command.insert(command.end(), {"--model", kModel, "--output", folder / file});
    command.insert(command.end(), more.begin(), more.end());
    const Ending ending = Call(folder, command);
    EXPECT_EQ(ending.status, 0) << ending.err;
    return ReadRecording(folder / file).value();
  };
  const Recording raw = record("raw.rec", {"--before-nms"});
  const Recording plain = record("plain.rec", {"--nms-iou", "0.4", "--max-boxes", "50"});
  EXPECT_EQ(raw.model.nms, "none");
  EXPECT_THAT(Difference(raw.model, plain.model), HasSubstr("nms: none"));
  ASSERT_EQ(raw.frames.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    Detections reduced = Nms(raw.frames[i].detections, {.iou = 0.4F, .max_detections = 50});
    for (Detection& detection : reduced) {
      detection.box = ClipTo(detection.box, raw.frames[i].size);
    }
    EXPECT_GT(raw.frames[i].detections.size(), reduced.size());
    EXPECT_TRUE(reduced == plain.frames[i].detections) << i;
  }
}

TEST(Record, RefusesToMixModelsOrToHarmAnotherFile) {
  const TestFolder folder;
  const std::string photo = kGoldens + "photo_large.png";
  const std::string file = folder / "r.rec";
  ASSERT_EQ(Call(folder, {"record", photo, "--model", kModel, "--output", file}).status, 0);
  const std::string before = ReadAll(file);
  const Ending mixed = Call(folder, {"record", photo, "--model", kOtherModel, "--output", file});
  EXPECT_EQ(mixed.status, 3);
  EXPECT_THAT(mixed.err, AllOf(HasSubstr("was recorded otherwise (hash: "), HasSubstr(file)));
  EXPECT_EQ(ReadAll(file), before);

  const std::string notes = folder.Write("notes.txt", "precious\n");
  EXPECT_EQ(Call(folder, {"record", photo, "--model", kModel, "--output", notes}).status, 3);
  EXPECT_EQ(ReadAll(notes), "precious\n");
  EXPECT_EQ(Call(folder, {"record", photo, "--model", notes, "--output", folder / "n.rec"}).status,
            3);
  EXPECT_EQ(Call(folder, {"record", folder / "no.txt", "--model", kModel, "--output", file}).status,
            3);
  EXPECT_EQ(Call(folder, {"record", photo, "--model", kModel}).status, 2);
}

TEST(Record, SaysWhenAnImageOfAnotherFolderWasTakenAsAlreadyThere) {
  const TestFolder folder;
  fs::create_directories(folder / "a");
  fs::create_directories(folder / "b");
  fs::copy_file(kGoldens + "photo_wide.png", folder / "a/1.png");
  fs::copy_file(kGoldens + "photo_tall.png", folder / "b/1.png");
  const auto record = [&](const std::string& from) {
    return Call(folder, {"record", from, "--model", kModel, "--output", folder / "r.rec"});
  };
  ASSERT_EQ(record(folder / "a").status, 0);
  EXPECT_THAT(record(folder / "b/../a").err, ::testing::Not(HasSubstr("another path")));
  EXPECT_THAT(record(folder / "b").err, HasSubstr("1 images were taken as already recorded"));
}

TEST(Import, WritesARecordingThatStandsForTheDetections) {
  const TestFolder folder;
  folder.Write("dets/comp4_det_test_dog.txt", "b 0.9 1 2 3 4\n");
  folder.Write("dets/comp4_det_test_cat.txt", "a 0.0137 1 1 2 2\n");
  const std::string images = folder.Write("sizes.csv", "image,width,height\na,10,20\nb,100,200\n");
  const std::vector<std::string> command = {"import", folder / "dets",  "--images", images,
                                            "-o",     folder / "r.rec", "--name",   "far",
                                            "--json"};
  const Ending ending = Call(folder, command);
  ASSERT_EQ(ending.status, 0) << ending.err;
  EXPECT_EQ(nlohmann::json::parse(ending.out)["boxes"], 2);
  const Recording recording = ReadRecording(folder / "r.rec").value();
  EXPECT_EQ(recording.model.name, "far");
  EXPECT_THAT(recording.classes.names, ElementsAre("cat", "dog"));
  ASSERT_EQ(recording.frames.size(), 2U);
  EXPECT_THAT(recording.frames[1].detections, ElementsAre(Detection{{0, 1, 3, 4}, 0.9F, 1}));
  const Ending again = Call(folder, command);
  EXPECT_EQ(again.status, 3);
  EXPECT_THAT(again.err, HasSubstr("--force"));
  EXPECT_EQ(Call(folder, {"import", folder / "none", "-o", folder / "x.rec"}).status, 3);
}

TEST(RecordTiles, RecordsEachRegionByItselfGoesOnAndIsMergedToWholeFrames) {
  const TestFolder folder;
  const std::vector<std::string> record{"record",
                                        kGoldens + "photo_wide.png",
                                        kGoldens + "photo_tall.png",
                                        "-m",
                                        kModel,
                                        "-o",
                                        folder / "tiles.rec",
                                        "--tiles",
                                        "64x48",
                                        "--padding",
                                        "8",
                                        "--overview",
                                        "50",
                                        "--whole"};
  ASSERT_EQ(Call(folder, record).status, 0);
  const Expected<Recording> whole_run = ReadRecording(folder / "tiles.rec");
  ASSERT_TRUE(whole_run) << whole_run.error().message;
  const auto tiling = ReadTiling(whole_run->model.pictures);
  ASSERT_TRUE(tiling);
  EXPECT_EQ(*tiling, (RecordedTiling{{64, 48}, {8, 8}, 50, true}));
  std::size_t wanted = 0;
  for (const RecordedFrame& frame : whole_run->frames) {
    if (frame.region == RegionId{0}) {
      wanted += RegionsToRecord(*tiling, frame.size).size();
    }
    for (const Detection& detection : frame.detections) {
      EXPECT_GE(detection.box.x1, static_cast<float>(frame.rect.x) - 0.01F);
      EXPECT_LE(detection.box.x2, static_cast<float>(frame.rect.x + frame.rect.width) + 0.01F);
      EXPECT_GE(detection.box.y1, static_cast<float>(frame.rect.y) - 0.01F);
      EXPECT_LE(detection.box.y2, static_cast<float>(frame.rect.y + frame.rect.height) + 0.01F);
    }
  }
  EXPECT_EQ(whole_run->frames.size(), wanted);

  // Stopped after some regions of the first picture: the rest is gone on with.
  const std::string text = ReadAll(folder / "tiles.rec");
  std::size_t end = 0;
  for (int line = 0; line < 4; ++line) {
    end = text.find('\n', end) + 1;
  }
  std::ofstream(folder / "tiles.rec", std::ios::binary) << text.substr(0, end);
  ASSERT_EQ(Call(folder, record).status, 0);
  const Expected<Recording> resumed = ReadRecording(folder / "tiles.rec");
  ASSERT_TRUE(resumed);
  EXPECT_EQ(Timeless(*resumed), Timeless(*whole_run));

  // Another cut does not go on with it.
  std::vector<std::string> other = record;
  *std::find(other.begin(), other.end(), "64x48") = "32";
  const Ending refused = Call(folder, other);
  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.err, HasSubstr("tiles 32x32"));

  for (const char* how : {"border", "iou", "overview", "whole"}) {
    ASSERT_EQ(Call(folder, {"merge", folder / "tiles.rec", "-o", folder / "merged.rec", "--force",
                            "--how", how})
                  .status,
              0);
    const Expected<Recording> merged = ReadRecording(folder / "merged.rec");
    ASSERT_TRUE(merged);
    ASSERT_EQ(merged->frames.size(), 2U);
    EXPECT_EQ(merged->model.pictures, "");
    EXPECT_EQ(merged->frames[0].rect, WholeOf(merged->frames[0].size));
  }
  // Without --force nothing is replaced; whole frames are no tiles.
  EXPECT_EQ(Call(folder, {"merge", folder / "tiles.rec", "-o", folder / "merged.rec"}).status, 3);
  EXPECT_THAT(Call(folder, {"merge", folder / "merged.rec", "-o", folder / "again.rec"}).err,
              HasSubstr("a recording of whole frames"));
  EXPECT_EQ(
      Call(folder, {"merge", folder / "tiles.rec", "-o", folder / "again.rec", "--cells", "x"})
          .status,
      3);
  // The overview without tiles has no meaning.
  EXPECT_EQ(Call(folder, {"record", kGoldens + "photo_wide.png", "-m", kModel, "-o",
                          folder / "other.rec", "--overview", "50"})
                .status,
            2);
}

}  // namespace
}  // namespace nearfar
