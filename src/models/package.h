#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"
#include "core/geometry.h"
#include "core/model_identity.h"
#include "core/nms.h"
#include "models/decode.h"
#include "models/graph_facts.h"
#include "models/preprocess.h"

namespace nearfar {

/// How far the boxes of a class are moved outwards, in shares of their width (left, right) and height
/// (top, bottom); negative: inwards. For models that draw an object otherwise than those they work
/// with: a helmet alone, or the head with it. Each > -0.5.
struct BoxStretch {
  float left = 0;
  float top = 0;
  float right = 0;
  float bottom = 0;

  friend bool operator==(const BoxStretch&, const BoxStretch&) = default;
};

/// The box as the stretch makes it.
Box Stretched(const Box& box, const BoxStretch& stretch);

/// What the settings of stretches begin with; the class's name follows.
inline constexpr std::string_view kStretchPrefix = "box.stretch.";

/// Everything that turns a graph into a detector, as a value.
struct ModelPackage {
  std::string name;     ///< of the package's folder or the file
  std::string version;  ///< the version folder, e.g. "1"; empty for a bare file
  InputSpec input;
  DecoderSpec decoder;
  std::vector<std::string>
      labels;  ///< one for each score column; see MakeClassTable for the empty ones
  NmsOptions nms;
  std::map<std::string, BoxStretch> stretch;  ///< by class name; those without one stay as they are
  float score_floor = 0.01F;  ///< boxes scored below are never made; (0, 1)

  friend bool operator==(const ModelPackage&, const ModelPackage&) = default;
};

/// One line that two NMS settings share exactly when they are equal.
std::string CanonicalText(const NmsOptions& nms);

/// The package's part of an identity: all but the hash and the label map.
ModelIdentity IdentityOf(const ModelPackage& package);

/// A setting of a package and where it was made, for messages.
struct Setting {
  std::string value;
  std::string where;  ///< "config.pbtxt:12" or "option input.size"

  friend bool operator==(const Setting&, const Setting&) = default;
};
/// Settings by key, without the prefix `nearfar.` that they carry in config.pbtxt.
using Settings = std::map<std::string, Setting, std::less<>>;

/// What a config.pbtxt says, as far as nearfar reads it.
struct PackageConfig {
  std::string name;
  std::string model_file = "model.onnx";  ///< default_model_filename
  std::string label_file;            ///< label_filename of an output; empty = labels.txt if there
  std::optional<TensorFacts> input;  ///< the first input; its type is kOther where not given
  std::string input_where;
  Settings settings;

  friend bool operator==(const PackageConfig&, const PackageConfig&) = default;
};

/// Reads a Triton config.pbtxt (protobuf text format). Fields that nearfar has no use for are
/// passed over, as are parameters of others; what nearfar adds stands in `parameters`, with keys
/// that begin with `nearfar.`, and a key of that kind which nobody knows is a mistake. Errors:
/// kInvalidInput with file, line and key.
Expected<PackageConfig> ParseConfig(std::string_view text, std::string_view file);

/// The keys that ParseConfig and the command line take (without `nearfar.`), with their meaning;
/// the decoder's own parameters follow as `decoder.NAME`, stretches of boxes as
/// `box.stretch.CLASS`.
struct SettingInfo {
  std::string_view key;
  std::string_view meaning;
};
std::span<const SettingInfo> KnownSettings();

/// Errors: kInvalidInput when no setting has this key.
Expected<void> CheckSettingKey(std::string_view key, std::string_view where);

/// A config.pbtxt that says everything the package says; reading it back gives an equal package.
/// Outputs are listed from the graph's facts.
std::string WriteConfig(const ModelPackage& package, const GraphFacts& facts);

/// The lines of a labels.txt; a trailing empty line is none.
std::vector<std::string> ParseLabels(std::string_view text);

}  // namespace nearfar
