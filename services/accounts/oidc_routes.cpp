// The routes of the OpenID Connect provider, and those by which its tools are kept.
#include "services/accounts/accounts.h"
#include "services/accounts/oidc_authorize.h"
#include "services/accounts/oidc_keys.h"
#include "services/accounts/oidc_logout.h"
#include "services/accounts/oidc_tokens.h"

namespace gantry::accounts {

std::vector<Route> oidc_routes() {
    Scope const own{"accounts:self"}, admin{"accounts:admin"};
    // Programs show credentials of their own, from pages of any origin too; people come by a browser with the session's cookie.
    ForeignOptions const programs{.body_bytes_max = 16 << 10,
                                  .cross_origin = true,
                                  .exposed_headers = "WWW-Authenticate",
                                  .own_credentials = true,
                                  .refused = &refused_for_programs};
    ForeignOptions userinfos = programs;
    userinfos.refused = &refused_at_userinfo;
    ForeignOptions const people{.body_bytes_max = 16 << 10, .refused = &refused_for_people};
    // A form on a tool's page: what it shows counts, and no cookie.
    ForeignOptions forms = people;
    forms.cross_origin = true;
    return {
        foreign<Service>("GET", "/oidc/.well-known/openid-configuration", &parse_nothing, &discovery, open_to_all,
                         Doc{"What the OpenID Connect provider is and can."}, programs),
        foreign<Service>("GET", "/oidc/jwks", &parse_nothing, &key_set, open_to_all, Doc{"The keys that its tokens are verified with."},
                         programs),
        foreign<Service>("GET", "/oidc/authorize", &parse_authorization_request, &authorize, open_to_all,
                         Doc{"Where a tool sends the browser."}, people),
        foreign<Service>("POST", "/oidc/authorize", &parse_authorization_request, &authorize, open_to_all,
                         Doc{"The same by a form: leads to the other."}, forms),
        slow_foreign<Service, &to_sign, &signed_token, &give_tokens>("POST", "/oidc/token", &parse_token_request, open_to_all,
                                                                     Doc{"Tokens for a code, or for a refresh token."}, programs),
        foreign<Service>("GET", "/oidc/userinfo", &parse_userinfo, &userinfo, open_to_all, Doc{"Who an access token is about."}, userinfos),
        foreign<Service>("POST", "/oidc/userinfo", &parse_userinfo, &userinfo, open_to_all, Doc{"The same."}, userinfos),
        foreign<Service>("POST", "/oidc/revoke", &parse_token_question, &revoke_token, open_to_all, Doc{"End what a token belongs to."},
                         programs),
        foreign<Service>("POST", "/oidc/introspect", &parse_token_question, &introspect, open_to_all, Doc{"Whether a token counts."},
                         programs),
        foreign<Service>("GET", "/oidc/logout", &parse_logout, &log_out, open_to_all, Doc{"Sign out of everything, from a tool."}, forms),
        foreign<Service>("POST", "/oidc/logout", &parse_logout, &log_out, open_to_all, Doc{"The same by a form."}, forms),
        route<Service>(V1, "GET", "/me/tools", &my_tools, own, Doc{"The tools that the caller may use."}),
        route<Service>(V1, "POST", "/tools", &make_tool, admin, Doc{"Register a tool that people sign in to by their account here."}),
        route<Service>(V1, "GET", "/tools", &list_tools, admin, Doc{"The registered tools."}),
        route<Service>(V1, "GET", "/tools/{tool}", &show_tool, admin, Doc{"One tool."}),
        route<Service>(V1, "PUT", "/tools/{tool}", &change_tool, admin, Doc{"What a tool is from here on."}),
        route<Service>(V1, "DELETE", "/tools/{tool}", &remove_tool, admin, Doc{"Let nobody in to a tool any more."}),
        route<Service>(V1, "POST", "/tools/{tool}/rotate", &rotate_tool, admin,
                       Doc{"A new secret for a tool, told once; both are valid for a while."}),
        route<Service>(V1, "GET", "/oidc-keys", &list_keys, admin, Doc{"The keys that ID tokens are signed with."}),
        route<Service>(V1, "POST", "/oidc-keys/rotate", &rotate_key, admin,
                       Doc{"Make a new key to sign with; the old one is shown a while."}),
    };
}

}  // namespace gantry::accounts
