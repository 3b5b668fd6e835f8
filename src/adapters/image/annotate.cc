#include "adapters/image/annotate.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <opencv2/imgproc.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace nearfar {
namespace {

const cv::Scalar kNearColour(0, 140, 255);  // orange
const cv::Scalar kFarColour(255, 110, 20);  // blue
const cv::Scalar kBlack(0, 0, 0);
const cv::Scalar kWhite(255, 255, 255);
const cv::Scalar kKept(60, 190, 60);     // green
const cv::Scalar kSkipped(50, 50, 220);  // red
const cv::Scalar kProbed(0, 215, 255);   // yellow
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;

struct Pen {
  int line = 1;
  double letters = 0.4;
  int padding = 2;
};

Pen PenFor(Size size) {
  const double side = std::max(size.width, size.height);
  return {std::max(1, static_cast<int>(side / 320)), std::clamp(side / 1400, 0.38, 3.0),
          std::max(2, static_cast<int>(side / 320))};
}

/// Draws text on a filled tag whose lower left corner is `anchor`, moved to stay inside the canvas.
/// Returns the row of its upper edge.
int DrawTag(cv::Mat& canvas, const std::string& text, cv::Point anchor, const cv::Scalar& fill,
            const cv::Scalar& ink, const Pen& pen) {
  int baseline = 0;
  const int stroke = pen.letters > 0.8 ? 2 : 1;
  const cv::Size extent = cv::getTextSize(text, kFont, pen.letters, stroke, &baseline);
  const int width = extent.width + 2 * pen.padding;
  const int height = extent.height + baseline + pen.padding;
  const int x = std::max(0, std::min(anchor.x, canvas.cols - width));
  const int y = std::max(0, std::min(anchor.y - height, canvas.rows - height));
  cv::rectangle(canvas, cv::Rect(x, y, width, height), fill, cv::FILLED);
  cv::putText(canvas, text, {x + pen.padding, y + height - baseline}, kFont, pen.letters, ink,
              stroke, cv::LINE_AA);
  return y;
}

std::string TagText(const Detection& detection, const LabelSpace& classes) {
  const bool known = detection.label >= 0 && detection.label < classes.size();
  char score[16];
  std::snprintf(score, sizeof score, " %.2f", static_cast<double>(detection.score));
  return (known ? classes.names[static_cast<std::size_t>(detection.label)] : "?") + score;
}

/// Breaks a text at spaces into lines that fit the canvas; a word wider than it keeps its own line.
std::vector<std::string> WrapToWidth(std::string_view text, int width, const Pen& pen) {
  std::vector<std::string> lines;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    const std::string longer = lines.empty() ? word : lines.back() + " " + word;
    int baseline = 0;
    const int needed =
        cv::getTextSize(longer, kFont, pen.letters, pen.letters > 0.8 ? 2 : 1, &baseline).width +
        2 * pen.padding;
    if (lines.empty() || needed > width) {
      lines.push_back(word);
    } else {
      lines.back() = longer;
    }
  }
  return lines;
}

/// A dark bar at the bottom; nothing for an empty caption.
void DrawCaption(cv::Mat& canvas, std::string_view caption, const Pen& pen) {
  const std::vector<std::string> lines = WrapToWidth(caption, canvas.cols, pen);
  int bottom = canvas.rows;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    bottom = DrawTag(canvas, *line, {0, bottom}, cv::Scalar(40, 40, 40), kWhite, pen);
  }
}

Image Copy(const PixelView& picture) {
  Image copy(picture.size);
  for (int y = 0; y < picture.size.height; ++y) {
    std::memcpy(copy.row(y), picture.row(y), static_cast<std::size_t>(picture.size.width) * 3);
  }
  return copy;
}

}  // namespace

Image Annotate(const PixelView& picture, const Detections& detections, const LabelSpace& classes,
               std::span<const LinkId> provenance, std::string_view caption) {
  Image annotated = Copy(picture);
  if (annotated.empty()) {
    return annotated;
  }
  cv::Mat canvas(picture.size.height, picture.size.width, CV_8UC3, annotated.data());
  const Pen pen = PenFor(picture.size);

  // The surest boxes are drawn last, so their tags stay readable.
  std::vector<std::size_t> order(detections.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return detections[a].score < detections[b].score;
  });
  const auto is_far = [&](std::size_t i) {
    return i < provenance.size() && provenance[i] != kNear;
  };
  const auto corner = [](float x, float y) {
    return cv::Point(static_cast<int>(x), static_cast<int>(y));
  };
  for (const std::size_t i : order) {
    const Box box = ClipTo(detections[i].box, picture.size);
    cv::rectangle(canvas, corner(box.x1, box.y1), corner(box.x2, box.y2),
                  is_far(i) ? kFarColour : kNearColour, pen.line, cv::LINE_AA);
  }
  for (const std::size_t i : order) {
    const Box box = ClipTo(detections[i].box, picture.size);
    DrawTag(canvas, TagText(detections[i], classes), corner(box.x1, box.y1),
            is_far(i) ? kFarColour : kNearColour, is_far(i) ? kWhite : kBlack, pen);
  }
  DrawCaption(canvas, caption, pen);
  return annotated;
}

Image DrawTiles(const PixelView& picture, const TileGrid& grid, std::string_view cells,
                const Detections& boxes, std::string_view caption) {
  assert(cells.size() == static_cast<std::size_t>(grid.cells()));
  Image drawn = Copy(picture);
  if (drawn.empty()) {
    return drawn;
  }
  cv::Mat canvas(picture.size.height, picture.size.width, CV_8UC3, drawn.data());
  const Pen pen = PenFor(picture.size);
  const double across = static_cast<double>(picture.size.width) / grid.frame.width;
  const double down = static_cast<double>(picture.size.height) / grid.frame.height;
  const auto corner = [&](double x, double y) {
    return cv::Point(static_cast<int>(std::lround(x * across)),
                     static_cast<int>(std::lround(y * down)));
  };
  for (int c = 0; c < grid.cells(); ++c) {
    const char look = cells[static_cast<std::size_t>(c)];
    const cv::Scalar tint = look == '#' ? kKept : look == '?' ? kProbed : kSkipped;
    const Rect cell = grid.Cell(c);
    const cv::Rect area =
        cv::Rect(corner(cell.x, cell.y), corner(cell.x + cell.width, cell.y + cell.height)) &
        cv::Rect(0, 0, canvas.cols, canvas.rows);
    cv::Mat part = canvas(area);
    cv::addWeighted(part, 0.72, cv::Mat(area.size(), CV_8UC3, tint), 0.28, 0, part);
    cv::rectangle(canvas, area, tint, pen.line, cv::LINE_AA);
  }
  for (const Detection& detection : boxes) {
    const Box box = ClipTo(detection.box, grid.frame);
    const cv::Point upper = corner(double{box.x1}, double{box.y1});
    const cv::Point lower = corner(double{box.x2}, double{box.y2});
    cv::rectangle(canvas, upper, lower, kBlack, pen.line + 2, cv::LINE_AA);
    cv::rectangle(canvas, upper, lower, kWhite, pen.line, cv::LINE_AA);
  }
  DrawCaption(canvas, caption, pen);
  return drawn;
}

}  // namespace nearfar
