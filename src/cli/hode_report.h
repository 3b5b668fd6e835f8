#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/sweep_report.h"
#include "core/expected.h"

namespace nearfar::cli {

/// One field of a figure's table: a text, or a number as it is printed.
struct FigureCell {
  std::string text;
  std::optional<double> value;

  FigureCell(std::string what) : text(std::move(what)) {}  // NOLINT: tables are written as lists
  FigureCell(const char* what) : text(what) {}             // NOLINT
  /// A dash where there is no number.
  FigureCell(std::optional<double> number, int digits);
};

/// A figure of the second paper made again: its numbers as a table, its curves as charts.
struct PaperFigure {
  std::string name;  ///< of its files: "fig11"
  std::string title;
  std::vector<std::string> header;
  std::vector<std::vector<FigureCell>> rows;
  std::vector<std::string> notes;  ///< what is modelled, what is measured, what differs
  std::vector<NamedChart> charts;
};

/// All figures as plain text, as Markdown, and as one JSON object; `about` says of what run.
std::string FiguresText(std::span<const PaperFigure> figures, std::span<const std::string> about);
std::string FiguresMarkdown(std::span<const PaperFigure> figures,
                            std::span<const std::string> about);
std::string FiguresJson(std::span<const PaperFigure> figures, std::span<const std::string> about);

/// Makes a folder to write into, where it is not there. Errors: kIo.
Expected<void> MakeFolder(const std::string& folder);

/// Writes FOLDER/NAME.csv and each chart as SVG and PNG. Errors: kIo.
Expected<void> WriteFigures(const std::string& folder, std::span<const PaperFigure> figures,
                            std::span<const std::string> about);

}  // namespace nearfar::cli
