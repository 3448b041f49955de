//! The pair that ties a first login to a user: a claim and a SCIM attribute that name one person and never change.

use scim::{AttrPath, ResourceType};

/// The SCIM attribute of the declared pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectAttribute {
    /// `externalId`.
    ExternalId,
    /// `id`: the identity provider was told ours.
    Id,
    /// `employeeNumber` of the enterprise extension (RFC 7643 section 4.3).
    EmployeeNumber,
}

/// Reads the SCIM attribute of the declared pair: it must name one person and never change or pass to another, so it is
/// `externalId`, `id` or the `employeeNumber` of the enterprise extension; never an e-mail address or a name.
pub fn subject_attribute(text: &str) -> Result<SubjectAttribute, String> {
    let refused = |reason: &str| {
        Err(format!(
            "subject attribute: '{text}' {reason}; use externalId, id or {}:employeeNumber",
            scim::urn::ENTERPRISE_USER
        ))
    };
    let Ok(path) = AttrPath::parse(text) else { return refused("is no attribute") };
    let user = ResourceType::user();
    let Some((parent, leaf)) = user.resolve_with_parent(&path) else {
        return refused("is no attribute of a user");
    };
    let top = parent.unwrap_or(leaf);
    let core = path.urn.is_none() || path.urn.as_deref().is_some_and(|urn| user.extension(urn).is_none());
    match (core, top.name.as_str()) {
        (true, "externalId") => Ok(SubjectAttribute::ExternalId),
        (true, "id") => Ok(SubjectAttribute::Id),
        (true, "emails" | "userName") => {
            refused("changes when somebody is renamed, and may be given to somebody else later")
        }
        (true, _) => refused("does not name one person for ever"),
        (false, "employeeNumber") => Ok(SubjectAttribute::EmployeeNumber),
        (false, _) => refused("is shared by many or changes"),
    }
}

/// Claims that carry a name or an address, as the well-known identity providers call them.
pub(crate) fn is_name_or_mail(claim: &str) -> bool {
    let folded = claim.to_lowercase();
    let last = folded.rsplit(['/', ':']).next().unwrap_or_default();
    ["email", "mail", "emailaddress", "upn", "preferred_username", "username", "unique_name", "name", "login"]
        .contains(&last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::ConnectionSettings;

    #[test]
    fn s17_only_what_names_one_person_for_ever_ties_a_login_to_a_user() {
        let enterprise = scim::urn::ENTERPRISE_USER;
        for text in ["externalId", "EXTERNALID", "id", &format!("{enterprise}:employeeNumber")] {
            assert!(subject_attribute(text).is_ok(), "{text}");
        }
        for text in [
            "userName",
            "emails.value",
            "emails",
            "displayName",
            "phoneNumbers.value",
            "nope",
            "",
            &format!("{enterprise}:department"),
            &format!("{enterprise}:manager.value"),
            &format!("{}:userName", scim::urn::USER),
        ] {
            let refused = subject_attribute(text).unwrap_err();
            assert!(refused.contains("externalId"), "{text}: {refused}");
        }
        let with_claim = |claim: &str| ConnectionSettings {
            issuer: Some("https://idp.example".into()),
            subject_claim: Some(claim.into()),
            subject_attribute: Some("externalId".into()),
            ..ConnectionSettings::default()
        };
        assert_eq!(with_claim("oid").check(), Ok(()));
        for claim in
            ["email", "upn", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", " oid"]
        {
            assert!(with_claim(claim).check().is_err(), "{claim}");
        }
        let half = ConnectionSettings { subject_attribute: None, ..with_claim("oid") };
        assert!(half.check().unwrap_err().contains("pair"));
    }
}
