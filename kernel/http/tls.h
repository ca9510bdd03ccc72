#pragma once
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/http/server.h"

// TLS as a filter of bytes: OpenSSL over memory buffers, so that plain and encrypted connections share one socket loop and one
// non-blocking write path. Inside kernel/http.
namespace gantry::http {

using TlsContext = std::shared_ptr<SSL_CTX>;
Result<TlsContext> load_tls(TlsFiles const& files);

class TlsFilter {
   public:
    explicit TlsFilter(TlsContext context);
    ~TlsFilter();
    enum class State : std::uint8_t { Handshake, Open, PeerClosed, Broken };
    // Takes bytes from the peer; appends what they decrypt to through read().
    State receive(std::string_view cipher);
    // Decrypts at most `room` bytes; 0: no more for now.
    std::size_t read(char* to, std::size_t room);
    void write(std::string_view plain);
    void close();
    // Moves what must go to the peer to the end of `cipher`.
    void drain(std::string& cipher);
    State state() const { return state_; }
    // Of the certificate that the peer showed and that was verified; none without one.
    std::vector<std::string> peer_names() const;

   private:
    void note(int code);
    TlsContext context_;
    SSL* ssl_;
    BIO* in_;
    BIO* out_;
    State state_ = State::Handshake;
};

}  // namespace gantry::http
