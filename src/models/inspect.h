#pragma once

#include <string>
#include <vector>

#include "core/expected.h"
#include "models/package.h"

namespace nearfar {

/// A package and what nobody had said about it.
struct Inspection {
  ModelPackage package;
  std::vector<std::string> assumed;  ///< one sentence each, to be printed

  friend bool operator==(const Inspection&, const Inspection&) = default;
};

/// Completes what the user said about a model by what its graph tells: what stands in `config`
/// wins, then come metadata (Ultralytics' names, imgsz, task), then the family's documented
/// defaults, which are listed as assumed.
/// @param config  a parsed config.pbtxt and/or options; default-constructed for a bare graph.
/// @param labels  lines of labels.txt; empty = none given.
/// @param files   contents of the files that decoder parameters name, by parameter.
/// Errors: kUnsupported when the graph is no detector that nearfar reads, or when it could be read
/// in two ways (the message names the lines of config.pbtxt that would settle it); kInvalidInput
/// for a setting that is wrong or does not fit the graph, with its place.
Expected<Inspection> Inspect(const GraphFacts& facts, const PackageConfig& config,
                             const std::vector<std::string>& labels,
                             const std::map<std::string, std::string>& files);

/// Class names as Ultralytics and others write them in metadata: a Python list or a dictionary by
/// index. Empty when the text is something else.
std::vector<std::string> NamesOfMetadata(std::string_view text);

}  // namespace nearfar
