#include "cli/sweep_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "cli/report.h"
#include "core/phrase.h"
#include "core/ranking.h"

namespace nearfar::cli {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr double kPaperCount = 2;  // [SmallBig §V.D]
constexpr double kPaperArea = 0.31;

std::string Fixed(double number, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

/// 12,345.
std::string Thousands(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) {
    text.insert(at - 3, ",");
  }
  return text;
}

std::string TimesText(const Figure& figure) {
  if (!figure.value) {
    return "-";
  }
  std::string text = Fixed(*figure.value, 2);
  if (figure.interval) {
    text += " [" + Fixed(figure.interval->low, 2) + ", " + Fixed(figure.interval->high, 2) + "]";
  }
  return text;
}

bool IsOracle(const std::string& name) { return name.starts_with(kOracle); }

/// The ratios that tables show: .2 and .5 where they were swept, else all.
std::vector<std::size_t> TableRatios(const std::vector<double>& ratios) {
  std::vector<std::size_t> shown;
  for (std::size_t r = 0; r < ratios.size(); ++r) {
    if (std::abs(ratios[r] - 0.2) < 1e-9 || std::abs(ratios[r] - 0.5) < 1e-9) {
      shown.push_back(r);
    }
  }
  if (shown.empty()) {
    for (std::size_t r = 0; r < ratios.size(); ++r) {
      shown.push_back(r);
    }
  }
  return shown;
}

/// Curves, the highest at the last table ratio first: the legend then reads as the chart does.
std::vector<std::size_t> ByHeight(const SweptPair& pair, Figure SweepPoint::*figure) {
  const std::size_t at = TableRatios(pair.options.ratios).back();
  std::vector<double> heights;
  for (const SweepCurve& curve : pair.result.curves) {
    heights.push_back((curve.points[at].*figure).value.value_or(-1));
  }
  return ByFallingValue(heights);
}

ChartPoint PointOf(double ratio, const Figure& figure) {
  ChartPoint point{ratio * 100, figure.value ? 100 * *figure.value : kNothing, kNothing, kNothing};
  point.low = figure.interval ? 100 * figure.interval->low : point.y;
  point.high = figure.interval ? 100 * figure.interval->high : point.y;
  return point;
}

/// The discriminator that recovers most at the first table ratio, oracles aside.
std::optional<std::size_t> Best(const SweptPair& pair) {
  const std::size_t at = TableRatios(pair.options.ratios).front();
  std::optional<std::size_t> best;
  const auto value = [&](std::size_t c) {
    return pair.result.curves[c].points[at].recovered.value.value_or(-HUGE_VAL);
  };
  for (std::size_t c = 0; c < pair.result.curves.size(); ++c) {
    if (!IsOracle(pair.result.curves[c].name) && (!best || value(c) > value(*best))) {
      best = c;
    }
  }
  return best;
}

/// Curves of one figure over the upload ratio; the reference and the best one get their bands.
std::vector<ChartSeries> CurvesOf(const SweptPair& pair, Figure SweepPoint::*figure) {
  const auto best = Best(pair);
  std::vector<ChartSeries> series;
  for (const std::size_t c : ByHeight(pair, figure)) {
    const SweepCurve& curve = pair.result.curves[c];
    const bool stands_out = c == pair.options.reference || c == best;
    ChartSeries one{.label = curve.name,
                    .style = static_cast<int>(c),
                    .interval = stands_out && pair.options.comparison.bootstrap.draws > 0,
                    .bold = stands_out};
    for (const SweepPoint& point : curve.points) {
      one.points.push_back(PointOf(point.ratio, point.*figure));
    }
    series.push_back(std::move(one));
  }
  return series;
}

std::string CaptionOf(const SweptPair& pair, const std::string& what) {
  std::string text = what + " " + DataOf(pair) + " " + FitsOf(pair);
  const auto best = Best(pair);
  if (pair.options.comparison.bootstrap.draws > 0 && best) {
    const std::string& leader = pair.result.curves[*best].name;
    const std::size_t first = TableRatios(pair.options.ratios).front();
    text += " Bands: 95 % over images (" + std::to_string(pair.options.comparison.bootstrap.draws) +
            " draws) of " +
            (leader == kReference ? leader : std::string(kReference) + " and " + leader) +
            ", the one that recovers most at " + Percent(pair.options.ratios[first], 0) +
            " %, oracles aside.";
  }
  return text;
}

const ChartAxis kUploadAxis{.title = "images uploaded (%)", .low = 0, .high = 100};

std::string MapName(const SweptPair& pair) {
  return "VOC07 mAP at IoU " + Fixed(pair.options.comparison.iou, 2) + " (%)";
}

NamedChart CasesChart(const SweptPair& pair) {
  ChartSeries easy{.label = "easy", .style = 2, .line = false};
  ChartSeries difficult{.label = "difficult", .style = 1, .line = false};
  for (std::size_t i = 0; i < pair.cases.size(); ++i) {
    const TrueCase& image = pair.cases[i];
    // Whole counts are spread within ±.35 (golden-ratio steps) so that points do not hide points.
    const double turn = static_cast<double>(i) * 0.6180339887498949;
    const double spread = (turn - std::floor(turn) - 0.5) * 0.7;
    (image.difficult ? difficult : easy)
        .points.push_back({image.features.smallest_area_ratio, image.features.count + spread});
  }
  easy.label += " (" + std::to_string(easy.points.size()) + ")";
  difficult.label += " (" + std::to_string(difficult.points.size()) + ")";
  return {"fig4_cases",
          {.title = "Easy and difficult images over what is really there [SmallBig Fig. 4]",
           .x = {.title = "smallest object's share of the image area", .low = 0, .high = 1},
           .y = {.title = "objects in the image (distances by log(1 + count))", .counts = true},
           .series = {std::move(easy), std::move(difficult)},
           .lines = {{"area " + Fixed(kPaperArea, 2), kPaperArea, true},
                     {"count > " + Fixed(kPaperCount, 0), kPaperCount + 0.5, false}},
           .caption = "Difficult: far finds at least one object more than near, scores > 0.5. "
                      "Images without an object stand at area 1. Counts are spread by up to 0.35 "
                      "for sight. Lines: the paper's thresholds. " +
                      DataOf(pair)}};
}

NamedChart AreaThresholdChart(const SweptPair& pair) {
  ChartSeries accuracy{.label = "accuracy", .style = 0, .bold = true};
  ChartSeries precision{.label = "precision", .style = 1};
  ChartSeries recall{.label = "recall", .style = 2};
  ChartSeries mean{.label = "harmonic mean", .style = 3};
  const AreaThresholdPoint* best = nullptr;
  for (const AreaThresholdPoint& point : pair.area_thresholds) {
    const auto add = [&](ChartSeries& series, double value) {
      series.points.push_back({point.threshold, 100 * value});
    };
    add(accuracy, point.metrics.accuracy());
    add(precision, point.metrics.precision());
    add(recall, point.metrics.recall());
    add(mean, point.metrics.f1());
    if (best == nullptr || point.metrics.accuracy() > best->metrics.accuracy()) {
      best = &point;
    }
  }
  for (ChartSeries* series : {&accuracy, &precision, &recall, &mean}) {
    series->marks_every = 10;
  }
  const std::string peak = best == nullptr
                               ? ""
                               : "Best accuracy " + Percent(best->metrics.accuracy(), 2) +
                                     " % at " + Fixed(best->threshold, 2) + ": recall " +
                                     Percent(best->metrics.recall(), 2) + " %, precision " +
                                     Percent(best->metrics.precision(), 2) + " %, harmonic mean " +
                                     Fixed(best->metrics.f1(), 4) + ". ";
  return {"fig7_area_threshold",
          {.title = "The rule on true features, count threshold 2 [SmallBig Fig. 7]",
           .x = {.title = "area threshold (share of the image)", .low = 0, .high = 1},
           .y = {.title = "accuracy, precision, recall, harmonic mean (%)"},
           .series = {accuracy, mean, precision, recall},
           .lines = {{"paper's " + Fixed(kPaperArea, 2), kPaperArea, true}},
           .caption = peak + "Difficult is the positive class. " + DataOf(pair)}};
}

// ---- CSV

std::string CsvNumber(const std::optional<double>& number) {
  return number ? Fixed(*number, 6) : "";
}

std::string CsvFigure(const Figure& figure) {
  return CsvNumber(figure.value) + "," +
         CsvNumber(figure.interval ? std::optional(figure.interval->low) : std::nullopt) + "," +
         CsvNumber(figure.interval ? std::optional(figure.interval->high) : std::nullopt);
}

}  // namespace

std::string DataOf(const SweptPair& pair) {
  return "Near: " + pair.near + ", far: " + pair.far + "; " +
         Thousands(static_cast<std::int64_t>(pair.images)) + " images, " +
         std::to_string(pair.classes) + (pair.classes == 1 ? " class" : " classes") +
         (pair.has_truth ? "; judged by annotations."
                         : "; no annotations: judged by the far model's boxes scored > 0.5 as if "
                           "they were the truth.");
}

std::string FitsOf(const SweptPair& pair) {
  const bool any_fused = std::any_of(
      pair.result.curves.begin(), pair.result.curves.end(),
      [](const auto& curve) { return curve.name.find(kFusionSuffix) != std::string::npos; });
  return std::string("Discriminators fitted to ") +
         (pair.fitted_to_truth ? "annotations" : "the far model's boxes") +
         ", each image judged by a fit that did not see it (" + std::to_string(pair.folds) +
         " folds, seed " + std::to_string(pair.seed) + ")." +
         (any_fused ? " Fusion: agree " + ShortNumber(pair.fusion.agree) + ", keep " +
                          ShortNumber(pair.fusion.keep) + "."
                    : "");
}

std::string FormatSweep(const SweptPair& pair) {
  using Row = std::vector<std::string>;
  const SweepResult& result = pair.result;
  std::string text = pair.label.empty() ? "" : pair.label + "\n";
  std::vector<Row> rows;
  for (const auto& [name, point] :
       {std::pair{"near alone", &result.near}, std::pair{"far alone", &result.far}}) {
    rows.push_back({name, OrDash(point->voc07.value), OrDash(point->area), OrDash(point->ap50),
                    OrDash(point->ap50_95), std::to_string(point->objects.found),
                    std::to_string(point->objects.counted)});
  }
  text += FormatTable({"", "mAP", "area AP", "AP50", "AP50:95", "found", "counted"}, rows);
  text += DataOf(pair) + "\n" + FitsOf(pair) + "\n";
  if (pair.options.comparison.bootstrap.draws > 0) {
    text += "In brackets: 95 % over images, the same " +
            std::to_string(pair.options.comparison.bootstrap.draws) + " draws for all.\n";
  }
  for (const std::size_t r : TableRatios(pair.options.ratios)) {
    rows.clear();
    std::vector<double> recovered;
    for (const SweepCurve& curve : result.curves) {
      recovered.push_back(curve.points[r].recovered.value.value_or(
          curve.points[r].voc07.value.value_or(-HUGE_VAL)));
    }
    for (const std::size_t c : ByFallingValue(recovered)) {
      const SweepPoint& point = result.curves[c].points[r];
      rows.push_back({result.curves[c].name, WithInterval(point.recovered),
                      TimesText(point.times_reference), OrDash(point.voc07.value),
                      OrDash(point.area), OrDash(point.ap50_95), WithInterval(point.found_share),
                      OrDash(point.counted_share), OrDash(point.kept_voc07.value)});
    }
    text += "\n" + FormatTable({"at " + Percent(pair.options.ratios[r], 0) + " % uploaded",
                                "recovered %", "x smallbig", "mAP", "area AP", "AP50:95",
                                "found / far's %", "counted / far's %", "mAP on kept"},
                               rows);
  }
  for (const auto& [name, why] : pair.left_out) {
    text += name + " is left out: " + why + "\n";
  }
  return text;
}

std::string FormatSweepCsv(const std::vector<SweptPair>& pairs) {
  std::string text =
      "pair,near,far,judged_by,fitted_to,images,folds,seed,draws,discriminator,upload_ratio,"
      "uploaded,map_voc07,map_voc07_low,map_voc07_high,map_area,ap50,ap50_95,objects_found,"
      "objects_counted,objects_wanted,found_of_far,found_of_far_low,found_of_far_high,"
      "counted_of_far,recovered,recovered_low,recovered_high,times_smallbig,times_smallbig_low,"
      "times_smallbig_high,kept_map_voc07,kept_map_voc07_low,kept_map_voc07_high,note\n";
  for (const SweptPair& pair : pairs) {
    const std::string start = CsvField(pair.label) + "," + CsvField(pair.near) + "," +
                              CsvField(pair.far) + "," + (pair.has_truth ? "annotations" : "far") +
                              "," + (pair.fitted_to_truth ? "annotations" : "far") + "," +
                              std::to_string(pair.images) + "," + std::to_string(pair.folds) + "," +
                              std::to_string(pair.seed) + "," +
                              std::to_string(pair.options.comparison.bootstrap.draws) + ",";
    const auto add = [&](const std::string& name, const SweepPoint& point) {
      text += start + CsvField(name) + "," + Fixed(point.ratio, 4) + "," +
              std::to_string(point.uploaded) + "," + CsvFigure(point.voc07) + "," +
              CsvNumber(point.area) + "," + CsvNumber(point.ap50) + "," + CsvNumber(point.ap50_95) +
              "," + std::to_string(point.objects.found) + "," +
              std::to_string(point.objects.counted) + "," + std::to_string(point.objects.wanted) +
              "," + CsvFigure(point.found_share) + "," + CsvNumber(point.counted_share) + "," +
              CsvFigure(point.recovered) + "," + CsvFigure(point.times_reference) + "," +
              CsvFigure(point.kept_voc07) + ",\n";
    };
    add("near alone", pair.result.near);
    add("far alone", pair.result.far);
    for (const SweepCurve& curve : pair.result.curves) {
      for (const SweepPoint& point : curve.points) {
        add(curve.name, point);
      }
    }
    for (const auto& [name, why] : pair.left_out) {
      text += start + CsvField(name) + std::string(25, ',') + CsvField("left out: " + why) + "\n";
    }
  }
  return text;
}

std::vector<NamedChart> ChartsOf(const SweptPair& pair) {
  std::vector<NamedChart> charts;
  const SweepResult& result = pair.result;
  const auto level = [](const std::optional<double>& share) {
    return share ? 100 * *share : kNothing;
  };
  const auto ends = [&](std::optional<double> near, std::optional<double> far) {
    std::vector<ChartLine> lines;
    if (far) {
      lines.push_back({"far alone: " + Percent(*far), level(far), false});
    }
    if (near) {
      lines.push_back({"near alone: " + Percent(*near), level(near), false});
    }
    return lines;
  };
  charts.push_back({"fig8_map",
                    {.title = "End-to-end mAP over the upload ratio [SmallBig Fig. 8]",
                     .x = kUploadAxis,
                     .y = {.title = MapName(pair)},
                     .series = CurvesOf(pair, &SweepPoint::voc07),
                     .lines = ends(result.near.voc07.value, result.far.voc07.value),
                     .caption = CaptionOf(pair, "")}});
  charts.push_back({"fig9_found",
                    {.title = "Objects found end to end over the upload ratio [SmallBig Fig. 9]",
                     .x = kUploadAxis,
                     .y = {.title = "objects found, of those that far finds (%)"},
                     .series = CurvesOf(pair, &SweepPoint::found_share),
                     .lines = ends(result.near.found_share.value, result.far.found_share.value),
                     .caption = CaptionOf(
                         pair, "Found: objects with a box of their class scored > " +
                                   Fixed(double{pair.options.comparison.score_threshold}, 2) +
                                   " at IoU " + Fixed(pair.options.comparison.iou, 2) +
                                   "; far alone finds " + std::to_string(result.far.objects.found) +
                                   " of " + std::to_string(result.far.objects.wanted) + ".")}});
  charts.push_back({"recovered",
                    {.title = "How much of the gap between near and far is recovered",
                     .x = kUploadAxis,
                     .y = {.title = "mAP gap recovered (%)"},
                     .series = CurvesOf(pair, &SweepPoint::recovered),
                     .caption = CaptionOf(pair,
                                          "Recovered: (end to end - near) / (far - near), "
                                          "VOC07 mAP: near " +
                                              OrDash(result.near.voc07.value) + ", far " +
                                              OrDash(result.far.voc07.value) + ".")}});
  charts.push_back({"kept_map",
                    {.title = "mAP of the near model on the images that it keeps",
                     .x = kUploadAxis,
                     .y = {.title = MapName(pair)},
                     .series = CurvesOf(pair, &SweepPoint::kept_voc07),
                     .lines = ends(result.near.voc07.value, std::nullopt),
                     .caption = CaptionOf(pair, "Few images are left at high ratios.")}});
  charts.push_back(CasesChart(pair));
  charts.push_back(AreaThresholdChart(pair));
  return charts;
}

std::vector<NamedChart> ChartsByLabel(const std::vector<SweptPair>& pairs) {
  std::vector<NamedChart> charts;
  if (pairs.empty()) {
    return charts;
  }
  std::vector<std::string> labels;
  std::vector<std::string> names;  // of all curves, in order of first appearance
  for (const SweptPair& pair : pairs) {
    labels.push_back(pair.label);
    for (const SweepCurve& curve : pair.result.curves) {
      if (std::find(names.begin(), names.end(), curve.name) == names.end()) {
        names.push_back(curve.name);
      }
    }
  }
  const auto point_of = [](const SweptPair& pair, const std::string& name,
                           std::size_t r) -> const SweepPoint* {
    for (const SweepCurve& curve : pair.result.curves) {
      if (curve.name == name) {
        return &curve.points[r];
      }
    }
    return nullptr;
  };
  std::string caption;
  for (const SweptPair& pair : pairs) {
    caption += pair.label + ": " + DataOf(pair) + " ";
  }
  caption += "Within each set: " + FitsOf(pairs.front());
  const std::vector<double>& ratios = pairs.front().options.ratios;
  for (const std::size_t r : TableRatios(ratios)) {
    const std::string at = Percent(ratios[r], 0);
    for (const bool recovered : {false, true}) {
      Chart chart{
          .title = (recovered ? "Gap recovered at " : "End-to-end mAP at ") + at + " % uploaded",
          .x = {.names = labels},
          .y = {.title = recovered ? "mAP gap recovered (%)" : MapName(pairs.front())},
          .caption = caption};
      const auto add = [&](const std::string& name, int style, auto&& figure_of) {
        ChartSeries series{.label = name, .style = style, .bold = style == 0};
        for (std::size_t p = 0; p < pairs.size(); ++p) {
          ChartPoint point = PointOf(0, figure_of(pairs[p]));
          point.x = static_cast<double>(p);
          series.points.push_back(point);
        }
        chart.series.push_back(std::move(series));
      };
      for (std::size_t n = 0; n < names.size(); ++n) {
        add(names[n], static_cast<int>(n), [&](const SweptPair& pair) {
          const SweepPoint* const point = point_of(pair, names[n], r);
          return point == nullptr ? Figure{} : recovered ? point->recovered : point->voc07;
        });
      }
      if (!recovered) {
        const auto style = static_cast<int>(names.size());
        add("near alone", style, [](const SweptPair& pair) { return pair.result.near.voc07; });
        add("far alone", style + 1, [](const SweptPair& pair) { return pair.result.far.voc07; });
      }
      charts.push_back(
          {(recovered ? "by_label_recovered_" : "by_label_map_") + at, std::move(chart)});
    }
  }
  return charts;
}

}  // namespace nearfar::cli
