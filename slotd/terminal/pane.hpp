// SPDX-License-Identifier: Apache-2.0
// The terminal of a slot's session as the tool tmux shows it: screen, recording and how far the recording has been
// read. Empty, and without memory, while no shell lives. Single-threaded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "slotd/terminal/recording.hpp"
#include "slotd/terminal/screen.hpp"
#include "slotd/terminal/terminal_listener.hpp"

namespace berth::slotd {

class Pane final : public TerminalListener {
 public:
  void terminal_started(TerminalSize size) override;
  void terminal_output(std::string_view bytes) override;
  [[nodiscard]] std::string take_replies() override;
  void terminal_resized(TerminalSize size) override;
  void terminal_ended() override;

  [[nodiscard]] bool started() const { return screen_.has_value(); }
  // Only while started().
  [[nodiscard]] const Screen& screen() const { return *screen_; }
  [[nodiscard]] const Recording& recording() const { return *recording_; }

  std::uint64_t stream_offset = 0;  // in recording(); a new shell begins at 0

 private:
  std::optional<Screen> screen_;
  std::optional<Recording> recording_;
};

}  // namespace berth::slotd
