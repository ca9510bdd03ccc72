#include "kernel/http/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "kernel/base/assert.h"

namespace gantry::http {
namespace {

constexpr int gzip_window = 15 + 16;  // zlib's way to say "gzip framing"
constexpr std::size_t piece_bytes = 16 * 1024;
constexpr std::uint64_t ratio_free_bytes = 64 * 1024;

void set_input(z_stream& z, std::string_view in) {
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    z.avail_in = uInt(in.size());
}

// Runs `step` with room in `out` until it leaves room unused.
template <class Step>
void pump(z_stream& z, std::string& out, Step step) {
    for (bool more = true; more;) {
        std::size_t const before = out.size();
        out.resize(before + piece_bytes);
        z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        z.avail_out = uInt(piece_bytes);
        more = step();
        out.resize(before + piece_bytes - z.avail_out);
        if (z.avail_out > 0) more = false;
    }
}

struct Compressor {
    z_stream z{};
    Compressor() { GANTRY_ASSERT(deflateInit2(&z, 4, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) == Z_OK, "no memory for zlib"); }
    ~Compressor() { deflateEnd(&z); }
    void write(std::string_view in, int flush, std::string& out) {
        set_input(z, in);
        pump(z, out, [&] { return deflate(&z, flush), true; });
    }
};

}  // namespace

struct Inflater::Impl {
    z_stream z{};
    std::uint64_t limit = 0, received = 0, produced = 0;
    std::size_t ratio = 0;
    bool ended = false;
};

Inflater::Inflater(std::uint64_t limit_bytes, std::size_t ratio) : impl_(std::make_unique<Impl>()) {
    impl_->limit = limit_bytes, impl_->ratio = ratio;
    GANTRY_ASSERT(inflateInit2(&impl_->z, gzip_window) == Z_OK, "no memory for zlib");
}
Inflater::~Inflater() { inflateEnd(&impl_->z); }
bool Inflater::complete() const { return impl_->ended; }

Inflater::Outcome Inflater::write(std::string_view in, std::string& out) {
    auto& s = *impl_;
    set_input(s.z, in);
    s.received += in.size();
    while (s.z.avail_in > 0) {
        if (s.ended) inflateReset(&s.z), s.ended = false;
        int code = Z_OK;
        bool large = false;
        pump(s.z, out, [&] {
            code = inflate(&s.z, Z_NO_FLUSH);
            s.produced += piece_bytes - s.z.avail_out;
            large = s.produced > s.limit || (s.produced > ratio_free_bytes && s.produced > s.received * s.ratio);
            return code == Z_OK && !large;
        });
        if (large) return Outcome::TooLarge;
        if (code == Z_STREAM_END)
            s.ended = true;
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return Outcome::Malformed;
        else if (s.z.avail_in > 0 && code == Z_BUF_ERROR)
            return Outcome::Malformed;
    }
    return Outcome::Ok;
}

struct Deflater::Impl : Compressor {};

Deflater::Deflater() : impl_(std::make_unique<Impl>()) {}
Deflater::~Deflater() = default;
void Deflater::write(std::string_view in, Push push, std::string& out) {
    impl_->write(in, push == Push::Hold ? Z_NO_FLUSH : push == Push::Flush ? Z_SYNC_FLUSH : Z_FINISH, out);
}

void append_gzip(std::string& out, std::string_view in) {
    // A deflate state is 256 KiB: one a thread, not one a reply.
    thread_local Compressor kept;
    deflateReset(&kept.z);
    kept.write(in, Z_FINISH, out);
}

}  // namespace gantry::http
