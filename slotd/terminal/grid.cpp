// SPDX-License-Identifier: Apache-2.0
#include "slotd/terminal/grid.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace berth::slotd {
namespace {

constexpr std::uint32_t kPointMask = 0x1FFFFF;
constexpr std::uint32_t kWideTail = kPointMask;  // the second column of a wide character; no code point is so large
constexpr unsigned kMarkShift = 21;
constexpr std::size_t kMaxMarks = 255;  // different sets of marks on one grid; later ones are left out
constexpr std::size_t kMarksKept = 2;   // of one character

// `point` is not ASCII.
void append_utf8(std::string& out, std::uint32_t point) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (point < 0x800) {
    byte(0xC0 | (point >> 6));
  } else if (point < 0x10000) {
    byte(0xE0 | (point >> 12));
    byte(0x80 | ((point >> 6) & 0x3F));
  } else {
    byte(0xF0 | (point >> 18));
    byte(0x80 | ((point >> 12) & 0x3F));
    byte(0x80 | ((point >> 6) & 0x3F));
  }
  byte(0x80 | (point & 0x3F));
}

}  // namespace

Grid::Grid(int rows, int columns)
    : rows_(rows), columns_(columns), lines_(static_cast<std::size_t>(rows)), order_(static_cast<std::size_t>(rows)) {
  for (auto& line : lines_) line.cells.resize(static_cast<std::size_t>(columns));
  std::iota(order_.begin(), order_.end(), std::uint16_t{0});
}

bool Grid::clip(GridRect& area) const {
  area.top = std::clamp(area.top, 0, rows_);
  area.bottom = std::clamp(area.bottom, area.top, rows_);
  area.left = std::clamp(area.left, 0, columns_);
  area.right = std::clamp(area.right, area.left, columns_);
  return area.bottom > area.top && area.right > area.left;
}

void Grid::clear(Line& line) {
  std::fill_n(line.cells.begin(), line.used, Cell{0});
  line.used = 0;
}

void Grid::set(Line& line, int column, Cell cell) {
  line.cells[static_cast<std::size_t>(column)] = cell;
  if (cell != 0) line.used = std::max(line.used, column + 1);
}

Grid::Cell Grid::with_marks(const std::uint32_t* points) {
  const Cell point = points[0] & kPointMask;
  if (points[1] == 0) return point;
  std::u32string marks;
  for (const auto* mark = points + 1; *mark != 0 && marks.size() < kMarksKept; ++mark) marks += *mark;
  const auto known = std::find(marks_.begin(), marks_.end(), marks);
  const auto index = static_cast<std::size_t>(known - marks_.begin());
  if (known == marks_.end()) {
    if (marks_.size() == kMaxMarks) return point;
    marks_.push_back(std::move(marks));
  }
  return point | static_cast<Cell>(index + 1) << kMarkShift;
}

// Makes `column` a border: a wide character that lies across it goes, so that no half of one stays behind.
void Grid::cut(Line& line, int column) const {
  if (column <= 0 || column >= columns_ || line.cells[static_cast<std::size_t>(column)] != kWideTail) return;
  set(line, column - 1, 0);
  set(line, column, 0);
}

void Grid::put(int row, int column, int width, const std::uint32_t* points) {
  const bool inside = row >= 0 && row < rows_ && column >= 0 && column + width <= columns_;
  if (!inside || width < 1 || width > 2 || points[0] == 0) return;
  auto& target = line(row);
  cut(target, column);
  cut(target, column + width);
  set(target, column, with_marks(points));
  if (width == 2) set(target, column + 1, kWideTail);
}

void Grid::erase(GridRect area) {
  if (!clip(area)) return;
  if (area.bottom - area.top == rows_ && area.right - area.left == columns_) marks_.clear();
  for (int row = area.top; row < area.bottom; ++row) {
    auto& target = line(row);
    cut(target, area.left);
    cut(target, area.right);
    const int end = std::min(area.right, target.used);
    if (area.left < end) std::fill(target.cells.begin() + area.left, target.cells.begin() + end, Cell{0});
    if (end == target.used) target.used = std::min(target.used, area.left);
  }
}

void Grid::shift(GridRect area, int by) {
  if (!clip(area)) return;
  const int width = area.right - area.left;
  const int distance = std::min(std::abs(by), width);
  for (int row = area.top; row < area.bottom; ++row) {
    auto& target = line(row);
    cut(target, area.left);
    cut(target, area.right);
    cut(target, by > 0 ? area.left + distance : area.right - distance);
    const auto first = target.cells.begin() + area.left;
    const auto last = target.cells.begin() + area.right;
    if (by > 0) {
      std::fill(std::copy(first + distance, last, first), last, Cell{0});
    } else {
      std::fill(first, std::copy_backward(first, last - distance, last), Cell{0});
    }
    target.used = std::max(target.used, area.right);
  }
}

void Grid::scroll(int top, int bottom, int by) {
  GridRect area{top, bottom, 0, columns_};
  if (!clip(area) || by == 0) return;
  const int height = area.bottom - area.top;
  const int shift = std::clamp(by, -height, height);
  const auto first = order_.begin() + area.top;
  const auto last = order_.begin() + area.bottom;
  if (shift > 0) {
    std::rotate(first, first + shift, last);
    for (int row = area.bottom - shift; row < area.bottom; ++row) clear(line(row));
  } else {
    std::rotate(first, last + shift, last);
    for (int row = area.top; row < area.top - shift; ++row) clear(line(row));
  }
}

void Grid::resize(int rows, int columns, int dropped) {
  Grid next(rows, columns);
  const int skip = std::clamp(dropped, 0, rows_);
  for (int row = 0; row < std::min(rows, rows_ - skip); ++row) {
    auto& source = line(row + skip);
    auto& target = next.line(row);
    cut(source, columns);
    target.used = std::min(source.used, columns);
    std::copy_n(source.cells.begin(), target.used, target.cells.begin());
  }
  next.marks_ = std::move(marks_);
  *this = std::move(next);
}

std::string Grid::row_text(int row) const {
  std::string out;
  if (row < 0 || row >= rows_) return out;
  const auto& source = line(row);
  out.reserve(static_cast<std::size_t>(source.used) + 1);  // and the newline that most callers add
  std::size_t end = 0;                                     // of `out` without blanks at its end
  for (int column = 0; column < source.used; ++column) {
    const auto cell = source.cells[static_cast<std::size_t>(column)];
    if (cell == kWideTail) continue;
    const auto point = cell & kPointMask;
    if (point < 0x80) {
      out += point == 0 ? ' ' : static_cast<char>(point);
    } else {
      append_utf8(out, point);
    }
    if (const auto marks = cell >> kMarkShift; marks != 0)
      for (const auto mark : marks_[marks - 1]) append_utf8(out, static_cast<std::uint32_t>(mark));
    if (cell != 0 && cell != ' ') end = out.size();
  }
  out.resize(end);
  return out;
}

std::size_t Grid::memory() const {
  const auto line = static_cast<std::size_t>(columns_) * sizeof(Cell) + sizeof(Line) + sizeof(std::uint16_t);
  return lines_.size() * line + marks_.capacity() * sizeof(std::u32string);
}

}  // namespace berth::slotd
