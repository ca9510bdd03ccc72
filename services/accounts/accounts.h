#pragma once
#include "services/accounts/sign_in.h"

namespace gantry::accounts {

struct Service {
    using State = accounts::State;
    using Event = accounts::Event;
    using Settings = accounts::Settings;
    static constexpr std::string_view name = "accounts";
    static constexpr std::string_view doc = "People and services, what they sign in with, and their sessions: one login for all tools.";
    static std::vector<Route> routes();
    static std::vector<EffectKind> effects();
    static std::vector<Timer> timers();
    static std::vector<std::pair<std::string_view, std::string_view>> settings_docs();
    static std::vector<Event> tick(State const& s, Ctx const& cx);
    // A feed tells one's own facts, all to those who see all, and verifiers and sealed keys to nobody.
    static bool keeps_back(Event const& e) { return std::holds_alternative<Kept>(e) || std::holds_alternative<Effect<TellSignedOut>>(e); }
    static bool visible(State const& s, Event const& e, Viewer const& viewer);
};

}  // namespace gantry::accounts
