// SPDX-License-Identifier: Apache-2.0
#include "slotd/terminal/pane.hpp"

#include <chrono>

namespace berth::slotd {
void Pane::terminal_started(TerminalSize size) {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  screen_.emplace(size);
  recording_.emplace(size, now(), std::chrono::duration_cast<std::chrono::seconds>(since_epoch).count());
  stream_offset = 0;
}

void Pane::terminal_output(std::string_view bytes) {
  if (!started()) return;
  screen_->feed(bytes);
  recording_->output(now(), bytes);
}

std::string Pane::take_replies() {
  return started() ? screen_->take_replies() : std::string();
}

void Pane::terminal_resized(TerminalSize size) {
  if (!started() || screen_->size() == size) return;
  screen_->resize(size);
  recording_->resized(now(), size);
}

void Pane::terminal_ended() {
  screen_.reset();
  recording_.reset();
}

}  // namespace berth::slotd
