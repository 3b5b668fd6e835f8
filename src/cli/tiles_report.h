#pragma once

#include <string>

#include "core/json_writer.h"
#include "eval/tiles.h"

namespace nearfar::cli {

/// What a run did with its tiles, in lines with their ends; empty where no frame was cut.
std::string ToText(const TilesReport& report);
/// The same as the member "tiles" of the object that is being written; nothing where no frame was
/// cut.
void AddTiles(JsonWriter& json, const TilesReport& report);

}  // namespace nearfar::cli
