#include "cli/tiles_report.h"

#include <cstdio>

#include "cli/report.h"
#include "core/clock.h"

namespace nearfar::cli {
namespace {

double Share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string Number(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

std::string ToText(const TilesReport& report) {
  if (report.frames == 0) {
    return "";
  }
  const auto count = [](auto n) { return std::to_string(n); };
  std::string text = count(report.frames) + " frames in tiles";
  if (report.skip_share) {
    text +=
        ": " + Percent(*report.skip_share) + " % of the pixels of all padded tiles were not sent";
  }
  text += "; of " + count(report.cells) + " cells " + Percent(Share(report.kept, report.cells)) +
          " % kept, " + Percent(Share(report.probed, report.cells)) + " % probed, " +
          count(report.unseen) + " wanted but not answered; " + count(report.full_looks) +
          " full looks";
  if (report.filter_off > 0) {
    text += ", " + count(report.filter_off) + " frames without the filter";
  }
  text += "\n" + count(report.regions) + " regions, " + count(report.failed_answers) +
          " failed answers, " + count(report.resent) + " sent again";
  if (report.sent_far > 0) {
    text += ", " + count(report.sent_far) + " difficult ones to the far model";
  }
  if (!report.decided_by.empty()) {
    text += "; dealt out by";
    const char* before = " ";
    for (const auto& [name, frames] : report.decided_by) {
      text += before + name + " " +
              Percent(static_cast<double>(frames) / static_cast<double>(report.frames)) + " %";
      before = ", ";
    }
  }
  text += "\n";
  if (report.fps) {
    text += Number("%.2f", *report.fps) + " frames/s; ";
  }
  text += "frame time p50 " + Number("%.1f", ToMilliseconds(report.frame_time->p50)) + " ms, p95 " +
          Number("%.1f", ToMilliseconds(report.frame_time->p95)) + " ms";
  if (report.degraded > 0) {
    text += "; " + count(report.degraded) + " frames ended with something missing";
  }
  text += "\n";
  if (report.makespan) {
    text += "frame time over the least time that the nodes' own speeds allow: " +
            Number("%.3f", report.makespan->ratio) + " in all, p50 " +
            Number("%.3f", report.makespan->p50) + ", p95 " + Number("%.3f", report.makespan->p95) +
            " (" + count(report.makespan->frames) + " frames)\n";
  }
  return text;
}

void AddTiles(JsonWriter& json, const TilesReport& report) {
  if (report.frames == 0) {
    return;
  }
  json.Key("tiles");
  json.BeginObject();
  json.Field("frames", report.frames);
  json.Field("degraded", report.degraded);
  json.Field("all_px", report.all_px);
  json.Field("sent_px", report.sent_px);
  if (report.skip_share) {
    json.Field("skip_share", *report.skip_share);
  }
  json.Field("cells", report.cells);
  json.Field("kept", report.kept);
  json.Field("probed", report.probed);
  json.Field("unseen", report.unseen);
  json.Field("full_looks", report.full_looks);
  json.Field("filter_off", report.filter_off);
  json.Field("regions", report.regions);
  json.Field("failed_answers", report.failed_answers);
  json.Field("resent", report.resent);
  json.Field("sent_far", report.sent_far);
  json.Key("decided_by");
  json.BeginObject();
  for (const auto& [name, frames] : report.decided_by) {
    json.Field(name, frames);
  }
  json.EndObject();
  if (report.fps) {
    json.Field("fps", *report.fps);
  }
  json.Key("frame_time_ms");
  json.BeginObject();
  json.Field("p50", report.frame_time->p50);
  json.Field("p95", report.frame_time->p95);
  json.Field("p99", report.frame_time->p99);
  json.EndObject();
  if (report.makespan) {
    json.Key("makespan_over_bound");
    json.BeginObject();
    json.Field("frames", report.makespan->frames);
    json.Field("ratio", report.makespan->ratio);
    json.Field("p50", report.makespan->p50);
    json.Field("p95", report.makespan->p95);
    json.EndObject();
  }
  json.EndObject();
}

}  // namespace nearfar::cli
