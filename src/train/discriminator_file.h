#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/expected.h"
#include "core/labels.h"
#include "core/model_identity.h"
#include "discriminate/factory.h"
#include "discriminate/fit.h"
#include "discriminate/fusion.h"
#include "discriminate/gain_target.h"
#include "train/choose.h"

namespace nearfar {

/// A fitted discriminator with all that says what it is good for: what `nearfar calibrate` writes
/// and `nearfar run` takes.
struct DiscriminatorFile {
  DiscriminatorSpec discriminator;  ///< with the fitted thresholds
  std::string version;              ///< of the discriminator's way to judge
  std::optional<UploadFit> upload;  ///< gain score above which the wanted share is uploaded
  /// The 0th, 1st, ... 100th percentile of the gain scores, rising: what a budget starts from.
  /// Empty: not known.
  std::vector<double> gain_percentiles;
  std::optional<GainGoal> goal;   ///< learned towards it: what its gain score is a number of
  ModelIdentity near;             ///< the model whose boxes it judges; refused for others
  ModelIdentity far;              ///< the model that defined what is difficult
  LabelSpace classes;             ///< the label space that boxes are mapped to before it sees them
  int images = 0;                 ///< fitted on
  int difficult = 0;              ///< of them
  std::optional<Choice> choice;   ///< how it was chosen; absent: it was named
  bool truth = false;             ///< annotations were there; else the far boxes stood in
  std::optional<ScoreFit> score;  ///< smallbig: how its score threshold came about
  std::optional<BinaryMetrics> with_true_features;       ///< smallbig: Table I, "Ground Truth"
  std::optional<BinaryMetrics> with_estimated_features;  ///< Table I, "Predicted"; its own verdict
  std::optional<BinaryMetrics> at_upload_threshold;      ///< the same at `upload`
  std::optional<FusionFit> fusion;  ///< of the answers on uploaded images; absent: never fitted
  std::string program;                                   ///< version of nearfar that wrote it

  friend bool operator==(const DiscriminatorFile&, const DiscriminatorFile&) = default;
};

/// The file's text: indented JSON, thresholds exact.
std::string FormatDiscriminatorFile(const DiscriminatorFile& file);

/// Reads such a text. Errors: kInvalidInput with the line of a syntax error or the path of a member
/// that is missing, unknown or wrong; kUnsupported for a file of another format version or one
/// whose discriminator judges in another way now; those of MakeDiscriminator.
Expected<DiscriminatorFile> ParseDiscriminatorFile(std::string_view text);

/// Errors: kNotFound, kIo, and those of ParseDiscriminatorFile, with the file's path.
Expected<DiscriminatorFile> ReadDiscriminatorFile(const std::string& path);
/// Writes beside the target and renames, so that a reader never sees half a file. Errors: kIo.
Expected<void> WriteDiscriminatorFile(const std::string& path, const DiscriminatorFile& file);

/// Whether the file may judge boxes of this near model. Returns what a user should know of a check
/// that was a weak one: a model without a hash (an import) is known by its name alone; else empty.
/// Errors: kInvalidInput with what differs.
Expected<std::string> CheckMadeFor(const DiscriminatorFile& file, const ModelIdentity& near);

}  // namespace nearfar
