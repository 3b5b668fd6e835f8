#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/expected.h"

namespace nearfar {

/// Reads a whole file, unpacking it where it is gzipped. Errors: kNotFound, kIo, kInvalidInput (a
/// cut gzip file), kLimitExceeded above 2 GiB.
Expected<std::string> ReadFileText(const std::string& path);

/// Takes the next line off the front of `text`, without its line end.
std::string_view TakeLine(std::string_view& text);
/// Without white space at either end.
std::string_view Trim(std::string_view text);
/// The words between runs of white space.
std::vector<std::string_view> SplitWords(std::string_view line);
/// The fields between separators, trimmed; an empty line has one empty field.
std::vector<std::string_view> SplitAt(std::string_view line, char separator);
/// The number that the whole text stands for, where it is one from -1e9 to 1e9.
std::optional<double> ParseNumber(std::string_view text);
/// The key of a picture in annotations and recordings: its file name without folder and extension.
std::string NameOf(std::string_view file);
/// The first few names as "a, b, c and 5 more".
std::string ListNames(const std::vector<std::string>& names, std::size_t most = 3);

}  // namespace nearfar
