#include "kernel/base/varint.h"

namespace gantry {
std::uint64_t ByteReader::long_varint() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (at_ == end_) return give_up(), 0;
        std::uint8_t byte = std::uint8_t(*at_++);
        if (shift == 63 && byte > 1) return give_up(), 0;
        v |= std::uint64_t(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            if (byte == 0 && shift > 0) return give_up(), 0;  // one number, one encoding
            return v;
        }
    }
    return give_up(), 0;
}
}  // namespace gantry
