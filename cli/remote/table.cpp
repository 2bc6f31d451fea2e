// SPDX-License-Identifier: Apache-2.0
#include "cli/remote/table.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {
namespace {

constexpr std::size_t kWidestCell = 200;

std::string line_of(const Row& row, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::size_t length = utf8_length(row[i]);
    line += row[i];
    if (i + 1 < row.size()) line += std::string(widths[i] - length + 2, ' ');
  }
  return line;
}

}  // namespace

void print_table(const std::vector<Row>& rows) {
  std::vector<Row> shown;
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    Row& cells = shown.emplace_back();
    for (const std::string& cell : row) cells.push_back(cell.empty() ? "-" : harmless_line(cell, kWidestCell));
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], utf8_length(cells[i]));
  }
  const bool colours = colours_on(STDOUT_FILENO);
  std::string text;
  for (std::size_t i = 0; i < shown.size(); ++i)
    text += coloured(line_of(shown[i], widths), i == 0 ? Colour::bold : Colour::plain, colours) + "\n";
  print_out(text);
}

}  // namespace berth::cli
