// SPDX-License-Identifier: Apache-2.0
// What a terminal shows: libvterm's state machine over a Grid, and the lines that scrolled off the top. TERM is
// xterm-256color without colours, titles, mouse and printing.
//
// The bytes are hostile and libvterm 0.1.4 (Debian 12) does not survive all of them: more than 16 parameters overwrite
// its callbacks, REP of nothing never ends, C1 code points and a cursor restored after a resize leave its arrays,
// combining marks grow without bound. So it is only ever given what StreamParser has made well-formed and what the
// tables here name; saved cursors, the alternate screen and REP are done here. Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "slotd/terminal/grid.hpp"
#include "slotd/terminal/line_log.hpp"
#include "slotd/terminal/stream_parser.hpp"
#include "slotd/terminal/terminal_size.hpp"

struct VTerm;
struct VTermState;

namespace berth::slotd {

// How a program wants its keys (see keys.hpp).
struct KeyModes {
  bool application_cursor = false;
  bool application_keypad = false;
};

class Screen final : private SequenceSink {
 public:
  static constexpr std::size_t kScrollbackBytes = std::size_t{256} << 10;
  static constexpr std::size_t kReplyBytes = 256;

  struct Position {
    int row = 0;
    int column = 0;
  };

  explicit Screen(TerminalSize size);
  ~Screen() override;
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void feed(std::string_view bytes) { parser_.feed(bytes, *this); }
  void resize(TerminalSize size);

  [[nodiscard]] TerminalSize size() const { return size_; }
  [[nodiscard]] Position cursor() const;
  [[nodiscard]] KeyModes key_modes() const { return key_modes_; }
  // One line a row, each with its newline, without the blanks at line ends.
  [[nodiscard]] std::string text() const;
  // The same behind the lines that scrolled off.
  [[nodiscard]] std::string text_with_scrollback() const;
  // How many lines have left the bounded scroll-back for good.
  [[nodiscard]] std::uint64_t lines_lost() const { return lines_lost_; }
  // What the terminal answers to the program's questions (where is the cursor, what are you); at most kReplyBytes wait.
  [[nodiscard]] std::string take_replies();
  [[nodiscard]] std::size_t memory() const;

 private:
  struct Hooks;  // libvterm's callbacks

  void text(std::string_view utf8) override;
  void control(char character) override;
  void escape(char intermediate, char final) override;
  void sequence(const ControlSequence& sequence) override;
  void plain_sequence(const ControlSequence& sequence);
  void private_sequence(const ControlSequence& sequence);
  void set_private_mode(int mode, bool on);
  void show_alternate(bool on, bool with_cursor);
  void repeat(int count);
  void soft_reset();

  void write(std::string_view well_formed);
  void pass_on(const ControlSequence& sequence);
  void move_to(Position position);
  void keep_rows(const Grid& grid, int count);
  [[nodiscard]] Grid& grid() { return alternate_ ? *alternate_ : main_; }

  TerminalSize size_;
  StreamParser parser_;
  Grid main_;
  std::unique_ptr<Grid> alternate_;
  LineLog scrollback_;
  std::uint64_t lines_lost_ = 0;
  Position saved_;        // by ESC 7
  Position main_cursor_;  // while the alternate screen is shown
  KeyModes key_modes_;
  std::string last_character_;    // what REP repeats
  std::size_t glyph_points_ = 0;  // code points that libvterm holds for combining
  std::string replies_;
  std::unique_ptr<VTerm, void (*)(VTerm*)> vterm_;
  VTermState* state_;  // vterm_'s
};

}  // namespace berth::slotd
