//! The error catalogue: every named cause with its stable code, what it means and what to do next.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::remote::Evidence;

macro_rules! causes {
    ($($name:ident, $code:literal, $title:literal, $fix:literal;)*) => {
        /// A named reason why something is not as it should be.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Cause {
            $(#[doc = $title] $name,)*
        }

        impl Cause {
            /// All of them, in the order of the catalogue.
            pub const ALL: &'static [Cause] = &[$(Cause::$name,)*];

            /// The stable code that scripts may rely on.
            pub fn code(self) -> &'static str {
                match self { $(Cause::$name => $code,)* }
            }

            /// What is wrong, in a sentence.
            pub fn title(self) -> &'static str {
                match self { $(Cause::$name => $title,)* }
            }

            /// What to do next; `{app}`, `{subject}` and `{task}` stand for names.
            pub fn fix(self) -> &'static str {
                match self { $(Cause::$name => $fix,)* }
            }
        }
    };
}

causes! {
    CredentialsRefused, "credentials.refused", "The app refuses our credentials.",
        "Enter a new token: lockstep app credentials {app} --token-file FILE. It is tested first; held work then goes out by itself.";
    AppUnavailable, "app.unavailable", "The app does not answer or says that it is down.",
        "Nothing to do here: the app is tried again by itself and held work then goes out. To try now: lockstep app test {app}.";
    AppNotScim, "app.not_scim", "The address answers, but not as a SCIM endpoint.",
        "Check the base URL (it usually ends in /scim/v2): lockstep app set {app} --base-url URL.";
    PermissionDenied, "permission.denied", "The credentials lack the right for this request.",
        "Give the service account the right named in the evidence, then: lockstep retry {app}.";
    CreateOff, "switch.create_off", "Creating accounts is switched off for this app.",
        "See what would go out with lockstep plan {app}, then: lockstep app set {app} --create on.";
    UpdateOff, "switch.update_off", "Updating is switched off for this app.",
        "See what would go out with lockstep plan {app}, then: lockstep app set {app} --update on.";
    DeactivateOff, "switch.deactivate_off", "Deactivating is switched off for this app, so a leaver is still active there.",
        "See what would go out with lockstep plan {app}, then: lockstep app set {app} --deactivate on.";
    SeatsExhausted, "seats.exhausted", "The app has no free licence for this account.",
        "Free or buy a seat in the app, then: lockstep retry {app}. Deactivations keep flowing and free seats.";
    AppRejected, "app.rejected", "The app rejects what we sent.",
        "Read the app's words in the evidence, mend the value or the mapping (lockstep app mapping {app}), then: lockstep retry {app}.";
    NeedsDecision, "match.needs_decision", "An account with the same key exists in the app and was not made by us.",
        "Look at it: lockstep why {subject} --app {app}. To take exact matches over: lockstep app set {app} --link on, then lockstep retry {app}.";
    Ambiguous, "match.ambiguous", "Several accounts in the app match.",
        "Remove or rename the surplus accounts in the app, then: lockstep retry {app}.";
    MatchForeign, "match.foreign", "The account in the app carries the externalId of somebody else.",
        "Decide in the app whose account it is and correct its externalId, then: lockstep retry {app}.";
    HiddenConflict, "match.hidden", "The app says that the account exists, but does not show it to us.",
        "The service account may not see all users, or the app hides accounts that were made by hand. Make it visible or delete it, then: lockstep retry {app}.";
    KeyHeld, "key.held", "Another account of ours has the user name that this one shall have, and does not give it up.",
        "See who holds it: lockstep why {subject} --app {app}. Give one of the two another user name with lockstep user edit, or delete the holder's account in the app, then: lockstep retry {app}.";
    MissingInApp, "missing.in_app", "The object was deleted in the app.",
        "To create it again with its memberships: lockstep app set {app} --missing repair, then lockstep retry {app}.";
    MappingFailed, "mapping.failed", "A mapping gives no usable value for this user.",
        "See every value with lockstep app mapping {app} --user {subject}, then mend the mapping or the user.";
    GuardHeld, "guard.held", "More destructive effects are due than the deletion guard allows.",
        "Look at them with lockstep plan {app}. If they are meant: lockstep plan {app} --approve.";
    SeatsLow, "seats.low", "Most seats of this tenant are in use.",
        "See how many with lockstep tenant show {app}. Deactivate who has left, or raise the limit: lockstep tenant set {app} --seats N. This closes below 80 %.";
    SeatsExhaustedHere, "seats.exhausted_here", "The seats of this tenant do not suffice: somebody who would become active was refused.",
        "Deactivate who has left, or raise the limit: lockstep tenant set {app} --seats N. The identity provider then has to send the refused users again. Deactivations keep flowing.";
    MemberUnknown, "endpoint.member_unknown", "A group was sent with a member that was never created here, so the whole request was refused.",
        "The user must be created before the membership is sent. {step} This closes when the group is accepted.";
    MemberLate, "endpoint.member_late", "A group was written shortly before users who may belong to it were created, and they are in no group of this connection.",
        "The identity provider sent the membership too early and does not send it again by itself. {step} This closes when they are in a group.";
    DeletedWritten, "endpoint.deleted_written", "The identity provider keeps using an object that was deleted here.",
        "To bring it back with its memberships: lockstep {kind} restore {subject} --yes. To have it created anew instead: {step}";
    ReturnedAsNew, "endpoint.returned_as_new", "A user who was deleted here was created again and got a new id; memberships and history are still with the old one.",
        "See what joining them does: lockstep user merge {new} {old} --preview; then without --preview. To have such users restored from now on: lockstep connection set {app} --restore-on-post on.";
    MemberDeleted, "endpoint.member_deleted", "A group was sent with members that were deleted here; the rest was applied and these memberships wait.",
        "If they shall come back: lockstep user restore USER --yes for those in the evidence. If not, remove them from the group: {step}";
    ConflictRepeated, "endpoint.conflict_repeated", "The identity provider tries again and again to create what exists already, and is refused.",
        "It did not find the existing object, or was not told to link to it. {step} If the existing one is a leftover: lockstep {kind} delete {subject}.";
    ConnectionSilent, "endpoint.silent", "The identity provider has not called for much longer than usual; changes there do not arrive here.",
        "Look whether provisioning still runs there. {step} This closes with the next call.";
    GroupNested, "group.nested_refused", "A group inside a group was refused.",
        "Read the words of the answer in the evidence. If the groups contain each other, break the circle in the identity provider; else push the inner group on its own. {step}";
    GroupNameEmpty, "group.name_empty", "A group without a name was refused.",
        "Give the group a name in the identity provider, or map displayName to an attribute that is never empty. {step}";
    GroupNameTaken, "group.name_taken", "A group was refused because another group here has the same name.",
        "Rename one of the two in the identity provider, or link the pushed group to the existing one. {step} If the one here is a leftover: lockstep group delete {subject}.";
    GroupNameTooLong, "group.name_too_long", "A group was refused because its name is too long.",
        "Shorten the name in the identity provider, or map displayName to a shorter attribute. {step}";
    GroupAttributeUnknown, "group.attribute_unknown", "Attributes of groups arrive that are not in the schema here; they are dropped.",
        "Nothing is lost that this directory knows. Take the attributes in the evidence out of the group mapping of the identity provider, or add a custom schema here.";
    GroupRequired, "endpoint.group_required", "A user was pushed as active before being in the required group, and is kept inactive until then.",
        "Put the user into the group in the evidence; the user is activated with that by itself. To require no group: lockstep connection set {app} --required-group none.";
    MemberRefused, "member.refused", "The app refuses this member of the group.",
        "Read the app's words in the evidence; then: lockstep retry {app}.";
    SigninIssuer, "signin.issuer", "Somebody signs in with an issuer that no connection declares.",
        "If the issuer in the evidence is right: lockstep connection set CONNECTION --issuer ISSUER. If not, mend the sign-on configuration of the app.";
    SigninUnknown, "signin.unknown", "Somebody signs in whom the directory does not know, and first logins make no users.",
        "Assign the person to the app in the identity provider, which then pushes the user, or: lockstep connection set {app} --create-on-first-login on.";
    SigninInactive, "signin.inactive", "An inactive user tries to sign in.",
        "If the person shall sign in again, reactivate in the identity provider, or: lockstep user reactivate {subject} --yes.";
    SigninDeleted, "signin.deleted", "A deleted user tries to sign in.",
        "If the person shall sign in again: lockstep user restore {subject} --yes, then assign the person again in the identity provider.";
    SigninClaimMissing, "signin.claim_missing", "The assertion lacks the claim that ties a first login to a user.",
        "Let the identity provider send the claim in the evidence, or declare another pair: lockstep connection set {app} --subject CLAIM=ATTRIBUTE.";
    SigninOtherSource, "signin.other_source", "The user with the declared identifier is not managed by this connection.",
        "Compare the two with lockstep user show {subject}. If it is the same person: lockstep signin link {subject} --issuer ISSUER --subject SUBJECT.";
    SigninClaimed, "signin.claimed", "The user with the declared identifier already signs in as another subject of this issuer.",
        "If the person has a new account in the identity provider: lockstep signin unlink {subject}, then sign in again.";
    SigninAmbiguous, "signin.ambiguous", "Several users have the declared identifier.",
        "Correct the identifier of all but one in the identity provider, then sign in again; lockstep user show USER shows each.";
    SigninLooksLike, "signin.looks_like", "A first login would make a user whose name or e-mail address another user has.",
        "If it is the same person: lockstep signin link {subject} --issuer ISSUER --subject SUBJECT. If not, change the name or address of one of the two.";
    SigninNotAllowed, "signin.not_allowed", "The policies of the connection keep out whom a first login would make.",
        "See the include and exclude lists and the required group with lockstep connection show {app}.";
    SigninNoName, "signin.no_name", "A first login cannot make a user from this assertion.",
        "Let the identity provider send preferred_username or email, and declare a pair other than id: lockstep connection set {app} --subject CLAIM=ATTRIBUTE.";
    SigninNoSeat, "signin.no_seat", "A first login finds no free seat.",
        "Deactivate somebody, or raise the limit with lockstep tenant set --seats; then sign in again.";
}

/// A cause with what shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The named cause.
    pub cause: Cause,
    /// What shows it: fields by name.
    pub evidence: Value,
}

impl Finding {
    /// A cause with the answer that shows it.
    pub fn from_answer(cause: Cause, evidence: &Evidence) -> Self {
        Self { cause, evidence: serde_json::to_value(evidence).unwrap_or(Value::Null) }
    }
}

/// Names the cause of a rejected request from what the app said (status, SCIM type, words).
pub fn diagnose_rejection(evidence: &Evidence) -> Cause {
    let words = evidence.detail.to_lowercase();
    let says = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
    match evidence.status {
        Some(402) => Cause::SeatsExhausted,
        _ if says(&[
            "seat",
            "license limit",
            "licence limit",
            "license quota",
            "no licenses",
            "user limit",
        ]) =>
        {
            Cause::SeatsExhausted
        }
        Some(401) => Cause::CredentialsRefused,
        Some(403) => Cause::PermissionDenied,
        Some(300..=399) => Cause::AppNotScim,
        Some(404 | 405) if !words.contains("scim") && says(&["<html", "<!doctype"]) => Cause::AppNotScim,
        _ => Cause::AppRejected,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_every_fix_names_a_step() {
        let codes: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.code()).collect();
        assert_eq!(codes.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            assert!(cause.fix().len() > 40 && cause.title().ends_with('.'), "{}", cause.code());
        }
    }

    #[test]
    fn rejections_are_named_by_status_and_words() {
        let answer = |status: u16, detail: &str| Evidence {
            status: Some(status),
            detail: detail.into(),
            ..Evidence::default()
        };
        assert_eq!(diagnose_rejection(&answer(403, "Seat limit reached")), Cause::SeatsExhausted);
        assert_eq!(diagnose_rejection(&answer(403, "not allowed")), Cause::PermissionDenied);
        assert_eq!(diagnose_rejection(&answer(400, "title too long")), Cause::AppRejected);
        assert_eq!(diagnose_rejection(&answer(301, "")), Cause::AppNotScim);
    }
}
