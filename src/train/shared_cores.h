#pragma once

#include <string_view>

#include "core/expected.h"
#include "train/schedule_world.h"

namespace nearfar {

/// The world of bench/shared_cores.csv: nodes on one host, each as fast as the recording has it in
/// the company of every set of busy others (medians of its pieces that met one set throughout), its
/// service times scattering as recorded, one after the other. A set that was met fewer than three
/// times counts like those with as many busy nodes.
/// @param csv  columns process, work_ms, begin_us, duration_us, busy_begin, busy_end.
/// Errors: kInvalidInput, naming the line; when a process never worked alone.
Expected<ScheduleWorld> ReadSharedCores(std::string_view csv);

}  // namespace nearfar
