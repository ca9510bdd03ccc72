#pragma once
#include <span>
#include <string_view>

namespace gantry::app {

// A file that `gantry new service` writes, with @name@ and @Name@ where the service's name goes. `name` tells which one: "service.cpp".
struct Template {
    std::string_view name, text;
};
std::span<Template const> service_templates();

}  // namespace gantry::app
