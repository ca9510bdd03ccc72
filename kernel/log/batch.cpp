#include "kernel/log/batch.h"

#include <cstring>

#include "kernel/base/assert.h"
#include "kernel/base/crc32c.h"
#include "kernel/base/hash.h"
#include "kernel/base/varint.h"

namespace gantry::log {
namespace {

// Offsets of the header's fields. Bytes 16..55 don't depend on where the batch lies: the chain covers them.
enum : std::size_t {
    at_length = 0,
    at_body_crc = 4,
    at_offset = 8,
    at_durable = 12,
    at_count = 16,
    at_kind = 20,
    at_fields = 21,
    at_reserved = 22,
    at_first = 24,
    at_time = 32,
    at_epoch = 40,
    at_incarnation = 48,
    at_chain = 56,
    at_meta_bytes = 64,
    at_header_crc = 68,
};

// Which optional fields the body starts with, in this order.
enum : std::uint8_t {
    has_caller = 1,
    has_request_id = 2,
    has_trace_id = 4,
    has_cause = 8,
    has_idempotency = 16,
    has_cursors = 32,
    has_note = 64,
    known_fields = 127,
};
constexpr std::uint8_t last_kind = std::uint8_t(BatchKind::agreed);

template <class T>
T load(char const* p) {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
template <class T>
void store(char* p, T v) {
    std::memcpy(p, &v, sizeof v);
}

std::uint64_t varint_size(std::uint64_t v) {
    std::uint64_t n = 1;
    for (; v >= 0x80; v >>= 7) ++n;
    return n;
}
std::uint64_t string_size(std::string_view s) { return varint_size(s.size()) + s.size(); }

// One string: the 16 bytes of the id, then what came as tracestate.
constexpr std::size_t trace_id_bytes = 16;
std::uint64_t trace_size(BatchView const& b) { return b.trace_id.size() + b.trace_state.size(); }
void put_trace(BatchView const& b, std::string& out) { put_varint(out, trace_size(b)), out.append(b.trace_id).append(b.trace_state); }
void read_trace(std::string_view text, BatchView& out) {
    out.trace_id = text.substr(0, trace_id_bytes), out.trace_state = text.substr(out.trace_id.size());
}

std::uint8_t fields_of(BatchView const& b) {
    return std::uint8_t((b.caller.empty() ? 0 : has_caller) | (b.request_id.empty() ? 0 : has_request_id) |
                        (b.trace_id.empty() ? 0 : has_trace_id) | (b.cause ? has_cause : 0) | (b.idempotency ? has_idempotency : 0) |
                        (b.cursors.empty() ? 0 : has_cursors) | (b.note.empty() ? 0 : has_note));
}

std::uint64_t meta_size(BatchView const& b) {
    std::uint64_t n = 0;
    for (auto s : {b.caller, b.request_id, b.note})
        if (!s.empty()) n += string_size(s);
    if (!b.trace_id.empty()) n += varint_size(trace_size(b)) + trace_size(b);
    if (b.cause) n += string_size(b.cause->log) + varint_size(b.cause->position);
    if (b.idempotency)
        n += string_size(b.idempotency->key_hash) + string_size(b.idempotency->body_hmac) + string_size(b.idempotency->reply);
    if (!b.cursors.empty()) n += varint_size(b.cursors.size());
    for (auto& c : b.cursors) n += string_size(c.source) + sizeof c.incarnation + varint_size(c.position);
    return n;
}

void put_meta(BatchView const& b, std::string& out) {
    for (auto s : {b.caller, b.request_id})
        if (!s.empty()) put_string(out, s);
    if (!b.trace_id.empty()) put_trace(b, out);
    if (b.cause) put_string(out, b.cause->log), put_varint(out, b.cause->position);
    if (b.idempotency) {
        put_string(out, b.idempotency->key_hash);
        put_string(out, b.idempotency->body_hmac);
        put_string(out, b.idempotency->reply);
    }
    if (!b.cursors.empty()) put_varint(out, b.cursors.size());
    for (auto& c : b.cursors) put_string(out, c.source), put_fixed(out, c.incarnation), put_varint(out, c.position);
    if (!b.note.empty()) put_string(out, b.note);
}

void read_cursors(ByteReader& in, std::vector<CursorView>& cursors) {
    auto count = in.varint();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        CursorView c;
        c.source = in.string();
        c.incarnation = in.fixed<std::uint64_t>();
        c.position = in.varint();
        cursors.push_back(c);
    }
}

bool read_meta(std::uint8_t fields, ByteReader& in, std::vector<CursorView>& cursors, BatchView& out) {
    if (fields & has_caller) out.caller = in.string();
    if (fields & has_request_id) out.request_id = in.string();
    if (fields & has_trace_id) read_trace(in.string(), out);
    if (fields & has_cause) {
        auto name = in.string();
        out.cause = CauseView{name, in.varint()};
    }
    if (fields & has_idempotency) {
        IdempotencyView i;
        i.key_hash = in.string(), i.body_hmac = in.string(), i.reply = in.string();
        out.idempotency = i;
    }
    cursors.clear();
    if (fields & has_cursors) read_cursors(in, cursors);
    out.cursors = cursors;
    if (fields & has_note) out.note = in.string();
    return in.ok() && in.done();
}

}  // namespace

std::uint64_t encoded_size(BatchView const& b) { return padded(batch_header_bytes + meta_size(b) + b.events.size()); }

std::uint64_t encode(BatchView const& b, std::uint64_t previous_chain, std::string& out) {
    auto start = out.size();
    auto meta = meta_size(b);
    auto length = batch_header_bytes + meta + b.events.size();
    GANTRY_ASSERT(length <= UINT32_MAX / 2, "a batch is shorter than 2 GiB");
    out.append(batch_header_bytes, '\0');
    put_meta(b, out);
    out.append(b.events);
    out.append(padded(length) - length, '\0');
    char* h = out.data() + start;
    store(h + at_length, std::uint32_t(length));
    store(h + at_body_crc, crc32c(h + batch_header_bytes, length - batch_header_bytes));
    store(h + at_count, b.count);
    store(h + at_kind, std::uint8_t(b.kind));
    store(h + at_fields, fields_of(b));
    store(h + at_first, b.first);
    store(h + at_time, b.time.us);
    store(h + at_epoch, b.epoch);
    store(h + at_incarnation, b.incarnation);
    store(h + at_meta_bytes, std::uint32_t(meta));
    auto chain = chain_after(previous_chain, h, std::uint32_t(length));
    store(h + at_chain, chain);
    return chain;
}

void seal(char* batch, std::uint32_t salt, std::uint32_t offset, std::uint32_t durable) {
    store(batch + at_offset, offset);
    store(batch + at_durable, durable);
    store(batch + at_header_crc, crc32c(batch, at_header_crc, salt));
}

std::uint32_t stored_length(char const* batch) { return load<std::uint32_t>(batch + at_length); }

BatchHeader load_header(char const* p) {
    BatchHeader h;
    h.length = load<std::uint32_t>(p + at_length);
    h.body_crc = load<std::uint32_t>(p + at_body_crc);
    h.offset = load<std::uint32_t>(p + at_offset);
    h.durable = load<std::uint32_t>(p + at_durable);
    h.count = load<std::uint32_t>(p + at_count);
    h.kind = BatchKind(load<std::uint8_t>(p + at_kind));
    h.fields = load<std::uint8_t>(p + at_fields);
    h.first = load<std::uint64_t>(p + at_first);
    h.time = Time{load<std::int64_t>(p + at_time)};
    h.epoch = load<std::uint64_t>(p + at_epoch);
    h.incarnation = load<std::uint64_t>(p + at_incarnation);
    h.chain = load<std::uint64_t>(p + at_chain);
    h.meta_bytes = load<std::uint32_t>(p + at_meta_bytes);
    return h;
}

bool decode_header(char const* p, std::uint32_t salt, std::uint32_t offset, BatchHeader& out) {
    if (load<std::uint32_t>(p + at_header_crc) != crc32c(p, at_header_crc, salt)) return false;
    out = load_header(p);
    return out.offset == offset && out.durable <= offset && out.length >= batch_header_bytes && std::uint8_t(out.kind) <= last_kind &&
           out.fields <= known_fields && load<std::uint16_t>(p + at_reserved) == 0 && out.meta_bytes <= out.length - batch_header_bytes;
}

char const* decode_body(BatchHeader const& h, char const* batch, std::vector<CursorView>& cursors, BatchView& out) {
    std::string_view body(batch + batch_header_bytes, h.length - batch_header_bytes);
    if (crc32c(body) != h.body_crc) return "the body's checksum is wrong";
    out.kind = h.kind, out.first = h.first, out.count = h.count, out.time = h.time;
    out.epoch = h.epoch, out.incarnation = h.incarnation, out.chain = h.chain;
    out.caller = out.request_id = out.trace_id = out.trace_state = out.note = {};
    out.cause.reset(), out.idempotency.reset();
    ByteReader meta(body.substr(0, h.meta_bytes));
    if (!read_meta(h.fields, meta, cursors, out)) return "the batch's fields are malformed";
    out.events = body.substr(h.meta_bytes);
    return nullptr;
}

std::uint64_t chain_after(std::uint64_t previous, char const* batch, std::uint32_t length) {
    auto head = hash64({batch + at_count, at_chain - at_count}, previous);
    return hash64({batch + batch_header_bytes, length - batch_header_bytes}, head);
}

bool events_well_formed(std::string_view events, std::uint32_t count) {
    ByteReader in(events);
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        in.varint();
        in.string();
    }
    return in.ok() && in.done();
}

}  // namespace gantry::log
