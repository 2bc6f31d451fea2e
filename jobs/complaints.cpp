// SPDX-License-Identifier: Apache-2.0
#include "jobs/complaints.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/text.hpp"

namespace berth::jobs {
namespace {

constexpr std::size_t kMaxQuoted = 60;
constexpr unsigned kOtherFile = std::numeric_limits<unsigned>::max();

// The longest prefix of at most `limit` bytes that does not end inside a character.
std::string_view prefix(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return text.substr(0, limit);
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  switch (c) {
    case '\n': out += "\\n"; return;
    case '\t': out += "\\t"; return;
    case '\r': out += "\\r"; return;
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    default: break;
  }
  if (byte >= 0x20 && byte != 0x7F) {
    out += c;
    return;
  }
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

}  // namespace

std::string in_quotes(std::string_view text) {
  const std::string_view shown = prefix(text, kMaxQuoted);
  std::string out = "\"";
  for (const char c : to_valid_utf8(shown)) append_escaped(out, c);
  return out + (shown.size() < text.size() ? "...\"" : "\"");
}

unsigned Complaints::add_source(std::string name) {
  sources_.push_back(std::move(name));
  return static_cast<unsigned>(sources_.size() - 1);
}

void Complaints::add(Place place, std::string message) {
  push(place.source, Diagnostic{sources_.at(place.source), place.at, std::move(message)});
}

void Complaints::add_line(const std::string& file, std::size_t line, std::string message) {
  push(kOtherFile, Diagnostic{file, Position{line, 0}, std::move(message)});
}

bool Complaints::has(Place place) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    const Position at = entry.diagnostic.at;
    return entry.source == place.source && at.line == place.at.line && at.column == place.at.column;
  });
}

void Complaints::push(unsigned source, Diagnostic diagnostic) {
  if (full()) {
    more_ = true;
    return;
  }
  entries_.push_back(Entry{source, std::move(diagnostic)});
}

Diagnostics Complaints::take() {
  const auto order = [](const Entry& entry) {
    return std::tie(entry.source, entry.diagnostic.file, entry.diagnostic.at.line, entry.diagnostic.at.column);
  };
  std::stable_sort(entries_.begin(), entries_.end(),
                   [&](const Entry& a, const Entry& b) { return order(a) < order(b); });
  const auto same = [&](const Entry& a, const Entry& b) {
    return order(a) == order(b) && a.diagnostic.message == b.diagnostic.message;
  };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());

  Diagnostics all;
  for (Entry& entry : entries_) all.push_back(std::move(entry.diagnostic));
  if (more_) all.push_back(Diagnostic{sources_.front(), {}, "there are more errors; these are the first"});
  entries_.clear();
  more_ = false;
  return all;
}

namespace {

std::string place_text(const std::string& file, Position at) {
  std::string out = file;
  if (at.line > 0) out += ':' + std::to_string(at.line);
  if (at.line > 0 && at.column > 0) out += ':' + std::to_string(at.column);
  return out;
}

}  // namespace

std::string Complaints::where(Place place) const {
  return place_text(sources_.at(place.source), place.at);
}

std::string to_string(const Diagnostic& diagnostic) {
  return place_text(diagnostic.file, diagnostic.at) + ": " + diagnostic.message;
}

}  // namespace berth::jobs
