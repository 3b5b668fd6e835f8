#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/verb.h"
#include "core/clock.h"
#include "core/expected.h"
#include "eval/comparison.h"

namespace nearfar::cli {

/// Says one line on stderr: "nearfar: TEXT".
void Say(std::string_view text);
/// Says each of them, with what they are about before it where that is not empty.
void SayAll(std::string_view what, const std::vector<std::string>& remarks);

/// A share in per cent without the sign: .288 as 28.8.
std::string Percent(double share, int digits = 1);
/// The same, or a dash where it is absent.
std::string OrDash(const std::optional<double>& share);
/// A figure in per cent with its 95 % interval, where it has one: 28.8 [24.5, 34.5]; or a dash.
std::string WithInterval(const Figure& figure);

/// Says why the verb stops and gives the exit status that fits the error.
int Stop(const Error& error);

/// True once the user has pressed Ctrl-C (SIGINT) or the process was asked to end (SIGTERM). A second
/// Ctrl-C ends it at once. WatchForInterrupt installs the handlers.
void WatchForInterrupt();
bool Interrupted();

/// Shows how far a long job is, with rate and time left, on stderr: a line that renews itself, only
/// where stderr is a terminal, and only for jobs of more than two seconds. Not thread-safe.
class Progress {
 public:
  /// @param what   what is being done, e.g. "recording"
  /// @param total  number of pieces, where known
  Progress(std::string what, std::optional<std::uint64_t> total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Advance(std::uint64_t pieces = 1);

 private:
  void Draw();

  std::string what_;
  std::optional<std::uint64_t> total_;
  bool visible_;
  bool drawn_ = false;
  std::uint64_t done_ = 0;
  TimePoint start_;
  TimePoint last_drawn_;
};

/// A table in plain text: columns padded, numbers to the right, two spaces between columns.
std::string FormatTable(const std::vector<std::string>& header,
                        const std::vector<std::vector<std::string>>& rows);

/// A text as one field of CSV (RFC 4180): in quotes where it has to be.
std::string CsvField(const std::string& text);

}  // namespace nearfar::cli
