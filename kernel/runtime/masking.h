#pragma once
#include <string>
#include <vector>

#include "kernel/codec/type.h"

namespace gantry::runtime {

// What was masked: JSON pointers, and the texts, so that they can be taken out of what quotes them.
struct Masked {
    std::vector<std::string> pointers, texts;
};

// Replaces each Secret and Personal inside by a default one.
Masked mask(codec::Type const& type, void* value);
// Each of the texts becomes "[masked]".
void remove_texts(std::string& from, std::vector<std::string> const& texts);

}  // namespace gantry::runtime
