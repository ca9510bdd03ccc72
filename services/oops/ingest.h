#pragma once
#include <map>

#include "services/oops/input.h"
#include "services/oops/state.h"

// From a report that was told to the facts that it makes.
namespace gantry::oops {

// What one envelope, or one of the ancestors' reports, brings: an input like any other, made by the readers.
struct SessionsTold {
    Phrase release;
    Name environment;
    std::uint64_t started = 0, errored = 0, crashed = 0, abnormal = 0;
};
RECORD(SessionsTold, release, environment, started, errored, crashed, abnormal);
struct DroppedTold {
    Name reason, category;
    std::uint64_t count = 0;
};
RECORD(DroppedTold, reason, category, count);
struct ItemTold {
    Name type, name, content_type;
    Bytes bytes;
};
RECORD(ItemTold, type, name, content_type, bytes);
struct Told {
    std::uint32_t project = 0;
    std::string key;
    std::string answer_id;  // what the client calls it; empty: the first report's
    std::vector<Report> reports;
    std::vector<SessionsTold> sessions;
    std::vector<DroppedTold> dropped;
    std::vector<ItemTold> items;
    std::vector<std::string> refused;  // items that couldn't be read
};
RECORD(Told, project, key, answer_id, reports, sessions, dropped, items, refused);

// Sentry's envelopes and its older /store/; OOPS reports as JSON, BSON and text. All know their project from the path.
Result<Told> parse_envelope(ForeignRequest const& request);
Result<Told> parse_store(ForeignRequest const& request);
Result<Told> parse_oops(ForeignRequest const& request);
Result<Told> parse_oops_json(ForeignRequest const& request);

struct Ingested {
    ReportId id;
    GroupId group;
    bool repeated = false;  // it was here already
    bool counted_only = false;
};
RECORD(Ingested, id, group, repeated, counted_only);

// Takes reports one after another within one command: what the first of them makes the next one knows.
class Ingest {
   public:
    Ingest(State const& state, Ctx const& cx) : state_(state), cx_(cx) {}
    Result<Ingested> take(std::uint32_t project, Report report);
    Result<void> check_key(std::uint32_t project, std::string_view key) const;
    void add(Event event) { events_.push_back(std::move(event)); }
    void count(std::uint32_t project, SessionsTold const& sessions);
    // Of a report that is there already, and belongs into this bucket (0: a new one).
    void alert_later(std::uint32_t report, std::uint32_t bucket, bool was_new, Title const& title);
    std::vector<Event> take_events() { return std::move(events_); }

   private:
    struct Placed {
        std::uint32_t bucket = 0, group = 0;
        std::uint64_t in_minute = 0;
    };
    Placed place(std::uint32_t project, std::uint64_t app, std::uint64_t system) const;
    void alert(std::uint32_t project, ProjectRow const& row, Placed const& placed, bool is_new, Title const& title, ReportId const& id,
               Phrase const& release);
    void tell(ProjectRow const& row, CallHook const& what);

    State const& state_;
    Ctx const& cx_;
    std::vector<Event> events_;
    struct Opened {
        std::uint32_t project = 0;
        std::uint64_t app = 0, system = 0;
        std::uint64_t count = 0;
    };
    std::vector<Opened> opened_;                   // buckets that this command makes
    std::vector<std::string> taken_;               // ids of this command
    std::vector<std::uint32_t> again_;             // groups that are told of as back already
    std::map<std::uint32_t, std::uint64_t> more_;  // of a group, by this command
    std::uint64_t count_ = 0;
};

Result<Emit<ForeignReply, Event>> ingest_sentry(State const& s, Told const& in, Ctx const& cx);
Result<Emit<ForeignReply, Event>> ingest_oops(State const& s, Told const& in, Ctx const& cx);
ForeignReply refuse_sentry(Problem const& problem);

// Our own JSON.
struct ReportTold {
    Project project;
    NewReport report;
};
RECORD(ReportTold, project, report);
Result<Emit<Ingested, Event>> ingest(State const& s, ReportTold const& in, Ctx const& cx);

}  // namespace gantry::oops
