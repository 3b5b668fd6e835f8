#include "sim/fit_nodes.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>

#include "core/percentile.h"

namespace nearfar {
namespace {

/// One answer: how many pixels, how long, when.
struct Sample {
  double pixels = 0;
  double seconds = 0;
  double at = 0;  ///< seconds
};

struct Seen {
  FittedNode node;
  std::vector<Sample> samples;
  std::vector<double> network_ms;
  std::int64_t bytes = 0;
  std::int64_t pixels = 0;
};

double ToSeconds(Duration duration) { return ToMilliseconds(duration) / 1e3; }

double Median(std::vector<double> values) { return Percentile(values, 50); }

/// The line seconds = fixed + slope pixels. At most 2,000 pairs of the samples decide.
void FitLine(const std::vector<Sample>& samples, double& fixed, double& slope) {
  std::vector<double> slopes;
  const std::size_t n = samples.size();
  const std::size_t stride = std::max<std::size_t>(1, n * (n - 1) / 2 / 2000);
  std::size_t pair = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j, ++pair) {
      const double apart = samples[j].pixels - samples[i].pixels;
      // Nearly equal sizes say nothing of a slope but noise.
      if (pair % stride == 0 && std::abs(apart) > 0.1 * samples[i].pixels) {
        slopes.push_back((samples[j].seconds - samples[i].seconds) / apart);
      }
    }
  }
  std::vector<double> ratios;
  for (const Sample& sample : samples) {
    ratios.push_back(sample.seconds / sample.pixels);
  }
  const double through_zero = Median(ratios);
  slope = slopes.size() < 10 ? through_zero : std::clamp(Median(slopes), 0.0, through_zero);
  if (slope <= 0) {
    slope = 1e-3 * through_zero;  // pixels cost nothing that can be seen: nearly all of it is fixed
  }
  std::vector<double> rests;
  for (const Sample& sample : samples) {
    rests.push_back(sample.seconds - slope * sample.pixels);
  }
  fixed = std::max(0.0, Median(rests));
}

/// Splits the log residuals into what changes from answer to answer and what lasts.
void FitChance(const std::vector<Sample>& samples, double fixed, double slope, NodeModel& node) {
  std::vector<double> logs;
  for (const Sample& sample : samples) {
    logs.push_back(std::log(sample.seconds / (fixed + slope * sample.pixels)));
  }
  const double middle = Median(logs);
  // Robust: median of absolute deviations, as a normal distribution's standard deviation.
  std::vector<double> all;
  std::vector<double> steps;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    all.push_back(std::abs(logs[i] - middle));
    if (i > 0) {
      steps.push_back(std::abs(logs[i] - logs[i - 1]));
    }
  }
  constexpr double kToSigma = 1.4826;
  const double total = kToSigma * Median(all);
  node.noise = std::min(2.0, kToSigma * Median(steps) / std::sqrt(2.0));
  node.drift.sigma = std::min(2.0, std::sqrt(std::max(0.0, total * total - node.noise * node.noise)));
  // How long a deviation lasts: the first lag at which neighbours are alike by less than 1/e.
  double variance = 0;
  for (const double log : logs) {
    variance += (log - middle) * (log - middle);
  }
  for (std::size_t lag = 2; lag < logs.size() / 4 && variance > 0; lag *= 2) {
    double alike = 0;
    double apart = 0;
    for (std::size_t i = lag; i < logs.size(); ++i) {
      alike += (logs[i] - middle) * (logs[i - lag] - middle);
      apart += samples[i].at - samples[i - lag].at;
    }
    if (alike / variance < 0.37) {
      const double seconds = apart / static_cast<double>(logs.size() - lag);
      node.drift.tau = FromMilliseconds(std::max(1.0, 1e3 * seconds));
      break;
    }
  }
}

}  // namespace

Expected<std::vector<FittedNode>> FitNodes(const Trace& trace, std::int64_t least) {
  std::map<LinkId, Seen> nodes;
  const auto take = [&](const Answer& answer, const Rect& rect, Size input, double at) {
    if (!answer.ok() || answer.compute <= Duration::zero()) {
      return;
    }
    Seen& seen = nodes[answer.link];
    seen.node.link = answer.link;
    seen.node.name = answer.node;
    seen.node.model = answer.model;
    const std::int64_t pixels = (input == Size{} ? rect.size() : input).area();
    if (pixels <= 0) {
      return;
    }
    seen.samples.push_back({static_cast<double>(pixels), ToSeconds(answer.compute), at});
    seen.network_ms.push_back(
        std::max(0.0, ToMilliseconds(answer.total - answer.queued - answer.compute)));
    seen.bytes += answer.bytes_up;
    seen.pixels += pixels;
  };
  for (const FrameRecord& frame : trace.frames) {
    const double at = ToSeconds(frame.captured_at.time_since_epoch() + frame.total);
    for (const Answer& answer : frame.answers) {
      const auto verdict =
          std::find_if(frame.verdicts.begin(), frame.verdicts.end(),
                       [&](const Verdict& candidate) { return candidate.region == answer.region; });
      if (verdict != frame.verdicts.end()) {
        take(answer, verdict->rect, verdict->input, at);
      }
    }
  }
  std::vector<FittedNode> fitted;
  for (auto& [link, seen] : nodes) {
    if (static_cast<std::int64_t>(seen.samples.size()) < least) {
      continue;
    }
    double fixed = 0;
    double slope = 0;
    FitLine(seen.samples, fixed, slope);
    FittedNode& node = seen.node;
    node.node.per_region = FromMilliseconds(1e3 * fixed);
    node.node.px_per_second = 1 / slope;
    FitChance(seen.samples, fixed, slope, node.node);
    node.answers = static_cast<std::int64_t>(seen.samples.size());
    node.bytes_per_px = static_cast<double>(seen.bytes) / static_cast<double>(seen.pixels);
    node.network = FromMilliseconds(Median(seen.network_ms));
    fitted.push_back(std::move(node));
  }
  if (fitted.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "no node of the trace has " + std::to_string(least) +
                    " answers that tell their compute time: nothing to fit a model to");
  }
  return fitted;
}

}  // namespace nearfar
