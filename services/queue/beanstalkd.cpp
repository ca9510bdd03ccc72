#include "services/queue/beanstalkd.h"

#include <charconv>

#include "services/queue/queue.h"

namespace gantry::queue::beanstalkd {
namespace {

constexpr std::string_view digits = "0123456789";
constexpr auto u32_max = std::numeric_limits<std::uint32_t>::max();

LineSaid bad_format() { return LineSaid::reply("BAD_FORMAT\r\n"); }
LineSaid counted(Verb verb, LineSaid said) { return desk().heard(verb), said; }

// A tube's name: those of queues, but for ':'.
bool is_tube_name(std::string_view name) { return is_queue_name(name) && !name.contains(':'); }

// The number that a line goes on with, after any blanks; none: there is none, or it is greater.
std::optional<std::uint64_t> take_number(std::string_view& rest, std::uint64_t max) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    auto const text = rest.substr(0, std::min(rest.find_first_not_of(digits), rest.size()));
    std::uint64_t n = 0;
    if (text.empty() || std::from_chars(text.data(), text.data() + text.size(), n).ec != std::errc() || n > max) return {};
    rest.remove_prefix(text.size());
    return n;
}
std::optional<std::uint32_t> take_u32(std::string_view& rest) {
    auto const n = take_number(rest, u32_max);
    return n ? std::optional(std::uint32_t(*n)) : std::nullopt;
}
std::optional<std::uint64_t> take_id(std::string_view& rest) { return take_number(rest, std::numeric_limits<std::uint64_t>::max()); }
// An id, and nothing after it.
std::optional<std::uint64_t> only_id(std::string_view rest) {
    auto const id = take_id(rest);
    return rest.empty() ? id : std::nullopt;
}

// As C's strtol and strtoul read a number: after white space, with a sign; where there is none, it is 0.
struct Signed {
    std::uint64_t value = 0;
    bool negative = false, is_there = false, overflows = false;
};
Signed take_signed(std::string_view rest) {
    Signed out;
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\v\f\r"), rest.size()));
    bool const negative = rest.starts_with('-');
    if (negative || rest.starts_with('+')) rest.remove_prefix(1);
    auto const [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out.value);
    out.is_there = end != rest.data(), out.overflows = error == std::errc::result_out_of_range, out.negative = out.is_there && negative;
    return out;
}

using Body = std::optional<std::string_view>;

LineSaid parse_put(Talk& talk, std::string_view rest, Body body) {
    auto const priority = take_u32(rest), delay_s = priority ? take_u32(rest) : priority, ttr_s = delay_s ? take_u32(rest) : delay_s;
    auto const size = ttr_s ? take_u32(rest) : ttr_s;
    if (!size) return bad_format();
    if (!body) desk().heard(Verb::put);
    if (*size > payload_bytes_limit) return LineSaid::swallow(std::uint64_t(*size) + 2, "JOB_TOO_BIG\r\n");
    if (!rest.empty()) return bad_format();
    if (!std::exchange(talk.is_producer, true)) ++desk().producers;
    if (!body) return LineSaid::body(std::uint64_t(*size) + 2);
    if (!body->ends_with("\r\n")) return LineSaid::reply("EXPECTED_CRLF\r\n");
    return LineSaid::call("put",
                          PutJob{Str(talk.used), Bytes{std::string(body->substr(0, *size))}, *priority, *delay_s, std::max(*ttr_s, 1u)});
}

void is_worker(Talk& talk) {
    if (!std::exchange(talk.is_worker, true)) ++desk().workers;
}
LineSaid parse_any_reserve(Talk& talk, std::string_view command, std::optional<std::uint32_t> timeout_s) {
    is_worker(talk);
    talk.waits = true;
    desk().wait(talk.watched, +1);
    ReserveJob input{talk.worker, {}, talk.held, timeout_s};
    for (auto const& tube : talk.watched) input.tubes.push_back(Str(tube));
    return LineSaid::call(command, std::move(input));
}
LineSaid parse_reserve(Talk& talk, std::string_view rest, Body) {
    if (!rest.empty()) return bad_format();
    return counted(Verb::reserve, parse_any_reserve(talk, "reserve", {}));
}
// beanstalkd reads it with strtol into an int: what is no number is 0, a negative one is no limit, and what follows it is nothing to it.
LineSaid parse_reserve_with_timeout(Talk& talk, std::string_view rest, Body) {
    auto const number = take_signed(rest);
    auto const limit = std::uint64_t(std::numeric_limits<std::int64_t>::max()) + number.negative;
    if (number.overflows || number.value > limit) return bad_format();
    auto const timeout_s = std::int32_t(std::uint32_t(number.negative ? 0 - number.value : number.value));
    return counted(Verb::reserve_with_timeout,
                   parse_any_reserve(talk, "reserve-with-timeout", timeout_s < 0 ? std::nullopt : std::optional(std::uint32_t(timeout_s))));
}
LineSaid parse_reserve_job(Talk& talk, std::string_view rest, Body) {
    auto const id = only_id(rest);
    if (!id) return bad_format();
    is_worker(talk);
    return LineSaid::call("reserve-job", ReserveThis{*id, talk.worker, talk.held});
}

LineSaid parse_delete(Talk& talk, std::string_view rest, Body) {
    auto const id = only_id(rest);
    return id ? counted(Verb::delete_, LineSaid::call("delete", HeldJob{*id, talk.worker})) : bad_format();
}
LineSaid parse_release(Talk& talk, std::string_view rest, Body) {
    auto const id = take_id(rest);
    auto const priority = id ? take_u32(rest) : std::nullopt, delay_s = priority ? take_u32(rest) : priority;
    if (!delay_s || !rest.empty()) return bad_format();
    return counted(Verb::release, LineSaid::call("release", ReleaseJob{*id, talk.worker, *priority, *delay_s}));
}
LineSaid parse_bury(Talk& talk, std::string_view rest, Body) {
    auto const id = take_id(rest);
    auto const priority = id ? take_u32(rest) : std::nullopt;
    if (!priority || !rest.empty()) return bad_format();
    return counted(Verb::bury, LineSaid::call("bury", BuryJob{*id, talk.worker, *priority}));
}
LineSaid parse_touch(Talk& talk, std::string_view rest, Body) {
    auto const id = only_id(rest);
    return id ? counted(Verb::touch, LineSaid::call("touch", HeldJob{*id, talk.worker})) : bad_format();
}
LineSaid parse_kick_job(Talk& talk, std::string_view rest, Body) {
    auto const id = only_id(rest);
    return id ? LineSaid::call("kick-job", HeldJob{*id, talk.worker}) : bad_format();
}
// beanstalkd reads it with strtoul: a negative number is a great one, and what follows it is nothing to it.
LineSaid parse_kick(Talk& talk, std::string_view rest, Body) {
    auto const number = take_signed(rest);
    if (!number.is_there || number.overflows) return bad_format();
    auto const bound = std::uint32_t(number.negative ? 0 - number.value : number.value);
    return counted(Verb::kick, LineSaid::call("kick", KickTube{Str(talk.used), bound}));
}

LineSaid parse_use(Talk& talk, std::string_view name, Body) {
    if (!is_tube_name(name)) return bad_format();
    std::string const before = std::exchange(talk.used, std::string(name));
    desk().use(talk.used, +1), desk().use(before, -1);
    return counted(Verb::use, LineSaid::reply("USING " + talk.used + "\r\n"));
}
LineSaid watching(Talk const& talk) { return LineSaid::reply("WATCHING " + std::to_string(talk.watched.size()) + "\r\n"); }
LineSaid parse_watch(Talk& talk, std::string_view name, Body) {
    if (!is_tube_name(name)) return bad_format();
    desk().heard(Verb::watch);
    if (std::ranges::find(talk.watched, name) != talk.watched.end()) return watching(talk);
    if (talk.watched.size() == watched_max) return LineSaid::reply("OUT_OF_MEMORY\r\n");
    desk().watch(talk.watched.emplace_back(name), +1);
    return watching(talk);
}
LineSaid parse_ignore(Talk& talk, std::string_view name, Body) {
    if (!is_tube_name(name)) return bad_format();
    desk().heard(Verb::ignore);
    auto const found = std::ranges::find(talk.watched, name);
    if (found == talk.watched.end()) return watching(talk);
    if (talk.watched.size() == 1) return LineSaid::reply("NOT_IGNORED\r\n");
    desk().watch(*found, -1);
    std::swap(*found, talk.watched.back());  // as beanstalkd's list does: it shows
    talk.watched.pop_back();
    return watching(talk);
}
LineSaid parse_pause_tube(Talk&, std::string_view rest, Body) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    auto const name = rest.substr(0, std::min(rest.find(' '), rest.size()));
    rest.remove_prefix(name.size());
    auto const delay_s = take_u32(rest);
    if (!delay_s || !rest.empty() || !is_tube_name(name)) return bad_format();
    return counted(Verb::pause_tube, LineSaid::call("pause-tube", PauseTube{Str(name), *delay_s, desk().knows(std::string(name))}));
}

LineSaid parse_peek(Talk&, std::string_view rest, Body) {
    auto const id = only_id(rest);
    return id ? counted(Verb::peek, LineSaid::call("peek", ById{*id})) : bad_format();
}
template <Verb verb, TaskState state>
LineSaid parse_peek_tube(Talk& talk, std::string_view rest, Body) {
    if (!rest.empty()) return bad_format();
    return counted(verb, LineSaid::call(verb_names[std::size_t(verb)], PeekTube{Str(talk.used), state}));
}
LineSaid parse_stats_job(Talk&, std::string_view rest, Body) {
    auto const id = only_id(rest);
    return id ? counted(Verb::stats_job, LineSaid::call("stats-job", ById{*id})) : bad_format();
}
LineSaid parse_stats_tube(Talk&, std::string_view name, Body) {
    if (!is_tube_name(name)) return bad_format();
    return counted(Verb::stats_tube, LineSaid::call("stats-tube", TubeAsked{Str(name), desk().knows(std::string(name))}));
}
LineSaid parse_stats(Talk&, std::string_view rest, Body) {
    if (!rest.empty()) return bad_format();
    return counted(Verb::stats, LineSaid::call("stats", AllTubes{desk().known()}));
}
LineSaid parse_list_tubes(Talk&, std::string_view rest, Body) {
    if (!rest.empty()) return bad_format();
    return counted(Verb::list_tubes, LineSaid::call("list-tubes", AllTubes{desk().known()}));
}

std::string yaml(std::string const& text) { return "OK " + std::to_string(text.size()) + "\r\n" + text + "\r\n"; }
std::string yaml_list(std::vector<std::string> const& names) {
    std::string text = "---\n";
    for (auto const& name : names) text.append("- ").append(name) += '\n';
    return yaml(text);
}
LineSaid parse_list_tube_used(Talk& talk, std::string_view rest, Body) {
    if (!rest.empty()) return bad_format();
    return counted(Verb::list_tube_used, LineSaid::reply("USING " + talk.used + "\r\n"));
}
LineSaid parse_list_tubes_watched(Talk& talk, std::string_view rest, Body) {
    if (!rest.empty()) return bad_format();
    return counted(Verb::list_tubes_watched, LineSaid::reply(yaml_list(talk.watched)));
}
LineSaid parse_quit(Talk&, std::string_view, Body) { return LineSaid::close(); }

// What a line begins with says what it is: the first that fits, and what comes after it is the rest, as in beanstalkd.
struct Word {
    std::string_view begins;
    LineSaid (*parse)(Talk&, std::string_view rest, Body body);
};
constexpr Word words[] = {
    {"put ", &parse_put},
    {"peek ", &parse_peek},
    {"peek-ready", &parse_peek_tube<Verb::peek_ready, TaskState::ready>},
    {"peek-delayed", &parse_peek_tube<Verb::peek_delayed, TaskState::delayed>},
    {"peek-buried", &parse_peek_tube<Verb::peek_buried, TaskState::buried>},
    {"reserve-with-timeout ", &parse_reserve_with_timeout},
    {"reserve-job ", &parse_reserve_job},
    {"reserve", &parse_reserve},
    {"delete ", &parse_delete},
    {"release ", &parse_release},
    {"bury ", &parse_bury},
    {"kick ", &parse_kick},
    {"kick-job ", &parse_kick_job},
    {"touch ", &parse_touch},
    {"stats-job ", &parse_stats_job},
    {"stats-tube ", &parse_stats_tube},
    {"stats", &parse_stats},
    {"use ", &parse_use},
    {"watch ", &parse_watch},
    {"ignore ", &parse_ignore},
    {"list-tubes-watched", &parse_list_tubes_watched},
    {"list-tube-used", &parse_list_tube_used},
    {"list-tubes", &parse_list_tubes},
    {"quit", &parse_quit},
    {"pause-tube", &parse_pause_tube},
};

// --- answers -----------------------------------------------------------------------------------------------------------------------

void waits_no_more(Talk& talk) {
    if (std::exchange(talk.waits, false)) desk().wait(talk.watched, -1);
}
std::string with_job(std::string_view word, Job const& job) {
    return std::string(word) + " " + std::to_string(job.id) + " " + std::to_string(job.body.data.size()) + "\r\n" + job.body.data + "\r\n";
}
std::string told_put(Talk&, JobPut const& put) { return "INSERTED " + std::to_string(put.id) + "\r\n"; }
std::string told_given(Talk& talk, Given const& given) {
    waits_no_more(talk);
    talk.held = given.held;
    switch (given.outcome) {
        case Outcome::reserved: return with_job("RESERVED", given.job);
        case Outcome::deadline_soon: return "DEADLINE_SOON\r\n";
        case Outcome::timed_out: return "TIMED_OUT\r\n";
        case Outcome::nothing: return {};  // the connection is about to close
    }
    return {};
}
std::string told_found(Talk&, Job const& job) { return with_job("FOUND", job); }
std::string let_go_of(Talk& talk, std::uint64_t id, std::string_view said) { return std::erase(talk.held, id), std::string(said); }
std::string told_delete(Talk& talk, JobSaid const& job) { return desk().deleted(job.tube), let_go_of(talk, job.id, "DELETED\r\n"); }
std::string told_release(Talk& talk, JobSaid const& job) { return let_go_of(talk, job.id, "RELEASED\r\n"); }
std::string told_bury(Talk& talk, JobSaid const& job) { return let_go_of(talk, job.id, "BURIED\r\n"); }
std::string told_touch(Talk&, JobSaid const&) { return "TOUCHED\r\n"; }
std::string told_kick_job(Talk&, JobSaid const&) { return "KICKED\r\n"; }
std::string told_kick(Talk&, Count const& kicked) { return "KICKED " + std::to_string(kicked.count) + "\r\n"; }
std::string told_pause(Talk&, Paused const& paused) { return desk().paused(paused.tube), "PAUSED\r\n"; }
std::string told_stats(Talk&, ServerStats const& stats) { return yaml(desk().text(stats)); }
std::string told_stats_tube(Talk&, TubeStats const& stats) { return yaml(desk().text(stats)); }
std::string told_list(Talk&, TubeNames const& names) { return yaml_list(names.tubes); }
std::string told_nobody(Talk&, Count const&) { return {}; }
std::string told_stats_job(Talk&, JobStats const& job) {
    std::string text = "---\n";
    auto const line = [&](std::string_view name, std::string const& value) { text.append(name).append(": ").append(value) += '\n'; };
    auto const number = [&](std::string_view name, std::int64_t value) { line(name, std::to_string(value)); };
    line("id", std::to_string(job.id)), line("tube", job.tube), line("state", job.state);
    number("pri", job.priority), number("age", job.age_s), number("delay", job.delay_s), number("ttr", job.ttr_s);
    number("time-left", job.left_s), number("file", 0), number("reserves", job.reserves), number("timeouts", job.timeouts);
    number("releases", job.releases), number("buries", job.buries), number("kicks", job.kicks);
    return yaml(text);
}

}  // namespace

Talk::Talk(LinePeer const& peer) : worker(Str("beanstalkd/" + peer.address + "/" + peer.id)) {
    ++desk().connections, ++desk().connections_in_all;
    desk().use(used, +1), desk().watch("default", +1);
}
Talk::~Talk() {
    waits_no_more(*this);
    desk().use(used, -1);
    for (auto const& tube : watched) desk().watch(tube, -1);
    --desk().connections;
    if (is_producer) --desk().producers;
    if (is_worker) --desk().workers;
}

LineSaid parse(Talk& talk, LineIn const& in) {
    if (in.line.contains('\0')) return bad_format();
    auto const word = std::ranges::find_if(words, [&](Word const& w) { return in.line.starts_with(w.begins); });
    if (word == std::end(words)) return LineSaid::reply("UNKNOWN_COMMAND\r\n");
    return word->parse(talk, in.line.substr(word->begins.size()), in.body);
}

// In the words that the protocol has: "try later" is OUT_OF_MEMORY, and what may not be asked is the server's fault.
std::string refused(Talk& talk, std::string_view command, Problem const& problem) {
    if (command.starts_with("reserve")) waits_no_more(talk);
    switch (problem.status) {
        case 400:
        case 422: return "BAD_FORMAT\r\n";
        case 404:
        case 409:
        case 410: return "NOT_FOUND\r\n";
        case 413: return "JOB_TOO_BIG\r\n";
        case 429:
        case 503:
        case 507: return "OUT_OF_MEMORY\r\n";
        default: return "INTERNAL_ERROR\r\n";
    }
}

std::optional<LineSaid> closing(Talk& talk) {
    if (talk.held.empty()) return {};
    return LineSaid::call("let-go", LetGo{talk.worker, talk.held});
}

std::vector<LineCommand> commands() {
    Scope const put{"queue:put"}, work{"queue:work"}, read{"queue:read"}, operate{"queue:operate"};
    constexpr std::string_view of = "beanstalkd";
    auto const peeks = [&](std::string_view verb) {
        return line_command<Talk>(told<Service, &peek_tube, &tell_job>(V1, verb, of, read, Doc{"See a job of the tube."}), &told_found);
    };
    auto const reserves = [&](std::string_view verb) {
        return line_command<Talk>(
            told_command<Service, &reserve_job, &tell_given>(V1, verb, of, work, Doc{"Take a job of the watched tubes, or wait."}, Waits{}),
            &told_given);
    };
    return {
        line_command<Talk>(route<Service>(V1, "put", of, &put_job, put, Doc{"Put a job into the used tube."}), &told_put, Overlaps{}),
        reserves("reserve"),
        reserves("reserve-with-timeout"),
        line_command<Talk>(told_command<Service, &reserve_this, &tell_given>(V1, "reserve-job", of, work, Doc{"Take this job."}),
                           &told_given),
        line_command<Talk>(route<Service>(V1, "delete", of, &delete_job, work, Doc{"It is done, or nobody wants it."}), &told_delete),
        line_command<Talk>(route<Service>(V1, "release", of, &release_job, work, Doc{"Give it back."}), &told_release),
        line_command<Talk>(route<Service>(V1, "bury", of, &bury_job, work, Doc{"Put it aside."}), &told_bury),
        line_command<Talk>(route<Service>(V1, "touch", of, &touch_job, work, Doc{"I'm alive: another ttr."}), &told_touch),
        line_command<Talk>(route<Service>(V1, "kick", of, &kick_tube, operate, Doc{"Make jobs ready."}), &told_kick),
        line_command<Talk>(route<Service>(V1, "kick-job", of, &kick_job, operate, Doc{"Make this job ready."}), &told_kick_job),
        line_command<Talk>(route<Service>(V1, "pause-tube", of, &pause_tube, operate, Doc{"Give nothing of it for a while."}), &told_pause),
        line_command<Talk>(told<Service, &peek, &tell_job>(V1, "peek", of, read, Doc{"See a job."}), &told_found),
        peeks("peek-ready"),
        peeks("peek-delayed"),
        peeks("peek-buried"),
        line_command<Talk>(route<Service>(V1, "stats", of, &stats, read, Doc{"Of the server."}), &told_stats),
        line_command<Talk>(route<Service>(V1, "stats-job", of, &stats_job, read, Doc{"Of a job."}), &told_stats_job),
        line_command<Talk>(route<Service>(V1, "stats-tube", of, &stats_tube, read, Doc{"Of a tube."}), &told_stats_tube),
        line_command<Talk>(route<Service>(V1, "list-tubes", of, &list_tubes, read, Doc{"The tubes."}), &told_list),
        line_command<Talk>(route<Service>(V1, "let-go", of, &let_go, work, Doc{"A connection has gone."}), &told_nobody),
    };
}

LineProtocol protocol() {
    LineOptions options{.line_bytes_max = line_bytes_max, .body_bytes_max = payload_bytes_limit + 2, .line_too_long = "BAD_FORMAT\r\n"};
    return line_protocol<Talk>("beanstalkd", {.parse = &parse, .refused = &refused, .closing = &closing}, commands(), std::move(options),
                               Doc{"beanstalkd's protocol: a tube is a queue, a job a task."});
}

}  // namespace gantry::queue::beanstalkd
