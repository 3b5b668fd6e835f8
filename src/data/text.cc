#include "data/text.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

namespace nearfar {
namespace {

constexpr std::size_t kMostBytes = std::size_t{2} << 30;
constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";

}  // namespace

Expected<std::string> ReadFileText(const std::string& path) {
  std::error_code status;
  if (!std::filesystem::exists(path, status)) {
    return Fail(ErrorCode::kNotFound, "there is no file " + path);
  }
  if (std::filesystem::is_directory(path, status)) {
    return Fail(ErrorCode::kInvalidInput, path + " is a folder where a file was expected");
  }
  if (std::filesystem::is_character_file(path, status)) {
    return Fail(ErrorCode::kInvalidInput, path + " is a device where a file was expected");
  }
  errno = 0;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose_r);
  if (file == nullptr) {
    return Fail(ErrorCode::kIo, "cannot open " + path + ": " + std::strerror(errno));
  }
  gzbuffer(file.get(), 1U << 17);
  std::string text;
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  while (true) {
    const std::size_t before = text.size();
    text.resize(before + kPiece);
    const int got = gzread(file.get(), text.data() + before, static_cast<unsigned>(kPiece));
    text.resize(before + static_cast<std::size_t>(std::max(got, 0)));
    int error = Z_OK;
    const char* message = gzerror(file.get(), &error);
    if (got < 0 || error == Z_BUF_ERROR) {
      return error == Z_ERRNO
                 ? Fail(ErrorCode::kIo, "cannot read " + path + ": " + std::strerror(errno))
                 : Fail(ErrorCode::kInvalidInput,
                        path + " is a cut or broken gzip file (" + message + "): fetch it again");
    }
    if (text.size() > kMostBytes) {
      return Fail(ErrorCode::kLimitExceeded, path + " holds more than 2 GiB: split it");
    }
    if (got == 0) {
      return text;
    }
  }
}

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  return line;
}

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

std::vector<std::string_view> SplitWords(std::string_view line) {
  std::vector<std::string_view> words;
  while (!(line = Trim(line)).empty()) {
    const std::size_t end = line.find_first_of(kWhiteSpace);
    words.push_back(line.substr(0, end));
    line.remove_prefix(words.back().size());
  }
  return words;
}

std::vector<std::string_view> SplitAt(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t end = line.find(separator);
    fields.push_back(Trim(line.substr(0, end)));
    if (end == std::string_view::npos) {
      return fields;
    }
    line.remove_prefix(end + 1);
  }
}

std::optional<double> ParseNumber(std::string_view text) {
  text = Trim(text);
  if (!text.empty() && text[0] == '+') {
    text.remove_prefix(1);
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(std::abs(number) <= 1e9)) {
    return std::nullopt;
  }
  return number;
}

std::string NameOf(std::string_view file) { return std::filesystem::path(file).stem().string(); }

std::string ListNames(const std::vector<std::string>& names, std::size_t most) {
  std::string list;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) {
    list += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > most) {
    list += " and " + std::to_string(names.size() - most) + " more";
  }
  return list;
}

}  // namespace nearfar
