#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/detection.h"
#include "core/expected.h"
#include "models/graph_facts.h"
#include "models/preprocess.h"
#include "models/tensor.h"

namespace nearfar {

/// How a model's outputs become boxes: a family of the table below and its parameters, as they
/// stand in config.pbtxt under `nearfar.decoder.NAME`.
struct DecoderSpec {
  std::string family;
  std::map<std::string, std::string> parameters;
  std::map<std::string, std::string>
      files;  ///< contents of the files that parameters name, by parameter

  friend bool operator==(const DecoderSpec&, const DecoderSpec&) = default;
};

/// The classes of a model: which of its score columns mean something, and as which label.
struct ClassTable {
  std::vector<std::string> names;   ///< of the labels that boxes carry
  std::vector<int> label_of_class;  ///< per score column: index into names, or -1 for a column
                                    ///< without meaning (background, a gap in the ids)

  int columns() const { return static_cast<int>(label_of_class.size()); }
  friend bool operator==(const ClassTable&, const ClassTable&) = default;
};

/// The table of a model's label lines, one for each score column. A line that is empty,
/// "background",
/// "__background__", "???" or "N/A" stands for a column without meaning.
ClassTable MakeClassTable(const std::vector<std::string>& lines);

/// What decoding needs to know of one call.
struct DecodeRequest {
  std::span<const TensorView> outputs;  ///< all outputs of the graph, in any order
  Size input;                           ///< size of the network's input in px
  float score_floor = 0.01F;            ///< boxes scored below are never made; in (0, 1)
};

/// Turns the outputs of one family of models into boxes. Immutable, so several callers may share
/// one.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Appends every box scored at least `score_floor`, in px of the network's input, before NMS and
  /// unclipped, in an order that depends on the values alone. Scores or corners that are not finite
  /// numbers make no box.
  /// Errors: kInvalidInput when the outputs do not have the shapes that this decoder reads, or hold
  /// "scores" outside [0, 1].
  virtual Expected<void> Decode(const DecodeRequest& request, Detections& boxes) const = 0;
};

/// What a family says when it recognises a bare graph as one of its own.
struct Recognised {
  DecoderSpec decoder;
  int columns = 0;  ///< score columns
  InputSpec input;  ///< the family's documented preprocessing (size and tensor are not its matter)
  std::vector<std::string> labels;  ///< names, where the family's outputs tell them
  std::vector<std::string>
      assumed;  ///< what cannot be read off the graph and was taken as documented
};

/// What inspection knows when it asks a family.
struct RecogniseRequest {
  const GraphFacts& facts;
  Size input;                                            ///< the chosen input size
  std::vector<std::string> labels;                       ///< class names, where known; else empty
  const std::map<std::string, std::string>& parameters;  ///< decoder parameters that the user gave
};

/// One parameter of a family, for help and for refusing misspelt ones.
struct DecoderParameter {
  std::string_view name;
  std::string_view meaning;
};

/// One row of the table of families.
struct DecoderFamily {
  std::string_view name;
  std::string_view reads;  ///< the outputs, in words and shapes
  std::span<const DecoderParameter> parameters;
  /// Errors: kInvalidInput naming the parameter.
  Expected<std::unique_ptr<Decoder>> (*make)(const DecoderSpec& spec, const ClassTable& classes);
  /// Nothing when the graph is not of this family; an error when it is, but something that cannot
  /// be guessed is missing (the message names the lines of config.pbtxt that would settle it).
  Expected<std::optional<Recognised>> (*recognise)(const RecogniseRequest& request);
};

/// All families; docs/adding-a-decoder.md says how to add one.
std::span<const DecoderFamily> DecoderFamilies();

/// The family of that name. Errors: kNotFound with the names that there are.
Expected<const DecoderFamily*> FindDecoderFamily(std::string_view name);

/// A decoder of the named family. Errors: an unknown family, a parameter that the family does not
/// have, or one with a bad value, by name.
Expected<std::unique_ptr<Decoder>> MakeDecoder(const DecoderSpec& spec, const ClassTable& classes);

}  // namespace nearfar
