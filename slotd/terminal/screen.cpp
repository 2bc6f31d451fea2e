// SPDX-License-Identifier: Apache-2.0
#include "slotd/terminal/screen.hpp"

#include <algorithm>
#include <utility>
#include <vterm.h>

namespace berth::slotd {
namespace {

// What libvterm may see; everything else is handled here or has no effect on text.
constexpr std::string_view kControls = "\b\t\n\v\f\r\x0e\x0f";
constexpr std::string_view kPlainEscapes = "DEHM";
constexpr std::string_view kPlainFinals = "@ABCDEFGHIJKLMPSTXZ`acdefgjknr";
constexpr std::string_view kPrivateFinals = "JKn";
constexpr std::string_view kCharacterSets = "0AB";
constexpr std::size_t kMaxGlyphPoints = 64;

bool contains(std::string_view set, char character) {
  return set.find(character) != std::string_view::npos;
}

GridRect to_grid(VTermRect rect) {
  return {rect.start_row, rect.end_row, rect.start_col, rect.end_col};
}

}  // namespace

struct Screen::Hooks {
  static Screen& screen(void* user) { return *static_cast<Screen*>(user); }

  static int put_glyph(VTermGlyphInfo* info, VTermPos position, void* user) {
    auto& self = screen(user);
    self.glyph_points_ = 0;
    while (info->chars[self.glyph_points_] != 0) ++self.glyph_points_;
    self.grid().put(position.row, position.col, info->width, info->chars);
    return 1;
  }
  static int scroll(VTermRect rect, int downward, int rightward, void* user) {
    auto& self = screen(user);
    if (rightward != 0) {
      self.grid().shift(to_grid(rect), rightward);
      return 1;
    }
    if (!self.alternate_ && rect.start_row == 0 && downward > 0) self.keep_rows(self.main_, downward);
    self.grid().scroll(rect.start_row, rect.end_row, downward);
    return 1;
  }
  static int erase(VTermRect rect, int /*selective*/, void* user) {
    screen(user).grid().erase(to_grid(rect));
    return 1;
  }
  static void reply(const char* bytes, std::size_t size, void* user) {
    auto& replies = screen(user).replies_;
    if (replies.size() + size <= kReplyBytes) replies.append(bytes, size);
  }
  static const VTermStateCallbacks kState;
};

const VTermStateCallbacks Screen::Hooks::kState = [] {
  VTermStateCallbacks callbacks{};
  callbacks.putglyph = &Hooks::put_glyph;
  callbacks.scrollrect = &Hooks::scroll;
  callbacks.erase = &Hooks::erase;
  return callbacks;
}();

Screen::Screen(TerminalSize size)
    : size_(size),
      main_(static_cast<int>(size.rows), static_cast<int>(size.columns)),
      scrollback_(kScrollbackBytes, 0,
                  [this](std::string_view lines) {
                    lines_lost_ += static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
                  }),
      vterm_(vterm_new(main_.rows(), main_.columns()), &vterm_free),
      state_(nullptr) {
  vterm_set_utf8(vterm_.get(), 1);
  vterm_output_set_callback(vterm_.get(), &Hooks::reply, this);
  state_ = vterm_obtain_state(vterm_.get());
  vterm_state_set_callbacks(state_, &Hooks::kState, this);
  vterm_state_reset(state_, 1);
}

Screen::~Screen() = default;

Screen::Position Screen::cursor() const {
  VTermPos position{};
  vterm_state_get_cursorpos(state_, &position);
  return {position.row, position.col};
}

void Screen::write(std::string_view well_formed) {
  vterm_input_write(vterm_.get(), well_formed.data(), well_formed.size());
}

void Screen::move_to(Position position) {
  const int row = std::clamp(position.row, 0, main_.rows() - 1);
  const int column = std::clamp(position.column, 0, main_.columns() - 1);
  write("\x1b[?6l\x1b[" + std::to_string(row + 1) + ";" + std::to_string(column + 1) + "H");
}

void Screen::keep_rows(const Grid& grid, int count) {
  for (int row = 0; row < std::min(count, grid.rows()); ++row) scrollback_.append(grid.row_text(row) + '\n');
}

void Screen::text(std::string_view utf8) {
  // libvterm keeps every mark of a character: a character of ours ends a chain that nobody could read.
  const bool may_be_mark = (static_cast<unsigned char>(utf8[0]) & 0x80U) != 0;
  if (may_be_mark && glyph_points_ > kMaxGlyphPoints) write("\xEF\xBF\xBD");
  write(utf8);
  auto last = utf8.size() - 1;
  while (last > 0 && (static_cast<unsigned char>(utf8[last]) & 0xC0U) == 0x80U) --last;
  last_character_ = utf8.substr(last);
}

void Screen::control(char character) {
  if (contains(kControls, character)) write({&character, 1});
}

void Screen::escape(char intermediate, char final) {
  const char bytes[] = {'\x1b', intermediate, final};
  if (intermediate == '(' || intermediate == ')') {
    if (contains(kCharacterSets, final)) write({bytes, 3});
  } else if (intermediate == '#') {
    if (final == '8') write("\x1b#8");
  } else if (intermediate != 0) {
    return;
  } else if (final == '7') {
    saved_ = cursor();
  } else if (final == '8') {
    move_to(saved_);
  } else if (final == '=' || final == '>') {
    key_modes_.application_keypad = final == '=';
  } else if (final == 'c') {
    alternate_.reset();
    key_modes_ = {};
    saved_ = {};
    write(
        "\x1b"
        "c");
  } else if (contains(kPlainEscapes, final)) {
    const char plain[] = {'\x1b', final};
    write({plain, 2});
  }
}

void Screen::sequence(const ControlSequence& sequence) {
  if (sequence.intermediate != 0) {
    if (sequence.leader == 0 && sequence.intermediate == '!' && sequence.final == 'p') soft_reset();
  } else if (sequence.leader == 0) {
    plain_sequence(sequence);
  } else if (sequence.leader == '?') {
    private_sequence(sequence);
  } else if (sequence.leader == '>' && sequence.final == 'c') {
    write("\x1b[>c");
  }
}

void Screen::plain_sequence(const ControlSequence& sequence) {
  switch (sequence.final) {
    case 'b': repeat(std::max(1, sequence.value(0, 1))); return;
    case 's': saved_ = cursor(); return;
    case 'u': move_to(saved_); return;
    case 'h':
    case 'l':
      for (std::size_t i = 0; i < sequence.count; ++i) {
        const auto mode = sequence.value(i, 0);
        if (mode == 4 || mode == 20) write("\x1b[" + std::to_string(mode) + sequence.final);
      }
      return;
    case 'J':
      if (sequence.value(0, 0) == 3) {
        scrollback_.clear();
        return;
      }
      break;
    default: break;
  }
  if (contains(kPlainFinals, sequence.final)) pass_on(sequence);
}

void Screen::private_sequence(const ControlSequence& sequence) {
  if (sequence.final == 'h' || sequence.final == 'l') {
    for (std::size_t i = 0; i < sequence.count; ++i) set_private_mode(sequence.value(i, 0), sequence.final == 'h');
  } else if (contains(kPrivateFinals, sequence.final)) {
    pass_on(sequence);
  }
}

void Screen::set_private_mode(int mode, bool on) {
  switch (mode) {
    case 1: key_modes_.application_cursor = on; break;
    case 6:
    case 7: write("\x1b[?" + std::to_string(mode) + (on ? "h" : "l")); break;
    case 47:
    case 1047: show_alternate(on, false); break;
    case 1048:
      if (on) {
        saved_ = cursor();
      } else {
        move_to(saved_);
      }
      break;
    case 1049: show_alternate(on, true); break;
    default: break;
  }
}

void Screen::show_alternate(bool on, bool with_cursor) {
  if (on == (alternate_ != nullptr)) return;
  if (on) {
    main_cursor_ = cursor();
    alternate_ = std::make_unique<Grid>(main_.rows(), main_.columns());
    return;
  }
  alternate_.reset();
  if (with_cursor) move_to(main_cursor_);
}

void Screen::repeat(int count) {
  if (last_character_.empty()) return;
  std::string repeated;
  for (int i = std::min(count, main_.columns()); i > 0; --i) repeated += last_character_;
  text(repeated);
}

void Screen::soft_reset() {
  const auto position = cursor();
  write("\x1b[4l\x1b[?7h\x1b[r\x1b(B\x0f");
  key_modes_ = {};
  saved_ = {};
  move_to(position);
}

// No sequence named here has more than two parameters.
void Screen::pass_on(const ControlSequence& sequence) {
  std::string bytes = "\x1b[";
  if (sequence.leader != 0) bytes += sequence.leader;
  for (std::size_t i = 0; i < std::min<std::size_t>(2, sequence.count); ++i) {
    if (i > 0) bytes += ';';
    if (sequence.parameters[i] != ControlSequence::kMissing) bytes += std::to_string(sequence.parameters[i]);
  }
  write(bytes + sequence.final);
}

void Screen::resize(TerminalSize size) {
  if (size == size_) return;
  const auto rows = static_cast<int>(size.rows);
  const auto columns = static_cast<int>(size.columns);
  const auto position = cursor();
  write("\x1b[?6l\x1b[r");  // libvterm's margins must not lie outside the new size
  const int above = std::max(0, position.row - rows + 1);
  const int main_above = alternate_ ? std::max(0, main_cursor_.row - rows + 1) : above;
  keep_rows(main_, main_above);
  main_.resize(rows, columns, main_above);
  if (alternate_) alternate_->resize(rows, columns, above);
  main_cursor_.row -= main_above;
  size_ = size;
  vterm_set_size(vterm_.get(), rows, columns);
  move_to({position.row - above, position.column});
}

std::string Screen::text() const {
  const auto& grid = alternate_ ? *alternate_ : main_;
  std::string out;
  for (int row = 0; row < grid.rows(); ++row) out += grid.row_text(row) + '\n';
  return out;
}

std::string Screen::text_with_scrollback() const {
  return std::string(scrollback_.text()) + text();
}

std::string Screen::take_replies() {
  return std::exchange(replies_, {});
}

std::size_t Screen::memory() const {
  return main_.memory() + (alternate_ ? alternate_->memory() : 0) + scrollback_.memory() + replies_.capacity();
}

}  // namespace berth::slotd
