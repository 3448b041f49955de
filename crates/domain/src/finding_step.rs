//! What an administrator does in the identity provider so that something is sent again: the menus as each vendor calls them.

use crate::cause::Cause;
use crate::connection::IdentityProvider;
use crate::ids::Subject;

/// What the identity provider shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Send one user.
    User,
    /// Send one group with its members.
    Group,
    /// Forget the object that it knows and create or link it anew.
    UserAnew,
    GroupAnew,
    /// Send the attributes of a user whom it knows.
    Profile,
    /// Run.
    Run,
}

/// What makes the identity provider create a user whom it believes to be here.
pub fn create_user(provider: IdentityProvider) -> &'static str {
    words(provider, Wanted::UserAnew)
}

/// What makes it send the attributes of a user again.
pub fn send_profile(provider: IdentityProvider) -> &'static str {
    words(provider, Wanted::Profile)
}

/// What makes it create a group that it believes to be here.
pub fn create_group(provider: IdentityProvider) -> &'static str {
    words(provider, Wanted::GroupAnew)
}

/// What makes it send a group with its members again.
pub fn send_group(provider: IdentityProvider) -> &'static str {
    words(provider, Wanted::Group)
}

/// The step for a cause in the words of the identity provider, as sentences; empty where there is none to do there.
pub fn step(provider: IdentityProvider, cause: Cause, subject: Option<&Subject>) -> &'static str {
    let is_group = matches!(subject, Some(Subject::Group(_)));
    let wanted = match cause {
        Cause::MemberUnknown
        | Cause::MemberLate
        | Cause::MemberDeleted
        | Cause::GroupNested
        | Cause::GroupNameEmpty
        | Cause::GroupNameTooLong => Wanted::Group,
        Cause::DeletedWritten if is_group => Wanted::GroupAnew,
        Cause::DeletedWritten => Wanted::UserAnew,
        Cause::ConflictRepeated if is_group => Wanted::GroupAnew,
        Cause::GroupNameTaken => Wanted::GroupAnew,
        Cause::ConflictRepeated => Wanted::User,
        Cause::ConnectionSilent => Wanted::Run,
        _ => return "",
    };
    words(provider, wanted)
}

fn words(provider: IdentityProvider, wanted: Wanted) -> &'static str {
    match provider {
        IdentityProvider::Okta => okta(wanted),
        IdentityProvider::Entra => entra(wanted),
        IdentityProvider::Onelogin => onelogin(wanted),
        IdentityProvider::Jumpcloud => jumpcloud(wanted),
        IdentityProvider::Generic => generic(wanted),
    }
}

fn okta(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::User => {
            "In Okta: Applications > the app > Assignments > the user > Retry (Dashboard > Tasks lists the failed ones); \
             check that Provisioning > Integration has the unique identifier field userName."
        }
        Wanted::Group => {
            "In Okta: Applications > the app > Push Groups > the group > Push Status > Push now. If the same group also assigns \
             the app, use a second group for the push."
        }
        Wanted::UserAnew => {
            "In Okta: Applications > the app > Assignments: unassign the user and assign it again (for a group assignment: take \
             the user out of the group and back)."
        }
        Wanted::GroupAnew => {
            "In Okta: Applications > the app > Push Groups > the group > Push Status > Unlink pushed group (leave the group in \
             the app); then Push Groups > Find groups by name, and choose Link Group, or Create Group if none exists here."
        }
        Wanted::Profile => {
            "In Okta: Applications > the app > Provisioning > To App > Attribute Mappings > Force Sync sends every profile again; \
             for one user, change a mapped attribute and change it back."
        }
        Wanted::Run => {
            "In Okta: Applications > the app > Provisioning > Integration > Edit > Test API Credentials; Dashboard > Tasks shows \
             what failed. Okta only calls when something changes: change a test user to see a call."
        }
    }
}

fn entra(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::User | Wanted::Profile => {
            "In Entra: Enterprise applications > the app > Provisioning > Provision on demand > the user; check the matching \
             attribute under Mappings (userName with precedence 1)."
        }
        Wanted::Group => {
            "In Entra: Enterprise applications > the app > Provisioning > Provision on demand > the group, and name the members \
             (up to 5 at a time); the next cycle, within 40 minutes, sends the rest."
        }
        Wanted::UserAnew | Wanted::GroupAnew => {
            "In Entra: Enterprise applications > the app > Provisioning > Provision on demand with the object finds or creates it \
             anew; for many objects: Provisioning > Restart provisioning, which forgets the old ids and looks everything up again."
        }
        Wanted::Run => {
            "In Entra: Enterprise applications > the app > Provisioning: Provisioning Status must be On and not in quarantine; \
             Test Connection with a new token if the old one has expired, then Start provisioning. It calls every 40 minutes."
        }
    }
}

fn onelogin(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::User | Wanted::UserAnew => {
            "In OneLogin: Users > the user > Applications > the app: delete the failed login and add the app again, or Retry; \
             pending ones wait for approval under Users > Provisioning."
        }
        Wanted::Profile => "In OneLogin: Applications > the app > More Actions > Sync logins.",
        Wanted::Group | Wanted::GroupAnew => {
            "In OneLogin: Applications > the app > Rules: reapply with More Actions > Reapply entitlement mappings; Parameters > \
             Groups must have Include in User Provisioning."
        }
        Wanted::Run => {
            "In OneLogin: Applications > the app > Configuration: API Status must be Enabled; Provisioning > Workflow must be on, \
             and Users > Provisioning shows what waits for approval."
        }
    }
}

fn jumpcloud(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::User | Wanted::UserAnew => {
            "In JumpCloud: User Groups > a group that is bound to the app: take the user out, save, and put the user back."
        }
        Wanted::Profile => {
            "In JumpCloud: Users > the user: change an attribute that is sent, save, and change it back."
        }
        Wanted::Group | Wanted::GroupAnew => {
            "In JumpCloud: SSO Applications > the app > User Groups: unbind the group, save, and bind it again. Members of no \
             other bound group are deactivated meanwhile."
        }
        Wanted::Run => {
            "In JumpCloud: SSO Applications > the app > Identity Management: test and activate again if it shows an error; \
             Directory Insights has its requests."
        }
    }
}

fn generic(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::User | Wanted::Profile => "In the identity provider: provision the user again.",
        Wanted::Group => "In the identity provider: push the group with its members again.",
        Wanted::UserAnew => "In the identity provider: unassign the user from this app and assign it again.",
        Wanted::GroupAnew => {
            "In the identity provider: remove the group's mapping to this app and push it again."
        }
        Wanted::Run => {
            "In the identity provider: check that provisioning to this app is on and its token is valid."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{GroupId, UserId};

    #[test]
    fn every_fix_that_asks_for_a_step_gets_one_of_every_identity_provider() {
        let subjects = [Subject::User(UserId::new("1")), Subject::Group(GroupId::new("2"))];
        for cause in Cause::ALL {
            for provider in IdentityProvider::ALL {
                for subject in subjects.iter().map(Some).chain([None]) {
                    let step = step(provider, *cause, subject);
                    assert_eq!(cause.fix().contains("{step}"), !step.is_empty(), "{}", cause.code());
                    assert!(step.is_empty() || step.ends_with('.'), "{step}");
                }
            }
        }
        assert!(step(IdentityProvider::Okta, Cause::MemberLate, None).contains("Push now"));
        assert!(step(IdentityProvider::Entra, Cause::MemberUnknown, None).contains("Provision on demand"));
    }
}
