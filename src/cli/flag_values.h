#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/expected.h"
#include "core/geometry.h"
#include "core/labels.h"
#include "discriminate/factory.h"
#include "train/discriminator_file.h"

namespace nearfar::cli {

/// The names, comma-separated.
std::string DiscriminatorNames();

/// The list of discriminators and their parameters for a help text, one a line.
std::string DiscriminatorHelp();

/// Parameters from "NAME=NUMBER" texts; the last of a name holds. Errors: kInvalidInput.
Expected<std::map<std::string, double, std::less<>>> ParseParameters(
    const std::vector<std::string>& texts);

/// A discriminator and where it came from.
struct OpenedDiscriminator {
  DiscriminatorSpec spec;
  std::unique_ptr<Discriminator> discriminator;
  std::optional<DiscriminatorFile> file;  ///< absent: made by name
};

/// Makes the discriminator that flags ask for.
/// @param asked  its name is one of DiscriminatorNames, or the path of a discriminator file, which
///               has its own parameters.
/// Errors: those of MakeDiscriminator and ReadDiscriminatorFile; kInvalidInput for parameters
/// beside a file.
/// @param learn  it goes on learning from answers (MakeLearning); `online` does so by itself.
/// Errors with it: kUnsupported for one that cannot.
Expected<OpenedDiscriminator> OpenDiscriminator(const DiscriminatorSpec& asked, bool learn = false);

/// The weights of fusion that a flag asks for: "on" takes the discriminator file's, and the usual
/// ones where there is no file; "auto" the file's, else none; "off" none; "agree=A,keep=K" those,
/// one left out being 0. Errors: kInvalidInput, naming the choices.
Expected<FusionWeights> ChooseFusion(const std::string& text,
                                     const std::optional<DiscriminatorFile>& file);

/// Settings over a model's config.pbtxt from the "KEY=VALUE" texts of a flag; the last of a key
/// holds. Errors: kInvalidInput with the flag.
Expected<std::map<std::string, std::string>> ParseModelSettings(
    const std::vector<std::string>& texts, const std::string& flag);

/// A size in px from "512x384", or "512" for a square. Errors: kInvalidInput with the flag.
Expected<Size> ParseSizeFlag(const std::string& text, const std::string& flag);

/// The class spellings of a file; of none: those that come with nearfar. Errors: kNotFound,
/// kInvalidInput, with the path.
Expected<Synonyms> ReadSynonyms(const std::string& path);

}  // namespace nearfar::cli
