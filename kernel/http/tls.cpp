#include "kernel/http/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "kernel/base/assert.h"

namespace gantry::http {
namespace {

std::string openssl_error() {
    char text[256] = "unknown";
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return text;
}

int select_http11(SSL*, unsigned char const** out, unsigned char* out_size, unsigned char const* in, unsigned in_size, void*) {
    static unsigned char const http11[] = "\x08http/1.1";
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_size, http11, 9, in, in_size) != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<TlsContext> load_tls(TlsFiles const& files) {
    TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    GANTRY_ASSERT(context, "no memory for TLS");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context.get(), select_http11, nullptr);
    ERR_clear_error();
    auto refuse = [](std::string_view what) {
        Problem problem{500, "tls_failed", std::string(what)};
        problem.cause = openssl_error();
        return fail(std::move(problem));
    };
    if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate_file.c_str()) != 1)
        return refuse("The TLS certificate can't be read.");
    if (SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return refuse("The TLS key can't be read, or does not belong to the certificate.");
    if (SSL_CTX_check_private_key(context.get()) != 1) return refuse("The TLS key does not belong to the certificate.");
    if (files.client_ca_file.empty()) return context;
    if (SSL_CTX_load_verify_locations(context.get(), files.client_ca_file.c_str(), nullptr) != 1)
        return refuse("The certificates that vouch for clients can't be read.");
    SSL_CTX_set_client_CA_list(context.get(), SSL_load_client_CA_file(files.client_ca_file.c_str()));
    // One that isn't good ends the handshake; none at all is no fault: there are other ways to say who one is.
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    static constexpr unsigned char session_context[] = "gantry";
    SSL_CTX_set_session_id_context(context.get(), session_context, sizeof session_context - 1);
    return context;
}

std::optional<Time> certificate_ends(std::string const& certificate_file) {
    std::unique_ptr<BIO, decltype(&BIO_free)> const file(BIO_new_file(certificate_file.c_str(), "r"), BIO_free);
    std::unique_ptr<X509, decltype(&X509_free)> const found(file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr,
                                                            X509_free);
    ERR_clear_error();
    std::tm ends{};
    if (!found || ASN1_TIME_to_tm(X509_get0_notAfter(found.get()), &ends) != 1) return {};
    return Time{std::int64_t(::timegm(&ends)) * 1'000'000};
}

TlsFilter::TlsFilter(TlsContext context)
    : context_(std::move(context)), ssl_(SSL_new(context_.get())), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
    GANTRY_ASSERT(ssl_ && in_ && out_, "no memory for TLS");
    SSL_set_bio(ssl_, in_, out_);
    SSL_set_accept_state(ssl_);
}
TlsFilter::~TlsFilter() { SSL_free(ssl_); }

void TlsFilter::note(int code) {
    int const error = SSL_get_error(ssl_, code);
    if (error == SSL_ERROR_ZERO_RETURN)
        state_ = State::PeerClosed;
    else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        state_ = State::Broken;
    ERR_clear_error();
}

TlsFilter::State TlsFilter::receive(std::string_view cipher) {
    ERR_clear_error();
    BIO_write(in_, cipher.data(), int(cipher.size()));
    if (state_ == State::Handshake) {
        int const code = SSL_do_handshake(ssl_);
        if (code == 1)
            state_ = State::Open;
        else
            note(code);
    }
    return state_;
}

std::size_t TlsFilter::read(char* to, std::size_t room) {
    if (state_ != State::Open) return 0;
    ERR_clear_error();
    int const n = SSL_read(ssl_, to, int(room));
    if (n > 0) return std::size_t(n);
    note(n);
    return 0;
}

namespace {
std::string text_of(ASN1_STRING const* from) {
    unsigned char* utf8 = nullptr;
    int const size = ASN1_STRING_to_UTF8(&utf8, from);
    if (size < 0) return {};
    std::string text(reinterpret_cast<char const*>(utf8), std::size_t(size));
    OPENSSL_free(utf8);
    return text.find('\0') == text.npos ? text : std::string();  // a name with a NUL would be read in two ways
}
}  // namespace

std::vector<std::string> TlsFilter::peer_names() const {
    std::vector<std::string> names;
    std::unique_ptr<X509, decltype(&X509_free)> const shown(SSL_get1_peer_certificate(ssl_), X509_free);
    if (!shown || SSL_get_verify_result(ssl_) != X509_V_OK) return names;
    auto add = [&](std::string name) {
        if (!name.empty()) names.push_back(std::move(name));
    };
    auto* subject = X509_get_subject_name(shown.get());
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        add(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
    std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> const others(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(shown.get(), NID_subject_alt_name, nullptr, nullptr)), GENERAL_NAMES_free);
    for (int i = 0; others && i < sk_GENERAL_NAME_num(others.get()); ++i) {
        auto const* name = sk_GENERAL_NAME_value(others.get(), i);
        if (name->type == GEN_DNS || name->type == GEN_URI || name->type == GEN_EMAIL) add(text_of(name->d.ia5));
    }
    return names;
}

void TlsFilter::write(std::string_view plain) {
    if (state_ != State::Open && state_ != State::PeerClosed) return;
    ERR_clear_error();
    int const n = plain.empty() ? 1 : SSL_write(ssl_, plain.data(), int(plain.size()));
    if (n <= 0) note(n);
}

void TlsFilter::close() {
    ERR_clear_error();
    if (state_ == State::Open || state_ == State::PeerClosed) SSL_shutdown(ssl_);
    ERR_clear_error();
}

void TlsFilter::drain(std::string& cipher) {
    for (std::size_t pending; (pending = BIO_ctrl_pending(out_)) > 0;) {
        std::size_t const before = cipher.size();
        cipher.resize(before + pending);
        BIO_read(out_, cipher.data() + before, int(pending));
    }
}

}  // namespace gantry::http
