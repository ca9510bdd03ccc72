#include "kernel/log/file/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "kernel/base/crc32c.h"
#include "kernel/base/hash.h"
#include "kernel/base/varint.h"

namespace gantry::log {
namespace {

constexpr std::string_view magic = "GANTRYLG";
constexpr std::size_t fixed_bytes = 88;
constexpr std::uint64_t header_bytes_max = 256u << 20;

std::uint32_t load_crc(char const* p) { return ByteReader({p, 4}).fixed<std::uint32_t>(); }

// Whole sectors.
std::uint64_t header_size(std::uint64_t schema_bytes) {
    return (fixed_bytes + schema_bytes + sector_bytes - 1) / sector_bytes * sector_bytes;
}

bool parse_number(std::string_view digits, std::uint64_t& out) {
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc() && end == digits.data() + digits.size();
}

}  // namespace

std::string encode_header(SegmentHeader& h) {
    h.header_bytes = std::uint32_t(header_size(h.schemas.size()));
    std::string out(magic);
    put_fixed(out, h.version), put_fixed(out, h.header_bytes);
    put_fixed(out, h.number), put_fixed(out, h.first), put_fixed(out, h.incarnation), put_fixed(out, h.base_chain);
    put_fixed(out, h.base_time.us), put_fixed(out, h.base_epoch), put_fixed(out, h.created.us), put_fixed(out, h.salt);
    put_fixed(out, std::uint32_t(h.schemas.size())), put_fixed(out, crc32c(h.schemas));
    put_fixed(out, crc32c(out));
    out += h.schemas;
    out.resize(h.header_bytes, '\0');
    return out;
}

Result<std::uint32_t> read_version(File& file, std::string const& path) {
    char bytes[12];
    TRY_ASSIGN(auto size, file.read(0, bytes));
    if (size < sizeof bytes || std::memcmp(bytes, magic.data(), magic.size()) != 0) return fail(damaged({path, 0, 0, "no segment header"}));
    return ByteReader({bytes + magic.size(), 4}).fixed<std::uint32_t>();
}

Result<SegmentHeader> read_header(File& file, std::string const& path, std::uint32_t version) {
    auto bad = [&](std::uint64_t offset, char const* what) { return fail(damaged({path, offset, 0, what})); };
    char bytes[fixed_bytes];
    TRY_ASSIGN(auto size, file.read(0, bytes));
    if (size < fixed_bytes || std::memcmp(bytes, magic.data(), magic.size()) != 0) return bad(0, "no segment header");
    ByteReader in({bytes + magic.size(), fixed_bytes - magic.size()});
    SegmentHeader h;
    h.version = in.fixed<std::uint32_t>(), h.header_bytes = in.fixed<std::uint32_t>();
    bool whole = crc32c(bytes, fixed_bytes - 4) == load_crc(bytes + fixed_bytes - 4);
    if (!whole) return bad(0, "the segment header's checksum is wrong");
    if (h.version != version) {
        Problem p{500, "log_format", fmt::format("The log has format version {}, this program reads {}.", h.version, format_version)};
        p.cause = fmt::format("{}: {}", path, h.version < format_version ? "run `gantry log upgrade`" : "run a newer release");
        return fail(std::move(p));
    }
    h.number = in.fixed<std::uint64_t>(), h.first = in.fixed<std::uint64_t>();
    h.incarnation = in.fixed<std::uint64_t>(), h.base_chain = in.fixed<std::uint64_t>();
    h.base_time.us = in.fixed<std::int64_t>(), h.base_epoch = in.fixed<std::uint64_t>(), h.created.us = in.fixed<std::int64_t>();
    h.salt = in.fixed<std::uint32_t>();
    auto schema_bytes = in.fixed<std::uint32_t>();
    auto schema_crc = in.fixed<std::uint32_t>();
    if (schema_bytes > header_bytes_max || h.header_bytes != header_size(schema_bytes)) return bad(0, "the segment header is malformed");
    TRY_ASSIGN(auto file_bytes, file.size());
    if (file_bytes < fixed_bytes + schema_bytes) return bad(fixed_bytes, "the segment's schemas are cut off");
    h.schemas.resize(schema_bytes);
    TRY_ASSIGN(size, file.read(fixed_bytes, h.schemas));
    if (size < schema_bytes || crc32c(h.schemas) != schema_crc) return bad(fixed_bytes, "the checksum of the segment's schemas is wrong");
    return h;
}

std::string segment_name(Position first, std::uint64_t number) { return fmt::format("{:020}-{:08}.log", first, number); }

std::optional<SegmentName> parse_segment_name(std::string_view name) {
    if (!name.ends_with(".log")) return std::nullopt;
    name.remove_suffix(4);
    SegmentName n{};
    if (name.size() < 29 || name[20] != '-') return std::nullopt;
    if (!parse_number(name.substr(0, 20), n.first) || !parse_number(name.substr(21), n.number)) return std::nullopt;
    return n;
}

Problem damaged(Damage const& d) {
    Problem p{500, "log_damaged", "The log is damaged."};
    p.cause = fmt::format(
        "{} at offset {}, position {}: {}; see what is lost with `gantry log verify`, then `gantry log repair` or restore a backup", d.file,
        d.offset, d.position, d.what);
    return p;
}

Chained base_of(SegmentHeader const& h) { return {h.first, h.base_chain, h.base_time, h.base_epoch}; }

SegmentWalk::SegmentWalk(File& file, SegmentHeader const& header, std::string path, std::uint64_t offset, std::uint64_t limit, Chained from,
                         Check check, std::size_t chunk_bytes)
    : file_(file),
      header_(header),
      path_(std::move(path)),
      at_(offset),
      limit_(limit),
      reached_(from),
      check_(check),
      chunk_bytes_(chunk_bytes),
      schemas_id_(hash64(header.schemas)) {}

Result<bool> SegmentWalk::have(std::uint64_t bytes) {
    if (at_ >= buffer_offset_ && at_ + bytes <= buffer_offset_ + filled_) [[likely]]
        return true;
    if (at_ + bytes > limit_) return false;
    std::size_t keep = at_ >= buffer_offset_ && at_ < buffer_offset_ + filled_ ? std::size_t(buffer_offset_ + filled_ - at_) : 0;
    auto wanted = std::size_t(std::min<std::uint64_t>(std::max<std::uint64_t>(chunk_bytes_, bytes), limit_ - at_));
    if (wanted > capacity_) {
        auto larger = std::make_unique_for_overwrite<char[]>(wanted);
        if (keep) std::memcpy(larger.get(), buffer_.get() + (at_ - buffer_offset_), keep);
        buffer_ = std::move(larger), capacity_ = wanted;
    } else if (keep) {
        std::memmove(buffer_.get(), buffer_.get() + (at_ - buffer_offset_), keep);
    }
    buffer_offset_ = at_, filled_ = keep;
    auto end = std::min<std::uint64_t>(at_ + wanted, limit_);
    TRY_ASSIGN(auto n, file_.read(at_ + keep, std::span(buffer_.get() + keep, std::size_t(end - at_) - keep)));
    filled_ += n;
    return bytes <= filled_;
}

char const* SegmentWalk::out_of_line() const {
    if (stored_.first != reached_.next) return "the batch doesn't continue the positions before it";
    if (stored_.incarnation != header_.incarnation) return "the batch belongs to another incarnation";
    if (stored_.time < reached_.time || stored_.epoch < reached_.epoch) return "the batch is older than the one before it";
    return nullptr;
}

bool SegmentWalk::in_buffer() const {
    if (at_ < buffer_offset_ || at_ + batch_header_bytes > buffer_offset_ + filled_) return false;
    return at_ + stored_length(buffer_.get() + (at_ - buffer_offset_)) <= buffer_offset_ + filled_;
}

Result<SegmentWalk::Step> SegmentWalk::next(BatchView& view, std::vector<CursorView>& cursors) {
    TRY_ASSIGN(bool more, have(batch_header_bytes));
    if (!more) {
        TRY_ASSIGN(bool mark, have(4));
        return !mark || stored_length(buffer_.get() + (at_ - buffer_offset_)) == 0 ? Step::end : bad("the segment ends inside a batch");
    }
    char const* p = buffer_.get() + (at_ - buffer_offset_);
    if (stored_length(p) == 0) return Step::end;
    if (!decode_header(p, header_.salt, std::uint32_t(at_), stored_)) return bad("the batch header's checksum is wrong");
    TRY_ASSIGN(bool whole, have(stored_.length));
    if (!whole) return bad("the segment ends inside a batch");
    p = buffer_.get() + (at_ - buffer_offset_);
    if (auto why = decode_body(stored_, p, cursors, view)) return bad(why);
    if (auto why = out_of_line()) return bad(why);
    if (check_ == Check::chain && chain_after(reached_.chain, p, stored_.length) != stored_.chain) return bad("the running hash is wrong");
    view.schemas = header_.schemas, view.schemas_id = schemas_id_;
    batch_at_ = at_;
    at_ += padded(stored_.length);
    reached_ = {stored_.first + stored_.count, stored_.chain, stored_.time, stored_.epoch};
    return Step::batch;
}

}  // namespace gantry::log
