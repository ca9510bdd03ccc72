#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/log/log.h"

namespace gantry::log {

// The stored form of a batch (docs/log-format.md): a header of 72 bytes, a body, zeros up to a multiple of eight. It is encoded
// once, by append; where it lies is sealed into its header later, by whoever writes it.
inline constexpr std::size_t batch_header_bytes = 72;
constexpr std::uint64_t padded(std::uint64_t bytes) { return (bytes + 7) & ~std::uint64_t{7}; }

// The fixed part of a stored batch.
struct BatchHeader {
    std::uint32_t length = 0;  // header and body, without the padding
    std::uint32_t body_crc = 0;
    std::uint32_t offset = 0;   // where the batch itself lies in its segment
    std::uint32_t durable = 0;  // all of the segment below this offset was durable when the batch was written
    std::uint32_t count = 0;
    BatchKind kind = BatchKind::command;
    std::uint8_t fields = 0;
    Position first = 0;
    Time time{};
    Epoch epoch = 0;
    Incarnation incarnation = 0;
    std::uint64_t chain = 0;
    std::uint32_t meta_bytes = 0;
};

// Bytes that encode() will append, the padding included.
std::uint64_t encoded_size(BatchView const& batch);
inline constexpr std::uint64_t header_bytes_likely = 256;  // of it beside the events
// Appends the batch with `first`, `epoch` and `incarnation` as they stand and the chain continued from `previous_chain`, which
// it returns advanced. The header is not sealed yet.
std::uint64_t encode(BatchView const& batch, std::uint64_t previous_chain, std::string& out);
// Writes place and header checksum into an encoded batch. `salt` is the segment's.
void seal(char* batch, std::uint32_t salt, std::uint32_t offset, std::uint32_t durable);
// Length of an encoded batch without its padding; 0 is the end mark.
std::uint32_t stored_length(char const* batch);

// The header's fields as they stand, unchecked.
BatchHeader load_header(char const* bytes);
// Reads a header. False if its checksum, place or shape is wrong.
bool decode_header(char const* bytes, std::uint32_t salt, std::uint32_t offset, BatchHeader& out);
// Checks the body's checksum, then fills `out` with views into `batch` (header, body). `cursors` is scratch that must outlive `out`.
// Null, or what is wrong.
char const* decode_body(BatchHeader const& header, char const* batch, std::vector<CursorView>& cursors, BatchView& out);
// The chain over this batch, given the chain up to the one before it.
std::uint64_t chain_after(std::uint64_t previous, char const* batch, std::uint32_t length);
// True if `events` is exactly `count` times type, size, payload.
bool events_well_formed(std::string_view events, std::uint32_t count);

}  // namespace gantry::log
