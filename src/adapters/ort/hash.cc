#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>

#include "adapters/ort/session.h"

namespace nearfar::ort {

Expected<std::string> HashFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Fail(ErrorCode::kNotFound, "cannot open '" + path.string() + "'");
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    return Fail(ErrorCode::kInternal, "SHA-256 is not to be had from OpenSSL");
  }
  std::array<char, 1U << 16U> buffer;
  while (file) {
    file.read(buffer.data(), buffer.size());
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) {
    return Fail(ErrorCode::kIo, "cannot read '" + path.string() + "'");
  }
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned>(digest[i]));
    text.append(digits.data());
  }
  return text;
}

}  // namespace nearfar::ort
