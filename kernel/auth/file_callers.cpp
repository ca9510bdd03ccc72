#include "kernel/auth/file_callers.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernel/auth/callers_file.h"
#include "kernel/base/assert.h"
#include "kernel/base/hash.h"

namespace gantry::auth {
namespace {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return hash64(s); }
};
template <class V>
using ByText = std::unordered_map<std::string, V, TextHash, std::equal_to<>>;

CallerTraits traits_of(CallerRow const& row) {
    CallerTraits out;
    out.name = row.name, out.teams = row.teams, out.sees_all = row.sees_all;
    out.scopes = *Scopes::parse(row.scopes), out.addresses = *AddressList::parse(row.addresses);
    if (row.rate) out.limits.per_s = row.rate->per_s, out.limits.burst = row.rate->burst;
    out.limits.concurrent = row.concurrent.value_or(0);
    return out;
}

// Whether all that could be shown before can be shown still, and for as long.
bool lost_nothing(CallerRow const& before, CallerRow const& now) {
    return std::ranges::all_of(before.credentials, [&](CredentialRow const& old) {
        if (old.revoked_at) return true;
        return std::ranges::any_of(now.credentials, [&](CredentialRow const& c) {
            return c.id == old.id && c.kind == old.kind && c.hash == old.hash && c.certificate == old.certificate &&
                   c.expires_at == old.expires_at && c.revoked_at == old.revoked_at;
        });
    });
}

}  // namespace

struct FileCallers::Table {
    struct Entry {
        CallerRow row;
        std::shared_ptr<Caller const> caller;
    };
    struct Held {
        Entry const* entry;
        CredentialRow const* credential;
    };
    std::vector<Entry> entries;
    ByText<Held> tokens, certificates;
    ByText<Entry const*> names;
    std::string dummy_hash;
    std::size_t work_most = 0;  // of verifying all passwords of one caller: so much is done for anyone

    static Result<std::shared_ptr<Table const>> make(std::string_view text, Table const* before, Reloaded& counts);
    Entry const* find(std::string_view name) const {
        auto const at = names.find(name);
        return at == names.end() ? nullptr : at->second;
    }
    // Who shows a credential that is right.
    static Result<Identity> recognised(Held const& held, Time now, Problem const& expired, Problem const& revoked) {
        auto const& c = *held.credential;
        if (c.revoked_at && *c.revoked_at <= now) return fail(revoked);
        if (c.expires_at && *c.expires_at <= now) return fail(expired);
        if (held.entry->row.disabled) return fail(401, "caller_disabled", "The caller is disabled.");
        return Identity{held.entry->caller, c.id, std::min(c.expires_at.value_or(never), c.revoked_at.value_or(never))};
    }
    void index();
};

Result<std::shared_ptr<FileCallers::Table const>> FileCallers::Table::make(std::string_view text, Table const* before, Reloaded& counts) {
    TRY_ASSIGN(auto file, parse_callers(text));
    auto table = std::make_shared<Table>();
    for (auto& row : file.callers) {
        auto const* old = before ? before->find(row.name) : nullptr;
        auto traits = traits_of(row);
        std::shared_ptr<Caller const> caller;
        bool const same = old && old->caller->traits() == traits && old->row.disabled == row.disabled && lost_nothing(old->row, row);
        if (same)
            caller = old->caller, ++counts.kept;
        else
            caller = std::make_shared<Caller const>(std::move(traits), old ? old->caller->shared_limiter() : nullptr), ++counts.made;
        table->entries.push_back({std::move(row), std::move(caller)});
    }
    table->index();
    return table;
}

void FileCallers::Table::index() {
    std::string_view like;
    for (auto const& entry : entries) {
        names.emplace(entry.row.name, &entry);
        std::size_t work = 0;
        for (auto const& credential : entry.row.credentials) {
            if (credential.kind == CredentialKind::token) tokens.emplace(credential.id, Held{&entry, &credential});
            if (credential.kind == CredentialKind::password && !credential.revoked_at) {
                work += password_work(*credential.hash);
                if (password_work(*credential.hash) > password_work(like)) like = *credential.hash;
            }
            if (credential.kind != CredentialKind::certificate) continue;
            // A name may stand there revoked and given anew: the one that isn't revoked counts.
            auto [at, fresh] = certificates.emplace(*credential.certificate, Held{&entry, &credential});
            if (!fresh && at->second.credential->revoked_at) at->second = {&entry, &credential};
        }
        work_most = std::max(work_most, work);
    }
    dummy_hash = dummy_password_hash(like);
    work_most = std::max(work_most, password_work(dummy_hash));
}

FileCallers::FileCallers() = default;
FileCallers::~FileCallers() = default;

Result<std::unique_ptr<FileCallers>> FileCallers::make(std::string_view text) {
    std::unique_ptr<FileCallers> out(new FileCallers);
    Reloaded counts;
    TRY_ASSIGN(out->table_, Table::make(text, nullptr, counts));
    out->had_callers_ = !out->table_->entries.empty();
    return out;
}

Result<FileCallers::Reloaded> FileCallers::reload(std::string_view text) {
    Reloaded counts;
    auto const before = table();
    TRY_ASSIGN(auto after, Table::make(text, before.get(), counts));
    {
        std::lock_guard lock(mutex_);
        GANTRY_ASSERT(table_ == before, "one thread reloads");
        table_ = after;
    }
    if (!after->entries.empty()) had_callers_.store(true, std::memory_order_release);
    generation_.fetch_add(1, std::memory_order_acq_rel);
    for (auto const& old : before->entries) {
        auto const* now = after->find(old.row.name);
        if (now && now->caller == old.caller) continue;
        old.caller->end(), ++counts.ended;
    }
    return counts;
}

std::shared_ptr<FileCallers::Table const> FileCallers::table() const {
    std::lock_guard lock(mutex_);
    return table_;
}

bool FileCallers::has_callers() const { return had_callers_.load(std::memory_order_acquire); }

Result<Identity> FileCallers::by_token(std::string_view token, Time now) const {
    auto const parts = parse_token(token);
    if (!parts) return fail(401, "token_malformed", "The token is not one of this program: gnt_<id>_<secret>.");
    auto const known = table();
    auto const at = known->tokens.find(parts->id);
    // Nothing is said of a token whose secret isn't known: neither that its id exists, nor that it was revoked.
    static std::string const no_hash = "sha256:" + std::string(64, '0');
    bool const right = token_matches(at == known->tokens.end() ? no_hash : *at->second.credential->hash, parts->secret);
    if (!right || at == known->tokens.end()) return fail(401, "token_unknown", "The token is not known.");
    static Problem const expired{401, "token_expired", "The token has expired."};
    static Problem const revoked{401, "token_revoked", "The token was revoked."};
    return Table::recognised(at->second, now, expired, revoked);
}

Result<Identity> FileCallers::by_certificate(std::span<std::string_view const> names, Time now) const {
    auto const known = table();
    Table::Held const* found = nullptr;
    for (auto name : names) {
        auto const at = known->certificates.find(name);
        if (at == known->certificates.end()) continue;
        if (found && found->entry != at->second.entry)
            return fail(401, "certificate_ambiguous", "The certificate has names of more than one caller.");
        if (!found || !found->credential->is_active(now)) found = &at->second;
    }
    if (!found) return fail(401, "certificate_unknown", "No caller goes by a name of the certificate.");
    static Problem const expired{401, "certificate_expired", "The certificate's credential has expired."};
    static Problem const revoked{401, "certificate_revoked", "The certificate's credential was revoked."};
    return Table::recognised(*found, now, expired, revoked);
}

Result<Identity> FileCallers::by_name(std::string_view name, Time) const {
    auto const known = table();
    auto const* entry = known->find(name);
    if (!entry) return fail(401, "caller_unknown", "The caller is not known.");
    if (entry->row.disabled) return fail(401, "caller_disabled", "The caller is disabled.");
    return Identity{entry->caller, {}, never};
}

Result<Identity> FileCallers::by_password(std::string_view name, std::string_view password, Time now) const {
    auto const known = table();
    auto const* entry = known->find(name);
    std::size_t work = 0;
    CredentialRow const* right = nullptr;
    static std::vector<CredentialRow> const none;
    for (auto const& c : entry ? entry->row.credentials : none) {
        if (c.kind != CredentialKind::password || c.revoked_at) continue;
        work += password_work(*c.hash);
        if (password_matches(*c.hash, password) && (!right || !right->is_active(now))) right = &c;
    }
    // Anyone's wrong password costs what the caller with the most passwords costs.
    for (; work < known->work_most; work += password_work(known->dummy_hash)) (void)password_matches(known->dummy_hash, password);
    if (!right) return fail(401, "password_wrong", "The name or the password is wrong.");
    static Problem const expired{401, "password_expired", "The password has expired."};
    return Table::recognised({entry, right}, now, expired, expired);
}

}  // namespace gantry::auth
