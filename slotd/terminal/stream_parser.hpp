// SPDX-License-Identifier: Apache-2.0
// Splits what a program writes to its terminal into text, control characters and escape sequences. The bytes come from
// a slot and may be hostile: whatever leaves here is well-formed and bounded (see SequenceSink), and the parser itself
// holds a few bytes at most. Single-threaded.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace berth::slotd {

// A control sequence: ESC [ leader parameters intermediate final.
struct ControlSequence {
  static constexpr std::size_t kMaxParameters = 16;
  static constexpr int kMaxValue = 9'999;  // larger numbers become this one
  static constexpr int kMissing = -1;

  char leader = 0;        // one of < = > ?, or 0
  char intermediate = 0;  // 0x20 .. 0x2f, or 0
  char final = 0;         // 0x40 .. 0x7e
  std::size_t count = 0;  // at least 1
  std::array<int, kMaxParameters> parameters{};

  // A parameter, or `otherwise` where it is missing.
  [[nodiscard]] int value(std::size_t index, int otherwise) const {
    return index < count && parameters[index] != kMissing ? parameters[index] : otherwise;
  }
};

class SequenceSink {
 public:
  virtual ~SequenceSink() = default;
  // Valid UTF-8 of at most StreamParser::kTextBytes, without control characters (C0, DEL, C1); what was no UTF-8 is
  // U+FFFD.
  virtual void text(std::string_view utf8) = 0;
  // C0 other than NUL, CAN, SUB and ESC.
  virtual void control(char character) = 0;
  // ESC intermediate final; intermediate 0 where there is none.
  virtual void escape(char intermediate, char final) = 0;
  virtual void sequence(const ControlSequence& sequence) = 0;
};

class StreamParser {
 public:
  static constexpr std::size_t kTextBytes = 1'024;

  void feed(std::string_view bytes, SequenceSink& sink);

 private:
  enum class State : char {
    ground,
    escape,
    escape_more,  // after an intermediate
    parameters,
    intermediates,
    ignored,  // a control sequence that breaks the rules, up to its final
    string,   // OSC, DCS, SOS, PM, APC: dropped, whatever its length
    string_end
  };

  std::size_t take_text(std::string_view bytes, SequenceSink& sink);
  void take(char byte, SequenceSink& sink);
  void take_escape(char byte, SequenceSink& sink);
  void take_parameter(char byte, SequenceSink& sink);
  void take_final(char byte, SequenceSink& sink);
  void add_digit(int digit);

  State state_ = State::ground;
  char intermediate_ = 0;
  bool two_intermediates_ = false;
  ControlSequence sequence_;
  std::string partial_;  // the begin of a character whose rest has not come
};

}  // namespace berth::slotd
