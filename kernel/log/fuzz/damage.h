#pragma once
#include <string>
#include <vector>

#include "kernel/base/varint.h"

// For the fuzz targets of this folder: damage to files, as the bytes of a fuzzer say.
namespace gantry::log {

struct DamageAt {
    std::uint8_t what, file, value;
    std::uint16_t offset;
};

inline void damage_one(std::vector<std::string>& files, DamageAt const& d) {
    auto& file = files[d.file % files.size()];
    if (file.empty()) return;
    auto const at = d.offset % file.size();
    switch (d.what % 8) {
        case 0: file[at] = char(d.value); return;
        case 1: file[at] ^= char(1 << d.value % 8); return;
        case 2: file.resize(at); return;
        case 3: file.replace(at, d.value, std::min<std::size_t>(d.value, file.size() - at), '\0'); return;
        case 4: file.append(d.value, char(at)); return;
        case 5: file.erase(at, d.value); return;
        case 6: file.insert(at, file, at, d.value); return;
        default: std::swap(file, files[d.value % files.size()]);
    }
}

// `in`: 5 bytes a damage, up to the end.
inline void damage_files(ByteReader& in, std::vector<std::string>& files) {
    for (int n = 0; n < 30 && in.left() >= 5; ++n) {
        DamageAt d{};
        d.what = in.fixed<std::uint8_t>(), d.file = in.fixed<std::uint8_t>(), d.value = in.fixed<std::uint8_t>();
        d.offset = in.fixed<std::uint16_t>();
        damage_one(files, d);
    }
}

// Writes a number over four or eight bytes of a file, if it reaches so far.
template <class T>
void overwrite(std::string& file, std::size_t at, T value) {
    if (at + sizeof value <= file.size()) file.replace(at, sizeof value, reinterpret_cast<char const*>(&value), sizeof value);
}

}  // namespace gantry::log
