// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/options.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {
namespace {

std::string options_of(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) words += (words.empty() ? "--" : " --") + name;
  return words;
}

std::string commands_of(const CLI::App& app) {
  std::string words;
  for (const CLI::App* each : app.get_subcommands({})) words += (words.empty() ? "" : " ") + each->get_name();
  return words;
}

// Words that begin with a dash complete to options, the first other one to a command, the rest to files; behind
// options that name a job or a lease, the agent is asked.
std::string bash_script(const CLI::App& app) {
  std::string script = R"sh(# berth completion for bash: source <(berth completion bash)
_berth() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words=
  local commands="@COMMANDS@ --help --version"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "$commands" -- "$word"))
    return
  fi
  case $command in
)sh";
  const std::string mark = "@COMMANDS@";
  script.replace(script.find(mark), mark.size(), commands_of(app));
  for (const CLI::App* each : app.get_subcommands({}))
    script += "    " + each->get_name() + ") words=\"" + options_of(*each) + "\" ;;\n";
  script += R"sh(  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  elif [[ $command == completion ]]; then
    COMPREPLY=($(compgen -W "bash zsh" -- "$word"))
  elif [[ $command == release || $command == reset || $command == logs ]]; then
    COMPREPLY=($(compgen -W "$(berth leases 2>/dev/null | awk 'NR > 1 {print $1}')" -- "$word"))
  elif [[ $before == --job || $command == delete ]]; then
    COMPREPLY=($(compgen -W "$(berth jobs 2>/dev/null | awk 'NR > 1 {print $1}')" -- "$word") $(compgen -f -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _berth berth
)sh";
  return script;
}

std::string zsh_script(const CLI::App& app) {
  return "#compdef berth\n# berth completion for zsh: source <(berth completion zsh)\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash_script(app);
}

}  // namespace

void add_completion_command(CLI::App& app, Chosen& chosen) {
  CLI::App* completion = app.add_subcommand("completion", "print a script that makes a shell complete berth's words");
  const auto shell = std::make_shared<std::string>();
  completion->add_option("shell", *shell, "which shell")->check(CLI::IsMember({"bash", "zsh"}))->required();
  completion->footer("Example: source <(berth completion bash)");
  completion->callback([shell, &app, &chosen] {
    chosen = [shell, &app] {
      print_out(*shell == "bash" ? bash_script(app) : zsh_script(app));
      return kSuccess;
    };
  });
}

}  // namespace berth::cli
