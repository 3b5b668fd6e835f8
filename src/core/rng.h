#pragma once

#include <cstddef>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>

namespace nearfar {

/// Mixes the bits of a 64-bit number (the finaliser of SplitMix64).
constexpr std::uint64_t MixBits(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// FNV-1a hash of a text: the same on every machine, so that chance can hang on an image's name.
constexpr std::uint64_t HashText(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return hash;
}

/// A small random generator (SplitMix64) with its own distributions, so that one seed gives the same
/// stream on every machine and standard library. Not thread-safe; copy it to branch the stream.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    const std::uint64_t value = MixBits(state_);
    state_ += 0x9E3779B97F4A7C15ULL;
    return value;
  }

  /// Uniform in [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  /// Uniform in [low, high).
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  /// Uniform integer in [0, n). REQUIRES: n > 0.
  std::uint64_t Below(std::uint64_t n) {
    return static_cast<std::uint64_t>((static_cast<Wide>(Next()) * n) >> 64);
  }
  bool Chance(double probability) { return Uniform() < probability; }
  /// Standard normal (Box-Muller, one of the pair).
  double Normal() {
    const double u = 1.0 - Uniform();
    const double v = Uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }
  /// Shuffles in place (Fisher-Yates).
  template <typename Range>
  void Shuffle(Range& range) {
    for (std::size_t i = range.size(); i > 1; --i) {
      const auto j = static_cast<std::size_t>(Below(i));
      std::swap(range[i - 1], range[j]);
    }
  }

 private:
  __extension__ using Wide = unsigned __int128;

  std::uint64_t state_;
};

}  // namespace nearfar
