#include "eval/paper_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace nearfar {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::SizeIs;

const PaperTable& TableNo(std::string_view number) {
  for (const PaperTable& table : SmallBigTables()) {
    if (table.number == number) {
      return table;
    }
  }
  ADD_FAILURE() << "no table " << number;
  return SmallBigTables()[0];
}

std::optional<std::size_t> Place(const PaperTable& table, PaperColumn column) {
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (table.columns[c] == column) {
      return c;
    }
  }
  return std::nullopt;
}

// ---- the paper's numbers

TEST(SmallBigTables, AreTableOneAndThreeToSeventeen) {
  std::vector<std::string> numbers;
  for (const PaperTable& table : SmallBigTables()) {
    numbers.emplace_back(table.number);
    EXPECT_EQ(table.columns.size(), table.titles.size()) << table.number;
    for (const PaperRow& row : table.rows) {
      EXPECT_EQ(row.values.size(), table.columns.size()) << table.number << " " << row.name;
    }
  }
  EXPECT_THAT(numbers, ElementsAre("I", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI",
                                   "XII", "XIII", "XIV", "XV", "XVI", "XVII"));
}

TEST(SmallBigTables, SharesAndAveragesRecomputeOrTheRowSaysThatTheyDoNot) {
  int slips = 0;
  for (const PaperTable& table : SmallBigTables()) {
    const auto big = Place(table, PaperColumn::kBigObjects);
    const auto end = Place(table, PaperColumn::kEndObjects);
    const auto share = Place(table, PaperColumn::kEndOfBigObjects);
    std::vector<double> sums(table.columns.size());
    int rows = 0;
    for (const PaperRow& row : table.rows) {
      bool recomputes = true;
      if (row.kind == PaperRowKind::kData) {
        if (big && end && share) {
          recomputes = std::abs(100 * *row.values[*end] / *row.values[*big] - *row.values[*share]) <
                       .011;  // some are cut off, not rounded
        }
        for (std::size_t c = 0; c < sums.size(); ++c) {
          sums[c] += row.values[c].value_or(0);
        }
        ++rows;
      } else if (row.kind == PaperRowKind::kAverage) {
        for (std::size_t c = 0; c < sums.size(); ++c) {
          recomputes =
              recomputes && (!row.values[c] || std::abs(sums[c] / rows - *row.values[c]) < .011);
        }
      }
      EXPECT_TRUE(recomputes || !row.slip.empty()) << "Table " << table.number << ", " << row.name;
      slips += recomputes ? 0 : 1;
    }
  }
  EXPECT_EQ(slips, 8);  // two rows of IV; the averages of III, IV, VIII, XIII, XV and XVII
}

TEST(SmallBigTables, TheTablesOfBlurAndTop1AreTheSameNumbers) {
  for (const auto& [one, other] : {std::pair("XIV", "XVI"), std::pair("XV", "XVII")}) {
    const PaperTable& a = TableNo(one);
    const PaperTable& b = TableNo(other);
    ASSERT_EQ(a.rows.size(), b.rows.size());
    for (std::size_t r = 0; r < a.rows.size(); ++r) {
      EXPECT_EQ(a.rows[r].values, b.rows[r].values);
      EXPECT_FALSE(b.rows[r].slip.empty());
    }
    EXPECT_THAT(std::string(b.slips[0]), HasSubstr("print the same numbers"));
  }
}

TEST(SmallBigTables, TheAbstractsSharesOfMapRecomputeToOthers) {
  const std::pair<const char*, double> averages[] = {{"III", 91.21}, {"V", 93.68}, {"VII", 91.83}};
  for (const auto& [number, average] : averages) {
    const PaperTable& table = TableNo(number);
    EXPECT_THAT(table.rows.back().values.back(), Optional(DoubleNear(average, .006))) << number;
  }
  EXPECT_THAT(std::string(TableNo("III").slips[0]), HasSubstr("91.21, 93.68 and 91.83"));
}

TEST(PaperUploadRatio, IsTheRowsOwnOrThatOfTheTableOfTheSameExperiment) {
  const auto ratio = [](const char* number, std::size_t row) {
    const PaperTable& table = TableNo(number);
    return PaperUploadRatio(table, table.rows[row]);
  };
  EXPECT_THAT(ratio("III", 0), Optional(DoubleNear(.5147, 1e-9)));
  EXPECT_THAT(ratio("IV", 0), Optional(DoubleNear(.5147, 1e-9)));
  EXPECT_THAT(ratio("VIII", 3), Optional(DoubleNear(.4896, 1e-9)));
  EXPECT_THAT(ratio("X", 1), Optional(DoubleNear(.2132, 1e-9)));
  EXPECT_THAT(ratio("XI", 0), Optional(DoubleNear(.5119, 1e-9)));
  EXPECT_THAT(ratio("XIV", 2), Optional(DoubleNear(.5042, 1e-9)));
  EXPECT_EQ(ratio("III", 4), std::nullopt);  // the average
  EXPECT_EQ(ratio("I", 0), std::nullopt);
}

TEST(PaperNames, AreReadInAnyCaseAndWithOrWithoutVoc) {
  EXPECT_EQ(*ParsePaperModels("1"), PaperModels::kSmall1);
  EXPECT_EQ(*ParsePaperModels("small model 3"), PaperModels::kSmall3);
  EXPECT_EQ(*ParsePaperModels("YOLOv4"), PaperModels::kYolov4);
  EXPECT_EQ(*ParsePaperData("voc07++12"), PaperData::k07pp12);
  EXPECT_EQ(*ParsePaperData("07+12"), PaperData::k0712);
  EXPECT_EQ(*ParsePaperData("COCO"), PaperData::kCoco);
  for (const char* text : {"", "4", "small", "small model ", "yolo"}) {
    EXPECT_FALSE(ParsePaperModels(text)) << text;
  }
  for (const char* text : {"", "voc", "08", "07+", "hat"}) {
    EXPECT_FALSE(ParsePaperData(text)) << text;
  }
}

// ---- a pair

/// `count` images of 100x100 px. Each has one large person; every second also a small dog, which
/// the near model only suspects. The far model finds all.
struct World {
  explicit World(int count) {
    near.model = {.name = "tiny"};
    far.model = {.name = "large"};
    near.classes = far.classes = truth.classes = {{"dog", "person"}};
    for (int i = 0; i < count; ++i) {
      const Detection person{{10, 10, 80, 90}, .9F, 1};
      const Detection dog{{85, 85, 95, 95}, .8F, 0};
      TruthImage image{.name = "image" + std::to_string(i), .size = {100, 100}};
      image.objects = {{.box = person.box, .label = 1}};
      RecordedFrame frame{.name = image.name, .rect = {0, 0, 100, 100}, .size = {100, 100}};
      frame.features = {.brenner = static_cast<double>(i), .jpeg_bytes = 1000};
      RecordedFrame here = frame;
      here.service_ms = 10;
      here.detections = {person};
      RecordedFrame there = frame;
      there.service_ms = 100;
      there.detections = {person};
      if (i % 2 == 1) {
        image.objects.push_back({.box = dog.box, .label = 0});
        here.detections.push_back({{70, 85, 80, 95}, .3F, 0});  // beside the dog
        there.detections.push_back(dog);
      }
      truth.images.push_back(std::move(image));
      near.frames.push_back(std::move(here));
      far.frames.push_back(std::move(there));
    }
  }

  Expected<PaperPair> Pair(const PaperPairOptions& options = {}) const {
    return PaperPair::Make(near, far, truth, Synonyms::Default(), options);
  }

  Truth truth;
  Recording near, far;
};

TEST(PaperPair, UploadsWhatTheRuleCallsDifficultByThresholdsOfTheOtherHalf) {
  const auto pair = World(40).Pair();
  ASSERT_TRUE(pair) << pair.error().message;
  EXPECT_EQ(pair->images(), 40U);
  EXPECT_EQ(pair->objects(), 60);
  EXPECT_THAT(pair->score_thresholds(), SizeIs(2));
  // Every dog is suspected, nothing else: the rule is right everywhere.
  EXPECT_DOUBLE_EQ(pair->ours().upload_ratio, .5);
  EXPECT_EQ(pair->ours().found, 60);
  EXPECT_THAT(pair->ours().map, Optional(DoubleNear(1, 1e-9)));
  EXPECT_EQ(pair->on_estimates().accuracy(), 1);
  EXPECT_EQ(pair->on_true_features().accuracy(), 1);
  EXPECT_EQ(pair->small().counted, 40);
  EXPECT_EQ(pair->big().counted, 60);
  // Near 10 ms each, far 100 ms for the half that goes up.
  EXPECT_THAT(pair->small().seconds, Optional(DoubleNear(.4, 1e-9)));
  EXPECT_THAT(pair->big().seconds, Optional(DoubleNear(4, 1e-9)));
  EXPECT_THAT(pair->ours().seconds, Optional(DoubleNear(2.4, 1e-9)));
}

TEST(PaperPair, RanksForAnyRatio) {
  const auto pair = World(40).Pair();
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->At("smallbig", .25)->found, 50);
  EXPECT_EQ(pair->At("smallbig", 0), pair->small());
  EXPECT_EQ(pair->At("smallbig", 1)->map, pair->big().map);
  // The blurred half are images 0 to 19, half of them with a dog.
  EXPECT_EQ(pair->At("blur", .5)->found, 50);
  EXPECT_EQ(pair->At("random", .5), pair->At("random", .5));
  const auto unknown = pair->At("oracle", .5);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("smallbig, random, blur, top1"));
}

TEST(PaperPair, SaysWhatTheRecordingLacks) {
  World world(40);
  for (RecordedFrame& frame : world.near.frames) {
    frame.features = {};
    frame.service_ms = -1;
  }
  const auto pair = world.Pair();
  ASSERT_TRUE(pair);
  EXPECT_THAT(pair->remarks(), Contains(HasSubstr("blur needs the Brenner gradient")));
  EXPECT_FALSE(pair->At("blur", .5));
  EXPECT_EQ(pair->ours().seconds, std::nullopt);
  EXPECT_TRUE(pair->big().seconds);
}

TEST(PaperPair, RemarksSwappedAndEqualModelsAndFewImages) {
  World world(10);
  std::swap(world.near, world.far);
  const auto swapped = world.Pair();
  ASSERT_TRUE(swapped) << swapped.error().message;
  EXPECT_THAT(swapped->remarks(), Contains(HasSubstr("are they swapped?")));
  EXPECT_THAT(swapped->remarks(), Contains(HasSubstr("only 10 images")));
  world.near = world.far;
  EXPECT_THAT(world.Pair()->remarks(), Contains(HasSubstr("one and the same model")));
}

TEST(PaperPair, TakesRecordingsWithoutAnyBox) {
  World world(10);
  for (RecordedFrame& frame : world.near.frames) {
    frame.detections.clear();
  }
  auto pair = world.Pair();
  ASSERT_TRUE(pair) << pair.error().message;
  EXPECT_THAT(pair->remarks(), Contains(HasSubstr("the near model found no box in any image")));
  EXPECT_EQ(pair->ours().upload_ratio, 0);  // as printed: nothing seen is easy
  for (RecordedFrame& frame : world.far.frames) {
    frame.detections.clear();
  }
  pair = world.Pair();
  ASSERT_TRUE(pair) << pair.error().message;
  EXPECT_EQ(pair->big().counted, 0);
  const auto tables = FillTables({&*pair, 1});
  ASSERT_TRUE(tables);
  // Shares of nothing are not known; nothing is infinite.
  for (const FilledTable& table : *tables) {
    for (const PaperLine& line : table.lines) {
      for (const auto& value : line.values) {
        EXPECT_TRUE(!value || std::isfinite(*value)) << table.paper->number << " " << line.whose;
      }
    }
  }
}

TEST(PaperPair, LeavesOutBoxesThatAreNoNumbersAndSaysSo) {
  World world(10);
  world.near.frames[0].detections[0].score = std::numeric_limits<float>::quiet_NaN();
  const auto pair = world.Pair();
  ASSERT_TRUE(pair);
  EXPECT_THAT(pair->remarks(), Contains(HasSubstr("not a finite number left out")));
}

TEST(PaperPair, RefusesWhatCannotBeJudged) {
  World other(10);
  for (RecordedFrame& frame : other.far.frames) {
    frame.name = "of_another_set_" + frame.name;
  }
  const auto strangers = other.Pair();
  ASSERT_FALSE(strangers);
  EXPECT_THAT(strangers.error().message, HasSubstr("no image in common"));

  const auto one = World(1).Pair();
  ASSERT_FALSE(one);
  EXPECT_THAT(one.error().message, HasSubstr("fewer than the 2 folds"));
  EXPECT_TRUE(World(2).Pair());
  EXPECT_FALSE(World(0).Pair());
  EXPECT_FALSE(World(10).Pair({.folds = 1}));

  World sizeless(10);
  sizeless.near.frames[3].size = {};
  sizeless.near.frames[3].rect = {};
  const auto unknown = sizeless.Pair();
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("has no size of image3"));
}

TEST(PaperPair, IsTheSameWhateverTheOrderOfTheRecordings) {
  World world(40);
  const auto pair = world.Pair();
  std::reverse(world.near.frames.begin(), world.near.frames.end());
  std::reverse(world.truth.images.begin(), world.truth.images.end());
  const auto reversed = world.Pair();
  ASSERT_TRUE(pair && reversed);
  EXPECT_EQ(pair->ours(), reversed->ours());
  EXPECT_EQ(*pair->At("random", .3), *reversed->At("random", .3));
}

Trace RunOf(const World& world, bool uploads) {
  Trace trace;
  trace.run.classes = world.far.classes;
  for (std::size_t i = 0; i < world.far.frames.size(); ++i) {
    const RecordedFrame& far = world.far.frames[i];
    FrameRecord frame{.frame = FrameId{i}, .name = far.name, .size = far.size};
    frame.captured_at = WallTime(std::chrono::hours(480'000) + milliseconds(1000 * i));
    frame.total = milliseconds(250);
    frame.detections = uploads ? far.detections : world.near.frames[i].detections;
    if (uploads) {
      frame.verdicts = {{.uploaded = true}};
      frame.answers = {{.request = RequestId{i},
                        .link = LinkId{1},
                        .detections = far.detections,
                        .total = milliseconds(200),
                        .bytes_up = 10}};
    }
    trace.frames.push_back(std::move(frame));
  }
  return trace;
}

TEST(PaperPair, TakesTableElevenFromRuns) {
  const World world(10);
  auto pair = world.Pair({.data = PaperData::kHelmet});
  ASSERT_TRUE(pair);
  ASSERT_TRUE(pair->TakeRun(PaperColumn::kCloudOnly, RunOf(world, true)));
  EXPECT_TRUE(pair->IsRun(PaperColumn::kCloudOnly));
  EXPECT_FALSE(pair->IsRun(PaperColumn::kEdgeOnly));
  const PaperAnswer& cloud = pair->RealWorld(PaperColumn::kCloudOnly);
  EXPECT_EQ(cloud.found, 15);
  EXPECT_DOUBLE_EQ(cloud.upload_ratio, 1);
  // From the first picture at 0 s to the last result at 9.25 s.
  EXPECT_THAT(cloud.seconds, Optional(DoubleNear(9.25, 1e-9)));
  EXPECT_EQ(pair->RealWorld(PaperColumn::kEdgeOnly), pair->small());

  // A picture that could not be read was never taken: it has no time of its own.
  Trace broken = RunOf(world, true);
  FrameRecord& unreadable = broken.frames[0];
  unreadable = {.frame = FrameId{0},
                .name = unreadable.name,
                .status = FrameStatus::kUnreadable,
                .reason = "no JPEG"};
  ASSERT_TRUE(pair->TakeRun(PaperColumn::kCloudOnly, broken));
  EXPECT_THAT(pair->RealWorld(PaperColumn::kCloudOnly).seconds, Optional(DoubleNear(8.25, 1e-9)));
  EXPECT_THAT(pair->remarks().back(), HasSubstr("1 have no answer"));

  // None of its pictures could be read: nothing was timed.
  for (FrameRecord& frame : broken.frames) {
    frame = {.frame = frame.frame, .name = frame.name, .status = FrameStatus::kUnreadable};
  }
  ASSERT_TRUE(pair->TakeRun(PaperColumn::kCloudOnly, broken));
  EXPECT_EQ(pair->RealWorld(PaperColumn::kCloudOnly).seconds, std::nullopt);

  Trace cut = RunOf(world, true);
  cut.frames.pop_back();
  const auto incomplete = pair->TakeRun(PaperColumn::kOurMethod, cut);
  ASSERT_FALSE(incomplete);
  EXPECT_THAT(incomplete.error().message, HasSubstr("9 of the 10 images"));
}

// ---- filled tables

const PaperLine* LineOf(const FilledTable& table, std::string_view row, std::string_view whose) {
  for (const PaperLine& line : table.lines) {
    if (line.row == row && line.whose == whose) {
      return &line;
    }
  }
  return nullptr;
}

TEST(FillTables, WithoutPairsPrintsThePapersNumbersAndDashes) {
  const auto tables = FillTables({});
  ASSERT_TRUE(tables);
  EXPECT_THAT(*tables, SizeIs(16));
  const PaperLine* paper = LineOf((*tables)[1], "07+12", "paper");
  ASSERT_NE(paper, nullptr);
  EXPECT_THAT(paper->values[2], Optional(71.61));
  const PaperLine* ours = LineOf((*tables)[1], "07+12", "ours");
  ASSERT_NE(ours, nullptr);
  EXPECT_THAT(ours->values, ::testing::Each(std::optional<double>()));
  EXPECT_EQ(ours->remark, "no pair named");
}

TEST(FillTables, PutsAPairIntoTheRowsOfItsModelsAndData) {
  const auto pair = World(40).Pair({.models = PaperModels::kSmall1, .data = PaperData::k0712});
  ASSERT_TRUE(pair);
  const std::vector<std::string> wanted = {"I", "III", "IV", "V", "XIV", "XV"};
  const auto tables = FillTables({&*pair, 1}, wanted);
  ASSERT_TRUE(tables);
  ASSERT_THAT(*tables, SizeIs(6));

  const PaperLine* ours = LineOf((*tables)[1], "07+12", "ours");
  ASSERT_NE(ours, nullptr);
  EXPECT_EQ(ours->pair, std::optional<std::size_t>(0));
  EXPECT_THAT(ours->values, ElementsAre(Optional(100), Optional(DoubleNear(50, 1e-9)),
                                        Optional(100), Optional(50), Optional(100)));
  EXPECT_THAT(ours->remark, HasSubstr("other models, 40 images, the paper's 4952"));
  EXPECT_EQ(LineOf((*tables)[1], "07", "ours")->remark, "no pair named");
  const PaperLine* there = LineOf((*tables)[1], "07+12", "ours at the paper's 51.23 %");
  ASSERT_NE(there, nullptr);
  EXPECT_THAT(there->values[3], Optional(DoubleNear(50, 1e-9)));  // 20.49 of 40 images
  const PaperLine* average = LineOf((*tables)[1], "Average", "ours");
  ASSERT_NE(average, nullptr);
  EXPECT_THAT(average->values[3], Optional(50));
  EXPECT_EQ(average->remark, "over 1 line");

  const PaperLine* counted = LineOf((*tables)[2], "07+12", "ours");
  const PaperLine* found = LineOf((*tables)[2], "07+12", "ours, true objects");
  ASSERT_TRUE(counted != nullptr && found != nullptr);
  EXPECT_EQ(counted->values, found->values);  // every box is right in this world
  EXPECT_THAT(counted->values[3], Optional(100));

  // Small model 2's table is another pair's.
  EXPECT_EQ(LineOf((*tables)[3], "07+12", "ours")->remark, "no pair named");
  const PaperLine* blur = LineOf((*tables)[4], "07+12", "ours, baseline at 50 %");
  ASSERT_NE(blur, nullptr);
  EXPECT_THAT(blur->values[0], Optional(testing::Lt(100)));
  EXPECT_THAT(blur->values[1], Optional(100));
}

TEST(FillTables, SaysNothingOfOtherDataWhereTheyAreThePapers) {
  const auto pair =
      World(40).Pair({.data = PaperData::k07, .models_as_paper = true, .images_as_paper = true});
  ASSERT_TRUE(pair);
  const std::vector<std::string> wanted = {"III"};
  const auto tables = FillTables({&*pair, 1}, wanted);
  ASSERT_TRUE(tables);
  EXPECT_EQ(LineOf((*tables)[0], "07", "ours")->remark, "");
  EXPECT_THAT(DescribePair(*pair)[0], ::testing::Not(HasSubstr("(the paper:")));
}

TEST(FillTables, RefusesATableThatThereIsNot) {
  const std::vector<std::string> wanted = {"II"};
  const auto tables = FillTables({}, wanted);
  ASSERT_FALSE(tables);
  EXPECT_THAT(tables.error().message, HasSubstr("nearfar model SMALL BIG"));
}

}  // namespace
}  // namespace nearfar
