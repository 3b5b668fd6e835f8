#pragma once

#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace nearfar {

/// Fitted numbers in named rows: how learned discriminators stand in files.
using NumberTables = std::map<std::string, std::vector<double>, std::less<>>;

/// A row of numbers, each rounded to seven digits: what a file says is what is judged with.
std::vector<double> TableRow(std::span<const double> values);
std::vector<double> TableRow(std::span<const float> values);
std::vector<double> TableRow(double value);

/// Takes rows out of tables and remembers the first fault.
class TableReader {
 public:
  static constexpr std::size_t kAnySize = std::numeric_limits<std::size_t>::max();
  static constexpr double kLargest = 1e12;  ///< beyond it nothing was fitted

  explicit TableReader(const NumberTables& tables) : tables_(tables) {}

  /// A row of `size` numbers in [-kLargest, kLargest]; empty after a fault. kAnySize: as many as it
  /// has, but one at least.
  std::vector<double> Take(const std::string& name, std::size_t size);
  /// A row of one number; 0 after a fault.
  double TakeNumber(const std::string& name);
  bool Has(const std::string& name) const { return tables_.contains(name); }
  void Fault(const std::string& what) { fault_ = fault_.empty() ? what : fault_; }
  /// The first fault; rows that nobody took are one. Empty where there is none.
  std::string fault() const;

 private:
  const NumberTables& tables_;
  std::size_t taken_ = 0;
  std::string fault_;
};

}  // namespace nearfar
