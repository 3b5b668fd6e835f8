#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/labels.h"
#include "discriminate/factory.h"
#include "train/discriminator_file.h"

namespace nearfar::cli {

/// The names, comma-separated.
std::string DiscriminatorNames();

/// The list of discriminators and their parameters for a help text, one a line.
std::string DiscriminatorHelp();

/// A spec from a name and "key=value" texts. Errors: kInvalidInput for a text that is no such pair,
/// and those of MakeDiscriminator.
Expected<DiscriminatorSpec> ParseDiscriminatorFlags(const std::string& name,
                                                    const std::vector<std::string>& parameters);

/// A discriminator and where it came from.
struct OpenedDiscriminator {
  DiscriminatorSpec spec;
  std::unique_ptr<Discriminator> discriminator;
  std::optional<DiscriminatorFile> file;  ///< absent: made by name
};

/// Makes the discriminator that a flag names: one of DiscriminatorNames, or a discriminator file.
/// @param parameters  "key=value" texts; only with a name.
/// Errors: those of ParseDiscriminatorFlags and ReadDiscriminatorFile.
Expected<OpenedDiscriminator> OpenDiscriminator(const std::string& name_or_file,
                                                const std::vector<std::string>& parameters);

/// The class spellings of a file; of none: those that come with nearfar. Errors: kNotFound,
/// kInvalidInput, with the path.
Expected<Synonyms> ReadSynonyms(const std::string& path);

}  // namespace nearfar::cli
