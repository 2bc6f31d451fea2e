// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/tar_header.hpp"

#include <algorithm>
#include <string_view>

namespace berth::drivers::docker {
namespace {

struct TarField {
  std::size_t at;
  std::size_t length;
};
constexpr TarField kName{0, 100};
constexpr TarField kMode{100, 8};
constexpr TarField kOwner{108, 8};
constexpr TarField kGroup{116, 8};
constexpr TarField kSize{124, 12};
constexpr TarField kChanged{136, 12};
constexpr TarField kSum{148, 8};
constexpr std::size_t kType = 156;
constexpr TarField kMagic{257, 8};

void put_text(std::string& block, TarField field, std::string_view text) {
  block.replace(field.at, std::min(text.size(), field.length), text.substr(0, field.length));
}

// Octal digits, with a NUL at the end of the field.
void put_number(std::string& block, TarField field, std::uint64_t value) {
  for (std::size_t i = field.length - 1; i-- > 0; value /= 8) block[field.at + i] = static_cast<char>('0' + value % 8);
}

}  // namespace

std::string tar_header(const std::string& name, std::uint64_t size, unsigned mode, std::time_t changed) {
  std::string block(kTarBlock, '\0');
  put_text(block, kName, name);
  put_number(block, kMode, mode);
  put_number(block, kOwner, 0);
  put_number(block, kGroup, 0);
  put_number(block, kSize, size);
  put_number(block, kChanged, static_cast<std::uint64_t>(changed));
  block[kType] = '0';
  put_text(block, kMagic, std::string_view("ustar\00000", 8));
  // The sum counts its own field as spaces.
  block.replace(kSum.at, kSum.length, kSum.length, ' ');
  std::uint64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put_number(block, {kSum.at, kSum.length - 1}, sum);
  block[kSum.at + kSum.length - 2] = '\0';
  return block;
}

}  // namespace berth::drivers::docker
