#include "kernel/observe/access_log.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace gantry::observe {
namespace {

constexpr std::size_t texts = 11;

struct Head {
    std::uint32_t size;  // of head and texts, rounded up to the alignment
    std::uint16_t status;
    std::uint8_t http_minor;
    std::uint8_t flags;
    std::int64_t at_us;
    std::uint64_t sent_bytes, duration_us;
    std::array<std::uint16_t, texts> lengths;
};
constexpr std::size_t alignment = alignof(Head);
constexpr std::uint8_t has_tls = 1, has_cut_target = 2;

template <class Record>
auto texts_of(Record& r) {
    return std::array{&r.client,  &r.caller, &r.method, &r.target,     &r.request_id, &r.trace_id,
                      &r.service, &r.route,  &r.site,   &r.user_agent, &r.refused};
}

// A cut never splits a character of UTF-8.
std::uint16_t bounded(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return std::uint16_t(text.size());
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
    return std::uint16_t(limit);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; }

int hex(char c) {
    c = lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool speaks_of_a_secret(std::string_view name) {
    std::array<char, 128> buffer;
    std::size_t n = 0;
    for (std::size_t i = 0; i < name.size() && n < buffer.size(); ++i) {
        char c = name[i];
        if (c == '%' && i + 2 < name.size() && hex(name[i + 1]) >= 0 && hex(name[i + 2]) >= 0)
            c = char(hex(name[i + 1]) * 16 + hex(name[i + 2])), i += 2;
        buffer[n++] = lower(c);
    }
    if (n == buffer.size()) return true;  // nobody's honest name
    std::string_view const plain(buffer.data(), n);
    for (std::string_view part : {"token", "password", "passwd", "secret", "signature", "authorization", "credential"})
        if (plain.find(part) != plain.npos) return true;
    return plain == "sig" || plain == "auth" || plain.ends_with("key") || plain.ends_with("keyid");
}

}  // namespace

AccessRing::AccessRing(std::size_t bytes, std::function<void()> wake)
    : size_(std::bit_ceil(std::max<std::size_t>(bytes, 16 << 10))),
      bytes_(std::make_unique_for_overwrite<char[]>(size_)),
      wake_(std::move(wake)) {}

// The place of `size` bytes in one piece; npos when there is none. What is too short at the end of the ring becomes padding.
std::size_t AccessRing::room_for(std::size_t size) {
    std::size_t at = written_.load(std::memory_order_relaxed);
    std::size_t const to_end = size_ - (at & (size_ - 1)), padding = to_end < size ? to_end : 0;
    if (at + padding + size - read_seen_ > size_) {
        read_seen_ = read_.load(std::memory_order_acquire);
        if (at + padding + size - read_seen_ > size_) return std::string_view::npos;
    }
    if (padding == 0) return at;
    std::uint32_t const skip = std::uint32_t(padding) | 1;  // an odd size: padding, which may be shorter than a head
    std::memcpy(bytes_.get() + (at & (size_ - 1)), &skip, sizeof(skip));
    return at + padding;
}

bool AccessRing::add(AccessRecord const& record) {
    if (!on_.load(std::memory_order_relaxed)) return true;
    auto const views = texts_of(record);
    Head head{.size = 0,
              .status = record.status,
              .http_minor = record.http_minor,
              .flags = std::uint8_t(record.tls ? has_tls : 0),
              .at_us = record.at.us,
              .sent_bytes = record.sent_bytes,
              .duration_us = record.duration_us,
              .lengths = {}};
    std::size_t size = sizeof(Head);
    for (std::size_t i = 0; i < texts; ++i) {
        std::size_t const limit = views[i] == &record.target       ? limits.target
                                  : views[i] == &record.user_agent ? limits.user_agent
                                                                   : limits.other;
        size += head.lengths[i] = bounded(*views[i], limit);
    }
    if (record.target_cut || bounded(record.target, limits.target) < record.target.size()) head.flags |= has_cut_target;
    size = (size + alignment - 1) & ~(alignment - 1);
    head.size = std::uint32_t(size);

    std::size_t const at = room_for(size);
    if (at == std::string_view::npos) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    char* to = bytes_.get() + (at & (size_ - 1));
    std::memcpy(to, &head, sizeof(head));
    to += sizeof(head);
    for (std::size_t i = 0; i < texts; ++i)
        if (head.lengths[i] > 0) std::memcpy(to, views[i]->data(), head.lengths[i]), to += head.lengths[i];
    written_.store(at + size, std::memory_order_release);
    if (wake_ && at + size - read_seen_ > size_ / 2) {
        read_seen_ = read_.load(std::memory_order_acquire);
        if (at + size - read_seen_ > size_ / 2 && !woken_.exchange(true, std::memory_order_relaxed)) wake_();
    }
    return true;
}

std::size_t AccessRing::decode(std::size_t at, AccessRecord& out) const {
    char const* from = bytes_.get() + (at & (size_ - 1));
    std::uint32_t size;
    std::memcpy(&size, from, sizeof(size));
    if (size & 1) return size & ~1u;
    Head head;
    std::memcpy(&head, from, sizeof(head));
    from += sizeof(head);
    out.at = Time{head.at_us};
    out.status = head.status, out.http_minor = head.http_minor;
    out.tls = head.flags & has_tls, out.target_cut = head.flags & has_cut_target;
    out.sent_bytes = head.sent_bytes, out.duration_us = head.duration_us;
    auto const views = texts_of(out);
    for (std::size_t i = 0; i < texts; ++i) *views[i] = {from, head.lengths[i]}, from += head.lengths[i];
    return head.size;
}

void append_masked(std::string& out, std::string_view target) {
    std::size_t at = target.find('?');
    if (at == target.npos) return void(out.append(target));
    out.append(target.substr(0, ++at));
    while (at < target.size()) {
        std::size_t const end = std::min(target.find_first_of("&;", at), target.size());
        auto const part = target.substr(at, end - at);
        std::size_t const equals = part.find('=');
        if (equals != part.npos && equals + 1 < part.size() && speaks_of_a_secret(part.substr(0, equals)))
            out.append(part.substr(0, equals + 1)).append("***");
        else
            out.append(part);
        if (end < target.size()) out.push_back(target[end]);
        at = end + 1;
    }
}

}  // namespace gantry::observe
