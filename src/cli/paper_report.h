#pragma once

#include <span>
#include <string>

#include "core/expected.h"
#include "eval/paper_tables.h"

namespace nearfar::cli {

/// The tables in plain text: the paper's lines and ours, then what each pair is.
std::string PaperText(std::span<const FilledTable> tables, std::span<const PaperPair> pairs);
/// The same as Markdown.
std::string PaperMarkdown(std::span<const FilledTable> tables, std::span<const PaperPair> pairs);
/// The same as one JSON object; absent values are left out of "values".
std::string PaperJson(std::span<const FilledTable> tables, std::span<const PaperPair> pairs);

/// Writes each table as FOLDER/table_NUMBER.csv, and FOLDER/pairs.csv; makes the folder.
/// Errors: kIo.
Expected<void> WritePaperCsv(const std::string& folder, std::span<const FilledTable> tables,
                             std::span<const PaperPair> pairs);

}  // namespace nearfar::cli
