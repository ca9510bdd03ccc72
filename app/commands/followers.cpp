#include <fmt/format.h>

#include <memory>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/problem_document.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"
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
    std::string server = "http://127.0.0.1:8080", service, source, to;
    std::int64_t position = 0;
    bool json = false, all = false;
};

int refused(Asked const& asked, client::Reply const& reply) {
    if (reply.status == 0) return complain(fmt::format("{}: {}", asked.server, reply.error->detail)), exit_unreachable;
    auto text = problem_text(reply.body, reply.status);
    return complain(text ? *text : fmt::format("{} {}", reply.status, reply.body)), exit_failed;
}

// A later server may say more.
template <class T>
bool read(std::string const& body, T& out) {
    auto done = codec::decode_json(codec::type_of<T>(), &out, body, false, {.lenient = true});
    if (!done) complain("the server's answer can't be read: " + done.error().detail);
    return done.has_value();
}

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

int list(Asked const& asked) {
    client::Session session(asked.server);
    std::vector<std::string> services{asked.service};
    if (asked.service.empty()) {
        auto reply = session.get("/health/live");
        ServerUp up;
        if (!reply.ok()) return refused(asked, reply);
        if (!read(reply.body, up)) return exit_failed;
        services.clear();
        for (auto& service : up.services) services.push_back(std::move(service.name));
    }
    std::vector<std::pair<std::string, runtime::FollowerTold>> followers;
    std::string json;
    for (auto const& service : services) {
        auto reply = session.get(fmt::format("/{}/v1/followers", service));
        if (reply.status == 404 && asked.service.empty()) continue;
        if (!reply.ok()) return refused(asked, reply);
        ToldList told;
        if (!read(reply.body, told)) return exit_failed;
        json += reply.body + "\n";
        for (auto& f : told.items) followers.emplace_back(service, std::move(f));
    }
    if (asked.json) return print(json) ? exit_ok : exit_failed;
    if (followers.empty()) return complain("no service there follows another one"), exit_ok;
    return print(shown(followers)) ? exit_ok : exit_failed;
}

int letters(Asked const& asked) {
    client::Session session(asked.server);
    std::vector<std::vector<std::string>> rows;
    LetterList page{{}, false};
    for (std::int64_t after = 0; !page.complete;) {
        auto reply = session.get(path(asked, fmt::format("/{}/dead-letters?limit=1000&after={}", asked.source, after)));
        if (!reply.ok()) return refused(asked, reply);
        page = {};
        if (!read(reply.body, page)) return exit_failed;
        if (asked.json && !print(reply.body + "\n")) return exit_failed;
        for (auto const& l : page.items) {
            rows.push_back({fmt::format("{}", l.position), l.subject, l.state, l.code, format_time(l.time), l.detail});
            after = l.position;
        }
    }
    if (asked.json) return exit_ok;
    if (rows.empty()) return complain("there are no dead letters"), exit_ok;
    return print(table({"POSITION", "SUBJECT", "STATE", "CODE", "SINCE", "WHY"}, rows)) ? exit_ok : exit_failed;
}

client::Reply post(Asked const& asked, std::string_view what, std::string body) {
    client::Session session(asked.server);
    return session.post(path(asked, fmt::format("/{}/{}", asked.source, what)), std::move(body));
}

int go_on(Asked const& asked) {
    auto reply = post(asked, "move", codec::to_json(MoveAsked{asked.to}));
    if (!reply.ok()) return refused(asked, reply);
    if (asked.json) return print(reply.body + "\n") ? exit_ok : exit_failed;
    runtime::FollowerTold told;
    if (!read(reply.body, told)) return exit_failed;
    return print(shown({{asked.service, told}})) ? exit_ok : exit_failed;
}

int about_letters(Asked const& asked, std::string_view what) {
    if (asked.position == 0 && !asked.all) return complain("name a POSITION, or --all that failed"), exit_usage;
    LetterAsked input;
    if (!asked.all) input.position = asked.position;
    auto reply = post(asked, what, codec::to_json(input));
    if (!reply.ok()) return refused(asked, reply);
    if (asked.json) return print(reply.body + "\n") ? exit_ok : exit_failed;
    Changed done;
    if (!read(reply.body, done)) return exit_failed;
    auto const said = what == "drop" ? "dropped" : "to be taken again";
    return print(fmt::format("{}: {}\n", said, done.changed)) ? exit_ok : exit_failed;
}

CLI::App* add(CLI::App& followers, Asked& asked, std::string name, std::string doc) {
    auto* command = followers.add_subcommand(std::move(name), std::move(doc));
    command->add_option("--server", asked.server, "The server.")->type_name("URL")->capture_default_str();
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
