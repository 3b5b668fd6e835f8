#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace nearfar {

/// What a program said and how it ended.
struct ProgramResult {
  int status = -1;  ///< exit status; -1 when it did not exit by itself
  std::string out;
  std::string err;
};

/// Runs a program to its end. Words are handed on as they are, spaces and quotes included.
inline ProgramResult RunProgram(const std::vector<std::string>& words) {
  static int run = 0;
  const std::filesystem::path err =
      std::filesystem::temp_directory_path() /
      ("nearfar_err_" + std::to_string(getpid()) + "_" + std::to_string(run++));
  std::string command;
  for (const std::string& word : words) {
    command += '\'';
    for (const char c : word) {
      command += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    command += "' ";
  }
  ProgramResult result;
  std::FILE* pipe = popen((command + "2>'" + err.string() + "'").c_str(), "r");
  if (pipe == nullptr) {
    return result;
  }
  std::array<char, 4096> part;
  while (const std::size_t size = std::fread(part.data(), 1, part.size(), pipe)) {
    result.out.append(part.data(), size);
  }
  const int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  std::ifstream file(err);
  result.err.assign(std::istreambuf_iterator<char>(file), {});
  std::filesystem::remove(err);
  return result;
}

}  // namespace nearfar
