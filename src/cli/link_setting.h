#pragma once

#include <string_view>

#include "core/expected.h"
#include "core/link_model.h"

namespace nearfar::cli {

/// Reads a link model from words KEY=VALUE between blanks or commas: `up` and `down` as
/// ParseByteRate takes them, `delay` and `jitter` as times, `loss` as a share or in
/// percent, `seed`. What is left out has the default of LinkModel: no limit, no delay, no loss.
/// Errors: kInvalidInput, naming the word and what it should be.
Expected<LinkModel> ParseLinkModel(std::string_view text);

}  // namespace nearfar::cli
