//! What an administrator types where, in the words of each identity provider.

use domain::connection::IdentityProvider;
use serde::Serialize;

/// One thing to do: where in the identity provider's console, which field, and what goes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// The menu path.
    pub(crate) place: &'static str,
    /// The field or button.
    pub(crate) field: &'static str,
    /// What to enter or choose; empty: press it.
    pub(crate) value: String,
}

/// Where the token goes; the text stands for it until it is shown.
pub(crate) const TOKEN: &str = "(the token above)";

/// OneLogin's template of a user, with the identifiers that never change.
const ONELOGIN_TEMPLATE: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"{$user.id}","userName":"{$parameters.scimusername}","active":true,"name":{"givenName":"{$user.firstname}","familyName":"{$user.lastname}"},"displayName":"{$user.display_name}","emails":[{"value":"{$user.email}","type":"work","primary":true}],"title":"{$parameters.title}","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"{$parameters.department}"}}"#;

/// The steps for this identity provider.
pub(crate) fn steps(provider: IdentityProvider, base_url: &str) -> Vec<Step> {
    match provider {
        IdentityProvider::Okta => okta(base_url),
        IdentityProvider::Entra => entra(base_url),
        IdentityProvider::Onelogin => onelogin(base_url),
        IdentityProvider::Jumpcloud => jumpcloud(base_url),
        IdentityProvider::Generic => generic(base_url),
    }
}

fn step(place: &'static str, field: &'static str, value: impl Into<String>) -> Step {
    Step { place, field, value: value.into() }
}

fn okta(base_url: &str) -> Vec<Step> {
    const GENERAL: &str = "Applications > Applications > the app > General > App Settings > Edit";
    const INTEGRATION: &str = "the app > Provisioning > Integration > Edit";
    const TO_APP: &str = "the app > Provisioning > To App > Edit";
    vec![
        step(GENERAL, "Provisioning", "SCIM"),
        step(INTEGRATION, "SCIM connector base URL", base_url),
        step(INTEGRATION, "Unique identifier field for users", "userName"),
        step(
            INTEGRATION,
            "Supported provisioning actions",
            "Push New Users, Push Profile Updates, Push Groups (Import New Users and Import Groups only if Okta shall read them back)",
        ),
        step(INTEGRATION, "Authentication Mode", "HTTP Header"),
        step(INTEGRATION, "Authorization (Bearer)", TOKEN),
        step(INTEGRATION, "Test Connector Configuration, then Save", ""),
        step(TO_APP, "Create Users, Update User Attributes, Deactivate Users", "Enable"),
        step("the app > Assignments > Assign", "the people or groups who shall have an account", ""),
        step("the app > Push Groups > Push Groups", "the groups that shall appear here", ""),
    ]
}

fn entra(base_url: &str) -> Vec<Step> {
    const APP: &str =
        "Identity > Applications > Enterprise applications > New application > Create your own application";
    const ADMIN: &str = "the app > Provisioning > Admin Credentials";
    vec![
        step(
            APP,
            "What are you looking to do?",
            "Integrate any other application you don't find in the gallery",
        ),
        step("the app > Provisioning", "Provisioning Mode", "Automatic"),
        step(
            ADMIN,
            "Tenant URL",
            format!(
                "{base_url}?aadOptscim062020 (standard requests; without the part after the ? Entra sends its older form, which works too)"
            ),
        ),
        step(ADMIN, "Secret Token", TOKEN),
        step(ADMIN, "Test Connection, then Save", ""),
        step(
            "the app > Provisioning > Mappings > Provision Microsoft Entra ID Users",
            "externalId",
            "map it from objectId, which never changes (the default, mailNickname, does)",
        ),
        step(
            "the app > Users and groups > Add user/group",
            "the people and groups who shall have an account",
            "",
        ),
        step("the app > Provisioning > Settings", "Scope", "Sync only assigned users and groups"),
        step(
            "the app > Provisioning",
            "Provisioning Status",
            "On; Provision on demand sends one user at once",
        ),
    ]
}

fn onelogin(base_url: &str) -> Vec<Step> {
    const CONFIGURATION: &str = "the app > Configuration > API Connection";
    vec![
        step(
            "Applications > Applications > Add App",
            "search for",
            "SCIM Provisioner with SAML (SCIM v2 Enterprise)",
        ),
        step(CONFIGURATION, "SCIM Base URL", base_url),
        step(CONFIGURATION, "SCIM JSON Template", ONELOGIN_TEMPLATE),
        step(CONFIGURATION, "Custom Headers", "Content-Type: application/scim+json"),
        step(CONFIGURATION, "SCIM Bearer Token", TOKEN),
        step(CONFIGURATION, "API Status", "Enable, then Save"),
        step(
            "the app > Provisioning > Workflow",
            "Enable provisioning",
            "on; untick the actions that shall not wait for an administrator's approval",
        ),
        step("the app > Parameters > Groups", "Include in User Provisioning", "on"),
        step(
            "the app > Rules",
            "Set Groups in the app",
            "From Existing, for the roles that shall appear here as groups",
        ),
    ]
}

fn jumpcloud(base_url: &str) -> Vec<Step> {
    const IDENTITY: &str = "the app > Identity Management > Configuration settings";
    vec![
        step("Access > SSO Applications > Add New Application", "choose", "Custom Application"),
        step(IDENTITY, "API Type", "SCIM API"),
        step(IDENTITY, "SCIM Version", "SCIM 2.0"),
        step(IDENTITY, "Base URL", base_url),
        step(IDENTITY, "Token Key", TOKEN),
        step(
            IDENTITY,
            "Test User Email",
            "an address that nobody here has: activating makes this user and a test group, changes them and deletes them",
        ),
        step(IDENTITY, "Enable management of User Groups and Group Membership in this application", "on"),
        step(IDENTITY, "Test Connection, then Activate", ""),
        step("the app > User Groups", "the groups whose people shall have an account", ""),
    ]
}

fn generic(base_url: &str) -> Vec<Step> {
    const CLIENT: &str = "the SCIM 2.0 client";
    vec![
        step(CLIENT, "Base URL (also called tenant URL or endpoint)", base_url),
        step(CLIENT, "Authentication", "HTTP header Authorization: Bearer TOKEN (OAuth bearer token)"),
        step(CLIENT, "Token", TOKEN),
        step(CLIENT, "Unique user attribute", "userName; externalId from an identifier that never changes"),
    ]
}

/// The steps for people: a line per step, the menu path where it changes.
pub(crate) fn in_words(steps: &[Step]) -> String {
    let mut text = String::new();
    let mut place = "";
    for (number, step) in (1..).zip(steps) {
        if step.place != place {
            place = step.place;
            text.push_str(&format!("\n{place}\n"));
        }
        let colon = if step.value.is_empty() { "" } else { ": " };
        text.push_str(&format!("  {number:>2}. {}{colon}{}\n", step.field, step.value));
    }
    text
}

/// The endpoint's address from what was given: the path is added where it is missing. The error says what does not fit.
pub(crate) fn endpoint(provider: IdentityProvider, given: Option<&str>) -> Result<String, String> {
    const PATH: &str = "/scim/v2";
    let Some(given) = given else { return Ok(format!("https://YOUR-SERVER{PATH}")) };
    let url = given.trim().trim_end_matches('/');
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(host) = host.filter(|host| !host.is_empty() && !host.contains([' ', '?', '#', '@'])) else {
        return Err(format!("'{given}' is no address; write it like https://scim.example.com"));
    };
    if provider == IdentityProvider::Okta && host.contains('_') {
        return Err(format!(
            "'{given}' holds an underscore, which Okta refuses in a base URL; use another name"
        ));
    }
    if url.ends_with(PATH) { Ok(url.to_owned()) } else { Ok(format!("{url}{PATH}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identity_provider_is_told_the_address_and_where_the_token_goes() {
        for provider in IdentityProvider::ALL {
            let steps = steps(provider, "https://scim.example.com/scim/v2");
            let holds = |text: &str| steps.iter().any(|step| step.value.starts_with(text));
            assert!(holds("https://scim.example.com/scim/v2") && holds(TOKEN), "{provider:?}");
            assert!(in_words(&steps).lines().all(|line| !line.ends_with(' ')), "{provider:?}");
        }
        assert!(serde_json::from_str::<serde_json::Value>(ONELOGIN_TEMPLATE).is_ok());
    }

    #[test]
    fn addresses_are_completed_and_checked() {
        let okta = |given: &str| endpoint(IdentityProvider::Okta, Some(given));
        assert_eq!(okta("https://a.example/").as_deref(), Ok("https://a.example/scim/v2"));
        assert_eq!(
            okta("https://a.example/t/acme/scim/v2").as_deref(),
            Ok("https://a.example/t/acme/scim/v2")
        );
        for text in ["a.example", "ftp://a", "https://", "https://a_b.example", "https://a b", "https://u@a"]
        {
            assert!(okta(text).is_err(), "{text}");
        }
        assert!(endpoint(IdentityProvider::Entra, Some("https://a_b.example")).is_ok());
    }
}
