#include "cli/report.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace nearfar::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

void OnSignal(int signal) {
  if (interrupted.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

/// Characters, not bytes, of a UTF-8 text: what a column is padded by.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// A number, with a unit at most: more letters make it a phrase that begins with one.
bool LooksNumeric(std::string_view text) {
  const auto letters = std::count_if(
      text.begin(), text.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
  return !text.empty() && letters <= 3 &&
         (std::isdigit(static_cast<unsigned char>(text[0])) != 0 || text[0] == '-' ||
          text[0] == '.' || text[0] == '+');
}

std::string ShortTime(double total_seconds) {
  char text[32];
  const auto whole = static_cast<long>(total_seconds + 0.5);
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
  } else if (whole >= 60) {
    std::snprintf(text, sizeof text, "%ld min %02ld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld s", whole);
  }
  return text;
}

}  // namespace

void Say(std::string_view text) { std::cerr << "nearfar: " << text << std::endl; }

void SayAll(std::string_view what, const std::vector<std::string>& remarks) {
  for (const std::string& remark : remarks) {
    Say(what.empty() ? remark : std::string(what) + ": " + remark);
  }
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  }
  return quoted + "\"";
}

std::string Percent(double share, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, 100 * share);
  return text;
}

std::string OrDash(const std::optional<double>& share) { return share ? Percent(*share) : "-"; }

std::string WithInterval(const Figure& figure) {
  if (!figure.value) {
    return "-";
  }
  std::string text = Percent(*figure.value);
  if (figure.interval) {
    text += " [" + Percent(figure.interval->low) + ", " + Percent(figure.interval->high) + "]";
  }
  return text;
}

int Stop(const Error& error) {
  Say(error.message);
  switch (error.code) {
    case ErrorCode::kCancelled: return kInterrupted;
    default: return kCannot;
  }
}

void WatchForInterrupt() {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
}

bool Interrupted() { return interrupted; }

Progress::Progress(std::string what, std::optional<std::uint64_t> total)
    : what_(std::move(what)),
      total_(total),
      visible_(isatty(STDERR_FILENO) != 0),
      start_(std::chrono::steady_clock::now()),
      last_drawn_(start_) {}

Progress::~Progress() {
  if (drawn_) {
    Draw();
    std::cerr << std::endl;
  }
}

void Progress::Advance(std::uint64_t pieces) {
  done_ += pieces;
  const TimePoint now = std::chrono::steady_clock::now();
  if (visible_ && now - start_ > seconds(2) && now - last_drawn_ > milliseconds(200)) {
    last_drawn_ = now;
    drawn_ = true;
    Draw();
  }
}

void Progress::Draw() {
  const double spent =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double rate = static_cast<double>(done_) / std::max(spent, 1e-9);
  std::string line = what_ + ": " + std::to_string(done_);
  if (total_) {
    line += " of " + std::to_string(*total_);
  }
  char text[64];
  std::snprintf(text, sizeof text, ", %.1f/s", rate);
  line += text;
  if (total_ && done_ < *total_ && rate > 0) {
    line += ", " + ShortTime(static_cast<double>(*total_ - done_) / rate) + " left";
  }
  std::cerr << "\r\033[K" << line << std::flush;
}

std::string FormatTable(const std::vector<std::string>& header,
                        const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& title : header) {
    widths.push_back(Width(title));
  }
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size() && c < widths.size(); ++c) {
      widths[c] = std::max(widths[c], Width(row[c]));
    }
  }
  std::string text;
  const auto add_row = [&](const std::vector<std::string>& row, bool is_header) {
    std::string line;
    for (std::size_t c = 0; c < row.size() && c < widths.size(); ++c) {
      const std::string padding(widths[c] - Width(row[c]), ' ');
      const bool to_the_right = c > 0 && (is_header || LooksNumeric(row[c]));
      line += (c > 0 ? "  " : "") + (to_the_right ? padding + row[c] : row[c] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_row(header, true);
  for (const auto& row : rows) {
    add_row(row, false);
  }
  return text;
}

}  // namespace nearfar::cli
