#include "kernel/runtime/upgrade.h"

#include <algorithm>

#include "kernel/base/varint.h"
#include "kernel/codec/json.h"
#include "kernel/observe/log_line.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {
namespace {

constexpr char agreed_form = 1;

std::vector<std::string> names_of(codec::Type const& event) {
    std::vector<std::string> names;
    for (auto const& alternative : event.alternatives) names.emplace_back(alternative.name);
    return names;
}

struct OfService {
    std::string service;
    std::vector<std::string> events;
};
RECORD(OfService, service, events);
struct UpgradeTold {
    bool finished = true;
    std::vector<OfService> unfinished;
};
RECORD(UpgradeTold, finished, unfinished);

Result<std::string> told(std::vector<Host*> const& hosts) {
    UpgradeTold out;
    for (auto* host : hosts) {
        auto const names = host->unfinished();
        if (names.empty()) continue;
        out.finished = false;
        out.unfinished.push_back({std::string(host->decl().name), {names.begin(), names.end()}});
    }
    return codec::to_json(out);
}

}  // namespace

std::vector<Admin::Route> upgrade_routes(std::function<std::vector<Host*>()> hosts) {
    auto finish = [hosts](Admin::Asked const&) -> Result<std::string> {
        for (auto* host : hosts())
            if (!host->ready()) return fail(503, "service_starting", "a service reads its log still: try again");
        for (auto* host : hosts()) TRY_VOID(host->finish_upgrade());
        return told(hosts());
    };
    return {{http::Method::Get, "upgrade", Admin::Where::at_once, [hosts](Admin::Asked const&) { return told(hosts()); }},
            {http::Method::Post, "upgrade/finish", Admin::Where::house, finish}};
}

std::string write_agreed(std::span<std::string const> names) {
    std::string note(1, agreed_form);
    put_varint(note, names.size());
    for (auto const& name : names) put_string(note, name);
    return note;
}

Result<std::vector<std::string>> read_agreed(std::string_view note) {
    auto damaged = [] { return fail(500, "log_damaged", "a batch that names the event types of the log can't be read"); };
    if (note.empty() || note[0] != agreed_form) return damaged();
    ByteReader in(note.substr(1));
    auto const count = in.varint();
    if (count > note.size()) return damaged();
    std::vector<std::string> names(count);
    for (auto& name : names) name = in.string();
    if (!in.ok() || !in.done()) return damaged();
    return names;
}

Problem unfinished_upgrade(std::string_view event_type) {
    return {503, "upgrade_unfinished",
            "this would record an event of the type '" + std::string(event_type) +
                "', which the release before this one can't read: when you won't go back to it, say `gantry upgrade finish`"};
}

// After state_ was restored: from the log's first writer, where nothing else was said since.
Result<void> Host::agree_on_types() {
    if (state_.agreed.empty()) {
        std::string schemas;
        TRY_VOID(parts_.log.scan(0, [&](log::BatchView const& batch) { return schemas = batch.schemas, false; }));
        state_.agreed = names_of(*decl_.event);
        if (!schemas.empty()) {
            TRY_ASSIGN(auto written, codec::event_types(schemas));
            state_.agreed.clear();
            for (auto& type : written) state_.agreed.push_back(std::move(type.name));
        }
    }
    note_agreed();
    for (auto name : unfinished())
        observe::log_line(observe::Level::warning, "runtime",
                          "this release can record events that the one before can't read; it does after `gantry upgrade finish`",
                          {{"service", decl_.name}, {"event", name}});
    return {};
}

void Host::note_agreed() {
    may_record_.clear();
    for (auto const& alternative : decl_.event->alternatives)
        may_record_.push_back(std::ranges::find(state_.agreed, alternative.name) != state_.agreed.end());
}

std::vector<std::string_view> Host::unfinished() {
    std::vector<std::string_view> names;
    lock_.lock_shared();
    for (std::size_t i = 0; i < may_record_.size(); ++i)
        if (!may_record_[i]) names.push_back(decl_.event->alternatives[i].name);
    lock_.unlock_shared();
    return names;
}

Result<void> Host::finish_upgrade() {
    if (unfinished().empty()) return {};
    auto names = names_of(*decl_.event);
    auto const note = write_agreed(names);
    log::BatchView batch;
    batch.kind = log::BatchKind::agreed, batch.note = note;
    lock_.lock();
    batch.time = std::max(state_.last_time, parts_.clock.wall());
    Result<Position> appended = parts_.log.has_space(note.size() + 4096)
                                    ? parts_.log.append(batch)
                                    : fail(507, "log_full", "the disk has no room: free some space and try again");
    if (appended) state_.last_time = batch.time;
    lock_.unlock();
    if (!appended) return std::unexpected(std::move(appended.error()));
    TRY_VOID(parts_.log.wait_durable());
    lock_.lock();
    state_.agreed = std::move(names);
    note_agreed();
    lock_.unlock();
    return {};
}

}  // namespace gantry::runtime
