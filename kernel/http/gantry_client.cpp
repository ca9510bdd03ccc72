#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "kernel/http/gantry/client.h"

// The public client over libcurl. It needs std and libcurl alone, so that it can be installed without the rest.
namespace gantry::client {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t async_threads_max = 4;
constexpr std::int64_t timeout_header_ms_max = 86'400'000;

bool same_name(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string const* find(Headers const& headers, std::string_view name) {
    for (auto const& h : headers)
        if (same_name(h.first, name)) return &h.second;
    return nullptr;
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

// The string member `name` of a problem document; its few escapes are undone.
std::string json_member(std::string_view json, std::string_view name) {
    std::size_t at = json.find("\"" + std::string(name) + "\"");
    if (at == json.npos) return {};
    at = json.find_first_not_of(" \t\r\n:", at + name.size() + 2);
    if (at == json.npos || json[at] != '"') return {};
    std::string value;
    for (++at; at < json.size() && json[at] != '"'; ++at) {
        if (json[at] == '\\' && at + 1 < json.size()) ++at;
        value += json[at];
    }
    return value;
}

struct Transfer {
    Request const* request = nullptr;
    Reply reply;
    std::size_t body_limit = 0;
    std::atomic<bool> const* aborted = nullptr;
    bool download_started = false, too_large = false, refused = false;

    std::size_t head_line(std::string_view line) {
        while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
        if (line.starts_with("HTTP/")) {
            reply.headers.clear();
            std::size_t const space = line.find(' ');
            reply.status = space == line.npos ? 0 : std::atoi(line.data() + space + 1);
        } else if (std::size_t const colon = line.find(':'); colon != line.npos) {
            std::string_view value = line.substr(colon + 1);
            while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
            reply.headers.emplace_back(line.substr(0, colon), value);
        }
        return 0;
    }
    bool data(std::string_view bytes) {
        if (request->download && reply.status / 100 == 2) {
            download_started = true;
            return !(refused = !request->download(bytes));
        }
        if (reply.body.size() + bytes.size() > body_limit) return !(too_large = true);
        reply.body.append(bytes);
        return true;
    }
};

std::size_t on_head(char* p, std::size_t, std::size_t n, void* t) { return static_cast<Transfer*>(t)->head_line({p, n}), n; }
std::size_t on_data(char* p, std::size_t, std::size_t n, void* t) { return static_cast<Transfer*>(t)->data({p, n}) ? n : 0; }
std::size_t on_upload(char* p, std::size_t, std::size_t n, void* t) {
    auto const filled = static_cast<Transfer*>(t)->request->upload(p, n);
    return filled == upload_failed ? CURL_READFUNC_ABORT : filled;
}
int on_progress(void* t, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return static_cast<Transfer*>(t)->aborted->load() ? 1 : 0; }

std::string_view code_of(CURLcode code, Transfer const& t) {
    if (t.too_large) return "body_too_large";
    if (t.refused) return "aborted";
    switch (code) {
        case CURLE_COULDNT_CONNECT:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY: return "connect_failed";
        case CURLE_OPERATION_TIMEDOUT: return "timeout";
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_CACERT_BADFILE: return "tls_failed";
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL: return "invalid_request";
        case CURLE_ABORTED_BY_CALLBACK: return "aborted";
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR: return "io_error";
        default: return "protocol_error";
    }
}

void set_reply_error(Reply& reply) {
    if (reply.status < 400) return;
    Error error{"http_" + std::to_string(reply.status), {}};
    if (reply.header("Content-Type").starts_with("application/problem+json")) {
        if (auto code = json_member(reply.body, "code"); !code.empty()) error.code = std::move(code);
        error.detail = json_member(reply.body, "detail");
    }
    reply.error = std::move(error);
}

void global_init() {
    static bool const once = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    (void)once;
}

}  // namespace

std::string_view Reply::header(std::string_view name) const {
    auto const* value = find(headers, name);
    return value ? std::string_view(*value) : std::string_view{};
}

struct Session::Impl {
    std::string base;
    Options options;
    std::mutex mutex;
    std::condition_variable changed;
    Headers headers;                                                   // guarded by mutex
    std::vector<CURL*> idle;                                           // guarded by mutex; each keeps its connections
    std::deque<std::pair<Request, std::function<void(Reply)>>> queue;  // guarded by mutex
    std::vector<std::thread> workers;                                  // guarded by mutex
    std::size_t workers_idle = 0;                                      // guarded by mutex
    std::atomic<bool> aborted{false};

    ~Impl() {
        for (auto* easy : idle) curl_easy_cleanup(easy);
    }
    CURL* borrow() {
        std::lock_guard lock(mutex);
        if (idle.empty()) return curl_easy_init();
        CURL* easy = idle.back();
        idle.pop_back();
        return easy;
    }
    void give_back(CURL* easy) {
        curl_easy_reset(easy);
        std::lock_guard lock(mutex);
        idle.push_back(easy);
    }
    Headers all_headers(Request const& request) {
        std::lock_guard lock(mutex);
        Headers all = request.headers;
        for (auto const& h : headers)
            if (!find(request.headers, h.first)) all.push_back(h);
        return all;
    }
    std::string url_of(Request const& request) const {
        if (request.target.starts_with("http://") || request.target.starts_with("https://")) return request.target;
        return request.target.starts_with('/') ? base + request.target : base + "/" + request.target;
    }
    Reply send(Request const& request);
    CURLcode try_once(Transfer& transfer, std::string const& url, Headers const& all, std::int64_t limit_ms, std::string& detail);
    void set_method(CURL* easy, Transfer& transfer);
    std::int64_t wait_before_retry_ms(Reply const& last, int tries);
    void work();
};

void Session::Impl::set_method(CURL* easy, Transfer& transfer) {
    Request const& request = *transfer.request;
    if (request.upload) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    } else if (request.method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.size()));
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
        }
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
}

CURLcode Session::Impl::try_once(Transfer& transfer, std::string const& url, Headers const& all, std::int64_t limit_ms,
                                 std::string& detail) {
    CURL* easy = borrow();
    if (!easy) return CURLE_FAILED_INIT;
    char reason[CURL_ERROR_SIZE] = "";
    // curl would add these two by itself.
    curl_slist* list = curl_slist_append(nullptr, "Expect:");
    if (!find(all, "Content-Type")) list = curl_slist_append(list, "Content-Type:");
    for (auto const& [name, value] : all) list = curl_slist_append(list, (value.empty() ? name + ";" : name + ": " + value).c_str());
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, options.follow_redirects ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, long(options.connect_timeout_ms));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, long(limit_ms));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &transfer);
    if (options.gzip) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (!options.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    if (!options.unix_socket.empty()) curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options.unix_socket.c_str());
    set_method(easy, transfer);
    CURLcode const code = curl_easy_perform(easy);
    if (code != CURLE_OK) detail = *reason ? reason : curl_easy_strerror(code);
    curl_slist_free_all(list);
    give_back(easy);
    return code;
}

std::int64_t Session::Impl::wait_before_retry_ms(Reply const& last, int tries) {
    thread_local std::minstd_rand random{std::random_device{}()};
    if (auto const after = last.header("Retry-After");
        !after.empty() && after.find_first_not_of("0123456789") == after.npos && after.size() < 7)
        return std::stoll(std::string(after)) * 1000;
    std::int64_t const longest = std::min(options.retry_longest_wait_ms, options.retry_first_wait_ms << std::min(tries - 1, 20));
    return longest / 2 + std::uniform_int_distribution<std::int64_t>(0, std::max<std::int64_t>(longest / 2, 1))(random);
}

Reply Session::Impl::send(Request const& request) {
    Headers all = all_headers(request);
    auto const given = all.size();
    bool const tells_timeout = !find(all, "Gantry-Timeout");
    Reply refused;
    bool bad = has_control(request.method) || request.method.empty() || has_control(request.target) ||
               request.target.find(' ') != std::string::npos;
    for (auto const& h : all)
        bad |= h.first.empty() || has_control(h.first) || has_control(h.second) || h.first.find_first_of(": ;") != std::string::npos;
    if (bad) return refused.error = Error{"invalid_request", "The method, target or a header holds characters that it can't."}, refused;
    bool const safe = request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS" || find(all, "Idempotency-Key");
    std::int64_t const total_ms = request.total_timeout_ms >= 0 ? request.total_timeout_ms : options.total_timeout_ms;
    auto const start = SteadyClock::now();
    auto left_ms = [&] { return total_ms - std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start).count(); };
    std::string const url = url_of(request);
    for (int tries = 1;; ++tries) {
        Transfer transfer{.request = &request, .body_limit = options.body_limit_bytes, .aborted = &aborted};
        std::string detail;
        std::int64_t const try_ms = total_ms > 0 ? std::max<std::int64_t>(left_ms(), 1) : 0;
        if (tells_timeout && try_ms > 0 && try_ms <= timeout_header_ms_max)
            all.resize(given), all.emplace_back("Gantry-Timeout", std::to_string(try_ms));
        CURLcode const code = try_once(transfer, url, all, try_ms, detail);
        Reply reply = std::move(transfer.reply);
        reply.tries = tries;
        if (code == CURLE_OK) {
            set_reply_error(reply);
        } else {
            reply.error = Error{std::string(code_of(code, transfer)), std::move(detail)};
            if (!transfer.too_large && !transfer.refused) reply.status = 0;
        }
        bool const transient = code == CURLE_OK
                                   ? reply.status == 429 || reply.status == 502 || reply.status == 503 || reply.status == 504
                                   : reply.error->code == "connect_failed" || reply.error->code == "timeout" ||
                                         reply.error->code == "io_error" || code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE;
        if (!transient || !safe || request.upload || transfer.download_started || tries > options.retries) return reply;
        std::int64_t const wait_ms = wait_before_retry_ms(reply, tries);
        if (total_ms > 0 && wait_ms >= left_ms()) return reply;
        std::unique_lock lock(mutex);
        if (changed.wait_for(lock, std::chrono::milliseconds(wait_ms), [&] { return aborted.load(); })) return reply;
    }
}

void Session::Impl::work() {
    std::unique_lock lock(mutex);
    for (;;) {
        ++workers_idle;
        changed.wait(lock, [&] { return aborted || !queue.empty(); });
        --workers_idle;
        if (queue.empty()) return;
        auto [request, done] = std::move(queue.front());
        queue.pop_front();
        lock.unlock();
        Reply stopped;
        stopped.error = Error{"aborted", "The session has ended."};
        done(aborted ? std::move(stopped) : send(request));
        lock.lock();
    }
}

Session::Session(std::string base_url, Options options) : impl_(std::make_unique<Impl>()) {
    global_init();
    while (base_url.ends_with('/')) base_url.pop_back();
    impl_->base = std::move(base_url), impl_->options = std::move(options);
}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&& other) noexcept {
    std::swap(impl_, other.impl_);
    return *this;
}
Session::~Session() {
    if (!impl_) return;
    {
        std::lock_guard lock(impl_->mutex);
        impl_->aborted = true;
    }
    impl_->changed.notify_all();
    for (auto& worker : impl_->workers) worker.join();
}

void Session::set_header(std::string name, std::string value) {
    std::lock_guard lock(impl_->mutex);
    std::erase_if(impl_->headers, [&](auto const& h) { return same_name(h.first, name); });
    if (!value.empty()) impl_->headers.emplace_back(std::move(name), std::move(value));
}
void Session::set_bearer(std::string token) { set_header("Authorization", "Bearer " + token); }
void Session::set_basic(std::string user, std::string password) {
    static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string const plain = user + ":" + password;
    std::string text;
    for (std::size_t i = 0; i < plain.size(); i += 3) {
        auto byte = [&](std::size_t k) { return k < plain.size() ? unsigned(static_cast<unsigned char>(plain[k])) : 0u; };
        unsigned const three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        for (int k = 0; k < 4; ++k) text += i + std::size_t(k) <= plain.size() ? alphabet[three >> (18 - 6 * k) & 63] : '=';
    }
    set_header("Authorization", "Basic " + text);
}

static Request with_body(char const* method, std::string target, std::string body, std::string content_type) {
    Request request{.method = method, .target = std::move(target)};
    request.headers.emplace_back("Content-Type", std::move(content_type));
    request.body = std::move(body);
    return request;
}
Reply Session::get(std::string target) { return send({.target = std::move(target)}); }
Reply Session::post(std::string t, std::string b, std::string type) {
    return send(with_body("POST", std::move(t), std::move(b), std::move(type)));
}
Reply Session::put(std::string t, std::string b, std::string type) {
    return send(with_body("PUT", std::move(t), std::move(b), std::move(type)));
}
Reply Session::patch(std::string t, std::string b, std::string type) {
    return send(with_body("PATCH", std::move(t), std::move(b), std::move(type)));
}
Reply Session::del(std::string target) { return send({.method = "DELETE", .target = std::move(target)}); }
Reply Session::send(Request request) { return impl_->send(request); }

void Session::send_async(Request request, std::function<void(Reply)> done) {
    {
        std::lock_guard lock(impl_->mutex);
        impl_->queue.emplace_back(std::move(request), std::move(done));
        if (impl_->workers_idle < impl_->queue.size() && impl_->workers.size() < async_threads_max)
            impl_->workers.emplace_back([impl = impl_.get()] { impl->work(); });
    }
    impl_->changed.notify_all();
}

}  // namespace gantry::client
