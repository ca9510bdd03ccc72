// A million accounts: see rows_accounts.py for what each `--do` does.
#include "services/accounts/accounts.h"
#include "app/accounts_callers.h"
#include "bench/open_log.h"
#include "bench/tool.h"
#include "kernel/auth/base64url.h"
#include "kernel/auth/file_callers.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/runtime/host.h"

using namespace gantry;
using namespace gantry::bench;

namespace {

constexpr std::uint32_t accounts_a_batch = 250;

template <class T>
T need(Result<T> r) {
    if (!r) die(fmt::format("{}: {} {}", r.error().code, r.error().detail, r.error().cause));
    if constexpr (!std::is_void_v<T>) return std::move(*r);
}

accounts::Settings const settings;

template <class E>
void put(E const& e, std::string& events, std::uint32_t& count) {
    static accounts::Event const like = E{};
    std::string payload;
    codec::put(payload, e);
    put_varint(events, like.index()), put_string(events, payload), ++count;
}

// Each account has a name, an address and a password, every tenth a token.
void fill(std::string const& dir, std::uint64_t count) {
    auto log = open_log(dir, codec::encode_event_schema(codec::type_of<accounts::Event>()));
    SeededRandom random(1);
    std::uint64_t tokens = 0;
    auto const start = now_ns();
    for (std::uint64_t n = 1; n <= count;) {
        std::string events;
        std::uint32_t in_batch = 0;
        for (std::uint32_t i = 0; i < accounts_a_batch && n <= count; ++i, ++n) {
            std::string verifier(54, 'a');
            random.fill({reinterpret_cast<std::uint8_t*>(verifier.data()) + 6, 48});
            put(accounts::Created{{n},
                                  accounts::Kind::person,
                                  accounts::Name(fmt::format("Person Number {}", n)),
                                  accounts::Login(fmt::format("person.{}@example.org", n)),
                                  true,
                                  {},
                                  {accounts::ScopeText("accounts:self"), accounts::ScopeText("*:read")},
                                  false},
                events, in_batch);
            put(accounts::PasswordSet{{n}}, events, in_batch);
            put(accounts::Kept{accounts::Verifier::password, n, Bytes{verifier}}, events, in_batch);
            if (n % 10 != 0) continue;
            std::string secret(32, char(n % 251));
            put(accounts::TokenIssued{{++tokens}, {n}, accounts::Name("laptop"), {}, {}}, events, in_batch);
            put(accounts::Kept{accounts::Verifier::token, tokens, Bytes{auth::digest_of(secret)}}, events, in_batch);
        }
        need(log->append(batch_of(events, in_batch, std::max<std::int64_t>(1'767'268'800'000'000, log->status().last_time.us))));
    }
    need(log->wait_durable());
    need(log->close());
    fmt::print("{{\"accounts\":{},\"seconds\":{:.2f}}}\n", count, double(now_ns() - start) / 1e9);
}

double rss_mb() {
    auto* file = std::fopen("/proc/self/statm", "r");
    long pages = 0, resident = 0;
    if (!file || std::fscanf(file, "%ld %ld", &pages, &resident) != 2) die("/proc/self/statm");
    std::fclose(file);
    return double(resident) * 4096 / 1e6;
}

struct Opened {
    std::unique_ptr<log::Log> log;
    std::unique_ptr<log::Snapshots> snapshots;
    std::unique_ptr<runtime::Host> host;
    double seconds = 0;
    Opened(std::string const& dir, bool with_snapshot)
        : log(open_log(dir)), snapshots(log::file_snapshots(log::system_disk(), dir + "/snapshots")) {
        runtime::Host::Parts parts{*log, system_clock(), system_random()};
        parts.settings = &settings, parts.snapshots = with_snapshot ? snapshots.get() : nullptr;
        auto const start = now_ns();
        host = std::make_unique<runtime::Host>(runtime::declare<accounts::Service>(), parts);
        need(host->start());
        seconds = double(now_ns() - start) / 1e9;
    }
    accounts::State const& state() const { return *static_cast<accounts::State const*>(host->state_for_tools()); }
};

void restart(std::string const& dir, bool with_snapshot, bool save) {
    Opened opened(dir, with_snapshot || save);
    std::uint64_t bytes = 0;
    for (auto const& [member, size] : opened.host->decl().state.memory_bytes(&opened.state())) bytes += size;
    if (save) need(opened.host->save_snapshot());
    fmt::print("{{\"accounts\":{},\"seconds\":{:.3f},\"state_mb\":{:.1f},\"rss_mb\":{:.1f}}}\n", opened.state().accounts.size(),
               opened.seconds, double(bytes) / 1e6, rss_mb());
    need(opened.log->close());
}

// A token by the directory, as a new connection asks; and what a connection that was recognised costs.
void tokens(std::string const& dir) {
    Opened opened(dir, true);
    auto const file = need(auth::FileCallers::make(""));
    SeededRandom random(1);
    auth::Sessions memory(random);
    auth::SessionsInMemory book(memory);
    auto const callers = app::make_accounts_callers({.host = *opened.host, .file = *file, .memory = book});
    std::vector<std::string> shown;
    auto const known = std::min<std::uint64_t>(opened.state().tokens.size(), 10'000);
    for (std::uint64_t t = 1; t <= known; ++t)
        shown.push_back(fmt::format("gnt_t{}_{}", t, auth::base64url(std::string(32, char(t * 10 % 251)))));
    auto const now = system_clock().wall();
    auto time = [&](auto&& once) {
        constexpr int turns = 20;
        auto const start = now_ns();
        for (int turn = 0; turn < turns; ++turn)
            for (auto const& token : shown) once(token);
        return double(now_ns() - start) / double(turns * shown.size());
    };
    auto& directory = callers->directory();
    auto const identity = need(directory.by_token(shown.front(), now));
    auto const warm = time([&](std::string const& token) {
        if (!directory.by_token(token, now)) die("a token isn't known");
    });
    std::uint64_t held = 0;
    auto const cached = time([&](std::string const&) { held += identity.holds(now); });
    fmt::print("{{\"tokens\":{},\"lookup_ns\":{:.0f},\"cached_ns\":{:.1f},\"held\":{}}}\n", shown.size(), warm, cached, held);
    need(opened.log->close());
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"do", "dir", "count", "snapshot"});
    auto const what = flags.text("do"), dir = flags.text("dir");
    if (what == "fill") return fill(dir, std::uint64_t(flags.number("count", 1'000'000))), 0;
    if (what == "snapshot") return restart(dir, false, true), 0;
    if (what == "restart") return restart(dir, flags.text("snapshot") == "yes", false), 0;
    if (what == "tokens") return tokens(dir), 0;
    die("--do fill|snapshot|restart|tokens");
}
