// SPDX-License-Identifier: Apache-2.0
#include "slotd/terminal/stream_parser.hpp"

#include <algorithm>
#include <utility>

#include "base/utf8.hpp"

namespace berth::slotd {
namespace {

constexpr char kEscape = '\x1b';
constexpr char kCancel = '\x18';
constexpr char kSubstitute = '\x1a';
constexpr char kDelete = '\x7f';
constexpr char kBell = '\x07';

bool is_between(char byte, char low, char high) {
  return byte >= low && byte <= high;
}

bool is_control(char byte) {
  return is_between(byte, '\0', '\x1f');
}

bool is_text(char byte) {
  return !is_control(byte) && byte != kDelete;
}

bool is_c1(const Utf8Step& step) {
  return step.code_point >= 0x80 && step.code_point < 0xA0;
}

}  // namespace

void StreamParser::feed(std::string_view bytes, SequenceSink& sink) {
  std::string joined;
  if (!partial_.empty()) {
    joined = std::exchange(partial_, {});
    joined += bytes;
    bytes = joined;
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (state_ == State::ground && is_text(bytes[at])) {
      at += take_text(bytes.substr(at), sink);
    } else {
      take(bytes[at++], sink);
    }
  }
}

// Text up to the next control character; the begin of a character at the end of `bytes` is kept for the next feed.
std::size_t StreamParser::take_text(std::string_view bytes, SequenceSink& sink) {
  const auto end = std::find_if_not(bytes.begin(), bytes.end(), is_text);
  const auto whole = bytes.substr(0, static_cast<std::size_t>(end - bytes.begin()));
  auto run = whole;
  if (whole.size() == bytes.size()) {
    run = without_partial_end(whole);
    partial_ = whole.substr(run.size());
  }
  std::size_t start = 0;
  const auto flush = [&](std::size_t to) {
    if (to > start) sink.text(run.substr(start, to - start));
  };
  for (std::size_t at = 0; at < run.size();) {
    if (const auto plain = std::min(ascii_run(run, at), start + kTextBytes - at); plain > 0) {
      at += plain;
      continue;
    }
    const auto step = utf8_step(run, at);
    const bool kept = step.valid && !is_c1(step);
    if (!kept || at + step.length - start > kTextBytes) {
      flush(at);
      start = kept ? at : at + step.length;
      if (!step.valid) sink.text(kReplacement);
    }
    at += step.length;
  }
  flush(run.size());
  return whole.size();
}

void StreamParser::take(char byte, SequenceSink& sink) {
  if (byte == kCancel || byte == kSubstitute) {
    state_ = State::ground;
    return;
  }
  const bool in_string = state_ == State::string || state_ == State::string_end;
  if (byte == kEscape) {
    state_ = in_string ? State::string_end : State::escape;
    intermediate_ = 0;
    two_intermediates_ = false;
    return;
  }
  if (state_ == State::string) {
    if (byte == kBell) state_ = State::ground;
    return;
  }
  if (state_ == State::string_end) {
    if (byte == '\\') {
      state_ = State::ground;
      return;
    }
    state_ = State::escape;  // the string was cut off by a new sequence
  }
  if (is_control(byte)) {
    if (byte != '\0') sink.control(byte);
    return;
  }
  if (byte == kDelete) return;
  switch (state_) {
    case State::escape:
    case State::escape_more: take_escape(byte, sink); break;
    case State::parameters: take_parameter(byte, sink); break;
    case State::intermediates:
    case State::ignored: take_final(byte, sink); break;
    default: break;
  }
}

void StreamParser::take_escape(char byte, SequenceSink& sink) {
  if (is_between(byte, ' ', '/')) {
    two_intermediates_ = two_intermediates_ || intermediate_ != 0;
    intermediate_ = byte;
    state_ = State::escape_more;
    return;
  }
  const bool plain = state_ == State::escape;
  state_ = State::ground;
  if (plain && byte == '[') {
    sequence_ = ControlSequence{};
    sequence_.count = 1;
    sequence_.parameters[0] = ControlSequence::kMissing;
    state_ = State::parameters;
  } else if (plain && std::string_view("]PX^_").find(byte) != std::string_view::npos) {
    state_ = State::string;
  } else if (is_between(byte, '0', '~') && !two_intermediates_) {
    sink.escape(intermediate_, byte);
  }
}

void StreamParser::add_digit(int digit) {
  auto& value = sequence_.parameters[sequence_.count - 1];
  value = std::min(std::max(value, 0) * 10 + digit, ControlSequence::kMaxValue);
}

void StreamParser::take_parameter(char byte, SequenceSink& sink) {
  if (is_between(byte, '0', '9')) {
    add_digit(byte - '0');
    return;
  }
  if (byte == ';' && sequence_.count < ControlSequence::kMaxParameters) {
    sequence_.parameters[sequence_.count++] = ControlSequence::kMissing;
    return;
  }
  const bool first = sequence_.count == 1 && sequence_.parameters[0] == ControlSequence::kMissing;
  if (is_between(byte, '<', '?') && first && sequence_.leader == 0) {
    sequence_.leader = byte;
    return;
  }
  // Parts of parameters (colons) occur in colours only, which nobody here needs.
  state_ = is_between(byte, '0', '?') ? State::ignored : State::intermediates;
  take_final(byte, sink);
}

void StreamParser::take_final(char byte, SequenceSink& sink) {
  if (is_between(byte, ' ', '?')) {
    if (!is_between(byte, ' ', '/') || sequence_.intermediate != 0) state_ = State::ignored;
    sequence_.intermediate = byte;
    return;
  }
  const bool whole = state_ == State::intermediates && is_between(byte, '@', '~');
  state_ = State::ground;
  if (!whole) return;
  sequence_.final = byte;
  sink.sequence(sequence_);
}

}  // namespace berth::slotd
