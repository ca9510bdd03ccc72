#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "app/doctor/check.h"

namespace gantry::app::doctor {
namespace {

constexpr char const* certificate = "certificate";
constexpr Duration soon = Duration::days(21);

template <auto release>
struct Release {
    void operator()(auto* p) const { release(p); }
};
using Bio = std::unique_ptr<BIO, Release<BIO_free>>;
using Cert = std::unique_ptr<X509, Release<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;

Bio bio_of(std::string const& text) { return Bio(BIO_new_mem_buf(text.data(), int(text.size()))); }

std::vector<Cert> chain_of(std::string const& text) {
    std::vector<Cert> out;
    auto const bio = bio_of(text);
    while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) out.emplace_back(one);
    ERR_clear_error();
    return out;
}

// A key under a password is none: nobody is there to type it.
Key key_of(std::string const& text) {
    auto const bio = bio_of(text);
    Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
    ERR_clear_error();
    return key;
}

std::string subject_of(X509* cert) {
    Bio const out(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(out.get(), X509_get_subject_name(cert), 0, XN_FLAG_ONELINE);
    char* text = nullptr;
    auto const size = BIO_get_mem_data(out.get(), &text);
    return {text, std::size_t(size)};
}

Time time_of(ASN1_TIME const* at) {
    std::tm civil{};
    ASN1_TIME_to_tm(at, &civil);
    return {1'000'000 * seconds_from_civil(civil.tm_year + 1900, unsigned(civil.tm_mon + 1), unsigned(civil.tm_mday), civil.tm_hour,
                                           civil.tm_min, civil.tm_sec)};
}

Check check_times(std::vector<Cert> const& chain, Time now) {
    Check worst = fine("certificate times", "");
    for (auto const& cert : chain) {
        auto const from = time_of(X509_get0_notBefore(cert.get())), until = time_of(X509_get0_notAfter(cert.get()));
        auto const who = subject_of(cert.get());
        if (now < from)
            return wrong("certificate times", fmt::format("{} is valid only from {}", who, format_time(from)), "set the clock, or wait");
        if (now >= until)
            return wrong("certificate times", fmt::format("{} expired {}", who, format_time(until)),
                         "put a new one in its place, then SIGHUP");
        if (until - now < soon)
            worst =
                warn("certificate times", fmt::format("{} expires {}", who, format_time(until)), "put a new one in its place, then SIGHUP");
        if (worst.found.empty()) worst.found = fmt::format("{} until {}", who, format_time(until));
    }
    return worst;
}

Check check_chain(std::vector<Cert> const& chain) {
    for (std::size_t i = 0; i + 1 < chain.size(); ++i)
        if (X509_check_issued(chain[i + 1].get(), chain[i].get()) != X509_V_OK)
            return wrong("certificate chain",
                         fmt::format("{} is not signed by what follows it, {}", subject_of(chain[i].get()), subject_of(chain[i + 1].get())),
                         "the server's own certificate goes first, each of the others signs the one before it");
    return fine("certificate chain", fmt::format("{} in order", chain.size()));
}

Check check_key_mode(std::string const& file) {
    struct stat about{};
    if (::stat(file.c_str(), &about) == 0 && (about.st_mode & S_IRWXO))
        return wrong("certificate key", fmt::format("everybody on this machine may use {} (mode {:04o})", file, about.st_mode & 07777),
                     "chmod o-rwx " + file);
    return fine("certificate key", file);
}

// The text of a file, or what to say of it.
std::string read(std::string const& file, std::vector<Check>& out) {
    auto text = text_of(file);
    if (!text.empty()) return text;
    struct stat about{};
    auto const why = ::stat(file.c_str(), &about) != 0 ? std::strerror(errno)
                     : S_ISDIR(about.st_mode)          ? "is a directory"
                                                       : "it is empty, or this user may not read it";
    out.push_back(wrong(certificate, fmt::format("{}: {}", file, why),
                        "name files of PEM with [http] tls_certificate and tls_key that this user may read"));
    return {};
}

}  // namespace

std::vector<Check> check_certificates(std::string const& certificate_file, std::string const& key_file, Time now) {
    if (certificate_file.empty() && key_file.empty()) return {fine(certificate, "none: plain HTTP")};
    if (certificate_file.empty() || key_file.empty())
        return {wrong(certificate, fmt::format("[http] {} is set alone", certificate_file.empty() ? "tls_key" : "tls_certificate"),
                      "set both")};
    std::vector<Check> out;
    auto const certificates = read(certificate_file, out), secret = read(key_file, out);
    if (!out.empty()) return out;
    auto const chain = chain_of(certificates);
    auto const key = key_of(secret);
    if (chain.empty())
        return {
            wrong(certificate, certificate_file + " holds no certificate in PEM", "put the server's certificate there, then its chain")};
    if (!key)
        return {wrong(certificate, key_file + " holds no key in PEM without a password",
                      "openssl pkey -in KEY -out KEY takes the password off")};
    bool const match = X509_check_private_key(chain[0].get(), key.get()) == 1;
    ERR_clear_error();
    if (!match)
        return {wrong(certificate, fmt::format("{} is not the key of {}", key_file, subject_of(chain[0].get())),
                      "name the key that the certificate was made with")};
    return {fine(certificate, fmt::format("{}, with its key", subject_of(chain[0].get()))), check_chain(chain), check_times(chain, now),
            check_key_mode(key_file)};
}

}  // namespace gantry::app::doctor
