#pragma once

#include <string>
#include <vector>

#include "core/expected.h"
#include "core/labels.h"
#include "discriminate/factory.h"

namespace nearfar::cli {

/// The names, comma-separated.
std::string DiscriminatorNames();

/// The list of discriminators and their parameters for a help text, one a line.
std::string DiscriminatorHelp();

/// A spec from a name and "key=value" texts. Errors: kInvalidInput for a text that is no such pair,
/// and those of MakeDiscriminator.
Expected<DiscriminatorSpec> ParseDiscriminatorFlags(const std::string& name,
                                                    const std::vector<std::string>& parameters);

/// Comma-separated names, trimmed; empty ones are left out.
std::vector<std::string> SplitNames(const std::string& text);

}  // namespace nearfar::cli
