// SPDX-License-Identifier: Apache-2.0
// The cells of a terminal's screen: characters without colours, four bytes each. Every operation is clipped to the
// grid, so no position or size can reach outside. Scrolling moves line numbers, not lines. Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace berth::slotd {

// Half open.
struct GridRect {
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
};

class Grid {
 public:
  // Both at least 1.
  Grid(int rows, int columns);

  [[nodiscard]] int rows() const { return rows_; }
  [[nodiscard]] int columns() const { return columns_; }

  // A character of `width` 1 or 2 columns (width 0: drawn over nothing, ignored) and the marks combined with it:
  // `points` ends with 0. Two marks are kept.
  void put(int row, int column, int width, const std::uint32_t* points);
  void erase(GridRect area);
  // In each line of the area the cells move left by `by` (right when negative); those that come in are blank.
  void shift(GridRect area, int by);
  // Whole lines of [top, bottom) move up by `by` (down when negative); those that come in are blank.
  void scroll(int top, int bottom, int by);
  // Lines that fall off are lost: the first `dropped` ones at the top, then at the bottom; new ones are blank.
  void resize(int rows, int columns, int dropped);

  // UTF-8 without the blanks at its end.
  [[nodiscard]] std::string row_text(int row) const;
  [[nodiscard]] std::size_t memory() const;

 private:
  using Cell = std::uint32_t;  // code point, 21 bits; number of its marks, 11 bits
  struct Line {
    std::vector<Cell> cells;
    int used = 0;  // cells from here on are blank
  };
  [[nodiscard]] Line& line(int row) { return lines_[order_[static_cast<std::size_t>(row)]]; }
  [[nodiscard]] const Line& line(int row) const { return lines_[order_[static_cast<std::size_t>(row)]]; }
  [[nodiscard]] bool clip(GridRect& area) const;
  [[nodiscard]] Cell with_marks(const std::uint32_t* points);
  static void clear(Line& line);
  static void set(Line& line, int column, Cell cell);
  void cut(Line& line, int column) const;

  int rows_;
  int columns_;
  std::vector<Line> lines_;
  std::vector<std::uint16_t> order_;  // which of lines_ is shown in each row
  std::vector<std::u32string> marks_;
};

}  // namespace berth::slotd
