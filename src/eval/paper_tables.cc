#include "eval/paper_tables.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>

#include "core/phrase.h"

namespace nearfar {
namespace {

using Values = std::vector<std::optional<double>>;

std::string Fixed(double value, int digits) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::optional<double> Percent(std::optional<double> share) {
  return share ? std::optional(100 * *share) : std::nullopt;
}

std::optional<double> PercentOf(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? std::optional(100 * static_cast<double>(part) / static_cast<double>(whole))
                   : std::nullopt;
}

/// How our images and models differ from the row's, in a few words.
std::string Differs(const PaperPair& pair) {
  std::string text;
  if (!pair.options().models_as_paper) {
    text = "other models";
  }
  if (!pair.options().images_as_paper) {
    text += text.empty() ? "" : ", ";
    const auto printed = PaperImageCount(pair.options().data);
    text += std::to_string(pair.images()) + (pair.images() == 1 ? " image" : " images");
    if (printed) {
      text += ", the paper's " + std::to_string(*printed);
    }
    if (pair.options().data == PaperData::kCoco) {
      text += "; " + std::to_string(pair.classes()) +
              (pair.classes() == 1 ? " class" : " classes") + ", the paper's 18";
    }
  }
  return text;
}

/// Two ways of counting objects.
enum class Count { kAsPaper, kTrue };

std::int64_t ObjectsOf(const PaperAnswer& answer, Count count) {
  return count == Count::kAsPaper ? answer.counted : answer.found;
}

/// The two ends of an upload: what our rule and the row's baseline give.
struct Ends {
  PaperAnswer ours;
  std::optional<PaperAnswer> baseline;
};

Values ValuesOf(const PaperTable& table, const PaperPair& pair, const Ends& ends, Count count) {
  Values values;
  const auto objects = [&](const PaperAnswer& answer) {
    return std::optional(static_cast<double>(ObjectsOf(answer, count)));
  };
  const std::int64_t of_big = ObjectsOf(pair.big(), count);
  for (const PaperColumn column : table.columns) {
    std::optional<double> value;
    switch (column) {
      case PaperColumn::kBigMap:
        value = Percent(pair.big().map);
        break;
      case PaperColumn::kSmallMap:
        value = Percent(pair.small().map);
        break;
      case PaperColumn::kEndMap:
        value = Percent(ends.ours.map);
        break;
      case PaperColumn::kEndOfBigMap:
        if (ends.ours.map && pair.big().map && *pair.big().map > 0) {
          value = 100 * *ends.ours.map / *pair.big().map;
        }
        break;
      case PaperColumn::kUploadRatio:
        value = Percent(ends.ours.upload_ratio);
        break;
      case PaperColumn::kBigObjects:
        value = objects(pair.big());
        break;
      case PaperColumn::kSmallObjects:
        value = objects(pair.small());
        break;
      case PaperColumn::kEndObjects:
        value = objects(ends.ours);
        break;
      case PaperColumn::kEndOfBigObjects:
        value = PercentOf(ObjectsOf(ends.ours, count), of_big);
        break;
      case PaperColumn::kBaselineMap:
        value = ends.baseline ? Percent(ends.baseline->map) : std::nullopt;
        break;
      case PaperColumn::kBaselineOfBigObjects:
        value = ends.baseline ? PercentOf(ObjectsOf(*ends.baseline, count), of_big) : std::nullopt;
        break;
      default:
        break;
    }
    values.push_back(value);
  }
  return values;
}

bool HasObjects(const PaperTable& table) {
  return std::any_of(table.columns.begin(), table.columns.end(), [](PaperColumn c) {
    return c == PaperColumn::kEndObjects || c == PaperColumn::kEndOfBigObjects;
  });
}

std::optional<PaperAnswer> Baseline(const PaperTable& table, const PaperPair& pair, double ratio,
                                    std::string& remark) {
  if (table.baseline.empty()) {
    return std::nullopt;
  }
  const Expected<PaperAnswer> answer = pair.At(table.baseline, ratio);
  if (!answer) {
    remark += (remark.empty() ? "" : "; ") + answer.error().message;
    return std::nullopt;
  }
  return *answer;
}

std::string AtThePapers(double ratio) {
  return "ours at the paper's " + Fixed(100 * ratio, 2) + " %";
}

/// The share of the images that the paper's baselines upload.
constexpr double kBaselineShare = .5;

/// Our lines of a row of images: as the rule decides by itself, and at the paper's upload ratio.
void AddDataLines(const PaperTable& table, const PaperRow& row, std::size_t index,
                  const PaperPair& pair, std::vector<PaperLine>& lines) {
  struct Way {
    std::string whose;
    Ends ends;
    std::string remark;
  };
  std::vector<Way> ways;
  Way own{"ours", {pair.ours(), std::nullopt}, Differs(pair)};
  own.ends.baseline = Baseline(table, pair, kBaselineShare, own.remark);
  if (!table.baseline.empty()) {
    own.whose += ", baseline at 50 %";
  }
  ways.push_back(std::move(own));
  if (const auto ratio = PaperUploadRatio(table, row)) {
    Way there{AtThePapers(*ratio), {}, Differs(pair)};
    there.ends.ours = pair.At("smallbig", *ratio).value();
    std::string said;  // once is enough
    there.ends.baseline = Baseline(table, pair, *ratio, said);
    ways.push_back(std::move(there));
  }
  for (const Way& way : ways) {
    lines.push_back({std::string(row.name), way.whose, index,
                     ValuesOf(table, pair, way.ends, Count::kAsPaper), way.remark});
    if (HasObjects(table)) {
      lines.push_back({std::string(row.name), way.whose + ", true objects", index,
                       ValuesOf(table, pair, way.ends, Count::kTrue), way.remark});
    }
  }
}

Values MetricValues(const BinaryMetrics& metrics) {
  return {100 * metrics.accuracy(), metrics.f1(), 100 * metrics.precision(),
          100 * metrics.recall()};
}

void AddVerdictLines(const PaperRow& row, std::size_t index, const PaperPair& pair,
                     std::vector<PaperLine>& lines) {
  const bool on_truth = row.kind == PaperRowKind::kTrueFeatures;
  const BinaryMetrics& metrics = on_truth ? pair.on_true_features() : pair.on_estimates();
  std::string remark = Differs(pair);
  if (pair.options().data != row.data || pair.options().models != PaperModels::kSmall1) {
    remark = "of " + std::string(NameOf(pair.options().data)) + ", " +
             std::string(NameOf(pair.options().models)) + "'s place" +
             (remark.empty() ? "" : "; " + remark);
  }
  remark += remark.empty() ? "" : "; ";
  remark += std::to_string(metrics.true_positives + metrics.false_negatives) + " of " +
            std::to_string(metrics.images()) + " difficult";
  lines.push_back({std::string(row.name), "ours", index, MetricValues(metrics), remark});
  std::string refits;
  for (const CountAreaFit& refit : pair.refits()) {
    refits += (refits.empty() ? "" : ", ") + std::to_string(refit.count_threshold) + " and " +
              ShortNumber(refit.area_threshold);
  }
  lines.push_back(
      {std::string(row.name), "ours, all thresholds fitted", index,
       MetricValues(on_truth ? pair.refitted_on_true_features() : pair.refitted_on_estimates()),
       "count and area " + refits + ", each on the other images' true ones"});
}

void AddRealWorldLines(const PaperTable& table, const PaperRow& row, std::size_t index,
                       const PaperPair& pair, std::vector<PaperLine>& lines) {
  using Read = std::function<std::optional<double>(const PaperAnswer&)>;
  const auto line = [&](std::string whose, const Read& read) {
    PaperLine made{std::string(row.name), std::move(whose), index, {}, Differs(pair)};
    for (const PaperColumn column : table.columns) {
      made.values.push_back(read(pair.RealWorld(column)));
    }
    return made;
  };
  // The edge and the cloud alone do not hang on the ratio: ours only, from the recordings.
  const double ratio = PaperUploadRatio(table, row).value();
  const PaperAnswer there = pair.At("smallbig", ratio).value();
  const auto at_ratio = [&](const std::string& counted, const Read& read) {
    PaperLine made{std::string(row.name), AtThePapers(ratio) + counted, index, {}, Differs(pair)};
    made.values.assign(table.columns.size(), std::nullopt);
    made.values.back() = read(there);
    return made;
  };
  const Read map = [](const PaperAnswer& a) { return Percent(a.map); };
  const Read counted = [](const PaperAnswer& a) {
    return std::optional(static_cast<double>(a.counted));
  };
  const Read found = [](const PaperAnswer& a) {
    return std::optional(static_cast<double>(a.found));
  };
  const Read seconds = [](const PaperAnswer& a) { return a.seconds; };
  const bool any_run = std::any_of(table.columns.begin(), table.columns.end(),
                                   [&](PaperColumn column) { return pair.IsRun(column); });
  const bool all_run = std::all_of(table.columns.begin(), table.columns.end(),
                                   [&](PaperColumn column) { return pair.IsRun(column); });
  switch (row.kind) {
    case PaperRowKind::kMap:
      lines.push_back(line("ours", map));
      lines.push_back(at_ratio("", map));
      break;
    case PaperRowKind::kObjects:
      lines.push_back(line("ours", counted));
      lines.push_back(line("ours, true objects", found));
      lines.push_back(at_ratio("", counted));
      lines.push_back(at_ratio(", true objects", found));
      break;
    case PaperRowKind::kSeconds: {
      PaperLine made = line("ours", seconds);
      const bool known = std::any_of(made.values.begin(), made.values.end(),
                                     [](const auto& value) { return value.has_value(); });
      if (!known) {
        made.remark += (made.remark.empty() ? "" : "; ") +
                       std::string("the recordings have no service times, and no run was named");
      } else if (!all_run) {
        made.remark += (made.remark.empty() ? "" : "; ") +
                       std::string(any_run ? "from runs where named, else " : "") +
                       "service times of the recordings, one image after the other, without a link";
      }
      lines.push_back(std::move(made));
      lines.push_back(at_ratio("", seconds));
      if (any_run && there.seconds) {
        lines.back().remark +=
            (lines.back().remark.empty() ? "" : "; ") + std::string("from the recordings");
      }
      break;
    }
    default: {
      PaperLine made = line("ours", [](const PaperAnswer& a) { return Percent(a.upload_ratio); });
      made.values[0] = made.values[1] = std::nullopt;  // none and all, by their names
      lines.push_back(std::move(made));
    }
  }
}

/// Averages of our lines, by what they are called; the paper's ratio is another in each row.
void AddAverages(const PaperRow& row, std::vector<PaperLine>& lines) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const PaperLine*>> by_whose;
  for (const PaperLine& line : lines) {
    if (!line.pair) {
      continue;
    }
    std::string whose = line.whose;
    if (const std::size_t at = whose.find("'s "); at != std::string::npos) {
      const std::size_t end = whose.find(" %", at);
      whose = whose.substr(0, at) + "'s ratios" + whose.substr(end + 2);
    }
    if (!by_whose.contains(whose)) {
      order.push_back(whose);
    }
    by_whose[whose].push_back(&line);
  }
  std::vector<PaperLine> averages;
  for (const std::string& whose : order) {
    PaperLine made{std::string(row.name), whose, std::nullopt, Values(row.values.size()), ""};
    for (std::size_t c = 0; c < row.values.size(); ++c) {
      double sum = 0;
      int count = 0;
      for (const PaperLine* line : by_whose[whose]) {
        sum += line->values[c].value_or(0);
        count += line->values[c] ? 1 : 0;
      }
      if (row.values[c] && count > 0) {
        made.values[c] = sum / count;
      }
    }
    made.remark = "over " + std::to_string(by_whose[whose].size()) +
                  (by_whose[whose].size() == 1 ? " line" : " lines");
    averages.push_back(std::move(made));
  }
  if (averages.empty()) {
    averages.push_back(
        {std::string(row.name), "ours", std::nullopt, Values(row.values.size()), "no pair named"});
  }
  lines.push_back(
      {std::string(row.name), "paper", std::nullopt, row.values, std::string(row.slip)});
  lines.insert(lines.end(), averages.begin(), averages.end());
}

FilledTable Fill(const PaperTable& table, std::span<const PaperPair> pairs) {
  FilledTable filled{&table, {}};
  for (const PaperRow& row : table.rows) {
    if (row.kind == PaperRowKind::kAverage) {
      AddAverages(row, filled.lines);
      continue;
    }
    filled.lines.push_back(
        {std::string(row.name), "paper", std::nullopt, row.values, std::string(row.slip)});
    const std::size_t before = filled.lines.size();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const PaperPairOptions& options = pairs[i].options();
      if (row.kind == PaperRowKind::kTrueFeatures || row.kind == PaperRowKind::kPredicted) {
        AddVerdictLines(row, i, pairs[i], filled.lines);
      } else if (options.data != row.data || options.models != table.models) {
        continue;
      } else if (row.kind == PaperRowKind::kData) {
        AddDataLines(table, row, i, pairs[i], filled.lines);
      } else {
        AddRealWorldLines(table, row, i, pairs[i], filled.lines);
      }
    }
    if (filled.lines.size() == before) {
      filled.lines.push_back({std::string(row.name), "ours", std::nullopt,
                              Values(row.values.size()), "no pair named"});
    }
  }
  return filled;
}

}  // namespace

Expected<std::vector<FilledTable>> FillTables(std::span<const PaperPair> pairs,
                                              std::span<const std::string> numbers) {
  std::vector<FilledTable> filled;
  for (const std::string& number : numbers) {
    if (std::none_of(SmallBigTables().begin(), SmallBigTables().end(),
                     [&](const PaperTable& table) { return table.number == number; })) {
      return Fail(ErrorCode::kNotFound,
                  "there is no Table '" + number +
                      "': they are I and III to XVII (II, the sizes of models, is what `nearfar "
                      "model SMALL BIG` prints)");
    }
  }
  for (const PaperTable& table : SmallBigTables()) {
    if (numbers.empty() ||
        std::find(numbers.begin(), numbers.end(), table.number) != numbers.end()) {
      filled.push_back(Fill(table, pairs));
    }
  }
  return filled;
}

std::string PaperNumber(const PaperTable& table, const PaperRow* row, std::size_t column,
                        double value) {
  switch (table.columns[column]) {
    case PaperColumn::kF1:
      return Fixed(value, 4);
    case PaperColumn::kBigObjects:
    case PaperColumn::kSmallObjects:
    case PaperColumn::kEndObjects:
      return Fixed(value, 0);
    default:
      return Fixed(value, row != nullptr && row->kind == PaperRowKind::kObjects ? 0 : 2);
  }
}

std::vector<std::string> DescribePair(const PaperPair& pair) {
  const PaperPairOptions& options = pair.options();
  std::vector<std::string> lines;
  lines.push_back(std::string(NameOf(options.models)) + ", " + std::string(NameOf(options.data)) +
                  ": near " + pair.near_name() + ", far " + pair.far_name() +
                  (options.models_as_paper
                       ? ""
                       : " (the paper: " + std::string(PaperModelsInWords(options.models)) + ")"));
  lines.push_back(std::to_string(pair.images()) + " images, " + std::to_string(pair.objects()) +
                  " objects of " + std::to_string(pair.classes()) +
                  (pair.classes() == 1 ? " class" : " classes") +
                  (options.images_as_paper
                       ? ""
                       : " (the paper: " + std::string(PaperImagesInWords(options.data)) + ")"));
  std::string thresholds;
  for (const double threshold : pair.score_thresholds()) {
    thresholds += (thresholds.empty() ? "" : ", ") + ShortNumber(threshold);
  }
  lines.push_back("score thresholds " + thresholds + ", each fitted to the images of the other " +
                  (options.folds == 2 ? "half" : "folds") +
                  "; count 2 and area 0.31 as published; seed " + std::to_string(options.seed));
  lines.insert(lines.end(), pair.remarks().begin(), pair.remarks().end());
  return lines;
}

}  // namespace nearfar
