#include "kernel/auth/callers_file.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "kernel/auth/address.h"
#include "kernel/auth/limiter.h"
#include "kernel/auth/names.h"
#include "kernel/auth/scopes.h"
#include "kernel/codec/json.h"
#include "kernel/codec/scalar.h"
#include "kernel/codec/utf8.h"

namespace gantry::auth {
namespace {

constexpr std::size_t faults_max = 20, label_bytes_max = 200;

bool is_label(std::string_view s) { return !s.empty() && s.size() <= label_bytes_max && codec::scan_utf8(s).valid(); }

// Holds a decoded file against what a descriptor can't say.
class Check {
   public:
    explicit Check(std::vector<Fault>& faults) : faults_(faults) {}
    void file(CallersFile const& file) {
        if (file.callers.size() > CallersFile::callers_max)
            fault("/callers", fmt::format("{} callers; {} are allowed", file.callers.size(), CallersFile::callers_max));
        for (std::size_t i = 0; i < file.callers.size() && faults_.size() < faults_max; ++i)
            caller(file.callers[i], fmt::format("/callers/{}", i));
    }

   private:
    void fault(std::string pointer, std::string detail) {
        if (faults_.size() < faults_max) faults_.push_back({std::move(pointer), std::move(detail)});
    }
    void nested(Problem const& problem, std::string const& at) {
        for (auto const& f : problem.faults) fault(at + f.pointer, f.detail);
    }
    void caller(CallerRow const& row, std::string const& at) {
        if (!is_caller_name(row.name))
            fault(at + "/name", fmt::format("expected {}, found {}", caller_name_rule, codec::detail::quoted(row.name)));
        else if (!names_.insert(row.name).second)
            fault(at + "/name", fmt::format("there is another caller {}", codec::detail::quoted(row.name)));
        if (auto r = Scopes::parse(row.scopes); !r) nested(r.error(), at + "/scopes");
        if (auto r = AddressList::parse(row.addresses); !r) nested(r.error(), at + "/addresses");
        teams(row.teams, at + "/teams");
        limits(row, at);
        credentials(row.credentials, at + "/credentials");
    }
    void teams(std::vector<std::string> const& teams, std::string const& at) {
        if (teams.size() > CallersFile::teams_max) fault(at, fmt::format("more than {} teams", CallersFile::teams_max));
        for (std::size_t i = 0; i < teams.size(); ++i)
            if (!is_label(teams[i])) fault(fmt::format("{}/{}", at, i), fmt::format("expected 1 to {} bytes of text", label_bytes_max));
    }
    void limits(CallerRow const& row, std::string const& at) {
        if (row.rate && !(row.rate->per_s >= RateLimits::per_s_min && row.rate->per_s <= RateLimits::per_s_max))
            fault(at + "/rate/per_s",
                  fmt::format("expected a number from {} to {}", RateLimits::per_s_min, std::int64_t(RateLimits::per_s_max)));
        if (row.rate && (row.rate->burst < 1 || row.rate->burst > RateLimits::burst_max))
            fault(at + "/rate/burst", fmt::format("expected an integer from 1 to {}", RateLimits::burst_max));
        if (row.concurrent && (*row.concurrent < 1 || *row.concurrent > RateLimits::concurrent_max))
            fault(at + "/concurrent", fmt::format("expected an integer from 1 to {}", RateLimits::concurrent_max));
    }
    void credentials(std::vector<CredentialRow> const& rows, std::string const& at) {
        std::size_t passwords = 0;
        if (rows.size() > CallersFile::credentials_max) fault(at, fmt::format("more than {} credentials", CallersFile::credentials_max));
        for (std::size_t i = 0; i < rows.size(); ++i) {
            credential(rows[i], fmt::format("{}/{}", at, i));
            passwords += rows[i].kind == CredentialKind::password && !rows[i].revoked_at;
        }
        // Each takes a tenth of a second to be held against a wrong one.
        if (passwords > CallersFile::passwords_max)
            fault(at, fmt::format("more than {} passwords that are not revoked", CallersFile::passwords_max));
    }
    void credential(CredentialRow const& row, std::string const& at) {
        if (!is_credential_id(row.id))
            fault(at + "/id", fmt::format("expected 1 to 32 characters of [0-9a-z], found {}", codec::detail::quoted(row.id)));
        else if (!ids_.insert(row.id).second)
            fault(at + "/id", fmt::format("there is another credential {}", codec::detail::quoted(row.id)));
        if (!row.kind) return fault(at + "/kind", "expected one of password, token, certificate, found nothing");
        bool const by_hash = *row.kind != CredentialKind::certificate;
        if (by_hash && row.certificate) fault(at + "/certificate", "a credential of another kind has no certificate");
        if (!by_hash && row.hash) fault(at + "/hash", "a certificate has no hash");
        // What stands there may be a secret by mistake: it isn't repeated.
        if (*row.kind == CredentialKind::token && !is_token_hash(row.hash.value_or("")))
            fault(at + "/hash", "expected \"sha256:\" and 64 hexadecimal digits, as gantry auth writes them");
        if (*row.kind == CredentialKind::password && !is_password_hash(row.hash.value_or("")))
            fault(at + "/hash", "expected a hash \"$argon2id$v=19$m=…,t=…,p=1$…$…\" of at most 1 GiB and 16 passes");
        if (!by_hash) certificate(row, at);
    }
    void certificate(CredentialRow const& row, std::string const& at) {
        if (!row.certificate || !is_label(*row.certificate))
            fault(at + "/certificate", fmt::format("expected the name in the certificate, 1 to {} bytes of text", label_bytes_max));
        else if (!row.revoked_at && !certificates_.insert(*row.certificate).second)
            fault(at + "/certificate", fmt::format("{} is given to another credential", codec::detail::quoted(*row.certificate)));
    }
    std::vector<Fault>& faults_;
    std::set<std::string> names_, ids_, certificates_;
};

Result<std::string> checked_text(CallersFile const& file) {
    std::vector<Fault> faults;
    Check(faults).file(file);
    if (!faults.empty()) {
        auto detail = faults.front().detail;
        return fail(Problem{400, "callers_invalid", std::move(detail), std::move(faults)});
    }
    return callers_text(file);
}

Result<CredentialRow> make(NewCredential const& from, std::string& secret, Time now, Random& random) {
    CredentialRow row;
    row.id = make_credential_id(random), row.kind = from.kind, row.created_at = now, row.expires_at = from.expires_at, row.note = from.note;
    switch (from.kind) {
        case CredentialKind::token: secret = make_token(row.id, random), row.hash = token_hash(secret); break;
        case CredentialKind::certificate: row.certificate = from.certificate; break;
        case CredentialKind::password: {
            TRY_ASSIGN(row.hash, password_hash(from.password, random, from.cost));
        }
    }
    return row;
}

struct Place {
    CallerRow* caller;
    CredentialRow* credential;
};

Result<Place> find_one(CallersFile& file, std::string_view what, Time now) {
    for (auto& caller : file.callers)
        for (auto& credential : caller.credentials)
            if (credential.id == what) return Place{&caller, &credential};
    auto* caller = file.find(what);
    if (!caller) return fail(404, "credential_not_found", fmt::format("There is no caller and no credential '{}'.", what));
    CredentialRow* found = nullptr;
    std::string ids;
    std::size_t active = 0;
    for (auto& credential : caller->credentials)
        if (credential.is_active(now)) ++active, found = &credential, ids += fmt::format("{}{}", ids.empty() ? "" : ", ", credential.id);
    if (active == 1) return Place{caller, found};
    if (active == 0) return fail(409, "credential_inactive", fmt::format("'{}' has no credential that is valid.", what));
    return fail(409, "credential_ambiguous", fmt::format("'{}' has several credentials, name one: {}", what, ids));
}

void apply(CallerChange const& change, CallerRow& row) {
    if (change.scopes) row.scopes = *change.scopes;
    if (change.teams) row.teams = *change.teams;
    if (change.addresses) row.addresses = *change.addresses;
    if (change.sees_all) row.sees_all = *change.sees_all;
    if (change.rate) row.rate = change.rate;
    if (change.concurrent) row.concurrent = change.concurrent;
}

}  // namespace

CallerRow* CallersFile::find(std::string_view name) {
    for (auto& row : callers)
        if (row.name == name) return &row;
    return nullptr;
}

Result<CallersFile> parse_callers(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == text.npos) return CallersFile{};
    auto file = codec::from_json<CallersFile>(text);
    if (!file) {
        auto problem = std::move(file.error());
        problem.code = "callers_invalid", problem.status = 400;
        return fail(std::move(problem));
    }
    TRY_VOID(checked_text(*file));
    return file;
}

std::string callers_text(CallersFile const& file) {
    auto text = codec::pretty_json(codec::to_json(file));
    if (!text.ends_with('\n')) text += '\n';
    return text;
}

Result<Edited> add_credential(std::string_view text, std::string_view name, CallerChange const& change, NewCredential const& credential,
                              Time now, Random& random) {
    TRY_ASSIGN(auto file, parse_callers(text));
    auto* row = file.find(name);
    if (!row) row = &file.callers.emplace_back(), row->name = name;
    apply(change, *row);
    Edited out{{}, std::string(name), {}, {}};
    TRY_ASSIGN(auto made, make(credential, out.secret, now, random));
    out.credentials.push_back(made.id);
    row->credentials.push_back(std::move(made));
    TRY_ASSIGN(out.text, checked_text(file));
    return out;
}

Result<CredentialKind> kind_to_rotate(std::string_view text, std::string_view what, Time now) {
    TRY_ASSIGN(auto file, parse_callers(text));
    TRY_ASSIGN(auto place, find_one(file, what, now));
    return *place.credential->kind;
}

Result<Edited> rotate_credential(std::string_view text, std::string_view what, NewCredential replacement, Duration overlap, Time now,
                                 Random& random) {
    TRY_ASSIGN(auto file, parse_callers(text));
    TRY_ASSIGN(auto place, find_one(file, what, now));
    if (!place.credential->is_active(now))
        return fail(409, "credential_inactive", fmt::format("Credential '{}' is no longer valid: add a new one.", place.credential->id));
    replacement.kind = *place.credential->kind;
    if (replacement.note.empty()) replacement.note = place.credential->note;
    Edited out{{}, place.caller->name, {}, {}};
    TRY_ASSIGN(auto made, make(replacement, out.secret, now, random));
    auto const ends = now + overlap;
    if (!place.credential->expires_at || *place.credential->expires_at > ends) place.credential->expires_at = ends;
    out.credentials = {made.id, place.credential->id};
    place.caller->credentials.push_back(std::move(made));
    TRY_ASSIGN(out.text, checked_text(file));
    return out;
}

Result<Edited> revoke_credential(std::string_view text, std::string_view what, Time now) {
    TRY_ASSIGN(auto file, parse_callers(text));
    Edited out;
    auto* named = file.find(what);
    for (auto& caller : file.callers)
        for (auto& credential : caller.credentials) {
            bool const meant = credential.id == what || (&caller == named && credential.is_active(now));
            if (!meant) continue;
            out.name = caller.name, out.credentials.push_back(credential.id);
            if (!credential.revoked_at || *credential.revoked_at > now) credential.revoked_at = now;
        }
    if (out.credentials.empty() && !named)
        return fail(404, "credential_not_found", fmt::format("There is no caller and no credential '{}'.", what));
    if (named && out.name.empty()) out.name = named->name;
    TRY_ASSIGN(out.text, checked_text(file));
    return out;
}

Result<Edited> remove_caller(std::string_view text, std::string_view name) {
    TRY_ASSIGN(auto file, parse_callers(text));
    if (!file.find(name)) return fail(404, "caller_not_found", fmt::format("There is no caller '{}'.", name));
    Edited out{{}, std::string(name), {}, {}};
    for (auto const& credential : file.find(name)->credentials) out.credentials.push_back(credential.id);
    std::erase_if(file.callers, [&](CallerRow const& row) { return row.name == name; });
    TRY_ASSIGN(out.text, checked_text(file));
    return out;
}

Result<Edited> set_caller_state(std::string_view text, std::string_view name, CallerState state) {
    TRY_ASSIGN(auto file, parse_callers(text));
    auto* row = file.find(name);
    if (!row) return fail(404, "caller_not_found", fmt::format("There is no caller '{}'.", name));
    row->disabled = state == CallerState::disabled;
    Edited out{{}, std::string(name), {}, {}};
    TRY_ASSIGN(out.text, checked_text(file));
    return out;
}

}  // namespace gantry::auth
