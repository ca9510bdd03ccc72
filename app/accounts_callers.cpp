#include "app/accounts_callers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <future>
#include <mutex>
#include <unordered_map>

#include "app/settings.h"
#include "kernel/auth/base64url.h"
#include "kernel/auth/verifier.h"
#include "kernel/codec/json.h"
#include "kernel/observe/log_line.h"
#include "services/accounts/accounts.h"

namespace gantry::app {
namespace {

using accounts::AccountId;
using accounts::SessionId;
using accounts::State;
using accounts::TokenId;
using auth::Identity;

constexpr std::size_t callers_max = 100'000, failures_max = 20'000, used_max = 100'000;
constexpr std::size_t looked_at_once = 1024;  // under the service's lock
constexpr int failures_to_lock = 20;
constexpr Duration lock_for = Duration::seconds(900), failures_forgotten = Duration::hours(1);
constexpr Duration use_told_every = Duration::seconds(300), use_written_every = Duration::seconds(60);

std::unexpected<Problem> starting() {
    return fail(Problem{503, "service_starting", "the accounts are being read from their log", {}, {}, 1});
}

// "t17" or "u_17" or "se_17"; 0 when it is none.
std::uint64_t number_of(std::string_view text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return 0;
    text.remove_prefix(prefix.size());
    std::uint64_t n = 0;
    bool const plain = !text.empty() && text.size() <= 15 && text[0] != '0';
    auto const read = std::from_chars(text.data(), text.data() + text.size(), n);
    return plain && read.ec == std::errc() && read.ptr == text.data() + text.size() ? n : 0;
}

// A name of digits is an account's, whoever else goes by it.
Result<Identity> of_file(Result<Identity> identity) {
    if (identity && number_of(identity->caller->name(), "") != 0)
        return fail(401, "caller_unknown", "A caller of callers.json by a name of digits is not known where there are accounts.");
    return identity;
}

class AccountsCallers final : public runtime::SiteCallers, private auth::CallerDirectory, private auth::SessionBook {
   public:
    explicit AccountsCallers(AccountsCallersParts parts)
        : parts_(std::move(parts)),
          cost_(accounts::cost_of(parts_.settings)),
          dummy_(*auth::password_hash("nobody's password", parts_.random, cost_)) {
        if (parts_.hurry) listener_ = parts_.host.on_progress(parts_.hurry);
    }
    ~AccountsCallers() override {
        if (listener_) parts_.host.stop_listening(listener_);
    }

    auth::CallerDirectory& directory() override { return *this; }
    auth::SessionBook& sessions() override { return *this; }
    bool end_changed() override;
    void keep_house() override;
    std::string first_steps(std::string_view url) override;

   private:
    // --- CallerDirectory
    Result<Identity> by_token(std::string_view token, Time now) const override;
    Result<Identity> by_certificate(std::span<std::string_view const> names, Time now) const override {
        if (!alone()) return of_file(parts_.file.by_certificate(names, now));
        return fail(401, "certificate_unknown", "No caller goes by a name of the certificate.");
    }
    Result<Identity> by_name(std::string_view name, Time now) const override;
    Result<Identity> by_password(std::string_view name, std::string_view password, Time now) const override {
        return by_password_and_code(name, password, {}, now);
    }
    Result<Identity> by_password_and_code(std::string_view name, std::string_view password, std::string_view code, Time now) const override;
    Result<Identity> by_passkey(std::string_view said, Time now) const override;
    std::uint64_t generation() const override;
    bool has_callers() const override;

    // --- SessionBook
    Result<std::string> start(std::shared_ptr<auth::Caller const> caller, auth::IpAddress const& address, std::string_view device,
                              Time now) override;
    Result<Identity> find(std::string_view id, auth::IpAddress const& address, Time now) override;
    Result<void> end(std::string_view id, Time now) override;
    Result<void> end_one(std::string_view caller_name, std::string_view handle, Time now) override;
    Result<void> end_all(std::string_view caller_name, Time now, std::string_view but) override;
    std::vector<auth::SessionSeen> list(std::string_view caller_name, std::string_view current_id, Time now) const override;
    Duration lifetime() const override { return parts_.settings.session_max; }

    bool alone() const { return parts_.source == CallersSource::accounts; }
    template <class Look>
    auto look(Look&& with) const {
        Viewer const gate{Str("gantry"), true};
        Position at = 0;
        std::invoke_result_t<Look, State const&> out;
        parts_.host.look(gate, at, [&](void const* state) { return out = with(*static_cast<State const*>(state)), true; });
        return out;
    }
    // A decision, until it is durable: for a thread that may wait.
    template <class Input>
    Result<runtime::Answer> decide(Route const& route, AccountId who, Input const& input) const;

    // The one Caller of an account with these rights, for as long as they last.
    std::shared_ptr<auth::Caller const> caller_of(AccountId id, std::uint64_t token, std::vector<std::string> const& narrowed,
                                                  accounts::Traits traits) const;
    Result<AccountId> verified(std::string_view login, std::string_view password, std::string_view code, Time now) const;
    void rehash(accounts::FoundLogin const& found, std::string_view password) const;
    void failed(AccountId id, Time now) const;
    void succeeded(AccountId id) const;
    void used(std::uint64_t key, Time now) const;

    AccountsCallersParts parts_;
    auth::PasswordCost cost_;
    std::string dummy_;
    std::uint64_t listener_ = 0;
    mutable std::atomic<bool> had_callers_ = false;
    struct Held {
        std::uint32_t version = 0;
        std::shared_ptr<auth::Caller const> caller;
    };
    struct Key {
        std::uint64_t account, token;
        bool operator==(Key const&) const = default;
    };
    struct HashOfKey {
        std::size_t operator()(Key const& key) const { return mix64(key.account << 20 ^ key.token); }
    };
    mutable std::mutex mutex_;
    mutable std::unordered_map<Key, Held, HashOfKey> callers_;
    std::int64_t changes_seen_ = 0;
    mutable std::atomic<bool> ended_late_ = false;
    struct Failures {
        int count = 0;
        Time last;
    };
    mutable std::unordered_map<std::uint64_t, Failures> failures_;
    // By token, or by session with the highest bit: when it was used last, and whether that is to be recorded.
    struct Use {
        Time at, told;
    };
    static constexpr std::uint64_t is_session = std::uint64_t(1) << 63;
    mutable std::unordered_map<std::uint64_t, Use> uses_;
    Time use_written_{};
};

template <class Input>
Result<runtime::Answer> AccountsCallers::decide(Route const& route, AccountId who, Input const& input) const {
    if (!parts_.host.ready()) return starting();
    std::promise<Result<runtime::Answer>> promise;
    auto answer = promise.get_future();
    Viewer const viewer{Str(fmt::format("u_{}", who.n)), true};
    auto bind = [&](codec::Type const&, void* out) -> Result<void> { return *static_cast<Input*>(out) = input, Result<void>(); };
    parts_.host.call(route, viewer, bind, [&promise](Result<runtime::Answer> told) { promise.set_value(std::move(told)); });
    return answer.get();
}

std::shared_ptr<auth::Caller const> AccountsCallers::caller_of(AccountId id, std::uint64_t token, std::vector<std::string> const& narrowed,
                                                               accounts::Traits traits) const {
    std::shared_ptr<auth::Caller const> fresh;
    {
        std::lock_guard lock(mutex_);
        if (callers_.size() >= callers_max) std::erase_if(callers_, [](auto const& known) { return known.second.caller.use_count() == 1; });
        auto& held = callers_[{id.n, token}];
        if (held.caller && held.version == traits.version && !held.caller->is_ended()) return held.caller;
        if (held.caller) held.caller->end();
        auth::CallerTraits made;
        made.name = fmt::format("{}", id.n), made.teams = std::move(traits.teams), made.sees_all = traits.sees_all;
        made.scopes = auth::Scopes::parse(traits.scopes).value_or(auth::Scopes());
        if (!narrowed.empty()) made.scopes = auth::Scopes::both(made.scopes, auth::Scopes::parse(narrowed).value_or(auth::Scopes()));
        held = {traits.version, fresh = std::make_shared<auth::Caller const>(std::move(made))};
    }
    // What changed between the look and here was seen by no end_changed() that knew of this one.
    if (look([&](State const& s) { return s.accounts[id.n - 1].version; }) != traits.version) fresh->end(), ended_late_ = true;
    return fresh;
}

Result<Identity> AccountsCallers::by_token(std::string_view token, Time now) const {
    auto const parts = auth::parse_token(token);
    if (!parts) return fail(401, "token_malformed", "The token is not one of this program: gnt_<id>_<secret>.");
    auto const number = number_of(parts->id, "t");
    if (number == 0 && !alone()) return of_file(parts_.file.by_token(token, now));
    if (!parts_.host.ready()) return starting();
    auto const digest = auth::digest_of(parts->secret);
    using Found = Result<std::pair<accounts::FoundToken, accounts::Traits>>;
    auto found = look([&](State const& s) -> Found {
        TRY_ASSIGN(auto token_found, accounts::find_token(s, number, digest, now));
        auto traits = accounts::traits_of(s, token_found.account);
        return std::pair(std::move(token_found), std::move(traits));
    });
    if (!found && found.error().code == "token_unknown" && !alone()) return of_file(parts_.file.by_token(token, now));
    if (!found) return std::unexpected(std::move(found.error()));
    auto& [known, traits] = *found;
    used(number, now);
    return Identity{caller_of(known.account, known.scopes.empty() ? 0 : number, known.scopes, std::move(traits)), std::string(parts->id),
                    known.until};
}

Result<Identity> AccountsCallers::by_name(std::string_view name, Time now) const {
    if (!parts_.host.ready()) return starting();
    using Found = Result<std::pair<AccountId, accounts::Traits>>;
    auto found = look([&](State const& s) -> Found {
        AccountId id{number_of(name, "")};
        if (!id) id = accounts::find_login(s, name, now).account;
        TRY_VOID(accounts::check_account(s, id));
        return std::pair(id, accounts::traits_of(s, id));
    });
    if (!found && found.error().code == "caller_unknown" && !alone()) return of_file(parts_.file.by_name(name, now));
    if (!found) return std::unexpected(std::move(found.error()));
    return Identity{caller_of(found->first, 0, {}, std::move(found->second)), {}, auth::never};
}

// Every failure costs the same: one hash, or two where someone's old password may be meant.
Result<AccountId> AccountsCallers::verified(std::string_view login, std::string_view password, std::string_view code, Time now) const {
    bool twice = false;
    auto const found = look([&](State const& s) {
        twice = s.totals[State::merged_passwords] > 0;
        return accounts::find_login(s, login, now);
    });
    auto matches = [&](std::string const& packed) {
        return auth::any_password_matches(packed.empty() ? dummy_ : auth::unpack_verifier(packed), password) && !packed.empty();
    };
    bool const right = matches(found.verifier) && !found.locked;
    if (!right) {
        bool const was = twice && matches(found.was_verifier) && !found.locked;
        if (was)
            return fail(401, "account_merged", fmt::format("This account was merged into u_{}: sign in as that one.", found.account.n));
        if (found.account) failed(found.account, now);
        return fail(401, "password_wrong", "The name or the password is wrong.");
    }
    TRY_VOID(look([&](State const& s) { return accounts::check_account(s, found.account); }));
    if (found.has_codes) {
        if (code.empty()) return fail(401, "code_missing", "A code of the authenticator, or a recovery code, goes with the password.");
        auto taken = decide(accounts::door().use_code, found.account, accounts::UseCode{found.account, Text<0, 40>(code.substr(0, 40))});
        if (!taken && taken.error().code == "code_wrong") failed(found.account, now);
        if (!taken) return std::unexpected(std::move(taken.error()));
    }
    succeeded(found.account);
    if (auth::wants_rehash(auth::unpack_verifier(found.verifier), cost_)) rehash(found, password);
    return found.account;
}

void AccountsCallers::rehash(accounts::FoundLogin const& found, std::string_view password) const {
    auto const made = auth::password_hash(password, parts_.random, cost_);
    if (!made) return;  // it is shorter than a new one may be: it stays as it is
    accounts::Rehash const input{found.account, Bytes{found.verifier}, Bytes{auth::pack_verifier(*made)}};
    if (auto done = decide(accounts::door().rehash, found.account, input); !done)
        observe::log_line(observe::Level::warning, "auth", "a password could not be hashed anew",
                          {{"account", found.account.n}, {"code", done.error().code}});
}

void AccountsCallers::failed(AccountId id, Time now) const {
    {
        std::lock_guard lock(mutex_);
        if (failures_.size() >= failures_max)
            std::erase_if(failures_, [&](auto const& f) { return f.second.last + failures_forgotten <= now; });
        if (failures_.size() >= failures_max) failures_.clear();
        auto& known = failures_[id.n];
        if (known.last + failures_forgotten <= now) known.count = 0;
        known.last = now;
        if (++known.count < failures_to_lock) return;
        known.count = 0;
    }
    accounts::Lock const input{id, failures_to_lock, now + lock_for};
    if (auto done = decide(accounts::door().lock, id, input); !done)
        observe::log_line(observe::Level::warning, "auth", "an account could not be locked",
                          {{"account", id.n}, {"code", done.error().code}});
}

void AccountsCallers::succeeded(AccountId id) const {
    std::lock_guard lock(mutex_);
    failures_.erase(id.n);
}

Result<Identity> AccountsCallers::by_password_and_code(std::string_view name, std::string_view password, std::string_view code,
                                                       Time now) const {
    if (!parts_.host.ready()) return starting();
    bool const ours = alone() || !parts_.file.by_name(name, now);
    if (!ours) return of_file(parts_.file.by_password(name, password, now));
    TRY_ASSIGN(auto const id, verified(name, password, code, now));
    return by_name(fmt::format("{}", id.n), now);
}

Result<Identity> AccountsCallers::by_passkey(std::string_view said, Time now) const {
    auto shown = codec::from_json<accounts::ShownPasskey>(said);
    if (!shown) return fail(401, "passkey_malformed", "what the browser made of the passkey can't be read");
    TRY_ASSIGN(auto const answer, decide(accounts::door().use_passkey, shown->id, *shown));
    TRY_ASSIGN(auto const holder, codec::from_json<accounts::PasskeyHolder>(answer.body));
    return by_name(fmt::format("{}", holder.id.n), now);
}

std::uint64_t AccountsCallers::generation() const {
    if (!parts_.host.ready()) return 0;
    auto const changes = look([](State const& s) { return s.totals[State::changes]; });
    return std::uint64_t(changes) * 1'000'003 + parts_.file.generation();
}

bool AccountsCallers::has_callers() const {
    if (alone() || had_callers_.load(std::memory_order_relaxed)) return true;
    bool const known = parts_.file.has_callers() || (parts_.host.ready() ? look([](State const& s) { return s.totals[State::enabled] > 0; })
                                                                         : parts_.host.log().status().durable > 0);
    if (known && parts_.host.ready()) had_callers_ = true;
    return known;
}

bool AccountsCallers::end_changed() {
    if (!parts_.host.ready()) return false;
    auto const changes = look([](State const& s) { return s.totals[State::changes]; });
    bool any = ended_late_.exchange(false);
    if (std::exchange(changes_seen_, changes) == changes) return any;
    std::vector<std::pair<Key, std::uint32_t>> known;
    {
        std::lock_guard lock(mutex_);
        for (auto const& [key, held] : callers_) known.emplace_back(key, held.version);
    }
    for (std::size_t from = 0; from < known.size(); from += looked_at_once) {
        auto const some = std::span(known).subspan(from, std::min(looked_at_once, known.size() - from));
        auto const changed = look([&](State const& s) {
            std::vector<Key> out;
            for (auto const& [key, version] : some)
                if (!s.has({key.account}) || s.accounts[key.account - 1].version != version) out.push_back(key);
            return out;
        });
        std::lock_guard lock(mutex_);
        for (auto const& key : changed) {
            auto const at = callers_.find(key);
            if (at == callers_.end()) continue;
            at->second.caller->end();
            callers_.erase(at);
            any = true;
        }
    }
    return any;
}

// --- sessions ------------------------------------------------------------------------------------------------------------------

Result<std::string> AccountsCallers::start(std::shared_ptr<auth::Caller const> caller, auth::IpAddress const& address,
                                           std::string_view device, Time now) {
    AccountId const id{number_of(caller->name(), "")};
    bool const ours = id && parts_.host.ready() && look([&](State const& s) { return s.has(id); });
    if (!ours) return parts_.memory.start(std::move(caller), address, device, now);
    std::array<std::uint8_t, accounts::session_secret_bytes> bytes;
    parts_.random.fill(bytes);
    std::string_view const secret{reinterpret_cast<char const*>(bytes.data()), bytes.size()};
    auto const from = fmt::format("{} {}", auth::format_address(address), auth::cut_device(device));
    accounts::StartSession const input{id, Bytes{auth::digest_of(secret)}, now + parts_.settings.session_max, Text<0, 300>(from)};
    TRY_ASSIGN(auto const answer, decide(accounts::door().start_session, id, input));
    TRY_ASSIGN(auto const started, codec::from_json<accounts::StartedSession>(answer.body));
    return accounts::session_id(started.session, secret);
}

Result<Identity> AccountsCallers::find(std::string_view id, auth::IpAddress const& address, Time now) {
    auto const parts = accounts::parse_session(id);
    if (!parts || !parts_.host.ready()) return parts_.host.ready() ? parts_.memory.find(id, address, now) : starting();
    using Found = Result<std::pair<accounts::FoundSession, accounts::Traits>>;
    auto found = look([&](State const& s) -> Found {
        TRY_ASSIGN(auto const session, accounts::find_session(s, parts->session, parts->digest, now));
        return std::pair(session, accounts::traits_of(s, session.account));
    });
    if (!found && found.error().code == "session_unknown") return parts_.memory.find(id, address, now);
    if (!found) return std::unexpected(std::move(found.error()));
    auto const key = parts->session.n | is_session;
    auto seen = found->first.seen_at;
    {
        std::lock_guard lock(mutex_);
        if (auto const at = uses_.find(key); at != uses_.end()) seen = std::max(seen, at->second.at);
    }
    if (seen + parts_.settings.session_idle <= now) return fail(401, "session_expired", "The session has expired: sign in again.");
    used(key, now);
    auto const until = std::min(found->first.ends_at, now + parts_.settings.session_idle);
    return Identity{caller_of(found->first.account, 0, {}, std::move(found->second)), fmt::format("se_{}", parts->session.n), until};
}

Result<void> AccountsCallers::end(std::string_view id, Time now) {
    auto const parts = parts_.host.ready() ? accounts::parse_session(id) : std::nullopt;
    auto const account = !parts ? AccountId{} : look([&](State const& s) {
        auto const found = accounts::find_session(s, parts->session, parts->digest, now);
        return found ? found->account : AccountId{};
    });
    if (!account) return parts_.memory.end(id, now);
    TRY_VOID(decide(accounts::door().end_sessions, account, accounts::EndSessions{account, {parts->session}}));
    return {};
}

Result<void> AccountsCallers::end_one(std::string_view caller_name, std::string_view handle, Time now) {
    AccountId const id{number_of(caller_name, "")};
    SessionId const session{number_of(handle, "se_")};
    if (!id || !session) return parts_.memory.end_one(caller_name, handle, now);
    TRY_VOID(decide(accounts::door().end_sessions, id, accounts::EndSessions{id, {session}}));
    return {};
}

Result<void> AccountsCallers::end_all(std::string_view caller_name, Time now, std::string_view but) {
    AccountId const id{number_of(caller_name, "")};
    if (!id) return parts_.memory.end_all(caller_name, now, but);
    auto const kept = accounts::parse_session(but);
    auto ended = look([&](State const& s) { return accounts::sessions_of(s, id); });
    if (kept) std::erase(ended, kept->session);
    TRY_VOID(decide(accounts::door().end_sessions, id, accounts::EndSessions{id, std::move(ended)}));
    return {};
}

std::vector<auth::SessionSeen> AccountsCallers::list(std::string_view caller_name, std::string_view current_id, Time now) const {
    AccountId const id{number_of(caller_name, "")};
    if (!id) return parts_.memory.list(caller_name, current_id, now);
    auto const current = accounts::parse_session(current_id);
    auto out = look([&](State const& s) {
        std::vector<auth::SessionSeen> seen;
        for (auto session : accounts::sessions_of(s, id)) {
            auto const& row = *s.sessions.find(session);
            auto const from = row.from.value.view();
            auto const blank = std::min(from.find(' '), from.size());
            seen.push_back({fmt::format("se_{}", session.n), row.started_at, row.seen_at, row.ends_at,
                            auth::parse_address(from.substr(0, blank)).value_or(auth::IpAddress{}),
                            std::string(from.substr(std::min(blank + 1, from.size()))), current && current->session == session});
        }
        return seen;
    });
    std::ranges::reverse(out);  // the newest first
    return out;
}

// --- what was used -------------------------------------------------------------------------------------------------------------

void AccountsCallers::used(std::uint64_t key, Time now) const {
    std::lock_guard lock(mutex_);
    if (uses_.size() >= used_max && !uses_.contains(key)) return;
    auto& use = uses_[key];
    use.at = std::max(use.at, now);
}

void AccountsCallers::keep_house() {
    auto const now = parts_.clock.wall();
    if (!parts_.host.ready() || use_written_ + use_written_every > now) return;
    use_written_ = now;
    accounts::Used input;
    {
        std::lock_guard lock(mutex_);
        std::erase_if(uses_,
                      [&](auto const& use) { return use.second.told >= use.second.at && use.second.at + Duration::hours(24) <= now; });
        for (auto& [key, use] : uses_) {
            if (use.at <= use.told || use.told + use_told_every > now) continue;
            use.told = now;
            if (key & is_session)
                input.sessions.push_back({key & ~is_session});
            else
                input.tokens.push_back({key});
        }
    }
    if (input.tokens.empty() && input.sessions.empty()) return;
    std::ranges::sort(input.tokens), std::ranges::sort(input.sessions);
    if (auto done = decide(accounts::door().note_use, AccountId{}, input); !done)
        observe::log_line(observe::Level::warning, "auth", "what was used could not be recorded", {{"code", done.error().code}});
}

std::string AccountsCallers::first_steps(std::string_view url) {
    bool const first = parts_.host.ready() && look([](State const& s) { return s.accounts.size() == 0; });
    if (!first || (!alone() && parts_.file.has_callers())) return {};
    return fmt::format("first account: {}/#/setup/{}", url, accounts::setup_proof(parts_.host.hash_key()));
}

}  // namespace

Result<void> check_source(std::string_view text) {
    if (text == "auto" || text == "file" || text == "accounts") return {};
    return fail(400, "source_unknown", fmt::format("expected auto, file or accounts, found \"{}\"", text));
}

std::unique_ptr<runtime::SiteCallers> make_accounts_callers(AccountsCallersParts parts) {
    return std::make_unique<AccountsCallers>(std::move(parts));
}

runtime::MakeSiteCallers accounts_callers(config::Config const& config) {
    auto const source = config.get<AuthSettings>("auth").source;
    bool const served = std::ranges::find(config.sections(), "accounts", &config::Section::name) != config.sections().end();
    if (source.view() == "file" || !served) return {};  // a program may have other services
    accounts::Settings settings;
    config.fill("accounts", codec::type_of<accounts::Settings>(), &settings);
    auto const which = source.view() == "accounts" ? CallersSource::accounts : CallersSource::automatic;
    return [settings, which](std::span<runtime::Host* const> hosts, auth::CallerDirectory const& file, auth::SessionBook& memory,
                             std::function<void()> hurry) -> std::unique_ptr<runtime::SiteCallers> {
        auto const host = std::ranges::find_if(hosts, [](runtime::Host* h) { return h->decl().name == accounts::Service::name; });
        if (host == hosts.end()) return {};
        return make_accounts_callers(
            {.host = **host, .file = file, .memory = memory, .settings = settings, .source = which, .hurry = std::move(hurry)});
    };
}

}  // namespace gantry::app
