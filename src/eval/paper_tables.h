#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/paper_pair.h"
#include "eval/paper_small_big.h"

namespace nearfar {

/// One line of a table that is shown: the paper's numbers, or ours of the same row.
struct PaperLine {
  std::string row;                            ///< "07+12"
  std::string whose;                          ///< "paper", "ours", "ours, at 51.23 % uploaded", ...
  std::optional<std::size_t> pair;            ///< whose is ours: which pair, counted from 0
  std::vector<std::optional<double>> values;  ///< by the table's columns, in the paper's units
  std::string remark;  ///< of the paper's: what is wrong with it; of ours: how our data differ

  friend bool operator==(const PaperLine&, const PaperLine&) = default;
};

struct FilledTable {
  const PaperTable* paper = nullptr;
  std::vector<PaperLine> lines;
};

/// Every table of the paper with the lines that the pairs have for it: below each printed row, for
/// each pair of that row, what the rule gives by its own verdict and at the paper's upload ratio,
/// objects counted as the paper does and by the truth. A row that no pair is of has one line
/// without values. Averages are over the rows that are filled.
/// @param numbers  of the tables wanted, "III"; empty: all. Errors: kNotFound for one there is not.
Expected<std::vector<FilledTable>> FillTables(std::span<const PaperPair> pairs,
                                              std::span<const std::string> numbers = {});

/// A value as the table prints it: two digits of a percentage, four of F1, no digits of a count.
std::string PaperNumber(const PaperTable& table, const PaperRow* row, std::size_t column,
                        double value);

/// What a pair is and how it differs from the paper's: lines of plain text, the first the title.
std::vector<std::string> DescribePair(const PaperPair& pair);

}  // namespace nearfar
