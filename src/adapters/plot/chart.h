#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/expected.h"

namespace nearfar {

/// A point in the units of the axes, with the interval of its y where there is one.
struct ChartPoint {
  double x = 0;
  double y = 0;
  double low = 0;
  double high = 0;

  friend bool operator==(const ChartPoint&, const ChartPoint&) = default;
};

/// A curve or a cloud of points.
struct ChartSeries {
  std::string label;
  /// Colour, dash and marker: equal numbers look alike in all charts. 0 is black and solid. The
  /// colours can be told apart by colour-blind people, and no two of 28 share colour and dash.
  int style = 0;
  bool line = true;       ///< join the points, with a marker at every second one
  bool interval = false;  ///< show low to high as a pale band (line) or as bars (no line)
  bool bold = false;
  int marks_every = 0;  ///< points from one mark of a line to the next; 0: as fits their number
  std::vector<ChartPoint> points;  ///< by rising x; points that are not finite are left out

  friend bool operator==(const ChartSeries&, const ChartSeries&) = default;
};

/// A grey line across the chart, with its label in the legend; each of a chart is dashed anew.
struct ChartLine {
  std::string label;
  double at = 0;
  bool vertical = false;

  friend bool operator==(const ChartLine&, const ChartLine&) = default;
};

struct ChartAxis {
  std::string title;          ///< with its unit
  std::optional<double> low;  ///< absent: as the points have it, rounded to a tick
  std::optional<double> high;
  bool counts = false;  ///< whole numbers from 0 up, at distances of log(1 + number)
  /// Names for x = 0, 1, ... instead of numbers.
  std::vector<std::string> names;

  friend bool operator==(const ChartAxis&, const ChartAxis&) = default;
};

/// A chart as a value: what it shows, and nothing of how it is drawn.
struct Chart {
  std::string title;
  ChartAxis x;
  ChartAxis y;
  std::vector<ChartSeries> series;
  std::vector<ChartLine> lines;
  std::string caption;  ///< data, seed, what the marks mean; broken into lines below the chart

  friend bool operator==(const Chart&, const Chart&) = default;
};

/// Draws the chart as a vector picture (text as outlines, which no viewer's fonts change) or as pixels
/// of the same drawing. Errors: kIo with the path.
Expected<void> WriteSvg(const Chart& chart, const std::string& path);
Expected<void> WritePng(const Chart& chart, const std::string& path);

}  // namespace nearfar
