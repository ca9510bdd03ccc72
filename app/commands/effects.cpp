#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/problems.h"
#include "app/server_option.h"
#include "app/terminal.h"
#include "kernel/runtime/effects.h"

namespace gantry::app {
namespace {

struct EffectsOptions {
    ServerOption server;
    std::string service, kind, note;
    std::vector<std::string> ids;
    bool dead = false, all = false, json = false;
};

// Page by page; false ends it.
Result<void> each(EffectsOptions const& o, bool only_dead, std::function<bool(PendingEffect const&)> const& visit) {
    std::string cursor;
    for (;;) {
        auto const target = fmt::format("/{}/v1/effects?limit=1000{}{}{}", o.service, only_dead ? "&dead=true" : "",
                                        o.kind.empty() ? "" : "&kind=" + o.kind, cursor.empty() ? "" : "&cursor=" + cursor);
        auto const answer = ask({o.server, "GET", target});
        if (!answer && answer.error().code == "route_not_found")
            return fail(404, "no_effects", fmt::format("the server has no service '{}' with effects", o.service));
        if (!answer) return fail(answer.error());
        TRY_ASSIGN(auto page, read_answer<Page<PendingEffect>>(*answer));
        for (auto const& effect : page.items)
            if (!visit(effect)) return fail(500, "output_failed", "the output can't be written");
        if (!page.next) return {};
        cursor = *page.next;
    }
}

int list(EffectsOptions const& o) {
    std::size_t seen = 0;
    auto done = each(o, o.dead, [&](PendingEffect const& effect) {
        if (o.json) return print(codec::to_json(effect) + "\n");
        if (seen++ == 0 &&
            !print(fmt::format("{:<24} {:<20} {:<28} {:>8}  {:<28} {}\n", "ID", "KIND", "REQUESTED", "ATTEMPTS", "NEXT", "ERROR")))
            return false;
        return print(fmt::format("{:<24} {:<20} {:<28} {:>8}  {:<28} {}\n", effect.id.view(), effect.kind.view(),
                                 format_time(effect.requested_at), effect.attempts, effect.next_at ? format_time(*effect.next_at) : "dead",
                                 effect.last_error ? effect.last_error->view() : ""));
    });
    if (!done) return complain(done.error()), exit_of(done.error());
    if (seen == 0 && !o.json && is_terminal(Stream::out)) print("nothing is pending\n");
    return exit_ok;
}

int order(EffectsOptions const& o, std::string_view verb) {
    if (o.ids.empty() != o.all) return complain("name the effects by their ids, or say --all for all that are dead"), exit_usage;
    auto ids = o.ids;
    if (o.all) {
        auto done = each(o, true, [&](PendingEffect const& effect) { return ids.push_back(effect.id.str()), true; });
        if (!done) return complain(done.error()), exit_of(done.error());
    }
    int code = exit_ok;
    std::size_t done = 0;
    for (auto const& id : ids) {
        std::string body = "{";
        if (!o.note.empty()) body += "\"note\":", codec::append_json_string(body, o.note);
        auto const answer = ask({o.server, "POST", fmt::format("/{}/v1/effects/{}/{}", o.service, id, verb), body + "}"});
        if (answer && ++done) continue;
        complain(answer.error());
        code = exit_of(answer.error());
        if (code == exit_unreachable) return code;
    }
    if (o.json) return print(fmt::format("{{\"done\":{},\"of\":{}}}\n", done, ids.size())) ? code : exit_failed;
    if (!print(fmt::format("{} of {} {}\n", done, ids.size(), verb == "retry" ? "are tried again" : "dropped"))) return exit_failed;
    return code;
}

CLI::App* add(CLI::App& parent, EffectsOptions& o, std::string const& name, std::string const& what) {
    auto* command = parent.add_subcommand(name, what);
    command->add_option("SERVICE", o.service, "Whose effects.")->required();
    add_server_option(*command, o.server, "The server.");
    command->add_option("--kind", o.kind, "Of this kind alone.");
    return command;
}

}  // namespace

void add_effects(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("effects", "What services do outside, mails and calls: what is pending, what failed for good");
    command->require_subcommand(1);
    auto o = std::make_shared<EffectsOptions>();
    auto* ls = add(*command, *o, "ls", "Those that are pending, and those that are dead");
    ls->add_flag("--dead", o->dead, "The dead ones alone.");
    ls->add_flag("--json", o->json, "One JSON object a line.");
    ls->callback([&action, o] { action = [o] { return list(*o); }; });
    auto order_of = [&](std::string const& name, std::string const& what) {
        auto* sub = add(*command, *o, name, what);
        sub->add_option("ID", o->ids, "Ids as ls shows them.");
        sub->add_flag("--all", o->all, "All that are dead.");
        sub->add_flag("--json", o->json, "How many, as JSON.");
        sub->add_option("--note", o->note, "Why, for the record.");
        sub->callback([&action, o, name] { action = [o, name] { return order(*o, name); }; });
    };
    order_of("retry", "Try them now");
    order_of("drop", "Give them up for good");
}

}  // namespace gantry::app
