// The verb scene, as a script calls it.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "adapters/image/codec.h"
#include "data/read_truth.h"
#include "data/scene.h"
#include "data/test_folder.h"

namespace nearfar {
namespace {

using ::testing::HasSubstr;

/// Runs the verb with its output in files out.txt and err.txt of the folder; the exit status.
int RunScene(const TestFolder& folder, const std::string& arguments) {
  const std::string command = "cd '" + folder.path() + "' && '" NEARFAR_BINARY "' scene " +
                              arguments + " > out.txt 2> err.txt";
  return WEXITSTATUS(std::system(command.c_str()));
}

TEST(SceneVerb, WritesAVocSetWhoseSplitsShareNoPicture) {
  const TestFolder folder;
  ASSERT_EQ(RunScene(folder, "--out set --seed 4 --split fit=3 --split judge=2"), 0)
      << ReadAll(folder / "err.txt");
  EXPECT_EQ(ReadAll(folder / "set/ImageSets/Main/fit.txt"),
            "scene-4-000000\nscene-4-000001\nscene-4-000002\n");
  const auto truth =
      ReadTruth(folder / "set", Synonyms::Default(), TruthOptions{.image_set = "judge"});
  ASSERT_TRUE(truth) << truth.error().message;
  ASSERT_EQ(truth->images.size(), 2U);
  EXPECT_EQ(truth->images[0].name, "scene-4-000003");
  EXPECT_EQ(truth->images[0].objects.size(), ToTruth(DrawPicture({.seed = 4}, 3)).objects.size());

  // The picture is the scene's, as well as JPEG keeps it.
  const auto bytes = ReadFileBytes(truth->images[0].file, 1 << 20);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto image = DecodeImage(*bytes);
  ASSERT_TRUE(image) << image.error().message;
  const ScenePicture drawn = DrawPicture({.seed = 4}, 3);
  ASSERT_EQ(image->size(), drawn.size);
  double difference = 0;
  for (std::ptrdiff_t i = 0; i < 3 * drawn.size.area(); ++i) {
    difference += std::abs(image->view().data[i] - drawn.pixels.view().data[i]);
  }
  EXPECT_LT(difference / (3 * static_cast<double>(drawn.size.area())), 8);
}

TEST(SceneVerb, WritesACocoSetOfAStreet) {
  const TestFolder folder;
  ASSERT_EQ(RunScene(folder,
                     "--out set --street --format coco --size 160x120 --first 5 --split a=4 "
                     "--json"),
            0)
      << ReadAll(folder / "err.txt");
  const auto truth = ReadTruth(folder / "set");
  ASSERT_TRUE(truth) << truth.error().message;
  ASSERT_EQ(truth->images.size(), 4U);
  EXPECT_EQ(truth->images[0].name, "street-1-000005");
  EXPECT_EQ(truth->images[0].size, (Size{160, 120}));
  EXPECT_FALSE(truth->images[0].file.empty());
  EXPECT_THAT(ReadAll(folder / "out.txt"), HasSubstr(R"("name":"a","images":4)"));
}

TEST(SceneVerb, RefusesWhatItCannotDrawBeforeAnythingIsWritten) {
  struct Row {
    const char* arguments;
    const char* says;
  };
  const TestFolder folder;
  for (const Row& row :
       {Row{"--out set --size 320x", "--size '320x'"}, Row{"--out set --size 20x20", "20x20"},
        Row{"--out set --split a", "--split 'a'"}, Row{"--out set --split a=0", "--split 'a=0'"},
        Row{"--out set --split a=1x", "--split 'a=1x'"},
        Row{"--out set --split ../a=1", "--split '../a=1'"},
        Row{"--out set --split a=1 --split a=2", "given before"},
        Row{"--out set --quiet 0.9 --crowd 0.2", "quiet_share"},
        Row{"--out set --quality 0", "quality"}, Row{"", "--out"}}) {
    EXPECT_EQ(RunScene(folder, row.arguments), 2) << row.arguments;
    EXPECT_THAT(ReadAll(folder / "err.txt"), HasSubstr(row.says));
    EXPECT_FALSE(std::filesystem::exists(folder / "set"));
  }
}

TEST(SceneVerb, SaysWhichFolderItCannotMake) {
  const TestFolder folder;
  folder.Write("file", "");
  EXPECT_EQ(RunScene(folder, "--out file/set --split a=1"), 3);
  EXPECT_THAT(ReadAll(folder / "err.txt"), HasSubstr("file/set"));
}

}  // namespace
}  // namespace nearfar
