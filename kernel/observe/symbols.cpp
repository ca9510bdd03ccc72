#include "kernel/observe/symbols.h"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <fmt/format.h>
#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace gantry::observe {
namespace {

// Symbols that lie apart are found by build id alone: the library's standard way may ask servers.
int find_debuginfo(Dwfl_Module* module, void** data, char const* name, Dwarf_Addr base, char const* file, char const* link, GElf_Word crc,
                   char** found) {
    return dwfl_build_id_find_debuginfo(module, data, name, base, file, link, crc, found);
}

std::string hex_of(unsigned char const* bytes, int size) {
    std::string out;
    for (int i = 0; i < size; ++i) fmt::format_to(std::back_inserter(out), "{:02x}", bytes[i]);
    return out;
}

std::string file_name(char const* path) {
    if (!path) return {};
    auto const* slash = std::strrchr(path, '/');
    return slash ? slash + 1 : path;
}

std::string name_of(Dwarf_Die* function) {
    Dwarf_Attribute attribute;
    auto const* linkage = dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute);
    if (auto const* symbol = linkage ? dwarf_formstring(&attribute) : nullptr) return readable_name(symbol);
    auto const* plain = dwarf_diename(function);
    return plain ? plain : "";
}

class Symbols {
   public:
    explicit Symbols(std::string const& maps) : dwfl_(dwfl_begin(&callbacks_), &dwfl_end) {
        if (!dwfl_) return;
        if (maps.empty()) {
            dwfl_linux_proc_report(dwfl_.get(), ::getpid());
        } else {
            std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(::fmemopen(const_cast<char*>(maps.data()), maps.size(), "r"),
                                                                 &std::fclose);
            if (file) dwfl_linux_proc_maps_report(dwfl_.get(), file.get());
        }
        dwfl_report_end(dwfl_.get(), nullptr, nullptr);
    }

    // The call that returns to `address`, and the calls that were inlined around it: the innermost first.
    void add(std::vector<StackFrame>& out, std::uint64_t address) const {
        auto const call = address > 0 ? address - 1 : 0;
        auto* module = dwfl_ ? dwfl_addrmodule(dwfl_.get(), call) : nullptr;
        StackFrame frame;
        frame.address = address;
        if (!module) return out.push_back(std::move(frame));
        describe(module, frame, call);
        if (!add_inlined(module, frame, call, out)) out.push_back(std::move(frame));
    }

   private:
    static void describe(Dwfl_Module* module, StackFrame& frame, std::uint64_t call) {
        char const* path = nullptr;
        char const* debug = nullptr;
        auto const* name = dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, &path, &debug);
        frame.object = file_name(path ? path : name);
        unsigned char const* id = nullptr;
        GElf_Addr where = 0;
        if (int const size = dwfl_module_build_id(module, &id, &where); size > 0) frame.build_id = hex_of(id, size);
        if (auto const* symbol = dwfl_module_addrname(module, call)) frame.function = readable_name(symbol);
        if (auto* line = dwfl_module_getsrc(module, call)) {
            int number = 0;
            if (auto const* file = dwfl_lineinfo(line, nullptr, &number, nullptr, nullptr, nullptr)) frame.file = file;
            frame.line = std::uint32_t(number);
        }
        Dwarf_Addr relative = frame.address;
        if (dwfl_module_relocations(module) > 0 && dwfl_module_relocate_address(module, &relative) >= 0) frame.address = relative;
    }

    // From the innermost of the inlined calls outwards; each was made at the place that the one inside it names.
    static bool add_inlined(Dwfl_Module* module, StackFrame const& frame, std::uint64_t call, std::vector<StackFrame>& out) {
        Dwarf_Addr bias = 0;
        auto* unit = dwfl_module_addrdie(module, call, &bias);
        if (!unit) return false;
        Dwarf_Die* scopes = nullptr;
        int const count = dwarf_getscopes(unit, call - bias, &scopes);
        std::unique_ptr<Dwarf_Die, void (*)(void*)> const held(scopes, &std::free);
        if (count <= 0) return false;
        auto file = frame.file;
        auto line = frame.line;
        bool added = false;
        for (int i = 0; i < count; ++i) {
            int const tag = dwarf_tag(&scopes[i]);
            bool const inlined = tag == DW_TAG_inlined_subroutine;
            if (!inlined && tag != DW_TAG_subprogram) continue;
            auto& one = out.emplace_back(frame);
            one.file = file, one.line = line;
            if (auto name = name_of(&scopes[i]); inlined && !name.empty()) one.function = std::move(name);
            added = true;
            if (!inlined) break;
            caller_of(unit, &scopes[i], file, line);
        }
        return added;
    }
    static void caller_of(Dwarf_Die* unit, Dwarf_Die* inlined, std::string& file, std::uint32_t& line) {
        Dwarf_Attribute attribute;
        Dwarf_Word number = 0;
        if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &number) == 0) line = std::uint32_t(number);
        Dwarf_Files* files = nullptr;
        std::size_t count = 0;
        if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &number) != 0) return;
        if (dwarf_getsrcfiles(unit, &files, &count) != 0) return;
        if (auto const* name = dwarf_filesrc(files, number, nullptr, nullptr)) file = name;
    }

    char* no_path_ = nullptr;
    Dwfl_Callbacks callbacks_{&dwfl_linux_proc_find_elf, &find_debuginfo, nullptr, &no_path_};
    std::unique_ptr<Dwfl, void (*)(Dwfl*)> dwfl_;
};

int note_build_id(dl_phdr_info* object, std::size_t, void* out) {
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        auto const& segment = object->dlpi_phdr[i];
        if (segment.p_type != PT_NOTE) continue;
        auto const* at = reinterpret_cast<char const*>(object->dlpi_addr + segment.p_vaddr);
        auto const* end = at + segment.p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            auto const* note = reinterpret_cast<ElfW(Nhdr) const*>(at);
            auto const* name = at + sizeof *note;
            auto const* bytes = name + ((note->n_namesz + 3) & ~3u);
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0)
                *static_cast<std::string*>(out) = hex_of(reinterpret_cast<unsigned char const*>(bytes), int(note->n_descsz));
            at = bytes + ((note->n_descsz + 3) & ~3u);
        }
    }
    return 1;  // the first is the program itself
}

}  // namespace

std::string readable_name(char const* symbol) {
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> const name(abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
    return status == 0 && name ? name.get() : symbol;
}

std::vector<StackFrame> symbolise(std::span<void* const> frames, std::string const& maps) {
    Symbols const symbols(maps);
    std::vector<StackFrame> out;
    for (auto* frame : frames) symbols.add(out, reinterpret_cast<std::uint64_t>(frame));
    return out;
}

std::string const& own_build_id() {
    static std::string const id = [] {
        std::string out;
        ::dl_iterate_phdr(&note_build_id, &out);
        return out;
    }();
    return id;
}

}  // namespace gantry::observe
