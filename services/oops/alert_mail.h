#pragma once
#include "services/oops/groups.h"

// What an alert says in a mail.
namespace gantry::oops {

SendMail alert_mail(Text<3, 254> const& to, ProjectRow const& project, CallHook const& what, Ctx const& cx);
// Where a person looks at a group; empty without [oops] public_url.
std::string page_of(GroupId group, Ctx const& cx);

}  // namespace gantry::oops
