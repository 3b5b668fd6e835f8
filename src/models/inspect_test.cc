#include "models/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/labels.h"

namespace nearfar {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TensorFacts Tensor(const std::string& name, std::vector<std::int64_t> shape,
                   ElementType type = ElementType::kFloat32) {
  return {name, type, std::move(shape)};
}

GraphFacts Facts(std::vector<std::int64_t> input, std::vector<TensorFacts> outputs,
                 std::map<std::string, std::string> metadata = {}) {
  return {{Tensor("images", std::move(input))}, std::move(outputs), std::move(metadata), "", ""};
}

PackageConfig With(std::map<std::string, std::string> settings) {
  PackageConfig config;
  for (const auto& [key, value] : settings) {
    config.settings[key] = {value, "option " + key};
  }
  return config;
}

struct FamilyCase {
  const char* name;
  GraphFacts facts;
  const char* family;
  int labels;
  Resize resize;
  ChannelOrder channels;
};

class Families : public testing::TestWithParam<FamilyCase> {};

TEST_P(Families, AreRecognisedByShapesAndMetadata) {
  const FamilyCase& c = GetParam();
  const auto found = Inspect(c.facts, {}, {}, {});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->package.decoder.family, c.family);
  EXPECT_EQ(MakeClassTable(found->package.labels).names.size(), static_cast<std::size_t>(c.labels));
  EXPECT_EQ(found->package.input.resize, c.resize);
  EXPECT_EQ(found->package.input.channels, c.channels);
  EXPECT_FALSE(found->assumed.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Known, Families,
    testing::Values(
        FamilyCase{"yolov8", Facts({1, 3, 640, 640}, {Tensor("output0", {1, 84, 8400})}),
                   "yolo-concat", 80, Resize::kLetterbox, ChannelOrder::kRgb},
        FamilyCase{"yolov8_dynamic",
                   Facts({-1, 3, -1, -1}, {Tensor("output0", {-1, 6, -1})},
                         {{"names", "{0: 'person', 1: 'hat'}"},
                          {"imgsz", "[320, 320]"},
                          {"task", "detect"}}),
                   "yolo-concat", 2, Resize::kLetterbox, ChannelOrder::kRgb},
        FamilyCase{"yolov5", Facts({1, 3, 640, 640}, {Tensor("output0", {1, 25200, 85})}),
                   "yolo-concat", 80, Resize::kLetterbox, ChannelOrder::kRgb},
        FamilyCase{
            "yolov5_raw",
            Facts({1, 3, -1, -1}, {Tensor("p8", {1, 21, -1, -1}), Tensor("p16", {1, 21, -1, -1})},
                  {{"anchors",
                    "[[[8.0, 16.0], [10.0, 20.0], [12.0, 24.0]], [[15.0, 30.0], "
                    "[20.0, 38.0], [29.0, 51.0]]]"},
                   {"names", "['person', 'hat']"}}),
            "yolo-anchors", 2, Resize::kLetterbox, ChannelOrder::kRgb},
        FamilyCase{"yolov3_darknet",
                   Facts({1, 3, 320, 320},
                         {Tensor("p32", {1, 75, 10, 10}), Tensor("p16", {1, 75, 20, 20})},
                         {{"anchors",
                           "{'p32': [[189.0, 126.0], [137.0, 236.0], [265.0, 259.0]], 'p16': "
                           "[[26.0, 48.0], [67.0, 84.0], [72.0, 175.0]]}"}}),
                   "yolo-anchors", 20, Resize::kStretch, ChannelOrder::kRgb},
        FamilyCase{"yolov8_raw",
                   Facts({1, 3, -1, -1},
                         {Tensor("p8", {1, 144, -1, -1}), Tensor("p16", {1, 144, -1, -1})}),
                   "dfl", 80, Resize::kLetterbox, ChannelOrder::kRgb},
        FamilyCase{"picodet",
                   Facts({1, 3, 416, 416}, {Tensor("a", {1, 2704, 80}), Tensor("b", {1, 676, 80}),
                                            Tensor("c", {1, 169, 80}), Tensor("d", {1, 49, 80}),
                                            Tensor("e", {1, 2704, 32}), Tensor("f", {1, 676, 32}),
                                            Tensor("g", {1, 169, 32}), Tensor("h", {1, 49, 32})}),
                   "dfl", 80, Resize::kStretch, ChannelOrder::kRgb},
        FamilyCase{"nanodet",
                   Facts({1, 3, 320, 320}, {Tensor("a", {1, 1600, 20}), Tensor("b", {1, 400, 20}),
                                            Tensor("c", {1, 100, 20}), Tensor("e", {1, 1600, 32}),
                                            Tensor("f", {1, 400, 32}), Tensor("g", {1, 100, 32})}),
                   "dfl", 20, Resize::kLetterbox, ChannelOrder::kBgr},
        FamilyCase{"nanodet_plus", Facts({1, 3, 416, 416}, {Tensor("output", {1, 3598, 112})}),
                   "dfl", 80, Resize::kLetterbox, ChannelOrder::kBgr},
        FamilyCase{"yolox", Facts({1, 3, 416, 416}, {Tensor("output", {1, 3549, 85})}), "yolox", 80,
                   Resize::kLetterboxTopLeft, ChannelOrder::kBgr},
        FamilyCase{"fastestdet", Facts({1, 3, 352, 352}, {Tensor("758", {1, 85, 22, 22})}),
                   "fastestdet", 80, Resize::kStretch, ChannelOrder::kBgr}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(Inspect, SortsDarknetsAnchorsByStride) {
  const auto found = Inspect(
      Facts({1, 3, 320, 320}, {Tensor("p32", {1, 14, 10, 10}), Tensor("p16", {1, 14, 20, 20})},
            {{"anchors", "{'p32': [[189.0, 126.0], [1, 2]], 'p16': [[26.0, 48.5], [3, 4]]}"}}),
      {}, {"a", "b"}, {});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->package.decoder.parameters.at("anchors"), "26,48.5,3,4;189,126,1,2");
  EXPECT_EQ(found->package.decoder.parameters.at("sizes"), "exp");
}

TEST(Inspect, ReadsFiveDimensionalHeadsOnceTheirAnchorsAreGiven) {
  const GraphFacts facts =
      Facts({1, 3, 640, 640}, {Tensor("o8", {1, 3, 80, 80, 7}), Tensor("o16", {1, 3, 40, 40, 7})});
  const auto bare = Inspect(facts, {}, {}, {});
  ASSERT_FALSE(bare.has_value());
  EXPECT_THAT(bare.error().message, HasSubstr("nearfar.decoder.anchors"));
  const auto given = Inspect(facts, With({{"decoder.anchors", "1,2,3,4,5,6;7,8,9,10,11,12"}}),
                             {"person", "hat"}, {});
  ASSERT_TRUE(given.has_value()) << given.error().message;
  EXPECT_EQ(given->package.decoder.family, "yolo-anchors");
  EXPECT_EQ(given->package.decoder.parameters.at("sizes"), "square");
}

TEST(Inspect, AsksForWhatAnSsdDoesNotSay) {
  const GraphFacts facts = Facts(
      {1, 3, 300, 300}, {Tensor("box_encodings", {1, 1917, 4}), Tensor("scores", {1, 1917, 91})});
  const auto bare = Inspect(facts, {}, {}, {});
  ASSERT_FALSE(bare.has_value());
  EXPECT_THAT(bare.error().message, HasSubstr("nearfar.decoder.priors"));
  const auto with_priors =
      Inspect(facts, With({{"decoder.priors", "a.csv"}}), {}, {{"priors", "0.5,0.5,1,1\n"}});
  ASSERT_TRUE(with_priors.has_value()) << with_priors.error().message;
  const ClassTable classes = MakeClassTable(with_priors->package.labels);
  EXPECT_EQ(classes.columns(), 91);
  EXPECT_EQ(classes.names, CocoLabels().names);
  // COCO's ids: 1 is person, 90 the toothbrush, 12 a gap.
  EXPECT_EQ(classes.label_of_class[1], 0);
  EXPECT_EQ(classes.label_of_class[90], 79);
  EXPECT_EQ(classes.label_of_class[12], -1);
  EXPECT_EQ(classes.names[static_cast<std::size_t>(classes.label_of_class[18])], "dog");
}

TEST(Inspect, PutsTheBackgroundWhereItIsSaidToBe) {
  const GraphFacts facts =
      Facts({1, 3, 300, 300}, {Tensor("boxes", {1, 3000, 4}), Tensor("scores", {1, 3000, 3})});
  const auto first = Inspect(facts, With({{"decoder.boxes", "decoded"}}), {"cat", "dog"}, {});
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_THAT(first->package.labels, ElementsAre("background", "cat", "dog"));
  const auto last = Inspect(facts, With({{"decoder.boxes", "decoded"}, {"background", "last"}}),
                            {"cat", "dog"}, {});
  ASSERT_TRUE(last.has_value());
  EXPECT_THAT(last->package.labels, ElementsAre("cat", "dog", "background"));
  const auto none = Inspect(facts, With({{"decoder.boxes", "decoded"}, {"background", "none"}}),
                            {"cat", "dog"}, {});
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message, HasSubstr("scores 3 classes, but 2 are named"));
}

TEST(Inspect, RefusesGraphsThatAreNoDetectors) {
  struct Row {
    GraphFacts facts;
    const char* message;
  };
  const std::vector<Row> rows{
      {Facts({1, 3, 224, 224}, {Tensor("prob", {1, 1000})}), "'prob' [1,1000]"},
      {Facts({1, 3, 640, 640}, {Tensor("out", {1, 300, 6})}), "'out' [1,300,6]"},
      {Facts({1, 3, 640, 640}, {Tensor("output0", {1, 84, 8400})}, {{"task", "segment"}}),
       "'segment'"},
      {Facts({1, 1, 640, 640}, {Tensor("output0", {1, 84, 8400})}), "three channels"},
      {Facts({4, 3, 640, 640}, {Tensor("output0", {4, 84, 8400})}), "one picture"},
      {Facts({1, 128}, {Tensor("output0", {1, 84, 8400})}), "four dimensions"},
      {Facts({1, 3, -1, -1}, {Tensor("o8", {1, 255, -1, -1}), Tensor("o16", {1, 255, -1, -1})}),
       "nearfar.decoder.anchors"},
      {Facts({1, 3, -1, -1}, {Tensor("output", {1, -1, 85})}), "yolo-concat or yolox"}};
  for (const Row& row : rows) {
    const auto found = Inspect(row.facts, {}, {}, {});
    ASSERT_FALSE(found.has_value()) << row.message;
    EXPECT_THAT(found.error().message, HasSubstr(row.message));
    EXPECT_THAT(found.error().message, testing::Not(HasSubstr("\n")));
  }
}

TEST(Inspect, SettlesAnAmbiguousGraphByTheNamedDecoder) {
  const GraphFacts facts = Facts({1, 3, -1, -1}, {Tensor("output", {1, -1, 85})});
  const auto found = Inspect(facts, With({{"decoder", "yolox"}, {"input.size", "416"}}), {}, {});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->package.decoder.family, "yolox");
  EXPECT_EQ(found->package.input.size, (Size{416, 416}));
}

TEST(Inspect, LetsSettingsWinAndNamesTheirMistakes) {
  const GraphFacts facts = Facts({1, 3, 640, 640}, {Tensor("output0", {1, 84, 8400})});
  const auto found = Inspect(facts,
                             With({{"input.resize", "stretch"},
                                   {"input.channels", "bgr"},
                                   {"input.mean", "127.5"},
                                   {"input.std", "1,2,3"},
                                   {"input.scale", "1"},
                                   {"score_floor", "0.05"},
                                   {"nms.iou", "0.7"},
                                   {"nms.per_class", "false"},
                                   {"box.stretch.person", "0,0.1,-0.25,0.5"},
                                   {"decoder.classes", "best"}}),
                             {}, {});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  const ModelPackage& package = found->package;
  EXPECT_EQ(package.input.resize, Resize::kStretch);
  EXPECT_EQ(package.input.channels, ChannelOrder::kBgr);
  EXPECT_THAT(package.input.mean, ElementsAre(127.5F, 127.5F, 127.5F));
  EXPECT_THAT(package.input.std, ElementsAre(1, 2, 3));
  EXPECT_FLOAT_EQ(package.score_floor, 0.05F);
  EXPECT_FALSE(package.nms.per_class);
  EXPECT_EQ(package.decoder.parameters.at("classes"), "best");
  ASSERT_EQ(package.stretch.size(), 1U);
  EXPECT_EQ(package.stretch.at("person"), (BoxStretch{0, 0.1F, -0.25F, 0.5F}));

  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"input.size", "512"},
                                                        {"input.size", "big"},
                                                        {"input.resize", "crop"},
                                                        {"input.pad", "256"},
                                                        {"input.std", "0"},
                                                        {"score_floor", "0"},
                                                        {"nms.iou", "x"},
                                                        {"box.stretch.person", "0,0,0"},
                                                        {"box.stretch.person", "0,0,0,-0.5"},
                                                        {"box.stretch.person", "0,0,0,11"},
                                                        {"box.stretch.person", "0,0,0,nan"},
                                                        {"box.stretch.unicorn", "0,0,0,1"},
                                                        {"decoder", "yolo"},
                                                        {"decoder.classes", "many"},
                                                        {"decoder.clases", "all"}}) {
    const auto wrong = Inspect(facts, With({{key, value}}), {}, {});
    ASSERT_FALSE(wrong.has_value()) << key << " = " << value;
    EXPECT_THAT(wrong.error().message, StartsWith("option " + key + ": nearfar." + key));
  }
}

TEST(Inspect, TellsWhenLabelsAndScoreColumnsDiffer) {
  const auto found =
      Inspect(Facts({1, 3, 640, 640}, {Tensor("output0", {1, 84, 8400})}), {}, {"a", "b", "c"}, {});
  ASSERT_FALSE(found.has_value());
  EXPECT_THAT(found.error().message, HasSubstr("80 classes, but 3 are named (labels.txt)"));
}

TEST(Inspect, FeedsBytesUnscaledAndReadsRowsOfPixels) {
  GraphFacts facts = Facts({1, 640, 640, 3}, {Tensor("output0", {1, 84, 8400})});
  facts.inputs[0].type = ElementType::kUint8;
  const auto found = Inspect(facts, {}, {}, {});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->package.input.layout, Layout::kNhwc);
  EXPECT_EQ(found->package.input.type, ElementType::kUint8);
  EXPECT_EQ(found->package.input.scale, 1);
}

TEST(Inspect, NamesClassesThatNobodyNamed) {
  const auto found =
      Inspect(Facts({1, 3, 640, 640}, {Tensor("output0", {1, 7, 8400})}), {}, {}, {});
  ASSERT_TRUE(found.has_value());
  EXPECT_THAT(found->package.labels, ElementsAre("class0", "class1", "class2"));
  EXPECT_THAT(found->assumed, Contains(HasSubstr("3 classes without names")));
}

TEST(NamesOfMetadata, ReadsListsAndDictionaries) {
  EXPECT_THAT(NamesOfMetadata("['person', 'hat']"), ElementsAre("person", "hat"));
  EXPECT_THAT(NamesOfMetadata("{0: 'person', 1: \"driver's hat\"}"),
              ElementsAre("person", "driver's hat"));
  EXPECT_THAT(NamesOfMetadata("{\"0\": \"a\", \"1\": \"b\"}"), ElementsAre("a", "b"));
  EXPECT_THAT(NamesOfMetadata(""), IsEmpty());
  EXPECT_THAT(NamesOfMetadata("['open"), IsEmpty());
}

}  // namespace
}  // namespace nearfar
