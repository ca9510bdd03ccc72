#include "services/oops/oops.h"

#include <fmt/format.h>

#include "services/oops/keep.h"
#include "services/oops/maps.h"

namespace gantry::oops {
namespace {

constexpr std::uint64_t envelope_bytes_max = 40 << 20, report_bytes_max = 20 << 20;

// EFFECT: a hook is told of an alert.
Result<client::Reply> call_hook(CallHook const& call, Outside& outside) {
    client::Request request;
    request.method = "POST", request.target = call.url.str();
    request.headers = {{"Content-Type", "application/json"}};
    request.body = codec::to_json(call);
    return outside.call(std::move(request));
}

ForeignOptions of_clients(std::uint64_t bytes_max) {
    return {.body_bytes_max = bytes_max,
            .cross_origin = true,
            .exposed_headers = "X-Sentry-Error, X-Sentry-Rate-Limits, Retry-After, X-Oops-Id",
            .own_credentials = true,
            .refused = &refuse_sentry};
}

}  // namespace

std::vector<EffectKind> Service::effects() {
    return {effect<Service>(&call_hook),
            effect<Service>(&send_mail),
            effect<Service>(&regroup_some, &regrouped_some, {.timeout = Duration::seconds(120), .at_once = 1}),
            effect<Service>(&mail_summary),
            effect<Service>(&map_one, &mapped_one),
            effect<Service>(&keep_some, &kept_some)};
}

std::vector<Timer> Service::timers() { return {timer<Service, &State::summaries>(&day_ended)}; }

std::vector<std::pair<std::string_view, std::string_view>> Service::settings_docs() {
    return {
        {"public_url",
         "How clients reach this server, as https://gantry.example: what a DSN is made of. Not set: as the maker of a project reached it."},
        {"retention",
         "How long the bodies of reports stay, as 90d; counts and groups stay, and so do the reports of a group that has a bug. Not set: "
         "for "
         "ever."},
        {"keep_newest", "How many reports of each kind stay whatever their age, so that no rare one is lost."}};
}

std::vector<Route> Service::routes() {
    Scope const read{"oops:read"}, write{"oops:write"}, admin{"oops:admin"};
    auto const envelope = of_clients(envelope_bytes_max), report = of_clients(report_bytes_max);
    return {
        // What clients of others speak; whoever has a project's key may report, and nothing else.
        foreign<Service>("POST", "/api/{project}/envelope", &parse_envelope, &ingest_sentry, open_to_all, Doc{"A Sentry envelope."},
                         envelope),
        foreign<Service>("POST", "/api/{project}/store", &parse_store, &ingest_sentry, open_to_all, Doc{"A Sentry event, the older way."},
                         report),
        foreign<Service>("POST", "/api/{project}/oops", &parse_oops, &ingest_oops, open_to_all,
                         Doc{"An OOPS report as BSON, or as RFC 822 text."}, report),
        foreign<Service>("POST", "/api/{project}/report", &parse_oops_json, &ingest_oops, open_to_all, Doc{"An OOPS report as JSON."},
                         report),
        // Our own.
        route<Service>(V1, "POST", "/projects", &make_project, admin, Doc{"Make a project; the reply has the DSN for its clients."}),
        route<Service>(V1, "GET", "/projects", &list_projects, read, Doc{"The projects, by number."}),
        route<Service>(V1, "GET", "/projects/{project}", &show_project, read, Doc{"One project with its limits and alerts."}),
        route<Service>(V1, "PATCH", "/projects/{project}", &change_project, admin, Doc{"Change its name, limits or alerts."}),
        route<Service>(V1, "GET", "/projects/{project}/rules", &show_rules, read, Doc{"How its reports are grouped."}),
        route<Service>(V1, "PUT", "/projects/{project}/rules", &set_rules, admin,
                       Doc{"Other rules, for what comes from now on; a regroup looks at what came before."}),
        slow_route<Service, &look_for_try, &print_for_try, &tell_try>(
            V1, "POST", "/projects/{project}/rules/try", read,
            Doc{"What rules would do to the reports of the last days; nothing changes."}),
        route<Service>(V1, "POST", "/projects/{project}/regroup", &begin_regroup, admin,
                       Doc{"Group the reports of the last days, or all, by the rules of now."}),
        route<Service>(V1, "GET", "/regroups", &list_regroups, read, Doc{"Regroups, those that ended too."}),
        route<Service>(V1, "GET", "/regroups/{id}", &show_regroup, read, Doc{"How far a regroup has come."}),
        route<Service>(V1, "POST", "/regroups/{id}/cancel", &cancel_regroup, admin, Doc{"End it here; what it moved stays where it is."}),
        route<Service>(V1, "POST", "/regroups/{id}/undo", &undo_regroup, admin, Doc{"Put back what it moved."}),
        foreign<Service>("PUT", "/api/{project}/source-maps/{debug_id}", &parse_map, &keep_map, write,
                         Doc{"Keep the source map of a generated file; its body is the map."}, {.body_bytes_max = map_bytes_max}),
        route<Service>(V1, "GET", "/projects/{project}/source-maps", &list_maps, read, Doc{"The source maps of a project."}),
        route<Service>(V1, "DELETE", "/projects/{project}/source-maps/{debug_id}", &drop_map, write, Doc{"Forget a source map."}),
        told<Service, &find_summary, &tell_summary>(
            V1, "GET", "/projects/{project}/summary", read,
            Doc{"A day's reports: by class, page, statement and group; ?text=true as the mail has it."}, Slow{}),
        route<Service>(V1, "POST", "/reports", &ingest, write, Doc{"Report a failure; the id that it was shown by is kept."}, Bulk{}),
        told<Service, &find_report, &tell_report>(V1, "GET", "/reports/{id}", read, Doc{"One report, whole."}),
        route<Service>(V1, "GET", "/reports", &find_reports, &list_reports, read,
                       Doc{"Reports of a project, of a group, or that are searched for (q), newest first."}),
        route<Service>(V1, "GET", "/groups", &list_groups, read, Doc{"Groups of a project, by their newest report."}),
        route<Service>(V1, "GET", "/groups/{id}", &show_group, read, Doc{"One group with its buckets."}),
        route<Service>(V1, "PATCH", "/groups/{id}", &change_group, write, Doc{"Assign it, resolve it, ignore it, link its bug."}),
        route<Service>(V1, "POST", "/groups/{id}/merge", &merge_groups, write, Doc{"Put other groups into this one."}),
        route<Service>(V1, "POST", "/groups/{id}/split", &split_group, write, Doc{"Make a group of some of its buckets."}),
        route<Service>(V1, "GET", "/moves", &list_moves, read, Doc{"Merges and splits, the newest first."}),
        route<Service>(V1, "GET", "/groups/{id}/counts", &count_reports, read, Doc{"How many reports came by hour or by day."}),
        route<Service>(V1, "POST", "/moves/{id}/undo", &undo_move, write, Doc{"Undo a merge or a split."}),
    };
}

}  // namespace gantry::oops
