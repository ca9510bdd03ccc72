#include "kernel/runtime/erasing.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/codec/json.h"
#include "kernel/observe/log_line.h"

namespace gantry::runtime {
namespace {

struct EraseAsked {
    std::optional<Text<1, 1000>> subject, name;
};
RECORD(EraseAsked, subject, name);

struct ErasureShown {
    std::string subject;
    Time at{};
};
RECORD(ErasureShown, subject, at);

struct ErasuresShown {
    std::vector<ErasureShown> items;
};
RECORD(ErasuresShown, items);

struct SubjectShown {
    std::string subject;
};
RECORD(SubjectShown, subject);

Result<std::string> run_erase(Erasing& erasing, Admin::Asked const& asked) {
    TRY_ASSIGN(auto wanted, codec::from_json<EraseAsked>(asked.body));
    if (wanted.subject.has_value() == wanted.name.has_value())
        return fail(400, "request_invalid",
                    "expected one of subject (\"s_\" and 32 hexadecimal digits) and name (what the person goes by)");
    TRY_ASSIGN(auto erased, erasing.erase(wanted.subject ? wanted.subject->str() : erasing.subject_of(wanted.name->view())));
    return codec::to_json(ErasureShown{erased.subject, erased.at});
}

}  // namespace

Result<void> Erasing::look_up(std::string_view subject) const {
    if (parts_.keys.find(subject)) return {};
    if (auto const* erased = parts_.erasures.find(subject))
        return fail(
            410, "subject_erased",
            fmt::format("the personal values of {} were erased at {}: whatever named the person reads as erased, and nothing brings it "
                        "back",
                        erased->subject, format_time(erased->at)));
    return fail(
        404, "subject_unknown",
        fmt::format("no personal value was recorded under \"{}\": a subject is \"s_\" and 32 hexadecimal digits, as `gantry log cat` "
                    "shows it",
                    subject));
}

Result<log::Erasure> Erasing::erase(std::string_view subject) {
    auto const hosts = parts_.hosts();
    if (!std::ranges::all_of(hosts, &Host::ready))
        return fail({503, "service_starting", "a service is still reading its log: try again", {}, {}, 1});
    std::vector<std::unique_lock<std::shared_mutex>> alone;
    for (Host* host : hosts) alone.push_back(host->erase_personal());
    parts_.keys.hold(subject);
    auto erased = parts_.erasures.erase(parts_.keys, subject, parts_.clock.wall());
    if (!erased) return parts_.keys.release(subject), std::move(erased);
    *count_ = parts_.erasures.all().size();  // before anyone decodes again
    TRY_VOID(refold());                      // else it stays held: no state that shows the value may seal it again
    parts_.keys.release(subject);
    observe::log_line(observe::Level::info, "runtime", "erased", {{"subject", erased->subject}});
    return erased;
}

Result<void> Erasing::refold() {
    for (Host* host : parts_.hosts()) {
        auto done = host->refold();
        if (done) continue;
        Problem problem{500, "erasure_unfinished",
                        fmt::format("the key is destroyed, but {} could not fold its state anew and shows the values until it is started "
                                    "again: {}",
                                    host->decl().name, done.error().detail)};
        problem.cause = done.error().cause;
        return fail(std::move(problem));
    }
    return {};
}

std::vector<Admin::Route> routes_of(Erasing& erasing) {
    using enum Admin::Where;
    return {{http::Method::Post, "erasures", house, [&](Admin::Asked const& asked) { return run_erase(erasing, asked); }},
            {http::Method::Get, "erasures", house,
             [&](Admin::Asked const&) -> Result<std::string> {
                 ErasuresShown shown;
                 for (auto const& erasure : erasing.erasures().all()) shown.items.push_back({erasure.subject, erasure.at});
                 return codec::to_json(shown);
             }},
            {http::Method::Get, "subjects/", house, [&](Admin::Asked const& asked) -> Result<std::string> {
                 TRY_VOID(erasing.look_up(asked.rest));
                 return codec::to_json(SubjectShown{asked.rest});
             }}};
}

}  // namespace gantry::runtime
