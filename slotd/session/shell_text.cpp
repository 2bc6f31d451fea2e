// SPDX-License-Identifier: Apache-2.0
#include "slotd/session/shell_text.hpp"

#include <algorithm>
#include <charconv>

namespace berth::slotd {
namespace {

// 6: terminal, 7: text, 9: control. One digit each, as dash knows no others. A command runs with all of them closed, as
// redirections of builtins: whatever it does with these numbers is undone at its end.
//
// - The report is made of an expanded copy (eval), so that the secret is in no variable while the command runs.
// - `. FILE` and eval are no function calls: `set --`, `local`, `declare` and `return` mean what they mean at a prompt.
// - A backslash keeps aliases away and `command` keeps functions away that the slot may have given our words' names.
// - The error stream of all but the command is /dev/null: `set -x` shows the command and not us, and dash, which says
//   between the lines of a file which jobs have ended, says it to nobody.
constexpr std::string_view kLoop =
    R"(while IFS= \command read -r _berth <&9; do )"
    R"(case $_berth in t*) )"
    R"(case $PS1 in *"${_berth#t}"*) ;; *) PS1=${_berth#t}$PS1 ;; esac; unset _berth; break ;; esac; )"
    R"(\eval "unset _berth; . /proc/self/fd/8 8<&7 7<&- 9>&-; )"
    R"(\\command echo $_berth \"\$?\" >&9"; done 2>/dev/null)";

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_name(std::string_view name) {
  const auto rest = [](char c) { return is_word(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && is_word(name.front()) && std::all_of(name.begin(), name.end(), rest);
}

std::string shell_word(std::string_view value) {
  std::string out = "'";
  for (const char c : value) out += c == '\'' ? std::string_view(R"('\'')") : std::string_view(&c, 1);
  return out + "'";
}

}  // namespace

std::vector<std::string> shell_argv() {
  return {"/bin/sh", "-c", "exec 6>&0 9>&1 7<&2 1>&6 2>&6; exec /bin/sh -i"};
}

std::string setup_text(const PromptFilter& filter) {
  const auto command = filter.mark(Prompt::command);
  const auto continuation = filter.mark(Prompt::continuation);
  return "PS1='" + command + "$ ' PS2='" + continuation + "> '\n" + "if [ \"$BASH_VERSION\" ]; then PS1='\\[" +
         command + "\\]$ ' PS2='\\[" + continuation + "\\]> '\n" +
         "bind 'set enable-bracketed-paste off' 2>/dev/null; fi\nunset HISTFILE\n";
}

std::string waiting_line(std::string_view secret, bool first) {
  std::string line = first ? " . /proc/self/fd/7; " : " ";
  line += R"(\command echo )";
  line += secret;
  line += R"( "$?" >&9; )";
  line += kLoop;
  return line + "\n";
}

std::string run_message(std::string_view secret) {
  return std::string(secret) + "\n";
}

std::string prompt_message(const PromptFilter& filter) {
  return "t" + filter.mark(Prompt::command) + "\n";
}

std::optional<Report> parse_report(std::string_view line) {
  const auto space = line.find(' ');
  if (space == 0 || space == std::string_view::npos) return std::nullopt;
  Report report{std::string(line.substr(0, space)), 0};
  const auto number = line.substr(space + 1);
  const auto* end = number.data() + number.size();
  const auto parsed = std::from_chars(number.data(), end, report.status);
  if (number.empty() || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  if (report.status < 0 || report.status > 0xff) return std::nullopt;
  return report;
}

bool are_variable_names(const std::map<std::string, std::string>& variables) {
  return std::all_of(variables.begin(), variables.end(), [](const auto& entry) { return is_name(entry.first); });
}

std::string command_text(const SessionCommand& command, int status) {
  std::string text = R"(\exec 8<&-; )";
  for (const auto& [name, value] : command.variables) text += R"(\export )" + name + "=" + shell_word(value) + "; ";
  if (status != 0) text += "(exit " + std::to_string(status) + ") || ";
  return text + R"(\eval )" + shell_word(command.text) + " 2>&6 6>&-\n";
}

std::string with_carriage_returns(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 64);
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

}  // namespace berth::slotd
