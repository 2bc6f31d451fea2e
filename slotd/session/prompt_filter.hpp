// SPDX-License-Identifier: Apache-2.0
// Takes the marks of a shell's prompts out of what its terminal shows. A mark is a hint and no evidence: any program
// may print it. What follows from it is decided on the control descriptor. Pure; single-threaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::slotd {

enum class Prompt : std::uint8_t { command, continuation };  // PS1, PS2

class PromptFilter {
 public:
  // The marks are made of `secret`, letters and digits only.
  explicit PromptFilter(std::string_view secret);

  // The bytes that stand for a prompt.
  [[nodiscard]] std::string mark(Prompt prompt) const;

  struct Piece {
    std::string_view text;         // valid until the next take() or flush(), and as long as the bytes taken
    std::optional<Prompt> prompt;  // whose mark stood behind the text
  };
  // Cuts what came at its marks. What may be the beginning of a mark at the very end is kept for the next time.
  [[nodiscard]] const std::vector<Piece>& take(std::string_view bytes);
  // What was kept, as it will never be a mark.
  [[nodiscard]] std::string flush();

 private:
  std::string head_;  // of both marks
  std::string kept_;
  std::string joined_;
  std::vector<Piece> pieces_;
};

}  // namespace berth::slotd
