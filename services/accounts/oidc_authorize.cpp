#include "services/accounts/oidc_authorize.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "services/accounts/oidc_tokens.h"

namespace gantry::accounts {
namespace {

constexpr std::size_t request_bytes_max = 8192, nonce_characters_max = 500, grants_of_one_max = 20;
constexpr std::string_view ours = "gantry_";
constexpr Duration return_max = Duration::hours(1);

// The account that is signed in here, and since when.
struct SignedIn {
    AccountId id;
    SessionId session;
    Time since;
};

// By the cookie of a session alone: a token or a password that a program shows signs no browser in.
std::optional<SignedIn> signed_in(State const& s, AuthorizationRequest const& in, Ctx const& cx) {
    auto const shown = in.session ? parse_session(in.session->value) : std::nullopt;
    if (!shown) return {};
    auto const found = find_session(s, shown->session, shown->digest, cx.now);
    if (!found || cx.caller().view() != fmt::format("u_{}", found->account.n)) return {};  // the gate knows what was idle for too long
    return SignedIn{found->account, shown->session, found->started_at};
}

// --- what is asked --------------------------------------------------------------------------------------------------------------

struct Asked {
    ToolId tool;
    std::string redirect_uri, state;
};
struct Wish {
    std::string scope, challenge;
    std::optional<std::string> nonce;
    bool quietly = false, anew = false;   // prompt=none; prompt=login
    std::optional<std::int64_t> max_age;  // seconds
};

std::string text_of(Parameters const& parameters, std::string_view name) {
    auto const found = parameters.find(std::string(name));
    return found == parameters.end() ? std::string() : found->second;
}

// Until these two are known the browser is sent nowhere.
Result<Asked> known_client(State const& s, Parameters const& p) {
    auto const id = tool_named(text_of(p, "client_id"));
    auto const* tool = s.tools.find(id);
    if (!tool) return fail(400, "client_unknown", "The tool that sent you here isn't registered.");
    auto const uri = text_of(p, "redirect_uri");
    if (std::ranges::find(tool->redirect_uris, uri, [](Url const& u) { return u.view(); }) == tool->redirect_uris.end())
        return fail(400, "redirect_uri_unknown", "The tool that sent you here wants you back at an address that isn't registered for it.");
    return Asked{id, uri, text_of(p, "state")};
}

// A refusal that the client is told of: `code` is OAuth's own.
std::unexpected<Problem> refuse(std::string_view code, std::string_view why) { return fail(400, std::string(code), std::string(why)); }

bool is_challenge(std::string_view text) {
    return text.size() == 43 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
           });
}

Result<void> check_form(Parameters const& p) {
    if (text_of(p, "response_type") != "code") return refuse("unsupported_response_type", "response_type is code here");
    if (auto const mode = text_of(p, "response_mode"); !mode.empty() && mode != "query")
        return refuse("invalid_request", "response_mode is query here");
    if (!text_of(p, "request").empty()) return refuse("request_not_supported", "a request object isn't read here");
    if (!text_of(p, "request_uri").empty()) return refuse("request_uri_not_supported", "a request object isn't read here");
    if (!has_word(text_of(p, "scope"), "openid")) return refuse("invalid_scope", "the scope must have openid");
    auto const method = text_of(p, "code_challenge_method");
    if (text_of(p, "code_challenge").empty()) return refuse("invalid_request", "PKCE is asked for: a code_challenge with the method S256");
    if (method != "S256") return refuse("invalid_request", "code_challenge_method must be S256: plain, or none, is refused");
    if (!is_challenge(text_of(p, "code_challenge"))) return refuse("invalid_request", "code_challenge must be 43 characters of base64url");
    return {};
}

Result<Wish> wish_of(Parameters const& p) {
    TRY_VOID(check_form(p));
    Wish out{.challenge = text_of(p, "code_challenge")};
    for (std::string_view word : {"openid", "profile", "email", "groups", "offline_access"})  // others are passed over
        if (has_word(text_of(p, "scope"), word)) out.scope.append(out.scope.empty() ? "" : " ").append(word);
    if (auto const nonce = text_of(p, "nonce"); !nonce.empty()) {
        auto const scan = codec::scan_utf8(nonce);
        if (!scan.valid() || scan.has_nul || scan.characters > nonce_characters_max)
            return refuse("invalid_request", "nonce must be text of up to 500 characters");
        out.nonce = nonce;
    }
    auto const prompt = text_of(p, "prompt");
    out.quietly = has_word(prompt, "none");
    out.anew = has_word(prompt, "login") || has_word(prompt, "select_account");
    if (out.quietly && prompt != "none") return refuse("invalid_request", "prompt=none stands alone");
    if (auto const age = text_of(p, "max_age"); !age.empty()) {
        std::int64_t seconds = 0;
        auto const [end, error] = std::from_chars(age.data(), age.data() + age.size(), seconds);
        if (error != std::errc() || end != age.data() + age.size() || seconds < 0 || seconds > 1'000'000'000)
            return refuse("invalid_request", "max_age must be a number of seconds");
        out.max_age = seconds;
    }
    return out;
}

// --- to the console and back ----------------------------------------------------------------------------------------------------

std::string return_proof(std::string_view at, std::string_view query, Ctx const& cx) {
    return cx.proof_of("oidc return", fmt::format("{}\n{}", at, query));
}

// When the browser was sent to sign in; nothing: it wasn't.
Result<std::optional<Time>> sent_away(AuthorizationRequest const& in, Ctx const& cx) {
    if (in.returned.empty()) return std::nullopt;
    auto const dot = std::min(in.returned.find('.'), in.returned.size());
    auto const at = std::string_view(in.returned).substr(0, dot);
    Time time{};
    auto const [end, error] = std::from_chars(at.data(), at.data() + at.size(), time.us);
    bool const right = dot < in.returned.size() && error == std::errc() && end == at.data() + at.size() &&
                       codec::same_bytes(return_proof(at, in.query, cx), std::string_view(in.returned).substr(dot + 1));
    if (!right) return fail(400, "return_forged", "The way back from signing in was changed. Begin anew at the tool.");
    if (time + return_max <= cx.now) return fail(400, "return_expired", "Signing in took more than an hour. Begin anew at the tool.");
    return time;
}

ForeignReply to_sign_in(AuthorizationRequest const& in, bool anew, Ctx const& cx) {
    auto const at = std::to_string(cx.now.us);
    auto const query = fmt::format("{}&gantry_return={}.{}", in.query, at, return_proof(at, in.query, cx));
    auto reply = redirect("/", {});
    reply.headers.front().value = fmt::format("/#/signin/{}/{}", anew ? "anew" : "once", percent_encoded(query));
    return reply;
}

// Once more, by a page of ours, with the cookie that a browser keeps from other sites' pages.
ForeignReply by_own_page(AuthorizationRequest const& in) {
    auto const url = html_escaped("authorize?" + in.query + "&gantry_step=1" +
                                  (in.returned.empty() ? "" : "&gantry_return=" + percent_encoded(in.returned)));
    auto reply = page(200, "Signing in", fmt::format(R"(<p><a href="{}">Go on</a></p>)", url));
    reply.body.insert(reply.body.find("<title>"), fmt::format(R"(<meta http-equiv="refresh" content="0;url={}">)", url));
    return reply;
}

// --- the grant ------------------------------------------------------------------------------------------------------------------

std::vector<Event> make_room(State const& s, SessionId session, ToolId tool) {
    std::vector<GrantId> known;
    s.grants_of.ascend({session.n, 0}, [&](Own const& own) {
        if (own.account != session.n) return false;
        if (s.grants.find({own.number})->tool == tool) known.push_back({own.number});
        return true;
    });
    if (known.size() < grants_of_one_max) return {};
    return {GrantEnded{known.front(), GrantEnd::superseded}};
}

Emit<ForeignReply, Event> grant(State const& s, Asked const& asked, Wish const& wish, SignedIn const& who, Ctx const& cx) {
    auto const id = s.next_grant();
    Granted fact{.grant = id, .tool = asked.tool, .id = who.id, .session = who.session, .redirect_uri = Url(asked.redirect_uri)};
    fact.challenge = Text<1, 128>(wish.challenge), fact.scope = Text<1, 200>(wish.scope);
    if (wish.nonce) fact.nonce = Text<1, 500>(*wish.nonce);
    fact.salt = Text<1, 64>(cx.fresh("s") + cx.fresh("s")), fact.code_until = cx.now + code_lifetime;
    GrantRow const row{.tool = asked.tool, .account = who.id, .salt = fact.salt};
    Emit<ForeignReply, Event> out{make_room(s, who.session, asked.tool), {}};
    std::vector<std::pair<std::string_view, std::string>> answer{{"code", code_of(id, row, cx)}};
    if (!asked.state.empty()) answer.emplace_back("state", asked.state);
    answer.emplace_back("iss", issuer_of(cx));
    out.reply = redirect(asked.redirect_uri, answer);
    out.events.push_back(std::move(fact));
    return out;
}

Result<Emit<ForeignReply, Event>> decide(State const& s, AuthorizationRequest const& in, Asked const& asked, Ctx const& cx) {
    TRY_ASSIGN(auto const wish, wish_of(in.parameters));
    TRY_ASSIGN(auto const sent_at, sent_away(in, cx));
    auto const who = signed_in(s, in, cx);
    if (!who && !in.session && in.step.empty()) return Emit<ForeignReply, Event>{{}, by_own_page(in)};
    bool const old = who && ((wish.max_age && who->since + Duration::seconds(*wish.max_age) < cx.now) || wish.anew);
    bool const done = who && (!old || (sent_at && who->since >= *sent_at));
    if (!done && wish.quietly) return refuse("login_required", "nobody is signed in, or not lately enough");
    // Whom signing in didn't help, a caller without an account, sees the form, and isn't sent in circles.
    if (!done) return Emit<ForeignReply, Event>{{}, to_sign_in(in, old || sent_at, cx)};
    if (!may_use(s, *s.tools.find(asked.tool), who->id)) return refuse("access_denied", "this tool isn't for this person");
    return grant(s, asked, wish, *who, cx);
}

}  // namespace

Result<AuthorizationRequest> parse_authorization_request(ForeignRequest const& request) {
    if (request.verb == "HEAD") return fail(405, "method_not_allowed", "this path takes GET, POST");
    if (!request.header("Idempotency-Key").empty()) return fail(400, "invalid_request", "an answer with a code isn't kept to be repeated");
    bool const posted = request.verb == "POST";
    auto rest = posted ? request.body : request.query;
    if (rest.size() > request_bytes_max) return fail(400, "invalid_request", "the request is too long");
    // It goes on to other addresses as it is: a line break in a form's body would begin another header there.
    if (!std::ranges::all_of(rest, [](char c) { return c > ' ' && c < 0x7f; }))
        return fail(400, "invalid_request", "the request has characters that a form escapes");
    AuthorizationRequest out;
    out.own_page = !posted;
    TRY_ASSIGN(out.parameters, parameters_of(rest));
    out.step = take(out.parameters, "gantry_step").value_or(""), out.returned = take(out.parameters, "gantry_return").value_or("");
    while (!rest.empty()) {
        auto const part = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(part.size() + 1, rest.size()));
        if (!part.empty() && !part.starts_with(ours)) out.query.append(out.query.empty() ? "" : "&").append(part);
    }
    auto const over = request.scheme == "https" ? auth::CookieOver::secure : auth::CookieOver::plain;
    if (auto const id = auth::session_of_cookies(over, request.header("Cookie"))) out.session = Secret<std::string>{std::string(*id)};
    return out;
}

Result<Emit<ForeignReply, Event>> authorize(State const& s, AuthorizationRequest const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const asked, known_client(s, in.parameters));
    if (!in.own_page) return Emit<ForeignReply, Event>{{}, redirect("authorize?" + in.query, {})};
    auto decided = decide(s, in, asked, cx);
    if (decided || decided.error().code.starts_with("return_")) return decided;
    std::vector<std::pair<std::string_view, std::string>> answer{{"error", decided.error().code},
                                                                 {"error_description", decided.error().detail}};
    if (!asked.state.empty()) answer.emplace_back("state", asked.state);
    answer.emplace_back("iss", issuer_of(cx));
    return Emit<ForeignReply, Event>{{}, redirect(asked.redirect_uri, answer)};
}

}  // namespace gantry::accounts
