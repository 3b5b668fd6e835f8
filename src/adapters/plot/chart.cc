#include "adapters/plot/chart.h"

#include <cairo-svg.h>
#include <cairo.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <numbers>
#include <sstream>

namespace nearfar {
namespace {

// All lengths in points, 1/72 inch.
constexpr double kWidth = 720;
constexpr double kPlotHeight = 360;
constexpr double kLeft = 62;
constexpr double kTop = 40;
constexpr double kGap = 14;
constexpr double kText = 12;
constexpr double kSmallText = 10;
constexpr double kLegendSample = 34;
constexpr double kLegendRow = 17;
constexpr double kCaptionRow = 14;
constexpr double kPixelsPerPoint = 2;

struct Colour {
  double red, green, blue;
};
constexpr Colour kInk{0.13, 0.13, 0.13};
constexpr Colour kGrey{0.42, 0.42, 0.42};
constexpr Colour kGrid{0.90, 0.90, 0.90};
/// Okabe and Ito's set, less its yellow, which vanishes on white.
constexpr std::array<Colour, 7> kColours{{{0, 0, 0},
                                          {0.835, 0.369, 0},
                                          {0, 0.447, 0.698},
                                          {0, 0.620, 0.451},
                                          {0.800, 0.475, 0.655},
                                          {0.902, 0.624, 0},
                                          {0.337, 0.706, 0.914}}};
const std::array<std::vector<double>, 4> kDashes{{{}, {7, 3}, {2, 2.2}, {8, 2.5, 2, 2.5}}};
constexpr int kMarkers = 8;

using Surface = std::unique_ptr<cairo_surface_t, decltype(&cairo_surface_destroy)>;
using Context = std::unique_ptr<cairo_t, decltype(&cairo_destroy)>;

std::string NumberText(double number, double step) {
  const int digits = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, std::abs(number) < step / 1e6 ? 0.0 : number);
  return text;
}

/// Distance of ticks, 1, 2 or 5 times a power of ten, so that about `wanted` fit in.
double TickStep(double span, int wanted) {
  const double raw = span / wanted;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power * (1 + 1e-9)) {
      return factor * power;
    }
  }
  return 10 * power;
}

struct Range {
  double low = 0;
  double high = 1;
  double step = 0.2;
  bool counts = false;

  /// Where a value stands, 0 at the low end and 1 at the high one.
  double Place(double value) const {
    const auto at = [&](double v) { return counts ? std::log1p(std::max(v, -0.9)) : v; };
    return (at(value) - at(low)) / (at(high) - at(low));
  }
  std::vector<double> Ticks() const {
    std::vector<double> ticks;
    if (counts) {
      for (const double tick : {0, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000}) {
        ticks.push_back(tick);
      }
      std::erase_if(ticks, [&](double tick) { return tick < low || tick > high; });
    } else {
      const double first = std::ceil(low / step - 1e-9) * step;
      for (int k = 0; first + k * step <= high + step * 1e-6; ++k) {
        ticks.push_back(first + k * step);
      }
    }
    return ticks;
  }
};

bool IsFinite(const ChartPoint& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

/// The range of an axis: as asked, the rest from the data, widened to whole ticks.
Range RangeOf(const ChartAxis& axis, const std::vector<double>& values, int ticks) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const double value : values) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (!std::isfinite(low) || !std::isfinite(high)) {
    low = 0;
    high = 1;
  }
  low = axis.low.value_or(low);
  high = axis.high.value_or(high);
  if (!(high > low)) {
    low -= 0.5;
    high = low + 1;
  }
  Range range{low, high, TickStep(high - low, ticks), axis.counts};
  if (axis.counts) {
    range.low = std::max(0.0, std::round(low)) - 0.5;
    range.high = high * 1.1 + 0.5;
    range.step = 1;
    return range;
  }
  if (!axis.low) {
    range.low = std::floor(low / range.step + 1e-9) * range.step;
  }
  if (!axis.high) {
    range.high = std::ceil(high / range.step - 1e-9) * range.step;
  }
  return range;
}

/// One drawing of one chart on whatever surface.
class Drawing {
 public:
  Drawing(cairo_t* pen, const Chart& chart) : pen_(pen), chart_(chart) {
    cairo_select_font_face(pen_, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    // Without hints text is as wide on every surface, so that lines break alike in all formats.
    const std::unique_ptr<cairo_font_options_t, decltype(&cairo_font_options_destroy)> font(
        cairo_font_options_create(), cairo_font_options_destroy);
    cairo_font_options_set_hint_style(font.get(), CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(font.get(), CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(pen_, font.get());
    cairo_set_line_join(pen_, CAIRO_LINE_JOIN_ROUND);
    caption_ = Wrap(chart.caption, kWidth - 2 * kGap, kSmallText);
    double widest = 0;
    for (const ChartSeries& series : chart.series) {
      widest = std::max(widest, TextWidth(series.label, kText));
    }
    for (const ChartLine& line : chart.lines) {
      widest = std::max(widest, TextWidth(line.label, kText));
    }
    const double legend = widest > 0 ? kLegendSample + 6 + widest + kGap : kGap;
    right_ = kWidth - legend - kGap;
    const double rows = static_cast<double>(chart.series.size() + chart.lines.size());
    bottom_ = kTop + std::max(kPlotHeight, rows * kLegendRow);

    std::vector<double> xs;
    std::vector<double> ys;
    for (const ChartSeries& series : chart.series) {
      for (const ChartPoint& point : series.points) {
        if (IsFinite(point)) {
          xs.push_back(point.x);
          ys.push_back(point.y);
          if (series.interval) {
            ys.insert(ys.end(), {point.low, point.high});
          }
        }
      }
    }
    for (const ChartLine& line : chart.lines) {
      if (std::isfinite(line.at)) {
        (line.vertical ? xs : ys).push_back(line.at);
      }
    }
    x_ = RangeOf(chart.x, xs, 10);
    y_ = RangeOf(chart.y, ys, 8);
    if (!chart.x.names.empty()) {
      x_ = {-0.5, static_cast<double>(chart.x.names.size()) - 0.5, 1};
    }
  }

  double height() const {
    return bottom_ + 52 + static_cast<double>(caption_.size()) * kCaptionRow + kGap / 2;
  }

  void Draw() {
    Use({1, 1, 1});
    cairo_paint(pen_);
    DrawGrid();
    cairo_save(pen_);
    cairo_rectangle(pen_, kLeft, kTop, right_ - kLeft, bottom_ - kTop);
    cairo_clip(pen_);
    for (const ChartSeries& series : chart_.series) {
      DrawBand(series);
    }
    for (std::size_t k = 0; k < chart_.lines.size(); ++k) {
      if (std::isfinite(chart_.lines[k].at)) {
        UseLine(k);
        DrawLine(chart_.lines[k]);
      }
    }
    for (const ChartSeries& series : chart_.series) {
      DrawCurve(series);
    }
    cairo_restore(pen_);
    for (const ChartSeries& series : chart_.series) {
      DrawMarkers(series);
    }
    DrawFrame();
    DrawLegend();
    DrawCaption();
  }

 private:
  double AtX(double x) const { return kLeft + x_.Place(x) * (right_ - kLeft); }
  double AtY(double y) const { return bottom_ - y_.Place(y) * (bottom_ - kTop); }

  void Use(const Colour& colour, double opacity = 1) {
    cairo_set_source_rgba(pen_, colour.red, colour.green, colour.blue, opacity);
  }
  void SetDash(const std::vector<double>& dash) {
    cairo_set_dash(pen_, dash.data(), static_cast<int>(dash.size()), 0);
  }
  static const Colour& ColourOf(int style) {
    return kColours[static_cast<std::size_t>(style) % kColours.size()];
  }
  static const std::vector<double>& DashOf(int style) {
    return kDashes[static_cast<std::size_t>(style) % kDashes.size()];
  }

  double TextWidth(const std::string& text, double size) {
    cairo_set_font_size(pen_, size);
    cairo_text_extents_t extents;
    cairo_text_extents(pen_, text.c_str(), &extents);
    return extents.x_advance;
  }
  /// @param align  0: text begins at x, .5: is centred there, 1: ends there.
  void Text(const std::string& text, double x, double y, double size, double align = 0) {
    const double width = TextWidth(text, size);
    cairo_move_to(pen_, x - align * width, y);
    cairo_show_text(pen_, text.c_str());
  }
  std::vector<std::string> Wrap(const std::string& text, double width, double size) {
    std::vector<std::string> lines;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      const std::string longer = lines.empty() ? word : lines.back() + " " + word;
      if (lines.empty() || TextWidth(longer, size) > width) {
        lines.push_back(word);
      } else {
        lines.back() = longer;
      }
    }
    return lines;
  }

  void DrawGrid() {
    cairo_set_line_width(pen_, 0.8);
    SetDash({});
    for (const double y : y_.Ticks()) {
      Use(kGrid);
      cairo_move_to(pen_, kLeft, AtY(y));
      cairo_line_to(pen_, right_, AtY(y));
      cairo_stroke(pen_);
      Use(kInk);
      Text(NumberText(y, y_.step), kLeft - 7, AtY(y) + 4, kSmallText + 1, 1);
    }
    for (const double x : chart_.x.names.empty() ? x_.Ticks() : std::vector<double>{}) {
      Use(kGrid);
      cairo_move_to(pen_, AtX(x), kTop);
      cairo_line_to(pen_, AtX(x), bottom_);
      cairo_stroke(pen_);
      Use(kInk);
      Text(NumberText(x, x_.step), AtX(x), bottom_ + 17, kSmallText + 1, 0.5);
    }
    for (std::size_t k = 0; k < chart_.x.names.size(); ++k) {
      Use(kInk);
      Text(chart_.x.names[k], AtX(static_cast<double>(k)), bottom_ + 17, kSmallText + 1, 0.5);
    }
  }

  void DrawBand(const ChartSeries& series) {
    if (!series.interval || !series.line) {
      return;
    }
    std::vector<ChartPoint> points;
    std::copy_if(series.points.begin(), series.points.end(), std::back_inserter(points), IsFinite);
    for (const ChartPoint& point : points) {
      cairo_line_to(pen_, AtX(point.x), AtY(point.low));
    }
    for (auto point = points.rbegin(); point != points.rend(); ++point) {
      cairo_line_to(pen_, AtX(point->x), AtY(point->high));
    }
    cairo_close_path(pen_);
    Use(ColourOf(series.style), 0.14);
    cairo_fill(pen_);
  }

  void UseLine(std::size_t which) {
    Use(kGrey);
    SetDash(which % 2 == 0 ? std::vector<double>{5, 3} : std::vector<double>{1.5, 2.5});
    cairo_set_line_width(pen_, 1.2);
  }

  void DrawLine(const ChartLine& line) {
    if (line.vertical) {
      cairo_move_to(pen_, AtX(line.at), kTop);
      cairo_line_to(pen_, AtX(line.at), bottom_);
    } else {
      cairo_move_to(pen_, kLeft, AtY(line.at));
      cairo_line_to(pen_, right_, AtY(line.at));
    }
    cairo_stroke(pen_);
  }

  void DrawCurve(const ChartSeries& series) {
    if (!series.line) {
      return;
    }
    Use(ColourOf(series.style));
    SetDash(DashOf(series.style));
    cairo_set_line_width(pen_, series.bold ? 2.6 : 1.5);
    bool joined = false;
    for (const ChartPoint& point : series.points) {
      if (!IsFinite(point)) {
        joined = false;
      } else if (joined) {
        cairo_line_to(pen_, AtX(point.x), AtY(point.y));
      } else {
        cairo_move_to(pen_, AtX(point.x), AtY(point.y));
        joined = true;
      }
    }
    cairo_stroke(pen_);
  }

  void DrawMarkers(const ChartSeries& series) {
    SetDash({});
    const bool crowded = !series.line && series.points.size() > 200;
    const bool sparse = series.line && series.points.size() > 12;
    const std::size_t every = series.marks_every > 0 ? static_cast<std::size_t>(series.marks_every)
                              : sparse               ? 2
                                                     : 1;
    // Neighbouring styles mark other points, so that marks of close curves stand side by side.
    const std::size_t first = static_cast<std::size_t>(series.style) % every;
    for (std::size_t k = first; k < series.points.size(); k += every) {
      const ChartPoint& point = series.points[k];
      if (!IsFinite(point) || point.x < x_.low || point.x > x_.high || point.y < y_.low ||
          point.y > y_.high) {
        continue;
      }
      if (series.interval && !series.line) {
        Use(ColourOf(series.style));
        cairo_set_line_width(pen_, 1);
        cairo_move_to(pen_, AtX(point.x), AtY(point.low));
        cairo_line_to(pen_, AtX(point.x), AtY(point.high));
        cairo_stroke(pen_);
      }
      DrawMarker(series.style, AtX(point.x), AtY(point.y), crowded ? 2.0 : 3.3, crowded ? 0.4 : 1);
    }
  }

  void DrawMarker(int style, double x, double y, double r, double opacity) {
    using std::numbers::pi;
    const int shape = style % kMarkers;
    const auto polygon = [&](int corners, double turn, double radius) {
      for (int k = 0; k < corners; ++k) {
        const double angle = turn + 2 * pi * k / corners;
        cairo_line_to(pen_, x + radius * std::sin(angle), y - radius * std::cos(angle));
      }
      cairo_close_path(pen_);
    };
    cairo_new_path(pen_);
    switch (shape) {
      case 0:
        cairo_arc(pen_, x, y, r, 0, 2 * pi);
        break;
      case 1:
        polygon(4, pi / 4, 1.3 * r);
        break;
      case 2:
        polygon(3, 0, 1.4 * r);
        break;
      case 3:
        polygon(4, 0, 1.35 * r);
        break;
      case 4:
        polygon(3, pi, 1.4 * r);
        break;
      case 5:
        polygon(5, 0, 1.25 * r);
        break;
      case 6:
      case 7:
        for (int k = 0; k < 4; ++k) {
          const double angle = pi / 2 * k + (shape == 6 ? 0 : pi / 4);
          cairo_move_to(pen_, x, y);
          cairo_line_to(pen_, x + 1.4 * r * std::sin(angle), y - 1.4 * r * std::cos(angle));
        }
        break;
    }
    Use(ColourOf(style), opacity);
    if (shape >= 6) {
      cairo_set_line_width(pen_, 1.6);
      cairo_stroke(pen_);
      return;
    }
    // Every other round of colours has hollow marks.
    if (style / static_cast<int>(kColours.size()) % 2 == 1) {
      Use({1, 1, 1}, opacity);
      cairo_fill_preserve(pen_);
      Use(ColourOf(style), opacity);
      cairo_set_line_width(pen_, 1.2);
      cairo_stroke(pen_);
    } else {
      cairo_fill(pen_);
    }
  }

  void DrawFrame() {
    Use(kInk);
    SetDash({});
    cairo_set_line_width(pen_, 1);
    cairo_rectangle(pen_, kLeft, kTop, right_ - kLeft, bottom_ - kTop);
    cairo_stroke(pen_);
    Text(chart_.title, kLeft, kTop - 14, kText + 2);
    Text(chart_.x.title, (kLeft + right_) / 2, bottom_ + 38, kText, 0.5);
    cairo_save(pen_);
    cairo_translate(pen_, 17, (kTop + bottom_) / 2);
    cairo_rotate(pen_, -std::numbers::pi / 2);
    Text(chart_.y.title, 0, 0, kText, 0.5);
    cairo_restore(pen_);
  }

  void DrawLegend() {
    const double x = right_ + kGap;
    double y = kTop + 8;
    for (const ChartSeries& series : chart_.series) {
      if (series.line) {
        Use(ColourOf(series.style));
        SetDash(DashOf(series.style));
        cairo_set_line_width(pen_, series.bold ? 2.6 : 1.5);
        cairo_move_to(pen_, x, y);
        cairo_line_to(pen_, x + kLegendSample, y);
        cairo_stroke(pen_);
      }
      SetDash({});
      DrawMarker(series.style, x + kLegendSample / 2, y, 3.3, 1);
      Use(kInk);
      Text(series.label, x + kLegendSample + 6, y + 4, kText);
      y += kLegendRow;
    }
    for (std::size_t k = 0; k < chart_.lines.size(); ++k) {
      const ChartLine& line = chart_.lines[k];
      UseLine(k);
      if (line.vertical) {
        cairo_move_to(pen_, x + kLegendSample / 2, y - kLegendRow / 2);
        cairo_line_to(pen_, x + kLegendSample / 2, y + kLegendRow / 2);
      } else {
        cairo_move_to(pen_, x, y);
        cairo_line_to(pen_, x + kLegendSample, y);
      }
      cairo_stroke(pen_);
      Use(kInk);
      Text(line.label, x + kLegendSample + 6, y + 4, kText);
      y += kLegendRow;
    }
  }

  void DrawCaption() {
    Use(kGrey);
    double y = bottom_ + 60;
    for (const std::string& line : caption_) {
      Text(line, kGap, y, kSmallText);
      y += kCaptionRow;
    }
  }

  cairo_t* pen_;
  const Chart& chart_;
  std::vector<std::string> caption_;
  double right_ = 0;
  double bottom_ = 0;
  Range x_;
  Range y_;
};

/// The height that the chart needs, known once its text is measured.
double HeightOf(const Chart& chart) {
  const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1), cairo_surface_destroy);
  const Context context(cairo_create(surface.get()), cairo_destroy);
  return Drawing(context.get(), chart).height();
}

Expected<void> Check(cairo_status_t status, const std::string& path) {
  if (status != CAIRO_STATUS_SUCCESS) {
    return Fail(ErrorCode::kIo,
                "cannot write the chart " + path + ": " + cairo_status_to_string(status));
  }
  return {};
}

}  // namespace

Expected<void> WriteSvg(const Chart& chart, const std::string& path) {
  const Surface surface(cairo_svg_surface_create(path.c_str(), kWidth, HeightOf(chart)),
                        cairo_surface_destroy);
  {
    const Context context(cairo_create(surface.get()), cairo_destroy);
    Drawing(context.get(), chart).Draw();
  }
  cairo_surface_finish(surface.get());
  return Check(cairo_surface_status(surface.get()), path);
}

Expected<void> WritePng(const Chart& chart, const std::string& path) {
  const auto pixels = [](double points) {
    return static_cast<int>(std::ceil(points * kPixelsPerPoint));
  };
  const Surface surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, pixels(kWidth), pixels(HeightOf(chart))),
      cairo_surface_destroy);
  {
    const Context context(cairo_create(surface.get()), cairo_destroy);
    cairo_scale(context.get(), kPixelsPerPoint, kPixelsPerPoint);
    Drawing(context.get(), chart).Draw();
  }
  return Check(cairo_surface_write_to_png(surface.get(), path.c_str()), path);
}

}  // namespace nearfar
