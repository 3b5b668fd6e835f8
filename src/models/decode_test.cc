#include "models/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/decode_parts.h"

namespace nearfar {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::FloatNear;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// An output with its own values.
struct Output {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;

  Output(std::string name_, std::vector<std::int64_t> shape_, float fill)
      : name(std::move(name_)), shape(std::move(shape_)) {
    std::int64_t elements = 1;
    for (const std::int64_t dim : shape) {
      elements *= dim;
    }
    values.assign(static_cast<std::size_t>(elements), fill);
  }
  /// Of [1,a,b] or [1,a,b,c], without the batch.
  float& At(std::int64_t i, std::int64_t j, std::int64_t k = 0) {
    const std::int64_t last = shape.size() == 4 ? shape[3] : 1;
    return values[static_cast<std::size_t>((i * shape[2] + j) * last + k)];
  }
};

ClassTable Classes(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    names.push_back("c" + std::to_string(i));
  }
  return MakeClassTable(names);
}

Expected<Detections> Decode(const DecoderSpec& spec, const ClassTable& classes,
                            const std::vector<Output>& outputs, Size input, float floor = 0.01F) {
  const auto decoder = MakeDecoder(spec, classes);
  if (!decoder) {
    return tl::unexpected(decoder.error());
  }
  std::vector<TensorView> views;
  for (const Output& output : outputs) {
    views.push_back({output.name, output.shape, output.values});
  }
  Detections boxes;
  if (auto ok = (*decoder)->Decode({views, input, floor}, boxes); !ok) {
    return tl::unexpected(ok.error());
  }
  return boxes;
}

auto IsDetection(const Box& box, float score, int label) {
  return AllOf(Field(&Detection::label, label), Field(&Detection::score, FloatNear(score, 1e-5F)),
               Field(&Detection::box, AllOf(Field(&Box::x1, FloatNear(box.x1, 1e-3F)),
                                            Field(&Box::y1, FloatNear(box.y1, 1e-3F)),
                                            Field(&Box::x2, FloatNear(box.x2, 1e-3F)),
                                            Field(&Box::y2, FloatNear(box.y2, 1e-3F)))));
}

// --- yolo-concat
// -----------------------------------------------------------------------------------

TEST(YoloConcat, ReadsBoxesAndClassesInRowsOfChannels) {
  Output output("out", {1, 4 + 2, 40}, 0);
  output.At(0, 3) = 20;
  output.At(1, 3) = 30;
  output.At(2, 3) = 10;
  output.At(3, 3) = 8;
  output.At(5, 3) = 0.75F;
  const auto boxes = Decode({"yolo-concat", {}, {}}, Classes(2), {output}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({15, 26, 25, 34}, 0.75F, 1)));
}

TEST(YoloConcat, MultipliesObjectnessAndEveryClassAboveTheFloor) {
  Output output("out", {1, 9, 5 + 3}, 0);
  for (const auto& [column, value] : {std::pair{0, 20.0F},
                                      {1, 30.0F},
                                      {2, 10.0F},
                                      {3, 8.0F},
                                      {4, 0.5F},
                                      {5, 0.8F},
                                      {6, 0.01F},
                                      {7, 0.4F}}) {
    output.At(2, column) = value;
  }
  const Box box{15, 26, 25, 34};
  const auto all = Decode({"yolo-concat", {}, {}}, Classes(3), {output}, {64, 64});
  ASSERT_TRUE(all.has_value());
  EXPECT_THAT(*all, ElementsAre(IsDetection(box, 0.4F, 0), IsDetection(box, 0.2F, 2)));
  const auto best =
      Decode({"yolo-concat", {{"classes", "best"}}, {}}, Classes(3), {output}, {64, 64});
  ASSERT_TRUE(best.has_value());
  EXPECT_THAT(*best, ElementsAre(IsDetection(box, 0.4F, 0)));
}

TEST(YoloConcat, TakesScoresAtTheFloorAndNoneBelow) {
  Output output("out", {1, 4 + 1, 40}, 0);
  output.At(2, 0) = output.At(3, 0) = output.At(2, 1) = output.At(3, 1) = 4;
  output.At(4, 0) = 0.25F;
  output.At(4, 1) = std::nextafter(0.25F, 0.0F);
  const auto boxes = Decode({"yolo-concat", {}, {}}, Classes(1), {output}, {64, 64}, 0.25F);
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, SizeIs(1));
}

TEST(YoloConcat, MakesNoBoxOfWhatIsNoNumber) {
  Output output("out", {1, 4 + 1, 64}, 0);
  output.At(4, 0) = kNan;
  output.At(4, 1) = 0.5F;
  output.At(0, 1) = kNan;
  output.At(4, 2) = 0.5F;
  output.At(2, 2) = std::numeric_limits<float>::infinity();
  const auto boxes = Decode({"yolo-concat", {}, {}}, Classes(1), {output}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, IsEmpty());
}

TEST(YoloConcat, ScalesNormalisedCorners) {
  Output output("out", {1, 6, 4 + 1}, 0);
  for (const auto& [column, value] :
       {std::pair{0, 0.25F}, {1, 0.5F}, {2, 0.75F}, {3, 1.0F}, {4, 0.9F}}) {
    output.At(0, column) = value;
  }
  const auto boxes = Decode({"yolo-concat",
                             {{"layout", "columns-last"},
                              {"objectness", "false"},
                              {"box", "xyxy"},
                              {"units", "normalised"}},
                             {}},
                            Classes(1), {output}, {200, 100});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({50, 50, 150, 100}, 0.9F, 0)));
}

TEST(YoloConcat, RefusesOutputsOfOtherShapesAndScoresThatAreNone) {
  const auto wrong =
      Decode({"yolo-concat", {}, {}}, Classes(80), {Output("prob", {1, 1000}, 0)}, {64, 64});
  ASSERT_FALSE(wrong.has_value());
  EXPECT_THAT(wrong.error().message, HasSubstr("'prob' [1,1000]"));
  const auto logits =
      Decode({"yolo-concat", {}, {}}, Classes(1), {Output("out", {1, 5, 40}, 7)}, {64, 64});
  ASSERT_FALSE(logits.has_value());
  EXPECT_THAT(logits.error().message, HasSubstr("no scores in [0, 1]"));
}

// --- yolo-anchors
// ----------------------------------------------------------------------------------

/// One level of 2x2 cells, one anchor of 10x20 px, two classes; cell (1, 0) holds an object.
Output AnchorHead() {
  Output head("p32", {1, 7, 2, 2}, -20);
  head.At(0, 0, 1) = 0;               // σ = 0.5
  head.At(1, 0, 1) = std::log(3.0F);  // σ = 0.75
  head.At(2, 0, 1) = 0;
  head.At(3, 0, 1) = std::log(2.0F);
  head.At(4, 0, 1) = std::log(4.0F);  // σ = 0.8
  head.At(5, 0, 1) = std::log(9.0F);  // σ = 0.9
  return head;
}

TEST(YoloAnchors, DecodesYolov3WithExponentialSizes) {
  const auto boxes = Decode({"yolo-anchors", {{"anchors", "10,20"}, {"sizes", "exp"}}, {}},
                            Classes(2), {AnchorHead()}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  // centre ((0.5 + 1)·32, 0.75·32), size (10·1, 20·2)
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({43, 4, 53, 44}, 0.72F, 0)));
}

TEST(YoloAnchors, StretchesTheCentreAsYolov4Does) {
  const auto boxes =
      Decode({"yolo-anchors", {{"anchors", "10,20"}, {"sizes", "exp"}, {"xy_scale", "1.2"}}, {}},
             Classes(2), {AnchorHead()}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  // centre y = (0.75·1.2 − 0.1)·32 = 25.6
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({43, 5.6F, 53, 45.6F}, 0.72F, 0)));
}

TEST(YoloAnchors, DecodesYolov5WithSquaredSizes) {
  const auto boxes = Decode({"yolo-anchors", {{"anchors", "10,20"}, {"sizes", "square"}}, {}},
                            Classes(2), {AnchorHead()}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  // centre ((2·0.5 − 0.5 + 1)·32, (2·0.75 − 0.5)·32), size (10·1², 20·(4/3)²)
  const float half = 20 * 16.0F / 9 / 2;
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({43, 32 - half, 53, 32 + half}, 0.72F, 0)));
}

TEST(YoloAnchors, ReadsAnyOrderOfLevelsAndBothLayouts) {
  // Coarse level first; the fine one as [1,h,w,C].
  Output coarse("coarse", {1, 6, 1, 1}, -20);
  Output fine("fine", {1, 2, 2, 6}, -20);
  for (std::int64_t c = 0; c < 6; ++c) {
    fine.At(1, 0, c) = c < 4 ? 0.0F : 20.0F;
  }
  const auto boxes = Decode({"yolo-anchors", {{"anchors", "4,4; 40,40"}}, {}}, Classes(1),
                            {coarse, fine}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({14, 46, 18, 50}, 1.0F, 0)));
}

TEST(YoloAnchors, ReadsFiveDimensionalHeads) {
  Output head("head", {1, 2, 2, 2, 6}, -20);
  const std::size_t second_anchor_cell3 = static_cast<std::size_t>((4 + 3) * 6);
  for (std::size_t c = 0; c < 6; ++c) {
    head.values[second_anchor_cell3 + c] = c < 4 ? 0.0F : 20.0F;
  }
  const auto boxes =
      Decode({"yolo-anchors", {{"anchors", "4,4,8,8"}}, {}}, Classes(1), {head}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({44, 44, 52, 52}, 1.0F, 0)));
}

TEST(YoloAnchors, RefusesAnchorsThatDoNotFit) {
  const auto none = Decode({"yolo-anchors", {}, {}}, Classes(1), {}, {64, 64});
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message, HasSubstr("nearfar.decoder.anchors"));
  const auto odd = MakeDecoder({"yolo-anchors", {{"anchors", "1,2,3"}}, {}}, Classes(1));
  ASSERT_FALSE(odd.has_value());
  EXPECT_THAT(odd.error().message, HasSubstr("'1,2,3'"));
  const auto levels =
      Decode({"yolo-anchors", {{"anchors", "1,2;3,4"}}, {}}, Classes(2), {AnchorHead()}, {64, 64});
  ASSERT_FALSE(levels.has_value());
  EXPECT_THAT(levels.error().message, HasSubstr("2 levels"));
}

// --- dfl
// -------------------------------------------------------------------------------------------

/// Puts all of a side's weight on one bin.
template <typename Set>
void OnBin(int bin, int bins, Set set) {
  for (int b = 0; b < bins; ++b) {
    set(b, b == bin ? 100.0F : 0.0F);
  }
}

TEST(Dfl, DecodesYolov8HeadsFromCellCentres) {
  Output head("p32", {1, 64 + 2, 2, 2}, -20);
  for (int side = 0; side < 4; ++side) {  // left 0, top 1, right 2, below 3 strides
    OnBin(side, 16, [&](int b, float v) { head.At(16 * side + b, 1, 0) = v; });
  }
  head.At(65, 1, 0) = 0;
  const auto boxes = Decode({"dfl", {}, {}}, Classes(2), {head}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  // centre (16, 48)
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({16, 16, 80, 144}, 0.5F, 1)));
}

TEST(Dfl, TakesTheExpectationOverTheBins) {
  Output head("p64", {1, 4 * 2 + 1, 1, 1}, 0);
  head.At(8, 0, 0) = 20;
  head.At(1, 0, 0) = std::log(3.0F);  // the left side: 1/4 on bin 0, 3/4 on bin 1
  const auto boxes = Decode({"dfl", {{"bins", "2"}}, {}}, Classes(1), {head}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({32 - 48, 0, 64, 64}, 1.0F, 0)));
}

TEST(Dfl, PutsNanoDetsCentreOnTheMiddlePixel) {
  Output scores("cls", {1, 4, 2}, 0);
  Output bins("dis", {1, 4, 32}, 0);
  scores.At(3, 1) = 0.5F;
  for (int side = 0; side < 4; ++side) {
    OnBin(1, 8, [&](int b, float v) { bins.At(3, 8 * side + b) = v; });
  }
  const auto boxes =
      Decode({"dfl",
              {{"bins", "8"}, {"activation", "none"}, {"centre", "half-pixel"}, {"strides", "32"}},
              {}},
             Classes(2), {scores, bins}, {64, 64});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes,
              ElementsAre(IsDetection({47.5F - 32, 47.5F - 32, 47.5F + 32, 47.5F + 32}, 0.5F, 1)));
}

TEST(Dfl, ReadsOneTensorOfAllLevelsAndGridsThatDoNotDivideTheInput) {
  // 40 px at strides 8 and 64: 25 cells and one.
  Output rows("out", {1, 26, 1 + 8}, 0);
  rows.At(25, 0) = 0.9F;
  const auto boxes =
      Decode({"dfl",
              {{"bins", "2"}, {"activation", "none"}, {"centre", "corner"}, {"strides", "8,64"}},
              {}},
             Classes(1), {rows}, {40, 40});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({-32, -32, 32, 32}, 0.9F, 0)));
}

TEST(Dfl, NamesTheOutputsThatItMisses) {
  const auto boxes =
      Decode({"dfl", {}, {}}, Classes(3), {Output("p8", {1, 70, 8, 8}, 0)}, {64, 64});
  ASSERT_FALSE(boxes.has_value());
  EXPECT_THAT(boxes.error().message, AllOf(HasSubstr("[1,67,h,w]"), HasSubstr("'p8' [1,70,8,8]")));
}

// --- yolox
// -----------------------------------------------------------------------------------------

TEST(Yolox, AddsTheCellAndScalesByTheStrideOfItsLevel) {
  Output output("output", {1, 16 + 4 + 1, 5 + 2}, 0);  // 32 px at strides 8, 16, 32
  const std::int64_t row = 16 + 3;                     // stride 16, cell (1, 1)
  for (const auto& [column, value] :
       {std::pair{0, 0.5F}, {1, 0.25F}, {2, std::log(2.0F)}, {3, 0.0F}, {4, 0.5F}, {6, 0.5F}}) {
    output.At(row, column) = value;
  }
  const auto boxes = Decode({"yolox", {}, {}}, Classes(2), {output}, {32, 32});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({24 - 16, 20 - 8, 24 + 16, 20 + 8}, 0.25F, 1)));
}

TEST(Yolox, AppliesTheSigmoidWhereTheGraphDidNot) {
  Output output("output", {1, 21, 5 + 1}, -20);
  output.At(0, 0) = output.At(0, 1) = output.At(0, 2) = output.At(0, 3) = 0;
  output.At(0, 4) = std::log(4.0F);
  output.At(0, 5) = std::log(9.0F);
  const auto boxes =
      Decode({"yolox", {{"activation", "sigmoid"}}, {}}, Classes(1), {output}, {32, 32});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({-4, -4, 4, 4}, 0.72F, 0)));
}

// --- ssd
// -------------------------------------------------------------------------------------------

TEST(Ssd, MovesPriorsByOffsetsInTensorFlowsOrder) {
  Output offsets("box_encodings", {1, 2, 4}, 0);
  Output scores("scores", {1, 2, 3}, 0);
  offsets.At(1, 0) = 1;                   // ty
  offsets.At(1, 1) = 2;                   // tx
  offsets.At(1, 2) = 5 * std::log(2.0F);  // th
  scores.At(1, 0) = 0.9F;                 // background
  scores.At(1, 2) = 0.6F;
  DecoderSpec spec{"ssd", {{"order", "yxhw"}}, {}};
  spec.files["priors"] = "# cy,cx,h,w normalised\n0.1,0.1,0.1,0.1\n0.5,0.4,0.2,0.1\n";
  const auto boxes =
      Decode(spec, MakeClassTable({"background", "cat", "dog"}), {offsets, scores}, {100, 200});
  ASSERT_TRUE(boxes.has_value());
  // centre x = 0.4 + 0.2·0.1, y = 0.5 + 0.1·0.2; w = 0.1, h = 0.2·2
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({37, 64, 47, 144}, 0.6F, 1)));
}

TEST(Ssd, ReadsDecodedBoxesWithASoftmaxOverAllColumns) {
  Output corners("boxes", {1, 1, 1, 4}, 0);
  Output scores("scores", {1, 1, 3}, 0);
  corners.values = {0.1F, 0.2F, 0.3F, 0.4F};
  scores.values = {std::log(2.0F), std::log(7.0F), 0};
  const auto boxes =
      Decode({"ssd", {{"boxes", "decoded"}, {"activation", "softmax"}}, {}},
             MakeClassTable({"background", "cat", "dog"}), {corners, scores}, {100, 100});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({10, 20, 30, 40}, 0.7F, 0),
                                  IsDetection({10, 20, 30, 40}, 0.1F, 1)));
}

TEST(Ssd, TellsBoxesFromFourScoresByTheirNames) {
  Output corners("b", {1, 1, 4}, 0);
  Output scores("s", {1, 1, 4}, 0);
  corners.values = {0.1F, 0.2F, 0.3F, 0.4F};
  scores.values = {0, 0, 0, 0.5F};
  const auto boxes = Decode({"ssd", {{"boxes", "decoded"}, {"outputs", "b,s"}}, {}}, Classes(4),
                            {scores, corners}, {100, 100});
  ASSERT_TRUE(boxes.has_value());
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({10, 20, 30, 40}, 0.5F, 3)));
}

TEST(Ssd, RefusesPriorsThatAreNone) {
  struct Row {
    const char* priors;
    const char* message;
  };
  for (const Row& row :
       {Row{"", "holds no priors"}, Row{"0.1,0.1,0.1\n", "line 1"},
        Row{"0.1,0.1,0.1,0.1\n0.1,0.1,0,0.1\n", "line 2"}, Row{"a,b,c,d\n", "line 1"}}) {
    DecoderSpec spec{"ssd", {}, {{"priors", row.priors}}};
    const auto decoder = MakeDecoder(spec, Classes(2));
    ASSERT_FALSE(decoder.has_value()) << row.priors;
    EXPECT_THAT(decoder.error().message, HasSubstr(row.message));
  }
  DecoderSpec spec{"ssd", {}, {{"priors", "0.1,0.1,0.1,0.1\n"}}};
  const auto boxes =
      Decode(spec, Classes(3), {Output("b", {1, 2, 4}, 0), Output("s", {1, 2, 3}, 0)}, {10, 10});
  ASSERT_FALSE(boxes.has_value());
  EXPECT_THAT(boxes.error().message, HasSubstr("1 priors, the model gives 2"));
}

// --- fastestdet
// ------------------------------------------------------------------------------------

TEST(FastestDet, WeighsObjectnessAndClassAndPlacesTheCentreByTanh) {
  Output head("758", {1, 5 + 2, 2, 2}, 0);
  head.At(0, 1, 1) = 0.5F;
  head.At(1, 1, 1) = std::atanh(0.5F);
  head.At(2, 1, 1) = std::atanh(-0.5F);
  head.At(3, 1, 1) = std::log(1.0F / 3);  // σ = 0.25
  head.At(4, 1, 1) = 0;                   // σ = 0.5
  head.At(6, 1, 1) = 0.8F;
  const auto boxes = Decode({"fastestdet", {}, {}}, Classes(2), {head}, {32, 32});
  ASSERT_TRUE(boxes.has_value());
  const float score = std::pow(0.5F, 0.6F) * std::pow(0.8F, 0.4F);
  EXPECT_THAT(*boxes, ElementsAre(IsDetection({24 - 4, 8 - 8, 24 + 4, 8 + 8}, score, 1)));
}

// --- the table
// -------------------------------------------------------------------------------------

TEST(DecoderFamilies, RefuseUnknownNamesAndParameters) {
  const auto family = MakeDecoder({"yolo", {}, {}}, Classes(1));
  ASSERT_FALSE(family.has_value());
  EXPECT_THAT(family.error().message, AllOf(HasSubstr("'yolo'"), HasSubstr("yolo-concat")));
  const auto parameter = MakeDecoder({"yolox", {{"stride", "8"}}, {}}, Classes(1));
  ASSERT_FALSE(parameter.has_value());
  EXPECT_THAT(parameter.error().message,
              AllOf(HasSubstr("nearfar.decoder.stride"), HasSubstr("strides")));
  const auto choice = MakeDecoder({"dfl", {{"centre", "middle"}}, {}}, Classes(1));
  ASSERT_FALSE(choice.has_value());
  EXPECT_THAT(choice.error().message, AllOf(HasSubstr("'middle'"), HasSubstr("half-cell")));
}

TEST(DecoderFamilies, MakeNoBoxOfSilence) {
  // Every family on outputs that score nothing.
  DecoderSpec ssd{"ssd", {{"boxes", "decoded"}}, {}};
  EXPECT_THAT(
      *Decode(ssd, Classes(2), {Output("b", {1, 3, 4}, 0), Output("s", {1, 3, 2}, 0)}, {64, 64}),
      IsEmpty());
  EXPECT_THAT(*Decode({"yolox", {}, {}}, Classes(2), {Output("o", {1, 84, 7}, 0)}, {64, 64}),
              IsEmpty());
  EXPECT_THAT(*Decode({"fastestdet", {}, {}}, Classes(2), {Output("o", {1, 7, 4, 4}, 0)}, {64, 64}),
              IsEmpty());
  EXPECT_THAT(*Decode({"dfl", {}, {}}, Classes(2), {Output("o", {1, 66, 8, 8}, -20)}, {64, 64}),
              IsEmpty());
}

TEST(ForEachScore, FindsTheSameValuesHoweverTheyLie) {
  // 3 columns of 70 cells, both ways round; values at block borders.
  std::vector<float> planes(210, 0);
  std::vector<float> rows(210, 0);
  std::vector<std::pair<int, int>> wanted;
  for (const int cell : {0, 31, 32, 63, 64, 69}) {
    const int column = cell % 3;
    planes[static_cast<std::size_t>(column * 70 + cell)] = 1;
    rows[static_cast<std::size_t>(cell * 3 + column)] = 1;
    wanted.emplace_back(cell, column);
  }
  const auto collect = [](const ScoreGrid& grid) {
    std::vector<std::pair<int, int>> found;
    ForEachScore(grid, 1.0F, [&](std::ptrdiff_t cell, std::ptrdiff_t column, float) {
      found.emplace_back(static_cast<int>(cell), static_cast<int>(column));
    });
    return found;
  };
  EXPECT_THAT(collect({planes.data(), 70, 3, 70, 1}), testing::UnorderedElementsAreArray(wanted));
  EXPECT_THAT(collect({rows.data(), 70, 3, 1, 3}), testing::UnorderedElementsAreArray(wanted));
}

TEST(ForBestScore, PrefersTheLowerColumnOfATieAndPassesColumnsWithoutLabelOver) {
  const std::vector<float> row{0.9F, 0.5F, 0.5F};
  const ClassTable classes = MakeClassTable({"background", "a", "b"});
  for (const std::ptrdiff_t cells : {1, 2}) {
    std::vector<float> rows = row;
    rows.insert(rows.end(), row.begin(), row.end());
    std::vector<std::ptrdiff_t> columns;
    ForBestScore({rows.data(), cells, 3, 1, 3}, classes, 0.1F,
                 [&](std::ptrdiff_t, std::ptrdiff_t column, float) { columns.push_back(column); });
    EXPECT_THAT(columns, testing::Each(1));
    EXPECT_THAT(columns, SizeIs(static_cast<std::size_t>(cells)));
  }
}

TEST(MakeClassTable, LeavesGapsAndBackgroundWithoutALabel) {
  const ClassTable table = MakeClassTable({"background", "person", "", "car", "???", "N/A"});
  EXPECT_THAT(table.names, ElementsAre("person", "car"));
  EXPECT_THAT(table.label_of_class, ElementsAre(-1, 0, -1, 1, -1, -1));
}

}  // namespace
}  // namespace nearfar
