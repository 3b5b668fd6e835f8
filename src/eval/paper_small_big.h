#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/expected.h"

namespace nearfar {

/// The four pairs of models whose results [SmallBig §VI] prints. Small models 1 to 3 stand before
/// SSD; with YOLOv4 stands a small YOLOv4 on MobileNet v1.
enum class PaperModels { kSmall1, kSmall2, kSmall3, kYolov4 };

/// The data that those tables have rows of [SmallBig §VI.A.1].
enum class PaperData { k07, k0712, k07pp12, kCoco, kHelmet };

/// "small model 1", "YOLOv4"; "07++12", "COCO": as the tables write them.
std::string_view NameOf(PaperModels models);
std::string_view NameOf(PaperData data);
/// From "1", "2", "3", "yolov4", and from the tables' names of data in any case, with or without
/// "voc" before them. Errors: kInvalidInput, naming what there is.
Expected<PaperModels> ParsePaperModels(std::string_view text);
Expected<PaperData> ParsePaperData(std::string_view text);

/// What the paper looked with and at, for rows that have to say how ours differ.
std::string_view PaperModelsInWords(PaperModels models);
/// Its test images: "4,952 images of VOC2007 test".
std::string_view PaperImagesInWords(PaperData data);
/// How many they are; absent where the paper does not say (Helmet).
std::optional<std::size_t> PaperImageCount(PaperData data);

/// What a column of a printed table holds.
enum class PaperColumn {
  kAccuracy,
  kF1,
  kPrecision,
  kRecall,
  kBigMap,
  kSmallMap,
  kEndMap,
  kEndOfBigMap,  ///< end to end in % of the big model's; not printed, recomputed from the row
  kUploadRatio,
  kBigObjects,
  kSmallObjects,
  kEndObjects,
  kEndOfBigObjects,       ///< end to end in % of the big model's
  kBaselineMap,           ///< end to end with another discriminator
  kBaselineOfBigObjects,  ///< its objects in % of the big model's
  kEdgeOnly,              ///< Table XI: the quantity is in the row
  kCloudOnly,
  kOurMethod,
};

/// What a row of a printed table is of.
enum class PaperRowKind {
  kTrueFeatures,  ///< Table I, thresholds on what is really there
  kPredicted,     ///< Table I, on estimates
  kData,          ///< one set of images
  kAverage,       ///< over the rows above
  kMap,           ///< Table XI
  kObjects,
  kSeconds,
  kUploadRatio,
};

/// One printed row. Values stand as printed: percent, counts, seconds; F1 in [0, 1].
struct PaperRow {
  std::string_view name;
  PaperRowKind kind = PaperRowKind::kData;
  PaperData data = PaperData::k07;  ///< of kData, and of Table XI's rows
  std::vector<std::optional<double>> values;
  std::string_view slip = {};  ///< what is wrong with the row as printed; empty: nothing known
};

struct PaperTable {
  std::string_view number;  ///< "XIV"
  std::string_view title;
  PaperModels models = PaperModels::kSmall1;
  std::string_view baseline = {};  ///< the discriminator compared with: random, blur, top1
  std::vector<PaperColumn> columns;
  std::vector<std::string_view> titles;  ///< of the columns, as printed
  std::vector<PaperRow> rows;
  std::vector<std::string_view> slips;  ///< of the whole table and the text about it
};

/// Tables I and III to XVII in their order, with every number that the paper prints.
std::span<const PaperTable> SmallBigTables();

/// Share of the images that the paper uploaded in that row, in [0, 1]: of Tables XII, XIV and XVI,
/// which print none, that of the table of objects after them; absent where it prints none at all.
std::optional<double> PaperUploadRatio(const PaperTable& table, const PaperRow& row);

}  // namespace nearfar
