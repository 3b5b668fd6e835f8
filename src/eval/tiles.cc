#include "eval/tiles.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <unordered_map>

#include "schedule/makespan_bound.h"

namespace nearfar {
namespace {

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

Duration FromSeconds(double seconds) {
  return std::chrono::round<Duration>(std::chrono::duration<double>(std::min(seconds, 1e9)));
}

std::int64_t PixelsOf(const Verdict& verdict) {
  return verdict.input.area() > 0 ? verdict.input.area() : verdict.rect.size().area();
}

/// One region that a node looked at.
struct Piece {
  LinkId link{};
  double pixels = 0;
  double seconds = 0;
};

/// The regions of a frame by the first node that answered each; empty where one was not answered,
/// or a node did not tell its time.
std::vector<Piece> PiecesOf(const FrameRecord& frame) {
  std::vector<Piece> pieces;
  for (const Verdict& verdict : frame.verdicts) {
    const auto answer =
        std::find_if(frame.answers.begin(), frame.answers.end(),
                     [&](const Answer& a) { return a.region == verdict.region && a.ok(); });
    if (answer == frame.answers.end() || answer->compute <= Duration{} || PixelsOf(verdict) <= 0) {
      return {};
    }
    pieces.push_back(
        {answer->link, static_cast<double>(PixelsOf(verdict)), Seconds(answer->compute)});
  }
  return pieces;
}

/// seconds = fixed + pixels · per_pixel, neither below 0.
struct NodeFit {
  double fixed = 0;
  double per_pixel = 0;
  double slower = 1;  ///< than that, when it last answered

  double SecondsFor(double pixels) const { return fixed + pixels * per_pixel; }
};

/// By least squares.
NodeFit FitNode(const std::vector<Piece>& pieces) {
  const auto n = static_cast<double>(pieces.size());
  double px = 0;
  double s = 0;
  double pxpx = 0;
  double pxs = 0;
  for (const Piece& piece : pieces) {
    px += piece.pixels;
    s += piece.seconds;
    pxpx += piece.pixels * piece.pixels;
    pxs += piece.pixels * piece.seconds;
  }
  const double spread = pxpx - px * px / n;
  NodeFit fit;
  // Regions of one size tell nothing of a fixed part: all of it goes by pixels.
  fit.per_pixel = spread > 1e-6 * pxpx ? (pxs - px * s / n) / spread : pxs / pxpx;
  fit.fixed = (s - fit.per_pixel * px) / n;
  if (fit.per_pixel < 0) {
    fit = {.fixed = s / n};
  } else if (fit.fixed < 0) {
    fit = {.per_pixel = pxs / pxpx};
  }
  return fit;
}

std::optional<MakespanStanding> Makespans(const std::vector<const FrameRecord*>& frames) {
  std::vector<std::vector<Piece>> pieces;
  std::map<LinkId, std::vector<Piece>> by_node;
  for (const FrameRecord* frame : frames) {
    pieces.push_back(PiecesOf(*frame));
    for (const Piece& piece : pieces.back()) {
      by_node[piece.link].push_back(piece);
    }
  }
  std::map<LinkId, NodeFit> nodes;
  for (const auto& [link, of_node] : by_node) {
    nodes.emplace(link, FitNode(of_node));
  }
  double makespans = 0;
  double bounds = 0;
  std::vector<double> ratios;
  for (std::size_t f = 0; f < frames.size(); ++f) {
    std::map<LinkId, std::pair<double, double>> took;  // actual, as fitted
    std::vector<std::int64_t> pixels;
    for (const Piece& piece : pieces[f]) {
      took[piece.link].first += piece.seconds;
      took[piece.link].second += nodes[piece.link].SecondsFor(piece.pixels);
      pixels.push_back(static_cast<std::int64_t>(piece.pixels));
    }
    for (const auto& [link, times] : took) {
      nodes[link].slower = times.second > 0 ? times.first / times.second : 1;
    }
    if (pixels.empty()) {
      continue;
    }
    std::vector<TrueSpeed> speeds;
    for (const auto& [link, node] : nodes) {
      // A node without a part by pixels is as good as one that is very quick by them.
      const double per_pixel = std::max(node.per_pixel * node.slower, 1e-15);
      speeds.push_back({FromSeconds(node.fixed * node.slower), 1 / per_pixel});
    }
    const double bound = Seconds(MakespanBound(speeds, pixels));
    const double makespan = Seconds(frames[f]->total);
    if (bound > 0) {
      makespans += makespan;
      bounds += bound;
      ratios.push_back(makespan / bound);
    }
  }
  if (ratios.empty()) {
    return std::nullopt;
  }
  return MakespanStanding{.frames = ratios.size(),
                          .ratio = makespans / bounds,
                          .p50 = Percentile(ratios, 50),
                          .p95 = Percentile(ratios, 95)};
}

void CountAnswers(const FrameRecord& frame, TilesReport& report) {
  for (const Verdict& verdict : frame.verdicts) {
    std::int64_t failed = 0;
    std::int64_t all = 0;
    for (const Answer& answer : frame.answers) {
      if (answer.region == verdict.region) {
        ++all;
        failed += answer.ok() ? 0 : 1;
      }
    }
    report.failed_answers += failed;
    report.resent += failed > 0 && all > failed ? 1 : 0;
    report.sent_far += verdict.uploaded && verdict.difficult ? 1 : 0;
  }
}

}  // namespace

TilesReport ReportTiles(const Trace& trace) {
  TilesReport report;
  std::vector<const FrameRecord*> frames;
  std::map<std::string, std::size_t> decided;
  std::vector<Duration> times;
  std::optional<double> first;
  double last = 0;
  for (const FrameRecord& frame : trace.frames) {
    if (!frame.tiles) {
      continue;
    }
    const TilesRecord& tiles = *frame.tiles;
    frames.push_back(&frame);
    ++report.frames;
    report.degraded += frame.status != FrameStatus::kOk ? 1 : 0;
    report.all_px += tiles.all_px;
    report.sent_px += tiles.sent_px;
    report.cells += static_cast<std::int64_t>(tiles.cells.size());
    report.kept += std::count(tiles.cells.begin(), tiles.cells.end(), '#');
    report.probed += std::count(tiles.cells.begin(), tiles.cells.end(), '?');
    report.unseen += std::count(tiles.unseen.begin(), tiles.unseen.end(), '!');
    report.full_looks += tiles.full_look ? 1 : 0;
    report.filter_off += !tiles.full_look && !tiles.reason.empty() ? 1 : 0;
    report.regions += static_cast<std::int64_t>(frame.verdicts.size());
    if (!tiles.decided_by.empty()) {
      ++decided[tiles.decided_by];
    }
    CountAnswers(frame, report);
    times.push_back(frame.total);
    const double emitted =
        std::chrono::duration<double>(frame.captured_at.time_since_epoch()).count() +
        Seconds(frame.total);
    first = std::min(first.value_or(emitted), emitted);
    last = std::max(last, emitted);
  }
  if (report.frames == 0) {
    return report;
  }
  if (report.all_px > 0) {
    report.skip_share =
        1 - static_cast<double>(report.sent_px) / static_cast<double>(report.all_px);
  }
  report.decided_by.assign(decided.begin(), decided.end());
  std::stable_sort(report.decided_by.begin(), report.decided_by.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (report.frames > 1 && last > *first) {
    report.fps = static_cast<double>(report.frames - 1) / (last - *first);
  }
  report.frame_time = PercentilesOf(times);
  report.makespan = Makespans(frames);
  return report;
}

void FitTruthToTrace(const Trace& trace, Truth& truth) {
  std::unordered_map<std::string, Size> size_of;
  for (const FrameRecord& frame : trace.frames) {
    size_of.emplace(frame.name, frame.size);
  }
  std::size_t scaled = 0;
  std::size_t odd = 0;
  for (TruthImage& image : truth.images) {
    const auto found = size_of.find(image.name);
    if (found == size_of.end() || found->second.area() <= 0 || image.size.area() <= 0 ||
        found->second == image.size) {
      continue;
    }
    const float x = static_cast<float>(found->second.width) / static_cast<float>(image.size.width);
    const float y =
        static_cast<float>(found->second.height) / static_cast<float>(image.size.height);
    if (std::abs(x / y - 1) > 0.01F) {
      ++odd;
      continue;
    }
    for (TruthObject& object : image.objects) {
      object.box = {object.box.x1 * x, object.box.y1 * y, object.box.x2 * x, object.box.y2 * y};
      object.area = object.area < 0 ? object.area : object.area * x * y;
    }
    image.size = found->second;
    ++scaled;
  }
  if (scaled > 0) {
    truth.remarks.push_back(std::to_string(scaled) +
                            " images are scaled to the size of the trace's frames");
  }
  if (odd > 0) {
    truth.remarks.push_back(std::to_string(odd) +
                            " images have another shape than the trace's frames: their boxes are "
                            "taken as they stand");
  }
}

}  // namespace nearfar
