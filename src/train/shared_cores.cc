#include "train/shared_cores.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "core/percentile.h"

namespace nearfar {
namespace {

constexpr std::string_view kHeader = "process,work_ms,begin_us,duration_us,busy_begin,busy_end";
constexpr std::size_t kMostProcesses = 16;
constexpr std::size_t kEnough = 3;

struct Piece {
  std::size_t process = 0;
  double seconds = 0;
  std::size_t set = 0;
};

}  // namespace

Expected<ScheduleWorld> ReadSharedCores(std::string_view csv) {
  std::vector<Piece> pieces;
  std::size_t processes = 0;
  std::size_t line_number = 0;
  const auto wrong = [&](const std::string& what) {
    return Fail(ErrorCode::kInvalidInput, "recording of shared cores, line " +
                                              std::to_string(line_number) + ": " + what);
  };
  while (!csv.empty()) {
    const std::size_t end = std::min(csv.find('\n'), csv.size());
    std::string_view line = csv.substr(0, end);
    csv.remove_prefix(std::min(end + 1, csv.size()));
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (++line_number == 1) {
      if (line != kHeader) {
        return wrong("expected the header " + std::string(kHeader));
      }
      continue;
    }
    if (line.empty()) {
      continue;
    }
    std::array<double, 6> value{};
    const char* at = line.data();
    const char* const last = line.data() + line.size();
    bool fine = true;
    for (std::size_t k = 0; k < value.size() && fine; ++k) {
      const auto [after, error] = std::from_chars(at, last, value[k]);
      fine = error == std::errc() && std::isfinite(value[k]) && value[k] >= 0 &&
             (k + 1 < value.size() ? after < last && *after == ',' : after == last);
      at = fine && k + 1 < value.size() ? after + 1 : after;
    }
    if (!fine || value[0] >= kMostProcesses || value[3] <= 0 || value[4] >= 1 << kMostProcesses) {
      return wrong("expected six numbers, of at most 16 processes, with a duration above 0");
    }
    const auto process = static_cast<std::size_t>(value[0]);
    processes = std::max(processes, process + 1);
    const auto set = static_cast<std::size_t>(value[4]);
    if (value[4] == value[5] && (set >> process & 1) == 1) {
      pieces.push_back({process, value[3] * 1e-6, set});
    }
  }
  std::map<std::pair<std::size_t, std::size_t>, std::vector<double>> by_set;
  std::map<std::pair<std::size_t, int>, std::vector<double>> by_size;
  for (const Piece& piece : pieces) {
    if (piece.set >> processes != 0) {
      return wrong("a set of busy processes names one that has no piece");
    }
    by_set[{piece.process, piece.set}].push_back(piece.seconds);
    by_size[{piece.process, __builtin_popcountll(piece.set)}].push_back(piece.seconds);
  }
  ScheduleWorld world;
  HostModel host;
  std::vector<double> alone;
  for (std::size_t p = 0; p < processes; ++p) {
    const auto lone = by_set.find({p, std::size_t{1} << p});
    if (lone == by_set.end()) {
      return wrong("process " + std::to_string(p) + " never worked alone");
    }
    alone.push_back(Percentile(lone->second, 50));
    world.nodes.push_back(
        {.px_per_second = static_cast<double>(world.region_px) / alone[p], .host = 0});
    std::vector<double> factors;
    for (std::size_t set = 0; set < std::size_t{1} << processes; ++set) {
      const auto met = by_set.find({p, set});
      double seconds = alone[p];
      if (met != by_set.end() && met->second.size() >= kEnough) {
        seconds = Percentile(met->second, 50);
      } else {
        // As many busy, or the nearest number that was met.
        const int busy = __builtin_popcountll(set);
        for (int away = 0; away <= static_cast<int>(processes); ++away) {
          auto like = by_size.find({p, busy + away});
          like = like == by_size.end() ? by_size.find({p, busy - away}) : like;
          if (like != by_size.end()) {
            seconds = Percentile(like->second, 50);
            break;
          }
        }
      }
      factors.push_back(alone[p] / seconds);
    }
    host.recorded.push_back(std::move(factors));
  }
  if (processes == 0) {
    return wrong("there is no piece of work");
  }
  for (const Piece& piece : pieces) {
    const double expected = alone[piece.process] / host.recorded[piece.process][piece.set];
    world.nodes[piece.process].recorded_noise.push_back(
        std::clamp(std::log(piece.seconds / expected), -10.0, 10.0));
  }
  world.hosts.push_back(std::move(host));
  return world;
}

}  // namespace nearfar
