#include "discriminate/number_tables.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace nearfar {
namespace {

template <typename Number>
std::vector<double> Rounded(std::span<const Number> values) {
  std::vector<double> row;
  row.reserve(values.size());
  for (const Number value : values) {
    char text[40];
    std::snprintf(text, sizeof text, "%.7g", static_cast<double>(value));
    row.push_back(std::strtod(text, nullptr));
  }
  return row;
}

}  // namespace

std::vector<double> TableRow(std::span<const double> values) { return Rounded(values); }
std::vector<double> TableRow(std::span<const float> values) { return Rounded(values); }
std::vector<double> TableRow(double value) { return Rounded(std::span<const double>(&value, 1)); }

std::vector<double> TableReader::Take(const std::string& name, std::size_t size) {
  const auto found = tables_.find(name);
  if (found == tables_.end()) {
    Fault("has no row \"" + name + "\"");
    return {};
  }
  ++taken_;
  const std::vector<double>& row = found->second;
  if (size == kAnySize ? row.empty() : row.size() != size) {
    Fault("row \"" + name + "\" has " + std::to_string(row.size()) + " numbers" +
          (size == kAnySize ? "" : ", expected " + std::to_string(size)));
    return {};
  }
  if (!std::all_of(row.begin(), row.end(), [](double v) { return std::abs(v) <= kLargest; })) {
    Fault("row \"" + name + "\" holds a number that is too large or none");
    return {};
  }
  return row;
}

double TableReader::TakeNumber(const std::string& name) {
  const std::vector<double> row = Take(name, 1);
  return row.empty() ? 0 : row[0];
}

std::string TableReader::fault() const {
  if (fault_.empty() && taken_ < tables_.size()) {
    return "has rows that belong to another kind";
  }
  return fault_;
}

}  // namespace nearfar
