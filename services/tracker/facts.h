#pragma once
#include "kernel/service.h"

// What the tracker writes to its log: where each package is on its way, and what became of it.
namespace gantry::tracker {

using RunId = Seq<"r_">;
using Package = Text<1, 200>;
using Word = Text<1, 100>;     // arch, stage, reporter, result, series: a small vocabulary
using Phrase = Text<1, 1000>;  // version, source, trigger

// One report, whole, so that it can be read alone. The decision says which run it belongs to: a known one, or the next number, which opens
// it; `past` then says that a newer run of the same package, arch, series and trigger is known already. An empty text was not given.
struct Reported {
    RunId run;
    bool past = false;
    Package package;
    Phrase version;
    Word arch;
    Text<0, 100> series;
    Text<0, 1000> trigger;
    Text<0, 1000> source;  // the Debian source package
    Word reporter;         // who told
    Word stage;
    Time at;  // the reporter's; the batch has the time of receipt
    Text<0, 100> result;
    Text<0, 200> id;  // unique for its reporter
    Text<0, 2000> url, note;
    std::optional<Personal<Text<1, 200>>> who;
};
RECORD(Reported, run, past, package, version, arch, series, trigger, source, reporter, stage, at, result, id, url, note, who);

// A run in flight ended because a report on another version came.
struct Superseded {
    RunId run;
    Time at;
};
RECORD(Superseded, run, at);

// An import stands at another place; the reports of the chunk are in the same batch.
struct ImportMoved {
    Text<1, 200> import;
    Text<1, 200> to;
    std::uint32_t reports = 0;   // in the chunk
    std::uint32_t repeated = 0;  // of them dropped, because they came before
};
RECORD(ImportMoved, import, to, reports, repeated);

// Runs that ended before the window left the model, and hours before it.
struct Evicted {
    std::vector<RunId> runs;
    Time before;
};
RECORD(Evicted, runs, before);

using Event = std::variant<Reported, Superseded, ImportMoved, Evicted>;

}  // namespace gantry::tracker
