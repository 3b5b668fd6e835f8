// What the program says of wrong input: one clear line and the exit status that fits, no more.

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "program.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

const std::string kNear = NEARFAR_SOURCE_DIR "/models/scene_near";
const std::string kPhoto = NEARFAR_SOURCE_DIR "/tests/goldens/photo_wide.png";

/// A folder with things that are not what they should be.
class BadInput : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::filesystem::temp_directory_path() / ("bad_input_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_ / "folder");
    std::ofstream(folder_ / "junk", std::ios::binary) << std::string("\0\x01\n\xFFjunk\n\0\n", 10);
    for (const std::string model : {"near", "far"}) {
      ASSERT_EQ(Nearfar({"record", kPhoto, "--model", kNear, "-o", At(model + ".rec")}).status, 0);
    }
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static std::string At(const std::string& name) { return (folder_ / name).string(); }
  static ProgramResult Nearfar(Words words) {
    words.insert(words.begin(), NEARFAR_BINARY);
    return RunProgram(words);
  }
  /// The same with stdout on a full disk.
  static ProgramResult ToFullDisk(const Words& words) {
    Words all{"/bin/sh", "-c", "exec \"$0\" \"$@\" > /dev/full", NEARFAR_BINARY};
    all.insert(all.end(), words.begin(), words.end());
    return RunProgram(all);
  }

  static inline std::filesystem::path folder_;
};

TEST_F(BadInput, IsNamedInOneLineWithAFittingStatus) {
  struct Case {
    Words words;
    int status;
    std::string says;
  };
  const std::string folder = At("folder");
  const std::string junk = At("junk");
  const std::string near = At("near.rec");
  const std::string far = At("far.rec");
  const Case cases[] = {
      // A folder where a file belongs.
      {{"run", kPhoto, "--near", kNear, "--synonyms", folder}, 3, "is a folder"},
      {{"record", kPhoto, "--model", kNear, "-o", At("x"), "--synonyms", folder}, 3, "is a folder"},
      {{"import", near, "-o", At("x"), "--synonyms", folder}, 3, "is a folder"},
      {{"calibrate", "--near", near, "--far", far, "--synonyms", folder}, 3, "is a folder"},
      {{"run", "@" + folder, "--near", kNear}, 3, "is a folder"},
      {{"run", kPhoto, "--near", kNear, "--discriminator", folder}, 3, "Is a directory"},
      {{"run", kPhoto, "--near", kNear, "--trace", folder}, 3, "Is a directory"},
      // A budget has nothing to rank without a discriminator.
      {{"eval", "--truth", near, "--near", near, "--far", far, "--budget", "0.2"},
       2,
       "--budget needs a --discriminator"},
      // Bytes that mean nothing.
      {{"run", "@" + junk, "--near", kNear}, 3, "is no list of files"},
      {{"run", kPhoto, "--near", kNear, "--discriminator", junk}, 3, "is no JSON"},
      {{"run", kPhoto, "--near", junk}, 3, "is no ONNX file"},
      {{"run", "--config", junk, "--check"}, 2, "junk:1: "},
      {{"explain", junk, "--near", kNear}, 3, "is no picture"},
      {{"explain", "--recording", junk, "photo"}, 3, "is no recording"},
      {{"eval", "--truth", junk, "--recording", near}, 3, "is no annotation"},
      {{"eval", "--truth", folder, "--recording", near}, 3, "is no annotation"},
      // Numbers that are none.
      {{"eval", "--truth", junk, "--near", near, "--far", far, "--upload", "nan"},
       2,
       "no finite number"},
      {{"record", kPhoto, "--model", kNear, "-o", At("x"), "--score-floor", "nan"},
       2,
       "no finite number"},
      {{"calibrate", "--near", near, "--far", far, "--upload", "nan"}, 2, "no finite number"},
      {{"run", kPhoto, "--near", kNear, "--score-threshold", "nan"}, 2, "is no number"},
      // A limit of the options.
      {{"run", "--check", "--near", kNear, "--max-pixels", "0", kPhoto}, 2, "max-pixels"},
      {{"record", kPhoto, "--model", kNear, "-o", At("x"), "--max-pixels", "0"}, 2, "max-pixels"},
      {{"record", kPhoto, "--model", kNear, "-o", At("y"), "--max-pixels", "9"}, 1, "max-pixels"},
      {{"model", kNear, "--set", "nms.iou"}, 2, "KEY=VALUE"},
      // A name that is neither.
      {{"run", kPhoto, "--near", kNear, "--discriminator", "smallbgi"}, 3, "one of smallbig"},
      {{"explain", kPhoto, "--near", kNear, "--discriminator", "smallbgi"}, 3, "one of smallbig"},
      {{"record", kPhoto, "--model", kNear, "-o", "/dev/full"}, 3, "is a device"},
  };
  for (const Case& c : cases) {
    const ProgramResult result = Nearfar(c.words);
    const std::string what = c.words[0] + " " + c.words.back() + ": " + result.err;
    EXPECT_EQ(result.status, c.status) << what;
    EXPECT_THAT(result.err, HasSubstr(c.says)) << what;
    EXPECT_EQ(result.out == "", c.status != 1) << what;  // 1: there is a summary
    // The parser of flags adds a line that points to --help.
    EXPECT_LE(std::count(result.err.begin(), result.err.end(), '\n'), c.status == 2 ? 2 : 1)
        << what;
  }
}

TEST_F(BadInput, ResultsThatCannotBeWrittenAreNoSuccess) {
  const Words cases[] = {
      {"model", kNear},
      {"model", kNear, "--json"},
      {"model", "--synonyms"},
      {"run", kPhoto, "--near", kNear, "--json"},
      {"run", kPhoto, "--near", kNear, "--trace", "-"},
      {"record", kPhoto, "--model", kNear, "-o", At("kept.rec"), "--json"},
      {"explain", kPhoto, "--near", kNear},
      {"calibrate", "--near", At("near.rec"), "--far", At("far.rec"), "--json"},
      {"scene", "--out", At("scene"), "--split", "a=1"},
  };
  for (const Words& words : cases) {
    const ProgramResult result = ToFullDisk(words);
    EXPECT_EQ(result.status, 3) << words[0] << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr("stdout")) << words[0];
  }
  EXPECT_GT(std::filesystem::file_size(At("kept.rec")), 0U);  // what was produced is kept
}

TEST_F(BadInput, ADiscriminatorWithoutAThresholdIsSaidToUploadNothing) {
  const ProgramResult result =
      Nearfar({"run", kPhoto, "--near", kNear, "--discriminator", "entropy", "--far",
               "127.0.0.1:1/x", "--far-patience", "1ms"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.err, HasSubstr("entropy only ranks pictures"));
}

TEST_F(BadInput, CalibrateTakesThePartOfARecordingThatTheImageSetNames) {
  ASSERT_EQ(Nearfar({"scene", "--out", At("street"), "--split", "a=6", "--split", "b=4"}).status,
            0);
  const std::string pictures = At("street/JPEGImages");
  ASSERT_EQ(Nearfar({"record", pictures, "--model", kNear, "-o", At("all.rec")}).status, 0);
  const ProgramResult part = Nearfar({"calibrate", "--near", At("all.rec"), "--far", At("all.rec"),
                                      "--truth", At("street"), "--image-set", "a"});
  EXPECT_EQ(part.status, 0) << part.err;
  EXPECT_THAT(part.out, HasSubstr("images 6"));
  EXPECT_THAT(part.err, HasSubstr("4 recorded images without truth left out"));
}

}  // namespace
}  // namespace nearfar
