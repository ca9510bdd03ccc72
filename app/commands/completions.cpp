#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/terminal.h"

// Completions are made from the tree of commands itself: what a shell offers behind "gantry log cat" is what the parser takes there.
namespace gantry::app {
namespace {

struct Node {
    std::string path;                                                    // "log cat"; empty for the program
    std::vector<std::pair<std::string, std::string>> commands, options;  // name, help
};

void collect(CLI::App& app, std::string const& path, std::vector<Node>& out) {
    Node node{path, {}, {}};
    auto subs = app.get_subcommands([](CLI::App* sub) { return !sub->get_group().empty(); });  // those without a group are hidden
    for (auto* sub : subs) node.commands.emplace_back(sub->get_name(), sub->get_description());
    for (auto* option : app.get_options())
        for (auto const& name : option->get_lnames()) node.options.emplace_back("--" + name, option->get_description());
    out.push_back(std::move(node));
    for (auto* sub : subs) collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
}

std::string names(Node const& node) {
    std::string out;
    for (auto const* list : {&node.commands, &node.options})
        for (auto const& [name, help] : *list) out.append(out.empty() ? "" : " ").append(name);
    return out;
}

std::string bash(std::vector<Node> const& nodes) {
    std::string out =
        "# bash completion of gantry: source this, or put it into /etc/bash_completion.d\n"
        "_gantry() {\n"
        "    local word path=\"\" known\n"
        "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
        "        case \"$path${path:+ }$word\" in\n";
    std::string paths;
    for (auto const& node : nodes)
        if (!node.path.empty()) paths += fmt::format("{}\"{}\"", paths.empty() ? "" : "|", node.path);
    out += fmt::format("            {}) path=\"$path${{path:+ }}$word\" ;;\n        esac\n    done\n    case \"$path\" in\n", paths);
    for (auto const& node : nodes) out += fmt::format("        \"{}\") known=\"{}\" ;;\n", node.path, names(node));
    return out +
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$known\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
           "}\n"
           "complete -o default -F _gantry gantry\n";
}

// In single quotes, for zsh and fish alike.
std::string quoted(std::string text, bool colons) {
    std::string out = "'";
    for (char c : text) {
        if (c == '\n') c = ' ';
        if (c == '\'')
            out += colons ? "'\\''" : "\\'";
        else if (c == '\\' || (colons && c == ':'))
            out.append("\\").push_back(c);
        else
            out.push_back(c);
    }
    return out + "'";
}

std::string zsh(std::vector<Node> const& nodes) {
    std::string out =
        "#compdef gantry\n"
        "_gantry() {\n"
        "    local word at=\"\"\n"
        "    local -a known\n"
        "    for word in ${words[2,CURRENT-1]}; do\n"
        "        case \"$at${at:+ }$word\" in\n";
    std::string paths;
    for (auto const& node : nodes)
        if (!node.path.empty()) paths += fmt::format("{}\"{}\"", paths.empty() ? "" : "|", node.path);
    out += fmt::format("            {}) at=\"$at${{at:+ }}$word\" ;;\n        esac\n    done\n    case \"$at\" in\n", paths);
    for (auto const& node : nodes) {
        out += fmt::format("        \"{}\") known=(", node.path);
        for (auto const* list : {&node.commands, &node.options})
            for (auto const& [name, help] : *list)
                out += fmt::format("\n            {}", quoted(name, true).substr(0, name.size() + 1) + ":" + quoted(help, true).substr(1));
        out += ") ;;\n";
    }
    return out +
           "    esac\n    _describe gantry known\n    _files\n}\n"
           "# Sourced, this says whose completion it is; as a file of fpath it is the function itself.\n"
           "if [[ $funcstack[1] == _gantry ]]; then _gantry \"$@\"; else compdef _gantry gantry; fi\n";
}

std::string fish(std::vector<Node> const& nodes) {
    std::string out = "set -g __gantry_commands";
    for (auto const& node : nodes)
        if (!node.path.empty()) out += fmt::format(" '{}'", node.path);
    out +=
        "\nfunction __gantry_at\n"
        "    set -l words (commandline -opc)\n"
        "    set -l at ''\n"
        "    for word in $words[2..-1]\n"
        "        set -l deeper (string trim \"$at $word\")\n"
        "        contains -- \"$deeper\" $__gantry_commands; and set at $deeper\n"
        "    end\n"
        "    test \"$at\" = \"$argv[1]\"\n"
        "end\n";
    for (auto const& node : nodes) {
        for (auto const& [name, help] : node.commands)
            out += fmt::format("complete -c gantry -n '__gantry_at \"{}\"' -f -a {} -d {}\n", node.path, name, quoted(help, false));
        for (auto const& [name, help] : node.options)
            out += fmt::format("complete -c gantry -n '__gantry_at \"{}\"' -l {} -d {}\n", node.path, name.substr(2), quoted(help, false));
    }
    return out;
}

int completions(CLI::App& app, std::string const& shell) {
    std::vector<Node> nodes;
    collect(app, "", nodes);
    auto text = shell == "bash" ? bash(nodes) : shell == "zsh" ? zsh(nodes) : fish(nodes);
    return print(text) ? exit_ok : exit_failed;
}

}  // namespace

void add_completions(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("completions", "Print completions for a shell.");
    auto shell = std::make_shared<std::string>();
    command->add_option("SHELL", *shell, "bash, zsh or fish.")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
    command->callback([&app, &action, shell] { action = [&app, shell] { return completions(app, *shell); }; });
}

}  // namespace gantry::app
