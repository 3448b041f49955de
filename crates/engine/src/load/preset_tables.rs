//! The presets as tables: column, attribute, values. A new export is a new entry.

use super::preset::{Column, Preset, Values};

const EMPLOYEE_NUMBER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber";
const COST_CENTER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter";
const ORGANIZATION: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization";
const DIVISION: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division";
const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value";
const WORK_EMAIL: &str = "emails[type eq \"work\"].value";

const fn column(headers: &'static [&'static str], paths: &'static [&'static str]) -> Column {
    Column { headers, paths, values: Values::AsTheyAre }
}

const fn active(
    headers: &'static [&'static str],
    yes: &'static [&'static str],
    no: &'static [&'static str],
) -> Column {
    Column { headers, paths: &["active"], values: Values::Active { yes, no } }
}

/// All presets.
pub(super) const PRESETS: &[Preset] = &[OKTA, ENTRA, GOOGLE];

const OKTA: Preset = Preset {
    name: "okta",
    title: "the CSV export of Okta's people list",
    key: "login",
    columns: &[
        column(&["id", "userid", "oktauserid"], &["externalId"]),
        column(&["login", "username", "oktausername"], &["userName"]),
        active(
            &["status", "userstatus", "oktastatus", "oktauserstatus"],
            &["ACTIVE", "PROVISIONED", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT"],
            &["STAGED", "SUSPENDED", "DEPROVISIONED", "DEACTIVATED"],
        ),
        column(&["firstname"], &["name.givenName"]),
        column(&["lastname"], &["name.familyName"]),
        column(&["middlename"], &["name.middleName"]),
        column(&["honorificprefix"], &["name.honorificPrefix"]),
        column(&["honorificsuffix"], &["name.honorificSuffix"]),
        column(&["email", "primaryemail"], &[WORK_EMAIL]),
        column(&["secondemail", "secondaryemail"], &["emails[type eq \"other\"].value"]),
        column(&["title"], &["title"]),
        column(&["displayname"], &["displayName"]),
        column(&["nickname"], &["nickName"]),
        column(&["profileurl"], &["profileUrl"]),
        column(&["mobilephone"], &["phoneNumbers[type eq \"mobile\"].value"]),
        column(&["primaryphone"], &["phoneNumbers[type eq \"work\"].value"]),
        column(&["streetaddress"], &["addresses[type eq \"work\"].streetAddress"]),
        column(&["city"], &["addresses[type eq \"work\"].locality"]),
        column(&["state"], &["addresses[type eq \"work\"].region"]),
        column(&["zipcode"], &["addresses[type eq \"work\"].postalCode"]),
        column(&["countrycode"], &["addresses[type eq \"work\"].country"]),
        column(&["preferredlanguage"], &["preferredLanguage"]),
        column(&["locale"], &["locale"]),
        column(&["timezone"], &["timezone"]),
        column(&["usertype"], &["userType"]),
        column(&["employeenumber"], &[EMPLOYEE_NUMBER]),
        column(&["costcenter"], &[COST_CENTER]),
        column(&["organization"], &[ORGANIZATION]),
        column(&["division"], &[DIVISION]),
        column(&["department"], &[DEPARTMENT]),
        column(&["managerid"], &[MANAGER]),
    ],
    left_out: &[
        "manager",
        "postaladdress",
        "created",
        "activated",
        "statuschanged",
        "lastlogin",
        "lastupdated",
        "passwordchanged",
        "transitioningtostatus",
        "type",
        "realmid",
        "password",
    ],
};

const ENTRA: Preset = Preset {
    name: "entra",
    title: "Entra's bulk download of users",
    key: "userPrincipalName",
    columns: &[
        column(&["id", "objectid"], &["externalId"]),
        column(&["userprincipalname"], &["userName"]),
        active(&["accountenabled"], &["True"], &["False"]),
        column(&["displayname"], &["displayName"]),
        column(&["givenname"], &["name.givenName"]),
        column(&["surname"], &["name.familyName"]),
        column(&["mail"], &[WORK_EMAIL]),
        column(&["usertype"], &["userType"]),
        column(&["jobtitle"], &["title"]),
        column(&["department"], &[DEPARTMENT]),
        column(&["companyname"], &[ORGANIZATION]),
        column(&["employeeid"], &[EMPLOYEE_NUMBER]),
        column(&["streetaddress"], &["addresses[type eq \"work\"].streetAddress"]),
        column(&["city"], &["addresses[type eq \"work\"].locality"]),
        column(&["state"], &["addresses[type eq \"work\"].region"]),
        column(&["postalcode"], &["addresses[type eq \"work\"].postalCode"]),
        column(&["country"], &["addresses[type eq \"work\"].country"]),
        column(&["telephonenumber"], &["phoneNumbers[type eq \"work\"].value"]),
        column(&["mobile", "mobilephone"], &["phoneNumbers[type eq \"mobile\"].value"]),
        column(&["alternateemailaddress"], &["emails[type eq \"other\"].value"]),
    ],
    left_out: &[
        "usagelocation",
        "physicaldeliveryofficename",
        "officelocation",
        "authenticationalternativephonenumber",
        "authenticationphonenumber",
        "authenticationemail",
        "agegroup",
        "consentprovidedforminor",
        "legalagegroupclassification",
        "creationtype",
        "directorysynced",
        "invitationstate",
        "identityissuer",
        "createddatetime",
        "onpremisessyncenabled",
    ],
};

const GOOGLE: Preset = Preset {
    name: "google",
    title: "the download of Google's user list",
    key: "Email Address [Required]",
    columns: &[
        column(&["emailaddress"], &["userName", WORK_EMAIL]),
        active(&["status"], &["Active"], &["Suspended", "Archived", "Deleted", "Blocked"]),
        column(&["firstname"], &["name.givenName"]),
        column(&["lastname"], &["name.familyName"]),
        column(&["homesecondaryemail"], &["emails[type eq \"home\"].value"]),
        column(&["worksecondaryemail"], &["emails[type eq \"other\"].value"]),
        column(&["workphone"], &["phoneNumbers[type eq \"work\"].value"]),
        column(&["homephone"], &["phoneNumbers[type eq \"home\"].value"]),
        column(&["mobilephone"], &["phoneNumbers[type eq \"mobile\"].value"]),
        column(&["workaddress"], &["addresses[type eq \"work\"].formatted"]),
        column(&["homeaddress"], &["addresses[type eq \"home\"].formatted"]),
        column(&["employeeid"], &[EMPLOYEE_NUMBER]),
        column(&["employeetype"], &["userType"]),
        column(&["employeetitle"], &["title"]),
        column(&["manageremail"], &[MANAGER]),
        column(&["department"], &[DEPARTMENT]),
        column(&["costcenter"], &[COST_CENTER]),
    ],
    left_out: &[
        "password",
        "passwordhashfunction",
        "orgunitpath",
        "newprimaryemail",
        "lastsignin",
        "recoveryemail",
        "recoveryphone",
        "2svenrolled",
        "2svenforced",
        "buildingid",
        "floorname",
        "floorsection",
        "emailusage",
        "driveusage",
        "photosusage",
        "totalstorage",
        "storageused",
        "storagelimit",
        "changepasswordatnextsignin",
        "newstatus",
        "licenses",
        "newlicenses",
        "advancedprotectionprogramenrollment",
    ],
};
