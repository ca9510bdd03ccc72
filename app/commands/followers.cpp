#include <fmt/format.h>

#include <functional>
#include <memory>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/problems.h"
#include "app/server_option.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "kernel/runtime/follower.h"

namespace gantry::app {
namespace {

struct ServiceUp {
    std::string name;
    BOOST_DESCRIBE_CLASS(ServiceUp, (), (name), (), ())
};
struct ServerUp {
    std::vector<ServiceUp> services;
    BOOST_DESCRIBE_CLASS(ServerUp, (), (services), (), ())
};
struct ToldList {
    std::vector<runtime::FollowerTold> items;
    BOOST_DESCRIBE_CLASS(ToldList, (), (items), (), ())
};
struct LetterTold {
    std::int64_t position = 0;
    std::string subject, state, code, detail;
    Time time{};
    BOOST_DESCRIBE_CLASS(LetterTold, (), (position, subject, state, code, detail, time), (), ())
};
struct LetterList {
    std::vector<LetterTold> items;
    bool complete = true;
    BOOST_DESCRIBE_CLASS(LetterList, (), (items, complete), (), ())
};
struct LetterAsked {
    std::optional<std::int64_t> position;
    BOOST_DESCRIBE_CLASS(LetterAsked, (), (position), (), ())
};
struct Changed {
    std::int64_t changed = 0;
    BOOST_DESCRIBE_CLASS(Changed, (), (changed), (), ())
};
struct MoveAsked {
    std::string to;
    BOOST_DESCRIBE_CLASS(MoveAsked, (), (to), (), ())
};

struct Asked {
    ServerOption server;
    std::string service, source, to;
    std::int64_t position = 0;
    bool json = false, all = false;
};

int refused(Problem const& problem) { return complain(problem), exit_of(problem); }

std::string path(Asked const& asked, std::string_view rest) { return fmt::format("/{}/v1/followers{}", asked.service, rest); }

std::string shown(std::vector<std::pair<std::string, runtime::FollowerTold>> const& followers) {
    std::vector<std::vector<std::string>> rows;
    for (auto const& [service, f] : followers) {
        std::string state = codec::to_json(f.state);
        state = state.substr(1, state.size() - 2);
        rows.push_back({service, f.source, state, f.position.empty() ? "-" : f.position, fmt::format("{}", f.lag_events),
                        fmt::format("{:.1f}s", f.lag_s), fmt::format("{}", f.dead_letters), f.why.value_or("")});
    }
    return table({"SERVICE", "SOURCE", "STATE", "POSITION", "BEHIND", "FOR", "DEAD", "WHY"}, rows);
}

Result<std::vector<std::string>> services_of(Asked const& asked) {
    if (!asked.service.empty()) return std::vector{asked.service};
    TRY_ASSIGN(auto answer, ask({asked.server, "GET", "/health/live"}));
    TRY_ASSIGN(auto up, read_answer<ServerUp>(answer));
    std::vector<std::string> services;
    for (auto& service : up.services) services.push_back(std::move(service.name));
    return services;
}

int list(Asked const& asked) {
    auto const services = services_of(asked);
    if (!services) return refused(services.error());
    std::vector<std::pair<std::string, runtime::FollowerTold>> followers;
    std::string json;
    for (auto const& service : *services) {
        auto answer = ask({asked.server, "GET", fmt::format("/{}/v1/followers", service)});
        if (!answer && answer.error().status == 404 && asked.service.empty()) continue;
        if (!answer) return refused(answer.error());
        auto told = read_answer<ToldList>(*answer);
        if (!told) return refused(told.error());
        json += *answer + "\n";
        for (auto& f : told->items) followers.emplace_back(service, std::move(f));
    }
    if (asked.json) return print(json) ? exit_ok : exit_failed;
    if (followers.empty()) return complain("no service there follows another one"), exit_ok;
    return print(shown(followers)) ? exit_ok : exit_failed;
}

int letters(Asked const& asked) {
    std::vector<std::vector<std::string>> rows;
    bool complete = false;
    for (std::int64_t after = 0; !complete;) {
        auto answer = ask({asked.server, "GET", path(asked, fmt::format("/{}/dead-letters?limit=1000&after={}", asked.source, after))});
        if (!answer) return refused(answer.error());
        auto page = read_answer<LetterList>(*answer);
        if (!page) return refused(page.error());
        if (asked.json && !print(*answer + "\n")) return exit_failed;
        for (auto const& l : page->items) {
            rows.push_back({fmt::format("{}", l.position), l.subject, l.state, l.code, format_time(l.time), l.detail});
            after = l.position;
        }
        complete = page->complete;
    }
    if (asked.json) return exit_ok;
    if (rows.empty()) return complain("there are no dead letters"), exit_ok;
    return print(table({"POSITION", "SUBJECT", "STATE", "CODE", "SINCE", "WHY"}, rows)) ? exit_ok : exit_failed;
}

// Orders something, and shows what the answer says.
template <class T>
int order(Asked const& asked, std::string_view what, std::string body, std::function<std::string(T const&)> const& show) {
    auto answer = ask({asked.server, "POST", path(asked, fmt::format("/{}/{}", asked.source, what)), std::move(body)});
    if (!answer) return refused(answer.error());
    if (asked.json) return print(*answer + "\n") ? exit_ok : exit_failed;
    auto told = read_answer<T>(*answer);
    if (!told) return refused(told.error());
    return print(show(*told)) ? exit_ok : exit_failed;
}

int go_on(Asked const& asked) {
    return order<runtime::FollowerTold>(asked, "move", codec::to_json(MoveAsked{asked.to}),
                                        [&](auto const& told) { return shown({{asked.service, told}}); });
}

int about_letters(Asked const& asked, std::string_view what) {
    if (asked.position == 0 && !asked.all) return complain("name a POSITION, or --all that failed"), exit_usage;
    LetterAsked input;
    if (!asked.all) input.position = asked.position;
    return order<Changed>(asked, what, codec::to_json(input), [&](auto const& done) {
        return fmt::format("{}: {}\n", what == "drop" ? "dropped" : "to be taken again", done.changed);
    });
}

CLI::App* add(CLI::App& followers, Asked& asked, std::string name, std::string doc) {
    auto* command = followers.add_subcommand(std::move(name), std::move(doc));
    add_server_option(*command, asked.server, "The server.");
    command->add_flag("--json", asked.json, "The answer as it came.");
    return command;
}
void add_place(CLI::App& command, Asked& asked) {
    command.add_option("SERVICE", asked.service, "The service that follows.")->required();
    command.add_option("SOURCE", asked.source, "The service that it follows.")->required();
}

}  // namespace

void add_followers(CLI::App& app, Action& action) {
    auto* followers = app.add_subcommand("followers", "Look at services that follow others, and help them on.");
    followers->require_subcommand(1);
    auto o = std::make_shared<Asked>();
    auto* ls = add(*followers, *o, "ls", "How far each follower is, how far behind, and what is wrong.");
    ls->add_option("SERVICE", o->service, "Only those of one service.");
    ls->callback([&action, o] { action = [o] { return list(*o); }; });
    auto* dead = add(*followers, *o, "letters", "Events that could not be taken, and those that wait behind them.");
    add_place(*dead, *o);
    dead->callback([&action, o] { action = [o] { return letters(*o); }; });
    for (auto const& [name, doc] : {std::pair("retry", "Take a dead letter again; then those behind it."),
                                    std::pair("drop", "Never take a dead letter; those behind it are taken then.")}) {
        auto* command = add(*followers, *o, name, doc);
        add_place(*command, *o);
        command->add_option("POSITION", o->position, "The dead letter.");
        command->add_flag("--all", o->all, "All that failed.");
        command->callback([&action, o, what = std::string(name)] { action = [o, what] { return about_letters(*o, what); }; });
    }
    auto* move = add(*followers, *o, "move", "Go on elsewhere in the source, after a gap or a restore: skip events, or take them again.");
    add_place(*move, *o);
    move->add_option("TO", o->to, "begin, end, or a position of the source: the events behind it come next.")->required();
    move->callback([&action, o] { action = [o] { return go_on(*o); }; });
}

}  // namespace gantry::app
